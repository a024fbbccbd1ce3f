# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and write unit files and drop-ins in systemd's folders.

Strategy: every path starts at "/", as systemd prints it, and is looked up below a
root folder, so that tests can pass a tree of ordinary files. A drop-in is written
to a temporary file and renamed, so that systemd never reads half of one. The
temporary file always has the same name, so that the next run removes what a
killed run left.
Source: systemd.unit(5), unit file load path.
"""

import contextlib
import errno
import itertools
import os
import stat
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import is_own

# The folders where systemd searches units and drop-ins. Of files with the same name the first wins.
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# Where generators make units at boot, such as those of the clusters in /etc/postgresql.
_GENERATOR_FOLDERS = ("/run/systemd/generator.early", "/run/systemd/generator", "/run/systemd/generator.late")
# Those of users' service managers, without those below a user's own home folder.
USER_UNIT_FOLDERS = (
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
)
MAX_UNIT_BYTES = 1 << 20  # far more than any unit file has
# Of all files of one unit. A user may write any number of drop-ins for a service of his own.
_MAX_FILES = 1000
_MAX_TOTAL_CHARACTERS = 2 << 20
_MAX_NAMES = 100000  # in one folder
_DEV_NULL = os.makedev(1, 3)  # the file of a masked unit is a link to it


class UnitFolders:
    """The folders that systemd loads units from, below a root folder."""

    def __init__(self, root: str, folders: Tuple[str, ...] = UNIT_FOLDERS) -> None:
        self._root = root
        self._all = folders

    def locate(self, path: str) -> str:
        """Return the real path of a file or folder below the root."""
        return os.path.join(self._root, path.lstrip("/"))

    def read(self, path: str) -> Optional[str]:
        """Return a file's text with its own line ends, or None if it does not exist.

        Bytes that are not UTF-8 become surrogates; write() turns them back. /dev/null is empty.
        Raises AccessError if the file cannot be read, is not a regular file, or is too long.
        """
        try:
            # Opening a FIFO without O_NONBLOCK would wait for a writer.
            fd = os.open(self.locate(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                text = _read_text(fd)
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _make_error(path, "cannot be read", error) from error
        if text is None or len(text) > MAX_UNIT_BYTES:
            problem = "it is not a file" if text is None else f"it is longer than {MAX_UNIT_BYTES >> 20} MiB"
            raise AccessError(f"{path} cannot be read: {problem}: move it away")
        return text

    def read_all(self, paths: Iterable[str]) -> Dict[str, str]:
        """Return the texts of files by path; that of a missing file is empty.

        Raises AccessError as read() does, and for too many files.
        """
        texts: Dict[str, str] = {}
        left = _MAX_TOTAL_CHARACTERS
        for path in paths:
            texts[path] = self.read(path) or ""
            left -= len(texts[path])
            if left < 0 or len(texts) > _MAX_FILES:
                raise AccessError(
                    f"{path} cannot be read: its unit has more than {_MAX_FILES} files, or these are longer than"
                    f" {_MAX_TOTAL_CHARACTERS >> 20} MiB: move some away"
                )
        return texts

    def read_for_plan(self, path: str) -> Optional[str]:
        """Return a file's text for a plan, as read() does: the same for the whole plan."""
        return self.read(path)

    def find_drop_ins(self, unit_id: str) -> List[str]:
        """Return the paths of a unit's drop-ins, in the order of the folders, then by name.

        Raises AccessError if a folder cannot be read.
        """
        paths: List[str] = []
        for folder in self._all:
            directory = os.path.join(folder, unit_id + ".d")
            try:
                names = _list_names(self.locate(directory))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _make_error(directory, "cannot be read", error) from error
            paths.extend(os.path.join(directory, name) for name in sorted(names) if name.endswith(".conf"))
        return paths

    def list_services(self) -> List[str]:
        """Return the names of all services that have a unit file, templates too."""
        names: Set[str] = set()
        for folder in self._all:
            with contextlib.suppress(OSError):
                names.update(name for name in _list_names(self.locate(folder)) if name.endswith(".service"))
        return sorted(names)

    def list_drop_in_units(self) -> List[str]:
        """Return the names of the units that have a folder of drop-ins in the first folder."""
        with contextlib.suppress(OSError):
            return [name[: -len(".d")] for name in _list_names(self.locate(self._all[0])) if name.endswith(".d")]
        return []

    def list_wanted_units(self) -> List[str]:
        """Return the names of the units that others want or require by a link of theirs."""
        names: List[str] = []
        for folder in (*self._all, *_GENERATOR_FOLDERS):
            with contextlib.suppress(OSError):
                for one in _list_names(self.locate(folder)):
                    if one.endswith((".wants", ".requires")):
                        names += _list_names(self.locate(os.path.join(folder, one)))
        return names

    def find_own_drop_ins(self, name: str) -> Tuple[List[str], List[str]]:
        """Return the path of every drop-in that has our header, and why others cannot be read.

        C(name) is the usual name of our drop-ins: it is also found where a run has left it
        unfinished. The folders of systemd in /etc and /run are searched.
        Raises AccessError if one of these two cannot be read.
        """
        found: List[str] = []
        unread: List[str] = []
        for directory in self._list_drop_in_folders():
            try:
                names = sorted(_list_names(self.locate(directory)))
            except OSError as error:
                unread.append(str(_make_error(directory, "cannot be read", error)))
                continue
            for path in [os.path.join(directory, one) for one in names if one.endswith(".conf")]:
                try:
                    found += [path] if self._is_own_file(path) else []
                except AccessError as error:
                    unread.append(str(error))
            if _name_unfinished(name) in names and name not in names:
                found.append(os.path.join(directory, name))
        return found, unread

    def _is_own_file(self, path: str) -> bool:
        return os.path.isfile(self.locate(path)) and is_own(self.read(path) or "")

    def _list_drop_in_folders(self) -> Iterator[str]:
        """Yield every folder of drop-ins in /etc and /run, each once, whatever links lead to it."""
        seen = set()
        for folder in self._all[:2]:
            try:
                names = _list_names(self.locate(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _make_error(folder, "cannot be read", error) from error
            paths = [os.path.join(folder, name) for name in names if name.endswith(".d")]
            # A link has the name of an alias: real folders first, so that a drop-in is its unit's.
            for path in sorted(paths, key=lambda path: (os.path.islink(self.locate(path)), path)):
                real_path = os.path.realpath(self.locate(path))
                if os.path.isdir(real_path) and real_path not in seen:
                    seen.add(real_path)
                    yield path

    def why_read_only(self, path: str) -> Optional[str]:
        """Return why a file could not be written or removed now; None if it could."""
        folder = os.path.dirname(self.locate(path))
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        try:
            # access(2) checks the mount, too, but it returns no reason.
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
                number = errno.EROFS if is_read_only else errno.EACCES
                raise OSError(number, os.strerror(number))
        except OSError as error:
            return str(_make_error(path, "cannot be written", error))
        return None

    def has_user_unit(self, name: str) -> bool:
        """Return whether users' service managers have a unit of this name."""
        return any(os.path.lexists(self.locate(os.path.join(folder, name))) for folder in USER_UNIT_FOLDERS)

    def write(self, path: str, text: str) -> None:
        """Replace a file with this text, completely or not at all; create its folder if missing.

        Raises AccessError if that fails, and leaves neither a temporary file nor an empty folder.
        """
        real_path = self.locate(path)
        folder, unfinished = os.path.dirname(real_path), _name_unfinished(real_path)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder)
            self.sweep(path)
            if _is_empty(folder):  # it is ours
                os.chmod(folder, 0o755)  # whatever the umask: everybody may run systemctl cat
            try:
                fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                    os.fchmod(fd, 0o644)
                    stream.write(text)
                    stream.flush()
                    os.fsync(fd)
                os.rename(unfinished, real_path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(unfinished)
                with contextlib.suppress(OSError):
                    os.rmdir(folder)  # only if nothing else is in it
                raise
            _sync_folder(folder)
        except OSError as error:
            raise _make_error(path, "cannot be written", error) from error

    def has_leftovers(self, path: str) -> bool:
        """Return whether a run that was killed left something of this file, or its empty folder."""
        real_path = self.locate(path)
        folder = os.path.dirname(real_path)
        return os.path.lexists(_name_unfinished(real_path)) or _is_empty(folder)

    def sweep(self, path: str) -> None:
        """Remove the temporary file that a killed run left of this file.

        Raises AccessError if that fails.
        """
        try:
            os.unlink(_name_unfinished(self.locate(path)))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise _make_error(path, "keeps what an earlier run left, which cannot be removed", error) from error

    def remove(self, path: str) -> None:
        """Remove a file and what a killed run left of it, and its folder if that is empty then.

        It is no error if there is nothing to remove.
        Raises AccessError if that fails.
        """
        real_path = self.locate(path)
        folder = os.path.dirname(real_path)
        self.sweep(path)
        try:
            if os.path.lexists(real_path):
                os.unlink(real_path)
            if _is_empty(folder):
                os.rmdir(folder)
            elif os.path.isdir(folder):
                _sync_folder(folder)
        except OSError as error:
            raise _make_error(path, "cannot be removed", error) from error


def _make_error(path: str, problem: str, error: OSError) -> AccessError:
    """Return the error for a file or folder, with what to do about it."""
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

    return AccessError(f"{path} {problem}: {explain_os_error(error)}")


def _read_text(fd: int) -> Optional[str]:
    """Return an open file's text, up to one character too many; None if it is no regular file."""
    found = os.fstat(fd)
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == _DEV_NULL:
        return ""
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        return None
    with open(fd, encoding="utf-8", errors="surrogateescape", newline="", closefd=False) as stream:
        return stream.read(MAX_UNIT_BYTES + 1)


def _name_unfinished(real_path: str) -> str:
    """Return the name of the temporary file; systemd reads only names that end with .conf."""
    folder, name = os.path.split(real_path)
    return os.path.join(folder, f".{name}.new")


def _is_empty(folder: str) -> bool:
    """Return whether this is a folder without anything in it, and not a link to one."""
    try:
        with os.scandir(folder) as entries:
            return not os.path.islink(folder) and not any(True for _entry in entries)
    except OSError:
        return False


def _list_names(folder: str) -> List[str]:
    """Return the names in a folder; raise OSError if it cannot be read, or has too many."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, _MAX_NAMES + 1)]
    if len(names) > _MAX_NAMES:
        raise OSError(errno.EFBIG, f"it has more than {_MAX_NAMES} files", folder)
    return names


def _sync_folder(folder: str) -> None:
    """Write a folder's new names to the disk, so that they outlast a crash right after the run."""
    with contextlib.suppress(OSError):  # not every file system can do that
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
