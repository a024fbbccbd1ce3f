# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Watch the kernel log for kills while a trial runs."""

import time
from typing import Callable, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import pids_of

# The kernel sends the signal first and then logs the victim (mm/oom_kill.c:__oom_kill_process).
LOG_SECONDS = 3.0


class KillWatch:
    """The kernel log from C(start) on.

    A log that cannot be read is no error: C(error) holds the reason, and there are no records.
    """

    def __init__(self, open_log: Callable[[], Kmsg]) -> None:
        self._open_log = open_log
        self._kmsg: Optional[Kmsg] = None
        self._records: List[Record] = []
        self.error: Optional[str] = None

    def start(self) -> None:
        """Open the log and skip the records that are already in it."""
        try:
            self._kmsg = self._open_log()
            self._kmsg.seek_end()
        except OomError as error:
            self.error = str(error)

    def position(self) -> int:
        """Return the current end of the log, as C(since) for the other methods."""
        self._read()
        return len(self._records)

    def kills(self, since: int = 0) -> List[Event]:
        """Return the events with victims that the kernel itself logged since a position."""
        self._read()
        return [event for event in parse_events(self._records[since:]) if event["trusted"] and event["victims"]]

    def wait_for_kills(self, count: int, since: int) -> List[Event]:
        """Return C(kills) as soon as they name this many victims, or after LOG_SECONDS."""
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            kills = self.kills(since)
            left = deadline - time.monotonic()
            if self._kmsg is None or left <= 0 or len(pids_of(kills)) >= count:
                return kills
            self._kmsg.wait(left)

    def lines(self, pids: List[int], since: int) -> List[str]:
        """Return the kernel's own log lines that report these processes as killed."""
        phrases = [f"Killed process {pid} (" for pid in pids]
        return [
            record.text
            for record in self._records[since:]
            if record.trusted and any(phrase in record.text for phrase in phrases)
        ]

    def close(self) -> None:
        """Close the log, if it is open."""
        if self._kmsg is not None:
            self._kmsg.close()

    def _read(self) -> None:
        if self._kmsg is not None:
            self._records.extend(self._kmsg.read())
            if self._kmsg.lost:
                self.error = f"{self._kmsg.lost} records of the kernel log were overwritten before they were read"
