# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read from a host what its kernel would decide by, in one pass over its processes.

Only what a prediction needs is read: smaps would take far longer. Nothing is written.
"""

import os
import re
from typing import Dict, Iterable, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    MAX_CGROUPS,
    Hierarchy,
    memory_hierarchy,
    read_cgroup_memory,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import CgroupMemory
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.task_memory import TaskMemory, parse_task_memory
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import lines_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import (
    BadnessRule,
    choose_rule,
    is_signed,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import (
    ROOT_CGROUP,
    HostMemory,
    Snapshot,
    Task,
    list_upwards,
)

_KTHREADD = 2  # kernel/kthread.c, the second process that a kernel starts
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
# The kernel shows 0 for a process that it cannot choose, and for one with nearly the lowest score.
_LOWEST_SHOWN = -990
_HIDES_OTHERS = re.compile(r" - proc \S+ (?:\S+,)?hidepid=(?!0|off)")  # proc(5), and /proc/PID/mountinfo


def take_snapshot(
    procfs: Procfs,
    release: Optional[str] = None,
    cgroups: Iterable[str] = (),
    table: Optional[ProcessTable] = None,
) -> Snapshot:
    """Return what the killer of this host would decide by.

    C(cgroups) are paths of cgroups that are read even if no process is in them. C(table) are
    processes that the caller has read already, with their scores.
    Raises NotFoundError or AccessError if /proc is not mounted, or only in part.
    """
    release = release or os.uname().release
    rule = choose_rule(release, _probe_rule(procfs))
    hierarchy = _find_hierarchy(procfs)
    tasks = _read_tasks(procfs, rule, hierarchy, table)
    sees_kernel = _sees_kernel(procfs)
    is_hidden = bool(procfs.hidden) or (sees_kernel is None and _hides_others(procfs))
    return Snapshot(
        release=release,
        rule=rule,
        page_kb=_PAGE_KB,
        host=_read_host(procfs),
        cpus=os.cpu_count() or 1,
        tasks=tasks,
        cgroups=_read_cgroups(hierarchy, {*cgroups, *(task.cgroup for task in tasks.values())}),
        cgroup_version=hierarchy.version if hierarchy else None,
        panic_on_oom=_read_number(procfs, "sys/vm/panic_on_oom"),
        kills_allocating_task=_read_number(procfs, "sys/vm/oom_kill_allocating_task") != 0,
        is_hidden=is_hidden,
        is_container=sees_kernel is False or (sees_kernel is None and not is_hidden),
    )


def find_passed_over(procfs: Procfs, snapshot: Snapshot, pids: Iterable[int]) -> Dict[int, str]:
    """Return why the kernel cannot choose some of these processes, by pid.

    It shows 0 for a child of vfork that has not run its own program yet, and for a process whose
    memory was taken already. Before 5.9 it shows 0 for small processes too, and so says nothing.
    Source: mm/oom_kill.c:oom_badness.
    """
    if snapshot.rule is None or snapshot.rule.floor is not None:
        return {}
    # The snapshot may have the scores of a what-if, and the kernel shows what is.
    asked = [pid for pid, score in procfs.scores(pids).items() if score > _LOWEST_SHOWN]
    found = {}
    for pid, shown in procfs.shown_scores(asked).items():
        if shown == 0:
            task = snapshot.tasks[pid]
            parent = snapshot.tasks.get(task.parent)
            found[pid] = "vfork" if parent is not None and parent.anon_kb == task.anon_kb else "reaped"
    return found


def _probe_rule(procfs: Procfs) -> Optional[bool]:
    """Return whether this process's own score shows the rule since 5.9; None if it shows none."""
    try:
        return is_signed(_read_number(procfs, "self/oom_score_adj"), _read_number(procfs, "self/oom_score"))
    except OomError:
        return None


def _sees_kernel(procfs: Procfs) -> Optional[bool]:
    """Return whether pid 2 is the parent of all kernel threads, as on every host; None if not seen.

    The processes of a container have numbers of their own. With hidepid pid 2 cannot be read.
    """
    try:
        with procfs.open(_KTHREADD) as directory:
            return directory.process().kernel_thread
    except (*GONE, PermissionError):
        return None


def _hides_others(procfs: Procfs) -> bool:
    """Return whether /proc does not even list the processes of other users."""
    return any(map(_HIDES_OTHERS.search, procfs.read_lines("self/mountinfo")))


def _read_number(procfs: Procfs, name: str) -> int:
    return int(procfs.read(name))


def _find_hierarchy(procfs: Procfs) -> Optional[Hierarchy]:
    try:
        return memory_hierarchy(procfs)
    except UnsupportedError:
        return None


# --- processes ------------------------------------------------------------------------


def _read_tasks(
    procfs: Procfs, rule: Optional[BadnessRule], hierarchy: Optional[Hierarchy], table: Optional[ProcessTable]
) -> Dict[int, Task]:
    approximate = rule is None or rule.approximate is not False
    memory_of: Dict[bytes, Tuple[str, Tuple[str, ...]]] = {}  # thousands of processes share a few cgroups
    tasks = {}
    found = procfs.tasks() if table is None else procfs.tasks(table.by_pid, table.scores)
    for process, status, score, cgroup in found:
        memory = parse_task_memory(status)
        if memory is None:
            continue
        if cgroup not in memory_of:
            memory_of[cgroup] = _parse_cgroups(cgroup, hierarchy)
        tasks[process.pid] = _make_task(process, memory, score, memory_of[cgroup], approximate)
    return tasks


def _make_task(
    process: Process, memory: TaskMemory, score: int, cgroups: Tuple[str, Tuple[str, ...]], approximate: bool
) -> Task:
    # stat of a process whose first thread ended has no memory.
    counted_kb = process.resident_kb or memory.rss_kb
    # No keywords: for thousands of processes they would take longer than the rest of this function.
    return Task(
        process.pid,
        process.name,
        process.start_time,
        process.parent,
        memory.uid,
        score,
        counted_kb if approximate else memory.rss_kb,
        abs(counted_kb - memory.rss_kb),
        memory.anon_kb,
        memory.file_kb,
        memory.shmem_kb,
        memory.swap_kb,
        memory.pte_kb,
        memory.pmd_kb,
        memory.root,
        memory.nodes,
        *cgroups,
    )


def _parse_cgroups(text: bytes, hierarchy: Optional[Hierarchy]) -> Tuple[str, Tuple[str, ...]]:
    """Return the path in the hierarchy that limits memory, and those in all hierarchies."""
    found, paths = ROOT_CGROUP, []
    for line in lines_of(text):
        number, controllers, path = line.split(":", 2)
        paths.append(path)
        if hierarchy is None:
            continue
        if number == "0" if hierarchy.version == 2 else "memory" in controllers.split(","):
            found = path
    return found, tuple(paths)


# --- cgroups and the host -------------------------------------------------------------


def _read_cgroups(hierarchy: Optional[Hierarchy], paths: Iterable[str]) -> Dict[str, CgroupMemory]:
    """Return the cgroups with these paths and those above them, as far as they can be read."""
    if hierarchy is None:
        return {}
    # A path that begins with /.. is outside of our cgroup namespace, and cannot be read.
    inside = [path for path in paths if ".." not in path.split("/")]
    wanted: List[str] = sorted({above for path in inside for above in list_upwards(path)})
    found = {}
    for path in wanted[:MAX_CGROUPS]:
        cgroup = read_cgroup_memory(hierarchy.directory(path), path, hierarchy.version)
        if cgroup is not None:
            found[path] = cgroup
    return found


def _read_host(procfs: Procfs) -> HostMemory:
    meminfo = Meminfo(procfs.read("meminfo"))
    return HostMemory(
        total_kb=meminfo["MemTotal"],
        free_kb=meminfo["MemFree"],
        file_kb=meminfo["Active(file)"] + meminfo["Inactive(file)"],
        slab_kb=meminfo["SReclaimable"],
        swap_kb=meminfo["SwapTotal"],
        swap_free_kb=meminfo["SwapFree"],
        reserve_kb=_read_number(procfs, "sys/vm/min_free_kbytes"),
        zram=any(line.startswith("/dev/zram") for line in _read_swaps(procfs)),
        swappiness=_read_number(procfs, "sys/vm/swappiness"),
        commit_limit_kb=meminfo["CommitLimit"],
        committed_kb=meminfo["Committed_AS"],
    )


def _read_swaps(procfs: Procfs) -> List[str]:
    try:
        return procfs.read_lines("swaps")
    except OomError:  # a kernel without swap
        return []
