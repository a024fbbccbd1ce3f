# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Predict who dies: if memory runs out as it is held now, and if one process goes on growing.

Pure: a snapshot in, an answer out. While one process grows, the victim is that process or the one
that is first now. A prediction is certain only if the bounds of the two do not overlap.
"""

import itertools
from typing import Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import BadnessRule
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain, order_domains
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.ranking import (
    Ranking,
    Suspect,
    find_victims,
    make_key,
    measure_slack,
    rank_tasks,
    weigh,
)

_CHARGED_PAGES = 64  # MEMCG_CHARGE_BATCH of include/linux/memcontrol.h


class Death(NamedTuple):
    """The next victim."""

    victim: Suspect
    group: List[Suspect]  # the processes that die with it
    certain: bool
    margin_kb: Optional[int]  # by how much it is worse than the next one; None if it is the only one


class Growth(NamedTuple):
    """Describe what happens if one process grows until it dies, or nothing else is left."""

    grower: Suspect
    domain: Domain
    victim: Optional[Suspect]  # the first one that dies; None if nothing can be killed
    itself: bool
    collateral: List[Suspect]  # what dies before the grower, or with it, in that order
    certain: bool  # of the first victim
    margin_kb: Optional[int]  # by how much the first victim is worse than the next process


def find_instead(snapshot: Snapshot, domain: Domain) -> Optional[str]:
    """Return what happens in a domain instead of a kill: C(panic) or C(hang); None for a kill.

    Sources: mm/oom_kill.c:check_panic_on_oom, mm/memcontrol.c:mem_cgroup_oom.
    """
    if domain.cgroup is not None and domain.cgroup.kill_disabled:
        return "hang"
    if snapshot.panic_on_oom > (0 if domain.is_host else 1):
        return "panic"
    return None


class Forecast:
    """Predicts for one snapshot. Each domain is ranked once."""

    def __init__(self, snapshot: Snapshot, rule: BadnessRule) -> None:
        self.snapshot = snapshot
        self._rule = rule
        self._rankings: Dict[str, Ranking] = {}

    def with_scores(self, scores: Mapping[int, int]) -> "Forecast":
        """Return the forecast as if processes had other scores, by pid."""
        return Forecast(self.snapshot.with_scores(scores), self._rule)

    def rank(self, domain: Domain) -> Ranking:
        """Return the ranking of a domain."""
        if domain.path not in self._rankings:
            self._rankings[domain.path] = rank_tasks(self.snapshot, domain, self._rule)
        return self._rankings[domain.path]

    def predict_next(self, domain: Domain) -> Optional[Death]:
        """Return who dies if memory runs out as it is held now.

        None if the kernel would not look for a victim, or would find none.
        """
        ranking = self.rank(domain)
        if not ranking.candidates or find_instead(self.snapshot, domain) or self._kills_whoever_asks(domain):
            return None
        first, rival = ranking.candidates[0], next(iter(ranking.candidates[1:]), None)
        victim, *group = find_victims(ranking, first)
        if rival is None:
            return Death(victim, group, not ranking.is_blurred, None)
        is_clear = first.low_kb - ranking.slack_kb(first, rival) > ranking.find_highest(first)
        certain = is_clear and not ranking.is_blurred and not (ranking.rule.kills_child and victim is not first)
        return Death(victim, group, certain, first.badness_kb - rival.badness_kb)

    def predict_growth(self, pid: int) -> Growth:
        """Return who dies if this process goes on growing until it meets the first limit."""
        domain, *others = order_domains(self.snapshot, self.snapshot.tasks[pid].cgroup)
        ranking = self.rank(domain)
        grower = ranking.find(pid)
        nobody = Growth(grower, domain, None, False, [], False, None)
        if find_instead(self.snapshot, domain):
            return nobody
        kills_whoever_asks = self._kills_whoever_asks(domain)
        if kills_whoever_asks and not grower.skipped:
            return nobody._replace(victim=grower, itself=True)  # likely, but any other process may ask
        collateral, itself = _kill_until(ranking, grower)
        if not itself and not collateral:
            return nobody
        certain, margin = _compare(ranking, grower)
        certain = certain and not kills_whoever_asks
        certain = certain and not any(self._may_trip_first(other, ranking) for other in others)
        return Growth(grower, domain, grower if itself else collateral[0], itself, collateral, certain, margin)

    def _may_trip_first(self, other: Domain, ranking: Ranking) -> bool:
        """Return whether a domain with more room may still run out of memory first."""
        error_kb = measure_slack(self.snapshot, other) + _find_hidden_room(ranking)
        if other.cgroup is not None and other.swap_room_kb:
            error_kb += _find_unsure_room(other)
        return other.room_kb - ranking.domain.room_kb < error_kb

    def measure_lack(self, growth: Growth, victim: Suspect) -> int:
        """Return how much worse the grower must be to die in place of the victim, in KiB."""
        ranking, grower = self.rank(growth.domain), growth.grower
        task = grower.task._replace(score=max(grower.task.score, SCORE_MIN + 1))
        grown_kb = weigh(ranking, task, grower.likely_rss_kb + _find_likely_room(ranking))
        return max(0, victim.badness_kb - grown_kb) + ranking.slack_kb(grower, victim)

    def _kills_whoever_asks(self, domain: Domain) -> bool:
        """Return whether the kernel kills the process that asks for memory.

        Source: mm/oom_kill.c:out_of_memory.
        """
        return domain.is_host and self.snapshot.kills_allocating_task


def _kill_until(ranking: Ranking, grower: Suspect) -> Tuple[List[Suspect], bool]:
    """Return what else dies until the grower does, and whether the grower is the first victim.

    A death leaves private memory and page tables, which the grower takes. Shared memory stays.
    """
    dead: Set[int] = set()
    collateral: List[Suspect] = []
    grown_kb = grower.likely_rss_kb + _find_likely_room(ranking)
    is_first = True
    for other in ranking.candidates:
        if other is grower or other.task.pid in dead:
            continue
        grown = make_key(ranking.rule, grower.task, weigh(ranking, grower.task, grown_kb))
        if not grower.skipped and grown > make_key(ranking.rule, other.task, other.badness_kb):
            break
        victims = find_victims(ranking, other)
        is_first = False
        collateral += [one for one in victims if one.task.pid not in dead and one is not grower]
        dead.update(one.task.pid for one in victims)
        if grower in victims:
            return collateral, False
        grown_kb += sum(one.task.anon_kb + one.task.pgtables_kb for one in victims)
    if grower.skipped:
        return collateral, False
    victims = find_victims(ranking, grower)
    is_itself = is_first and victims[0] is grower
    return collateral + [one for one in victims if one is not grower and one.task.pid not in dead], is_itself


def _compare(ranking: Ranking, grower: Suspect) -> Tuple[bool, Optional[int]]:
    """Return whether the first victim is certain, and by how much it is worse than the next one."""
    others = list(itertools.islice((one for one in ranking.candidates if one is not grower), 2))
    rivals = [_Bounds(one, one.low_kb, one.badness_kb, one.high_kb) for one in others]
    if not grower.skipped:
        rivals.append(_bound_growth(ranking, grower))
    rivals.sort(key=lambda one: make_key(ranking.rule, one.suspect.task, one.likely_kb), reverse=True)
    first, rest = rivals[0], rivals[1:]
    if not rest:
        return not ranking.is_blurred, None
    names_another = ranking.rule.kills_child and find_victims(ranking, first.suspect)[0] is not first.suspect
    slack = ranking.slack_kb(first.suspect, rest[0].suspect)
    highest = max(ranking.find_highest(first.suspect, grower), *(one.high_kb for one in rest))
    certain = first.low_kb - slack > highest and not names_another and not ranking.is_blurred
    return certain, first.likely_kb - rest[0].likely_kb


class _Bounds(NamedTuple):
    """The badness of a process when memory has run out."""

    suspect: Suspect
    low_kb: int
    likely_kb: int
    high_kb: int


def _bound_growth(ranking: Ranking, grower: Suspect) -> _Bounds:
    """Return the badness of a process that took all memory that was left."""
    domain, task = ranking.domain, grower.task
    least_room_kb = max(0, domain.room_kb - _find_unsure_room(domain))
    most_room_kb = domain.room_kb + _find_hidden_room(ranking)
    least_kb = task.rss_kb - min(task.file_kb, domain.reclaim_kb) - (task.shmem_kb if domain.swap_room_kb else 0)
    return _Bounds(
        grower,
        weigh(ranking, task, least_kb + least_room_kb),
        weigh(ranking, task, grower.likely_rss_kb + _find_likely_room(ranking)),
        weigh(ranking, task, task.rss_kb + most_room_kb),
    )


def _find_unsure_room(domain: Domain) -> int:
    """Return how much of the room a domain may fail to give, in KiB.

    In a cgroup some page cache may stay, such as dirty pages. On the host the slack covers that.
    A page on its way to swap takes both memory and swap. So swap can be full before it has given
    any memory. Source: mm/swap_state.c:add_to_swap.
    """
    return domain.swap_room_kb + (0 if domain.is_host else domain.reclaim_kb)


def _find_likely_room(ranking: Ranking) -> int:
    """Return how much a grower is likely to get, in KiB.

    A cgroup also gives what its CPUs have charged in advance, and caches of the kernel. Where these
    are not shown, trials got on average half of what the CPUs may have charged.
    """
    domain, snapshot = ranking.domain, ranking.snapshot
    if domain.cgroup is None:
        return domain.room_kb
    charged_kb = _CHARGED_PAGES * snapshot.page_kb
    if domain.cgroup.stock_kb is None:
        return domain.room_kb + min(snapshot.cpus, len(ranking.candidates)) * charged_kb // 2
    return domain.room_kb + min(domain.cgroup.stock_kb, snapshot.cpus * charged_kb) + domain.cgroup.kernel_kb


def _find_hidden_room(ranking: Ranking) -> int:
    """Return what a cgroup may have left in addition, in KiB.

    Each CPU has charged some pages in advance, and caches of the kernel can be reclaimed, too.
    Source: mm/memcontrol.c:consume_stock, drain_all_stock.
    """
    cgroup, snapshot = ranking.domain.cgroup, ranking.snapshot
    if cgroup is None:
        return 0
    page_tables_kb = sum(one.task.pgtables_kb for one in [*ranking.candidates, *ranking.skipped])
    caches_kb = cgroup.kernel_kb - (page_tables_kb if snapshot.cgroup_version == 1 else 0)
    return _CHARGED_PAGES * snapshot.page_kb * snapshot.cpus + max(0, caches_kb)
