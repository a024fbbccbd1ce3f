# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A helper that keeps or undoes a change, whatever happens to the process that started it."""

import errno
import os
import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import rollback
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import RollbackHelper

SECONDS = 20


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def start(tmp_path):
    """Start a helper that logs what it does."""
    log = tmp_path / "log"

    def logger(word):
        def write():
            with log.open("a") as stream:
                stream.write(word)

        return write

    def make(seconds=SECONDS, keep=None, undo=None):
        return RollbackHelper(seconds, keep or logger("keep"), undo or logger("undo"))

    make.log = lambda: log.read_text() if log.exists() else ""
    return make


def test_keep_when_confirmed(start):
    assert start().confirm() is True
    assert start.log() == "keep"


def test_undo_when_asked(start):
    assert start().roll_back() is True
    assert start.log() == "undo"


def test_undo_after_the_time(start):
    helper = start(0.05)
    wait_until(lambda: start.log() == "undo")
    assert helper.confirm() is False


def test_undo_what_cannot_be_kept(start):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert start(keep=full).confirm() is False
    assert start.log() == "undo"


def test_retry_an_undo_that_fails(start, tmp_path):
    def undo():
        marks = list(tmp_path.glob("turn*"))
        (tmp_path / f"turn{len(marks)}").write_text("")
        if len(marks) < 2:
            raise MemoryError

    assert start(undo=undo).roll_back() is True
    assert len(list(tmp_path.glob("turn*"))) == 3


def test_killed_helper_does_not_confirm(start):
    helper = start()
    os.kill(helper.pid, signal.SIGKILL)
    assert helper.confirm() is False
    assert start.log() == ""


def test_helper_outlives_the_session(start):
    child = os.fork()
    if child == 0:
        os.setsid()
        start()
        os.killpg(0, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: start.log() == "undo")


def test_output_ends_while_helper_runs(start):
    """A program that reads the watched process's output reaches its end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.closerange(3, 64)
        helper = start()
        os.write(1, str(helper.pid).encode())
        os.close(1)
        time.sleep(SECONDS)
        os._exit(0)
    os.close(write)
    with open(read) as stream:
        helper = int(stream.read())  # up to the end of file
    os.kill(helper, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: start.log() == "undo")


def test_helper_that_ends_at_once_is_waited_for(start, monkeypatch):
    def fail(*_words):
        raise OSError(errno.EMFILE, "Too many open files")

    fork, helpers = os.fork, []

    def remember():
        helpers.append(fork())
        return helpers[-1]

    monkeypatch.setattr(rollback, "_close_files_except", fail)
    monkeypatch.setattr(os, "fork", remember)
    with pytest.raises(OSError, match="it ended at once"):
        start()
    with pytest.raises(ChildProcessError):
        os.waitpid(helpers[0], os.WNOHANG)  # other tests may have left children of their own
    assert start.log() == ""
