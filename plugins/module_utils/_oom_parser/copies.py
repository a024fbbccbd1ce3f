# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Recognise an event that was already read from a copy of its lines.

Pure. /var/log/syslog and /var/log/kern.log hold the same lines, and who answers a mail quotes it.
Copies have the same words at the same moment. A pid can be killed twice, as by two requests with
sysrq, but not at the same moment. So without any stamp a kill with its own report is never taken
for a copy. Lines of different trust are never copies of each other.
"""

from collections import OrderedDict
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import ProgramKill

# Hostile input must not fill the memory. Copies that are further apart count as events.
MOST_KNOWN = 4096

_Key = Tuple[Any, ...]


class Origin(NamedTuple):
    """Where an event is from."""

    log: object
    boots: int  # that had begun with their version by then
    has_stamp: bool


class KnownEvents:
    """The newest events of a run, by what their copies have in common."""

    def __init__(self) -> None:
        self._events: OrderedDict[_Key, Tuple[Dict[str, Any], Origin]] = OrderedDict()

    def count_copy(self, key: Optional[_Key], origin: "Origin") -> bool:
        """Return whether an event with this key is known, and count one more copy of it.

        It is no copy after the version of another boot in the same log. What has no stamp is only
        compared within one log.
        """
        event, first = self._events.get(key, (None, origin)) if key else (None, origin)
        is_same_log = first.log is origin.log
        if event is None or (first.boots != origin.boots if is_same_log else not origin.has_stamp):
            return False
        event["duplicates"] += 1
        return True

    def add(self, key: Optional[_Key], event: Dict[str, Any], origin: "Origin") -> None:
        """Remember an event; None as key means that it cannot be recognised."""
        if key:
            self._events[key] = event, origin
            if len(self._events) > MOST_KNOWN:
                self._events.popitem(last=False)


def identify_report(report: Report) -> Optional[_Key]:
    """Return what the copies of a report have in common; None if nothing could show a copy."""
    record = report.killed or report.first
    kills = tuple((kill.pid, kill.name, tuple(sorted(kill.sizes_kb.items()))) for kill in report.kills)
    moment = _find_moment(record)
    if report.is_reported() or not kills:
        if moment is None:
            return None
        return record.trusted, record.boot, moment, kills, report.words
    return record.trusted, record.boot, moment, kills, None


def identify_program_kill(kill: ProgramKill) -> Optional[_Key]:
    """Return what the copies of a program's kill have in common; None without a stamp."""
    moment = _find_moment(kill.record)
    if moment is None:
        return None
    return kill.record.vouched, kill.record.boot, moment, kill.killer, kill.pid, kill.name, kill.cgroup


def _find_moment(record: Record) -> Optional[Tuple[str, Any]]:
    """Return the uptime, else the time, else the clock of a line."""
    for name, value in (("uptime", record.monotonic), ("time", record.time), ("clock", record.clock)):
        if value is not None:
            return name, value
    return None
