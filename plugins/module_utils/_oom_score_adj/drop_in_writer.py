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
from typing import Dict, List, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import KILLER_DROP_IN, Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import read_spared
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import read_live_preference
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome

# systemd applies what it has read to the cgroups of running units right after the reload.
APPLY_SECONDS = 5.0
_WAIT_SECONDS = 0.02
_LONG_WAIT_SECONDS = 0.2  # each look asks systemd


class DropInWriter:
    """Writes the drop-ins of a plan, and remembers them for the way back."""

    def __init__(self, procfs: Procfs, finder: TargetFinder) -> None:
        self._procfs = procfs
        self._finder = finder
        self._written: List[Tuple[Systemd, DropIn]] = []

    def write(self, outcomes: List[Outcome]) -> List[str]:
        """Write all drop-ins, and reload each manager once; return warnings.

        Raises ReadBackError if systemd then shows other values than its files set, OomError if
        another program has changed a drop-in since the plan was made.
        """
        by_path = {one.drop_in.path: one for one in outcomes if one.drop_in is not None and one.reload}
        by_manager: Dict[Systemd, List[Outcome]] = {}
        for outcome in by_path.values():
            systemd, drop_in = self._finder.get_manager(outcome.pin), outcome.drop_in
            by_manager.setdefault(systemd, []).append(outcome)
            if drop_in is not None and drop_in.before != drop_in.after:
                if systemd.read(drop_in.path) != drop_in.before:
                    raise OomError(f"{drop_in.path} was changed by another program during this run: run again")
                self._written.append((systemd, drop_in))
                systemd.write(drop_in.path, drop_in.after)
            elif drop_in is not None:
                systemd.sweep(drop_in.path)
        warnings = []
        for systemd, its in by_manager.items():
            try:
                # Else the files are of an image, of a replaced systemd, or of a user who is out.
                if systemd.runs():
                    systemd.reload()
                    self._restart_killers(systemd)
                    warnings += self._read_back(systemd, [outcome for outcome in its if outcome.pin.is_unit])
            except OomError as error:
                if not systemd.is_of_user:  # a user must not undo the pins of others
                    raise
                warnings.append(
                    f"{its[0].pin.target}: the drop-in is written, but the user's manager has not read it: {error}; run"
                    " systemctl --user daemon-reload as the user"
                )
        return warnings

    def _read_back(self, systemd: Systemd, outcomes: List[Outcome]) -> List[str]:
        warnings = []
        units = systemd.units(outcome.pin.unit_name for outcome in outcomes)
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
            self._check_preference(unit)
            if unit.main_pid not in (0, self._finder.get_unit(outcome.pin).main_pid):
                warnings.append(f"unit {unit.id} was started during this run: run again to see its score")
        return warnings

    def _restart_killers(self, systemd: Systemd) -> None:
        """Restart the killers that were told to spare programs, and read back whether they do.

        Raises ReadBackError for one that does not run with our arguments.
        """
        for unit_id, drop_in in self._list_killers(systemd).items():
            systemd.restart_running(unit_id)
            spared = read_spared(drop_in.after)
            deadline = time.monotonic() + APPLY_SECONDS
            while spared.expression and not self._runs_with(systemd, unit_id, spared.expression):
                if time.monotonic() > deadline:
                    raise ReadBackError(
                        f"unit {unit_id} does not run with --ignore {spared.expression}, which {drop_in.path} sets:"
                        f" check systemctl status {unit_id}"
                    )
                time.sleep(_LONG_WAIT_SECONDS)

    def _list_killers(self, systemd: Systemd) -> Dict[str, DropIn]:
        """Return the written drop-ins of killers, by their unit."""
        paths = [(os.path.split(drop_in.path), drop_in) for manager, drop_in in self._written if manager is systemd]
        return {
            os.path.basename(folder)[: -len(".d")]: drop_in
            for (folder, name), drop_in in paths
            if name == KILLER_DROP_IN
        }

    def _runs_with(self, systemd: Systemd, unit_id: str, expression: str) -> bool:
        """Return whether the last argument of the main process of a unit is this expression."""
        unit = systemd.units([unit_id])[unit_id]
        with contextlib.suppress(*GONE), self._procfs.open(unit.main_pid) as directory:
            return unit.running and directory.arguments()[-1:] == [expression]
        return False

    def _check_preference(self, unit: Unit) -> None:
        """Raise ReadBackError if systemd-oomd does not see the preference that systemd shows."""
        deadline = time.monotonic() + APPLY_SECONDS
        seen = read_live_preference(self._procfs, unit)
        while seen not in (None, unit.preference):
            if time.monotonic() > deadline:
                raise ReadBackError(
                    f"unit {unit.id}: systemd shows ManagedOOMPreference={unit.preference}, but the attributes of its"
                    f" cgroup {unit.control_group} say {seen}: restart {unit.id}, or leave out managed_oom_preference"
                )
            time.sleep(_WAIT_SECONDS)
            seen = read_live_preference(self._procfs, unit)

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
                    for unit_id in self._list_killers(systemd):
                        systemd.restart_running(unit_id)
            except Exception as error:
                failures.append(explain_undo_failure("systemctl daemon-reload", error))
        return failures


def explain_undo_failure(what: str, error: Exception) -> str:
    """Return what could not be put back, why, and what to do."""
    if isinstance(error, OomError):
        return str(error)
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

    reason = explain_os_error(error) if isinstance(error, OSError) else f"{type(error).__name__} ({error})"
    return f"{what}: {reason}"
