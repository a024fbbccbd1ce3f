# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each run of oom_events returned exactly the kills that really happened since the run before."""

import json
import os
import re
import signal

import pytest

testinfra_hosts = ["ansible://all"]


@pytest.fixture(scope="module")
def evidence():
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence.json")) as stream:
        return json.load(stream)


def victims_of(event):
    """Return the killer and its victims, or for systemd-oomd its cgroup."""
    if event["killer"] == "systemd-oomd":
        return (event["killer"], event["memcg"]["path"])
    return (event["killer"], [(victim["pid"], victim["name"]) for victim in event["victims"]])


def expected(kill):
    """Return the same of a kill that really happened."""
    return (kill["killer"], kill["cgroup"] if "cgroup" in kill else [(kill["pid"], kill["name"])])


def returned(evidence, name):
    return [victims_of(event) for event in evidence["results"][name]["events"]]


@pytest.fixture
def truth(evidence):
    """Return three kills by programs, then four by the kernel.

    The kernel killed at once, after a rotation, after a reboot, and after the log was deleted.
    """
    return [expected(kill) for kill in evidence["truth"]]


def test_all_were_killed(evidence):
    assert [kill["killer"] for kill in evidence["truth"]] == ["earlyoom", "nohang", "systemd-oomd"] + ["kernel"] * 4
    assert [kill["signal"] for kill in evidence["truth"]] == [signal.SIGTERM, signal.SIGTERM] + [signal.SIGKILL] * 5


def test_each_kill_once(evidence, truth):
    assert returned(evidence, "settled") == truth[:4]
    assert returned(evidence, "at_once")[-4:] == truth[:4]
    assert returned(evidence, "nothing") == []


def test_cursor_across_rotation_and_reboot(evidence, truth):
    assert returned(evidence, "across") == truth[4:6]
    assert not evidence["results"]["across"]["lost"]["gap"]


def test_deleted_log_is_a_gap(evidence, truth):
    assert returned(evidence, "lost") == truth[6:]
    assert evidence["results"]["lost"]["lost"]["gap"]


def test_trust_services_in_the_journal(evidence):
    events = evidence["results"]["settled"]["events"]
    assert [(event["killer"], event["trusted"]) for event in events] == [
        ("earlyoom", True),
        ("nohang", True),
        ("systemd-oomd", True),
        ("kernel", True),
    ]
    assert [event["signal"] for event in events] == ["SIGTERM", "SIGTERM", None, None]
    assert events[2]["reason"] == "pressure"
    assert events[3]["victims"][0]["unit"] == "limited.service"


def test_report_for_a_person(evidence):
    """Each kill is one line; the kernel's victim is a unit at its own limit."""
    settled = evidence["results"]["settled"]
    assert re.match(r"[0-9]+ kills in 2 units since the last run", settled["msg"])
    words = [line.partition("  ")[2] for line in settled["report"]]
    assert [line.split("[")[0] for line in words[:2]] == ["earlyoom killed hog", "nohang killed hog"]
    assert words[2].startswith("systemd-oomd killed thrash.service") and words[2].endswith("because of memory pressure")
    assert words[3].startswith("limited.service hit its own limit (32 MiB, MemoryMax): killed hog[")
    assert evidence["results"]["nothing"]["msg"] == "no kills since the last run"
    assert [(row["killer"], row["unit"]) for row in settled["summary"] if row["unit"]] == [
        ("systemd-oomd", "thrash.service"),
        ("kernel", "limited.service"),
    ]


def test_boot_and_time(host, evidence):
    across = evidence["results"]["across"]["events"]
    assert across[1]["boot_id"] == host.file("/proc/sys/kernel/random/boot_id").content_string.strip().replace("-", "")
    assert across[0]["boot_id"] != across[1]["boot_id"]
    assert sorted(event["time"] for event in across) == [event["time"] for event in across]


@pytest.mark.parametrize(
    "number, words",
    [
        (0, "the journal cannot be read (boot=0123456789abcdef0123456789abcdef): "),
        (1, "the cursor is from another host (machine id elsewhere"),
        (2, "add become: true, or join the group systemd-journal"),
    ],
)
def test_refused_with_reason(evidence, number, words):
    assert words in evidence["refused"][number]
