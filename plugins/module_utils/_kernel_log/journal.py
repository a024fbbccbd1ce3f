# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the systemd journal with journalctl.

journalctl takes much longer to write an entry than to search it, and most entries of the kernel
have nothing to do with memory. So only the first entries are all read. Of the others, journalctl
selects those that a report may consist of. It writes the export format, which costs it less than
JSON.
"""

import contextlib
import errno
import functools
import glob
import heapq
import io
import os
import re
from typing import IO, Any, Dict, Generator, Iterator, List, Optional, Tuple, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import advise_access
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    FIELDS,
    KILLER_UNITS,
    parse_journal_entry,
    read_export_entries,
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
_KERNEL = ["_TRANSPORT=kernel"]
_KILLERS = ["_SYSTEMD_UNIT=" + unit for unit in sorted(KILLER_UNITS)] + [
    "+",
    "_PID=1",
    "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed",
]
_BOTH = [*_KERNEL, "+", *_KILLERS]

_BUFFER_BYTES = 1 << 16

# How many entries are all read, before the others are searched.
_FIRST_ENTRIES = 1024

# How every message begins that _oom_parser/grammar.py parses, and the kills of drivers and programs
# that the kernel's log may have. The beginning of a message costs journalctl hardly more time than
# no pattern at all, if few characters decide.
_BEGINNINGS = (
    r"[Oo](?:ut of [Mm]emory|OM |om[-_]kill|ut_of_memory|omd kill: )",
    r"[Kk](?:ill|ernel panic - )",
    r"[Mm](?:emory (?:cgroup |limit )|emory: usage|emory\+swap: |anual OOM|arked /)",
    r"[Ss](?:ys[Rr]q ?: |ystem is dead|end(?:ing)? (?:SIG|sigkill)|wap: usage)",
    r"[CP](?:PU: |[Ii][Dd]: |rocess .{0,60} \(pid: )",
    r"\[(?: *pid *\]| *\d+\] +-?\d+ +\d+ |\S+\.cpp:|talos\] )",
    r"\s+(?:killed as |to free )",
    r"\d+ pages (?:RAM|reserved)|Total swap = ",
    r"Tasks? in /|No available m|Linux v|dump_header|\*\* |printk: |__ratelimit: |[,/]",
    r"escalating |lowmemorykiller: |Rule '",
    r".{0,15}? invoked oom-killer",
)
MESSAGE_BEGINNINGS = "(?s)^(?:" + "|".join(_BEGINNINGS) + ")"

_CURSOR = re.compile(r"s=([0-9a-f]+);i=([0-9a-f]+);b=([0-9a-f]+);m=([0-9a-f]+);t=([0-9a-f]+)")

_Fields = Dict[str, Any]


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
        every_line: bool = False,
    ) -> None:
        """Build the command, but do not run it yet.

        C(since) and C(until) are seconds since 1970. C(cursor) is the cursor of the last record
        that was read before; that record is not read again. C(seconds) is the time that
        journalctl may take, without the time that the caller takes. With C(every_line) the lines
        of a report that are no messages of the killer are read, too.
        """
        self._command = [program, "--quiet", "--no-pager", "--all", "--output=export"]
        self._seconds = seconds
        self._most = None if every_line else _FIRST_ENTRIES
        self._selection = "cursor" if cursor else "boot=" + boot
        self._start: List[str] = ["--cursor=" + cursor] if cursor else _limit_time("--since", since)
        self._within = [] if cursor or boot == "all" else ["--boot=" + BOOTS.get(boot, boot)]
        self._until = _limit_time("--until", until)
        self.end = cursor  # of the last record that was read
        self.gap = False  # whether the record at the cursor is gone
        self.unreadable = 0  # entries that were cut
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
        self.gap = self.end is not None
        try:
            has_more = yield from self._read_all(self._start, self._most)
            if has_more:
                yield from self._read_others()
        except UnsupportedError as error:
            raise UnsupportedError(
                f"the journal cannot be read: {error}: install journalctl, or set source=kmsg, or paths for log files"
            ) from error
        except OomError as error:
            raise AccessError(
                f"the journal cannot be read ({self._selection}): {error}: "
                "check it with journalctl --list-boots, or set source=kmsg for the current boot"
            ) from error

    def _read_all(self, start: List[str], most: Optional[int] = None) -> Generator[Record, None, bool]:
        """Yield the records of every entry, at most this many; return whether there may be more."""
        with contextlib.closing(self._run([*start, *self._within, *self._until], _BOTH)) as entries:
            for number, fields in enumerate(entries, 1):
                yield from self._take(fields)
                if number == most and self.end is not None:
                    return True
        return False

    def _read_others(self) -> Iterator[Record]:
        """Yield the records that may matter after the last one that was read, and the newest.

        A journalctl that cannot search is asked for all of them.
        """
        try:
            yield from self._search(f"--after-cursor={self.end}")
        except OomError:
            yield from self._read_all([f"--after-cursor={self.end}"])

    def _search(self, start: str) -> Iterator[Record]:
        newest = [*self._within, *self._until, "--reverse", "--lines=1"]
        others = [start, *self._within, *self._until, "--output-fields=" + ",".join(FIELDS)]
        with contextlib.ExitStack() as stack:
            newest_entry, kernel, killers = [
                stack.enter_context(contextlib.closing(self._run(options, matches)))
                for options, matches in (
                    (newest, _BOTH),
                    ([*others, "--grep=" + MESSAGE_BEGINNINGS], _KERNEL),
                    (others, _KILLERS),
                )
            ]
            last = next(newest_entry, None)  # before the others, so that it is not after what they read
            for fields in heapq.merge(kernel, killers, key=_by_cursor):
                yield from self._take(fields)
            if last is not None and _compare_cursors(str(self.end), str(last.get("__CURSOR"))) < 0:
                yield from self._take(last)

    def _run(self, options: List[str], matches: List[str]) -> Generator[_Fields, None, None]:
        """Run journalctl and yield the fields of each entry."""
        # With --grep journalctl fails without a word if nothing matches.
        chunks = Program([*self._command, *options, *matches], self._seconds, silent_failure=1).chunks()
        with contextlib.closing(chunks):
            for _length, fields in read_export_entries(_open_chunks(chunks)):
                if fields is None:
                    self.unreadable += 1
                else:
                    yield fields

    def _take(self, fields: _Fields) -> Iterator[Record]:
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


def _limit_time(option: str, moment: Optional[float]) -> List[str]:
    """Return the option for a moment; systemd parses none before 1970 or after the year 9999."""
    return [] if moment is None else [f"{option}=@{min(max(moment, 0.0), _LATEST):.0f}"]


def _parse_cursor(cursor: str) -> Tuple[str, int, str, int, int]:
    """Return sequence, number, boot, uptime and time. Raises OomError for any other text."""
    match = _CURSOR.match(cursor)
    if match is None:
        raise OomError(f"unknown form of a cursor: {cursor[:64]}")
    sequence, number, boot, uptime, moment = match.groups()
    return sequence, int(number, 16), boot, int(uptime, 16), int(moment, 16)


def _compare_cursors(first: str, second: str) -> int:
    """Return a negative number if the first entry precedes the second, in the journal's own order.

    See compare_locations() in systemd:src/libsystemd/sd-journal/sd-journal.c.
    """
    sequence, number, boot, uptime, moment = _parse_cursor(first)
    other_sequence, other_number, other_boot, other_uptime, other_moment = _parse_cursor(second)
    if sequence == other_sequence:
        return number - other_number
    return uptime - other_uptime if boot == other_boot else moment - other_moment


_order = functools.cmp_to_key(_compare_cursors)


def _by_cursor(fields: _Fields) -> Any:
    return _order(str(fields.get("__CURSOR")))


class _Output(io.RawIOBase):
    """The chunks of a program's output as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """Return true, as BufferedReader asks for."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were; 0 at the end."""
        self._rest = self._rest or next(self._chunks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _open_chunks(chunks: Iterator[bytes]) -> IO[bytes]:
    return cast(IO[bytes], io.BufferedReader(_Output(chunks), _BUFFER_BYTES))
