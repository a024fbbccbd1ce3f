# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Log files: which they are, in which order, unpacked, and where to go on the next time.

A log that is rotated is one log: kern.log goes on where kern.log.1 ends. A file
is known again by how it begins, as rotation changes its name, its inode, and,
once it is packed, its size.
"""

import contextlib
import glob
import gzip
import hashlib
import io
import os
import re
import stat
import sys
import zlib
from typing import IO, Iterable, Iterator, List, NamedTuple, Optional, Tuple

try:
    import lzma
except ImportError:  # Python can be built without
    lzma = None  # type: ignore[assignment]

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import formats as _log_forms
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import search as _log_search
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record

# How much of a file is looked at to tell text from anything else.
_SAMPLE_BYTES = 65536

# How much of its beginning identifies a file: the first lines have their moment in them.
_MARK_BYTES = 1024

# A file from this size on is searched first: a second or so is what it takes to read less.
_SEARCHED_BYTES = 8 << 20

# No kernel's buffer is that large; dmesg's JSON has to be read as a whole.
_LARGEST_DMESG = 1 << 24

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"  # what compressed files begin with, whatever their name

_DMESG = re.compile(rb"\s*\{\s*\"dmesg\"\s*:")
_EXPORT = re.compile(rb"__[A-Z_]+=")
_PRETTY = re.compile(rb"\{\r?\n\s*\"[A-Z_]+\" : ")  # journalctl --output=json-pretty

# kern.log, kern.log.1, kern.log.2.gz; messages, messages-20261123, messages-20261116.xz (logrotate(8))
_ROTATED = re.compile(r"(?P<stem>.+?)(?:\.(?P<number>\d{1,4})|-(?P<date>\d{8}(?:-?\d{1,10})?))?(?:\.(?:gz|xz))?$")


def expand_paths(patterns: Iterable[str]) -> List[str]:
    """The files that paths and globs name, each once, in the order given; those of a glob as they were written."""
    found: List[str] = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern), key=_age) if glob.has_magic(pattern) else [pattern]
        if not matches:
            raise NotFoundError(f"{pattern} matches no file")
        found.extend(path for path in matches if path not in found)
    return found


def group_rotations(paths: Iterable[str]) -> List[List[str]]:
    """The same, those together that are one log which was rotated."""
    together: List[List[str]] = []
    for path in paths:
        if together and _age(together[-1][-1])[0] == _age(path)[0] and _age(together[-1][-1]) < _age(path):
            together[-1].append(path)
        else:
            together.append([path])
    return together


def _age(path: str) -> Tuple[str, int, int, str]:
    """Sorts by log, then oldest first: numbers count down, dates up, and what has neither is still written."""
    match = _ROTATED.match(path)
    if match is None:
        return path, 1, 0, ""
    number, date = match.group("number", "date")
    return match.group("stem"), int(not (number or date)), -int(number or 0), date or ""


class Mark(NamedTuple):
    """How far a file was read, C(DIGEST:LENGTH:OFFSET) as text."""

    digest: str  # of its beginning
    length: int  # of that beginning
    offset: int  # in bytes, unpacked

    def __str__(self) -> str:
        return ":".join(str(part) for part in self)

    @classmethod
    def of(cls, text: str) -> "Mark":
        digest, length, offset = text.split(":")
        return cls(digest, int(length), int(offset))


class LogFile:
    """A log file, from where it was read up to the last time."""

    def __init__(self, path: str, marks: Iterable[Mark] = (), whole_lines: bool = False, programs: bool = True) -> None:
        """Raises NotFoundError, AccessError, or InputError for what is no log.

        C(whole_lines) leaves a last line without its end for the next time. Without C(programs) only what the kernel says is looked for.
        """
        self.path = path
        self.damage: Optional[str] = None  # why the rest cannot be read
        self._whole_lines = whole_lines
        self._programs = programs
        with _complaints(path):
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{path} is not a file")
            self.written = found.st_mtime
            with self._opened() as stream:
                self._sample = stream.read(_SAMPLE_BYTES)
                self._is_packed = not isinstance(stream, io.BufferedReader)
        _refuse_junk(path, self._sample)
        self.known = next((mark for mark in marks if self._begins_with(mark)), None)
        self.start = self._end = self.known.offset if self.known else 0  # in bytes, unpacked

    def _begins_with(self, mark: Mark) -> bool:
        return 0 < mark.length <= len(self._sample) and _digest(self._sample[: mark.length]) == mark.digest

    def mark(self, offset: Optional[int] = None) -> Optional[Mark]:
        """How far it was read, or that it was read up to there; None for an empty file, which nobody could know again."""
        length = min(len(self._sample), _MARK_BYTES)
        return Mark(_digest(self._sample[:length]), length, self._end if offset is None else offset) if length else None

    def records(self) -> Iterator[Record]:
        """What was not read before, each record with its place. Of a file that is cut, what can be read of it: see C(damage)."""
        try:
            with _complaints(self.path), self._opened() as stream:
                if _DMESG.match(self._sample):
                    yield from self._dmesg(stream)
                    return
                stream.seek(self.start)
                if _EXPORT.match(self._sample):
                    yield from self._exported(stream)
                    return
                if _PRETTY.match(self._sample):
                    yield from self._pretty(stream)
                    return
                yield from _log_forms.parse_lines(self._lines(stream), lambda: Place(self.path, self._line))
        except _DamageError as error:
            self.damage = str(error)

    def _lines(self, stream: IO[bytes]) -> Iterator[str]:
        """All lines, or of a large file those that may matter."""
        if self._is_packed or os.fstat(stream.fileno()).st_size - self.start < _SEARCHED_BYTES:
            yield from self._lines_between(stream, self.start, None)
            return
        for part in _log_search.ranges(stream.fileno(), self.start, self._programs):
            yield from self._lines_between(stream, part.begin, part.end)

    def _lines_between(self, stream: IO[bytes], begin: int, end: Optional[int]) -> Iterator[str]:
        """Lines that begin in this part, from the first whole one on."""
        stream.seek(begin)
        goes_on = (
            begin > self.start
        )  # a line of which the rest is not looked at: here, and where it is longer than any real one
        self._end = begin
        while end is None or self._end < end:
            line = stream.readline(_log_forms.LONGEST_ENTRY)
            if not line:
                return
            ended = line.endswith(b"\n")
            self._line = self._end
            if ended or len(line) == _log_forms.LONGEST_ENTRY:
                self._end += len(line)
            elif self._whole_lines:
                return
            if not goes_on:
                yield line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            goes_on = not ended

    def _exported(self, stream: IO[bytes]) -> Iterator[Record]:
        for taken, fields in _log_forms.export_entries(stream):
            record = _log_forms.journal_record(fields)
            if record is not None:
                yield record._replace(place=Place(self.path, self._end))
            self._end += taken

    def _pretty(self, stream: IO[bytes]) -> Iterator[Record]:
        entry, begin, end = "", self.start, self.start
        for line in self._lines_between(stream, self.start, None):
            if line == "{":
                entry, begin = "", self._line
            if len(entry) <= _log_forms.LONGEST_ENTRY:
                entry += line
            if line == "}":
                end = self._end
                record = _log_forms.json_entry(entry)
                if record is not None:
                    yield record._replace(place=Place(self.path, begin))
        self._end = end  # a tail without its end is left

    def _dmesg(self, stream: IO[bytes]) -> Iterator[Record]:
        text = stream.read(_LARGEST_DMESG + 1)
        if self.start:
            return  # nobody adds to it
        self._end = len(text)
        try:
            if len(text) > _LARGEST_DMESG:
                raise ValueError("it is longer than any kernel's buffer")
            for record in _log_forms.dmesg_records(text.decode("utf-8", "backslashreplace")):
                yield record._replace(place=Place(self.path, 0))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path} is not what dmesg writes as JSON: {error}")

    def _opened(self) -> IO[bytes]:
        with open(self.path, "rb") as stream:
            start = stream.read(len(_XZ))
        if start.startswith(_GZIP):
            return gzip.open(self.path)  # type: ignore[return-value]
        if start != _XZ:
            return open(self.path, "rb")
        if lzma is None:
            raise UnsupportedError(
                f"{self.path} is packed by xz, which the Python of this host ({sys.executable}) cannot read"
            )
        return lzma.open(self.path)


class _DamageError(InputError):
    """What is packed cannot be unpacked, from here on."""


@contextlib.contextmanager
def _complaints(path: str) -> Iterator[None]:
    """Says which file it was that could not be read."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist")
    except (EOFError, zlib.error, *([lzma.LZMAError] if lzma else [])) as error:
        raise _DamageError(f"{path} is cut or damaged: {error}")
    except OSError as error:
        if error.errno is None:  # so says gzip
            raise _DamageError(f"{path} is cut or damaged: {error}")
        raise AccessError(f"{path} cannot be read: {error.strerror}")


def read_log(path: str) -> Iterator[Record]:
    """Records of a log file. Raises InputError for one that is cut, once what can be read has been."""
    log = LogFile(path)
    yield from log.records()
    if log.damage:
        raise InputError(log.damage)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _refuse_junk(path: str, sample: bytes) -> None:
    """Text has hardly any control characters; a line or two of a crash may."""
    controls = sum(sample.count(bytes([code])) for code in range(32) if code not in (7, 8, 9, 10, 12, 13, 27))
    if controls * 20 > len(sample):
        raise InputError(f"{path} is not text: {controls} of its first {len(sample)} bytes are control characters")
