# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units and cgroups on hosts of Ubuntu, of SUSE, and of the family of RHEL."""

import pytest
from distribution_trees import unpack_tree

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    cgroup_hierarchies,
    memory_hierarchy,
    own_cgroup,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit


@pytest.fixture
def host(tmp_path):
    """Return a function that unpacks a tree; it returns its systemd, which started no service."""

    def build(name):
        unpack_tree(name, tmp_path)
        (tmp_path / "run/systemd/system").mkdir(parents=True)
        return Systemd(str(tmp_path), lambda *_command: lambda: "")

    return build


# The template of a profile, and its instances. On SUSE somebody enabled the template itself.
INSTANCES = {
    "ubuntu-22.04": ("postgresql@", ["postgresql@14-main.service"]),
    "oracle-8": ("postgresql@", []),
    "suse-15.4": ("redis@", []),
}


@pytest.mark.parametrize("name, template, found", [(name, *case) for name, case in INSTANCES.items()])
def test_instances(host, name, template, found):
    assert host(name).instances_of([template]) == found


# The unit, its file, the score of its packager, and our drop-in.
SERVICES = {
    "ubuntu-22.04": ("postgresql@14-main.service", "/lib/systemd/system/postgresql@.service", -900),
    "oracle-8": ("postgresql.service", "/usr/lib/systemd/system/postgresql.service", -1000),
}


@pytest.mark.parametrize("name, unit_id, fragment, score", [(name, *case) for name, case in SERVICES.items()])
def test_score_of_the_packager(host, name, unit_id, fragment, score):
    systemd = host(name)
    unit = Unit(unit_id, [unit_id], "loaded", "active", "forking", 9, "", fragment, [], False, score, None)
    assert systemd.score_after(unit, None) == score
    planned = systemd.drop_in(unit, {"OOMScoreAdjust": "-500"})
    assert planned.path == f"/etc/systemd/system/{unit_id}.d/60-oomguard.conf"
    assert (systemd.score_after(unit, planned), systemd.find_winner(unit, "OOMScoreAdjust", planned)) == (
        -500,
        planned.path,
    )


def test_only_services_that_can_run_are_suggested(host):
    assert host("ubuntu-22.04").known_services() == ["postgresql.service"]


# The version that limits memory, its mount, and all versions that are mounted.
LAYOUTS = {
    "cgroups-hybrid": (1, "/sys/fs/cgroup/memory", {1, 2}),
    "cgroups-1": (1, "/sys/fs/cgroup/memory", {1}),
    "cgroups-2": (2, "/sys/fs/cgroup", {2}),
}


@pytest.mark.parametrize("name, version, mount, versions", [(name, *case) for name, case in LAYOUTS.items()])
def test_memory_hierarchy(tmp_path, name, version, mount, versions):
    procfs = unpack_cgroups(name, tmp_path)
    found = memory_hierarchy(procfs)
    assert (found.version, found.mount, found.root) == (version, str(tmp_path) + mount, "/")
    assert {one.version for one in cgroup_hierarchies(procfs)} == versions


def unpack_cgroups(name, root):
    """Unpack a tree whose cgroups are mounted below the root; return its procfs."""
    unpack_tree(name, root)
    mountinfo = root / "proc/self/mountinfo"
    mountinfo.write_text(mountinfo.read_text().replace(" /sys/fs/cgroup", f" {root}/sys/fs/cgroup"))
    (root / "sys/fs/cgroup/unified").mkdir(parents=True)
    controllers = "memory\n" if name == "cgroups-2" else ""
    for folder in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
        (root / folder / "cgroup.controllers").write_text(controllers)
    return Procfs(str(root / "proc"))


def test_own_cgroup_of_a_hybrid_host(tmp_path):
    """Only some controllers have a session's own cgroup there."""
    procfs = unpack_cgroups("cgroups-hybrid", tmp_path)
    found = {one.mount[len(str(tmp_path)) :]: own_cgroup(procfs, one) for one in cgroup_hierarchies(procfs)}
    session = "/user.slice/user-1006.slice/session-17838.scope"
    assert found == {
        "/sys/fs/cgroup/unified": session,
        "/sys/fs/cgroup/systemd": session,
        "/sys/fs/cgroup/memory": session,
        "/sys/fs/cgroup/rdma": "/",
        "/sys/fs/cgroup/net_cls,net_prio": "/",
        "/sys/fs/cgroup/cpu,cpuacct": "/user.slice",
    }
