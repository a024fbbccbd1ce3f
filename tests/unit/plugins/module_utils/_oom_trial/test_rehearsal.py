# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of the program before a trial; test_kill_trial.py has it with a trial's cgroup."""

import os
import subprocess
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.rehearsal import (
    REHEARSAL_KB,
    REHEARSAL_NAME,
    check_rehearsal,
    rehearsal_command,
    wait_for_rehearsal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import start_actor

SOURCE = os.path.join(os.path.dirname(__file__), "../../../../../roles/oom_verify/files/oom_hog.c")


@pytest.fixture(scope="module")
def hog(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("hog") / "oom_hog")
    subprocess.check_call(["cc", "-std=c99", "-O2", "-o", program, SOURCE])
    return program


def test_the_program_takes_little_and_ends(hog):
    program = start_actor(rehearsal_command(hog, ["--host", "--score", "500"]))
    wait_for_rehearsal(program, 20)
    end = program.wait()
    assert (end, program.phase("allocated")["kb"]) == ((0, None), REHEARSAL_KB)
    check_rehearsal(hog, program, end, 500)
    assert len(REHEARSAL_NAME) <= 15  # else the kernel cuts it


def test_another_score_is_refused(hog):
    program = start_actor(rehearsal_command(hog, ["--host", "--score", "500"]))
    wait_for_rehearsal(program, 20)
    with pytest.raises(InputError, match="got score 500, not 400: find out what else sets scores on this host"):
        check_rehearsal(hog, program, program.wait(), 400)


def test_waiting_has_a_bound():
    program = start_actor(["sleep", "60"])
    started = time.monotonic()
    wait_for_rehearsal(program, 1)
    program.kill()
    assert time.monotonic() - started < 10
    with pytest.raises(InputError, match="did not end by itself"):
        check_rehearsal("sleep", program, None, 0)
