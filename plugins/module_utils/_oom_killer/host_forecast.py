# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Forecast for this host: with what only its kernel knows of the first processes of a ranking."""

from typing import Iterable, Mapping, NamedTuple, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import BadnessRule
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain, measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Death, Forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import find_passed_over, take_snapshot

_MAX_LOOKS = 5
_LOOKED_AT = 5  # the first of a ranking, of which the kernel may pass over some


def make_forecast(
    procfs: Procfs, snapshot: Snapshot, rule: BadnessRule, domain: Domain, growers: Iterable[int] = ()
) -> Forecast:
    """Return a forecast that knows which processes the kernel cannot choose.

    Only the first of the ranking and the growers are looked at, as each takes a read.
    """
    looked_at: Set[int] = set()
    for _look in range(_MAX_LOOKS):
        forecast = Forecast(snapshot, rule)
        pids = {one.task.pid for one in forecast.rank(domain).candidates[:_LOOKED_AT]}.union(growers) - looked_at
        looked_at |= pids
        found = find_passed_over(procfs, snapshot, pids)
        if not found:
            break
        snapshot = snapshot._replace(passed_over={**snapshot.passed_over, **found})
    return forecast


class NextVictims(NamedTuple):
    """Describe what dies if the host runs out of memory, now and with pins. None: nothing."""

    now: Optional[Death]
    with_pins: Optional[Death]


def predict_next_victims(
    procfs: Procfs, table: ProcessTable, scores: Mapping[int, int], groups: Mapping[str, bool]
) -> Optional[NextVictims]:
    """Return the next victim of the host now, and with these scores by pid and groups by cgroup.

    Returns None if no rule is known for the kernel, or not all processes of the host are seen.
    Raises OomError or OSError if the host cannot be read.
    """
    snapshot = take_snapshot(procfs, table=table)
    if snapshot.rule is None or snapshot.is_container or snapshot.is_hidden:
        return None
    domain = measure_host(snapshot)
    changed = snapshot.with_scores(scores).with_groups(groups)
    now, with_pins = [
        make_forecast(procfs, one, snapshot.rule, domain).predict_next(domain) for one in (snapshot, changed)
    ]
    return NextVictims(now, with_pins)
