# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module returns of a trial: facts, a message, and a report for a person."""

import pytest
from observed_runs import DECOY, HOG, KILLED, LIMIT_KB, actor, control, kill, quiet, treatment

from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.answer import (
    build_answer,
    build_unrun_answer,
    state_result,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import design_trial

CGROUP = "a private memory cgroup (version 2, systemd)"


def answer(*runs, can_lower=True, scope="cgroup", left_behind=(), **surroundings):
    """Return the answer of a trial with these runs."""
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=can_lower, scope=scope)
    return build_answer(design, list(runs), quiet(**surroundings), list(left_behind), CGROUP)


def test_a_proof_reads_in_ten_seconds():
    facts = answer(treatment(), control(lines=["Killed process 100 (decoy)"]))
    assert facts["msg"] == "proven: the killer took hog[101] and spared decoy[100] (-900)"
    assert facts["report"] == [
        facts["msg"],
        "meaning: this kernel honours a score difference of 900",
        "treatment: decoy[100] at -900 with 38 MiB survived, hog[101] at 0 was killed by the kernel, as expected",
        "control: decoy[100] at 0 with 38 MiB was killed by the kernel, hog[101] at 0 survived, as expected",
        f"limit: 64 MiB for both, in {CGROUP}; the decoy holds more than the hog",
        "kernel log: Killed process 101 (hog)",
        "kernel log: Killed process 100 (decoy)",
        "bystanders: 70 other processes, none lost; kills on the host meanwhile: 2",
        "cleaned up: nothing was left behind",
    ]
    assert facts["clean"] is True
    assert [run["observed"] for run in facts["runs"]] == ["hog", "decoy"]


def test_report_a_mirrored_pair():
    raised = treatment(decoy=actor("decoy", 0), hog=actor("hog", 900, **KILLED), kills=[kill(HOG, score=900)])
    facts = answer(raised, control(), can_lower=False)
    assert facts["msg"] == "proven: the killer took hog[101] (900) and spared decoy[100] (0)"
    assert facts["report"][1] == (
        "meaning: this kernel honours a score difference of 900"
        " (mirrored: scores cannot be lowered here, so the hog was raised)"
    )


def test_report_what_is_not_known():
    survivor = treatment(hog=actor("hog", 0, exit=0, outlived=False), kills=[], lines=[], cgroup_oom_kill=None)
    facts = answer(survivor, control(), counted_kills=None)
    assert facts["msg"].startswith("inconclusive: treatment: the hog ended by itself (exit 0): memory did not run out;")
    assert facts["report"][1:4] == [
        "meaning: the trial did not show whether this kernel honours a score difference of 900",
        f"why: {facts['reasons'][0]}",
        "treatment: decoy[100] at -900 with 38 MiB survived, hog[101] at 0 ended by itself (exit 0);"
        " expected the kernel to kill the hog, it killed no process",
    ]
    assert "kernel log: no line names the hog or the decoy" in facts["report"]
    assert "bystanders: 70 other processes, none lost; kills on the host meanwhile: unknown" in facts["report"]


def test_report_a_refutation():
    facts = answer(treatment(kills=[kill(DECOY)]), control())
    assert facts["msg"] == "refuted: the killer took decoy[100] (-900) although hog[101] (0) was there"
    assert facts["report"][1] == "meaning: this kernel does not honour a score difference of 900"
    assert facts["report"][4].endswith("expected the kernel to kill the hog, it killed the decoy")


def test_leaving_something_behind_is_inconclusive():
    facts = answer(treatment(), control(), left_behind=["/sys/fs/cgroup/x"])
    assert (facts["verdict"], facts["clean"], facts["left_behind"]) == ("inconclusive", False, ["/sys/fs/cgroup/x"])
    sentence = "left behind: /sys/fs/cgroup/x; end the processes in it, and remove it with rmdir"
    assert facts["reasons"][0] == facts["report"][-1] == sentence
    assert facts["msg"] == f"inconclusive: {sentence}"


def test_report_the_host_scope():
    facts = answer(treatment(), scope="host", counted_kills=1, logged_kills=1)
    assert "limit: all 64 MiB of free memory and swap of the host" in facts["report"]


@pytest.mark.parametrize("number", [0, 1, 3, 40])
def test_the_report_has_at_most_twelve_lines(number):
    """Also where everything goes wrong at once: reasons are counted, and each line has a bound."""
    lost = dict(counted_kills=9, doubtful=[(kill(pid), "x" * 1000) for pid in range(number)])
    runs = treatment(problems=["p" * 5000] * number, lines=["l" * 5000] * 3), control(lines=["\x1b[2J\n"])
    facts = answer(*runs, left_behind=["/x" * 900], unrelated=[kill(500)] * 90, **lost)
    assert facts["verdict"] == "inconclusive"
    assert len(facts["report"]) <= 12
    assert all(len(line) <= 300 and line.isprintable() for line in facts["report"])
    assert len(facts["msg"]) <= 200
    if number == 40:
        assert any(line.endswith(("more, see reasons)", "...")) for line in facts["report"][2:4])
        assert len(facts["reasons"]) < 60  # kills elsewhere are counted from the eleventh on


def test_count_the_reasons_that_have_no_room():
    facts = answer(treatment(problems=["a: b", "c: d", "e: f", "g: h"]), control())
    assert facts["report"][2:4] == ["why: treatment: a: b", "why: treatment: c: d (and 2 more, see reasons)"]


def test_a_trial_that_was_not_run_has_the_same_keys():
    unrun = build_unrun_answer("checked: the trial can run here")
    assert set(unrun) - {"duration_s"} == set(answer(treatment(), control()))
    assert (unrun["verdict"], unrun["reasons"]) == (None, ["check mode: no trial was run"])
    assert unrun["report"] == [unrun["msg"]] == ["checked: the trial can run here"]


def test_escape_what_a_user_chose():
    result = state_result("proven", "x\x1b[31m", ["a\nb"])
    assert result == dict(msg="proven: x\\x1b[31m", report=["proven: x\\x1b[31m", "a\\x0ab"])


def test_report_unrelated_kills():
    other = [kill(500), dict(kill(501, 502), memcg=None), *[kill(number) for number in range(503, 530)]]
    facts = answer(treatment(), control(), unrelated=other)
    assert facts["unrelated_count"] == 30
    assert facts["unrelated"][:2] == [
        dict(memcg="/trial", pid=500, name="p500"),
        dict(memcg=None, pid=501, name="p501"),
    ]
    assert len(facts["unrelated"]) == 20
    assert facts["report"][-1] == (
        "unrelated: 30 killed in other cgroups: p500[500] in /trial, p501[501] in an unknown one, ..."
    )


def test_report_one_unrelated_kill():
    facts = answer(treatment(), control(), unrelated=[kill(500)])
    assert facts["report"][-1] == "unrelated: 1 killed in other cgroups: p500[500] in /trial"
