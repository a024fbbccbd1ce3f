# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call does what three modules do: each part of its answer is the answer of that module."""

import pytest
import yaml

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import answer as pin_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import PIN_OPTIONS
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import answer as answer_of_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply as sysctl_apply
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy_request import OOM_POLICY_OPTIONS
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit_request import OVERCOMMIT_OPTIONS
from ansible_collections.oomguard.linux.plugins.modules import oom_site

MODULES = {"protect": "oom_score_adj", "panic": "oom_policy", "overcommit": "overcommit"}
SPECS = {"protect": PIN_OPTIONS, "panic": OOM_POLICY_OPTIONS, "overcommit": OVERCOMMIT_OPTIONS}
POLICY = {
    "protect": {"targets": [{"pid": 10, "score": -300}]},
    "panic": {"on_oom": "panic", "reboot_after": 30},
    "overcommit": {"mode": "always"},
}


@pytest.fixture
def host(proc, tmp_path, sysctl_tree, monkeypatch):
    """Run modules on a host with one daemon, and with the sysctls of the tree."""
    proc.write("self/mountinfo", "")
    proc.process(1, "systemd", parent=0)
    proc.process(10, "daemon", resident_kb=4000)
    sysctl_tree.write("/proc/meminfo", "MemTotal: 500000 kB\nSwapTotal: 1000 kB\nCommitted_AS: 200000 kB\n")
    monkeypatch.setattr(pin_answer, "Procfs", lambda: proc.procfs)
    monkeypatch.setattr(pin_answer, "Systemd", lambda: Systemd(str(tmp_path)))
    monkeypatch.setattr(answer_of_sysctls, "Host", lambda: sysctl_tree.host)
    monkeypatch.setattr(apply, "SECOND_LOOK_SECONDS", 0)
    monkeypatch.setattr(sysctl_apply, "prove_new_process", lambda _user: None)
    return proc


def test_each_part_is_the_answer_of_its_module(host, run_module):
    """In check mode, so that all see the same host."""
    answer = run_module("oom_site", True, **POLICY)
    for part, module in MODULES.items():
        alone = run_module(module, True, **POLICY[part])
        assert answer[part] == {key: alone[key] for key in alone if key not in ("invocation", "warnings")}
        assert f"{part}: {alone['msg']}" in answer["msg"]
    assert answer["changed"] and len(answer["diff"]) == 1 + sum(
        len(answer[one]["diff"]) for one in ("panic", "overcommit")
    )
    assert host.score(10) == 0


def test_every_returned_key_is_documented(host, run_module):
    answer = run_module("oom_site", True, **POLICY)
    documented = yaml.safe_load(oom_site.RETURN)
    assert set(answer) - {"changed", "invocation", "warnings"} == set(documented)


def test_a_part_alone(host, run_module):
    answer = run_module("oom_site", protect=POLICY["protect"])
    assert answer["protect"]["changed"] and "panic" not in answer and host.score(10) == -300
    assert not run_module("oom_site", protect=POLICY["protect"])["changed"]


def test_the_first_failure_ends_the_call(host, sysctl_tree, run_module):
    refused = {**POLICY["panic"], "reboot_after": 0}
    answer = run_module("oom_site", **{**POLICY, "panic": refused})
    assert answer["failed"] and answer["changed"] and answer["msg"] == f"panic: {answer['panic']['msg']}"
    assert host.score(10) == -300 and "overcommit" not in answer
    assert sysctl_tree.get("vm.panic_on_oom") == {"vm.panic_on_oom": 0}
    check = run_module("oom_site", True, panic=refused)
    assert check["msg"].startswith("would fail: panic: ") and check["panic"]["msg"].startswith("would fail: ")


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "one of the following is required: protect, panic, overcommit"),
        ({"protect": {"score": 5}}, "one of the following is required: unit, "),
        ({"protect": {"pid": 1, "process": "x", "score": 5}}, "mutually exclusive"),
        ({"panic": {"on_oom": "reboot"}}, "value of on_oom must be one of"),
    ],
    ids=str,
)
def test_wrong_options(host, run_module, options, words):
    assert words in run_module("oom_site", **options)["msg"]


@pytest.mark.parametrize("part", MODULES)
def test_options_are_those_of_the_module(part):
    documented = yaml.safe_load(oom_site.DOCUMENTATION)["options"][part]["suboptions"]

    def compare(options, shown):
        assert set(options) == set(shown)
        for name, option in options.items():
            for key in ("type", "elements", "choices", "default"):
                assert option.get(key) == shown[name].get(key), (name, key)
            if "options" in option:
                compare(option["options"], shown[name]["suboptions"])

    compare(SPECS[part], documented)
