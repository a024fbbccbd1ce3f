# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the kernel logs of panics that pstore has saved."""

import os
import re
import stat
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import advise_access
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record

# Where the kernel shows the dumps of a panic, and where systemd-pstore moves them at boot
# (pstore.conf(5)).
PSTORE = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
PSTORE_BACKEND = "/sys/module/pstore/parameters/backend"

# No kernel's buffer is larger.
_LARGEST_DUMP = 1 << 24

# fs/pstore/platform.c:pstore_dump; part 1 has the last lines
_DUMP_HEADER = re.compile(r"(?P<reason>\w+)#\d+ Part(?P<part>\d+)$")


class _DumpPart(NamedTuple):
    path: str
    folder: str
    written: float
    part: int  # 0: the whole dump
    lines: List[str]


def pstore_backend(root: str = "/") -> Optional[str]:
    """Return the name of the pstore backend, such as C(ramoops), or None."""
    try:
        with open(os.path.join(root, PSTORE_BACKEND.lstrip("/"))) as stream:
            name = stream.read().strip()
    except OSError:
        return None
    return None if name in ("", "(null)") else name


def pstore_dumps(root: str = "/") -> Iterator[Tuple[str, Iterator[Record]]]:
    """Yield the path and the records of each dump of a panic or oops, oldest first.

    A dump in parts has the path of the part with the last lines. A dump may be yielded twice,
    because systemd-pstore also joins parts in a C(dmesg.txt). That file may contain parts of an
    earlier boot instead of those in its folder, so neither is skipped. Raises AccessError.
    """
    parts = sorted(_read_parts(root), key=lambda part: (part.written, part.folder, part.part))
    while parts:
        last = parts.pop(0)
        dump = [last]
        while last.part and parts and parts[0].folder == last.folder and parts[0].part > dump[-1].part:
            dump.append(parts.pop(0))
        yield last.path, parse_lines([line for part in reversed(dump) for line in part.lines])


def _read_parts(root: str) -> Iterator[_DumpPart]:
    for top in PSTORE:
        for folder, _folders, names in os.walk(os.path.join(root, top.lstrip("/")), onerror=_refuse_unreadable):
            for name in names:
                if name.startswith("dmesg") and not name.endswith(".z"):  # .z: the kernel could not decompress it
                    path = os.path.join(folder, name)
                    try:
                        if not stat.S_ISREG(os.stat(path).st_mode):
                            continue
                        with open(path, "rb") as stream:
                            text = stream.read(_LARGEST_DUMP).decode("utf-8", "backslashreplace")
                    except OSError as error:
                        raise _access_error(path, error) from error
                    lines = [line.rstrip("\r") for line in text.rstrip("\n").split("\n")]
                    header = _DUMP_HEADER.match(lines[0]) if lines and name != "dmesg.txt" else None
                    yield _DumpPart(
                        path, folder, os.stat(path).st_mtime, int(header.group("part")) if header else 0, lines
                    )


def _refuse_unreadable(error: OSError) -> None:
    """Raise AccessError for an unreadable folder, which may contain dumps; ignore a missing one."""
    if not isinstance(error, FileNotFoundError):
        raise _access_error(error.filename, error) from error


def _access_error(path: str, error: OSError) -> AccessError:
    advice = advise_access(error, "make it readable, or read another source")
    return AccessError(f"{printable_name(path)} cannot be read ({error.strerror}): {advice}")
