# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading processes: from a tree of files, and from the kernel itself."""

import os
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Process, Procfs

NAMES = {
    "plain": (b"sshd", "sshd"),
    "blanks and brackets": (b"a) (b", "a) (b"),
    "looks like the fields that follow": (b"x) S 1 2", "x) S 1 2"),
    "not UTF-8": (b"caf\xe9", "caf\\xe9"),
    "a line end": (b"two\nlines", "two\nlines"),
}


@pytest.mark.parametrize("raw, name", NAMES.values(), ids=list(NAMES))
def test_a_process_is_read_whatever_its_name(proc, raw, name):
    proc.process(7, raw, start_time=4242, parent=3)
    with proc.procfs.open(7) as directory:
        assert directory.process() == Process(7, name, 4242, 3, False, 0)


def test_kernel_threads_are_no_processes_that_can_be_killed(proc):
    proc.process(2, "kthreadd", kernel_thread=True)
    proc.process(900, "sshd")
    assert [process.name for process in proc.procfs.processes()] == ["sshd"]


@pytest.mark.parametrize(
    "link, name", [("/usr/bin/dockerd", "dockerd"), ("/usr/bin/dockerd (deleted)", "dockerd"), (None, None)]
)
def test_the_program_is_known_by_its_base_name_even_after_an_upgrade(proc, link, name):
    proc.process(7, exe=link)
    with proc.procfs.open(7) as directory:
        assert directory.executable() == name


def test_ancestors_end_at_init_or_where_a_parent_is_gone(proc):
    proc.process(1, "init", parent=0)
    proc.process(5, "sshd", parent=1)
    proc.process(9, "bash", parent=5)
    proc.process(11, "orphan", parent=10)
    assert proc.procfs.ancestors(9) == [9, 5, 1]
    assert proc.procfs.ancestors(11) == [11, 10]


def test_numbers_of_the_host(proc):
    proc.write("vmstat", "pgfault 12\noom_kill 3\n")
    proc.write("meminfo", "MemTotal:  2048 kB\nMemAvailable:   1024 kB\n")
    assert proc.procfs.oom_kills() == 3
    assert proc.procfs.memory_kb("MemAvailable") == 1024
    assert proc.procfs.has_cap_sys_resource() is True


def test_old_kernels_do_not_count_kills_and_are_told_apart(proc):
    proc.write("vmstat", "pgfault 12\n")
    proc.write("meminfo", "MemTotal:  2048 kB\n")
    proc.write("self/status", "Name: x\nCapEff:\t000001fffeffffff\n")
    assert proc.procfs.oom_kills() is None
    assert proc.procfs.has_cap_sys_resource() is False
    with pytest.raises(UnsupportedError, match="MemAvailable"):
        proc.procfs.memory_kb("MemAvailable")


def test_a_status_without_capabilities_means_none(proc):
    proc.write("self/status", "Name: x\n")
    assert proc.procfs.has_cap_sys_resource() is False


def test_a_missing_file_is_named(proc):
    with pytest.raises(NotFoundError, match="sys/vm/panic_on_oom does not exist"):
        proc.procfs.read("sys/vm/panic_on_oom")


def test_a_file_that_may_not_be_read_is_named(proc, monkeypatch):
    proc.write("secret", "x")

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)  # root may read everything, so the kernel cannot say it for us
    with pytest.raises(AccessError, match="secret cannot be read: Permission denied"):
        proc.procfs.read("secret")


# --- against the running kernel ---------------------------------------------------


def test_an_open_directory_never_becomes_another_process():
    """The kernel's promise that every write rests on."""
    child = subprocess.Popen(["sleep", "60"])
    with Procfs().open(child.pid) as directory:
        assert directory.process().name == "sleep"
        child.kill()
        child.wait()
        for look in (directory.process, directory.score, lambda: directory.set_score(0)):
            with pytest.raises(GONE):
                look()
    assert child.pid not in Procfs().pids()


def test_this_very_process_is_read_right():
    with Procfs().open(os.getpid()) as directory:
        process = directory.process()
        assert (process.pid, process.parent, process.kernel_thread) == (os.getpid(), os.getppid(), False)
        assert directory.executable() == os.path.basename(os.path.realpath(sys.executable))
        assert "pytest" in directory.command_line()
        assert directory.cgroups()
    assert os.getpid() in [one.pid for one in Procfs().processes()]
    assert Procfs().ancestors(os.getpid())[-1] == 1


def test_a_process_that_has_no_program_any_more_has_no_name_for_it():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    with Procfs().open(child.pid) as directory:
        assert directory.executable() is None
        assert directory.command_line() == ""
    child.wait()
