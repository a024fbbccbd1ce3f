# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both reports of the fleet have each kill once, and the second one has what changed."""

import csv
import json
import os

import pytest

KERNELS = ["bullseye", "sid", "trixie"]
REBOOT_AFTER = "30"


def locate(*names):
    return os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], *names)


def read(*names):
    with open(locate(*names), encoding="utf-8") as stream:
        return json.load(stream)


def read_hosts(report):
    return {host["name"]: host for host in read(report, "report.json")["hosts"]}


@pytest.fixture(scope="module")
def first():
    return read_hosts("first")


@pytest.fixture(scope="module")
def second():
    return read_hosts("second")


@pytest.fixture(scope="module")
def truth():
    return read("truth.json")


def describe(kill):
    """Return who really killed whom: the killer, and the unit or the pid of the victim."""
    unit = os.path.basename(kill.get("cgroup", "")) or kill.get("unit")
    return (kill["killer"], unit or kill["pid"])


def describe_event(event):
    return (event["killer"], event["unit"] if event["killer"] in ("systemd-oomd", "kernel") else event["pid"])


def test_read_every_host(first):
    assert {name: (host["state"], host["reason"]) for name, host in first.items()} == dict.fromkeys(
        [*KERNELS, "server"], ("ok", "")
    )


@pytest.mark.parametrize("name", KERNELS)
def test_each_kill_of_the_kernel_once(first, truth, name):
    expected = [
        ("kernel", case["outcome"], case["constraint"], len(case["victims"]))
        for case in truth["kernels"][name]["cases"]
    ]
    events = first[name]["events"][::-1]
    assert [
        (event["killer"], event["outcome"], event["constraint"], event["victims_count"]) for event in events
    ] == expected
    for event, case in zip(events, truth["kernels"][name]["cases"]):
        assert event["pid"] in [pid for pid, _name in case["victims"]] or not case["victims"]
    assert len({event["id"] for event in events}) == len(events)
    assert first[name]["unlogged_kills"] == 0


@pytest.mark.parametrize("name", KERNELS)
def test_say_why(first, name):
    """Badness decides unless the task that allocated was killed, or nothing could be killed."""
    cases = ("memcg", "none")
    decided = [event for event in first[name]["events"] if event["constraint"] in cases and event["name"] is not None]
    assert decided
    for event in decided:
        assert event["name"] in event["why"]


def test_each_kill_of_a_program_once(first, truth):
    assert [describe_event(event) for event in first["server"]["events"][::-1]] == [
        describe(kill) for kill in truth["programs"]
    ]


def test_only_the_new_kill_is_new(first, second, truth):
    for name in KERNELS:
        assert second[name]["events"] == first[name]["events"]
    new, *known = second["server"]["events"]
    assert known == first["server"]["events"]
    assert describe_event(new) == describe(truth["again"])
    assert new["time"] > known[0]["time"]


def test_only_what_was_changed_has_changed(first, second):
    assert all(host["changes"] == [] for host in first.values())
    assert second["bullseye"]["changes"] == []
    changes = {change["what"]: change for change in second["trixie"]["changes"]}
    assert changes["sysctl kernel.panic live"]["after"] == REBOOT_AFTER
    assert changes["sysctl kernel.panic boot"]["after"] == REBOOT_AFTER
    assert all("kernel.panic" in what or what.startswith("finding ") for what in changes)
    assert [(change["what"], change["after"]) for change in second["sid"]["changes"]] == [("pin dbus.service", "-300")]


def test_table_has_a_row_for_each_kill(second):
    with open(locate("second", "events.csv"), encoding="utf-8-sig", newline="") as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    assert sorted(ids) == sorted(event["id"] for host in second.values() for event in host["events"])


def test_page_is_written():
    """tests/browser shows that a page has what its report has."""
    with open(locate("second", "oom-report.html"), encoding="utf-8") as stream:
        page = stream.read()
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
