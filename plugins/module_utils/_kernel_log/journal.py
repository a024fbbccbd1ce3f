# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the systemd journal with journalctl."""

import glob
import json
import os
import subprocess
from typing import IO, Iterator, List, Optional, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    KILLER_UNITS,
    parse_journal_entry,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record

JOURNALS = ("/run/log/journal", "/var/log/journal")

BOOTS = {"current": "0", "previous": "-1"}  # as journalctl counts them; any other value is a boot id

# What to read, by fields that only journald writes: the kernel, the services of killers, and
# systemd's message about what systemd-oomd killed.
_MATCHES = (
    ["_TRANSPORT=kernel", "+"]
    + ["_SYSTEMD_UNIT=" + unit for unit in sorted(KILLER_UNITS)]
    + ["+", "_PID=1", "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed"]
)


def has_journal(root: str = "/") -> bool:
    """Return whether journald keeps a log here, as a folder alone may be left over."""
    return bool(_find_journal_files(root))


def _find_journal_files(root: str) -> List[str]:
    return [
        path
        for folder in JOURNALS
        for path in glob.glob(os.path.join(root, folder.lstrip("/"), "*", "system*.journal"))
    ]


class Journal:
    """The messages of the kernel and of killers, oldest first, read with journalctl(1).

    Those of one boot, of all boots, or since a cursor.
    """

    def __init__(
        self,
        boot: str,
        since: Optional[float] = None,
        until: Optional[float] = None,
        cursor: Optional[str] = None,
        program: str = "journalctl",
    ) -> None:
        """Build the command, but do not run it yet.

        C(since) and C(until) are seconds since 1970. C(cursor) is the cursor of the last record
        that was read before; that record is not read again.
        """
        self._program = program
        self._command = [program, "--quiet", "--no-pager", "--all", "--output=json"]
        self._selection = "cursor" if cursor else "boot=" + boot
        if cursor:
            self._command.append("--cursor=" + cursor)
        elif boot != "all":
            self._command.append("--boot=" + BOOTS.get(boot, boot))
        for option, moment in (("--since", since), ("--until", until)):
            if moment is not None:
                self._command.append(f"{option}=@{moment:.0f}")
        self.end = cursor  # of the last record that was read
        self.gap = False  # whether the record at the cursor is gone
        self.written = 0.0  # time of the last record, in seconds since 1970

    def read(self) -> Iterator[Record]:
        """Yield the records. Raises AccessError, or UnsupportedError without journalctl."""
        hidden = [path for path in _find_journal_files("/") if not os.access(path, os.R_OK)]
        if hidden:  # journalctl would silently show only the other files
            raise AccessError(
                f"the journal cannot be read: no permission for {hidden[0]}: be root, or in the group systemd-journal"
            )
        try:
            reader = subprocess.Popen(
                self._command + _MATCHES,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(os.environ, LC_ALL="C"),
            )
        except OSError as error:
            raise UnsupportedError(
                f"the journal cannot be read: {self._program} cannot be started: {error.strerror}"
            ) from error
        self.gap = self.end is not None
        # With PIPE, Popen sets both streams.
        stdout, stderr = cast(IO[bytes], reader.stdout), cast(IO[bytes], reader.stderr)
        with reader:
            for line in stdout:
                fields = json.loads(line.decode("utf-8", "replace"))
                if self.gap and fields.get("__CURSOR") == self.end:
                    self.gap = False
                    continue
                record = parse_journal_entry(fields)
                if record is not None:
                    yield record._replace(place=Place("journal", self.end or ""))
                self.end = fields.get("__CURSOR")
                self.written = int(fields.get("__REALTIME_TIMESTAMP", "0")) / 1e6
            message = stderr.read().decode("utf-8", "replace").strip()
        if reader.returncode != 0:
            raise AccessError(f"the journal cannot be read ({self._selection}): {message or f'{self._program} failed'}")
