# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every message of every kernel version, in one table; then any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import parse_message
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    GroupKill,
    Header,
    Kill,
    LostLines,
    MemcgLimit,
    MemcgStats,
    MemcgUsage,
    MemorySize,
    NewBoot,
    NothingKillable,
    Panic,
    SharedKill,
    SkippedVictim,
    SuppressedReports,
    Sysrq,
    TableHeader,
    TableRow,
    TriggerPid,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events


def kill(pid, name, origin="", uid=None, adj=None, score=None, **sizes):
    return Kill(origin, pid, name, uid, {key.replace("_", "-"): size for key, size in sizes.items()}, adj, score)


MESSAGES = {
    "oom-killer: gfp_mask=0xd0, order=1": Header(None, "0xd0", 1, None),
    "httpd invoked oom-killer: gfp_mask=0x201d2, order=0, oomkilladj=0": Header("httpd", "0x201d2", 0, None),
    "a b invoked oom-killer: gfp_mask=0x0, order=0, oom_adj=0, oom_score_adj=-17": Header("a b", "0x0", 0, -17),
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=(null), order=-1, oom_score_adj=0": Header(
        "x", "0xcc0", -1, 0
    ),
    "x invoked oom-killer: gfp_mask=0xcc0": Header("x", "0xcc0", None, None),
    "12345 12345: x y invoked oom-killer: gfp_mask=0xcc0": None,  # after an unknown prefix
    "ééééééé\ufffd invoked oom-killer: gfp_mask=0xcc0": Header("ééééééé\ufffd", "0xcc0", None, None),
    "#012\\x0a34567890123x5 invoked oom-killer: gfp_mask=0xcc0": Header("#012\\x0a34567890123x5", "0xcc0", None, None),
    "\ud800 invoked oom-killer: gfp_mask=0xcc0": Header("\ud800", "0xcc0", None, None),
    "somebody wrote oom-killer: gfp_mask=0x0": None,
    "the oom-killer: again": None,
    "Pid: 7, comm: sshd Not tainted 2.6.32": TriggerPid(7, "sshd", "2.6.32"),
    "CPU: 0 PID: 7 Comm: sshd Not tainted 6.1.0-18-amd64 #1 SMP Debian": TriggerPid(7, "sshd", "6.1.0-18-amd64"),
    "CPU: 0 UID: 0 PID: 7 Comm: sshd Tainted: G        W          6.12.0+ #1": TriggerPid(7, "sshd", "6.12.0+"),
    "Pid: 7, comm: sshd Tainted: P   ---------------    2.6.32-431.el6.x86_64 #1": TriggerPid(
        7, "sshd", "2.6.32-431.el6.x86_64"
    ),
    "2097048 pages RAM": MemorySize("ram_pages", 2097048),
    "44862 pages reserved": MemorySize("reserved_pages", 44862),
    "44862 pages HighMem/MovableOnly": None,
    "Total swap = 1023996kB": MemorySize("swap_kb", 1023996),
    "swap: usage 0kB, limit 1024kB, failcnt 0": MemorySize("memcg_swap_kb", 1024),
    "memory+swap: usage 0kB, limit 2048kB, failcnt 0": MemorySize("memcg_both_kb", 2048),
    "swap: usage 0kB, limit 9007199254740988kB, failcnt 0": None,  # there is no limit
    "memory+swap: usage what": None,
    "CPU: 1 UID: 0 PID: 7 Comm: a Tainted: G Tainted: G": TriggerPid(7, "a Tainted: G"),
    "190708 (a b) invoked oom-killer in ub 103 generation 0 gfp 0x200d2": Header("a b", "0x200d2", None, None, 190708),
    "x invoked oom-killer in ub 103": None,
    "Process a (b) (pid: 7, task: 000000007baa6838, ksp: 0000000063867968)": TriggerPid(7, "a (b)"),  # s390
    "a Process (pid: 7, stack limit = 0x1)": None,
    "Comm: nobody": None,
    "Task in /a b killed as a result of limit of /c": MemcgLimit("/a b", "/c"),
    "Task in /a/b killed as a result of limit of /a ": MemcgLimit("/a/b", "/a"),  # a blank behind the line
    "Task in /a /b killed as a result of limit of /a ": MemcgLimit("/a /b", "/a "),
    "Task in /a": MemcgLimit("/a", None),
    # One split leaves the task inside the cgroup that reached its limit; then two do; then none.
    "Task in /p/a killed as a result of limit of /p/b killed as a result of limit of /p": MemcgLimit(
        "/p/a killed as a result of limit of /p/b", "/p"
    ),
    "Task in /p/a killed as a result of limit of /p killed as a result of limit of /p/a killed as a result of limit of"
    " /p": MemcgLimit(None, None),
    "Task in /a killed as a result of limit of /b killed as a result of limit of /c": MemcgLimit(None, None),
    "Task in /a invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0": Header("Task in /a", "0x0", 0, 0),
    "Task in /a invoked oom-killer: gfp_mask=0x0, order=0 killed as a result of limit of /": MemcgLimit(
        "/a invoked oom-killer: gfp_mask=0x0, order=0", "/"
    ),
    " killed as a result of limit of /c": MemcgLimit(None, "/c"),
    "Memory limit reached of cgroup /c": MemcgLimit(None, "/c"),
    "still over the limit of /c": None,
    "memory: usage 1kB, limit 2kB, failcnt 3": MemcgUsage(1, 2, 3),
    "memory: usage 1kB, limit 18014398509481983kB, failcnt 3": MemcgUsage(1, None, 3),
    "memory: usage unknown": None,
    "Memory cgroup stats for /a b:": MemcgStats("/a b"),
    "Memory cgroup stats for /a: cache: b: cache:3KB rss:4KB": MemcgStats("/a: cache: b"),
    "Memory cgroup stats for /a:\\x0aanon 4096\\x0afile 0": MemcgStats("/a"),
    "Memory cgroup stats for /a:#012anon 4096#012file 0": MemcgStats("/a"),
    "Memory cgroup stats for /a: cache:1KB rss:2KB:": MemcgStats("/a: cache:1KB rss:2KB"),
    "Memory cgroup stats for /a: cache:1KB rss:": MemcgStats("/a: cache:1KB rss"),  # from 6.2 on
    "Memory cgroup stats for /a: cache:1KB: cache:1KB r": MemcgStats(None),
    "Memory cgroup stats for /a": MemcgStats(None),  # maybe half a path
    "Memory cgroup stats for /: OOM victim 7 (x) is already exiting. Skip killing the task:": MemcgStats(
        "/: OOM victim 7 (x) is already exiting. Skip killing the task"
    ),
    "Memory cgroup stats for /a invoked oom-killer: gfp_mask=0x0:": MemcgStats("/a invoked oom-killer: gfp_mask=0x0"),
    "the Memory cgroup stats": None,
    "[ pid ]   uid  tgid total_vm      rss cpu oom_adj name": TableHeader(
        ["uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name"]
    ),
    "total_vm is a column": None,
    "[  370]     0   370 6785 6324 a b": TableRow(370, 370, "0   370 6785 6324 a b"),
    "[  370]     0   37012345678 6785 6324 a b": TableRow(370, None, "0   37012345678 6785 6324 a b"),
    "[12345678901] 0 12345678901 6785 6324 a b": TableRow(12345678901, None, "0 12345678901 6785 6324 a b"),
    "a list [1]": None,
    "[7] 0 7 1 invoked oom-killer: gfp_mask=0x0": Header("[7] 0 7 1", "0x0", None, None),
    "[7] 0 7 1 1 invoked oom-killer: none": None,
    "oom-kill: no": None,
    "Out of Memory: Kill process 7 (x) score 12 and children.": Announcement("Out of Memory", 7, "x", 12),
    "Out of memory: Kill process 7 (x) with score 12 or sacrifice child": Announcement("Out of memory", 7, "x", 12),
    "Out of memory: kill process 7 (x) score 12 or a child": Announcement("Out of memory", 7, "x", 12),
    "Memory cgroup out of memory: Kill process 7 (a) b) score 0 or sacrifice child": Announcement(
        "Memory cgroup out of memory", 7, "a) b", 0
    ),
    "Kill process 7 (x) sharing same memory": SharedKill(7, "x"),
    "Out of Memory: Killed process 7 (x).": kill(7, "x", "Out of Memory"),
    "No available memory in cpuset: Killed process 7 (x).": kill(7, "x", "No available memory in cpuset"),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB": kill(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7, UID 5, (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB": kill(
        7, "x", uid=5, total_vm=4, anon_rss=3, file_rss=2
    ),
    "Killed process 7 (x), UID 5, total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB": kill(
        7, "x", uid=5, total_vm=4, anon_rss=3, file_rss=2, shmem_rss=1
    ),
    "Out of memory: Killed process 7 (x) total-vm:1kB) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB"
    ", UID:9 pgtables:8kB oom_score_adj:-5": kill(
        7,
        "x) total-vm:1kB",
        "Out of memory",
        uid=9,
        adj=-5,
        total_vm=4,
        anon_rss=3,
        file_rss=2,
        shmem_rss=1,
        pgtables=8,
    ),
    "Killed process 7 (x) total-vm:4kB, anon": kill(7, "x", total_vm=4),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB, UID:9": kill(
        7, "x", total_vm=4, anon_rss=3, file_rss=2, shmem_rss=1
    ),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8": kill(7, "x", uid=9, total_vm=4, anon_rss=3),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8kB oom_scor": kill(
        7, "x", uid=9, total_vm=4, anon_rss=3, pgtables=8
    ),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8kB oom_score_adj:-30**": kill(
        7, "x", uid=9, adj=-30, total_vm=4, anon_rss=3, pgtables=8
    ),
    "Killed process 7 (x) vsz:4kB, anon-rss:3kB, file-rss:2kB ": kill(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB file-rss:2kB": kill(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7 (unfin": kill(7, None),
    "Killed process 7 (x) vsz:1kB": kill(7, None),  # the name may go on
    "Killed process 7 (x)Out of memory: kill process 8 (y)": kill(7, "x"),  # no name is longer
    "Killed process": None,
    "somebody said: a Killed process 7 (x)": None,
    "Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, rss:3kB, swap:0kB": kill(
        7, "x", "Out of memory", score=5, total_vm=4, rss=3
    ),
    "Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, r": kill(
        7, "x", "Out of memory", score=5, total_vm=4
    ),
    "OOM killed process by hand": None,
    "Tasks in /a b are going to be killed due to memory.oom.group set": GroupKill("/a b"),
    "Tasks in /a invoked oom-killer: gfp_mask=0x0 are going to be killed due to memory.oom.group set": GroupKill(
        "/a invoked oom-killer: gfp_mask=0x0"
    ),
    "memory.oom.group is on": None,
    "Memory cgroup out of memory: OOM victim 7 (x) is already exiting. Skip killing the task": SkippedVictim(7),
    "the OOM victim x": None,
    "Out of memory and no killable processes...": NothingKillable(),
    "no killable thing": None,
    "Kernel panic - not syncing: Out of memory and no killable processes...": Panic(None),
    "Kernel panic - not syncing: System is deadlocked on memory": Panic(None),
    "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled": Panic("compulsory"),
    "Kernel panic - not syncing: out of memory. Compulsory panic_on_oom is selected.": Panic("compulsory"),
    "Kernel panic - not syncing: out of memory from page fault. panic_on_oom is selected.": Panic(None),  # 1 or 2
    "Kernel panic - not syncing: out of memory(memcg). panic_on_oom is selected.": Panic("compulsory"),
    "Kernel panic - not syncing: out of memory. panic_on_oom is selected.": Panic("system-wide"),
    "panic_on_oom is a sysctl": None,
    "SysRq : Manual OOM execution": Sysrq(False),
    "sysrq: SysRq : Manual OOM execution": Sysrq(False),
    "OOM request ignored. No task eligible": Sysrq(True),
    "OOM request ignored because killer is disabled": Sysrq(True),
    "an OOM request ignored. ": None,
    "no Manual OOM": None,
    "oom_kill_process: 2 callbacks suppressed": SuppressedReports(2),
    "net_ratelimit: 2 callbacks suppressed": None,
    "** 123 printk messages dropped **": LostLines(123),
    "printk: 7 messages suppressed.": LostLines(7),
    "__ratelimit: 8 callbacks suppressed": LostLines(8),
    "Missed 12 kernel messages": LostLines(12),
    "imklog: 9 messages lost due to rate-limiting (20000 allowed within 600 seconds)": LostLines(9),
    "somebody Missed 12 kernel messages": None,
    "Linux version 6.1.0": NewBoot(),
    "a Linux version ": None,
    "Linux version 6[7]: segfault": None,
    "oom_reaper: reaped process 7 (x), now anon-rss:0kB": None,
}


@pytest.mark.parametrize("text", list(MESSAGES))
def test_parse_message(text):
    assert parse_message(text) == MESSAGES[text]


WORDS = st.sampled_from([*list(MESSAGES), "x", "(", ")", "[ 7] 1 2 3 4 x", "\x00", ",task=", "Killed process 7 ("])


@given(st.lists(st.one_of(st.text(max_size=80), WORDS), max_size=40))
def test_any_text(lines):
    """Messages in any order, whole or not, and any text between them are parsed."""
    parse_events(parse_lines(lines), tasks=True, raw=True)


@pytest.mark.parametrize(
    "line",
    [
        "Task in /{0} killed as a result of limit of /b",
        "Task in /a killed as a result of limit of /{0}",
        " killed as a result of limit of /{0}",
        "Memory limit reached of cgroup /{0}",
    ],
)
def test_path_that_a_record_may_have_cut(line):
    """Where the line was cut, the last words in it may be a part of a name."""
    assert parse_message(line.format("x" * 1000)) == MemcgLimit(None, None)
    assert parse_message(f"Memory cgroup stats for /{'x' * 1000}:") == MemcgStats(None)
