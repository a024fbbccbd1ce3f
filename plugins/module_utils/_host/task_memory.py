# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse what the OOM killer counts of a process, from /proc/PID/status.

Pure. Sources: proc_pid_status(5), fs/proc/task_mmu.c:task_mem, fs/proc/array.c:proc_pid_status.
"""

from typing import Dict, NamedTuple, Optional

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
    # The kernel escapes a line feed in the name, so each line is the kernel's own.
    fields = dict([line.partition(b":\t")[::2] for line in status.split(b"\n")])
    rss = fields.get(b"VmRSS")
    if rss is None:
        return None
    anon = fields.get(b"RssAnon")
    return TaskMemory(
        int(fields[b"Uid"].split(None, 2)[1]),
        int(rss[:-3]),
        int((rss if anon is None else anon)[:-3]),
        _size(fields, b"RssFile"),
        _size(fields, b"RssShmem"),
        _size(fields, b"VmSwap"),
        _size(fields, b"VmPTE"),
        _size(fields, b"VmPMD"),
        bool(int(fields.get(b"CapEff", b"0"), 16) >> CAP_SYS_ADMIN & 1),
        text_of(fields.get(b"Mems_allowed_list", b"")),
    )


def has_other_threads(status: bytes) -> bool:
    """Return whether a process has more threads than its first one."""
    return b"\nThreads:\t1\n" not in status and b"\nThreads:\t0\n" not in status


def _size(fields: Dict[bytes, bytes], key: bytes) -> int:
    value = fields.get(key)
    return 0 if value is None else int(value[:-3])  # the unit is always " kB"
