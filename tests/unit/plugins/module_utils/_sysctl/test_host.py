# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a host, from a tree of files."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import MODE
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has programs of root")
PROGRAM = os.path.realpath("/bin/sh")  # of root, in folders of root
FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"


def test_refuse_unknown_live_value(sysctl_tree, overcommit_request):
    sysctl_tree.set(**{MODE: 9})
    with pytest.raises(OomError, match="/proc/sys/vm/overcommit_memory contains '9'"):
        sysctl_tree.host.read(overcommit_request({MODE: 1}))


def test_refuse_link_in_place_of_our_file(sysctl_tree, overcommit_request):
    (sysctl_tree.root / FILE[1:]).symlink_to("/dev/null")
    with pytest.raises(InputError, match="is a symbolic link and is left alone"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_refuse_folder_in_place_of_our_file(sysctl_tree, overcommit_request):
    (sysctl_tree.root / FILE[1:]).mkdir()
    with pytest.raises(InputError, match="is a folder and is left alone"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_unreadable_file_is_an_error(sysctl_tree, overcommit_request, monkeypatch):
    usual = os.open

    def denied(path, *words, **options):
        if os.fsencode(path).endswith(b".conf"):
            raise PermissionError(13, "Permission denied")
        return usual(path, *words, **options)

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_find_container_by_first_process(sysctl_tree):
    sysctl_tree.write("/proc/1/environ", "PATH=/bin\0container=lxc\0")
    assert sysctl_tree.host.container() == "/proc/1/environ"


@pytest.mark.parametrize("mark", host.CONTAINER_MARKS)
def test_find_container_by_mark(sysctl_tree, mark):
    assert sysctl_tree.host.container() is None
    sysctl_tree.write(mark, "")
    assert sysctl_tree.host.container() == mark


@pytest.mark.parametrize(("socket", "name"), host.ENGINES.items())
def test_find_the_container_engine(sysctl_tree, socket, name):
    assert sysctl_tree.host.container_engine() is None
    sysctl_tree.write(socket, "")
    assert sysctl_tree.host.container_engine() == name


def test_find_crash_kernel(sysctl_tree):
    assert not sysctl_tree.host.crash_kernel()
    sysctl_tree.write("/sys/kernel/kexec_crash_loaded", "1\n")
    assert sysctl_tree.host.crash_kernel()


def test_find_pins_programs_and_limited_cgroups(sysctl_tree, tmp_path):
    proc = sysctl_tree.proc
    proc.process(7, name="sshd", score=-1000)
    proc.process(8, name="redis", score=-500, exe=PROGRAM)
    for pid in (7, 8):
        proc.write(f"{pid}/status", "Uid:\t0\t0\t0\t0\n")
    os.symlink(PROGRAM, str(proc.root / "7/exe"))
    assert sysctl_tree.host.pinned() == ["process 8 (redis) at -500"]
    names = ("sshd", "redis", os.path.basename(PROGRAM), "kubelet")
    assert [sysctl_tree.host.runs(name) for name in names] == [True, True, True, False]
    for folder, limit in (("", "max"), ("a", "4096"), ("b", "max")):
        (tmp_path / "cgroups" / folder).mkdir()
        (tmp_path / "cgroups" / folder / "memory.max").write_text(limit)
    (tmp_path / "cgroups/cgroup.controllers").write_text("memory\n")
    proc.write("self/mountinfo", f"32 24 0:28 / {tmp_path / 'cgroups'} rw - cgroup2 cgroup2 rw\n")
    assert sysctl_tree.host.limited_cgroups() == ["/a"]


# --- a name is a claim --------------------------------------------------------------------


# Which programs count: test_identity.py


@pytest.fixture
def kubelet(sysctl_tree):
    """Add a process named kubelet; each fact of it may be another one."""

    def add(uids="0 0 0 0", cgroup="/system.slice/kubelet.service", exe=PROGRAM, status=None):
        sysctl_tree.proc.process(7, name="kubelet", cgroup=cgroup, exe=exe)
        text = f"Name:\tkubelet\nUid:\t{uids}\n" if status is None else status
        sysctl_tree.proc.write("7/status", text)
        return sysctl_tree.host.runs("kubelet")

    return add


@needs_root
@pytest.mark.parametrize(
    "facts, counts",
    [
        ({}, True),
        (dict(cgroup="/user.slice/user-0.slice/session-1.scope"), True),
        (dict(uids="1000 1000 1000 1000"), False),
        (dict(uids="33 33 33 33"), False),
        (dict(uids="33 0 0 0"), False),
        (dict(uids="1000 0 0 0"), False),  # a setuid program, run under this name
        (dict(uids="0 0 0 1000"), False),
        (dict(cgroup="/user.slice/user-1000.slice/session-1.scope"), False),
        (dict(cgroup="/user.slice/user-1000.slice/user@1000.service/kubelet.service"), False),
        (dict(cgroup="/user.slice/x\f0::/system.slice/kubelet.service"), False),
        (dict(cgroup="/system.slice/docker-" + "a1" * 32 + ".scope"), False),
        (dict(status=""), False),
        (dict(status="Name:\tUid:\t0\t0\t0\t0\n"), False),
    ],
    ids=str,
)
def test_kubelet_counts_only_if_no_user_can_have_started_it(kubelet, facts, counts):
    assert kubelet(**facts) is counts


def test_kubelet_counts_if_its_program_cannot_be_seen(kubelet, monkeypatch):
    """A check without root reads no link to another user's program."""

    def denied(_path, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "readlink", denied)
    assert kubelet()
    assert not kubelet(uids="1000 1000 1000 1000", exe=None)
    assert not kubelet(cgroup="/user.slice/user-1001.slice/session-1.scope", exe=None)


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_kubelet_that_ended_or_is_hidden_does_not_count(kubelet, monkeypatch, error):
    def fail(_self):
        raise error

    monkeypatch.setattr(ProcessDir, "status", fail)
    assert not kubelet()


@needs_root
def test_program_of_a_user_is_no_kubelet():
    """On this host: a real process of an ordinary user, which the name alone would count."""
    folder = tempfile.mkdtemp()  # the temporary folders of pytest are closed to other users
    try:
        os.chmod(folder, 0o755)
        program = os.path.join(folder, "kubelet")
        shutil.copy(shutil.which("sleep"), program)
        process = subprocess.Popen([program, "60"], preexec_fn=lambda: os.setresuid(65534, 65534, 65534))
        try:
            assert process.pid in ProcessTable(Procfs()).named("kubelet")
            assert process.pid not in host.Host()._root_processes(["kubelet"])
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder)


@needs_root
def test_kubelet_counts_only_if_no_user_can_have_chosen_its_program(kubelet, tmp_path):
    program = tmp_path / "kubelet"
    shutil.copy(PROGRAM, str(program))
    os.chown(str(program), 65534, 65534)
    assert not kubelet(exe=str(program))
    os.chown(str(program), 0, 0)
    program.chmod(0o755)
    assert kubelet(exe=None)  # the link to the program is there already


# --- files that another user may have put there -----------------------------------------


def make_fifo(path):
    os.mkfifo(str(path))


def make_socket(path):
    sock = socket.socket(socket.AF_UNIX)
    usual = os.getcwd()
    os.chdir(str(path.parent))  # a path of a socket is short
    try:
        sock.bind(path.name)
    finally:
        os.chdir(usual)
        sock.close()


def make_endless(path):
    path.symlink_to("/dev/zero")


def make_large(path):
    path.write_bytes(b"#" * (host.MAX_FILE_BYTES + 1))


def make_sparse(path):
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def make_loop(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_endless, make_large, make_sparse, make_loop])
def test_boot_file_that_cannot_be_read_is_a_warning(sysctl_tree, overcommit_request, make):
    """A link in /etc/sysctl.d may lead into the folder of a user, who must not stop a run."""
    home = sysctl_tree.root / "home"
    home.mkdir()
    make(home / "x")
    (sysctl_tree.root / "etc/sysctl.d/99-x.conf").symlink_to(str(home / "x"))
    begun = time.monotonic()
    plan = read_and_plan(sysctl_tree.host, overcommit_request({MODE: 1}))
    assert time.monotonic() - begun < 10
    assert plan.changed and not plan.reboot_safe
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith("/etc/sysctl.d/99-x.conf cannot be read: ")
    assert plan.warnings[0].endswith("; until then what it sets at boot is not predicted")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/dev/null"), lambda path: path.symlink_to("nothing")])
def test_boot_file_that_is_hidden_sets_nothing(sysctl_tree, overcommit_request, make):
    make(sysctl_tree.root / "etc/sysctl.d/99-x.conf")
    sysctl_tree.write("/usr/lib/sysctl.d/99-x.conf", "vm.overcommit_memory = 2\n")
    assert read_and_plan(sysctl_tree.host, overcommit_request({MODE: 1})).warnings == []


def test_all_boot_files_together_have_a_bound(sysctl_tree, overcommit_request, monkeypatch):
    monkeypatch.setattr(host, "MAX_BYTES_OF_ALL_FILES", 100)
    for number in range(3):
        sysctl_tree.write(f"/etc/sysctl.d/{number}.conf", "#" * 60)
    assert len(read_and_plan(sysctl_tree.host, overcommit_request({MODE: 1})).warnings) == 2


@pytest.mark.parametrize("make", [make_fifo, make_socket])
def test_refuse_special_file_in_place_of_ours(sysctl_tree, overcommit_request, make):
    make(sysctl_tree.root / FILE[1:])
    with pytest.raises(InputError, match="is a special file and is left alone"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_folder_that_cannot_be_listed_is_an_error(sysctl_tree, overcommit_request, monkeypatch):
    def fail(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(AccessError, match=r"/etc/sysctl.d cannot be read: Input/output error"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_meminfo(sysctl_tree):
    with pytest.raises(UnsupportedError, match=r"/proc/meminfo does not exist: .* subset=pid"):
        sysctl_tree.host.meminfo()
    sysctl_tree.write("/proc/meminfo", "MemTotal: 5 kB\n")
    assert sysctl_tree.host.meminfo() == "MemTotal: 5 kB\n"


# --- what a run takes -------------------------------------------------------------------


def add_memory(proc, pid, name, data_kb, uid=0):
    proc.process(pid, name=name, exe=PROGRAM, cgroup="/user.slice/user-0.slice/session-1.scope")
    sizes = f"VmSize:\t{data_kb * 2} kB\nVmData:\t{data_kb} kB\nVmStk:\t100 kB\n"
    proc.write(f"{pid}/status", "Uid:" + f"\t{uid}" * 4 + "\n" + sizes)


def test_run_takes_the_module_twice_and_a_login(sysctl_tree):
    proc = sysctl_tree.proc
    assert sysctl_tree.host.run_kb() == host.LOGIN_KB
    proc.write("self/status", "VmPeak:\t99999 kB\nVmSize:\t32000 kB\nVmData:\t14000 kB\nVmStk:\t200 kB\n")
    assert sysctl_tree.host.run_kb() == 2 * (14000 + 200 + 1000) + host.LOGIN_KB


@needs_root
def test_login_is_measured_from_processes_of_root(sysctl_tree):
    proc = sysctl_tree.proc
    add_memory(proc, 7, "sshd", 16000)
    add_memory(proc, 8, "sshd", 32000)
    add_memory(proc, 9, "bash", 3200)
    assert sysctl_tree.host.run_kb() == 2 * (16000 + 100 + 1000) + 2 * (3200 + 100 + 200)
    add_memory(proc, 10, "sshd", 1, uid=1000)
    assert sysctl_tree.host.run_kb() == 2 * (16000 + 100 + 1000) + 2 * (3200 + 100 + 200)


def test_ids_in_use(sysctl_tree):
    sysctl_tree.proc.process(7)
    sysctl_tree.proc.write("7/status", "Name:\tx\nUid:\t1 2 3 4\nGid:\t5\t6\t7\t8\nGroups:\t9\n")
    sysctl_tree.proc.process(8)
    sysctl_tree.write("/etc/passwd", "a:x:1000:1001::/:/bin/sh\nb:x:\u00b2:1::/:\n+\n")
    sysctl_tree.write("/etc/group", "a:x:1002:\n")
    assert sysctl_tree.host.ids_in_use() == {0, 1, 2, 3, 4, 5, 6, 7, 8, 1000, 1002}
