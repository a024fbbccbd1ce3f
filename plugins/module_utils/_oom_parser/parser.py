# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""From kernel text to events: who speaks in it, and which boots it is of.

Pure: records in, events out, one pass.
"""

from typing import Callable, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import grammar as say
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import user_killers as _user_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event, event, program_event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import whole_messages
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report, Stream, Unsettled

# An uptime that falls by more than lines are ever shuffled means another boot.
REBOOT_SECONDS = 5.0

# Who keeps the kernel's log, and says what it lacks.
_KEEPERS = ("systemd-journald", "rsyslogd")


class Ending(NamedTuple):
    """What is known when the last line was read."""

    boots: int  # that the text is of
    suppressed: int  # reports that the kernel did not print, as it says itself
    lost: int  # lines that it says were not written down
    unsettled: List[Unsettled]


def read(
    records: Iterable[Record], take: Callable[[int, Event], None], tasks: bool = False, raw: bool = False
) -> Ending:
    """Hand over each event, with the number of its first line, when no line of this text can belong to it any more.

    C(boot_index) counts from the first boot of the text: how many there are is
    known at the end.
    """
    parser = _Parser(take, tasks, raw)
    for number, record in enumerate(whole_messages(records)):
        parser.take(number, record)
    return parser.finish()


def parse_events(records: Iterable[Record], tasks: bool = False, raw: bool = False) -> List[Event]:
    """Events of kernel text, in the order in which they began; see C(event) for their keys."""
    found: List[Tuple[int, Event]] = []
    boots = read(records, lambda number, facts: found.append((number, facts)), tasks, raw).boots
    return [
        dict(facts, boot_index=facts["boot_index"] - boots + 1)
        for _number, facts in sorted(found, key=lambda one: one[0])
    ]


class _Parser:
    """All who speak in one text, and the boots that it is of."""

    def __init__(self, take: Callable[[int, Event], None], tasks: bool, raw: bool) -> None:
        self._take = take
        self._options = (tasks, raw)
        self._streams = {trusted: Stream(trusted, raw) for trusted in (False, None, True)}
        self._programs = _user_killers.Stream()
        self._boot = 0
        self._lines = 0  # of this boot
        self._suppressed = 0
        self._lost = 0
        self._uptime: Optional[float] = None
        self._boot_id: Optional[str] = None
        self._last = Record("")

    def take(self, number: int, record: Record) -> None:
        message = say.understand(record.text)
        if _restarted(record, message, self._uptime, self._lines, self._boot_id):
            self._end_boot()
            self._boot, self._lines = self._boot + 1, 0
        if record.monotonic is not None and record.trusted is not False:  # a program can write any
            self._uptime = record.monotonic
        self._boot_id = record.boot or self._boot_id
        self._lines += 1
        self._last = record
        if isinstance(message, say.Suppressed) and record.trusted is not False:
            self._suppressed += message.reports
        elif isinstance(message, say.Lost) and (record.trusted is not False or record.program in _KEEPERS):
            self._lost += message.lines
        over = self._streams[record.trusted].take(record, message, number)
        if over:
            self._keep(over)
        if message is None:
            self._keep_programs(self._programs.take(record, number))

    def finish(self) -> Ending:
        unsettled = [
            Unsettled(kill.number, kill.record, _user_killers.NEAR_SECONDS) for kill in self._programs.since(self._last)
        ]
        for trusted in (None, True):  # for what a program makes up nobody waits
            unsettled += self._streams[trusted].unsettled(self._last)
        self._end_boot()
        return Ending(self._boot + 1, self._suppressed, self._lost, unsettled)

    def _end_boot(self) -> None:
        for stream in self._streams.values():
            self._keep(stream.finish())
        self._keep_programs(self._programs.finish())

    def _keep(self, ended: Iterable[Report]) -> None:
        for report in ended:
            self._take(report.number, dict(event(report, *self._options), boot_index=self._boot))

    def _keep_programs(self, ended: Iterable[_user_killers.Kill]) -> None:
        for kill in ended:
            self._take(kill.number, dict(program_event(kill, *self._options), boot_index=self._boot))


def _restarted(
    record: Record, message: Optional[say.Message], uptime: Optional[float], lines: int, boot_id: Optional[str]
) -> bool:
    """Whether this line belongs to a new boot: the id tells, else the uptime, or, where lines have none, the version that comes first."""
    if record.boot and boot_id:
        return record.boot != boot_id
    if record.trusted is False:
        return False
    if record.monotonic is None:
        return isinstance(message, say.NewBoot) and lines > 0
    shuffled = 0.0 if isinstance(message, say.NewBoot) else REBOOT_SECONDS
    return uptime is not None and record.monotonic < uptime - shuffled
