# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the OOM kills of this host from its kernel log, and compare them with its counters."""

import itertools
import time
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    NotFoundError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import oom_kills_by_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import CLOCK_BOOTTIME, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import (
    LogFile,
    Mark,
    expand_paths,
    group_rotations,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import JOURNALS, Journal, has_journal
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.pstore import pstore_backend, pstore_dumps
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Place, Record
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.streams import Budget
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import format_utc
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Collector, Window
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.cursor import (
    Cursor,
    format_cursor,
    parse_cursor,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import Owner
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import (
    CONTAINER_ID,
    Filter,
    Query,
    check_query,
    describe_window,
    parse_pins,
    parse_window,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.trial_places import TrialPlaces
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.wording import (
    Circumstances,
    write_kill_report,
    write_msg,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.copies import KnownEvents
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import read_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import REPORT_SECONDS

# The most bytes of events, as JSON: the controller keeps the result of each host in memory.
# The limit does not apply with tasks or raw.
MAX_BYTES = 1 << 20


def gather(
    query: Query,
    procfs: Procfs,
    open_log: Callable[..., Kmsg] = Kmsg,
    note_kills: Optional[Callable[[Event, int], None]] = None,
) -> Dict[str, Any]:
    """Return what the module returns, and C(warnings) for the administrator.

    C(note_kills) gets each event of the kernel that is counted, whether it matches the query or
    not, and as how many kills /proc/vmstat counts it.
    Raises InputError for options that exclude each other, and OomError if the log cannot be read.
    """
    now = time.time()
    host = _read_machine_id()
    sources = _choose_sources(query)
    failures: List[OomError] = []
    for source in sources:
        chosen = query._replace(source=source)
        check_query(chosen)
        cursor = parse_cursor(query.cursor, source, host) if query.cursor else None
        window, is_auto = parse_window(chosen, now), query.source == "auto"
        reading = _Reading(chosen, window, cursor, now, procfs, open_log, is_auto, note_kills)
        try:
            position = reading.read_source()
        except (AccessError, UnsupportedError) as error:
            failures.append(error)
            continue
        if failures:
            reading.warnings.append(f"read source={source} instead, which may lack kills: {failures[0]}")
        return dict(
            reading.build_results(),
            cursor=_next_cursor(chosen, host, position, reading.pstore_ids),
            pstore_backend=pstore_backend(),
            warnings=reading.warnings,
        )
    raise failures[0] if len(failures) == 1 else AccessError("; ".join(str(failure) for failure in failures))


def _choose_sources(query: Query) -> List[str]:
    """Return the source to read, which C(auto) leaves to the cursor or the host.

    With C(auto) there may be a second one, to read instead if the journal cannot be read.
    """
    if query.source != "auto":
        return [query.source]
    if query.paths:
        return ["file"]
    if query.cursor:
        source = query.cursor.partition("|")[0]
        return [source if source in ("journal", "kmsg") else "journal" if has_journal() else "kmsg"]
    if query.boot not in ("current", "all"):
        return ["journal"]
    return ["journal", "kmsg"] if has_journal() else ["kmsg"]


def _next_cursor(query: Query, host: str, position: Optional[str], pstore_ids: List[str]) -> Optional[str]:
    """Return the cursor for the next run.

    None if nothing was read, and with C(until), because events behind it were left out.
    """
    if not position or query.until:
        return None
    return format_cursor(Cursor(query.source, host, position, pstore_ids))


class _Reading:
    """One run of the module: the source as it is read, and the results so far."""

    def __init__(
        self,
        query: Query,
        window: Window,
        cursor: Optional[Cursor],
        now: float,
        procfs: Procfs,
        open_log: Callable[..., Kmsg],
        is_auto: bool,
        note_kills: Optional[Callable[[Event, int], None]],
    ) -> None:
        self._query = query
        self._window = window
        self._cursor = cursor
        self._now = now
        self._procfs = procfs
        self._open_log = open_log
        self._is_auto = is_auto
        self.warnings: List[str] = []
        self._filter = Filter(query, _find_ids(query.container))
        self._pins = parse_pins(query, _find_ids)
        self._collector = Collector(window, self._filter.selects, TrialPlaces(procfs).is_own, query.limit, note_kills)
        self._lost: Dict[str, Any] = dict(records=0, suppressed_reports=0, gap=False, files=[])
        self.pstore_ids: List[str] = []
        self._known = KnownEvents()  # two files of one host may hold the same lines

    # --- the sources: each returns the position from which the next run has to read ------

    def read_source(self) -> Optional[str]:
        """Read the source; return the position where the next run starts, None if there is none."""
        read: Dict[str, Callable[[], Optional[str]]] = {
            "journal": self._read_journal,
            "kmsg": self._read_kmsg,
            "pstore": self._read_pstore,
            "file": self._read_files,
        }
        return read[self._query.source]()

    def _read_journal(self) -> Optional[str]:
        if not has_journal():
            raise UnsupportedError(
                f"source=journal: this host has no journal in {' or '.join(JOURNALS)}: set source=kmsg for the current "
                "boot, or paths for log files"
            )
        edge = REPORT_SECONDS  # a report that crosses an edge of the window is still read as a whole
        journal = Journal(
            self._query.boot,
            None if self._window.since is None else self._window.since - edge,
            None if self._window.until is None else self._window.until + edge,
            self._cursor.position if self._cursor else None,
            every_line=self._query.raw,
        )
        unfinished = self._read(journal.read(), lambda: journal.written)
        self._lost["gap"] = journal.gap
        self._lost["records"] += journal.unreadable
        if self._cursor or self._query.boot == "all":
            self._read_pstore_too()
        return str(unfinished.at) if unfinished else journal.end

    def _read_kmsg(self) -> str:
        boot_id = self._procfs.read("sys/kernel/random/boot_id").strip().replace("-", "")
        cursor_boot, _colon, number = (self._cursor.position if self._cursor else boot_id + ":0").partition(":")
        self._lost["gap"] = cursor_boot != boot_id  # the ring buffer of that boot is gone
        with self._open_log(start=int(number) if cursor_boot == boot_id else 0) as log:
            records = [record._replace(boot=boot_id) for record in log.read()]
        boot_time = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)

        def take(line: int, event: Event) -> None:
            event["time"] = _format_wall_clock(event["monotonic"], boot_time)
            self._collector.take(line, event)

        last_write = boot_time + ((records[-1].monotonic or 0.0) if records else 0.0)
        unfinished = self._read(records, lambda: last_write, take)
        self._lost["records"] += log.lost
        return f"{boot_id}:{unfinished.at if unfinished else log.next}"

    def _read_pstore_too(self) -> None:
        """Read pstore besides the journal. With source=auto it is no error if that is denied."""
        try:
            self._read_dumps()
        except AccessError as error:
            if not self._is_auto:
                raise
            self.pstore_ids = self._cursor.pstore_ids if self._cursor else []
            self.warnings.append(f"pstore was not read, panics may be missing: {error}")

    def _read_pstore(self) -> None:
        """Read pstore alone. Raises UnsupportedError if it has nothing, and could have nothing."""
        if not self._read_dumps() and pstore_backend() is None:
            raise UnsupportedError(
                "source=pstore: no pstore backend is loaded and there is no dump, so a panic would have left nothing: "
                "load a backend such as ramoops or efi_pstore, or set source=journal and boot=previous"
            )

    def _read_dumps(self) -> int:
        """Read every dump, because a dump does not name its boot, and return how many there are.

        An event that is kept twice is returned once, and with a cursor never again.
        """
        dumps = 0
        known: Set[str] = set(self._cursor.pstore_ids) if self._cursor else set()
        for path, records in pstore_dumps():
            dumps += 1

            def take(line: int, event: Event, path: str = path) -> None:
                if event["id"] not in known:
                    event["source"] = path
                    self._collector.take(line, event)
                known.add(event["id"])
                self.pstore_ids.append(event["id"])

            self._read(records, lambda: 0.0, take)
        return dumps

    def _read_files(self) -> str:
        marks = [Mark.of(text) for text in self._cursor.position.split()] if self._cursor else []
        next_marks: List[Mark] = []
        found: Set[Mark] = set()
        budget = Budget()
        is_whole, programs = self._cursor is not None, self._query.killer != "kernel"
        for paths in group_rotations(_find_files(self._query.paths)):
            parts = [LogFile(path, marks, is_whole, programs, budget) for path in paths]

            def last_write(newest: LogFile = parts[-1]) -> float:
                return newest.written

            unfinished = self._read(itertools.chain.from_iterable(part.records() for part in parts), last_write)
            self._lost["files"] += [loss for part in parts for loss in part.list_losses()]
            found.update(part.known for part in parts if part.known)
            next_marks += _mark_parts(parts, unfinished)
        self._lost["gap"] = not found.issuperset(marks)
        return " ".join(str(mark) for mark in next_marks)

    def _read(
        self,
        records: Iterable[Record],
        last_write: Callable[[], float],
        take: Optional[Callable[[int, Event], None]] = None,
    ) -> Optional[Place]:
        """Read one log; return the place of its first unfinished report, or None.

        The next run has to read again from there. C(last_write) returns, after the records are
        read, when the last line was written, in seconds since 1970.
        """
        query = self._query
        ending = read_events(records, take or self._collector.take, query.tasks, query.raw, self._known, self._pins)
        self._lost["suppressed_reports"] += ending.suppressed
        self._lost["records"] += ending.lost
        silent_seconds = self._now - last_write()
        unfinished = min(
            (report for report in ending.unsettled if silent_seconds <= report.seconds),
            default=None,
            key=lambda report: report.number,
        )
        held = self._collector.end_log(ending.boots, unfinished.number if unfinished and self._cursor else None)
        return unfinished.first.place if unfinished and (held or not self._cursor) else None

    # --- the results ---------------------------------------------------------------------

    def build_results(self) -> Dict[str, Any]:
        """Return msg, report, events, total, truncated, counts, summary and lost."""
        collector, query = self._collector, self._query
        names = _find_names(collector.list_owners())
        events = collector.select_newest(names, None if query.tasks or query.raw else MAX_BYTES)
        counts = collector.counts
        kernel_count = self._read_kernel_count()
        unlogged = None if kernel_count is None else max(0, kernel_count - counts["explained"])
        unlogged_in = self._find_unlogged() if unlogged else []
        today = format_utc(self._now)[:10]
        circumstances = Circumstances(
            window=describe_window(query, self._window, _read_boot_time(), today),
            today=today,
            unlogged=unlogged,
            unlogged_in=unlogged_in,
            lost=self._lost,
            own_trials=0 if query.own_trials else counts["own_trials"],
            forged=0 if query.untrusted else counts["untrusted"],
            is_filtered=query.is_filtered(),
            pins=collector.pins if self._pins else None,
        )
        self._warn(unlogged or 0, counts["total"])
        return dict(
            msg=write_msg(collector.groups, circumstances),
            report=write_kill_report(collector.groups, circumstances, names),
            events=events,
            total=counts["total"],
            truncated=counts["total"] > len(events),
            counts=dict(
                vmstat_oom_kill=kernel_count,
                logged_kills=counts["logged_kills"],
                unlogged=unlogged,
                unlogged_in=unlogged_in,
                own_trials=counts["own_trials"],
                untrusted=counts["untrusted"],
                undated=counts["undated"],
            ),
            summary=collector.summarize(names),
            lost=self._lost,
        )

    def _warn(self, unlogged: int, total: int) -> None:
        """Warn of kills that the log lacks, and of filters that select nothing."""
        if unlogged:
            other = "source=kmsg" if self._query.source == "journal" else "source=journal" if has_journal() else ""
            self.warnings.append(
                f"counts.unlogged={unlogged}: the kernel counted more kills since boot than are in "
                f"source={self._query.source}, because lines were lost or rotated away: "
                f"read {other + ', or ' if other else ''}the log files with paths; counts.unlogged_in lists the cgroups"
            )
        advice = None if total else self._filter.advise()
        if advice:
            self.warnings.append(advice)

    def _read_kernel_count(self) -> Optional[int]:
        """Return how many kills the kernel counted since boot.

        None unless the source holds the whole current boot and nothing else.
        """
        query = self._query
        is_whole_boot = (
            query.source in ("journal", "kmsg")
            and query.boot == "current"
            and not query.cursor
            and self._window.is_open()
        )
        return self._procfs.oom_kills() if is_whole_boot else None

    def _find_unlogged(self) -> List[Dict[str, Any]]:
        """Return the existing cgroups that count more kills than the log names in them.

        Called only if kills are missing, because it reads the counters of all cgroups.
        """
        try:
            kernel_counts = oom_kills_by_cgroup(self._procfs)
        except UnsupportedError:  # without a memory controller cgroups count no kills
            return []
        logged = self._collector.kills_by_cgroup
        return [
            dict(cgroup=path, oom_kill=kills, logged_kills=logged[path])
            for path, kills in sorted(kernel_counts.items())
            if kills > logged[path]
        ]


def _find_files(patterns: List[str]) -> List[str]:
    """Return the files that the option paths names. Raises NotFoundError if one matches none."""
    try:
        return expand_paths(patterns)
    except NotFoundError as error:
        raise NotFoundError(f"paths: {error}: name files on the managed host itself") from error


def _find_ids(container: Optional[str]) -> FrozenSet[str]:
    """Return the ids of the containers with this name."""
    if not container:
        return frozenset()
    # The client of Docker is loaded only if it is needed.
    from ansible_collections.oomguard.linux.plugins.module_utils._host.container_names import find_container_ids

    try:
        return frozenset(find_container_ids(container))
    except AccessError:  # Docker hangs, as it may after an OOM
        if CONTAINER_ID.match(container):
            return frozenset()
        raise


def _find_names(owners: List[Owner]) -> ContainerNames:
    """Return the names of the containers among the owners by id, and those of pods by uid."""
    containers = list(dict.fromkeys(owner.container for owner in owners if owner.container and owner.is_named()))
    if not containers and not any(owner.pod for owner in owners):
        return ContainerNames({}, {})
    from ansible_collections.oomguard.linux.plugins.module_utils._host.container_names import read_container_names

    return read_container_names(containers)


def _mark_parts(parts: Iterable[LogFile], unfinished: Optional[Place]) -> List[Mark]:
    """Return a mark for each file of one rotated log, from which the next run reads.

    The next run reads everything again from the unfinished report on.
    """
    marks = []
    behind = False  # whether the unfinished report began in an earlier file
    for part in parts:
        offset = part.start if behind else None
        if unfinished is not None and unfinished.source == part.path:
            offset, behind = int(unfinished.at), True
        mark = part.mark(offset)
        marks += [mark] if mark else []
    return marks


def _read_machine_id() -> str:
    """Return the machine id (machine-id(5)); a container may have none."""
    try:
        with open("/etc/machine-id") as stream:
            return stream.read().strip() or "none"
    except OSError:
        return "none"


def _read_boot_time() -> float:
    """Return when this host booted, in seconds since 1970, to the second."""
    return round(time.time() - time.clock_gettime(CLOCK_BOOTTIME), 0)


def _format_wall_clock(uptime: float, boot_time: float) -> Optional[str]:
    """Return the uptime as ISO 8601 in UTC.

    None if the host was suspended since boot, as the log's clock does not count that time.
    """
    if time.clock_gettime(CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC) > 1:
        return None
    return format_utc(boot_time + uptime)
