# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real programs that answer, fail, hang and flood."""

import os
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program, run_program, start_program


def shell(script, seconds=10.0):
    return Program(["sh", "-c", script], seconds)


def test_output():
    assert run_program("printf", "a\\nb\\377") == "a\nb\udcff"


def test_the_locale_is_c():
    assert run_program("sh", "-c", "echo $LC_ALL") == "C\n"


def test_it_runs_while_the_caller_does_something_else():
    wait_for_output = start_program("sh", "-c", "sleep 0.2; echo done")
    assert wait_for_output() == "done\n"


def test_a_failure_has_the_error_output():
    with pytest.raises(OomError, match=r"^sh -c failed: no such unit$"):
        shell("echo no such unit >&2; exit 3").output()
    with pytest.raises(OomError, match=r"^sh -c failed: exit code 3$"):
        shell("exit 3").output()


def test_an_exit_code_may_mean_nothing_found():
    assert Program(["sh", "-c", "exit 1"], silent_failure=1).output() == b""
    for script in ("exit 2", "echo bad pattern >&2; exit 1"):
        with pytest.raises(OomError, match=r"^sh -c failed: "):
            Program(["sh", "-c", script], silent_failure=1).output()


@pytest.mark.parametrize("command", ["/nonexistent/program", "a\0b"])
def test_a_program_that_cannot_start(command):
    with pytest.raises(UnsupportedError, match="cannot be started"):
        run_program(command)


def test_a_hanging_program_is_killed():
    program = shell("echo $$; exec sleep 60", seconds=0.5)
    pids = []
    with pytest.raises(OomError, match=r"did not end within 0 seconds and was killed"):
        pids.extend(int(chunk) for chunk in program.chunks())
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_program_that_closes_its_pipes_and_stays_is_killed():
    with pytest.raises(OomError, match="did not end"):
        shell("exec sleep 60 >&- 2>&-", seconds=0.5).output()


def test_a_flood_is_cut_off():
    with pytest.raises(OomError, match=r"wrote more than 1 MiB and was killed"):
        Program(["yes"]).output(max_bytes=1 << 20)


def test_errors_do_not_block_and_are_cut():
    with pytest.raises(OomError) as error:
        shell("head -c 1000000 /dev/zero | tr '\\0' e >&2; echo ok; exit 1").output()
    assert len(str(error.value)) < 3000


def test_the_time_of_the_caller_does_not_count():
    chunks = shell("echo a; sleep 0.1; echo b", seconds=1.0).chunks()
    first = next(chunks)
    time.sleep(1.2)
    assert first + b"".join(chunks) == b"a\nb\n"


def test_who_stops_reading_ends_the_program():
    program = shell("echo $$; exec sleep 60")
    chunks = program.chunks()
    pid = int(next(chunks))
    chunks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
