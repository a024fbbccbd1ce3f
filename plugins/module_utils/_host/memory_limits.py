# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read what limits the memory of a control group, and what it holds, on versions 1 and 2.

Every file is the kernel's own, of a bounded size. A cgroup that disappears is None.
Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst, mm/memcontrol.c.
"""

import os
from typing import Dict, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import read_bytes
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of

_FILE_BYTES = 64 << 10
_NO_LIMIT = 1 << 60  # version 1 writes "no limit" as the largest page count


class MemoryCgroup(NamedTuple):
    """One cgroup of the hierarchy that limits memory.

    Sizes are in KiB. None: there is no limit, or it is not known.
    """

    path: str
    limit_kb: Optional[int]
    usage_kb: int = 0
    file_kb: int = 0  # page cache that can be reclaimed
    mapped_kb: int = 0  # of the page cache and shared memory, what processes map
    shmem_kb: int = 0
    swap_limit_kb: Optional[int] = None  # version 1: what memory and swap may have beyond limit_kb
    swap_usage_kb: int = 0
    swappiness: Optional[int] = None  # version 1 only
    oom_group: bool = False
    kill_disabled: bool = False  # version 1: processes wait at the limit, and nothing is killed
    min_kb: Optional[int] = None
    low_kb: Optional[int] = None


def read_memory_cgroup(directory: str, path: str, version: int) -> Optional[MemoryCgroup]:
    """Return the limits of a cgroup, and its usage if it has one; None if it is gone or denied."""
    try:
        return _read_version_2(directory, path) if version == 2 else _read_version_1(directory, path)
    except (OSError, ValueError):  # ValueError: an empty file of a cgroup that is being removed
        return None


def _read_version_2(directory: str, path: str) -> MemoryCgroup:
    limit = _read_limit(directory, "memory.max")
    found = MemoryCgroup(
        path,
        limit,
        oom_group=_read(directory, "memory.oom.group").strip() == b"1",
        min_kb=_read_limit(directory, "memory.min"),
        low_kb=_read_limit(directory, "memory.low"),
    )
    if limit is None:
        return found
    stat = _read_stat(directory)
    return found._replace(
        usage_kb=int(_read(directory, "memory.current")) >> 10,
        file_kb=_sum(stat, b"active_file", b"inactive_file"),
        mapped_kb=_sum(stat, b"file_mapped"),
        shmem_kb=_sum(stat, b"shmem"),
        swap_limit_kb=_read_limit(directory, "memory.swap.max"),
        swap_usage_kb=int(_read(directory, "memory.swap.current") or 0) >> 10,
    )


def _read_version_1(directory: str, path: str) -> MemoryCgroup:
    limit = _read_limit(directory, "memory.limit_in_bytes")
    if limit is None:
        return MemoryCgroup(path, None)
    usage = int(_read(directory, "memory.usage_in_bytes")) >> 10
    both = _read_limit(directory, "memory.memsw.limit_in_bytes")
    both_usage = int(_read(directory, "memory.memsw.usage_in_bytes") or 0) >> 10
    stat = _read_stat(directory)
    return MemoryCgroup(
        path,
        limit,
        usage_kb=usage,
        file_kb=_sum(stat, b"total_active_file", b"total_inactive_file"),
        mapped_kb=_sum(stat, b"total_mapped_file"),
        shmem_kb=_sum(stat, b"total_shmem"),
        swap_limit_kb=None if both is None else max(0, both - limit),
        swap_usage_kb=max(0, both_usage - usage),
        swappiness=int(_read(directory, "memory.swappiness") or 60),
        kill_disabled=b"oom_kill_disable 1\n" in _read(directory, "memory.oom_control"),
    )


def _read(directory: str, name: str) -> bytes:
    """Return a file's content; empty if this kernel does not have it."""
    try:
        return read_bytes(bytes_of(os.path.join(directory, name)), limit=_FILE_BYTES)
    except FileNotFoundError:
        return b""


def _read_limit(directory: str, name: str) -> Optional[int]:
    text = _read(directory, name).strip()
    if text in (b"", b"max") or int(text) >= _NO_LIMIT:
        return None
    return int(text) >> 10


def _read_stat(directory: str) -> Dict[bytes, int]:
    words = _read(directory, "memory.stat").split()
    return {key: int(value) for key, value in zip(words[::2], words[1::2])}


def _sum(stat: Dict[bytes, int], *keys: bytes) -> int:
    return sum(stat.get(key, 0) for key in keys) >> 10
