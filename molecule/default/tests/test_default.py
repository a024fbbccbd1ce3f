# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the machine from outside Ansible."""

import os

testinfra_hosts = ["ansible://all"]


def test_the_daemon_has_its_score(host):
    pid = host.file(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "daemon.pid")).content_string.strip()
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == "250"
