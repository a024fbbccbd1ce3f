# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Rank the processes of a domain as the kernel would once its memory has run out.

Pure. What the kernel finds then is not what is there now: page cache was reclaimed before. So each
process has a badness that is likely, and bounds. Source: mm/oom_kill.c, mm/vmscan.c.
"""

import heapq
import itertools
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import (
    BadnessRule,
    Footprint,
    compute_badness,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain, is_member
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import (
    INIT,
    Snapshot,
    Task,
    list_upwards,
)

# Two processes that are closer than this may change places while memory runs out.
_SLACK_PAGES = 64
_HOST_SLACK_PERCENT = 2  # of RAM


class Suspect(NamedTuple):
    """A process with its badness, in KiB, once memory has run out."""

    task: Task
    badness_kb: int
    low_kb: int  # the least and the most that it can be
    high_kb: int
    likely_rss_kb: int
    skipped: Optional[str]  # why the kernel cannot choose it
    group: Optional[str]  # the topmost cgroup up to the domain whose processes die together


class Ranking(NamedTuple):
    """The processes of a domain, the next victim first, and those that cannot be chosen."""

    snapshot: Snapshot
    domain: Domain
    rule: BadnessRule
    candidates: List[Suspect]
    skipped: List[Suspect]
    highest: List[Suspect]  # the three that can have the most
    groups: Dict[str, List[Suspect]]  # the candidates that die together, by the path of their cgroup
    worst_children: Dict[int, Suspect]  # by pid of the parent, up to 5.0
    is_blurred: bool  # nothing is certain: not all is seen, or swap is not what it seems

    def find(self, pid: int) -> Suspect:
        """Return the process with this pid, which must be in the domain."""
        return next(one for one in itertools.chain(self.candidates, self.skipped) if one.task.pid == pid)

    def find_highest(self, *others: Suspect) -> int:
        """Return the most that any process but these (two at most) can have."""
        return next((one.high_kb for one in self.highest if one not in others), 0)

    def slack_kb(self, first: Suspect, second: Suspect) -> int:
        """Return how far apart two processes must be to keep their order for certain."""
        counter_error_kb = first.task.counter_error_kb + second.task.counter_error_kb
        return measure_slack(self.snapshot, self.domain) + counter_error_kb


def measure_slack(snapshot: Snapshot, domain: Domain) -> int:
    """Return by how much what is held in a domain may change while memory runs out, in KiB."""
    host_kb = snapshot.host.total_kb * _HOST_SLACK_PERCENT // 100 if domain.is_host else 0
    return _SLACK_PAGES * snapshot.page_kb + host_kb


def rank_tasks(snapshot: Snapshot, domain: Domain, rule: BadnessRule) -> Ranking:
    """Return the ranking of a domain."""
    tasks = [task for pid, task in snapshot.tasks.items() if is_member(snapshot, pid, domain)]
    reclaimed = find_reclaimed(domain, tasks)
    ranking = Ranking(snapshot, domain, rule, [], [], [], {}, {}, _is_blurred(snapshot, domain))
    groups = {path: _find_group(snapshot, domain, path) for path in {task.cgroup for task in tasks}}
    for task in tasks:
        one = _judge(ranking, task, reclaimed[task.pid], groups[task.cgroup])
        (ranking.skipped if one.skipped else ranking.candidates).append(one)
    ranking.candidates.sort(key=lambda one: make_key(rule, one.task, one.badness_kb), reverse=True)
    ranking.skipped.sort(key=lambda one: one.task.rss_kb, reverse=True)
    ranking.highest.extend(heapq.nlargest(3, ranking.candidates, key=lambda one: one.high_kb))
    for one in ranking.candidates:
        if one.group is not None:
            ranking.groups.setdefault(one.group, []).append(one)
        if rule.kills_child:
            ranking.worst_children.setdefault(one.task.parent, one)
    return ranking


def _is_blurred(snapshot: Snapshot, domain: Domain) -> bool:
    if snapshot.is_hidden or snapshot.is_container or (snapshot.host.zram and domain.swap_room_kb):
        return True
    if domain.is_swap_uneven:  # how much is swapped depends on whose pages are
        return True
    return domain.is_host and len({task.nodes for task in snapshot.tasks.values()}) > 1


def make_key(rule: BadnessRule, task: Task, badness_kb: int) -> Tuple[int, int, int]:
    """Return what the kernel compares: the badness, then the place in its list of processes."""
    # The list of the host is in the order of creation, and that of a cgroup nearly so.
    sign = 1 if rule.last_wins else -1
    return badness_kb, sign * task.start_time, sign * task.pid


def weigh(ranking: Ranking, task: Task, rss_kb: int) -> int:
    """Return the badness of a process in KiB, if this much of it is resident."""
    page_kb = ranking.snapshot.page_kb
    pages = Footprint(
        max(0, rss_kb) // page_kb,
        task.swap_kb // page_kb,
        task.pte_kb // page_kb,
        task.pmd_kb // page_kb,
        task.score,
        task.root,
    )
    return (compute_badness(ranking.rule, pages, ranking.domain.total_kb // page_kb) or 0) * page_kb


def find_reclaimed(domain: Domain, tasks: Iterable[Task]) -> Dict[int, int]:
    """Return how much page cache of each process is likely to be gone when the kernel kills.

    On the host that is all. A cgroup loses only what is charged to it, the largest first: the
    pages of a library may be charged to another cgroup.
    """
    files = {task.pid: task.file_kb for task in tasks}
    cgroup = domain.cgroup
    if cgroup is None:
        return files
    shared = min(cgroup.shmem_kb, sum(task.shmem_kb for task in tasks))
    amount = min(max(0, cgroup.mapped_kb - shared), cgroup.file_kb)
    level = _find_level(sorted(files.values(), reverse=True), amount)
    return {pid: max(0, size - level) for pid, size in files.items()}


def _find_level(sizes: List[int], amount: int) -> int:
    """Return the size to which the largest have to shrink, so that they lose this amount in all."""
    above = 0
    for count, size in enumerate(sizes, 1):
        above += size
        following = sizes[count] if count < len(sizes) else 0
        if above - count * following >= amount:
            return (above - amount) // count
    return 0


def _judge(ranking: Ranking, task: Task, reclaimed_kb: int, group: Optional[str]) -> Suspect:
    domain = ranking.domain
    amount = domain.reclaim_kb if domain.is_host else reclaimed_kb
    least = task.rss_kb - min(task.file_kb, amount) - (task.shmem_kb if domain.swap_room_kb else 0)
    likely = task.rss_kb - reclaimed_kb
    badness_kb = weigh(ranking, task, likely)
    return Suspect(
        task,
        badness_kb,
        badness_kb if least == likely else weigh(ranking, task, least),
        badness_kb if likely == task.rss_kb else weigh(ranking, task, task.rss_kb),
        likely,
        _why_skipped(ranking.snapshot, task),
        group,
    )


def _why_skipped(snapshot: Snapshot, task: Task) -> Optional[str]:
    if task.pid == INIT:
        return "init"
    if task.score == SCORE_MIN:
        return "immune"
    if task.pid in snapshot.passed_over:
        return snapshot.passed_over[task.pid]
    return None


def find_victims(ranking: Ranking, chosen: Suspect) -> List[Suspect]:
    """Return what dies if the kernel chooses this process: it, a child of it, or its group.

    The first one is the process that the log names.
    """
    # A child was killed if it had memory of its own.
    victim = ranking.worst_children.get(chosen.task.pid, chosen)
    members = ranking.groups[victim.group] if victim.group is not None else []
    return [victim, *(one for one in members if one is not victim)]


def _find_group(snapshot: Snapshot, domain: Domain, cgroup: str) -> Optional[str]:
    """Return the topmost cgroup up to the domain whose processes die together; None without one.

    All processes below it have the same one. Source: mm/memcontrol.c:mem_cgroup_get_oom_group.
    """
    found = None
    for path in list_upwards(cgroup):
        above = snapshot.cgroups.get(path)
        if above is not None and above.oom_group:
            found = path
        if path == domain.path:
            break
    return found
