# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the container from outside, with the engine and this machine's /proc."""

import json
import os
import subprocess

testinfra_hosts = ["ansible://all"]


def test_score_was_raised_and_not_lowered(host):
    container = host.ansible.get_variables()["ansible_host"]
    pid = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Pid}}", container], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    with open(f"/proc/{pid}/oom_score_adj") as stream:
        assert stream.read() == "300\n"


def test_trial_was_mirrored(host):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", "container.json")) as stream:
        evidence = json.load(stream)
    assert (evidence["method"], evidence["manager"]) == ("mirrored", "cgroupfs")
