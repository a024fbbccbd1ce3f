# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, HOST, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import (
    find_limit,
    is_member,
    measure_cgroup,
    measure_host,
    order_domains,
)


def test_room_of_a_host():
    """Free, page cache and half of the slab, without the reserve and the error of the counters."""
    domain = measure_host(host_with(host=HOST._replace(slab_kb=2 * MIB, swap_kb=GIB, swap_free_kb=MIB)))
    assert domain.room_kb == 2 * GIB + GIB + MIB + MIB - 64 * MIB - int(8 * GIB * 0.015)
    assert (domain.total_kb, domain.swap_room_kb, domain.is_host) == (9 * GIB, MIB, True)


def test_room_is_never_negative():
    assert measure_host(host_with(host=HOST._replace(free_kb=0, file_kb=0))).room_kb == 0
    assert measure_cgroup(host_with(), limited("/a", MIB, 2 * MIB)).room_kb == 0


SWAP = dict(swap_kb=4 * GIB, swap_free_kb=3 * GIB)


@pytest.mark.parametrize(
    "host, facts, room, total",
    [
        ({}, {}, 40, 100),
        ({}, dict(file_kb=10 * MIB), 50, 100),
        (SWAP, dict(swap_limit_kb=0), 40, 100),
        (SWAP, dict(swap_limit_kb=50 * MIB, swap_usage_kb=20 * MIB), 70, 150),
        (SWAP, dict(swap_limit_kb=None), 40 + 3 * 1024, 100 + 4 * 1024),
        (SWAP, dict(swap_limit_kb=10 * GIB), 40 + 3 * 1024, 100 + 4 * 1024),
        (SWAP, dict(swappiness=0), 40, 100),
        (dict(SWAP, swappiness=0), {}, 40, 100),
        (dict(SWAP, swap_free_kb=MIB), dict(swap_limit_kb=50 * MIB), 41, 150),
    ],
)
def test_room_of_a_cgroup(host, facts, room, total):
    snapshot = host_with(host=HOST._replace(**host))
    domain = measure_cgroup(snapshot, limited("/a", 100 * MIB, 60 * MIB, **facts))
    assert (domain.room_kb, domain.total_kb) == (room * MIB, total * MIB)


ON_SWAP = HOST._replace(swap_kb=4 * GIB, swap_free_kb=3 * GIB)


@pytest.mark.parametrize(
    "swap, room, uneven",
    [
        ({}, 3 * GIB, False),
        ({"/a": 9}, 9, False),
        ({"/a": 9, "/a/b": 5}, 5, False),
        ({"/a": 5, "/a/b": 9}, 5, False),
        ({"/a/b/c": 0, "/a/b/d": 0}, 0, True),
        ({"/a/b/c": 0}, 3 * GIB, True),
        ({"/a": 9, "/a/b/c": 4, "/a/b/d": 3}, 7, True),
        ({"/a": 9, "/a/b/c": 4, "/a/b/d": 8}, 9, True),
        ({"/a": 9, "/a/b/c": 10, "/a/b/d": 11}, 9, False),
        ({"/a/b/d/e": 2, "/a/b/c": 1}, 3, True),
        ({"/x": 0}, 3 * GIB, False),
    ],
    ids=[
        "no limit",
        "one above that does not limit memory",
        "its own",
        "the least on the way up",
        "none below may swap",
        "one below may",
        "the sum of those below",
        "more below than above",
        "wider ones below",
        "deeper ones",
        "one beside it",
    ],
)
def test_swap_has_limits_of_its_own_on_the_way_up(swap, room, uneven):
    """Version 2: each page that is swapped is charged to its cgroup and to every one above it."""
    paths = ["/a", "/a/b", "/a/b/c", "/a/b/d", "/a/b/d/e", "/x"]
    limits = {"/a/b": 100 * MIB}
    cgroups = [limited(path, limits.get(path), 60 * MIB, swap_limit_kb=swap.get(path)) for path in paths]
    tasks = [task("one", MIB, cgroup="/a/b/c"), task("two", MIB, cgroup="/a/b/d/e")]
    domain = find_limit(host_with(*tasks, cgroups=cgroups, host=ON_SWAP), "/a/b/c")
    assert (domain.path, domain.swap_room_kb, domain.is_swap_uneven) == ("/a/b", room, uneven)
    assert domain.room_kb == 40 * MIB + room
    assert domain.total_kb == 100 * MIB + min(swap.get("/a/b", 4 * GIB), 4 * GIB)  # by its own limit


def test_what_was_swapped_counts_on_the_way_up():
    cgroups = [
        limited("/a", None, swap_limit_kb=50 * MIB, swap_usage_kb=45 * MIB),
        limited("/a/b", 100 * MIB, 60 * MIB, swap_limit_kb=30 * MIB, swap_usage_kb=10 * MIB),
    ]
    assert find_limit(host_with(cgroups=cgroups, host=ON_SWAP), "/a/b").swap_room_kb == 5 * MIB


@pytest.mark.parametrize(
    "swap_limit, swapped, swappiness, room, swap_room",
    [
        (50, 10, 60, 80, 40),
        (0, 0, 60, 40, 0),
        (0, 30, 60, 10, 0),
        (20, 50, 60, 10, 0),
        (20, 50, 0, 10, 0),
        (50, 10, 0, 40, 0),
        (None, 0, 60, 40 + 3 * 1024, 3 * 1024),
    ],
)
def test_version_1_limits_memory_and_swap_together(swap_limit, swapped, swappiness, room, swap_room):
    """Swap does not make room under that limit, and may have used up what memory alone has left."""
    cgroup = limited(
        "/a",
        100 * MIB,
        60 * MIB,
        swap_limit_kb=None if swap_limit is None else swap_limit * MIB,
        swap_usage_kb=swapped * MIB,
        swappiness=swappiness,
    )
    domain = measure_cgroup(host_with(cgroups=[cgroup], host=ON_SWAP, cgroup_version=1), cgroup)
    assert (domain.room_kb, domain.swap_room_kb) == (room * MIB, swap_room * MIB)


def test_version_1_has_a_domain_for_each_limit_of_both():
    """The outer one has no room left for memory and swap together, so it trips first."""
    cgroups = [
        limited("/a", 200 * MIB, 60 * MIB, swap_limit_kb=0, swap_usage_kb=135 * MIB, swappiness=60),
        limited("/a/b", 100 * MIB, 60 * MIB, swap_limit_kb=GIB, swappiness=60),
    ]
    domain = find_limit(host_with(cgroups=cgroups, host=ON_SWAP, cgroup_version=1), "/a/b")
    assert (domain.path, domain.room_kb) == ("/a", 5 * MIB)


@pytest.mark.parametrize(
    "inner, outer, tripping",
    [(10, 10, "/a/b"), (95, 10, "/a/b"), (50, 190, "/a"), (99, 198, "/a/b"), (99, 199, "/a/b"), (98, 199, "/a")],
)
def test_the_limit_with_the_least_room_trips(inner, outer, tripping):
    cgroups = [limited("/a", 200 * MIB, outer * MIB), limited("/a/b", 100 * MIB, inner * MIB)]
    assert find_limit(host_with(cgroups=cgroups), "/a/b/c").path == tripping


def test_the_host_trips_before_a_wide_limit():
    snapshot = host_with(cgroups=[limited("/a", 100 * GIB, GIB)])
    assert [domain.path for domain in order_domains(snapshot, "/a")] == ["/", "/a"]
    assert [domain.path for domain in order_domains(snapshot, "/b")] == ["/"]
    assert find_limit(snapshot, "/b") is None


def test_a_cgroup_without_a_limit_does_not_count():
    snapshot = host_with(cgroups=[limited("/a", MIB), limited("/a/b", None)])
    assert find_limit(snapshot, "/a/b").path == "/a"


def test_members_are_at_and_below_the_cgroup():
    tasks = [task("x", cgroup=path) for path in ("/a", "/a/b", "/ab", "/")]
    snapshot = host_with(*tasks, cgroups=[limited("/a", MIB)])
    domain = find_limit(snapshot, "/a")
    assert [is_member(snapshot, one.pid, domain) for one in tasks] == [True, True, False, False]
    assert str(domain) == "cgroup /a"
    host = measure_host(snapshot)
    assert all(is_member(snapshot, one.pid, host) for one in tasks)
    assert str(host) == "the host"
