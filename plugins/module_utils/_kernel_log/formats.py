# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The forms in which logs keep kernel messages, and records out of them.

Pure. Lines of text and records of /dev/kmsg may stand in one file, and so may
entries of the journal in JSON, and lines that Docker or a cloud keeps in JSON. The
journal's export format, its JSON on many lines, and dmesg's JSON fill a file of
their own.
"""

import json
import re
import struct
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    DAY,
    LONGEST_LINE,
    Place,
    Record,
    parse_kmsg_line,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import DATE, ZONE, format_utc

# A journal entry of the kernel is a message of those and a few dozen short fields; bytes that are numbers take up to five characters each.
LONGEST_ENTRY = 16 * LONGEST_LINE

# The service that a killer is, and the tag under which it speaks. Below them user services cannot run.
KILLER_UNITS = {
    "earlyoom.service": "earlyoom",
    "nohang.service": "nohang",
    "nohang-desktop.service": "nohang",
    "systemd-oomd.service": "systemd-oomd",
}

_MICROSECONDS = re.compile(r"\d{1,20}$")
_MOMENT = re.compile(DATE + ZONE + "$")
_ESCAPE = re.compile(r"\\([\"\\/bfnrt]|u[0-9a-fA-F]{4})|\\")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LATEST = 253402300799.0  # the end of the year 9999

# What stands before a line in a file of another form: the mark of byte order, the separator of json-seq, the field of json-sse.
_FRAME = re.compile("^(?:\ufeff|\x1e|data: (?={))+")
_FRAMED = "\ufeff\x1ed"

# What the kernel prints behind the name of a task; behind a name that ends a line there is nothing.
_AFTER_NAMES = (" invoked oom-killer: ", " Not tainted ", " Tainted: ")

# Two lines that lost the line end between them: "...was HUPedFeb  9 11:55:27 qa01 kernel: sshd invoked..."
_GLUED = re.compile(r"(?<=\S)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ kernel: ")
_DROPPED = re.compile(r"(\*\* \d{1,18} printk messages dropped \*\*) (?=\[)")


def parse_lines(lines: Iterable[str], place: Callable[[], Optional[Place]] = lambda: None) -> Iterator[Record]:
    """Records of the lines of a file, in whatever forms they come. C(place) tells where the line is that was just taken."""
    in_kmsg = False
    last: Optional[Record] = None  # the last line of text that was no rest of another
    bare = False  # whether there are lines of text without stamps
    for line in lines:
        if line[:1] in _FRAMED:
            line = _FRAME.sub("", line)
        first = line[:1]
        kmsg = parse_kmsg_line(line) if first.isdigit() else None
        entry = json_entry(line) if first == "{" else None
        if kmsg:
            in_kmsg = True
            yield kmsg.record._replace(place=place())
        elif entry is not None:
            yield entry._replace(place=place())
        elif not (in_kmsg and first == " "):  # a dictionary line " KEY=value" of the record above
            in_kmsg = False
            for part in _unglued(line):
                record = parse_text_line(part, place())
                if not _is_rest(record, last, bare):
                    last = record
                elif last is None:
                    bare, record = True, record._replace(bare=True)
                else:
                    # Who wrote the first line of a message wrote them all. What only looks like a stamp is the end of a name.
                    text = record.text if record.monotonic is None and not part.startswith(_AFTER_NAMES) else part
                    record = last._replace(text=text, raw=part, place=record.place, bare=True)
                yield record


def _is_rest(record: Record, last: Optional[Record], bare: bool) -> bool:
    """Whether a line has no stamp and no tag of its own, or only what looks like an uptime, as a line end and 14 bytes are room for in a name."""
    if record.clock is not None or record.program is not None or record.trusted is not None:
        return False
    if record.monotonic is None or (" " + record.text).startswith(_AFTER_NAMES):
        return True
    if record.text:
        return False
    return bare if last is None else last.monotonic is not None and record.monotonic < last.monotonic


def _one_line(message: str) -> str:
    """A message with its control characters as /dev/kmsg writes them."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", message.rstrip("\n"))[:LONGEST_LINE]


def _unglued(line: str) -> List[str]:
    if line.startswith("** "):  # the console of 4.4 to 4.9 ends no line behind it
        mark = _DROPPED.match(line)
        return [mark.group(1), line[mark.end() :]] if mark else [line]
    tag = line.rfind(" kernel: ", 0, LONGEST_LINE)
    stamped = line[9:10] == ":" or line[13:14] == ":"  # "Nov 23 04:43:46", "2026-11-23T04:43:46"
    if tag < 0 or (stamped and line.count(":", 0, tag) < 4):  # nearly all lines: there is no second stamp
        return [line]
    cuts = [0] + [match.start() for match in _GLUED.finditer(line[:LONGEST_LINE])] + [len(line)]
    return [line[start:end] for start, end in zip(cuts, cuts[1:])]


# --- the journal (systemd.journal-fields(7), and "Journal Export Formats" of systemd) ----


def journal_record(fields: Dict[str, Any]) -> Optional[Record]:
    """Take an entry of the journal apart; None when it has no message, or one that is too long to be told (null).

    Fields that begin with "_" are journald's own, so that no program can say
    that it is the kernel, or a service that it is not. What a program writes to
    /dev/kmsg has the transport of the kernel, but never its facility.
    """
    message = fields.get("MESSAGE")
    if isinstance(message, list) and message and all(isinstance(byte, int) and 0 <= byte < 256 for byte in message):
        message = bytes(message).decode("utf-8", "backslashreplace")  # not UTF-8, or with control characters
    if not isinstance(message, str):
        return None
    text = _one_line(message)
    by_kernel = fields.get("_TRANSPORT") == "kernel" and fields.get("SYSLOG_FACILITY", "0") == "0"
    uptime = _microseconds(fields, "_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
    written = _microseconds(fields, "__REALTIME_TIMESTAMP")
    killer = _killer(fields)
    return Record(
        text,
        uptime,
        None if written is None else format_utc(written),
        None if written is None else written % DAY,
        by_kernel,
        message,
        _text(fields, "_BOOT_ID"),
        killer or _text(fields, "SYSLOG_IDENTIFIER"),
        killer is not None,
    )


def _killer(fields: Dict[str, Any]) -> Optional[str]:
    """The program that journald knows to have written this, if it is one that kills or the service manager."""
    if fields.get("_PID") == "1":
        return "systemd"
    return KILLER_UNITS.get(_text(fields, "_SYSTEMD_UNIT") or "")


def _text(fields: Dict[str, Any], name: str) -> Optional[str]:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _microseconds(fields: Dict[str, Any], *names: str) -> Optional[float]:
    """The first of these fields that is a number, in seconds."""
    found = next((fields[name] for name in names if _MICROSECONDS.match(str(fields.get(name)))), None)
    return None if found is None else min(int(found) / 1e6, _LATEST)


def json_entry(text: str) -> Optional[Record]:
    """An entry of the journal, or a line that a container or a cloud wrapped; None for other text."""
    try:
        fields = json.loads(text) if len(text) <= LONGEST_ENTRY else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    if "MESSAGE" in fields:
        return journal_record(fields)
    return _docker_record(fields) or _google_record(fields)


def _docker_record(fields: Dict[str, Any]) -> Optional[Record]:
    """A line of Docker's driver json-file: it tells what Kubernetes writes as C(2026-11-23T04:43:45Z stdout F text), and no more is proved by it."""
    stamp, stream, line = _moment(fields, "time"), _text(fields, "stream"), _text(fields, "log")
    if stamp is None or stream is None or line is None:
        return None
    return parse_text_line(f"{stamp} {stream} F {_one_line(line)}")._replace(raw=line.rstrip("\n"))


def _google_record(fields: Dict[str, Any]) -> Optional[Record]:
    """An entry of Google Cloud Logging: one of the journal (C(jsonPayload)), or a line of a console or a file (C(textPayload)).

    What a container prints in JSON is a C(jsonPayload), too: nothing in it is journald's own word.
    """
    stamp, line, entry = _moment(fields, "timestamp"), _text(fields, "textPayload"), fields.get("jsonPayload")
    if stamp is None:
        return None
    if line is not None:
        return parse_text_line(f"{stamp} stdout F {_one_line(line.rstrip())}")._replace(raw=line.rstrip())
    record = journal_record(entry) if isinstance(entry, dict) else None
    when = parse_text_line(stamp)
    return record and record._replace(
        time=when.time, clock=when.clock, trusted=None if record.trusted else False, vouched=False, boot=None
    )


def _moment(fields: Dict[str, Any], name: str) -> Optional[str]:
    """A field that is a moment, and nothing that would be taken for another prefix."""
    value = _text(fields, name)
    return value if value is not None and _MOMENT.match(value) else None


def export_entries(stream: IO[bytes]) -> Iterator[Tuple[int, Dict[str, Any]]]:
    """Fields of each whole entry of C(journalctl --output=export), and how many bytes it took; a tail without its end is left."""
    fields: Dict[str, Any] = {}
    taken = 0
    while True:
        line = stream.readline(LONGEST_ENTRY)
        taken += len(line)
        if not line.endswith(b"\n"):
            return
        if line == b"\n":
            if fields:
                yield taken, fields
            fields, taken = {}, 0
            continue
        name, has_value, value = line[:-1].partition(b"=")
        if not has_value:  # a value that is not text: its size, itself and a line end follow
            size = stream.read(8)
            if len(size) < 8:
                return
            (length,) = struct.unpack("<Q", size)
            value = _read_up_to(stream, length)
            if stream.read(1) != b"\n":
                return
            taken += 8 + length + 1
        fields[name.decode("ascii", "replace")] = value.decode("utf-8", "backslashreplace")


def _read_up_to(stream: IO[bytes], length: int) -> bytes:
    """The beginning of a value: no message of the kernel is longer, and a damaged length must not fill the memory."""
    kept = stream.read(min(length, LONGEST_ENTRY))
    left = length - len(kept)
    while left > 0:
        skipped = len(stream.read(min(left, LONGEST_ENTRY)))
        if not skipped:
            break
        left -= skipped
    return kept


# --- dmesg --json (util-linux:sys-utils/dmesg.c) ------------------------------------------


def dmesg_records(text: str) -> Iterator[Record]:
    r"""Records of C(dmesg --json). Raises ValueError where it is none.

    The facility is only there by name, with C(--decode): the number has lost it.
    What it cannot print it writes as \x0a, which JSON does not have.
    """
    found = json.loads(_ESCAPE.sub(lambda match: match.group() if match.group(1) else "\\\\", text), strict=False)
    entries = found.get("dmesg") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("it has no list of messages")
    for entry in entries:
        message = entry.get("msg")
        if isinstance(message, str):
            uptime = entry["time"] if isinstance(entry.get("time"), float) and 0 <= entry["time"] < _LATEST else None
            trusted = entry["fac"] == "kern" if isinstance(entry.get("fac"), str) else None
            yield Record(_one_line(message), uptime, None, None, trusted, message)
