# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the server from outside: /proc, units, the journal, the container."""

import json
import os

testinfra_hosts = ["ansible://all"]


def score(host, pid):
    return host.check_output("cat /proc/%s/oom_score_adj", str(pid)).strip()


def test_daemons_are_pinned(host):
    assert score(host, host.process.get(comm="dockerd").pid) == "-500"
    assert score(host, host.process.get(comm="cron", ppid=1).pid) == "-300"


def test_container_is_not_pinned(host):
    inspected = json.loads(host.check_output("docker inspect box"))[0]["State"]
    assert inspected["Running"]
    assert score(host, inspected["Pid"]) == "0"


def test_daemons_were_not_restarted(host):
    for unit in ("ssh", "cron", "docker", "containerd"):
        assert host.service(unit).is_running
        assert host.check_output("systemctl show --property=NRestarts --value %s", unit) == "0"


def test_journal_has_the_kills_and_no_trial_unit_is_left(host):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", "server.json")) as stream:
        evidence = json.load(stream)
    assert (evidence["method"], evidence["manager"], evidence["cgroup_version"]) == ("lowered", "systemd", 2)
    journal = host.check_output("journalctl --dmesg --no-pager --output=cat")
    for run in evidence["runs"]:
        assert f"Killed process {run[run['expected']]['pid']} (" in journal
    assert host.check_output("systemctl list-units --all --no-legend 'oomguardtrial*'") == ""
