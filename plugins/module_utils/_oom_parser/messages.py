# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The kernel messages about memory running out, each as a value.

Pure. The texts are those of mm/oom_kill.c and mm/memcontrol.c; grammar.py reads them.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Union

_SIX_NUMBERS_AND_NAME = re.compile(r"(?:-?\d+\s+){6}\S")


class Header(NamedTuple):
    """C(NAME invoked oom-killer: ...): a report begins."""

    name: Optional[str]  # None in 2.6.18 and before
    gfp_mask: Optional[str]  # None: the line was cut
    order: Optional[int]  # -1: requested by sysrq
    oom_score_adj: Optional[int]
    pid: Optional[int] = None  # only OpenVZ prints it here


class TriggerPid(NamedTuple):
    """C(CPU: 0 PID: 7 Comm: x), C(Pid: 7, comm: x): the thread whose allocation failed."""

    pid: int
    name: str
    release: Optional[str] = None  # of the kernel; None: the line was cut, or is one of s390


class MemcgLimit(NamedTuple):
    """C(Task in A killed as a result of limit of B) up to 4.20; either half can be missing."""

    task_memcg: Optional[str]
    memcg: Optional[str]


class MemcgUsage(NamedTuple):
    """C(memory: usage 1kB, limit 2kB, failcnt 3)."""

    usage_kb: int
    limit_kb: Optional[int]  # None: no limit
    failcnt: int


class MemcgStats(NamedTuple):
    """C(Memory cgroup stats for PATH:); the first one is of the cgroup that hit its limit."""

    memcg: Optional[str]  # None: the line was cut


class MemorySize(NamedTuple):
    """C(7 pages RAM), C(Total swap = 0kB), C(swap: usage 0kB, limit 1kB): what may be used."""

    what: str  # ram_pages, reserved_pages, swap_kb; of the memory cgroup memcg_swap_kb, memcg_both_kb
    size: int


class TableHeader(NamedTuple):
    """C([ pid ] uid tgid total_vm ... name): the columns of this kernel's task table."""

    columns: List[str]


class TableRow(NamedTuple):
    """C([ 7] 0 7 100 ...): a row of the task table, not yet split into columns."""

    pid: int  # of a thread
    tgid: Optional[int]  # its process; None if the number is longer than any pid
    rest: str  # the columns

    def has_all_columns(self) -> bool:
        """Return whether it has the six numbers and the name that every kernel since 2.6.3x prints.

        Other lists with brackets do not.
        """
        return _SIX_NUMBERS_AND_NAME.match(self.rest) is not None


class Summary(NamedTuple):
    """C(oom-kill:constraint=...), 5.0 and later."""

    constraint: str
    is_global: Optional[bool]  # True: ",global_oom", False: ",oom_memcg=", None: the line was cut
    memcg: Optional[str]  # None: no memory cgroup reached its limit, or two readings are possible
    rest: str  # ",task_memcg=PATH,task=NAME": both can hold any text, see task_names.split_task
    pid: Optional[int]  # None: the line was cut
    uid: Optional[int]


class Announcement(NamedTuple):
    """C(Kill process 7 (x) score 9 or sacrifice child), up to 5.0.

    Nothing has died yet, and a child may die instead.
    """

    origin: str
    pid: int
    name: str
    score: Optional[int]


class Kill(NamedTuple):
    """C(Killed process 7 (x) ...): the one message that proves a death."""

    origin: str
    pid: int
    name: Optional[str]  # None: the line was cut inside it
    uid: Optional[int]
    # By the kernel's labels: total-vm, anon-rss, file-rss, shmem-rss, pgtables; OpenVZ has rss.
    sizes_kb: Dict[str, int]
    oom_score_adj: Optional[int]
    score: Optional[int]  # only OpenVZ prints it here


class SharedKill(NamedTuple):
    """C(Kill process 8 (y) sharing same memory), 2.6.37 to 4.3: dies together with the victim."""

    pid: int
    name: str


class GroupKill(NamedTuple):
    """C(Tasks in PATH are going to be killed due to memory.oom.group set)."""

    memcg: str


class SkippedVictim(NamedTuple):
    """C(OOM victim 7 (x) is already exiting. Skip killing the task): not a death by the killer."""

    pid: int


class NothingKillable(NamedTuple):
    """C(Out of memory and no killable processes...)."""


class Panic(NamedTuple):
    """C(Kernel panic - not syncing: ...) because memory ran out."""

    policy: Optional[str]  # compulsory, system-wide, or None: panic_on_oom was not the reason


class InitPanic(NamedTuple):
    """C(Kernel panic - not syncing: Attempted to kill init!): pid 1 has died, of whatever."""


class Sysrq(NamedTuple):
    """C(sysrq: Manual OOM execution), C(OOM request ignored. No task eligible)."""

    ignored: bool


class SuppressedReports(NamedTuple):
    """C(oom_kill_process: 2 callbacks suppressed): reports that the kernel did not print."""

    reports: int


class LostLines(NamedTuple):
    """C(** 2 printk messages dropped **), C(Missed 2 kernel messages).

    Lines that this log lacks, as counted by the kernel or by the program that writes the log.
    """

    lines: int


class NewBoot(NamedTuple):
    """C(Linux version ...)."""


Message = Union[
    Header,
    TriggerPid,
    MemcgLimit,
    MemcgUsage,
    MemcgStats,
    MemorySize,
    TableHeader,
    TableRow,
    Summary,
    Announcement,
    Kill,
    SharedKill,
    GroupKill,
    SkippedVictim,
    NothingKillable,
    Panic,
    InitPanic,
    Sysrq,
    SuppressedReports,
    LostLines,
    NewBoot,
]
