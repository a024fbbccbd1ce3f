# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare every file, sysctl and score with those before the collection."""

testinfra_hosts = ["ansible://all"]


def test_host_is_as_before(host):
    assert host.run("diff /root/before /root/after").stdout == ""
    before = host.file("/root/before").content_string
    for line in (
        "/etc/systemd/system/shop.service.d/10-colleague.conf 0o100640 0:0 ",
        "/etc/sysctl.d/50-colleague.conf ",
        "/proc/sys/vm/overcommit_ratio ['60']",
        "/proc/sys/vm/overcommit_memory ['0']",
        "/proc/sys/kernel/panic ['0']",
        "cache.service sleep 150",
        "shop.service sleep 0",
    ):
        assert line in before
