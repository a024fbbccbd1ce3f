# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Remember the users whose home folders have drop-ins of this collection.

A home folder is searched for them only if its user is logged in or lingers, or is in this record:
a host may know any number of users. It is one file that only root can open, and lasts beyond a
boot, as the drop-ins do. A name is in it before a drop-in is written, so that a run that was killed
may leave one too many. Only names are in it: what is removed is found by its header, with the
rights of the user.
"""

import contextlib
import os
import stat
from typing import List

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error
from ansible_collections.oomguard.linux.plugins.module_utils._host.root_file import RootFile

FOLDER, FILE = "/var/lib/oomguard", "homes"
_MAX_USERS = 10000
_MAX_BYTES = 1 << 20


class HomeRecord:
    """The record of one host, below a root folder."""

    def __init__(self, root: str = "/") -> None:
        self._file = RootFile(root, FOLDER, FILE, _MAX_BYTES)

    def list_users(self) -> List[str]:
        """Return the login names, sorted; none for a caller who is not root.

        Raises AccessError if the file cannot be read.
        """
        content = self._file.read() or b""
        names = content.decode("utf-8", "surrogateescape").split("\n")
        return sorted({name for name in names if name})[:_MAX_USERS]

    def note(self, user: str) -> None:
        """Record a user, before a drop-in is written. Raises AccessError if that fails."""
        users = self.list_users()
        if user not in users and os.geteuid() == 0:
            self._make_folder()
            self._save([*users, user])

    def forget(self, user: str) -> None:
        """Remove a user who has no drop-in any more. Raises AccessError if that fails."""
        users = self.list_users()
        if user in users:
            self._save([one for one in users if one != user])

    def _make_folder(self) -> None:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._file.folder, 0o700)
            found = os.lstat(self._file.folder)
        except OSError as error:
            raise AccessError(f"{FOLDER} cannot be made: {explain_os_error(error)}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise AccessError(f"{FOLDER} must be a folder that only root can write: remove it")

    def _save(self, users: List[str]) -> None:
        text = "".join(f"{user}\n" for user in sorted(users))
        self._file.write(text.encode("utf-8", "surrogateescape") if users else None)
        if not users:
            with contextlib.suppress(OSError):
                os.rmdir(self._file.folder)  # if nothing else is in it
