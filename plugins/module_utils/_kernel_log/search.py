# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Where in a large log something may stand that matters.

A kernel log of a gigabyte has a few hundred reports in it. To take every line
apart would cost minutes, to look for words costs a second. What stands around
a word is read: the lines before it, those behind it, and, as the tables of a
report have none of these words, all between the beginning of a report and the
next one.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

try:
    import ctypes
except ImportError:  # Python can be built without
    ctypes = None  # type: ignore[assignment]

_BLOCK = 4 << 20
_WORKERS = 3  # the C library searches without Python's lock, while what was found is read
_SWITCH_SECONDS = 5e-5  # and needs the lock from word to word, for which it would wait 5 ms

# A report begins. What follows it belongs to it until the next word, which may be as far away as a table of 65536 rows is long.
_BEGIN = b"oom-killer: gfp_mask="
_LONGEST_REPORT = 8 << 20

# One of these is in every event of the kernel (see _oom_messages), or begins a boot; the longer a word, the faster it is looked for. What
# is missing here stands near another: "no killable processes" is in a report, "Kill process" is beside "Killed process",
# "callbacks suppressed" right before a report.
_KERNEL_WORDS = (_BEGIN, b"oom-kill:constraint=", b"illed process ", b"Linux version ", b"Kernel panic - not syncing: ")

# And these in every kill by a program (see _user_killers).
_PROGRAM_WORDS = (b" to process ", b"illing process", b" due to memory ", b" to the victim", b"oomd kill: ", b".cpp:")

# What is read around a word: who asked for it, or whom it is about, stands some lines before it, and what became of it behind it.
_BEFORE, _AFTER = 2048, 2048
# Of a report whose beginning is lost the table stands before the first of these.
_ENDS = (b"oom-kill:constraint=", b"illed process ")
_BEFORE_THE_END = 1 << 20


class Range(NamedTuple):
    """A part of a file, in bytes. It may begin and end within a line."""

    begin: int
    end: int


def ranges(descriptor: int, start: int, programs: bool) -> Iterator[Range]:
    """Parts of a file that have to be read, in their order, from C(start) on; the first and the last lines always."""
    size = os.fstat(descriptor).st_size
    if _memmem is None:
        yield Range(start, size)
        return
    part = Range(start, start + _AFTER)
    begun: Optional[int] = None  # where the last report did
    for at, word in _hits(descriptor, start, size, _KERNEL_WORDS + (_PROGRAM_WORDS if programs else ())):
        if begun is not None:
            part = part._replace(end=max(part.end, min(at, begun + _LONGEST_REPORT)))
        before = _BEFORE_THE_END if word in _ENDS else _BEFORE
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


def _hits(descriptor: int, start: int, size: int, words: Tuple[bytes, ...]) -> Iterator[Tuple[int, bytes]]:
    """Where the words stand, in order. One that stands across two blocks is found in the first."""
    overlap = max(len(word) for word in words) - 1

    def search(at: int) -> List[Tuple[int, bytes]]:
        block = os.pread(descriptor, _BLOCK + overlap, at)
        return sorted((at + place, word) for word in words for place in _places(block, word) if place < _BLOCK)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with ThreadPoolExecutor(_WORKERS) as pool:
            for found in pool.map(search, range(start, size, _BLOCK)):
                yield from found
    finally:
        sys.setswitchinterval(interval)


def _places(block: bytes, word: bytes) -> Iterator[int]:
    first = ctypes.cast(block, ctypes.c_void_p).value or 0
    at = first
    while True:
        found = _memmem(at, first + len(block) - at, word, len(word))  # type: ignore[misc]
        if not found:
            return
        yield found - first
        at = found + 1


def _c_function() -> Optional[Callable[[int, int, bytes, int], Optional[int]]]:
    """memmem(3), which glibc and musl have: three times as fast as Python's own, and without its lock."""
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError):  # no ctypes, or no such function
        return None
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return memmem  # type: ignore[no-any-return]


_memmem = _c_function()
