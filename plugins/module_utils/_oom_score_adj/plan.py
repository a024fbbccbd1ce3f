# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""From targets to what would change: looks at the host, writes nothing.

Everything that may be refused is refused here.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, SCORE_MIN, Process, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DropIn, Systemd, Unit, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import guards as _guards
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import selectors as _selectors
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    Change,
    Outcome,
    Pin,
    check,
    check_conflicts,
)

INIT = 1

_ACCEPT_MISSING = " (missing=ignore or missing=warn accepts that)"


class _Found(NamedTuple):
    """A process that is meant, as its own directory shows it."""

    process: Process
    score: int
    cgroups: List[str]

    @property
    def unit(self) -> Optional[str]:
        """The service that it runs in."""
        return unit_of(self.cgroups)


class Plan:
    """All targets of one call, each look at the host shared by all of them."""

    def __init__(self, procfs: Procfs, systemd: Systemd, pins: Iterable[Pin], least_killable_percent: int) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._least_killable_percent = least_killable_percent
        self._pins: List[Pin] = []
        for pin in pins:
            check(pin)
            self._pins.append(pin._replace(value=service_name(pin.value)) if pin.selector == "unit" else pin)
        self._table = ProcessTable(procfs)
        self._units = systemd.units(pin.value for pin in self._pins if pin.selector == "unit")
        self._selectors: Dict[Pin, Optional[_selectors.Selector]] = {}
        self._missing: Dict[Pin, str] = {}  # why there is no selector
        self._pinned: Set[Tuple[int, int]] = set()  # pid and start of all that any target selected: nobody's heirs
        self._handed_on: Dict[Pin, Set[int]] = {}  # scores that the selected ever had, which their children may have
        self.warnings: List[str] = []  # for the user, not errors
        self.outcomes = self._plan()
        self.killable = self._killable()
        self._guard()
        if procfs.hidden:
            self.warnings.append(
                f"{len(procfs.hidden)} processes of others are hidden (hidepid): run as root to see all"
            )

    @property
    def changed(self) -> bool:
        return any(outcome.changed for outcome in self.outcomes)

    # --- which processes -----------------------------------------------------------

    def look(self, pin: Pin) -> Outcome:
        """The same target, as it is now. Of what it selects C(vanished) ended while it was looked at."""
        selector = self.selector(pin)
        if pin.children == "reset" or (selector is not None and selector.by_descent):
            self._table = ProcessTable(self._procfs)
        found, gone = self._examine(pin, self._candidates(pin), selector)
        self._know_units_of({pin: found})
        return self._outcome(pin, found)._replace(vanished=gone)

    def selector(self, pin: Pin) -> Optional[_selectors.Selector]:
        """None where the target is not there, or nothing of it runs."""
        if pin not in self._selectors:
            try:
                self._selectors[pin] = self._make_selector(pin)
            except NotFoundError as error:
                if pin.missing == "fail" and pin.state == "present":
                    raise NotFoundError(str(error) + _ACCEPT_MISSING)
                self._selectors[pin], self._missing[pin] = None, str(error)
        return self._selectors[pin]

    def _make_selector(self, pin: Pin) -> Optional[_selectors.Selector]:
        whole = pin.children == "pin"
        if pin.selector != "unit":
            return _selectors.select(pin.selector, pin.value, self._procfs, whole)
        unit = self._units[pin.value]
        missing = self._systemd.why_missing(pin.value, unit)
        if missing:
            raise NotFoundError(missing)
        if not unit.running:
            return None
        if unit.control_group and (unit.main_pid or whole):
            return _selectors.ByUnit(unit.main_pid, unit.control_group, self._procfs, whole)
        if not unit.main_pid and pin.state == "present" and pin.missing == "fail":
            advice = f"select what runs in it by cgroup={unit.control_group}, or use children=pin"
            raise InputError(
                f"{pin.target} is {unit.active_state} without a main process (Type={unit.type}): {advice if unit.control_group else 'nothing of it runs that could be pinned'}"
            )
        return None

    def _look(self, pins: List[Pin]) -> List[Outcome]:
        found = {pin: self._examine(pin, self._candidates(pin), self.selector(pin))[0] for pin in pins}
        self._know_units_of(found)
        for pin in pins:
            self._pinned.update((one.process.pid, one.process.start_time) for one in found[pin])
        return [self._outcome(pin, found[pin]) for pin in pins]

    def _know_units_of(self, found: Dict[Pin, List[_Found]]) -> None:
        """What their units give is what the targets are left with that go."""
        if self._systemd.runs():
            self._know(one.unit for pin in found if pin.state == "absent" for one in found[pin])

    def main_pid(self, pin: Pin) -> int:
        """Of a unit, as it was when the plan was made."""
        return self._units[pin.value].main_pid

    def _know(self, names: Iterable[Optional[str]]) -> None:
        known = {unit.id for unit in self._units.values()}
        self._units.update(
            self._systemd.units(name for name in names if name and name not in known and name not in self._units)
        )

    def _unit(self, name: Optional[str]) -> Optional[Unit]:
        return next((unit for asked, unit in self._units.items() if name in (asked, unit.id)), None)

    def _candidates(self, pin: Pin) -> Set[int]:
        selector = self.selector(pin)
        return set() if selector is None else set(selector.candidates(self._table))

    def _examine(
        self, pin: Pin, pids: Iterable[int], selector: Optional[_selectors.Selector]
    ) -> Tuple[List[_Found], int]:
        """These processes through their own directories, without those that are not meant, and how many were gone.

        Without a selector those are meant that are still the same as in the table.
        """
        found, gone = [], 0
        for pid in sorted(pids):
            try:
                with self._procfs.open(pid) as directory:
                    process = directory.process()
                    if process.kernel_thread and pin.selector in ("pid", "pidfile"):
                        raise InputError(
                            f"{pin.target}: {process.name} is a kernel thread, which the OOM killer never chooses"
                        )
                    meant = selector.matches(process, directory) if selector else self._is_in_table(process)
                    if meant and not process.kernel_thread:
                        found.append(_Found(process, directory.score(), directory.cgroups()))
            except GONE:
                gone += 1
            except PermissionError:
                raise AccessError(f"{pin.target}: process {pid} may not be looked at: use become")
        return found, gone

    def _is_in_table(self, process: Process) -> bool:
        known = self._table.by_pid.get(process.pid)
        return known is not None and known.start_time == process.start_time

    def _outcome(self, pin: Pin, selected: List[_Found]) -> Outcome:
        after: Dict[int, int] = {}
        for one in sorted(selected, key=lambda one: one.process.start_time):  # parents first
            after[one.process.pid] = self._unpinned(pin, one, after) if pin.score is None else pin.score
        changes = [Change(one.process, one.score, after[one.process.pid]) for one in selected]
        units = {one.unit for one in selected}
        return Outcome(
            pin=pin,
            unit=self._units[pin.value].id if pin.selector == "unit" else units.pop() if len(units) == 1 else None,
            services={one.unit for one in selected if one.unit and one.process.parent == INIT},
            changes=changes,
            inherited=self._inherited(pin, changes),
            vanished=0,
        )

    def _unpinned(self, pin: Pin, one: _Found, after: Dict[int, int]) -> int:
        """The score that a process has without us: what its unit gives, or else its parent."""
        unit = self._unit(one.unit)
        if unit is None:
            return after[one.process.parent] if one.process.parent in after else self._score_of_parent(one)
        if not pin.persistent:  # the drop-in stays, and so what it gives
            return self._after_restart(unit, None)
        ours = self._absent_drop_in(unit)
        if _guards.manages_itself([unit.id, *unit.names]) or self._systemd.pinned_by(ours) != one.score:
            return one.score  # not from us: a daemon that sets its own score has it from itself
        return self._after_restart(unit, ours)

    def _score_of_parent(self, one: _Found) -> int:
        """What a process was forked with. A parent elsewhere, such as the monitor of a container, has a score of its own: then 0."""
        try:
            with self._procfs.open(one.process.parent) as directory:
                return directory.score() if directory.cgroups() == one.cgroups else 0
        except GONE:
            return 0

    def _inherited(self, pin: Pin, changes: List[Change]) -> List[Change]:
        """What the selected processes started, or runs in the same cgroup, and has the score of one of them, old or new."""
        selector = self.selector(pin)
        handed_on = self._handed_on.setdefault(pin, set())
        handed_on.update(score for change in changes for score in (change.before, change.after) if score != 0)
        if selector is None or not handed_on:
            return []
        below = self._table.descendants(change.process.pid for change in changes) | set(selector.members())
        heirs, _gone = self._examine(pin, [pid for pid in below if self._table.scores.get(pid) in handed_on], None)
        found = [
            one
            for one in heirs
            if one.score in handed_on and (one.process.pid, one.process.start_time) not in self._pinned
        ]
        if pin.children != "reset":
            return [Change(one.process, one.score, one.score) for one in found]
        if self._systemd.runs():
            self._know(one.unit for one in found)
        return [Change(one.process, one.score, self._own_score(pin, one.unit)) for one in found]

    def _own_score(self, pin: Pin, name: Optional[str]) -> int:
        """What a process has that inherited nothing: the score of its unit where that is not the pinned one, else 0."""
        unit = self._unit(name)
        return 0 if unit is None or (pin.selector == "unit" and unit.id == self._units[pin.value].id) else unit.score

    # --- which drop-ins --------------------------------------------------------------

    def _plan(self) -> List[Outcome]:
        outcomes = [self._with_drop_in(outcome) for outcome in self._look(self._pins)]
        self.check_missing(outcomes)
        check_conflicts(outcomes)
        self._warn_of_what_stays(outcomes)
        lowered = any(change.after < change.before for outcome in outcomes for change in outcome.all_changes())
        if lowered and not self._procfs.has_cap_sys_resource():
            self.warnings.append(
                "lowering a score without CAP_SYS_RESOURCE is denied below the lowest value that a privileged process ever gave to it"
            )
        return outcomes

    def _with_drop_in(self, outcome: Outcome) -> Outcome:
        pin = outcome.pin
        if pin.selector != "unit":
            return outcome
        unit = self._units[pin.value]
        if self._systemd.why_missing(pin.value, unit) and not (
            pin.state == "absent" and self._systemd.has_drop_in(unit.id)
        ):
            return outcome
        if not pin.persistent:
            drop_in = None
        elif pin.state == "absent":
            drop_in = self._absent_drop_in(unit)
        else:
            drop_in = self._systemd.drop_in(
                unit, {"OOMScoreAdjust": str(pin.score), "OOMPolicy": self._policy(pin, unit)}
            )
        effective, policy = self._after_restart(unit, drop_in), self._systemd.policy_after(unit, drop_in)
        self._warn(outcome, unit, drop_in, effective, policy)
        changes = [change for change in outcome.changes if change.before != change.after or pin.state == "present"]
        return outcome._replace(
            drop_in=drop_in,
            effective_after_restart=effective,
            oom_policy=policy,
            restart_required=drop_in is not None and unit.running and not changes and effective != unit.score,
            # A file that systemd has not read yet is one of a run that was killed, or of an image.
            reload=drop_in is not None
            and (
                drop_in.before != drop_in.after
                or (unit.load_state == "loaded" and (unit.score, unit.oom_policy) != (effective, policy))
            ),
        )

    def _warn(
        self, outcome: Outcome, unit: Unit, drop_in: Optional[DropIn], effective: int, policy: Optional[str]
    ) -> None:
        pin = outcome.pin
        if pin.state == "absent":
            return
        if drop_in is not None and effective != pin.score:
            self.warnings.append(
                f"{pin.target}: from its next start on the score is {effective} and not {pin.score}: another drop-in comes later than {drop_in.path} and wins"
            )
        if drop_in is not None and policy and pin.oom_policy not in (None, policy):
            self.warnings.append(
                f"{pin.target}: OOMPolicy is {policy} and not {pin.oom_policy}: another drop-in comes later than {drop_in.path} and wins"
            )
        if not outcome.changes and unit.active_state not in ("inactive", "failed"):
            self.warnings.append(
                f"{pin.target} is {unit.active_state} and has no main process in {unit.control_group or 'any cgroup'}: nothing that runs was pinned"
            )

    def _warn_of_what_stays(self, outcomes: List[Outcome]) -> None:
        """The score goes, but what was forked meanwhile has it."""
        for outcome in outcomes:
            taken = {change.before for change in outcome.changes if change.before != change.after}
            staying = [
                change for change in outcome.inherited if change.before == change.after and change.before in taken
            ]
            if outcome.pin.state == "absent" and staying:
                self.warnings.append(
                    f"{outcome.pin.target}: processes that were started meanwhile keep the score that they inherited: use children=reset, or restart them: {', '.join(str(change.process) for change in staying[:5]) + (', ...' if len(staying) > 5 else '')}"
                )

    @staticmethod
    def _policy(pin: Pin, unit: Unit) -> Optional[str]:
        """Before 243 systemd has no OOMPolicy= and goes on whatever is killed."""
        if unit.oom_policy is not None:
            return pin.oom_policy
        if pin.oom_policy in ("stop", "kill"):
            raise InputError(
                f"{pin.target}: oom_policy={pin.oom_policy} takes systemd 243, this one is older and always continues: leave it out"
            )
        return None

    def _absent_drop_in(self, unit: Unit) -> DropIn:
        return self._systemd.drop_in(unit, {"OOMScoreAdjust": None, "OOMPolicy": None})

    def _after_restart(self, unit: Unit, drop_in: Optional[DropIn]) -> int:
        """What the unit's files give, or else what every child of init has where systemd is not told otherwise."""
        given = self._systemd.score_after(unit, drop_in)
        if given is not None:
            return given
        inherited = self._table.scores.get(INIT, 0)
        return inherited if unit.score == inherited else int(self._systemd.default("OOMScoreAdjust") or inherited)

    # --- what is refused ---------------------------------------------------------------

    def check_missing(self, outcomes: List[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.found or outcome.pin.state == "absent":
                continue
            sentence = self._missing.get(outcome.pin) or f"{outcome.pin.target}: no such process"
            if outcome.pin.missing == "fail":
                raise NotFoundError(sentence + _ACCEPT_MISSING)
            if outcome.pin.missing == "warn" and sentence not in self.warnings:
                self.warnings.append(sentence)

    def _guard(self) -> None:
        for outcome in self.outcomes:
            pin = outcome.pin
            if not outcome.found or (pin.selector == "unit" and pin.state == "absent"):
                continue
            names = {
                _guards.program(change.process.name, change.process.pid == INIT) for change in outcome.changes
            } | outcome.services
            if pin.selector == "unit":
                unit = self._units[pin.value]
                names.update([unit.id, *unit.names])
                selector = self.selector(pin)
                others = len(selector.members()) - len(outcome.changes) if selector else 0
                self.warnings.extend(
                    _guards.doubts(pin.target, pin.score or 0, sorted(names), outcome.oom_policy, others)
                )
            if pin.force:
                continue
            _guards.refuse(pin.target, pin.score, names)
            if pin.score == SCORE_MIN and outcome.changed:
                _guards.refuse_too_few(self.killable, self._least_killable_percent)

    def _killable(self) -> _guards.Killable:
        """Memory of all processes by whether the killer may take them once the plan is carried out."""
        scores = dict(self._table.scores)
        scores.update(
            (change.process.pid, change.after) for outcome in self.outcomes for change in outcome.all_changes()
        )
        scores[INIT] = SCORE_MIN  # mm/oom_kill.c:oom_unkillable_task
        all_kb = sum(process.resident_kb for process in self._table.by_pid.values())
        immune_kb = sum(
            process.resident_kb for pid, process in self._table.by_pid.items() if scores.get(pid) == SCORE_MIN
        )
        return _guards.Killable(all_kb - immune_kb, immune_kb)
