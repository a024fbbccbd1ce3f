# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Events as they come in: counted, chosen, and only the newest kept.

Pure. However many there are, the memory stays bounded.
"""

import heapq
import json
from collections import Counter, deque
from itertools import accumulate
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import parse_utc
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

# So many events may have begun after the one that still goes on. If there are more, nobody waits for its end.
MOST_UNSETTLED = 100

# Names, and cgroups, of which kills are counted apart; only a forged log has more.
MOST_NAMES = 4096


class Window(NamedTuple):
    """The time in which events began, in seconds since 1970."""

    since: Optional[float]
    until: Optional[float]

    def is_open(self) -> bool:
        return self.since is None and self.until is None

    def is_empty(self) -> bool:
        return self.since is not None and self.until is not None and self.since >= self.until

    def holds(self, epoch: float) -> bool:
        return (self.since is None or epoch >= self.since) and (self.until is None or epoch < self.until)


class Tally:
    """What is returned of all events, and what is counted of them."""

    def __init__(self, window: Window, wanted: Callable[[Event], bool], untrusted: bool, limit: int) -> None:
        self._window = window
        self._wanted = wanted
        self._with_untrusted = untrusted
        self._limit = limit
        self._log = 0
        self._kept: List[Tuple[int, int, int, Event]] = []  # log, line, a number that makes it unique, event: a heap
        self._latest: Deque[Tuple[int, Event]] = deque(maxlen=MOST_UNSETTLED)  # line, event, whoever asked for it
        self._seen = 0
        self.counts: Counter[str] = Counter()
        self._kills: Counter[Optional[str]] = Counter()  # by name
        self.kills_in: Counter[Optional[str]] = Counter()  # by cgroup

    def take(self, line: int, event: Event) -> None:
        """One more event of the log that is being read."""
        if not self._is_in_window(event):
            return
        self._count(event, 1)
        self._latest.append((line, event))
        self._seen += 1
        if self._is_asked_for(event):
            push = heapq.heappush if len(self._kept) < self._limit + MOST_UNSETTLED else heapq.heappushpop
            push(self._kept, (self._log, line, self._seen, event))

    def end_log(self, boots: int, hold_from: Optional[int] = None) -> bool:
        """The log, of so many boots, is read. What began at the line C(hold_from) or later is not told now; whether that was so."""
        held = hold_from is not None and self._hold_back(hold_from)
        for log, _line, _number, event in self._kept:
            if log == self._log:
                event["boot_index"] -= boots - 1
        self._log += 1
        self._latest.clear()
        return held

    def _hold_back(self, line: int) -> bool:
        if len(self._latest) == MOST_UNSETTLED and all(number >= line for number, _event in self._latest):
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
        return self._window.holds(parse_utc(event["time"]))

    def _is_asked_for(self, event: Event) -> bool:
        return (event["trusted"] is not False or self._with_untrusted) and self._wanted(event)

    def _count(self, event: Event, times: int) -> None:
        self.counts["total"] += times * self._is_asked_for(event)
        if event["trusted"] is False:
            self.counts["untrusted"] += times
            return
        for victim in event["victims"]:
            for kills, name in ((self._kills, victim["name"]), (self.kills_in, victim["cgroup"])):
                if name in kills or len(kills) < MOST_NAMES:
                    kills[name] += times
        if event["killer"] == "kernel":
            self.counts["logged_kills"] += times * len(event["victims"])
            # In a group kill the kernel counts the chosen one twice.
            self.counts["explained"] += times * (len(event["victims"]) + (event["outcome"] == "group_kill"))

    def events(self, most_bytes: Optional[int] = None) -> List[Event]:
        """The newest of those that were asked for, in the order in which they began, and of them as many as take up so many bytes of JSON."""
        newest = [event for _log, _line, _number, event in sorted(self._kept, key=lambda entry: entry[:3])][
            -self._limit :
        ]
        if most_bytes is None:
            return newest
        sizes = accumulate(len(json.dumps(event)) + len(", ") for event in reversed(newest))
        fitting = sum(size <= most_bytes for size in sizes)
        return newest[len(newest) - fitting :]

    def summary(self) -> List[Dict[str, Any]]:
        """Kills by name, most first."""
        named = sorted(self._kills.items(), key=lambda one: (-one[1], one[0] or ""))
        return [dict(name=name, kills=kills) for name, kills in named if kills]
