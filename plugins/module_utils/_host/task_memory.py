# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse what the OOM killer counts of a process, from /proc/PID/status.

Pure. Sources: proc_pid_status(5), fs/proc/task_mmu.c:task_mem, fs/proc/array.c:proc_pid_status.
"""

from typing import NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import text_of

CAP_SYS_ADMIN = 21


class TaskMemory(NamedTuple):
    """The memory of a process in KiB, and who it runs as."""

    uid: int  # effective
    rss_kb: int
    anon_kb: int  # RssAnon; before 4.5, which has no such line, all that is resident
    file_kb: int
    shmem_kb: int
    swap_kb: int
    pte_kb: int  # since 4.15 all page tables
    pmd_kb: int
    root: bool  # CAP_SYS_ADMIN is effective
    nodes: str  # that it may take memory from, such as "0-1"; empty if the kernel has none


def parse_task_memory(status: bytes) -> Optional[TaskMemory]:
    """Parse the content of /proc/PID/status; None for a task without memory, such as a zombie."""
    rss = _find(status, b"\nVmRSS:\t")
    if not rss:
        return None
    anon = _find(status, b"\nRssAnon:\t")
    return TaskMemory(
        int(_find(status, b"\nUid:\t").split(None, 2)[1]),
        _parse_size(rss),
        _parse_size(anon or rss),
        _parse_size(_find(status, b"\nRssFile:\t")),
        _parse_size(_find(status, b"\nRssShmem:\t")),
        _parse_size(_find(status, b"\nVmSwap:\t")),
        _parse_size(_find(status, b"\nVmPTE:\t")),
        _parse_size(_find(status, b"\nVmPMD:\t")),
        bool(int(_find(status, b"\nCapEff:\t") or b"0", 16) >> CAP_SYS_ADMIN & 1),
        text_of(_find(status, b"\nMems_allowed_list:\t")),
    )


def has_other_threads(status: bytes) -> bool:
    """Return whether a process has more threads than its first one."""
    return b"\nThreads:\t1\n" not in status and b"\nThreads:\t0\n" not in status


def _find(status: bytes, key: bytes) -> bytes:
    """Return the rest of the line that begins with the key; empty without such a line.

    The kernel escapes a line feed in the name, so each line is the kernel's own. To search is much
    faster than to split all lines of thousands of processes.
    """
    start = status.find(key)
    if start < 0:
        return b""
    start += len(key)
    return status[start : status.find(b"\n", start)]


def _parse_size(value: bytes) -> int:
    return int(value[:-3]) if value else 0  # the unit is always " kB"
