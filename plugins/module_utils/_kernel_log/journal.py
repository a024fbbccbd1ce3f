# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the systemd journal with journalctl."""

import errno
import glob
import json
import os
from typing import Any, Dict, Iterable, Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import advise_access
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    KILLER_UNITS,
    LONGEST_ENTRY,
    parse_journal_entry,
    read_microseconds,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record

JOURNALS = ("/run/log/journal", "/var/log/journal")

BOOTS = {"current": "0", "previous": "-1"}  # as journalctl counts them; any other value is a boot id

_LATEST = 1e11  # far in the future

# How long journalctl may be silent in all. A journal of many gigabytes takes it a minute.
SECONDS = 300.0

# What to read, by fields that only journald writes: the kernel, the services of killers, and
# systemd's message about what systemd-oomd killed.
_MATCHES = (
    ["_TRANSPORT=kernel", "+"]
    + ["_SYSTEMD_UNIT=" + unit for unit in sorted(KILLER_UNITS)]
    + ["+", "_PID=1", "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed"]
)


def has_journal(root: str = "/") -> bool:
    """Return whether journald has log files here; an empty folder is not enough."""
    return bool(_find_journal_files(root))


def _find_journal_files(root: str) -> List[str]:
    return [
        path
        for folder in JOURNALS
        for path in glob.glob(os.path.join(root, folder.lstrip("/"), "*", "system*.journal"))
    ]


class Journal:
    """The messages of the kernel and of killers, oldest first, read with journalctl(1).

    It selects one boot, all boots, or the messages after a cursor.
    """

    def __init__(
        self,
        boot: str,
        since: Optional[float] = None,
        until: Optional[float] = None,
        cursor: Optional[str] = None,
        program: str = "journalctl",
        seconds: float = SECONDS,
    ) -> None:
        """Build the command, but do not run it yet.

        C(since) and C(until) are seconds since 1970. C(cursor) is the cursor of the last record
        that was read before; that record is not read again. C(seconds) is the time that
        journalctl may take, without the time that the caller takes.
        """
        self._program = program
        self._seconds = seconds
        self._command = [program, "--quiet", "--no-pager", "--all", "--output=json"]
        self._selection = "cursor" if cursor else "boot=" + boot
        if cursor:
            self._command.append("--cursor=" + cursor)
        elif boot != "all":
            self._command.append("--boot=" + BOOTS.get(boot, boot))
        for option, moment in (("--since", since), ("--until", until)):
            if moment is not None:
                # systemd parses no moment before 1970, and none after the year 9999.
                self._command.append(f"{option}=@{min(max(moment, 0.0), _LATEST):.0f}")
        self.end = cursor  # of the last record that was read
        self.gap = False  # whether the record at the cursor is gone
        self.unreadable = 0  # entries that were not JSON, or cut
        self.written = 0.0  # time of the last record, in seconds since 1970

    def read(self) -> Iterator[Record]:
        """Yield the records.

        An entry that cannot be read is counted and left out. Raises AccessError, also if
        journalctl fails or does not end, and UnsupportedError without journalctl.
        """
        hidden = [path for path in _find_journal_files("/") if not os.access(path, os.R_OK)]
        if hidden:  # journalctl would silently show only the other files
            advice = advise_access(PermissionError(errno.EACCES, ""), "set source=kmsg")
            raise AccessError(
                f"the journal cannot be read: no permission for {printable_name(hidden[0])}: {advice}, "
                "or join the group systemd-journal"
            )
        try:
            program = Program(self._command + _MATCHES, self._seconds)
        except UnsupportedError as error:
            raise UnsupportedError(
                f"the journal cannot be read: {error}: install journalctl, or set source=kmsg, or paths for log files"
            ) from error
        self.gap = self.end is not None
        chunks = program.chunks()
        try:
            for line in _split_lines(chunks):
                fields = _parse_line(line)
                if fields is None:
                    self.unreadable += 1
                    continue
                yield from self._take(fields)
        except OomError as error:
            raise AccessError(
                f"the journal cannot be read ({self._selection}): {error}: "
                "check it with journalctl --list-boots, or set source=kmsg for the current boot"
            ) from error
        finally:
            chunks.close()

    def _take(self, fields: Dict[str, Any]) -> Iterator[Record]:
        """Yield the record of an entry, unless it is the one at the cursor, and note its place."""
        cursor = fields.get("__CURSOR")
        if self.gap and cursor == self.end:
            self.gap = False
            return
        record = parse_journal_entry(fields)
        if record is not None:
            yield record._replace(place=Place("journal", self.end or ""))
        if isinstance(cursor, str):
            self.end = cursor
        self.written = read_microseconds(fields, "__REALTIME_TIMESTAMP") or 0.0


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of an output; of a line that is longer than any entry, only the beginning."""
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()[: LONGEST_ENTRY + 1]
        yield from lines
    if rest:
        yield rest


def _parse_line(line: bytes) -> Optional[Dict[str, Any]]:
    """Return the fields of an entry; None if the line is not JSON, was cut, or is too long."""
    if len(line) > LONGEST_ENTRY:
        return None
    try:
        fields = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None
