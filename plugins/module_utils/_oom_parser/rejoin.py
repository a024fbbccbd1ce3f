# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Lines that are one message, put together.

Pure: records in, records out, in one pass. A mail or a terminal wraps a line, a
record of the kernel may be too short for its message, and the name of a task
may hold line ends. What was put together has the stamps of its first line.
"""

from typing import Iterable, Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    LONGEST_LINE,
    Record,
    seconds_between,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import grammar as say
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import user_killers as _user_killers

# Where mails and terminals break lines, in columns, and how many blanks get lost there, as the table of tasks has them before a number.
NARROWEST_PAGE, WIDEST_PAGE = 72, 80
MOST_BLANKS = 13

# The records of one message are written at once.
RECORD_SECONDS = 1.0

# Hostile input must not fill the memory, or be looked at again and again.
MOST_REJOINED = 2 * LONGEST_LINE

# How the next record of a message begins: each part that does not fit, a path or what stands before it, is one.
NEXT_PART = {",", "/"}


def whole_messages(records: Iterable[Record]) -> Iterator[Record]:
    """The messages of these lines, each whole as far as it can be told."""
    return _with_names(_rejoined(records))


def _rejoined(records: Iterable[Record]) -> Iterator[Record]:
    """All but the names of victims."""
    last: Optional[Record] = None
    page = _Page()
    for record in records:
        if page.may_be_wrapped:
            page.look(record.raw)
        if last is not None:
            glue = _glue(last, record, page) if record.bare or record.text[:1] in NEXT_PART else None
            if glue is not None:
                last = last._replace(text=(last.text + glue + record.text).lstrip(), raw=last.raw + "\n" + record.raw)
                continue
            yield last
        last = record
    if last is not None:
        yield last


def _glue(last: Record, record: Record, page: "_Page") -> Optional[str]:
    r"""What was between two parts of a message, or None where they are two messages.

    A line end in a name is told as \x0a, as in /dev/kmsg.
    """
    if record.trusted != last.trusted or len(last.text) + len(record.text) > LONGEST_LINE:
        return None
    if not record.bare:
        return "" if say.is_continued(last.text) and seconds_between(last, record) <= RECORD_SECONDS else None
    if not last.bare and not page.is_mail and _width(last) < WIDEST_PAGE - 1:
        if say.is_name_of_trigger(last.text, record.text):
            return "\\x0a"
        joined = last.text + "\\x0a" + record.text
        if say.is_cut(last.text) and (say.is_whole(joined) or say.is_cut(joined)):
            return None  # see _with_names
    if (
        not last.bare and _width(last) > WIDEST_PAGE and say.is_broken(last.text, record.text)
    ):  # by a terminal of any other width
        return _indent(record)
    return page.glue(last, record) if page.may_be_wrapped and _may_go_on(last, record.text) else None


def _may_go_on(last: Record, rest: str) -> bool:
    """Whether the words allow these lines to be one message."""
    if say.is_over(last.text) and not rest.startswith(say.SIZES):
        return False
    begins = say.begins(rest) or _user_killers.begins(rest)
    if last.bare:  # where no line has a stamp, nothing else tells where a message begins
        return say.begins(last.text) and not begins
    # "Out of memory:" may stand before it.
    return not begins or not last.text or (say.begins(last.text) and say.understand(last.text) is None)


class _Page:
    """Whether a text was wrapped, as mails are at the blank before the word that does not fit, and terminals at their edge."""

    def __init__(self) -> None:
        self.may_be_wrapped = True
        self._full, self._short = 0, 0  # lines that were broken at the edge, and before it

    @property
    def is_mail(self) -> bool:
        return self._short > self._full

    def look(self, line: str) -> None:
        """No line is too long in a text that was wrapped, but where there was no blank to break it at."""
        if len(line) > WIDEST_PAGE:
            self.may_be_wrapped = " " not in line.lstrip("> ")[:WIDEST_PAGE]

    def glue(self, last: Record, record: Record) -> Optional[str]:
        """What was lost where a line was broken; None where it ended."""
        width = _width(last)
        if not record.text or width + len(record.text.partition(" ")[0]) < NARROWEST_PAGE - MOST_BLANKS:
            return None
        # As the lines of one record are behind the first. Behind a break only a terminal leaves blanks.
        is_indented = bool(_indent(record).replace("> ", ""))
        if is_indented and width < WIDEST_PAGE - 1:
            return None
        self._full += width == WIDEST_PAGE
        self._short += width < WIDEST_PAGE - 1  # at the edge a blank gets lost
        if last.text.endswith(" ") or (last.text.endswith("-") and not last.text.endswith(" -")):  # "anon-", "rss:4kB"
            return ""
        if self.is_mail or is_indented or width < WIDEST_PAGE:
            return " "
        return (
            "" if say.understand(last.text + record.text) or not say.understand(last.text + " " + record.text) else " "
        )


def _width(record: Record) -> int:
    """Columns of its last line."""
    return len(record.raw) - record.raw.rfind("\n") - 1


def _indent(record: Record) -> str:
    """What stands before the text of a line without stamps."""
    return record.raw[: len(record.raw) - len(record.text)]


def _with_names(records: Iterable[Record]) -> Iterator[Record]:
    r"""Put together the lines into which a name with line ends splits its message, as \x0a, as /dev/kmsg writes it.

    Only lines of one writer, and only to a name that a task can have: else a
    message that was cut, or that a program made up, would hide those behind it.
    """
    parts: List[Record] = []
    whole = Record("")
    for record in records:
        if parts:
            whole = whole._replace(text=whole.text + "\\x0a" + record.text, raw=whole.raw + "\n" + record.raw)
            if record.trusted == whole.trusted:
                if say.is_whole(whole.text):
                    parts = []
                    yield whole
                    continue
                if say.is_cut(whole.text) and len(whole.raw) <= MOST_REJOINED:
                    parts.append(record)
                    continue
            yield from parts
            parts = []
        if say.is_cut(record.text):
            parts, whole = [record], record
        else:
            yield record
    yield from parts
