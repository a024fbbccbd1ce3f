# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    NotFoundError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info import asked_domain
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.asked_domain import (
    find_domain_cgroup,
    measure_domain,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.request import KINDS, AskedDomain

UNIT = "/system.slice/web.service"
CONTAINER_ID = "a1" * 32


@pytest.fixture
def host(proc, tmp_path, monkeypatch):
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path}/cgroup rw - cgroup2 cgroup2 rw\n")
    for path in (UNIT, "/docker/" + CONTAINER_ID, "/machine.slice/machine-web.scope"):
        (tmp_path / ("cgroup" + path)).mkdir(parents=True)
    (tmp_path / "cgroup/cgroup.controllers").write_text("memory\n")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    proc.shown = f"LoadState=loaded\nActiveState=active\nControlGroup={UNIT}\n"

    def start(*command):
        name = command[-1]
        return lambda: (
            f"Id={name}\nNames={name}\n{proc.shown}Type=simple\nMainPID=0\nFragmentPath=\nDropInPaths=\n"
            "Delegate=no\nOOMScoreAdjust=0\nOOMPolicy=stop\n"
        )

    proc.systemd = Systemd(str(tmp_path), start)
    return proc


def find(host, kind, name):
    return find_domain_cgroup(AskedDomain(kind, name), host.procfs, host.systemd)


def test_the_host(host):
    assert find(host, "host", "") is None


@pytest.mark.parametrize(
    "kind, name, path", [("cgroup", UNIT, UNIT), ("cgroup", UNIT + "/", UNIT), ("unit", "web", UNIT)]
)
def test_find(host, kind, name, path):
    assert find(host, kind, name) == path


def test_container(host):
    assert find(host, "container", CONTAINER_ID[:12]) == "/docker/" + CONTAINER_ID


def test_machine(host, monkeypatch):
    from ansible_collections.oomguard.linux.plugins.module_utils._host import machines

    monkeypatch.setattr(machines, "find_machine_cgroup", lambda _procfs, name: f"/machine.slice/machine-{name}.scope")
    assert find(host, "machine", "web") == "/machine.slice/machine-web.scope"


@pytest.mark.parametrize(
    "kind, name, error, words",
    [
        ("cgroup", "/nowhere", NotFoundError, "cgroup /nowhere does not exist"),
        ("cgroup", "/", InputError, "is the whole host"),
        ("cgroup", "../x", InputError, "is not a cgroup path"),
        ("unit", "web.slice", InputError, "web.slice is a slice"),
        ("unit", "a b", InputError, "is not a name of a unit"),
        ("container", "nosuch", NotFoundError, "no running container has the id or name nosuch"),
        ("machine", "nosuch", NotFoundError, "machine nosuch does not run"),
    ],
)
def test_what_is_not_there(host, kind, name, error, words):
    with pytest.raises(error, match=words):
        find(host, kind, name)


@pytest.mark.parametrize(
    "shown, error, words",
    [
        ("LoadState=not-found\nActiveState=inactive\n", NotFoundError, "web.service"),
        (
            "LoadState=loaded\nActiveState=inactive\nControlGroup=\n",
            InputError,
            "unit web.service does not run, so it has no cgroup: start it first",
        ),
    ],
)
def test_units_without_a_cgroup(host, shown, error, words):
    host.shown = shown
    with pytest.raises(error, match=words):
        find(host, "unit", "web")


def test_without_systemd(host, tmp_path):
    (tmp_path / "run/systemd/system").rmdir()
    with pytest.raises(UnsupportedError, match=r"unit=web.service: systemd does not manage this host.*by its cgroup"):
        find(host, "unit", "web")
    assert find(host, "cgroup", UNIT) == UNIT


def test_without_a_memory_controller(host, tmp_path):
    (tmp_path / "cgroup/cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(UnsupportedError, match="no memory cgroup controller is mounted"):
        find(host, "cgroup", UNIT)
    assert find(host, "host", "") is None


def test_measure():
    snapshot = host_with(task("x"), cgroups=[limited("/a", 9 * MIB), limited("/a/b", None)])
    assert measure_domain(snapshot, None).is_host
    assert measure_domain(snapshot, "/a/b").path == "/a"
    with pytest.raises(InputError, match=r"cgroup /c has no memory limit, nor has one above it.*use domain=host"):
        measure_domain(snapshot, "/c")


def test_each_kind_has_its_finder():
    assert set(KINDS) == set(asked_domain._FINDERS)
