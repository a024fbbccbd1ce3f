# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse kernel log records into events, and count the boots that they are from.

Pure: records in, events out, one pass. rejoin.py joins and parses the lines, assembler.py and
user_killers.py collect those that belong together, and event.py builds the events.
"""

from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.assembler import (
    ReportAssembler,
    UnsettledEvent,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.copies import (
    KnownEvents,
    Origin,
    identify_program_kill,
    identify_report,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import (
    Event,
    build_kernel_event,
    build_program_event,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    LostLines,
    Message,
    NewBoot,
    SuppressedReports,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import (
    NEAR_SECONDS,
    ProgramKill,
    ProgramKills,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.what_if import LoggedPin

# The uptime falls by more than this only at a new boot. Lines out of order differ by less.
REBOOT_SECONDS = 5.0

# These write the kernel's log and report what it lacks.
_LOG_DAEMONS = ("systemd-journald", "rsyslogd")


class LogEnd(NamedTuple):
    """The totals of a log, known after its last line."""

    boots: int  # that the lines are from
    suppressed: int  # reports that the kernel did not print, by its own count
    lost: int  # lines that the log lacks, by its own count
    unsettled: List[UnsettledEvent]


def read_events(
    records: Iterable[Record],
    take: Callable[[int, Event], None],
    tasks: bool = False,
    raw: bool = False,
    known: Optional[KnownEvents] = None,
    pins: Sequence[LoggedPin] = (),
) -> LogEnd:
    """Call C(take) with each event, as soon as no later line can belong to it.

    A copy of an event is not handed over; it increases C(duplicates) of the first one. With
    C(known), copies of the events of other logs are recognised, too. With C(pins), each event says
    what would have died with them.

    Its first argument is the number of the event's first line, by which events are ordered.
    C(boot_index) counts from the first boot of the log: only its end shows how many boots it has.
    """
    parser = _Parser(take, tasks, raw, KnownEvents() if known is None else known, pins)
    for number, (record, message) in enumerate(rejoin_messages(records)):
        parser.take(number, record, message)
    return parser.finish()


def parse_events(records: Iterable[Record], tasks: bool = False, raw: bool = False) -> List[Event]:
    """Return the events of a log in the order in which they began.

    C(boot_index) is 0 for the last boot, -1 for the one before. For the other keys see
    build_kernel_event; C(tasks) adds the task table, and C(raw) the log lines.
    """
    found: List[Tuple[int, Event]] = []
    boots = read_events(records, lambda number, facts: found.append((number, facts)), tasks, raw).boots
    return [
        dict(facts, boot_index=facts["boot_index"] - boots + 1)
        for _number, facts in sorted(found, key=lambda one: one[0])
    ]


class _Parser:
    """Sorts the lines of a log by boot and by writer."""

    def __init__(
        self,
        take: Callable[[int, Event], None],
        tasks: bool,
        raw: bool,
        known: KnownEvents,
        pins: Sequence[LoggedPin],
    ) -> None:
        self._take = take
        self._options = (tasks, raw, pins)
        self._known = known
        self._assemblers = {trusted: ReportAssembler(raw) for trusted in (False, None, True)}
        self._programs = ProgramKills()
        self._boots = _BootCounter()
        self._suppressed = 0
        self._lost = 0
        self._last = Record("")

    def take(self, number: int, record: Record, message: Optional[Message]) -> None:
        """Use one line and its message; C(number) is its place in the log."""
        if self._boots.is_new(record, message):
            self._end_boot()
            self._boots.versions += isinstance(message, NewBoot)
        self._boots.add(record)
        self._last = record
        over = self._assemblers[record.trusted].take(record, message, number)
        if over:
            self._hand_over_reports(over)
        if message is None:
            killed = self._programs.take(record, number)
            if killed:
                self._hand_over_kills(killed)
        elif isinstance(message, (SuppressedReports, LostLines)):
            self._count_missing(record, message)

    def finish(self) -> LogEnd:
        """Hand over the events that are left, and return what is known of the whole log."""
        unsettled = [
            UnsettledEvent(kill.number, kill.record, NEAR_SECONDS) for kill in self._programs.list_unsettled(self._last)
        ]
        for trusted in (None, True):  # forged lines are not read again
            unsettled += self._assemblers[trusted].list_unsettled(self._last)
        self._end_boot()
        return LogEnd(self._boots.current, self._suppressed, self._lost, unsettled)

    def _count_missing(self, record: Record, message: Message) -> None:
        if isinstance(message, SuppressedReports) and record.trusted is not False:
            self._suppressed += message.reports
        elif isinstance(message, LostLines) and (record.trusted is not False or record.program in _LOG_DAEMONS):
            self._lost += message.lines

    def _end_boot(self) -> None:
        for assembler in self._assemblers.values():
            self._hand_over_reports(assembler.finish())
        self._hand_over_kills(self._programs.finish())
        self._boots.begin()

    def _hand_over_reports(self, reports: Iterable[Report]) -> None:
        for report in reports:
            key = identify_report(report)
            if not self._known.count_copy(key, self._origin(report.first)):
                self._hand_over(report.number, key, report.first, build_kernel_event(report, *self._options))

    def _hand_over_kills(self, kills: Iterable[ProgramKill]) -> None:
        for kill in kills:
            key = identify_program_kill(kill)
            if not self._known.count_copy(key, self._origin(kill.record)):
                self._hand_over(kill.number, key, kill.record, build_program_event(kill, *self._options))

    def _hand_over(self, number: int, key: Optional[Tuple[Any, ...]], record: Record, event: Event) -> None:
        event["boot_index"] = self._boots.current
        self._known.add(key, event, self._origin(record))
        self._take(number, event)

    def _origin(self, record: Record) -> Origin:
        stamps = (record.monotonic, record.time, record.clock)
        return Origin(self, self._boots.versions, any(stamp is not None for stamp in stamps))


class _BootCounter:
    """Counts the boots that the lines of a log are from."""

    def __init__(self) -> None:
        self.current = 0
        self.versions = 0  # boots that began with the kernel's version
        self._lines = 0  # of this boot
        self._uptime: Optional[float] = None
        self._boot_id: Optional[str] = None

    def is_new(self, record: Record, message: Optional[Message]) -> bool:
        """Return whether a line is from another boot than the one before it.

        The boot id decides; without it the uptime; without both the version, which comes first.
        """
        if record.boot and self._boot_id:
            return record.boot != self._boot_id
        if record.trusted is False:
            return False
        if record.monotonic is None:
            return isinstance(message, NewBoot) and self._lines > 0
        if self._uptime is None:
            return False
        tolerance = 0.0 if isinstance(message, NewBoot) else REBOOT_SECONDS
        return record.monotonic < self._uptime - tolerance

    def begin(self) -> None:
        """Begin the next boot."""
        self.current += 1
        self._lines = 0

    def add(self, record: Record) -> None:
        """Note a line of the current boot."""
        if record.monotonic is not None and record.trusted is not False:  # a program can write any uptime
            self._uptime = record.monotonic
        self._boot_id = record.boot or self._boot_id
        self._lines += 1
