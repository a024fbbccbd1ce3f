# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the ranges of a large log that may hold an event.

A kernel log of a gigabyte has a few hundred reports. Parsing every line would take minutes, but
a search for words takes a second. Only the lines before and after each word are read. The table
of a report has none of these words. So everything from the beginning of a report to the next
word is read, too.
"""

import io
import os
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.word_search import (
    Found,
    can_search,
    find_words,
    measure_overlap,
    search_file,
)

_BLOCK = 1 << 20  # of a stream

# A report begins with this word and continues until the next word. Between the two may be a table
# of 65536 rows.
_BEGIN = b"oom-killer: gfp_mask="
_LONGEST_REPORT = 8 << 20

# Every event of the kernel contains one of these (see _oom_parser/grammar.py), and so does the
# beginning of a boot. A longer word is found faster. Other messages are near one of these:
# "no killable processes" is in a report, and "Kill process" is next to "Killed process".
# "callbacks suppressed" is right before a report.
_KERNEL_WORDS = (_BEGIN, b"oom-kill:constraint=", b"illed process ", b"Linux version ", b"Kernel panic - not syncing: ")

# Every kill by a program contains one of these (see _oom_parser/user_killers.py).
_PROGRAM_WORDS = (
    b" to process ",
    b"illing process",
    b" due to memory ",
    b" to the victim",
    b"oomd kill: ",
    b".cpp:",
    b"SIGKILL to cgroup",
    b"kB on behalf of ",
    b"), uid ",
    b"send sigkill to ",
    b" conditions met for cgroup ",
    b" corrective action:",
)

# Bytes that are read around a word. The trigger or the victim is some lines before it, the outcome
# after it.
_BEFORE, _AFTER = 2048, 2048
# If the beginning of a report is lost, its table is before the first of these.
_ENDS = (b"oom-kill:constraint=", b"illed process ")
_BEFORE_END = 1 << 20


class Range(NamedTuple):
    """A part of a file, in bytes. It may begin and end within a line."""

    begin: int
    end: int


class Part(NamedTuple):
    """Bytes of a stream. They end where a line ends, or the next part continues them."""

    begin: int
    content: bytes


def find_ranges(descriptor: int, start: int, programs: bool) -> Iterator[Range]:
    """Yield the ranges of a file to read, in order, from C(start) on.

    They always include the first and the last lines. Without C(programs), the search is only for
    the kernel's messages.
    """
    size = os.fstat(descriptor).st_size
    if not can_search():
        yield Range(start, size)
        return
    ranges = _Ranges(start, lambda end: end)
    for at, word in search_file(descriptor, start, size, _choose_words(programs)):
        yield from ranges.add(at, word)
    yield from ranges.finish(size)


def find_parts(read: Callable[[int], bytes], start: int, programs: bool) -> Iterator[Part]:
    """Yield the parts to read of a stream, which cannot be read twice, as find_ranges() does.

    C(read) returns at most as many bytes as asked for, and none at the end. C(start) is the offset
    of the first. An error of C(read) is raised after the parts of what it returned before.
    """
    blocks = _Blocks(read, start, _choose_words(programs))
    if not can_search():
        yield from blocks.read_all()
    else:
        window = _Window(start)
        ranges = _Ranges(start, window.find_line_end)
        for block, found in blocks.search():
            window.add(block)
            for at, word in found:
                yield from map(window.cut, ranges.add(at, word))
            yield from map(window.cut, ranges.settle(window.end))
            window.drop(ranges.find_oldest(window.end))
        yield from map(window.cut, ranges.finish(window.end))
    if blocks.error is not None:
        raise blocks.error


class _Ranges:
    """The ranges around words that are found in order."""

    def __init__(self, start: int, find_line_end: Callable[[int], Optional[int]]) -> None:
        self._find_line_end = find_line_end
        self._part = Range(start, start + _AFTER)
        self._begun: Optional[int] = None  # where the report before the last word began

    def add(self, at: int, word: bytes) -> Iterator[Range]:
        """Take the next word; yield the range that ended before it."""
        part = self._part
        if self._begun is not None:
            part = part._replace(end=max(part.end, min(at, self._begun + _LONGEST_REPORT)))
        begin = at - (_BEFORE_END if word in _ENDS else _BEFORE)
        end = self._find_line_end(part.end) if begin > part.end else None
        if end is not None and end < begin:
            if end > part.begin:
                yield Range(part.begin, end)
            part = Range(begin, at)
        self._part = part._replace(end=max(part.end, at + _AFTER))
        self._begun = at if word == _BEGIN else None

    def settle(self, searched: int) -> Iterator[Range]:
        """Yield what is certain after a search up to here; the rest of the range may follow."""
        part = self._part
        if self._begun is not None:
            part = part._replace(end=max(part.end, min(searched, self._begun + _LONGEST_REPORT)))
        end = part.end
        if end < searched and end > part.begin:
            line_end = self._find_line_end(end)
            end = searched + 1 if line_end is None else line_end
        until = min(end, searched)
        if until > part.begin:
            yield Range(part.begin, until)
        self._part = Range(max(part.begin, until), max(end, until))

    def find_oldest(self, searched: int) -> int:
        """Return where the next range may begin, after settle()."""
        return max(self._part.begin, searched - max(_BEFORE, _BEFORE_END))

    def finish(self, size: int) -> Iterator[Range]:
        """Yield the last ranges; the last one includes the end."""
        part = self._part
        if self._begun is not None:
            part = part._replace(end=max(part.end, self._begun + _LONGEST_REPORT))
        begin = size - _BEFORE
        end = self._find_line_end(part.end) if begin > part.end else None
        if end is not None and end < begin:
            if end > part.begin:
                yield Range(part.begin, end)
            part = Range(begin, size)
        yield Range(part.begin, max(part.end, size))


class _Window:
    """The bytes of a stream that may still be needed."""

    def __init__(self, start: int) -> None:
        self._begin = start
        self._content = bytearray()

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self._begin + len(self._content)

    def add(self, block: bytes) -> None:
        """Take the bytes that follow."""
        self._content += block

    def drop(self, before: int) -> None:
        """Forget the bytes before an offset."""
        surplus = max(0, min(before, self.end) - self._begin)
        del self._content[:surplus]
        self._begin += surplus

    def cut(self, part: Range) -> Part:
        """Return the bytes of a range."""
        begin = max(part.begin, self._begin)
        return Part(begin, bytes(self._content[begin - self._begin : part.end - self._begin]))

    def find_line_end(self, offset: int) -> Optional[int]:
        """Return where the line at an offset ends, or None."""
        at = self._content.find(b"\n", max(0, offset - 1 - self._begin))
        return None if at < 0 else self._begin + at + 1


class _Blocks:
    """A stream in large blocks."""

    def __init__(self, read: Callable[[int], bytes], start: int, words: Tuple[bytes, ...]) -> None:
        self.error: Optional[Exception] = None  # of reading
        self._read = read
        self._at = start
        self._words = words

    def read_all(self) -> Iterator[Part]:
        """Yield the whole stream."""
        for block in self._iterate():
            yield Part(self._at - len(block), block)

    def search(self) -> Iterator[Tuple[bytes, Found]]:
        """Yield each block with its words; a word across two blocks is found in the second."""
        overlap = measure_overlap(self._words)
        tail = b""
        for block in self._iterate():
            text = tail + block
            begin = self._at - len(text)
            found = find_words(text, self._words)
            yield block, [(begin + place, word) for place, word in found if place + len(word) > len(tail)]
            tail = text[-overlap:]

    def _iterate(self) -> Iterator[bytes]:
        while self.error is None:
            chunks: List[bytes] = []
            left = _BLOCK
            while left > 0:
                try:
                    chunk = self._read(left)
                except Exception as error:  # find_parts() raises it
                    self.error = error
                    break
                if not chunk:
                    break
                chunks.append(chunk)
                left -= len(chunk)
            block = b"".join(chunks)
            if not block:
                return
            self._at += len(block)
            yield block


class PartStream(io.RawIOBase):
    """The parts of a stream as a file; each run of parts that continue each other ends like one."""

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._next = next(parts, None)  # the first part of the next run
        self._content = b""  # what is left of the current part
        self._end: Optional[int] = None  # where the current part ends; None between two runs

    def readable(self) -> bool:
        """Return true, as BufferedReader asks for."""
        return True

    def begin_run(self) -> Optional[int]:
        """Go to the next run, and return its offset; None behind the last one."""
        part = self._next
        if part is None:
            return None
        self._content, self._end = part.content, part.begin + len(part.content)
        return part.begin

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were; 0 at the end of a run."""
        while not self._content and self._end is not None:
            part = self._next = next(self._parts, None)
            if part is None or part.begin != self._end:
                self._end = None
                break
            self._content, self._end = part.content, self._end + len(part.content)
        size = min(len(buffer), len(self._content))
        buffer[:size] = self._content[:size]
        self._content = self._content[size:]
        return size


def _choose_words(programs: bool) -> Tuple[bytes, ...]:
    return _KERNEL_WORDS + (_PROGRAM_WORDS if programs else ())
