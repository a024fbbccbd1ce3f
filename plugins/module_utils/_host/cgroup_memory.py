# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse what limits the memory of a control group, and what it holds, on versions 1 and 2.

Pure: what reads a file comes in as a function, which is called only for what is needed.
Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst, mm/memcontrol.c.
"""

from typing import Callable, Dict, NamedTuple, Optional

Reader = Callable[[str], bytes]  # by the name of a file; empty for one that the kernel does not have
_NO_LIMIT = 1 << 60  # version 1 writes "no limit" as the largest page count


class CgroupMemory(NamedTuple):
    """One cgroup of the hierarchy that limits memory.

    Sizes are in KiB. None: there is no limit, or it is not known.
    """

    path: str
    limit_kb: Optional[int]
    usage_kb: int = 0
    file_kb: int = 0  # page cache that can be reclaimed
    mapped_kb: int = 0  # of the page cache and shared memory, what processes map
    shmem_kb: int = 0
    kernel_kb: int = 0  # of the kernel: what of it can be reclaimed; on version 1 all of it
    stock_kb: Optional[int] = None  # of usage_kb, what is charged in advance; None: not shown
    swap_limit_kb: Optional[int] = None  # version 1: what memory and swap may have beyond limit_kb
    swap_usage_kb: int = 0  # version 2: only with a limit of swap
    swappiness: Optional[int] = None  # version 1 only
    oom_group: bool = False
    kill_disabled: bool = False  # version 1: processes wait at the limit, and nothing is killed
    min_kb: Optional[int] = None
    low_kb: Optional[int] = None


def parse_cgroup_memory(path: str, version: int, read: Reader) -> CgroupMemory:
    """Return the limits of a cgroup, and its usage if it has a limit.

    On version 2 a cgroup without a limit of memory may limit the swap of those below it. On
    version 1 that is not possible: mm/memcontrol.c:mem_cgroup_resize_max.

    Raises ValueError for an empty file of a cgroup that is being removed.
    """
    return _parse_version_2(path, read) if version == 2 else _parse_version_1(path, read)


def _parse_version_2(path: str, read: Reader) -> CgroupMemory:
    limit = _parse_limit(read("memory.max"))
    swap_limit = _parse_limit(read("memory.swap.max"))
    found = CgroupMemory(
        path,
        limit,
        swap_limit_kb=swap_limit,
        swap_usage_kb=0 if swap_limit is None else int(read("memory.swap.current") or 0) >> 10,
        oom_group=read("memory.oom.group").strip() == b"1",
        min_kb=_parse_limit(read("memory.min")),
        low_kb=_parse_limit(read("memory.low")),
    )
    if limit is None:
        return found
    stat = _parse_stat(read("memory.stat"))
    usage_kb = int(read("memory.current")) >> 10
    charged_kb = _sum(stat, b"anon", b"file", b"kernel", b"sock")
    return found._replace(
        usage_kb=usage_kb,
        # Before 5.18 the kernel does not show all that is charged.
        stock_kb=max(0, usage_kb - charged_kb) if b"kernel" in stat else None,
        file_kb=_sum(stat, b"active_file", b"inactive_file"),
        mapped_kb=_sum(stat, b"file_mapped"),
        shmem_kb=_sum(stat, b"shmem"),
        kernel_kb=_sum(stat, b"slab_reclaimable"),
    )


def _parse_version_1(path: str, read: Reader) -> CgroupMemory:
    limit = _parse_limit(read("memory.limit_in_bytes"))
    if limit is None:
        return CgroupMemory(path, None)
    usage = int(read("memory.usage_in_bytes")) >> 10
    both = _parse_limit(read("memory.memsw.limit_in_bytes"))
    both_usage = int(read("memory.memsw.usage_in_bytes") or 0) >> 10
    stat = _parse_stat(read("memory.stat"))
    return CgroupMemory(
        path,
        limit,
        usage_kb=usage,
        file_kb=_sum(stat, b"total_active_file", b"total_inactive_file"),
        mapped_kb=_sum(stat, b"total_mapped_file"),
        shmem_kb=_sum(stat, b"total_shmem"),
        kernel_kb=int(read("memory.kmem.usage_in_bytes") or 0) >> 10,
        swap_limit_kb=None if both is None else max(0, both - limit),
        swap_usage_kb=max(0, both_usage - usage),
        swappiness=int(read("memory.swappiness") or 60),
        kill_disabled=b"oom_kill_disable 1\n" in read("memory.oom_control"),
    )


def _parse_limit(text: bytes) -> Optional[int]:
    text = text.strip()
    if text in (b"", b"max") or int(text) >= _NO_LIMIT:
        return None
    return int(text) >> 10


def _parse_stat(text: bytes) -> Dict[bytes, int]:
    words = text.split()
    return {key: int(value) for key, value in zip(words[::2], words[1::2])}


def _sum(stat: Dict[bytes, int], *keys: bytes) -> int:
    return sum(stat.get(key, 0) for key in keys) >> 10
