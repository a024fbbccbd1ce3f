# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything was taken back."""

testinfra_hosts = ["ansible://all"]


def test_files_are_as_before(host):
    found = host.check_output("find /etc/systemd /etc/sysctl.d -type f | sort")
    assert found == host.file("/root/files_before").content_string.strip()


def test_sysctls_are_as_before(host):
    found = host.check_output("cd /proc/sys && grep -r . vm/panic_on_oom vm/overcommit_memory kernel/panic")
    assert found == host.file("/root/sysctls_before").content_string.strip()


def test_scores_are_as_before(host):
    pid = host.check_output("systemctl show --property MainPID --value cron")
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == "0"
