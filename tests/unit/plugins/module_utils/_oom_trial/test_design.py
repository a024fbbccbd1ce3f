# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The experiment on paper: every course a trial can take, and the verdict it deserves."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import (
    Actor,
    Candidate,
    Run,
    Scores,
    Surroundings,
    design,
    judge,
    outcome,
    refuse_rivals,
)

LIMIT_KB = 64 * 1024
HOG, DECOY, STRANGER = 101, 100, 666


def kill(*pids, **facts):
    """An event of the kernel log."""
    score = facts.pop("score", None)
    return dict(
        victims=[dict(pid=pid, name=f"p{pid}", oom_score_adj=score) for pid in pids], memcg=dict(path="/trial"), **facts
    )


def actor(role, wanted, **seen):
    pid = HOG if role == "hog" else DECOY
    return Actor(
        **dict(
            dict(
                role=role, pid=pid, name=role, wanted_score=wanted, score=wanted, exit=None, signal=None, outlived=True
            ),
            **seen,
        )
    )


KILLED = dict(signal=9, outlived=False)


def treatment(**changes):
    usual = dict(
        name="treatment",
        expected="hog",
        decoy=actor("decoy", -900),
        hog=actor("hog", 0, **KILLED),
        kills=[kill(HOG, score=0)],
        cgroup_oom_kill=1,
        lines=["Killed process 101 (hog)"],
        problems=[],
    )
    return Run(**dict(usual, **changes))


def control(**changes):
    usual = dict(
        name="control",
        expected="decoy",
        decoy=actor("decoy", 0, **KILLED),
        hog=actor("hog", 0),
        kills=[kill(DECOY)],
        cgroup_oom_kill=1,
        lines=[],
        problems=[],
    )
    return Run(**dict(usual, **changes))


def quiet(**changes):
    return Surroundings(**dict(dict(checked=70, lost=[], elsewhere=[], counted_kills=2, log_error=None), **changes))


def test_both_runs_as_predicted_prove_the_pin():
    assert judge([treatment(), control()], quiet()) == (
        "proven",
        ["the kernel took the hog in the treatment", "the kernel took the decoy in the control"],
    )


def test_an_old_kernel_without_counters_can_still_prove():
    runs = [treatment(cgroup_oom_kill=None), control(cgroup_oom_kill=None)]
    assert judge(runs, quiet(counted_kills=None))[0] == "proven"


def test_in_the_control_the_hog_may_follow_the_decoy():
    both = control(hog=actor("hog", 0, **KILLED), kills=[kill(DECOY), kill(HOG)], cgroup_oom_kill=2)
    assert judge([treatment(), both], quiet(counted_kills=3))[0] == "proven"


REFUTED = {
    "the kernel took the pinned decoy": (
        dict(decoy=actor("decoy", -900, **KILLED), hog=actor("hog", 0), kills=[kill(DECOY)]),
        "the kernel killed the pinned decoy (pid 100)",
    ),
    "it did because the pin was never applied": (
        dict(decoy=actor("decoy", -900, score=0, **KILLED), hog=actor("hog", 0), kills=[kill(DECOY)]),
        "whose score was 0 and not -900: the pin was not applied",
    ),
    "it took the decoy after the hog": (
        dict(decoy=actor("decoy", -900, **KILLED), kills=[kill(HOG), kill(DECOY)], cgroup_oom_kill=2),
        "the kernel killed the pinned decoy",
    ),
}


@pytest.mark.parametrize("seen, reason", REFUTED.values(), ids=list(REFUTED))
def test_a_dead_pinned_decoy_refutes(seen, reason):
    verdict, reasons = judge([treatment(**seen), control()], quiet(counted_kills=None))
    assert verdict == "refuted"
    assert reason in reasons[0]


SURVIVED = dict(exit=0, outlived=False)
INCONCLUSIVE = {
    "the hog survived": (
        treatment(hog=actor("hog", 0, **SURVIVED), kills=[], cgroup_oom_kill=0),
        "treatment: the hog survived: memory did not run out",
    ),
    "the hog still holds all it wanted": (
        treatment(hog=actor("hog", 0), kills=[], cgroup_oom_kill=0),
        "treatment: the hog was not killed",
    ),
    "the hog was refused memory": (
        treatment(hog=actor("hog", 0, exit=12, outlived=False), kills=[], cgroup_oom_kill=0),
        "ENOMEM",
    ),
    "the hog refused to start": (
        treatment(hog=actor("hog", 0, exit=3, outlived=False), kills=[], cgroup_oom_kill=0),
        "refused to start in this memory domain",
    ),
    "the hog is some other program": (
        treatment(hog=actor("hog", 0, exit=77, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended with exit 77",
    ),
    "the hog met its own deadline": (
        treatment(hog=actor("hog", 0, signal=14, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended by its own deadline",
    ),
    "the hog crashed": (
        treatment(hog=actor("hog", 0, signal=11, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended by signal 11",
    ),
    "somebody else sent signal 9": (
        treatment(kills=[], cgroup_oom_kill=0),
        "the kernel log does not name its pid 101: anyone can send that signal",
    ),
    "the kernel log misses the line": (
        treatment(kills=[]),
        "treatment: the cgroup counts 1 kills, the kernel log names 0",
    ),
    "another process of the cgroup was killed": (
        treatment(hog=actor("hog", 0), kills=[kill(STRANGER)]),
        "the kernel killed another process in the trial's cgroup: pid 666",
    ),
    "another process was killed before the hog": (
        treatment(kills=[kill(STRANGER), kill(HOG)], cgroup_oom_kill=2),
        "the kernel took another process before the hog",
    ),
    "the pin was not applied and the hog died all the same": (
        treatment(decoy=actor("decoy", -900, score=0)),
        "treatment: the decoy had score 0, not -900",
    ),
    "the kernel saw another score": (
        treatment(kills=[kill(HOG, score=500)]),
        "the kernel log gives the hog score 500, not 0",
    ),
    "the decoy ended by itself": (
        treatment(decoy=actor("decoy", -900, exit=0, outlived=False)),
        "the decoy ended without the kernel: survived",
    ),
    "the decoy never got its memory": (
        treatment(problems=["the decoy did not get its memory"]),
        "treatment: the decoy did not get its memory",
    ),
}


@pytest.mark.parametrize("run, reason", INCONCLUSIVE.values(), ids=list(INCONCLUSIVE))
def test_a_run_off_course_proves_nothing(run, reason):
    verdict, reasons = judge([run, control()], quiet())
    assert verdict == "inconclusive"
    assert any(reason in sentence for sentence in reasons), reasons


def test_a_control_in_which_the_hog_dies_too_shows_that_the_pin_made_no_difference():
    same = control(decoy=actor("decoy", 0), hog=actor("hog", 0, **KILLED), kills=[kill(HOG)])
    verdict, reasons = judge([treatment(), same], quiet())
    assert (verdict, reasons) == ("inconclusive", ["control: the decoy was not killed"])


def test_the_hog_first_and_the_decoy_after_it_is_no_control():
    late = control(hog=actor("hog", 0, **KILLED), kills=[kill(HOG), kill(DECOY)], cgroup_oom_kill=2)
    verdict, reasons = judge([treatment(), late], quiet(counted_kills=3))
    assert (verdict, reasons) == ("inconclusive", ["control: the kernel took the hog before the decoy"])


def test_on_the_whole_host_there_is_no_control():
    assert judge([treatment()], quiet(counted_kills=1)) == ("proven", ["the kernel took the hog in the treatment"])


DISTURBED = {
    "no log": (quiet(log_error="/dev/kmsg cannot be read"), "/dev/kmsg cannot be read"),
    "a kill elsewhere": (quiet(elsewhere=[kill(7)], counted_kills=3), "also killed process 7 (p7) elsewhere"),
    "a kill that nobody logged": (quiet(counted_kills=3), "/proc/vmstat counts 3 kills, the kernel log names 2"),
    "a bystander": (quiet(lost=[Process(9, "sshd", 1, 1, False, 0)]), "bystanders were lost: 9 (sshd)"),
}


@pytest.mark.parametrize("surroundings, reason", DISTURBED.values(), ids=list(DISTURBED))
def test_a_disturbed_host_makes_it_inconclusive(surroundings, reason):
    verdict, reasons = judge([treatment(), control()], surroundings)
    assert verdict == "inconclusive"
    assert reason in reasons[0]


# --- design -------------------------------------------------------------------


def test_with_the_capability_the_decoy_is_lowered():
    plan = design(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    assert (plan.method, plan.treatment, plan.control) == ("lowered", Scores(-900, 0), Scores(0, 0))
    assert plan.runs() == [("treatment", Scores(-900, 0), "hog"), ("control", Scores(0, 0), "decoy")]


def test_without_it_the_pair_is_mirrored_by_the_same_difference():
    plan = design(-900, 0, LIMIT_KB, own_score=50, can_lower=False)
    assert (plan.method, plan.treatment, plan.control) == ("mirrored", Scores(50, 950), Scores(50, 50))


def test_without_it_a_pin_that_needs_no_lowering_is_taken_as_it_is():
    assert design(100, 600, LIMIT_KB, own_score=0, can_lower=False).treatment == Scores(100, 600)


@pytest.mark.parametrize(
    "pinned, hog, limit_kb, own, error, words",
    [
        (-1001, 0, LIMIT_KB, 0, InputError, "must lie between"),
        (0, 1001, LIMIT_KB, 0, InputError, "must lie between"),
        (0, 0, LIMIT_KB, 0, InputError, "at least 50 below"),
        (-900, 0, 8 * 1024 - 1, 0, InputError, "too small"),
        (-1000, 0, LIMIT_KB, 0, UnsupportedError, "immunity"),
        (-900, 500, LIMIT_KB, 0, UnsupportedError, "would pass 1000"),
        (-900, 0, LIMIT_KB, 200, UnsupportedError, "own score 200"),
    ],
)
def test_what_cannot_be_shown_is_refused(pinned, hog, limit_kb, own, error, words):
    with pytest.raises(error, match=words):
        design(pinned, hog, limit_kb, own, can_lower=False)


@given(st.integers(-1000, 950), st.integers(50, 2000), st.integers(8 * 1024, 1 << 30))
def test_sizes_always_make_the_pin_decide(pinned, difference, limit_kb):
    """Badness is pages + score * limit / 1000: unpinned the decoy must have more of it, pinned less."""
    hog_score = min(1000, pinned + difference)
    if hog_score - pinned < 50:
        return
    plan = design(pinned, hog_score, limit_kb, own_score=0, can_lower=True)
    hog_at_the_limit = limit_kb - plan.decoy_kb
    forgiven = (hog_score - pinned) * limit_kb / 1000
    assert plan.decoy_kb > hog_at_the_limit
    assert plan.decoy_kb - forgiven < hog_at_the_limit
    assert hog_at_the_limit < plan.hog_kb < limit_kb


# --- the whole host ---------------------------------------------------------------

TOTAL_KB = 1000 * 1024


def test_on_the_whole_host_only_the_treatment_is_tried_and_the_hog_takes_more_than_there_is():
    plan = design(-900, 0, LIMIT_KB, own_score=0, can_lower=True, scope="host")
    assert plan.runs() == [("treatment", Scores(-900, 0), "hog")]
    assert plan.hog_kb == 2 * LIMIT_KB
    assert outcome(plan, [treatment()], quiet(counted_kills=1), [])["report"][0].endswith(
        "(a decoy at -900 against a hog at 0, on the whole host)"
    )


RIVALS = {
    "nobody": (0, [], None),
    "small daemons": (0, [("sshd", 0, 9000), ("cron", 0, 3000)], None),
    "a large one that is pinned": (0, [("mysqld", -500, 400 * 1024)], None),
    "a large one that is immune": (0, [("mysqld", -1000, 900 * 1024)], None),
    "a large one": (0, [("sshd", 0, 9000), ("mysqld", 0, 400 * 1024)], "process 1 (mysqld)"),
    "a large one, but the hog is raised": (1000, [("mysqld", 0, 400 * 1024)], None),
    "a small one that is preferred": (0, [("browser", 300, 9000)], "set hog_score higher than 0"),
    "as large as the hog": (
        0,
        [("twin", 0, 160 * 1024)],
        "it weighs 163840 KiB (score 0, 163840 KiB of memory) against 163840 KiB",
    ),
    "a little smaller, which is noise": (0, [("twin", 0, 120 * 1024)], "twin"),
}


@pytest.mark.parametrize("hog_score, processes, words", RIVALS.values(), ids=list(RIVALS))
def test_the_host_is_spared_where_the_kernel_could_take_another(hog_score, processes, words):
    plan = design(-900, hog_score, 400 * 1024, own_score=0, can_lower=True, scope="host")
    candidates = [
        Candidate(Process(pid, name, 1, 1, False, 0), score, memory_kb)
        for pid, (name, score, memory_kb) in enumerate(processes)
    ]
    if words is None:
        refuse_rivals(plan, candidates, TOTAL_KB)
    else:
        with pytest.raises(InputError, match=re.escape(words)):
            refuse_rivals(plan, candidates, TOTAL_KB)


# --- what the user gets back ----------------------------------------------------


def test_the_report_has_five_lines_that_tell_the_story():
    plan = design(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = outcome(plan, [treatment(), control()], quiet(), [])
    assert facts["report"] == [
        "proven: a score difference of 900 binds (a decoy at -900 against a hog at 0, in 64 MiB)",
        "treatment: the kernel took the hog; expected the hog. decoy 100 (score -900) lived on, hog 101 (score 0) killed by the kernel",
        "control: the kernel took the decoy; expected the decoy. decoy 100 (score 0) killed by the kernel, hog 101 (score 0) lived on",
        "kernel log: Killed process 101 (hog)",
        "bystanders: 70 checked, 0 lost; the kernel counted 2 kills; nothing is left behind",
    ]
    assert facts["clean"] is True
    assert [run["observed"] for run in facts["runs"]] == ["hog", "decoy"]


def test_the_report_of_a_mirrored_pair_says_so():
    plan = design(-900, 0, LIMIT_KB, own_score=0, can_lower=False)
    survivor = treatment(hog=actor("hog", 900, **SURVIVED), kills=[], lines=[], cgroup_oom_kill=None)
    facts = outcome(plan, [survivor], quiet(counted_kills=None), [])
    assert facts["report"][0].startswith(
        "inconclusive: a score difference of 900 was not shown to bind (mirrored, as scores cannot be lowered"
    )
    assert "the kernel took nobody" in facts["report"][1]
    assert "hog 101 (score 900) survived" in facts["report"][1]
    assert "no line names the hog" in facts["report"][2]
    assert "the kernel counted unknown kills" in facts["report"][3]


def test_what_is_left_behind_spoils_a_proof():
    plan = design(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = outcome(plan, [treatment(), control()], quiet(), ["/sys/fs/cgroup/x"])
    assert (facts["verdict"], facts["clean"], facts["left_behind"]) == ("inconclusive", False, ["/sys/fs/cgroup/x"])
    assert facts["reasons"][-1] == "left behind: /sys/fs/cgroup/x"
