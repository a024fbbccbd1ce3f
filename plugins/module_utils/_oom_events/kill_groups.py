# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Group events that a person would read as one: the same killer, limit and victims' unit.

Pure. Strategy: each event is counted in three places at once, so that no event has to be kept.
These are the current run of equal events, the group of all equal events, and the row of the
summary. Only a forged log has more groups than are counted separately.
"""

from collections import Counter, deque
from typing import Deque, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import Owner, find_owner
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

# The most groups and rows that are counted separately, and the most names in a group.
MAX_GROUPS = 4096
_MOST_NAMES = 16
_LONGEST_NAME = 64

# More lines than these are never shown, so more runs are not kept.
MAX_RUNS = 15

KILLS = ("kill", "group_kill")


class Kind(NamedTuple):
    """Hold what equal events have in common."""

    killer: str
    outcome: str
    cause: Optional[str]  # the constraint, or sysrq
    limit: Optional[Owner]  # of the cgroup that hit its limit, or that a program chose
    limit_kb: Optional[int]
    victim: Optional[Owner]  # of the first victim
    detail: Optional[str]  # the panic's policy, or why or how a program killed
    is_forged: bool
    is_own_trial: bool

    def owner(self) -> Optional[Owner]:
        """Return what lost processes: the victim's owner, or what hit its limit."""
        return self.victim or (self.limit and self.limit.whole())


def classify_event(event: Event) -> Kind:
    """Return what the event has in common with others of the same kind."""
    memcg = event["memcg"] or {}
    first = event["victims"][0]["cgroup"] if event["victims"] else None
    return Kind(
        event["killer"],
        event["outcome"],
        "sysrq" if event["sysrq"] else event["constraint"],
        find_owner(memcg["path"]) if memcg.get("path") else None,
        memcg.get("limit_kb"),
        find_owner(first).whole() if first else None,
        event["panic_policy"] or event["reason"] or event["signal"],
        event["trusted"] is False,
        event["own_trial"],
    )


def count_victims(event: Event) -> int:
    """Return how many processes died; at least one if a program chose a cgroup."""
    if event["killer"] != "kernel" and not event["victims"]:
        return event["killed_count"] or 1
    return int(event["victims_count"])


class Span:
    """When a group of events began: in UTC if all have a time, else in seconds after boot."""

    def __init__(self) -> None:
        self.first: Optional[str] = None
        self.last: Optional[str] = None
        self.uptimes: Optional[Tuple[float, float]] = None
        self._boot: Optional[Tuple[int, int]] = None
        self._is_one_boot = True
        self._is_dated = True

    def add(self, event: Event, log: int) -> None:
        """Extend the span by an event of this log."""
        boot = (log, event["boot_index"])
        self._is_one_boot = self._is_one_boot and self._boot in (None, boot) and event["monotonic"] is not None
        self._boot = boot
        uptime = event["monotonic"] or 0.0
        low, high = self.uptimes or (uptime, uptime)
        self.uptimes = (min(low, uptime), max(high, uptime)) if self._is_one_boot else None
        self._is_dated = self._is_dated and event["time"] is not None
        if self._is_dated:
            self._extend(event["time"], event["time"])
        else:
            self.first = self.last = None

    def merge(self, other: "Span") -> None:
        """Extend the span by another one, without uptimes, which may be of different boots."""
        self._is_one_boot, self.uptimes = False, None
        self._is_dated = self._is_dated and other.first is not None
        if self._is_dated and other.first and other.last:
            self._extend(other.first, other.last)
        else:
            self.first = self.last = None

    def _extend(self, first: str, last: str) -> None:
        """Extend the span to these times. Without the final Z, texts compare like times."""
        self.first = first if self.first is None else min(self.first, first, key=lambda text: text[:-1])
        self.last = last if self.last is None else max(self.last, last, key=lambda text: text[:-1])


class KillGroup:
    """Events of one kind: how many, when, and the names of the victims."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.events = 0
        self.kills = 0
        self.names: Counter[Optional[str]] = Counter()
        self.first_pid: Optional[int] = None
        self.span = Span()

    def add(self, event: Event, log: int) -> None:
        """Count an event of this kind."""
        if not self.events and event["victims"]:
            self.first_pid = event["victims"][0]["pid"]
        self.events += 1
        self.kills += count_victims(event)
        self.span.add(event, log)
        for victim in event["victims"]:
            self._add_name(victim["name"] and victim["name"][:_LONGEST_NAME], 1)

    def merge(self, other: "KillGroup") -> None:
        """Count the events of another group."""
        self.events += other.events
        self.kills += other.kills
        self.span.merge(other.span)
        for name, kills in other.names.items():
            self._add_name(name, kills)

    def _add_name(self, name: Optional[str], kills: int) -> None:
        if name in self.names or len(self.names) < _MOST_NAMES:
            self.names[name] += kills


class KillRow(NamedTuple):
    """Name what a row of the summary counts."""

    name: Optional[str]
    owner: Optional[Owner]
    killer: str


class KillGroups:
    """All groups of a run of the module, and the rows of its summary."""

    def __init__(self) -> None:
        self.runs: Deque[KillGroup] = deque(maxlen=MAX_RUNS)  # of equal events one after another
        self.has_more_runs = False
        self._groups: Dict[Kind, KillGroup] = {}
        self._rows: Dict[KillRow, Tuple[int, Span]] = {}
        self.kills = 0
        self.kills_beyond = 0  # in groups that are not counted separately

    def add(self, event: Event, log: int) -> None:
        """Count an event of this log. Events are added in the order in which they began."""
        kind = classify_event(event)
        self.kills += count_victims(event)
        if not self.runs or self.runs[-1].kind != kind:
            self.has_more_runs = self.has_more_runs or len(self.runs) == MAX_RUNS
            self.runs.append(KillGroup(kind))
        self.runs[-1].add(event, log)
        if kind in self._groups or len(self._groups) < MAX_GROUPS:
            self._groups.setdefault(kind, KillGroup(kind)).add(event, log)
        else:
            self.kills_beyond += count_victims(event)
        if kind.outcome in KILLS:
            self._add_rows(event, kind, log)

    def _add_rows(self, event: Event, kind: Kind, log: int) -> None:
        if not event["victims"]:
            self._add_row(KillRow(None, kind.owner(), kind.killer), event, log, count_victims(event))
        for victim in event["victims"]:
            owner = find_owner(victim["cgroup"]).whole() if victim["cgroup"] else kind.owner()
            self._add_row(KillRow(victim["name"], owner, kind.killer), event, log, 1)

    def _add_row(self, row: KillRow, event: Event, log: int, kills: int) -> None:
        if row not in self._rows and len(self._rows) >= MAX_GROUPS:
            return
        before, span = self._rows.get(row) or (0, Span())
        span.add(event, log)
        self._rows[row] = (before + kills, span)

    def list_groups(self) -> List[KillGroup]:
        """Return the groups of equal events, in the order in which they began."""
        return list(self._groups.values())

    def list_rows(self) -> Iterator[Tuple[KillRow, int, Span]]:
        """Yield the rows of the summary, the most kills first."""
        order = sorted(self._rows.items(), key=lambda item: -item[1][0])
        for row, (kills, span) in order:
            yield row, kills, span
