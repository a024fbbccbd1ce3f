# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the killers of a host, and the pins that they do not go by."""

from typing import Dict, List, Mapping, NamedTuple, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import is_divided, read_oomd_preference
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
from ansible_collections.oomguard.linux.plugins.module_utils._killers.verdicts import (
    find_unbound,
    warnings_for_killers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    is_protected,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit, Snapshot, Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import describe_task

_MAX_SERVICES = 100


class KillerFacts(NamedTuple):
    """The killers of a host, and what follows for its pins."""

    killers: Sequence[UserKiller] = ()
    unbound: Sequence[UnboundPin] = ()
    warnings: Sequence[str] = ()


def look_at_killers(
    procfs: Procfs, systemd: Systemd, snapshot: Snapshot, units: Mapping[str, Unit], pinned: Sequence[PinnedUnit]
) -> KillerFacts:
    """Return the killers, and the pins of the host that running ones do not go by.

    Raises OomError if systemctl fails.
    """
    names = {pid: task.name for pid, task in snapshot.tasks.items()}
    killers = KillerFinder(procfs, systemd, names, units).find()
    if not any(killer.active for killer in killers):
        return KillerFacts(killers)
    services = _list_services(procfs, snapshot, pinned)
    return KillerFacts(killers, find_unbound(killers, services, RegexMatcher()), warnings_for_killers(killers))


def _list_services(procfs: Procfs, snapshot: Snapshot, pinned: Sequence[PinnedUnit]) -> List[PinnedService]:
    """Return the units and processes with a score below 0: each unit once, by its main process."""
    ours = {one.main_pid for one in pinned if one.score < 0}
    tasks = [task for task in snapshot.tasks.values() if is_protected(task) or task.pid in ours]
    by_name: Dict[str, Task] = {}
    for task in sorted(tasks, key=lambda task: (task.pid not in ours, task.start_time)):
        by_name.setdefault(unit_of(task.cgroups) or describe_task(task), task)
    return [_make_service(procfs, name, task) for name, task in list(by_name.items())[:_MAX_SERVICES]]


def _make_service(procfs: Procfs, name: str, task: Task) -> PinnedService:
    control_group = find_control_group(task.cgroups)
    return PinnedService(
        name=name,
        unit=unit_of(task.cgroups),
        score=task.score,
        control_group=control_group,
        program=task.name,
        uid=task.uid,
        size_kb=task.rss_kb,
        preference=read_oomd_preference(procfs, control_group),
        is_divided=is_divided(procfs, control_group),
    )
