# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find messages behind prefixes of an unknown kind, and learn these prefixes from the text.

Pure: records in, records out, in one pass. line_prefix.py knows the prefixes of kernels and log
daemons. People and tools put more before a line: quotes, bullets, columns, cells of a table, names
of files and hosts. No list of them is complete, so two rules find them:

- By shape: stamps, brackets, and words before a delimiter may stand before one whole message.
- By repetition: what stands before two messages, digits apart, is the prefix of both.

A prefix has no stamp that is read before it is stripped, so the known prefixes are read behind it.

An unknown prefix proves nothing: such a record is never trusted, and a tag with a pid shows that
a program wrote it. A record with a proof of its writer has no other prefix. Behind the kernel's
own prefix only brackets are one. Paths are in the messages of many kernels, and users choose them,
so a prefix that holds one is refused.
"""

import itertools
import re
from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.shipper_json import is_second_hand
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import (
    INVOKED,
    is_whole_kill,
    parse_header,
    parse_message,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Header, Kill
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import (
    KILLERS,
    PROGRAM_KILL,
    find_program,
)

# Real prefixes are shorter.
_LONGEST_PREFIX = 200
# Where a known prefix may begin in an unknown one.
_MOST_STARTS = 24
# Lines that wait for a second message with their prefix: a report has one within its first lines.
_MOST_HELD = 64

# Where a message of the kernel begins that shows a kill.
_KILL_MESSAGE = (
    r"(?:Out of [Mm]emory(?: \(oom_kill_allocating_task\))?: |Memory cgroup out of memory: "
    r"|No available memory (?:\(MPOL_BIND\)|in cpuset): )?[Kk]ill(?:ed)? process \d"
    r"|Out of memory in UB \d|oom-kill:constraint=CONSTRAINT_|Out of memory and no killable"
    r"|Kernel panic - not syncing: "
)
_KILL_WORDS = ("ill process", "illed ", "illing ", "oom-kill", "killable", "panic", "Kill '", "sigkill", "SIGKILL")
# Other lines of a report; they only help to learn a prefix.
_OTHER_MESSAGE = (
    r"|CPU: \d+ (?:UID: \d+ )?PID: \d+ Comm: |Pid: \d+, comm: |Tasks? in /|memory: usage \d|Memory cgroup stats for /"
    r"|Tasks state \(|\[ *pid *\] +uid |Mem-Info:|Call Trace:"
)
_BEGINNING = re.compile(_KILL_MESSAGE + "|" + PROGRAM_KILL)
_LANDMARK = re.compile(_KILL_MESSAGE + _OTHER_MESSAGE)

# A prefix by its shape: one part after the other, up to the message.
_PART = re.compile(
    r"\s+"
    r"|\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|<[^<>]{0,80}>"
    r"|[^\w\s]+"  # quotes, bullets, the bars of a table
    r"|\w[\w.@+-]{0,80}(?=\s?[\]:|=,;\t\"'`()}>/]| - )"  # a word before a delimiter
    r"|[\w.:+/@-]*\d[\w.:+/@-]*(?=\W)"  # a stamp, a host, a number
    r"|(?:[A-Z]|EMERG|ALERT|CRIT|ERR|ERROR|WARN|WARNING|NOTICE|INFO|DEBUG|kern|kernel)(?=\s)"
)
_BRACKETS = re.compile(r"[\s.:*-]+|c?\d+(?=\s)|\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|<[^<>]{0,80}>")
_PATH = re.compile(r"(?:[\s=(]|^)/|[\w)]=/")
_START = re.compile(r"(?<=[\s:|\]\"'`>=,;(])(?=\S)")
_PID_TAG = re.compile(r"(?P<program>[A-Za-z_][\w.@-]{0,60})(?:\[\d+\]|\( *\d+\)):\s*$")
_LAST_WORD = re.compile(r"(?P<program>[A-Za-z_][\w.@-]{0,60})(?:\[\d+\]|\( *\d+\))?\s*:\s*$")

# What may be the name of a trigger without a prefix; any other name waits for a second message.
_PLAIN_NAME = re.compile(r"[\w.-]+$|kworker/")

_CLOSING_TAG = re.compile(r"(?:</?[a-z]{1,10} ?/?>\s*)+$")
_ESCAPED_QUOTE = re.compile(r"(?:\\+[\"']|&(?:quot|#34|#39|apos);)$")
_QUOTES = "\"'`"
_CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">", "*": "*", "_": "_"}


def unwrap_records(records: Iterable[Record]) -> Iterator[Record]:
    """Yield each record, with what stands before its message stripped."""
    unwrapper = _Unwrapper()
    for record in records:
        if unwrapper.is_idle and (record.trusted is not None or not _may_hold_kill(record.text)):
            yield record
        else:
            yield from unwrapper.take(record)
    yield from unwrapper.flush()


def _may_hold_kill(text: str) -> bool:
    """Return whether a text may hold a message; most lines of a log hold none of these words."""
    if "ill" in text:
        for word in _KILL_WORDS:
            if word in text:
                return True
    return "sending SIG" in text


class _Prefix(NamedTuple):
    """An unknown prefix, and the known ones that stand before it."""

    pattern: "re.Pattern[str]"
    form: Tuple[Optional[str], bool, bool]


class _Unwrapper:
    """The prefix that was learned, and the lines that wait for one."""

    def __init__(self) -> None:
        self.is_idle = True  # neither
        self._learned: Optional[_Prefix] = None
        self._held: List[Record] = []

    def take(self, record: Record) -> List[Record]:
        """Use one record; return those that wait for nothing more, without their prefixes."""
        if record.trusted is not None:
            return self._pass(record)
        if self._learned is not None:
            stripped = _strip_unread(record, self._learned)
            if stripped is not None:
                return [*self.flush(), stripped]
        found = (_LANDMARK if self._held else _BEGINNING).search(record.text[: _LONGEST_PREFIX + 1])
        if found is None:
            name, invoked, _fields = record.text.partition(INVOKED)
            return self._hold(record) if invoked and not _PLAIN_NAME.match(name) else self._pass(record)
        if not found.start():
            return [*self.flush(), record]
        prefix = record.text[: found.start()]
        if not _may_be_prefix(record, prefix):
            return self._pass(record)
        learned = _Prefix(_compile_prefix(_find_outer(prefix, record.text)), _form_of(record))
        if not (_is_wrapped(record, prefix, learned) or any(_share(learned, one, record) for one in self._held)):
            return self._hold(record)
        self._learned, self.is_idle = learned, False
        held, self._held = self._held, []
        return [_strip_unread(one, learned) or one for one in [*held, record]]

    def flush(self) -> List[Record]:
        """Return the records that wait: nothing more than the shape of a prefix shows one."""
        held, self._held = self._held, []
        self.is_idle = self._learned is None
        return [_strip_label(one) or one for one in held]

    def _pass(self, record: Record) -> List[Record]:
        return self._hold(record) if self._held else [record]

    def _hold(self, record: Record) -> List[Record]:
        self._held.append(record)
        self.is_idle = False
        return self.flush() if len(self._held) > _MOST_HELD else []


def _may_be_prefix(record: Record, prefix: str) -> bool:
    """Return whether a text before a message may be a prefix, and not a part of the message."""
    if len(prefix) > _LONGEST_PREFIX or is_second_hand(record.raw) or _PATH.search(prefix, 1):
        return False
    is_kernels = not record.bare and (record.program == "kernel" or record.monotonic is not None)
    return not is_kernels or _consists_of(_BRACKETS, prefix)


def _is_wrapped(record: Record, prefix: str, learned: _Prefix) -> bool:
    """Return whether one message alone shows that this is its prefix.

    A kill that is there to its last size is the same message behind any text. One without sizes
    may be what any program says.
    """
    stripped = _strip_unread(record, learned)
    if stripped is None:
        return False
    text = stripped.text
    message = parse_message(text)
    if isinstance(message, Kill):
        is_plain = _consists_of(_PART if message.origin else _BRACKETS, prefix)
        return is_whole_kill(text) and (bool(message.sizes_kb) or is_plain)
    return (message is not None or find_program(text) is not None) and _consists_of(_PART, prefix)


def _share(learned: _Prefix, first: Record, second: Record) -> bool:
    """Return whether two messages have a prefix: a header and any other, or two whole ones."""
    stripped, other = _strip_unread(first, learned), _strip_unread(second, learned)
    if stripped is None or other is None:
        return False
    message = parse_message(other.text)
    return INVOKED in stripped.text or not isinstance(message, Kill) or is_whole_kill(other.text)


def _consists_of(part: "re.Pattern[str]", prefix: str) -> bool:
    return _measure_parts(part, prefix) == len(prefix)


def _measure_parts(part: "re.Pattern[str]", text: str) -> int:
    """Return how much of a text consists of such parts, from its left end."""
    at = 0
    match = part.match(text)
    while match is not None and match.end() > at:
        at = match.end()
        match = part.match(text, at)
    return at


def _find_outer(prefix: str, text: str) -> str:
    """Return the part of a prefix before the known prefixes in it, which hold stamps and tags."""
    for start in itertools.islice(_START.finditer(prefix), _MOST_STARTS):
        known = parse_text_line(text[start.start() :])
        if known.text == text[len(prefix) :]:
            return prefix[: start.start()]
    return prefix


def _compile_prefix(prefix: str) -> "re.Pattern[str]":
    """Return a pattern for a prefix, in which numbers and runs of blanks may differ."""
    parts = re.findall(r"(\d+)|(\s+)|([^\d\s]+)", prefix)
    patterns = (r"\d+" if number else r"\s+" if blanks else re.escape(text) for number, blanks, text in parts)
    return re.compile("".join(patterns))


def _strip_label(record: Record) -> Optional[Record]:
    """Return a header without the labels before the name of its task; None for any other line."""
    name = record.text.partition(INVOKED)[0]
    if parse_message(record.text) is not None or len(name) == len(record.text):
        return None
    at = _measure_parts(_PART, name)
    if at == 0 or not _may_be_prefix(record, name[:at]):
        return None
    return _strip_unread(record, _Prefix(_compile_prefix(name[:at]), _form_of(record)))


def _form_of(record: Record) -> Tuple[Optional[str], bool, bool]:
    return record.program, record.monotonic is not None, record.clock is not None


def _strip_unread(record: Record, learned: _Prefix) -> Optional[Record]:
    """Return a record without a prefix.

    None if it has another, or if its text is a message as it is: what can be read without a
    learned prefix is read so, whatever was learned.
    """
    match = learned.pattern.match(record.text)
    if not match or record.trusted is not None or _form_of(record) != learned.form:
        return None
    message = parse_message(record.text)
    is_unread = message is None or (isinstance(message, Header) and not _PLAIN_NAME.match(message.name or " "))
    return _strip(record, match) if is_unread else None


def _strip(record: Record, match: "re.Match[str]") -> Optional[Record]:
    """Return a record without what matched; None if that leaves a header without a name."""
    prefix = match.group()
    rest = record.text[match.end() :]
    inner = parse_text_line(rest)
    text = _close(inner.text, prefix)
    if "|" in record.text[: -len(inner.text) or None]:  # the row of a table ends with a bar
        text = text.rstrip(" |")
    inner = inner._replace(text=text)
    if INVOKED.strip() in inner.text and not _has_name(inner.text):
        return None
    program, trusted = inner.program or record.program, False if inner.trusted is False else None
    tag = _PID_TAG.search(prefix) or _LAST_WORD.search(prefix)
    if tag and inner.program is None and tag.group("program") != "kernel":
        is_killer = tag.group("program") in KILLERS
        program = tag.group("program") if is_killer or tag.re is _PID_TAG else program
        trusted = False if tag.re is _PID_TAG and not is_killer else trusted
    return record._replace(
        text=inner.text,
        monotonic=record.monotonic if inner.monotonic is None else inner.monotonic,
        time=inner.time or record.time,
        clock=record.clock if inner.clock is None else inner.clock,
        trusted=trusted,
        program=program,
        bare=False,
    )


def _has_name(text: str) -> bool:
    header = parse_header(text)
    return isinstance(header, Header) and header.name is not None


def _close(text: str, prefix: str) -> str:
    """Return a text without what closes the quotes, brackets and cells that its prefix opens."""
    text = _CLOSING_TAG.sub("", text.rstrip())
    escaped = _ESCAPED_QUOTE.search(prefix)
    if escaped:
        return text.partition(escaped.group())[0]
    for opening in reversed(prefix.rstrip()):
        if opening in _QUOTES:
            return _cut_at_quote(text, opening)
        if opening not in _CLOSING:
            break
        if text.endswith(_CLOSING[opening]):
            text = text[:-1].rstrip()
    return text


def _cut_at_quote(text: str, quote: str) -> str:
    r"""Return what a quote holds, up to the first of its kind that is not escaped (\" or "")."""
    end = re.search(r"(?<![\\" + quote + "])" + quote + "(?!" + quote + ")", text)
    return text[: end.start()] if end else text
