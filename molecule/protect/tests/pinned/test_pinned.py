# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from /proc which processes are pinned, and which are not."""

import json
import re

import pytest

testinfra_hosts = ["ansible://all"]


def score(host, pid):
    return int(host.file(f"/proc/{pid}/oom_score_adj").content_string)


@pytest.mark.parametrize("unit, expected", [("docker", -500), ("containerd", -999), ("cron", -300)])
def test_daemon_has_its_score(host, unit, expected):
    assert score(host, host.check_output("systemctl show --property=MainPID --value %s", unit)) == expected
    assert host.check_output("systemctl show --property=OOMScoreAdjust --value %s", unit) == str(expected)


def test_sshd_is_immune_and_its_sessions_are_not(host):
    assert score(host, host.check_output("systemctl show --property=MainPID --value ssh")) == -1000
    assert score(host, "self") == 0


def test_containers_are_not_pinned(host):
    containers = json.loads(host.check_output("docker inspect box box2"))
    assert [one["State"]["Running"] for one in containers] == [True, True]
    for container in containers:
        procs = host.check_output("find /sys/fs/cgroup -path '*%s*' -name cgroup.procs", container["Id"])
        pids = host.check_output(f"cat {' '.join(procs.split())}").split()
        assert str(container["State"]["Pid"]) in pids
        assert {score(host, pid) for pid in pids} == {0}


def test_killed_job_does_not_stop_cron(host):
    assert host.check_output("systemctl show --property=OOMPolicy --value cron") == "continue"


def test_our_drop_ins_are_the_only_ones(host):
    for unit in ("docker", "containerd", "cron"):
        folder = f"/etc/systemd/system/{unit}.service.d"
        assert host.file(folder).listdir() == ["60-oomguard.conf"]
        drop_in = host.file(folder + "/60-oomguard.conf")
        assert (drop_in.mode, drop_in.user) == (0o644, "root")
        assert re.search(r"^OOMScoreAdjust=-\d+$", drop_in.content_string, re.MULTILINE)
