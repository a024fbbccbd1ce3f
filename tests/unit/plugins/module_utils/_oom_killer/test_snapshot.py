# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import subprocess
import sys

import pytest
from snapshots import write_host

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import find_passed_over, take_snapshot

STATUS = """\
Name:	x
Uid:	33	33	33	33
VmRSS:	{rss} kB
RssAnon:	     400 kB
RssFile:	      60 kB
RssShmem:	       8 kB
VmPTE:	      40 kB
VmSwap:	      12 kB
Threads:	1
CapEff:	0000000000000000
Mems_allowed_list:	0
"""


@pytest.fixture
def host(proc, tmp_path):
    """Make a host with cgroups of version 2, and two processes in a limited one."""
    write_host(proc, {})
    proc.write("sys/vm/panic_on_oom", "1\n")
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path}/cgroup rw - cgroup2 cgroup2 rw\n")
    folder = tmp_path / "cgroup/app.slice/app.service"
    folder.mkdir(parents=True)
    (tmp_path / "cgroup/cgroup.controllers").write_text("cpu memory\n")
    (folder / "memory.max").write_text(f"{1 << 30}\n")
    (folder / "memory.current").write_text(f"{1 << 20}\n")
    (folder / "memory.stat").write_text("shmem 0\n")
    (folder.parent / "memory.max").write_text("max\n")
    for pid in (10, 11):
        proc.process(pid, "app", score=-pid, resident_kb=500)
        proc.write(f"{pid}/status", STATUS.format(rss=468))
        proc.write(f"{pid}/cgroup", "0::/app.slice/app.service\n")
    return proc


def test_a_process(host):
    task = take_snapshot(host.procfs, "6.1.0").tasks[10]
    assert task._asdict() == dict(
        pid=10,
        name="app",
        start_time=100,
        parent=1,
        uid=33,
        score=-10,
        rss_kb=500,
        counter_error_kb=32,
        anon_kb=400,
        file_kb=60,
        shmem_kb=8,
        swap_kb=12,
        pte_kb=40,
        pmd_kb=0,
        root=False,
        nodes="0",
        cgroup="/app.slice/app.service",
        cgroups=("/app.slice/app.service",),
    )


def test_the_counters_are_those_that_the_killer_reads(host):
    found = [take_snapshot(host.procfs, release).tasks[10].rss_kb for release in ("6.1.0", "7.0.0", "7.2.0", "2.4.0")]
    assert found == [500, 500, 468, 500]


def test_the_host(host):
    snapshot = take_snapshot(host.procfs, "6.1.0")
    assert tuple(snapshot.host) == (1000000, 400000, 100000, 8000, 500000, 450000, 6000, False, 60, 900000, 300000)
    assert (snapshot.panic_on_oom, snapshot.kills_allocating_task, snapshot.is_hidden) == (1, False, False)
    assert (snapshot.release, snapshot.page_kb) == ("6.1.0", os.sysconf("SC_PAGE_SIZE") // 1024)


def test_swap_in_memory(host):
    host.write("swaps", "Filename\tType\n/dev/zram0\tpartition\n")
    assert take_snapshot(host.procfs, "6.1.0").host.zram


def test_cgroups_above_processes(host):
    found = take_snapshot(host.procfs, "6.1.0").cgroups
    assert {path: cgroup.limit_kb for path, cgroup in found.items()} == {
        "/app.slice": None,
        "/app.slice/app.service": 1 << 20,
    }


def test_a_cgroup_without_processes_is_read_if_asked(host, tmp_path):
    folder = tmp_path / "cgroup/empty"
    folder.mkdir()
    (folder / "memory.max").write_text("4096\n")
    (folder / "memory.current").write_text("0\n")
    assert take_snapshot(host.procfs, "6.1.0", ["/empty"]).cgroups["/empty"].limit_kb == 4


def test_version_1(host, tmp_path):
    host.write("self/mountinfo", f"30 24 0:26 / {tmp_path}/cgroup rw - cgroup cgroup rw,memory\n")
    host.write("10/cgroup", "9:cpu,cpuacct:/\n4:memory:/app.slice\n0::/other\n")
    (tmp_path / "cgroup/app.slice/memory.limit_in_bytes").write_text("8192\n")
    (tmp_path / "cgroup/app.slice/memory.usage_in_bytes").write_text("4096\n")
    snapshot = take_snapshot(host.procfs, "6.1.0")
    assert (snapshot.tasks[10].cgroup, snapshot.tasks[10].cgroups) == ("/app.slice", ("/", "/app.slice", "/other"))
    assert (snapshot.cgroup_version, snapshot.cgroups["/app.slice"].limit_kb) == (1, 8)


def test_without_a_memory_controller(host):
    host.write("self/mountinfo", "30 24 0:26 / / rw - proc proc rw\n")
    snapshot = take_snapshot(host.procfs, "6.1.0")
    assert (snapshot.cgroup_version, snapshot.cgroups, snapshot.tasks[10].cgroup) == (None, {}, "/")


def test_a_name_that_only_begins_with_dots(host, tmp_path):
    folder = tmp_path / "cgroup/..x"
    folder.mkdir()
    (folder / "memory.max").write_text("4096\n")
    (folder / "memory.current").write_text("0\n")
    host.write("10/cgroup", "0::/..x\n")
    assert take_snapshot(host.procfs, "6.1.0").cgroups["/..x"].limit_kb == 4


def test_a_cgroup_outside_of_our_namespace(host):
    host.write("10/cgroup", "0::/../other.service\n")
    host.write("11/cgroup", "0::/../other.service\n")
    assert take_snapshot(host.procfs, "6.1.0").cgroups == {}


@pytest.mark.parametrize("shown, signed", [("667", True), ("3", False)])
def test_the_kernel_shows_its_rule(host, shown, signed):
    host.write("self/oom_score", f"{shown}\n")
    assert (take_snapshot(host.procfs, "4.18.0-553.el8_10").rule.floor is None) is signed


def test_a_kernel_that_shows_no_score(host, tmp_path):
    os.unlink(str(host.root / "self/oom_score"))
    assert take_snapshot(host.procfs, "4.18.0-553.el8_10").rule.floor == 1
    assert take_snapshot(host.procfs, "2.4.0").rule is None


def test_proc_is_not_mounted(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="not all of /proc is mounted"):
        take_snapshot(Procfs(str(tmp_path / "empty")))


def test_kernel_threads_and_zombies_are_left_out(host):
    host.process(3, "kworker", kernel_thread=True)
    host.process(12, "zombie")
    host.write("12/status", "Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t1\n")
    assert sorted(take_snapshot(host.procfs, "6.1.0").tasks) == [10, 11]


def test_a_process_whose_first_thread_ended(host):
    """Its own status shows no memory, and that of another thread does."""
    host.process(12, "threads", resident_kb=0)
    host.write("12/status", "Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t3\n")
    host.write("12/task/12/status", "Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t3\n")
    host.write("12/task/101/status", STATUS.format(rss=468))
    task = take_snapshot(host.procfs, "6.1.0").tasks[12]
    assert (task.rss_kb, task.counter_error_kb) == (468, 0)


def test_processes_that_are_hidden(host, monkeypatch):
    def hide(procfs):
        procfs.hidden.update([5, 6])
        return iter(())

    monkeypatch.setattr(Procfs, "tasks", hide)
    assert take_snapshot(host.procfs, "6.1.0").is_hidden


@pytest.mark.parametrize(
    "second, unreadable, mounted, is_hidden, is_container",
    [
        ("kthreadd", False, "rw", False, False),
        ("kthreadd", False, "rw,hidepid=invisible", False, False),  # root sees all
        ("nginx", False, "rw", False, True),
        ("nginx", True, "rw,hidepid=1", True, True),
        (None, False, "rw", False, True),
        (None, False, "rw,hidepid=off", False, True),
        (None, True, "rw,hidepid=noaccess", True, False),
        (None, False, "rw,hidepid=invisible", True, False),
        (None, False, "rw,gid=4,hidepid=2", True, False),
    ],
)
def test_who_does_not_see_all_processes(host, second, unreadable, mounted, is_hidden, is_container):
    """A container has no kernel threads. With hidepid they are not read, or not even listed."""
    if second is None:
        (host.root / "2/stat").unlink()
    else:
        host.process(2, second, parent=0, kernel_thread=second == "kthreadd")
    if unreadable:
        host.procfs.hidden.add(2)
    host.write("self/mountinfo", f"21 28 0:20 / /proc rw,relatime shared:5 - proc proc {mounted}\n")
    snapshot = take_snapshot(host.procfs, "6.1.0")
    assert (snapshot.is_hidden, snapshot.is_container) == (is_hidden, is_container)


def test_what_the_kernel_passes_over(host):
    for pid, shown in ((10, 0), (11, 660)):
        host.write(f"{pid}/oom_score", f"{shown}\n")
    snapshot = take_snapshot(host.procfs, "6.1.0")
    assert find_passed_over(host.procfs, snapshot, [10, 11]) == {10: "reaped"}
    child = snapshot.tasks[10]._replace(parent=11)
    assert find_passed_over(host.procfs, snapshot._replace(tasks={**snapshot.tasks, 10: child}), [10]) == {10: "vfork"}


def test_a_low_score_is_shown_as_0_too(host):
    host.process(10, "app", score=-995, resident_kb=500)
    host.write("10/status", STATUS.format(rss=468))
    host.write("10/oom_score", "0\n")
    assert find_passed_over(host.procfs, take_snapshot(host.procfs, "6.1.0"), [10]) == {}


def test_the_live_score_counts_and_not_that_of_a_what_if(host):
    host.process(10, "app", score=-1000, resident_kb=500)
    host.write("10/status", STATUS.format(rss=468))
    host.write("10/oom_score", "0\n")
    snapshot = take_snapshot(host.procfs, "6.1.0").with_scores({10: -500})
    assert find_passed_over(host.procfs, snapshot, [10]) == {}


def test_before_5_9_a_shown_0_says_nothing(host):
    host.write("self/oom_score", "3\n")
    host.write("10/oom_score", "0\n")
    assert find_passed_over(host.procfs, take_snapshot(host.procfs, "5.4.0"), [10]) == {}


def test_this_machine():
    """Every process that ps would show is there, with the memory that the kernel shows."""
    with subprocess.Popen([sys.executable, "-c", "x = b'1' * (64 << 20); input()"], stdin=subprocess.PIPE) as child:
        try:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG)
            procfs = Procfs()
            for _attempt in range(500):
                snapshot = take_snapshot(procfs)
                if child.pid in snapshot.tasks and snapshot.tasks[child.pid].anon_kb > 64 << 10:
                    break
        finally:
            child.stdin.close()
    task = snapshot.tasks[child.pid]
    assert 64 << 10 < task.rss_kb < 128 << 10
    assert task.pgtables_kb > 0
    assert os.getpid() in snapshot.tasks
    assert set(ProcessTable(procfs).by_pid) >= {os.getpid()}
    assert snapshot.rule is not None
