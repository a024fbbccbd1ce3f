# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read which programs besides the kernel kill processes, and the units that this collection pinned.

One call of systemctl answers both. Nothing is read of a host without systemd.
"""

import contextlib
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit, UnitFacts, UserKiller

# By unit: its name, and whether it goes by oom_score_adj. systemd-oomd kills whole cgroups, and
# never reads scores (systemd:src/oom/oomd-util.c). The others start from oom_score.
KILLER_UNITS = {
    "systemd-oomd.service": ("systemd-oomd", False),
    "earlyoom.service": ("earlyoom", True),
    "nohang.service": ("nohang", True),
    "nohang-desktop.service": ("nohang", True),
}
_MAX_UNITS = 1000


def list_pinned_units(systemd: Systemd) -> List[str]:
    """Return the names of the services in whose own folder is a drop-in of ours, by its header."""
    try:
        found, _unread = systemd.own_drop_ins()
    except AccessError:
        return []
    return sorted(name for _path, name in found if name)[:_MAX_UNITS]


def ask_for_units(systemd: Systemd) -> None:
    """Start the query that read_units() needs. Where it cannot be started, read_units() fails."""
    with contextlib.suppress(OomError):
        systemd.ask_for([*KILLER_UNITS, *list_pinned_units(systemd)])


def read_units(systemd: Systemd) -> UnitFacts:
    """Return the killers that are installed, and the units that have a score of ours.

    Raises OomError if systemctl fails, or a file of a unit cannot be read.
    """
    if not systemd.runs():
        return UnitFacts([], [])
    pinned = list_pinned_units(systemd)
    units = systemd.units([*KILLER_UNITS, *pinned])
    killers = [
        UserKiller(name, unit, units[unit].running, reads_scores)
        for unit, (name, reads_scores) in KILLER_UNITS.items()
        if units[unit].load_state == "loaded"
    ]
    found = [_read_pinned(systemd, units[name]) for name in pinned if units[name].load_state == "loaded"]
    return UnitFacts(killers, [one for one in found if one is not None])


def _read_pinned(systemd: Systemd, unit: Unit) -> Optional[PinnedUnit]:
    drop_in = systemd.drop_in(unit, {})
    score = systemd.pinned_by(drop_in)
    if score is None:
        return None
    return PinnedUnit(
        unit.id,
        score,
        systemd.score_after(unit, None),
        unit.oom_policy,
        unit.main_pid if unit.running else 0,
        unit.control_group,
    )
