# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on two requests for memory that may be committed."""

import pytest
from observed_runs import kill, quiet

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_verdict import (
    Attempt,
    build_overcommit_answer,
    decide_overcommit_verdict,
    name_victims,
)

REFUSED = Attempt("treatment", "refused", 7, 12, None, 400000, 1)
GRANTED = Attempt("control", "granted", 8, 0, None, 100, 100)


def test_a_kill_in_the_log_refutes():
    assert decide_overcommit_verdict([REFUSED, GRANTED], {9: "mysqld"}, None, None) == (
        "refuted",
        ["the kernel killed process 9 (mysqld)"],
    )
    assert decide_overcommit_verdict([REFUSED, GRANTED], {}, None, "no log") == (
        "inconclusive",
        ["kills cannot be ruled out without the kernel log: no log"],
    )


@pytest.mark.parametrize(
    "treatment, observed, remedy",
    [
        (REFUSED._replace(exit=0), "granted", "check that vm.overcommit_memory is still 2"),
        (REFUSED._replace(exit=None, signal=9), "killed", "find out what killed it"),
        (REFUSED._replace(exit=None), "not ended in time", "set a longer timeout"),
        (REFUSED._replace(exit=None, signal=6), "ended by signal 6", "build it from"),
        (REFUSED._replace(exit=2), "exit 2", "build it from the oom_hog.c of this release, for this host"),
    ],
)
def test_each_other_end_has_a_remedy(treatment, observed, remedy):
    assert treatment.observed() == observed
    reason = decide_overcommit_verdict([treatment, GRANTED], {}, 0, None)[1][0]
    assert f"; observed: {observed}; {remedy}" in reason


def test_a_kill_that_may_be_ours_is_in_doubt():
    verdict, reasons = decide_overcommit_verdict([REFUSED, GRANTED], {}, 0, None, [(kill(9), "above")])
    assert (verdict, reasons) == ("inconclusive", ["the kernel also killed process 9 (p9) (above): run it again"])


def test_many_kills_are_counted():
    victims, doubtful = dict.fromkeys(range(2000), "x"), [(kill(pid), "above") for pid in range(2000)]
    reasons = decide_overcommit_verdict([REFUSED, GRANTED], victims, 0, None, doubtful)[1]
    assert len(reasons) == 21
    assert reasons[-1] == "the kernel killed 1990 more processes"


def test_report_what_was_lost():
    surroundings = quiet(lost=[Process(9, "mysqld", 5, 1, False, 0)], counted_kills=None, logged_kills=1)
    answer = build_overcommit_answer(400000, [REFUSED, GRANTED], {9: "mysqld"}, surroundings)
    assert answer["msg"] == "refuted: the kernel killed process 9 (mysqld)"
    assert answer["report"][1:3] == [
        "meaning: CommitLimit (400000 KiB) does not prevent OOM kills",
        "why: the kernel killed process 9 (mysqld)",
    ]
    assert "kills: unknown counted, 1 in the kernel log" in answer["report"]
    assert answer["bystanders"] == {"checked": 70, "lost": [{"pid": 9, "name": "mysqld", "start_time": 5}]}
    assert len(answer["report"]) <= 12


def test_report_an_open_question():
    answer = build_overcommit_answer(
        400000, [REFUSED._replace(exit=3), GRANTED], {}, quiet(counted_kills=0, logged_kills=0)
    )
    assert answer["report"][1] == "meaning: the trial did not show whether CommitLimit (400000 KiB) holds"


def test_name_the_victims():
    assert name_victims([kill(1, 2), kill(3)]) == {1: "p1", 2: "p2", 3: "p3"}
