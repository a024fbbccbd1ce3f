# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of /proc/meminfo as numbers."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo

TEXT = """\
MemTotal:       16284196 kB
Active(anon):    1836236 kB
HugePages_Total:       2
"""


def test_lines():
    assert Meminfo(TEXT) == {"MemTotal": 16284196, "Active(anon)": 1836236, "HugePages_Total": 2}


def test_empty_text():
    assert Meminfo("") == {}


def test_missing_line():
    meminfo = Meminfo(TEXT)
    with pytest.raises(
        UnsupportedError, match=r"/proc/meminfo has no MemAvailable: kernels before 3\.14 are not supported"
    ):
        meminfo["MemAvailable"]
    assert meminfo.get("MemAvailable") is None
    assert "MemAvailable" not in meminfo
