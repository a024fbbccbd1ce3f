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
import functools
import os
import re
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs


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
            inside = path[len(self.root) :]
        return os.path.normpath(self.mount + "/" + inside)

    def path(self, directory: str) -> str:
        """Cgroup path of a folder below the mount point."""
        inside = os.path.relpath(directory, self.mount)
        return os.path.normpath(os.path.join(self.root, inside))


@functools.lru_cache(maxsize=1)
def cgroup_hierarchies(procfs: Procfs) -> List[Hierarchy]:
    """Every cgroup hierarchy that is mounted here, from mountinfo (proc(5)), read once: it takes longer than any other look at a target."""
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
    for hierarchy in cgroup_hierarchies(procfs):
        if "memory" in hierarchy.controllers:
            return hierarchy
        if hierarchy.version == 2 and "memory" in _words(hierarchy.mount, "cgroup.controllers"):
            return hierarchy
    raise UnsupportedError("no memory cgroup controller is mounted: mount one, or boot without cgroup_disable=memory")


def own_cgroup(procfs: Procfs, hierarchy: Hierarchy) -> str:
    """The cgroup of the calling process in this hierarchy."""
    for line in procfs.read("self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if hierarchy.version == 2 and number == "0":
            return path
        if hierarchy.version == 1 and set(controllers.split(",")) & set(hierarchy.controllers):
            return path
    raise UnsupportedError(f"the calling process is in no cgroup of {hierarchy.mount}")


def find_cgroup(procfs: Procfs, path: str) -> str:
    """Folder of an existing cgroup, looked for first where memory is limited.

    On version 1 a unit may have no memory cgroup of its own and is then found
    in the hierarchy of systemd.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        raise InputError(
            f"cgroup {path!r} is not a cgroup path: write it from the root as /proc/PID/cgroup does, such as /system.slice/docker.service"
        )
    if not path.strip("/"):
        raise InputError("cgroup '/' is the whole host: name the cgroup of the processes that you mean")
    mounted = sorted(cgroup_hierarchies(procfs), key=lambda one: "memory" not in one.controllers)
    for hierarchy in mounted:
        directory = hierarchy.directory(path)
        if os.path.isdir(directory):
            return directory
    raise NotFoundError(
        f"cgroup {path} does not exist below {', '.join(one.mount for one in mounted) or 'any mount point'}"
    )


def oom_kills_by_cgroup(procfs: Procfs) -> Dict[str, int]:
    """Kills in each cgroup alone, since it exists, by its path; without those that had none. Version 2 tells since kernel 5.2."""
    hierarchy = memory_hierarchy(procfs)
    name = "memory.events.local" if hierarchy.version == 2 else "memory.oom_control"
    counted = {}
    for folder, _folders, names in os.walk(hierarchy.mount):
        try:
            kills = read_oom_kills(folder, name) if name in names else None
        except OSError:  # removed meanwhile
            continue
        if kills:
            counted[hierarchy.path(folder)] = kills
    return counted


def read_oom_kills(directory: str, name: str) -> Optional[int]:
    """What this file of a cgroup counts; None before kernel 4.13."""
    words = _words(directory, name)
    return next((int(value) for key, value in zip(words[::2], words[1::2]) if key == "oom_kill"), None)


def pids_in_cgroup(directory: str) -> List[int]:
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


FILES = {
    1: {"limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes"},
    2: {"limit": "memory.max", "usage": "memory.current"},
}


def cgroup_limit_kb(directory: str, version: int) -> Optional[int]:
    """A cgroup's own limit; None when there is none."""
    with open(os.path.join(directory, FILES[version]["limit"])) as stream:
        text = stream.read().strip()
    if text == "max" or int(text) >= 1 << 60:  # version 1 writes "no limit" as the largest page count
        return None
    return int(text) // 1024


def limited_cgroups(procfs: Procfs) -> List[str]:
    """Paths of all cgroups that have a memory limit of their own; none where no memory controller is mounted."""
    try:
        hierarchy = memory_hierarchy(procfs)
    except UnsupportedError:
        return []
    found = []
    for folder, _folders, files in os.walk(hierarchy.mount):
        try:
            if FILES[hierarchy.version]["limit"] in files and cgroup_limit_kb(folder, hierarchy.version) is not None:
                found.append(hierarchy.path(folder))
        except OSError:  # removed meanwhile, also between open and read (ENODEV)
            continue
    return sorted(found)
