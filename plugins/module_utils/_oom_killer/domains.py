# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which limit trips first, and how much memory is left until then.

Pure. A process is charged to its cgroup and to every one above it, so the limit with the least room
on the way up trips first. Source: mm/memcontrol.c:try_charge_memcg, mem_cgroup_get_max.
"""

from typing import List, NamedTuple, Optional

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
    allowed = host.swap_kb if cgroup.swap_limit_kb is None else min(cgroup.swap_limit_kb, host.swap_kb)
    swap_room = min(host.swap_free_kb, max(0, allowed - cgroup.swap_usage_kb)) if swaps else 0
    return Domain(
        kind="cgroup",
        path=cgroup.path,
        limit_kb=limit,
        usage_kb=cgroup.usage_kb,
        room_kb=max(0, limit - cgroup.usage_kb) + cgroup.file_kb + swap_room,
        swap_room_kb=swap_room,
        reclaim_kb=cgroup.file_kb,
        total_kb=limit + (allowed if swaps else 0),
        cgroup=cgroup,
    )


def is_member(snapshot: Snapshot, pid: int, domain: Domain) -> bool:
    """Return whether a process's memory counts in a domain."""
    return domain.is_host or is_below(snapshot.tasks[pid].cgroup, domain.path)
