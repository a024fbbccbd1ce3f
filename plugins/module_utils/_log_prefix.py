# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What stands in front of a kernel message, and what it tells.

Pure. The same message reaches us from /dev/kmsg, from dmesg in five forms, from
syslog and journal files of every age, and from pipelines that put their own
stamps before it. Each line is taken apart by what it holds, never by columns:
stamps and tags are peeled off the left end, one at a time, until none is left.
"""

import re
from typing import NamedTuple, Optional, Tuple, Union

from ansible_collections.oomguard.linux.plugins.module_utils._moments import CLOCK, DATE, ZONE, utc

# A record of the kernel's buffer holds about 1 KiB, four times that when
# escaped. Longer lines are not its own; the rest of them is not looked at.
# Nor can a number be longer than Python converts (sys.get_int_max_str_digits).
LONGEST_LINE = 4096

# No real line wears more stamps than this.
MOST_PREFIXES = 12


class Place(NamedTuple):
    """Where a reader finds a record again."""

    source: str  # journal, kmsg or the path of a file
    at: Union[str, int]  # cursor of the journal, number of the record, offset in bytes


class Record(NamedTuple):
    """One line of kernel text and what its container said about it."""

    text: str  # the message alone
    monotonic: Optional[float] = None  # seconds since boot
    time: Optional[str] = None  # ISO 8601 UTC, only where the source gives date, year and zone
    clock: Optional[float] = None  # seconds on whatever clock the line shows: only good for gaps between lines
    # True: the facility says that the kernel wrote it. False: a program did.
    # None: this kind of text cannot tell.
    trusted: Optional[bool] = None
    raw: str = ""
    boot: Optional[str] = None  # boot id, where the source knows it
    program: Optional[str] = None  # who wrote it, as the tag says, which anybody can write
    vouched: bool = False  # journald itself knows that it was this program
    place: Optional[Place] = None


# --- records of /dev/kmsg: "prio,seq,usec,flags[,caller=T1];text" ------------

_KMSG = re.compile(r"(\d{1,10}),(\d{1,20}),(\d{1,20}),[^;,]*(?:,[^;]*)?;")


class KmsgRecord(NamedTuple):
    """A record of /dev/kmsg with its place in the kernel's buffer."""

    sequence: int
    record: Record


def kmsg_record(line: str) -> Optional[KmsgRecord]:
    """Take a record apart; None when the line is none.

    The kernel never lets user space write with its own facility 0
    (kernel/printk/printk.c:devkmsg_write), so the facility is proof.
    """
    match = _KMSG.match(line)
    if not match:
        return None
    priority, sequence, microseconds = [int(number) for number in match.groups()]
    seconds = microseconds / 1e6
    text = line[match.end():][:LONGEST_LINE]
    return KmsgRecord(sequence, Record(text, seconds, None, seconds, priority >> 3 == 0, line))


# --- lines of text -------------------------------------------------------------

# Tried in this order at the left end of what is left of the line, by its first character.
_PREFIXES = [
    ("> \t", [("quote", re.compile(r"(?:>\s?|[ \t]+)+"))]),
    (
        "[",
        [
            # dmesg, with uptime: "[  123.456789] "; the console adds the caller: "[T1] ", "[   C0] "
            ("uptime", re.compile(r"\[\s*(?P<uptime>\d{1,12}\.\d{1,9})\](?:\s|$|(?=\[\s*[TC]\d))")),
            ("caller", re.compile(r"\[\s*[TC]\d+\]\s?")),
            # dmesg -T, day and month in any language: "[Tue Mar 11 10:16:36 2025] "
            ("ctime", re.compile(r"\[[^\[\]\d]{3,30}\d{1,2} " + CLOCK + r" \d{4}\]\s?")),
        ],
    ),
    # syslog priority "<4>", and RFC 5424 "<4>1 "
    ("<", [("priority", re.compile(r"<(?P<priority>\d{1,3})>(?:1 )?"))]),
    ("0123456789", [("iso", re.compile(DATE + r"(?: ?" + ZONE + r")?\s+"))]),
]
_BY_FIRST = {first: patterns for characters, patterns in _PREFIXES for first in characters}
_BY_WORD = [
    # dmesg -x: "kern  :warn  : "
    ("facility", re.compile(r"(?P<facility>[a-z]+\d?) *:(?:emerg|alert|crit|err|warn|notice|info|debug) *: ?")),
    # syslog of old, month in any language, also with the year: "Nov 23 04:43:46 ", "Nov 23 2026 04:43:46 "
    ("syslog", re.compile(r"[^\W\d]{2,12}\.?\s+\d{1,2}(?: \d{4})? " + CLOCK + r"\s+")),
    # journalctl: "Mon 2026-11-23 04:43:46 UTC "
    ("iso", re.compile(r"[^\W\d]{2,12}\.? " + DATE + r"(?: ?" + ZONE + r")?\s+")),
    ("cri", re.compile(r"(?:stdout|stderr) [FP] ")),
    ("vmware", re.compile(r"In\(\d+\) \S+ - Guest: ")),
]

# After a stamp: "host tag: ", "host tag[pid]: "; RFC 5424 "host tag - - - "; "host - ". Without a host
# only "kernel: " and "tag[pid]: " are tags, as messages begin with a word and a colon, too.
_TAG = re.compile(
    r"(?:[^\s\[<:]+ (?P<tag>[A-Za-z_][\w./@()-]*)(?P<pid>\[\d+\])?"
    r"|(?P<lone_tag>kernel|[A-Za-z_][\w./@()-]*(?P<lone_pid>\[\d+\]))): "
)
_TAG_5424 = re.compile(r"\S+ (?P<tag>\S+) (?P<pid>\S+) \S+ (?:-|\[[^\]]*\]) ")
_BARE_HOST = re.compile(r"[^\s\[]+ - (?=\S)")


# What most lines of most logs wear, "Nov 23 04:43:46 host kernel: [  123.456789] ", taken off at once. Behind it comes the
# message, or a row of a task table, which also begins with a bracket.
_USUAL = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\s\[<:]+ kernel: \[ *(\d{1,12}\.\d{1,9})\] (?=[^\[<> \t]|\[ *\d+\] )")


def text_record(line: str, place: Optional[Place] = None) -> Record:
    """Take a line of a log file apart.

    A tag of C(kernel) is no proof, as logger(1) writes any tag; a tag with a
    pid, or any other tag, is a program's. dmesg -x gives the facility. The
    priority of dmesg -r has lost it, so that only one above 7 tells anything.
    """
    raw = line
    line = line[:LONGEST_LINE]
    usual = _USUAL.match(line)
    if usual:
        uptime = float(usual.group(1))
        return Record(line[usual.end():], uptime, None, uptime, None, raw, None, "kernel", False, place)
    monotonic = None  # type: Optional[float]
    clock = None  # type: Optional[float]
    time = None  # type: Optional[str]
    trusted = None  # type: Optional[bool]
    program = None  # type: Optional[str]
    for turn in range(MOST_PREFIXES):
        kind, match = _prefix(line)
        if match is None:
            break
        if kind == "uptime" and monotonic is not None:  # the name of a task may look like one
            break
        line = line[match.end():]
        if kind == "uptime":
            monotonic = float(match.group("uptime"))
        elif kind == "facility":
            if match.group("facility") != "kern":
                trusted = False
            elif turn == 0:  # as dmesg writes it; behind anything else it is what a program wrote, or the name of a task
                trusted = True
        elif kind == "priority" and int(match.group("priority")) > 7:
            trusted = False
        elif kind in ("ctime", "iso", "syslog"):
            clock = _seconds(match)
            if kind == "iso" and match.group("zone"):
                time = utc(match)
            # dmesg writes a comma into the seconds, and no tag behind the stamp.
            if kind != "ctime" and "," not in match.group("second"):
                line, program, tag_trust = _peel_tag(line)
                trusted = tag_trust if tag_trust is not None else trusted
    return Record(line, monotonic, time, clock if monotonic is None else monotonic, trusted, raw, None, program, False, place)


def _prefix(line: str) -> Tuple[str, Optional["re.Match[str]"]]:
    for kind, pattern in _BY_FIRST.get(line[:1], _BY_WORD):
        match = pattern.match(line)
        if match:
            return kind, match
    return "", None


def _peel_tag(line: str) -> Tuple[str, Optional[str], Optional[bool]]:
    """The line without its tag, the program that it names, and what that says of trust."""
    match = _TAG.match(line)
    if match:
        by_kernel = "kernel" in match.group("tag", "lone_tag") and not match.group("pid")
        program = (match.group("tag") or match.group("lone_tag")).partition("[")[0]
        return line[match.end():], program, None if by_kernel else False
    match = _TAG_5424.match(line)
    if match:
        return line[match.end():], match.group("tag"), None if match.group("tag") == "kernel" else False
    match = _BARE_HOST.match(line)
    return (line[match.end():] if match else line), None, None


def _seconds(match: "re.Match[str]") -> float:
    return int(match.group("hour")) * 3600 + int(match.group("minute")) * 60 + float(match.group("second").replace(",", "."))
