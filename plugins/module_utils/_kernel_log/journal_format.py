# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse journal entries, and the JSON of Docker and Google Cloud Logging, into records.

Pure.
"""

import json
import re
import struct
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    DAY,
    LONGEST_LINE,
    Record,
    escape_message,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import (
    DATE,
    LATEST,
    ZONE,
    format_utc,
)

# A journal entry of the kernel has one message and a few dozen short fields. A message written as
# numbers takes up to five characters for each byte.
LONGEST_ENTRY = 16 * LONGEST_LINE

# All that is read of an entry. journalctl always adds its cursor and times.
FIELDS = (
    "MESSAGE",
    "_TRANSPORT",
    "_BOOT_ID",
    "_PID",
    "_SYSTEMD_UNIT",
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "SYSLOG_FACILITY",
    "SYSLOG_IDENTIFIER",
)
# journald takes 1024 of a program. No field has the other name: what is beyond proves nothing.
_MOST_FIELDS, _BEYOND = 2048, b"?"

# The services of killers, and the tags in their log lines. A user's services run below
# user@.service, so they cannot imitate these.
KILLER_UNITS = {
    "earlyoom.service": "earlyoom",
    "nohang.service": "nohang",
    "nohang-desktop.service": "nohang",
    "systemd-oomd.service": "systemd-oomd",
}

_MICROSECONDS = re.compile(r"\d{1,20}$")
_ISO_TIME = re.compile(DATE + ZONE + "$")


# --- journal entries: systemd.journal-fields(7), "Journal Export Formats" of systemd ------


def parse_journal_entry(fields: Dict[str, Any]) -> Optional[Record]:
    """Return the record of a journal entry, or None if it has no readable message.

    journalctl writes null for a message that is too long. Only journald writes fields that begin
    with "_", so no program can imitate the kernel or another service. A line that a program
    writes to /dev/kmsg has the kernel's transport, but never its facility.
    """
    message = fields.get("MESSAGE")
    if isinstance(message, list) and message and all(isinstance(byte, int) and 0 <= byte < 256 for byte in message):
        message = bytes(message).decode("utf-8", "backslashreplace")  # not UTF-8, or with control characters
    if not isinstance(message, str):
        return None
    text = escape_message(message)
    by_kernel = fields.get("_TRANSPORT") == "kernel" and fields.get("SYSLOG_FACILITY", "0") == "0"
    uptime = read_microseconds(fields, "_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
    written = read_microseconds(fields, "__REALTIME_TIMESTAMP")
    killer = _find_killer(fields)
    return Record(
        text,
        uptime,
        None if written is None else format_utc(written),
        None if written is None else written % DAY,
        by_kernel,
        message,
        _read_text(fields, "_BOOT_ID"),
        killer or _read_text(fields, "SYSLOG_IDENTIFIER"),
        killer is not None,
    )


def _find_killer(fields: Dict[str, Any]) -> Optional[str]:
    """Return the writer's name if journald proves that it is a killer or the service manager."""
    if fields.get("_PID") == "1":
        return "systemd"
    return KILLER_UNITS.get(_read_text(fields, "_SYSTEMD_UNIT") or "")


def _read_text(fields: Dict[str, Any], name: str) -> Optional[str]:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def read_microseconds(fields: Dict[str, Any], *names: str) -> Optional[float]:
    """Return, in seconds, the first of these fields that holds microseconds."""
    for name in names:
        found = fields.get(name)
        if found is not None and _MICROSECONDS.match(str(found)):
            return min(int(found) / 1e6, LATEST)
    return None


# "Mon 2026-11-23 04:43:46.000001 UTC [s=a;i=7;b=a;m=7;t=a;x=a]": the fields of the cursor
_VERBOSE = re.compile(r"[^\[]{10,60} \[s=[0-9a-f]+;i=[0-9a-f]+;b=([0-9a-f]{32});m=([0-9a-f]{1,16});t=([0-9a-f]{1,16});")


def parse_verbose_entry(lines: List[str]) -> Optional[Record]:
    """Return the record of an entry of C(journalctl --output=verbose); None without a message."""
    head = _VERBOSE.match(lines[0]) if lines else None
    if head is None:
        return None
    fields: Dict[str, Any] = {}
    for line in lines[1:]:
        name, has_value, value = line[4:].partition("=")  # other lines of a message have a larger indent
        if has_value and not name.startswith(" "):
            fields[name] = value
    boot, uptime, written = head.groups()
    fields.update(_BOOT_ID=boot, __MONOTONIC_TIMESTAMP=str(int(uptime, 16)), __REALTIME_TIMESTAMP=str(int(written, 16)))
    return parse_journal_entry(fields)


def read_export_entries(stream: IO[bytes]) -> Iterator[Tuple[int, Optional[Dict[str, Any]]]]:
    """Yield the length in bytes and the fields of each entry of C(journalctl --output=export).

    An incomplete last entry has no fields: None.
    """
    fields: Dict[str, Any] = {}
    length = 0
    while True:
        line = stream.readline(LONGEST_ENTRY)
        length += len(line)
        if line == b"\n":
            if fields:
                yield length, fields
            fields, length = {}, 0
            continue
        name, has_value, value = line.partition(b"=")
        left: Optional[int] = 0  # bytes of the field behind the line
        if not line.endswith(b"\n"):
            left = _skip_line(stream)
        elif has_value:
            value = value[:-1]
        else:
            name = line[:-1]
            value, left = _read_binary(stream)
        if left is None:
            if length:
                yield length, None
            return
        length += left
        if len(fields) >= _MOST_FIELDS:
            name, value = _BEYOND, b""
        fields[name.decode("ascii", "replace")] = value.decode("utf-8", "backslashreplace")


def _skip_line(stream: IO[bytes]) -> Optional[int]:
    """Read the rest of a line longer than any entry; return its length, None without an end."""
    length = 0
    while True:
        rest = stream.readline(LONGEST_ENTRY)
        length += len(rest)
        if rest.endswith(b"\n"):
            return length
        if not rest:
            return None


def _read_binary(stream: IO[bytes]) -> Tuple[bytes, Optional[int]]:
    """Read the size of a value, its bytes and a line end; return the first bytes and the length.

    No kernel message has more than LONGEST_ENTRY bytes, and a corrupt size must not fill the
    memory. The length is None if the stream ends before.
    """
    size = stream.read(8)
    if len(size) < 8:
        return b"", None
    (length,) = struct.unpack("<Q", size)
    value = stream.read(min(length, LONGEST_ENTRY))
    left = length - len(value)
    while left > 0:
        skipped = len(stream.read(min(left, LONGEST_ENTRY)))
        if not skipped:
            break
        left -= skipped
    return value, len(size) + length + 1 if stream.read(1) == b"\n" else None


# --- JSON on one line: the journal's, Docker's, Google's ----------------------------------


def parse_json_entry(text: str) -> Optional[Record]:
    """Return the record in a JSON object, or None for any other text.

    The object is a journal entry, or a line that Docker or Google Cloud Logging wrapped.
    """
    try:
        fields = json.loads(text) if len(text) <= LONGEST_ENTRY else None
    except (ValueError, RecursionError):
        return None
    return parse_json_fields(fields) if isinstance(fields, dict) else None


def parse_json_fields(fields: Dict[str, Any]) -> Optional[Record]:
    """Return the record of an object that the journal, Docker or Google Cloud Logging wrote."""
    if "MESSAGE" in fields:
        return parse_journal_entry(fields)
    return _parse_docker_line(fields) or _parse_google_entry(fields)


def _parse_docker_line(fields: Dict[str, Any]) -> Optional[Record]:
    """Return the record in a line of Docker's json-file driver, or None.

    Kubernetes writes the same fields as C(2026-11-23T04:43:45Z stdout F text). Neither format
    proves which program wrote the line.
    """
    stamp, stream, line = _read_iso_time(fields, "time"), _read_text(fields, "stream"), _read_text(fields, "log")
    if stamp is None or stream is None or line is None:
        return None
    return parse_text_line(f"{stamp} {stream} F {escape_message(line)}")._replace(raw=line.rstrip("\n"))


def _parse_google_entry(fields: Dict[str, Any]) -> Optional[Record]:
    """Return the record in an entry of Google Cloud Logging, or None.

    C(textPayload) is a line of a console or a file, C(jsonPayload) is a journal entry. But JSON
    from a container is also a C(jsonPayload), so its fields prove nothing.
    """
    stamp, line = _read_iso_time(fields, "timestamp"), _read_text(fields, "textPayload")
    entry = fields.get("jsonPayload")
    if stamp is None:
        return None
    if line is not None:
        return parse_text_line(f"{stamp} stdout F {escape_message(line.rstrip())}")._replace(raw=line.rstrip())
    record = parse_journal_entry(entry) if isinstance(entry, dict) else None
    when = parse_text_line(stamp)
    return record and record._replace(
        time=when.time, clock=when.clock, trusted=None if record.trusted else False, vouched=False, boot=None
    )


def _read_iso_time(fields: Dict[str, Any], name: str) -> Optional[str]:
    """Return a field if the whole value is an ISO 8601 time, else None."""
    value = _read_text(fields, name)
    return value if value is not None and _ISO_TIME.match(value) else None
