# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are written or removed in one step, in a real tree."""

import contextlib
import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.file_changes import (
    check_folder,
    commit_changes,
    prepare_change,
    restore_file,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import FileChange

ONE, TWO = "/etc/sysctl.d/1.conf", "/etc/sysctl.d/2.conf"


@pytest.fixture
def prepare(sysctl_tree):
    """Prepare changes, and return what commits them."""
    stack = contextlib.ExitStack()

    def make(*changes):
        return [stack.enter_context(prepare_change(sysctl_tree.host, change)) for change in changes]

    with stack:
        yield make


def names(tree, folder="etc/sysctl.d"):
    return sorted(os.listdir(str(tree.root / folder)))


def test_write_a_file(sysctl_tree, prepare):
    changes = prepare(FileChange(ONE, None, "x\n"))
    assert names(sysctl_tree) == [".1.conf.new"]
    commit_changes(changes)
    assert names(sysctl_tree) == ["1.conf"]
    assert (sysctl_tree.root / ONE[1:]).stat().st_mode & 0o777 == 0o644


def test_remove_files(sysctl_tree, prepare):
    sysctl_tree.write(ONE, "x\n")
    sysctl_tree.write(TWO, "y\n")
    changes = prepare(FileChange(ONE, "x\n", None), FileChange(TWO, "y\n", None))
    assert names(sysctl_tree) == ["1.conf", "2.conf"]
    commit_changes(changes)
    assert names(sysctl_tree) == []


def test_private_file_and_folder(sysctl_tree, prepare):
    commit_changes(prepare(FileChange("/run/oomguard/x.before", None, "x\n", private=True)))
    assert (sysctl_tree.root / "run/oomguard").stat().st_mode & 0o777 == 0o700
    assert (sysctl_tree.root / "run/oomguard/x.before").stat().st_mode & 0o777 == 0o600


def test_prepared_file_and_new_folder_go_if_nothing_is_committed(sysctl_tree):
    change = FileChange("/run/oomguard/x.before", None, "x\n", private=True)
    with prepare_change(sysctl_tree.host, change):
        assert names(sysctl_tree, "run/oomguard") == [".x.before.new"]
    assert names(sysctl_tree, "run") == ["systemd"]


@pytest.mark.parametrize("stop", [0, 1])
def test_all_files_or_none_are_removed(sysctl_tree, prepare, monkeypatch, stop):
    """The rename of one fails. The file is the same one afterwards, not a copy."""
    before = {}
    for path in (ONE, TWO):
        sysctl_tree.write(path, "x\n")
        os.chmod(str(sysctl_tree.root / path[1:]), 0o640)
        before[path] = os.stat(str(sysctl_tree.root / path[1:]))
    usual, renamed = os.rename, []

    def rename(*words):
        renamed.append(words)
        if len(renamed) == stop + 1:
            raise OSError(errno.EPERM, "Operation not permitted")
        usual(*words)

    changes = prepare(FileChange(ONE, "x\n", None), FileChange(TWO, "x\n", None))
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="not permitted"):
        commit_changes(changes)
    assert names(sysctl_tree) == ["1.conf", "2.conf"]
    for path, old in before.items():
        now = os.stat(str(sysctl_tree.root / path[1:]))
        assert (now.st_ino, now.st_mode, now.st_mtime) == (old.st_ino, old.st_mode, old.st_mtime)


def test_undo_brings_a_hidden_file_back(sysctl_tree, prepare):
    sysctl_tree.write(ONE, "x\n")
    [change] = prepare(FileChange(ONE, "x\n", None))
    change.undo()  # nothing was done yet
    change.commit()
    assert names(sysctl_tree) == [".1.conf.new"]
    change.undo()
    change.undo()
    assert names(sysctl_tree) == ["1.conf"]


@pytest.mark.parametrize(
    "before, now",
    [(None, None), (None, "new\n"), ("old\n", "old\n"), ("old\n", "new\n"), ("old\n", None)],
)
@pytest.mark.parametrize("after", ["new\n", None])
def test_restore(sysctl_tree, before, now, after):
    if now is not None:
        sysctl_tree.write(ONE, now)
    restore_file(sysctl_tree.host, FileChange(ONE, before, after))
    assert names(sysctl_tree) == ([] if before is None else ["1.conf"])
    assert sysctl_tree.host.text(ONE) == before


@pytest.mark.parametrize(
    "change, verb", [(FileChange(ONE, None, "x"), "written"), (FileChange(ONE, "x", None), "removed")]
)
def test_folder_of_root_is_not_writable_for_another_user(sysctl_tree, as_nobody, change, verb):
    check_folder(sysctl_tree.host, change)
    with as_nobody(sysctl_tree.root), pytest.raises(AccessError) as error:
        check_folder(sysctl_tree.host, change)
    assert str(error.value) == f"{ONE} cannot be {verb}: Permission denied: ran as uid 65534: add become: true"


def test_folder_that_does_not_exist_is_made_if_the_one_above_can_be_written(sysctl_tree):
    check_folder(sysctl_tree.host, FileChange("/new/folder/x.conf", None, "x"))


def test_file_in_the_place_of_the_folder(sysctl_tree):
    sysctl_tree.write("/etc/place", "")
    with pytest.raises(AccessError, match=r"Not a directory: move away the file that is in the place of a folder$"):
        check_folder(sysctl_tree.host, FileChange("/etc/place/x.conf", None, "x"))


def test_read_only_file_system(sysctl_tree, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_words, **_options: False)
    usual = os.statvfs(str(sysctl_tree.root))
    monkeypatch.setattr(os, "statvfs", lambda _path: type(usual)((*usual[:8], os.ST_RDONLY, usual[9])))
    with pytest.raises(AccessError, match="Read-only file system: mount its file system writable"):
        check_folder(sysctl_tree.host, FileChange(ONE, None, "x"))
