# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the files and scores before the pins with those after their removal."""

import difflib

testinfra_hosts = ["ansible://all"]


def test_files_and_scores_are_as_before(host):
    before, after = (host.check_output("cat /root/%s", name).splitlines() for name in ("before", "after"))
    assert list(difflib.unified_diff(before, after, lineterm="", n=0)) == []
