# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every course that a trial can take, the verdict on it, and the answer of the module."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import design_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    Actor,
    ObservedRun,
    Surroundings,
    build_answer,
    build_unrun_answer,
    decide_verdict,
)

LIMIT_KB = 64 * 1024
HOG, DECOY, STRANGER = 101, 100, 666


def kill(*pids, **facts):
    """Return an event of the kernel log."""
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
    return ObservedRun(**dict(usual, **changes))


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
    return ObservedRun(**dict(usual, **changes))


def quiet(**changes):
    usual = dict(checked=70, lost=[], doubtful=[], unrelated=[], counted_kills=2, logged_kills=2, log_error=None)
    return Surroundings(**dict(usual, **changes))


def test_prove_the_pin():
    assert decide_verdict([treatment(), control()], quiet()) == (
        "proven",
        ["the kernel killed the hog in the treatment", "the kernel killed the decoy in the control"],
    )


def test_prove_without_counters():
    runs = [treatment(cgroup_oom_kill=None), control(cgroup_oom_kill=None)]
    assert decide_verdict(runs, quiet(counted_kills=None))[0] == "proven"


def test_prove_although_the_hog_follows_the_decoy():
    both = control(hog=actor("hog", 0, **KILLED), kills=[kill(DECOY), kill(HOG)], cgroup_oom_kill=2)
    assert decide_verdict([treatment(), both], quiet(counted_kills=3, logged_kills=3))[0] == "proven"


REFUTED = {
    "the kernel killed the decoy": (
        dict(decoy=actor("decoy", -900, **KILLED), hog=actor("hog", 0), kills=[kill(DECOY)]),
        "the kernel killed the pinned decoy (pid 100)",
    ),
    "the pin was never applied": (
        dict(decoy=actor("decoy", -900, score=0, **KILLED), hog=actor("hog", 0), kills=[kill(DECOY)]),
        "its score was 0, not -900: the pin was not applied",
    ),
    "it killed the decoy after the hog": (
        dict(decoy=actor("decoy", -900, **KILLED), kills=[kill(HOG), kill(DECOY)], cgroup_oom_kill=2),
        "the kernel killed the pinned decoy",
    ),
}


@pytest.mark.parametrize("seen, reason", REFUTED.values(), ids=list(REFUTED))
def test_refute_the_pin(seen, reason):
    verdict, reasons = decide_verdict([treatment(**seen), control()], quiet(counted_kills=None))
    assert verdict == "refuted"
    assert reason in reasons[0]


ENDED = dict(exit=0, outlived=False)
INCONCLUSIVE = {
    "the hog ended by itself": (
        treatment(hog=actor("hog", 0, **ENDED), kills=[], cgroup_oom_kill=0),
        "treatment: the hog ended by itself (exit 0): memory did not run out",
    ),
    "the hog still holds all its memory": (
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
    "systemd did not start the hog": (
        treatment(hog=actor("hog", 0, exit=203, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog could not be started by systemd (exit 203)",
    ),
    "the hog lacks a library": (
        treatment(hog=actor("hog", 0, exit=127, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog found no library that it needs (exit 127)",
    ),
    "the hog is some other program": (
        treatment(hog=actor("hog", 0, exit=77, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended with exit 77",
    ),
    "the hog reached its own deadline": (
        treatment(hog=actor("hog", 0, signal=14, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended by its own deadline",
    ),
    "the hog crashed": (
        treatment(hog=actor("hog", 0, signal=11, outlived=False), kills=[], cgroup_oom_kill=0),
        "the hog ended by signal 11",
    ),
    "another process sent signal 9": (
        treatment(kills=[], cgroup_oom_kill=0),
        "the kernel log does not name its pid 101: another process may have sent the signal",
    ),
    "the kernel log misses the line": (
        treatment(kills=[]),
        "treatment: the cgroup counted 1 kills, the kernel log names 0",
    ),
    "another process of the cgroup was killed": (
        treatment(hog=actor("hog", 0), kills=[kill(STRANGER)]),
        "the kernel killed another process in the trial's cgroup: pid 666",
    ),
    "another process was killed before the hog": (
        treatment(kills=[kill(STRANGER), kill(HOG)], cgroup_oom_kill=2),
        "the kernel killed another process before the hog",
    ),
    "the pin was not applied, but the hog died": (
        treatment(decoy=actor("decoy", -900, score=0)),
        "treatment: the decoy had score 0, not -900",
    ),
    "the kernel log shows another score": (
        treatment(kills=[kill(HOG, score=500)]),
        "the kernel log shows score 500 for the hog, not 0",
    ),
    "the decoy ended by itself": (
        treatment(decoy=actor("decoy", -900, exit=0, outlived=False)),
        "the kernel did not kill the decoy, but the decoy ended by itself (exit 0)",
    ),
    "the decoy never got its memory": (
        treatment(problems=["the decoy did not get its memory"]),
        "treatment: the decoy did not get its memory",
    ),
}


@pytest.mark.parametrize("run, reason", INCONCLUSIVE.values(), ids=list(INCONCLUSIVE))
def test_a_run_off_course_is_inconclusive(run, reason):
    verdict, reasons = decide_verdict([run, control()], quiet())
    assert verdict == "inconclusive"
    assert any(reason in sentence for sentence in reasons), reasons


def test_a_control_that_kills_the_hog_is_inconclusive():
    same = control(decoy=actor("decoy", 0), hog=actor("hog", 0, **KILLED), kills=[kill(HOG)])
    verdict, reasons = decide_verdict([treatment(), same], quiet())
    assert (verdict, reasons) == ("inconclusive", ["control: the decoy was not killed"])


def test_a_control_that_kills_the_hog_first_is_inconclusive():
    late = control(hog=actor("hog", 0, **KILLED), kills=[kill(HOG), kill(DECOY)], cgroup_oom_kill=2)
    verdict, reasons = decide_verdict([treatment(), late], quiet(counted_kills=3, logged_kills=3))
    assert (verdict, reasons) == ("inconclusive", ["control: the kernel killed the hog before the decoy"])


def test_prove_by_the_treatment_alone():
    assert decide_verdict([treatment()], quiet(counted_kills=1, logged_kills=1)) == (
        "proven",
        ["the kernel killed the hog in the treatment"],
    )


DISTURBED = {
    "no log": (quiet(log_error="/dev/kmsg cannot be read"), "/dev/kmsg cannot be read"),
    "a kill elsewhere": (
        quiet(doubtful=[(kill(7), "above")], counted_kills=3, logged_kills=3),
        "also killed process 7 (p7) elsewhere on the host (above): run it again",
    ),
    "a kill that is not in the log": (quiet(counted_kills=3), "/proc/vmstat counted 3 kills, the kernel log names 2"),
    "a bystander": (quiet(lost=[Process(9, "sshd", 1, 1, False, 0)]), "bystanders were lost: 9 (sshd)"),
}


@pytest.mark.parametrize("surroundings, reason", DISTURBED.values(), ids=list(DISTURBED))
def test_a_disturbed_host_is_inconclusive(surroundings, reason):
    verdict, reasons = decide_verdict([treatment(), control()], surroundings)
    assert verdict == "inconclusive"
    assert reason in reasons[0]


def test_unrelated_kills_are_not_held_against_the_proof():
    other = [kill(number) for number in range(500, 530)]
    busy = quiet(unrelated=other, counted_kills=32, logged_kills=32)
    assert decide_verdict([treatment(), control()], busy)[0] == "proven"


# --- the answer of the module ----------------------------------------------------


def test_report_in_five_lines():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = build_answer(design, [treatment(), control()], quiet(), [])
    assert facts["report"] == [
        "proven: this kernel honours a score difference of 900 (decoy at -900, hog at 0, in 64 MiB)",
        "treatment: the kernel killed the hog, as expected. decoy 100 (score -900) survived,"
        " hog 101 (score 0) was killed by the kernel",
        "control: the kernel killed the decoy, as expected. decoy 100 (score 0) was killed by the kernel,"
        " hog 101 (score 0) survived",
        "kernel log: Killed process 101 (hog)",
        "bystanders: 70 checked, 0 lost; kills counted by the kernel: 2; nothing was left behind",
    ]
    assert facts["clean"] is True
    assert [run["observed"] for run in facts["runs"]] == ["hog", "decoy"]


def test_report_a_mirrored_pair():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=False)
    survivor = treatment(hog=actor("hog", 900, **ENDED), kills=[], lines=[], cgroup_oom_kill=None)
    facts = build_answer(design, [survivor], quiet(counted_kills=None), [])
    assert facts["report"][0].startswith(
        "inconclusive: the trial did not show whether this kernel honours a score difference of 900"
        " (mirrored, because scores cannot be lowered here: decoy at 0, hog raised to 900"
    )
    assert "the kernel killed no process; expected the hog." in facts["report"][1]
    assert "hog 101 (score 900) ended by itself (exit 0)" in facts["report"][1]
    assert "no line names the hog" in facts["report"][2]
    assert "kills counted by the kernel: unknown" in facts["report"][3]


def test_leaving_something_behind_is_inconclusive():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = build_answer(design, [treatment(), control()], quiet(), ["/sys/fs/cgroup/x"])
    assert (facts["verdict"], facts["clean"], facts["left_behind"]) == ("inconclusive", False, ["/sys/fs/cgroup/x"])
    assert facts["reasons"][-1] == "left behind: /sys/fs/cgroup/x"


def test_report_the_host_scope():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True, scope="host")
    facts = build_answer(design, [treatment()], quiet(counted_kills=1, logged_kills=1), [])
    assert facts["report"][0].endswith("(decoy at -900, hog at 0, on the whole host)")


def test_report_a_refutation():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = build_answer(design, [treatment(kills=[kill(DECOY)]), control()], quiet(), [])
    assert facts["report"][0].startswith("refuted: this kernel does not honour a score difference of 900 (")
    assert facts["report"][1].startswith("treatment: the kernel killed the decoy; expected the hog. ")


def test_a_trial_that_was_not_run_has_the_same_keys():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    answer = build_answer(design, [treatment(), control()], quiet(), [])
    unrun = build_unrun_answer()
    assert set(unrun) - {"duration_s"} == set(answer)
    assert (unrun["verdict"], unrun["reasons"]) == (None, ["check mode: no trial was run"])


def test_report_unrelated_kills():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    other = [kill(500), dict(kill(501, 502), memcg=None), *[kill(number) for number in range(503, 530)]]
    facts = build_answer(design, [treatment(), control()], quiet(unrelated=other), [])
    assert facts["unrelated_count"] == 30
    assert facts["unrelated"][:2] == [
        dict(memcg="/trial", pid=500, name="p500"),
        dict(memcg=None, pid=501, name="p501"),
    ]
    assert len(facts["unrelated"]) == 20
    assert facts["report"][5:] == [
        "unrelated: 30 killed in other cgroups: 500 (p500) in /trial, 501 (p501) in an unknown one, ..."
    ]


def test_report_one_unrelated_kill():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    facts = build_answer(design, [treatment(), control()], quiet(unrelated=[kill(500)]), [])
    assert facts["report"][5:] == ["unrelated: 1 killed in other cgroups: 500 (p500) in /trial"]
