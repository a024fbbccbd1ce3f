# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host has other pages, and everything that counts pages counts these."""

import json
import os
import re

import pytest

testinfra_hosts = ["ansible://all"]

PAGE_KB = 16
PREDICTED = 6


def evidence(name):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", name)) as stream:
        return json.load(stream)


def test_host_is_what_its_name_says(host):
    assert host.check_output("uname -m") == "aarch64"
    assert host.check_output("getconf PAGESIZE") == str(PAGE_KB << 10)


@pytest.mark.parametrize("unit, score", [("cron", "-300"), ("systemd-networkd", "-900")])
def test_daemons_are_pinned(host, unit, score):
    pid = host.check_output(f"systemctl show --property MainPID --value {unit}")
    assert host.file(f"/proc/{pid}/oom_score_adj").content_string.strip() == score


@pytest.mark.parametrize("key, value", [("kernel.panic", 30), ("vm.panic_on_oom", 1), ("vm.overcommit_memory", 1)])
def test_value_is_set(host, key, value):
    assert host.sysctl(key) == value


def test_an_untouched_host_has_a_next_victim_and_no_findings():
    asked = evidence("untouched.json")["asked"]
    assert asked["next_victim"]["pid"] == asked["ranking"][0]["pid"]
    assert asked["findings"] == [] and "warnings" not in asked


def test_sizes_are_those_of_the_kernel():
    untouched = evidence("untouched.json")
    kernel = {
        int(pid): int(kb)
        for pid, kb in re.findall(r"^Pid:\t(\d+)\n.*?^VmRSS:\s+(\d+)", untouched["status"], re.M | re.S)
    }
    ranking = [one for one in untouched["asked"]["ranking"] if one["pid"] in kernel]
    assert len(ranking) >= 5
    for one in ranking:
        assert one["rss_kb"] == pytest.approx(kernel[one["pid"]], rel=0.25, abs=1024), one
        assert one["rss_kb"] % PAGE_KB == 0
    (total_kb,) = re.findall(r"^MemTotal:\s+(\d+)", untouched["status"], re.M)
    assert untouched["asked"]["domain"]["limit_kb"] == int(total_kb)


def test_what_is_certain_is_right():
    results = evidence("predictions.json")["results"]
    assert len(results) == PREDICTED
    assert [one for one in results if one["certain"] and not one["right"]] == []
    assert any(one["certain"] for one in results)


@pytest.mark.parametrize("source", ["from_kernel", "from_log"])
def test_events_have_every_victim_and_explain_the_choice(source):
    victims = {pid for one in evidence("predictions.json")["results"] for pid in one["died"]}
    events = evidence("answers.json")[source]["events"]
    assert victims <= {victim["pid"] for event in events for victim in event["victims"]}
    assert {event["constraint"] for event in events} == {"memcg"}
    explained = [event["why"] for event in events if event["why"]]
    assert explained
    assert [why for why in explained if why["badness_kb"] % PAGE_KB or (why["margin_kb"] or 0) < 0] == []
