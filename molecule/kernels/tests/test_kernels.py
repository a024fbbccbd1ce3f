# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kernel, and whether oom_events tells of it what its own log and counter say."""

import json
import os
import re

import pytest

testinfra_hosts = ["ansible://all"]

KERNELS = {"bullseye": (5, 10), "bookworm": (6, 1), "trixie": (6, 12), "sid": (7, 2)}


def evidence(name):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", name)) as stream:
        return json.load(stream)


@pytest.fixture
def name(host):
    return host.backend.get_hostname()


def test_it_is_the_kernel_that_it_should_be(host, name):
    release = host.check_output("uname -r")
    version = tuple(int(number) for number in re.match(r"(\d+)\.(\d+)", release).groups())
    assert version >= KERNELS[name] if name == "sid" else version == KERNELS[name]
    assert evidence(name + ".json")["kernel"] == release


def test_the_pair_was_lowered_by_systemd(name):
    facts = evidence(name + ".json")
    assert (facts["method"], facts["manager"]) == ("lowered", "systemd")
    assert facts["cgroup_version"] == (1 if name == "bullseye" else 2)


def test_events_are_what_the_log_and_the_counter_say(host, name):
    facts = evidence(name + ".events.json")["kmsg"]
    killed = [(int(pid), comm) for pid, comm in re.findall(r"Killed process (\d+) \((.*?)\)", host.check_output("dmesg"))]
    told = [(victim["pid"], victim["name"]) for event in facts["events"] for victim in event["victims"]]
    assert told == killed
    counted = int(re.search(r"^oom_kill (\d+)", host.file("/proc/vmstat").content_string, re.MULTILINE).group(1))
    assert facts["counts"] == {"vmstat_oom_kill": counted, "logged_kills": counted, "unlogged": 0, "untrusted": 0}
    assert len(killed) == counted > 0


def test_events_are_complete(name):
    for event in evidence(name + ".events.json")["kmsg"]["events"]:
        assert (event["killer"], event["outcome"], event["constraint"], event["trusted"]) == ("kernel", "kill", "memcg", True)
        assert event["complete"] and event["memcg"]["limit_kb"] == 64 * 1024
        assert event["trigger"]["name"] and event["victims"][0]["anon_rss_kb"] > 10 * 1024


def test_the_journal_tells_the_same(name):
    facts = evidence(name + ".events.json")
    told = {source: [dict(event, source=None, time=None) for event in facts[source]["events"]] for source in ("kmsg", "journal")}
    assert told["journal"] == told["kmsg"]
    assert facts["journal"]["counts"] == facts["kmsg"]["counts"]
    assert all(event["time"] and event["victims"][0]["unit"] for event in facts["journal"]["events"])
