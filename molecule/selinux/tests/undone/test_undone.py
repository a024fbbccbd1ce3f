# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything was taken back while SELinux enforces its policy."""

testinfra_hosts = ["ansible://all"]


def test_files_are_as_before(host):
    assert host.check_output("getenforce") == "Enforcing"
    found = host.run("find /etc/systemd /etc/sysctl.d /run/oomguard -type f").stdout.split()
    assert (
        sorted(path for path in found if not path.startswith("/run/"))
        == host.file("/root/files_before").content_string.split()
    )


def test_scores_are_as_before(host):
    pid = host.check_output("systemctl show --property MainPID --value cron")
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == "0"
