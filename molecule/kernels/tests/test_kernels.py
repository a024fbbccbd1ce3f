# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""oom_events returns what really happened on each kernel, from every source."""

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


def test_kernel_version(host, name):
    release = host.check_output("uname -r")
    version = tuple(int(number) for number in re.match(r"(\d+)\.(\d+)", release).groups())
    assert version >= KERNELS[name] if name == "sid" else version == KERNELS[name]
    assert evidence(name + ".json")["kernel"] == release


def test_trial_lowered_by_systemd(name):
    facts = evidence(name + ".json")
    assert (facts["method"], facts["manager"]) == ("lowered", "systemd")
    assert facts["cgroup_version"] == (1 if name == "bullseye" else 2)


# What trusted is for a real kill in each source. Text without a facility cannot prove it.
SOURCES = {
    "kmsg": True,
    "journal": True,
    "kmsg_records": True,
    "dmesg": None,
    "dmesg_facility": True,
    "dmesg_raw": None,
    "dmesg_ctime": None,
    "dmesg_iso": None,
    "dmesg_json": True,
    "journal_text": None,
    "journal_iso": None,
    "journal_json": True,
    "journal_export": True,
    "everything": None,
}
FORGED = 4242


def events_of(name, source):
    """Return all events of one source, also the forged ones."""
    return evidence(name + ".events.json")["all"][source]["events"]


def provoked_events(name, source):
    """Return the events of the provoked kills only.

    The trials before them are left out, and the forged kills that text cannot distinguish.
    """
    trials = {event["monotonic"] for event in evidence(name + ".events.json")["before"]["events"]}
    return [
        event
        for event in events_of(name, source)
        if (event["trusted"] is not False and event["killer"] == "kernel")
        and (event["monotonic"] is None or all(abs(event["monotonic"] - moment) > 0.5 for moment in trials))
        and not any(victim["name"].startswith("oomguard-") for victim in event["victims"])
        and FORGED not in [victim["pid"] for victim in event["victims"]]
        and not (event["trigger"] and event["trigger"]["name"] == "forger")
    ]


def spellings(text):
    r"""Return the two forms in which logs show a name or path.

    The kernel escapes every byte that is not ASCII. Other text escapes only what is not text.
    """
    data = text if isinstance(text, bytes) else text.encode()
    escaped = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
    readable = re.sub(
        r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match.group()):02x}", data.decode("utf-8", "backslashreplace")
    )
    return {escaped, readable}


def differences(event, case):
    """Return the names of the fields in which the event is wrong."""
    wrong = []
    if sorted(victim["pid"] for victim in event["victims"]) != sorted(pid for pid, _name in case["victims"]):
        wrong.append("victims")
    for pid, name in case["victims"]:
        if not any(
            victim["pid"] == pid and victim["name"] in spellings(bytes.fromhex(name)) for victim in event["victims"]
        ):
            wrong.append(f"name of {pid}")
    if event["outcome"] != case["outcome"]:
        wrong.append("outcome")
    if event["constraint"] != case["constraint"]:
        wrong.append("constraint")
    if case["memcg"] and (event["memcg"] or {"path": None})["path"] not in spellings(case["memcg"]):
        wrong.append("memcg")
    if event["sysrq"] != (case["kind"] == "sysrq") or event["allocating_task"] != (case["kind"] == "allocating"):
        wrong.append("why")
    return wrong


@pytest.mark.parametrize("source", SOURCES)
def test_every_kill_once(name, source):
    provoked = evidence(name + ".events.json")["provoked"]["cases"]
    events = provoked_events(name, source)
    # A process that cannot be killed may run out of memory more than once.
    once = [
        event
        for number, event in enumerate(events)
        if not number or event["outcome"] != "no_killable" or events[number - 1]["outcome"] != "no_killable"
    ]
    assert [(case["kind"], differences(event, case)) for case, event in zip(provoked, once)] == [
        (case["kind"], []) for case in provoked
    ]
    assert len(once) == len(provoked)
    assert {event["trusted"] for event in once} == {SOURCES[source]}


def test_all_kinds_of_kill(name):
    kinds = {case["kind"] for case in evidence(name + ".events.json")["provoked"]["cases"]}
    missing = {"group"} if name == "bullseye" else set()  # version 1 of cgroups has no group kills
    assert kinds == {"memcg", "group", "no killable", "host", "sysrq", "cpuset", "allocating", "policy"} - missing


@pytest.mark.parametrize("source", [source for source, trusted in SOURCES.items() if trusted])
def test_forged_kills_are_not_trusted(name, source):
    forged = [event for event in events_of(name, source) if FORGED in [victim["pid"] for victim in event["victims"]]]
    assert [(event["trusted"], event["duplicates"]) for event in forged] == [(False, 0)] * 3


@pytest.mark.parametrize("source", ["kmsg", "journal"])
def test_forged_kills_are_counted_and_left_out(name, source):
    facts = evidence(name + ".events.json")["defaults"][source]
    assert facts["counts"]["untrusted"] == 3
    assert {event["trusted"] for event in facts["events"]} == {True}


@pytest.mark.parametrize("source", ["kmsg", "journal"])
def test_log_explains_the_counter(name, source):
    facts = evidence(name + ".events.json")
    counts, counted = facts["all"][source]["counts"], facts["provoked"]["oom_kill"]
    assert (counts["vmstat_oom_kill"], counts["unlogged"], counts["unlogged_in"]) == (counted, 0, [])
    assert counts["logged_kills"] <= counted


def test_trials_are_complete(name):
    events = evidence(name + ".events.json")["before"]["events"]
    assert len(events) >= 2
    for event in events:
        assert (event["killer"], event["outcome"], event["constraint"], event["trusted"]) == (
            "kernel",
            "kill",
            "memcg",
            True,
        )
        assert event["complete"] and event["memcg"]["limit_kb"] == 64 * 1024
        assert event["trigger"]["name"] and event["victims"][0]["anon_rss_kb"] > 10 * 1024


def test_journal_and_kmsg_agree(name):
    facts = evidence(name + ".events.json")["all"]
    from_kernel, from_journal = (
        [
            (event["monotonic"], event["outcome"], [victim["pid"] for victim in event["victims"]])
            for event in facts[source]["events"]
            if event["trusted"]
        ]
        for source in ("kmsg", "journal")
    )
    assert from_journal == from_kernel
    assert all(event["time"] for event in facts["journal"]["events"])
