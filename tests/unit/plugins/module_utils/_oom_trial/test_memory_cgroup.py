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
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    MemoryCgroup,
    count_limit_hits,
    headroom_kb,
    is_path_absolute,
    sees_every_process,
)


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


def test_count_the_hits_of_limits_above(tmp_path):
    trial = tmp_path / "outer/inner/trial"
    trial.mkdir(parents=True)
    for folder, limit in ((tmp_path / "outer", "4096"), (tmp_path / "outer/inner", "max"), (trial, "4096")):
        (folder / "memory.max").write_text(limit)
    (tmp_path / "outer/memory.events.local").write_text("low 0\noom 3\noom_kill 1\n")
    hierarchy = Hierarchy(2, [], str(tmp_path), "/")
    assert count_limit_hits(hierarchy, str(trial)) == {str(tmp_path / "outer"): 3}
    assert count_limit_hits(hierarchy, str(tmp_path / "outer")) == {}
    assert count_limit_hits(hierarchy._replace(root="/docker/x"), str(trial)) is None
    (tmp_path / "outer/memory.events.local").unlink()
    assert count_limit_hits(hierarchy, str(trial)) is None


def test_count_the_hits_of_version_1(tmp_path):
    (tmp_path / "outer").mkdir()
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712")
    (tmp_path / "outer/memory.limit_in_bytes").write_text("4096")
    (tmp_path / "outer/memory.failcnt").write_text("7\n")
    hierarchy = Hierarchy(1, ["memory"], str(tmp_path), "/")
    assert count_limit_hits(hierarchy, str(tmp_path / "outer/trial")) == {str(tmp_path / "outer"): 7}


def test_paths_in_a_namespace_are_not_those_of_the_log(proc, tmp_path):
    assert is_path_absolute(proc.procfs)  # before kernel 4.6
    (proc.root / "self/ns").mkdir()
    for link, expected in (("cgroup:[4026531835]", True), ("cgroup:[4026532000]", False)):
        os.symlink(link, str(proc.root / "self/ns/cgroup"))
        assert is_path_absolute(proc.procfs) is expected
        (proc.root / "self/ns/cgroup").unlink()


def test_pids_in_a_namespace_are_not_those_of_the_log(proc):
    assert sees_every_process(proc.procfs)  # before kernel 3.8
    (proc.root / "self" / "ns").mkdir()
    for shown, expected in (("pid:[4026531836]", True), ("pid:[4026532000]", False)):
        (proc.root / "self" / "ns" / "pid").symlink_to(shown)
        assert sees_every_process(proc.procfs) is expected
        (proc.root / "self" / "ns" / "pid").unlink()


def test_kill_no_process_of_another_namespace(tmp_path, monkeypatch):
    """The kernel lists it as pid 0, and kill(2) with pid 0 would reach our own process group."""
    (tmp_path / "cgroup.procs").write_text("0\n4999999\n0\n")
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: killed.append(pid))
    MemoryCgroup(Hierarchy(1, ["memory"], str(tmp_path), "/"), str(tmp_path)).kill()
    assert killed == [4999999]


def test_fail_if_the_kernel_shows_another_limit(tmp_path):
    (tmp_path / "memory.max").write_text("4096")
    cgroup = MemoryCgroup(Hierarchy(2, [], str(tmp_path), "/"), str(tmp_path))
    cgroup._write = lambda _name, _value: None
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


def test_remove_a_deep_tree(cgroup):
    """Python before 3.12 walks no folders that are nested deeper than its recursion limit."""
    folder = cgroup.directory
    for _level in range(50):
        folder = os.path.join(folder, "n")
        os.mkdir(folder)
    assert cgroup.remove()


def test_a_folder_can_have_any_name(cgroup):
    below = MemoryCgroup(memory_hierarchy(Procfs()), os.path.join(cgroup.directory, "h\u00f6g"))
    below.create()
    below.set_limit(16 * 1024)
    assert (below.limit_kb(), below.processes(), below.oom_kills()) == (16 * 1024, [], 0)
    assert below.remove()


def test_name_what_the_kernel_refuses(cgroup):
    with pytest.raises(AccessError, match="File exists"):
        cgroup.create()
    with pytest.raises(AccessError, match=r"cannot be set to -1024 \(Invalid argument\): set cgroup_parent"):
        cgroup.set_limit(-1)
