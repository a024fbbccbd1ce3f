# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, HOST, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import find_limit, measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.ranking import (
    find_reclaimed,
    find_victims,
    rank_tasks,
)


def rank(*tasks, path=None, **facts):
    snapshot = host_with(*tasks, **facts)
    domain = measure_host(snapshot) if path is None else find_limit(snapshot, path)
    return rank_tasks(snapshot, domain, snapshot.rule)


def names(candidates):
    return [one.task.name for one in candidates]


def test_order_of_a_host():
    """A score of 100 is a tenth of all memory."""
    ranking = rank(
        task("small", 10 * MIB),
        task("raised", 20 * MIB, score=100),
        task("large", 700 * MIB),
        task("lowered", GIB, score=-200),
        task("swapped", MIB, swap_kb=701 * MIB),
        task("tables", 699 * MIB, pte_kb=2 * MIB),
    )
    assert names(ranking.candidates) == ["raised", "swapped", "tables", "large", "small", "lowered"]
    assert ranking.candidates[-1].badness_kb == GIB - 200 * (8 * GIB // 4 // 1000) * 4


def test_what_cannot_be_chosen():
    first = task("systemd", GIB, pid=1)
    child, taken = task("child", 2 * GIB), task("taken", 3 * GIB)
    ranking = rank(
        first,
        child,
        taken,
        task("immune", 4 * GIB, score=-1000),
        task("left"),
        passed_over={child.pid: "vfork", taken.pid: "reaped"},
    )
    assert names(ranking.candidates) == ["left"]
    assert [(one.task.name, one.skipped) for one in ranking.skipped] == [
        ("immune", "immune"),
        ("taken", "reaped"),
        ("child", "vfork"),
        ("systemd", "init"),
    ]


@pytest.mark.parametrize("release, first", [("6.1", "young"), ("5.3", "young"), ("5.1", "old"), ("3.10", "old")])
def test_ties(release, first):
    ranking = rank(task("old", MIB), task("young", MIB), task("less", MIB - 4), release=release)
    assert names(ranking.candidates)[0] == first


def test_page_cache_of_a_host_is_gone_when_it_kills():
    ranking = rank(task("reader", 10 * MIB, file_kb=500 * MIB), task("writer", 20 * MIB))
    reader = ranking.candidates[1]
    assert names(ranking.candidates) == ["writer", "reader"]
    assert (reader.low_kb, reader.badness_kb, reader.high_kb) == (10 * MIB, 10 * MIB, 510 * MIB)


@pytest.mark.parametrize(
    "mapped, shmem, cached, expected",
    [
        (0, 0, 50, [0, 0, 0]),
        (10, 0, 50, [10, 0, 0]),
        (25, 0, 50, [20, 5, 0]),
        (30, 0, 50, [70 / 3, 20 / 3, 0]),
        (25, 20, 50, [5, 0, 0]),  # 20 of the mapped are shared memory
        (25, 90, 50, [5, 0, 0]),  # no more shared memory than processes have
        (70, 0, 25, [20, 5, 0]),  # no more than there is in the cache
        (200, 0, 900, [40, 25, 5]),
    ],
)
def test_a_cgroup_loses_what_is_charged_to_it_the_largest_first(mapped, shmem, cached, expected):
    tasks = [task("x", file_kb=size * MIB, cgroup="/a") for size in (40, 25, 5)]
    tasks[2] = tasks[2]._replace(shmem_kb=20 * MIB)
    cgroup = limited("/a", GIB, mapped_kb=mapped * MIB, shmem_kb=shmem * MIB, file_kb=cached * MIB)
    snapshot = host_with(*tasks, cgroups=[cgroup])
    found = find_reclaimed(find_limit(snapshot, "/a"), tasks)
    if mapped == 30:  # both end at the same size
        assert found[tasks[0].pid] - found[tasks[1].pid] == 15 * MIB
        assert sum(found.values()) in range(30 * MIB, 30 * MIB + 2)
    else:
        assert list(found.values()) == [int(size * MIB) for size in expected]


def test_bounds_of_a_cgroup():
    """With swap, shared memory may be gone, too."""
    one = task("x", 10 * MIB, file_kb=4 * MIB, shmem_kb=2 * MIB, cgroup="/a")
    cgroup = limited("/a", GIB, mapped_kb=3 * MIB, file_kb=9 * MIB)
    found = rank(one, path="/a", cgroups=[cgroup]).candidates[0]
    assert (found.low_kb, found.badness_kb, found.high_kb) == (13 * MIB, 13 * MIB, 16 * MIB)
    host = HOST._replace(swap_kb=GIB, swap_free_kb=GIB)
    assert rank(one, path="/a", cgroups=[cgroup], host=host).candidates[0].low_kb == 11 * MIB


def test_a_cgroup_ranks_its_own_processes_by_its_own_size():
    inside = [task("one", 10 * MIB, cgroup="/a/b"), task("two", 8 * MIB, score=100, cgroup="/a")]
    ranking = rank(*inside, task("outside", GIB, cgroup="/c"), path="/a/b", cgroups=[limited("/a", 50 * MIB)])
    assert names(ranking.candidates) == ["two", "one"]
    assert ranking.candidates[0].badness_kb == 8 * MIB + 100 * (50 * MIB // 4 // 1000) * 4


def test_slack():
    one, two = task("one", counter_error_kb=100), task("two", counter_error_kb=20)
    ranking = rank(one, two)
    assert ranking.slack_kb(*ranking.candidates) == 64 * 4 + 120 + 8 * GIB * 2 // 100
    inside = [one._replace(cgroup="/a"), two._replace(cgroup="/a")]
    ranking = rank(*inside, path="/a", cgroups=[limited("/a", GIB)])
    assert ranking.slack_kb(*ranking.candidates) == 64 * 4 + 120


@pytest.mark.parametrize(
    "facts, blurred",
    [
        ({}, False),
        (dict(is_hidden=True), True),
        (dict(is_container=True), True),
        (dict(host=HOST._replace(zram=True)), False),
        (dict(host=HOST._replace(zram=True, swap_kb=MIB, swap_free_kb=MIB)), True),
    ],
)
def test_what_makes_nothing_certain(facts, blurred):
    assert rank(task("x"), **facts).is_blurred is blurred


def test_uneven_limits_of_swap_blur():
    """Whose pages are swapped first decides how much is left for the others."""
    host = HOST._replace(swap_kb=GIB, swap_free_kb=GIB)
    cgroups = [limited("/a", GIB), limited("/a/b", None, swap_limit_kb=MIB)]
    tasks = [task("x", cgroup="/a/b"), task("y", cgroup="/a")]
    assert rank(*tasks, path="/a", cgroups=cgroups, host=host).is_blurred
    assert not rank(*tasks, path="/a", cgroups=cgroups).is_blurred  # a host without swap


def test_processes_bound_to_different_nodes_blur_a_host():
    tasks = [task("x", nodes="0", cgroup="/a"), task("y", nodes="1", cgroup="/a")]
    assert rank(*tasks).is_blurred
    assert not rank(*tasks, path="/a", cgroups=[limited("/a", MIB)]).is_blurred


def test_a_group_dies_together_up_to_the_topmost():
    cgroups = [
        limited("/a", GIB, oom_group=True),
        limited("/a/b", GIB),
        limited("/a/b/c", GIB, oom_group=True),
        limited("/d", GIB),
    ]
    tasks = [
        task("victim", GIB, cgroup="/a/b/c"),
        task("sibling", cgroup="/a"),
        task("immune", score=-1000, cgroup="/a"),
        task("other", cgroup="/d"),
    ]
    ranking = rank(*tasks, cgroups=cgroups)
    assert names(find_victims(ranking, ranking.candidates[0])) == ["victim", "sibling"]
    other = ranking.candidates[[one.task.name for one in ranking.candidates].index("other")]
    assert names(find_victims(ranking, other)) == ["other"]


def test_a_group_above_the_domain_does_not_count():
    """The limit that trips is the end of the search: mm/memcontrol.c:mem_cgroup_get_oom_group."""
    cgroups = [limited("/a", GIB, oom_group=True), limited("/a/b", MIB)]
    ranking = rank(task("x", MIB, cgroup="/a/b"), task("y", cgroup="/a/b"), path="/a/b", cgroups=cgroups)
    assert names(find_victims(ranking, ranking.candidates[0])) == ["x"]


@pytest.mark.parametrize("release, dies", [("4.19.0", "worse child"), ("5.1", "parent"), ("6.1", "parent")])
def test_a_child_dies_instead_up_to_5_0(release, dies):
    parent = task("parent", GIB)
    children = [task("child", 5 * MIB, parent=parent.pid), task("worse child", 6 * MIB, parent=parent.pid)]
    ranking = rank(parent, *children, task("immune", score=-1000, parent=parent.pid), release=release)
    assert names(find_victims(ranking, ranking.candidates[0])) == [dies]
