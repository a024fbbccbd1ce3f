# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write the drop-ins of a plan, read back what systemd makes of them, and put them back.

A drop-in that another program has changed meanwhile is left alone.
"""

import contextlib
import os
import time
from typing import Dict, Iterable, List, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import write_oomd_preference
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_DROP_IN, DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import read_spared
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import read_live_preference
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.home_record import HomeRecord
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome

APPLY_SECONDS = 20.0  # for a killer to start; on a busy host more than 5
# After a reload systemd 252 gives the cgroups of running units the attributes of their preference.
# systemd 257 does not until the cgroup changes for another reason.
MARK_SECONDS = 1.0
_WAIT_SECONDS = 0.02
_LONG_WAIT_SECONDS = 0.2  # each look asks systemd


class DropInWriter:
    """Writes the drop-ins of a plan, and remembers them for the way back."""

    def __init__(self, procfs: Procfs, finder: TargetFinder) -> None:
        self._procfs = procfs
        self._finder = finder
        self._written: List[Tuple[Systemd, DropIn]] = []
        self._marked: List[Tuple[str, str]] = []  # paths of cgroups, and the preference that each showed
        self._homes: Dict[str, Systemd] = {}  # the managers of users in the record of homes, by user
        self._left_out: Set[str] = set()  # paths of drop-ins that a user kept from being written

    def write(self, outcomes: List[Outcome]) -> List[str]:
        """Write all drop-ins, and reload each manager once; return warnings.

        Raises ReadBackError if systemd then shows other values than its files set, OomError if
        another program has changed a drop-in since the plan was made. What a user does to the files
        or the manager of the user's own services is a warning.
        """
        by_path = {one.drop_in.path: one for one in outcomes if one.drop_in is not None and one.reload}
        by_manager: Dict[Systemd, List[Outcome]] = {}
        warnings = self._note_homes([self._finder.get_manager(outcome.pin) for outcome in by_path.values()])
        for path, outcome in by_path.items():
            systemd = self._finder.get_manager(outcome.pin)
            try:
                self._write(systemd, outcome.drop_in)
            except OomError as error:
                if not systemd.is_of_user:  # a user must not undo the pins of others
                    raise
                self._left_out.add(path)
                warnings.append(f"{outcome.pin.target}: the drop-in was not written: {error}")
                continue
            by_manager.setdefault(systemd, []).append(outcome)
        for systemd, its in by_manager.items():
            try:
                # Else the files are of an image, of a replaced systemd, or of a user who is out.
                if systemd.runs():
                    systemd.reload()
                    self._restart_killers(systemd, [outcome.drop_in for outcome in its])
                    warnings += self._read_back(
                        systemd, [outcome for outcome in its if self._finder.has_unit(outcome.pin)]
                    )
            except OomError as error:
                if not systemd.is_of_user:
                    raise
                warnings.append(
                    f"{its[0].pin.target}: the drop-in is written, but the user's manager has not read it: {error}; run"
                    " systemctl --user daemon-reload as the user"
                )
        return warnings + self._forget_homes()

    def _note_homes(self, managers: Iterable[Systemd]) -> List[str]:
        """Record whose home folders get drop-ins; return warnings. A pin lasts without that."""
        warnings = []
        for systemd in managers:
            if systemd.home_of and systemd.home_of not in self._homes:
                self._homes[systemd.home_of] = systemd
                try:
                    HomeRecord(systemd.root).note(systemd.home_of)
                except OomError as error:
                    warnings.append(
                        f"{error}; all_pins=true finds the drop-ins of user {systemd.home_of} only while the user is"
                        " logged in or lingers"
                    )
        return warnings

    def _forget_homes(self) -> List[str]:
        """Take the users without a drop-in out of the record; return warnings."""
        warnings = []
        for user, systemd in self._homes.items():
            try:
                if not any(name for _path, name in systemd.own_drop_ins()[0]):
                    HomeRecord(systemd.root).forget(user)
            except OomError as error:  # one too many does no harm
                warnings.append(f"user {user} stays in the record of home folders with drop-ins: {error}")
        return warnings

    def _write(self, systemd: Systemd, drop_in: Optional[DropIn]) -> None:
        if drop_in is None:
            return
        if drop_in.before == drop_in.after:
            systemd.sweep(drop_in.path)
            return
        if systemd.read(drop_in.path) != drop_in.before:
            raise OomError(f"{drop_in.path} was changed by another program during this run: run again")
        self._written.append((systemd, drop_in))
        systemd.write(drop_in.path, drop_in.after)

    def describe(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a target as it really happened."""
        drop_in = outcome.drop_in
        if drop_in is None or drop_in.path not in self._left_out:
            return outcome
        return outcome._replace(drop_in=drop_in._replace(after=drop_in.before), reload=False, survival=None)

    def _read_back(self, systemd: Systemd, outcomes: List[Outcome]) -> List[str]:
        warnings = []
        units = systemd.units(outcome.pin.unit_name for outcome in outcomes)
        deadline = time.monotonic() + MARK_SECONDS
        for outcome in outcomes:
            unit = units[outcome.pin.unit_name]
            # The default of a user's manager follows its own score, from the next reload on.
            is_default = systemd.is_of_user and outcome.pin.state == "absent"
            read = (
                ("OOMScoreAdjust", unit.score, unit.score if is_default else outcome.loaded_score),
                ("OOMPolicy", unit.oom_policy, outcome.oom_policy),
                ("ManagedOOMPreference", unit.preference, outcome.preference),
            )
            for key, shown, expected in read:
                if unit.load_state == "loaded" and shown != expected:
                    raise ReadBackError(
                        f"unit {unit.id}: systemd shows {key}={shown}, but its files set {expected}:"
                        f" check systemctl cat {unit.id}"
                    )
            self._apply_preference(unit, deadline)
            if unit.main_pid not in (0, self._finder.get_unit(outcome.pin).main_pid):
                warnings.append(f"unit {unit.id} was started during this run: run again to see its score")
        return warnings

    def _restart_killers(self, systemd: Systemd, drop_ins: Iterable[Optional[DropIn]]) -> None:
        """Restart the killers that were told to spare programs, and read back whether they do.

        Raises ReadBackError for one that does not run with our arguments.
        """
        for unit_id, drop_in in _find_killers(drop_ins).items():
            unit = systemd.units([unit_id])[unit_id]
            systemd.restart_running(unit_id)
            expression = read_spared(drop_in.after).expression
            if not expression or not unit.running or systemd.find_later_command(unit):
                continue
            deadline = time.monotonic() + APPLY_SECONDS
            while not self._runs_with(systemd, unit_id, expression):
                if time.monotonic() > deadline:
                    raise ReadBackError(
                        f"unit {unit_id} does not run with --ignore {expression}, which {drop_in.path} sets:"
                        f" check systemctl status {unit_id}"
                    )
                time.sleep(_LONG_WAIT_SECONDS)

    def _runs_with(self, systemd: Systemd, unit_id: str, expression: str) -> bool:
        """Return whether the last argument of the main process of a unit is this expression."""
        unit = systemd.units([unit_id])[unit_id]
        with contextlib.suppress(*GONE), self._procfs.open(unit.main_pid) as directory:
            return unit.running and directory.arguments()[-1:] == [expression]
        return False

    def _apply_preference(self, unit: Unit, deadline: float) -> None:
        """Let the cgroup of a unit show the preference that systemd shows, if systemd does not.

        Raises ReadBackError if systemd-oomd would still see another one.
        """
        seen = read_live_preference(self._procfs, unit)
        while seen not in (None, unit.preference) and time.monotonic() < deadline:
            time.sleep(_WAIT_SECONDS)
            seen = read_live_preference(self._procfs, unit)
        if seen is None or unit.preference in (None, seen):
            return
        self._marked.append((unit.control_group, seen))
        with contextlib.suppress(OSError):  # what the cgroup then shows is the answer
            write_oomd_preference(self._procfs, unit.control_group, unit.preference)
        seen = read_live_preference(self._procfs, unit)
        if seen not in (None, unit.preference):
            raise ReadBackError(
                f"unit {unit.id}: systemd shows ManagedOOMPreference={unit.preference}, but the attributes of its"
                f" cgroup {unit.control_group} say {seen}: restart {unit.id}, or leave out managed_oom_preference"
            )

    def undo(self) -> List[str]:
        """Put every written drop-in back that still has our text, and return what failed."""
        failures = []
        for systemd, drop_in in reversed(self._written):
            try:
                text = systemd.read(drop_in.path)
                if text == drop_in.after:
                    systemd.write(drop_in.path, drop_in.before)
                elif text != drop_in.before:
                    failures.append(f"{drop_in.path} was changed by another program: it was left alone, check it")
            except Exception as error:  # whatever it is, the rest is put back
                failures.append(explain_undo_failure(drop_in.path, error))
        for systemd in {systemd for systemd, _drop_in in self._written}:
            try:
                if systemd.runs():
                    systemd.reload()
                    for unit_id in _find_killers(one for manager, one in self._written if manager is systemd):
                        systemd.restart_running(unit_id)
            except Exception as error:
                failures.append(explain_undo_failure("systemctl daemon-reload", error))
        return failures + self._undo_marks() + self._forget_homes()

    def _undo_marks(self) -> List[str]:
        """Let each cgroup show the preference that it had, and return what failed."""
        failures = []
        for path, preference in reversed(self._marked):
            try:
                write_oomd_preference(self._procfs, path, preference)
            except Exception as error:  # whatever it is, the rest is put back
                failures.append(explain_undo_failure(f"the ManagedOOMPreference of cgroup {path}", error))
        return failures


def _find_killers(drop_ins: Iterable[Optional[DropIn]]) -> Dict[str, DropIn]:
    """Return those of these drop-ins that are of killers, by their unit."""
    paths = [(os.path.split(drop_in.path), drop_in) for drop_in in drop_ins if drop_in is not None]
    return {
        os.path.basename(folder)[: -len(".d")]: drop_in for (folder, name), drop_in in paths if name == KILLER_DROP_IN
    }


def explain_undo_failure(what: str, error: Exception) -> str:
    """Return what could not be put back, why, and what to do."""
    if isinstance(error, OomError):
        return str(error)
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

    reason = explain_os_error(error) if isinstance(error, OSError) else f"{type(error).__name__} ({error})"
    return f"{what}: {reason}"
