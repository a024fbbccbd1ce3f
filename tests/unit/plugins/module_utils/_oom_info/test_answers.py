# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, MIB, Kernel, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.answers import answer_for, keep_growers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import find_limit, measure_host


def answer(kernel, snapshot, growers=None, top=20):
    return answer_for(kernel, snapshot, measure_host(snapshot), growers, top)


def test_without_a_grower_the_first_are_taken():
    tasks = [task(str(number), number * MIB) for number in range(9)]
    found = answer(Kernel(), host_with(*tasks), top=3)
    assert [growth.grower.task.name for growth in found.growths] == ["8", "7", "6"]
    assert found.next_victim.victim.task.name == "8"
    assert [growth.grower.task.pid for growth in answer(Kernel(), host_with(*tasks), [tasks[0].pid]).growths] == [
        tasks[0].pid
    ]


def test_advice_for_the_harmful():
    small, large = task("small", MIB), task("large", 4 * GIB)
    found = answer(Kernel(), host_with(small, large))
    assert list(found.advice) == [small.pid]


def test_a_kernel_without_a_rule():
    found = answer(Kernel(), host_with(task("x", MIB), release="2.4.0"), [1])
    assert (found.ranking, found.next_victim, found.growths) == (None, None, [])


def test_growers_are_the_largest_of_the_domain():
    inside = [task(str(number), number * MIB, cgroup="/a") for number in range(5)]
    outside = task("outside", GIB, cgroup="/b")
    snapshot = host_with(*inside, outside, cgroups=[limited("/a", 99 * MIB)])
    pids = [one.pid for one in [*inside, outside]]
    domain = find_limit(snapshot, "/a")
    assert keep_growers(snapshot, domain, pids, 2) == ([inside[4].pid, inside[3].pid], 1, 3)
    assert keep_growers(snapshot, domain, pids, 0) == ([inside[4].pid], 1, 4)
    assert keep_growers(snapshot, domain, pids, 9).beyond_top == 0
    with pytest.raises(InputError, match=r"outside\[\d+\] is in cgroup /b, outside of cgroup /a"):
        keep_growers(snapshot, domain, [outside.pid], 2)
    assert keep_growers(snapshot, measure_host(snapshot), pids, 1) == ([outside.pid], 0, 5)


def test_a_grower_that_ended():
    with pytest.raises(InputError, match="it has ended, or has no memory of its own"):
        keep_growers(host_with(), measure_host(host_with()), [7], 1)
