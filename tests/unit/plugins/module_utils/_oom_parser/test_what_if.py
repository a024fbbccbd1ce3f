# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would have died with other scores, and what a log does not show of that."""

import pytest
from event_lines import DOCKER, ID, SHOP, explained

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import read_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.what_if import LoggedPin

JAVA, DB, LOG = (2210, "java", 50000, 0), (700, "postgres", 40000, 0), (55, "a-name-of-15-by", 30000, 0)
WEB = "/system.slice/web.service"


def answer(pins, *rows, **facts):
    found = []
    lines = explained(*(rows or (JAVA, DB, LOG)), **facts)
    read_events(parse_lines(lines), lambda _number, event: found.append(event), pins=pins)
    return found[0]["what_if"]


def test_another_victim():
    found = answer([LoggedPin("process", "java", -500)])
    assert found == dict(
        victim=dict(pid=700, name="postgres", oom_score_adj=0, badness_kb=160000),
        is_other=True,
        margin_kb=40000,
        changes=[dict(pid=2210, name="java", before=0, after=-500)],
        changes_count=1,
        unanswered=[],
    )


@pytest.mark.parametrize(
    "pins, pid",
    [
        ([LoggedPin("process", "other", -500)], 2210),
        ([LoggedPin("process", "postgres", 11)], 700),
        ([LoggedPin("process", "postgres", 9)], 2210),
        ([LoggedPin("process", "a-name-of-15-bytes", 900)], 55),
        ([LoggedPin("process", "\ud800", 900)], 2210),  # a variable may hold what is no text
        ([LoggedPin("pid", "700", 500)], 700),
        ([LoggedPin("pid", "2210", -1000), LoggedPin("process", "postgres", -1000)], 55),
        ([LoggedPin("process", "java", -500), LoggedPin("pid", "2210", 0)], 2210),  # the last one counts
    ],
)
def test_names_and_pids(pins, pid):
    found = answer(pins)
    assert (found["victim"]["pid"], found["is_other"]) == (pid, pid != 2210)


def test_nothing_is_left():
    found = answer([LoggedPin("process", "java", -1000)], JAVA)
    assert (found["victim"], found["is_other"], found["margin_kb"]) == (None, True, None)


WHOLE = dict(limit_kb=400000)
SHOP_PINS = [
    LoggedPin("unit", "shop.service", -1000),
    LoggedPin("cgroup", "/system.slice", -1000),
    LoggedPin("cgroup", "/", -1000),
    LoggedPin("cgroup", SHOP, -1000),
]


@pytest.mark.parametrize("pin", SHOP_PINS, ids=str)
def test_all_of_a_cgroup_at_its_limit(pin):
    found = answer([pin], **WHOLE)
    assert (found["victim"], found["changes_count"], found["unanswered"]) == (None, 3, [])


OUTSIDE = [
    (LoggedPin("unit", "web.service", -1000), SHOP),
    (LoggedPin("cgroup", WEB, -1000), SHOP),
    (LoggedPin("container", "f" * 12, -1000), DOCKER),
]


@pytest.mark.parametrize("pin, limit", OUTSIDE)
def test_none_of_another_cgroup(pin, limit):
    found = answer([pin], limit=limit, **WHOLE)
    assert (found["victim"]["pid"], found["changes_count"], found["unanswered"]) == (2210, 0, [])


@pytest.mark.parametrize(
    "pin", [LoggedPin("container", ID[:12], -1000), LoggedPin("container", "web", -1000, frozenset([ID]))]
)
def test_container(pin):
    assert answer([pin], limit=DOCKER, **WHOLE)["changes_count"] == 3


def test_only_the_victim_is_known():
    """The table of a whole host has no cgroups."""
    found = answer([LoggedPin("unit", "shop.service", -900)], task=SHOP)
    assert (found["victim"]["pid"], found["changes_count"]) == (700, 1)
    assert found["unanswered"] == [
        "unit=shop.service: the victim was in it, and the log does not show which others were: name them by process"
    ]


@pytest.mark.parametrize(
    "pin, facts",
    [
        (LoggedPin("unit", "web.service", -900), dict(task=SHOP)),
        (LoggedPin("cgroup", SHOP + "/inner", -900), WHOLE),
        (LoggedPin("container", ID, -900), WHOLE),
    ],
)
def test_nothing_is_known(pin, facts):
    found = answer([pin], **facts)
    assert (found["victim"]["pid"], found["changes_count"]) == (2210, 0)
    assert found["unanswered"] == [
        f"{pin.selector}={pin.value}: the log does not show which processes were in it: name them by process"
    ]


def test_changes_are_bounded():
    rows = [(pid, "x", pid, 0) for pid in range(100, 200)]
    found = answer([LoggedPin("process", "x", -500)], *rows)
    assert (len(found["changes"]), found["changes_count"]) == (50, 100)


def test_a_kill_that_is_not_explained():
    assert answer([LoggedPin("process", "x", -500)], release=None) is None
