# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN, Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import KILLER_UNITS
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.units import (
    ask_for_units,
    list_pinned_units,
    read_units,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit

SHOWN = """\
Id={name}
Names={name}
LoadState={load}
ActiveState={active}
Type=simple
MainPID={pid}
ControlGroup=/system.slice/{name}
FragmentPath=
DropInPaths=
Delegate=no
OOMScoreAdjust=-500
OOMPolicy=stop
"""


class Host:
    """A tree of drop-ins, and a systemctl that knows some units."""

    def __init__(self, root):
        self.root = root
        self.running = {}  # pid by unit
        self.installed = set()
        self.calls = []
        (root / "run/systemd/system").mkdir(parents=True)

    def pin(self, unit, text=HEADER + "\n[Service]\nOOMScoreAdjust=-500\n", name=DROP_IN):
        folder = self.root / f"etc/systemd/system/{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def read(self):
        systemd = Systemd(str(self.root), self._start)
        ask_for_units(systemd)
        return read_units(systemd)

    def _start(self, *command):
        self.calls.append(command)
        names = command[command.index("--") + 1 :]
        return lambda: "\n".join(self._show(name) for name in names)

    def _show(self, name):
        if name not in self.installed:
            return f"Id={name}\nNames={name}\nLoadState=not-found\nActiveState=inactive\n"
        pid = self.running.get(name, 0)
        return SHOWN.format(name=name, load="loaded", active="active" if pid else "inactive", pid=pid)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_killers_and_pins_with_one_call(host):
    host.installed = {"earlyoom.service", "systemd-oomd.service", "web.service"}
    host.running = {"systemd-oomd.service": 5, "web.service": 7}
    host.pin("web.service")
    units, pinned = host.read()
    assert list(units) == list(KILLER_UNITS)
    assert [name for name, unit in units.items() if unit.running] == ["systemd-oomd.service"]
    assert pinned == [PinnedUnit("web.service", -500, -500, "stop", 7, "/system.slice/web.service")]
    assert len(host.calls) == 1


def test_a_later_drop_in_wins(host):
    host.installed = {"web.service"}
    host.pin("web.service")
    host.pin("web.service", "[Service]\nOOMScoreAdjust=100\n", "99-colleague.conf")
    [pinned] = host.read()[1]
    assert (pinned.score, pinned.after_restart, pinned.main_pid) == (-500, 100, 0)


@pytest.mark.parametrize("text", ["", "[Service]\nOOMPolicy=continue\n", "[Service]\nOOMScoreAdjust=many\n"])
def test_a_drop_in_without_a_score(host, text):
    host.installed = {"web.service"}
    host.pin("web.service", HEADER + "\n" + text)
    assert host.read()[1] == []


def test_a_removed_package(host):
    host.pin("gone.service")
    assert host.read()[1] == []


def test_a_drop_in_of_a_colleague_with_the_name_of_ours(host):
    host.installed = {"web.service"}
    host.pin("web.service", "[Service]\nOOMScoreAdjust=-500\n")
    assert host.read()[1] == []


def test_which_folders_are_ours(host):
    host.pin("web.service")
    host.pin("other.service", name="50-other.conf")
    host.pin("slice.slice")
    host.pin("x --help.service")
    assert list_pinned_units(Systemd(str(host.root))) == ["web.service"]


def test_no_folder(tmp_path):
    assert list_pinned_units(Systemd(str(tmp_path / "nothing"))) == []


def test_folder_that_cannot_be_read(tmp_path):
    (tmp_path / "etc/systemd").mkdir(parents=True)
    (tmp_path / "etc/systemd/system").symlink_to("system")
    assert list_pinned_units(Systemd(str(tmp_path))) == []


def test_without_systemd(tmp_path):
    assert read_units(Systemd(str(tmp_path))) == ({}, [])


def test_systemctl_fails(host):
    systemd = Systemd(str(host.root), lambda *_command: lambda: "Id=x")
    with pytest.raises(OomError, match="incomplete"):
        read_units(systemd)
