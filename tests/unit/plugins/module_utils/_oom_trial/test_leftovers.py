# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What killed trials leave, and what only looks like it: nothing of others is ever killed."""

import contextlib
import os
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import choose_launcher
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import (
    find_leftovers,
    name_trial_cgroup,
    own_cgroup_name,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes a folder like a cgroup with pids, and returns its parent."""

    def make(name, *pids):
        (tmp_path / "cgroups" / name).mkdir(parents=True)
        (tmp_path / "cgroups" / name / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        return str(tmp_path / "cgroups")

    return make


def test_a_cgroup_is_named_after_its_trial():
    owner = Process(4711, "python", 99, 1, False, 0)
    assert name_trial_cgroup(owner) == "oomguardtrial_4711_99"
    assert own_cgroup_name(Procfs()).startswith(f"oomguardtrial_{os.getpid()}_")


def test_find_only_what_no_trial_owns(proc, folder, tmp_path):
    proc.process(7, start_time=100)
    proc.process(8, start_time=100)
    names = ("oomguardtrial_7_100", "oomguardtrial_8_99", "oomguardtrial_9_1.slice", "oomguardtrial_x_1", "other")
    for name in names:
        parent = folder(name)
    (tmp_path / "cgroups" / "oomguardtrial_9_2").symlink_to(tmp_path)
    (tmp_path / "cgroups" / "oomguardtrial_9_3").write_text("no folder")
    assert sorted(find_leftovers(proc.procfs, parent, 2)) == ["oomguardtrial_8_99", "oomguardtrial_9_1.slice"]
    assert find_leftovers(proc.procfs, str(tmp_path / "missing"), 2) == []


@pytest.mark.parametrize(
    "version, owner, owner_of_parent, is_swept",
    [
        (1, 0, 0, True),
        (2, 0, 0, True),
        (1, 65534, 0, False),
        (2, 65534, 0, False),
        (1, 65534, 65534, False),
        (2, 65534, 65534, False),
        (1, 0, 65534, False),  # the owner of the parent may have renamed it
        (2, 0, 65534, True),
    ],
)
def test_leave_what_another_user_named_like_a_trial(proc, folder, version, owner, owner_of_parent, is_swept):
    parent = folder("oomguardtrial_9_1")
    os.chown(os.path.join(parent, "oomguardtrial_9_1"), owner, owner)
    os.chown(parent, owner_of_parent, owner_of_parent)
    assert find_leftovers(proc.procfs, parent, version) == (["oomguardtrial_9_1"] if is_swept else [])


def test_leave_a_trial_that_is_hidden_from_us(proc, folder):
    """With the mount option hidepid, another user's process cannot be read."""
    proc.procfs.hidden.add(9)
    assert find_leftovers(proc.procfs, folder("oomguardtrial_9_1"), 2) == []


@pytest.mark.parametrize(
    "name", ["oomguardtrial_9_1\n", "oomguardtrial_\u0669_1", "xoomguardtrial_9_1", "oomguardtrial_" + "9" * 99 + "_1"]
)
def test_leave_what_is_named_a_little_like_a_trial(proc, folder, name):
    assert find_leftovers(proc.procfs, folder(name), 2) == []


# Process 30 is in the cgroup of trial 9, which began at 50. Is it a program of the trial?
INSIDE = {
    "a program of the trial": (dict(start_time=51), True),
    "a program of the trial, started at once": (dict(start_time=50), True),
    "a process older than the trial": (dict(start_time=49), False),
    "a process of another user": (dict(start_time=51, uids=(65534,) * 4), False),
    "a process of a container": (dict(start_time=51, nested=True), False),
}


@pytest.mark.parametrize("process, is_swept", INSIDE.values(), ids=list(INSIDE))
def test_leave_a_cgroup_with_processes_of_others(proc, folder, process, is_swept):
    proc.process(30, **process)
    parent = folder("oomguardtrial_9_50", 30)
    assert find_leftovers(proc.procfs, parent, 2) == (["oomguardtrial_9_50"] if is_swept else [])


def test_a_program_that_has_ended_is_no_hindrance(proc, folder):
    assert find_leftovers(proc.procfs, folder("oomguardtrial_9_50", 31), 2) == ["oomguardtrial_9_50"]


def test_leave_what_cannot_be_read(proc, folder, monkeypatch):
    def denied(_self, _pid):
        raise PermissionError

    proc.process(30, start_time=51)
    parent = folder("oomguardtrial_9_50", 30)
    monkeypatch.setattr(Procfs, "open", denied)
    assert find_leftovers(proc.procfs, parent, 2) == []
    monkeypatch.undo()
    os.remove(os.path.join(parent, "oomguardtrial_9_50", "cgroup.procs"))
    os.mkdir(os.path.join(parent, "oomguardtrial_9_50", "cgroup.procs"))
    assert find_leftovers(proc.procfs, parent, 2) == []


def test_leave_the_trial_of_a_container(proc, folder):
    """The trial has pid 9 in its container, and pid 30 here."""
    proc.process(30, start_time=50)
    proc.write("30/status", "Name:\tx\nNSpid:\t30\t9\n")
    assert find_leftovers(proc.procfs, folder("oomguardtrial_9_50"), 2) == []


def test_a_container_finds_nothing(proc, folder, tmp_path):
    """It sees neither the trials of the host nor their pids."""
    parent = folder("oomguardtrial_9_50")
    (tmp_path / "proc" / "self" / "ns").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "ns" / "pid").symlink_to("pid:[4026532000]")
    assert find_leftovers(proc.procfs, parent, 2) == []


SWEEP = """
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import choose_launcher
print(choose_launcher(Procfs(), "cgroupfs", None).sweep())
"""


@contextlib.contextmanager
def cgroup_with_a_process(name):
    """Make a memory cgroup with this name and a process in it."""
    hierarchy = memory_hierarchy(Procfs())
    cgroup = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, name))
    cgroup.create()
    child = subprocess.Popen(["sleep", "60"])
    try:
        with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
            procs.write(str(child.pid))
        yield child
    finally:
        child.kill()
        child.wait()
        assert cgroup.remove()


def test_a_container_does_not_kill_the_trial_of_the_host():
    """It shares the tree of cgroups, but has pids of its own, where the trial does not exist."""
    with cgroup_with_a_process(own_cgroup_name(Procfs())) as child:
        container = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", SWEEP]
        assert subprocess.check_output(container, universal_newlines=True) == "[]\n"
        assert child.poll() is None


def test_the_host_does_not_kill_the_trial_of_a_container():
    code = (
        "import os\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import own_cgroup_name\n"
        "print(own_cgroup_name(Procfs()), flush=True)\n"
        "input()"
    )
    trial = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    name = trial.stdout.readline().strip()
    assert name.startswith("oomguardtrial_1_")
    with cgroup_with_a_process(name) as child:
        assert name not in choose_launcher(Procfs(), "cgroupfs", None).sweep()
        assert child.poll() is None
        trial.communicate("\n")
        assert choose_launcher(Procfs(), "cgroupfs", None).sweep() == [name]  # its trial has ended
        assert child.wait() == -9


def test_do_not_kill_in_a_cgroup_of_another_user():
    """A user owns a cgroup, gives one below it the name of a trial, and runs a program in it."""
    hierarchy = memory_hierarchy(Procfs())
    delegated = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguarduser_{os.getpid()}"))
    delegated.create()
    imitation = MemoryCgroup(hierarchy, os.path.join(delegated.directory, "oomguardtrial_9_1"))
    imitation.create()
    beside = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, "oomguardtrial_9_2"))
    beside.create()
    for one in (delegated, imitation, beside):
        os.chown(one.directory, 65534, 65534)
    children = [subprocess.Popen(["sleep", "60"]) for _cgroup in range(2)]
    try:
        for one, child in zip((imitation, beside), children):
            with open(os.path.join(one.directory, "cgroup.procs"), "w") as procs:
                procs.write(str(child.pid))
        assert choose_launcher(Procfs(), "cgroupfs", delegated.directory).sweep() == []
        assert "oomguardtrial_9_2" not in choose_launcher(Procfs(), "cgroupfs", None).sweep()
        assert [child.poll() for child in children] == [None, None]
    finally:
        for child in children:
            child.kill()
            child.wait()
        assert beside.remove() and delegated.remove()
