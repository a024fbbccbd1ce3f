# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to pins, and from outcomes to the result."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    MAX_PASSED_OVER,
    SELECTORS,
    Change,
    Killable,
    Outcome,
    PassedOver,
    Pin,
    parse_target,
    parse_targets,
    pin_results,
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
        ),
        Pin("process", "x", None, "absent", True, "kill", "pin", "warn", True, ("a", "b")),
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


# --- what the user gets back ------------------------------------------------------


def test_pin_results():
    drop_in = DropIn("/x.conf", None, "[Service]\n")
    unit = outcome(
        Pin("unit", "x.service", -5),
        [change(7, 0, -5)],
        [change(8, -5, -5)],
        unit="x.service",
        vanished=1,
        drop_in=drop_in,
        effective_after_restart=-5,
        restart_required=True,
    )
    process = outcome(Pin("process", "x", -5), [change(7, 0, -5)])
    stranger = PassedOver(Process(9, "x", 100, 1, False, 0), 1000, "it runs as uid 1000")
    process = process._replace(passed_over=(stranger,) * (MAX_PASSED_OVER + 1))
    identity = dict(name="x", start_time=100)
    expected = dict(
        target="unit=x.service",
        unit="x.service",
        found=True,
        changed=True,
        vanished=1,
        processes=[dict(identity, pid=7, before=0, after=-5)],
        inherited=[dict(identity, pid=8, score=-5, after=-5)],
        skipped_foreign=[],
        drop_in=dict(path="/x.conf", before=None, after="[Service]\n"),
        effective_after_restart=-5,
        restart_required=True,
    )
    skipped = [dict(pid=9, name="x", uid=1000, why="it runs as uid 1000")] * MAX_PASSED_OVER
    nothing = dict(
        unit=None, skipped_foreign=skipped, inherited=[], vanished=0, drop_in=None, effective_after_restart=None
    )
    assert pin_results([unit, process], Killable(2, 1)) == dict(
        changed=True,
        targets=[expected, dict(expected, target="process=x", restart_required=False, **nothing)],
        killable=dict(killable_kb=2, immune_kb=1, percent=66),
        diff=dict(
            before="7 x oom_score_adj 0\n8 x oom_score_adj -5\n",
            after="7 x oom_score_adj -5\n8 x oom_score_adj -5\n# /x.conf\n[Service]\n",
        ),
    )
    assert not pin_results([], Killable(2, 1))["changed"]


@pytest.mark.parametrize("killable_kb, immune_kb, percent", [(0, 0, 100), (2, 1, 66), (0, 5, 0), (5, 0, 100)])
def test_killable_percent(killable_kb, immune_kb, percent):
    assert Killable(killable_kb, immune_kb).percent == percent
