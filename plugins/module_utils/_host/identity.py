# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide whether an ordinary user could have put a process where it is.

Names and arguments are claims: any user can run a program as "containerd", and "exec -a NAME su"
runs with root's effective uid. What counts here is what a user cannot choose: all uids, the cgroup,
the uid of the login that it descends from, and the owner and place of the executable. Facts of a
process are read through one open directory of it; paths are those of this host.
Sources: proc(5), credentials(7), login.defs(5), shadow:lib/getdef.c, systemd:docs/UIDS-GIDS.md.
"""

import glob
import os
import pwd
import re
import stat
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNKNOWN_USER,
    container_of,
    unit_of,
    user_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs, read_bytes
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name, text_of

LOGIN_DEFS = "/etc/login.defs"
FIRST_LOGIN_UID = 1000
_LOGIN_DEFS_BYTES = 1 << 20
_UID_MIN = re.compile(rb"^[ \t]*UID_MIN[ \t]+([0-9]{1,9})[ \t]*$", re.MULTILINE)
# Where systemd takes a uid from for a service with DynamicUser=yes.
_DYNAMIC_UIDS = range(61184, 65520)
_DELETED = b" (deleted)"
_ACCEPT_ROOT = "users=[root] accepts that, and unit and pid do"
_MAX_NAMES = 20  # looked up; a look-up may ask a directory server


def read_first_login_uid(path: str = LOGIN_DEFS) -> int:
    """Return the lowest uid of ordinary users: UID_MIN, or 1000 where it is not set.

    On SUSE files of a folder may set it, too. The lowest counts: which of them is read depends on
    how shadow was built.
    """
    found = []
    for file in [path, *glob.glob(glob.escape(path) + ".d/*.defs")]:
        try:
            match = _UID_MIN.search(read_bytes(file, limit=_LOGIN_DEFS_BYTES))
        except OSError:
            continue
        found += [int(match.group(1))] if match else []
    return min(found, default=FIRST_LOGIN_UID)


def find_uids(names: Iterable[str]) -> FrozenSet[int]:
    """Return the uids of these login names; raise NotFoundError for an unknown name."""
    uids = set()
    for name in names:
        try:
            uids.add(pwd.getpwnam(name).pw_uid)
        except (KeyError, ValueError):  # ValueError: NUL, or not encodable
            raise NotFoundError(
                f"users={printable_name(name)!r}: this host has no such user; check the name with getent passwd"
            ) from None
    return frozenset(uids)


class Ids(NamedTuple):
    """The ids of a process, from /proc/PID/status."""

    uids: List[int]  # real, effective, saved, of the file system
    gids: List[int]
    nested: bool  # in a pid namespace below ours

    @property
    def uid(self) -> Optional[int]:
        """Return the effective uid; None if it is not known."""
        return self.uids[1] if len(self.uids) > 1 else None


def read_ids(directory: ProcessDir) -> Ids:
    """Return the ids of a process; raise one of GONE if it ended."""
    fields = {name: text.split() for name, _colon, text in (line.partition(":") for line in directory.status())}
    uids, gids = ([int(word) for word in fields.get(name, ())] for name in ("Uid", "Gid"))
    return Ids(uids, gids, len(fields.get("NSpid", ())) > 1)


class Identity:
    """Judges processes of one host.

    Without root, the caller's own processes are never foreign: no others can be written.
    """

    def __init__(self, procfs: Procfs, login_defs: str = LOGIN_DEFS, has_systemd: Optional[bool] = None) -> None:
        self.first_login_uid = read_first_login_uid(login_defs)
        self._own = frozenset([0, os.geteuid()])
        self._own_container = _read_own_container(procfs)
        self._login_of_init = _read_login_of_init(procfs)
        self._has_systemd = os.path.isdir("/run/systemd/system") if has_systemd is None else has_systemd
        self._names: Dict[int, str] = {}
        # What thousands of processes share is judged once in a call.
        self._programs: Dict[Tuple[bytes, int, int, int, FrozenSet[int]], Optional[str]] = {}
        self._folders: Dict[Tuple[bytes, FrozenSet[int], bool], Optional[str]] = {}

    def why_foreign(self, directory: ProcessDir, users: FrozenSet[int] = frozenset()) -> Optional[str]:
        """Return why an ordinary user could have started a process, or None.

        Processes of C(users), uids, are not foreign. With 0 in it, nor are root's programs that are
        set-uid, that a group may write, or that are deleted.
        Raises one of GONE if the process ended.
        """
        ids = read_ids(directory)
        cgroups = directory.cgroups()
        return (
            self._judge_uids(ids.uids, cgroups, users)
            or self._judge_cgroups(ids.nested, cgroups, users)
            or self._judge_program(directory, users)
            or self._judge_login(directory, users)
        )

    @staticmethod
    def find_uid(directory: ProcessDir) -> Optional[int]:
        """Return the effective uid of a process; None if it is not known."""
        return read_ids(directory).uid

    def _is_ordinary(self, uid: int, users: FrozenSet[int]) -> bool:
        return uid >= self.first_login_uid and uid not in self._own and uid not in users

    def _judge_uids(self, uids: List[int], cgroups: List[str], users: FrozenSet[int]) -> Optional[str]:
        if not uids:
            return "its uids cannot be read"
        is_service = unit_of(cgroups) is not None
        for uid in uids:
            if self._is_ordinary(uid, users) and not (uid in _DYNAMIC_UIDS and is_service):
                return f"it runs as {self._name(uid)}"
        return None

    def _judge_cgroups(self, nested: bool, cgroups: List[str], users: FrozenSet[int]) -> Optional[str]:
        uid = user_of(cgroups)
        if uid == UNKNOWN_USER:
            return "it runs in user.slice"
        if uid is not None and self._is_ordinary(uid, users):
            return f"it runs in the slice of {self._name(uid)}"
        container = next((found for found in map(container_of, cgroups) if found), None)
        if nested or (container is not None and container != self._own_container):
            return "it runs in a container"
        return None

    def _judge_program(self, directory: ProcessDir, users: FrozenSet[int]) -> Optional[str]:
        found = directory.executable_file()
        if found is None:
            return None
        path, facts = found
        # The time changes with the owner and the mode, and when the file loses its path.
        key = (path, facts.st_dev, facts.st_ino, facts.st_ctime_ns, users)
        if key not in self._programs:
            self._programs[key] = self._judge_executable(path, facts, users)
        return self._programs[key]

    def _judge_executable(self, path: bytes, facts: os.stat_result, users: FrozenSet[int]) -> Optional[str]:
        shown = printable_name(text_of(path))
        if facts.st_uid not in self._own and facts.st_uid not in users:
            return f"its program {shown} belongs to {self._name(facts.st_uid)}"
        if facts.st_mode & stat.S_IWOTH:
            return f"other users may write its program {shown}"
        # The group of a user's own file is usually the user's own.
        if facts.st_mode & stat.S_IWGRP and facts.st_uid == 0 != facts.st_gid and 0 not in users:
            return f"other users may write its program {shown}, by its group {facts.st_gid} ({_ACCEPT_ROOT})"
        # Root may not even enter the folder of a user on a network file system.
        why = self._judge_place(path, facts, users) if facts.st_uid in self._own else None
        if why:
            return f"its program {shown} {why}"
        # A set-gid program keeps the uids of the user who runs it, and they are judged.
        if facts.st_mode & stat.S_ISUID and not users & {0, facts.st_uid}:
            return f"its program {shown} is set-uid, so any user may run it under any name"
        return None

    def _judge_place(self, path: bytes, facts: os.stat_result, users: FrozenSet[int]) -> Optional[str]:
        """Return why a user could have chosen the path of an executable, or None.

        Whoever may write one of its folders can give it any name.
        """
        folder = _find_folder(path)
        is_deleted = path.endswith(_DELETED)
        if not _is_on_host(path, folder, facts) and not (is_deleted and 0 in users):
            return "is not that file of this host" + (f" ({_ACCEPT_ROOT})" if is_deleted else "")
        if folder != os.path.dirname(path):
            # The folder is gone. A user may have made and removed it in one with the sticky bit.
            why = self._judge_folder(folder, users, is_sticky_safe=False)
            if why:
                return why
        while True:
            why = self._judge_folder(folder, users)
            above = os.path.dirname(folder)
            if why or above == folder:
                return why
            folder = above

    def _judge_folder(self, folder: bytes, users: FrozenSet[int], is_sticky_safe: bool = True) -> Optional[str]:
        """Return why a user could have changed what is in a folder, or None; each is read once."""
        key = (folder, users, is_sticky_safe)
        if key not in self._folders:
            self._folders[key] = self._read_folder(*key)
        return self._folders[key]

    def _read_folder(self, folder: bytes, users: FrozenSet[int], is_sticky_safe: bool) -> Optional[str]:
        try:
            found = os.stat(folder)
        except OSError:  # it was renamed meanwhile
            return "is not that file of this host"
        shown = printable_name(text_of(folder))
        if found.st_uid not in self._own and found.st_uid not in users:
            return f"is below {shown}, which belongs to {self._name(found.st_uid)}"
        # In a folder with the sticky bit, only the owner of an entry can rename it.
        if found.st_mode & stat.S_IWOTH and not (is_sticky_safe and found.st_mode & stat.S_ISVTX):
            return f"is below {shown}, which all users may write"
        return None

    def _judge_login(self, directory: ProcessDir, users: FrozenSet[int]) -> Optional[str]:
        """Return whose login a process was started in, unless that does not matter."""
        # Without systemd, a daemon that an administrator restarted by sudo descends from the
        # administrator's login. systemd starts daemons itself.
        login = directory.login_uid() if self._has_systemd else None
        # In a container that was started from a login, every process has the login of its init.
        if login is not None and login != self._login_of_init and self._is_ordinary(login, users):
            return f"it was started in a login of {self._name(login)}"
        return None

    def _name(self, uid: int) -> str:
        if uid not in self._names:
            if len(self._names) >= _MAX_NAMES:
                return f"uid {uid}"
            try:
                self._names[uid] = f"uid {uid} ({printable_name(pwd.getpwuid(uid).pw_name)})"
            except (KeyError, OverflowError):
                self._names[uid] = f"uid {uid}"
        return self._names[uid]


def _read_own_container(procfs: Procfs) -> Optional[str]:
    """Return the container that this module itself runs in."""
    try:
        lines = procfs.read_lines("self/cgroup")
    except OomError:
        return None
    return next((found for found in (container_of(line.split(":", 2)[-1]) for line in lines) if found), None)


def _read_login_of_init(procfs: Procfs) -> Optional[int]:
    """Return the uid of the login that this host, a container, was started from."""
    try:
        with procfs.open(1) as directory:
            return directory.login_uid()
    except (*GONE, PermissionError):
        return None


def _find_folder(path: bytes) -> bytes:
    """Return the folder of an executable, or if that went too, the nearest one above it."""
    folder = os.path.dirname(path)
    while path.endswith(_DELETED) and folder != os.path.dirname(folder) and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _is_on_host(path: bytes, folder: bytes, facts: os.stat_result) -> bool:
    """Return whether an executable is the file that has its path on this host.

    In a container the same path is another file. After an upgrade of its package the file has no
    path any more: then the folder that is left has to be on the same file system.
    """
    try:
        if path.endswith(_DELETED):
            return os.stat(folder).st_dev == facts.st_dev
        return os.path.samestat(os.stat(path), facts)
    except (OSError, ValueError):
        return False
