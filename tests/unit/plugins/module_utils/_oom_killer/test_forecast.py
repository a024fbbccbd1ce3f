# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import time

import pytest
from snapshots import GIB, HOST, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import find_limit, measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast, find_instead


def forecast(*tasks, **facts):
    snapshot = host_with(*tasks, **facts)
    return Forecast(snapshot, snapshot.rule)


def grow(grower, *tasks, **facts):
    """Return the first victim, whether it is the grower, what else dies, and if it is certain."""
    found = forecast(grower, *tasks, **facts).predict_growth(grower.pid)
    victim = found.victim.task.name if found.victim else None
    return victim, found.itself, [one.task.name for one in found.collateral], found.certain


def predict(*tasks, **facts):
    made = forecast(*tasks, **facts)
    return made.predict_next(measure_host(made.snapshot))


ROOM = measure_host(host_with()).room_kb


def test_the_next_victim():
    found = predict(task("small", MIB), task("large", GIB), task("pinned", 2 * GIB, score=-900))
    assert (found.victim.task.name, found.group, found.certain) == ("large", [], True)
    assert found.margin_kb == GIB - MIB


def test_a_close_call_is_not_certain():
    """2 percent of RAM is the error on a host."""
    found = predict(task("first", GIB + 100 * MIB), task("second", GIB))
    assert (found.victim.task.name, found.certain, found.margin_kb) == ("first", False, 100 * MIB)
    assert predict(task("first", GIB + 200 * MIB), task("second", GIB)).certain


def test_page_cache_makes_it_uncertain():
    found = predict(task("first", GIB), task("second", MIB, file_kb=2 * GIB))
    assert (found.victim.task.name, found.certain) == ("first", False)


def test_the_only_one():
    found = predict(task("only", MIB))
    assert (found.margin_kb, found.certain) == (None, True)


def test_nobody():
    assert predict(task("immune", score=-1000)) is None
    assert predict() is None


def test_a_group_dies_with_the_next_victim():
    group = limited("/a", None, oom_group=True)
    found = predict(task("large", GIB, cgroup="/a"), task("helper", cgroup="/a"), task("x"), cgroups=[group])
    assert [one.task.name for one in found.group] == ["helper"]


def test_a_child_is_never_certain():
    parent = task("parent", GIB)
    found = predict(parent, task("child", parent=parent.pid), release="4.19.0")
    assert (found.victim.task.name, found.certain) == ("child", False)


@pytest.mark.parametrize(
    "facts, instead",
    [
        (dict(panic_on_oom=0), [None, None]),
        (dict(panic_on_oom=1), ["panic", None]),
        (dict(panic_on_oom=2), ["panic", "panic"]),
    ],
)
def test_a_panic_instead_of_a_kill(facts, instead):
    one = task("x", cgroup="/a")
    made = forecast(one, cgroups=[limited("/a", MIB)], **facts)
    domains = [measure_host(made.snapshot), find_limit(made.snapshot, "/a")]
    assert [find_instead(made.snapshot, domain) for domain in domains] == instead
    assert [made.predict_next(domain) is None for domain in domains] == [what is not None for what in instead]


def test_a_cgroup_that_hangs():
    one = task("x", cgroup="/a")
    made = forecast(one, cgroups=[limited("/a", MIB, kill_disabled=True)])
    domain = find_limit(made.snapshot, "/a")
    assert find_instead(made.snapshot, domain) == "hang"
    growth = made.predict_growth(one.pid)
    assert (growth.victim, growth.itself, growth.certain, growth.domain.path) == (None, False, False, "/a")


def test_whoever_asks_dies_on_such_a_host():
    """A grower asks most often, but any other process may ask when nothing is left."""
    tasks = [task("small", MIB), task("large", GIB)]
    assert grow(*tasks, kills_allocating_task=True) == ("small", True, [], False)
    assert predict(*tasks, kills_allocating_task=True) is None
    immune = task("immune", MIB, score=-1000)
    assert grow(immune, tasks[1], kills_allocating_task=True) == ("large", False, ["large"], False)
    assert grow(immune, tasks[1]) == ("large", False, ["large"], True)


def test_a_limit_does_not_kill_whoever_asks():
    """The sysctl is for the memory of the host (mm/oom_kill.c:out_of_memory)."""
    tasks = [task("small", MIB, cgroup="/a"), task("large", 4 * MIB, cgroup="/a")]
    facts = dict(cgroups=[limited("/a", 100 * MIB, 9 * MIB)])
    assert grow(*tasks, kills_allocating_task=True, **facts) == grow(*tasks, **facts) == ("small", True, [], True)


# --- growth ----------------------------------------------------------------------------


def test_the_grower_dies_itself():
    assert grow(task("java", MIB), task("daemon", GIB)) == ("java", True, [], True)


def test_the_margin_is_of_the_grown():
    java = task("java", MIB)
    growth = forecast(java, task("daemon", GIB)).predict_growth(java.pid)
    assert growth.margin_kb == MIB + ROOM // 4 * 4 - GIB  # whole pages


def test_a_larger_daemon_dies_first():
    assert grow(task("backup", MIB), task("postgres", 4 * GIB)) == ("postgres", False, ["postgres"], True)


def test_a_score_protects_the_daemon():
    assert grow(task("backup", MIB), task("postgres", 4 * GIB, score=-500))[:2] == ("backup", True)
    assert grow(task("backup", MIB, score=300), task("postgres", 4 * GIB))[:2] == ("backup", True)


def test_each_death_makes_room():
    """What a victim frees, the grower takes: it dies before those that are larger now."""
    tasks = [task("first", 4 * GIB), task("second", 5 * GIB // 2), task("third", 8 * GIB // 3)]
    victim, itself, collateral, _certain = grow(task("hog", MIB), *tasks)
    assert (victim, itself, collateral) == ("first", False, ["first"])


def test_shared_memory_makes_no_room():
    tasks = [task("first", MIB, shmem_kb=4 * GIB), task("second", 3 * GIB)]
    assert grow(task("hog", MIB), *tasks)[2] == ["first", "second"]


def test_an_immune_grower_takes_everything_with_it():
    tasks = [task("one", 2 * MIB), task("two", MIB), task("immune too", MIB, score=-1000)]
    assert grow(task("hog", MIB, score=-1000), *tasks) == ("one", False, ["one", "two"], False)


def test_nothing_else_can_be_killed():
    assert grow(task("hog", MIB, score=-1000)) == (None, False, [], False)
    assert grow(task("hog", MIB)) == ("hog", True, [], True)
    found = grow(task("hog", MIB, score=-1000), task("one", GIB))
    assert found == ("one", False, ["one"], True)


def test_a_group_dies_with_the_grower():
    group = limited("/a", 100 * MIB, 10 * MIB, oom_group=True)
    tasks = [task("hog", MIB, cgroup="/a"), task("helper", 9 * MIB, cgroup="/a"), task("other", GIB)]
    assert grow(*tasks, cgroups=[group]) == ("hog", True, ["helper"], True)


def test_the_grower_dies_with_the_group_of_another():
    group = limited("/a", 100 * MIB, 99 * MIB, oom_group=True)
    tasks = [task("hog", MIB, cgroup="/a"), task("large", 90 * MIB, cgroup="/a"), task("third", MIB, cgroup="/a")]
    assert grow(*tasks, cgroups=[group]) == ("large", False, ["large", "third"], True)


def test_a_group_dies_once():
    group = limited("/a", None, oom_group=True)
    tasks = [task("one", 3 * GIB, cgroup="/a"), task("two", 3 * GIB, cgroup="/a"), task("x", 4 * GIB)]
    assert grow(task("hog", MIB, score=-1000), *tasks, cgroups=[group])[2] == ["x", "two", "one"]


def test_the_growth_meets_its_own_limit_first():
    """The daemon outside of the limited cgroup is safe, although it is larger."""
    cgroup = limited("/a", 100 * MIB, 50 * MIB)
    tasks = [task("hog", 10 * MIB, cgroup="/a"), task("rival", 40 * MIB, cgroup="/a"), task("daemon", 4 * GIB)]
    assert grow(*tasks, cgroups=[cgroup]) == ("hog", True, [], True)


def test_what_page_cache_may_leave_in_a_cgroup_is_not_certain():
    """Half of the room is page cache that may be dirty."""
    cgroup = limited("/a", 100 * MIB, 95 * MIB, file_kb=40 * MIB)
    tasks = [task("hog", 10 * MIB, cgroup="/a"), task("rival", 30 * MIB, cgroup="/a")]
    assert grow(*tasks, cgroups=[cgroup]) == ("hog", True, [], False)


def test_two_others_that_are_close():
    tasks = [task("one", 4 * GIB), task("two", 4 * GIB - 10 * MIB)]
    assert grow(task("hog", MIB), *tasks)[::3] == ("one", False)


def test_the_grower_on_an_old_kernel():
    """A child of the grower dies in its place, and so makes a little room."""
    hog = task("hog", MIB)
    found = grow(hog, task("child", 2 * MIB, parent=hog.pid), release="4.19.0")
    assert found == ("child", False, ["child"], False)


def test_a_domain_is_ranked_once(monkeypatch):
    made = forecast(task("x", pid=7), task("y", pid=8))
    domain = measure_host(made.snapshot)
    assert made.rank(domain) is made.rank(domain)


def test_swap_is_room_too():
    host = HOST._replace(swap_kb=8 * GIB, swap_free_kb=8 * GIB)
    assert grow(task("hog", MIB), task("daemon", 4 * GIB), host=host)[:2] == ("hog", True)


@pytest.mark.parametrize("rival_kb, certain", [(9 * MIB, True), (20 * MIB, False)])
def test_swap_may_give_no_memory(rival_kb, certain):
    """On a slow disk Linux 7.2 killed when all pages in swap were still in memory, too."""
    host = HOST._replace(swap_kb=GIB, swap_free_kb=GIB)
    cgroup = limited("/a", 100 * MIB, 90 * MIB, swap_limit_kb=30 * MIB)
    found = grow(task("hog", MIB, cgroup="/a"), task("rival", rival_kb, cgroup="/a"), cgroups=[cgroup], host=host)
    assert found[::3] == ("hog", certain)


@pytest.mark.parametrize(
    "version, kernel_kb, certain",
    [(2, 0, True), (2, 2 * MIB, False), (1, 2 * MIB, True), (1, 4 * MIB, False)],
)
def test_caches_of_the_kernel_may_be_room(version, kernel_kb, certain):
    """On version 1 page tables are in the same counter, and cannot be reclaimed."""
    cgroup = limited("/a", 100 * MIB, 90 * MIB, kernel_kb=kernel_kb)
    hog, rival = task("hog", MIB, cgroup="/a"), task("rival", 11 * MIB, pte_kb=2 * MIB, cgroup="/a")
    assert grow(hog, rival, cgroups=[cgroup], cgroup_version=version)[::3] == ("rival", certain)


def test_what_each_cpu_charged_in_advance_may_be_room():
    cgroup = limited("/a", 100 * MIB, 90 * MIB)
    hog = task("hog", MIB, cgroup="/a")
    rival = task("rival", 11 * MIB + 64 * 4 + 2 * 64 * 4, cgroup="/a")
    assert grow(hog, rival, cgroups=[cgroup])[::3] == ("rival", False)
    assert grow(hog, rival._replace(anon_kb=0, rss_kb=rival.rss_kb + 4), cgroups=[cgroup])[::3] == ("rival", True)


@pytest.mark.parametrize(
    "inner_room, certain",
    [(39 * MIB, True), (40 * MIB - 200, False), (40 * MIB - 64 * 4 - 2 * 64 * 4, True)],
)
def test_which_of_two_limits_trips_may_not_be_certain(inner_room, certain):
    """The error is the slack, and what two CPUs charged in advance."""
    cgroups = [limited("/a", 100 * MIB, 60 * MIB), limited("/a/b", 100 * MIB, 100 * MIB - inner_room)]
    hog = task("hog", 20 * MIB, cgroup="/a/b")
    assert grow(hog, task("x", MIB, cgroup="/a"), cgroups=cgroups) == ("hog", True, [], certain)


@pytest.mark.parametrize("outer_room, certain", [(20 * MIB, False), (70 * MIB, True)])
def test_which_of_two_limits_trips_may_depend_on_swap(outer_room, certain):
    """The outer one trips first if swap is full of pages that are still in memory, too."""
    host = HOST._replace(swap_kb=GIB, swap_free_kb=GIB)
    outer = limited("/a", 100 * MIB, 100 * MIB - outer_room, swap_limit_kb=30 * MIB, file_kb=15 * MIB)
    hog = task("hog", 80 * MIB, cgroup="/a/b")
    cgroups = [outer, limited("/a/b", 100 * MIB, 95 * MIB)]
    assert grow(hog, task("x", MIB, cgroup="/a"), cgroups=cgroups, host=host)[::3] == ("hog", certain)


def test_a_limit_nearly_as_wide_as_the_host():
    cgroup = limited("/a", 4 * GIB, 4 * GIB - ROOM + 100 * MIB)
    assert grow(task("hog", MIB, cgroup="/a"), task("x", MIB), cgroups=[cgroup])[::3] == ("hog", False)


@pytest.mark.parametrize("release", ["4.19.0", "6.1.0"])
def test_thousands_of_groups_take_no_long_time(release):
    """Users may make any number of cgroups with any number of processes."""
    cgroups = [limited(f"/user.slice/{number}", None, oom_group=True) for number in range(4000)]
    tasks = [task("x", MIB, cgroup=one.path) for one in cgroups]
    grower = task("hog", MIB, score=-1000)
    made = forecast(grower, *tasks, cgroups=cgroups, release=release)
    begun = time.process_time()
    assert len(made.predict_growth(grower.pid).collateral) == 4000
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("cpus, processes, more_kb", [(2, 2, 256), (64, 2, 256), (1, 2, 128), (2, 5, 256)])
def test_a_cgroup_gives_a_little_more_than_it_shows(cpus, processes, more_kb):
    """What its CPUs charged in advance is used up before the kernel kills."""
    tasks = [task("x", 4 * number, cgroup="/a") for number in range(processes)]
    snapshot = host_with(*tasks, cgroups=[limited("/a", 100 * MIB, 90 * MIB)])._replace(cpus=cpus)
    growth = Forecast(snapshot, snapshot.rule).predict_growth(tasks[0].pid)
    assert growth.margin_kb == 10 * MIB + more_kb - 4 * (processes - 1)


@pytest.mark.parametrize("stock_kb, kernel_kb, more_kb", [(0, 0, 0), (200, 0, 200), (0, 100, 100), (9999, 100, 612)])
def test_a_cgroup_that_shows_its_stock(stock_kb, kernel_kb, more_kb):
    """Two CPUs hold at most 64 pages each. What is more has another cause, as an old counter."""
    tasks = [task("x", 4, cgroup="/a"), task("y", 8, cgroup="/a")]
    cgroup = limited("/a", 100 * MIB, 90 * MIB, stock_kb=stock_kb, kernel_kb=kernel_kb)
    snapshot = host_with(*tasks, cgroups=[cgroup])
    growth = Forecast(snapshot, snapshot.rule).predict_growth(tasks[0].pid)
    assert growth.margin_kb == 10 * MIB + more_kb - 4
