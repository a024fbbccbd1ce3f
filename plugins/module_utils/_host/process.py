# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse the stat files of a process and a thread.

Pure. Sources: proc(5), fs/proc/array.c:do_task_stat.
"""

from typing import NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name, text_of

SCORE_MIN, SCORE_MAX = -1000, 1000  # OOM_SCORE_ADJ_MIN, _MAX of include/uapi/linux/oom.h


PF_KTHREAD = 0x00200000


class Process(NamedTuple):
    """The identity of a process, and other fields of /proc/PID/stat."""

    pid: int
    name: str  # comm, at most 15 bytes
    start_time: int  # clock ticks after boot; pid and start time together identify one process of a boot
    parent: int
    kernel_thread: bool
    resident_kb: int

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


class Thread(NamedTuple):
    """The state and CPU time of a thread, from /proc/PID/task/TID/stat."""

    tid: int
    state: str  # R running or ready, S asleep, D asleep and ignoring signals, T or t stopped, Z and X ended
    cpu_ticks: int  # user and system time in clock ticks


def parse_process(stat: bytes, page_kb: int) -> Process:
    """Parse the content of /proc/PID/stat, which counts memory in pages of page_kb KiB."""
    # The name may hold blanks and brackets: it ends at the last ")".
    head, _bracket, tail = stat.rpartition(b")")
    pid, _blank, name = head.partition(b" (")
    fields = tail.split(None, 22)
    flags = int(fields[6])
    # No keywords: for thousands of processes they would take longer than the rest of this function.
    return Process(
        int(pid),
        printable_name(text_of(name)),
        int(fields[19]),
        int(fields[1]),
        bool(flags & PF_KTHREAD),
        int(fields[21]) * page_kb,
    )


def parse_thread(stat: bytes) -> Thread:
    """Parse the content of /proc/PID/task/TID/stat."""
    head, _bracket, tail = stat.rpartition(b")")
    fields = tail.split(None, 14)
    return Thread(int(head.partition(b" ")[0]), fields[0].decode(), int(fields[11]) + int(fields[12]))


# The default of min_killable_percent.
LEAST_KILLABLE_PERCENT = 10


class Killable(NamedTuple):
    """Resident memory that the killer may free, and that of immune processes, in KiB."""

    killable_kb: int
    immune_kb: int

    @property
    def percent(self) -> int:
        """Return the killable share of both; 100 if both are 0."""
        used = self.killable_kb + self.immune_kb
        return 100 * self.killable_kb // used if used else 100
