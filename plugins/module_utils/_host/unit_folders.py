# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and write unit files and drop-ins in systemd's folders.

Strategy: every path starts at "/", as systemd prints it. It is looked up below a root
folder, so that tests can pass a tree of ordinary files. A drop-in is written to a
temporary file and renamed, so that systemd never reads an incomplete one.
Source: systemd.unit(5), unit file load path.
"""

import os
import tempfile
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError

# The folders where systemd searches units and drop-ins. Of files with the same name the first wins.
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
USER_UNIT_FOLDERS = (
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
)


class UnitFolders:
    """The folders that systemd loads units from, below a root folder."""

    def __init__(self, root: str) -> None:
        self._root = root

    def locate(self, path: str) -> str:
        """Return the real path of a file or folder below the root."""
        return os.path.join(self._root, path.lstrip("/"))

    def read(self, path: str) -> Optional[str]:
        """Return a file's text, or None if it does not exist.

        Bytes that are not UTF-8 become surrogates; write() turns them back.
        Raises AccessError if the file cannot be read.
        """
        try:
            with open(self.locate(path), encoding="utf-8", errors="surrogateescape") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise AccessError(f"{path} cannot be read: {error.strerror}") from error

    def find_drop_ins(self, unit_id: str) -> List[str]:
        """Return the paths of a unit's drop-ins, in the order of UNIT_FOLDERS, then by name.

        Raises AccessError if a folder cannot be read.
        """
        paths: List[str] = []
        for folder in UNIT_FOLDERS:
            directory = os.path.join(folder, unit_id + ".d")
            try:
                names = os.listdir(self.locate(directory))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise AccessError(f"{directory} cannot be read: {error.strerror}") from error
            paths.extend(os.path.join(directory, name) for name in sorted(names) if name.endswith(".conf"))
        return paths

    def has_user_unit(self, name: str) -> bool:
        """Return whether users' service managers have a unit of this name."""
        return any(os.path.lexists(self.locate(os.path.join(folder, name))) for folder in USER_UNIT_FOLDERS)

    def write(self, path: str, text: str) -> None:
        """Replace a file with this text, completely or not at all; create its folder if missing.

        Raises AccessError on failure.
        """
        real_path = self.locate(path)
        folder = os.path.dirname(real_path)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder)
                os.chmod(folder, 0o755)  # whatever the umask: everybody may run systemctl cat
            fd, unfinished = tempfile.mkstemp(prefix="." + os.path.basename(path), dir=folder)
            try:
                with open(fd, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    os.fchmod(fd, 0o644)
                    stream.write(text)
                    stream.flush()
                    os.fsync(fd)
                os.rename(unfinished, real_path)
            except BaseException:
                os.unlink(unfinished)
                raise
        except OSError as error:
            raise AccessError(f"{path} cannot be written: {error.strerror}") from error

    def remove(self, path: str) -> None:
        """Remove a file if it exists, and its folder if that is then empty.

        Raises AccessError on failure.
        """
        real_path = self.locate(path)
        folder = os.path.dirname(real_path)
        try:
            if os.path.lexists(real_path):
                os.unlink(real_path)
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
        except OSError as error:
            raise AccessError(f"{path} cannot be removed: {error.strerror}") from error
