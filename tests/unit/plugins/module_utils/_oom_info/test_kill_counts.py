# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.kill_counts import read_kill_counts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3, "fixtures/kernel_logs/recorded")
KILL = "Out of memory: Killed process 7 (x) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:8kB"


class Log:
    """A log that holds these records, in place of the kernel's buffer."""

    def __init__(self, lines, lost=0):
        self._lines = lines
        self.lost = lost

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        pass

    def read(self):
        return [parse_kmsg_line(line).record for line in self._lines]


def deny():
    raise AccessError("no")


def count(proc, counted, *lines, lost=0):
    proc.write("vmstat", f"pgfault 8\noom_kill {counted}\n")
    return read_kill_counts(proc.procfs, lambda: Log(lines, lost))


def test_each_line_of_the_kernel_is_a_kill(proc):
    """Facility 1 is that of programs: what a user writes to the log is no kill."""
    lines = [f"3,1,5,-;{KILL}", f"11,2,6,-;{KILL}", "6,3,7,-;x invoked oom-killer: gfp_mask=0x0", f"3,4,8,-;{KILL}"]
    assert count(proc, 5, *lines, lost=9) == KillCounts(5, 2, 9)


@pytest.mark.parametrize("system", sorted(os.listdir(RECORDED)))
def test_recorded_logs_name_every_kill(proc, system):
    """Also group kills, of which the kernel logs and counts the chosen process twice."""
    folder = os.path.join(RECORDED, system)
    with open(os.path.join(folder, "kmsg.raw")) as stream:
        lines = [line for line in stream.read().split("\n") if line and not line.startswith(" ")]
    with open(os.path.join(folder, "truth.json")) as stream:
        expected = json.load(stream)["vmstat_oom_kill"]
    assert count(proc, expected, *lines) == KillCounts(expected, expected)


def test_the_log_is_not_read_without_need(proc):
    proc.write("vmstat", "oom_kill 0\n")
    assert read_kill_counts(proc.procfs, deny) == KillCounts()
    proc.write("vmstat", "pgfault 8\n")  # before 4.13
    assert read_kill_counts(proc.procfs, deny) == KillCounts()


def test_what_cannot_be_read(proc):
    with pytest.raises(OomError):
        read_kill_counts(proc.procfs, deny)
    proc.write("vmstat", "oom_kill 1\n")
    with pytest.raises(AccessError):
        read_kill_counts(proc.procfs, deny)
