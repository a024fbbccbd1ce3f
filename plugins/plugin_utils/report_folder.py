# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and write files in one folder on the controller, where nobody else can put anything.

A link is never followed, neither the folder nor a file in it. A file is written beside its place,
and takes it when it is complete. A lock keeps two jobs from writing at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, printable_name

PRIVATE = 0o600
LOCK_SECONDS = 60.0
_LOCK = ".lock"
_UNFINISHED = ".unfinished-"
_LOCK_PAUSE = 0.05


class ReportFolder:
    """A folder of the report. Use it in a C(with) statement."""

    def __init__(self, path: str, mode: int = PRIVATE) -> None:
        """Take the path, and the mode of files; folders may be entered by who may read a file."""
        check_path_text("folder", path)
        self.path = os.path.abspath(path)
        self._mode = mode
        self._folder = -1

    def open_existing(self) -> bool:
        """Open the folder; return false if there is none. Raises AccessError."""
        try:
            self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            is_link = error.errno in (errno.ELOOP, errno.ENOTDIR) and os.path.islink(self.path)
            problem = "is a link: name the folder itself"
            if not is_link:
                problem = f"cannot be opened: {error.strerror}: choose another folder"
            raise AccessError(f"{self} {problem}") from error
        self._refuse_strangers()
        return True

    def check_writable(self) -> None:
        """Raise AccessError if open_or_create() and write() would fail. Nothing is created."""
        place = self.path
        if not self.open_existing():
            while not os.path.isdir(place) and not os.path.lexists(place):
                place = os.path.dirname(place)
        if not os.path.isdir(place):
            raise AccessError(f"{self} cannot be created: {printable_name(place)} is no folder: choose another one")
        if not os.access(place, os.W_OK | os.X_OK):
            raise AccessError(
                f"{self} cannot be written: this user may not write to {printable_name(place)}: choose another folder"
            )

    def open_or_create(self) -> None:
        """Open the folder, and create it first if there is none. Raises AccessError.

        The owner's own folder is opened for those whom the mode of files lets read them.
        """
        try:
            if not self.open_existing():
                _make_folders(self.path)
                if not self.open_existing():
                    raise AccessError(f"{self} was removed again")
            status = os.fstat(self._folder)
            wanted = stat.S_IMODE(status.st_mode) | 0o700 | self._mode & 0o444 | (self._mode & 0o444) >> 2
            if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != wanted:
                os.fchmod(self._folder, wanted)
        except OSError as error:
            raise AccessError(f"{self} cannot be created: {error.strerror}: choose another folder") from error

    def _refuse_strangers(self) -> None:
        """Raise AccessError if somebody else could put files here."""
        status = os.fstat(self._folder)
        if status.st_uid not in (0, os.geteuid()):
            raise AccessError(f"{self} belongs to another user: choose a folder of your own")
        shared = status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid()
        if shared or status.st_mode & stat.S_IWOTH:
            raise AccessError(f"other users may write to {self}: remove that right, or choose another folder")

    def __enter__(self) -> ReportFolder:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __str__(self) -> str:
        return f"the folder {printable_name(self.path)}"

    def list_names(self) -> list[str]:
        """Return the names of files, without those that begin with a dot."""
        return sorted(name for name in os.listdir(self._folder) if not name.startswith("."))

    def read(self, name: str, limit: int) -> bytes | None:
        """Return what a file has; None if there is none, or no file of at most that many bytes."""
        try:
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        except OSError:
            return b""
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            return b""
        with os.fdopen(opened, "rb") as stream:
            content = stream.read(limit + 1)
        return content if len(content) <= limit else b""

    def write(self, name: str, content: bytes) -> None:
        """Replace a file as a whole. Raises AccessError."""
        unfinished = f"{_UNFINISHED}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            opened = os.open(unfinished, flags, PRIVATE, dir_fd=self._folder)
            try:
                with os.fdopen(opened, "wb") as stream:
                    stream.write(content)
                    os.fchmod(opened, self._mode)
                os.rename(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=self._folder)
                raise
        except OSError as error:
            raise AccessError(
                f"{name} in {self} cannot be written: {error.strerror}: free space, or choose another folder"
            ) from error

    @contextlib.contextmanager
    def lock(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Keep other jobs from writing. Raises AccessError if they hold the lock for too long."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            opened = os.open(_LOCK, flags, PRIVATE, dir_fd=self._folder)
        except OSError as error:
            raise AccessError(f"{_LOCK} in {self} cannot be opened: {error.strerror}: choose another folder") from error
        try:
            deadline = time.monotonic() + seconds
            while not _try_lock(opened):
                if time.monotonic() > deadline:
                    raise AccessError(f"another job has locked {self} for {seconds:g} seconds: wait until it has ended")
                time.sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(opened)

    def remove_unfinished(self) -> None:
        """Remove what a killed job left. Call it under the lock."""
        for name in os.listdir(self._folder):
            if name.startswith(_UNFINISHED):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._folder)


def _make_folders(path: str) -> None:
    """Create a folder, and those above it that are missing, all of them private."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_folders(parent)
    with contextlib.suppress(FileExistsError):  # the task of another host was faster
        os.mkdir(path, 0o700)


def _try_lock(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
