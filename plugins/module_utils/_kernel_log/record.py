# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Define the record of a kernel log, and parse one from a line of /dev/kmsg.

Pure.
"""

import re
from typing import List, NamedTuple, Optional, Tuple, Union

# A record of the kernel's buffer has about 1 KiB, or 4 KiB when escaped. The kernel writes no
# longer line, so the rest is ignored. The limit also keeps every number short enough for Python to
# convert (sys.get_int_max_str_digits).
LONGEST_LINE = 4096

DAY = 86400.0


class Place(NamedTuple):
    """The place where a reader finds a record again."""

    source: str  # "journal", "kmsg" or the path of a file
    at: Union[str, int]  # cursor in the journal, number of the record, or offset in bytes


class Record(NamedTuple):
    """One line of kernel text, and the data that its log format has about it."""

    text: str  # the message alone
    monotonic: Optional[float] = None  # seconds since boot
    time: Optional[str] = None  # ISO 8601 UTC, only if the source has date, year and zone
    clock: Optional[float] = None  # seconds of the day in the stamp's zone, used only to find gaps
    # True: the facility proves that the kernel wrote it. False: a program wrote it.
    # None: this format has no proof.
    trusted: Optional[bool] = None
    raw: str = ""
    boot: Optional[str] = None  # boot id, if the source has it
    program: Optional[str] = None  # the writer's name in the tag, which any program can forge
    vouched: bool = False  # journald itself recorded that this program wrote it
    place: Optional[Place] = None
    bare: bool = False  # a line without stamp and tag; it may continue the line before it
    # The lines right after this one that are rows of a task table like it. Their prefixes are as
    # long as its own, and of the same second.
    rows: Tuple[str, ...] = ()


def list_row_texts(record: Record) -> List[str]:
    """Return the texts of the rows behind a record, without their prefixes."""
    width = len(record.raw) - len(record.text)
    return [line[width:] for line in record.rows]


def make_row(record: Record, line: str) -> Record:
    """Return the record of a row behind another one. Its place is that of the other one."""
    width = len(record.raw) - len(record.text)
    uptime = line[:width].rpartition("[")[2][:-2]
    return record._replace(text=line[width:], raw=line, monotonic=float(uptime), rows=())


def split_rows(record: Record) -> List[Record]:
    """Return a record and those of the rows behind it, each by itself."""
    if not record.rows:
        return [record]
    return [record._replace(rows=()), *(make_row(record, line) for line in record.rows)]


def have_clock(one: Record, other: Record) -> bool:
    """Return whether seconds_between() can compare two records."""
    stamps = ((one.monotonic, other.monotonic), (one.clock, other.clock))
    return any(None not in pair for pair in stamps)


def seconds_between(one: Record, other: Record) -> float:
    """Return the seconds between two records, never negative.

    Compares the uptimes if both records have one, else the clocks, which restart at midnight.
    Returns 0.0 if not both have a clock either.
    """
    if one.monotonic is not None and other.monotonic is not None:
        return abs(one.monotonic - other.monotonic)
    if one.clock is None or other.clock is None:
        return 0.0
    gap = abs(one.clock - other.clock)
    return min(gap, abs(DAY - gap))


# --- records of /dev/kmsg: "prio,seq,usec,flags[,caller=T1];text" ------------

_KMSG = re.compile(r"(\d{1,10}),(\d{1,20}),(\d{1,20}),[^;,]*(?:,[^;]*)?;")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class KmsgRecord(NamedTuple):
    """A record of /dev/kmsg with its number in the kernel's buffer."""

    sequence: int
    record: Record


def parse_kmsg_line(line: str) -> Optional[KmsgRecord]:
    """Parse a line of /dev/kmsg; return None if it has another format.

    Facility 0 proves that the kernel wrote the record, because user space cannot write it
    (kernel/printk/printk.c:devkmsg_write).
    """
    match = _KMSG.match(line)
    if not match:
        return None
    priority, sequence, microseconds = [int(number) for number in match.groups()]
    text = line[match.end() :][:LONGEST_LINE]
    return KmsgRecord(sequence, Record(text, microseconds / 1e6, None, None, priority >> 3 == 0, line))


def escape_message(message: str) -> str:
    r"""Return a message as one line, with control characters escaped as /dev/kmsg does (\x0a)."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", message.rstrip("\n"))[:LONGEST_LINE]
