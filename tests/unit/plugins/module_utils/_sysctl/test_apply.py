# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All or nothing: writes to a tree of files, with real helpers that are really killed."""

import errno
import os
import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply as _sysctl_apply
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host as _sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import overcommit as _overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import run as _sysctl_run
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import ADMIN_RESERVE, MODE, RATIO
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import DeadMan

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
WANTED = {ADMIN_RESERVE: 131072, RATIO: 80, MODE: 2}
SECONDS = 20


def request(**options):
    options = dict(dict(persistent=True, file=FILE, rollback_seconds=SECONDS), **options)
    return _sysctls.Request("overcommit", _overcommit.KEYS, WANTED, _overcommit.order, _overcommit.leans_on, **options)


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def apply(tree, prove=lambda: None, **options):
    _sysctl_apply.apply(tree.host, _sysctls.plan(tree.host, request(**options)), prove)


def nothing_of_ours(tree):
    return os.listdir(str(tree.root / "etc/sysctl.d")) == []


def test_live_values_and_file_are_written(sysctl_tree):
    apply(sysctl_tree)
    assert sysctl_tree.get(*WANTED) == WANTED
    assert (sysctl_tree.root / FILE[1:]).stat().st_mode & 0o777 == 0o644
    assert os.listdir(str(sysctl_tree.root / "etc/sysctl.d")) == [os.path.basename(FILE)]
    assert not _sysctls.plan(sysctl_tree.host, request()).changed


def test_the_mode_of_the_file_does_not_depend_on_the_umask(sysctl_tree):
    os.rmdir(str(sysctl_tree.root / "etc/sysctl.d"))
    usual = os.umask(0o077)
    try:
        apply(sysctl_tree)
    finally:
        os.umask(usual)
    assert (sysctl_tree.root / FILE[1:]).stat().st_mode & 0o777 == 0o644
    assert (sysctl_tree.root / "etc/sysctl.d").stat().st_mode & 0o777 == 0o755


def test_what_cannot_be_proven_is_taken_back(sysctl_tree):
    before = sysctl_tree.get(*WANTED)

    def prove():
        assert sysctl_tree.get(*WANTED) == WANTED
        raise OomError("no new process can be started")

    with pytest.raises(OomError, match="no new process can be started; all is as before"):
        apply(sysctl_tree, prove)
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)


def test_what_is_late_is_taken_back_without_us(sysctl_tree):
    before = sysctl_tree.get(*WANTED)

    def prove():
        wait_until(lambda: sysctl_tree.get(*WANTED) == before)

    with pytest.raises(OomError, match="not shown within rollback_seconds=0.1.*all is as before"):
        apply(sysctl_tree, prove, rollback_seconds=0.1)
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)


def test_what_a_killed_helper_cannot_finish_is_taken_back_by_us(sysctl_tree, monkeypatch):
    before = sysctl_tree.get(*WANTED)
    helpers = []

    def armed(*words):
        helpers.append(DeadMan(*words))
        return helpers[0]

    monkeypatch.setattr(_sysctl_apply, "DeadMan", armed)
    with pytest.raises(OomError, match="or it was killed; all is as before"):
        apply(sysctl_tree, lambda: os.kill(helpers[0]._pid, signal.SIGKILL))
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)


def test_stopped_while_it_writes_it_does_not_write_on_when_the_helper_has_given_up(sysctl_tree, monkeypatch):
    """A module that hangs in a host without memory, and wakes when the helper has long put everything back."""
    before = sysctl_tree.get(*WANTED)
    usual, written, module = os.pwrite, [], os.getpid()

    def slow(fd, text, offset):
        done = usual(fd, text, offset)
        written.append(text)
        if os.getpid() == module and len(written) == 2:
            wait_until(lambda: sysctl_tree.get(*WANTED) == before)
        return done

    monkeypatch.setattr(os, "pwrite", slow)
    with pytest.raises(OomError, match="the helper gave up before all was written.*all is as before"):
        apply(sysctl_tree, rollback_seconds=0.2)
    assert sysctl_tree.get(*WANTED) == before


def test_what_the_helper_could_not_undo_is_undone_by_us(sysctl_tree, monkeypatch):
    """The helper gave up between the look and the write."""
    before = sysctl_tree.get(*WANTED)
    monkeypatch.setattr(DeadMan, "holds", lambda self: True)
    usual, written, module = os.pwrite, [], os.getpid()

    def slow(fd, text, offset):
        if os.getpid() == module and len(written) == 1:
            wait_until(lambda: sysctl_tree.get(*WANTED) == before)
        written.append(text)
        return usual(fd, text, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    with pytest.raises(OomError, match="; all is as before"):
        apply(sysctl_tree, rollback_seconds=0.2)
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)


def test_a_file_that_was_finished_by_a_helper_that_died_is_as_before(sysctl_tree, monkeypatch):
    sysctl_tree.write(
        FILE,
        "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\nvm.overcommit_ratio = 70\n",
    )
    text = (sysctl_tree.root / FILE[1:]).read_text()
    usual = os.rename

    def rename(*words):
        usual(*words)
        if os.getpid() != module:
            os.kill(os.getpid(), signal.SIGKILL)

    module = os.getpid()
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OomError, match="all is as before"):
        apply(sysctl_tree)
    assert (sysctl_tree.root / FILE[1:]).read_text() == text


def test_what_cannot_be_put_back_is_told_and_the_rest_is(sysctl_tree, monkeypatch):
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
    armed = DeadMan.__init__

    def remember(self, *words):
        armed(self, *words)
        helpers.append(self._pid)

    monkeypatch.setattr(DeadMan, "__init__", remember)
    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OomError, match="no; this could not be put back: .*; vm.overcommit_ratio shows 80 and not 50"):
        apply(sysctl_tree, prove)
    assert sysctl_tree.get(MODE, ADMIN_RESERVE) == {MODE: 0, ADMIN_RESERVE: 8192}


def test_a_lack_of_memory_is_told_in_words_and_all_is_put_back(sysctl_tree):
    def prove():
        raise MemoryError

    with pytest.raises(OomError, match="^this module got no more memory; all is as before$"):
        apply(sysctl_tree, prove)
    assert nothing_of_ours(sysctl_tree)


def test_a_lack_of_memory_on_the_way_back_does_not_keep_the_rest_from_it(sysctl_tree, monkeypatch):
    """The helper is killed when it has finished, and the module lacks memory for one value, and to look."""
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
            OomError, match="or it was killed; this could not be put back: this module got no more memory"
        ):
            apply(sysctl_tree)
    assert sysctl_tree.get(*WANTED) == dict(before, **{RATIO: 80})
    assert nothing_of_ours(sysctl_tree)


def test_a_write_that_fails_is_taken_back(sysctl_tree, monkeypatch):
    before = sysctl_tree.get(*WANTED)
    usual = os.pwrite

    def refuse_mode(fd, text, offset):
        if text == b"2\n":
            raise OSError(errno.EINVAL, "Invalid argument")
        return usual(fd, text, offset)

    monkeypatch.setattr(os, "pwrite", refuse_mode)
    with pytest.raises(OomError, match="vm.overcommit_memory cannot be set to 2: Invalid argument; all is as before"):
        apply(sysctl_tree)
    assert sysctl_tree.get(*WANTED) == before


def test_a_value_that_does_not_stay_is_taken_back(sysctl_tree, monkeypatch):
    usual = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, text, offset: usual(fd, b"1\n" if text == b"2\n" else text, offset))
    with pytest.raises(OomError, match="after the write vm.overcommit_memory shows 1 and not 2; all is as before"):
        apply(sysctl_tree)


@pytest.mark.parametrize(
    "number, words", [(errno.EROFS, "it is read-only here"), (errno.EACCES, "Permission denied; use become")]
)
def test_what_cannot_be_opened_is_refused_before_anything_is_written(sysctl_tree, monkeypatch, number, words):
    before = sysctl_tree.get(*WANTED)
    usual = os.open

    def denied(path, flags, *rest, **options):
        if "overcommit_memory" in str(path) and flags & os.O_WRONLY:
            raise OSError(number, os.strerror(number))
        return usual(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", denied)
    words = "/proc/sys/vm/overcommit_memory cannot be written: " + words
    with pytest.raises(AccessError, match=words):
        apply(sysctl_tree)
    assert run(sysctl_tree, check_mode=True).doubts == [words]
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_written(sysctl_tree):
    before = sysctl_tree.get(*WANTED)
    os.rmdir(str(sysctl_tree.root / "etc/sysctl.d"))
    sysctl_tree.write("/etc/sysctl.d", "a file")
    with pytest.raises(AccessError, match="60-oomguard-overcommit.conf cannot be written"):
        apply(sysctl_tree)
    assert sysctl_tree.get(*WANTED) == before


@pytest.mark.parametrize("writes", range(len(WANTED) + 2))
def test_killed_between_any_two_steps_it_is_all_or_nothing(sysctl_tree, monkeypatch, writes):
    """SIGKILL after so many writes, or after them all and before the end. The helper then decides alone."""
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
        apply(sysctl_tree, lambda: os.kill(module, signal.SIGKILL) if writes == len(WANTED) else None)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    finished = writes > len(WANTED)
    assert os.WIFEXITED(status) if finished else os.WTERMSIG(status) == signal.SIGKILL
    if not finished:
        wait_until(lambda: nothing_of_ours(sysctl_tree))
    assert sysctl_tree.get(*WANTED) == (WANTED if finished else before)
    assert (sysctl_tree.root / FILE[1:]).exists() is finished


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_new_process_is_really_tried(monkeypatch):
    _sysctl_apply.prove_new_process()
    monkeypatch.setattr(_sysctl_apply, "ROOM", 1 << 46)
    with pytest.raises(OomError, match="does not get the .* that a login takes .Cannot allocate memory."):
        _sysctl_apply.prove_new_process()


def test_a_fork_that_fails_is_told(monkeypatch):
    def fork():
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(OomError, match="no new process can be started .fork: Cannot allocate memory."):
        _sysctl_apply.prove_new_process()


# --- the dead man's switch ----------------------------------------------------------


@pytest.fixture
def switch(tmp_path):
    """A helper that writes down what it did."""
    log = tmp_path / "log"

    def note(word):
        def write():
            with log.open("a") as stream:
                stream.write(word)

        return write

    def make(seconds=SECONDS, keep=note("keep"), undo=note("undo")):
        return DeadMan(seconds, keep, undo)

    make.log = lambda: log.read_text() if log.exists() else ""
    return make


def test_it_keeps_when_it_is_told_to(switch):
    assert switch().keep() is True
    assert switch.log() == "keep"


def test_it_undoes_when_it_is_told_to(switch):
    assert switch().undo() is True
    assert switch.log() == "undo"


def test_it_undoes_when_the_time_is_over(switch):
    dead_man = switch(0.05)
    wait_until(lambda: switch.log() == "undo")
    assert dead_man.keep() is False


def test_it_undoes_what_cannot_be_kept(switch):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert switch(keep=full).keep() is False
    assert switch.log() == "undo"


def test_it_tries_again_when_it_cannot_undo_at_once(switch, tmp_path):
    def undo():
        marks = list(tmp_path.glob("try*"))
        (tmp_path / f"try{len(marks)}").write_text("")
        if len(marks) < 2:
            raise MemoryError

    assert switch(undo=undo).undo() is True
    assert len(list(tmp_path.glob("try*"))) == 3


def test_a_helper_that_was_killed_is_told(switch):
    dead_man = switch()
    os.kill(dead_man._pid, signal.SIGKILL)
    assert dead_man.keep() is False
    assert switch.log() == ""


def test_it_outlives_the_session_of_the_one_that_it_watches(switch):
    child = os.fork()
    if child == 0:
        os.setsid()
        switch()
        os.killpg(0, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: switch.log() == "undo")


def test_nobody_waits_for_it(switch):
    """Who reads what the watched process writes gets to the end of it, while the helper is still there."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.closerange(3, 64)
        dead_man = switch()
        os.write(1, str(dead_man._pid).encode())
        os.close(1)
        time.sleep(SECONDS)
        os._exit(0)
    os.close(write)
    with open(read) as stream:
        helper = int(stream.read())  # up to the end of file
    os.kill(helper, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: switch.log() == "undo")


# --- the whole way: _sysctl_run ---------------------------------------------------------


def run(tree, check_mode=False, refuse=lambda plan: None, **options):
    return _sysctl_run.run(tree.host, request(**options), refuse, check_mode)


def test_check_mode_stops_before_the_write(sysctl_tree):
    before = sysctl_tree.get(*WANTED)
    made = run(sysctl_tree, check_mode=True)
    assert made.changed
    assert sysctl_tree.get(*WANTED) == before
    assert nothing_of_ours(sysctl_tree)
    assert run(sysctl_tree).after == made.after


def test_a_refusal_comes_first_and_force_overrides_it(sysctl_tree):
    def refuse(plan):
        raise InputError("no")

    for check_mode in (True, False):
        with pytest.raises(InputError, match="no"):
            run(sysctl_tree, check_mode, refuse)
    assert run(sysctl_tree, refuse=refuse, force=True).changed


def test_a_container_is_refused_or_only_told_of(sysctl_tree):
    sysctl_tree.write("/.dockerenv", "")
    with pytest.raises(AccessError, match="this is a container"):
        run(sysctl_tree)
    assert "this is a container" in run(sysctl_tree, check_mode=True).doubts[0]
    sysctl_tree.set(**WANTED)
    assert not run(sysctl_tree, persistent=False).changed  # nothing to do is no reason to fail


def test_a_kubelet_is_found(sysctl_tree):
    sysctl_tree.proc.process(7, name="kubelet")
    with pytest.raises(InputError, match="the kubelet on this host"):
        run(sysctl_tree)


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_wait_without_sense_is_refused(sysctl_tree, seconds):
    with pytest.raises(InputError, match=f"rollback_seconds={seconds} is out of range, 1 to 3600"):
        run(sysctl_tree, rollback_seconds=seconds)


def test_two_modules_do_not_change_the_same_at_once(sysctl_tree, monkeypatch):
    ended = []
    monkeypatch.setattr(_sysctl_apply, "prove_new_process", lambda: None)
    with _sysctl_run._alone(sysctl_tree.host) as lock:
        child = os.fork()
        if child == 0:
            os.close(lock)
            run(sysctl_tree)
            os._exit(0)
        time.sleep(0.2)
        ended.append(os.waitpid(child, os.WNOHANG)[0])
        assert sysctl_tree.get(MODE) == {MODE: 0}
    os.waitpid(child, 0)
    assert ended == [0]
    assert sysctl_tree.get(MODE) == {MODE: 2}


def test_a_lock_that_somebody_keeps_is_told(sysctl_tree, monkeypatch):
    monkeypatch.setattr(_sysctl_run, "LOCK_SECONDS", 0.2)
    with _sysctl_run._alone(sysctl_tree.host):
        with pytest.raises(
            OomError,
            match="another run of overcommit or oom_policy on this host has held the lock on /proc/sys.*see lslocks",
        ):
            run(sysctl_tree)
        assert run(sysctl_tree, check_mode=True).changed  # changes nothing, and waits for nobody
    assert sysctl_tree.get(MODE) == {MODE: 0}
