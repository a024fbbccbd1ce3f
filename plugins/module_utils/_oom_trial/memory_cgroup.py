# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""A private memory cgroup for the kills of a trial, and the limits of the cgroups above it.

Its folder is text made of bytes (_host/text.py), so that a locale without UTF-8 is no hindrance.
Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import contextlib
import errno
import os
import signal
import time
from typing import Dict, Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, ReadBackError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    FILES,
    Hierarchy,
    cgroup_limit_kb,
    pids_in_cgroup,
    read_oom_kills,
    walk_cgroups,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs, read_bytes
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of

# A cgroup can stay busy this long after the last process in it was killed.
REMOVE_SECONDS = 5.0

_NOT_ENABLED = "its cgroup.subtree_control does not enable the memory controller"

# The namespaces that the kernel's own messages refer to (include/linux/proc_ns.h).
_FIRST_NAMESPACES = {"cgroup": "cgroup:[4026531835]", "pid": "pid:[4026531836]"}


def is_path_absolute(procfs: Procfs) -> bool:
    """Return whether the cgroup paths that we see are those of the kernel log.

    In a cgroup namespace they are shorter (cgroup_namespaces(7)).
    """
    return _is_in_first_namespace(procfs, "cgroup")


def sees_every_process(procfs: Procfs) -> bool:
    """Return whether we see all processes, by the pids of the kernel log.

    In a pid namespace of its own a container sees only its processes, by other pids
    (pid_namespaces(7)).
    """
    return _is_in_first_namespace(procfs, "pid")


def _is_in_first_namespace(procfs: Procfs, kind: str) -> bool:
    try:
        return os.readlink(os.path.join(procfs.root, "self/ns", kind)) == _FIRST_NAMESPACES[kind]
    except OSError:  # this kernel has no such namespaces: cgroup before 4.6, pid before 3.8
        return True


def find_obstacle(hierarchy: Hierarchy, parent: str) -> Optional[str]:
    """Return why MemoryCgroup.create() would fail in this folder; None if it may work."""
    folder = bytes_of(parent)
    code = 0
    if not os.path.isdir(folder):
        code = errno.ENOENT
    elif os.statvfs(folder).f_flag & os.ST_RDONLY:
        code = errno.EROFS
    elif not os.access(folder, os.W_OK | os.X_OK):
        code = errno.EACCES
    if code:
        return f"{parent}: {os.strerror(code)}"
    if hierarchy.version == 2 and b"memory" not in read_bytes(folder + b"/cgroup.subtree_control").split():
        return f"{parent}: {_NOT_ENABLED}"
    return None


def headroom_kb(hierarchy: Hierarchy, directory: str) -> Optional[int]:
    """Return the KiB that this cgroup and those above it leave free; None without a limit."""
    rooms = []
    for folder in _limited_folders(hierarchy, directory):
        limit_kb = cgroup_limit_kb(folder, hierarchy.version) or 0
        rooms.append(limit_kb - _read_number(folder, FILES[hierarchy.version]["usage"]) // 1024)
    return min(rooms) if rooms else None


def count_limit_hits(hierarchy: Hierarchy, directory: str) -> Optional[Dict[str, int]]:
    """Return a counter for each limited cgroup above this one, by folder.

    The counter rises whenever memory runs out at that cgroup's limit. With version 1 it also rises
    when the kernel frees memory there. Returns None if a cgroup above has no such counter (before
    kernel 5.2 with version 2), or is not visible.
    """
    if hierarchy.root != "/":
        return None
    try:
        return {
            folder: _read_limit_hits(folder, hierarchy.version)
            for folder in _limited_folders(hierarchy, os.path.dirname(directory))
        }
    except (OSError, LookupError):
        return None


def _limited_folders(hierarchy: Hierarchy, directory: str) -> Iterator[str]:
    """Yield this folder and those above it that have a limit of their own."""
    while (directory + "/").startswith(hierarchy.mount.rstrip("/") + "/"):
        # The root of version 2 has no such file, nor have folders without the memory controller.
        has_file = os.path.exists(bytes_of(os.path.join(directory, FILES[hierarchy.version]["limit"])))
        if has_file and cgroup_limit_kb(directory, hierarchy.version) is not None:
            yield directory
        if directory == "/":
            return
        directory = os.path.dirname(directory)


def _read_limit_hits(folder: str, version: int) -> int:
    if version == 1:
        return _read_number(folder, "memory.failcnt")
    # The file without ".local" also counts what ran out below, so also the trial itself.
    words = read_bytes(bytes_of(os.path.join(folder, "memory.events.local"))).split()
    return int(dict(zip(words[::2], words[1::2]))[b"oom"])


def _read_number(folder: str, name: str) -> int:
    return int(read_bytes(bytes_of(os.path.join(folder, name))))


class MemoryCgroup:
    """One private memory cgroup: create, limit, empty and remove it."""

    def __init__(self, hierarchy: Hierarchy, directory: str) -> None:
        self.version = hierarchy.version
        self.directory = directory
        self.path = hierarchy.path(directory)

    def create(self) -> None:
        """Make the cgroup.

        Raises AccessError if the folder cannot be made, and UnsupportedError if the
        parent does not enable the memory controller.
        """
        try:
            os.mkdir(bytes_of(self.directory))
        except OSError as error:
            raise AccessError(f"{os.path.dirname(self.directory)}: {error.strerror}") from error
        if not os.path.exists(bytes_of(self._file("limit"))):
            self.remove()
            raise UnsupportedError(f"{os.path.dirname(self.directory)}: {_NOT_ENABLED}")

    def exists(self) -> bool:
        """Return whether the folder is there."""
        return os.path.isdir(bytes_of(self.directory))

    def set_limit(self, limit_kb: int) -> None:
        """Limit memory and allow no swap, with the OOM killer on and set to kill single processes.

        Raises AccessError, or ReadBackError if the kernel shows another limit afterwards.
        """
        limit = str(limit_kb * 1024)
        self._write(FILES[self.version]["limit"], limit)
        if self.version == 1:
            self._write_if_present("memory.memsw.limit_in_bytes", limit)
            self._write_if_present("memory.swappiness", "0")
            self._write_if_present("memory.oom_control", "0")
        else:
            self._write_if_present("memory.swap.max", "0")
            self._write_if_present("memory.zswap.max", "0")
            self._write_if_present("memory.oom.group", "0")
        if self.limit_kb() != limit_kb:
            raise ReadBackError(
                f"{self._file('limit')} shows {self.limit_kb()} KiB after {limit_kb} KiB was written:"
                " set another memory_limit, a multiple of 1M"
            )

    def limit_kb(self) -> Optional[int]:
        """Return the cgroup's own limit in KiB, or None."""
        return cgroup_limit_kb(self.directory, self.version)

    def oom_kills(self) -> Optional[int]:
        """Return the kills since the cgroup was made; None before kernel 4.13.

        Source: memory.events with version 2, memory.oom_control with version 1.
        """
        return read_oom_kills(self.directory, "memory.events" if self.version == 2 else "memory.oom_control")

    def processes(self) -> List[int]:
        """Return the pids in the cgroup and in those below it."""
        return pids_in_cgroup(self.directory)

    def kill(self) -> None:
        """Send SIGKILL to every process inside, in one write where there is cgroup.kill (5.14)."""
        if os.path.exists(bytes_of(os.path.join(self.directory, "cgroup.kill"))):
            self._write_if_present("cgroup.kill", "1")
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Kill every process inside, remove the cgroup, and return whether it is gone."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while self.exists():
            try:
                for folder, _names in reversed(list(walk_cgroups(self.directory))):
                    with contextlib.suppress(FileNotFoundError):
                        os.rmdir(bytes_of(folder))
            except OSError as error:
                if error.errno != errno.EBUSY:
                    return False
                with contextlib.suppress(OSError, AccessError):  # removed meanwhile, or denied
                    self.kill()
            if time.monotonic() > deadline:
                break
            time.sleep(0.002)
        return not self.exists()

    def _file(self, what: str) -> str:
        return os.path.join(self.directory, FILES[self.version][what])

    def _write_if_present(self, name: str, value: str) -> None:
        if os.path.exists(bytes_of(os.path.join(self.directory, name))):  # swap accounting and zswap are optional
            self._write(name, value)

    def _write(self, name: str, value: str) -> None:
        path = os.path.join(self.directory, name)
        try:
            with open(bytes_of(path), "w") as stream:
                stream.write(value)
        except OSError as error:
            raise AccessError(
                f"{path} cannot be set to {value} ({error.strerror}):"
                " set cgroup_parent to a cgroup whose limits this user may set"
            ) from error
