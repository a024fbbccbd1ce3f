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

import functools
import re
from typing import Callable, Dict, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import DAY, LONGEST_LINE, Place, Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import (
    CLOCK,
    DATE,
    ZONE,
    format_utc,
    utc_of_match,
)

# No real line wears more stamps than this.
MOST_PREFIXES = 12

_LEVEL = r"(?:emerg|alert|crit|err|warn|warning|notice|info|debug)"
# In any language, also as a number with its sign: "Nov", "\u043d\u043e\u044f\u0431.", "11\u6708"
_MONTH = r"(?:[^\W\d]{2,12}\.?|\d{1,2}[^\W\d])"
# dmesg -d and journalctl -o short-delta: how long after the line before
_DELTA = r"(?:\s{1,20}|\s?<\s*\d{1,12}\.\d{1,9}[ *]?>)?"
_UPTIME = r"\[\s*(?P<uptime>\d{1,12}\.\d{1,9})" + _DELTA + r"\](?:\s|$|(?=\[\s*[TC]\d))"
# As the kernel writes it, which is 14 bytes at least: with what stands before it longer than the name of a task can be.
_LONG_UPTIME = r"\[[ \d]{5,12}\.\d{6}\](?:\s|$)"
_WHOLE_UPTIME = r"(?=" + _LONG_UPTIME + r")"

# IPv6 addresses have colons; a host that nobody shall know has brackets, "<hostname>".
_HOST = r"(?:[^\s\[<:]+|[\da-fA-F]*(?::[\da-fA-F.]*){2,8}|[<\[][A-Za-z][\w.-]{0,60}[>\]]) "

# syslog of old, also with the day of the week and the year: "Nov 23 04:43:46 ", "Nov 23 2026 04:43:46 ", "Mon Nov 23 04:43:46 2026 ",
# "2026 Nov 23 04:43:46 "
_SYSLOG = re.compile(
    r"(?:[^\W\d]{1,12}\.? +|\d{4} (?=[^\W\d]))?" + _MONTH + r"\s+\d{1,2}(?: \d{4})? " + CLOCK + r"(?: \d{4})?:?\s+"
)
# dmesg -T, which is translated, and longer than the name of a task: "[Tue Mar 11 10:16:36 2025] ", "[di. 11. M\u00e4rz 2025, 10:16:36] "
_CTIME = re.compile(
    r"\[(?=[^\[\]]{14,60}\])(?=[^\[\]]{0,40}[^\W\d])[^\[\]]{2,40}?[ ,](?P<clock>\d\d[:.]\d\d[:.]\d\d)(?: \d{4}| [A-Z]{1,5})?"
    + _DELTA
    + r"\]\s?"
)
# dmesg -e and -H, to the minute or after the line before: "[Aug12 10:16] ", "[12. Aug 10:16] ", "[  +0.000012] "
_DELTA_OR_MINUTE = re.compile(
    r"\[(?:\s*\+\d{1,12}\.\d{1,9}|\s?(?:"
    + _MONTH
    + r"\s?\d{1,2}|\d{1,2}\.?\s?"
    + _MONTH
    + r")[^\s\d\[\]]? \d\d[:.]\d\d)\](?:\s|$)"
)
# talosctl dmesg: "kern:     err: [2025-04-22T10:37:36.727637155Z]: ", with the node before it where several were asked
_TALOS = re.compile(r"(?:(?P<node>[^\s\[\]]+): | )?(?P<facility>[a-z]+\d?): {1,7}" + _LEVEL + r": (?=\[\d{4}-)")
# What people and tools put before whole lines, which have a stamp: their number, the host, the prompt of a console.
_STAMPED = (
    r"(?="
    + _LONG_UPTIME
    + r"|[^\W\d]{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\[[^\[\]]{8,60}\d\d:\d\d:\d\d \d{4}\])"
)
_LABEL = re.compile(r"(?:\d{1,9}[:.)]?\s*|(?:[\w.-]+ ){0,2}[\w.-]+(?:: | # ))" + _STAMPED)

# Tried in this order at the left end of what is left of the line, by its first character.
_PREFIXES = [
    (" \t", [("talos", _TALOS), ("blank", re.compile(r"[ \t]+"))]),
    # A quoted mail, also as HTML has it; before a stamp also an item of a list, a column of a table.
    (">", [("quote", re.compile(r"(?:>[ \t]*)+"))]),
    ("&:|*#-", [("quote", re.compile(r"(?:(?:>|&gt;|[:|*#-])[ \t]+)+" + _STAMPED))]),
    (
        "[",
        [
            # dmesg, with uptime: "[  123.456789] "; the console adds the caller: "[T1] ", "[   C0] "
            ("uptime", re.compile(_UPTIME)),
            ("caller", re.compile(r"\[\s*[TC]\d+\]\s?")),
            # Talos: "[2025-04-22T10:37:36.727637155Z]: "
            ("bracketed", re.compile(r"\[" + DATE + ZONE + r"\]: ")),
            ("ctime", _CTIME),
            ("delta", _DELTA_OR_MINUTE),
        ],
    ),
    # syslog priority "<4>", and RFC 5424 "<4>1 "
    ("<", [("priority", re.compile(r"<(?P<priority>\d{1,3})>(?:1 )?"))]),
    (
        "0123456789",
        [
            ("iso", re.compile(DATE + r"(?: ?" + ZONE + r")?:?(?:\s+|$)")),  # Python's logging has a colon behind it
            ("unix", re.compile(r"(?P<epoch>\d{9,10}\.\d{6}) (?=\S)")),  # journalctl -o short-unix
            ("syslog", _SYSLOG),
            ("talos", _TALOS),
            ("label", _LABEL),
        ],
    ),
]
_WORDS = [
    # dmesg -x: "kern  :warn  : "
    ("facility", re.compile(r"(?P<facility>[a-z]+\d?) *:" + _LEVEL + r" *: ?")),
    ("talos", _TALOS),
    ("syslog", _SYSLOG),
    # journalctl: "Mon 2026-11-23 04:43:46 UTC ". The name of another zone tells nothing that could be counted with.
    ("iso", re.compile(r"[^\W\d]{2,12}\.? " + DATE + r"(?: ?" + ZONE + r"| [A-Z]{3,5}(?= " + _HOST + r"\S+: ))?\s+")),
    ("cri", re.compile(r"(?:stdout|stderr) [FP] ")),
    ("vmware", re.compile(r"In\(\d+\) \S+ - Guest: ")),
    # "kernel: ", of which somebody took off what stood before it; "kernel: [  123.456789] ", "host - [  123.456789] "
    (
        "tag",
        re.compile(r"(?:kernel: ?|[^\s\[]+ - )" + _WHOLE_UPTIME + r"|(?P<tag>kernel):(?!\s*invoked oom-killer: ) ?"),
    ),
    ("label", _LABEL),
]
_Table = Dict[str, List[Tuple[str, "re.Pattern[str]"]]]  # by the first character; "" is any other


def _table(kinds: Callable[[str], bool]) -> _Table:
    found = {first: patterns for characters, patterns in _PREFIXES for first in characters}
    found[""] = _WORDS
    return {first: [(kind, pattern) for kind, pattern in patterns if kinds(kind)] for first, patterns in found.items()}


# The name of a task, with which a message may begin, may look like what never stands there.
_ANYWHERE = _table(lambda kind: True)
_BEHIND_A_STAMP = _table(lambda kind: kind not in ("quote", "talos", "label"))
_BEHIND_THE_UPTIME = _table(lambda kind: kind in ("blank", "caller", "facility", "priority", "tag"))

_WORD = r"[A-Za-z_][\w./@()-]*"
_TAG_ITSELF = r"(?P<tag>" + _WORD + r"(?:\[\d+\])?)"

# After a stamp: "host tag: ", "host tag[pid]: "; SONiC "host ERR tag: "; RFC 5424 "host tag - - - "; "host - ". Without a host
# only "kernel: " and "tag[pid]: " are tags, as messages begin with a word and a colon, too.
_TAG = re.compile(
    r"(?:"
    + _HOST
    + r"(?:(?:EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG) )?|(?=kernel:|"
    + _WORD
    + r"\[))"
    + _TAG_ITSELF
    + r":(?: |$|(?=\[)|(?<= kernel:))"
)
# With facility and level, and maybe a host: "host kern.err kernel: "
_TAG_FACILITY = re.compile(
    r"(?:"
    + _HOST
    + r")?(?P<facility>kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7])\."
    + _LEVEL
    + r" "
    + _TAG_ITSELF
    + r":(?: |(?=\[))"
)
# After the uptime of journalctl -o short-monotonic, also without the host; that of dmesg has a message behind it, which may begin with
# words and a colon, or with the name of a task, which must not turn the kernel's words into a program's.
_TAG_UPTIME = re.compile(
    r"(?=(?:"
    + _HOST
    + r")?(?P<tag>kernel|"
    + _WORD
    + r"\[\d+\]): )(?:(?=\S+ kernel: )|(?!.{0,15} invoked oom-killer: ))(?:"
    + _HOST
    + r")?\S+ "
)
_TAG_5424 = re.compile(r"\S+ (?P<tag>\S+) \S+ \S+ (?:-|\[[^\]]*\]) ")
_BARE_HOST = re.compile(r"[^\s\[]+ - (?=\S)")
# netconsole, which a syslog server stamped
_UNTAGGED_HOST = re.compile(
    _HOST
    + r"(?:"
    + _WHOLE_UPTIME
    + r"|(?=(?:Out of [Mm]emory|Memory cgroup out of memory): |Killed process \d|CPU: \d|Pid: \d))"
)

_TAGS = (_TAG_FACILITY, _TAG, _TAG_5424, _BARE_HOST)

# What a terminal shows as colours: dmesg --color=always, and programs that take a pipe for one.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# What most lines of most logs wear, "Nov 23 04:43:46 host kernel: [  123.456789] ", taken off at once. Behind it comes the
# message, or a row of a task table, which also begins with a bracket.
_USUAL = re.compile(
    r"[A-Z][a-z]{2} [ \d]\d (\d\d:\d\d:\d\d) [^\s\[<:]+ kernel: \[ *(\d{1,12}\.\d{1,9})\] (?=[^\[<> \t]|\[ *\d+\] )"
)


def parse_text_line(line: str, place: Optional[Place] = None) -> Record:
    """Take a line of a log file apart.

    A tag of C(kernel) is no proof, as logger(1) writes any tag; a tag with a
    pid, or any other tag, is a program's, and so is what has a facility of its
    own. dmesg -x gives that of the kernel. The priority of dmesg -r has lost it,
    so that only one above 7 tells anything.
    """
    raw = line
    line = line[:LONGEST_LINE]
    if "\x1b" in line:
        line = _COLOUR.sub("", line)
    usual = _USUAL.match(line)
    if usual:
        stamp, uptime = usual.groups()
        return Record(line[usual.end() :], float(uptime), None, _clock(stamp), None, raw, None, "kernel", False, place)
    monotonic: Optional[float] = None
    clock: Optional[float] = None
    time: Optional[str] = None
    trusted: Optional[bool] = None
    program: Optional[str] = None
    table = _ANYWHERE
    for turn in range(MOST_PREFIXES):
        kind, match = _prefix(line, table)
        if match is None or (kind == "tag" and program is not None and match.group("tag")):
            break
        line = line[match.end() :]
        if kind == "uptime":
            monotonic, table = float(match.group("uptime")), _BEHIND_THE_UPTIME
            if turn == 0 and ("kernel: " in line or "]: " in line):  # a tag, which few lines have
                line, program, trusted = _peel_tag(line, _TAG_UPTIME)
        elif kind == "tag":
            program, table = match.group("tag") or program, _BEHIND_A_STAMP if table is _ANYWHERE else table
        elif kind in ("facility", "talos"):
            if match.group("facility") != "kern":
                trusted = False
            elif turn == 0 and not match.groupdict().get(
                "node"
            ):  # as dmesg writes it; behind anything else anybody may have written it
                trusted = True
        elif kind == "priority" and int(match.group("priority")) > 7:
            trusted = False
        elif kind in ("ctime", "bracketed", "iso", "syslog", "unix"):
            table = _BEHIND_A_STAMP
            if kind == "unix":
                epoch = float(match.group("epoch"))
                time, clock = format_utc(epoch), epoch % DAY
            else:
                clock = _clock(match.group("clock"))
            if kind in ("bracketed", "iso") and match.group("zone"):
                time = utc_of_match(match)
            # dmesg writes a comma into the seconds, and no tag behind the stamp.
            if kind in ("iso", "syslog", "unix") and "," not in match.group():
                patterns = (_UNTAGGED_HOST, *_TAGS) if kind == "syslog" else _TAGS
                line, program, tag_trust = _peel_tag(line, *patterns)
                trusted = tag_trust if tag_trust is not None else trusted
    return Record(line, monotonic, time, clock, trusted, raw, None, program, False, place)


def _prefix(line: str, table: _Table) -> Tuple[str, Optional["re.Match[str]"]]:
    for kind, pattern in table.get(line[:1], table[""]):
        match = pattern.match(line)
        if match:
            return kind, match
    return "", None


def _peel_tag(line: str, *patterns: "re.Pattern[str]") -> Tuple[str, Optional[str], Optional[bool]]:
    """The line without its tag, the program that it names, and what that says of trust."""
    for pattern in patterns:
        match = pattern.match(line)
        if match:
            found = match.groupdict()
            tag = found.get("tag")
            by_kernel = tag in (None, "kernel") and found.get("facility") in (None, "kern")
            return line[match.end() :], tag and tag.partition("[")[0], None if by_kernel else False
    return line, None, None


@functools.lru_cache(maxsize=16)  # many lines are of one second
def _clock(stamp: str) -> float:
    seconds = int(stamp[:2]) * 3600 + int(stamp[3:5]) * 60  # dmesg in Swedish has points between them
    return seconds + float(stamp[6:].replace(",", "."))
