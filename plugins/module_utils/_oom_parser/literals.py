# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

r"""Join the string literals of a program's source that hold one message.

Pure. Compilers and interpreters join literals that stand beside each other, as C, Python and Go
programmers write long lines: C("Out of memory: " "Killed process 7 (x)\n"). Blanks, a line end, a
plus or a point may stand between two. A comma separates two strings, which stay apart: in a list it
shows where a message ends.

Only lines without a stamp are literals. They are joined up to the one that ends with a line end, or
until the message is whole. If it never is, they stay as they are.
"""

import re
from typing import Iterable, Iterator, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.completeness import may_begin_message
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import is_whole_kill, parse_message
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    Header,
    Kill,
    Summary,
)

_MOST_LITERALS = 32
_JOINTS = {quote: re.compile(quote + r"(?:\s+|\s*[+.]\s*)[bfru]{0,2}" + quote) for quote in "\"'`"}
_LITERAL = re.compile(
    r"(?P<before>[^\"'`]{0,60})(?P<quote>[\"'`])(?P<content>.+)(?P=quote)(?P<behind>\s{0,8}[+.\\]?|[;)\s]{1,8}|[,\]}]{1,3})$"
)
_ENDS_OF_LIST = (",", "]", "}")
_NAME = re.compile(r".{1,15} ?$")
_REST_OF_HEADER = re.compile(r" ?invoked oom-killer: ")
_REST_OF_SIZES = re.compile(r"[, ]*(?:[a-z]*-?rss:|vm:|UID:|pgtables:|oom_score_adj:|\d*kB|\d+[, ]|\d+(?:\\n)?$)")
_LINE_END = re.compile(r"(?:\\r)*\\n$")


class _Literal(NamedTuple):
    record: Record
    before: str
    quote: str
    content: str
    behind: str


def join_literals(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records, those of the literals of one message joined."""
    run: List[_Literal] = []  # which may go on
    for record in records:
        literal = _parse_literal(record) if record.bare and record.trusted is None else None
        if run and not (literal and _may_follow(run, literal)):
            yield from _join(run)
            run = []
        if literal is None or (not run and literal.behind.endswith(_ENDS_OF_LIST)):
            yield record
            continue
        run.append(literal)
        is_last = _LINE_END.search(literal.content) or literal.behind.endswith(_ENDS_OF_LIST)
        if is_last or not (_may_begin(_text_of(run)) or _NAME.match(_text_of(run))):
            yield from _join(run)
            run = []
    yield from _join(run)


def _parse_literal(record: Record) -> Optional[_Literal]:
    """Return the literals of a line as one; None for any other line."""
    match = _LITERAL.match(record.text.rstrip())
    if not match:
        return None
    before, quote, content, behind = match.group("before", "quote", "content", "behind")
    if quote + " " in content or "+" in content or "." in content:
        content = _JOINTS[quote].sub("", content)
    return _Literal(record._replace(text=before + quote + content + quote + behind), before, quote, content, behind)


def _text_of(run: List[_Literal]) -> str:
    return parse_text_line("".join(one.content for one in run)).text


def _may_follow(run: List[_Literal], literal: _Literal) -> bool:
    """Return whether a literal may go on with the message of those before it."""
    if literal.quote != run[0].quote or len(run) == _MOST_LITERALS:
        return False
    text = _text_of(run)
    if not _may_begin(text):
        return _REST_OF_HEADER.match(literal.content) is not None
    return _REST_OF_SIZES.match(literal.content) is not None or not _is_whole(text)


def _join(run: List[_Literal]) -> List[Record]:
    """Return one record if the literals are a message to its end, else those of all of them."""
    if not run or not (_LINE_END.search(run[-1].content) or _is_whole(_text_of(run)) or _is_item(run)):
        return [one.record for one in run]
    first, last = run[0], run[-1]
    content = _LINE_END.sub("", "".join(one.content for one in run))
    text = first.before + first.quote + content + first.quote + last.behind
    return [first.record._replace(text=text, raw="\n".join(one.record.raw for one in run))]


def _is_item(run: List[_Literal]) -> bool:
    """Return whether literals are an item of a list, with a message that a part of it was not."""
    message = parse_message(_text_of(run)) if run[-1].behind.endswith(_ENDS_OF_LIST) else None
    return message is not None and not isinstance(message, Kill)


def _may_begin(text: str) -> bool:
    return may_begin_message(text, parse_message(text))


def _is_whole(text: str) -> bool:
    message = parse_message(text)
    if isinstance(message, Kill):
        return is_whole_kill(text) and bool(message.sizes_kb)
    if isinstance(message, Header):
        return message.oom_score_adj is not None
    return isinstance(message, Announcement) or (isinstance(message, Summary) and message.pid is not None)
