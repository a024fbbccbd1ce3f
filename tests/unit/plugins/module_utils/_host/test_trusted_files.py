# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who could have written a file. Trees of real files, with owners if the tests run as root."""

import os
import re
import struct

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import (
    is_roots,
    read_roots_file,
    read_trusted,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

FIRST_LOGIN = 1000
ANY = 0xFFFFFFFF


@pytest.fixture
def folder(tmp_path):
    """Return a folder of root with one file in it."""
    (tmp_path / "file").write_text("12\n")
    (tmp_path / "file").chmod(0o644)
    return tmp_path


def read(path, **options):
    return read_trusted(str(path), 64, FIRST_LOGIN, **options)


def test_read_own_file(folder):
    os.utime(str(folder / "file"), (5, 7))
    assert read(folder / "file") == (b"12\n", 7.0, frozenset(), frozenset())
    assert read(folder / "." / ".." / folder.name / "file").content == b"12\n"


def test_read_up_to_limit(folder):
    (folder / "file").write_text("x" * 1000)
    assert len(read(folder / "file").content) == 64
    os.truncate(str(folder / "file"), 1 << 40)  # sparse
    assert len(read(folder / "file").content) == 64


def test_missing(folder):
    for name in ("nothing", "nothing/file"):
        with pytest.raises(FileNotFoundError):
            read(folder / name)


def make_fifo(path):
    os.mkfifo(str(path))


def make_socket(path):
    os.mknod(str(path), 0o140600)


@pytest.mark.parametrize("make", [make_fifo, make_socket, os.mkdir], ids=["FIFO", "socket", "folder"])
def test_refuse_what_is_no_file(folder, make):
    make(folder / "x")
    with pytest.raises(UntrustedError, match="x is not a regular file"):
        read(folder / "x")


def test_refuse_device():
    with pytest.raises(UntrustedError, match="/dev/zero"):  # not a file, and anybody may write it
        read("/dev/zero")


def test_follow_links(folder):
    (folder / "real").mkdir(mode=0o755)
    (folder / "real/file").write_text("7")
    (folder / "absolute").symlink_to(str(folder / "real"))
    (folder / "relative").symlink_to("real/../real/file")
    assert read(folder / "absolute/file").content == read(folder / "relative").content == b"7"
    (folder / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        read(folder / "circle")


@as_root
def test_refuse_link_of_a_user(folder):
    (folder / "link").symlink_to("file")
    os.chown(str(folder / "link"), 1234, 0, follow_symlinks=False)
    with pytest.raises(UntrustedError, match="link belongs to user 1234"):
        read(folder / "link")


def change_owner(uid, gid=0):
    return lambda path: os.chown(str(path), uid, gid)


def change_mode(mode, gid=0):
    def change(path):
        os.chown(str(path), 0, gid)
        os.chmod(str(path), mode)

    return change


REFUSED = {
    "owner": (change_owner(1000), "belongs to user 1000"),
    "the highest uid": (change_owner(65534), "belongs to user 65534"),
    "everybody": (change_mode(0o757), "other users may write"),
    "a group of users": (change_mode(0o775, 1000), "group 1000 may write"),
}


@as_root
@pytest.mark.parametrize("where", ["folder", "folder/below", "folder/below/file"])
@pytest.mark.parametrize("change, words", REFUSED.values(), ids=list(REFUSED))
def test_refuse_what_a_user_could_have_written(tmp_path, where, change, words):
    (tmp_path / "folder/below").mkdir(parents=True)
    (tmp_path / "folder/below/file").write_text("12\n")
    change(tmp_path / where)
    with pytest.raises(UntrustedError, match=re.escape(words)):
        read(tmp_path / "folder/below/file")


@as_root
def test_sticky_folder(folder):
    """Nobody but the owner can replace an entry there, as in /tmp."""
    folder.chmod(0o1777)
    assert read(folder / "file").content == b"12\n"
    os.chown(str(folder / "file"), 1000, 0)
    with pytest.raises(UntrustedError, match="file belongs to user 1000"):
        read(folder / "file")


@as_root
def test_system_users_and_groups(folder):
    os.chown(str(folder), 0, 105)
    folder.chmod(0o2775)
    os.chown(str(folder / "file"), 104, 105)
    file = read(folder / "file")
    assert (file.uids, file.gids) == ({104}, {105})


@as_root
def test_named_user(folder):
    os.chown(str(folder / "file"), 1000, 1000)
    (folder / "file").chmod(0o664)  # in a group of its own
    file = read(folder / "file", users={1000})
    assert (file.uids, file.gids) == ({1000}, frozenset())


@as_root
def test_access_list_for_a_user(folder):
    # As in include/uapi/linux/posix_acl_xattr.h: version 2; then tag, permissions and id of the
    # owner, of user 1000, of the group, of the mask and of all others.
    entries = [(1, 6, ANY), (2, 6, 1000), (4, 4, ANY), (16, 6, ANY), (32, 4, ANY)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(str(folder / "file"), "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("a file system without access lists")
    with pytest.raises(UntrustedError, match="other users may write file"):
        read(folder / "file")


# --- root alone ---------------------------------------------------------------------------


@pytest.fixture
def roots_folder(tmp_path):
    """Return a folder that only root may write, with a file in it."""
    if not is_roots(str(tmp_path)):
        pytest.skip("the folder of the tests is not root's alone")
    (tmp_path / "log").write_text("x")
    (tmp_path / "log").chmod(0o644)
    return tmp_path


@as_root
def test_root_alone(roots_folder):
    assert is_roots(str(roots_folder / "log"))
    (roots_folder / "link").symlink_to("log")
    (roots_folder / "there").symlink_to(str(roots_folder))
    (roots_folder / "up").symlink_to(f"../{roots_folder.name}/log")
    (roots_folder / "loop").symlink_to("loop")
    for name in ("link", "there/log", "up"):
        assert is_roots(str(roots_folder / name)), name
    assert not is_roots(str(roots_folder / "loop"))
    assert not is_roots(str(roots_folder / "none"))
    assert not is_roots("a\0b")


@as_root
@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602])
def test_writable_by_others(roots_folder, mode):
    (roots_folder / "log").chmod(mode)
    assert not is_roots(str(roots_folder / "log"))


@as_root
def test_owned_by_another(roots_folder):
    (roots_folder / "sub").mkdir()
    (roots_folder / "sub" / "log").write_text("x")
    (roots_folder / "through").symlink_to("sub/../log")
    (roots_folder / "link").symlink_to("sub")
    assert is_roots(str(roots_folder / "link") + "/../log")
    assert is_roots(str(roots_folder / "sub" / "log"))
    for path in (roots_folder / "sub" / "log", roots_folder / "sub"):
        os.chown(str(path), 65534, 65534)
        assert not is_roots(str(roots_folder / "sub" / "log"))
        os.chown(str(path), 0, 0)
    # A link that a user could point elsewhere, and one that goes through a user's folder.
    os.chown(str(roots_folder / "sub"), 65534, 65534)
    assert not is_roots(str(roots_folder / "through"))
    assert not is_roots(str(roots_folder / "link") + "/../log")
    os.chown(str(roots_folder / "through"), 65534, 65534, follow_symlinks=False)
    os.chown(str(roots_folder / "sub"), 0, 0)
    assert not is_roots(str(roots_folder / "through"))


@as_root
def test_folder_with_the_sticky_bit(roots_folder):
    for mode, roots in ((0o777, False), (0o1777, True)):
        roots_folder.chmod(mode)
        assert is_roots(str(roots_folder / "log")) is roots
    roots_folder.chmod(0o755)


@as_root
def test_read_a_file_of_root_alone(roots_folder):
    path = roots_folder / "log"
    assert read_roots_file(str(path), 10).content == b"x"
    path.chmod(0o664)
    with pytest.raises(UntrustedError, match="log could have been written by others than root"):
        read_roots_file(str(path), 10)
    with pytest.raises(FileNotFoundError):
        read_roots_file(str(roots_folder / "nothing"), 10)
