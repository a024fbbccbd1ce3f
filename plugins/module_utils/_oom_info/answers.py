# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Answer what a task asks, from one snapshot."""

from typing import Dict, Iterable, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.advice import Advice, advise
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.report import Answer, Growers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain, is_member
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.host_forecast import make_forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import describe_task

_MAX_ADVISED = 3


def keep_growers(snapshot: Snapshot, domain: Domain, pids: Iterable[int], top: int) -> Growers:
    """Return the growers that are in the domain, the largest first, at most C(top), or one.

    Also returns how many were left out.

    Raises InputError if none of them is in the domain.
    """
    tasks = [snapshot.tasks[pid] for pid in pids if pid in snapshot.tasks]
    if not tasks:
        raise InputError("it has ended, or has no memory of its own: name another one")
    inside = [
        task.pid for task in sorted(tasks, key=lambda task: -task.rss_kb) if is_member(snapshot, task.pid, domain)
    ]
    if not inside:
        raise InputError(
            f"{describe_task(tasks[0])} is in cgroup {printable_name(tasks[0].cgroup)}, outside of {domain}:"
            " its growth does not use up that memory; leave out domain, or name another one"
        )
    kept = inside[: max(1, top)]
    return Growers(kept, len(tasks) - len(inside), len(inside) - len(kept))


def answer_for(
    procfs: Procfs, snapshot: Snapshot, domain: Domain, growers: Optional[Sequence[int]], top: int
) -> Answer:
    """Return the prediction for a domain, and for growers, else for the first of the ranking."""
    if snapshot.rule is None:
        return Answer(snapshot, domain, None, None, [], {})
    forecast = make_forecast(procfs, snapshot, snapshot.rule, domain, growers or ())
    snapshot = forecast.snapshot
    ranking = forecast.rank(domain)
    pids = [one.task.pid for one in ranking.candidates[:top]] if growers is None else growers
    growths = [forecast.predict_growth(pid) for pid in pids]
    harmful = [growth for growth in growths if not growth.itself][:_MAX_ADVISED]
    advice: Dict[int, Advice] = {}
    for growth in harmful:
        found = advise(forecast, growth)
        if found is not None:
            advice[growth.grower.task.pid] = found
    return Answer(snapshot, domain, ranking, forecast.predict_next(domain), growths, advice)
