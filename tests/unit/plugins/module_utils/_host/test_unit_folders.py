# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit files and drop-ins in a tree of ordinary files."""

import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host import unit_folders
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_folders import UnitFolders

DROP_IN = "/etc/systemd/system/docker.service.d/60-oomguard.conf"


class Tree:
    """A root folder with systemd's folders, and the UnitFolders of it."""

    def __init__(self, root):
        self.root = root
        self.folders = UnitFolders(str(root))

    def path(self, path):
        return self.root / path.lstrip("/")

    def write(self, path, text=""):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_read(tree):
    tree.write("/usr/lib/systemd/system/docker.service", "[Service]\n")
    tree.write("/etc/systemd/system/cron.service.d", "a file")
    assert tree.folders.read("/usr/lib/systemd/system/docker.service") == "[Service]\n"
    assert tree.folders.read("/usr/lib/systemd/system/nosuch.service") is None
    assert tree.folders.read("/etc/systemd/system/cron.service.d/60-oomguard.conf") is None


def test_read_a_folder(tree):
    tree.path(DROP_IN).mkdir(parents=True)
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be read: Is a directory"):
        tree.folders.read(DROP_IN)


def test_read_keeps_line_ends(tree):
    tree.write(DROP_IN)
    tree.path(DROP_IN).write_bytes(b"[Service]\r\n# x\x0cy\n")
    text = tree.folders.read(DROP_IN)
    tree.folders.write(DROP_IN, text)
    assert tree.path(DROP_IN).read_bytes() == b"[Service]\r\n# x\x0cy\n"


def test_read_masked_unit(tree):
    tree.path(DROP_IN).parent.mkdir(parents=True)
    tree.path(DROP_IN).symlink_to("/dev/null")
    assert tree.folders.read(DROP_IN) == ""


def make_fifo(path):
    os.mkfifo(str(path))


def make_device(path):
    path.symlink_to("/dev/zero")


def make_sparse(path):
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


@pytest.mark.parametrize(
    "make, problem",
    [(make_fifo, "it is not a file"), (make_device, "it is not a file"), (make_sparse, "it is longer than 1 MiB")],
)
def test_read_has_an_end(tree, make, problem):
    tree.path(DROP_IN).parent.mkdir(parents=True)
    make(tree.path(DROP_IN))
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be read: {problem}"):
        tree.folders.read(DROP_IN)


def test_find_drop_ins(tree):
    for path in (
        "/usr/lib/systemd/system/docker.service.d/10-vendor.conf",
        "/run/systemd/system/docker.service.d/50-b.conf",
        "/run/systemd/system/docker.service.d/50-a.conf",
        "/etc/systemd/system/docker.service.d/60-oomguard.conf",
        "/etc/systemd/system/docker.service.d/README",
        "/etc/systemd/system/cron.service.d/60-oomguard.conf",
    ):
        tree.write(path)
    tree.write("/usr/local/lib/systemd/system/docker.service.d", "a file")
    assert tree.folders.find_drop_ins("docker.service") == [
        "/etc/systemd/system/docker.service.d/60-oomguard.conf",
        "/run/systemd/system/docker.service.d/50-a.conf",
        "/run/systemd/system/docker.service.d/50-b.conf",
        "/usr/lib/systemd/system/docker.service.d/10-vendor.conf",
    ]
    assert tree.folders.find_drop_ins("nosuch.service") == []


def test_find_drop_ins_fails(tree):
    loop = tree.path("/etc/systemd/system/docker.service.d")
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)
    with pytest.raises(
        AccessError, match=r"/etc/systemd/system/docker\.service\.d cannot be read: Too many levels of symbolic links"
    ):
        tree.folders.find_drop_ins("docker.service")


def test_has_user_unit(tree):
    tree.write("/usr/lib/systemd/user/pipewire.service")
    tree.write("/usr/lib/systemd/system/docker.service")
    names = ("pipewire.service", "docker.service")
    assert [name for name in names if tree.folders.has_user_unit(name)] == ["pipewire.service"]


def test_write_makes_the_folder(tree):
    tree.folders.write(DROP_IN, "[Service]\n")
    assert tree.path(DROP_IN).read_text() == "[Service]\n"
    assert [file.name for file in tree.path(DROP_IN).parent.iterdir()] == ["60-oomguard.conf"]


def test_write_replaces_the_file(tree):
    """A rename, so that a reader sees the old text or the new one."""
    tree.write(DROP_IN, "old")
    before = os.stat(str(tree.path(DROP_IN))).st_ino
    tree.folders.write(DROP_IN, "new")
    assert tree.path(DROP_IN).read_text() == "new"
    assert os.stat(str(tree.path(DROP_IN))).st_ino != before


def test_written_file_is_readable_for_all(tree):
    before = os.umask(0o077)
    try:
        tree.folders.write(DROP_IN, "")
    finally:
        os.umask(before)
    assert tree.path(DROP_IN).stat().st_mode & 0o777 == 0o644
    assert tree.path(DROP_IN).parent.stat().st_mode & 0o777 == 0o755


def test_bytes_that_are_not_utf8_survive(tree):
    tree.write(DROP_IN)
    tree.path(DROP_IN).write_bytes(b"# caf\xe9\n")
    tree.folders.write(DROP_IN, tree.folders.read(DROP_IN) + "[Service]\n")
    assert tree.path(DROP_IN).read_bytes() == b"# caf\xe9\n[Service]\n"


def test_failed_write_leaves_nothing(tree):
    (tree.path(DROP_IN) / "in the way").mkdir(parents=True)
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be written: Is a directory"):
        tree.folders.write(DROP_IN, "new")
    assert [file.name for file in tree.path(DROP_IN).parent.iterdir()] == ["60-oomguard.conf"]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_failed_call_leaves_nothing(tree, monkeypatch, call):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be written: No space left on device"):
        tree.folders.write(DROP_IN, "new")
    assert not tree.path(DROP_IN).parent.exists()


LEFTOVER = DROP_IN.replace("60-oomguard.conf", ".60-oomguard.conf.new")


def test_write_removes_what_a_killed_run_left(tree):
    tree.write(LEFTOVER, "[Serv")
    assert tree.folders.has_leftovers(DROP_IN)
    tree.folders.write(DROP_IN, "new")
    assert [file.name for file in tree.path(DROP_IN).parent.iterdir()] == ["60-oomguard.conf"]
    assert not tree.folders.has_leftovers(DROP_IN)


def test_write_does_not_follow_what_stands_in_its_way(tree):
    tree.write("/victim", "precious")
    tree.path(LEFTOVER).parent.mkdir(parents=True)
    tree.path(LEFTOVER).symlink_to(tree.path("/victim"))
    tree.folders.write(DROP_IN, "new")
    assert (tree.path("/victim").read_text(), tree.path(DROP_IN).is_symlink()) == ("precious", False)


def test_remove_what_a_killed_run_left(tree):
    tree.write(LEFTOVER, "[Serv")
    tree.folders.remove(DROP_IN)
    assert not tree.path(DROP_IN).parent.exists()


def test_an_empty_folder_is_left_over(tree):
    tree.path(DROP_IN).parent.mkdir(parents=True)
    assert tree.folders.has_leftovers(DROP_IN)
    tree.folders.remove(DROP_IN)
    assert not tree.folders.has_leftovers(DROP_IN)
    assert not tree.path(DROP_IN).parent.exists()


def test_sweep_fails(tree):
    (tree.path(LEFTOVER) / "a folder").mkdir(parents=True)
    with pytest.raises(
        AccessError, match=f"{DROP_IN} keeps what an earlier run left, which cannot be removed: Is a directory"
    ):
        tree.folders.sweep(DROP_IN)


def test_write_below_a_file(tree):
    tree.write("/etc/systemd/system/docker.service.d", "a file")
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be written"):
        tree.folders.write(DROP_IN, "new")


def test_remove_with_the_empty_folder(tree):
    tree.write(DROP_IN)
    tree.folders.remove(DROP_IN)
    assert not tree.path(DROP_IN).parent.exists()
    assert tree.path("/etc/systemd/system").exists()


def test_remove_keeps_other_files(tree):
    tree.write(DROP_IN)
    tree.write("/etc/systemd/system/docker.service.d/50-other.conf")
    tree.folders.remove(DROP_IN)
    assert [file.name for file in tree.path(DROP_IN).parent.iterdir()] == ["50-other.conf"]


def test_remove_missing_file(tree):
    tree.folders.remove(DROP_IN)
    assert list(tree.root.iterdir()) == []


def test_remove_fails(tree):
    tree.path(DROP_IN).mkdir(parents=True)
    with pytest.raises(AccessError, match=f"{DROP_IN} cannot be removed: Is a directory"):
        tree.folders.remove(DROP_IN)


# --- search -----------------------------------------------------------------------


def test_list_services(tree):
    for path in ("/etc/systemd/system/b.service", "/lib/systemd/system/a.service", "/lib/systemd/system/a.timer"):
        tree.write(path)
    assert tree.folders.list_services() == ["a.service", "b.service"]


def test_find_own_drop_ins(tree):
    ours = HEADER + "\n[Service]\nOOMScoreAdjust=-500\n"
    own = [DROP_IN, "/etc/systemd/system/gone.service.d/70-x.conf", "/run/systemd/system/service.d/60-oomguard.conf"]
    for path in own:
        tree.write(path, ours)
    tree.write("/etc/systemd/system/left.service.d/.60-oomguard.conf.new", "[Serv")
    tree.write("/etc/systemd/system/docker.service.d/.60-oomguard.conf.new", "[Serv")  # beside the file itself
    for path in ("cron.service.d/60-oomguard.conf", "cron.service.wants/60-oomguard.conf", "x.conf"):
        tree.write("/etc/systemd/system/" + path, "[Service]\n")
    tree.write("/usr/lib/systemd/system/docker.service.d/60-oomguard.conf", ours)  # of a package
    tree.path("/etc/systemd/system/alias.service.d").symlink_to("docker.service.d")
    tree.path("/etc/systemd/system/folder.service.d/x.conf").mkdir(parents=True)
    found, unread = tree.folders.find_own_drop_ins("60-oomguard.conf")
    left = "/etc/systemd/system/left.service.d/60-oomguard.conf"
    assert (sorted(found), unread) == (sorted([*own, left]), [])


def test_find_own_drop_ins_beside_what_cannot_be_read(tree, monkeypatch):
    """It is somebody else's, and costs us none of ours."""
    tree.write(DROP_IN, HEADER + "\n[Service]\nOOMScoreAdjust=-500\n")
    tree.write("/etc/systemd/system/big.service.d/x.conf", "#" * (2 << 20))
    tree.path("/etc/systemd/system/broken.service.d").mkdir()
    list_real = os.scandir

    def fail(path):
        if path.endswith("broken.service.d"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return list_real(path)

    monkeypatch.setattr(os, "scandir", fail)
    found, unread = tree.folders.find_own_drop_ins("60-oomguard.conf")
    assert found == [DROP_IN]
    assert [reason.partition(": ")[0] for reason in unread] == [
        "/etc/systemd/system/big.service.d/x.conf cannot be read",
        "/etc/systemd/system/broken.service.d cannot be read",
    ]


def test_find_own_drop_ins_in_a_folder_that_cannot_be_read(tree):
    tree.path("/etc/systemd").mkdir(parents=True)
    tree.path("/etc/systemd/system").symlink_to("system")
    with pytest.raises(
        AccessError, match="/etc/systemd/system cannot be read: Too many levels of symbolic links: remove"
    ):
        tree.folders.find_own_drop_ins("60-oomguard.conf")


def test_why_read_only(tree, monkeypatch):
    assert tree.folders.why_read_only(DROP_IN) is None
    with open("/proc/self/mountinfo") as mounts:
        read_only = [line.split()[4] for line in mounts if line.split()[5].split(",")[0] == "ro"]
    for mount in read_only[:1]:
        assert "cannot be written: Read-only file system: mount" in UnitFolders("/").why_read_only(mount + "/x")
    monkeypatch.setattr(os, "access", lambda *_words, **_more: False)
    assert "cannot be written: Permission denied: " in tree.folders.why_read_only(DROP_IN)


def test_folder_with_too_many_files_is_not_read(tree, monkeypatch):
    """A user fills a folder of his own, for root to read."""
    monkeypatch.setattr(unit_folders, "_MAX_NAMES", 10)
    for number in range(11):
        tree.write(f"/etc/systemd/system/a.service.d/{number}.conf", "")
    with pytest.raises(AccessError, match=r"a.service.d cannot be read: it has more than 10 files: move away what is"):
        tree.folders.find_drop_ins("a.service")


def test_files_of_one_unit_are_limited_in_all(tree):
    paths = [f"/etc/systemd/system/a.service.d/{number}.conf" for number in range(3)]
    for path in paths:
        tree.write(path, "#" * (1 << 20))
    assert sum(map(len, tree.folders.read_all(paths[:2]).values())) == 2 << 20
    with pytest.raises(AccessError, match=r"2.conf cannot be read: its unit has more than 1000 files, or these are"):
        tree.folders.read_all(paths)
