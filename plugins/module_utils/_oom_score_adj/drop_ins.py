# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan a unit's drop-in, and work out what the unit gives to its next main process.

Reads unit files, writes nothing. Sources: systemd.exec(5), systemd.service(5).
"""

import os
from typing import Dict, Iterable, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import read_cgroup_owner, read_oomd_preference
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import OWN_KEYS, DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import find_preference
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome, Pin

INIT = 1  # the pid of init, which starts every service


def add_drop_in(procfs: Procfs, systemd: Systemd, outcome: Outcome, unit: Unit, table: ProcessTable) -> Outcome:
    """Return the outcome of a unit with its drop-in, and with what follows from it.

    A unit that does not exist keeps its outcome, but for state=absent with a
    drop-in of ours, such as that of a removed package, or with what a killed run left of one.
    """
    pin = outcome.pin
    has_ours = pin.state == "absent" and (systemd.has_drop_in(unit.id) or systemd.has_leftovers(unit.id))
    if not has_ours and systemd.why_missing(pin.value, unit):
        return outcome
    drop_in = _plan_drop_in(systemd, pin, unit)
    score = find_score_after_restart(systemd, unit, drop_in, table)
    settings: Dict[str, Optional[str]] = {
        "OOMPolicy": systemd.policy_after(unit, drop_in),
        "ManagedOOMPreference": systemd.preference_after(unit, drop_in),
    }
    pinned = [change for change in outcome.changes if pin.state == "present" or change.before != change.after]
    return outcome._replace(
        drop_in=drop_in,
        effective_after_restart=score,
        loaded_score=score,
        oom_policy=settings["OOMPolicy"],
        preference=settings["ManagedOOMPreference"],
        winner=_find_winner(systemd, pin, unit, drop_in, score),
        running=unit.running,
        restart_required=drop_in is not None and unit.running and not pinned and score != unit.score,
        reload=drop_in is not None
        and (_needs_reload(procfs, unit, drop_in, score, settings) or systemd.has_leftovers(unit.id)),
    )


def _plan_drop_in(systemd: Systemd, pin: Pin, unit: Unit) -> Optional[DropIn]:
    """Return the drop-in before and after; None with persistent=false, which leaves it."""
    if not pin.persistent:
        return None
    if pin.state == "absent":
        return plan_removal(systemd, unit)
    values = (str(pin.score), _choose_policy(pin, unit), _choose_preference(systemd, pin, unit))
    return systemd.drop_in(unit, dict(zip(OWN_KEYS, values)))


def plan_removal(systemd: Systemd, unit: Unit) -> DropIn:
    """Return the unit's drop-in before and after our assignments are removed."""
    return systemd.drop_in(unit, dict.fromkeys(OWN_KEYS))


def remove_file(systemd: Systemd, outcome: Outcome, path: str) -> Outcome:
    """Return the outcome of a file that has our header, but is not the drop-in of a unit here."""
    return outcome._replace(drop_in=systemd.removal(path), reload=True)


def _choose_policy(pin: Pin, unit: Unit) -> Optional[str]:
    """Return the policy, or None if there is none to write.

    systemd before 243 has no OOMPolicy= and always continues. Raises InputError there for any
    other policy.
    """
    if unit.oom_policy is not None:
        return pin.oom_policy
    if pin.oom_policy in ("stop", "kill"):
        raise InputError(
            f"{pin.target}: oom_policy={pin.oom_policy} needs systemd 243; this one is older and always continues:"
            " leave it out"
        )
    return None


def choose_preferences(pins: Iterable[Pin], units: Dict[str, Unit]) -> List[Pin]:
    """Return the pins, those of units with the preference that fits their score.

    One that names its preference keeps it. systemd before 248 has none, and no systemd-oomd.
    """
    chosen = []
    for pin in pins:
        unit = units.get(pin.value) if pin.selector == "unit" and pin.persistent else None
        can_have = unit is not None and unit.preference is not None
        if can_have and pin.managed_oom_preference is None and pin.score is not None:
            pin = pin._replace(managed_oom_preference=find_preference(pin.score))
        chosen.append(pin)
    return chosen


def _choose_preference(systemd: Systemd, pin: Pin, unit: Unit) -> Optional[str]:
    """Return the preference for systemd-oomd; raise InputError if systemd has none."""
    if unit.preference is None and pin.managed_oom_preference is not None:
        raise InputError(
            f"{pin.target}: managed_oom_preference={pin.managed_oom_preference} needs systemd 248, and this one is"
            f" {systemd.version()}: leave it out"
        )
    return pin.managed_oom_preference


def _needs_reload(procfs: Procfs, unit: Unit, drop_in: DropIn, score: int, settings: Dict[str, Optional[str]]) -> bool:
    """Return whether the file changes, or systemd has not read or applied it yet.

    An unread file comes from a run that was killed, or from an image.
    """
    if drop_in.before != drop_in.after:
        return True
    if unit.load_state != "loaded":
        return False
    loaded = (unit.score, unit.oom_policy, unit.preference)
    live = read_live_preference(procfs, unit)
    preference = settings["ManagedOOMPreference"]
    return loaded != (score, settings["OOMPolicy"], preference) or live not in (None, preference)


def read_live_preference(procfs: Procfs, unit: Unit) -> Optional[str]:
    """Return the preference that systemd-oomd sees of a unit.

    None if the unit has no cgroup, or systemd-oomd sees none here. Users may write what their own
    cgroups show, so that is not read.
    """
    path = unit.control_group
    if unit.preference is None or not unit.running or not path.strip("/") or path.startswith("/user.slice/"):
        return None
    if read_cgroup_owner(procfs, path) not in (0, os.geteuid()):
        return None
    return read_oomd_preference(procfs, path)


def find_score_after_restart(systemd: Systemd, unit: Unit, drop_in: Optional[DropIn], table: ProcessTable) -> int:
    """Return the score that the unit's next main process starts with.

    The unit's files set it, with this drop-in if there is one. Otherwise systemd's default sets
    it. Without a default it is the score of init, which every child of init inherits.
    """
    assigned = systemd.score_after(unit, drop_in)
    if assigned is not None:
        return assigned
    inherited = table.scores.get(systemd.pid, 0)
    if unit.score == inherited and not systemd.is_of_user:
        return inherited
    return int(systemd.default("OOMScoreAdjust") or inherited)


def _find_winner(systemd: Systemd, pin: Pin, unit: Unit, drop_in: Optional[DropIn], score: int) -> Optional[str]:
    """Return the file that overrides the score of our drop-in; None without one."""
    if drop_in is None or pin.score is None or score == pin.score:
        return None
    return systemd.find_winner(unit, "OOMScoreAdjust", drop_in)


def warnings_for_drop_in(systemd: Systemd, outcome: Outcome, unit: Unit) -> List[str]:
    """Return warnings for drop-ins that override ours, and for a unit without a main process.

    They name the unit, not the target: two aliases of it give the same one.
    """
    pin, drop_in = outcome.pin, outcome.drop_in
    if pin.state == "absent" or outcome.effective_after_restart is None:
        return []
    warnings = []
    if outcome.winner is not None:
        warnings.append(
            f"unit={unit.id}: at its next start the score will be {outcome.effective_after_restart}, not {pin.score}:"
            f" {outcome.winner} wins; remove OOMScoreAdjust there"
        )
    if drop_in is not None and outcome.oom_policy and pin.oom_policy not in (None, outcome.oom_policy):
        winner = systemd.find_winner(unit, "OOMPolicy", drop_in)
        warnings.append(
            f"unit={unit.id}: OOMPolicy will be {outcome.oom_policy}, not {pin.oom_policy}:"
            f" {winner} wins; remove OOMPolicy there"
        )
    if drop_in is not None and pin.managed_oom_preference not in (None, outcome.preference):
        winner = systemd.find_winner(unit, "ManagedOOMPreference", drop_in)
        warnings.append(
            f"unit={unit.id}: ManagedOOMPreference will be {outcome.preference}, not {pin.managed_oom_preference}:"
            f" {winner} wins; remove ManagedOOMPreference there"
        )
    if not outcome.changes and unit.active_state not in ("inactive", "failed"):
        warnings.append(
            f"unit={unit.id} is {unit.active_state} and has no main process in {unit.control_group or 'any cgroup'}:"
            " no running process was pinned; run again when it has one, or select what runs by cgroup"
        )
    return warnings
