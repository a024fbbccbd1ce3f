# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on the controller: who may be there, and who may not lead a job elsewhere."""

import errno
import multiprocessing
import os
import stat
import tempfile
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_folder import ReportFolder

NOBODY = 65534


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def opened(path, mode=0o600):
    folder = ReportFolder(str(path), mode)
    folder.open_or_create()
    return folder


def check_writable(path):
    with ReportFolder(str(path)) as folder:
        folder.check_writable()


@pytest.mark.parametrize("mode, of_folder", [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755)])
def test_modes(tmp_path, mode, of_folder):
    """A private history makes the folder first, and the report that others may read opens it."""
    with opened(tmp_path / "report" / "history"):
        pass
    with opened(tmp_path / "report", mode) as folder:
        folder.write("a.json", b"x")
    assert mode_of(tmp_path / "report") == of_folder
    assert mode_of(tmp_path / "report" / "history") == 0o700
    assert mode_of(tmp_path / "report" / "a.json") == mode


def test_umask_does_not_count(tmp_path):
    before = os.umask(0o077)
    try:
        with opened(tmp_path / "a" / "b", 0o644) as folder:
            folder.write("x", b"")
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")) == (0o700, 0o755)
    assert mode_of(tmp_path / "a" / "b" / "x") == 0o644


def test_write_replaces_and_leaves_nothing_else(tmp_path):
    with opened(tmp_path / "x") as folder:
        folder.write("a", b"old")
        (tmp_path / "x" / "a").chmod(0o666)
        folder.write("a", b"new")
        assert folder.read("a", 3) == b"new"
        assert folder.read("a", 2) == b""  # too long
        assert folder.read("b", 2) is None
        assert folder.list_names() == ["a"]
    assert os.listdir(tmp_path / "x") == ["a"]
    assert mode_of(tmp_path / "x" / "a") == 0o600


def test_a_link_is_replaced_and_never_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    with opened(tmp_path / "x") as folder:
        (tmp_path / "x" / "a").symlink_to(victim)
        (tmp_path / "x" / "b").symlink_to(victim)
        folder.write("a", b"new")
        assert folder.read("b", 99) == b""
    assert victim.read_text() == "kept"
    assert not (tmp_path / "x" / "a").is_symlink()


def test_a_fifo_and_a_folder_have_no_content(tmp_path):
    with opened(tmp_path / "x") as folder:
        os.mkfifo(tmp_path / "x" / "a")
        (tmp_path / "x" / "b").mkdir()
        assert (folder.read("a", 9), folder.read("b", 9)) == (b"", b"")
        folder.write("a", b"new")
        with pytest.raises(AccessError, match=r"b in the folder .* cannot be written: Is a directory"):
            folder.write("b", b"new")
        assert folder.list_names() == ["a", "b"]


def test_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(AccessError, match="link is a link: name the folder itself"):
        opened(tmp_path / "link")
    (tmp_path / "file").write_text("")
    with pytest.raises(AccessError, match="file cannot be opened: Not a directory"):
        opened(tmp_path / "file")
    with pytest.raises(AccessError, match="the folder /proc/no/folder cannot be created: "):
        opened("/proc/no/folder")


@pytest.mark.parametrize("open_folder", [opened, check_writable])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_others_may_write(tmp_path, mode, open_folder):
    (tmp_path / "x").mkdir()
    (tmp_path / "x").chmod(mode)
    with pytest.raises(AccessError, match=r"other users may write to the folder .*: remove that right, or choose"):
        open_folder(tmp_path / "x")


def test_check_creates_nothing(tmp_path):
    check_writable(tmp_path / "new/history")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(AccessError, match=r"the folder .*/link is a link: name the folder itself"):
        check_writable(tmp_path / "link")
    with pytest.raises(AccessError, match=r"/link/history cannot be created: .*/link is no folder: choose another one"):
        check_writable(tmp_path / "link/history")
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_owners_and_groups(tmp_path):
    (tmp_path / "x").mkdir()
    os.chown(tmp_path / "x", 0, NOBODY)
    (tmp_path / "x").chmod(0o770)
    with pytest.raises(AccessError, match="other users may write to"):
        opened(tmp_path / "x")
    os.chown(tmp_path / "x", 0, os.getegid())
    with opened(tmp_path / "x"):  # a private group, as umask 002 is for
        pass
    os.chown(tmp_path / "x", NOBODY, os.getegid())
    with pytest.raises(AccessError, match="belongs to another user: choose a folder of your own"):
        opened(tmp_path / "x")


def test_a_path_with_nul():
    with pytest.raises(InputError, match="holds a character that no name"):
        ReportFolder("a\0b")


def test_names_are_shown_without_controls(tmp_path):
    (tmp_path / "a\x1b").write_text("")
    with pytest.raises(AccessError) as raised:
        opened(tmp_path / "a\x1b")
    assert "a\\x1b cannot be opened" in str(raised.value)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    with opened(tmp_path / "x") as folder:
        folder.write("a", b"old")

        def fail(*_arguments, **_keywords):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(AccessError, match=r"a in the folder .* cannot be written: No space left on device"):
            folder.write("a", b"new")
        assert folder.read("a", 9) == b"old"
    assert os.listdir(tmp_path / "x") == ["a"]


def test_what_a_killed_job_left_is_removed(tmp_path):
    with opened(tmp_path / "x") as folder:
        (tmp_path / "x" / ".unfinished-0").write_text("half")
        (tmp_path / "x" / ".other").write_text("")
        with folder.lock():
            folder.remove_unfinished()
    assert sorted(os.listdir(tmp_path / "x")) == [".lock", ".other"]


# --- two jobs -----------------------------------------------------------------------


def count_up(path, times):
    for _time in range(times):
        with opened(path) as folder, folder.lock():
            number = int(folder.read("number", 99) or b"0")
            time.sleep(0.001)
            folder.write("number", str(number + 1).encode())


def test_no_write_is_lost(tmp_path):
    fork = multiprocessing.get_context("fork")
    jobs = [fork.Process(target=count_up, args=(tmp_path / "x", 20)) for _job in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    with opened(tmp_path / "x") as folder:
        assert folder.read("number", 99) == b"80"


def test_a_lock_is_awaited_for_a_bounded_time(tmp_path):
    with opened(tmp_path / "x") as one, opened(tmp_path / "x") as other:
        words = r"another job has locked the folder .* for 0\.2 seconds: wait until"
        with one.lock(), pytest.raises(AccessError, match=words), other.lock(0.2):
            pass
        with other.lock(0.2):
            pass


def test_a_lock_that_is_a_link(tmp_path):
    with opened(tmp_path / "x") as folder:
        (tmp_path / "x" / ".lock").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(AccessError, match=r"\.lock in the folder .* cannot be opened"), folder.lock():
            pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path):
    with ReportFolder(str(tmp_path / "x")) as folder:
        assert folder.open_existing() is False
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another user")
def test_a_user_with_a_folder_of_his_own():
    """Write as a user who may write nowhere but in that folder."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        for folder, owner in (("own", NOBODY), ("roots", 0)):
            os.mkdir(f"{name}/{folder}", 0o755)
            os.chown(f"{name}/{folder}", owner, owner)
        job = multiprocessing.get_context("fork").Process(target=work_as_nobody, args=(name,))
        job.start()
        job.join()
        assert job.exitcode == 0
        assert sorted(os.listdir(f"{name}/own")) == [".lock", "a", "history"]
        assert os.listdir(f"{name}/roots") == []


def work_as_nobody(name):
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    for path in (f"{name}/own/history", f"{name}/own"):
        with opened(path) as folder, folder.lock():
            folder.write("a", b"x")
    check_writable(f"{name}/own/new/history")
    for path in (f"{name}/roots", f"{name}/roots/new/history"):
        with pytest.raises(AccessError, match=r"cannot be written: this user may not write to .*/roots: choose"):
            check_writable(path)
    with ReportFolder(f"{name}/roots") as folder:
        assert folder.open_existing()
        with pytest.raises(AccessError, match=r"a in the folder .* cannot be written: Permission denied"):
            folder.write("a", b"x")
    with pytest.raises(AccessError, match=r"the folder .*/roots/x cannot be created: Permission denied"):
        opened(f"{name}/roots/x")
