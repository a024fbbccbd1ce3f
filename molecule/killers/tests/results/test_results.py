# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each killer spares the protected service every time, and kills it without protection."""

import json
import os
import re

import pytest

testinfra_hosts = ["ansible://all"]
NAMES = ("shop", "batch")
KILLERS = ("earlyoom", "nohang", "swap", "pressure")
AVOIDING = ("swap", "pressure")
# In the order in which they were fought.
DUELS = [("unprotected", one) for one in KILLERS] + [("protected", one) for one in KILLERS]
DUELS += [("avoided", one) for one in AVOIDING]


@pytest.fixture
def name(host):
    return host.backend.get_hostname()


@pytest.fixture
def evidence(name):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], name + ".json")) as stream:
        return json.load(stream)


@pytest.mark.parametrize("killer", KILLERS)
def test_unprotected_service_dies(evidence, killer):
    """On a slow guest the killer may take the other one, too, before it is stopped."""
    duels = evidence["unprotected"][killer]
    assert [(one["dead"][0], one["scores"]["shop"]) for one in duels] == [("shop", 0)] * 5


@pytest.mark.parametrize("killer", KILLERS)
def test_protected_service_outlives_the_other(evidence, killer):
    duels = evidence["protected"][killer]
    assert [(one["dead"], one["scores"]["shop"]) for one in duels] == [(["batch"], -999)] * 5


@pytest.mark.parametrize("killer", AVOIDING)
def test_avoided_service_dies_last(evidence, killer):
    duels = evidence["avoided"][killer]
    assert [(one["dead"][0], one["scores"]["shop"]) for one in duels] == [("batch", -500)] * 2


def test_events_name_killer_and_victim(evidence):
    expected = [
        (one["killer"], one["cgroups"][name] if one["killer"] == "systemd-oomd" else [[one["pids"][name], name]])
        for part, killer in DUELS
        for one in evidence[part][killer]
        for name in one["dead"]
    ]
    returned = [
        (
            event["killer"],
            event["memcg"]["path"]
            if event["killer"] == "systemd-oomd"
            else [[victim["pid"], victim["name"]] for victim in event["victims"]],
        )
        for event in evidence["events"]
    ]
    # A killer may have killed something else besides, such as a session of root.
    ours = [(killer, what) for killer, what in returned if killer == "systemd-oomd" or what[0][1] in NAMES]
    assert ours == expected


def test_a_pin_alone_does_not_bind(evidence, name):
    """earlyoom 1.8 runs with --sort-by-rss, and systemd-oomd never reads scores."""
    ignoring = ["systemd-oomd", "earlyoom"] if name == "trixie" else ["systemd-oomd"]
    reported = evidence["runs"]["reported"]
    assert [(one["unit"], one["killer"]) for one in reported["not_binding"]] == [
        ("shop.service", killer) for killer in ignoring
    ]
    assert any("managed_oom_preference=omit for unit=shop.service" in one for one in reported["warnings"])
    assert any("add --ignore '^shop$'" in one for one in reported["warnings"]) == (name == "trixie")
    assert evidence["runs"]["again"]["not_binding"] == evidence["runs"]["avoiding"]["not_binding"] == []


def test_last_line_of_the_playbook(evidence, name):
    reasons = [r"shop \(systemd-oomd never reads scores\)"]
    reasons += [r"shop \(earlyoom runs with --sort-by-rss\)"] if name == "trixie" else []
    lines = evidence["lines"]
    assert re.search(f"not_binding: {', '.join(reasons)}; changed 1 pin", lines["report"])
    assert re.search(r"changed: 1 pin\b", lines["protect"]) and "not_binding" not in lines["protect"]


def test_configuration_that_cannot_be_read_costs_no_pin(evidence):
    runs = evidence["runs"]
    words = "nohang runs, and whether it goes by pins is not known: /etc/nohang/nohang.conf has"
    assert any(one.startswith(words) for one in runs["unread"]["warnings"])
    assert runs["unread"]["changed"] and runs["unread"]["not_binding"] == runs["reported"]["not_binding"]


def test_killers_are_found(evidence, name):
    killers = {one["name"]: one for one in evidence["runs"]["info"]["killers"] if one["active"]}
    assert {name: one["reads_scores"] for name, one in killers.items()} == {
        "systemd-oomd": False,
        "earlyoom": name == "bookworm",
        "nohang": True,
    }
    assert killers["earlyoom"]["version"].startswith("1.7" if name == "bookworm" else "1.8")
    assert [one["problem"] for one in killers.values()] == [None] * 3
    assert "/duel.slice" in killers["systemd-oomd"]["candidates"]


def test_protection_is_live_and_shown_before(evidence, name):
    runs, recorded = evidence["runs"], evidence["recorded"]
    assert runs["planned"]["changed"] and "ManagedOOMPreference=omit" in runs["planned"]["diff"]["after"]
    assert not runs["again"]["changed"] and runs["avoiding"]["changed"]
    assert recorded[1]["attributes"] == {"shop": {"user.oomd_omit": "1"}, "batch": {}}
    assert recorded[1]["live"]["shop"] == "-999"
    ours = ["--ignore", "^(shop)$"] if name == "trixie" else []
    assert recorded[1]["earlyoom"] == [*recorded[0]["earlyoom"][:-1], *ours, ""]


def test_absent_restores_files_attributes_scores_and_arguments(evidence):
    before, _protected, after = evidence["recorded"]
    assert before["live"] == {"shop": "0", "batch": "0", "earlyoom": before["live"]["earlyoom"]} and before["earlyoom"]
    assert evidence["runs"]["absent"]["changed"]
    assert after == before and before["attributes"] == {"shop": {}, "batch": {}}


def test_what_a_users_manager_lets_systemd_oomd_watch(evidence):
    """A pin is reported there without a preference, and not with one."""
    assert re.search(
        r"Path: /user\.slice/user-\d+\.slice/user@\d+\.service/app\.slice$",
        evidence["oomctl"].replace("\r", ""),
        re.MULTILINE,
    )
    found = [
        [(one["target"], one["reason"]) for one in run if one["killer"] == "systemd-oomd"]
        for run in evidence["pins_of_user"]
    ]
    assert found == [[("user_unit=alice/nap.service", "systemd-oomd never reads scores")], []]
