# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Watch the kernel log for kills while a trial runs."""

import time
from typing import Callable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import is_logged_kill
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import pids_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import count_kills

# The kernel sends the signal first and then logs the victim (mm/oom_kill.c:__oom_kill_process).
LOG_SECONDS = 3.0

# Between two looks at counter and log, to find a moment at which they agree.
_PAUSE_SECONDS = 0.01

_WAIT = "run it again when the log is quiet"

# A trial is over long before; only a flooded log has more records.
MOST_RECORDS = 1 << 18


class KillWatch:
    """The kernel log from C(start) on.

    A log that cannot be read is no error: C(error) holds the reason, and there are no records.
    """

    def __init__(self, open_log: Callable[[], Kmsg]) -> None:
        self._open_log = open_log
        self._kmsg: Optional[Kmsg] = None
        self._records: List[Record] = []
        self._kill_positions: List[int] = []  # of the lines that report a kill
        self.error: Optional[str] = None
        self.lost = 0  # records that were overwritten before they were read

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

    def count_kills(self, since: int = 0) -> int:
        """Return the number of lines in which the kernel reported a kill since a position."""
        self._read()
        return sum(position >= since for position in self._kill_positions)

    def wait_for_kills(
        self, count: int, since: int, select: Callable[[List[Event]], List[Event]] = lambda kills: kills
    ) -> List[Event]:
        """Return those of C(kills) that are selected.

        Waits until they name this many victims, up to LOG_SECONDS.
        """
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            kills = select(self.kills(since))
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

    def is_closed(self) -> bool:
        """Return whether there is nothing to read, such as after start() failed."""
        return self._kmsg is None

    def close(self) -> None:
        """Close the log, if it is open."""
        if self._kmsg is not None:
            self._kmsg.close()

    def _read(self) -> None:
        if self._kmsg is None or len(self._records) > MOST_RECORDS:
            return
        for record in self._kmsg.read():
            if is_logged_kill(record):
                self._kill_positions.append(len(self._records))
            self._records.append(record)
        self.lost = self._kmsg.lost
        if self.lost:
            self.error = f"{self.lost} records of the kernel log were overwritten before they were read: {_WAIT}"
        if len(self._records) > MOST_RECORDS:
            self.error = f"the kernel log grew by more than {MOST_RECORDS} records, and the rest was not read: {_WAIT}"


class KillCount(NamedTuple):
    """Where counter and log stand before a trial."""

    position: int  # of the log
    kills: Optional[int]  # counted by /proc/vmstat


def start_count(watch: KillWatch, procfs: Procfs) -> KillCount:
    """Return where counter and log stand, at a moment with no kill in between.

    On a busy host kills go on all the time, and the kernel counts a kill before it logs it.
    """
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        count = KillCount(watch.position(), procfs.oom_kills())
        time.sleep(_PAUSE_SECONDS)
        is_quiet = (watch.count_kills(count.position), procfs.oom_kills()) == (0, count.kills)
        if is_quiet or time.monotonic() > deadline:
            return count


def finish_count(watch: KillWatch, procfs: Procfs, start: KillCount) -> Tuple[Optional[int], int]:
    """Return the kills since the start, by counter and by log.

    Waits up to LOG_SECONDS until the two agree.
    """
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        counted = count_kills(start.kills, procfs.oom_kills())
        logged = watch.count_kills(start.position)
        if counted in (None, logged) or watch.is_closed() or time.monotonic() > deadline:
            return counted, logged
        time.sleep(_PAUSE_SECONDS)
