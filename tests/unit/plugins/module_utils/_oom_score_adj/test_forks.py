# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a fork of before may still be under way, from what threads do."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.forks import Forking

STAT = "{0} (x) {1} 1 1 1 0 -1 0 0 0 0 0 {2} 0 0 0 20 0 1 0 100 0 0\n"


def thread(proc, tid, state, ticks=0):
    proc.write(f"7/task/{tid}/stat", STAT.format(tid, state, ticks))


@pytest.fixture
def forking(proc):
    """A process with two threads, one of them at work."""
    proc.process(7, "x")
    thread(proc, 7, "S")
    thread(proc, 8, "R")
    found = Forking(proc.procfs)
    with proc.procfs.open(7) as directory:
        found.add(directory.process())
    return found


def test_a_thread_at_work_may_be_forking(forking):
    assert not forking.none()


@pytest.mark.parametrize(
    "state, ticks, none", [("S", 0, True), ("T", 0, True), ("D", 0, False), ("R", 5, False), ("R", 1000, True)]
)
def test_it_is_not_when_it_slept_or_had_more_time_than_a_fork_takes(proc, forking, state, ticks, none):
    thread(proc, 8, state, ticks)
    assert forking.none() is none


def test_the_large_take_longer(proc):
    proc.process(7, "x", resident_kb=64 << 20)
    thread(proc, 7, "R")
    forking = Forking(proc.procfs)
    with proc.procfs.open(7) as directory:
        forking.add(directory.process())
    thread(proc, 7, "R", 100)
    assert not forking.none()


def test_who_sleeps_at_the_write_forks_nothing(proc):
    proc.process(7, "x")
    thread(proc, 7, "S")
    forking = Forking(proc.procfs)
    with proc.procfs.open(7) as directory:
        forking.add(directory.process())
    thread(proc, 7, "R")
    assert forking.none()


def test_who_is_gone_or_somebody_else_forks_nothing(proc, forking):
    proc.process(7, "stranger", start_time=999)
    assert forking.none()
