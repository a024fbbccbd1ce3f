# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""oom_events returns the panic of each kernel as it was."""

import json
import os

testinfra_hosts = ["ansible://all"]


def test_panic_in_pstore(host):
    truth = json.loads(host.file("/root/panic.json").content_string)
    assert host.file("/proc/sys/kernel/random/boot_id").content_string.strip() != truth["boot_id"]
    with open(
        os.path.join(
            os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", host.backend.get_hostname() + ".pstore.json"
        )
    ) as stream:
        facts = json.load(stream)
    assert facts["pstore_backend"] == "ramoops"
    *before, event = facts["events"]  # the kills before the panic are in the dump, too
    assert "panic" not in {one["outcome"] for one in before}
    assert (event["outcome"], event["panic_policy"], event["constraint"], event["victims"]) == (
        "panic",
        "compulsory",
        "memcg",
        [],
    )
    assert (event["trigger"]["name"], event["trigger"]["pid"], event["memcg"]["path"]) == (
        truth["name"],
        truth["pid"],
        truth["memcg"],
    )
