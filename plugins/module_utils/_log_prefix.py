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

import datetime
import json
import re
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

# A record of the kernel's buffer holds about 1 KiB, four times that when
# escaped. Longer lines are not its own; the rest of them is not looked at.
LONGEST_LINE = 8192

# A journal entry of the kernel is a message of those and a few dozen short fields; bytes that are numbers take up to five characters each.
LONGEST_ENTRY = 8 * LONGEST_LINE

# No real line wears more stamps than this.
MOST_PREFIXES = 12


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
    program: Optional[str] = None  # what the tag says that it was, which anybody can write


# --- records of /dev/kmsg: "prio,seq,usec,flags[,caller=T1];text" ------------

_KMSG = re.compile(r"(\d+),(\d+),(\d+),[^;,]*(?:,[^;]*)?;")


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


# --- records of the journal, in JSON (systemd.journal-fields(7), journalctl(1) on JSON) ----

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def journal_record(fields: Dict[str, Any]) -> Optional[Record]:
    """Take an entry of the journal apart; None when it has no message, or one that is too long to be told (null).

    Fields that begin with "_" are journald's own, so that no program can say
    that it is the kernel. What a program writes to /dev/kmsg has the transport
    of the kernel, but never its facility.
    """
    message = fields.get("MESSAGE")
    if isinstance(message, list) and message and all(isinstance(byte, int) and 0 <= byte < 256 for byte in message):
        message = bytes(message).decode("utf-8", "backslashreplace")  # not UTF-8, or with control characters
    if not isinstance(message, str):
        return None
    text = _CONTROL.sub(lambda match: "\\x{0:02x}".format(ord(match.group())), message.rstrip("\n"))[:LONGEST_LINE]  # as /dev/kmsg writes it
    by_kernel = fields.get("_TRANSPORT") == "kernel" and fields.get("SYSLOG_FACILITY", "0") == "0"
    uptime = _microseconds(fields, "_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
    written = _microseconds(fields, "__REALTIME_TIMESTAMP")
    moment = None
    if written is not None:
        moment = datetime.datetime.fromtimestamp(written, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    boot, program = (fields[name] if isinstance(fields.get(name), str) else None for name in ("_BOOT_ID", "SYSLOG_IDENTIFIER"))
    return Record(text, uptime, moment, uptime if uptime is not None else written, by_kernel, message, boot, program)


def _microseconds(fields: Dict[str, Any], *names: str) -> Optional[float]:
    """The first of these fields that is a number, in seconds."""
    found = next((fields[name] for name in names if str(fields.get(name, "")).isdigit()), None)
    return None if found is None else min(int(found) / 1e6, _LATEST)


_LATEST = 253402300799.0  # the end of the year 9999


# --- lines of text -------------------------------------------------------------

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:[.,]\d+)?)"
_DATE = r"(?P<date>\d{4}-\d\d-\d\d)[T ]" + _CLOCK
_ZONE = r"(?P<zone>Z|UTC|[+-]\d\d:?\d\d)"

# Tried in this order at the left end of what is left of the line.
_PREFIXES = [
    ("quote", re.compile(r"(?:>\s?|[ \t]+)+")),
    # dmesg, with uptime: "[  123.456789] "; the console adds the caller: "[T1] ", "[   C0] "
    ("uptime", re.compile(r"\[\s*(?P<uptime>\d+\.\d+)\]\s?")),
    ("caller", re.compile(r"\[\s*[TC]\d+\]\s?")),
    # dmesg -T, day and month in any language: "[Tue Mar 11 10:16:36 2025] "
    ("ctime", re.compile(r"\[[^\[\]\d]{3,30}\d{1,2} " + _CLOCK + r" \d{4}\]\s?")),
    # dmesg -x: "kern  :warn  : "
    ("facility", re.compile(r"(?P<facility>[a-z]+\d?) *:(?:emerg|alert|crit|err|warn|notice|info|debug) *: ?")),
    # syslog priority "<4>", and RFC 5424 "<4>1 "
    ("priority", re.compile(r"<(?P<priority>\d{1,3})>(?:1 )?")),
    ("iso", re.compile(r"(?:[^\W\d]{2,12}\.? )?" + _DATE + r"(?: ?" + _ZONE + r")?\s+")),
    # syslog of old, month in any language, also with the year: "Nov 23 04:43:46 ", "Nov 23 2026 04:43:46 "
    ("syslog", re.compile(r"[^\W\d]{2,12}\.?\s+\d{1,2}(?: \d{4})? " + _CLOCK + r"\s+")),
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

# Two lines that lost the line end between them: "...was HUPedFeb  9 11:55:27 qa01 kernel: sshd invoked..."
_GLUED = re.compile(r"(?<=\S)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ kernel: ")


def text_record(line: str) -> Record:
    """Take a line of a log file apart.

    A tag of C(kernel) is no proof, as logger(1) writes any tag; a tag with a
    pid, or any other tag, is a program's. dmesg -x gives the facility. The
    priority of dmesg -r has lost it, so that only one above 7 tells anything.
    """
    raw = line
    line = line[:LONGEST_LINE]
    monotonic = None  # type: Optional[float]
    clock = None  # type: Optional[float]
    time = None  # type: Optional[str]
    trusted = None  # type: Optional[bool]
    program = None  # type: Optional[str]
    for _turn in range(MOST_PREFIXES):
        kind, match = _prefix(line)
        if match is None:
            break
        line = line[match.end():]
        if kind == "uptime":
            monotonic = float(match.group("uptime"))
        elif kind == "facility":
            trusted = match.group("facility") == "kern"
        elif kind == "priority" and int(match.group("priority")) > 7:
            trusted = False
        elif kind in ("ctime", "iso", "syslog"):
            clock = _seconds(match)
            if kind == "iso" and match.group("zone"):
                time = _utc(match)
            # dmesg writes a comma into the seconds, and no tag behind the stamp.
            if kind != "ctime" and "," not in match.group("second"):
                line, program, tag_trust = _peel_tag(line)
                trusted = tag_trust if tag_trust is not None else trusted
    return Record(line, monotonic, time, clock if monotonic is None else monotonic, trusted, raw, None, program)


def _prefix(line: str) -> Tuple[str, Optional["re.Match[str]"]]:
    for kind, pattern in _PREFIXES:
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


def _utc(match: "re.Match[str]") -> Optional[str]:
    """ISO 8601 in UTC; None for a date that does not exist."""
    zone = match.group("zone")
    offset = 0
    if zone not in ("Z", "UTC"):
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    second, _point, fraction = match.group("second").replace(",", ".").partition(".")
    stamp = "{0} {1}:{2}:{3}".format(match.group("date"), match.group("hour"), match.group("minute"), second)
    try:
        moment = datetime.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S") - datetime.timedelta(minutes=offset)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction[:6] if fraction else "") + "Z"


def records_of(lines: Iterable[str]) -> Iterator[Record]:
    """Records of the lines of a file, in whatever forms they come."""
    in_kmsg = False
    for line in lines:
        kmsg = kmsg_record(line)
        entry = _journal_entry(line) if line.startswith("{") else None
        if kmsg:
            in_kmsg = True
            yield kmsg.record
        elif entry is not None:
            yield entry
        elif not (in_kmsg and line.startswith(" ")):  # a dictionary line " KEY=value" of the record above
            in_kmsg = False
            for part in _unglued(line):
                yield text_record(part)


def _journal_entry(line: str) -> Optional[Record]:
    try:
        fields = json.loads(line) if len(line) <= LONGEST_ENTRY else None
    except (ValueError, RecursionError):
        return None
    return journal_record(fields) if isinstance(fields, dict) and "MESSAGE" in fields else None


def _unglued(line: str) -> List[str]:
    cuts = [0] + [match.start() for match in _GLUED.finditer(line[:LONGEST_LINE])] + [len(line)]
    return [line[start:end] for start, end in zip(cuts, cuts[1:])]
