# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Suggest the score with which a grower dies itself, instead of a process that must live.

Pure. Each suggestion is tried in the same forecast before it is made.
"""

from typing import Callable, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot, Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Death, Forecast, Growth

_STEP = 10
_LOWEST = SCORE_MIN + 1  # immunity is never advised


class Advice(NamedTuple):
    """Scores, each of which alone makes the grower die; None: no score does."""

    victim_score: Optional[int]
    grower_score: Optional[int]


def advise(forecast: Forecast, growth: Growth) -> Optional[Advice]:
    """Return what would make the grower die itself; None if it does, or nothing can die."""
    if growth.itself or growth.victim is None:
        return None
    steps = _count_points(forecast.snapshot, growth.domain, forecast.measure_lack(growth, growth.victim))
    grower, victim = growth.grower.task, growth.victim.task

    def works(pid: int, score: int) -> bool:
        return forecast.with_scores({pid: score}).predict_growth(grower.pid).itself

    lower = max(_LOWEST, victim.score - steps)
    higher = min(SCORE_MAX, max(grower.score, _LOWEST) + steps)
    return Advice(
        lower if lower < victim.score and works(victim.pid, lower) else None,
        higher if higher > grower.score and works(grower.pid, higher) else None,
    )


def advise_for_victim(
    snapshot: Snapshot, domain: Domain, death: Death, is_spared: Callable[[Task], bool]
) -> Optional[int]:
    """Return the score with which another process dies in the place of the next victim.

    None if no score does, or if that other process is one that is to be spared, too.
    """
    if snapshot.rule is None or death.margin_kb is None:
        return None
    forecast = Forecast(snapshot, snapshot.rule)
    first, second = forecast.rank(domain).candidates[:2]
    lack_kb = death.margin_kb + forecast.rank(domain).slack_kb(first, second)
    task = death.victim.task
    score = max(_LOWEST, task.score - _count_points(snapshot, domain, lack_kb))
    other = forecast.with_scores({task.pid: score}).predict_next(domain)
    if other is None or is_spared(other.victim.task) or task.pid in {one.task.pid for one in other.group}:
        return None
    return score


def _count_points(snapshot: Snapshot, domain: Domain, lack_kb: int) -> int:
    """Return how many points of a score are worth more than this much memory, in steps."""
    page_kb = snapshot.page_kb
    one_kb = max(1, domain.total_kb // page_kb // 1000) * page_kb  # what a score of 1 is worth
    return -(-(lack_kb + 1) // (one_kb * _STEP)) * _STEP
