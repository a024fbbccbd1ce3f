# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of the processes in a tree of files."""

import shutil

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable, pinned_processes


@pytest.fixture
def host(proc):
    """Return init, a kernel thread, dockerd with two generations of children, and a shell."""
    proc.process(1, "systemd", parent=0)
    proc.process(2, "kthreadd", parent=0, kernel_thread=True)
    proc.process(10, "dockerd", score=-500, exe="/usr/bin/dockerd", cmdline=b"dockerd\0-H\0fd://\0")
    proc.process(11, "docker-proxy", parent=10, score=-500, exe="/usr/bin/docker-proxy")
    proc.process(12, "helper", parent=11, exe="/usr/bin/docker-proxy (deleted)")
    proc.process(20, "bash", exe="/usr/bin/bash", cmdline=b"-bash\0")
    return proc


def end(host, pid):
    shutil.rmtree(str(host.root / str(pid)))


def test_snapshot_without_kernel_threads(host):
    table = ProcessTable(host.procfs)
    assert sorted(table.by_pid) == [1, 10, 11, 12, 20]
    assert table.by_pid[11].name == "docker-proxy"


def test_scores(host):
    assert ProcessTable(host.procfs).scores == {1: 0, 10: -500, 11: -500, 12: 0, 20: 0}


def test_command_lines(host):
    assert ProcessTable(host.procfs).command_lines == {1: "", 10: "dockerd -H fd://", 11: "", 12: "", 20: "-bash"}


NAMES = {
    "comm and program": ("dockerd", {10}),
    "comm only": ("helper", {12}),
    "comm of one, program of two": ("docker-proxy", {11, 12}),
    "comm without a program": ("systemd", {1}),
    "a part of a name": ("docker", set()),
    "a kernel thread": ("kthreadd", set()),
}


@pytest.mark.parametrize("name, pids", NAMES.values(), ids=list(NAMES))
def test_named(host, name, pids):
    assert ProcessTable(host.procfs).named(name) == pids


DESCENDANTS = {
    "two generations": ([10], {11, 12}),
    "of one that is itself a child": ([11], {12}),
    "a parent and its child": ([10, 11], {12}),
    "none": ([20], set()),
    "no such process": ([99], set()),
}


@pytest.mark.parametrize("pids, found", DESCENDANTS.values(), ids=list(DESCENDANTS))
def test_descendants(host, pids, found):
    assert ProcessTable(host.procfs).descendants(pids) == found


def test_descendants_in_a_circle(host):
    """Pids are read one after the other, so a reused one can make a process its own ancestor."""
    host.process(30, "a", parent=31)
    host.process(31, "b", parent=30)
    assert ProcessTable(host.procfs).descendants([30]) == {31}


def test_process_ends_after_snapshot(host):
    table = ProcessTable(host.procfs)
    end(host, 10)
    assert 10 in table.by_pid
    assert 10 not in table.scores
    assert 10 not in table.command_lines
    assert table.named("dockerd") == {10}  # its comm was part of the snapshot


def test_each_file_is_read_once(host):
    table = ProcessTable(host.procfs)
    before = (dict(table.scores), dict(table.command_lines), set(table.named("bash")), table.descendants([10]))
    for pid in list(table.by_pid):
        end(host, pid)
    assert (table.scores, table.command_lines, table.named("bash"), table.descendants([10])) == before


def test_pinned_processes(host):
    host.process(30, "sshd", score=-1000)  # immune: the killer never takes it
    host.process(31, "postgres", score=-900)
    host.process(32, "batch", score=300)
    host.process(33, "kworker", score=-17, kernel_thread=True)
    assert pinned_processes(host.procfs) == [
        "process 31 (postgres) at -900",
        "process 10 (dockerd) at -500",
        "process 11 (docker-proxy) at -500",
    ]
