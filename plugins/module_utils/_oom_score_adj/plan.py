# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan what one call would change: read the host, refuse, warn, write nothing.

Everything that may be refused is refused here.
"""

from typing import TYPE_CHECKING, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import has_cgroups_below
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN, Killable
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import EARLYOOM, may_run, name_programs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import (
    INIT,
    add_drop_in,
    choose_preferences,
    remove_file,
    warnings_for_drop_in,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder, complete_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    name_user_cgroup,
    refuse_conflicts,
    refuse_contradictions,
    refuse_few_killable,
    refuse_missing,
    refuse_pin,
    warnings_for_inherited,
    warnings_for_missing,
    warnings_for_not_pinned,
    warnings_for_policy,
    warnings_for_several,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import NotBinding, Outcome, Pin

if TYPE_CHECKING:  # a host compiles what it imports, and a pin of a unit does without this
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord


class PinPlan(NamedTuple):
    """What one call would change."""

    outcomes: List[Outcome]
    killable: Killable  # once the plan is applied
    warnings: List[str]
    finder: TargetFinder  # to find the targets again while the plan is applied
    table: ProcessTable  # that it was made from
    least_killable_percent: int = 0
    not_binding: Sequence[NotBinding] = ()  # pins that another killer does not go by

    @property
    def changed(self) -> bool:
        """Return whether anything has to be written."""
        return any(outcome.changed for outcome in self.outcomes)

    def list_scores(self) -> Dict[int, int]:
        """Return the score of each selected process once the plan is applied, by pid."""
        return {change.process.pid: change.after for outcome in self.outcomes for change in outcome.all_changes()}

    def list_groups(self) -> Dict[str, bool]:
        """Return whether the processes of a cgroup die together, where C(oom_policy) decides it."""
        return {
            self.finder.get_unit(outcome.pin).control_group: outcome.oom_policy == "kill"
            for outcome in self.outcomes
            if outcome.pin.selector == "unit" and outcome.pin.oom_policy and self.finder.has_unit(outcome.pin)
        }


def plan_pins(
    procfs: Procfs,
    systemd: Systemd,
    pins: Iterable[Pin],
    least_killable_percent: int,
    record: "Optional[PinRecord]" = None,
    protects: bool = False,
) -> PinPlan:
    """Return what would change on this host, with warnings for the user.

    The record of live pins is read where it is needed, unless the caller has read it. C(protects)
    is other_killers=protect.

    Raises an OomError for whatever is refused, or cannot be read.
    """
    pins = [_normalize(pin, systemd) for pin in pins]
    table = ProcessTable(procfs)
    units = systemd.units(pin.value for pin in pins if pin.selector == "unit" and not pin.template)
    if protects:
        pins = choose_preferences(pins, units)
    finder = TargetFinder(procfs, systemd, table, units, record)
    outcomes: List[Outcome] = []
    warnings: List[str] = []
    for outcome in finder.settle(finder.find(pins)):
        outcome, found = _plan_file(procfs, systemd, finder, outcome, table)
        outcomes.append(outcome)
        warnings += found
    refuse_missing(outcomes, finder.missing, finder.advise)
    missing = warnings_for_missing(outcomes, finder.missing, finder.advise)
    warnings += [one for one in missing if one not in finder.warnings]
    warnings += finder.warnings
    refuse_conflicts(outcomes)
    warnings += warnings_for_not_pinned(outcomes)
    warnings += warnings_for_inherited(outcomes)
    warnings += warnings_for_several(outcomes)
    killable = measure_killable(table, outcomes)
    for outcome in outcomes:
        warnings += _guard(procfs, finder, outcome, killable, least_killable_percent)
    if procfs.hidden:
        warnings.append(
            f"{len(procfs.hidden)} processes of other users are hidden (hidepid): add become: true to see all"
        )
    not_binding: Sequence[NotBinding] = ()
    spares = systemd.read(systemd.killer_drop_in_path(EARLYOOM)) is not None
    names = name_programs({pid: process.name for pid, process in table.by_pid.items()}, procfs.command_lines)
    if spares or may_run(names.values()):
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.unbound import look_at_other_killers

        others = look_at_other_killers(procfs, systemd, names, outcomes, protects, finder.get_manager)
        outcomes += [others.outcome] if others.outcome is not None else []
        not_binding = others.not_binding
        warnings += others.warnings
    warnings = list(dict.fromkeys(warnings))
    return PinPlan(outcomes, killable, warnings, finder, table, least_killable_percent, not_binding)


def _plan_file(
    procfs: Procfs, systemd: Systemd, finder: TargetFinder, outcome: Outcome, table: ProcessTable
) -> Tuple[Outcome, List[str]]:
    """Return the outcome of a target with the drop-in that it has, if any, and warnings."""
    pin = outcome.pin
    if finder.has_unit(pin):
        unit, manager, warnings = finder.get_unit(pin), finder.get_manager(pin), []
        outcome = add_drop_in(procfs, manager, outcome, unit, table)
        if pin.selector == "user_unit":
            outcome = finder.user_units.foresee(outcome, table)
            warnings = finder.user_units.warnings_for(outcome, table)
        return outcome, warnings + warnings_for_drop_in(manager, outcome, unit)
    if pin.selector == "drop_in":
        return remove_file(systemd, outcome, pin.value), []
    if pin.for_all_users and pin.state == "absent":
        path = systemd.drop_in_path_for_all_users(pin.unit_name)
        if systemd.read(path) is not None:  # root's file, whatever the user does with the service
            return remove_file(systemd, outcome, path), []
    return outcome, []


def _normalize(pin: Pin, systemd: Systemd) -> Pin:
    """Return the pin with its unit's full name.

    Raises InputError for contradicting options, and for a name that no service can have.
    """
    refuse_contradictions(pin)
    return complete_name(pin, systemd.running_services)


def measure_killable(table: ProcessTable, outcomes: List[Outcome]) -> Killable:
    """Return how much resident memory the killer may free once these changes are made."""
    scores = dict(table.scores)
    scores.update((change.process.pid, change.after) for outcome in outcomes for change in outcome.all_changes())
    scores[INIT] = SCORE_MIN  # mm/oom_kill.c:oom_unkillable_task
    all_kb = sum(process.resident_kb for process in table.by_pid.values())
    immune_kb = sum(process.resident_kb for pid, process in table.by_pid.items() if scores.get(pid) == SCORE_MIN)
    return Killable(all_kb - immune_kb, immune_kb)


def _guard(
    procfs: Procfs, finder: TargetFinder, outcome: Outcome, killable: Killable, least_killable_percent: int
) -> List[str]:
    """Return warnings for a pin without effect; raise InputError for one that would do harm."""
    pin = outcome.pin
    # With state=absent too: the files of a unit may give it.
    writes_immunity = any(change.before != change.after == SCORE_MIN for change in outcome.all_changes())
    is_absent_unit = pin.is_unit and pin.state == "absent"
    if not outcome.found or (is_absent_unit and not writes_immunity):
        return []
    names = outcome.programs | outcome.services
    if pin.selector == "cgroup":
        names |= name_user_cgroup(pin.value)
    warnings: List[str] = []
    if pin.is_unit:
        unit, selector = finder.get_unit(pin), finder.find_selector(pin)
        if pin.selector == "unit":  # a user may give a service any name
            names |= {unit.id, *unit.names}
        others = len(selector.members()) - len(outcome.changes) if selector else 0
        needs_kill = outcome.preference in ("avoid", "omit") and has_cgroups_below(procfs, unit.control_group)
        warnings = warnings_for_policy(pin.target, pin.score or 0, names, outcome.oom_policy, others, needs_kill)
    if not pin.force:
        refuse_pin(pin.target, SCORE_MIN if writes_immunity else pin.score, names)
        if writes_immunity or (pin.score == SCORE_MIN and outcome.changed):
            refuse_few_killable(killable, least_killable_percent)
    return warnings
