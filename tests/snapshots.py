# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts for predictions, as values."""

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
