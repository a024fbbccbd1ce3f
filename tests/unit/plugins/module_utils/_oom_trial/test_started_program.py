# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program of a trial: what it prints is checked, and no wait is without a bound."""

import json
import signal
import subprocess
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import started_program
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import (
    parse_phase,
    start_actor,
    wait_until,
)


def shell(script):
    return start_actor(["sh", "-c", script])


def read_all(program):
    assert wait_until(lambda: program.ended, [program], time.monotonic() + 10)
    return program.phases


LINES = {
    "the hog's": (
        b'{"phase": "start", "pid": 7, "name": "x", "score": -5, "size_kb": 9, "domain_kb": null}',
        {"phase": "start", "pid": 7, "score": -5},
    ),
    "empty": (b"", None),
    "no JSON": (b"noise", None),
    "cut": (b'{"phase": "sta', None),
    "no object": (b"7", None),
    "a list": (b"[]", None),
    "no phase": (b"{}", None),
    "phase is a number": (b'{"phase": 7}', None),
    "deep": (b"[" * 4000, None),
    "too long": (b'{"phase": "start", "pid": 7, "name": "' + b"x" * 5000 + b'"}', None),
    "not UTF-8": (b'{"phase": "start", "name": "\xff"}', {"phase": "start"}),
    "pid 0": (b'{"phase": "start", "pid": 0}', {"phase": "start"}),
    "pid is negative": (b'{"phase": "start", "pid": -1}', {"phase": "start"}),
    "pid is a text": (b'{"phase": "start", "pid": "7"}', {"phase": "start"}),
    "pid is true": (b'{"phase": "start", "pid": true}', {"phase": "start"}),
    "pid is absurd": (b'{"phase": "start", "pid": 99999999999999999999}', {"phase": "start"}),
    "score is absurd": (b'{"phase": "start", "score": 1001}', {"phase": "start"}),
    "size is negative": (b'{"phase": "allocated", "kb": -1}', {"phase": "allocated"}),
    "size is infinite": (b'{"phase": "allocated", "kb": Infinity}', {"phase": "allocated"}),
}


@pytest.mark.parametrize("line, phase", LINES.values(), ids=list(LINES))
def test_believe_only_possible_lines(line, phase):
    assert parse_phase(line) == phase


def test_a_flood_of_output_has_a_bound():
    program = shell("head -c 3000000 /dev/zero; echo; yes '{\"phase\": \"x\"}' | head -n 9999; printf '%099999d' 1")
    assert len(read_all(program)) == 16
    assert len(program._unread) <= 4097
    assert program.wait() == (0, None)


def test_use_what_comes_after_a_line_that_is_too_long():
    line = json.dumps({"phase": "start", "pid": 7})
    program = shell(f"head -c 100000 /dev/zero; echo; echo '{line}'")
    assert read_all(program) == [{"phase": "start", "pid": 7}]
    assert program.pid == 7
    assert program.wait() == (0, None)


def test_the_child_is_the_program_until_it_prints_another_pid():
    program = shell('echo \'{"phase": "start"}\'')
    read_all(program)
    assert program.pid == program.child_pid
    program.kill()


@pytest.mark.parametrize("script, end", [("exit 12", (12, None)), ("kill -KILL $$", (None, signal.SIGKILL))])
def test_return_how_it_ended(script, end):
    assert shell(script).wait() == end


def test_a_program_that_only_closes_its_output_is_killed(monkeypatch):
    monkeypatch.setattr(started_program, "REAP_SECONDS", 0.1)
    program = shell("exec > /dev/null; exec sleep 60")
    read_all(program)
    started = time.monotonic()
    assert program.wait() is None
    assert time.monotonic() - started < 5
    assert program._child.wait(10) == -signal.SIGKILL


def test_do_not_wait_for_ever_for_a_program_that_cannot_be_killed(monkeypatch):
    """A process in state D does not end when it is killed."""
    monkeypatch.setattr(started_program, "REAP_SECONDS", 0.05)
    program = shell("exec sleep 60")
    kill = program._child.kill
    monkeypatch.setattr(program._child, "kill", lambda: None)
    assert program.wait() is None
    kill()
    assert program._child.wait(10) == -signal.SIGKILL


def test_kill_is_harmless_after_the_end():
    program = shell("exit 0")
    assert program.wait() == (0, None)
    program.kill()


def test_name_a_process_that_cannot_join_its_cgroup():
    def fail():
        raise OSError("denied")

    with pytest.raises(InputError, match="true cannot be started: its process could not join the trial's cgroup"):
        start_actor(["/bin/true"], fail)


def test_name_a_program_that_is_not_installed():
    with pytest.raises(InputError, match="oomguard-none cannot be started: No such file or directory; install it"):
        start_actor(["oomguard-none"])


def test_name_the_real_reason_of_a_missing_loader(tmp_path):
    """The kernel's error is that the program does not exist."""
    source = tmp_path / "x.c"
    source.write_text("int main(void) { return 0; }")
    program = str(tmp_path / "hog")
    subprocess.check_call(["cc", "-Wl,--dynamic-linker=/nonexistent/ld.so", "-o", program, str(source)])
    with pytest.raises(InputError, match=r"its loader /nonexistent/ld\.so does not exist here"):
        start_actor([program])
