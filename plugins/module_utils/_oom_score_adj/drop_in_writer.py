# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write the drop-ins of a plan, read back what systemd makes of them, and put them back.

A drop-in that another program has changed meanwhile is left alone.
"""

from typing import Dict, List, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome


class DropInWriter:
    """Writes the drop-ins of a plan, and remembers them for the way back."""

    def __init__(self, finder: TargetFinder) -> None:
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
            read = (
                ("OOMScoreAdjust", unit.score, outcome.loaded_score),
                ("OOMPolicy", unit.oom_policy, outcome.oom_policy),
            )
            for key, shown, expected in read:
                if unit.load_state == "loaded" and shown != expected:
                    raise ReadBackError(
                        f"unit {unit.id}: systemd shows {key}={shown}, but its files set {expected}:"
                        f" check systemctl cat {unit.id}"
                    )
            if unit.main_pid not in (0, self._finder.get_unit(outcome.pin).main_pid):
                warnings.append(f"unit {unit.id} was started during this run: run again to see its score")
        return warnings

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
