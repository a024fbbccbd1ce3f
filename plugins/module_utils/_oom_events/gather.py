# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What the killer did on this host, from its log and its counters."""

import itertools
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import oom_kills_by_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import (
    LogFile,
    Mark,
    expand_paths,
    group_rotations,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import Journal, has_journal
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.pstore import pstore_backend, pstore_dumps
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import format_utc, parse_moment
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import cursor as _cursor
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Tally, Window
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import read_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import REPORT_SECONDS

_CLOCK_BOOTTIME = 7  # time.CLOCK_BOOTTIME came with Python 3.7


# What is returned of events, as JSON: a controller keeps it for each host. Who asks for tables and lines gets all of them.
MOST_BYTES = 1 << 20


class Query(NamedTuple):
    """Which events, and how much of each."""

    source: str  # auto, journal, kmsg, pstore or file
    paths: List[str]
    boot: str  # current, previous, all or a boot id
    since: Optional[str]
    until: Optional[str]
    cursor: Optional[str]
    victim: Optional[str]
    unit: Optional[str]
    constraint: Optional[str]
    killer: Optional[str]
    tasks: bool
    raw: bool
    untrusted: bool
    limit: int


def gather(query: Query, procfs: Procfs, open_log: Callable[..., Kmsg] = Kmsg) -> Dict[str, Any]:
    """Events with counts, summary and what is known to be missing."""
    return _Gathering(_checked(query), procfs, open_log).facts()


def _checked(query: Query) -> Query:
    """With the source that C(auto) means. Raises InputError for options that do not go together."""
    source = query.source
    if source == "auto":
        source = "file" if query.paths else "journal" if has_journal() else "kmsg"
    if (source == "file") != bool(query.paths):
        raise InputError(f"source={source} {'needs' if source == 'file' else 'does not take'} paths")
    if source != "journal" and query.boot not in ("current", "all"):
        raise InputError(f"boot={query.boot} needs the journal, source={source} has no other boots by name")
    if query.limit < 1:
        raise InputError(f"limit {query.limit} must be at least 1")
    if query.cursor and (query.since or query.until or query.boot not in ("current", "all")):
        raise InputError(
            "cursor says where to begin, and every boot since then is read: leave out since, until and boot"
        )
    if query.cursor and source == "pstore":
        raise InputError("source=pstore has no cursor: with source=journal and a cursor new dumps are told, too")
    return query._replace(source=source)


class _Gathering:
    """One run of the module."""

    def __init__(self, query: Query, procfs: Procfs, open_log: Callable[..., Kmsg]) -> None:
        self._query = query
        self._procfs = procfs
        self._open_log = open_log
        self._now = time.time()
        self._window = Window(
            *(
                parse_moment(name, text, self._now) if text else None
                for name, text in (("since", query.since), ("until", query.until))
            )
        )
        if self._window.is_empty():
            raise InputError(f"since={query.since} is not before until={query.until}")
        self._host = _machine_id()
        self._cursor = _cursor.understand(query.cursor, query.source, self._host) if query.cursor else None
        self._told: List[str] = []  # ids of what pstore has
        self._tally = Tally(self._window, self._is_wanted, query.untrusted, query.limit)
        self._lost: Dict[str, Any] = dict(records=0, suppressed_reports=0, gap=False, files=[])

    def facts(self) -> Dict[str, Any]:
        position = getattr(self, "_read_" + self._query.source)()
        events = self._tally.events(None if self._query.tasks or self._query.raw else MOST_BYTES)
        counts = self._tally.counts
        counted = self._kernel_count()
        unlogged = None if counted is None else max(0, counted - counts["explained"])
        return dict(
            events=events,
            total=counts["total"],
            truncated=counts["total"] > len(events),
            counts=dict(
                vmstat_oom_kill=counted,
                logged_kills=counts["logged_kills"],
                unlogged=unlogged,
                unlogged_in=self._unlogged_in() if unlogged else [],
                untrusted=counts["untrusted"],
                undated=counts["undated"],
            ),
            summary=self._tally.summary(),
            lost=self._lost,
            cursor=self._next_cursor(position),
            pstore_backend=pstore_backend(),
        )

    def _next_cursor(self, position: Optional[str]) -> Optional[str]:
        """None where nothing was read, and with C(until), behind which events were left out."""
        if not position or self._query.until:
            return None
        return str(_cursor.Cursor(self._query.source, self._host, position, self._told))

    # --- the sources: each gives the position from which on the next run has to read ----

    def _read_journal(self) -> Optional[str]:
        edge = REPORT_SECONDS  # reports that begin or end near the edges of the window are read as a whole
        journal = Journal(
            self._query.boot,
            None if self._window.since is None else self._window.since - edge,
            None if self._window.until is None else self._window.until + edge,
            self._cursor.position if self._cursor else None,
        )
        unsettled = self._read(journal.read(), lambda: journal.written)
        self._lost["gap"] = journal.gap
        if self._cursor or self._query.boot == "all":
            self._read_pstore()
        return str(unsettled.at) if unsettled else journal.end

    def _read_kmsg(self) -> Optional[str]:
        boot_id = self._procfs.read("sys/kernel/random/boot_id").strip().replace("-", "")
        known_boot, _colon, number = (self._cursor.position if self._cursor else boot_id + ":0").partition(":")
        self._lost["gap"] = known_boot != boot_id  # the rest of that boot is gone
        with self._open_log(start=int(number) if known_boot == boot_id else 0) as log:
            records = [record._replace(boot=boot_id) for record in log.read()]
        booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)

        def take(line: int, event: Event) -> None:
            self._tally.take(line, dict(event, time=_wall_clock(event["monotonic"], booted)))

        written = booted + (records[-1].monotonic if records else 0)
        unsettled = self._read(records, lambda: written, take)
        self._lost["records"] += log.lost
        return f"{boot_id}:{unsettled.at if unsettled else log.next}"

    def _read_pstore(self) -> None:
        """Every dump, as nobody knows of which boot it is; an event that is kept twice is told once, and not again with a cursor."""
        told: Set[str] = set(self._cursor.told) if self._cursor else set()
        for path, records in pstore_dumps():

            def take(line: int, event: Event, path: str = path) -> None:
                if event["id"] not in told:
                    self._tally.take(line, dict(event, source=path))
                told.add(event["id"])
                self._told.append(event["id"])

            self._read(records, lambda: 0.0, take)

    def _read_file(self) -> str:
        marks = [Mark.of(text) for text in self._cursor.position.split()] if self._cursor else []
        read: List[Mark] = []
        known: Set[Mark] = set()
        for paths in group_rotations(expand_paths(self._query.paths)):
            parts = [
                LogFile(path, marks, whole_lines=self._cursor is not None, programs=self._query.killer != "kernel")
                for path in paths
            ]
            unsettled = self._read(
                itertools.chain.from_iterable(part.records() for part in parts), lambda parts=parts: parts[-1].written
            )
            self._lost["files"] += [part.damage for part in parts if part.damage]
            known.update(part.known for part in parts if part.known)
            behind = False  # what comes behind a report that still goes on is read again
            for part in parts:
                offset = part.start if behind else None
                if unsettled is not None and unsettled.source == part.path:
                    offset, behind = int(unsettled.at), True
                mark = part.mark(offset)
                read += [mark] if mark else []
        self._lost["gap"] = not known.issuperset(marks)
        return " ".join(str(mark) for mark in read)

    def _read(
        self,
        records: Iterable[Record],
        written: Callable[[], float],
        take: Optional[Callable[[int, Event], None]] = None,
    ) -> Optional[Place]:
        """One log, of which the last line was written at that moment; the place of a report in it that may still go on, and has to be read again."""
        ending = read_events(records, take or self._tally.take, self._query.tasks, self._query.raw)
        self._lost["suppressed_reports"] += ending.suppressed
        self._lost["records"] += ending.lost
        silent = self._now - written()
        goes_on = min(
            (one for one in ending.unsettled if silent <= one.seconds), default=None, key=lambda one: one.number
        )
        held = self._tally.end_log(ending.boots, goes_on.number if goes_on and self._cursor else None)
        return goes_on.first.place if goes_on and (held or not self._cursor) else None

    # --- what is asked for, and what the kernel counted --------------------------------

    def _is_wanted(self, event: Event) -> bool:
        query = self._query
        victims = event["victims"]
        return (
            (query.victim is None or any(victim["name"] == query.victim for victim in victims))
            and (
                query.unit is None or any(victim["unit"] in (query.unit, query.unit + ".service") for victim in victims)
            )
            and (query.constraint is None or event["constraint"] == query.constraint)
            and (query.killer is None or event["killer"] == query.killer)
        )

    def _kernel_count(self) -> Optional[int]:
        """What the kernel counted since boot: only for a source that has all of this boot, and nothing else."""
        query = self._query
        is_whole = (
            query.source in ("journal", "kmsg")
            and query.boot == "current"
            and not query.cursor
            and self._window.is_open()
        )
        return self._procfs.oom_kills() if is_whole else None

    def _unlogged_in(self) -> List[Dict[str, Any]]:
        """Cgroups that are still there and count more kills than the log names in them. Asked only if some are missing, as all have to be read."""
        try:
            counted = oom_kills_by_cgroup(self._procfs)
        except UnsupportedError:  # no memory controller, so no counters of cgroups
            return []
        logged = self._tally.kills_in
        return [
            dict(cgroup=path, oom_kill=kills, logged_kills=logged[path])
            for path, kills in sorted(counted.items())
            if kills > logged[path]
        ]


def _machine_id() -> str:
    """What tells this host from others (machine-id(5)); a container may have none."""
    try:
        with open("/etc/machine-id") as stream:
            return stream.read().strip() or "none"
    except OSError:
        return "none"


def _wall_clock(uptime: float, booted: float) -> Optional[str]:
    """ISO 8601 UTC of an uptime; None where the host was suspended, as the log's clock then stood still."""
    if time.clock_gettime(_CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC) > 1:
        return None
    return format_utc(booted + uptime)
