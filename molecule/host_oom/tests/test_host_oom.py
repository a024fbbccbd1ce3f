# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the whole host ran out of memory: what was killed, and that everything else still runs."""

import json
import re

import pytest

testinfra_hosts = ["ansible://all"]


def test_no_daemon_restarted(host):
    before = host.file("/root/daemons").content_string
    now = host.check_output(
        "systemctl show --property=Id,MainPID,ExecMainStartTimestampMonotonic,NRestarts ssh cron docker containerd dbus"
    )
    assert now.strip() == before.strip()
    assert before.count("MainPID=") == 5 and "MainPID=0" not in before


@pytest.mark.parametrize("unit, score", [("docker", "-500"), ("cron", "-300")])
def test_the_pins_are_still_set(host, unit, score):
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == score


def test_the_container_did_not_restart(host):
    box = json.loads(host.check_output("docker inspect box"))[0]
    assert (box["State"]["Running"], box["RestartCount"], box["State"]["OOMKilled"]) == (True, 0, False)


def test_only_the_hogs_and_the_program_of_the_post_were_killed(host):
    killed = re.findall(r"Out of memory: Killed process \d+ \((\S+)\)", host.check_output("dmesg"))
    assert len(killed) >= 3
    assert set(killed[:-1]) == {"oomguard-hog"} and killed[-1] == "post"
    assert host.check_output("grep ^oom_kill /proc/vmstat") == f"oom_kill {len(killed)}"
