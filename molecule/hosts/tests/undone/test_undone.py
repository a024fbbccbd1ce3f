# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of the collection is left."""

testinfra_hosts = ["ansible://all"]


def test_values_are_as_before(host):
    paths = "/proc/sys/vm/overcommit_memory /proc/sys/vm/panic_on_oom /proc/sys/kernel/panic"
    assert host.check_output("cat " + paths) == host.check_output("cat /root/sysctls_before")


def test_daemon_has_its_own_score(host):
    pid = host.file("/run/crond.pid").content_string.strip()
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == "0"


def test_no_file_is_left(host):
    assert host.check_output("find /etc -name '*oomguard*'") == ""
