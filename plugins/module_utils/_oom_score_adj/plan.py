# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan what one call would change: read the host, refuse, warn, write nothing.

Everything that may be refused is refused here.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.claims import Claims
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import (
    INIT,
    add_drop_in,
    find_score_after_restart,
    plan_removal,
    warnings_for_drop_in,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    ACCEPT_MISSING,
    WHY_NOT_IMMUNE,
    find_self_managing,
    name_program,
    refuse_conflicts,
    refuse_contradictions,
    refuse_few_killable,
    refuse_missing,
    refuse_pin,
    warnings_for_inherited,
    warnings_for_missing,
    warnings_for_not_immune,
    warnings_for_policy,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Killable, Outcome, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import (
    ByUnit,
    Selector,
    make_selector,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.writes import choose_score, runs_in


class _Found(NamedTuple):
    """A selected process, as its own directory shows it."""

    process: Process
    score: int
    cgroups: List[str]
    is_claim: bool = False  # its name is one that guards have a rule for, and a user chose it

    @property
    def unit(self) -> Optional[str]:
        """Return the service that it runs in."""
        return unit_of(self.cgroups)


class TargetFinder:
    """Finds the processes of all targets of one call, with one read of the host for all."""

    def __init__(self, procfs: Procfs, systemd: Systemd, table: ProcessTable, units: Dict[str, Unit]) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._table = table
        self._units = units  # by the name that was passed to systemd
        self._selectors: Dict[Pin, Optional[Selector]] = {}
        # Pid and start time of each process that a target selects: it does not count as inherited.
        self._pinned: Set[Tuple[int, int]] = set()
        # All scores that selected processes ever had, which their children may have.
        self._handed_on: Dict[Pin, Set[int]] = {}
        # The cgroups of each process whose score follows from them, by pid and start time.
        self._deciding_cgroups: Dict[Tuple[int, int], List[str]] = {}
        self.missing: Dict[Pin, str] = {}  # why a target has no selector
        # Processes that a target leaves to another one, by target, pid and start time.
        self._left: Set[Tuple[Pin, int, int]] = set()
        self.warnings: List[str] = []  # why a target was not used, whatever missing says
        self._claims = Claims(procfs)

    # --- what selects ----------------------------------------------------------------

    def get_unit(self, pin: Pin) -> Unit:
        """Return the unit of a target as it was when the plan was made."""
        return self._units[pin.value]

    def find_selector(self, pin: Pin) -> Optional[Selector]:
        """Return the selector; None if the target does not exist or no process of it runs.

        Raises NotFoundError if it does not exist but must, InputError if it cannot be pinned.
        """
        if pin not in self._selectors:
            try:
                self._selectors[pin] = self._make_selector(pin)
            except (NotFoundError, UntrustedError) as error:
                if pin.missing == "fail" and pin.state == "present":
                    raise type(error)(str(error) + ACCEPT_MISSING) from error
                self._selectors[pin], self.missing[pin] = None, str(error)
                if isinstance(error, UntrustedError):
                    self.warnings.append(str(error))
        return self._selectors[pin]

    def _make_selector(self, pin: Pin) -> Optional[Selector]:
        whole = pin.children == "pin"
        if pin.selector != "unit":
            return make_selector(pin, self._procfs, self._claims.get_identity, self._claims.find_users(pin))
        unit = self.get_unit(pin)
        missing = self._systemd.why_missing(pin.value, unit)
        if missing:
            raise NotFoundError(missing)
        if not unit.running:
            return None
        if unit.control_group and (unit.main_pid or whole):
            return ByUnit(unit.main_pid, unit.control_group, self._procfs, whole)
        if not unit.main_pid and pin.state == "present" and pin.missing == "fail":
            advice = "no process of it runs that could be pinned"
            if unit.control_group:
                advice = f"select what runs in it by cgroup={unit.control_group}, or use children=pin"
            raise InputError(f"{pin.target} is {unit.active_state} without a main process (Type={unit.type}): {advice}")
        return None

    def find_deciding_cgroups(self, process: Process) -> Optional[List[str]]:
        """Return the cgroups that the planned score of an heir or of a removed pin follows from."""
        return self._deciding_cgroups.get((process.pid, process.start_time))

    # --- what is selected ------------------------------------------------------------

    def find(self, pins: List[Pin]) -> List[Outcome]:
        """Return one outcome for each target, still without drop-ins."""
        found = {pin: self._find_selected(pin, self.find_selector(pin))[0] for pin in pins}
        self._read_units_of_unpinned(found)
        for pin in pins:
            self._pinned.update((one.process.pid, one.process.start_time) for one in found[pin])
        return [self._make_outcome(pin, found[pin]) for pin in pins]

    def find_again(self, pin: Pin) -> Outcome:
        """Return the target's outcome as the host is now.

        C(vanished) counts the selected processes that ended while they were read.
        """
        selector = self.find_selector(pin)
        if pin.children == "reset" or (selector is not None and selector.by_descent):
            self._table = ProcessTable(self._procfs)
        found, gone = self._find_selected(pin, selector)
        self._read_units_of_unpinned({pin: found})
        return self._make_outcome(pin, found)._replace(vanished=gone)

    def settle(self, outcomes: List[Outcome]) -> List[Outcome]:
        """Return outcomes in which no process that a user started gets two scores.

        A user could choose a name and a place that fit two targets, and so make them contradict
        each other. The highest score wins. Contradictions about other processes stay.
        """
        wanted: Dict[Process, Set[int]] = {}
        for outcome in outcomes:
            for change in outcome.changes:
                wanted.setdefault(change.process, set()).add(change.after)
        highest = {
            process: max(scores)
            for process, scores in wanted.items()
            if len(scores) > 1 and self._claims.is_foreign(process)
        }
        return [self._leave_to_others(outcome, highest) for outcome in outcomes] if highest else outcomes

    def _leave_to_others(self, outcome: Outcome, highest: Dict[Process, int]) -> Outcome:
        selector = self.find_selector(outcome.pin)
        kept = []
        for change in outcome.changes:
            process = change.process
            if selector is None or change.after == highest.get(process, change.after):
                kept.append(change)
            else:
                self._left.add((outcome.pin, process.pid, process.start_time))
                selector.pass_over(process, None, "a user started it, and another target gives it a higher score")
        passed_over = tuple(selector.passed_over.values()) if selector is not None else ()
        return outcome._replace(changes=kept, passed_over=passed_over)

    def _find_selected(self, pin: Pin, selector: Optional[Selector]) -> Tuple[List[_Found], int]:
        candidates = set() if selector is None else set(selector.candidates(self._table))
        return self._read_processes(pin, candidates, selector)

    def _read_processes(self, pin: Pin, pids: Iterable[int], selector: Optional[Selector]) -> Tuple[List[_Found], int]:
        """Return the processes that the selector matches, and the number of pids that were gone.

        Without a selector, return the processes that are still the same as in the table.
        """
        found, gone = [], 0
        for pid in sorted(pids):
            try:
                with self._procfs.open(pid) as directory:
                    process = directory.process()
                    matches = selector.matches(process, directory) if selector else self._is_in_table(process)
                    if matches and process.kernel_thread and pin.selector in ("pid", "pidfile"):
                        raise InputError(
                            f"{pin.target}: {process.name} is a kernel thread, which the OOM killer never chooses"
                        )
                    if not matches or process.kernel_thread or (pin, process.pid, process.start_time) in self._left:
                        continue
                    is_claim = selector is not None and self._claims.is_claim(pin, process, directory, selector)
                    if selector is not None and is_claim and self._claims.refuses_immunity(pin, process):
                        selector.pass_over(process, None, WHY_NOT_IMMUNE)
                        continue
                    found.append(_Found(process, directory.score(), directory.cgroups(), is_claim))
            except GONE:
                gone += 1
            except PermissionError as error:
                raise AccessError(f"{pin.target}: process {pid} cannot be read: use become") from error
        return found, gone

    def _is_in_table(self, process: Process) -> bool:
        known = self._table.by_pid.get(process.pid)
        return known is not None and known.start_time == process.start_time

    def _make_outcome(self, pin: Pin, selected: List[_Found]) -> Outcome:
        selector = self.find_selector(pin)
        after: Dict[int, int] = {}
        for one in sorted(selected, key=lambda one: one.process.start_time):  # parents first
            after[one.process.pid] = self._find_unpinned_score(pin, one, after) if pin.score is None else pin.score
            if selector is not None and (one.process.pid, one.process.start_time) in selector.only_raised:
                after[one.process.pid] = max(0, after[one.process.pid])
            if pin.score is None:
                self._remember_cgroups(one)
        changes = [Change(one.process, one.score, after[one.process.pid]) for one in selected]
        units = {one.unit for one in selected}
        common_unit = units.pop() if len(units) == 1 else None
        return Outcome(
            pin=pin,
            unit=self.get_unit(pin).id if pin.selector == "unit" else common_unit,
            services={one.unit for one in selected if one.unit and one.process.parent == INIT},
            changes=changes,
            inherited=self._find_inherited(pin, changes),
            vanished=0,
            passed_over=tuple(selector.passed_over.values()) if selector is not None else (),
            programs=frozenset(
                name_program(one.process.name, one.process.pid == INIT) for one in selected if not one.is_claim
            ),
        )

    # --- what a process has without a pin ----------------------------------------------

    def _find_unpinned_score(self, pin: Pin, one: _Found, after: Dict[int, int]) -> int:
        """Return the score of a process without our pin: that of its unit, else of its parent.

        C(after) are the scores of processes that started earlier, by pid.
        """
        unit = self._find_own_unit(one)
        if unit is None:
            parent = one.process.parent
            return choose_score(after[parent] if parent in after else self._read_parent_score(one))
        is_main = one.process.pid == unit.main_pid
        if not pin.persistent:  # the drop-in stays, and so does its score
            return choose_score(find_score_after_restart(self._systemd, unit, None, self._table), is_main)
        removal = plan_removal(self._systemd, unit)
        if find_self_managing([unit.id, *unit.names]) or self._systemd.pinned_by(removal) != one.score:
            return one.score  # not our pin: a daemon that manages its score has set it itself
        return choose_score(find_score_after_restart(self._systemd, unit, removal, self._table), is_main)

    def _read_parent_score(self, one: _Found) -> int:
        """Return the score that a process was forked with.

        0 for a parent in another cgroup, such as a container's monitor: it has a score of its own.
        """
        try:
            with self._procfs.open(one.process.parent) as directory:
                return directory.score() if directory.cgroups() == one.cgroups else 0
        except GONE:
            return 0

    # --- what inherited ----------------------------------------------------------------

    def _find_inherited(self, pin: Pin, changes: List[Change]) -> List[Change]:
        """Return processes that inherited the old or new score of a selected process.

        They descend from the selected processes, or run in the target's cgroup.
        """
        selector = self.find_selector(pin)
        handed_on = self._handed_on.setdefault(pin, set())
        handed_on.update(score for change in changes for score in (change.before, change.after) if score != 0)
        if selector is None or not handed_on:
            return []
        below = self._table.descendants(change.process.pid for change in changes) | set(selector.members())
        heirs = self._read_processes(pin, [pid for pid in below if self._table.scores.get(pid) in handed_on], None)[0]
        inherited = [
            one
            for one in heirs
            if one.score in handed_on and (one.process.pid, one.process.start_time) not in self._pinned
        ]
        if pin.children != "reset":
            return [Change(one.process, one.score, one.score) for one in inherited]
        if self._systemd.runs():
            self._read_units(one.unit for one in inherited)
        for one in inherited:
            self._remember_cgroups(one)
        return [Change(one.process, one.score, self._find_own_score(pin, one)) for one in inherited]

    def _find_own_score(self, pin: Pin, one: _Found) -> int:
        """Return the score of an heir's own unit; 0 without one, or if it is the pinned unit."""
        unit = self._find_own_unit(one)
        is_pinned = unit is None or (pin.selector == "unit" and unit.id == self.get_unit(pin).id)
        return 0 if unit is None or is_pinned else choose_score(unit.score)

    def _find_own_unit(self, one: _Found) -> Optional[Unit]:
        """Return the unit that a process really runs in; None if it only looks like that."""
        unit = self._find_unit(one.unit)
        return unit if unit is not None and runs_in(one.cgroups, unit.control_group) else None

    def _remember_cgroups(self, one: _Found) -> None:
        self._deciding_cgroups[one.process.pid, one.process.start_time] = one.cgroups

    # --- units ---------------------------------------------------------------------------

    def _read_units_of_unpinned(self, found: Dict[Pin, List[_Found]]) -> None:
        """Read the units of processes whose pin is removed: these get the score of their unit."""
        if self._systemd.runs():
            self._read_units(one.unit for pin in found if pin.state == "absent" for one in found[pin])

    def _read_units(self, names: Iterable[Optional[str]]) -> None:
        known = {unit.id for unit in self._units.values()}
        self._units.update(
            self._systemd.units(name for name in names if name and name not in known and name not in self._units)
        )

    def _find_unit(self, name: Optional[str]) -> Optional[Unit]:
        return next((unit for asked, unit in self._units.items() if name in (asked, unit.id)), None)


class PinPlan(NamedTuple):
    """What one call would change."""

    outcomes: List[Outcome]
    killable: Killable  # once the plan is applied
    warnings: List[str]
    finder: TargetFinder  # to find the targets again while the plan is applied
    least_killable_percent: int = 0

    @property
    def changed(self) -> bool:
        """Return whether anything has to be written."""
        return any(outcome.changed for outcome in self.outcomes)


def plan_pins(procfs: Procfs, systemd: Systemd, pins: Iterable[Pin], least_killable_percent: int) -> PinPlan:
    """Return what would change on this host, with warnings for the user.

    Raises an OomError for whatever is refused, or cannot be read.
    """
    pins = [_normalize(pin) for pin in pins]
    table = ProcessTable(procfs)
    units = systemd.units(pin.value for pin in pins if pin.selector == "unit")
    finder = TargetFinder(procfs, systemd, table, units)
    outcomes: List[Outcome] = []
    warnings: List[str] = []
    for outcome in finder.settle(finder.find(pins)):
        if outcome.pin.selector == "unit":
            unit = finder.get_unit(outcome.pin)
            outcome = add_drop_in(systemd, outcome, unit, table)
            warnings += warnings_for_drop_in(outcome, unit)
        outcomes.append(outcome)
    refuse_missing(outcomes, finder.missing)
    warnings += [one for one in warnings_for_missing(outcomes, finder.missing) if one not in finder.warnings]
    warnings += finder.warnings
    refuse_conflicts(outcomes)
    warnings += warnings_for_not_immune(outcomes)
    warnings += warnings_for_inherited(outcomes)
    warnings += _warnings_for_capability(procfs, outcomes)
    killable = measure_killable(table, outcomes)
    for outcome in outcomes:
        warnings += _guard(finder, outcome, killable, least_killable_percent)
    if procfs.hidden:
        warnings.append(f"{len(procfs.hidden)} processes of other users are hidden (hidepid): run as root to see all")
    return PinPlan(outcomes, killable, warnings, finder, least_killable_percent)


def _normalize(pin: Pin) -> Pin:
    """Return the pin with its unit's full name.

    Raises InputError for contradicting options, and for a name that no service can have.
    """
    refuse_contradictions(pin)
    return pin._replace(value=service_name(pin.value)) if pin.selector == "unit" else pin


def _warnings_for_capability(procfs: Procfs, outcomes: List[Outcome]) -> List[str]:
    lowered = any(change.after < change.before for outcome in outcomes for change in outcome.all_changes())
    if not lowered or procfs.has_cap_sys_resource():
        return []
    return [
        "without CAP_SYS_RESOURCE the kernel denies a process any score"
        " below the lowest one that a privileged process ever gave it"
    ]


def measure_killable(table: ProcessTable, outcomes: List[Outcome]) -> Killable:
    """Return how much resident memory the killer may free once these changes are made."""
    scores = dict(table.scores)
    scores.update((change.process.pid, change.after) for outcome in outcomes for change in outcome.all_changes())
    scores[INIT] = SCORE_MIN  # mm/oom_kill.c:oom_unkillable_task
    all_kb = sum(process.resident_kb for process in table.by_pid.values())
    immune_kb = sum(process.resident_kb for pid, process in table.by_pid.items() if scores.get(pid) == SCORE_MIN)
    return Killable(all_kb - immune_kb, immune_kb)


def _guard(finder: TargetFinder, outcome: Outcome, killable: Killable, least_killable_percent: int) -> List[str]:
    """Return warnings for a pin without effect; raise InputError for one that would do harm."""
    pin = outcome.pin
    # With state=absent too: the files of a unit may give it.
    writes_immunity = any(change.before != change.after == SCORE_MIN for change in outcome.all_changes())
    is_absent_unit = pin.selector == "unit" and pin.state == "absent"
    if not outcome.found or (is_absent_unit and not writes_immunity):
        return []
    names = outcome.programs | outcome.services
    warnings: List[str] = []
    if pin.selector == "unit":
        unit, selector = finder.get_unit(pin), finder.find_selector(pin)
        names |= {unit.id, *unit.names}
        others = len(selector.members()) - len(outcome.changes) if selector else 0
        warnings = warnings_for_policy(pin.target, pin.score or 0, names, outcome.oom_policy, others)
    if not pin.force:
        refuse_pin(pin.target, SCORE_MIN if writes_immunity else pin.score, names)
        if writes_immunity or (pin.score == SCORE_MIN and outcome.changed):
            refuse_few_killable(killable, least_killable_percent)
    return warnings
