# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test an engine of our own that fails: the message, and that nothing of it is left.

The scenario docker tests an engine that works.
"""

import os
import re

import containers
import lab
import pytest
from conftest import find_processes


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Replace dockerd and docker by scripts, and return the function that writes one."""
    monkeypatch.setattr(containers, "MACHINE_SOCKET", str(tmp_path / "machine.sock"))
    monkeypatch.setattr(containers, "ENGINE_SECONDS", 1)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir()

    def write(name, script):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n" + script)
        (tmp_path / "bin" / name).chmod(0o755)

    write("docker", "exit 1\n")
    return write


@pytest.mark.parametrize(
    "script",
    ["echo no storage driver >&2; exit 1\n", "echo no storage driver >&2; exec sleep 100\n"],
    ids=["ends", "hangs"],
)
def test_report_and_end_engine_that_does_not_answer(machine, tmp_path, script):
    machine("dockerd", script)
    with pytest.raises(
        lab.LabError,
        match=r"(?s)no engine answers at .*machine\.sock, and our own dockerd did not come up\. "
        r"Its last output:.*no storage driver",
    ):
        containers._start_engine(str(tmp_path / "run"))
    containers.down(str(tmp_path / "run"))
    assert find_processes(tmp_path / "run") == []


def test_name_engine_that_hangs_in_a_command(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "COMMAND_SECONDS", 0.5)
    machine("docker", "exec sleep 100\n")
    message = f"docker ps did not end within 0.5 s: look at the engine behind {tmp_path}/docker.sock"
    with pytest.raises(lab.LabError, match=re.escape(message)):
        containers._run_docker(str(tmp_path), "ps")
