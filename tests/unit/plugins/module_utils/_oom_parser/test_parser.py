# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parser: every message of every version, one table; then recorded logs, hostile names, and properties."""

import json
import os

import corpus
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import report as _oom_report
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
    NewBoot,
    NothingKillable,
    Panic,
    SkippedVictim,
    Summary,
    SuppressedReports,
    Sysrq,
    TableHeader,
    TableRow,
    TriggerPid,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events, read_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import split_task

FIXTURES = os.path.join(os.path.dirname(__file__), "../../../fixtures/kernel_logs")
PUBLIC = os.environ.get("OOMGUARD_KERNEL_LOGS")


def killed(pid, name, origin="", uid=None, adj=None, score=None, **sizes):
    return Kill(origin, pid, name, uid, {key.replace("_", "-"): size for key, size in sizes.items()}, adj, score)


MESSAGES = {
    "oom-killer: gfp_mask=0xd0, order=1": Header(None, "0xd0", 1, None),
    "httpd invoked oom-killer: gfp_mask=0x201d2, order=0, oomkilladj=0": Header("httpd", "0x201d2", 0, None),
    "a b invoked oom-killer: gfp_mask=0x0, order=0, oom_adj=0, oom_score_adj=-17": Header("a b", "0x0", 0, -17),
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=(null), order=-1, oom_score_adj=0": Header(
        "x", "0xcc0", -1, 0
    ),
    "x invoked oom-killer: gfp_mask=0xcc0": Header("x", "0xcc0", None, None),
    "12345 12345: x y invoked oom-killer: gfp_mask=0xcc0": Header(
        None, "0xcc0", None, None
    ),  # behind an unknown prefix
    "ééééééé\ufffd invoked oom-killer: gfp_mask=0xcc0": Header("ééééééé\ufffd", "0xcc0", None, None),
    "#012\\x0a34567890123x5 invoked oom-killer: gfp_mask=0xcc0": Header("#012\\x0a34567890123x5", "0xcc0", None, None),
    "\ud800 invoked oom-killer: gfp_mask=0xcc0": Header("\ud800", "0xcc0", None, None),
    "somebody wrote oom-killer: gfp_mask=0x0": None,
    "the oom-killer: again": None,
    "Pid: 7, comm: sshd Not tainted 2.6.32": TriggerPid(7, "sshd"),
    "CPU: 1 UID: 0 PID: 7 Comm: a Tainted: G Tainted: G": TriggerPid(7, "a Tainted: G"),
    "190708 (a b) invoked oom-killer in ub 103 generation 0 gfp 0x200d2": Header("a b", "0x200d2", None, None, 190708),
    "x invoked oom-killer in ub 103": None,
    "Process a (b) (pid: 7, task: 000000007baa6838, ksp: 0000000063867968)": TriggerPid(7, "a (b)"),  # s390
    "a Process (pid: 7, stack limit = 0x1)": None,
    "Comm: nobody": None,
    "Task in /a b killed as a result of limit of /c": MemcgLimit("/a b", "/c"),
    "Task in /a": MemcgLimit("/a", None),
    " killed as a result of limit of /c": MemcgLimit(None, "/c"),
    "Memory limit reached of cgroup /c": MemcgLimit(None, "/c"),
    "still over the limit of /c": None,
    "memory: usage 1kB, limit 2kB, failcnt 3": MemcgUsage(1, 2, 3),
    "memory: usage 1kB, limit 18014398509481983kB, failcnt 3": MemcgUsage(1, None, 3),
    "memory: usage unknown": None,
    "Memory cgroup stats for /a b:": MemcgStats("/a b"),
    "Memory cgroup stats for /a: cache: b: cache:3KB rss:4KB": MemcgStats("/a: cache: b"),
    "Memory cgroup stats for /a:\\x0aanon 4096\\x0afile 0": MemcgStats("/a"),
    "the Memory cgroup stats": None,
    "[ pid ]   uid  tgid total_vm      rss cpu oom_adj name": TableHeader(
        ["uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name"]
    ),
    "total_vm is a column": None,
    "[  370]     0   370 6785 6324 a b": TableRow(370, "0   370 6785 6324 a b"),
    "a list [1]": None,
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/u,task=x,pid=7,uid=-2": Summary(
        "NONE", None, ",task_memcg=/u,task=x", 7, 4294967294
    ),
    "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,cpuset=c,mems_allowed=0,task=x,pid=7,uid=0": Summary(
        "CPUSET", None, ",task=x", 7, 0
    ),
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/,task_memcg=/a,task=x,pid=7,uid=0": Summary(
        "MEMCG", "/", ",task_memcg=/a,task=x", 7, 0
    ),
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/b,task_memcg=in": Summary(
        "MEMCG", "/b", ",task_memcg=in", None, None
    ),
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/b": Summary(
        "MEMCG", None, "", None, None
    ),  # maybe half a path
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)": Summary("NONE", None, "", None, None),
    "oom-kill: no": None,
    "Out of Memory: Kill process 7 (x) score 12 and children.": Announcement("Out of Memory", 7, "x", 12),
    "Out of memory: Kill process 7 (x) with score 12 or sacrifice child": Announcement("Out of memory", 7, "x", 12),
    "Out of memory: kill process 7 (x) score 12 or a child": Announcement("Out of memory", 7, "x", 12),
    "Memory cgroup out of memory: Kill process 7 (a) b) score 0 or sacrifice child": Announcement(
        "Memory cgroup out of memory", 7, "a) b", 0
    ),
    "Kill process 7 (x) sharing same memory": None,
    "Out of Memory: Killed process 7 (x).": killed(7, "x", "Out of Memory"),
    "No available memory in cpuset: Killed process 7 (x).": killed(7, "x", "No available memory in cpuset"),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB": killed(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7, UID 5, (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB": killed(
        7, "x", uid=5, total_vm=4, anon_rss=3, file_rss=2
    ),
    "Killed process 7 (x), UID 5, total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB": killed(
        7, "x", uid=5, total_vm=4, anon_rss=3, file_rss=2, shmem_rss=1
    ),
    "Out of memory: Killed process 7 (x) total-vm:1kB) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB, UID:9 pgtables:8kB oom_score_adj:-5": killed(
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
    "Killed process 7 (x) total-vm:4kB, anon": killed(7, "x", total_vm=4),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB, UID:9": killed(
        7, "x", total_vm=4, anon_rss=3, file_rss=2, shmem_rss=1
    ),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8": killed(7, "x", uid=9, total_vm=4, anon_rss=3),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8kB oom_scor": killed(
        7, "x", uid=9, total_vm=4, anon_rss=3, pgtables=8
    ),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:9 pgtables:8kB oom_score_adj:-30**": killed(
        7, "x", uid=9, adj=-30, total_vm=4, anon_rss=3, pgtables=8
    ),
    "Killed process 7 (x) vsz:4kB, anon-rss:3kB, file-rss:2kB ": killed(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7 (x) total-vm:4kB, anon-rss:3kB file-rss:2kB": killed(7, "x", total_vm=4, anon_rss=3, file_rss=2),
    "Killed process 7 (unfin": killed(7, None),
    "Killed process 7 (x) vsz:1kB": killed(7, None),  # maybe a name that goes on
    "Killed process 7 (x)Out of memory: kill process 8 (y)": killed(7, None),  # no name is that long
    "Killed process": None,
    "somebody said: a Killed process 7 (x)": None,
    "Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, rss:3kB, swap:0kB": killed(
        7, "x", "Out of memory", score=5, total_vm=4, rss=3
    ),
    "Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, r": killed(
        7, "x", "Out of memory", score=5, total_vm=4
    ),
    "OOM killed process by hand": None,
    "Tasks in /a b are going to be killed due to memory.oom.group set": GroupKill("/a b"),
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
    "oom_reaper: reaped process 7 (x), now anon-rss:0kB": None,
}


@pytest.mark.parametrize("text", list(MESSAGES))
def test_a_message_is_understood(text):
    assert parse_message(text) == MESSAGES[text]


SPLITS = {
    (",task_memcg=/a,task=x", None): ["/a", "x"],
    (",task_memcg=/a,task=x,task=y", None): ["/a", "x,task=y"],
    (",task_memcg=/a,task=x,task=y", "y"): ["/a,task=x", "y"],
    (",task_memcg=/we,task=x,pid=1,task=hog", "hog"): ["/we,task=x,pid=1", "hog"],
    (",task=x", None): [None, "x"],
    ("", None): [None, None],
    (",task_memcg=/" + ",task=" + "n" * 99, None): ["/,task=" + "n" * 99, None],
}


@pytest.mark.parametrize("rest, name", list(SPLITS))
def test_path_and_name_are_told_apart(rest, name):
    assert split_task(rest, name) == SPLITS[rest, name]


# --- prefixes ------------------------------------------------------------------------

LINES = {
    "[  123.456789] text": (123.456789, None, None),
    "[   37.052923][ T9185] text": (37.052923, None, None),
    "[Tue Mar 11 10:16:36 2025] text": (None, None, None),
    "[Di Aug 12 10:16:36 2025] text": (None, None, None),
    "2024-04-29T14:55:41,678628+02:00 text": (None, "2024-04-29T12:55:41.678628Z", None),
    "kern  :err   : [   53.649722] text": (53.649722, None, True),
    "user  :warn  : [   53.649722] text": (53.649722, None, False),
    "<4>[   53.649722] text": (53.649722, None, None),
    "<12>[   53.649722] text": (53.649722, None, False),
    "Nov 23 04:43:46 host kernel: text": (None, None, None),
    "Nov 23 04:43:46.123456 host kernel: [    1.500000] text": (1.5, None, None),
    "ноя 23 04:43:46 host kernel: text": (None, None, None),
    "Nov 23 04:43:46 kernel: text": (None, None, None),
    "Nov 23 04:43:46 host kernel[383]: text": (None, None, False),
    "Nov 23 04:43:46 host logger: text": (None, None, False),
    "Mon 2026-11-23 04:43:46 UTC host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "2026-11-23T04:43:46+0000 host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "2026-07-11T05:57:14.911583+00:00 host kernel: text": (None, "2026-07-11T05:57:14.911583Z", None),
    "2026-07-11T05:57:14-03:30 host kernel: text": (None, "2026-07-11T09:27:14Z", None),
    "2026-13-41T05:57:14Z host kernel: text": (None, None, None),
    "<4>1 2026-07-11T05:57:14Z host kernel - - - text": (None, "2026-07-11T05:57:14Z", None),
    "<13>1 2026-07-11T05:57:14Z host app 7 - [a b] text": (None, "2026-07-11T05:57:14Z", False),
    "2026-07-11T05:57:14Z stdout F text": (None, "2026-07-11T05:57:14Z", None),
    "2026-07-11T05:57:14Z host - text": (None, "2026-07-11T05:57:14Z", None),
    "2026-07-11T05:57:14Z In(05) vcpu-5 - Guest: <4>[39261021.09] text": (39261021.09, "2026-07-11T05:57:14Z", None),
    "> >  text": (None, None, None),
    "[   12.345678] host kernel: text": (12.345678, None, None),
    "[   12.345678] host mallory[7]: text": (12.345678, None, False),
    "[   12.345678] host kernel[7]: text": (12.345678, None, False),
    "[   12.345678] fe80::1 kernel: text": (12.345678, None, None),
    "[   12.345678 <    0.000012>] text": (12.345678, None, None),
    "[Tue Mar 11 10:16:36 2025 <    0.000012>] text": (None, None, None),
    "[  +0.000012] text": (None, None, None),
    "[Aug12 10:16] text": (None, None, None),
    "[ 8\u670812 10:16] text": (None, None, None),
    "[12ao\u00fbt 10:16] text": (None, None, None),
    "[12. Aug 10:16] text": (None, None, None),
    "[12aug 10.16] text": (None, None, None),
    "[ 8\u670812\u65e5 10:16] text": (None, None, None),
    "[dim. 12 ao\u00fbt 10:16:36 2025] text": (None, None, None),
    "[Di, 12. Aug 2025, 10:16:36] text": (None, None, None),
    "[tis 12 aug 2025 10.16.36] text": (None, None, None),
    "[ 8\u670812\u65e5(\u706b) 10:16:36 2025] text": (None, None, None),
    "[ 8\uc6d4 12\uc77c (\ud654) 10:16:36] text": (None, None, None),
    "[\u4e00 3\u6708 11 10:16:36 2025] text": (None, None, None),
    "[\ud654  3\uc6d4 11 10:16:36 2025] text": (None, None, None),
    "11\u6708 23 04:43:46 host kernel: [   12.345678] text": (12.345678, None, None),
    "11\u6708 23 04:43:46 host mallory: text": (None, None, False),
    "1795409025.649722 host kernel: text": (None, "2026-11-23T04:43:45.649722Z", None),
    "1795409025.649722 host mallory[7]: text": (None, "2026-11-23T04:43:45.649722Z", False),
    "Aug 12 10:16:36 host kern.err kernel: [   12.345678] text": (12.345678, None, None),
    "Aug 12 10:16:36 host user.err kernel: text": (None, None, False),
    "Aug 12 10:16:36 host kern.err mallory: text": (None, None, False),
    "Aug 12 10:16:36 host kern.err kernel[7]: text": (None, None, False),
    "Mon Aug 12 10:16:36 2024 kern.err kernel: [   12.345678] text": (12.345678, None, None),
    "Mon Aug 12 10:16:36 2024 user.notice mallory: text": (None, None, False),
    "Aug 12 10:16:36 db.err kernel: text": (None, None, None),
    "Aug 12 10:16:36 2001:db8::7 kernel: text": (None, None, None),
    "Aug 12 10:16:36 2001:db8::7 mallory: text": (None, None, False),
    "Aug 12 10:16:36 host kernel:[   12.345678] text": (12.345678, None, None),
    "Aug 12 10:16:36 host mallory:[   12.345678] text": (12.345678, None, False),
    "kernel: [   12.345678] text": (12.345678, None, None),
    "kernel: text": (None, None, None),
    "[   12.345678] kernel: text": (12.345678, None, None),
    "[   12.345678] mallory[7]: text": (12.345678, None, False),
    "[   12.345678 <    0.000012 >] host kernel: text": (12.345678, None, None),
    "[   12.345678 <    0.000012*>] host kernel: text": (12.345678, None, None),
    "[   12.345678                ] host kernel: text": (12.345678, None, None),
    "Mon 2026-11-23 04:43:46 CET host kernel: text": (None, None, None),
    "Mon 2026-11-23 04:43:46 EDT host mallory[7]: text": (None, None, False),
    "Mon 2026-11-23 04:43:46 +08 host kernel: text": (None, "2026-11-22T20:43:46Z", None),
    "Mon 2026-11-23 04:43:46 CET kernel: text": (None, None, None),
    "Mon 2026-11-23 04:43:46 CET mallory: text": (None, None, False),
    "Nov 23 04:43:46: text": (None, None, None),
    "Nov 23 04:43:46 <hostname> kernel: text": (None, None, None),
    "Nov 23 04:43:46 [redacted] mallory[7]: text": (None, None, False),
    "Nov 23 04:43:46.649722 sonic ERR kernel: [   12.345678] text": (12.345678, None, None),
    "2026 Nov 23 04:43:46.649722 sonic NOTICE mallory: text": (None, None, False),
    "Nov 23 04:43:46 host [   12.345678] text": (12.345678, None, None),
    "10.1.1.2: kern:     err: [2026-11-23T04:43:46.649722566Z]: text": (
        None,
        "2026-11-23T04:43:46.649722Z",
        None,
    ),  # talosctl logs labels, too
    "kern:     err: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", True),
    "[   12.345678] <4>text": (12.345678, None, None),
    "machine # [   12.345678] text": (12.345678, None, None),
    "# [   12.345678] text": (12.345678, None, None),
    "1:[   12.345678] text": (12.345678, None, None),
    "   3. Nov 23 04:43:46 host mallory: text": (None, None, False),
    "     1\tNov 23 04:43:46 host kernel: [   12.345678] text": (12.345678, None, None),
    "2. 2026-11-23T04:43:46Z host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "3: [Tue Mar 11 10:16:36 2025] text": (None, None, None),
    " kernel:text": (None, None, None),
    "Nov 23 04:43:46 host kernel:text": (None, None, None),
    " kern: warning: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", True),
    "node: user: warning: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", False),
    "> : [   12.345678] text": (12.345678, None, None),
    "&gt; &gt; [   12.345678] text": (12.345678, None, None),
    "* [   12.345678] text": (12.345678, None, None),
    "   1234  [   12.345678] text": (12.345678, None, None),
    "7: [   12.345678] text": (12.345678, None, None),
    "node01: [   12.345678] text": (12.345678, None, None),
    "debian login: [   12.345678] text": (12.345678, None, None),
    "host - [   12.345678] text": (12.345678, None, None),
    "\x1b[32m[   12.345678] \x1b[0m\x1b[33mte\x1b[0mxt\x1b[0m": (12.345678, None, None),
    "text": (None, None, None),
}


@pytest.mark.parametrize("line", list(LINES))
def test_a_prefix_is_peeled_off(line):
    record = parse_text_line(line)
    assert (record.text, (record.monotonic, record.time, record.trusted)) == ("text", LINES[line])


@pytest.mark.parametrize(
    "prefix, trusted",
    [
        ("Nov 23 04:43:46 host mallory: ", False),
        ("Nov 23 04:43:46 host kernel: ", None),
        ("2026-07-11T05:57:14Z stdout F ", None),
        ("<12>", False),
        ("[    1.000000] ", None),
        ("  ", None),
    ],
)
def test_a_facility_behind_anything_else_is_a_program_s_word(prefix, trusted):
    assert parse_text_line(prefix + "kern  :err   : text").trusted is trusted
    assert parse_text_line(prefix + "user  :err   : text").trusted is False


@pytest.mark.parametrize(
    "text",
    [
        "h - x",
        "[a 10:16:36] x",
        "* [   12.345678] x",
        "12: [   12.345678] x",
        "a b: x",
        "fe80::1 a: x",
        "1: b: x",
        "Mon Nov 23 x",
        "11\u6708 23 x",
        "1795409025.6 x",
        "[+ 1.0] x",
        "[Aug12 x] y",
        "[ 12]     0    12   100   50 x",
        "a\x1bb",
        "h - [1.000000]",
        "h a[1]: x invoked oom-killer: gfp_mask=0x0, order=0",
    ],
)
def test_what_a_message_may_begin_with_is_no_prefix(text):
    assert parse_text_line("[  500.000000] " + text).text == text


def test_a_second_uptime_is_part_of_the_message():
    record = parse_text_line("[  500.000000] [1.0] x invoked oom-killer: gfp_mask=0x0")
    assert (record.monotonic, record.text) == (500.0, "[1.0] x invoked oom-killer: gfp_mask=0x0")


def test_stamps_without_end_are_given_up():
    assert parse_text_line("<4>" * 40 + "text").text.startswith("<4>")


def test_records_of_the_device_carry_the_proof_of_their_facility():
    assert parse_kmsg_line("6,1,5000000,-,caller=T7;text") == (
        1,
        Record("text", 5.0, None, None, True, "6,1,5000000,-,caller=T7;text"),
    )
    assert parse_kmsg_line("12,1,5000000,-;text").record.trusted is False
    assert parse_kmsg_line("text") is None


def test_lines_of_all_forms_may_follow_each_other():
    lines = [
        "6,1,5,-;a",
        " SUBSYSTEM=usb",
        "b",
        " c",
        "was HUPedFeb  9 11:55:27 qa01 kernel: d",
        "** 2 printk messages dropped ** [    2.500000] e",
        "** f",
    ]
    assert [record.text for record in parse_lines(lines)] == [
        "a",
        "b",
        "c",
        "was HUPed",
        "d",
        "** 2 printk messages dropped **",
        "e",
        "** f",
    ]


# --- events ----------------------------------------------------------------------------

KILL = "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
MEMCG_KILL = "Memory cgroup out of memory: Killed process {0} (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
HEADER = "x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0"
GROUP = "Tasks in /g are going to be killed due to memory.oom.group set"
SUMMARY = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/u,task=x,pid={0},uid=0"
ANNOUNCED = "Memory cgroup out of memory: Kill process {0} (x) score 9 or sacrifice child"

STORIES = {
    "a kill without a report": ([KILL], [("kill", [7])]),
    "a report without a kill": ([HEADER], [("incomplete", [])]),
    "it is not glued to the next": ([HEADER, HEADER, KILL], [("incomplete", []), ("kill", [7])]),
    "nor to one that comes much later": (["[1.0] " + HEADER, "[99.0] " + KILL], [("incomplete", []), ("kill", [7])]),
    "another's kill is another event": ([HEADER, SUMMARY.format(9), KILL], [("kill", [9]), ("kill", [7])]),
    "a group, each once": (
        [MEMCG_KILL.format(1), GROUP, MEMCG_KILL.format(2), MEMCG_KILL.format(1)],
        [("group_kill", [1, 2])],
    ),
    "after it, without reports, a kill of its own": (
        [MEMCG_KILL.format(1), GROUP, MEMCG_KILL.format(2), MEMCG_KILL.format(1), MEMCG_KILL.format(3)],
        [("group_kill", [1, 2]), ("kill", [3])],
    ),
    "a kill of another kind ends it": ([MEMCG_KILL.format(1), GROUP, KILL], [("group_kill", [1]), ("kill", [7])]),
    "and a report begun in it": (
        [MEMCG_KILL.format(1), GROUP, HEADER, KILL],
        [("group_kill", [1]), ("kill", [7])],
    ),
    "members that were already exiting are no victims": (
        [
            MEMCG_KILL.format(1),
            GROUP,
            "Memory cgroup out of memory: OOM victim 2 (x) is already exiting. Skip killing the task",
        ],
        [("group_kill", [1])],
    ),
    "a group that is waited for too long is over": (
        ["[1.0] " + MEMCG_KILL.format(1), "[1.0] " + GROUP, "[9.0] " + MEMCG_KILL.format(2)],
        [("group_kill", [1]), ("kill", [2])],
    ),
    "a group line alone is nothing": ([GROUP], []),
    "nothing killable, then a panic": (
        [
            HEADER,
            "Out of memory and no killable processes...",
            "Kernel panic - not syncing: System is deadlocked on memory",
        ],
        [("panic", [])],
    ),
    "nothing killable, again and again": (
        ["Out of memory and no killable processes..."] * 2,
        [("no_killable", [])] * 2,
    ),
    "nothing killable, then a kill": (
        ["Out of memory and no killable processes...", KILL],
        [("no_killable", []), ("kill", [7])],
    ),
    "a panic alone": (["Kernel panic - not syncing: System is deadlocked on memory"], [("panic", [])]),
    "announced twice": (
        ["Out of memory: Kill process 5 (y) score 9 or sacrifice child"] * 2,
        [("incomplete", []), ("incomplete", [])],
    ),
    "two at once, each with its own kill": (
        [SUMMARY.format(7), SUMMARY.format(8), MEMCG_KILL.format(8), MEMCG_KILL.format(7)],
        [("kill", [7]), ("kill", [8])],
    ),
    "in the order in which they began": (
        [SUMMARY.format(7), SUMMARY.format(8), MEMCG_KILL.format(7), MEMCG_KILL.format(8)],
        [("kill", [7]), ("kill", [8])],
    ),
    "two at once, up to 5.0": (
        [HEADER, ANNOUNCED.format(7), HEADER, ANNOUNCED.format(8), MEMCG_KILL.format(7), MEMCG_KILL.format(8)],
        [("kill", [7]), ("kill", [8])],
    ),
    "whose header it is nobody knows": (
        [HEADER, HEADER, ANNOUNCED.format(7), ANNOUNCED.format(8), MEMCG_KILL.format(7), MEMCG_KILL.format(8)],
        [("incomplete", []), ("kill", [7]), ("kill", [8])],
    ),
    "a group between": (
        [SUMMARY.format(7), SUMMARY.format(8), MEMCG_KILL.format(7), GROUP, MEMCG_KILL.format(9), MEMCG_KILL.format(8)],
        [("group_kill", [7, 9]), ("kill", [8])],
    ),
    "nobody waits too long for a kill": (
        [
            "[1.0] " + SUMMARY.format(7),
            "[2.0] " + SUMMARY.format(8),
            "[32.0] " + MEMCG_KILL.format(8),
            "[32.0] " + MEMCG_KILL.format(7),
        ],
        [("kill", [7]), ("kill", [8]), ("kill", [7])],
    ),
    "nor too many": (
        [ANNOUNCED.format(pid) for pid in range(1, 12)]
        + [HEADER, MEMCG_KILL.format(12), MEMCG_KILL.format(1), MEMCG_KILL.format(4)],
        [("incomplete", [])] * 3 + [("kill", [4])] + [("incomplete", [])] * 7 + [("kill", [12]), ("kill", [1])],
    ),
    "a report goes on when the one before it ends": (
        [
            HEADER,
            SUMMARY.format(8),
            HEADER,
            MEMCG_KILL.format(8),
            GROUP,
            MEMCG_KILL.format(9),
            SUMMARY.format(7),
            MEMCG_KILL.format(7),
        ],
        [("group_kill", [8, 9]), ("kill", [7])],
    ),
    "nothing killable, though announced": (
        [ANNOUNCED.format(7), "Out of memory and no killable processes...", MEMCG_KILL.format(7)],
        [("no_killable", []), ("kill", [7])],
    ),
    "what nobody was chosen for waits for nothing": (
        [HEADER, SUMMARY.format(8), HEADER, MEMCG_KILL.format(7), MEMCG_KILL.format(8)],
        [("kill", [8]), ("kill", [7])],
    ),
    "the choice behind the kill, as journalctl --reverse tells it": (
        [MEMCG_KILL.format(7), SUMMARY.format(7)],
        [("kill", [7])],
    ),
    "the same up to 5.0": ([MEMCG_KILL.format(7), ANNOUNCED.format(7)], [("kill", [7])]),
    "two of one pid": ([ANNOUNCED.format(7), MEMCG_KILL.format(7)] * 2, [("kill", [7]), ("kill", [7])]),
    "a group of which the first is cut off": (
        [GROUP, MEMCG_KILL.format(1), MEMCG_KILL.format(2)],
        [("group_kill", [1, 2])],
    ),
    "another's choice behind the kill": ([MEMCG_KILL.format(7), SUMMARY.format(8)], [("kill", [7]), ("kill", [8])]),
    "the same one's, much later": (
        ["[1.0] " + MEMCG_KILL.format(7), "[9.0] " + SUMMARY.format(7)],
        [("kill", [7]), ("kill", [7])],
    ),
    "a line end in a name": (
        ["Out of memory: Killed process 7 (two", "lines) total-vm:4kB, anon-rss:3kB, file-rss:2kB"],
        [("kill", [7])],
    ),
    "a name that never ends": (["Out of memory: Killed process 7 (two", "other words"], [("kill", [7])]),
    "a name that never ends, at the end": (["Out of memory: Killed process 7 (two"], [("kill", [7])]),
}


@pytest.mark.parametrize("lines, told", STORIES.values(), ids=list(STORIES))
def test_lines_that_belong_together_are_one_event(lines, told):
    events = parse_events(parse_lines(lines))
    assert [(event["outcome"], [victim["pid"] for victim in event["victims"]]) for event in events] == told


@pytest.mark.parametrize(
    "line, told",
    [
        ("[    1.000000] oom_kill_process: 2 callbacks suppressed", (2, 0)),
        ("Nov 23 04:43:46 host mallory: oom_kill_process: 2 callbacks suppressed", (0, 0)),
        ("12,1,1,-;oom_kill_process: 2 callbacks suppressed", (0, 0)),
        ("** 2 printk messages dropped **", (0, 2)),
        ("Nov 23 04:43:46 host kernel: printk: 2 messages suppressed.", (0, 2)),
        ("Nov 23 04:43:46 host systemd-journald[88]: Missed 2 kernel messages", (0, 2)),
        (
            "Nov 23 04:43:46 host rsyslogd: imklog: 2 messages lost due to rate-limiting (20000 allowed within 600 seconds)",
            (0, 2),
        ),
        ("Nov 23 04:43:46 host mallory[88]: Missed 2 kernel messages", (0, 0)),
        ("12,1,1,-;Missed 2 kernel messages", (0, 0)),
    ],
)
def test_what_is_missing_is_told_by_who_can_know(line, told):
    ending = read_events(parse_lines([line]), lambda _number, _event: None)
    assert (ending.suppressed, ending.lost) == told


INDENTED = "Task in /a killed as a result of limit of /b"

# Some lines of a report have no uptime, as those that dmesg indents, and some stamps have no date.
CLOCKS = {
    "CRI": (
        ["2026-11-23T04:43:46.1Z stdout F [ 100.0] " + HEADER, "2026-11-23T04:43:46.2Z stdout F   " + INDENTED],
        "2026-11-23T04:43:46.3Z stdout F [ 100.1] ",
    ),
    "RFC 5424": (
        [
            "<4>1 2026-11-23T04:43:46Z host kernel - - - [ 100.0] " + HEADER,
            "<4>1 2026-11-23T04:43:46Z host kernel - - - " + INDENTED,
        ],
        "<4>1 2026-11-23T04:43:46Z host kernel - - - [ 100.1] ",
    ),
    "syslog": (
        ["Nov 23 04:43:46 host kernel: [ 100.0] " + HEADER, "Nov 23 04:43:46 host kernel: " + INDENTED],
        "Nov 23 04:43:46 host kernel: [ 100.1] ",
    ),
    "midnight": (["Nov 23 23:59:59 host kernel: " + HEADER], "Nov 24 00:00:00 host kernel: "),
    "midnight, ISO": (["2026-11-23T23:59:59Z host kernel: " + HEADER], "2026-11-24T00:00:00Z host kernel: "),
    "uptime, then none": (["[ 100.0] " + HEADER], "Nov 24 00:00:00 host kernel: "),
}


@pytest.mark.parametrize("lines, prefix", CLOCKS.values(), ids=list(CLOCKS))
def test_a_report_is_one_whatever_clock_its_lines_show(lines, prefix):
    assert [(event["outcome"], event["complete"]) for event in parse_events(parse_lines([*lines, prefix + KILL]))] == [
        ("kill", True)
    ]


@pytest.mark.parametrize(
    "first, then",
    [
        ("Nov 23 23:59:29 host kernel: ", "Nov 24 00:00:00 host kernel: "),
        ("Nov 23 04:43:46 host kernel: ", "Nov 23 04:44:17 host kernel: [ 100.0] "),
        (
            "Nov 23 04:43:46 host kernel: [ 10.0] ",
            "Nov 23 04:43:46 host kernel: [ 41.0] ",
        ),  # rsyslog wrote both when it started
    ],
)
def test_a_report_that_is_waited_for_too_long_is_over(first, then):
    assert [event["outcome"] for event in parse_events(parse_lines([first + HEADER, then + KILL]))] == [
        "incomplete",
        "kill",
    ]


def test_a_group_that_is_killed_over_midnight_is_one():
    kills = ["Nov 23 23:59:59 host kernel: " + line for line in (MEMCG_KILL.format(1), GROUP)] + [
        "Nov 24 00:00:00 host kernel: " + MEMCG_KILL.format(2)
    ]
    assert [event["outcome"] for event in parse_events(parse_lines(kills))] == ["group_kill"]


SIZES = ") total-vm:4kB, anon-rss:3kB, file-rss:2kB"
SYSLOG = "Nov 23 04:43:46 host "
CUT = "Killed process 5 (x"
JOURNAL = '{{"MESSAGE": "{0}", "_TRANSPORT": "{1}"}}'

# Lines, and pid and name of each victim, as the text says it: what is cut has no name.
NAMES_ON_LINES = {
    "two line ends": (["[1.0] Killed process 7 (a", "b", "c" + SIZES], [(7, "a\\x0ab\\x0ac")]),
    "nothing but line ends": (["Killed process 7 ("] + [""] * 14 + [SIZES], [(7, "\\x0a" * 15)]),
    "in the summary": (
        [SUMMARY.format(7).replace("=x,", "=a\nb\nc,"), KILL.replace("(x", "(a\nb\nc")],
        [(7, "a\\x0ab\\x0ac")],
    ),
    "longer than a name": (["Killed process 7 ("] + [""] * 15 + [SIZES], [(7, None)]),
    "a line longer than a name": (["Killed process 7 (a", "0123456789abcde" + SIZES], [(7, None)]),
    "cut before the next victim's": ([CUT, KILL], [(5, None), (7, "x")]),
    "cut before the next, which has a line end": (
        [CUT, "Killed process 7 (a", "b" + SIZES],
        [(5, None), (7, "a\\x0ab")],
    ),
    "cut before the next summary": ([CUT, SUMMARY.format(7), KILL], [(5, None), (7, "x")]),
    "before what is no summary": ([CUT, "oom-kill: no", "oom-kill: no", KILL], [(5, None), (7, "x")]),
    "cut before a report": ([CUT, HEADER, KILL], [(5, None), (7, "x")]),
    "made up in syslog": ([SYSLOG + "mallory: " + CUT, SYSLOG + "kernel: " + KILL], [(5, None), (7, "x")]),
    "made up, and goes on as if": ([SYSLOG + "mallory: " + CUT, SYSLOG + "kernel: y" + SIZES], [(5, None)]),
    "made up in the journal": ([JOURNAL.format(CUT, "syslog"), JOURNAL.format(KILL, "kernel")], [(5, None), (7, "x")]),
    "made up in /dev/kmsg": (["12,1,1,-;" + CUT, "3,2,2,-;" + KILL], [(5, None), (7, "x")]),
    "a name like a kill": (["Killed process 7 (", "Killed process" + SIZES], [(7, "\\x0aKilled process")]),
    "a name like a row": (["Killed process 7 (", "[1] 1 1 1 x", SIZES], [(7, "\\x0a[1] 1 1 1 x\\x0a")]),
}


@pytest.mark.parametrize("lines, victims", NAMES_ON_LINES.values(), ids=list(NAMES_ON_LINES))
def test_lines_are_put_together_to_a_name_and_no_further(lines, victims):
    events = parse_events(parse_lines("\n".join(lines).split("\n")))
    assert [(victim["pid"], victim["name"]) for event in events for victim in event["victims"]] == victims


def test_lines_of_two_at_once_are_told_with_their_own():
    lines = [
        "[1.0] " + HEADER,
        "[1.0] " + SUMMARY.format(7),
        "[1.1] " + HEADER,
        "[1.1] " + SUMMARY.format(8),
        "[1.2] " + MEMCG_KILL.format(7),
    ]
    ending = read_events(parse_lines(lines), lambda _number, event: None)
    assert [(report.number, report.seconds) for report in ending.unsettled] == [(2, 30.0), (0, 1.0)]
    assert [event["raw"] for event in parse_events(parse_lines(lines), raw=True)] == [lines[:2] + lines[4:], lines[2:4]]
    assert [report.number for report in read_events(parse_lines(lines[:4]), lambda _number, event: None).unsettled] == [
        2,
        0,
    ]


@pytest.mark.parametrize(
    "lines, sysrq",
    [
        (["[10.0] sysrq: Manual OOM execution", "[10.1] "], True),
        (["[10.0] sysrq: Manual OOM execution", "[9000.0] "], False),
        (["[10.0] sysrq: Manual OOM execution", "[10.1] OOM request ignored. No task eligible", "[10.2] "], False),
        (["[10.0] sysrq: Manual OOM execution", "[10.1] OOM request", "[10.2] "], True),
        (
            [
                "kern  :info  : [10.0] sysrq: Manual OOM execution",
                "user  :info  : [10.1] OOM request ignored. No task eligible",
                "kern  :err   : [10.2] ",
            ],
            True,
        ),
        (["user  :info  : [10.0] sysrq: Manual OOM execution", "kern  :err   : [10.2] "], False),
    ],
)
def test_a_kill_was_asked_for_where_it_comes_at_once(lines, sysrq):
    [event] = parse_events(parse_lines([*lines[:-1], lines[-1] + KILL]))
    assert event["sysrq"] is sysrq


def test_boots_are_kept_apart_by_uptime_or_by_the_version():
    by_uptime = ["[500.0] " + KILL, "[0.0] Linux version 6.1", "[9.0] " + KILL]
    by_version = [KILL, "Linux version 6.1", KILL]
    for lines in (by_uptime, by_version):
        assert [event["boot_index"] for event in parse_events(parse_lines(lines))] == [-1, 0]


SHORT_BOOT = ["[0.000000] Linux version 6.1.0", "[3.0] " + HEADER, "[3.1] " + KILL]

BOOTS = {
    "shorter than lines are shuffled": (SHORT_BOOT * 2, [-1, 0]),
    "shuffled lines": (["[3.0] a", "[2.0] " + KILL], [0]),
    "the version after other lines": (["[0.000000] microcode: updated early", *SHORT_BOOT], [0]),
    "a name like the version": (
        ["[3.0] " + KILL, "[3.1] ", "[    0.100000] Linux version  invoked oom-killer: gfp_mask=0x0", "[3.2] " + KILL],
        [0, 0],
    ),
    "an uptime that a program made up": (
        [
            SYSLOG + "kernel: [10.0] " + KILL,
            SYSLOG + "mallory: [99999.0] a",
            SYSLOG + "mallory: [0.0] Linux version 6.1.0",
            SYSLOG + "kernel: [11.0] " + KILL,
        ],
        [0, 0],
    ),
}


@pytest.mark.parametrize("lines, boots", BOOTS.values(), ids=list(BOOTS))
def test_a_boot_begins_where_the_kernel_says_so(lines, boots):
    assert [event["boot_index"] for event in parse_events(parse_lines(lines)) if event["victims"]] == boots


def test_what_a_program_wrote_never_mixes_with_the_kernel():
    lines = ["4,1,1,-;" + HEADER, "12,2,2,-;" + KILL.replace("7", "1"), "6,3,3,-;" + KILL]
    events = parse_events(parse_lines(lines))
    assert [(event["trusted"], event["victims"][0]["pid"], event["trigger"] is None) for event in events] == [
        (True, 7, False),
        (False, 1, True),
    ]


@pytest.mark.parametrize(
    "taint", ["Not tainted 4.18.0", "Kdump: loaded Not tainted 4.18.0", "Kdump: loaded Tainted: G OE 4.18.0"]
)
def test_who_asked_is_known_by_its_name_with_a_crash_kernel_or_without(taint):
    [event] = parse_events(
        parse_lines([HEADER, "CPU: 0 PID: 8 Comm: y " + taint, "CPU: 0 PID: 9 Comm: x " + taint, KILL])
    )
    assert event["trigger"]["pid"] == 9


@pytest.mark.parametrize(
    "written, name",
    [
        ("kernel: x", "kernel: x"),
        ("kernel: x", "x"),
        ("kernel:x", "kernel:x"),
        ("kernel:", "kernel:"),
        ("kernel: ", "kernel: "),
    ],
)
@pytest.mark.parametrize(
    "stamp", ["", "[   12.345678] ", "[Tue Mar 11 10:16:36 2025] ", "kern  :warn  : [   12.345678] "]
)
def test_what_looks_like_a_tag_or_a_host_is_told_by_the_next_line(written, name, stamp):
    lines = [
        "a" + HEADER[1:],
        "CPU: 0 PID: 8 Comm: a Not tainted 6.1.0",
        written + HEADER[1:],
        f"CPU: 0 PID: 9 Comm: {name} Not tainted 6.1.0",
        KILL,
    ]
    lost, event = parse_events(parse_lines([stamp + line for line in lines]))
    assert (lost["outcome"], lost["trigger"]["pid"]) == ("incomplete", 8)
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == (name, 9)


def test_a_host_without_a_tag_is_told_by_the_next_line():
    """As netconsole, stamped by a syslog server."""
    lines = [
        "Sep 13 15:31:25 escabot init" + HEADER[1:],
        "Sep 13 15:31:25 escabot Pid: 1, comm: init Not tainted 2.6.32",
        "Sep 13 15:31:25 escabot " + KILL,
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["trigger"]["name"], event["trigger"]["pid"], event["victims"][0]["pid"]) == ("init", 1, 7)


REST = [
    "Task in /a/b killed as a result of limit of /a",
    "memory: usage 8kB, limit 8kB, failcnt 3",
    "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
    "[    7]   500     7      1        1       3        2          -17 x",
    MEMCG_KILL.format(7),
]


@pytest.mark.parametrize("lacks", range(5))
def test_what_is_left_of_a_report_without_its_beginning_is_told(lacks):
    """As the kernel's buffer, or grep -A, leaves it."""
    [event] = parse_events(parse_lines(REST[lacks:]))
    victim, memcg = event["victims"][0], event["memcg"]
    assert memcg["path"] == (None if lacks > 0 else "/a")
    assert (memcg["usage_kb"], memcg["limit_kb"], memcg["failcnt"]) == ((None, None, None) if lacks > 1 else (8, 8, 3))
    assert (event["tasks_count"], event["complete"], event["trigger"]) == (None if lacks > 3 else 1, False, None)
    assert (victim["pid"], victim["uid"], victim["cgroup"]) == (
        7,
        None if lacks > 3 else 500,
        None if lacks > 0 else "/a/b",
    )


def test_rows_alone_are_told_where_the_text_was_searched_for_a_name():
    lines = [
        REST[3],
        KILL,
        "[    9]   697     8      1        1       3        2          500 x",
        KILL.replace("7", "9"),
    ]
    events = parse_events(parse_lines(f"[{9 * number}.5] {line}" for number, line in enumerate(lines)))
    # Of the second, the row has the pid of the thread that is named.
    assert [(event["tasks_count"], event["victims"][0]["uid"]) for event in events] == [(1, 500), (1, 697)]


def test_what_is_left_of_a_report_waits_for_no_kill_of_later_or_of_another_kind():
    lines = ["[  100.0] " + line for line in REST[:2]] + [f"[  {second}.0] noise" for second in range(110, 160, 10)]
    for kill in ("[  160.0] " + MEMCG_KILL.format(9), "[  101.0] " + KILL):
        [event] = parse_events(parse_lines([*lines, kill]), raw=True)
        assert (event["memcg"] or {}).get("path") is None
        assert event["raw"] == [kill]
    [event] = parse_events(parse_lines(["[  100.0] [12] 2026 11 23 job done", "[  101.0] " + KILL]))
    assert (event["monotonic"], event["tasks_count"]) == (101.0, None)


def test_the_middle_of_a_report_alone_is_no_event():
    assert parse_events(parse_lines([*REST[:-1], "CPU: 0 PID: 9 Comm: x Not tainted 4.4"])) == []
    assert [event["outcome"] for event in parse_events(parse_lines([*REST[:-1], HEADER]))] == ["incomplete"]


def test_rows_behind_a_kill_are_not_of_the_next():
    events = parse_events(parse_lines([HEADER, KILL, REST[3], MEMCG_KILL.format(7)]))
    assert [(event["outcome"], event["tasks_count"]) for event in events] == [("kill", 0), ("kill", None)]


def test_the_task_table_fills_in_what_the_kill_does_not_say():
    lines = [
        HEADER,
        "CPU: 0 PID: 8 Comm: other Not tainted 4.4",
        "CPU: 0 PID: 9 Comm: x Not tainted 4.4",
        "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
        "[    8]   500     7      100       50       3        2          -17 x y",
        "[    6]     0",
        "oom_kill_process: 3 callbacks suppressed",
        "Out of memory: Kill process 7 (x y) score 9 or sacrifice child",
        "Killed process 7 (x y) total-vm:1600kB, anon-rss:3kB, file-rss:2kB",
    ]
    found = []
    ending = read_events(parse_lines(lines), lambda _number, event: found.append(event), tasks=True, raw=True)
    assert ending.suppressed == 3
    [event] = found
    assert event["raw"][0] == HEADER
    assert event["trigger"]["pid"] == 9
    victim = event["victims"][0]
    assert (victim["uid"], victim["oom_score_adj"], victim["score"]) == (500, -17, 9)
    assert event["tasks"] == [
        dict(pid=7, thread=8, uid=500, name="x y", oom_score_adj=-17, total_vm_kb=1600, rss_kb=800, swap_kb=32)
    ]


@pytest.mark.parametrize(
    "lines",
    [["Task in /a/b killed as a result of limit of /a"], ["Task in /a/b", " killed as a result of limit of /a"]],
    ids=["one line", "two"],
)
def test_up_to_4_20_the_limit_and_the_victims_cgroup_have_lines_of_their_own(lines):
    """3.16 writes the two halves into two records."""
    [event] = parse_events(parse_lines([HEADER, *lines, MEMCG_KILL.format(7)]))
    assert (event["constraint"], event["memcg"]["path"], event["victims"][0]["cgroup"]) == ("memcg", "/a", "/a/b")


def test_without_evidence_of_the_page_size_sizes_stay_unknown():
    lines = [HEADER, "[ pid ]   uid  tgid total_vm rss name", "[ 8] 500 8 100 50 x", "[ 9] 1 1", KILL]
    assert parse_events(parse_lines(lines), tasks=True)[0]["tasks"][0]["total_vm_kb"] is None


def test_a_table_without_its_header_is_counted():
    assert parse_events(parse_lines([HEADER, "[    8]   500     7      100       50 x", KILL]))[0]["tasks_count"] == 1


def test_page_tables_of_5_4_are_bytes_that_call_themselves_kib():
    lines = [
        HEADER,
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[      7]     0     7        1        1         4096        0             0 x",
        KILL + ", shmem-rss:0kB, UID:0 pgtables:4096kB oom_score_adj:0",
    ]
    assert parse_events(parse_lines(lines))[0]["victims"][0]["pgtables_kb"] == 4


def test_memory_of_an_open_report_is_bounded(monkeypatch):
    monkeypatch.setattr(_oom_report, "MOST_TASKS", 2)
    monkeypatch.setattr(_oom_report, "MOST_RAW_LINES", 2)
    lines = [HEADER] + ["[    8]   500     7      100       50 x"] * 5 + [KILL]
    [event] = parse_events(parse_lines(lines), raw=True)
    assert (event["tasks_count"], len(event["raw"])) == (2, 2)


def recorded(folder):
    return list(corpus.cases(folder))


@pytest.mark.parametrize(
    "scoring", [case[1] for case in recorded(FIXTURES)], ids=[case[0] for case in recorded(FIXTURES)]
)
def test_a_recorded_log_is_read_to_its_truth(scoring):
    assert scoring().wrong == []


def test_public_logs_are_read_to_their_truth_where_they_are_given():
    for name, scoring in recorded(PUBLIC) if PUBLIC else []:
        assert (name, scoring().wrong) == (name, [])


# --- properties ---------------------------------------------------------------------------

WORDS = st.sampled_from([*list(MESSAGES), "x", "(", ")", "[ 7] 1 2 3 4 x", "\x00", ",task=", "Killed process 7 ("])


@pytest.mark.parametrize(
    "line",
    [
        "[{0}.{0}] x",
        "{0},{0},{0},-;x",
        "Out of memory: Killed process {0} (x) total-vm:{0}kB, anon-rss:{0}kB, file-rss:{0}kB",
        "x invoked oom-killer: gfp_mask=0x{0}, order={0}, oom_score_adj={0}",
        "[{0}] {0} {0} {0} x",
        "memory: usage {0}kB, limit {0}kB, failcnt {0}",
        'sending SIGTERM to process {0} uid {0} "x": oom_score {0}, VmRSS {0} MiB',
        '{{"MESSAGE": "x", "__REALTIME_TIMESTAMP": "{0}"}}',
    ],
)
def test_numbers_without_end_are_none(line):
    json.dumps(
        parse_events(parse_lines([line.format("9" * digits) for digits in (20, 400, 3000, 5000, 70000)]), tasks=True),
        allow_nan=False,
    )


def test_a_kill_that_is_cut_before_its_sizes_has_no_page_size():
    """Found by tests/fuzz."""
    lines = [
        HEADER,
        "[ pid ]   uid  tgid total_vm oom_score_adj name",
        "[    7]     0     7      100             0 x",
        "Killed process 7 (x)",
    ]
    [event] = parse_events(parse_lines(lines), tasks=True)
    assert event["tasks"][0]["total_vm_kb"] is None


@pytest.mark.parametrize("value", ["--5", "\u00b2", "5-", "x"])
def test_what_only_looks_like_a_number_is_none(value):
    lines = [HEADER, "[ pid ]   uid  tgid total_vm oom_score_adj name", f"[    7]     0     7      100 {value} x", KILL]
    [event] = parse_events(parse_lines(lines))
    assert event["victims"][0]["oom_score_adj"] is None


def test_what_openvz_says_is_resident_is_told():
    [event] = parse_events(
        parse_lines(["Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, rss:3kB, swap:0kB"])
    )
    assert (event["victims"][0]["rss_kb"], event["victims"][0]["anon_rss_kb"]) == (3, None)


def test_a_uid_of_the_table_is_as_that_of_the_other_lines():
    lines = [
        HEADER,
        "[ pid ]   uid  tgid total_vm oom_score_adj name",
        "[    7]    -2     7      100             0 x",
        KILL,
    ]
    [event] = parse_events(parse_lines(lines), tasks=True)
    assert (event["victims"][0]["uid"], [task["uid"] for task in event["tasks"]]) == (4294967294, [4294967294])


def test_who_may_not_be_killed_is_in_a_memory_cgroup_all_the_same():
    """So it was in a guest with 6.12: without a victim there is no line that sums it up."""
    lines = [HEADER, "memory: usage 24576kB, limit 24576kB, failcnt 19", "Memory cgroup stats for /provoked immune:"]
    [event] = parse_events(parse_lines([*lines, "Out of memory and no killable processes..."]))
    assert (event["outcome"], event["constraint"]) == ("no_killable", "memcg")
    assert event["memcg"] == {"path": "/provoked immune", "usage_kb": 24576, "limit_kb": 24576, "failcnt": 19}


def test_a_message_on_two_lines_has_one_writer():
    """A name with a line end, as dmesg --decode wrote it in a guest; and what a program wrote does not get better on a second line."""
    lines = [
        "kern  :warn  : [  108.5] x",
        "Killed proces invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
        "kern  :err   : [  108.6] Memory cgroup out of memory: Killed process 7 (x",
        "Killed proces) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
        "user  :err   : [  108.7] hello",
        "Out of memory: Killed process 8 (y) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    assert [
        (event["trusted"], [victim["name"] for victim in event["victims"]])
        for event in parse_events(parse_lines(lines))
    ] == [(True, ["x\\x0aKilled proces"]), (False, ["y"])]


def test_a_name_that_looks_like_an_uptime_is_a_name():
    lines = [
        "[  108.523588] Memory cgroup out of memory: Killed process 7 (",
        "[    1.000000]) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["victims"][0]["name"], event["monotonic"]) == ("\\x0a[    1.000000]", 108.523588)


def test_a_name_that_looks_like_a_new_boot_starts_none():
    """A line end and "Linux version " are 15 bytes, which any user may call a task."""
    lines = ["[  100.000001] ", "Linux version  invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0"]
    lines += [
        "[  100.000017] Memory cgroup out of memory: Killed process 500 (",
        "Linux version ) total-vm:40000kB, anon-rss:24000kB, file-rss:2kB",
    ]
    assert [
        (event["boot_index"], [victim["pid"] for victim in event["victims"]])
        for event in parse_events(parse_lines(lines))
    ] == [(0, [500])]


KERNEL_PREFIXES = [
    "[   12.345678] ",
    "[   12.345678] host kernel: ",
    "1795409025.649722 host kernel: ",
    "Aug 12 10:16:36 host kern.err kernel: [   12.345678] ",
    "Mon Aug 12 10:16:36 2024 kern.err kernel: [   12.345678] ",
    "11\u6708 23 04:43:46 host kernel: ",
    "[\u4e00 3\u6708 11 10:16:36 2025] ",
    "Aug 12 10:16:36 2001:db8::7 kernel: ",
    "Aug 12 10:16:36 host kernel:[   12.345678] ",
    "kernel: [   12.345678] ",
    "[   12.345678 <    0.000012>] ",
    "[  +0.000012] ",
    "kernel: ",
    "[   12.345678] kernel: ",
    "Mon 2026-11-23 04:43:46 CET host kernel: ",
    "Nov 23 04:43:46.649722 sonic ERR kernel: ",
    "10.1.1.2: kern:     err: [2026-11-23T04:43:46.649722566Z]: ",
    "[Di, 12. Aug 2025, 10:16:36] ",
]
NAMES = [
    "kernel: x",
    "[<1.0>] x",
    "[+1.0] x",
    "[Aug12 10:16] x",
    "h kernel: x",
    "h kern.err k: ",
    "kern:err:x",
    "x\\x0a[1.0] ",
    "data: {",
    "::1 a: x",
    "a[1]: x",
    "\u6708 1 x",
    "3\u6708 1 x",
    "h - x",
    "#033[0mx",
    "[a 10:16:36]",
    "> : x",
    "12: x",
    "2: [1.000000]",
    "kernel:x",
    "h kernel:x",
]


@pytest.mark.parametrize("prefix", KERNEL_PREFIXES)
def test_no_name_that_looks_like_a_prefix_changes_what_is_told(prefix):
    for name in NAMES:
        [event] = parse_events(parse_lines([prefix + name + HEADER[1:], prefix + KILL.replace("(x)", f"({name})")]))
        assert (event["outcome"], event["trusted"], event["trigger"] is None) == ("kill", None, False)
        assert [(victim["pid"], victim["name"]) for victim in event["victims"]] == [(7, name)]


PROGRAM_PREFIXES = [
    "[   12.345678] host mallory[7]: ",
    "1795409025.649722 host mallory[7]: ",
    "Aug 12 10:16:36 host user.err kernel: ",
    "Aug 12 10:16:36 host kern.err mallory: ",
    "Mon Aug 12 10:16:36 2024 user.err mallory: ",
    "11\u6708 23 04:43:46 host mallory: ",
    "Aug 12 10:16:36 2001:db8::7 mallory: ",
    "Aug 12 10:16:36 host mallory:[   12.345678] ",
]


@pytest.mark.parametrize("prefix", PROGRAM_PREFIXES)
@pytest.mark.parametrize(
    "behind",
    [
        "",
        "kernel: ",
        "host kernel: ",
        "[   12.345678] ",
        "[   12.345678] host kernel: ",
        "kern  :err   : ",
        "<3>",
        "\x1b[0m",
    ],
)
def test_what_a_program_says_is_never_the_kernel_s(prefix, behind):
    """Also as a container's own words in what Docker keeps."""
    line = prefix + behind + KILL
    for whole in (line, json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-23T04:43:45.1Z"})):
        assert {event["trusted"] for event in parse_events(parse_lines([whole]))} <= {False}


@given(st.lists(st.one_of(st.text(max_size=80), WORDS), max_size=40))
def test_no_text_breaks_the_parser(lines):
    parse_events(parse_lines(lines), tasks=True, raw=True)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=15), st.integers(1, 4194304))
def test_no_name_hides_or_forges_a_victim(name, pid):
    line = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0"
    [event] = parse_events(parse_lines(["6,1,1,-;" + line.format(pid, name)]))
    assert [(victim["pid"], victim["name"]) for victim in event["victims"]] == [(pid, name)]
