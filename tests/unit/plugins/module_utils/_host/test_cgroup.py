# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cgroups: hierarchies of every shape from text."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    Hierarchy,
    cgroup_hierarchies,
    find_cgroup,
    memory_hierarchy,
    own_cgroup,
    pids_in_cgroup,
)

V1 = "30 24 0:26 / {0}/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
NAMED = "31 24 0:27 / {0}/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
V2 = "32 24 0:28 / {0}/unified rw - cgroup2 cgroup2 rw\n"
ROOT = "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"


def mounts(proc, tmp_path, *lines, v2_controllers=""):
    for name in ("memory", "systemd", "unified"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "unified/cgroup.controllers").write_text(v2_controllers)
    proc.write("self/mountinfo", ROOT + "".join(line.format(tmp_path) for line in lines))
    return proc.procfs


MEMORY_IS_ON = {
    "version 1": ((V1, NAMED), "", 1),
    "version 2": ((V2,), "cpu io memory pids", 2),
    "hybrid: limits are where the memory controller is": ((V2, V1, NAMED), "", 1),
}


@pytest.mark.parametrize("lines, controllers, version", MEMORY_IS_ON.values(), ids=list(MEMORY_IS_ON))
def test_the_hierarchy_that_limits_memory_is_found(proc, tmp_path, lines, controllers, version):
    hierarchy = memory_hierarchy(mounts(proc, tmp_path, *lines, v2_controllers=controllers))
    assert hierarchy.version == version
    proc.write("self/cgroup", "9:name=systemd:/no\n4:memory:/me\n0::/me\n")
    assert own_cgroup(proc.procfs, hierarchy) == "/me"


def test_a_host_without_memory_cgroups_is_told_so(proc, tmp_path):
    procfs = mounts(proc, tmp_path, NAMED, V2, v2_controllers="cpu")
    with pytest.raises(UnsupportedError, match="no memory cgroup controller is mounted"):
        memory_hierarchy(procfs)
    proc.write("self/cgroup", "9:name=systemd:/no\n")
    with pytest.raises(UnsupportedError, match="in no cgroup of"):
        own_cgroup(procfs, Hierarchy(2, [], "/m", "/"))


@pytest.mark.parametrize(
    "root, path, directory",
    [
        ("/", "/a/b", "/m/a/b"),
        ("/docker/id", "/docker/id/a", "/m/a"),
        ("/docker/id", "/docker/id", "/m"),
        ("/docker/id", "/docker/idle", "/m/docker/idle"),
    ],
)
def test_a_bind_mount_shows_a_part_of_the_hierarchy(root, path, directory):
    hierarchy = Hierarchy(1, ["memory"], "/m", root)
    assert hierarchy.directory(path) == directory


def test_a_folder_leads_back_to_its_path():
    assert Hierarchy(1, ["memory"], "/m", "/docker/id").path("/m/a") == "/docker/id/a"
    assert Hierarchy(2, [], "/m", "/").path("/m/a") == "/a"


def test_blanks_in_a_mount_point_are_escaped(proc):
    proc.write("self/mountinfo", "30 24 0:26 / /my\\040cgroups\\134x rw - cgroup cgroup rw,memory\n")
    assert cgroup_hierarchies(proc.procfs)[0].mount == "/my cgroups\\x"


def test_a_unit_without_a_memory_cgroup_is_found_where_systemd_keeps_it(proc, tmp_path):
    procfs = mounts(proc, tmp_path, NAMED, V1)
    (tmp_path / "systemd/system.slice/cron.service").mkdir(parents=True)
    assert find_cgroup(procfs, "/system.slice/cron.service") == str(tmp_path / "systemd/system.slice/cron.service")
    (tmp_path / "memory/system.slice/cron.service").mkdir(parents=True)
    assert find_cgroup(procfs, "/system.slice/cron.service") == str(tmp_path / "memory/system.slice/cron.service")
    with pytest.raises(NotFoundError, match="cgroup /nope does not exist below"):
        find_cgroup(procfs, "/nope")


def test_a_cgroup_that_is_removed_while_it_is_listed_is_no_error(tmp_path):
    (tmp_path / "a/gone").mkdir(parents=True)
    (tmp_path / "a/cgroup.procs").write_text("5\n6\n")
    assert pids_in_cgroup(str(tmp_path / "a")) == [5, 6]
