# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse records from lines of text in any log format, and from dmesg's JSON.

Pure. One file may mix lines of text, records of /dev/kmsg, journal entries in JSON, and lines
that Docker or a cloud service wrapped in JSON. dmesg's JSON is always a whole file.
"""

import json
import re
from typing import Callable, Iterable, Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import (
    parse_text_line,
    parse_usual_line,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    Place,
    Record,
    escape_message,
    make_row,
    parse_kmsg_line,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.shipper_json import parse_json_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import LATEST

# What may precede a line of another format: the byte order mark, the separator of json-seq,
# the field name of json-sse.
_FRAME = re.compile("^(?:\ufeff|\x1e|data: (?={))+")
_JSON_ENDS = ("}", "]", ",")  # of an object, of a list, and of an object in a list
_FRAME_STARTS = "\ufeff\x1ed"

# The rest of a row of the task table, after the decimal point of its uptime: rows that the grammar
# reads, too. In a run nobody looks for prefixes and kills in them: a name has neither blanks nor
# marks, and not the "ill" of every word of a kill.
_MORE_ROW = re.compile(
    r"\d{6}\] \[ {0,9}\d{1,10}\] {1,9}-?\d{1,16} {1,20}\d{1,10} {1,20}\d{1,16}(?: {1,20}-?\d{1,16}){3,9} {1,20}"
    r"(?![\w./+-]*ill)[\w./+-]{1,16}\Z",
    re.ASCII,
)
_MOST_ROWS = 1024  # of a run, behind its first

# What the kernel prints after the name of a task. Nothing follows a name at the end of a line.
_AFTER_NAMES = (" invoked oom-killer: ", " Not tainted ", " Tainted: ")

# Two lines that lost the line end between them, mostly when rsyslogd rotated the file:
# "Feb  8 03:53:34 qa01 rsyslogd: ... was HUPedFeb  9 11:55:27 qa01 kernel: sshd invoked..."
_RSYSLOGD = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ rsyslogd\S*: ")
_CGROUP_NAME = re.compile(r"/|cpuset=")  # a path, or the name without a path
# A quote or a priority before the stamp belongs to the line.
_GLUED = re.compile(r"(?<=.)(?<!<\d>)(?<!<\d\d>)(?<![\"'`])[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\s\]]+ kernel: ")
_LOG_DAEMONS = ("rsyslogd", "syslogd", "syslog-ng")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d ")
# Where people end what they copied from a log, before they copy from elsewhere.
_END_OF_TEXT = re.compile(
    r"$|\s{0,3}(?:```|~~~|\{(?:code|noformat)|</?pre>)|(?:\S+ ?)?[#$] (?:sudo )?(?:dmesg|journalctl|e?grep)\b"
)
_DROPPED = re.compile(r"(\*\* \d{1,18} printk messages dropped \*\*) (?=\[)")


def parse_lines(lines: Iterable[str], place: Callable[[], Optional[Place]] = lambda: None) -> Iterator[Record]:
    """Yield the records in the lines of a file, in any mix of formats.

    C(place) returns the place of the line that was read last.
    """
    others = _OtherLines(place)
    run = _RowRun()
    try:
        for line in lines:
            if run.is_open:
                if run.take(line):
                    continue
                for row in run.end():
                    others.remember(row)
                    yield row
            usual = None if line[-1:] in _JSON_ENDS else parse_usual_line(line, place)
            if usual is None:
                yield from others.parse(line)
                continue
            others.remember(usual)
            if not run.begin(usual):
                yield usual
    except Exception:  # of reading: what came before it counts
        yield from run.end()
        raise
    yield from run.end()


class _RowRun:
    """Rows of a task table with the usual prefix, one right after the other.

    A report has hundreds of them, and all that matters is the text. So the first row holds the
    others, but for the last one, which the next line may continue.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._first = Record("")
        self._head = ""  # with which each line begins, up to the second of the uptime
        self._lines: List[str] = []  # after the first

    def begin(self, record: Record) -> bool:
        """Hold a record back if it is such a row. Return whether the run has begun."""
        if not record.text.startswith("["):  # most lines
            return False
        at = record.raw.rfind(".", 0, len(record.raw) - len(record.text)) + 1
        if not _MORE_ROW.match(record.raw, at):
            return False
        self.is_open, self._first, self._head = True, record, record.raw[:at]
        return True

    def take(self, line: str) -> bool:
        """Add the next line if it is such a row, too. Return whether it was added."""
        head = self._head
        if not (line.startswith(head) and _MORE_ROW.match(line, len(head))) or len(self._lines) >= _MOST_ROWS:
            return False
        self._lines.append(line)
        return True

    def end(self) -> Iterator[Record]:
        """Yield the records of the run."""
        if not self.is_open:
            return
        first, lines = self._first, self._lines
        self.is_open, self._lines = False, []
        yield first._replace(rows=tuple(lines[:-1]))
        if lines:
            yield make_row(first, lines[-1])


class _OtherLines:
    """All lines but those with the usual prefix."""

    def __init__(self, place: Callable[[], Optional[Place]]) -> None:
        self._place = place
        self._in_kmsg = False
        self._last: Optional[Record] = None  # the last line of text that began a record
        self._has_bare_lines = False  # whether lines of text came without a stamp
        self._is_apart = False  # whether a program's line has ended: bare lines after that are not its own

    def remember(self, record: Record) -> None:
        """Remember a line with the usual prefix: the next line may continue it."""
        self._in_kmsg, self._last, self._is_apart = False, record, False

    def parse(self, line: str) -> Iterator[Record]:
        """Yield the records of a line."""
        line = _FRAME.sub("", line) if line[:1] in _FRAME_STARTS else line
        kmsg = parse_kmsg_line(line) if line[:1].isdigit() else None
        entries = [kmsg.record] if kmsg else parse_json_line(line) if line[-1:] in _JSON_ENDS else None
        if entries is not None:
            self._in_kmsg = kmsg is not None
            yield from (entry._replace(place=self._place()) for entry in entries)
        elif not (self._in_kmsg and line[:1] == " "):  # a dictionary line " KEY=value" of the record above
            self._in_kmsg = False
            for part in _split_glued(line):
                yield self._parse_text(part)

    def _parse_text(self, part: str) -> Record:
        """Return the record of a line of text; it may continue the one before it."""
        record = parse_text_line(part, self._place())
        last = self._last
        if not _continues(record, last, self._has_bare_lines):
            self._last, self._is_apart = record, False
        elif last is None or self._is_apart:
            self._has_bare_lines, record = True, record._replace(bare=True)
        else:
            self._is_apart = last.trusted is False and _END_OF_TEXT.match(part) is not None
            record = _continue(last, record, part)
        return record


def _continues(record: Record, last: Optional[Record], has_bare_lines: bool) -> bool:
    """Return whether a line continues another: it has no stamp and no tag of its own.

    Text that looks like an uptime may still belong to a task's name, because the name has room
    for a line end and 14 bytes.
    """
    if record.clock is not None or record.program is not None or record.trusted is not None:
        return False
    if record.monotonic is None or (" " + record.text).startswith(_AFTER_NAMES):
        return True
    if record.text:
        return False
    return has_bare_lines if last is None else last.monotonic is not None and record.monotonic < last.monotonic


def _continue(last: Record, record: Record, line: str) -> Record:
    """Return the record of a line that continues C(last), with the stamps and trust of C(last).

    One writer wrote all lines of a message. Text that looks like an uptime is the end of a name
    here, so it stays in the text.
    """
    text = record.text if record.monotonic is None and not line.startswith(_AFTER_NAMES) else line
    return last._replace(text=text, raw=line, place=record.place, bare=True)


def _split_glued(line: str) -> List[str]:
    """Split a line where the line end between two lines is missing."""
    if line.startswith("** "):  # the console of 4.4 to 4.9 writes no line end after it
        mark = _DROPPED.match(line)
        return [mark.group(1), line[mark.end() :]] if mark else [line]
    tag = line.rfind(" kernel: ")
    stamped = line[9:10] == ":" or line[13:14] == ":"  # "Nov 23 04:43:46", "2026-11-23T04:43:46"
    if tag < 0 or (stamped and line.count(":", 0, tag) < 4):  # nearly all lines have no second stamp
        return [line]
    first = parse_text_line(line)
    if first.trusted is False and first.program not in _LOG_DAEMONS:
        return [line]  # any program can write what looks like two lines
    cuts = [0]
    for match in _GLUED.finditer(line):
        # Behind a blank it may also be the rest of a stamp.
        if line[match.start() - 1] != " " or _CLOCK.search(line, cuts[-1], match.start()):
            cuts.append(match.start())
    cuts.append(len(line))
    # Only the kernel's own words end where two lines meet. The name of a cgroup may look like two
    # lines, so a line that holds one stays whole.
    if len(cuts) > 2 and _CGROUP_NAME.search(line, 0, cuts[-2]) and not _RSYSLOGD.match(line):
        return [line]
    parts = [line[start:end].rstrip(" ") for start, end in zip(cuts, cuts[1:-1])]
    return [*parts, line[cuts[-2] :]]


# --- dmesg --json (util-linux:sys-utils/dmesg.c) ------------------------------------------

_ESCAPE = re.compile(r"\\([\"\\/bfnrt]|u[0-9a-fA-F]{4})|\\")


def parse_dmesg_json(text: str) -> Iterator[Record]:
    r"""Yield the records of C(dmesg --json). Raises ValueError for any other text.

    Only the facility's name is proof. C(--decode) adds it: the number does not include the
    facility. dmesg writes unprintable bytes as \x0a, which is no valid escape in JSON.
    """
    found = json.loads(_ESCAPE.sub(lambda match: match.group() if match.group(1) else "\\\\", text), strict=False)
    entries = found.get("dmesg") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("it has no list of messages")
    for entry in entries:
        message = entry.get("msg")
        if isinstance(message, str):
            uptime = entry["time"] if isinstance(entry.get("time"), float) and 0 <= entry["time"] < LATEST else None
            trusted = entry["fac"] == "kern" if isinstance(entry.get("fac"), str) else None
            yield Record(escape_message(message), uptime, None, None, trusted, message)
