# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Where kernel text comes from: the journal, /dev/kmsg, pstore and files, as records with their trust."""

import glob
import gzip
import json
import os
import re
import select
import stat
import subprocess
import sys
import zlib
from typing import IO, Iterator, List, NamedTuple, Optional, Tuple

try:
    import lzma
except ImportError:  # Python can be built without
    lzma = None  # type: ignore[assignment]

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._log_prefix import Record, journal_record, kmsg_record, records_of

# One read of /dev/kmsg gives one record; a record fits (kernel/printk/printk.c:PRINTKRB_RECORD_MAX and its escapes).
_RECORD_BYTES = 16384

# How much of a file is looked at to tell text from anything else.
_SAMPLE_BYTES = 65536

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"  # what compressed files begin with, whatever their name


class Kmsg:
    """The kernel's ring buffer, read through /dev/kmsg."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UnsupportedError("{0} does not exist: the kernel log cannot be read here".format(path))
        except PermissionError as error:
            raise AccessError(
                "{0} cannot be read ({1}): be root, or have CAP_SYSLOG while kernel.dmesg_restrict is 1".format(path, error.strerror)
            )
        self.lost = 0  # records that were overwritten before they were read
        self._next = 0  # type: Optional[int]  # None: anything may come next

    def __enter__(self) -> "Kmsg":
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def seek_end(self) -> None:
        """From now on only new records."""
        os.lseek(self._fd, 0, os.SEEK_END)
        self._next = None

    def wait(self, seconds: float) -> None:
        """Until there is a record to read, or the time is over."""
        select.select([self._fd], [], [], seconds)

    def read(self) -> List[Record]:
        """Every record that is there now; never waits."""
        records = []
        while True:
            try:
                chunk = os.read(self._fd, _RECORD_BYTES)
            except BlockingIOError:
                return records
            except BrokenPipeError:  # overwritten while we read: the kernel goes on with the oldest it has
                continue
            # Behind the first line stand " KEY=value" lines about the device that spoke.
            line = chunk.decode("utf-8", "backslashreplace").split("\n", 1)[0]
            found = kmsg_record(line)
            if found is None:
                continue
            if self._next is not None and found.sequence > self._next:
                self.lost += found.sequence - self._next
            self._next = found.sequence + 1
            records.append(found.record)


# --- the journal ------------------------------------------------------------------

JOURNALS = ("/run/log/journal", "/var/log/journal")

BOOTS = {"current": "0", "previous": "-1"}  # as journalctl counts them; another word is a boot id


def has_journal(root: str = "/") -> bool:
    """Whether journald keeps a log here: a folder alone may be left from another time."""
    return any(glob.glob(os.path.join(root, folder.lstrip("/"), "*", "*.journal")) for folder in JOURNALS)


def read_journal(boot: str, program: str = "journalctl") -> Iterator[Record]:
    """What the kernel said in one boot, or in all, oldest first. It is asked for by journald's own field, which nobody can forge."""
    command = [program, "--quiet", "--no-pager", "--all", "--output=json", "_TRANSPORT=kernel"]
    if boot != "all":
        command.append("--boot=" + BOOTS.get(boot, boot))
    try:
        reader = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C")
        )
    except OSError as error:
        raise UnsupportedError("the journal cannot be read: {0} cannot be started: {1}".format(program, error.strerror))
    with reader:
        for line in reader.stdout:  # type: ignore[union-attr]
            found = journal_record(json.loads(line.decode("utf-8", "replace")))
            if found is not None:
                yield found
        complaint = reader.stderr.read().decode("utf-8", "replace").strip()  # type: ignore[union-attr]
    if reader.returncode != 0:
        raise AccessError("the journal cannot be read (boot={0}): {1}".format(boot, complaint or "{0} failed".format(program)))


# --- pstore -----------------------------------------------------------------------

# What a panic left in memory that outlives it: as the kernel shows it, and where systemd-pstore puts it at boot (pstore.conf(5)).
PSTORE = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
PSTORE_BACKEND = "/sys/module/pstore/parameters/backend"

_DUMP_HEADER = re.compile(r"(?P<reason>\w+)#\d+ Part(?P<part>\d+)$")  # fs/pstore/platform.c:pstore_dump; part 1 has the last lines


class _DumpPart(NamedTuple):
    path: str
    folder: str
    written: float
    part: int  # 0 for all of a dump
    lines: List[str]


def pstore_backend(root: str = "/") -> Optional[str]:
    """Who keeps what pstore has, such as C(ramoops); None for nobody."""
    try:
        with open(os.path.join(root, PSTORE_BACKEND.lstrip("/"))) as stream:
            name = stream.read().strip()
    except OSError:
        return None
    return None if name in ("", "(null)") else name


def pstore_dumps(root: str = "/") -> Iterator[Tuple[str, Iterator[Record]]]:
    """Kernel logs of panics and oopses, oldest first: the path of each, or of the part with its last lines, and its records.

    One may come twice: systemd-pstore also puts parts together, but not always
    those that lie beside it, as its C(dmesg.txt) may be of an earlier boot.
    """
    parts = sorted(_dump_parts(root), key=lambda one: (one.written, one.folder, one.part))
    while parts:
        last = parts.pop(0)
        dump = [last]
        while last.part and parts and parts[0].folder == last.folder and parts[0].part > dump[-1].part:
            dump.append(parts.pop(0))
        yield last.path, records_of([line for part in reversed(dump) for line in part.lines])


def _dump_parts(root: str) -> Iterator[_DumpPart]:
    for top in PSTORE:
        for folder, _folders, names in os.walk(os.path.join(root, top.lstrip("/")), onerror=_denied):
            for name in names:
                if name.startswith("dmesg") and not name.endswith(".z"):  # which the kernel could not uncompress
                    path = os.path.join(folder, name)
                    lines = list(_lines(path))
                    header = _DUMP_HEADER.match(lines[0]) if lines and name != "dmesg.txt" else None
                    yield _DumpPart(path, folder, os.stat(path).st_mtime, int(header.group("part")) if header else 0, lines)


def _denied(error: OSError) -> None:
    """A folder that may not be read is not an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise AccessError("{0} cannot be read ({1}): be root".format(error.filename, error.strerror))


def files(patterns: List[str]) -> List[str]:
    """The files that paths and globs name, each once, in the order given."""
    found = []  # type: List[str]
    for pattern in patterns:
        matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        if not matches:
            raise NotFoundError("{0} matches no file".format(pattern))
        found.extend(path for path in matches if path not in found)
    return found


def read_file(path: str) -> Iterator[Record]:
    """Records of a log file, line by line."""
    return records_of(_lines(path))


def _lines(path: str) -> Iterator[str]:
    """Lines of a file, uncompressed where it is compressed."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError("{0} is not a file".format(path))
        with _unpacked(path) as stream:
            _refuse_junk(path, stream.read(_SAMPLE_BYTES))
        with _unpacked(path) as stream:
            for line in stream:
                yield line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        raise NotFoundError("{0} does not exist".format(path))
    except (EOFError, zlib.error, *([lzma.LZMAError] if lzma else [])) as error:
        raise InputError("{0} is cut or damaged: {1}".format(path, error))
    except OSError as error:
        raise AccessError("{0} cannot be read: {1}".format(path, error.strerror or error))


def _unpacked(path: str) -> IO[bytes]:
    with open(path, "rb") as stream:
        start = stream.read(len(_XZ))
    if start.startswith(_GZIP):
        return gzip.open(path)  # type: ignore[return-value]
    if start != _XZ:
        return open(path, "rb")
    if lzma is None:
        raise UnsupportedError("{0} is packed by xz, which the Python of this host ({1}) cannot read".format(path, sys.executable))
    return lzma.open(path)


def _refuse_junk(path: str, sample: bytes) -> None:
    """Text has hardly any control characters; a line or two of a crash may."""
    controls = sum(sample.count(bytes([code])) for code in range(32) if code not in (7, 8, 9, 10, 12, 13, 27))
    if controls * 20 > len(sample):
        raise InputError("{0} is not text: {1} of its first {2} bytes are control characters".format(path, controls, len(sample)))
