# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The facts that a prediction is made from. Pure.

A snapshot is a value: a prediction under other scores is the same function of a changed snapshot.
Sizes are in KiB.
"""

from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import CgroupMemory
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import BadnessRule

INIT = 1
ROOT_CGROUP = "/"


class Task(NamedTuple):
    """A process that has memory."""

    pid: int
    name: str
    start_time: int
    parent: int
    uid: int
    score: int
    rss_kb: int  # by the counters that this kernel's killer reads
    counter_error_kb: int  # by how much the exact counters differ from the approximate ones
    anon_kb: int
    file_kb: int
    shmem_kb: int
    swap_kb: int
    pte_kb: int
    pmd_kb: int
    root: bool
    nodes: str
    cgroup: str  # in the hierarchy that limits memory
    cgroups: Tuple[str, ...]  # in all hierarchies

    @property
    def pgtables_kb(self) -> int:
        """Return its page tables of all levels."""
        return self.pte_kb + self.pmd_kb


class HostMemory(NamedTuple):
    """The memory of the host."""

    total_kb: int
    free_kb: int
    file_kb: int  # page cache
    slab_kb: int  # kernel memory that can be reclaimed
    swap_kb: int
    swap_free_kb: int
    reserve_kb: int  # below it the kernel kills rather than to allocate
    zram: bool  # swap that is itself in memory
    swappiness: int
    commit_limit_kb: int  # what the kernel may promise, if it keeps to it
    committed_kb: int  # what it has promised


class Snapshot(NamedTuple):
    """Hold what the kernel would decide by."""

    release: str
    rule: Optional[BadnessRule]  # None: none is known for this release
    page_kb: int
    host: HostMemory
    cpus: int
    tasks: Dict[int, Task]  # by pid
    cgroups: Dict[str, CgroupMemory]  # by path, with every cgroup above one that has processes
    cgroup_version: Optional[int]  # None: no memory controller is mounted
    panic_on_oom: int = 0
    kills_allocating_task: bool = False
    is_hidden: bool = False  # some processes may not be read
    is_container: bool = False  # processes outside of it are not seen
    passed_over: Mapping[int, str] = {}  # why the kernel cannot choose a process, by pid

    def with_scores(self, scores: Mapping[int, int]) -> "Snapshot":
        """Return the snapshot with other scores, by pid."""
        changed = {pid: self.tasks[pid]._replace(score=score) for pid, score in scores.items() if pid in self.tasks}
        return self._replace(tasks={**self.tasks, **changed})

    def with_groups(self, groups: Mapping[str, bool]) -> "Snapshot":
        """Return the snapshot with other cgroups whose processes die together, by path.

        Version 1 has no such cgroups.
        """
        known = [path for path in groups if path in self.cgroups and self.cgroup_version == 2]
        changed = {path: self.cgroups[path]._replace(oom_group=groups[path]) for path in known}
        return self._replace(cgroups={**self.cgroups, **changed})


def list_upwards(path: str) -> List[str]:
    """Return a cgroup and those above it, without the root."""
    parts = [part for part in path.split("/") if part]
    return ["/" + "/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]


def is_below(path: str, ancestor: str) -> bool:
    """Return whether a cgroup is this one or below it."""
    return ancestor == ROOT_CGROUP or (path + "/").startswith(ancestor + "/")


class PinnedUnit(NamedTuple):
    """A service with a drop-in of this collection that gives it a score."""

    unit: str
    score: int  # of the drop-in
    after_restart: Optional[int]  # by all files of the unit
    oom_policy: Optional[str]
    main_pid: int  # 0 if it does not run
    control_group: str
    own_policy: Optional[str] = None  # what the drop-in says besides the score
    own_preference: Optional[str] = None


class KillCounts(NamedTuple):
    """Kills since boot, as the kernel counted them, and as its buffer names them."""

    counted: int = 0
    logged: int = 0
    overwritten: int = 0  # records that the buffer no longer has
