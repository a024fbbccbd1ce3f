# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module oom_trial: what it returns is what its documentation lists."""

import os
import subprocess

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import prepare_overcommit_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest
from ansible_collections.oomguard.linux.plugins.modules import oom_trial

SOURCE = os.path.join(os.path.dirname(__file__), "../../../../roles/oom_verify/files/oom_hog.c")


@pytest.fixture(scope="module")
def hog(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("hog") / "oom_hog")
    subprocess.check_call(["cc", "-std=c99", "-O2", "-o", program, SOURCE])
    return program


def test_document_what_a_trial_returns(run_module, undocumented, hog):
    answer = run_module("oom_trial", hog=hog, memory_limit="16M")
    assert (answer["verdict"], answer["changed"]) == ("proven", False)
    assert undocumented("oom_trial", answer) == []


def test_document_what_check_mode_returns(run_module, undocumented, hog):
    answer = run_module("oom_trial", check_mode=True, hog=hog)
    assert (answer["verdict"], answer["changed"]) == (None, False)
    assert undocumented("oom_trial", answer) == []


def test_document_what_an_overcommit_trial_returns(undocumented, proc, tmp_path):
    proc.write("sys/vm/overcommit_memory", "2\n")
    proc.write("vmstat", "oom_kill 3\n")
    proc.write("meminfo", "MemAvailable: 9000 kB\nSwapFree: 0 kB\nCommitLimit: 8000 kB\nCommitted_AS: 4000 kB\n")
    script = tmp_path / "hog"
    lines = """echo '{"phase": "start", "pid": 7, "score": 1000}'; echo '{"phase": "allocated", "kb": 1024}'"""
    script.write_text(f"#!/bin/sh\n[ $2 = oomguard-check ] && {{ {lines}; exit 0; }}\nexit 12\n")
    script.chmod(0o755)
    request = TrialRequest(str(script), "overcommit", True, 0, 0, 0, 10, "auto", None)
    answer = prepare_overcommit_trial(request, proc.procfs).run()
    assert set(answer["runs"][0]["hog"]) >= {"asked_kb", "got_kb"}
    assert undocumented("oom_trial", answer) == []


def test_check_and_run_fail_with_one_sentence(run_module):
    sentence = "hog=/nonexistent is not a file: set it to the path of oom_hog, built for this host"
    for check_mode, message in ((False, sentence), (True, f"would fail: {sentence}")):
        answer = run_module("oom_trial", check_mode=check_mode, hog="/nonexistent")
        assert (answer["failed"], answer["msg"]) == (True, message)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(timeout=0), "timeout=0 is out of range: set it to 1 to 3595 seconds"),
        (dict(timeout=10**400), "timeout=100000000000000000000... (more than 20 digits) is out of range"),
        (dict(memory_limit=10**400), "is not a size: write it in bytes or with a unit, such as 64M"),
        (dict(memory_limit=-5), "memory_limit=-5 is not a size"),
        (dict(memory_limit="1G", pinned_score=-(10**400)), "is out of range: set it to -1000 to 1000"),
        (dict(cgroup_parent="/sys\0"), "holds a character that no name on Linux can have: remove it"),
        (dict(cgroup_parent="/tmp/\x1b[31m"), "cgroup_parent=/tmp/\\x1b[31m is not a folder of the memory cgroup"),
        (dict(manager="cgroupfs", cgroup_parent="/tmp"), "cgroup_parent=/tmp is not a folder of the memory cgroup"),
    ],
    ids=range(8),
)
def test_every_refusal_is_one_sentence(run_module, options, words):
    answer = run_module("oom_trial", **dict(dict(hog="/bin/true"), **options))
    assert answer["failed"]
    assert words in answer["msg"]
    assert "\n" not in answer["msg"]


@pytest.mark.parametrize(
    "error, words",
    [(MemoryError(), "not enough memory"), (OSError(12, "Cannot allocate memory"), "Cannot allocate memory")],
)
@pytest.mark.parametrize(
    "failing, check_mode, phase",
    [
        ("prepare", False, "the checks before the trial failed, and nothing was started: "),
        ("prepare", True, "would fail: the checks before the trial failed, and nothing was started: "),
        ("preview", True, "would fail: the trial failed: "),
        ("run", False, "the trial failed: "),
    ],
)
def test_too_little_memory_is_one_sentence(run_module, monkeypatch, error, words, failing, check_mode, phase):
    class Trial:
        def __init__(self, _request):
            self.reach("prepare")

        def preview(self):
            self.reach("preview")

        def run(self):
            self.reach("run")

        def reach(self, name):
            if name == failing:
                raise error

    monkeypatch.setattr(oom_trial, "prepare_kill_trial", Trial)
    answer = run_module("oom_trial", check_mode, hog="/bin/true")
    assert answer["failed"]
    assert answer["msg"].startswith(phase)
    assert words in answer["msg"]


@pytest.mark.parametrize("scope", ["cgroup", "overcommit"])
def test_a_signal_is_one_sentence(run_module, monkeypatch, scope):
    def fail(_request):
        raise Interrupted("the run was ended by SIGTERM")

    monkeypatch.setattr(oom_trial, "prepare_overcommit_trial" if scope == "overcommit" else "prepare_kill_trial", fail)
    answer = run_module("oom_trial", hog="/bin/true", scope=scope)
    assert (answer["failed"], answer["msg"]) == (True, "the run was ended by SIGTERM")


def test_escape_what_a_user_chose(run_module, undocumented, monkeypatch):
    """Names of processes and cgroups may hold characters that control a terminal."""

    class Trial:
        def run(self):
            victim = dict(memcg="/u/\x1b[2J\udcff", pid=7, name="\u2028x")
            return dict(verdict="proven", unrelated=[victim], unrelated_count=1)

    monkeypatch.setattr(oom_trial, "prepare_kill_trial", lambda _request: Trial())
    answer = run_module("oom_trial", hog="/bin/true")
    assert answer["unrelated"] == [{"memcg": "/u/\\x1b[2J\\xff", "pid": 7, "name": "\\u2028x"}]
    assert undocumented("oom_trial", answer) == []
