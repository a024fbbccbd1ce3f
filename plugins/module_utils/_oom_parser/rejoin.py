# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Join lines that are one message, and parse each line once.

Pure: records in, records with their messages out, in one pass. A mail or a terminal wraps
a line, a kernel record can be too short for its message, and a task's name can have line
ends. A joined record keeps the stamps of its first line.
"""

import re
from collections import Counter, deque
from typing import Counter as CounterType
from typing import Deque, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    LONGEST_LINE,
    Record,
    seconds_between,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.completeness import (
    NEXT_PART,
    find_table_glue,
    has_possible_name,
    is_broken_message,
    is_broken_trigger_name,
    is_cut_before_name,
    is_cut_in_sizes,
    is_cut_limit,
    is_split_by_hand,
    lacks_end_of_name,
    may_be_followed,
    may_be_in_name,
    may_begin_message,
    may_end_in_name,
    may_go_on_in_next_record,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import is_whole_kill, parse_message
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.literals import join_literals
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Kill,
    Message,
    TableHeader,
    TableRow,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.unwrap import (
    decode_mail,
    decode_printable,
    unwrap_records,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import may_begin_program_message

# Mails and terminals break lines at these columns.
NARROWEST_PAGE, WIDEST_PAGE = 72, 80
# A terminal of any other width is recognised by lines that end at its edge: more than end within so
# many columns before it, among so many lines. Some of these are ahead.
_NARROWEST_TERMINAL = 38
_FEWEST_AT_EDGE = 2
_NEAR_EDGE = 12
_MOST_WATCHED, _AHEAD = 48, 16
_BLANKS = ("", " ", "\t")
_MAY_BE_CUT = ("[", "K", "O", "M")  # how rows and kills begin
_ROW = re.compile(r"\[ *(?:\d+|pid) *\]")
# A page that was quoted is as many columns wider.
_QUOTE_MARKS = re.compile(r"(?:>[ \t]?)+")
# Quoted-printable ends a line with an equals sign at these columns (RFC 2045).
_SOFT_WIDTHS = range(70, 77)
_BARE_EQUALS = re.compile(r"=(?![0-9A-F]{2})")
# The most blanks that get lost at a break: the task table has as many before a number.
MOST_BLANKS = 13

# The kernel writes the records of one message at once.
RECORD_SECONDS = 1.0

# Hostile input must not fill the memory, and must not cause repeated searches.
MOST_REJOINED = 2 * LONGEST_LINE

# No name of a task can hold these words.
_LONGER_THAN_NAME = "oom-kill:constraint="

Line = Tuple[Record, Optional[Message]]


def rejoin_messages(records: Iterable[Record]) -> Iterator[Line]:
    """Yield each record with its message, or with None; the records of one message are joined."""
    return _join_names(_join_broken(unwrap_records(join_literals(records))))


def _join_broken(records: Iterable[Record]) -> Iterator[Line]:
    """Join all but the lines of a victim's name."""
    last: Optional[Line] = None
    page = _Page()
    for record in page.watch(records):
        if page.may_be_wrapped:
            page.note_line(record.raw)
        line = (record, parse_message(record.text))
        if last is not None and isinstance(last[1], TableHeader):
            page.columns = len(last[1].columns)
        if last is not None:
            if record.bare or record.text[:1] in NEXT_PART:
                if _is_soft_break(last[0], line):
                    last = _join(last[0]._replace(text=last[0].text[:-1]), "", _decode(record))
                    continue
                glue = _find_glue(last, line, page)
                if glue is not None:
                    last = _join(last[0], glue, record)
                    continue
            yield last
        last = line
    if last is not None:
        yield last


def _is_soft_break(first: Record, line: Line) -> bool:
    """Return whether a mail in quoted-printable broke the first line, wherever it is."""
    record, message = line
    width = len(first.raw) - first.raw.rfind("\n") - 1
    if not (first.text.endswith("=") and first.raw.endswith("=") and width in _SOFT_WIDTHS and record.bare):
        return False
    if _BARE_EQUALS.search(first.raw, len(first.raw) - width, len(first.raw) - 1) or _BARE_EQUALS.search(
        record.raw.rstrip("=")
    ):
        return False  # a mail would have written it as =3D
    return record.trusted == first.trusted and not may_begin_message(record.text, message)


def _decode(record: Record) -> Record:
    """Return the rest of a line in quoted-printable, which may begin with blanks."""
    return record._replace(text=decode_printable(record.raw))


def _join(first: Record, glue: str, rest: Record) -> Line:
    text = (first.text + glue + rest.text).lstrip()
    if rest.bare:  # a mail may have broken a code; the kernel's next record may hold a path that looks like one
        text = decode_mail(text)
    return first._replace(text=text, raw=first.raw + "\n" + rest.raw), parse_message(text)


def _find_glue(last: Line, line: Line, page: "_Page") -> Optional[str]:
    r"""Return what stood between two parts of a message; None if they are two messages.

    A line end in a name becomes \x0a, as in /dev/kmsg.
    """
    first, message = last
    record = line[0]
    if record.trusted != first.trusted or len(first.text) + len(record.text) > LONGEST_LINE:
        return None
    if not record.bare:
        return "" if _is_next_record(first, record) else None
    glue = _find_cut(first.text, record, page) if first.text[:1] in _MAY_BE_CUT else None  # few lines begin so
    if glue is not None:
        return glue
    if _is_broken_at_edge(last, line, page):
        return _find_indent(record)
    if not first.bare and not page.is_mail and _measure_width(first) < WIDEST_PAGE - 1:
        if is_broken_trigger_name(first.text, message, record.text):
            return "\\x0a"
        if lacks_end_of_name(first.text) and may_be_in_name(first.text, record.text):
            return None  # left to _join_names
    glue = page.find_glue(first, record) if page.may_be_wrapped and _may_go_on(last, line) else None
    if glue is None and is_split_by_hand(first.text, message, record.text):
        return "" if first.text.endswith(" ") else " "
    return glue


def _find_cut(first: str, record: Record, page: "_Page") -> Optional[str]:
    """Return what stood where a row or a kill was cut, as the words alone show it."""
    indent = _find_indent(record)
    glue = find_table_glue(first, indent, record.text, page.columns)
    rest = indent + record.text
    return indent if glue is None and (is_cut_before_name(first, rest) or is_cut_in_sizes(first, rest)) else glue


def _is_next_record(first: Record, record: Record) -> bool:
    is_near = seconds_between(first, record) <= RECORD_SECONDS
    return is_near and may_go_on_in_next_record(first.text, record.text)


def _is_broken_at_edge(last: Line, line: Line, page: "_Page") -> bool:
    """Return whether a terminal of any width broke a line, as other lines or the words show."""
    first, record = last[0], line[0]
    if is_cut_limit(first.text, record.text) or (page.ends_at_edge(first) and _is_rest(last, line)):
        return True
    return not first.bare and _measure_width(first) > WIDEST_PAGE and is_broken_message(first.text, record.text)


def _is_rest(last: Line, line: Line) -> bool:
    """Return whether a line continues one that may have been broken at the edge of a terminal."""
    (first, message), (record, _message) = last, line
    text = first.text + _find_indent(record) + record.text
    if is_whole_kill(text) and has_possible_name(text):
        return True
    if _ROW.match(first.text) or not _may_go_on(last, line):
        return False  # a mail breaks many rows of the table at the same column
    facts = _count_facts(parse_message(text))
    return facts >= max(_count_facts(message), _count_facts(parse_message(first.text + " " + record.text)))


def _may_go_on(last: Line, line: Line) -> bool:
    """Return whether the words allow that a line continues the message of the last one."""
    (first, message), (record, rest_message) = last, line
    if not may_be_followed(first.text, message, record.text):
        return False
    is_beginning = may_begin_message(record.text, rest_message) or may_begin_program_message(record.text)
    if first.bare:  # without stamps only the words show where a message begins
        return not is_beginning and may_begin_message(first.text, message)
    # A line may end after "Out of memory:", and the next one begin with "Killed process".
    return not is_beginning or not first.text or (message is None and may_begin_message(first.text, message))


class _Page:
    """How a text was wrapped, if it was.

    A mail breaks a line at the blank before the word that does not fit, a terminal at its edge.
    """

    def __init__(self) -> None:
        self.may_be_wrapped = True
        self.columns = 0  # of the last task table
        self._broken_at_edge = 0
        self._broken_before_edge = 0
        self._widths: Deque[int] = deque()
        self._counts: CounterType[int] = Counter()

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records; count the widths of the lines near each that may have been broken."""
        ahead: Deque[Record] = deque()
        for record in records:
            if record.bare and ahead and record.raw[:1] not in _BLANKS:  # an indented line is another one
                self._count_width(_measure_width(ahead[-1]))
            ahead.append(record)
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _count_width(self, width: int) -> None:
        self._widths.append(width)
        self._counts[width] += 1
        if len(self._widths) > _MOST_WATCHED:
            self._counts[self._widths.popleft()] -= 1

    def ends_at_edge(self, record: Record) -> bool:
        """Return whether a line is as wide as others near it, as at the edge of a terminal."""
        width = _measure_width(record)
        at_edge = self._counts[width]
        if width < _NARROWEST_TERMINAL or at_edge < _FEWEST_AT_EDGE or width < max(self._widths):
            return False
        return at_edge > sum(self._counts[width - less] for less in range(1, _NEAR_EDGE))

    @property
    def is_mail(self) -> bool:
        """Whether more lines were broken before the edge than at it."""
        return self._broken_before_edge > self._broken_at_edge

    def note_line(self, line: str) -> None:
        """Take a line longer than the page as proof that the text was not wrapped.

        It is no proof if it has no blank at which it could have been broken.
        """
        if len(line) > WIDEST_PAGE:
            text = _QUOTE_MARKS.sub("", line, 1) if line[:1] == ">" else line
            self.may_be_wrapped = len(text) <= WIDEST_PAGE or " " not in text.lstrip()[:WIDEST_PAGE]

    def find_glue(self, last: Record, record: Record) -> Optional[str]:
        """Return what was lost where a line was broken; None if the line ended there."""
        width = _measure_width(last)
        if not record.text or width + len(record.text.partition(" ")[0]) < NARROWEST_PAGE - MOST_BLANKS:
            return None
        # Only a terminal leaves blanks after a break. Otherwise an indented line belongs to
        # the record before it.
        is_indented = bool(_find_indent(record))
        if is_indented and width < WIDEST_PAGE - 1:
            return None
        self._broken_at_edge += width == WIDEST_PAGE
        self._broken_before_edge += width < WIDEST_PAGE - 1  # one column less: a blank at the edge was lost
        if last.text.endswith(" ") or (last.text.endswith("-") and not last.text.endswith(" -")):  # "anon-", "rss:4kB"
            return ""
        without_blank, with_blank = parse_message(last.text + record.text), parse_message(last.text + " " + record.text)
        if _is_of_process(without_blank) and not _is_of_process(with_blank):
            return ""
        if self.is_mail or is_indented or width < WIDEST_PAGE:
            return "" if without_blank and not with_blank else " "
        return " " if with_blank and not without_blank else ""


def _is_of_process(message: Optional[Message]) -> bool:
    return isinstance(message, TableRow) and message.tgid == message.pid


def _count_facts(message: Optional[Message]) -> int:
    """Return how much of a message was read; what is lost was broken elsewhere."""
    if isinstance(message, Kill):
        return 1 + len(message.sizes_kb) + sum(fact is not None for fact in (message.name, message.uid))
    return 0 if message is None else sum(fact is not None for fact in message)


def _measure_width(record: Record) -> int:
    """Return the width of a record's last line, in columns, without the marks of a quotation."""
    start = record.raw.rfind("\n") + 1
    quote = _QUOTE_MARKS.match(record.raw, start)
    return len(record.raw) - (quote.end() if quote else start)


def _find_indent(record: Record) -> str:
    """Return the blanks before a line without stamps, without marks of a quotation."""
    raw = record.raw
    return _QUOTE_MARKS.sub("", raw[: len(raw) - len(raw.lstrip("> \t"))])


def _join_names(lines: Iterable[Line]) -> Iterator[Line]:
    r"""Join the lines into which the line ends of a victim's name split its message.

    A line end becomes \x0a, as in /dev/kmsg. Only lines of one writer are joined, and only if
    the name is one that a task can have. Otherwise a message that was cut, or that a program
    made up, would hide the messages after it.
    """
    parts: List[Line] = []
    joined = Record("")  # all parts
    best: List[Line] = []  # the parts as far as they were whole, joined, and the parts after them
    for line in lines:
        record, message = line
        if parts:
            joined = joined._replace(text=joined.text + "\\x0a" + record.text, raw=joined.raw + "\n" + record.raw)
            is_part = record.trusted == joined.trusted and len(joined.raw) <= MOST_REJOINED
            is_part = is_part and _LONGER_THAN_NAME not in record.text
            is_whole = is_part and has_possible_name(joined.text)
            if is_part and (is_whole or lacks_end_of_name(joined.text)):
                parts.append(line)
                best = [(joined, parse_message(joined.text))] if is_whole else best and [*best, line]
                if is_whole and not may_end_in_name(joined.text):
                    yield from best
                    parts, best = [], []
                continue
            yield from best or parts
            parts, best = [], []
        # Most lines have no message, or are rows of a table; a row ends with its own name.
        if message is None or isinstance(message, TableRow):
            yield line
            continue
        is_whole = may_end_in_name(record.text)
        if is_whole or lacks_end_of_name(record.text):
            parts, joined, best = [line], record, [line] if is_whole else []
        else:
            yield line
    yield from best or parts
