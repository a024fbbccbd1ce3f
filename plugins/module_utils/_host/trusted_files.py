# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read a file, and find out who could have written it.

Strategy: the path is followed one name at a time through open folders, links included. So what is
checked is what is read, whoever renames something meanwhile. Only a regular file is opened for
reading; a FIFO or a device could block the run or never end.
Sources: systemd:src/basic/chase.c (CHASE_SAFE), src/core/service.c:service_load_pid_file.
"""

import errno
import os
import stat
from typing import Collection, FrozenSet, List, NamedTuple, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, printable_name

_MAX_LINKS = 40  # MAXSYMLINKS of include/linux/namei.h
_PATH_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_ACL = "system.posix_acl_access"  # acl(5)


class TrustedFile(NamedTuple):
    """What a file holds, and which users and groups besides root could have written it."""

    content: bytes
    modified: float  # seconds since the epoch
    uids: FrozenSet[int]
    gids: FrozenSet[int]


def read_trusted(path: str, limit: int, first_login_id: int, users: Collection[int] = ()) -> TrustedFile:
    """Return a regular file's first bytes, up to the limit, and its possible writers.

    Ids from C(first_login_id) on belong to ordinary users. Raises UntrustedError if one of these
    owns or may write the file, or a folder or link on the way to it, unless C(users) has its uid;
    UntrustedError too for what is no regular file, and OSError if it cannot be read.
    """
    writers = _Writers(path, first_login_id, users, {0, os.geteuid()})
    fd = _open_path(path, writers)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedError(f"{printable_name(path)} is not a regular file")
        readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            content = _read_up_to(readable, limit)
        finally:
            os.close(readable)
        return TrustedFile(content, found.st_mtime, frozenset(writers.uids), frozenset(writers.gids))
    finally:
        os.close(fd)


def read_roots_file(path: str, limit: int) -> TrustedFile:
    """Return what read_trusted() does of a file that nobody but root could have written.

    Raises UntrustedError for any other file, and OSError if it cannot be read.
    """
    if not is_roots(path):
        os.stat(path)  # of a missing file, nobody is to blame
        raise UntrustedError(f"{printable_name(path)} could have been written by others than root")
    return read_trusted(path, limit, 1)


def is_roots(path: str) -> bool:
    """Return whether nobody but root could have written a file, or put it where it is.

    No group is root: whoever is in it could write, too.
    """
    writers = _Writers(path, 1, (), {0})
    try:
        os.close(_open_path(path, writers))
    except (OSError, ValueError, UntrustedError):
        return False
    return not writers.has_group


def _read_up_to(fd: int, limit: int) -> bytes:
    chunks: List[bytes] = []
    left = limit
    while left > 0:
        chunk = os.read(fd, left)
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _open_path(path: str, writers: "_Writers") -> int:
    """Return what a path leads to, opened without any access (O_PATH).

    Behind a link, ".." is the folder above the link's target.
    """
    names = _split(os.path.join(os.getcwdb(), bytes_of(path)))
    links = 0
    fd = os.open(b"/", _PATH_FLAGS)
    try:
        writers.add(fd, b"/")
        while names:
            name = names.pop(0)
            entry = os.open(name, _PATH_FLAGS, dir_fd=fd)
            is_link = stat.S_ISLNK(os.fstat(entry).st_mode)
            try:
                writers.add(entry, name)
                if is_link:
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    target = os.readlink(b"", dir_fd=entry)
                    names = _split(target) + names
                    if not target.startswith(b"/"):
                        continue
                following = os.open(b"/", _PATH_FLAGS) if is_link else os.dup(entry)
            finally:
                os.close(entry)
            os.close(fd)
            fd = following
        return fd
    except BaseException:
        os.close(fd)
        raise


def _split(path: bytes) -> List[bytes]:
    return [name for name in path.split(b"/") if name not in (b"", b".")]


class _Writers:
    """Collects who could have written a file, from each inode on the way to it."""

    def __init__(self, path: str, first_login_id: int, users: Collection[int], own: Set[int]) -> None:
        self._path = printable_name(path)
        self._first_login_id = first_login_id
        self._users = users
        self._own = own  # who may be the owner of everything
        self.has_group = False  # whether a group may write it, also that of root
        self.uids: Set[int] = set()
        self.gids: Set[int] = set()

    def add(self, fd: int, name: bytes) -> None:
        """Add the writers of an open file, folder or link.

        Raises UntrustedError if an ordinary user is one.
        """
        found = os.fstat(fd)
        shown = printable_name(os.fsdecode(name))
        self._add_owner(found.st_uid, shown)
        # A link has no mode of its own. In a folder with the sticky bit only the owner of an entry
        # can replace it, and that owner is checked next.
        if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
            return
        if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and self._has_acl(fd)):
            raise UntrustedError(f"{self._path}: other users may write {shown}")
        if found.st_mode & stat.S_IWGRP:
            self.has_group = True
            self._add_group(found.st_gid, found.st_uid, shown)

    def _add_owner(self, uid: int, shown: str) -> None:
        if uid in self._own:
            return
        if uid >= self._first_login_id and uid not in self._users:
            raise UntrustedError(f"{self._path}: {shown} belongs to user {uid}")
        self.uids.add(uid)

    def _add_group(self, gid: int, uid: int, shown: str) -> None:
        # A user's own group has the user's number nearly everywhere (useradd(8), USERGROUPS_ENAB).
        if gid == 0 or (gid == uid and (uid in self._users or uid in self._own)):
            return
        if gid >= self._first_login_id:
            raise UntrustedError(f"{self._path}: group {gid} may write {shown}")
        self.gids.add(gid)

    @staticmethod
    def _has_acl(fd: int) -> bool:
        """Return whether an access list may let more users write than the mode shows."""
        try:
            return _ACL in os.listxattr(f"/proc/self/fd/{fd}")
        except OSError:  # a file system without attributes
            return False
