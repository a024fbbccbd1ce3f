# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module oom_trial: what it returns is what its documentation lists."""

import os
import subprocess

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import prepare_overcommit_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest

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
    script.write_text("#!/bin/sh\nexit 12\n")
    script.chmod(0o755)
    request = TrialRequest(str(script), "overcommit", True, 0, 0, 0, 10, "auto", None)
    answer = prepare_overcommit_trial(request, proc.procfs).run()
    assert set(answer["runs"][0]["hog"]) >= {"asked_kb", "got_kb"}
    assert undocumented("oom_trial", answer) == []


def test_fail_with_one_sentence(run_module):
    answer = run_module("oom_trial", hog="/nonexistent")
    assert answer["failed"]
    assert answer["msg"] == "hog /nonexistent is not a file: set it to the path of oom_hog, built for this host"
