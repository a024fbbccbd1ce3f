# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a boot, values of files are set, and scores of scripts. Pins need another run."""

import pytest

testinfra_hosts = ["ansible://all"]


@pytest.mark.parametrize("key, value", [("kernel.panic", 30), ("vm.panic_on_oom", 1), ("vm.overcommit_memory", 1)])
def test_value_is_set(host, key, value):
    assert host.sysctl(key) == value


def test_pin_ended_with_its_process(host):
    if host.backend.get_hostname() == "openrc":
        pytest.skip("this host was not booted again")
    pid = host.file("/run/crond.pid").content_string.strip()
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == "0"


def test_scripts_of_the_init_system_keep_their_scores(host):
    shop = host.process.get(comm="shop")
    assert host.file(f"/proc/{shop.pid}/oom_score_adj").content_string.strip() == "-500"
