# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with the rights of another user, and what that user can do to it."""

import contextlib
import fcntl
import os
import pty
import signal
import stat
import termios
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import (
    Account,
    AsUser,
    call_as_user,
    find_account,
    list_present_users,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program

NOBODY = Account("nobody", 65534, 65534, "/nonexistent")
SELF = Account("self", os.geteuid(), os.getegid(), "/")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_find_account_of_root():
    assert find_account("root")[:3] == ("root", 0, 0)


@pytest.mark.parametrize("name", ["no-such-user", "a\0b", "\ud800", ""])
def test_name_an_unknown_user(name):
    with pytest.raises(NotFoundError, match="this host has no such user; check the name with getent passwd"):
        find_account(name)


def test_users_who_are_here(tmp_path):
    assert list_present_users(str(tmp_path)) == []
    for folder in ("var/lib/systemd/linger", "run/user/0", "run/user/4321", "run/user/x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger/alice").write_text("")
    assert list_present_users(str(tmp_path)) == ["alice", "root"]


def test_own_rights_need_no_other_process():
    assert call_as_user(SELF, os.getpid) == os.getpid()


def test_another_user_needs_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(AccessError, match="files of user nobody cannot be reached: ran as uid 1000: add become: true"):
        call_as_user(NOBODY, os.getpid)


@needs_root
def test_all_ids_are_those_of_the_user():
    def read():
        return [list(os.getresuid()), list(os.getresgid()), os.getcwd(), os.getpid() != parent]

    parent = os.getpid()
    assert call_as_user(NOBODY, read) == [[65534] * 3, [65534] * 3, "/", True]
    assert os.geteuid() == 0


@needs_root
def test_user_cannot_trace_the_process():
    """Its memory has what the module was given, such as passwords."""
    assert call_as_user(NOBODY, lambda: os.stat("/proc/self/mem").st_uid) == 0


@needs_root
def test_no_file_of_another_user_is_reached(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    with pytest.raises(OomError, match=r"rights of user nobody failed: PermissionError: .*secret"):
        call_as_user(NOBODY, secret.read_text)


@needs_root
def test_errors_for_the_administrator_come_back_as_they_are():
    def refuse():
        raise AccessError("the folder is not writable: do something")

    with pytest.raises(AccessError, match=r"^the folder is not writable: do something$"):
        call_as_user(NOBODY, refuse)


@needs_root
@pytest.mark.parametrize("text", ["", "a\udcffb\r\n\x1b", "x" * 100000, None])
def test_texts_come_back_byte_for_byte(text):
    assert call_as_user(NOBODY, lambda: text) == text


@needs_root
def test_what_does_not_end_is_ended():
    begun = time.monotonic()
    with pytest.raises(OomError, match="rights of user nobody failed: no answer came in time"):
        call_as_user(NOBODY, lambda: time.sleep(60), seconds=0.3)
    assert time.monotonic() - begun < 10


@needs_root
def test_process_that_its_user_ends_is_a_failure():
    with pytest.raises(OomError, match="rights of user nobody failed"):
        call_as_user(NOBODY, lambda: os.kill(os.getpid(), 9))


@needs_root
def test_program_runs_as_the_user_with_this_environment_only():
    script = "id -u; echo $A; echo ${HOME:-none}"
    environment = {"PATH": "/usr/bin:/bin", "A": "1"}

    def run():
        return Program(["sh", "-c", script], environment=environment).output().decode()

    assert call_as_user(NOBODY, run) == "65534\n1\nnone\n"


# --- what the user may do to it ----------------------------------------------------


def list_descriptors():
    """Return the kind of file of each open descriptor; the user cannot read /proc/self/fd."""
    kinds = []
    for number in range(256):
        with contextlib.suppress(OSError):
            found = os.fstat(number)
            is_null = stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)
            kinds.append("null" if is_null else stat.filemode(found.st_mode)[0])
    return kinds


@needs_root
def test_nothing_of_the_run_is_open_but_the_pipe(tmp_path):
    with open(str(tmp_path / "lock"), "w") as _lock:
        assert call_as_user(NOBODY, list_descriptors) == ["null", "null", "null", "p"]


@needs_root
def test_user_cannot_type_into_the_terminal_of_root():
    """A program with root's terminal could type a command there (CVE-2016-2779)."""

    def type_into_it():
        terminal = os.open("/dev/tty", os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSTI, b"x")

    pid, master = pty.fork()
    if pid == 0:
        try:
            call_as_user(NOBODY, type_into_it)
            os.write(1, b"it typed")
        except OomError as error:
            os.write(1, str(error).encode())
        finally:
            os._exit(0)
    text = b""
    with contextlib.suppress(OSError):  # EIO once the other end is closed
        while True:
            text += os.read(master, 4096)
    os.waitpid(pid, 0)
    os.close(master)
    assert b"No such device or address: '/dev/tty'" in text


@needs_root
def test_home_that_holds_the_process_for_ever_keeps_no_lock(tmp_path, hanging_folder):
    """The kernel ends no process that waits for a file system of a user: it must have no lock."""
    lock = tmp_path / "lock"
    with open(str(lock), "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(OomError, match="rights of user nobody failed: no answer came in time"):
            call_as_user(NOBODY, lambda: os.listdir(hanging_folder), seconds=0.5)
    with open(str(lock), "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


@needs_root
def test_programs_of_the_process_end_with_it():
    def run():
        Program(["sh", "-c", "exec sleep 61.25"]).output()

    with pytest.raises(OomError, match="no answer came in time"):
        call_as_user(NOBODY, run, seconds=0.3)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and b"61.25" in b"".join(map(read_arguments, os.listdir("/proc"))):
        time.sleep(0.02)
    assert b"61.25" not in b"".join(map(read_arguments, os.listdir("/proc")))


def read_arguments(name):
    try:
        with open(f"/proc/{name}/cmdline", "rb") as stream:
            return stream.read()
    except OSError:
        return b""


@needs_root
def test_process_that_is_stopped_costs_its_time_alone():
    begun = time.monotonic()
    with pytest.raises(OomError, match="no answer came in time"):
        call_as_user(NOBODY, lambda: os.kill(os.getpid(), signal.SIGSTOP), seconds=0.3)
    assert time.monotonic() - begun < 5


@needs_root
def test_time_of_one_user_is_limited_in_all():
    as_user, begun = AsUser(NOBODY, seconds=0.5), time.monotonic()
    assert as_user.call(os.getuid) == 65534
    for _call in range(50):
        with pytest.raises(OomError, match=r"user nobody (failed: no answer came|took more than 0 seconds: check)"):
            as_user.call(lambda: time.sleep(0.4) or time.sleep(60))
    assert time.monotonic() - begun < 5


@needs_root
def test_failure_of_a_user_is_short():
    with pytest.raises(OomError) as error:
        call_as_user(NOBODY, lambda: os.stat("/" + "x" * 100000))
    assert len(str(error.value)) < 800
