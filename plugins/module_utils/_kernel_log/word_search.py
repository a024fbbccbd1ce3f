# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find words in blocks of bytes, and in a large file with a child process.

The C library searches three times as fast as Python. Threads would do the work of the child too,
but each call of the C library ends with a wait for Python's lock, which the parsing thread holds.
"""

import contextlib
import os
import select
import signal
import struct
from typing import Any, Callable, Iterator, List, Optional, Tuple, cast

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.optional_modules import import_optional

ctypes = import_optional("ctypes")

_NICENESS = 10  # of the child: to parse what it finds takes longer
_BLOCK = 4 << 20
_SIZE = struct.Struct("=I")  # of what follows about a block
_WORD = struct.Struct("=IB")  # place in the block, number of the word
_MOST_KEPT = 1 << 20  # bytes about words near the end of a file; only a hostile one has as many

_STEM = b"oom-kill"  # with which two words of the kernel begin

Found = List[Tuple[int, bytes]]  # the place of each word, in order

# memmem(3): the haystack's address and size, the needle and its size
_Memmem = Callable[[int, int, bytes, int], Optional[int]]


def measure_overlap(words: Tuple[bytes, ...]) -> int:
    """Return how many bytes of the next block a word that begins in this one may need."""
    return max(len(word) for word in words) - 1


def find_words(block: bytes, words: Tuple[bytes, ...]) -> Found:
    """Return all places of these words in a block. It needs can_search()."""
    found = [(place, word) for word in words if not word.startswith(_STEM) for place in _find_word(block, word)]
    longer = tuple(word for word in words if word.startswith(_STEM))
    if longer:  # one search takes less time than two for longer words
        for place in _find_word(block, _STEM):
            found += [(place, word) for word in longer if block.startswith(word, place)]
    return sorted(found)


def _find_word(block: bytes, word: bytes) -> Iterator[int]:
    memmem = cast(_Memmem, _memmem)
    first = ctypes.cast(ctypes.c_char_p(block), ctypes.c_void_p).value or 0
    at = first
    while True:
        found = memmem(at, first + len(block) - at, word, len(word))
        if not found:
            return
        yield found - first
        at = found + 1


def can_search() -> bool:
    """Return whether the C library can search for a word."""
    return _memmem is not None


def _load_memmem() -> Optional[_Memmem]:
    """Return memmem(3) of glibc or musl, or None."""
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError):  # no ctypes, or no such function
        return None
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return cast(_Memmem, memmem)


_memmem = _load_memmem()


# --- a file ------------------------------------------------------------------------------


def search_file(descriptor: int, start: int, size: int, words: Tuple[bytes, ...]) -> Iterator[Tuple[int, bytes]]:
    """Yield each word and its offset, in order, from C(start) to C(size). It needs can_search().

    A child searches from the beginning. Whenever it has nothing ready, this process searches from
    the end, until they meet: both work all the time, whether there is much to parse or nothing.
    """
    overlap = measure_overlap(words)

    def search(at: int) -> Found:
        block = os.pread(descriptor, _BLOCK + overlap, at)
        return [(place, word) for place, word in find_words(block, words) if place < _BLOCK]

    blocks = range(start, size, _BLOCK)
    ends: List[bytes] = []  # what this process found, packed, from the last block on
    kept = done = 0
    with _Child(search, blocks, words) as child:
        while done + len(ends) < len(blocks):
            if child.is_ready() or kept > _MOST_KEPT:
                at = blocks[done]
                done += 1
                for place, word in child.find(at):
                    yield at + place, word
            else:
                ends.append(_pack(search(blocks[-1 - len(ends)]), words))
                kept += len(ends[-1])
    for at, packed in zip(blocks[done:], reversed(ends)):
        for place, word in _unpack(packed, words):
            yield at + place, word


def _pack(found: Found, words: Tuple[bytes, ...]) -> bytes:
    return b"".join(_WORD.pack(place, words.index(word)) for place, word in found)


def _unpack(packed: bytes, words: Tuple[bytes, ...]) -> Found:
    return [(place, words[number]) for place, number in _WORD.iter_unpack(packed)]


class _Child:
    """A child process that searches blocks ahead of this one. Use it in a C(with) statement.

    Without a child this process searches: a host may have no memory for one, or kill it.
    """

    def __init__(self, search: Callable[[int], Found], blocks: range, words: Tuple[bytes, ...]) -> None:
        self._search = search
        self._words = words
        self._pid = 0
        self._reading: Optional[int] = None  # the end of a pipe
        self._poll = select.poll()
        reading, writing = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(reading)
        else:
            if self._pid == 0:
                _work(search, blocks, words, writing)
            self._reading = reading
            self._poll.register(reading, select.POLLIN)
        os.close(writing)

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_error: Any) -> None:
        if self._reading is None:
            return
        os.close(self._reading)
        self._reading = None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored
            os.waitpid(self._pid, 0)

    def is_ready(self) -> bool:
        """Return whether find() returns at once, or searches because the child has ended."""
        return self._reading is None or bool(self._poll.poll(0))

    def find(self, at: int) -> Found:
        """Return the words in the next one of the blocks, which begins here."""
        found = None if self._reading is None else self._receive(self._reading)
        if found is None:
            self.__exit__()
            return self._search(at)
        return found

    def _receive(self, reading: int) -> Optional[Found]:
        """Return what the child has found in a block; None if it has ended before."""
        head = _read_all(reading, _SIZE.size)
        if len(head) < _SIZE.size:
            return None
        size = _SIZE.unpack(head)[0]
        packed = _read_all(reading, size)
        return _unpack(packed, self._words) if len(packed) == size else None


def _read_all(descriptor: int, size: int) -> bytes:
    """Return so many bytes of a pipe, or less if it ends."""
    content = bytearray()
    while len(content) < size:
        chunk = os.read(descriptor, size - len(content))
        if not chunk:
            break
        content += chunk
    return bytes(content)


def _work(search: Callable[[int], Found], blocks: range, words: Tuple[bytes, ...], writing: int) -> None:
    """Write what is found in each block, and end this process; the other one needs no reason."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.nice(_NICENESS)
        with open(writing, "wb") as stream:
            for at in blocks:
                packed = _pack(search(at), words)
                stream.write(_SIZE.pack(len(packed)) + packed)
                stream.flush()
    finally:
        os._exit(0)
