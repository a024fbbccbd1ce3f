# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins and policies are written with the right labels, and work while SELinux denies the rest."""

import re

import pytest

testinfra_hosts = ["ansible://all"]

OURS = "/etc/systemd/system /etc/sysctl.d"


def test_selinux_enforces(host):
    assert host.check_output("getenforce") == "Enforcing"


@pytest.mark.parametrize("unit, score", [("cron", "-300"), ("dbus", "-900")])
def test_pins(host, unit, score):
    pid = host.check_output(f"systemctl show --property MainPID --value {unit}")
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == score


@pytest.mark.parametrize("name, value", [("vm.panic_on_oom", 1), ("kernel.panic", 30), ("vm.overcommit_memory", 1)])
def test_sysctls(host, name, value):
    assert host.sysctl(name) == value


def test_files_have_labels_of_the_policy(host):
    """The policy may have a label of its own for the units of a daemon; systemd reads both."""
    found = host.check_output(f"restorecon -nvR {OURS}")
    types = re.findall(r":(\w+):s0", found)
    assert [one for one in types if not one.endswith("_unit_t")] == [], found


def test_nothing_of_ours_was_denied(host):
    denials = [line for line in host.check_output("dmesg").splitlines() if "avc:  denied" in line]
    assert [line for line in denials if "oom" in line or 'comm="python' in line] == []
