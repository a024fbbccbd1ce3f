# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a message tells about itself."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import TableRow


@pytest.mark.parametrize(
    "rest, is_row",
    [
        ("0   370     6785     6324      12        0             0 a b", True),
        ("-2   370     6785     6324      12        0   x", True),
        ("0   370     6785     6324      12", False),
        ("2026 11 23 job done", False),
    ],
)
def test_row_has_all_columns(rest, is_row):
    assert TableRow(370, 370, rest).has_all_columns() is is_row
