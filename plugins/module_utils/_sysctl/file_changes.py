# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write or remove files in one step, or not at all.

Strategy: everything that may fail is done before, next to the file and under a hidden name. The
step itself is a rename. A file that is removed gets its hidden name first, so that it can come back
as it was, with its owner, mode and attributes. The hidden name of a file is always the same, so
that the next run finds what a killed one left (C(Host.leftovers)).
"""

import contextlib
import errno
import os
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host, explain_failure, hidden_name
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import FileChange


class PreparedChange(NamedTuple):
    """A change of a file that only needs a rename."""

    path: bytes
    hidden: bytes
    removes: bool

    def commit(self) -> None:
        """Put the new file in the place of the old one, or hide the file. Raises OSError."""
        if self.removes:
            os.rename(self.path, self.hidden)
        else:
            os.rename(self.hidden, self.path)

    def finish(self) -> None:
        """Remove what a committed change leaves. Raises OSError."""
        if self.removes:
            _remove_file(self.hidden)

    def undo(self) -> None:
        """Bring a hidden file back, or remove the prepared one. Raises OSError."""
        if not self.removes:
            _remove_file(self.hidden)
        elif os.path.lexists(self.hidden) and not os.path.lexists(self.path):
            os.rename(self.hidden, self.path)


def commit_changes(changes: Sequence[PreparedChange]) -> None:
    """Make all changes, or none: raises OSError then."""
    try:
        for change in changes:
            change.commit()
    except OSError:
        for change in changes:
            if change.removes:
                with contextlib.suppress(OSError):
                    change.undo()
        raise
    for change in changes:
        with contextlib.suppress(OSError):  # no boot reads it, and the next run removes it
            change.finish()


@contextlib.contextmanager
def prepare_change(host: Host, change: FileChange) -> Iterator[PreparedChange]:
    """Yield a change that is ready to be made. What was only prepared is removed at the end.

    Raises AccessError if a new file cannot be written.
    """
    hidden = host.path(hidden_name(change.path))
    prepared = PreparedChange(host.path(change.path), hidden, removes=change.after is None)
    with contextlib.ExitStack() as stack:
        if change.after is not None:
            try:
                _write_hidden(hidden, change, stack)
            except OSError as error:
                raise AccessError(f"{change.path} cannot be written: {explain_failure(error)}") from error
        yield prepared


def _write_hidden(hidden: bytes, change: FileChange, stack: contextlib.ExitStack) -> None:
    """Write the text to the disk. Put on the stack what removes the file, and a new folder."""
    folder = os.path.dirname(hidden)
    if not os.path.isdir(folder):
        os.makedirs(folder)
        stack.callback(_ignore_errors, os.rmdir, folder)
        os.chmod(folder, 0o700 if change.private else 0o755)  # whatever the umask
    stack.callback(_ignore_errors, _remove_file, hidden)
    mode = 0o600 if change.private else 0o644
    fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(fd, "wb") as stream:
        os.fchmod(fd, mode)
        stream.write(bytes_of(change.after or ""))
        stream.flush()
        os.fsync(fd)


def restore_file(host: Host, change: FileChange) -> None:
    """Make the file what it was before the change, if it is not. Raises OSError or AccessError."""
    if host.text(change.path) == change.before:
        return
    with prepare_change(host, change._replace(after=change.before)) as prepared:
        if prepared.removes:
            os.unlink(prepared.path)
        else:
            prepared.commit()


def check_folder(host: Host, change: FileChange) -> None:
    """Raise AccessError if nothing can be written or removed in the folder of the file."""
    folder = os.path.dirname(host.path(change.path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        number = errno.ENOTDIR
    elif os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return
    else:
        number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
    reason = explain_failure(OSError(number, os.strerror(number)))
    raise AccessError(f"{change.path} cannot be {'removed' if change.after is None else 'written'}: {reason}")


def _remove_file(path: bytes) -> None:
    """Remove a file if there is one. Raises OSError if it stays."""
    try:
        os.unlink(path)
    except OSError:
        # A read-only file system refuses before it looks for the file.
        if os.path.lexists(path):
            raise


def _ignore_errors(action: Callable[[bytes], None], path: bytes) -> None:
    with contextlib.suppress(OSError):
        action(path)
