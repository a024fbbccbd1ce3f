# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is left of the pins: every unit file to the byte, every score."""

testinfra_hosts = ["ansible://all"]


def test_everything_is_as_it_was(host):
    assert host.check_output("diff /root/before /root/after") == ""
    assert host.file("/root/before").content_string.count("OOMScoreAdjust=") == 4
