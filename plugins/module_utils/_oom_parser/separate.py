# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

r"""Separate messages that lost the line ends between them.

Pure. A web page, a mail program or a JSON string makes one line of many: with blanks, with
C(<br>), or with C(\n) as two characters. Where a line was cut can only be seen in the text, and
users have a say in it: names of tasks and cgroups hold what looks like a cut. So:

- Before a cut stands a part of a message, and behind it a stamp, a kill, a summary or a header. No
  name of a task has room for more than a stamp, and what follows names follows no stamp.
- A part that holds the name of a cgroup is a whole message, and the last part is a whole kill:
  behind a name that looks like parts stands the end of its own message.

A string in quotes that begins with a header or a kill is cut everywhere.
"""

import re
from typing import Iterator, List

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import LONGEST_LINE, Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import (
    KILL_BEGINNING,
    is_whole_kill,
    parse_message,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import MemcgStats, Summary

_CUT = re.compile(
    r"(?:(?:\\r)*\\n|<br ?/?>)\s*|\s*(?P<stamp>\[[ \d]{5,12}\.\d{6}\] "
    r"|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] "
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\s\]]+ kernel: "
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20} [^\s\]]+ kernel: )"
)
_AFTER_NAMES = re.compile(r"\)| ?(?:invoked oom-killer|Not tainted|Tainted|cpuset=)|,pid=|$")
_WORDS = re.compile(r"ill process|invoked oom|oom-kill:|-rss:|total-vm|child|oom_score_adj|,uid=|Call Trace|Mem-Info")
_BEGINNING = re.compile(KILL_BEGINNING + r"|.{1,15} invoked oom-killer: ")
_TAG_WITH_PID = re.compile(r"[\w.-]+\[\d+\]: ")
_LETTER = re.compile(r"\w")
_CGROUP_NAME = re.compile(r"[\s=,(]/|cpuset=")
_CPUSET = re.compile(r".{1,15} cpuset=.* mems_allowed=[\d,-]+$")
_QUOTE = re.compile(r"[\"']")
_LONGEST_PREFIX = 100  # of a string
_LONGEST_BEGINNING = 100  # of a part, with its stamps
_MOST_MISSES = 64  # what looks like a cut and is none


def separate(record: Record) -> List[Record]:
    """Return the records of the messages in a line, which are nearly always one."""
    if record.trusted is not None:
        return [record]
    text = record.text + record.raw[LONGEST_LINE:]
    string = _find_string(text) if record.bare else 0
    parts = list(_cut(text, string))
    if len(parts) == 1 or _TAG_WITH_PID.search(parts[0]) or not (string or _are_certain(parts)):
        return [record]
    parts[0] = parts[0][string:]
    raws = [*parts[:-1], record.raw]  # the last one ends where the line ends
    return [_parse_part(record, part, raw) for part, raw in zip(parts, raws)]


def _cut(text: str, string: int) -> Iterator[str]:
    """Yield the parts of a text; C(string) is where a string in quotes begins in it, or 0."""
    words = _WORDS.search(text)
    begin = misses = 0
    for match in _CUT.finditer(text, words.start()) if words else ():
        at, behind = match.start(), match.start("stamp") if match.group("stamp") else match.end()
        before = not begin or parse_text_line(text[begin:at]).text
        rest = text[behind : behind + _LONGEST_BEGINNING]
        if before and (_LETTER.search(rest) if string else _begins_part(rest)):
            yield text[begin:at]
            begin = behind
            continue
        misses += 1
        if misses > _MOST_MISSES:
            break
    yield text[begin:]


def _begins_part(text: str) -> bool:
    rest = parse_text_line(text).text
    is_stamped = len(rest) < len(text) and _AFTER_NAMES.match(rest) is None
    return is_stamped or _BEGINNING.match(rest) is not None


def _begins_message(text: str) -> bool:
    return _BEGINNING.match(parse_text_line(text).text) is not None


def _find_string(text: str) -> int:
    """Return where a string in quotes begins that holds a message; 0 if there is none."""
    ends = [quote.end() for quote in _QUOTE.finditer(text, 0, _LONGEST_PREFIX)]
    return max((end for end in ends if _begins_message(text[end : end + _LONGEST_BEGINNING])), default=0)


def _are_certain(parts: List[str]) -> bool:
    """Return whether no name of a cgroup can have made these parts."""
    texts = [parse_text_line(part).text for part in parts]
    while len(texts) > 1 and texts[-1].startswith("oom_reaper: "):
        del texts[-1]
    named = [text for text in texts[:-1] if _CGROUP_NAME.search(text)]
    return not named or (all(map(_has_own_end, named)) and is_whole_kill(texts[-1]))


def _has_own_end(text: str) -> bool:
    if _CUT.search(text):
        return False
    message = parse_message(text)
    if isinstance(message, Summary):
        return message.pid is not None
    if isinstance(message, MemcgStats):
        return message.memcg is not None
    return _CPUSET.match(text) is not None


def _parse_part(record: Record, part: str, raw: str) -> Record:
    inner = parse_text_line(part)
    is_bare = record.bare and (inner.monotonic, inner.clock, inner.program) == (None, None, None)
    return merge(record, inner)._replace(raw=raw, bare=is_bare)


def merge(record: Record, inner: Record) -> Record:
    """Return a part of a record, with its own stamps if it has any; it is never trusted."""
    return record._replace(
        text=inner.text,
        monotonic=record.monotonic if inner.monotonic is None else inner.monotonic,
        time=inner.time or record.time,
        clock=record.clock if inner.clock is None else inner.clock,
        trusted=False if inner.trusted is False else None,
        program=inner.program or record.program,
    )
