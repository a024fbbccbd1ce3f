# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to pins."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    SELECTORS,
    Change,
    Outcome,
    Pin,
    check_all_pins,
    parse_target,
    parse_targets,
)

# The options of a target as Ansible fills them in.
UNSET = dict(
    dict.fromkeys(SELECTORS),
    score=None,
    state="present",
    persistent=None,
    oom_policy=None,
    children="report",
    missing="fail",
    force=False,
    users=None,
    managed_oom_preference=None,
)


def target(**options):
    return dict(UNSET, **options)


def change(pid, before, after, name="x"):
    return Change(Process(pid, name, 100, 1, False, 0), before, after)


def outcome(pin, changes=(), inherited=(), **facts):
    facts = dict(dict(unit=None, services=set(), vanished=0), **facts)
    return Outcome(pin, changes=list(changes), inherited=list(inherited), **facts)


# --- from options to pins ---------------------------------------------------------

PARSED = {
    "a pid": (target(pid=7, score=0), Pin("pid", "7", 0)),
    "a unit lasts": (target(unit="x", score=-5), Pin("unit", "x", -5, persistent=True)),
    "a unit that does not last": (target(unit="x", score=-5, persistent=False), Pin("unit", "x", -5)),
    "every option": (
        target(
            process="x",
            score=None,
            state="absent",
            persistent=True,
            oom_policy="kill",
            children="pin",
            missing="warn",
            force=True,
            users=["a", "b", "a"],
            managed_oom_preference="avoid",
        ),
        Pin(
            "process",
            "x",
            None,
            "absent",
            True,
            "kill",
            "pin",
            "warn",
            True,
            ("a", "b"),
            managed_oom_preference="avoid",
        ),
    ),
}


@pytest.mark.parametrize("options, pin", PARSED.values(), ids=list(PARSED))
def test_parse_target(options, pin):
    assert parse_target(options) == pin


def test_refuse_target_without_selector():
    with pytest.raises(InputError, match=r"^target selects nothing: set one of unit, process, pattern, pid, pidfile"):
        parse_target(target(score=1))


def test_parse_targets():
    assert parse_targets(target(targets=None, pid=7, score=1)) == [Pin("pid", "7", 1)]
    targets = [target(pid=7, score=1), target(unit="x", score=2, users=["b"])]
    assert parse_targets(target(targets=targets, force=True, users=["a"])) == [
        Pin("pid", "7", 1, force=True, users=("a",)),
        Pin("unit", "x", 2, persistent=True, force=True, users=("a", "b")),
    ]


@pytest.mark.parametrize("name, value", [("state", "absent"), ("children", "pin"), ("missing", "warn")])
def test_refuse_option_next_to_targets(name, value):
    with pytest.raises(InputError, match=f"^{name}={value} next to targets has no effect; set it in each target$"):
        parse_targets(target(targets=[target(pid=7, score=1)], **{name: value}))


# --- every pin of a host ----------------------------------------------------------


def all_pins(**options):
    return dict(dict(UNSET, targets=None, state="absent", all_pins=True), **options)


@pytest.mark.parametrize("value", [None, False])
def test_no_all_pins(value):
    assert not check_all_pins(all_pins(all_pins=value, pid=7))


def test_all_pins():
    assert check_all_pins(all_pins(force=True))


CONTRADICTIONS = {
    "present": (dict(state="present"), "all_pins=true next to state=present only takes pins back: set state=absent"),
    "a selector": (dict(unit="x"), "all_pins=true next to unit takes back every pin of this host: leave out unit"),
    "targets": (dict(targets=[]), "all_pins=true next to targets takes back"),
    "a score": (dict(score=0), "all_pins=true next to score takes back"),
    "children": (dict(children="pin"), "all_pins=true next to children takes back"),
    "missing": (dict(missing="warn"), "all_pins=true next to missing takes back"),
}


@pytest.mark.parametrize("options, words", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
def test_refuse_what_contradicts_all_pins(options, words):
    with pytest.raises(InputError, match=f"^{words}"):
        check_all_pins(all_pins(**options))
