# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which scores of today a log is asked about, and what its answer means."""

import pytest
from snapshots import task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.todays_pins import (
    MAX_TARGETS,
    find_todays_pins,
    judge_todays_pins,
)

DB, WEB = "/system.slice/db.service", "/system.slice/web.service"

PINS = [
    ("nothing", [task("x")], [], set()),
    ("one-name", [task("redis", score=-500), task("x")], [{"process": "redis", "score": -500}], set()),
    ("immune", [task("sshd", score=-1000)], [{"process": "sshd", "score": -1000}], set()),
    ("raised-scores-are-no-pins", [task("backup", score=300)], [], set()),
    (
        "two-of-a-name",
        [task("shim", score=-998), task("shim", score=-998)],
        [{"process": "shim", "score": -998}],
        set(),
    ),
    ("name-with-two-scores", [task("postgres", score=-900), task("postgres")], [], {"postgres"}),
    (
        "unit-with-one-score",
        [task("java", score=-500, cgroup=DB), task("java", cgroup=WEB)],
        [{"unit": "db.service", "score": -500}],
        {"java"},
    ),
    (
        "unit-with-two-scores",
        [task("postgres", score=-900, cgroup=DB), task("postgres", cgroup=DB)],
        [],
        {"postgres"},
    ),
    ("init", [task("systemd", score=-1000, pid=1)], [], set()),
    ("names-that-the-option-does-not-take", [task("", score=-5), task("a/", score=-5)], [], set()),
    ("what-comes-and-goes", [task("(udev-worker)", score=-1000), task("(sd-executor)", score=-250)], [], set()),
    (
        "lowest-first",
        [task("b", score=-1), task("a", score=-1), task("c", score=-9)],
        [{"process": "c", "score": -9}, {"process": "a", "score": -1}, {"process": "b", "score": -1}],
        set(),
    ),
]


@pytest.mark.parametrize("tasks, targets, mixed", [one[1:] for one in PINS], ids=[one[0] for one in PINS])
def test_pins(tasks, targets, mixed):
    pins = find_todays_pins(tasks)
    assert (pins.targets, pins.mixed) == (targets, mixed)


def test_a_user_cannot_make_the_question_long():
    """What is beyond the bound is not asked, so its answer is unknown."""
    pins = find_todays_pins([task(f"name{number:04}", score=-1) for number in range(5000)])
    assert len(pins.targets) == MAX_TARGETS
    assert len(pins.mixed) == 5000 - MAX_TARGETS


def test_digest_differs_with_the_question():
    one, same, other, mixed = (
        find_todays_pins(tasks).digest
        for tasks in (
            [task("a", score=-1), task("b", score=-2)],
            [task("b", score=-2), task("x"), task("a", score=-1)],
            [task("a", score=-1), task("b", score=-3)],
            [task("a", score=-1), task("b", score=-2), task("c", score=-1), task("c")],
        )
    )
    assert one == same
    assert len({one, other, mixed}) == 3


def event(chosen="java", victim="java", unit=None, is_other=None):
    what_if = {
        "victim": {"name": victim} if victim else None,
        "is_other": chosen != victim if is_other is None else is_other,
        "text": "an answer",
    }
    return {"what_if": what_if, "why": {"chosen": {"name": chosen}}, "what": {"unit": unit}}


TODAY = find_todays_pins(
    [
        task("java", score=-500, cgroup=DB),
        task("java", cgroup=WEB),
        task("postgres", score=-900),
        task("postgres"),
        task("redis", score=-1),
    ]
)


@pytest.mark.parametrize(
    "asked, verdict",
    [
        ({"what_if": None, "why": None}, None),
        ({"why": None}, None),
        (event("redis", "redis"), "same"),
        (event("redis", "x"), "other"),
        (event("redis", None), "other"),
        (event("postgres", "postgres"), "unknown"),
        (event("postgres", "x"), "unknown"),
        (event("x", "postgres"), "unknown"),
        (event("java", "java"), "unknown"),
        (event("java", "java", unit="web.service"), "same"),
        (event("java", "x", unit="db.service"), "other"),
        (event("java", "x", unit="gone.service"), "unknown"),
    ],
)
def test_verdict_of_a_log(asked, verdict):
    found, text = judge_todays_pins(asked, TODAY)
    assert found == verdict
    assert text == {None: None, "same": "an answer", "other": "an answer"}.get(verdict, text)
    if verdict == "unknown":
        assert text.endswith("have one score today, and the log has names alone")


def test_a_host_without_pins_asks_nothing():
    asked = event("java", "java")
    del asked["what_if"]
    assert judge_todays_pins(asked, find_todays_pins([task("java")])) == ("same", "no process is pinned today")
    mixed = find_todays_pins([task("java", score=-5, cgroup=DB), task("java", cgroup=DB)])
    assert mixed.targets == []
    assert judge_todays_pins(asked, mixed)[0] == "unknown"
