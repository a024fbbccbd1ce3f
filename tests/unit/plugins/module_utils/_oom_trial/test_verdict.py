# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every course that a trial can take, and the verdict on it."""

import pytest
from observed_runs import DECOY, HOG, KILLED, STRANGER, actor, control, kill, quiet, treatment
from remedies import find_remedy

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import decide_verdict, describe_end


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
        "the hog was refused memory instead of being killed (ENOMEM, exit 12): set vm.overcommit_memory to 0 or 1",
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
    reason = "control: the decoy was not killed: check that the kernel enforces memory limits here"
    assert (verdict, reasons) == ("inconclusive", [reason])


def test_a_control_that_kills_the_hog_first_is_inconclusive():
    late = control(hog=actor("hog", 0, **KILLED), kills=[kill(HOG), kill(DECOY)], cgroup_oom_kill=2)
    verdict, reasons = decide_verdict([treatment(), late], quiet(counted_kills=3, logged_kills=3))
    reason = "control: the kernel killed the hog before the decoy: set a larger memory_limit"
    assert (verdict, reasons) == ("inconclusive", [reason])


def test_prove_by_the_treatment_alone():
    assert decide_verdict([treatment()], quiet(counted_kills=1, logged_kills=1)) == (
        "proven",
        ["the kernel killed the hog in the treatment"],
    )


DISTURBED = {
    "no log": (quiet(log_error="3 records were overwritten: run it again"), "3 records were overwritten"),
    "a kill elsewhere": (
        quiet(doubtful=[(kill(7), "above")], counted_kills=3, logged_kills=3),
        "also killed process 7 (p7) elsewhere on the host (above): run it again, and hosts that share a kernel one at"
        " a time (serial: 1)",
    ),
    "a kill that is not in the log": (quiet(counted_kills=3), "/proc/vmstat counted 3 kills, the kernel log names 2"),
    "a bystander": (
        quiet(lost=[Process(9, "sshd", 1, 1, False, 0)]),
        "bystanders were lost: 9 (sshd); start them again",
    ),
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


@pytest.mark.parametrize("run", [run for run, _reason in INCONCLUSIVE.values()], ids=list(INCONCLUSIVE))
def test_each_reason_says_what_to_do(run):
    reasons = decide_verdict([run._replace(problems=[]), control()], quiet())[1]
    assert [reason for reason in reasons if not find_remedy(reason)] == [
        reason for reason in reasons if reason.startswith("the kernel killed the ")
    ]


@pytest.mark.parametrize("surroundings", [one for one, _reason in DISTURBED.values()], ids=list(DISTURBED))
def test_each_disturbance_says_what_to_do(surroundings):
    reasons = decide_verdict([treatment(), control()], surroundings)[1]
    assert [reason for reason in reasons if not find_remedy(reason)] == []


def test_many_kills_elsewhere_are_counted():
    many = quiet(doubtful=[(kill(pid), "above") for pid in range(2000)], lost=[Process(9, "x", 1, 1, False, 0)] * 2000)
    reasons = decide_verdict([treatment(), control()], many)[1]
    assert len(reasons) == 12
    assert reasons[10].startswith("... and 1990 more such kills: run it again")
    assert max(map(len, reasons)) < 300


@pytest.mark.parametrize(
    "code, number, words",
    [
        (None, 14, "ended by its own deadline (SIGALRM): set a longer timeout"),
        (None, 11, "ended by signal 11: find out what sent it, and run it again"),
        (3, None, "refused to start in this memory domain (exit 3): check that the cgroup's limit is in force"),
        (77, None, "ended with exit 77: build it from the oom_hog.c of this release, for this host"),
    ],
)
def test_describe_an_end_with_its_remedy(code, number, words):
    assert describe_end(code, number) == words
