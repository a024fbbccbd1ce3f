# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What the killer did on this host, from its log and its counters."""

import datetime
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils import _kernel_log, _oom_log
from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._log_prefix import Record
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs

_CLOCK_BOOTTIME = 7  # time.CLOCK_BOOTTIME came with Python 3.7


class Query(NamedTuple):
    """Which events, and how much of each."""

    source: str  # auto, journal, kmsg, pstore or file
    paths: List[str]
    boot: str  # current, previous, all or a boot id
    victim: Optional[str]
    unit: Optional[str]
    constraint: Optional[str]
    killer: Optional[str]
    tasks: bool
    raw: bool
    untrusted: bool
    limit: int


class _Found(NamedTuple):
    """Events of one source, and what it says of missing ones."""

    events: List[Dict[str, Any]]
    suppressed: int
    records: int = 0  # that were overwritten before they were read


def gather(query: Query, procfs: Procfs, open_log: Callable[[], _kernel_log.Kmsg] = _kernel_log.Kmsg) -> Dict[str, Any]:
    """Events with counts, summary and what is known to be missing."""
    query = _checked(query)
    found = list(_read(query, procfs, open_log))
    events = [event for one in found for event in one.events]
    # The counter is of this boot alone: only a source that has it all, and nothing else, can be compared with it.
    counted = procfs.oom_kills() if query.boot == "current" and query.source in ("journal", "kmsg") else None
    real = [event for event in events if event["trusted"] is not False]
    by_kernel = [event for event in real if event["killer"] == "kernel"]
    names = [victim["name"] for event in real for victim in event["victims"]]
    kept = [event for event in (events if query.untrusted else real) if _wanted(query, event)]
    return dict(
        events=kept[-query.limit:],
        total=len(kept),
        truncated=len(kept) > query.limit,
        counts=dict(
            vmstat_oom_kill=counted,
            logged_kills=sum(len(event["victims"]) for event in by_kernel),
            unlogged=_unlogged(counted, by_kernel),
            untrusted=len(events) - len(real),
        ),
        summary=[
            dict(name=name, kills=names.count(name)) for name in sorted(set(names), key=lambda name: (-names.count(name), name or ""))
        ],
        lost=dict(records=sum(one.records for one in found), suppressed_reports=sum(one.suppressed for one in found)),
        pstore_backend=_kernel_log.pstore_backend(),
    )


def _checked(query: Query) -> Query:
    """With the source that C(auto) means. Raises InputError for options that do not go together."""
    source = query.source
    if source == "auto":
        source = "file" if query.paths else "journal" if _kernel_log.has_journal() else "kmsg"
    if (source == "file") != bool(query.paths):
        raise InputError("source={0} {1} paths".format(source, "needs" if source == "file" else "does not take"))
    if source != "journal" and query.boot not in ("current", "all"):
        raise InputError("boot={0} needs the journal, source={1} has no other boots by name".format(query.boot, source))
    if query.limit < 1:
        raise InputError("limit {0} must be at least 1".format(query.limit))
    return query._replace(source=source)


def _read(query: Query, procfs: Procfs, open_log: Callable[[], _kernel_log.Kmsg]) -> Iterator[_Found]:
    if query.source == "journal":
        yield _parsed(query, _kernel_log.read_journal(query.boot), "journal")
    elif query.source == "kmsg":
        boot_id = procfs.read("sys/kernel/random/boot_id").strip().replace("-", "")
        with open_log() as log:
            found = _parsed(query, [record._replace(boot=boot_id) for record in log.read()], "kmsg")
        yield found._replace(events=[dict(event, time=_wall_clock(event["monotonic"])) for event in found.events], records=log.lost)
    elif query.source == "file":
        for path in _kernel_log.files(query.paths):
            yield _parsed(query, _kernel_log.read_file(path), path)
    if query.source == "pstore" or query.source == "journal" and query.boot == "all":
        known = set()  # type: Set[str]
        for path, records in _kernel_log.pstore_dumps():
            found = _parsed(query, records, path)
            yield found._replace(events=[event for event in found.events if event["id"] not in known])
            known.update(event["id"] for event in found.events)


def _parsed(query: Query, records: Iterable[Record], source: str) -> _Found:
    parsed = _oom_log.parse_all(records, query.tasks, query.raw)
    return _Found([dict(event, source=source) for event in parsed.events], parsed.suppressed)


def _wanted(query: Query, event: Dict[str, Any]) -> bool:
    victims = event["victims"]
    return (
        (query.victim is None or any(victim["name"] == query.victim for victim in victims))
        and (query.unit is None or any(victim["unit"] in (query.unit, query.unit + ".service") for victim in victims))
        and (query.constraint is None or event["constraint"] == query.constraint)
        and (query.killer is None or event["killer"] == query.killer)
    )


def _unlogged(counted: Optional[int], events: List[Dict[str, Any]]) -> Optional[int]:
    """Kills that the kernel counted and no line names. In a group kill it counts the chosen one twice."""
    if counted is None:
        return None
    explained = sum(len(event["victims"]) + (event["outcome"] == "group_kill") for event in events)
    return max(0, counted - explained)


def _wall_clock(uptime: float) -> Optional[str]:
    """ISO 8601 UTC of an uptime; None where the host was suspended, as the log's clock then stood still."""
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)
    if time.clock_gettime(_CLOCK_BOOTTIME) - monotonic > 1:
        return None
    moment = datetime.datetime.fromtimestamp(time.time() - monotonic + uptime, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
