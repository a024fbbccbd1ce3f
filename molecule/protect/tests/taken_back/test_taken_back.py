# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare every unit file and score with those before the pins."""

testinfra_hosts = ["ansible://all"]


def test_unit_files_and_scores_are_restored(host):
    assert host.check_output("diff /root/before /root/after") == ""
    assert host.file("/root/before").content_string.count("OOMScoreAdjust=") == 4
