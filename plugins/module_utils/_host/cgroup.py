# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read control groups, with one interface for versions 1 and 2.

A cgroup path starts at the root of its hierarchy, as the kernel prints it in
/proc/PID/cgroup and in its log, such as /system.slice/docker.service. A Hierarchy
translates it to the folder below the mount point, and back.

Users may own a part of the tree, with any names and any depth. So paths are bytes kept as text
(_host/text.py). A walk is breadth first and has a limit. An error in one cgroup never ends it.
Sources: cgroups(7), Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import collections
import errno
import functools
import os
import re
from typing import Callable, Deque, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import (
    CgroupMemory,
    parse_cgroup_memory,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import MAX_FILE_BYTES, Procfs, read_bytes
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, printable_name, text_of

# The files of the memory controller, by cgroup version.
FILES = {
    1: {"limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes"},
    2: {"limit": "memory.max", "usage": "memory.current"},
}

# The deepest real trees, containers in pods in nested slices, have 12 levels.
MAX_DEPTH = 64
MAX_CGROUPS = 1 << 17

# What Meta's oomd calls as systemd-oomd does, and reads too. Only root can write or see it.
_META_MARK = "trusted.oomd_avoid"


class Hierarchy(NamedTuple):
    """One mounted cgroup hierarchy."""

    version: int
    controllers: List[str]  # version 1: the mount options, name=... for a named hierarchy; version 2: empty
    mount: str
    root: str  # the cgroup at the mount point: "/" unless bind-mounted or in a cgroup namespace

    def directory(self, path: str) -> str:
        """Return the folder of a cgroup path; it need not exist."""
        inside = path
        if self.root != "/" and (path + "/").startswith(self.root + "/"):
            inside = path[len(self.root) :]
        return os.path.normpath(self.mount + "/" + inside)

    def path(self, directory: str) -> str:
        """Return the cgroup path of a folder below the mount point."""
        inside = os.path.relpath(directory, self.mount)
        return os.path.normpath(os.path.join(self.root, inside))


@functools.lru_cache(maxsize=1)
def cgroup_hierarchies(procfs: Procfs) -> List[Hierarchy]:
    """Return every mounted cgroup hierarchy, from /proc/self/mountinfo (proc(5)).

    The last result is cached: reading mountinfo takes longer than all other work for a target.
    """
    hierarchies = []
    for line in procfs.read_lines("self/mountinfo"):
        mount, _dash, filesystem = line.partition(" - ")
        kind, _source, options = filesystem.split(" ", 2)
        root, point = [_unescape(field) for field in mount.split(" ")[3:5]]
        if kind == "cgroup2":
            hierarchies.append(Hierarchy(2, [], point, root))
        elif kind == "cgroup":
            hierarchies.append(Hierarchy(1, options.split(","), point, root))
    return hierarchies


def _unescape(field: str) -> str:
    """Replace the octal escapes that mountinfo uses for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)


def memory_hierarchy(procfs: Procfs) -> Hierarchy:
    """Return the hierarchy that limits memory; on hybrid hosts it is one of version 1.

    Raises UnsupportedError if no mounted hierarchy has the memory controller.
    """
    for hierarchy in cgroup_hierarchies(procfs):
        if "memory" in hierarchy.controllers:
            return hierarchy
        if hierarchy.version == 2 and "memory" in _read_words(hierarchy.mount, "cgroup.controllers"):
            return hierarchy
    raise UnsupportedError("no memory cgroup controller is mounted: mount one, or boot without cgroup_disable=memory")


def own_cgroup(procfs: Procfs, hierarchy: Hierarchy) -> str:
    """Return the path of the calling process's cgroup in this hierarchy.

    Raises UnsupportedError if /proc/self/cgroup does not list the hierarchy.
    """
    for line in procfs.read_lines("self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if hierarchy.version == 2 and number == "0":
            return path
        if hierarchy.version == 1 and set(controllers.split(",")) & set(hierarchy.controllers):
            return path
    raise UnsupportedError(
        f"/proc/self/cgroup lists no cgroup for the hierarchy at {hierarchy.mount}: run on the host itself"
    )


def find_cgroup(procfs: Procfs, path: str) -> str:
    """Return the folder of an existing cgroup, preferably in the hierarchy that limits memory.

    On version 1 a unit may have no memory cgroup of its own. Then the result is its folder in
    systemd's hierarchy. Raises InputError for the root cgroup or a text that is not a cgroup
    path, and NotFoundError if no hierarchy has the cgroup.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        raise InputError(
            f"cgroup {path!r} is not a cgroup path: "
            "write it from the root as in /proc/PID/cgroup, such as /system.slice/docker.service"
        )
    if not path.strip("/"):
        raise InputError("cgroup '/' is the whole host: name a cgroup below it")
    hierarchies = sorted(cgroup_hierarchies(procfs), key=lambda one: ("memory" not in one.controllers, -one.version))
    for hierarchy in hierarchies:
        directory = hierarchy.directory(path)
        if os.path.isdir(bytes_of(directory)):
            return directory
    # Version 1 has a dozen: the first one is enough to look at, and to see what was meant.
    where = printable_name(hierarchies[0].mount) if hierarchies else "any mount point"
    raise NotFoundError(f"cgroup {path} does not exist below {where}")


def walk_cgroups(directory: str, enter: Callable[[str], bool] = lambda _name: True) -> Iterator[Tuple[str, List[str]]]:
    """Yield each folder of a tree of cgroups, and the names in it, from the top down.

    The walk skips folders for which C(enter) returns False, and everything deeper than MAX_DEPTH.
    It ends after MAX_CGROUPS. It leaves out folders that cannot be read, or that disappear.
    """
    pending: Deque[Tuple[bytes, int]] = collections.deque([(bytes_of(directory), 0)])
    for _count in range(MAX_CGROUPS):
        if not pending:
            return
        folder, depth = pending.popleft()
        names = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = text_of(entry.name)
                    names.append(name)
                    if depth < MAX_DEPTH and entry.is_dir(follow_symlinks=False) and enter(name):
                        pending.append((entry.path, depth + 1))
        except OSError:
            continue
        yield text_of(folder), names


def oom_kills_by_cgroup(procfs: Procfs) -> Dict[str, int]:
    """Return the number of OOM kills in each cgroup since it was created, by cgroup path.

    A kill in a child cgroup counts only there. Cgroups without kills are left out. On version 2
    the result is empty before kernel 5.2, which added memory.events.local.
    Raises UnsupportedError if no mounted hierarchy has the memory controller.
    """
    hierarchy = memory_hierarchy(procfs)
    name = "memory.events.local" if hierarchy.version == 2 else "memory.oom_control"
    kills_by_path = {}
    for folder, names in walk_cgroups(hierarchy.mount):
        try:
            kills = read_oom_kills(folder, name) if name in names else None
        except OSError:  # the cgroup was removed
            continue
        if kills:
            kills_by_path[hierarchy.path(folder)] = kills
    return kills_by_path


def read_oom_kills(directory: str, name: str) -> Optional[int]:
    """Return the oom_kill count in this file of a cgroup; None before kernel 4.13.

    The file is memory.events, memory.events.local or, on version 1, memory.oom_control.
    Raises OSError if it cannot be read.
    """
    words = _read_words(directory, name)
    return next((int(value) for key, value in zip(words[::2], words[1::2]) if key == "oom_kill"), None)


def pids_in_cgroup(directory: str) -> List[int]:
    """Return the pids in a cgroup and in all cgroups below it.

    Cgroups that disappear during the walk are left out. Raises OSError if one cannot be read.
    """
    pids: List[int] = []
    for folder, _names in walk_cgroups(directory):
        try:
            pids.extend(int(pid) for pid in _read_words(folder, "cgroup.procs"))
        except FileNotFoundError:
            continue
        except OSError as error:
            # ENODEV: removed between open and read. EOPNOTSUPP: a threaded cgroup; the
            # domain cgroup above it lists its processes.
            if error.errno not in (errno.ENODEV, errno.EOPNOTSUPP):
                raise
    return [pid for pid in pids if pid]  # the kernel prints 0 for a process outside our pid namespace


def _read_words(directory: str, name: str) -> List[str]:
    return [text_of(word) for word in read_bytes(bytes_of(os.path.join(directory, name)), limit=MAX_FILE_BYTES).split()]


def cgroup_limit_kb(directory: str, version: int) -> Optional[int]:
    """Return a cgroup's own memory limit in KiB; None if it has none.

    Raises OSError if the file cannot be read.
    """
    text = " ".join(_read_words(directory, FILES[version]["limit"]))
    if text == "max" or int(text) >= 1 << 60:  # version 1 writes "no limit" as the largest page count
        return None
    return int(text) // 1024


def read_cgroup_memory(directory: str, path: str, version: int) -> Optional[CgroupMemory]:
    """Return what limits the memory of a cgroup; None if it was removed, or access is denied."""

    def read(name: str) -> bytes:
        try:
            return read_bytes(bytes_of(os.path.join(directory, name)))
        except FileNotFoundError:
            return b""

    try:
        return parse_cgroup_memory(path, version, read)
    except (OSError, ValueError):
        return None


def read_oomd_preference(procfs: Procfs, path: str) -> Optional[str]:
    """Return the ManagedOOMPreference that a cgroup shows: none, avoid or omit.

    None if it is not in the hierarchy of version 2, or its attributes cannot be read. The owner of
    a cgroup may set any: see read_cgroup_owner(). Those that begin with trusted are not systemd's:
    an administrator sets them for Meta's oomd (is_avoided_by_meta_oomd()).
    Source: systemd:src/core/cgroup.c:cgroup_oomd_xattr_apply, src/oom/oomd-util.c.
    """
    directory = _find_unified(procfs, path)
    if directory is None:
        return None
    seen = {name: _has_mark(directory, f"user.oomd_{name}") for name in ("omit", "avoid")}
    if None in seen.values():
        return None
    return next((name for name, is_set in seen.items() if is_set), "none")


def write_oomd_preference(procfs: Procfs, path: str, preference: str) -> None:
    """Let a cgroup show a ManagedOOMPreference (none, avoid or omit), as systemd does.

    Does nothing for a cgroup that is gone. Raises OSError if its attributes cannot be written.
    Source: systemd:src/core/cgroup.c:cgroup_oomd_xattr_apply.
    """
    directory = _find_unified(procfs, path)
    if directory is None or not os.path.isdir(directory):
        return
    if preference != "none":
        os.setxattr(directory, f"user.oomd_{preference}", b"1")
    for name in {"omit", "avoid"} - {preference}:
        try:
            os.removexattr(directory, f"user.oomd_{name}")
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                raise


def is_avoided_by_meta_oomd(procfs: Procfs, path: str) -> bool:
    """Return whether a cgroup has the attribute that an administrator sets for Meta's oomd.

    Any value counts. Source: oomd:src/oomd/util/Fs.cpp:readKillPreferenceAt.
    """
    directory = _find_unified(procfs, path)
    if directory is None:
        return False
    try:
        os.getxattr(directory, _META_MARK)
    except OSError:
        return False
    return True


def read_cgroup_owner(procfs: Procfs, path: str) -> Optional[int]:
    """Return the uid that owns a cgroup; None if it is gone, or not of version 2."""
    directory = _find_unified(procfs, path)
    if directory is None:
        return None
    try:
        return os.stat(directory, follow_symlinks=False).st_uid
    except OSError:
        return None


def has_cgroups_below(procfs: Procfs, path: str) -> bool:
    """Return whether a cgroup has others below; False for version 1 and one that is gone."""
    directory = _find_unified(procfs, path)
    if directory is None:
        return False
    try:
        with os.scandir(directory) as entries:
            return any(entry.is_dir(follow_symlinks=False) for entry in entries)
    except OSError:
        return False


def is_divided(procfs: Procfs, path: str) -> bool:
    """Return whether systemd-oomd kills the cgroups below this one each for itself.

    It does if there are any, unless memory.oom.group is 1. Of version 1 and of one that is gone the
    answer is no.
    """
    directory = _find_unified(procfs, path)
    if directory is None or not has_cgroups_below(procfs, path):
        return False
    try:
        return read_bytes(os.path.join(directory, b"memory.oom.group")).strip() != b"1"
    except OSError:
        return False


def _find_unified(procfs: Procfs, path: str) -> Optional[bytes]:
    """Return the directory of a cgroup in the hierarchy of version 2; None without that."""
    return next((bytes_of(one.directory(path)) for one in cgroup_hierarchies(procfs) if one.version == 2), None)


def _has_mark(directory: bytes, name: str) -> Optional[bool]:
    """Return whether a cgroup has this attribute; None if that cannot be read."""
    try:
        return os.getxattr(directory, name) == b"1"
    except OSError as error:
        return False if error.errno == errno.ENODATA else None


def limited_cgroups(procfs: Procfs) -> List[str]:
    """Return the sorted paths of all cgroups that have a memory limit of their own.

    The list is empty if no memory controller is mounted.
    """
    try:
        hierarchy = memory_hierarchy(procfs)
    except UnsupportedError:
        return []
    paths = []
    for folder, names in walk_cgroups(hierarchy.mount):
        try:
            if FILES[hierarchy.version]["limit"] in names and cgroup_limit_kb(folder, hierarchy.version) is not None:
                paths.append(hierarchy.path(folder))
        except OSError:  # the cgroup was removed, maybe between open and read (ENODEV)
            continue
    return sorted(paths)
