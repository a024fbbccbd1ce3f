# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, MIB, host_with, task

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info import killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.killers import KillerFacts, look_at_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit

WEB = "/system.slice/web.service"
WATCHED = OomdSettings([MonitoredGroup("-.slice", "/", ["swap"])])


@pytest.fixture
def look(proc, tmp_path, monkeypatch):
    """Return a function that looks at killers among some processes."""
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")

    def run(*tasks, killer, pinned=()):
        monkeypatch.setattr(killers.KillerFinder, "find", lambda self: [killer])
        return look_at_killers(proc.procfs, Systemd(str(tmp_path)), host_with(*tasks), {}, pinned)

    return run


def oomd(active=True):
    return UserKiller("systemd-oomd", "systemd-oomd.service", active, False, None, WATCHED)


def test_each_unit_once_by_its_main_process(look):
    tasks = [
        task("web", MIB, score=-500, cgroup=WEB, pid=7),
        task("worker", MIB, score=-500, cgroup=WEB, pid=6),
        task("lonely", MIB, score=-300, pid=8),
        task("large", GIB, pid=9),
        task("immune", MIB, score=-1000, pid=10, cgroup="/system.slice/ours.service"),
        task("udevd", MIB, score=-1000, pid=11),
    ]
    pinned = [
        PinnedUnit("web.service", -500, -500, "stop", 7, WEB),
        PinnedUnit("ours.service", -1000, -1000, "stop", 10, "/system.slice/ours.service"),
    ]
    found = look(*tasks, killer=oomd(), pinned=pinned).unbound
    assert sorted((one.service.name, one.service.program) for one in found) == [
        ("lonely[8]", "lonely"),
        ("ours.service", "immune"),
        ("web.service", "web"),
    ]


def test_a_killer_that_does_not_run(look):
    idle = oomd(active=False)
    assert look(task("web", MIB, score=-500, cgroup=WEB), killer=idle) == KillerFacts([idle])


def test_a_configuration_that_is_not_understood(look):
    strange = UserKiller("nohang", "nohang.service", True, True, problem="x")
    [warning] = look(task("web", MIB, score=-500, cgroup=WEB), killer=strange).warnings
    assert warning.startswith("nohang runs, and whether it goes by pins is not known: x")
