# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from the host that everything is set."""

import pytest

testinfra_hosts = ["ansible://all"]

SYSCTLS = {
    "kernel.panic": 30,
    "kernel.panic_on_oops": 1,
    "vm.panic_on_oom": 1,
    "vm.oom_dump_tasks": 1,
    "vm.overcommit_memory": 2,
    "vm.overcommit_ratio": 90,
    "vm.admin_reserve_kbytes": 65536,
    "vm.user_reserve_kbytes": 9000,
}


@pytest.mark.parametrize("key", SYSCTLS)
def test_sysctl(host, key):
    assert host.sysctl(key) == SYSCTLS[key]


@pytest.mark.parametrize("unit, score", [("shop", -500), ("ledger", -300), ("cache", -200)])
def test_pin(host, unit, score):
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    assert int(host.file(f"/proc/{pid}/oom_score_adj").content_string) == score


@pytest.mark.parametrize("name", ["20-second.conf", "60-oomguard-overcommit.conf", "60-oomguard-policy.conf"])
def test_file_keeps_the_values_from_before(host, name):
    assert "# Before this file: " in host.file(f"/etc/sysctl.d/{name}").content_string
