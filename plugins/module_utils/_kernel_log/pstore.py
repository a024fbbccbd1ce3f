# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read kernel logs that pstore kept of a panic."""

import os
import re
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record

# What a panic left in memory that outlives it: as the kernel shows it, and where systemd-pstore puts it at boot (pstore.conf(5)).
PSTORE = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
PSTORE_BACKEND = "/sys/module/pstore/parameters/backend"

_DUMP_HEADER = re.compile(
    r"(?P<reason>\w+)#\d+ Part(?P<part>\d+)$"
)  # fs/pstore/platform.c:pstore_dump; part 1 has the last lines


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
        yield last.path, parse_lines([line for part in reversed(dump) for line in part.lines])


def _dump_parts(root: str) -> Iterator[_DumpPart]:
    for top in PSTORE:
        for folder, _folders, names in os.walk(os.path.join(root, top.lstrip("/")), onerror=_denied):
            for name in names:
                if name.startswith("dmesg") and not name.endswith(".z"):  # which the kernel could not uncompress
                    path = os.path.join(folder, name)
                    try:
                        with open(path, "rb") as stream:
                            lines = [line.decode("utf-8", "backslashreplace") for line in stream.read().splitlines()]
                    except OSError as error:
                        raise _unreadable(path, error)
                    header = _DUMP_HEADER.match(lines[0]) if lines and name != "dmesg.txt" else None
                    yield _DumpPart(
                        path, folder, os.stat(path).st_mtime, int(header.group("part")) if header else 0, lines
                    )


def _denied(error: OSError) -> None:
    """A folder that may not be read is not an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise _unreadable(error.filename, error)


def _unreadable(path: str, error: OSError) -> AccessError:
    return AccessError(f"{path} cannot be read ({error.strerror}): be root")
