# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the machine from outside: /proc, the cgroup tree, the kernel log, the evidence."""

import json
import os

import pytest

FOLDER = os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]


@pytest.fixture
def evidence():
    with open(os.path.join(FOLDER, "evidence", "this_machine.json")) as stream:
        return json.load(stream)


def test_the_daemon_has_its_score_in_proc(host):
    pid = host.file(os.path.join(FOLDER, "daemon.pid")).content_string.strip()
    assert host.file("/proc/{0}/oom_score_adj".format(pid)).content_string.strip() == "250"


def test_the_kernel_log_names_the_victims_of_the_evidence(host, evidence):
    log = host.check_output("dmesg")
    assert evidence["verdict"] == "proven"
    for run in evidence["runs"]:
        victim = run[run["expected"]]
        assert "Killed process {pid} ({name})".format(**victim) in log
        assert not host.file("/proc/{0}".format(victim["pid"])).exists


def test_nothing_is_left_of_the_trial(host):
    assert host.run("find /sys/fs/cgroup -name 'oomguardtrial*'").stdout == ""
    assert host.run("pgrep -l oomguard").stdout == ""
    assert host.run("find /tmp -maxdepth 1 -name 'oom_verify.*'").stdout == ""
