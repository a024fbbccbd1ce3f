# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a fork may still be under way, from the states of threads."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import forks as forks_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.forks import ForkWatch, warnings_for_forks


def write_thread(proc, tid, state, ticks=0):
    proc.write(f"7/task/{tid}/stat", f"{tid} (x) {state} 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 100 0 0\n")


def watch(proc):
    """Watch process 7 as if its score had just been written."""
    forks = ForkWatch(proc.procfs)
    with proc.procfs.open(7) as directory:
        forks.add(directory.process())
    return forks


@pytest.fixture
def forks(proc):
    """Watch a process with two threads, one of them running."""
    proc.process(7, "x")
    write_thread(proc, 7, "S")
    write_thread(proc, 8, "R")
    return watch(proc)


def test_running_thread_may_be_forking(forks):
    assert not forks.all_ended()


@pytest.mark.parametrize(
    "state, ticks, ended", [("S", 0, True), ("T", 0, True), ("D", 0, False), ("R", 5, False), ("R", 1000, True)]
)
def test_fork_ends_when_thread_sleeps_or_ran_long_enough(proc, forks, state, ticks, ended):
    write_thread(proc, 8, state, ticks)
    assert forks.all_ended() is ended


def test_fork_of_large_process_takes_longer(proc):
    proc.process(7, "x", resident_kb=64 << 20)
    write_thread(proc, 7, "R")
    forks = watch(proc)
    write_thread(proc, 7, "R", 100)
    assert not forks.all_ended()


def test_thread_asleep_at_the_write_was_not_forking(proc):
    proc.process(7, "x")
    write_thread(proc, 7, "S")
    forks = watch(proc)
    write_thread(proc, 7, "R")
    assert forks.all_ended()


def test_pid_taken_over_forks_nothing(proc, forks):
    proc.process(7, "stranger", start_time=999)
    assert forks.all_ended()


@pytest.mark.parametrize("state", ["D", "R"])
def test_give_up_on_thread_that_never_leaves_the_kernel(proc, forks, monkeypatch, state):
    """As a parent in vfork(), a process in a frozen cgroup, or one without any processor time."""
    write_thread(proc, 8, state)
    assert not forks.all_ended()
    monkeypatch.setattr(forks_of, "_WAIT_SECONDS", -1)
    assert forks.all_ended()
    [warning] = warnings_for_forks(forks.given_up)
    assert warning.startswith("process 7 (x) has been in the kernel for seconds, or was not let run")
