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


# Whether a source says who wrote a line. Text without a facility does not.
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
    """All that one source tells, forged or not."""
    told = evidence(name + ".events.json")["told"]
    if source in told:
        return told[source]["events"]
    return [event for event in told["file"]["events"] if event["source"] == f"/root/{source}.log"]


def provoked_events(name, source):
    """Of these what was provoked: not the trials before, and where the text cannot tell them from the kernel's, not the forged ones."""
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
    r"""Of a name or path: as the kernel escapes every byte that is not ASCII, and as text with what is none escaped."""
    data = text if isinstance(text, bytes) else text.encode()
    escaped = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
    readable = re.sub(
        r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match.group()):02x}", data.decode("utf-8", "backslashreplace")
    )
    return {escaped, readable}


def says(event, case):
    """What of the event is not as it was; an empty list is a true one."""
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
def test_every_kill_is_told_as_it_was_and_no_other(name, source):
    provoked = evidence(name + ".events.json")["provoked"]["cases"]
    events = provoked_events(name, source)
    # Who may not be killed may ask more than once.
    once = [
        event
        for number, event in enumerate(events)
        if not number or event["outcome"] != "no_killable" or events[number - 1]["outcome"] != "no_killable"
    ]
    assert [(case["kind"], says(event, case)) for case, event in zip(provoked, once)] == [
        (case["kind"], []) for case in provoked
    ]
    assert len(once) == len(provoked)
    assert {event["trusted"] for event in once} == {SOURCES[source]}


def test_all_kinds_were_provoked(name):
    kinds = {case["kind"] for case in evidence(name + ".events.json")["provoked"]["cases"]}
    missing = {"group"} if name == "bullseye" else set()  # version 1 of cgroups has none
    assert kinds == {"memcg", "group", "no killable", "host", "sysrq", "cpuset", "allocating", "policy"} - missing


@pytest.mark.parametrize("source", [source for source, trusted in SOURCES.items() if trusted])
def test_what_is_forged_is_never_trusted(name, source):
    forged = [event for event in events_of(name, source) if FORGED in [victim["pid"] for victim in event["victims"]]]
    assert [event["trusted"] for event in forged] == [False] * 3


@pytest.mark.parametrize("source", ["kmsg", "journal"])
def test_what_is_forged_is_counted_but_not_told_unasked(name, source):
    facts = evidence(name + ".events.json")["unasked"][source]
    assert facts["counts"]["untrusted"] == 3
    assert {event["trusted"] for event in facts["events"]} == {True}


@pytest.mark.parametrize("source", ["kmsg", "journal"])
def test_the_counter_is_explained(name, source):
    facts = evidence(name + ".events.json")
    counts, counted = facts["told"][source]["counts"], facts["provoked"]["oom_kill"]
    assert (counts["vmstat_oom_kill"], counts["unlogged"], counts["unlogged_in"]) == (counted, 0, [])
    assert counts["logged_kills"] <= counted


def test_trials_are_told_whole(name):
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


def test_the_journal_tells_the_same_as_the_kernel(name):
    facts = evidence(name + ".events.json")["told"]
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
