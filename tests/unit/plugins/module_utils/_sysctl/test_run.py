# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run: refusals, check mode, and the lock between two runs."""

import errno
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import writer_lock
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply, run
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    MODE,
    RATIO,
    OvercommitPolicy,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls

WANTED = {ADMIN_RESERVE: 131072, RATIO: 80, MODE: 2}


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def system_process(proc, pid, name):
    """Add a process of the system: root's, with a program of this host, in no login's cgroup."""
    proc.process(pid, name=name, exe=os.path.realpath("/bin/sh"), cgroup=f"/system.slice/{name}.service")
    proc.write(f"{pid}/status", f"Name:\t{name}\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n")


@pytest.fixture
def run_overcommit(sysctl_tree, overcommit_request):
    def call(check_mode=False, wanted=None, **fields):
        request = overcommit_request(wanted or WANTED, **{"rollback_seconds": 20, **fields})
        return run_sysctls(sysctl_tree.host, request, check_mode)

    return call


class RefusingPolicy(OvercommitPolicy):
    """Refuses every plan."""

    def refuse_harm(self, plan):
        raise InputError("no")


def test_check_mode_writes_nothing(sysctl_tree, run_overcommit):
    before = sysctl_tree.get(*WANTED)
    planned = run_overcommit(check_mode=True)
    assert planned.changed
    assert sysctl_tree.get(*WANTED) == before
    assert os.listdir(str(sysctl_tree.root / "etc/sysctl.d")) == []
    assert run_overcommit().after == planned.after


def test_refuse_before_anything_else_unless_forced(run_overcommit):
    for check_mode in (True, False):
        with pytest.raises(InputError, match="no"):
            run_overcommit(check_mode, policy=RefusingPolicy)
    assert run_overcommit(policy=RefusingPolicy, force=True).changed


@pytest.mark.parametrize("check_mode", [True, False])
def test_refuse_container(sysctl_tree, run_overcommit, check_mode):
    sysctl_tree.write("/.dockerenv", "")
    with pytest.raises(AccessError, match="this is a container"):
        run_overcommit(check_mode)
    sysctl_tree.set(**WANTED)
    assert not run_overcommit(persistent=False).changed  # a run without a change does not fail


def test_refuse_kubelet_host(sysctl_tree, run_overcommit):
    system_process(sysctl_tree.proc, 7, "kubelet")
    with pytest.raises(InputError, match="the kubelet on this host"):
        run_overcommit()


def test_warnings_of_the_policy_come_last(sysctl_tree, run_overcommit):
    wanted = {ADMIN_RESERVE: 131072, MODE: 2, RATIO: 200}
    sysctl_tree.write("/etc/sysctl.d/99-x.conf", f"{ADMIN_RESERVE} = 131072\n")
    warnings = run_overcommit(check_mode=True, wanted=wanted, persistent=False).warnings
    assert [warning.split()[0] for warning in warnings] == [RATIO, MODE, "mode=never:"]


@pytest.mark.parametrize("seconds", [0, -1, -5, 3601])
def test_refuse_rollback_seconds_out_of_range(run_overcommit, seconds):
    with pytest.raises(InputError, match=f"rollback_seconds={seconds} is out of range, 1 to 3600"):
        run_overcommit(rollback_seconds=seconds)


def test_second_run_waits_for_the_first(sysctl_tree, run_overcommit, monkeypatch):
    ended = []
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    with writer_lock(sysctl_tree.host.root) as lock:
        child = os.fork()
        if child == 0:
            os.close(lock)
            run_overcommit()
            os._exit(0)
        time.sleep(0.2)
        ended.append(os.waitpid(child, os.WNOHANG)[0])
        assert sysctl_tree.get(MODE) == {MODE: 0}
    os.waitpid(child, 0)
    assert ended == [0]
    assert sysctl_tree.get(MODE) == {MODE: 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="the lock is root's")
def test_lock_that_is_never_released(sysctl_tree, run_overcommit, monkeypatch):
    monkeypatch.setattr(run, "LOCK_SECONDS", 0.2)
    with writer_lock(sysctl_tree.host.root):
        with pytest.raises(OomError, match=r"another run of this collection has held /run/oomguard/lock.* see lslocks"):
            run_overcommit()
        assert run_overcommit(check_mode=True).changed  # check mode changes nothing and does not wait
    assert sysctl_tree.get(MODE) == {MODE: 0}


def test_lock_that_any_user_can_take(sysctl_tree, run_overcommit):
    """Every user can open /proc/sys and lock it."""
    fd = os.open(str(sysctl_tree.root / "proc/sys"), os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert run_overcommit().changed
    finally:
        os.close(fd)


def test_helper_keeps_the_lock(sysctl_tree, run_overcommit, monkeypatch):
    """The module is killed. Another run waits until the helper has restored the values."""
    before = sysctl_tree.get(*WANTED)
    go = sysctl_tree.root / "go"
    child = os.fork()
    if child == 0:
        undo = apply._undo

        def slow_undo(*words):
            wait_until(go.exists)
            undo(*words)

        apply._undo = slow_undo
        apply.prove_new_process = lambda _user: os.kill(os.getpid(), signal.SIGKILL)
        run_overcommit()
        os._exit(0)
    os.waitpid(child, 0)
    monkeypatch.setattr(run, "LOCK_SECONDS", 0.2)
    if os.geteuid() == 0:
        with pytest.raises(OomError, match="another run of this collection"):
            run_overcommit()
    go.write_text("")
    wait_until(lambda: sysctl_tree.get(*WANTED) == before)


# --- leftovers, and hosts that lack something -------------------------------------------


@pytest.mark.parametrize("changed", [True, False])
def test_remove_what_killed_runs_left(sysctl_tree, run_overcommit, changed):
    folder = sysctl_tree.root / "etc/sysctl.d"
    if not changed:
        run_overcommit()
    for name, text in (
        (".60-oomguard-overcommit.conf.new", ""),
        (".70-x.conf.new", "# Managed by oomguard.linux.overcommit, which ..."),
        (".80-other.conf.new", "vm.swappiness = 1\n"),
        ("90-x.conf.new", "# Managed by oomguard.linux.overcommit, which ..."),
    ):
        (folder / name).write_text(text)
    run_overcommit(check_mode=True)
    assert len(os.listdir(str(folder))) == 4 + (not changed)
    assert run_overcommit().changed is changed
    assert sorted(os.listdir(str(folder))) == [
        ".80-other.conf.new",
        "60-oomguard-overcommit.conf",
        "90-x.conf.new",
    ]


def test_leftover_that_cannot_be_removed_is_harmless(sysctl_tree, run_overcommit):
    run_overcommit()
    (sysctl_tree.root / "etc/sysctl.d/.60-oomguard-overcommit.conf.new").mkdir()
    assert not run_overcommit().changed


@pytest.mark.parametrize("check_mode", [True, False])
def test_refuse_host_without_proc_sys(sysctl_tree, run_overcommit, check_mode):
    """The mount option subset=pid of /proc hides everything but processes."""
    shutil.rmtree(str(sysctl_tree.root / "proc/sys"))
    with pytest.raises(UnsupportedError, match=r"^/proc/sys does not exist: .* subset=pid; mount all of it$"):
        run_overcommit(check_mode)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOMEM, "Cannot allocate memory"), ImportError("Cannot allocate memory")]
)
def test_unexpected_error_is_a_sentence(sysctl_tree, run_overcommit, monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(sysctl_tree.host, "container", fail)
    with pytest.raises(
        OomError,
        match=r"^this module failed .*Cannot allocate memory.; nothing was changed; remove that cause, then run",
    ):
        run_overcommit()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_prove_only_what_is_stricter(run_overcommit, monkeypatch):
    """A user who takes all promises must not stop the remedy."""

    def fail(_user):
        raise OomError("no new process can be started")

    run_overcommit()
    monkeypatch.setattr(apply, "prove_new_process", fail)
    assert run_overcommit(wanted={RATIO: 90}).changed
    assert run_overcommit(wanted={MODE: 0}).changed
    with pytest.raises(OomError, match="no new process"):
        run_overcommit(wanted={MODE: 2})


def test_file_name_of_any_locale(sysctl_tree, overcommit_request):
    """Python 3.6 cannot turn this name into bytes with LC_ALL=C."""
    program = (
        "from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import *\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls\n"
        "import sys\n"
        "policy = OvercommitPolicy({MODE: 1}, CommitMemory(16000000, 0, 0, 0), 0, lambda: 0)\n"
        "request = SysctlRequest(policy, True, '/etc/sysctl.d/\\xfc\\u20ac\\udcff.conf')\n"
        "assert run_sysctls(Host(sys.argv[1]), request, False).changed\n"
        "assert not run_sysctls(Host(sys.argv[1]), request, False).changed\n"
    )
    environment = dict(os.environ, LC_ALL="C", PYTHONPATH=os.pathsep.join(sys.path), PYTHONCOERCECLOCALE="0")
    subprocess.check_call([sys.executable, "-X", "utf8=0", "-c", program, sysctl_tree.host.root], env=environment)
    assert os.listdir(os.fsencode(str(sysctl_tree.root / "etc/sysctl.d"))) == ["\xfc\u20ac".encode() + b"\xff.conf"]


# --- memory runs out ----------------------------------------------------------------------


@pytest.mark.parametrize("spare_kb", [0, 64, 128, 256, 512, 1024, 2048, 4096])
def test_all_or_nothing_without_memory(sysctl_tree, run_overcommit, monkeypatch, spare_kb):
    """The address space ends somewhere in the run. Each end is a sentence, and all or nothing."""
    before = sysctl_tree.get(*WANTED)
    child = os.fork()
    if child == 0:
        code = 9
        apply.prove_new_process = lambda _user: bytearray(3 << 20) and None
        try:
            with open("/proc/self/statm") as stream:
                size = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size + spare_kb * 1024,) * 2)
            run_overcommit()
            code = 0
        except (OomError, MemoryError):
            code = 1
        finally:
            os._exit(code)
    code = os.WEXITSTATUS(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    wait_until(lambda: sysctl_tree.get(*WANTED) == (before if code else WANTED))
    assert (sysctl_tree.root / "etc/sysctl.d/60-oomguard-overcommit.conf").exists() is (code == 0)


# --- the module is killed at any line -----------------------------------------------------

LINES_AT_LEAST, POINTS = 150, 30


def run_to_line(run_overcommit, number, last):
    """Run until this line of our files, and end there; return how many lines there are."""
    lines = [0]

    def trace(frame, event, _argument):
        if "_sysctl" not in frame.f_code.co_filename:
            return None
        if event == "line" and os.getpid() == module:
            lines[0] += 1
            if lines[0] == last:
                os.kill(module, number)
        return trace

    module = os.getpid()
    sys.settrace(trace)
    try:
        run_overcommit()
    finally:
        sys.settrace(None)
    return lines[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="the lock, which shows that the helper has ended, is root's")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_all_or_nothing_when_killed_at_any_line(sysctl_tree, run_overcommit, monkeypatch, number):
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    before = sysctl_tree.get(*WANTED)
    file = sysctl_tree.root / "etc/sysctl.d/60-oomguard-overcommit.conf"
    total = run_to_line(run_overcommit, 0, 0)
    assert total > LINES_AT_LEAST
    ends = set()
    for last in [*range(1, total, max(1, total // POINTS)), total]:
        run_overcommit(wanted=before)
        file.unlink()
        child = os.fork()
        if child == 0:
            code = 9
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                run_to_line(run_overcommit, number, last)
                code = 0
            except (OomError, KeyboardInterrupt):
                code = 1
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        assert os.WTERMSIG(status) == number or os.WEXITSTATUS(status) in (0, 1)
        with writer_lock(sysctl_tree.host.root):  # the helper keeps it until it has ended
            end = sysctl_tree.get(*WANTED)
            assert (end, file.exists()) in ((before, False), (WANTED, True)), last
        ends.add(file.exists())
        run_overcommit()
        assert os.listdir(str(file.parent)) == [file.name]
    assert ends == {False, True}


@pytest.mark.skipif(os.geteuid() != 0, reason="the lock, which shows that the helper has ended, is root's")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_taken_back_or_not_when_killed_at_any_line(sysctl_tree, run_overcommit, monkeypatch, number):
    """Two files and the values come back together, or go together."""
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    before, folder = sysctl_tree.get(*WANTED), str(sysctl_tree.root / "etc/sysctl.d")
    files = ["60-oomguard-overcommit.conf", "70-second.conf"]

    def set_all():
        for name in files:
            run_overcommit(file="/etc/sysctl.d/" + name)

    def take_back():
        return run_overcommit(wanted={ADMIN_RESERVE: 1}, absent=True, every_file=True)

    set_all()
    total = run_to_line(take_back, 0, 0)
    assert total > LINES_AT_LEAST
    ends = set()
    for last in [*range(1, total, max(1, total // POINTS)), total]:
        set_all()
        child = os.fork()
        if child == 0:
            code = 9
            try:
                run_to_line(take_back, number, last)
                code = 0
            except OomError:
                code = 1
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        assert os.WTERMSIG(status) == number or os.WEXITSTATUS(status) in (0, 1)
        with writer_lock(sysctl_tree.host.root):
            found = (sysctl_tree.get(*WANTED), sorted(os.listdir(folder)))
            assert found in ((WANTED, files), (before, [])), last
        ends.add(len(found[1]))
        take_back()
        assert (sysctl_tree.get(*WANTED), os.listdir(folder)) == (before, [])
    assert ends == {0, 2}


def test_next_run_completes_what_both_killed_processes_left(sysctl_tree, run_overcommit, monkeypatch):
    """Module and helper are killed between the two renames."""
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    before, folder = sysctl_tree.get(*WANTED), str(sysctl_tree.root / "etc/sysctl.d")
    run_overcommit()
    run_overcommit(file="/etc/sysctl.d/70-second.conf")
    usual = os.rename

    def rename(*words):
        usual(*words)
        os.kill(module_of_child, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        module_of_child = os.getpid()
        os.rename = rename
        run_overcommit(wanted={ADMIN_RESERVE: 1}, absent=True, every_file=True)
        os._exit(0)
    os.waitpid(child, 0)
    wait_until(lambda: ".60-oomguard-overcommit.conf.new" in os.listdir(folder))
    assert run_overcommit(wanted={ADMIN_RESERVE: 1}, absent=True, every_file=True).changed
    assert (sysctl_tree.get(*WANTED), os.listdir(folder)) == (before, [])
