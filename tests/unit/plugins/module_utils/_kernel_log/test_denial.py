# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a log that cannot be read."""

import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.denial import advise_access


@pytest.mark.parametrize(
    "number, uid, words",
    [
        (errno.EACCES, 1000, "ran as uid 1000, add become: true"),
        (errno.EPERM, 1000, "ran as uid 1000, add become: true"),
        (errno.EPERM, 0, "do that"),
        (errno.EIO, 1000, "do that"),
    ],
)
def test_advise(monkeypatch, number, uid, words):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert advise_access(OSError(number, "denied"), "do that") == words
