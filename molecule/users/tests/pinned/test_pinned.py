# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from /proc that what runs has the score of its profile, and nothing else is immune."""

import os
import re

import pytest
import yaml

testinfra_hosts = ["ansible://all"]

ROLE = os.path.join(os.environ["MOLECULE_PROJECT_DIRECTORY"], "roles/oom_protect/vars/main.yml")


def read(host, path):
    return host.check_output("cat %s", path).strip()


def list_daemons(host):
    """Return the main process of each running service, by name of the unit."""
    units = host.check_output("systemctl list-units --type=service --state=running --plain --no-legend").splitlines()
    names = " ".join(f"'{line.split()[0]}'" for line in units)
    shown = host.check_output(f"systemctl show --property=Id --property=MainPID {names}")
    facts = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n")]
    return {one["Id"][: -len(".service")]: one["MainPID"] for one in facts if one["MainPID"] != "0"}


def profiles():
    with open(ROLE) as stream:
        return yaml.safe_load(stream)["__oom_protect_profiles"]


def test_every_running_daemon_of_a_profile_has_its_score(host):
    daemons = list_daemons(host)
    entries = [entry for name, its in profiles().items() if name != "kubernetes_node" for entry in its]
    checked = {}
    for entry in entries:
        pattern = re.escape(entry["unit"]).replace(r"\*", ".*")
        for unit in daemons:
            if re.fullmatch(pattern, unit):
                assert int(read(host, f"/proc/{daemons[unit]}/oom_score_adj")) == entry["score"], unit
                checked[unit] = entry["score"]
    if host.ansible.get_variables()["inventory_hostname"] == "bookworm":
        expected = {"docker", "containerd", "redis-server", "rabbitmq-server", "haproxy", "nginx", "postgresql@15-main"}
        expected |= {"virtlogd", "virtlockd"}  # no profile pins libvirtd, whose guests would inherit the score
        assert expected <= set(checked)


@pytest.mark.parametrize("path", [r"system.slice/tiny.service", r"machine.slice/machine-tiny\x2dtwo.scope"])
def test_machine_is_pinned(host, path):
    pids = host.check_output("find %s -name cgroup.procs -exec cat {} +", "/sys/fs/cgroup/" + path).split()
    scores = {read(host, f"/proc/{pid}/oom_score_adj") for pid in pids}
    assert pids and scores == {"-300"}


def test_nothing_else_is_immune(host):
    lines = host.check_output("grep -l -x -e -1000 /proc/[0-9]*/oom_score_adj || true").split()
    names = {read(host, os.path.dirname(line) + "/comm") for line in lines}
    assert names <= {"sshd", "systemd-udevd", "(udev-worker)"}


def test_children_of_job_runners_have_no_pin(host):
    if host.run("systemctl is-active cron").rc != 0:
        pytest.skip("this host has no cron")
    pids = host.check_output("find /sys/fs/cgroup/system.slice/cron.service -name cgroup.procs -exec cat {} +").split()
    assert {read(host, f"/proc/{pid}/oom_score_adj") for pid in pids} == {"0"}


def test_backends_of_postgresql_reset_their_score(host):
    if not host.exists("pg_lsclusters"):
        pytest.skip("this host has no PostgreSQL")
    query = "select pg_read_file('/proc/self/oom_score_adj')"
    assert host.check_output("runuser -u postgres -- psql -Atc %s", query).strip() == "0"
