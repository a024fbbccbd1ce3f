# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""A private memory cgroup for the kills of a trial, and the room that the cgroups above it leave.

Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import contextlib
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

# A cgroup can stay busy this long after the last process in it was killed.
REMOVE_SECONDS = 5.0


def headroom_kb(hierarchy: Hierarchy, directory: str) -> Optional[int]:
    """Return the KiB that this cgroup and those above it leave free; None without a limit."""
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
            os.mkdir(self.directory)
        except OSError as error:
            raise AccessError(f"{os.path.dirname(self.directory)}: {error.strerror}") from error
        if not os.path.exists(self._file("limit")):
            self.remove()
            raise UnsupportedError(
                f"{os.path.dirname(self.directory)}: its cgroup.subtree_control does not enable the memory controller"
            )

    def exists(self) -> bool:
        """Return whether the folder is there."""
        return os.path.isdir(self.directory)

    def set_limit(self, limit_kb: int) -> None:
        """Limit memory and allow no swap, with the OOM killer on and set to kill single processes.

        Raises AccessError, or ReadBackError if the kernel shows another limit afterwards.
        """
        limit = str(limit_kb * 1024)
        self._write("limit", limit)
        if self.version == 1:
            self._write_if_present("memory.memsw.limit_in_bytes", limit)
            self._write_if_present("memory.swappiness", "0")
            self._write_if_present("memory.oom_control", "0")
        else:
            self._write_if_present("memory.swap.max", "0")
            self._write_if_present("memory.zswap.max", "0")
            self._write_if_present("memory.oom.group", "0")
        if self.limit_kb() != limit_kb:
            raise ReadBackError(f"{self._file('limit')} shows {self.limit_kb()} KiB after {limit_kb} KiB was written")

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
        if os.path.exists(os.path.join(self.directory, "cgroup.kill")):
            self._write_if_present("cgroup.kill", "1")
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Kill every process inside, remove the cgroup, and return whether it is gone."""
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
            raise AccessError(f"{path} cannot be set to {value}: {error.strerror}") from error

    def _write_if_present(self, name: str, value: str) -> None:
        path = os.path.join(self.directory, name)
        if os.path.exists(path):  # swap accounting and zswap are optional parts of a kernel
            with open(path, "w") as stream:
                stream.write(value)
