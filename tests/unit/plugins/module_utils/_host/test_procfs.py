# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes read from a tree of files, and from the running kernel."""

import os
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host import procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process, Thread
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import (
    GONE,
    MAX_ARGUMENTS_BYTES,
    MAX_FILE_BYTES,
    Procfs,
)

NAMES = {
    "plain": (b"sshd", "sshd"),
    "blanks and brackets": (b"a) (b", "a) (b"),
    "looks like the fields that follow": (b"x) S 1 2", "x) S 1 2"),
    "not UTF-8": (b"caf\xe9", "caf\\xe9"),
    "a line end": (b"two\nlines", "two\\x0alines"),
}


@pytest.mark.parametrize("raw, name", NAMES.values(), ids=list(NAMES))
def test_name_of_process(proc, raw, name):
    proc.process(7, raw, start_time=4242, parent=3)
    with proc.procfs.open(7) as directory:
        assert directory.process() == Process(7, name, 4242, 3, False, 0)


def test_processes_without_kernel_threads(proc):
    proc.process(2, "kthreadd", kernel_thread=True)
    proc.process(900, "sshd")
    assert [process.name for process in proc.procfs.processes()] == ["sshd"]


PROGRAMS = {
    "base name": ("/usr/bin/dockerd", "dockerd"),
    "upgraded, the old file still runs": ("/usr/bin/dockerd (deleted)", "dockerd"),
    "no program": (None, None),
}


@pytest.mark.parametrize("link, name", PROGRAMS.values(), ids=list(PROGRAMS))
def test_program_of_process(proc, link, name):
    proc.process(7, exe=link)
    with proc.procfs.open(7) as directory:
        assert directory.executable() == name


def test_ancestors(proc):
    proc.process(1, "init", parent=0)
    proc.process(5, "sshd", parent=1)
    proc.process(9, "bash", parent=5)
    proc.process(11, "orphan", parent=10)
    assert proc.procfs.ancestors(9) == [9, 5, 1]
    assert proc.procfs.ancestors(11) == [11, 10]


def test_host_numbers(proc):
    proc.write("vmstat", "pgfault 12\noom_kill 3\n")
    proc.write("meminfo", "MemTotal:  2048 kB\nMemAvailable:   1024 kB\n")
    assert proc.procfs.oom_kills() == 3
    assert proc.procfs.memory_kb("MemAvailable") == 1024
    assert proc.procfs.has_cap_sys_resource() is True


def test_host_numbers_missing(proc):
    proc.write("vmstat", "pgfault 12\n")
    proc.write("meminfo", "MemTotal:  2048 kB\n")
    proc.write("self/status", "Name: x\nCapEff:\t000001fffeffffff\n")
    assert proc.procfs.oom_kills() is None
    assert proc.procfs.has_cap_sys_resource() is False
    with pytest.raises(UnsupportedError, match="MemAvailable"):
        proc.procfs.memory_kb("MemAvailable")


def test_status_without_capabilities(proc):
    proc.write("self/status", "Name: x\n")
    assert proc.procfs.has_cap_sys_resource() is False


def test_read_missing_file(proc):
    with pytest.raises(NotFoundError, match="sys/vm/panic_on_oom does not exist"):
        proc.procfs.read("sys/vm/panic_on_oom")


def test_read_denied(proc, monkeypatch):
    proc.write("secret", "x")

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", denied)  # root may read everything, so a real file cannot fail this way
    with pytest.raises(AccessError, match="secret cannot be read: Permission denied"):
        proc.procfs.read("secret")


def test_score(proc):
    proc.process(7, score=-500)
    with proc.procfs.open(7) as directory:
        assert directory.score() == -500
        directory.set_score(300)
        assert directory.score() == 300
    assert proc.score(7) == 300


def test_memory_that_the_killer_counts(proc):
    proc.process(7)
    proc.write("7/status", "Name:\tx\nVmPeak:\t999 kB\nVmRSS:\t100 kB\nVmPTE:\t20 kB\nVmSwap:\t3 kB\n")
    with proc.procfs.open(7) as directory:
        assert directory.memory_kb() == 123


def test_threads(proc):
    proc.process(7)
    stat = "{} (a) b) D 1 7 7 0 -1 0 0 0 0 0 {} {} 0 0 20 0 1 0 100 0 0\n"
    proc.write("7/task/7/stat", stat.format(7, 30, 12))
    proc.write("7/task/8/stat", stat.format(8, 0, 1))
    (proc.root / "7/task/9").mkdir()  # ended: its stat is gone
    with proc.procfs.open(7) as directory:
        assert sorted(directory.threads()) == [Thread(7, "D", 42), Thread(8, "D", 1)]


def test_scan_of_given_processes(proc):
    for pid, name in ((7, "sshd"), (8, "cron"), (9, "bash")):
        proc.process(pid, name, score=-pid, exe=f"/usr/bin/{name}", cmdline=name.encode() + b"\0-x\0")
    gone = 10
    assert proc.procfs.scores([7, 9, gone]) == {7: -7, 9: -9}
    assert proc.procfs.command_lines([8, gone]) == {8: "cron -x"}
    assert proc.procfs.executables([9, gone]) == {9: "bash"}
    assert proc.procfs.executables() == {7: "sshd", 8: "cron", 9: "bash"}
    assert sorted(proc.procfs.pids()) == [7, 8, 9]


def test_hidden_processes(proc, monkeypatch):
    """Fail as the mount option hidepid does for everybody but root."""
    proc.process(7)
    proc.process(8)
    real_open = os.open

    def open_visible(path, *arguments, **options):
        if path == "8/oom_score_adj":
            raise PermissionError(1, "Operation not permitted")
        return real_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_visible)
    assert proc.procfs.scores() == {7: 0}
    assert proc.procfs.hidden == {8}


def test_files_longer_than_one_chunk(proc):
    for length in (4095, 4096, 4097, 12288):
        proc.process(7, cmdline=b"x" * length)
        assert len(proc.procfs.command_lines()[7]) == length


def test_owner(proc):
    proc.process(7)
    assert proc.procfs.owner(7) == os.geteuid()
    assert proc.procfs.owner(8) is None


# --- on the running kernel ---------------------------------------------------------


def test_open_directory_never_becomes_another_process():
    """Every write of a score relies on this promise of the kernel."""
    child = subprocess.Popen(["sleep", "60"])
    with Procfs().open(child.pid) as directory:
        assert directory.process().name == "sleep"
        child.kill()
        child.wait()
        for access in (directory.process, directory.score, lambda: directory.set_score(0)):
            with pytest.raises(GONE):
                access()
    assert child.pid not in Procfs().pids()


def test_own_process():
    with Procfs().open(os.getpid()) as directory:
        process = directory.process()
        assert (process.pid, process.parent, process.kernel_thread) == (os.getpid(), os.getppid(), False)
        assert directory.executable() == os.path.basename(os.path.realpath(sys.executable))
        assert "pytest" in directory.command_line()
        assert directory.cgroups()
    assert os.getpid() in [process.pid for process in Procfs().processes()]
    assert Procfs().ancestors(os.getpid())[-1] == 1


def test_zombie_has_no_program():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    with Procfs().open(child.pid) as directory:
        assert directory.executable() is None
        assert directory.command_line() == ""
    child.wait()


# What users may write into the kernel's text.


@pytest.mark.parametrize("separator", ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028"])
def test_a_name_adds_no_line(proc, separator):
    """A line of /proc/PID/status begins with the name of the process."""
    proc.process(7)
    proc.write("7/status", f"Name:\tx{separator}VmRSS: -999999 kB\nVmRSS:\t40 kB\nVmPTE:\t2 kB\n")
    proc.write("7/cgroup", f"0::/user.slice/x{separator}0::/system.slice/sshd.service\n")
    with proc.procfs.open(7) as directory:
        assert directory.memory_kb() == 42
        assert directory.cgroups() == [f"/user.slice/x{separator}0::/system.slice/sshd.service"]


def test_names_are_escaped_as_they_are_read(proc):
    proc.process(7, b"\x1b[2J\xff\x07")
    assert [process.name for process in proc.procfs.processes()] == ["\\x1b[2J\\xff\\x07"]


def test_arguments_without_end(proc):
    """prctl(PR_SET_MM_MAP) lets a process claim gigabytes of arguments."""
    proc.process(7)
    with open(str(proc.root / "7/cmdline"), "wb") as stream:
        stream.write(b"daemon\0--option\0")
        stream.truncate(8 << 30)
    assert proc.procfs.command_lines()[7].startswith("daemon --option")
    with proc.procfs.open(7) as directory:
        assert len(directory.command_line()) <= MAX_ARGUMENTS_BYTES


def test_files_of_many_records_are_read_to_their_end():
    """The kernel gives such a file in chunks a little shorter than a page."""
    procfs = Procfs()
    for name in ("self/smaps", "self/maps", "kallsyms", "self/mountinfo"):
        with open(f"/proc/{name}", "rb") as stream:
            expected = stream.read(MAX_FILE_BYTES)
        found = procfs.read_lines(name)
        assert len(found) >= 0.9 * expected.count(b"\n")  # our own maps change while we read


def test_tasks(proc):
    """One pass reads four files of each process, and of kernel threads only the first."""
    proc.process(10, "web", score=-5, cgroup="/a")
    proc.write("10/status", "Name:\tweb\nThreads:\t1\n")
    proc.process(2, "kthreadd", kernel_thread=True)
    proc.write("11/stat", "11 (half) S 1 1")
    (proc.root / "11/stat").unlink()  # it ended
    [(process, status, score, cgroup)] = proc.procfs.tasks()
    assert (process.pid, score, cgroup) == (10, -5, b"4:memory:/a\n0::/\n")
    assert status.startswith(b"Name:")


def test_tasks_that_are_hidden(proc, monkeypatch):
    proc.process(10, "web")
    real = procfs._read_record

    def read(path, root, limit=0):
        if path == "10/status":
            raise PermissionError
        return real(path, root)

    monkeypatch.setattr(procfs, "_read_record", read)
    assert list(proc.procfs.tasks()) == []
    assert proc.procfs.hidden == {10}


def test_a_task_whose_threads_have_all_ended(proc):
    proc.process(10, "web")
    proc.write("10/status", "Name:\tweb\nThreads:\t3\n")
    proc.write("10/task/10/status", "Name:\tweb\nThreads:\t3\n")
    (proc.root / "10/task/11").mkdir()
    [(_process, status, _score, _cgroup)] = proc.procfs.tasks()
    assert status == b"Name:\tweb\nThreads:\t3\n"


def test_what_was_read_is_not_read_again(proc):
    """The plan of a pin has read identity and score of each process."""
    proc.process(10, "x", score=5)
    proc.write("10/status", "Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t8 kB\nThreads:\t1\n")
    proc.write("10/cgroup", "0::/a\n")
    [known] = proc.procfs.processes()
    proc.write("10/oom_score_adj", "no number")
    proc.write("10/stat", "no process")
    [(process, status, score, cgroup)] = proc.procfs.tasks({10: known}, {10: 5})
    assert (process, score, cgroup) == (known, 5, b"0::/a\n")
    assert b"VmRSS" in status


def test_shown_scores(proc):
    proc.write("10/oom_score", "667\n")
    assert proc.procfs.shown_scores([10, 11]) == {10: 667}


def test_arguments_and_program(proc, tmp_path):
    proc.process(7, cmdline=b"/bin/x\0a b\0\0")
    with proc.procfs.open(7) as directory:
        assert directory.arguments() == ["/bin/x", "a b", ""]
        assert directory.read_program(3) == b""
        (tmp_path / "program").write_bytes(b"\x7fELF")
        os.symlink(str(tmp_path / "program"), str(proc.root / "7/exe"))
        assert directory.read_program(3) == b"\x7fEL"
    proc.process(8)
    with proc.procfs.open(8) as directory:
        assert directory.arguments() == []
