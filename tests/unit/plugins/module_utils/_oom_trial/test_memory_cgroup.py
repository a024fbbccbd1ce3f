# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private memory cgroups: trees of ordinary files, then a real one of this machine."""

import os
import subprocess

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, ReadBackError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import Hierarchy, memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup, headroom_kb


def test_headroom_below_the_tightest_cgroup(tmp_path):
    inner = tmp_path / "outer/inner"
    inner.mkdir(parents=True)
    for folder, limit, usage in (
        (tmp_path, "max", "9"),
        (tmp_path / "outer", str(8 << 20), str(3 << 20)),
        (inner, str(99 << 20), "0"),
    ):
        (folder / "memory.max").write_text(limit)
        (folder / "memory.current").write_text(usage)
    hierarchy = Hierarchy(2, [], str(tmp_path), "/")
    assert headroom_kb(hierarchy, str(inner)) == 5 * 1024
    assert headroom_kb(hierarchy, str(tmp_path)) is None


def test_fail_if_the_kernel_shows_another_limit(tmp_path):
    (tmp_path / "memory.max").write_text("4096")
    cgroup = MemoryCgroup(Hierarchy(2, [], str(tmp_path), "/"), str(tmp_path))
    cgroup._write = lambda _what, _value: None
    with pytest.raises(ReadBackError, match="shows 4 KiB after 1024 KiB was written"):
        cgroup.set_limit(1024)


def test_read_kills_of_version_2(tmp_path):
    (tmp_path / "memory.events").write_text("low 0\noom 2\noom_kill 1\noom_group_kill 0\n")
    assert MemoryCgroup(Hierarchy(2, [], str(tmp_path), "/"), str(tmp_path)).oom_kills() == 1


def test_read_no_kills_before_4_13(tmp_path):
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\n")
    assert MemoryCgroup(Hierarchy(1, [], str(tmp_path), "/"), str(tmp_path)).oom_kills() is None


def test_name_a_parent_without_the_controller(tmp_path):
    """Without memory in cgroup.subtree_control (version 2) the folder is made without the files."""
    cgroup = MemoryCgroup(Hierarchy(2, [], str(tmp_path), "/"), str(tmp_path / "x"))
    with pytest.raises(UnsupportedError, match=r"cgroup\.subtree_control does not enable the memory controller"):
        cgroup.create()
    assert not cgroup.exists()


# --- against the running kernel ---------------------------------------------------


@pytest.fixture
def cgroup():
    hierarchy = memory_hierarchy(Procfs())
    one = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguardunit_{os.getpid()}"))
    one.create()
    yield one
    assert one.remove()


def test_limit_fill_empty_and_remove_a_cgroup(cgroup):
    assert cgroup.limit_kb() is None
    cgroup.set_limit(16 * 1024)
    assert cgroup.limit_kb() == 16 * 1024
    assert cgroup.oom_kills() == 0
    child = subprocess.Popen(["sleep", "60"])
    with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
        procs.write(str(child.pid))
    os.mkdir(os.path.join(cgroup.directory, "nested"))
    assert cgroup.processes() == [child.pid]
    assert cgroup.remove()
    assert child.wait() == -9
    assert not cgroup.exists()


def test_name_what_the_kernel_refuses(cgroup):
    with pytest.raises(AccessError, match="File exists"):
        cgroup.create()
    with pytest.raises(AccessError, match="cannot be set to -1024: Invalid argument"):
        cgroup.set_limit(-1) if cgroup.version == 2 else cgroup._write("limit", "-1024")
