# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oom_events told of kills that really happened, each time it was asked for what is new."""

import json
import os
import signal

import pytest

testinfra_hosts = ["ansible://all"]


@pytest.fixture(scope="module")
def evidence():
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence.json")) as stream:
        return json.load(stream)


def brief(event):
    """What truth and event both say."""
    if event["killer"] == "systemd-oomd":
        return (event["killer"], event["memcg"]["path"])
    return (event["killer"], [(victim["pid"], victim["name"]) for victim in event["victims"]])


def wanted(truth):
    return (
        (truth["killer"], truth["cgroup"]) if "cgroup" in truth else (truth["killer"], [(truth["pid"], truth["name"])])
    )


def told(evidence, name):
    return [brief(event) for event in evidence["told"][name]["events"]]


@pytest.fixture
def truth(evidence):
    """Three programs, then the kernel: at once, after a rotation, after a reboot, after the log was thrown away."""
    return [wanted(one) for one in evidence["truth"]]


def test_they_were_really_killed(evidence):
    assert [one["killer"] for one in evidence["truth"]] == ["earlyoom", "nohang", "systemd-oomd"] + ["kernel"] * 4
    assert [one["signal"] for one in evidence["truth"]] == [signal.SIGTERM, signal.SIGTERM] + [signal.SIGKILL] * 5


def test_each_kill_is_told_once_and_no_other(evidence, truth):
    assert told(evidence, "settled") == truth[:4]
    assert told(evidence, "at_once")[-4:] == truth[:4]
    assert told(evidence, "nothing") == []


def test_neither_rotation_nor_reboot_loses_or_repeats_one(evidence, truth):
    assert told(evidence, "across") == truth[4:6]
    assert not evidence["told"]["across"]["lost"]["gap"]


def test_what_was_thrown_away_is_a_gap(evidence, truth):
    assert told(evidence, "lost") == truth[6:]
    assert evidence["told"]["lost"]["lost"]["gap"]


def test_what_the_journal_vouches_for_is_trusted(evidence):
    events = evidence["told"]["settled"]["events"]
    assert [(event["killer"], event["trusted"]) for event in events] == [
        ("earlyoom", True),
        ("nohang", True),
        ("systemd-oomd", True),
        ("kernel", True),
    ]
    assert [event["signal"] for event in events] == ["SIGTERM", "SIGTERM", None, None]
    assert events[2]["reason"] == "pressure"
    assert events[3]["victims"][0]["unit"] == "limited.service"


def test_events_belong_to_the_boot_and_the_moment_that_they_were_in(host, evidence):
    across = evidence["told"]["across"]["events"]
    assert across[1]["boot_id"] == host.file("/proc/sys/kernel/random/boot_id").content_string.strip().replace("-", "")
    assert across[0]["boot_id"] != across[1]["boot_id"]
    assert sorted(event["time"] for event in across) == [event["time"] for event in across]


@pytest.mark.parametrize(
    "number, words",
    [
        (0, "the journal cannot be read (boot=0123456789abcdef0123456789abcdef): "),
        (1, "the cursor is from another host (machine id elsewhere"),
        (2, "be root, or in the group systemd-journal"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(evidence, number, words):
    assert words in evidence["refused"][number]
