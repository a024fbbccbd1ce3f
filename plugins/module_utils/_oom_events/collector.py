# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Collect events as they are parsed: count all of them, and keep the newest that match.

Pure. The memory stays bounded, however many events a log holds.
"""

import heapq
import itertools
import json
from collections import Counter
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import parse_utc
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.kill_groups import (
    KillGroups,
    classify_event,
    count_victims,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import Owner, get_container_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.wording import (
    PinnedKills,
    build_what,
    describe_what_if,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

# The most events that may begin after an unfinished one and still be held back with it.
# If more begin, the unfinished event is returned as it is.
MAX_UNSETTLED = 100

# The most cgroups whose kills are counted separately. Only a forged log has more.
MAX_CGROUPS = 4096

# The most rows of the summary that are returned.
MAX_ROWS = 1000

# The most victims of an event that are returned. A group kill may have thousands.
MAX_VICTIMS = 256


class Window(NamedTuple):
    """A span of time in seconds since 1970; an event belongs to it by the moment it began."""

    since: Optional[float]
    until: Optional[float]

    def is_open(self) -> bool:
        """Return whether the window has neither a start nor an end."""
        return self.since is None and self.until is None

    def is_empty(self) -> bool:
        """Return whether no moment can lie in the window."""
        return self.since is not None and self.until is not None and self.since >= self.until

    def contains(self, epoch: float) -> bool:
        """Return whether the moment lies in the window; the end itself does not."""
        return (self.since is None or epoch >= self.since) and (self.until is None or epoch < self.until)


class Collector:
    """The newest events that match, the counts of all events, and the groups of those that match.

    An event is counted once it can no longer be held back: at the end of its log, or when
    MAX_UNSETTLED later ones are known.
    """

    def __init__(
        self,
        window: Window,
        matches: Callable[[Event], bool],
        is_own_trial: Callable[[Event], bool],
        limit: int,
        note_kills: Optional[Callable[[Event, int], None]] = None,
    ) -> None:
        self._window = window
        self._matches = matches
        self._is_own_trial = is_own_trial
        self._limit = limit
        self._note_kills = note_kills
        self._log = 0
        # Heaps of (log and) line, a number that makes the entry unique, and the event.
        self._pending: List[Tuple[int, int, Event]] = []
        self._kept: List[Tuple[int, int, int, Event]] = []
        self._taken = 0
        self._last_line = -1  # of this log that was counted
        self.counts: Counter[str] = Counter()
        self.kills_by_cgroup: Counter[Optional[str]] = Counter()
        self.groups = KillGroups()
        self.pins = PinnedKills(0, 0)

    def take(self, line: int, event: Event) -> None:
        """Take one event of the current log, by its first line.

        The parser counts copies that it reads later in this very dictionary.
        """
        if not self._is_in_window(event):
            return
        self._taken += 1
        event["own_trial"] = self._is_own_trial(event)
        heapq.heappush(self._pending, (line, self._taken, event))
        if len(self._pending) > MAX_UNSETTLED:
            self._count(*heapq.heappop(self._pending))

    def end_log(self, boots: int, hold_from: Optional[int] = None) -> bool:
        """Finish the current log of that many boots; return whether events were held back.

        Held back for the next run are the events that began at the line C(hold_from) or later.
        """
        held = hold_from is not None and self._last_line < hold_from
        while self._pending:
            line, number, event = heapq.heappop(self._pending)
            if not held or hold_from is None or line < hold_from:
                self._count(line, number, event)
        for log, _line, _number, event in self._kept:
            if log == self._log:
                event["boot_index"] -= boots - 1
        self._log += 1
        self._last_line = -1
        return held

    def _is_in_window(self, event: Event) -> bool:
        if self._window.is_open():
            return True
        if event["time"] is None:
            self.counts["undated"] += event["trusted"] is not False
            return False
        return self._window.contains(parse_utc(event["time"]))

    def _count(self, line: int, number: int, event: Event) -> None:
        self._last_line = max(self._last_line, line)
        if event["trusted"] is False:
            self.counts["untrusted"] += 1
        else:
            self._count_kills(event)
        if self._matches(event):
            self.counts["total"] += 1
            self.groups.add(event, self._log)
            if event.get("what_if"):
                self.pins = PinnedKills(self.pins.kills + 1, self.pins.others + event["what_if"]["is_other"])
            push = heapq.heappush if len(self._kept) < self._limit else heapq.heappushpop
            event["victims"] = event["victims"][:MAX_VICTIMS]
            push(self._kept, (self._log, line, number, event))

    def _count_kills(self, event: Event) -> None:
        if event["own_trial"]:
            self.counts["own_trials"] += count_victims(event)
        for victim in event["victims"]:
            cgroup = victim["cgroup"]
            if cgroup in self.kills_by_cgroup or len(self.kills_by_cgroup) < MAX_CGROUPS:
                self.kills_by_cgroup[cgroup] += 1
        if event["killer"] == "kernel":
            self.counts["logged_kills"] += event["victims_count"]
            # In a group kill the kernel counts the chosen process twice.
            explained = event["victims_count"] + (event["outcome"] == "group_kill")
            self.counts["explained"] += explained
            if self._note_kills:
                self._note_kills(event, explained)

    def list_owners(self) -> List[Owner]:
        """Return the owners that may need a name, those of the newest events first."""
        owners = [classify_event(event).owner() for event in self._list_kept()[::-1]]
        for group in self.groups.list_groups():
            owners += [group.kind.victim, group.kind.limit]
        owners += [row.owner for row, _kills, _span in self.groups.list_rows()]
        return list(dict.fromkeys(owner for owner in owners if owner))

    def _list_kept(self) -> List[Event]:
        return [event for _log, _line, _number, event in sorted(self._kept, key=lambda entry: entry[:3])]

    def select_newest(self, names: ContainerNames, max_bytes: Optional[int] = None) -> List[Event]:
        """Return the newest matching events, at most C(limit), in the order in which they began.

        With C(max_bytes) an event that does not fit into what is left of that size, as JSON, is
        skipped. The newest event is never skipped: it loses victims until it fits.
        """
        newest = [self._complete(event, names) for event in self._list_kept()]
        if max_bytes is None:
            return newest
        fitting: List[Event] = []
        for event in reversed(newest):
            shown = event if fitting else _fit_victims(event, max_bytes)
            size = _size_of(shown)
            if size <= max_bytes or not fitting:
                fitting.append(shown)
                max_bytes -= size
        return fitting[::-1]

    @staticmethod
    def _complete(event: Event, names: ContainerNames) -> Event:
        """Return an event with what is put into words."""
        complete = dict(event, what=build_what(event, names))
        if event.get("what_if"):
            complete["what_if"] = dict(event["what_if"], text=describe_what_if(event))
        return complete

    def summarize(self, names: ContainerNames) -> List[Dict[str, Any]]:
        """Return the kills by process name and unit, container or cgroup, the most kills first."""
        return [
            dict(
                name=row.name,
                unit=row.owner and row.owner.unit,
                container=row.owner and row.owner.container,
                container_name=row.owner and get_container_name(row.owner, names),
                cgroup=row.owner and row.owner.path,
                killer=row.killer,
                kills=kills,
                first=span.first,
                last=span.last,
            )
            for row, kills, span in itertools.islice(self.groups.list_rows(), MAX_ROWS)
        ]


def _cut_victims(event: Event, most: int) -> Event:
    victims = event["victims"]
    return event if len(victims) <= most else dict(event, victims=victims[:most])


def _fit_victims(event: Event, max_bytes: int) -> Event:
    """Return the event with fewer victims, until it fits. Only a forged log has so long names."""
    while _size_of(event) > max_bytes and event["victims"]:
        event = _cut_victims(event, len(event["victims"]) // 2)
    return event


def _size_of(event: Event) -> int:
    """Return the bytes that an event adds to the result."""
    return len(json.dumps(event)) + len(", ")
