# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What the killer did on this host, from its log and its counters."""

import datetime
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils import _kernel_log, _oom_log
from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs

_CLOCK_BOOTTIME = 7  # time.CLOCK_BOOTTIME came with Python 3.7


class Query(NamedTuple):
    """Which events, and how much of each."""

    source: str  # auto, kmsg, pstore or file
    paths: List[str]
    tasks: bool
    raw: bool
    untrusted: bool
    limit: int


def gather(query: Query, procfs: Procfs, open_log: Callable[[], _kernel_log.Kmsg] = _kernel_log.Kmsg) -> Dict[str, Any]:
    """Events with counts, summary and what is known to be missing."""
    source = query.source
    if source == "auto":
        source = "file" if query.paths else "kmsg"
    if (source == "file") != bool(query.paths):
        raise InputError("source={0} {1} paths".format(source, "needs" if source == "file" else "does not take"))
    if query.limit < 1:
        raise InputError("limit {0} must be at least 1".format(query.limit))
    events = []  # type: List[Dict[str, Any]]
    lost = dict(records=0, suppressed_reports=0)
    counted = None  # type: Optional[int]
    if source != "kmsg":
        logs = _kernel_log.pstore_dumps() if source == "pstore" else ((path, _kernel_log.read_file(path)) for path in _kernel_log.files(query.paths))
        for path, records in logs:
            parsed = _oom_log.parse_all(records, query.tasks, query.raw)
            lost["suppressed_reports"] += parsed.suppressed
            known = {event["id"] for event in events} if source == "pstore" else set()
            events.extend(dict(event, source=path) for event in parsed.events if event["id"] not in known)
    else:
        with open_log() as log:
            parsed = _oom_log.parse_all(log.read(), query.tasks, query.raw)
            lost.update(records=log.lost, suppressed_reports=parsed.suppressed)
        counted = procfs.oom_kills()
        events = [_of_this_boot(event, procfs) for event in parsed.events]

    real = [event for event in events if event["trusted"] is not False]
    kept = events if query.untrusted else real
    names = [victim["name"] for event in real for victim in event["victims"]]
    return dict(
        events=kept[-query.limit:],
        total=len(kept),
        truncated=len(kept) > query.limit,
        counts=dict(
            vmstat_oom_kill=counted,
            logged_kills=len(names),
            unlogged=_unlogged(counted, real),
            untrusted=len(events) - len(real),
        ),
        summary=[
            dict(name=name, kills=names.count(name)) for name in sorted(set(names), key=lambda name: (-names.count(name), name or ""))
        ],
        lost=lost,
        pstore_backend=_kernel_log.pstore_backend(),
    )


def _unlogged(counted: Optional[int], events: List[Dict[str, Any]]) -> Optional[int]:
    """Kills that the kernel counted and no line names. In a group kill it counts the chosen one twice."""
    if counted is None:
        return None
    explained = sum(len(event["victims"]) + (event["outcome"] == "group_kill") for event in events)
    return max(0, counted - explained)


def _of_this_boot(event: Dict[str, Any], procfs: Procfs) -> Dict[str, Any]:
    boot_id = procfs.read("sys/kernel/random/boot_id").strip().replace("-", "")
    return dict(
        event, source="kmsg", boot_id=boot_id, time=_wall_clock(event["monotonic"]), id="{0}-{1}".format(boot_id[:8], event["id"])
    )


def _wall_clock(uptime: float) -> Optional[str]:
    """ISO 8601 UTC of an uptime; None where the host was suspended, as the log's clock then stood still."""
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)
    if time.clock_gettime(_CLOCK_BOOTTIME) - monotonic > 1:
        return None
    moment = datetime.datetime.fromtimestamp(time.time() - monotonic + uptime, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
