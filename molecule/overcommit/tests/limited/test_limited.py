# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limit is set, in the kernel and for the next boot, and no other file changed."""

import re

import pytest

testinfra_hosts = ["ansible://all"]

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"


def meminfo(host):
    return {
        name: int(number)
        for name, number in re.findall(r"^(\w+): +(\d+) kB", host.file("/proc/meminfo").content_string, re.MULTILINE)
    }


@pytest.mark.parametrize(
    "key, value",
    [
        ("vm.overcommit_memory", 2),
        ("vm.overcommit_ratio", 90),
        ("vm.overcommit_kbytes", 0),
        ("vm.admin_reserve_kbytes", 65536),
    ],
)
def test_live_value(host, key, value):
    assert host.sysctl(key) == value


def test_commit_limit_is_the_calculated_one(host):
    memory = meminfo(host)
    assert memory["CommitLimit"] == memory["MemTotal"] // 4 * 90 // 100 * 4 + memory["SwapTotal"]
    assert memory["Committed_AS"] < memory["CommitLimit"]


def test_file_has_header_and_values_in_order(host):
    assert host.file(FILE).mode == 0o644
    lines = host.file(FILE).content_string.splitlines()
    assert lines[0].startswith("# Managed by oomguard.linux.overcommit")
    assert lines[1:4] == ["vm.admin_reserve_kbytes = 65536", "vm.overcommit_ratio = 90", "vm.overcommit_memory = 2"]


def test_file_keeps_the_values_from_before(host):
    lines = host.file(FILE).content_string.splitlines()[4:]
    assert re.match(r"# Before this file: vm\.admin_reserve_kbytes = [1-9]\d+$", lines[0])
    assert lines[1:] == [
        "# Before this file: vm.overcommit_ratio = 50",
        "# Before this file: vm.overcommit_kbytes = 0",
        "# Before this file: vm.overcommit_memory = 1",  # the kernel's command line sets it
    ]


def test_no_other_file_changed(host):
    assert host.check_output("find /etc/sysctl.d -name '.*oomguard*'") == ""
    changed = host.run("find /etc/sysctl.d /etc/sysctl.conf /usr/lib/sysctl.d -newer /root/oom_hog").stdout.split()
    assert changed == ["/etc/sysctl.d", FILE]
