# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest
from snapshots import GIB, MIB, host_with, task

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import EarlyoomArguments
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import NohangSettings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info import killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.killers import KillerFacts, look_at_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit

WEB = "/system.slice/web.service"
WATCHED = OomdSettings([MonitoredGroup("-.slice", "/", ["swap"])])


SHOWN = """\
Id={name}
Names={name}
LoadState=loaded
ActiveState=active
Type=simple
MainPID={pid}
ControlGroup=/system.slice/{name}
FragmentPath={file}
DropInPaths=
Delegate=no
OOMScoreAdjust=0
OOMPolicy=stop
ManagedOOMPreference=none
"""


@pytest.fixture
def look(proc, tmp_path, monkeypatch):
    """Return a function that looks at killers among some processes.

    C(files) has the unit file of each other unit, its main process, and what the file says.
    """
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "run/systemd/system").mkdir(parents=True)

    def run(*tasks, killer, pinned=(), files=(), recorded=()):
        monkeypatch.setattr(killers.KillerFinder, "find", lambda self: [killer])
        shown = {}
        for path, pid, text in files:
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            shown[file.name] = SHOWN.format(name=file.name, pid=pid, file=path)

        def start(*command):
            names = command[command.index("--") + 1 :]
            missing = "Id={0}\nNames={0}\nLoadState=not-found\nActiveState=inactive\n"
            return lambda: "\n".join(shown.get(name, missing.format(name)) for name in names)

        systemd = Systemd(str(tmp_path), start)
        return look_at_killers(proc.procfs, systemd, host_with(*tasks), {}, pinned, recorded)

    return run


def oomd(active=True):
    return UserKiller("systemd-oomd", "systemd-oomd.service", active, False, None, WATCHED)


def names(facts):
    return sorted((one.service.name, one.service.unit, one.service.program) for one in facts.unbound)


def test_pins_of_ours_by_their_main_process(look):
    """Also one at -1000: systemd-oomd kills it as any other."""
    ours = "/system.slice/ours.service"
    tasks = [
        task("worker", MIB, score=-500, cgroup=WEB, pid=6),
        task("web", MIB, score=-500, cgroup=WEB, pid=7),
        task("large", GIB, pid=9),
        task("immune", MIB, score=-1000, pid=10, cgroup=ours),
    ]
    pinned = [
        PinnedUnit("web.service", -500, -500, "stop", 7, WEB),
        PinnedUnit("ours.service", -1000, -1000, "stop", 10, ours),
    ]
    found = look(*tasks, killer=oomd(), pinned=pinned)
    assert names(found) == [("ours.service", "ours.service", "immune"), ("web.service", "web.service", "web")]


def test_pins_that_no_drop_in_holds(look):
    """They are in the record. What a worker of a pinned unit has is the pin of the unit."""
    tasks = [
        task("lonely", MIB, score=-1000, pid=8),
        task("db", MIB, score=-300, pid=11, cgroup="/system.slice/db.service"),
        task("web", MIB, score=-500, cgroup=WEB, pid=7),
        task("worker", MIB, score=-500, cgroup=WEB, pid=6),
        task("stranger", MIB, score=-300, pid=12),
        task("systemd", MIB, score=-900, pid=1),
    ]
    pinned = [PinnedUnit("web.service", -500, -500, "stop", 7, WEB)]
    found = look(*tasks, killer=oomd(), pinned=pinned, recorded={1, 6, 8, 11})
    assert names(found) == [
        ("db[11] (db.service)", None, "db"),
        ("lonely[8]", None, "lonely"),
        ("web.service", "web.service", "web"),
    ]


SCORED = "[Service]\nOOMScoreAdjust={}\n"


@pytest.mark.parametrize(
    "path, score, found",
    [
        ("/usr/lib/systemd/system/dbus.service", -900, False),
        ("/lib/systemd/system/systemd-journald.service", -250, False),
        ("/usr/lib/systemd/system/systemd-udevd.service", -1000, False),
        ("/etc/systemd/system/shop.service", -1000, True),
        ("/etc/systemd/system/shop.service", -300, True),
        ("/run/systemd/transient/batch.service", -300, True),
    ],
)
def test_what_a_distribution_pins_is_nobodys_pin(look, path, score, found):
    name = path.rpartition("/")[2]
    one = task("x", MIB, score=score, pid=7, cgroup=f"/system.slice/{name}")
    helper = task("helper", MIB, score=score, pid=8, cgroup=f"/system.slice/{name}")
    facts = look(one, helper, killer=oomd(), files=[(path, 7, SCORED.format(score))])
    assert names(facts) == [(name, name, "x")] * found


def test_a_program_that_gives_itself_a_score(look):
    """No file says so: sshd, dockerd."""
    sshd = task("sshd", MIB, score=-1000, pid=7, cgroup="/system.slice/ssh.service")
    assert names(look(sshd, killer=oomd(), files=[("/etc/systemd/system/ssh.service", 7, "[Service]\n")])) == []


def test_a_preference_of_a_users_control_group(look, tmp_path, monkeypatch):
    """A user may write it, and systemd-oomd ignores it."""
    group = tmp_path / WEB[1:]
    group.mkdir(parents=True)
    monkeypatch.setattr(os, "getxattr", lambda _path, name: b"1" if name == "user.oomd_omit" else b"0")
    web, pinned = (
        task("web", MIB, score=-500, cgroup=WEB, pid=7),
        [PinnedUnit("web.service", -500, -500, "stop", 7, WEB)],
    )
    assert look(web, killer=oomd(), pinned=pinned).unbound == []
    os.chown(str(group), 1000, -1)
    [found] = look(web, killer=oomd(), pinned=pinned).unbound
    assert (found.reason, found.preference) == ("systemd-oomd ignores the preference of a user's control group", None)


def test_a_killer_that_does_not_run(look):
    idle = oomd(active=False)
    assert look(task("web", MIB, score=-500, cgroup=WEB), killer=idle) == KillerFacts([idle])


def test_an_expression_that_is_not_understood(look):
    earlyoom = UserKiller("earlyoom", "x", True, True, None, EarlyoomArguments(prefer=r"(w)\1"))
    pinned = [PinnedUnit("web.service", -100, -100, "stop", 7, WEB)]
    found = look(task("web", MIB, score=-100, cgroup=WEB, pid=7), killer=earlyoom, pinned=pinned)
    assert found.unbound == [] and "its --prefer cannot be interpreted" in found.warnings[0]


def test_what_concerns_all_pins_is_said_once(look):
    earlyoom = UserKiller("earlyoom", "x", True, True, None, EarlyoomArguments(kills_groups=True))
    tasks = [task("web", MIB, score=-100, pid=7), task("db", MIB, score=-100, pid=8)]
    assert len(look(*tasks, killer=earlyoom, recorded={7, 8}).warnings) == 1


def test_a_raised_score_that_is_not_counted(look):
    nohang = UserKiller("nohang", "nohang.service", True, True, None, NohangSettings("/x", True))
    tasks = [task("web", MIB, score=300, cgroup=WEB, pid=7), task("session", MIB, score=200, pid=8)]
    pinned = [PinnedUnit("web.service", 300, 300, "stop", 7, WEB)]
    assert names(look(*tasks, killer=nohang, pinned=pinned)) == [("web.service", "web.service", "web")]


def test_a_configuration_that_is_not_understood(look):
    strange = UserKiller("nohang", "nohang.service", True, True, problem="x")
    [warning] = look(task("web", MIB, score=-500, cgroup=WEB), killer=strange).warnings
    assert warning.startswith("nohang runs, and whether it goes by pins is not known: x")
