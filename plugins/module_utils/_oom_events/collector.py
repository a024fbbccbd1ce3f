# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Collect events as they are parsed: count all of them, and keep the newest that match.

Pure. The memory stays bounded, however many events a log holds.
"""

import heapq
import json
from collections import Counter, deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import parse_utc
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

# The most events that may begin after an unfinished one and still be held back with it.
# If more begin, the unfinished event is returned as it is.
MAX_UNSETTLED = 100

# The most names, and the most cgroups, whose kills are counted separately.
# Only a forged log has more.
MAX_NAMES = 4096

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
    """The newest events that match, and the counts of all events."""

    def __init__(self, window: Window, matches: Callable[[Event], bool], with_untrusted: bool, limit: int) -> None:
        self._window = window
        self._matches = matches
        self._with_untrusted = with_untrusted
        self._limit = limit
        self._log = 0
        # A heap of log, line, a number that makes the entry unique, and the event.
        self._kept: List[Tuple[int, int, int, Event]] = []
        # Line and event, whether the event matches or not.
        self._latest: Deque[Tuple[int, Event]] = deque(maxlen=MAX_UNSETTLED)
        self._taken = 0
        self.counts: Counter[str] = Counter()
        self._kills_by_name: Counter[Optional[str]] = Counter()
        self.kills_by_cgroup: Counter[Optional[str]] = Counter()

    def take(self, line: int, event: Event) -> None:
        """Count one event of the current log, by its first line, and keep it if it matches."""
        if not self._is_in_window(event):
            return
        self._count(event, 1)
        self._latest.append((line, event))
        self._taken += 1
        if self._is_selected(event):
            push = heapq.heappush if len(self._kept) < self._limit + MAX_UNSETTLED else heapq.heappushpop
            push(self._kept, (self._log, line, self._taken, _cut_victims(event, MAX_VICTIMS)))

    def end_log(self, boots: int, hold_from: Optional[int] = None) -> bool:
        """Finish the current log of that many boots; return whether events were held back.

        Held back for the next run are the events that began at the line C(hold_from) or later.
        """
        held = hold_from is not None and self._hold_back(hold_from)
        for log, _line, _number, event in self._kept:
            if log == self._log:
                event["boot_index"] -= boots - 1
        self._log += 1
        self._latest.clear()
        return held

    def _hold_back(self, line: int) -> bool:
        if len(self._latest) == MAX_UNSETTLED and all(number >= line for number, _event in self._latest):
            return False
        for number, event in self._latest:
            if number >= line:
                self._count(event, -1)
        self._kept = [entry for entry in self._kept if entry[:2] < (self._log, line)]
        heapq.heapify(self._kept)
        return True

    def _is_in_window(self, event: Event) -> bool:
        if self._window.is_open():
            return True
        if event["time"] is None:
            self.counts["undated"] += event["trusted"] is not False
            return False
        return self._window.contains(parse_utc(event["time"]))

    def _is_selected(self, event: Event) -> bool:
        return (event["trusted"] is not False or self._with_untrusted) and self._matches(event)

    def _count(self, event: Event, times: int) -> None:
        self.counts["total"] += times * self._is_selected(event)
        if event["trusted"] is False:
            self.counts["untrusted"] += times
            return
        for victim in event["victims"]:
            for kills, name in ((self._kills_by_name, victim["name"]), (self.kills_by_cgroup, victim["cgroup"])):
                if name in kills or len(kills) < MAX_NAMES:
                    kills[name] += times
        if event["killer"] == "kernel":
            self.counts["logged_kills"] += times * event["victims_count"]
            # In a group kill the kernel counts the chosen process twice.
            self.counts["explained"] += times * (event["victims_count"] + (event["outcome"] == "group_kill"))

    def select_newest(self, max_bytes: Optional[int] = None) -> List[Event]:
        """Return the newest matching events, at most C(limit), in the order in which they began.

        With C(max_bytes) an event that does not fit into what is left of that size, as JSON, is
        skipped. The newest event is never skipped: it loses victims until it fits.
        """
        in_order = [event for _log, _line, _number, event in sorted(self._kept, key=lambda entry: entry[:3])]
        newest = in_order[-self._limit :]
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

    def summarize(self) -> List[Dict[str, Any]]:
        """Return the kills by name, the most kills first."""
        by_kills = sorted(self._kills_by_name.items(), key=lambda item: (-item[1], item[0] or ""))
        return [dict(name=name, kills=kills) for name, kills in by_kills if kills]


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
