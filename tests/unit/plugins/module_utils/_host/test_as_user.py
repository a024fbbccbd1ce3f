# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with the rights of another user, and what that user can do to it."""

import os
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import (
    Account,
    call_as_user,
    find_account,
    list_present_users,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Role, start_program

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
    from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import become

    role = Role(lambda: become(NOBODY), {"PATH": "/usr/bin:/bin", "A": "1"})
    assert start_program("sh", "-c", "id -u; echo $A; echo ${HOME:-none}", role=role)() == "65534\n1\nnone\n"
