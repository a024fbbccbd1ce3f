# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What a host keeps of the kernel's words: the journal, /dev/kmsg and pstore, as records with their trust."""

import glob
import json
import os
import re
import select
import subprocess
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import (
    KILLER_UNITS,
    journal_record,
    records_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import Place, Record, kmsg_record

# One read of /dev/kmsg gives one record; a record fits (kernel/printk/printk.c:PRINTKRB_RECORD_MAX and its escapes).
_RECORD_BYTES = 16384


class Kmsg:
    """The kernel's ring buffer, read through /dev/kmsg."""

    def __init__(self, path: str = "/dev/kmsg", start: int = 0) -> None:
        """C(start) is the number of the first record that is asked for."""
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UnsupportedError(f"{path} does not exist: the kernel log cannot be read here")
        except PermissionError as error:
            raise AccessError(
                f"{path} cannot be read ({error.strerror}): be root, or have CAP_SYSLOG while kernel.dmesg_restrict is 1"
            )
        self.lost = 0  # records that were overwritten before they were read
        self._start = start
        self.next: Optional[int] = start  # number of the record that comes next; None: any

    def __enter__(self) -> "Kmsg":
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def seek_end(self) -> None:
        """From now on only new records."""
        os.lseek(self._fd, 0, os.SEEK_END)
        self.next = None

    def wait(self, seconds: float) -> None:
        """Until there is a record to read, or the time is over."""
        select.select([self._fd], [], [], seconds)

    def read(self) -> List[Record]:
        """Every record that is there now; never waits."""
        records = []
        while True:
            try:
                chunk = os.read(self._fd, _RECORD_BYTES)
            except BlockingIOError:
                return records
            except BrokenPipeError:  # overwritten while we read: the kernel goes on with the oldest it has
                continue
            # Behind the first line stand " KEY=value" lines about the device that spoke.
            line = chunk.decode("utf-8", "backslashreplace").split("\n", 1)[0]
            found = kmsg_record(line)
            if found is None:
                continue
            if found.sequence < self._start:
                continue
            if self.next is not None and found.sequence > self.next:
                self.lost += found.sequence - self.next
            self.next = found.sequence + 1
            records.append(found.record._replace(place=Place("kmsg", found.sequence)))


# --- the journal ------------------------------------------------------------------

JOURNALS = ("/run/log/journal", "/var/log/journal")

BOOTS = {"current": "0", "previous": "-1"}  # as journalctl counts them; another word is a boot id

# What is asked for, by fields that only journald writes: the kernel, services that kill, and systemd's word on what systemd-oomd killed.
_MATCHES = (
    ["_TRANSPORT=kernel", "+"]
    + ["_SYSTEMD_UNIT=" + unit for unit in sorted(KILLER_UNITS)]
    + ["+", "_PID=1", "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed"]
)


def has_journal(root: str = "/") -> bool:
    """Whether journald keeps a log here: a folder alone may be left from another time."""
    return bool(_journal_files(root))


def _journal_files(root: str = "/") -> List[str]:
    return [
        path
        for folder in JOURNALS
        for path in glob.glob(os.path.join(root, folder.lstrip("/"), "*", "system*.journal"))
    ]


class Journal:
    """What the kernel, and programs that kill, said in one boot, in all, or since a cursor, oldest first."""

    def __init__(
        self,
        boot: str,
        since: Optional[float] = None,
        until: Optional[float] = None,
        cursor: Optional[str] = None,
        program: str = "journalctl",
    ) -> None:
        """C(since) and C(until) are seconds since 1970; C(cursor) is that of a record which was read, and which is not read again."""
        self._program = program
        self._command = [program, "--quiet", "--no-pager", "--all", "--output=json"]
        self._what = "cursor" if cursor else "boot=" + boot
        if cursor:
            self._command.append("--cursor=" + cursor)
        elif boot != "all":
            self._command.append("--boot=" + BOOTS.get(boot, boot))
        for option, moment in (("--since", since), ("--until", until)):
            if moment is not None:
                self._command.append(f"{option}=@{moment:.0f}")
        self.end = cursor  # of the last record that was read
        self.gap = False  # whether the record of the cursor is no longer there
        self.written = 0.0  # when the last record was, in seconds since 1970

    def read(self) -> Iterator[Record]:
        hidden = [path for path in _journal_files() if not os.access(path, os.R_OK)]
        if hidden:  # journalctl would show what else it finds
            raise AccessError(
                f"the journal cannot be read: no permission for {hidden[0]}: be root, or in the group systemd-journal"
            )
        try:
            reader = subprocess.Popen(
                self._command + _MATCHES,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(os.environ, LC_ALL="C"),
            )
        except OSError as error:
            raise UnsupportedError(f"the journal cannot be read: {self._program} cannot be started: {error.strerror}")
        self.gap = self.end is not None
        with reader:
            for line in reader.stdout:  # type: ignore[union-attr]
                fields = json.loads(line.decode("utf-8", "replace"))
                if self.gap and fields.get("__CURSOR") == self.end:
                    self.gap = False
                    continue
                found = journal_record(fields)
                if found is not None:
                    yield found._replace(place=Place("journal", self.end or ""))
                self.end = fields.get("__CURSOR")
                self.written = int(fields.get("__REALTIME_TIMESTAMP", "0")) / 1e6
            complaint = reader.stderr.read().decode("utf-8", "replace").strip()  # type: ignore[union-attr]
        if reader.returncode != 0:
            raise AccessError(f"the journal cannot be read ({self._what}): {complaint or f'{self._program} failed'}")


# --- pstore -----------------------------------------------------------------------

# What a panic left in memory that outlives it: as the kernel shows it, and where systemd-pstore puts it at boot (pstore.conf(5)).
PSTORE = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
PSTORE_BACKEND = "/sys/module/pstore/parameters/backend"

_DUMP_HEADER = re.compile(
    r"(?P<reason>\w+)#\d+ Part(?P<part>\d+)$"
)  # fs/pstore/platform.c:pstore_dump; part 1 has the last lines


class _DumpPart(NamedTuple):
    path: str
    folder: str
    written: float
    part: int  # 0 for all of a dump
    lines: List[str]


def pstore_backend(root: str = "/") -> Optional[str]:
    """Who keeps what pstore has, such as C(ramoops); None for nobody."""
    try:
        with open(os.path.join(root, PSTORE_BACKEND.lstrip("/"))) as stream:
            name = stream.read().strip()
    except OSError:
        return None
    return None if name in ("", "(null)") else name


def pstore_dumps(root: str = "/") -> Iterator[Tuple[str, Iterator[Record]]]:
    """Kernel logs of panics and oopses, oldest first: the path of each, or of the part with its last lines, and its records.

    One may come twice: systemd-pstore also puts parts together, but not always
    those that lie beside it, as its C(dmesg.txt) may be of an earlier boot.
    """
    parts = sorted(_dump_parts(root), key=lambda one: (one.written, one.folder, one.part))
    while parts:
        last = parts.pop(0)
        dump = [last]
        while last.part and parts and parts[0].folder == last.folder and parts[0].part > dump[-1].part:
            dump.append(parts.pop(0))
        yield last.path, records_of([line for part in reversed(dump) for line in part.lines])


def _dump_parts(root: str) -> Iterator[_DumpPart]:
    for top in PSTORE:
        for folder, _folders, names in os.walk(os.path.join(root, top.lstrip("/")), onerror=_denied):
            for name in names:
                if name.startswith("dmesg") and not name.endswith(".z"):  # which the kernel could not uncompress
                    path = os.path.join(folder, name)
                    try:
                        with open(path, "rb") as stream:
                            lines = [line.decode("utf-8", "backslashreplace") for line in stream.read().splitlines()]
                    except OSError as error:
                        raise _unreadable(path, error)
                    header = _DUMP_HEADER.match(lines[0]) if lines and name != "dmesg.txt" else None
                    yield _DumpPart(
                        path, folder, os.stat(path).st_mtime, int(header.group("part")) if header else 0, lines
                    )


def _denied(error: OSError) -> None:
    """A folder that may not be read is not an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise _unreadable(error.filename, error)


def _unreadable(path: str, error: OSError) -> AccessError:
    return AccessError(f"{path} cannot be read ({error.strerror}): be root")
