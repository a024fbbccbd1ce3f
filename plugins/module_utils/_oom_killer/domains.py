# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which limit trips first, and how much memory is left until then.

Pure. A process is charged to its cgroup and to every one above it, so the limit with the least room
on the way up trips first. Swap of version 2 is charged in the same way, to limits of its own.
Version 1 limits memory and swap together, so that swap does not make room under that limit.
Source: mm/memcontrol.c:try_charge_memcg, mem_cgroup_get_max, mem_cgroup_get_nr_swap_pages.
"""

from typing import Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import CgroupMemory
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import (
    ROOT_CGROUP,
    Snapshot,
    is_below,
    list_upwards,
)

# Of RAM. On guests without swap the killer came 1 to 2 percent before what the counters promise.
_HOST_ERROR_PERCENT = 1.5


class Domain(NamedTuple):
    """The memory that runs out: of the host, or of a cgroup with a limit."""

    kind: str  # host or cgroup
    path: str  # "/" for the host
    limit_kb: int
    usage_kb: int
    room_kb: int  # what can still be allocated, with swap and what can be reclaimed
    swap_room_kb: int
    reclaim_kb: int  # page cache in room_kb
    total_kb: int  # what oom_score_adj is a share of
    cgroup: Optional[CgroupMemory] = None
    is_swap_uneven: bool = False  # some cgroups below it may swap less than others

    @property
    def is_host(self) -> bool:
        """Return whether it is the whole host."""
        return self.cgroup is None

    def __str__(self) -> str:
        return "the host" if self.is_host else f"cgroup {printable_name(self.path)}"


def order_domains(snapshot: Snapshot, path: str) -> List[Domain]:
    """Return the domains of a process in this cgroup, the one with the least room first."""
    domains = [*list_limits(snapshot, path), measure_host(snapshot)]
    return sorted(domains, key=lambda domain: domain.room_kb)


def find_limit(snapshot: Snapshot, path: str) -> Optional[Domain]:
    """Return the limit with the least room on the way up from this cgroup; None without a limit."""
    return min(list_limits(snapshot, path), key=lambda domain: domain.room_kb, default=None)


def list_limits(snapshot: Snapshot, path: str) -> List[Domain]:
    """Return the cgroups with a limit on the way up from this one, which comes first."""
    found = [snapshot.cgroups.get(above) for above in list_upwards(path)]
    return [measure_cgroup(snapshot, cgroup) for cgroup in found if cgroup is not None and cgroup.limit_kb is not None]


def measure_host(snapshot: Snapshot) -> Domain:
    """Return the host as a domain."""
    host = snapshot.host
    reclaim = host.file_kb + host.slab_kb // 2
    error = int(host.total_kb * _HOST_ERROR_PERCENT / 100)
    return Domain(
        kind="host",
        path=ROOT_CGROUP,
        limit_kb=host.total_kb,
        usage_kb=host.total_kb - host.free_kb,
        room_kb=max(0, host.free_kb + reclaim + host.swap_free_kb - host.reserve_kb - error),
        swap_room_kb=host.swap_free_kb,
        reclaim_kb=reclaim,
        total_kb=host.total_kb + host.swap_kb,
    )


def measure_cgroup(snapshot: Snapshot, cgroup: CgroupMemory) -> Domain:
    """Return a cgroup that has a limit as a domain."""
    limit = cgroup.limit_kb or 0
    host = snapshot.host
    swaps = (host.swappiness if cgroup.swappiness is None else cgroup.swappiness) > 0
    # Scores are shares of what this cgroup may have, whatever those above it may swap.
    allowed = host.swap_kb if cgroup.swap_limit_kb is None else min(cgroup.swap_limit_kb, host.swap_kb)
    swap = _measure_swap(snapshot, cgroup) if swaps and host.swap_free_kb else _SwapRoom(0, False)
    room = max(0, limit - cgroup.usage_kb) + swap.room_kb
    if snapshot.cgroup_version == 1 and cgroup.swap_limit_kb is not None:
        both = limit + cgroup.swap_limit_kb - cgroup.usage_kb - cgroup.swap_usage_kb
        room = min(room, max(0, both))
    return Domain(
        kind="cgroup",
        path=cgroup.path,
        limit_kb=limit,
        usage_kb=cgroup.usage_kb,
        room_kb=room + cgroup.file_kb,
        swap_room_kb=swap.room_kb,
        reclaim_kb=cgroup.file_kb,
        total_kb=limit + (allowed if swaps else 0),
        cgroup=cgroup,
        is_swap_uneven=swap.is_uneven,
    )


class _SwapRoom(NamedTuple):
    """Hold what the processes of a cgroup may still swap."""

    room_kb: int
    is_uneven: bool  # some of them less than that


def _measure_swap(snapshot: Snapshot, cgroup: CgroupMemory) -> _SwapRoom:
    """Return what the processes of a cgroup may still swap, on a host that has swap left."""
    if snapshot.cgroup_version == 1:  # a limit of one above is a domain of its own
        return _SwapRoom(min(snapshot.host.swap_free_kb, _find_swap_left(snapshot, cgroup)), False)
    above = [snapshot.cgroups.get(path) for path in list_upwards(cgroup.path)]
    limited = [one for one in [cgroup, *above] if one is not None]
    room = min([snapshot.host.swap_free_kb, *(_find_swap_left(snapshot, one) for one in limited)])
    lower = [
        one
        for one in snapshot.cgroups.values()
        if one.swap_limit_kb is not None and one.path != cgroup.path and is_below(one.path, cgroup.path)
    ]
    is_uneven = any(_find_swap_left(snapshot, one) < room for one in lower)
    return _SwapRoom(min(room, _sum_swap_below(snapshot, cgroup.path)) if is_uneven else room, is_uneven)


def _find_swap_left(snapshot: Snapshot, cgroup: CgroupMemory) -> int:
    """Return how much a cgroup may still swap by its own limit."""
    if cgroup.swap_limit_kb is None:
        return snapshot.host.swap_free_kb
    return max(0, cgroup.swap_limit_kb - cgroup.swap_usage_kb)


def _sum_swap_below(snapshot: Snapshot, path: str) -> int:
    """Return how much all processes below a cgroup may still swap, by the limits there."""
    own = {task.cgroup for task in snapshot.tasks.values()}
    sums: Dict[str, int] = {}
    below = [one for one in snapshot.cgroups.values() if is_below(one.path, path)]
    for cgroup in sorted(below, key=lambda one: one.path.count("/"), reverse=True):
        left = _find_swap_left(snapshot, cgroup)
        left = left if cgroup.path in own else min(left, sums.get(cgroup.path, 0))
        parent = cgroup.path.rpartition("/")[0]
        sums[parent] = sums.get(parent, 0) + left
    return sums.get(path.rpartition("/")[0], 0)


def is_member(snapshot: Snapshot, pid: int, domain: Domain) -> bool:
    """Return whether a process's memory counts in a domain."""
    return domain.is_host or is_below(snapshot.tasks[pid].cgroup, domain.path)
