# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""A memory cgroup of our own, in which something may be killed, and where it can be.

Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import errno
import os
import signal
import time
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, ReadBackError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    FILES,
    Hierarchy,
    cgroup_limit_kb,
    pids_in_cgroup,
    read_oom_kills,
)

# How long a cgroup may stay busy after the last process in it was killed.
REMOVE_SECONDS = 5.0


def headroom_kb(hierarchy: Hierarchy, directory: str) -> Optional[int]:
    """How much a cgroup below this folder may still use before one above it is at its limit."""
    rooms = []
    while directory.startswith(hierarchy.mount):
        if os.path.exists(os.path.join(directory, FILES[hierarchy.version]["limit"])):
            limit = cgroup_limit_kb(directory, hierarchy.version)
            if limit is not None:
                with open(os.path.join(directory, FILES[hierarchy.version]["usage"])) as stream:
                    rooms.append(limit - int(stream.read()) // 1024)
        directory = os.path.dirname(directory)
    return min(rooms) if rooms else None


class MemoryCgroup:
    """One private memory cgroup: limited, filled, emptied, removed."""

    def __init__(self, hierarchy: Hierarchy, directory: str) -> None:
        self.version = hierarchy.version
        self.directory = directory
        self.path = hierarchy.path(directory)

    def create(self) -> None:
        try:
            os.mkdir(self.directory)
        except OSError as error:
            raise AccessError(f"{os.path.dirname(self.directory)}: {error.strerror}")
        if not os.path.exists(self._file("limit")):
            self.remove()
            raise UnsupportedError(
                f"{os.path.dirname(self.directory)}: its cgroup.subtree_control does not hand on the memory controller"
            )

    def exists(self) -> bool:
        return os.path.isdir(self.directory)

    def set_limit(self, limit_kb: int) -> None:
        """Limit memory and leave no way into swap; the kernel's killer stays on, for single processes."""
        limit = str(limit_kb * 1024)
        self._write("limit", limit)
        if self.version == 1:
            self._write_if_there("memory.memsw.limit_in_bytes", limit)
            self._write_if_there("memory.swappiness", "0")
            self._write_if_there("memory.oom_control", "0")
        else:
            self._write_if_there("memory.swap.max", "0")
            self._write_if_there("memory.zswap.max", "0")
            self._write_if_there("memory.oom.group", "0")
        if self.limit_kb() != limit_kb:
            raise ReadBackError(f"{self._file('limit')} shows {self.limit_kb()} KiB after {limit_kb} KiB was written")

    def limit_kb(self) -> Optional[int]:
        """The cgroup's own limit; None when there is none."""
        return cgroup_limit_kb(self.directory, self.version)

    def oom_kills(self) -> Optional[int]:
        """Kills inside since it exists (memory.events, memory.oom_control); None before kernel 4.13."""
        return read_oom_kills(self.directory, "memory.events" if self.version == 2 else "memory.oom_control")

    def processes(self) -> List[int]:
        return pids_in_cgroup(self.directory)

    def kill(self) -> None:
        """SIGKILL to everything inside. The kernel does it at once where it can (cgroup.kill, 5.14)."""
        if os.path.exists(os.path.join(self.directory, "cgroup.kill")):
            self._write_if_there("cgroup.kill", "1")
            return
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def remove(self) -> bool:
        """Kill what is inside and remove it, also the cgroups below; whether it is gone."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while self.exists():
            for folder, _folders, _files in os.walk(self.directory, topdown=False):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    if error.errno != errno.EBUSY or time.monotonic() > deadline:
                        return False
                    self.kill()
                    time.sleep(0.002)
                    break
        return True

    def _file(self, what: str) -> str:
        return os.path.join(self.directory, FILES[self.version][what])

    def _write(self, what: str, value: str) -> None:
        path = self._file(what)
        try:
            with open(path, "w") as stream:
                stream.write(value)
        except OSError as error:
            raise AccessError(f"{path} cannot be set to {value}: {error.strerror}")

    def _write_if_there(self, name: str, value: str) -> None:
        path = os.path.join(self.directory, name)
        if os.path.exists(path):  # swap accounting and zswap are optional parts of a kernel
            with open(path, "w") as stream:
                stream.write(value)
