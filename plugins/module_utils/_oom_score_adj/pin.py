# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Pins: who dies last, or first. What is asked for, what becomes of it, what is told.

A pin is the value of /proc/PID/oom_score_adj, -1000 (never chosen) to 1000
(chosen first), one for each process (fs/proc/base.c:__set_oom_adj). It lives in
the process; what gives it to the next one is the drop-in of a unit.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import SCORE_MAX, SCORE_MIN, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import Killable


class Pin(NamedTuple):
    """What the user asked for, one target."""

    selector: str  # one of _selectors.NAMES
    value: str
    score: Optional[int]  # None goes with state absent
    state: str = "present"
    persistent: bool = False
    oom_policy: Optional[str] = None
    children: str = "report"
    missing: str = "fail"
    force: bool = False

    @property
    def target(self) -> str:
        return f"{self.selector}={self.value}"


class Change(NamedTuple):
    """One process and its score before and after; both are the same where nothing is to do."""

    process: Process
    before: int
    after: int


class Outcome(NamedTuple):
    """What became, or in check mode would become, of one target."""

    pin: Pin
    unit: Optional[str]
    services: Set[str]  # whose main processes it selects: init started them
    changes: List[Change]  # of the processes that it selects, and with children=pin of those that they started
    inherited: List[Change]  # of processes started by them that have their score
    vanished: int  # processes that matched and ended before the write
    drop_in: Optional[DropIn] = None
    effective_after_restart: Optional[int] = None
    oom_policy: Optional[str] = None  # of the unit, once systemd read its files
    restart_required: bool = False
    reload: bool = False  # whether systemd has to read the unit again

    @property
    def found(self) -> bool:
        return bool(self.changes) or self.effective_after_restart is not None

    def all_changes(self) -> List[Change]:
        return self.changes + self.inherited

    @property
    def changed(self) -> bool:
        return self.reload or any(change.before != change.after for change in self.all_changes())


def check(pin: Pin) -> None:
    """Raise InputError for options that contradict each other, whatever the host is like."""
    if pin.state == "present" and pin.score is None:
        raise InputError(f"{pin.target}: score is missing; only state=absent goes without")
    if pin.state == "absent" and (pin.score is not None or pin.oom_policy is not None):
        raise InputError(f"{pin.target}: state=absent takes away what was set: give neither score nor oom_policy")
    if pin.score is not None and not SCORE_MIN <= pin.score <= SCORE_MAX:
        raise InputError(f"{pin.target}: score {pin.score} is out of range, {SCORE_MIN} to {SCORE_MAX}")
    if pin.selector != "unit" and pin.persistent:
        raise InputError(f"{pin.target}: only a unit outlives its processes: select by unit, or leave persistent out")
    if pin.oom_policy is not None and not pin.persistent:
        raise InputError(
            f"{pin.target}: oom_policy is an assignment of a unit: select by unit, and not with persistent=false"
        )


def check_conflicts(outcomes: List[Outcome]) -> None:
    """Raise InputError where two targets select the same process, or unit, and want different things."""
    wanted: Dict[Any, Tuple[Pin, str]] = {}
    for outcome in outcomes:
        for change in outcome.changes:
            _claim(wanted, change.process.pid, str(change.process), outcome.pin, str(change.after))
        if outcome.drop_in is not None:
            _claim(wanted, outcome.drop_in.path, f"unit {outcome.unit}", outcome.pin, _wish(outcome.pin))


def _wish(pin: Pin) -> str:
    if pin.score is None:
        return "none"
    return f"{pin.score} with oom_policy {pin.oom_policy}" if pin.oom_policy else str(pin.score)


def _claim(wanted: Dict[Any, Tuple[Pin, str]], key: Any, what: str, pin: Pin, wish: str) -> None:
    other, other_wish = wanted.setdefault(key, (pin, wish))
    if other_wish != wish:
        raise InputError(f"{what} is selected twice: {other.target} wants {other_wish}, {pin.target} wants {wish}")


# --- what the user gets back ------------------------------------------------


def result(outcomes: List[Outcome], killable: Killable) -> Dict[str, Any]:
    """C(changed), C(targets), C(killable) and C(diff), computed from the plan or from what was done, in one place."""
    return dict(
        changed=any(outcome.changed for outcome in outcomes),
        targets=[_told(outcome) for outcome in outcomes],
        killable=dict(killable._asdict(), percent=killable.percent),
        diff=dict(before=_state(outcomes, "before"), after=_state(outcomes, "after")),
    )


def _told(outcome: Outcome) -> Dict[str, Any]:
    return dict(
        target=outcome.pin.target,
        unit=outcome.unit,
        found=outcome.found,
        changed=outcome.changed,
        vanished=outcome.vanished,
        processes=[
            dict(_identity(change.process), before=change.before, after=change.after) for change in outcome.changes
        ],
        inherited=[
            dict(_identity(change.process), score=change.before, after=change.after) for change in outcome.inherited
        ],
        drop_in=None if outcome.drop_in is None else dict(outcome.drop_in._asdict()),
        effective_after_restart=outcome.effective_after_restart,
        restart_required=outcome.restart_required,
    )


def _identity(process: Process) -> Dict[str, Any]:
    return dict(pid=process.pid, name=process.name, start_time=process.start_time)


def _state(outcomes: List[Outcome], when: str) -> str:
    """All scores and drop-ins as text, before or after."""
    scores = {
        f"{change.process.pid} {change.process.name} oom_score_adj {getattr(change, when)}\n": None
        for outcome in outcomes
        for change in outcome.all_changes()
    }
    files = {
        f"# {outcome.drop_in.path}\n{getattr(outcome.drop_in, when)}": None
        for outcome in outcomes
        if outcome.drop_in is not None and getattr(outcome.drop_in, when) is not None
    }
    return "".join([*scores, *files])
