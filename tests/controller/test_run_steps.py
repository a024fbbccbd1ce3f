# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of make test: one line each, also when one of them fails."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "run_steps.py"

MAKEFILE = """\
good:
\t@echo '== good'; echo '....'; echo '3 passed in 0.10s'
bad:
\t@echo 'fatal: [server]: FAILED! => why'; seq 100; echo 'a line'; echo '1 failed, 2 passed in 0.10s'; exit 1
after:
\t@echo 'result: nothing left behind'
coloured:
\t@printf '\\033[32mPassed\\033[0m: 0 failure(s), 0 warning(s) in 9 files\\n'
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE)

    def run(*arguments):
        command = [sys.executable, str(TOOL), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_one_line_for_each_step(run, tmp_path):
    done = run("--phase", "2", "good after", "coloured")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert sorted(line.split()[1] for line in lines if line.startswith("ok")) == ["after", "coloured", "good"]
    assert any(line.endswith("3 passed") for line in lines)
    assert any(line.endswith("nothing left behind") for line in lines)
    assert any(line.endswith("0 failure(s), 0 warning(s)") for line in lines)
    assert lines[-1] == "steps: 3 passed, 0 failed"
    assert "== good" in (tmp_path / ".build/logs/good.log").read_text()


def test_a_failure_shows_its_log_and_the_others_run(run):
    done = run("--phase", "1", "bad after", "--phase", "1", "good")
    assert done.returncode == 1
    assert "  | a line" in done.stdout
    assert "  ! fatal: [server]: FAILED! => why" in done.stdout, "the cause is shown, although it is far from the end"
    assert "These failed: bad" in done.stdout
    assert done.stdout.splitlines()[-1] == "steps: 2 passed, 1 failed"
