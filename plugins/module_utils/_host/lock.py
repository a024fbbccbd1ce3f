# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Let one writer of this collection work on a host at a time.

The lock lies in a folder that only root can open. A lock on anything that other users can open
would let any of them block every run.
"""

import contextlib
import fcntl
import os
import stat
import time
from typing import Iterator, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError

FOLDER = "/run/oomguard"

# A run of overcommit or oom_policy that hangs holds the lock for its rollback_seconds, usually 30,
# and then while its helper retries to restore the values, 60.
LOCK_SECONDS = 100.0
_PAUSE_SECONDS = 0.1


@contextlib.contextmanager
def writer_lock(root: str = "/", seconds: float = LOCK_SECONDS) -> Iterator[Optional[int]]:
    """Hold the lock of this host's writers; yield its file descriptor.

    Yields None without a lock if the caller is not root: another user writes only to processes of
    its own. Raises AccessError if the lock cannot be made, OomError if another run holds it for
    longer than this. Nothing was changed then.
    """
    if os.geteuid() != 0:
        yield None
        return
    fd = _open_lock(os.path.join(root, FOLDER.lstrip("/")))
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(fd):
            if time.monotonic() > deadline:
                raise OomError(
                    f"nothing was changed: another run of this collection has held {FOLDER}/lock for {seconds:.0f} "
                    "seconds; see lslocks, and run again when it has ended"
                )
            time.sleep(_PAUSE_SECONDS)
        yield fd
    finally:
        os.close(fd)


def _open_lock(folder: str) -> int:
    """Return the open lock file. A helper process that keeps it open keeps the lock."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise AccessError(f"{folder} must be a folder that only root can open: remove it")
        return os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AccessError(f"{folder} cannot be made or opened: {error.strerror}") from error


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
