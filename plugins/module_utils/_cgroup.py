# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Control groups, version 1 and 2 behind one face.

A cgroup path is written as the kernel prints it in /proc/PID/cgroup and in its
log, from the root of the hierarchy: C(/system.slice/docker.service).
Sources: cgroups(7), Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import errno
import os
import re
import signal
import time
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    ReadBackError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs

# How long a cgroup may stay busy after the last process in it was killed.
REMOVE_SECONDS = 5.0


class Hierarchy(NamedTuple):
    """One mounted cgroup hierarchy."""

    version: int
    controllers: List[str]  # of version 1, with name=... for named ones; empty for version 2
    mount: str
    root: str  # the cgroup that the mount point shows: "/" unless bind-mounted or in a cgroup namespace

    def directory(self, path: str) -> str:
        """Folder of a cgroup path."""
        inside = path
        if self.root != "/" and (path + "/").startswith(self.root + "/"):
            inside = path[len(self.root):]
        return os.path.normpath(self.mount + "/" + inside)

    def path(self, directory: str) -> str:
        """Cgroup path of a folder below the mount point."""
        inside = os.path.relpath(directory, self.mount)
        return os.path.normpath(os.path.join(self.root, inside))


def hierarchies(procfs: Procfs) -> List[Hierarchy]:
    """Every cgroup hierarchy that is mounted here, from mountinfo (proc(5))."""
    found = []
    for line in procfs.read("self/mountinfo").splitlines():
        mount, _dash, filesystem = line.partition(" - ")
        kind, _source, options = filesystem.split(" ", 2)
        root, point = [_unescape(field) for field in mount.split(" ")[3:5]]
        if kind == "cgroup2":
            found.append(Hierarchy(2, [], point, root))
        elif kind == "cgroup":
            found.append(Hierarchy(1, options.split(","), point, root))
    return found


def _unescape(field: str) -> str:
    """Blanks and backslashes of mountinfo are octal escapes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)


def memory_hierarchy(procfs: Procfs) -> Hierarchy:
    """The hierarchy that limits memory: on hybrid hosts it is one of version 1."""
    for hierarchy in hierarchies(procfs):
        if "memory" in hierarchy.controllers:
            return hierarchy
        if hierarchy.version == 2 and "memory" in _words(hierarchy.mount, "cgroup.controllers"):
            return hierarchy
    raise UnsupportedError(
        "no memory cgroup controller is mounted: mount one, or boot without cgroup_disable=memory"
    )


def own_path(procfs: Procfs, hierarchy: Hierarchy) -> str:
    """The cgroup of the calling process in this hierarchy."""
    for line in procfs.read("self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if hierarchy.version == 2 and number == "0":
            return path
        if hierarchy.version == 1 and set(controllers.split(",")) & set(hierarchy.controllers):
            return path
    raise UnsupportedError("the calling process is in no cgroup of {0}".format(hierarchy.mount))


def find(procfs: Procfs, path: str) -> str:
    """Folder of an existing cgroup, looked for first where memory is limited.

    On version 1 a unit may have no memory cgroup of its own and is then found
    in the hierarchy of systemd.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        raise InputError(
            "cgroup {0!r} is not a cgroup path: write it from the root as /proc/PID/cgroup does, such as /system.slice/docker.service".format(path)
        )
    if not path.strip("/"):
        raise InputError("cgroup '/' is the whole host: name the cgroup of the processes that you mean")
    mounted = sorted(hierarchies(procfs), key=lambda one: "memory" not in one.controllers)
    for hierarchy in mounted:
        directory = hierarchy.directory(path)
        if os.path.isdir(directory):
            return directory
    raise NotFoundError("cgroup {0} does not exist below {1}".format(path, ", ".join(one.mount for one in mounted) or "any mount point"))


def oom_kills(procfs: Procfs) -> Dict[str, int]:
    """Kills in each cgroup alone, since it exists, by its path; without those that had none. Version 2 tells since kernel 5.2."""
    hierarchy = memory_hierarchy(procfs)
    name = "memory.events.local" if hierarchy.version == 2 else "memory.oom_control"
    counted = {}
    for folder, _folders, names in os.walk(hierarchy.mount):
        try:
            kills = _oom_kills(folder, name) if name in names else None
        except OSError:  # removed meanwhile
            continue
        if kills:
            counted[hierarchy.path(folder)] = kills
    return counted


def _oom_kills(directory: str, name: str) -> Optional[int]:
    words = _words(directory, name)
    return next((int(value) for key, value in zip(words[::2], words[1::2]) if key == "oom_kill"), None)


def processes(directory: str) -> List[int]:
    """Pids in a cgroup and in all cgroups below it; what is removed meanwhile is left out."""
    pids = []
    for folder, _folders, _files in os.walk(directory):
        try:
            pids.extend(int(pid) for pid in _words(folder, "cgroup.procs"))
        except FileNotFoundError:
            continue
        except OSError as error:
            # ENODEV: removed between open and read. EOPNOTSUPP: a threaded
            # cgroup, whose processes are listed by the domain above it.
            if error.errno not in (errno.ENODEV, errno.EOPNOTSUPP):
                raise
    return pids


def _words(directory: str, name: str) -> List[str]:
    with open(os.path.join(directory, name)) as stream:
        return stream.read().split()


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
            raise AccessError("{0}: {1}".format(os.path.dirname(self.directory), error.strerror))
        if not os.path.exists(self._file("limit")):
            self.remove()
            raise UnsupportedError(
                "{0}: its cgroup.subtree_control does not hand on the memory controller".format(os.path.dirname(self.directory))
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
            raise ReadBackError("{0} shows {1} KiB after {2} KiB was written".format(self._file("limit"), self.limit_kb(), limit_kb))

    def limit_kb(self) -> Optional[int]:
        """The cgroup's own limit; None when there is none."""
        return _limit_kb(self.directory, self.version)

    def oom_kills(self) -> Optional[int]:
        """Kills inside since it exists (memory.events, memory.oom_control); None before kernel 4.13."""
        return _oom_kills(self.directory, "memory.events" if self.version == 2 else "memory.oom_control")

    def processes(self) -> List[int]:
        return processes(self.directory)

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
        return os.path.join(self.directory, _FILES[self.version][what])

    def _write(self, what: str, value: str) -> None:
        path = self._file(what)
        try:
            with open(path, "w") as stream:
                stream.write(value)
        except OSError as error:
            raise AccessError("{0} cannot be set to {1}: {2}".format(path, value, error.strerror))

    def _write_if_there(self, name: str, value: str) -> None:
        path = os.path.join(self.directory, name)
        if os.path.exists(path):  # swap accounting and zswap are optional parts of a kernel
            with open(path, "w") as stream:
                stream.write(value)


_FILES = {
    1: {"limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes"},
    2: {"limit": "memory.max", "usage": "memory.current"},
}


def _limit_kb(directory: str, version: int) -> Optional[int]:
    with open(os.path.join(directory, _FILES[version]["limit"])) as stream:
        text = stream.read().strip()
    if text == "max" or int(text) >= 1 << 60:  # version 1 writes "no limit" as the largest page count
        return None
    return int(text) // 1024


def limited(procfs: Procfs) -> List[str]:
    """Paths of all cgroups that have a memory limit of their own; none where no memory controller is mounted."""
    try:
        hierarchy = memory_hierarchy(procfs)
    except UnsupportedError:
        return []
    found = []
    for folder, _folders, files in os.walk(hierarchy.mount):
        try:
            if _FILES[hierarchy.version]["limit"] in files and _limit_kb(folder, hierarchy.version) is not None:
                found.append(hierarchy.path(folder))
        except OSError:  # removed meanwhile, also between open and read (ENODEV)
            continue
    return sorted(found)


def headroom_kb(hierarchy: Hierarchy, directory: str) -> Optional[int]:
    """How much a cgroup below this folder may still use before one above it is at its limit."""
    rooms = []
    while directory.startswith(hierarchy.mount):
        if os.path.exists(os.path.join(directory, _FILES[hierarchy.version]["limit"])):
            limit = _limit_kb(directory, hierarchy.version)
            if limit is not None:
                with open(os.path.join(directory, _FILES[hierarchy.version]["usage"])) as stream:
                    rooms.append(limit - int(stream.read()) // 1024)
        directory = os.path.dirname(directory)
    return min(rooms) if rooms else None
