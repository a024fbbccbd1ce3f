# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell what counts as a change between two postures, and what does not."""

import pytest
from report_answers import SECOND, answer

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import accept_findings, accept_posture
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_drift import (
    MAX_FACTS,
    compare_facts,
    name_finding,
    state_facts,
)


def facts(has_all_pins=True, unread=(), **values):
    found = answer(**values)
    return state_facts(accept_posture(found), accept_findings(found), unread, has_all_pins)


def changes(before, after):
    """Return what changed between two postures as a sentence each."""
    _held, found = compare_facts(before.known, after, SECOND)
    assert {one["seen"] for one in found} <= {SECOND}
    return [f"{one['what']}: {one['before']} -> {one['after']}" for one in found]


def changed(key, **values):
    """Return the first entry of a list of the answer with other values."""
    return [{**answer()[key][0], **values}, *answer()[key][1:]]


POLICY = answer()["policy"]
VICTIM = answer()["next_victim"]
SAME = facts()

CHANGES = {
    "nothing": ({}, []),
    "pids": ({"protected": changed("protected", pid=9999)}, []),
    "memory": ({"protected": changed("protected", rss_kb=1), "domain": {"room_kb": 1}}, []),
    "live": (
        {"policy": {**POLICY, "live": {"vm.panic_on_oom": 1, "kernel.panic": 10}}},
        ["sysctl vm.panic_on_oom live: 0 -> 1"],
    ),
    "boot": (
        {"policy": {**POLICY, "boot": {"vm.panic_on_oom": 2, "kernel.panic": None}}},
        ["sysctl vm.panic_on_oom boot: 0 -> 2"],
    ),
    "boot-no-longer-set": (
        {"policy": {**POLICY, "boot": {"vm.panic_on_oom": None, "kernel.panic": None}}},
        ["sysctl vm.panic_on_oom boot: 0 -> not set"],
    ),
    "boot-set": (
        {"policy": {**POLICY, "boot": {"vm.panic_on_oom": 0, "kernel.panic": 10}}},
        ["sysctl kernel.panic boot: not set -> 10"],
    ),
    "score": (
        {"protected": [{**one, "score": -900} for one in answer()["protected"]]},
        ["pin db.service: -500 -> -900"],
    ),
    "one-of-two-processes": ({"protected": changed("protected", score=-900)}, ["pin db.service: -500 -> -900, -500"]),
    "pin-lost": ({"protected": [], "protected_count": 0}, ["pin db.service: -500 -> None"]),
    "pin-of-a-process": (
        {"immune": changed("immune", score=-1000, name="x")},
        ["pin of process x: None -> -1000"],
    ),
    "pin-in-a-container": (
        {"immune": changed("immune", score=-1000, name="x", container="0f1e2d3c4b5a")},
        ["pin of process x in a container: None -> -1000"],
    ),
    "killer-stopped": (
        {"killers": changed("killers", active=False)},
        ["killer earlyoom: runs, 1.7, reads scores -> does not run, 1.7, reads scores"],
    ),
    "killer-unknown": (
        {"killers": changed("killers", reads_scores=None, version=None)},
        ["killer earlyoom: runs, 1.7, reads scores -> runs"],
    ),
    "killer-gone": ({"killers": []}, ["killer earlyoom: runs, 1.7, reads scores -> None"]),
    "finding-gone": ({"findings": []}, ["finding pin_not_lasting postgres: medium -> None"]),
    "finding-of-another-pid": ({"findings": changed("findings", object="postgres[9999]")}, []),
    "kernel": ({"kernel": "6.12"}, ["kernel: 6.1.0-18-amd64 -> 6.12"]),
    "kernel-unknown": ({"kernel": None}, []),
    "next-victim": (
        {"next_victim": {**VICTIM, "unit": "web.service"}},
        ["next victim: app.service -> web.service"],
    ),
    "next-victim-without-unit": ({"next_victim": {**VICTIM, "unit": None}}, ["next victim: app.service -> java"]),
    "next-victim-of-equals": ({"next_victim": {**VICTIM, "unit": "web.service", "certain": False}}, []),
    "next-victim-unknown": ({"next_victim": None}, []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(name):
    values, expected = CHANGES[name]
    assert changes(SAME, facts(**values)) == expected


@pytest.mark.parametrize(
    "unread, values",
    [
        ("sysctls", {"policy": {"live": {}, "boot": {}, "boot_value_from": {}}}),
        ("units", {"killers": [], "findings": []}),
        ("kills", {"findings": []}),
    ],
)
def test_what_could_not_be_read_is_no_change(unread, values):
    """It is compared again when it can be read."""
    now = facts(unread=[unread], **values)
    assert changes(SAME, now) == []
    held, _changes = compare_facts(SAME.known, now, SECOND)
    assert held == SAME.known


@pytest.mark.parametrize("boot, expected", [(None, []), (9, ["sysctl vm.user_reserve_kbytes live: 9 -> 10"])])
def test_a_size_that_the_kernel_computes_is_no_change(boot, expected):
    """Each boot of a small host has another one, unless a file sets it."""
    one, other = (
        facts(policy={"live": {"vm.user_reserve_kbytes": live}, "boot": {"vm.user_reserve_kbytes": boot}})
        for live in (9, 10)
    )
    assert changes(one, other) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"unread": ["sysctls"], "policy": {"live": {}, "boot": {}, "boot_value_from": {}}},
        {"next_victim": {**VICTIM, "certain": False}},
        {"kernel": None},
    ],
    ids=["sysctls", "next-victim", "kernel"],
)
def test_what_was_never_known_is_no_change(values):
    """A host always had these, so the first time that they are read is not when they came."""
    assert changes(facts(**values), SAME) == []


def test_a_list_that_was_cut_loses_no_pin():
    assert changes(SAME, facts(has_all_pins=False, protected=[])) == []
    assert changes(facts(has_all_pins=False, protected=[]), SAME) == ["pin db.service: None -> -500"]


def test_a_list_that_was_cut_loses_no_finding():
    """A host with more findings than are listed has others of them in each run."""
    one, other = (
        facts(findings=[{**answer()["findings"][0], "object": f"{n}.service"} for n in range(first, first + 50)])
        for first in (0, 1)
    )
    assert changes(one, other) == ["finding pin_not_lasting 50.service: None -> medium"]


def test_a_host_cannot_make_the_facts_grow():
    held = {}
    for run in range(20):
        pins = [{"name": f"{run}-{number}", "unit": None, "container": None, "score": -1} for number in range(100)]
        held, _changes = compare_facts(held, facts(has_all_pins=False, protected=pins, immune=[]), SECOND)
    assert len(held) == MAX_FACTS
    assert "pin of process 19-99" in held


def test_words_are_bounded():
    long = "x" * 253
    found = facts(
        protected=[{"name": "x", "unit": long, "container": None, "score": -1}],
        next_victim={**VICTIM, "unit": long},
    )
    assert max(map(len, found.known)) <= 160
    assert max(map(len, found.known.values())) <= 100


@pytest.mark.parametrize(
    "one, other",
    [
        ("a[7] (b.service)", "a[8] (b.service)"),
        (f"/docker/{'0f' * 32}", f"/docker/{'1e' * 32}"),
        (
            "/kubepods.slice/kubepods-pod12345678_1234_1234_1234_123456789abc.slice",
            "/kubepods.slice/kubepods-podabcdef01_1234_1234_1234_123456789abc.slice",
        ),
        ("/kubepods/pod12345678-1234-1234-1234-123456789abc", "/kubepods/podabcdef01-1234-1234-1234-123456789abc"),
    ],
)
def test_name_of_a_finding(one, other):
    """A process, a container and a pod that starts again has the same finding as before."""
    assert name_finding({"id": "x", "object": one}) == name_finding({"id": "x", "object": other})
    assert name_finding({"id": "pin_lost", "object": "a[7] (b.service)"}) == "pin_lost a (b.service)"
