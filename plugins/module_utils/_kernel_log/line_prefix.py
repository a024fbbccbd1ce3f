# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Strip the prefixes of a line of kernel text, and read their stamps, tags and facilities.

Pure. The same message arrives from /dev/kmsg, from dmesg in five formats, from syslog and journal
files of every age, and from tools that add their own stamps. A prefix is recognised by its
content, never by its column. Stamps and tags are stripped from the left end, one at a time, until
no prefix is left.

To add a prefix, write its pattern, and add it to _PREFIXES under the first characters that it can
have. A tag that follows a stamp goes into _TAGS, _HOST_TAGS or _UPTIME_TAGS instead. A method
of _Prefixes reads a prefix that has a stamp, a tag or a facility.
"""

import functools
import re
from typing import Callable, Dict, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import DAY, LONGEST_LINE, Place, Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import (
    CLOCK,
    DATE,
    ZONE,
    format_match,
    format_utc,
)

# No real line has more prefixes than this.
MOST_PREFIXES = 12

# --- patterns of stamps and labels ---------------------------------------------------------

_LEVEL = r"(?:emerg|alert|crit|err|warn|warning|notice|info|debug)"
# In any language, also as a number with its sign: "Nov", "\u043d\u043e\u044f\u0431.", "11\u6708"
_MONTH = r"(?:[^\W\d]{2,12}\.?|\d{1,2}[^\W\d])"
# dmesg -d and journalctl -o short-delta: the time since the previous line
_DELTA = r"(?:\s{1,20}|\s?<\s*\d{1,12}\.\d{1,9}[ *]?>)?"
# dmesg, with uptime: "[  123.456789] "
_UPTIME = re.compile(r"\[\s*(?P<uptime>\d{1,12}\.\d{1,9})" + _DELTA + r"\](?:\s|$|(?=\[\s*[TC]\d))")
# An uptime as the kernel writes it has at least 14 bytes. With its prefix it is longer than any
# task's name.
_LONG_UPTIME = r"\[[ \d]{5,12}\.\d{6}\](?:\s|$)"
_BEFORE_UPTIME = r"(?=" + _LONG_UPTIME + r")"
# The console adds the caller after the uptime: "[T1] ", "[   C0] "
_CALLER = re.compile(r"\[\s*[TC]\d+\]\s?")

_NAME_BYTES = 15

# IPv6 addresses have colons. An anonymised host has brackets, "<hostname>".
_HOST = (
    r"(?!(?:TRACE|DEBUG|INFO|WARN|ERROR) )"  # the level of a program that relays the log
    r"(?:[^\s\[<:]+|[\da-fA-F]*(?::[\da-fA-F.]*){2,8}|[<\[][A-Za-z][\w.-]{0,60}[>\]])[ \t]"
)

# Traditional syslog, also with the day of the week and the year: "Nov 23 04:43:46 ",
# "Nov 23 2026 04:43:46 ", "Mon Nov 23 04:43:46 2026 ", "2026 Nov 23 04:43:46 "
_SYSLOG = re.compile(
    r"(?:[^\W\d]{1,12}\.? +|\d{4} (?=[^\W\d]))?" + _MONTH + r"\s+\d{1,2}(?: \d{4})? " + CLOCK + r"(?: \d{4})?:?\s+"
)
# dmesg -T, in the user's language, and longer than a task's name: "[Tue Mar 11 10:16:36 2025] ",
# "[di. 11. M\u00e4rz 2025, 10:16:36] "
_CTIME = re.compile(
    r"\[(?=[^\[\]]{14,60}\])(?=[^\[\]]{0,40}[^\W\d])[^\[\]]{2,40}?[ ,]"
    + r"(?P<clock>\d\d[:.]\d\d[:.]\d\d)(?: [A-Z]{1,5})?(?: \d{4})?"
    + _DELTA
    + r"\]\s?"
)
# dmesg -e and -H, to the minute or since the previous line: "[Aug12 10:16] ", "[12. Aug 10:16] ",
# "[  +0.000012] "
_DELTA_OR_MINUTE = re.compile(
    r"\[(?:\s*\+\d{1,12}\.\d{1,9}|\s?(?:"
    + _MONTH
    + r"\s?\d{1,2}|\d{1,2}\.?\s?"
    + _MONTH
    + r")[^\s\d\[\]]? \d\d[:.]\d\d)\](?:\s|$)"
)
_ISO = re.compile(DATE + r"(?: ?" + ZONE + r")?:?(?:\s+|$)")  # Python's logging adds a colon
# journalctl: "Mon 2026-11-23 04:43:46 UTC ". The name of another zone gives no offset.
_WEEKDAY_ISO = re.compile(r"[^\W\d]{2,12}\.? " + DATE + r"(?: ?" + ZONE + r"| [A-Z]{3,5}(?= " + _HOST + r"\S+: ))?\s+")
# Tools, and Talos with a colon: "[2026-11-23 04:43:46] ", "[2025-04-22T10:37:36.727637155Z]: "
_BRACKETED_ISO = re.compile(r"\[" + DATE + r"(?: ?" + ZONE + r")?\](?P<colon>:)?\s")
_UNIX = re.compile(r"(?P<epoch>\d{9,10}\.\d{6}) (?=\S)")  # journalctl -o short-unix

# syslog "<4>", RFC 5424 "<4>1 ", and facility and level of openSUSE "<0.4> "
_PRIORITY = re.compile(r"<(?:(?P<code>\d{1,2})\.[0-7]|(?P<priority>\d{1,3}))>(?:1 )?")
_FACILITY = re.compile(r"(?P<facility>[a-z]+\d?) *:" + _LEVEL + r" *: ?")  # dmesg -x: "kern  :warn  : "
# talosctl dmesg: "kern:     err: [2025-04-22T10:37:36.727637155Z]: ", after the node's address
# if several nodes were asked
_TALOS = re.compile(r"(?:(?P<node>[^\s\[\]]+): | )?(?P<facility>[a-z]+\d?): {1,7}" + _LEVEL + r": (?=\[\d{4}-)")
_CRI = re.compile(r"(?:stdout|stderr) [FP] ")
_VMWARE = re.compile(r"In\(\d+\) \S+ - Guest: ")

# People and tools put a number, the host or a console's prompt before whole lines with a stamp.
_BEFORE_STAMP = (
    r"(?="
    + _LONG_UPTIME
    + r"|[^\W\d]{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\[[^\[\]]{8,60}\d\d:\d\d:\d\d \d{4}\])"
)
_LABEL = re.compile(r"(?:\d{1,9}[:.)]?\s*|(?:[\w.-]+ ){0,2}[\w.-]+(?:: | # ))" + _BEFORE_STAMP)
_BLANK = re.compile(r"[ \t]+")
# A quoted mail, also in HTML; before a stamp also a list item, or a column of a table.
_QUOTE = re.compile(r"(?:>[ \t]*)+")
_QUOTE_BEFORE_STAMP = re.compile(r"(?:(?:>|&gt;|[:|*#-])[ \t]+)+" + _BEFORE_STAMP)
# "kernel: " without its stamp; "kernel: [  123.456789] ", "host - [  123.456789] "
_LONE_TAG = re.compile(
    r"(?:kernel(?:\[0\])?: ?|[^\s\[]+ - )"
    + _BEFORE_UPTIME
    + r"|(?P<tag>kernel)(?:\[0\])?:(?!\s*invoked oom-killer: ) ?"
    # The host before it, where no name of a task has room for what follows.
    + r"|[\w.-]{1,64} (?=kernel: (?:Out of [Mm]emory: |Memory cgroup out of memory: )[Kk]ill(?:ed)? process \d)"
)
# A killer's tag without its stamp. The name of a task has room for a line end, such a tag and five
# more bytes; what the kernel prints after that is no message of a killer.
_LONE_KILLER = re.compile(
    r"(?P<tag>earlyoom|nohang|nohang-desktop|systemd-oomd|oomd|lmkd)\[\d+\]: "
    r"(?=[^()]{6})(?!.{0,5}(?:\binvoked oom-killer: | (?:Not t|T)ainted))"
)

# --- patterns of tags, which follow a stamp ------------------------------------------------

_WORD = r"[A-Za-z_][\w./@()-]*"
_NAMED_TAG = r"(?P<tag>" + _WORD + r"(?:\[\d+\])?)"

# "host tag: ", "host tag[pid]: "; SONiC "host ERR tag: ". Without a host only "kernel: " and
# "tag[pid]: " are tags, as a message may begin with a word and a colon too.
_TAG = re.compile(
    r"(?:"
    + _HOST
    + r"(?:(?:EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG) )?|(?=kernel:|"
    + _WORD
    + r"\[))"
    + _NAMED_TAG
    + r":(?:[ \t]|$|(?=\[)|(?<= kernel:))"
)
# With facility and level, with or without a host: "host kern.err kernel: "
_TAG_FACILITY = re.compile(
    r"(?:"
    + _HOST
    + r")?(?P<facility>kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7])\."
    + _LEVEL
    + r" "
    + _NAMED_TAG
    + r":(?: |(?=\[))"
)
# After the uptime of journalctl -o short-monotonic, with or without a host. After dmesg's uptime
# comes a message. It may begin with words and a colon, or with the name of a task. These must not
# make the kernel's line look like a program's.
_TAG_UPTIME = re.compile(
    r"(?=(?:"
    + _HOST
    + r")?(?P<tag>kernel|"
    + _WORD
    + r"\[\d+\]): )(?:(?=\S+ kernel: )|(?!.{0,15} invoked oom-killer: ))(?:"
    + _HOST
    + r")?\S+ "
)
# RFC 5424 "host tag - - - "; an uptime and a row of the task table are no fields
_TAG_5424 = re.compile(r"\S+ (?P<tag>\S+) (?!\[ )\S+ \S+ (?:-|\[[^\]]*\]) ")
_BARE_HOST = re.compile(r"[^\s\[]+ - (?=\S)")  # "host - "
# netconsole's lines, stamped by a syslog server
_UNTAGGED_HOST = re.compile(
    _HOST
    + r"(?:"
    + _BEFORE_UPTIME
    + r"|(?=(?:Out of [Mm]emory|Memory cgroup out of memory): |Killed process \d|CPU: \d|Pid: \d"
    + r"|(?:memory(?:\+swap)?|swap|kmem): usage \d|Mem-Info:|oom-killer: gfp_mask=))"
)

_KERNEL_TAGS = (None, "kernel", "kernel[0]")  # some log daemons write its pid, which no program has
_TAGS = (_TAG_FACILITY, _TAG, _TAG_5424, _BARE_HOST)
_HOST_TAGS = (_UNTAGGED_HOST, *_TAGS)
_UPTIME_TAGS = (_TAG_UPTIME,)

# --- the data in prefixes ------------------------------------------------------------------


class _Prefixes:
    """The data of the prefixes stripped so far, and the prefixes that may follow.

    Each C(read_) method handles one kind of prefix. It takes the match and the text after it,
    and returns the text that is left.
    """

    __slots__ = ("clock", "line", "monotonic", "program", "start", "table", "time", "trusted")

    line: str  # the whole line, with all prefixes
    start: str  # the line without blanks and quotes before it
    table: "_Table"  # which prefixes may follow
    monotonic: Optional[float]
    clock: Optional[float]
    time: Optional[str]
    trusted: Optional[bool]
    program: Optional[str]

    def __init__(self, line: str) -> None:
        self.line = self.start = line
        self.table = _ANYTHING
        self.monotonic = self.clock = self.time = self.trusted = self.program = None

    def read_uptime(self, match: "re.Match[str]", text: str) -> str:
        self.monotonic, self.table = float(match.group("uptime")), _AFTER_UPTIME
        # In an indented line, a name with a line end has no room for a whole uptime and a tag.
        is_first = match.string is self.line or (match.string is self.start and len(match.group()) >= _NAME_BYTES)
        if is_first and ("kernel: " in text or "]: " in text):  # few lines have a tag
            return self._strip_tag(text, _UPTIME_TAGS)
        return text

    def read_indent(self, match: "re.Match[str]", text: str) -> str:
        if match.string is self.start:
            self.start = text
        return text

    def read_tag(self, match: "re.Match[str]", text: str) -> str:
        tag = match.group("tag")
        if tag:
            if self.program is not None:
                self.table = _NOTHING  # a second tag is part of the message
                return match.string
            self.program = tag
            if tag != "kernel":
                self.trusted = False
        if self.table is _ANYTHING:
            self.table = _AFTER_STAMP
        return text

    def read_facility(self, match: "re.Match[str]", text: str) -> str:
        if match.group("facility") != "kern":
            self.trusted = False
        elif match.string is self.line:  # dmesg -x writes it first; after another prefix, any program can write it
            self.trusted = True
        return text

    def read_talos(self, match: "re.Match[str]", text: str) -> str:
        if match.group("node") and match.group("facility") == "kern":
            return text  # any program can write it after a name and a colon
        return self.read_facility(match, text)

    def read_priority(self, match: "re.Match[str]", text: str) -> str:
        if int(match.group("code") or 0) > 0 or int(match.group("priority") or 0) > 7:
            self.trusted = False
        return text

    def read_bracketed_clock(self, match: "re.Match[str]", text: str) -> str:
        self.table = _AFTER_STAMP
        self.clock = _parse_clock(match.group("clock"))
        return text

    def read_bracketed_iso(self, match: "re.Match[str]", text: str) -> str:
        if match.group("zone"):
            self.time = format_match(match)
        self.read_bracketed_clock(match, text)
        return text if match.group("colon") or text.startswith("[") else self._strip_tag(text, _TAGS)

    def read_iso(self, match: "re.Match[str]", text: str) -> str:
        self.table = _AFTER_STAMP
        self.clock = _parse_clock(match.group("clock"))
        if match.group("zone"):
            self.time = format_match(match)
        # dmesg writes a comma into the seconds, and no tag after the stamp.
        return text if "," in match.group() else self._strip_tag(text, _HOST_TAGS)

    def read_syslog(self, match: "re.Match[str]", text: str) -> str:
        self.table = _AFTER_STAMP
        self.clock = _parse_clock(match.group("clock"))
        return text if "," in match.group() else self._strip_tag(text, _HOST_TAGS)

    def read_unix(self, match: "re.Match[str]", text: str) -> str:
        self.table = _AFTER_STAMP
        epoch = float(match.group("epoch"))
        self.time, self.clock = format_utc(epoch), epoch % DAY
        return self._strip_tag(text, _TAGS)

    def _strip_tag(self, text: str, patterns: Tuple["re.Pattern[str]", ...]) -> str:
        """Set the program from the tag; distrust any tag or facility except the kernel's."""
        for pattern in patterns:
            match = pattern.match(text)
            if match:
                found = match.groupdict()
                tag = found.get("tag")
                self.program = tag and tag.partition("[")[0]
                if tag not in _KERNEL_TAGS or found.get("facility") not in (None, "kern"):
                    self.trusted = False
                return text[match.end() :]
        self.program = None
        return text


@functools.lru_cache(maxsize=16)  # many lines have the same second
def _parse_clock(stamp: str) -> float:
    """Return the seconds of the day in a stamp. In Swedish it has points instead of colons."""
    seconds = int(stamp[:2]) * 3600 + int(stamp[3:5]) * 60
    return seconds + float(stamp[6:].replace(",", "."))


# --- which prefix may stand where ----------------------------------------------------------

# The patterns that may match at the left end, by first character ("" is any other), in the order
# in which they are tried. A prefix without a method has no data.
_Reader = Callable[[_Prefixes, "re.Match[str]", str], str]
_Table = Dict[str, List[Tuple["re.Pattern[str]", Optional[_Reader]]]]

_PREFIXES: List[Tuple[str, List[Tuple["re.Pattern[str]", Optional[_Reader]]]]] = [
    (" \t", [(_TALOS, _Prefixes.read_talos), (_BLANK, _Prefixes.read_indent)]),
    (">", [(_QUOTE, _Prefixes.read_indent)]),
    ("&:|*#-", [(_QUOTE_BEFORE_STAMP, None)]),
    (
        "[",
        [
            (_UPTIME, _Prefixes.read_uptime),
            (_CALLER, None),
            (_BRACKETED_ISO, _Prefixes.read_bracketed_iso),
            (_CTIME, _Prefixes.read_bracketed_clock),
            (_DELTA_OR_MINUTE, None),
        ],
    ),
    ("<", [(_PRIORITY, _Prefixes.read_priority)]),
    (
        "0123456789",
        [
            (_ISO, _Prefixes.read_iso),
            (_UNIX, _Prefixes.read_unix),
            (_SYSLOG, _Prefixes.read_syslog),
            (_TALOS, _Prefixes.read_talos),
            (_LABEL, None),
        ],
    ),
    (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",  # most lines and most messages; the other words begin with a small letter
        [
            (_SYSLOG, _Prefixes.read_syslog),
            (_TALOS, _Prefixes.read_talos),
            (_WEEKDAY_ISO, _Prefixes.read_iso),
            (_VMWARE, None),
            (_LONE_TAG, _Prefixes.read_tag),
            (_LABEL, None),
        ],
    ),
    (
        "",
        [
            (_FACILITY, _Prefixes.read_facility),
            (_TALOS, _Prefixes.read_talos),
            (_SYSLOG, _Prefixes.read_syslog),
            (_WEEKDAY_ISO, _Prefixes.read_iso),
            (_CRI, None),
            (_VMWARE, None),
            (_LONE_TAG, _Prefixes.read_tag),
            (_LONE_KILLER, _Prefixes.read_tag),
            (_LABEL, None),
        ],
    ),
]


def _build_table(is_allowed: Callable[["re.Pattern[str]"], bool]) -> _Table:
    """Return the allowed patterns by the first character of the text."""
    return {
        first: [(pattern, reader) for pattern, reader in patterns if is_allowed(pattern)]
        for characters, patterns in _PREFIXES
        for first in characters or [""]
    }


# A message may begin with a task's name that looks like a prefix. So after a stamp or an uptime
# only the prefixes that really follow it are tried.
_ANYTHING = _build_table(lambda pattern: True)
_AFTER_STAMP = _build_table(lambda pattern: pattern not in (_QUOTE, _QUOTE_BEFORE_STAMP, _TALOS, _LABEL, _LONE_KILLER))
_AFTER_UPTIME = _build_table(lambda pattern: pattern in (_BLANK, _CALLER, _FACILITY, _PRIORITY, _LONE_TAG))
_NOTHING = _build_table(lambda pattern: False)

# --- one line ------------------------------------------------------------------------------

# What terminals read and people do not see: colours (dmesg --color=always, grep), links
# (journalctl), stamps (Buildkite). A name can hold the beginning of each, but what the kernel
# writes after a name is no end of it.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[A-Za-z]|\]8;[^\x07\x1b=\s]{0,300}(?:\x07|\x1b\\)|_bk;t=\d{1,15}\x07)")
# Colours of a whole line (dmesg) whose escape characters were copied as text, or lost. Without them
# the first one has a number: dmesg -T writes "[mer. mai  6 11:12:13 2026] ".
_SEEN_ESCAPE = r"(?:\^\[|\\(?:x1b|u001b|033|e)|\u241b)"
_SEEN_COLOURS = re.compile(_SEEN_ESCAPE + r"?\[\d{0,3}(?:;\d{1,3}){0,4}m")
_FIRST_COLOUR = re.compile(r"(?:" + _SEEN_ESCAPE + r"\[\d{0,3}|\[\d{1,3})(?:;\d{1,3}){0,4}m")
_COLOUR_STARTS = "[^\\\u241b"
# Colours of grep that were copied without their escape characters; no name has room for a pair.
_COPIED_COLOURS = re.compile(r"(?:\^\[)?\[0?1;3\dm(?:\^\[)?\[K(.{3,200}?)(?:\^\[)?\[m(?:\^\[)?\[K")

# The prefix of most lines of most logs, "Nov 23 04:43:46 host kernel: [  123.456789] ", stripped
# at once. After it comes the message, or a row of a task table, which also begins with a bracket.
_USUAL = re.compile(
    r"[A-Z][a-z]{2} [ \d]\d (\d\d:\d\d:\d\d) [^\s\[<:]+ kernel: \[ *(\d{1,12}\.\d{1,9})\] (?=[^\[<> \t]|\[ *\d+\] )"
)


def parse_usual_line(line: str, place: Callable[[], Optional[Place]]) -> Optional[Record]:
    """Return the record of a line with the prefix of most lines of most logs; None for any other.

    It is what parse_text_line() returns, in less time. None for a line with colours, and for one
    that may be two lines.
    """
    usual = _USUAL.match(line)
    if usual is None or len(line) > LONGEST_LINE or "\x1b" in line or "[K" in line:
        return None
    return None if line.find(" kernel: ", usual.end()) >= 0 else _make_usual(usual, line, place())


def _make_usual(usual: "re.Match[str]", line: str, place: Optional[Place]) -> Record:
    """Return the record of a line by the match of its usual prefix."""
    stamp, uptime = usual.groups()
    text = usual.string[usual.end() :]
    facts = (text, float(uptime), None, _parse_clock(stamp), None, line, None, "kernel", False, place, False, ())
    return tuple.__new__(Record, facts)  # Record() itself takes twice as long


def parse_text_line(line: str, place: Optional[Place] = None) -> Record:
    """Return the record of a line of a log file.

    The tag C(kernel) is no proof, because logger(1) writes any tag. Any other tag, a tag with a
    pid, and any facility except the kernel's prove that a program wrote the line. C(dmesg -x)
    writes the facility. C(dmesg -r) writes a priority without facility: only a priority above 7
    is evidence of a program.
    """
    text = line[:LONGEST_LINE]
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if text[:1] in _COLOUR_STARTS and _FIRST_COLOUR.match(text):
        text = _SEEN_COLOURS.sub("", text)
    if "[K" in text:
        text = _COPIED_COLOURS.sub(r"\1", text)
    usual = _USUAL.match(text)
    if usual:
        return _make_usual(usual, line, place)
    prefixes = _Prefixes(text)
    for _turn in range(MOST_PREFIXES):
        table = prefixes.table
        for pattern, read in table.get(text[:1], table[""]):
            match = pattern.match(text)
            if match:
                rest = text[match.end() :]
                text = rest if read is None else read(prefixes, match, rest)
                break
        else:  # no prefix is left
            break
    return Record(
        text,
        prefixes.monotonic,
        prefixes.time,
        prefixes.clock,
        prefixes.trusted,
        line,
        None,
        prefixes.program,
        False,
        place,
    )
