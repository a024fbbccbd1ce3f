# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Open log files and decompress them, within bounds.

Users may name log files and choose what is in them. So a FIFO or a device is refused before it is
opened, a file that is nearly all holes before it is read, and what compressed files unpack to is
counted.
"""

import codecs
import contextlib
import io
import os
import stat
import sys
import zlib
from typing import IO, Any, Callable, Iterator, Optional, Tuple, Type, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import advise_access
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.optional_modules import import_optional

bz2, lzma = import_optional("bz2"), import_optional("lzma")

# The first bytes of compressed files, whatever their names, and of text in UTF-16.
_GZIP, _XZ, _BZIP2, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# What all compressed files of one run may unpack to.
MAX_UNPACKED_BYTES = 4 << 30
# xz -9 needs 65 MiB to decompress; a hostile file can ask for 4 GiB.
_XZ_MEMORY_BYTES = 256 << 20

# A file with less than this share of its bytes on disk is sparse. File systems that compress keep
# text at 1/20 or more.
_SPARSE_RATIO = 64
_SMALLEST_SPARSE = 16 << 20

_BUFFER_BYTES = 64 << 10  # of an open file
_CHUNK_BYTES = 1 << 18

# What a line costs besides its bytes, as four gigabytes of line ends would take an hour.
LINE_COST = 64


class DamageError(InputError):
    """A compressed file cannot be decompressed from here on."""


class BudgetError(DamageError):
    """The compressed files of this run unpack to too much."""


class Budget:
    """How many bytes compressed files may still unpack to."""

    def __init__(self, left: int = MAX_UNPACKED_BYTES) -> None:
        self.left = left

    def spend(self, path: str, size: int) -> None:
        """Take bytes for a file. Raises BudgetError if no more are left."""
        self.left -= size
        if self.left < 0:
            raise BudgetError(
                f"{printable_name(path)} was not read to its end: compressed files unpack to more than "
                f"{MAX_UNPACKED_BYTES >> 30} GiB: decompress them first, or name fewer"
            )


_DECOMPRESSION_ERRORS: Tuple[Type[Exception], ...] = (EOFError, zlib.error)  # of bzip2 it is an OSError
if lzma is not None:
    _DECOMPRESSION_ERRORS += (lzma.LZMAError,)


@contextlib.contextmanager
def translate_errors(path: str) -> Iterator[None]:
    """Turn errors of reading into errors that name the file."""
    name = printable_name(path)
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{name} does not exist: name a file on the managed host itself") from None
    except _DECOMPRESSION_ERRORS as error:
        raise DamageError(f"{name} is truncated or damaged: {error}") from error
    except OSError as error:
        if error.errno is None:  # an error of bzip2
            raise DamageError(f"{name} is truncated or damaged: {error}") from error
        advice = advise_access(error, "name a log file that can be read, or correct paths")
        raise AccessError(f"{name} cannot be read: {error.strerror}: {advice}") from error


class OpenFile:
    """An open log file: its decompressed bytes, its status, and whether it is compressed.

    A file in UTF-16 counts as compressed, because its text in UTF-8 has other offsets.
    """

    def __init__(self, path: str, budget: Budget) -> None:
        """Open a regular file. Raises OSError, InputError, and UnsupportedError.

        The last one is for a file that nothing on this host can decompress.
        """
        self._raw = _open_regular(path)
        self.status = os.fstat(self._raw.fileno())
        try:
            read = self._find_decompressor(path)
        except BaseException:
            self._raw.close()
            raise
        self.is_compressed = read is not None
        self.stream = self._raw
        if read is not None:
            unpacked = _Unpacked(path, _TextReader(read).read, budget)
            self.stream = cast(IO[bytes], io.BufferedReader(unpacked))

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def check_size(self, path: str) -> None:
        """Raise DamageError if the file is shorter now than when it was opened."""
        if os.fstat(self._raw.fileno()).st_size < self.status.st_size:
            raise DamageError(
                f"{printable_name(path)} was truncated while it was read, as by logrotate's copytruncate: "
                "read its newest copy, too"
            )

    def seek(self, offset: int) -> None:
        """Go to an offset in the decompressed bytes, from the beginning of the file."""
        if not self.is_compressed:
            self.stream.seek(offset)
            return
        while offset > 0:
            skipped = len(self.stream.read(min(offset, _CHUNK_BYTES)))
            if not skipped:
                return
            offset -= skipped

    def _find_decompressor(self, path: str) -> Optional[Callable[[int], bytes]]:
        start = self._raw.read(len(_XZ)) if self.status.st_size else b""
        self._raw.seek(0)
        if start.startswith(_GZIP):
            return _Unpacker(self._raw, _GZIP, _Gunzip).read
        if start.startswith(_XZ):
            return _Unpacker(self._raw, _XZ, _find_maker(path, "xz", "lzma", lzma and _make_unxz)).read
        if start.startswith(_BZIP2):
            return _Unpacker(self._raw, _BZIP2, _find_maker(path, "bzip2", "bz2", bz2 and bz2.BZ2Decompressor)).read
        if start.startswith(_ZSTD):
            return _ZstdReader(path, self._raw).read
        return self._raw.read if start.startswith(_UTF16) else None


def _open_regular(path: str) -> IO[bytes]:
    """Open a regular file that is not sparse; a FIFO or a device is not even opened."""
    name, raw_path = printable_name(path), check_path_text("paths", path)
    if os.path.realpath(raw_path).startswith(b"/proc/"):  # reading /proc/kmsg would take its records away
        raise InputError(f"{name} is in /proc, not a log file: use source=kmsg for the kernel's buffer")
    if not stat.S_ISREG(os.stat(raw_path).st_mode):
        raise InputError(f"{name} is not a file: name a file, or a glob such as /var/log/kern.log*")
    descriptor = os.open(raw_path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # replaced meanwhile
            raise InputError(f"{name} is not a file: name a file, or a glob such as /var/log/kern.log*")
        if status.st_size >= _SMALLEST_SPARSE and status.st_blocks * 512 * _SPARSE_RATIO < status.st_size:
            raise InputError(
                f"{name} is sparse: {status.st_size} bytes, of which {status.st_blocks * 512} are on disk: "
                "copy what it holds to another file (cp --sparse=never)"
            )
        return open(descriptor, "rb", buffering=_BUFFER_BYTES)
    except BaseException:
        os.close(descriptor)
        raise


class _Unpacked(io.RawIOBase):
    """The bytes of a compressed file, counted."""

    def __init__(self, path: str, read: Callable[[int], bytes], budget: Budget) -> None:
        self._path = path
        self._read = read
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        self._budget.spend(self._path, len(data))
        buffer[: len(data)] = data
        return len(data)


class _Gunzip:
    """Decompresses one member of a gzip file, with the interface of lzma and bz2."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)  # with the header and the checksum of gzip

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, size)


def _make_unxz() -> Any:
    """Return a decompressor of xz with a limit for the memory, which lzma.open() does not have."""
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)


def _find_maker(path: str, form: str, module: str, maker: Any) -> Callable[[], Any]:
    if maker is None:
        raise UnsupportedError(
            f"{printable_name(path)} is compressed with {form}, but Python {sys.executable} has no {module} module: "
            "decompress the file first"
        )
    return cast(Callable[[], Any], maker)


class _Unpacker:
    """Decompresses the streams of a file, one after the other."""

    def __init__(self, raw: IO[bytes], magic: bytes, make: Callable[[], Any]) -> None:
        self._raw = raw
        self._magic = magic
        self._make = make
        self._decompressor = make()

    def read(self, size: int) -> bytes:
        """Return at most this many bytes; none at the end."""
        while True:
            data = b""
            if self._decompressor.eof:
                data = (self._decompressor.unused_data or self._raw.read(_CHUNK_BYTES)).lstrip(b"\0")
                # Like gzip(1) and xz(1), ignore what follows the last stream.
                if not data.startswith(self._magic):
                    return b""
                self._decompressor = self._make()
            elif self._decompressor.needs_input:
                data = self._raw.read(_CHUNK_BYTES)
                if not data:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            unpacked = self._decompressor.decompress(data, size)
            if unpacked:
                return cast(bytes, unpacked)


class _ZstdReader:
    """Decompresses zstd with the host's program, as Python has it only from 3.14 on."""

    def __init__(self, path: str, raw: IO[bytes]) -> None:
        """Start the program on the open file, whatever its path leads to meanwhile."""
        command = ["zstd", "-dcfq", "--no-progress", "-M256MB", f"/proc/{os.getpid()}/fd/{raw.fileno()}"]
        try:
            self._chunks = Program(command).chunks()
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{printable_name(path)} is compressed with zstd, but {error}: "
                "install zstd, or decompress the file first"
            ) from error
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at most this many bytes; none at the end."""
        if not self._rest:
            try:
                self._rest = next(self._chunks, b"")
            except OomError as error:
                raise EOFError(str(error)) from error
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _TextReader:
    """Converts text in UTF-16 with a byte order mark, as Windows writes it, to UTF-8.

    Other text stays as it is.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._has_begun = False
        self._decoder: Optional[codecs.IncrementalDecoder] = None
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at most this many bytes; none at the end."""
        if not self._has_begun:
            self._has_begun = True
            self._begin()
        while self._decoder is not None and not self._rest:
            data = self._read(_CHUNK_BYTES)
            self._rest = self._convert(self._decoder, data)
            if not data:
                self._decoder = None
        if not self._rest:
            return self._read(size)
        converted, self._rest = self._rest[:size], self._rest[size:]
        return converted

    def _begin(self) -> None:
        """Read the mark, if there is one."""
        start = self._read(len(_UTF16[0]))
        start += self._read(len(_UTF16[0]) - len(start)) if len(start) == 1 else b""
        if start in _UTF16:
            self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
            self._decoder.decode(start)
        else:
            self._rest = start

    @staticmethod
    def _convert(decoder: codecs.IncrementalDecoder, data: bytes) -> bytes:
        return decoder.decode(data, final=not data).encode("utf-8", "replace")


def read_chunk(stream: IO[bytes], size: int) -> bytes:
    """Return the next bytes of a stream, none at its end. An error costs only one chunk."""
    return cast(io.BufferedReader, stream).read1(min(size, _CHUNK_BYTES))
