# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All or nothing: writes to a tree of files, with real helpers that are really killed."""

import contextlib
import errno
import os
import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply, rollback
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import ADMIN_RESERVE, MODE, RATIO
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import file_header
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import RollbackHelper
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan, run_sysctls

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
WANTED = {ADMIN_RESERVE: 131072, RATIO: 80, MODE: 2}
SECONDS = 20


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def apply_wanted(sysctl_tree, overcommit_request):
    def call(prove=lambda: None, rollback_seconds=SECONDS):
        request = overcommit_request(WANTED, rollback_seconds=rollback_seconds)
        apply.apply_sysctls(sysctl_tree.host, read_and_plan(sysctl_tree.host, request), prove)

    return call


def has_no_file_of_ours(tree):
    return os.listdir(str(tree.root / "etc/sysctl.d")) == []


def test_write_live_values_and_file(sysctl_tree, apply_wanted, overcommit_request):
    apply_wanted()
    assert sysctl_tree.get(*WANTED) == WANTED
    assert (sysctl_tree.root / FILE[1:]).stat().st_mode & 0o777 == 0o644
    assert os.listdir(str(sysctl_tree.root / "etc/sysctl.d")) == [os.path.basename(FILE)]
    assert not read_and_plan(sysctl_tree.host, overcommit_request(WANTED)).changed


def test_file_mode_ignores_umask(sysctl_tree, apply_wanted):
    os.rmdir(str(sysctl_tree.root / "etc/sysctl.d"))
    usual = os.umask(0o077)
    try:
        apply_wanted()
    finally:
        os.umask(usual)
    assert (sysctl_tree.root / FILE[1:]).stat().st_mode & 0o777 == 0o644
    assert (sysctl_tree.root / "etc/sysctl.d").stat().st_mode & 0o777 == 0o755


def test_write_nothing_without_a_helper(sysctl_tree, apply_wanted, monkeypatch):
    def cannot_start(*_words):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    before = sysctl_tree.get(*WANTED)
    monkeypatch.setattr(apply, "RollbackHelper", cannot_start)
    with pytest.raises(OomError, match=r"nothing was changed: the rollback helper cannot be started .*Cannot allocate"):
        apply_wanted()
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_undo_when_proof_fails(sysctl_tree, apply_wanted):
    before = sysctl_tree.get(*WANTED)

    def prove():
        assert sysctl_tree.get(*WANTED) == WANTED
        raise OomError("no new process can be started")

    with pytest.raises(OomError, match="no new process can be started; everything is as before"):
        apply_wanted(prove)
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_helper_undoes_after_rollback_seconds(sysctl_tree, apply_wanted):
    before = sysctl_tree.get(*WANTED)

    def prove():
        wait_until(lambda: sysctl_tree.get(*WANTED) == before)

    with pytest.raises(OomError, match=r"did not confirm it within rollback_seconds=0.1.*everything is as before"):
        apply_wanted(prove, rollback_seconds=0.1)
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_undo_when_helper_is_killed(sysctl_tree, apply_wanted, monkeypatch):
    before = sysctl_tree.get(*WANTED)
    helpers = []

    def armed(*words):
        helpers.append(RollbackHelper(*words))
        return helpers[0]

    monkeypatch.setattr(apply, "RollbackHelper", armed)
    with pytest.raises(OomError, match=r"or the helper was killed; .*everything is as before"):
        apply_wanted(lambda: os.kill(helpers[0].pid, signal.SIGKILL))
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_stop_writing_once_helper_rolls_back(sysctl_tree, apply_wanted, monkeypatch):
    """The module hangs, and wakes when the helper has restored everything."""
    before = sysctl_tree.get(*WANTED)
    usual, written, module = os.pwrite, [], os.getpid()

    def slow(fd, text, offset):
        done = usual(fd, text, offset)
        written.append(text)
        if os.getpid() == module and len(written) == 2:
            wait_until(lambda: sysctl_tree.get(*WANTED) == before)
        return done

    monkeypatch.setattr(os, "pwrite", slow)
    with pytest.raises(
        OomError, match=r"the rollback helper ended before all values were written.*everything is as before"
    ):
        apply_wanted(rollback_seconds=0.2)
    assert sysctl_tree.get(*WANTED) == before


def test_undo_write_that_came_after_helper(sysctl_tree, apply_wanted, monkeypatch):
    """The helper rolls back between the check and the write."""
    before = sysctl_tree.get(*WANTED)
    monkeypatch.setattr(RollbackHelper, "is_waiting", lambda self: True)
    usual, written, module = os.pwrite, [], os.getpid()

    def slow(fd, text, offset):
        if os.getpid() == module and len(written) == 1:
            wait_until(lambda: sysctl_tree.get(*WANTED) == before)
        written.append(text)
        return usual(fd, text, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    with pytest.raises(OomError, match="; everything is as before"):
        apply_wanted(rollback_seconds=0.2)
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_restore_file_when_helper_dies_after_replacing_it(sysctl_tree, apply_wanted, monkeypatch):
    sysctl_tree.write(
        FILE,
        "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\n"
        "vm.overcommit_ratio = 70\n",
    )
    text = (sysctl_tree.root / FILE[1:]).read_text()
    usual = os.rename

    def rename(*words):
        usual(*words)
        if os.getpid() != module:
            os.kill(os.getpid(), signal.SIGKILL)

    module = os.getpid()
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OomError, match="everything is as before"):
        apply_wanted()
    assert (sysctl_tree.root / FILE[1:]).read_text() == text


def test_report_what_cannot_be_restored(sysctl_tree, apply_wanted, monkeypatch):
    usual, stuck = os.pwrite, []

    def refuse(fd, text, offset):
        if stuck and text == b"50\n":
            raise OSError(errno.EIO, "Input/output error")
        return usual(fd, text, offset)

    def prove():
        stuck.append(True)
        os.kill(helpers[0], signal.SIGKILL)
        raise OomError("no")

    helpers = []
    armed = RollbackHelper.__init__

    def remember(self, *words):
        armed(self, *words)
        helpers.append(self.pid)

    monkeypatch.setattr(RollbackHelper, "__init__", remember)
    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OomError, match=r"no; this could not be restored: .*; vm.overcommit_ratio is 80 instead of 50"):
        apply_wanted(prove)
    assert sysctl_tree.get(MODE, ADMIN_RESERVE) == {MODE: 0, ADMIN_RESERVE: 8192}


def test_undo_when_module_runs_out_of_memory(sysctl_tree, apply_wanted):
    def prove():
        raise MemoryError

    with pytest.raises(OomError, match=r"^this module ran out of memory; everything is as before$"):
        apply_wanted(prove)
    assert has_no_file_of_ours(sysctl_tree)


def test_undo_the_rest_when_memory_runs_out_meanwhile(sysctl_tree, apply_wanted, monkeypatch):
    """The helper is killed after the rename. The module cannot write one value, nor read."""
    before = sysctl_tree.get(*WANTED)
    usual_write, usual_live, usual_rename, module, back = os.pwrite, sysctl_tree.host.live, os.rename, os.getpid(), []

    def rename(*words):
        usual_rename(*words)
        if os.getpid() != module:
            os.kill(os.getpid(), signal.SIGKILL)

    def pwrite(fd, text, offset):
        if text == b"50\n":
            back.append(text)
            raise MemoryError
        return usual_write(fd, text, offset)

    def live(key):
        if back:
            raise MemoryError
        return usual_live(key)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "pwrite", pwrite)
    with monkeypatch.context() as patched:
        patched.setattr(sysctl_tree.host, "live", live)
        with pytest.raises(
            OomError, match=r"or the helper was killed; .*this could not be restored: this module ran out of memory"
        ):
            apply_wanted()
    assert sysctl_tree.get(*WANTED) == dict(before, **{RATIO: 80})
    assert has_no_file_of_ours(sysctl_tree)


def test_undo_when_write_fails(sysctl_tree, apply_wanted, monkeypatch):
    before = sysctl_tree.get(*WANTED)
    usual = os.pwrite

    def refuse_mode(fd, text, offset):
        if text == b"2\n":
            raise OSError(errno.EINVAL, "Invalid argument")
        return usual(fd, text, offset)

    monkeypatch.setattr(os, "pwrite", refuse_mode)
    with pytest.raises(
        OomError,
        match=r"set to 2: the kernel refuses this value: set another one; everything is as before",
    ):
        apply_wanted()
    assert sysctl_tree.get(*WANTED) == before


def test_undo_when_value_reads_back_different(sysctl_tree, apply_wanted, monkeypatch):
    usual = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, text, offset: usual(fd, b"1\n" if text == b"2\n" else text, offset))
    with pytest.raises(
        OomError,
        match=r"vm.overcommit_memory is 1 instead of 2; stop what else writes it, .*; everything is as before",
    ):
        apply_wanted()


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.EROFS, "Read-only file system: mount its file system writable"),
        (errno.EACCES, "Permission denied: ran as uid 1000: add become: true"),
    ],
)
def test_refuse_unwritable_sysctl_before_any_write(
    sysctl_tree, apply_wanted, overcommit_request, monkeypatch, number, words
):
    before = sysctl_tree.get(*WANTED)
    usual = os.open

    def denied(path, flags, *rest, **options):
        if "overcommit_memory" in str(path) and flags & os.O_WRONLY:
            raise OSError(number, os.strerror(number))
        return usual(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", denied)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    words = "/proc/sys/vm/overcommit_memory cannot be written: " + words
    with pytest.raises(AccessError, match=words):
        apply_wanted()
    with pytest.raises(AccessError, match=words):
        run_sysctls(sysctl_tree.host, overcommit_request(WANTED), check_mode=True)
    assert sysctl_tree.get(*WANTED) == before
    assert has_no_file_of_ours(sysctl_tree)


def test_refuse_unwritable_folder_before_any_write(sysctl_tree, apply_wanted):
    before = sysctl_tree.get(*WANTED)
    os.rmdir(str(sysctl_tree.root / "etc/sysctl.d"))
    sysctl_tree.write("/etc/sysctl.d", "a file")
    with pytest.raises(AccessError, match=r"60-oomguard-overcommit.conf cannot be written"):
        apply_wanted()
    assert sysctl_tree.get(*WANTED) == before


@pytest.mark.parametrize("writes", range(len(WANTED) + 2))
def test_all_or_nothing_when_killed(sysctl_tree, apply_wanted, writes):
    """SIGKILL after this many writes, or after all of them and before the confirmation."""
    before = sysctl_tree.get(*WANTED)
    usual, done = os.pwrite, []

    def die_in_time(*words):
        if os.getpid() == module and len(done) == writes:
            os.kill(module, signal.SIGKILL)
        done.append(words)
        return usual(*words)

    child = os.fork()
    if child == 0:
        module = os.getpid()
        os.pwrite = die_in_time
        apply_wanted(lambda: os.kill(module, signal.SIGKILL) if writes == len(WANTED) else None)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    finished = writes > len(WANTED)
    assert os.WIFEXITED(status) if finished else os.WTERMSIG(status) == signal.SIGKILL
    if not finished:
        wait_until(lambda: has_no_file_of_ours(sysctl_tree))
    assert sysctl_tree.get(*WANTED) == (WANTED if finished else before)
    assert (sysctl_tree.root / FILE[1:]).exists() is finished


# --- our file -----------------------------------------------------------------------


def fail_with(number):
    def fail(*_words, **_options):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("name", ["fsync", "fchmod", "rename"])
@pytest.mark.parametrize("folder", [True, False])
def test_failed_write_of_file_leaves_nothing(sysctl_tree, apply_wanted, monkeypatch, name, folder):
    before = sysctl_tree.get(*WANTED)
    if not folder:
        os.rmdir(str(sysctl_tree.root / "etc/sysctl.d"))
    monkeypatch.setattr(os, name, fail_with(errno.EIO))
    words = "could not be replaced.*everything is as before" if name == "rename" else "cannot be written: Input/output"
    with pytest.raises(OomError, match=words):
        apply_wanted()
    assert sysctl_tree.get(*WANTED) == before
    assert os.listdir(str(sysctl_tree.root / "etc")) == ["sysctl.d"] * folder
    assert not folder or has_no_file_of_ours(sysctl_tree)


def test_read_only_file_system_after_the_change(sysctl_tree, apply_wanted, monkeypatch):
    """It refuses to remove a file even if there is none."""
    monkeypatch.setattr(os, "unlink", fail_with(errno.EROFS))
    apply_wanted()
    assert sysctl_tree.get(*WANTED) == WANTED
    assert os.listdir(str(sysctl_tree.root / "etc/sysctl.d")) == [os.path.basename(FILE)]


def test_read_only_file_system_while_the_change_fails(sysctl_tree, apply_wanted, monkeypatch):
    def prove():
        raise OomError("no")

    monkeypatch.setattr(rollback, "RETRY_SECONDS", 0.3)
    monkeypatch.setattr(os, "unlink", fail_with(errno.EROFS))
    before = sysctl_tree.get(*WANTED)
    with pytest.raises(OomError, match=r"^no; this could not be restored: .*Read-only file system"):
        apply_wanted(prove)
    assert sysctl_tree.get(*WANTED) == before


def test_restore_the_bytes_of_our_file(sysctl_tree, apply_wanted, monkeypatch):
    """Somebody wrote into our file what is no text, and lines that end otherwise."""
    content = file_header("overcommit").encode() + b"vm.overcommit_ratio = 70\r\n# h\xe9h\x85\r\n"
    (sysctl_tree.root / FILE[1:]).write_bytes(content)
    usual, module = os.rename, os.getpid()

    def rename(*words):
        usual(*words)
        if os.getpid() != module:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OomError, match="everything is as before"):
        apply_wanted()
    assert (sysctl_tree.root / FILE[1:]).read_bytes() == content


def test_undo_when_interrupted(sysctl_tree, apply_wanted):
    before = sysctl_tree.get(*WANTED)

    def prove():
        raise KeyboardInterrupt

    with pytest.raises(OomError, match=r"^this module was interrupted; everything is as before$"):
        apply_wanted(prove)
    assert sysctl_tree.get(*WANTED) == before


# --- proof --------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_prove_new_process(monkeypatch):
    apply.prove_new_process()
    monkeypatch.setattr(apply, "LOGIN_BYTES", 1 << 46)
    with pytest.raises(OomError, match=r"cannot take .* of memory and fork, as a login does .Cannot allocate memory."):
        apply.prove_new_process()


def test_prove_new_process_when_fork_fails(monkeypatch):
    def fork():
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(OomError, match=r"no new process can be started .fork: Cannot allocate memory."):
        apply.prove_new_process()


def loop_as_nobody():
    """Kill every process of this user, again and again, as any user can do to its own."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    while True:
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    os.kill(int(name), signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_user_can_kill_the_proof():
    child = os.fork()
    if child == 0:
        try:
            loop_as_nobody()
        finally:
            os._exit(0)
    try:
        for _time in range(20):
            apply.prove_new_process()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_proof_runs_under_an_id_of_nobody(sysctl_tree, monkeypatch):
    monkeypatch.setattr(apply, "FREE_IDS", range(2000, 2003))
    sysctl_tree.write("/proc/7/status", "Uid:\t2000\t0\t0\t0\n")
    sysctl_tree.write("/etc/group", "x:x:2001:\n")
    assert {apply.choose_free_id(sysctl_tree.host) for _time in range(20)} == {2002}
    sysctl_tree.write("/etc/passwd", "x:x:2002:0::/:\n")
    with pytest.raises(OomError, match="nothing was changed: no free user id was found from 2000 to 2002"):
        apply.choose_free_id(sysctl_tree.host)


def test_ids_of_proofs_cannot_be_foreseen(sysctl_tree):
    chosen = {apply.choose_free_id(sysctl_tree.host) for _time in range(10)}
    assert len(chosen) == 10
    assert all(65536 < number < 1 << 31 for number in chosen)
