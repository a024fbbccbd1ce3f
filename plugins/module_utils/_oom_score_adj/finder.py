# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the processes of targets, and work out the score that each of them gets.

Reads the host, writes nothing. The plan is made with it. While the plan is applied, the targets are
found again.
"""

import collections
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import ByUnit, Selector
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.claims import Claims
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import (
    INIT,
    plan_removal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    ACCEPT_MISSING,
    is_reported_if_missing,
    name_program,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Outcome, Pin

if TYPE_CHECKING:  # a host compiles what it imports, and a pin of a unit does without this
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.unpinned import UnpinnedScores
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.user_units import UserUnits


def complete_name(pin: Pin, list_services: Callable[[], Iterable[str]] = tuple) -> Pin:
    """Return the pin with the full name of its service; raises as service_name() does."""
    if not pin.is_unit or pin.template:
        return pin
    if pin.selector == "unit":
        return pin._replace(value=service_name(pin.value, list_services))
    return pin._replace(value=f"{pin.owner}/{service_name(pin.unit_name)}")


class FoundProcess(NamedTuple):
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

    def __init__(
        self,
        procfs: Procfs,
        systemd: Systemd,
        table: ProcessTable,
        units: Dict[str, Unit],
        record: "Optional[PinRecord]" = None,
    ) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._table = table
        self._units = units  # by the name that was passed to systemd
        self._selectors: Dict[Pin, Optional[Selector]] = {}
        # Pid and start time of each process that a target selects: it does not count as inherited.
        self._pinned: Set[Tuple[int, int]] = set()
        # All scores that selected processes ever had, which their children may have.
        self._handed_on: Dict[Pin, Set[int]] = {}
        self.missing: Dict[Pin, str] = {}  # why a target has no selector
        # Processes that a target leaves to another one, by target, pid and start time.
        self._left: Set[Tuple[Pin, int, int]] = set()
        self.warnings: List[str] = []  # why a target was not used, whatever missing says
        self._claims = Claims(procfs)
        self._record = record
        self._scores_without_pins: Optional[UnpinnedScores] = None
        self._units_of_users: Optional[UserUnits] = None

    # --- what selects ----------------------------------------------------------------

    def get_unit(self, pin: Pin) -> Unit:
        """Return the unit of a target as it was when the plan was made."""
        return self.user_units.find(pin).unit if pin.selector == "user_unit" else self._units[pin.value]

    def has_unit(self, pin: Pin) -> bool:
        """Return whether the target is a unit whose files could be read."""
        return (pin.selector == "unit" and not pin.template) or (
            pin.selector == "user_unit" and self.user_units.has_found(pin)
        )

    def get_manager(self, pin: Pin) -> Systemd:
        """Return the service manager that reads the drop-in of a target.

        For a user's service that could not be read it is that of the host.
        """
        is_of_user = pin.selector == "user_unit" and self.user_units.has_found(pin)
        return self.user_units.find(pin).manager if is_of_user else self._systemd

    @property
    def user_units(self) -> "UserUnits":
        """Return what finds services of users; it is imported at the first use."""
        if self._units_of_users is None:
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.user_units import UserUnits

            self._units_of_users = UserUnits(self._systemd)
        return self._units_of_users

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
        if pin.selector == "drop_in":
            return None
        if pin.selector == "record":
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import ByRecord

            mains = {unit.main_pid for unit in self._units.values()}
            return ByRecord({one.pid: one.start_time for one in self.record.find_living() if one.pid not in mains})
        if not pin.is_unit:
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import make_selector

            return make_selector(pin, self._procfs, self._claims.get_identity, self._claims.find_users(pin))
        if pin.template:
            advice = f"start one, or name it, such as {pin.template}main"
            raise NotFoundError(f"{pin.target}: systemd has started no instance: {advice}")
        unit = self.get_unit(pin)
        missing = self.get_manager(pin).why_missing(pin.unit_name, unit)
        if missing:
            asks = pin.selector == "unit" and unit.load_state == "not-found" and is_reported_if_missing(pin)
            raise NotFoundError(missing + (f"; {self.advise(pin)}" if asks else ""))
        if not unit.running:
            return None
        if unit.control_group and (unit.main_pid or whole):
            return self._select_unit(pin, unit, whole)
        if not unit.main_pid and pin.state == "present" and pin.missing == "fail":
            raise InputError(
                f"{pin.target} is {unit.active_state} without a main process (Type={unit.type}): "
                + self._advise_without_main(unit)
            )
        return None

    def _select_unit(self, pin: Pin, unit: Unit, whole: bool) -> Selector:
        if pin.selector == "unit":
            return ByUnit(unit.main_pid, unit.control_group, self._procfs, whole)
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import ByUserUnit

        uid = self.user_units.find(pin).manager.account.uid
        return ByUserUnit(unit.main_pid, unit.control_group, self._procfs, whole, uid)

    def _advise_without_main(self, unit: Unit) -> str:
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.suggestions import (
            suggest_running_units,
        )

        alike = suggest_running_units(unit.id, self._systemd)
        if alike:
            return alike
        if unit.control_group:
            return f"select what runs in it by cgroup={unit.control_group}, or use children=pin"
        return "no process of it runs that could be pinned: leave it out"

    def advise(self, pin: Pin) -> str:
        """Return what to do about a unit that does not exist, or a target without a process."""
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.suggestions import (
            suggest_for_process,
            suggest_for_unit,
        )

        if pin.selector == "unit":
            return suggest_for_unit(pin.value, self._systemd, self._procfs)
        return suggest_for_process(pin, self._table)

    @property
    def record(self) -> "PinRecord":
        """Return the record of pins that no drop-in holds; it is read at first use."""
        if self._record is None:
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord

            self._record = PinRecord(self._procfs, self._systemd.root)
        return self._record

    def forget_record(self) -> None:
        """Leave the record as it is on the disk: this run cannot keep it up to date."""
        self._record = None

    @property
    def has_stale_record(self) -> bool:
        """Return whether the record was read, and has an entry that is no pin any more."""
        return self._record is not None and self._record.is_stale()

    @property
    def has_record(self) -> bool:
        """Return whether the record was read, and so may be out of date after this run."""
        return self._record is not None

    def find_deciding_cgroups(self, process: Process) -> Optional[List[str]]:
        """Return the cgroups that the planned score of an heir or of a removed pin follows from."""
        if self._scores_without_pins is None:
            return None
        return self._scores_without_pins.deciding_cgroups.get((process.pid, process.start_time))

    # --- what is selected ------------------------------------------------------------

    def find(self, pins: List[Pin]) -> List[Outcome]:
        """Return one outcome for each target, still without drop-ins."""
        found = {pin: self._find_selected(pin, self.find_selector(pin))[0] for pin in pins}
        self._read_units_of_unpinned(found)
        for pin in pins:
            self._pinned.update((one.process.pid, one.process.start_time) for one in found[pin])
        # What a user's manager gives to its services follows from the score that it gets here.
        in_order = sorted(pins, key=lambda pin: pin.selector == "user_unit")
        outcomes = {pin: self._note_manager(self._make_outcome(pin, found[pin])) for pin in in_order}
        return [outcomes[pin] for pin in pins]

    def _note_manager(self, outcome: Outcome) -> Outcome:
        """Remember the score that a user's manager will have; return the outcome as it is."""
        pin = outcome.pin
        if pin.selector == "unit" and pin.value.startswith("user@"):
            unit = self.get_unit(pin)
            if pin.persistent and pin.score is not None:
                self.user_units.login_scores[unit.id] = pin.score
            for change in outcome.changes:
                if change.process.pid == unit.main_pid:
                    self.user_units.manager_scores[unit.id] = change.after
        return outcome

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

    def _find_selected(self, pin: Pin, selector: Optional[Selector]) -> Tuple[List[FoundProcess], int]:
        candidates = set() if selector is None else set(selector.candidates(self._table))
        found, gone = self._read_processes(pin, candidates, selector)
        if selector is not None and pin.selector == "user_unit" and pin.state == "absent":
            found = [one for one in found if not self._leave_to_name(one, selector)]
        return found, gone

    def _leave_to_name(self, one: FoundProcess, selector: Selector) -> bool:
        """Return whether a process in a user's service keeps the pin of another target.

        The user chooses which process the service has, and may write a drop-in with our header.
        """
        is_left = self.record.is_named(one.process, one.score)
        if is_left:
            selector.pass_over(one.process, None, "a target that names it has pinned it")
        return is_left

    def _read_processes(
        self, pin: Pin, pids: Iterable[int], selector: Optional[Selector]
    ) -> Tuple[List[FoundProcess], int]:
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
                            f"{pin.target}: {process.name} is a kernel thread, which the OOM killer never chooses:"
                            " leave it out"
                        )
                    if not matches or process.kernel_thread or (pin, process.pid, process.start_time) in self._left:
                        continue
                    is_claim = selector is not None and self._claims.is_claim(pin, process, directory, selector)
                    why_refused = self._claims.why_refused(pin, process) if is_claim else None
                    if selector is not None and why_refused:
                        selector.pass_over(process, None, why_refused)
                        continue
                    found.append(FoundProcess(process, directory.score(), directory.cgroups(), is_claim))
            except GONE:
                gone += 1
            except PermissionError as error:
                from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

                raise AccessError(f"{pin.target}: process {pid} cannot be read: {explain_os_error(error)}") from error
        return found, gone

    def _is_in_table(self, process: Process) -> bool:
        known = self._table.by_pid.get(process.pid)
        return known is not None and known.start_time == process.start_time

    def _make_outcome(self, pin: Pin, selected: List[FoundProcess]) -> Outcome:
        selector = self.find_selector(pin)
        after: Dict[int, int] = {}
        for one in sorted(selected, key=lambda one: one.process.start_time):  # parents first
            if pin.score is not None:
                after[one.process.pid] = pin.score
            elif pin.selector == "user_unit":
                after[one.process.pid] = self.user_units.find_unpinned_score(pin, one.score, self._table)
            else:
                after[one.process.pid] = self._find_unpinned_score(pin, one, after)
            if selector is not None and (one.process.pid, one.process.start_time) in selector.only_raised:
                after[one.process.pid] = max(0, after[one.process.pid])
        changes = [Change(one.process, one.score, after[one.process.pid]) for one in selected]
        units = collections.Counter(one.unit for one in selected)
        common_unit = next(iter(units)) if len(units) == 1 else None
        return Outcome(
            pin=pin,
            unit=self._name_unit(pin) or common_unit,
            services={one.unit for one in selected if one.unit and one.process.parent == INIT},
            changes=changes,
            inherited=self._find_inherited(pin, changes),
            vanished=0,
            passed_over=tuple(selector.passed_over.values()) if selector is not None else (),
            programs=frozenset(
                name_program(one.process.name, one.process.pid == INIT) for one in selected if not one.is_claim
            ),
            units=tuple(units.items()),
            container=selector.container if selector is not None else None,
        )

    def _name_unit(self, pin: Pin) -> Optional[str]:
        """Return the name of the unit that a target names; None for another target."""
        if pin.selector == "unit" and not pin.template:
            return self.get_unit(pin).id
        return pin.unit_name if pin.is_unit else None

    def _find_unpinned_score(self, pin: Pin, one: FoundProcess, after: Dict[int, int]) -> int:
        """Return the score before the pin, where that was recorded; else what unit or parent give.

        C(after) are the scores of processes that started earlier, by pid.
        """
        before = self.record.find_before(one.process, one.score)
        if pin.selector == "record":  # drop-ins go, too: it may have had the score of one
            if before is None:  # its pin was replaced since it was selected
                return one.score
            return self._unpinned.find_without_drop_in(one, before, self._table)
        if before is not None and not pin.persistent:
            return before
        return self._unpinned.find_score(pin, one, one.score if before is None else before, after, self._table)

    # --- what inherited ----------------------------------------------------------------

    def _find_inherited(self, pin: Pin, changes: List[Change]) -> List[Change]:
        """Return processes that inherited the old or new score of a selected process.

        They descend from the selected processes, or run in the target's cgroup.
        """
        selector = self.find_selector(pin)
        handed_on = self._handed_on.setdefault(pin, set())
        handed_on.update(self._list_handed_on(pin, changes))
        handed_on.discard(0)
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
        if pin.selector == "user_unit":
            find = self.user_units.find_unpinned_score
            return [Change(one.process, one.score, find(pin, one.score, self._table)) for one in inherited]
        self._unpinned.read_units(one.unit for one in inherited)
        find_heir_score = self._unpinned.find_heir_score
        return [Change(one.process, one.score, find_heir_score(pin, one, self._table)) for one in inherited]

    def _list_handed_on(self, pin: Pin, changes: List[Change]) -> Set[int]:
        """Return the scores that children of selected processes may have from them.

        Where a pin is removed, what is left is no pin: its scores do not count.
        """
        if pin.state == "present":
            return {score for change in changes for score in (change.before, change.after)}
        scores = {change.before for change in changes if change.before != change.after}
        if pin.persistent and self.has_unit(pin):
            manager = self.get_manager(pin)
            scores.add(manager.pinned_by(plan_removal(manager, self.get_unit(pin))) or 0)
        return scores

    @property
    def _unpinned(self) -> "UnpinnedScores":
        """Return what works out scores without pins; it is imported at the first use."""
        if self._scores_without_pins is None:
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.unpinned import UnpinnedScores

            self._scores_without_pins = UnpinnedScores(self._procfs, self._systemd, self._units)
        return self._scores_without_pins

    def _read_units_of_unpinned(self, found: Dict[Pin, List[FoundProcess]]) -> None:
        """Read the units of processes whose pin is removed: these get the score of their unit."""
        absent = [pin for pin in found if pin.state == "absent" and pin.selector != "user_unit"]
        removed = [one for pin in absent for one in found[pin]]
        if removed:
            self._unpinned.read_units(one.unit for one in removed)
