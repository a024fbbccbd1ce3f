# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find log files, order and decompress them, and continue where the last run stopped.

The files of a rotated log are one log: kern.log continues where kern.log.1 ends. A file is
recognised by its first bytes, because rotation changes its name and its inode, and compression
changes its size.
"""

import contextlib
import glob
import hashlib
import io
import os
import re
import sys
from typing import IO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, printable_name, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import is_roots
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_dmesg_json, parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    LONGEST_ENTRY,
    parse_journal_entry,
    parse_json_entry,
    parse_verbose_entry,
    read_export_entries,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.provenance import (
    LARGEST_PROOF,
    has_field_names,
    has_one_form,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.search import (
    PartStream,
    find_parts,
    find_ranges,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.streams import (
    LINE_COST,
    Budget,
    DamageError,
    OpenFile,
    read_chunk,
    translate_errors,
)

# How much of a file is checked for binary data.
_SAMPLE_BYTES = 65536

# How many first bytes identify a file. They differ between files, because lines have timestamps.
_MARK_BYTES = 1024

# A file of this size or more is searched first. Reading all of a smaller one takes about a second.
_SEARCHED_BYTES = 8 << 20

# What is read of a compressed file before the rest is searched.
_READ_BYTES = 1 << 20

# No kernel's buffer is larger. dmesg's JSON must be read as a whole.
_LARGEST_DMESG = 1 << 24

# An entry of the journal has a few dozen fields.
_MOST_FIELDS = 1000

# The most files of one run.
MAX_FILES = 4096

_DMESG = re.compile(rb"\s*\{\s*\"dmesg\"\s*:")
_EXPORT = re.compile(rb"__[A-Z_]+=")
# journalctl --output=verbose: "Mon 2026-11-23 04:43:46.000001 UTC [s=a;i=7;b=a;m=7;t=a;x=a]"
_VERBOSE = re.compile(rb"(?:-- [^\n]*\n)?\S[^\n]{10,60} \[s=[0-9a-f]{32};i=[0-9a-f]+;b=")
_PRETTY = re.compile(rb"\{\r?\n\s*\"[A-Z_]+\" : ")  # journalctl --output=json-pretty

# logrotate(8): kern.log, kern.log.1, kern.log.2.gz;
# messages, messages-20261123, messages-20261116.xz
_ROTATED = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<number>\d{1,4})|-(?P<date>\d{8}(?:-?\d{1,10})?))?(?:\.(?:gz|xz|bz2|zst))?$"
)


def expand_paths(patterns: Iterable[str]) -> List[str]:
    """Return the files that match paths and globs, each once, in the order given.

    The files of a glob are ordered by log, and within a log from old to new. Raises
    NotFoundError for a glob that matches nothing, and InputError if there are too many.
    """
    found: Dict[str, None] = {}
    for pattern in patterns:
        matches = _expand_glob(pattern) if glob.has_magic(pattern) else [pattern]
        if not matches:
            raise NotFoundError(f"{printable_name(pattern)} matches no file")
        found.update(dict.fromkeys(matches))
        if len(found) > MAX_FILES:
            raise InputError(f"paths match more than {MAX_FILES} files: name fewer")
    return list(found)


def _expand_glob(pattern: str) -> List[str]:
    """Return what a glob matches, whatever the locale; "**" is the same as "*"."""
    return sorted((text_of(path) for path in glob.glob(check_path_text("paths", pattern))), key=_age_key)


def group_rotations(paths: Iterable[str]) -> List[List[str]]:
    """Return the paths in groups: files that follow each other in one rotated log share a group."""
    groups: List[List[str]] = []
    for path in paths:
        age = _age_key(path)
        last = _age_key(groups[-1][-1]) if groups else None
        if last is not None and last[0] == age[0] and last < age:
            groups[-1].append(path)
        else:
            groups.append([path])
    return groups


def _age_key(path: str) -> Tuple[str, int, int, str]:
    """Return a sort key: by log, then oldest first.

    Numbers count down, dates count up, and a file with neither is the current one.
    """
    match = _ROTATED.match(path)
    if match is None:
        return path, 1, 0, ""
    number, date = match.group("number", "date")
    return match.group("stem"), int(not (number or date)), -int(number or 0), date or ""


class Mark(NamedTuple):
    """The offset up to which a file was read; as text C(DIGEST:LENGTH:OFFSET)."""

    digest: str  # of the file's first bytes
    length: int  # number of these first bytes
    offset: int  # in bytes, decompressed

    def __str__(self) -> str:
        return ":".join(str(part) for part in self)

    @classmethod
    def of(cls, text: str) -> "Mark":
        """Parse the text of a mark, as C(str) writes it."""
        digest, length, offset = text.split(":")
        return cls(digest, int(length), int(offset))


class LogFile:
    """A log file, read from the place where the last run stopped."""

    def __init__(
        self,
        path: str,
        marks: Iterable[Mark] = (),
        whole_lines: bool = False,
        programs: bool = True,
        budget: Optional[Budget] = None,
    ) -> None:
        """Open the file and find the mark of the last run that belongs to it.

        C(whole_lines) leaves a last line without a line end for the next run. Without
        C(programs) a large file is searched for the kernel's messages only. C(budget) is what
        compressed files may unpack to. Raises NotFoundError, AccessError, or InputError for a file
        that is not a log.
        """
        self.path = path
        self._current_path = path  # a rotation may change it
        self.damage: Optional[str] = None  # why the rest could not be read
        self.nul_bytes = 0  # read instead of lines
        self._whole_lines = whole_lines
        self._programs = programs
        self._budget = budget or Budget()
        self._proof: Optional[bool] = None
        self._sample = b""
        with translate_errors(path), OpenFile(path, self._budget) as opened:
            self._status = opened.status
            self._read_sample(opened.stream)
        _refuse_binary(path, self._sample)
        self.known = next((mark for mark in marks if self._begins_with(mark)), None)
        self.start = self._end = self.known.offset if self.known else 0  # in bytes, decompressed

    @property
    def written(self) -> float:
        """When the file was written, in seconds since 1970."""
        return self._status.st_mtime

    def _read_sample(self, stream: IO[bytes]) -> None:
        """Read the first bytes, or those before the damage."""
        try:
            with translate_errors(self.path):
                while len(self._sample) < _SAMPLE_BYTES:
                    chunk = read_chunk(stream, _SAMPLE_BYTES - len(self._sample))
                    if not chunk:
                        return
                    self._sample += chunk
        except DamageError as error:
            self.damage = str(error)

    def _begins_with(self, mark: Mark) -> bool:
        return 0 < mark.length <= len(self._sample) and _digest(self._sample[: mark.length]) == mark.digest

    def mark(self, offset: Optional[int] = None) -> Optional[Mark]:
        """Return the mark for C(offset), by default for the place where reading stopped.

        Returns None for an empty file, because it could not be recognised again.
        """
        length = min(len(self._sample), _MARK_BYTES)
        return Mark(_digest(self._sample[:length]), length, self._end if offset is None else offset) if length else None

    def list_losses(self) -> List[str]:
        """Return what could not be read, a sentence for each reason."""
        losses = [self.damage] if self.damage else []
        if self.nul_bytes:
            losses.append(
                f"{printable_name(self.path)} has {self.nul_bytes} NUL bytes, as after a crash: lines are missing there"
            )
        return losses

    def records(self) -> Iterator[Record]:
        """Yield the records that the last run did not read, each with its place.

        A truncated or damaged file ends early, and C(damage) is set.
        """
        if not self._status.st_size:
            return
        try:
            with translate_errors(self.path), self._reopen(self._budget) as opened:
                for record in self._read_records(opened):
                    if (record.trusted or record.vouched) and not self._proves_writers():
                        record = record._replace(trusted=None if record.trusted else record.trusted, vouched=False)
                    yield record
                opened.check_size(self.path)
        except DamageError as error:
            self.damage = str(error)

    def _reopen(self, budget: Budget) -> OpenFile:
        """Open the file again, under the name that a rotation may have given it meanwhile."""
        for path in self._list_names():
            with contextlib.suppress(FileNotFoundError):
                opened = OpenFile(path, budget)
                if os.path.samestat(opened.status, self._status):
                    self._current_path = path
                    return opened
                opened.close()
        raise DamageError(f"{printable_name(self.path)} was rotated away before it was read: read it again")

    def _list_names(self) -> Iterator[str]:
        """Yield the path of the file, and then those of the other files of its log."""
        yield self.path
        stem = check_path_text("paths", _age_key(self.path)[0])
        yield from (text_of(path) for path in glob.iglob(glob.escape(stem) + b"[.-]*"))

    def _proves_writers(self) -> bool:
        """Return whether the whole file is proof of who wrote its lines (provenance.py).

        A file proves nothing if it is damaged, unpacks to too much, or was rotated away meanwhile:
        then its end is unknown. The reading itself reports the damage, after the lines before it.
        """
        if self._proof is None:
            try:
                with translate_errors(self.path):
                    self._proof = is_roots(self._current_path) and self._has_one_form()
            except DamageError:
                self._proof = False
        return self._proof

    def _has_one_form(self) -> bool:
        if _DMESG.match(self._sample):
            return True  # it is read as one JSON object, or not at all
        # Half of the budget is left, so that the file can be read after that.
        share = min(LARGEST_PROOF + LONGEST_ENTRY, self._budget.left // 2)
        budget = Budget(share)
        try:
            with self._reopen(budget) as opened:
                if not _EXPORT.match(self._sample):
                    return has_one_form(opened.stream)
                is_small = opened.is_compressed or opened.status.st_size <= LARGEST_PROOF
                return is_small and has_field_names(
                    fields or {} for _length, fields in read_export_entries(opened.stream)
                )
        finally:
            self._budget.left -= share - budget.left

    def _read_records(self, opened: OpenFile) -> Iterator[Record]:
        if _DMESG.match(self._sample):
            yield from self._read_dmesg(opened)
            return
        opened.seek(self.start)
        if _EXPORT.match(self._sample):
            yield from self._read_export(opened)
        elif _PRETTY.match(self._sample):
            yield from self._read_pretty(opened)
        elif _VERBOSE.match(self._sample):
            yield from self._read_verbose(opened)
        else:
            yield from parse_lines(self._read_lines(opened), lambda: Place(self.path, self._line))

    def _read_lines(self, opened: OpenFile) -> Iterator[str]:
        """Yield all lines, or those of a large file that may matter."""
        if opened.is_compressed:
            yield from self._read_unpacked(opened.stream)
            return
        size = opened.status.st_size
        if size - self.start < _SEARCHED_BYTES:
            yield from self._read_range(opened.stream, self.start, size)
            return
        for part in find_ranges(opened.stream.fileno(), self.start, self._programs):
            opened.seek(part.begin)
            yield from self._read_range(opened.stream, part.begin, part.end)

    def _read_whole(self, opened: OpenFile) -> Iterator[str]:
        """Yield all lines that the file had when it was opened."""
        end = sys.maxsize if opened.is_compressed else opened.status.st_size
        return self._read_range(opened.stream, self.start, end)

    def _read_unpacked(self, stream: IO[bytes]) -> Iterator[str]:
        """Yield the first lines of a stream, and those of the others that may matter."""
        yield from self._read_range(stream, self.start, self.start + _READ_BYTES, LINE_COST)
        parts = PartStream(find_parts(lambda size: read_chunk(stream, size), self._end, self._programs))
        runs = cast(IO[bytes], io.BufferedReader(parts))
        while True:
            begin = parts.begin_run()
            if begin is None:
                return
            yield from self._read_range(runs, begin, cost=LINE_COST)

    def _read_range(self, stream: IO[bytes], begin: int, end: int = sys.maxsize, cost: int = 0) -> Iterator[str]:
        """Yield the lines that begin in this range, from the first whole one on.

        Without C(end) it ends with the stream. C(cost) is what a line takes of the budget.
        """
        # The rest of a line is skipped: of the one that a range begins in, and of one that is
        # longer than any real line.
        in_rest = begin != self._end
        self._end = begin
        plain = _PlainLines(stream)
        while self._end < end:
            lines = [] if in_rest or cost else plain.take(self._end, end)
            if lines:
                yield from self._place_lines(lines)
                continue
            line = stream.readline(LONGEST_ENTRY)
            if not line:
                return
            if cost and self._budget.left >= 0:
                self._budget.spend(self.path, cost)
            ended = line.endswith(b"\n")
            self._line = self._end
            if ended or len(line) == LONGEST_ENTRY:
                self._end += len(line)
            elif self._whole_lines:
                return
            if not in_rest:
                if b"\0" in line:
                    yield from self._split_at_nul(line)
                else:
                    yield line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            # A run of NUL bytes ends the line that it was written over.
            in_rest = not ended and not line.endswith(b"\0")

    def _place_lines(self, lines: List[str]) -> Iterator[str]:
        """Yield plain lines, each with its place."""
        for text in lines:
            self._line = self._end
            self._end += len(text) + 1
            yield text

    def _split_at_nul(self, line: bytes) -> Iterator[str]:
        r"""Yield the texts between the NUL bytes that a crash left in the file."""
        line = line.rstrip(b"\r\n")
        self.nul_bytes += line.count(b"\0")
        for text in line.split(b"\0"):
            if text:
                yield text.decode("utf-8", "backslashreplace")

    def _read_export(self, opened: OpenFile) -> Iterator[Record]:
        for length, fields in read_export_entries(opened.stream):
            if fields is None:  # the next run reads it
                return
            record = parse_journal_entry(fields)
            if record is not None:
                yield record._replace(place=Place(self.path, self._end))
            self._end += length
            if not opened.is_compressed and self._end >= opened.status.st_size:
                return

    def _read_pretty(self, opened: OpenFile) -> Iterator[Record]:
        entry, begin, end = "", self.start, self.start
        for line in self._read_whole(opened):
            if line == "{":
                entry, begin = "", self._line
            if len(entry) <= LONGEST_ENTRY:
                entry += line
            if line == "}":
                end = self._end
                record = parse_json_entry(entry)
                if record is not None:
                    yield record._replace(place=Place(self.path, begin))
        self._end = end  # the next run reads an incomplete last entry

    def _read_verbose(self, opened: OpenFile) -> Iterator[Record]:
        begin = end = self.start
        entry: List[str] = []
        for line in self._read_whole(opened):
            if not line.startswith(" "):
                yield from self._parse_verbose(entry, begin)
                entry, begin, end = [], self._line, self._line
            if len(entry) < _MOST_FIELDS:
                entry.append(line)
        if self._whole_lines:
            self._end = end  # the last entry may go on
        else:
            yield from self._parse_verbose(entry, begin)

    def _parse_verbose(self, entry: List[str], begin: int) -> Iterator[Record]:
        record = parse_verbose_entry(entry)
        if record is not None:
            yield record._replace(place=Place(self.path, begin))

    def _read_dmesg(self, opened: OpenFile) -> Iterator[Record]:
        text = opened.stream.read(_LARGEST_DMESG + 1)
        if self.start:
            return  # it was read before, and nothing appends to it
        self._end = len(text)
        try:
            if len(text) > _LARGEST_DMESG:
                raise ValueError("it is larger than any kernel's buffer")
            for record in parse_dmesg_json(text.decode("utf-8", "backslashreplace")):
                yield record._replace(place=Place(self.path, 0))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{printable_name(self.path)} is not JSON from dmesg, write it again with dmesg --json: {error}"
            ) from error


def read_log(path: str) -> Iterator[Record]:
    """Yield the records of a log file.

    A truncated or damaged file raises InputError after its readable records.
    """
    log = LogFile(path)
    yield from log.records()
    if log.damage:
        raise InputError(log.damage)


class _PlainLines:
    """The lines that a stream has read ahead, as long as they are ASCII without NUL and CR.

    Nearly all lines are: to decode them together takes a third of the time.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = cast(io.BufferedReader, stream)
        self._other_until = 0  # an offset: what was read ahead up to there is not plain

    def take(self, begin: int, end: int) -> List[str]:
        """Return the next lines, from C(begin) to C(end) at most; none where others are."""
        if begin < self._other_until:
            return []
        ahead = self._stream.peek()
        block = ahead[: ahead.rfind(b"\n", 0, end - begin) + 1]
        if block and b"\0" not in block and b"\r" not in block:
            with contextlib.suppress(UnicodeDecodeError):
                lines = block.decode("ascii").split("\n")
                self._stream.read(len(block))
                return lines[:-1]
        self._other_until = begin + len(ahead)
        return []


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _refuse_binary(path: str, sample: bytes) -> None:
    """Raise InputError if more than 5 % of the sample are control characters.

    Text has hardly any, but a crash may leave a line or two of them. It also leaves blocks of NUL
    bytes, which do not count.
    """
    controls = sum(sample.count(bytes([code])) for code in range(1, 32) if code not in (7, 8, 9, 10, 12, 13, 27))
    if controls * 20 > len(sample) - sample.count(b"\0"):
        raise InputError(
            f"{printable_name(path)} is not text: {controls} of its first {len(sample)} bytes are control characters:"
            " name log files only"
        )
