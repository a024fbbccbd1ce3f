# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the kernel's ring buffer from /dev/kmsg."""

import os
import select
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import advise_access
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record, parse_kmsg_line

# One read of /dev/kmsg returns one record. With all its escapes it fits
# (kernel/printk/printk.c:PRINTKRB_RECORD_MAX).
_RECORD_BYTES = 16384


class Kmsg:
    """The kernel's ring buffer, read through /dev/kmsg."""

    def __init__(self, path: str = "/dev/kmsg", start: int = 0) -> None:
        """Open the device; C(start) is the number of the first record to return.

        Raises UnsupportedError if there is no such device, and AccessError without permission.
        """
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UnsupportedError(
                f"{path} does not exist, so the kernel's buffer cannot be read here: set source=journal, "
                "or paths for log files"
            ) from None
        except PermissionError as error:
            advice = advise_access(error, "grant CAP_SYSLOG if kernel.dmesg_restrict is 1, or set paths for log files")
            raise AccessError(f"{path} cannot be read ({error.strerror}): {advice}") from error
        self.lost = 0  # records that were overwritten before they were read
        self._start = start
        self.next: Optional[int] = start  # expected number of the next record; None accepts any

    def __enter__(self) -> "Kmsg":
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)

    def seek_end(self) -> None:
        """Skip the existing records, so that only new ones are read."""
        os.lseek(self._fd, 0, os.SEEK_END)
        self.next = None

    def wait(self, seconds: float) -> None:
        """Wait until there is a record to read, at most this many seconds."""
        select.select([self._fd], [], [], seconds)

    def read(self) -> List[Record]:
        """Return all records that are available now, without waiting."""
        records: List[Record] = []
        while True:
            try:
                chunk = os.read(self._fd, _RECORD_BYTES)
            except BlockingIOError:
                return records
            except BrokenPipeError:  # the record was overwritten: the kernel continues with the oldest one
                continue
            # The lines after the first are " KEY=value" lines about the device that logged it.
            line = chunk.decode("utf-8", "backslashreplace").split("\n", 1)[0]
            found = parse_kmsg_line(line)
            if found is None:
                continue
            if found.sequence < self._start:
                continue
            if self.next is not None and found.sequence > self.next:
                self.lost += found.sequence - self.next
            self.next = found.sequence + 1
            records.append(found.record._replace(place=Place("kmsg", found.sequence)))
