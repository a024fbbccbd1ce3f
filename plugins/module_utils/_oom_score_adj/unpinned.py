# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Work out the score that a process has without a pin.

For processes whose pin is removed, and for those that inherited one. What decides is the cgroup:
it is kept here, and checked again before the write.
"""

from typing import TYPE_CHECKING, Dict, Iterable, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import (
    find_score_after_restart,
    plan_removal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import find_self_managing
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.writes import choose_score, runs_in

if TYPE_CHECKING:
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import FoundProcess


class UnpinnedScores:
    """Finds the scores that units and parents give."""

    def __init__(self, procfs: Procfs, systemd: Systemd, units: Dict[str, Unit]) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._units = units  # by the name that was passed to systemd; the caller's own
        # The cgroups of each process whose score follows from them, by pid and start time.
        self.deciding_cgroups: Dict[Tuple[int, int], List[str]] = {}

    def find_score(self, pin: Pin, one: "FoundProcess", score: int, after: Dict[int, int], table: ProcessTable) -> int:
        """Return the score of a process without our pin: that of its unit, else of its parent.

        C(score) is what it has besides pins that no drop-in holds, and C(after) are the scores of
        processes that started earlier, by pid.
        """
        unit = self._find_own_unit(one, pin)
        if unit is None:
            parent = one.process.parent
            return choose_score(after[parent] if parent in after else self._read_parent_score(one))
        if not pin.persistent:  # the drop-in stays, and so does its score
            is_main = one.process.pid == unit.main_pid
            return choose_score(find_score_after_restart(self._systemd, unit, None, table), is_main)
        return self.find_without_drop_in(one, score, table, pin)

    def find_without_drop_in(
        self, one: "FoundProcess", score: int, table: ProcessTable, pin: Optional[Pin] = None
    ) -> int:
        """Return the score of a process once our drop-in of its unit is gone.

        That is C(score), which it has besides other pins, unless the drop-in gives just that.
        """
        unit = self._find_own_unit(one, pin)
        if unit is None:
            return score
        removal = plan_removal(self._systemd, unit)
        if find_self_managing([unit.id, *unit.names]) or self._systemd.pinned_by(removal) != score:
            return score  # not our pin: a daemon that manages its score has set it itself
        is_main = one.process.pid == unit.main_pid
        return choose_score(find_score_after_restart(self._systemd, unit, removal, table), is_main)

    def _read_parent_score(self, one: "FoundProcess") -> int:
        """Return the score that a process was forked with.

        0 for a parent in another cgroup, such as a container's monitor: it has a score of its own.
        """
        try:
            with self._procfs.open(one.process.parent) as directory:
                return directory.score() if directory.cgroups() == one.cgroups else 0
        except GONE:
            return 0

    def find_heir_score(self, pin: Pin, one: "FoundProcess", table: ProcessTable) -> int:
        """Return the score of an heir's own unit; 0 without one, or if it is the pinned unit.

        A unit that is no longer pinned gives it what is left without our drop-in.
        """
        unit = self._find_own_unit(one)
        if unit is None:
            return 0
        if pin.selector != "unit" or unit.id != self._units[pin.value].id:
            return choose_score(unit.score)
        if pin.state == "present" or not pin.persistent:
            return 0
        removal = plan_removal(self._systemd, unit)
        return choose_score(find_score_after_restart(self._systemd, unit, removal, table))

    def _find_own_unit(self, one: "FoundProcess", pin: Optional[Pin] = None) -> Optional[Unit]:
        """Return the unit that a process really runs in; None if it only looks like that.

        The main process of a target's unit does, whatever its cgroup: that of a user's manager is
        among those of the user.
        """
        self.deciding_cgroups[one.process.pid, one.process.start_time] = one.cgroups
        asked = self._units.get(pin.value) if pin is not None and pin.selector == "unit" else None
        if asked is not None and one.process.pid == asked.main_pid:
            return asked
        unit = next((unit for asked, unit in self._units.items() if one.unit in (asked, unit.id)), None)
        return unit if unit is not None and runs_in(one.cgroups, unit.control_group) else None

    def read_units(self, names: Iterable[Optional[str]]) -> None:
        """Read the services of these names, in one call, unless they are known already."""
        if not self._systemd.runs():
            return
        known = {unit.id for unit in self._units.values()}
        self._units.update(
            self._systemd.units(name for name in names if name and name not in known and name not in self._units)
        )
