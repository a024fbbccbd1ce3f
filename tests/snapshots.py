# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts for predictions: as values, and as files of /proc."""

import itertools

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import CgroupMemory
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import choose_rule
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import HostMemory, Snapshot, Task

MIB = 1024
GIB = 1024 * MIB

HOST = HostMemory(
    total_kb=8 * GIB,
    free_kb=2 * GIB,
    file_kb=GIB,
    slab_kb=0,
    swap_kb=0,
    swap_free_kb=0,
    reserve_kb=64 * MIB,
    zram=False,
    swappiness=60,
    commit_limit_kb=4 * GIB,
    committed_kb=2 * GIB,
)
_PIDS = itertools.count(100)


def task(name, anon_kb=0, score=0, cgroup="/", pid=None, **facts):
    """Return a process; what is resident is the sum of its parts."""
    pid = next(_PIDS) if pid is None else pid
    values = dict(
        pid=pid,
        name=name,
        start_time=pid,
        parent=1,
        uid=0,
        score=score,
        counter_error_kb=0,
        anon_kb=anon_kb,
        file_kb=0,
        shmem_kb=0,
        swap_kb=0,
        pte_kb=0,
        pmd_kb=0,
        root=False,
        nodes="0",
        cgroup=cgroup,
        cgroups=(cgroup,),
    )
    values.update(facts)
    values.setdefault("rss_kb", values["anon_kb"] + values["file_kb"] + values["shmem_kb"])
    return Task(**values)


def host_with(*tasks, cgroups=(), release="6.1.0", **facts):
    """Return a snapshot of a host with these processes and cgroups."""
    return Snapshot(
        release=release,
        rule=choose_rule(release),
        page_kb=4,
        cpus=2,
        host=facts.pop("host", HOST),
        tasks={one.pid: one for one in tasks},
        cgroups={one.path: one for one in cgroups},
        cgroup_version=facts.pop("cgroup_version", 2),
        **facts,
    )


def limited(path, limit_kb, usage_kb=0, **facts):
    return CgroupMemory(path, limit_kb, usage_kb=usage_kb, **facts)


class Kernel:
    """Stand for what the kernel shows of its own ranking; each read counts."""

    def __init__(self, passed_over=()):
        self.passed_over = set(passed_over)
        self.asked = []

    @staticmethod
    def scores(pids):
        return dict.fromkeys(pids, 0)

    def shown_scores(self, pids):
        pids = list(pids)
        self.asked += pids
        return {pid: 0 if pid in self.passed_over else 700 for pid in pids}


MEMINFO = """\
MemTotal:        1000000 kB
MemFree:          400000 kB
Active(file):      30000 kB
Inactive(file):    70000 kB
SReclaimable:       8000 kB
SwapTotal:        500000 kB
SwapFree:         450000 kB
CommitLimit:      900000 kB
Committed_AS:     300000 kB
"""
VM = {"min_free_kbytes": 6000, "swappiness": 60, "panic_on_oom": 0, "oom_kill_allocating_task": 0}
STATUS = "Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t{0} kB\nRssAnon:\t{0} kB\nThreads:\t1\nMems_allowed_list:\t0\n"


def write_host(proc, sizes_kb):
    """Write what a prediction reads of a host, and the memory of its processes, by pid."""
    proc.write("meminfo", MEMINFO)
    for name, value in VM.items():
        proc.write(f"sys/vm/{name}", f"{value}\n")
    proc.write("self/oom_score_adj", "0\n")
    proc.write("self/oom_score", "667\n")
    proc.process(2, "kthreadd", parent=0, kernel_thread=True)
    for pid, size_kb in sizes_kb.items():
        proc.write(f"{pid}/status", STATUS.format(size_kb))
        proc.write(f"{pid}/oom_score", "700\n")
