# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the units that this collection pinned, and those of killers.

One call of systemctl answers both. Nothing is read of a host without systemd.
"""

import contextlib
from typing import Dict, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import CHECKS, DropIn, read_assignment
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import KILLER_UNITS
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit

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


def read_units(systemd: Systemd) -> Tuple[Dict[str, Unit], List[PinnedUnit]]:
    """Return the units of killers by name, and the units that have a score of ours.

    Raises OomError if systemctl fails, or a file of a unit cannot be read.
    """
    if not systemd.runs():
        return {}, []
    pinned = list_pinned_units(systemd)
    units = systemd.units([*KILLER_UNITS, *pinned])
    found = [_read_pinned(systemd, units[name]) for name in pinned if units[name].load_state == "loaded"]
    return {name: units[name] for name in KILLER_UNITS}, [one for one in found if one is not None]


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
        _read_own(drop_in, "OOMPolicy"),
        _read_own(drop_in, "ManagedOOMPreference"),
    )


def _read_own(drop_in: DropIn, key: str) -> Optional[str]:
    """Return what our drop-in of a unit sets a key to; None if it sets it to nothing valid."""
    value = read_assignment(drop_in.before or "", key)
    return value if value is not None and CHECKS[key](value) else None
