# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module overcommit returns, for a tree of files instead of this machine."""

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import answer as answer_of_sysctls

MEMINFO = "MemTotal:  500000 kB\nSwapTotal:  1000 kB\nCommitted_AS:  200000 kB\n"
FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"


@pytest.fixture
def run_overcommit(sysctl_tree, run_module, monkeypatch):
    """Run the module in check mode. It reads and would write only the tree."""
    sysctl_tree.write("/proc/meminfo", MEMINFO)
    monkeypatch.setattr(answer_of_sysctls, "Host", lambda: sysctl_tree.host)

    def run(**options):
        warnings = []  # Ansible would collect those of all tests
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
        return dict(run_module("overcommit", check_mode=True, **options), warnings=warnings)

    return run


@pytest.mark.parametrize(
    "options",
    [
        dict(mode="never", ratio=90, admin_reserve_kbytes=32768, user_reserve_kbytes=16384),
        dict(mode="always", persistent=False),
        dict(kbytes=400000),
    ],
    ids=" ".join,
)
def test_every_returned_key_is_documented(run_overcommit, undocumented, options):
    answer = run_overcommit(**options)
    assert answer["changed"]
    assert undocumented("overcommit", answer) == []


def test_return_the_limit_and_what_a_run_would_set(run_overcommit):
    answer = run_overcommit(mode="never", ratio=90, admin_reserve_kbytes=32768)
    assert answer["commit_limit_kb"] == 451000
    assert answer["committed_as_kb"] == 200000
    assert answer["headroom_kb"] == 251000
    assert answer["before"]["live"]["vm.overcommit_memory"] == 0
    assert answer["after"]["live"]["vm.overcommit_memory"] == 2
    assert answer["after"]["file"]["vm.overcommit_ratio"] == 90
    assert answer["after"]["boot"]["vm.overcommit_ratio"] == 90
    assert answer["boot_value_from"]["vm.overcommit_ratio"] == FILE + " line 3"
    assert answer["boot_value_from"]["vm.user_reserve_kbytes"] is None
    assert answer["reboot_safe"] is True
    assert answer["warnings"] == []


def test_warn_about_the_next_boot(run_overcommit):
    answer = run_overcommit(mode="always", persistent=False)
    assert answer["reboot_safe"] is False
    assert answer["warnings"] == [
        "vm.overcommit_memory will not be 1 after the next boot: nothing sets it, so the kernel starts with 0;"
        " set persistent=true to keep it"
    ]


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "no option is set"),
        (dict(mode="always", headroom_percent=101), "headroom_percent=101 is out of range, 0 to 100"),
        (dict(mode="never", kbytes=100000), "mode=never: CommitLimit would be 101000 KiB"),
        (dict(mode="never", kbytes=210000, headroom_percent=10), "less than headroom_percent=10"),
        (dict(mode="never", kbytes=245000, headroom_percent=20), "less than headroom_percent=20"),
        (dict(mode="never", ratio=90), "admin_reserve_kbytes=8192 does not keep for root"),
        (dict(mode="always", rollback_seconds=0), "rollback_seconds=0 is out of range"),
        (dict(mode="always", rollback_seconds=-5), "rollback_seconds=-5 is out of range, 1 to 3600"),
        (dict(mode="always", rollback_seconds=10**400), "is out of range, 1 to 3600"),
        (
            dict(mode="always", file="/etc/sysctl.d/a\0.conf"),
            "holds a character that no name on Linux can have: remove it",
        ),
        (dict(mode="always", file="/etc/sysctl.conf"), "file=/etc/sysctl.conf would not be read at boot"),
    ],
)
def test_fail_with_the_reason(run_overcommit, options, words):
    answer = run_overcommit(**options)
    assert answer["failed"]
    assert answer["msg"].startswith("would fail: ")
    assert words in answer["msg"]


def test_options_decide_what_is_refused(run_overcommit):
    assert run_overcommit(mode="never", kbytes=245000, headroom_percent=10, admin_reserve_kbytes=22528)["changed"]
    assert run_overcommit(mode="never", ratio=90, force=True)["changed"]
    assert run_overcommit(mode="never", kbytes=100000, force=True)["changed"]


def test_take_back(sysctl_tree, run_overcommit, undocumented):
    """The other options have no effect, so that a role can pass what a group sets."""
    sysctl_tree.write(
        FILE,
        "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\n"
        "vm.overcommit_memory = 1\n"
        "# Before this file: vm.overcommit_memory = 0\n",
    )
    sysctl_tree.set(**{"vm.overcommit_memory": 1})
    answer = run_overcommit(state="absent", mode="never", kbytes=1, ratio=0)
    assert answer["changed"]
    assert answer["msg"] == f"vm.overcommit_memory 1 -> 0, {FILE} removed"
    assert answer["before"]["file"]["vm.overcommit_memory"] == 1
    assert answer["after"]["file"]["vm.overcommit_memory"] is None
    assert answer["after"]["live"]["vm.overcommit_memory"] == 0
    assert answer["not_lasting"] == []
    assert answer["warnings"] == []
    assert undocumented("overcommit", answer) == []


def test_nothing_to_take_back(run_overcommit):
    answer = run_overcommit(state="absent")
    assert not answer["changed"]
    assert answer["msg"] == "nothing to take back"


def test_name_what_does_not_last(sysctl_tree, run_overcommit, undocumented):
    sysctl_tree.write("/etc/sysctl.d/99-x.conf", "vm.overcommit_memory = 0\n")
    answer = run_overcommit(mode="always")
    assert answer["not_lasting"] == [dict(target="vm.overcommit_memory", unit=None, reason="99-x.conf wins")]
    assert undocumented("overcommit", answer) == []
