# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and replace a file of ours that only root can open.

It is written to a temporary file and renamed, so that a run that is killed leaves the old one or
the new one. The temporary file always has the same name: the next run removes it.
"""

import contextlib
import os
import stat
from typing import Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error


class RootFile:
    """One file in a folder, below a root folder."""

    def __init__(self, root: str, folder: str, name: str, most_bytes: int) -> None:
        self.folder = os.path.join(root, folder.lstrip("/"))
        self.path = f"{folder}/{name}"  # without the root folder
        self._name = name
        self._most_bytes = most_bytes

    def read(self) -> Optional[bytes]:
        """Return what is in it; None if there is none, or the caller is not root.

        Raises AccessError if it cannot be read, or could be of somebody else.
        """
        try:
            fd = os.open(self._locate(self._name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except OSError as error:
            raise AccessError(f"{self.path} cannot be read: {explain_os_error(error)}") from error
        try:
            found = os.fstat(fd)
            is_own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
            if not is_own or found.st_size > self._most_bytes:
                raise AccessError(f"{self.path} is not a file that this collection made: remove it")
            return os.read(fd, self._most_bytes)
        finally:
            os.close(fd)

    def write(self, content: Optional[bytes]) -> None:
        """Replace it, completely or not at all; None removes it. Raises AccessError on failure."""
        unfinished = self._locate(f".{self._name}.new")
        try:
            self._remove(unfinished)
            if content is None:
                self._remove(self._locate(self._name))
                return
            fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(unfinished, self._locate(self._name))
        except OSError as error:
            raise AccessError(f"{self.path} cannot be written: {explain_os_error(error)}") from error

    def _locate(self, name: str) -> str:
        return os.path.join(self.folder, name)

    @staticmethod
    def _remove(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
