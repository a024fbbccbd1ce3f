# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published schema fits the evidence of every scope, and nothing else.

The trial in a memory cgroup is a real one. The others would take the whole machine. Their answers
are built by the code that builds the module's, from what was observed of them.
"""

import copy
import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from observed_runs import actor, control, kill, quiet, treatment
from test_panic_outcomes import RESULTS, evidence_for, pstore

from ansible_collections.oomguard.linux.plugins.filter.trial_evidence import FilterModule
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.answer import build_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import design_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_facts import read_host_facts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import prepare_kill_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_verdict import (
    Attempt,
    build_overcommit_answer,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest
from ansible_collections.oomguard.linux.plugins.plugin_utils.oom_log import parse_log

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "evidence.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
STARTED = "2026-11-28T10:15:02.123456Z"

trial_evidence = FilterModule().filters()["trial_evidence"]

HOST_WIDE = [
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x,"
    "task=oomguard-hog,pid=101,uid=0",
    "Out of memory: Killed process 101 (oomguard-hog) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0"
    " pgtables:9kB oom_score_adj:0",
]


@pytest.fixture(scope="module")
def hog(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("hog") / "oom_hog")
    subprocess.check_call(["cc", "-std=c99", "-O2", "-o", program, ROOT / "roles/oom_verify/files/oom_hog.c"])
    return program


def written(answer, scope):
    """Return the evidence that the controller stores for an answer."""
    # Ansible adds its own keys to the result of a module.
    return json.loads(trial_evidence({**answer, "changed": False, "failed": False}, "web1", scope, STARTED))


def facts(scope, method):
    return {
        "scope": scope,
        "method": method,
        "manager": "cgroupfs" if scope == "host" else None,
        "cgroup_version": 2 if scope == "host" else None,
        "memory_limit_kb": 65536,
        "duration_s": 0.5,
        **read_host_facts(Procfs(), "/bin/true"),
    }


def host_answer():
    [event] = parse_log(HOST_WIDE)
    run = treatment(kills=[event])
    surroundings = quiet(counted_kills=1, logged_kills=1)
    design = design_trial(-900, 0, 65536, own_score=0, can_lower=True, scope="host")
    return {**facts("host", "lowered"), **build_answer(design, [run], surroundings, [], "no cgroup")}


def overcommit_answer():
    attempts = [
        Attempt("treatment", "refused", 7, 12, None, 400000, 250000),
        Attempt("control", "granted", 8, 0, None, 100, 100),
    ]
    return {**facts("overcommit", "refused"), **build_overcommit_answer(400000, attempts, {}, quiet(counted_kills=0))}


def panic_answer():
    boot = {"stdout": "0f3c9d0b-7a61-4c3c-9d1f-0a8f5a7f2b11"}
    lines = [
        "1",
        "0",
        "10",
        "5f3c9d0b-7a61-4c3c-9d1f-0a8f5a7f2b11",
        *RESULTS["__oom_verify_policy"]["stdout_lines"][4:],
    ]
    answer = evidence_for(verify_boot_after=boot, verify_policy={"stdout_lines": lines}, verify_pstore=pstore("x"))
    return {key: value for key, value in answer.items() if key != "outcome"}


ANSWERS = {"host": host_answer, "overcommit": overcommit_answer, "panic": panic_answer}


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.fixture(scope="module")
def proof(hog):
    """Return the evidence of a real trial."""
    request = TrialRequest(hog, "cgroup", False, 32 * 1024, -900, 0, 60, "cgroupfs", None)
    return written(prepare_kill_trial(request).run(), "cgroup")


def test_evidence_of_a_real_trial(proof):
    VALIDATOR.validate(proof)
    assert proof["verdict"] == "proven"
    assert proof["runs"][0]["event"]["victims"][0]["pid"] == proof["runs"][0]["hog"]["pid"]
    assert (
        proof["versions"]["ansible_core"][0] == "2" and proof["versions"]["collection"] == proof["collection_version"]
    )
    assert "cut" not in proof


def test_evidence_of_a_real_trial_without_a_proof(hog, tmp_path):
    """The hog ends before it takes its memory."""
    false_hog = tmp_path / "false_hog"
    false_hog.write_text(f'#!/bin/sh\n[ $2 = oomguard-hog ] && exit 0\nexec {hog} "$@"\n')
    false_hog.chmod(0o755)
    request = TrialRequest(str(false_hog), "cgroup", False, 32 * 1024, -900, 0, 60, "cgroupfs", None)
    evidence = written(prepare_kill_trial(request).run(), "cgroup")
    assert evidence["verdict"] == "inconclusive"
    VALIDATOR.validate(evidence)


@pytest.mark.parametrize("scope", list(ANSWERS))
def test_evidence_of_every_other_scope(scope):
    evidence = written(ANSWERS[scope](), scope)
    VALIDATOR.validate(evidence)
    assert (evidence["host"], evidence["scope"], evidence["started"]) == ("web1", scope, STARTED)


OUTCOMES = {
    "another victim": dict(kills=[kill(666)], cgroup_oom_kill=None),
    "no kill": dict(kills=[], hog=actor("hog", 0)),
    "no score": dict(decoy=actor("decoy", -900, score=None)),
}


@pytest.mark.parametrize("changes", OUTCOMES.values(), ids=list(OUTCOMES))
def test_evidence_of_what_went_wrong(changes):
    event = {"id": "x", "killer": "kernel", "outcome": "kill", "constraint": "memcg", "trusted": True}
    run = treatment(**changes)
    run = run._replace(kills=[{**event, **one} for one in run.kills])
    lost = quiet(lost=[], unrelated=[kill(5)], counted_kills=None, log_error="lost: run it again")
    design = design_trial(-900, 0, 65536, own_score=0, can_lower=True)
    built = build_answer(design, [run, control(kills=[])], lost, ["/sys/fs/cgroup/x"], "a cgroup")
    VALIDATOR.validate(written({**facts("host", "mirrored"), **built, "scope": "cgroup"}, "cgroup"))


def test_evidence_that_was_cut(proof):
    long = written({**proof, "left_behind": ["/x" * 500_000]}, "cgroup")
    assert "too long" in long["cut"]
    VALIDATOR.validate(long)


CHANGES = {
    "no host": lambda evidence: evidence.pop("host"),
    "no end": lambda evidence: evidence.pop("ended"),
    "no boot id": lambda evidence: evidence.pop("boot_id"),
    "no version of ansible-core": lambda evidence: evidence["versions"].pop("ansible_core"),
    "a key too many": lambda evidence: evidence.update(note="x"),
    "a version too many": lambda evidence: evidence["versions"].update(note="x"),
    "another verdict": lambda evidence: evidence.update(verdict="hosts"),
    "another scope": lambda evidence: evidence.update(scope="../../x"),
    "local time": lambda evidence: evidence.update(started="2026-11-28 10:15:02"),
    "a boot id with dashes": lambda evidence: evidence.update(boot_id="5f3c9d0b-7a61-4c3c-9d1f-0a8f5a7f2b11"),
    "no runs": lambda evidence: evidence.update(runs=[]),
    "a run without a decoy": lambda evidence: evidence["runs"][0].pop("decoy"),
    "a score out of range": lambda evidence: evidence["runs"][0]["hog"].update(score=1001),
    "an event without victims": lambda evidence: evidence["runs"][0]["event"].pop("victims"),
    "a report that is too long": lambda evidence: evidence.update(report=["x"] * 13),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_nothing_else_matches(proof, change):
    evidence = copy.deepcopy(proof)
    change(evidence)
    assert not VALIDATOR.is_valid(evidence)


HOSTILE = {
    "no answer": "proven",
    "other versions": {"verdict": "proven", "versions": {"ansible_core": "9", "kernel": ["x"] * 9, "python": True}},
    "versions of another type": {"verdict": "proven", "versions": [1]},
    "a text that controls a terminal": {"verdict": "proven", "versions": {"kernel": "6\x1b[2J", "systemd": 252}},
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=list(HOSTILE))
def test_the_controller_s_own_keys_hold_whatever_a_host_returns(proof, answer):
    evidence = json.loads(trial_evidence(answer, "web1", "cgroup", STARTED))
    own = ("host", "scope", "started", "collection_version")
    assert {key: evidence[key] for key in own} == {key: proof[key] for key in own} | {"started": STARTED}
    assert set(evidence["versions"]) == set(proof["versions"])
    assert evidence["versions"]["ansible_core"] == proof["versions"]["ansible_core"]
    assert "\x1b" not in json.dumps(evidence, ensure_ascii=False)
    assert not VALIDATOR.is_valid(evidence)  # it is no evidence
