# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Where kernel text comes from: /dev/kmsg and files, as records with their trust.

The journal and pstore get their readers here, too, when they come.
"""

import glob
import os
import select
import stat
from typing import Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._log_prefix import Record, kmsg_record, records_of

# One read of /dev/kmsg gives one record; a record fits (kernel/printk/printk.c:PRINTKRB_RECORD_MAX and its escapes).
_RECORD_BYTES = 16384

# How much of a file is looked at to tell text from anything else.
_SAMPLE_BYTES = 65536


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
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError("{0} is not a file".format(path))
        with open(path, "rb") as stream:
            _refuse_junk(path, stream.read(_SAMPLE_BYTES))
            stream.seek(0)
            yield from records_of(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace") for line in stream)
    except FileNotFoundError:
        raise NotFoundError("{0} does not exist".format(path))
    except OSError as error:
        raise AccessError("{0} cannot be read: {1}".format(path, error.strerror))


def _refuse_junk(path: str, sample: bytes) -> None:
    """Text has hardly any control characters; a line or two of a crash may."""
    controls = sum(sample.count(bytes([code])) for code in range(32) if code not in (7, 8, 9, 10, 12, 13, 27))
    if controls * 20 > len(sample):
        raise InputError("{0} is not text: {1} of its first {2} bytes are control characters".format(path, controls, len(sample)))
