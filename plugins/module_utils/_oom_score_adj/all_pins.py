# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan to take back every pin that this collection has set on a host and that is still there.

A drop-in is ours by its header, and a score by the record of live pins. Each drop-in becomes a
target with state=absent, and the whole record one more: they are taken back as a user's own targets
are, and the processes of the host are read once for all recorded ones.
"""

import contextlib
import os
from typing import List, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import find_account, list_present_users
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN, Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_folders import USER_UNIT_FOLDERS, UnitFolders
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.home_record import HomeRecord
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import PinPlan, plan_pins
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.user_units import make_manager

_MAX_OF_USER = 100  # a user may make any number, and each costs questions to the user's manager


def plan_removal_of_all(procfs: Procfs, systemd: Systemd, least_killable_percent: int, force: bool) -> PinPlan:
    """Return what would be taken back on this host, with warnings.

    Processes that have inherited the score of such a pin lose it, too. Raises as plan_pins() does.
    """
    record = PinRecord(procfs, systemd.root)
    warnings: List[str] = []
    pins, mains = _list_files(systemd, force, warnings)
    pins += _list_files_of_users(systemd, force, warnings)
    if any(pin.pid not in mains for pin in record.find_living()):
        # The processes themselves had the scores before: no guard has to judge that again.
        pins.append(_absent("record", record.path, force=True))
    plan = plan_pins(procfs, systemd, pins, least_killable_percent, record)
    return plan._replace(warnings=warnings + plan.warnings)


def _list_files(systemd: Systemd, force: bool, warnings: List[str]) -> Tuple[List[Pin], Set[int]]:
    """Return a target for each drop-in, and the main processes of their units; add warnings.

    A file of somebody else that cannot be read costs no other unit its removal.
    """
    found, unread = systemd.own_drop_ins()
    warnings += [f"{reason}; if it holds a pin of this collection, that pin stays" for reason in unread]
    units = systemd.units(name for _path, name in found if name) if systemd.runs() else {}
    pins = []
    for path, name in found:
        # The folder of an alias: systemd reads it, but the drop-in of the unit is elsewhere.
        is_of_unit = name in units and units[name].id == name and _is_readable(systemd, units[name], warnings)
        pins.append(_absent("unit", name, force, persistent=True) if is_of_unit else _absent("drop_in", path, force))
    return pins, {units[pin.value].main_pid for pin in pins if pin.selector == "unit"}


def _list_files_of_users(systemd: Systemd, force: bool, warnings: List[str]) -> List[Pin]:
    """Return a target for each drop-in that a user's manager reads; add warnings.

    Of users who are not here, and not in the record of homes, only the folder for all users is
    searched.
    """
    pins: List[Pin] = []
    recorded = _list_recorded(systemd, warnings)
    for user in sorted({*list_present_users(systemd.root), *recorded}) if systemd.runs() else ():
        for for_all in (False, True):
            try:
                manager = make_manager(find_account(user), systemd, for_all)
                found, unread = manager.own_drop_ins()
                if user in recorded and not for_all and not found and not manager.has_home():
                    warnings.append(
                        f"user {user}: {manager.account.home} is not there, where this collection has written a"
                        " drop-in; if it is mounted later, run again then"
                    )
            except OomError as error:
                warnings.append(f"the drop-ins of user {user} were not searched: {error}")
                break  # it would take as long again
            warnings += [f"user {user}: {reason}" for reason in unread]
            of_user = [f"{user}/{name}" for _path, name in found if name]
            if len(of_user) > _MAX_OF_USER:
                warnings.append(
                    f"user {user} has {len(of_user)} drop-ins with the header of this collection: {_MAX_OF_USER} are"
                    " taken back; run again"
                )
            absent = _absent("user_unit", "", force, persistent=True)._replace(for_all_users=for_all)
            pins += [absent._replace(value=value) for value in of_user[:_MAX_OF_USER]]
    covered = {pin.unit_name for pin in pins if pin.for_all_users}
    paths = UnitFolders(systemd.root, USER_UNIT_FOLDERS).find_own_drop_ins(DROP_IN)[0]
    return pins + [
        _absent("drop_in", path, force)
        for path in paths
        if os.path.basename(os.path.dirname(path))[: -len(".d")] not in covered
    ]


def _list_recorded(systemd: Systemd, warnings: List[str]) -> Set[str]:
    """Return the recorded users that this host still has; add a warning if that fails."""
    recorded = set()
    try:
        for user in HomeRecord(systemd.root).list_users():
            with contextlib.suppress(NotFoundError):
                recorded.add(find_account(user).name)
    except AccessError as error:
        warnings.append(f"{error}; the drop-ins of users who are not logged in were not searched")
    return recorded


def _is_readable(systemd: Systemd, unit: Unit, warnings: List[str]) -> bool:
    """Return whether the score that a unit has without our drop-in can be read from its files."""
    try:
        systemd.score_after(unit, None)
    except AccessError as error:
        warnings.append(f"{error}; {unit.id} loses our drop-in, but its processes keep their scores: restart it")
        return False
    return True


def _absent(selector: str, value: str, force: bool, persistent: bool = False) -> Pin:
    return Pin(selector, value, None, "absent", persistent=persistent, children="reset", missing="ignore", force=force)
