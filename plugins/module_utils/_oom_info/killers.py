# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the killers of a host, and the pins that they do not go by."""

from typing import Collection, List, Mapping, NamedTuple, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    is_avoided_by_meta_oomd,
    is_divided,
    read_cgroup_owner,
    read_oomd_preference,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._killers.discovery import KillerFinder, RegexMatcher
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    PinnedService,
    UnboundPin,
    UserKiller,
    find_control_group,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import name_programs
from ansible_collections.oomguard.linux.plugins.module_utils._killers.verdicts import (
    find_unbound,
    warnings_for_killers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import INIT, PinnedUnit, Snapshot, Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import describe_task

_MAX_SERVICES = 100
_FOLDERS_OF_HOST = ("/etc/", "/run/")  # packages have theirs below /usr/lib (systemd.unit(5))


class KillerFacts(NamedTuple):
    """The killers of a host, and what follows for its pins."""

    killers: Sequence[UserKiller] = ()
    unbound: Sequence[UnboundPin] = ()
    warnings: Sequence[str] = ()


def look_at_killers(
    procfs: Procfs,
    systemd: Systemd,
    snapshot: Snapshot,
    units: Mapping[str, Unit],
    pinned: Sequence[PinnedUnit],
    recorded: Collection[int] = (),
) -> KillerFacts:
    """Return the killers, and the pins of the host that running ones do not go by.

    C(recorded) are the pids of our pins that no drop-in holds. Raises OomError if systemctl fails.
    """
    names = name_programs({pid: task.name for pid, task in snapshot.tasks.items()}, procfs.command_lines)
    killers = KillerFinder(procfs, systemd, names, units).find()
    if not any(killer.active for killer in killers):
        return KillerFacts(killers)
    scored = [task for task in snapshot.tasks.values() if task.score and task.pid != INIT]
    services = [
        _make_service(procfs, task, is_of_unit)
        for task, is_of_unit in _choose_tasks(systemd, scored, pinned, recorded)[:_MAX_SERVICES]
    ]
    unbound = find_unbound(killers, services, RegexMatcher())
    unknown = dict.fromkeys(one.remedy for one in unbound if not one.is_known)
    warnings = [*unknown, *warnings_for_killers(killers)]
    return KillerFacts(killers, [one for one in unbound if one.is_known], warnings)


def _choose_tasks(
    systemd: Systemd, scored: Sequence[Task], pinned: Sequence[PinnedUnit], recorded: Collection[int]
) -> List[Tuple[Task, bool]]:
    """Return the processes that somebody here pinned, and whether each has the pin of its unit.

    A distribution gives some of its services a score, such as dbus and systemd-journald, and some
    programs give themselves one, such as sshd: nobody here relies on those.
    """
    ours = {one.main_pid: one.unit for one in pinned if one.score}
    others = {task.pid: unit_of(task.cgroups) for task in scored if task.pid not in ours}
    named = sorted({name for name in others.values() if name is not None} - set(ours.values()))[:_MAX_SERVICES]
    of_host = {
        unit.main_pid: unit.id
        for unit in (systemd.units(named).values() if systemd.runs() else ())
        if _is_pinned_here(systemd, unit)
    }
    of_units = {**of_host, **ours}
    chosen = [(task, True) for task in scored if task.pid in of_units]
    # What a process of a pinned unit inherited is no pin of its own.
    return chosen + [
        (task, False)
        for task in scored
        if task.pid in recorded and task.pid not in of_units and others[task.pid] not in of_units.values()
    ]


def _is_pinned_here(systemd: Systemd, unit: Unit) -> bool:
    """Return whether a file of the administrator gives a running unit its score."""
    if unit.load_state != "loaded" or not unit.running:
        return False
    file = systemd.find_winner(unit, "OOMScoreAdjust", None)
    return file is not None and file.startswith(_FOLDERS_OF_HOST)


def _make_service(procfs: Procfs, task: Task, is_of_unit: bool) -> PinnedService:
    control_group = find_control_group(task.cgroups)
    unit = unit_of(task.cgroups) if is_of_unit else None
    return PinnedService(
        name=unit or describe_task(task),
        unit=unit,
        score=task.score,
        control_group=control_group,
        program=task.name,
        uid=task.uid,
        size_kb=task.rss_kb,
        preference=read_oomd_preference(procfs, control_group),
        is_divided=is_divided(procfs, control_group),
        owner=read_cgroup_owner(procfs, control_group),
        is_marked=is_avoided_by_meta_oomd(procfs, control_group),
    )
