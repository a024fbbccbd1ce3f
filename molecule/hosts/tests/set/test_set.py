# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts are what their names say, pins and values are set, kills are predicted and read back."""

import json
import os
import re

import pytest

testinfra_hosts = ["ansible://all"]

PREDICTED = 6


@pytest.fixture
def name(host):
    return host.backend.get_hostname()


def read(host, path):
    return host.file(path).content_string.strip()


def evidence(name):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", name)) as stream:
        return json.load(stream)


def test_host_is_what_its_name_says(host, name):
    mounts = read(host, "/proc/mounts")
    assert read(host, "/proc/1/comm") == "init" and not host.file("/run/systemd/system").exists
    assert host.file("/run/openrc").exists == (name == "openrc")
    assert (" cgroup2 " in mounts) == (name == "openrc")
    assert re.search(r"^\S+ \S+ cgroup \S*\bmemory\b", mounts, re.MULTILINE)
    if name == "sysvinit":
        assert "/dev/zram0" in read(host, "/proc/swaps")
        assert re.search(r"^proc /proc proc \S*hidepid=(2|invisible)\b", mounts, re.MULTILINE)
    else:
        assert read(host, "/sys/devices/system/node/online") == "0-1"


def test_daemons_are_pinned(host):
    assert read(host, f"/proc/{read(host, '/run/crond.pid')}/oom_score_adj") == "-300"
    assert read(host, f"/proc/{host.process.get(comm='stock').pid}/oom_score_adj") == "-200"


@pytest.mark.parametrize("key, value", [("kernel.panic", 30), ("vm.panic_on_oom", 1), ("vm.overcommit_memory", 1)])
def test_value_is_set(host, key, value):
    assert host.sysctl(key) == value


@pytest.mark.parametrize("policy", ["policy", "overcommit"])
def test_values_are_in_a_file_for_the_boot(host, policy):
    text = read(host, f"/etc/sysctl.d/60-oomguard-{policy}.conf")
    assert text.startswith("# Managed by oomguard.linux")


def test_trial_used_what_the_host_has(name):
    facts = evidence(name + ".json")
    assert (facts["method"], facts["manager"], facts["cgroup_version"]) == ("lowered", "cgroupfs", 1)


def test_what_is_certain_is_right(name):
    results = evidence(name + ".predictions.json")["results"]
    assert len(results) == PREDICTED
    assert [one for one in results if one["certain"] and not one["right"]] == []


def test_nothing_is_certain_while_zram_can_grow(name):
    results = evidence(name + ".predictions.json")["results"]
    assert any(one["certain"] for one in results) == (name != "sysvinit")


def test_events_have_every_victim(name):
    victims = {pid for one in evidence(name + ".predictions.json")["results"] for pid in one["died"]}
    for source in ("from_kernel", "from_log"):
        events = evidence(name + ".answers.json")[source]["events"]
        assert victims <= {victim["pid"] for event in events for victim in event["victims"]}
        assert {event["constraint"] for event in events} == {"memcg"}


def test_only_records_with_their_facility_are_trusted(name):
    answers = evidence(name + ".answers.json")
    assert {event["trusted"] for event in answers["from_kernel"]["events"]} == {True}
    assert {event["trusted"] for event in answers["from_log"]["events"]} == {None if name == "sysvinit" else True}


def test_an_untouched_host_has_a_next_victim_and_no_findings(name):
    asked = evidence(name + ".asked.json")
    assert asked["next_victim"]["score"] == 0
    assert not (asked["next_victim"]["certain"] and name == "sysvinit")  # zram can grow
    assert [finding["id"] for finding in asked["findings"]] == []


def test_hidden_processes_are_a_finding(name):
    asked = evidence(name + ".answers.json")["unprivileged"]
    hidden = [finding["message"] for finding in asked["findings"] if finding["id"] == "processes_hidden"]
    assert len(hidden) == (1 if name == "sysvinit" else 0)
    assert all("hidepid" in message for message in hidden)
