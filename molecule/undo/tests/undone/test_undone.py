# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare every file, sysctl and score with those before the collection."""

testinfra_hosts = ["ansible://all"]


RESERVE = "/proc/sys/vm/user_reserve_kbytes "  # each kernel calculates it from the memory that is free at boot


def read_state(host, path):
    boot, *lines = host.file(path).content_string.splitlines()
    return boot, lines


def test_host_is_as_before(host):
    (boot_before, before), (boot_after, after) = read_state(host, "/root/before"), read_state(host, "/root/after")
    changed = set(before) ^ set(after)
    if boot_after != boot_before:
        changed = {line for line in changed if not line.startswith(RESERVE)}
    assert changed == set()
    for start in (
        "/etc/systemd/system/shop.service.d/10-colleague.conf 0o100640 0:0 ",
        "/etc/sysctl.d/50-colleague.conf ",
        "/proc/sys/vm/overcommit_ratio ['60']",
        "/proc/sys/vm/overcommit_memory ['0']",
        "/proc/sys/kernel/panic ['0']",
        "cache.service sleep 150",
        "shop.service sleep 0",
    ):
        assert [line for line in before if line.startswith(start)]
