# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of users whose home folders have drop-ins."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.home_record import HomeRecord


@pytest.fixture
def root(tmp_path):
    (tmp_path / "var/lib").mkdir(parents=True)
    return tmp_path


def test_note_and_forget(root):
    record = HomeRecord(str(root))
    assert record.list_users() == []
    for user in ("bob", "alice", "bob", "j\udcfcrgen"):
        record.note(user)
    assert HomeRecord(str(root)).list_users() == ["alice", "bob", "j\udcfcrgen"]
    for user in ("nobody", "j\udcfcrgen", "bob"):
        record.forget(user)
    assert record.list_users() == ["alice"]
    record.forget("alice")
    assert list((root / "var/lib").iterdir()) == []


def test_only_root_has_one(root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    HomeRecord(str(root)).note("alice")
    assert list((root / "var/lib").iterdir()) == []


STRANGE = {
    "a link": lambda path: path.symlink_to("/tmp"),
    "a file": lambda path: path.write_text(""),
    "one that others may write": lambda path: (path.mkdir(), path.chmod(0o777)),
    "one of a user": lambda path: (path.mkdir(), os.chown(str(path), 1000, 1000)),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=list(STRANGE))
def test_folder_of_somebody_else(root, make):
    make(root / "var/lib/oomguard")
    with pytest.raises(AccessError, match=r"^/var/lib/oomguard must be a folder that only root can write: remove it$"):
        HomeRecord(str(root)).note("alice")


def test_no_var_lib(root):
    (root / "var/lib").rmdir()
    with pytest.raises(AccessError, match=r"^/var/lib/oomguard cannot be made: "):
        HomeRecord(str(root)).note("alice")
