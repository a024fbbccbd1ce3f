# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer at a time, and nobody else can hold the lock."""

import errno
import fcntl
import os
import threading
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import writer_lock

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the lock is root's")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "run").mkdir()
    return str(tmp_path)


def test_one_at_a_time(root):
    order = []

    def second():
        with writer_lock(root):
            order.append("second")

    with writer_lock(root):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.3)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_waiting_has_an_end(root):
    waited = pytest.raises(OomError, match=r"^nothing was changed: another run .* has held /run/oomguard/lock")
    with writer_lock(root), waited, writer_lock(root, seconds=0.2):
        pass


def test_lock_that_fails_is_an_error(root, monkeypatch):
    """Such as ENOLCK of a file system without locks."""

    def fail(_fd, _operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    words = "^nothing was changed: /run/oomguard/lock cannot be locked: No locks available: see dmesg"
    with pytest.raises(AccessError, match=words), writer_lock(root):
        pass


def test_only_root_can_open_it(root):
    with writer_lock(root):
        folder = os.path.join(root, "run/oomguard")
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert os.stat(os.path.join(folder, "lock")).st_mode & 0o777 == 0o600


def test_a_folder_of_somebody_else_is_refused(root):
    folder = os.path.join(root, "run/oomguard")
    os.mkdir(folder)
    for spoil in (lambda: os.chmod(folder, 0o755), lambda: (os.chmod(folder, 0o700), os.chown(folder, 65534, 65534))):
        spoil()
        with pytest.raises(AccessError, match="must be a folder that only root can open"), writer_lock(root):
            pass
    os.rmdir(folder)
    os.symlink("/tmp", folder)
    with pytest.raises(AccessError, match="must be a folder that only root can open"), writer_lock(root):
        pass


def test_without_root_there_is_no_lock(root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with writer_lock(root) as fd:
        assert fd is None
    assert not os.path.exists(os.path.join(root, "run/oomguard"))


def test_without_run_there_is_no_lock(tmp_path):
    with writer_lock(str(tmp_path)) as fd:
        assert fd is None
