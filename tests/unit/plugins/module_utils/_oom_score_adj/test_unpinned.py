# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The score that a process has without a pin, from its unit or its parent."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import FoundProcess
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.unpinned import UnpinnedScores

UNIT = Pin("unit", "cron.service", None, "absent", persistent=True)
PID = Pin("pid", "21", None, "absent")


class Scores:
    """A host whose units are read, and short questions about its processes."""

    def __init__(self, host, *names):
        self.host = host
        self.systemd = host.systemd()
        self.units = self.systemd.units(names)
        self.scores = UnpinnedScores(host.proc.procfs, self.systemd, self.units)

    def found(self, pid):
        with self.host.proc.procfs.open(pid) as directory:
            return FoundProcess(directory.process(), directory.score(), directory.cgroups())

    def score(self, pin, pid, after=None):
        one = self.found(pid)
        return self.scores.find_score(pin, one, one.score, after or {}, ProcessTable(self.host.proc.procfs))

    def heir(self, pin, pid):
        return self.scores.find_heir_score(pin, self.found(pid), ProcessTable(self.host.proc.procfs))


@pytest.fixture
def cron(host):
    """Return the scores of a host where the unit of cron gives -100, and our drop-in -300."""
    host.write("usr/lib/systemd/system/cron.service", "[Service]\nOOMScoreAdjust=-100\n")
    host.write("etc/systemd/system/cron.service.d/60-oomguard.conf", "[Service]\nOOMScoreAdjust=-300\n")
    host.reload()
    for pid in (20, 21, 22):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    return Scores(host, "cron.service")


def test_unit_gives_what_is_left_without_the_drop_in(cron):
    assert (cron.score(UNIT, 20), cron.heir(UNIT, 21)) == (-100, -100)


def test_drop_in_that_stays_keeps_its_score(cron):
    assert cron.score(PID, 20) == -300
    assert cron.heir(UNIT._replace(persistent=False), 21) == 0


def test_score_that_is_not_of_the_drop_in_stays(cron):
    cron.host.proc.write("20/oom_score_adj", "7\n")
    assert cron.score(UNIT, 20) == 7


def test_heir_of_a_pin_that_stays_is_unpinned(cron):
    present = UNIT._replace(state="present", score=-300)
    assert cron.heir(present, 21) == 0
    assert cron.heir(PID._replace(state="present", score=-300), 21) == -300  # its own unit is another target


def test_parent_gives_its_score_in_the_same_cgroup(host):
    scores = Scores(host)
    host.proc.process(50, "screen", score=200)
    host.proc.process(51, "tool", parent=50, score=-5)
    host.proc.process(52, "tool", parent=51, score=-5)
    host.proc.process(53, "box", parent=50, score=-5, cgroup="/elsewhere")
    assert [scores.score(PID, pid) for pid in (51, 53)] == [200, 0]
    assert scores.score(PID, 52, {51: 200}) == 200
    assert scores.heir(PID, 51) == 0


def test_cgroups_that_decide_are_kept(cron):
    cron.score(UNIT, 20)
    cron.heir(UNIT, 21)
    assert list(cron.scores.deciding_cgroups) == [(20, 100), (21, 100)]
    assert cron.scores.deciding_cgroups[20, 100] == ["/system.slice/cron.service", "/"]


def test_units_are_read_once(host):
    scores = Scores(host, "cron.service")
    scores.scores.read_units(["docker.service", "cron.service", None])
    scores.scores.read_units(["docker.service"])
    assert sorted(scores.units) == ["cron.service", "docker.service"]
    assert [command[4:] for command in host.calls] == [("cron.service",), ("docker.service",)]
    (host.root / "run/systemd/system").rmdir()
    scores.scores.read_units(["mariadb.service"])
    assert len(host.calls) == 2
