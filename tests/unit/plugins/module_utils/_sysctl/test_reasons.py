# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a file or a sysctl cannot be read or written, in words."""

import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.reasons import REASONS, why_denied


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_without_become(monkeypatch, number):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert why_denied(OSError(number, os.strerror(number))) == "ran as uid 1000: add become: true"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_root_is_not_told_to_become_root(monkeypatch, number):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    reason = why_denied(OSError(number, os.strerror(number)))
    assert reason.startswith(os.strerror(number))
    assert "become" not in reason
    assert reason.endswith("; run this on the host itself")


@pytest.mark.parametrize("number", sorted(REASONS))
def test_each_reason_has_a_remedy(number):
    reason, remedy = REASONS[number]
    assert why_denied(OSError(number, "x")) == f"{reason}; {remedy}"


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error; see the kernel log for the cause"),
        (OSError("odd"), "odd; see the kernel log for the cause"),
    ],
)
def test_other_errors_point_to_the_kernel_log(error, words):
    assert why_denied(error) == words
