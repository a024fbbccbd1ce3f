# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module oom_policy returns, for a tree of files instead of this machine."""

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import answer as answer_of_sysctls

FILE = "/etc/sysctl.d/60-oomguard-policy.conf"


@pytest.fixture
def run_oom_policy(sysctl_tree, run_module, monkeypatch):
    """Run the module in check mode. It reads and would write only the tree."""
    monkeypatch.setattr(answer_of_sysctls, "Host", lambda: sysctl_tree.host)

    def run(**options):
        warnings = []  # Ansible would collect those of all tests
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
        return dict(run_module("oom_policy", check_mode=True, **options), warnings=warnings)

    return run


@pytest.mark.parametrize(
    "options",
    [
        dict(on_oom="panic", reboot_after=30, dump_tasks=False, panic_on_oops=True, kill_allocating_task=True),
        dict(dump_tasks=False, persistent=False),
    ],
    ids=" ".join,
)
def test_every_returned_key_is_documented(run_oom_policy, undocumented, options):
    answer = run_oom_policy(**options)
    assert answer["changed"]
    assert undocumented("oom_policy", answer) == []


def test_return_what_a_run_would_set(run_oom_policy):
    answer = run_oom_policy(on_oom="panic", reboot_after=30)
    assert answer["before"]["live"]["vm.panic_on_oom"] == 0
    assert answer["after"]["live"]["kernel.panic"] == 30
    assert answer["after"]["file"] == {
        "kernel.panic": 30,
        "kernel.panic_on_oops": None,
        "vm.oom_dump_tasks": None,
        "vm.oom_kill_allocating_task": None,
        "vm.panic_on_oom": 1,
    }
    assert answer["after"]["boot"]["vm.panic_on_oom"] == 1
    assert answer["boot_value_from"]["vm.panic_on_oom"] == FILE + " line 3"
    assert answer["reboot_safe"] is True
    assert answer["warnings"] == []


def test_warn_about_a_reboot_loop(run_oom_policy):
    [warning] = run_oom_policy(on_oom="panic", reboot_after=5)["warnings"]
    assert warning.startswith("reboot_after=5: if the host panics again after each boot")


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "no option is set"),
        (dict(on_oom="panic"), "vm.panic_on_oom=1 with kernel.panic=0 and no crash kernel loaded"),
        (dict(kill_allocating_task=True), "there are pins (process 8 (redis) at -500)"),
        (dict(on_oom="panic_always", reboot_after=30), "memory cgroups have a limit (/a)"),
    ],
)
def test_fail_with_the_reason(sysctl_tree, run_oom_policy, options, words):
    sysctl_tree.proc.process(8, name="redis", score=-500)
    cgroups = sysctl_tree.root / "cgroups"
    for name, text in (("memory.max", "max"), ("a/memory.max", "4096"), ("cgroup.controllers", "memory\n")):
        sysctl_tree.write(f"cgroups/{name}", text)
    sysctl_tree.proc.write("self/mountinfo", f"32 24 0:28 / {cgroups} rw - cgroup2 cgroup2 rw\n")
    answer = run_oom_policy(**options)
    assert answer["failed"]
    assert words in answer["msg"]


def test_force_overrides_a_refusal(run_oom_policy):
    assert run_oom_policy(on_oom="panic", force=True)["changed"]


def test_take_back(sysctl_tree, run_oom_policy, undocumented):
    sysctl_tree.write(
        FILE,
        "# Managed by oomguard.linux.oom_policy, which keeps nothing else that is written here.\n"
        "kernel.panic = 30\nvm.panic_on_oom = 1\n"
        "# Before this file: kernel.panic = 10\n# Before this file: vm.panic_on_oom = 0\n",
    )
    sysctl_tree.set(**{"kernel.panic": 30, "vm.panic_on_oom": 1})
    answer = run_oom_policy(state="absent", on_oom="panic", reboot_after=0)
    assert answer["msg"] == f"kernel.panic 30 -> 10, vm.panic_on_oom 1 -> 0, {FILE} removed"
    assert answer["report"] == [
        "kernel.panic: 30 -> 10, the kernel's default after the next boot",
        "vm.panic_on_oom: 1 -> 0, also after the next boot",
        f"{FILE}: removed",
    ]
    assert undocumented("oom_policy", answer) == []
