# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that only root can open."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.root_file import RootFile


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "var/x").mkdir(parents=True)
    return tmp_path / "var/x"


def root_file(folder, most_bytes=10):
    return RootFile(str(folder.parent.parent), "/var/x", "names", most_bytes)


def test_write_read_and_remove(folder):
    file = root_file(folder)
    assert (file.path, file.read()) == ("/var/x/names", None)
    file.write(b"a\n")
    assert (file.read(), (folder / "names").stat().st_mode & 0o777) == (b"a\n", 0o600)
    file.write(b"b\n")
    assert file.read() == b"b\n"
    file.write(None)
    file.write(None)
    assert list(folder.iterdir()) == []


def test_what_a_killed_run_left_goes(folder):
    (folder / ".names.new").write_text("half")
    root_file(folder).write(b"a")
    assert os.listdir(str(folder)) == ["names"]


STRANGE = {
    "others may read it": lambda path: (path.write_text("x"), path.chmod(0o604)),
    "too long": lambda path: (path.write_text("x" * 11), path.chmod(0o600)),
    "a FIFO": lambda path: os.mkfifo(str(path), 0o600),
    "a folder": lambda path: path.mkdir(0o700),
    "a link": lambda path: path.symlink_to("/etc/passwd"),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=list(STRANGE))
def test_what_is_not_ours_is_not_read(folder, make):
    make(folder / "names")
    with pytest.raises(AccessError, match=r"^/var/x/names (is not a file that this collection made|cannot be read)"):
        root_file(folder).read()


def test_no_folder(folder):
    folder.rmdir()
    assert root_file(folder).read() is None
    with pytest.raises(AccessError, match="/var/x/names cannot be written"):
        root_file(folder).write(b"a")
