# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""A record of a kernel log, and the line of /dev/kmsg that holds one.

Pure.
"""

import re
from typing import NamedTuple, Optional, Union

# A record of the kernel's buffer holds about 1 KiB, four times that when
# escaped. Longer lines are not its own; the rest of them is not looked at.
# Nor can a number be longer than Python converts (sys.get_int_max_str_digits).
LONGEST_LINE = 4096

DAY = 86400.0


class Place(NamedTuple):
    """Where a reader finds a record again."""

    source: str  # journal, kmsg or the path of a file
    at: Union[str, int]  # cursor of the journal, number of the record, offset in bytes


class Record(NamedTuple):
    """One line of kernel text and what its container said about it."""

    text: str  # the message alone
    monotonic: Optional[float] = None  # seconds since boot
    time: Optional[str] = None  # ISO 8601 UTC, only where the source gives date, year and zone
    clock: Optional[float] = None  # seconds of the day, as its stamp shows them: only good for gaps between lines
    # True: the facility says that the kernel wrote it. False: a program did.
    # None: this kind of text cannot tell.
    trusted: Optional[bool] = None
    raw: str = ""
    boot: Optional[str] = None  # boot id, where the source knows it
    program: Optional[str] = None  # who wrote it, as the tag says, which anybody can write
    vouched: bool = False  # journald itself knows that it was this program
    place: Optional[Place] = None
    bare: bool = False  # a line without stamp and tag: it may be the rest of the one before


def seconds_between(one: Record, other: Record) -> float:
    """How far apart two lines are: by their uptimes, else by their stamps, which begin anew at midnight; 0 where they share neither."""
    if one.monotonic is not None and other.monotonic is not None:
        return abs(one.monotonic - other.monotonic)
    if one.clock is None or other.clock is None:
        return 0.0
    gap = abs(one.clock - other.clock)
    return min(gap, abs(DAY - gap))


# --- records of /dev/kmsg: "prio,seq,usec,flags[,caller=T1];text" ------------

_KMSG = re.compile(r"(\d{1,10}),(\d{1,20}),(\d{1,20}),[^;,]*(?:,[^;]*)?;")


class KmsgRecord(NamedTuple):
    """A record of /dev/kmsg with its place in the kernel's buffer."""

    sequence: int
    record: Record


def parse_kmsg_line(line: str) -> Optional[KmsgRecord]:
    """Take a record apart; None when the line is none.

    The kernel never lets user space write with its own facility 0
    (kernel/printk/printk.c:devkmsg_write), so the facility is proof.
    """
    match = _KMSG.match(line)
    if not match:
        return None
    priority, sequence, microseconds = [int(number) for number in match.groups()]
    text = line[match.end() :][:LONGEST_LINE]
    return KmsgRecord(sequence, Record(text, microseconds / 1e6, None, None, priority >> 3 == 0, line))
