# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import (
    build_death,
    describe_difference,
    describe_task,
    identify_task,
)

CONTAINER = "/docker/" + "0f1e2d3c4b5a" + "6" * 52


def predict(*tasks, **facts):
    snapshot = host_with(*tasks, **facts)
    return Forecast(snapshot, snapshot.rule).predict_next(measure_host(snapshot))


def test_what_pins_change():
    tasks = [task("dockerd", GIB, pid=812), task("java", MIB, pid=2210)]
    before = predict(*tasks)
    after = predict(tasks[0]._replace(score=-500), tasks[1])
    assert describe_difference(before, after) == "next victim now dockerd[812], with these pins java[2210]"
    assert describe_difference(before, None).endswith("with these pins nobody")
    assert describe_difference(before, before) == "next victim now and with these pins dockerd[812]"


def test_each_side_says_that_it_is_not_certain():
    close = [task("dockerd", GIB, pid=8), task("java", GIB - MIB, pid=9)]
    before = predict(*close)
    after = predict(close[0]._replace(score=-500), close[1])
    assert (before.certain, after.certain) == (False, True)
    assert describe_difference(before, after) == "next victim now dockerd[8] (not certain), with these pins java[9]"
    assert describe_difference(after, before, "without these pins") == (
        "next victim now java[9], without these pins dockerd[8] (not certain)"
    )


USER = "/user.slice/user-1000.slice"


@pytest.mark.parametrize(
    "cgroup, place",
    [
        ("/", ""),
        ("/system.slice/leak.scope", ""),
        ("/system.slice/web.service", " (web.service)"),
        (USER + "/user@1000.service/app.slice/web.service", " (web.service of uid 1000)"),
        (USER + "/user@1000.service/init.scope", " (uid 1000)"),
        (USER + "/session-4.scope", " (uid 1000)"),
        ("/user.slice/x", " (a user)"),
        (CONTAINER, " (container 0f1e2d3c4b5a)"),
        (USER + CONTAINER, " (container 0f1e2d3c4b5a of uid 1000)"),
    ],
)
def test_place_of_a_process(cgroup, place):
    assert describe_task(task("x", pid=7, cgroup=cgroup)) == "x[7]" + place


def test_a_container_is_no_unit():
    assert identify_task(task("x", pid=7, cgroup=CONTAINER)) == dict(
        pid=7, name="x", unit=None, container="0f1e2d3c4b5a"
    )


def test_a_group_is_cut():
    tasks = [task("x", MIB, cgroup="/a") for _number in range(61)]
    found = build_death(predict(*tasks, cgroups=[limited("/a", None, oom_group=True)]))
    assert (len(found["group"]), found["group_count"], found["score"]) == (50, 60, 0)
    assert build_death(None) is None
