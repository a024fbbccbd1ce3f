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
