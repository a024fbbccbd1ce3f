# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last part of an error: what to do about it."""

import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host import advice
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import (
    advise_access,
    explain_become,
    explain_os_error,
)


def os_error(number):
    return OSError(number, os.strerror(number))


ERRORS = {
    "forgot become": (os_error(errno.EACCES), 1000, "Permission denied: ran as uid 1000: add become: true"),
    "forgot become, of a process": (
        os_error(errno.EPERM),
        1000,
        "Operation not permitted: ran as uid 1000: add become",
    ),
    "root is denied": (os_error(errno.EACCES), 0, "Permission denied: even root is denied: see lsattr(1), and the log"),
    "read-only": (os_error(errno.EROFS), 0, "Read-only file system: mount its file system writable"),
    "read-only for a user": (os_error(errno.EROFS), 1000, "Read-only file system: mount its file system writable"),
    "full": (os_error(errno.ENOSPC), 0, "No space left on device: free space on its file system"),
    "a circle": (os_error(errno.ELOOP), 0, "Too many levels of symbolic links: remove the link there that leads back"),
    "another": (os_error(errno.EIO), 0, "Input/output error: see dmesg(1), and run again"),
    "without a number": (OSError("of a library"), 0, "of a library: see dmesg(1), and run again"),
    "without words": (OSError(), 0, "OSError: see dmesg(1), and run again"),
}


@pytest.mark.parametrize("error, uid, words", ERRORS.values(), ids=list(ERRORS))
def test_explain_os_error(monkeypatch, error, uid, words):
    monkeypatch.setattr(advice.os, "geteuid", lambda: uid)
    assert explain_os_error(error).startswith(words)


def test_explain_become(monkeypatch):
    monkeypatch.setattr(advice.os, "geteuid", lambda: 33)
    assert explain_become() == "ran as uid 33: add become: true"


@pytest.mark.parametrize(
    "number, uid, words",
    [
        (errno.EACCES, 1000, "ran as uid 1000: add become: true"),
        (errno.EPERM, 1000, "ran as uid 1000: add become: true"),
        (errno.EPERM, 0, "do that"),
        (errno.EIO, 1000, "do that"),
    ],
)
def test_advise_access(monkeypatch, number, uid, words):
    monkeypatch.setattr(advice.os, "geteuid", lambda: uid)
    assert advise_access(os_error(number), "do that") == words
