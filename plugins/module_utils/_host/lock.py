# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Let one writer of this collection work on a host at a time.

The lock is in a folder that only root can open. If other users could open the lock, they could
block every run.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from typing import Iterator, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

FOLDER = "/run/oomguard"

# A hung run of overcommit or oom_policy holds the lock for its rollback_seconds, usually 30. Its
# helper then tries to restore the values for another 60 seconds.
LOCK_SECONDS = 100.0
_PAUSE_SECONDS = 0.1


@contextlib.contextmanager
def writer_lock(root: str = "/", seconds: float = LOCK_SECONDS) -> Iterator[Optional[int]]:
    """Hold the lock of this host's writers; yield its file descriptor.

    Yields None, without a lock, if the caller is not root: such a caller can write only to its own
    processes. The same without a writable /run, as in some containers: no run can have a lock then.
    Raises AccessError if the lock cannot be created or taken, and OomError if another
    run still holds it after C(seconds). Nothing is changed then.
    """
    if os.geteuid() != 0:
        yield None
        return
    fd = _open_lock(os.path.join(root, FOLDER.lstrip("/")))
    if fd is None:
        yield None
        return
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


def _open_lock(folder: str) -> Optional[int]:
    """Open the lock file and return its descriptor; None without a writable /run.

    A helper process that inherits the descriptor keeps the lock.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise AccessError(f"{folder} must be a folder that only root can open: remove it")
        return os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.ENOENT):
            return None
        raise AccessError(f"{folder} cannot be made or opened: {explain_os_error(error)}") from error


def _try_lock(fd: int) -> bool:
    """Return whether the lock is ours now; raise AccessError if locking itself fails."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise AccessError(f"nothing was changed: {FOLDER}/lock cannot be locked: {explain_os_error(error)}") from error
    return True
