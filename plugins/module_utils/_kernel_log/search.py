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

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

try:
    import ctypes
except ImportError:  # Python can be built without it
    ctypes = None  # type: ignore[assignment]

_BLOCK = 4 << 20
# The C library searches without Python's lock, while this thread parses the lines found. Between
# two words a worker needs the lock. With Python's default it would wait 5 ms for it
# (sys.getswitchinterval).
_WORKERS = 3
_SWITCH_SECONDS = 5e-5

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
_PROGRAM_WORDS = (b" to process ", b"illing process", b" due to memory ", b" to the victim", b"oomd kill: ", b".cpp:")

# Bytes that are read around a word. The trigger or the victim is some lines before it, the outcome
# after it.
_BEFORE, _AFTER = 2048, 2048
# If the beginning of a report is lost, its table is before the first of these.
_ENDS = (b"oom-kill:constraint=", b"illed process ")
_BEFORE_END = 1 << 20


# memmem(3): the haystack's address and size, the needle and its size
_Memmem = Callable[[int, int, bytes, int], Optional[int]]


class Range(NamedTuple):
    """A part of a file, in bytes. It may begin and end within a line."""

    begin: int
    end: int


def find_ranges(descriptor: int, start: int, programs: bool) -> Iterator[Range]:
    """Yield the ranges of a file to read, in order, from C(start) on.

    They always include the first and the last lines. Without C(programs), the search is only for
    the kernel's messages.
    """
    size = os.fstat(descriptor).st_size
    words = _KERNEL_WORDS + (_PROGRAM_WORDS if programs else ())
    memmem = _memmem
    if memmem is None:
        yield Range(start, size)
        return
    part = Range(start, start + _AFTER)
    begun: Optional[int] = None  # where the report before this word began
    for at, word in _find_words(memmem, descriptor, start, size, words):
        if begun is not None:
            part = part._replace(end=max(part.end, min(at, begun + _LONGEST_REPORT)))
        before = _BEFORE_END if word in _ENDS else _BEFORE
        if at - before > part.end:
            yield part
            part = Range(at - before, at)
        part = part._replace(end=at + _AFTER)
        begun = at if word == _BEGIN else None
    if begun is not None:
        part = part._replace(end=max(part.end, begun + _LONGEST_REPORT))
    if size - _BEFORE > part.end:
        yield part
        part = Range(size - _BEFORE, size)
    yield part._replace(end=max(part.end, size))


def _find_words(
    memmem: _Memmem, descriptor: int, start: int, size: int, words: Tuple[bytes, ...]
) -> Iterator[Tuple[int, bytes]]:
    """Yield the offset of each word, in order. A word across two blocks is found in the first."""
    overlap = max(len(word) for word in words) - 1

    def search(at: int) -> List[Tuple[int, bytes]]:
        block = os.pread(descriptor, _BLOCK + overlap, at)
        return sorted(
            (at + place, word) for word in words for place in _find_in_block(memmem, block, word) if place < _BLOCK
        )

    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with ThreadPoolExecutor(_WORKERS) as pool:
            for found in pool.map(search, range(start, size, _BLOCK)):
                yield from found
    finally:
        sys.setswitchinterval(interval)


def _find_in_block(memmem: _Memmem, block: bytes, word: bytes) -> Iterator[int]:
    first = ctypes.cast(ctypes.c_char_p(block), ctypes.c_void_p).value or 0
    at = first
    while True:
        found = memmem(at, first + len(block) - at, word, len(word))
        if not found:
            return
        yield found - first
        at = found + 1


def _load_memmem() -> Optional[_Memmem]:
    """Return memmem(3) of glibc or musl, or None.

    It is three times as fast as Python's search, and runs without Python's lock.
    """
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError):  # no ctypes, or no such function
        return None
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return memmem


_memmem = _load_memmem()
