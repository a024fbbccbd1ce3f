# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory may be promised, and what would lock everybody out."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import BootValue
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    CONTAINER_START_KB,
    KBYTES,
    KEYS,
    MODE,
    RATIO,
    USER_RESERVE,
    CommitMemory,
    OvercommitPolicy,
    admin_reserve_kb,
    check_headroom_percent,
    commit_limit_kb,
    is_stricter,
    needed_reserve_kb,
    overcommit_sysctls,
    parse_commit_memory,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import render_file
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlPlan, SysctlRequest, SysctlState
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
LATER = "/etc/sysctl.d/99-x.conf"
GUEST = CommitMemory(total_kb=500000, huge_kb=0, swap_kb=0, committed_kb=200000)
LIVE = {ADMIN_RESERVE: 8192, USER_RESERVE: 15000, RATIO: 50, KBYTES: 0, MODE: 0}


def sysctls(mode=None, ratio=None, kbytes=None, admin_reserve=None, user_reserve=None):
    return overcommit_sysctls(mode, ratio, kbytes, admin_reserve, user_reserve)


def policy(wanted, memory=GUEST, percent=10, run_kb=1000):
    return OvercommitPolicy(wanted, memory, percent, lambda: run_kb)


@pytest.mark.parametrize(
    "options, found",
    [
        (dict(mode="never", ratio=80), {RATIO: 80, MODE: 2}),
        (dict(mode="2"), {MODE: 2}),
        (dict(mode="0"), {MODE: 0}),
        (dict(mode="heuristic"), {MODE: 0}),
        (dict(mode="always", admin_reserve=0, user_reserve=0), {ADMIN_RESERVE: 0, USER_RESERVE: 0, MODE: 1}),
        (dict(kbytes=1), {KBYTES: 1}),
    ],
)
def test_sysctls_in_the_order_of_the_file(options, found):
    assert list(sysctls(**options).items()) == list(found.items())


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(ratio=0), "ratio=0 lets the kernel promise only swap"),
        (dict(ratio=-1), "ratio=-1 lets the kernel promise only swap"),
        (dict(kbytes=0), "kbytes=0 lets the kernel promise only swap"),
        (
            dict(ratio=80, kbytes=500),
            "ratio=80 and kbytes=500 exclude each other: a write to one makes the kernel set the other to 0;"
            " set only one of them",
        ),
        (dict(admin_reserve=-1), "admin_reserve_kbytes=-1 is out of range"),
        (dict(user_reserve=-5), "user_reserve_kbytes=-5"),
        (dict(ratio=1 << 31), "ratio=2147483648 is out of range"),
        (dict(ratio=10**400), "ratio=100000000000000000000... (more than 20 digits) is out of range"),
        (dict(kbytes=-(10**400)), "kbytes=-100000000000000000000... (more than 20 digits) lets the kernel"),
        ({}, "no option is set"),
    ],
)
def test_refuse_values_that_no_host_should_have(options, words):
    with pytest.raises(InputError) as error:
        sysctls(**options)
    assert str(error.value).startswith(words)


@pytest.mark.parametrize(
    "live, wanted, last",
    [
        (0, {MODE: 2, RATIO: 80}, MODE),
        (2, {RATIO: 90}, MODE),
        (2, {MODE: 2, RATIO: 90}, MODE),
        (2, {MODE: 0, RATIO: 10}, KBYTES),
        (2, {MODE: 1}, KBYTES),
    ],
)
def test_write_limit_while_mode_does_not_enforce_it(live, wanted, last):
    order = policy(wanted).write_order(dict(LIVE, **{MODE: live}))
    assert sorted(order) == sorted(KEYS)
    assert order[-1] == last
    assert order.index(ADMIN_RESERVE) < order.index(RATIO)


MEMINFO = "MemTotal:  500000 kB\nSwapTotal:  1000 kB\nCommitted_AS:  200000 kB\n"
HUGE_PAGES = {
    "none": ("", 0),
    "of one size": ("HugePages_Total:       4\nHugepagesize:       2048 kB\n", 8192),
    "of all sizes": ("HugePages_Total:       4\nHugepagesize:       2048 kB\nHugetlb:         1056768 kB\n", 1056768),
}


@pytest.mark.parametrize("huge_pages, huge_kb", HUGE_PAGES.values(), ids=list(HUGE_PAGES))
def test_parse_commit_memory(huge_pages, huge_kb):
    assert parse_commit_memory(MEMINFO + huge_pages, 4) == CommitMemory(500000, huge_kb, 1000, 200000)


@pytest.mark.parametrize("missing", ["MemTotal", "SwapTotal", "Committed_AS"])
def test_refuse_meminfo_without_a_line(missing):
    with pytest.raises(UnsupportedError, match="/proc/meminfo has no " + missing):
        parse_commit_memory("".join(line for line in MEMINFO.splitlines(True) if not line.startswith(missing)), 4)


@pytest.mark.parametrize(
    "memory, ratio, kbytes, limit",
    [
        (CommitMemory(500000, 0, 0, 0), 50, 0, 250000),
        (CommitMemory(500000, 0, 1000, 0), 50, 0, 251000),
        (CommitMemory(500000, 100000, 0, 0), 50, 0, 200000),
        (CommitMemory(500000, 0, 1000, 0), 0, 300001, 301000),  # whole pages
        (CommitMemory(500002, 0, 0, 0), 33, 0, 165000),
        (CommitMemory(500000, 0, 0, 0, page_kb=64), 50, 0, 249984),
        (CommitMemory(500000, 0, 77, 0), 0, 0, 77),
    ],
)
def test_commit_limit(memory, ratio, kbytes, limit):
    assert commit_limit_kb(memory, {RATIO: ratio, KBYTES: kbytes}) == limit


def refuse(after, before=None, percent=10, run_kb=1000):
    """Refuse a change of live values. The next boot stays as it is."""
    boot = dict.fromkeys(KEYS, BootValue(0, None))
    before = dict(LIVE, **(before or {}))
    request = SysctlRequest(policy(after, percent=percent, run_kb=run_kb), persistent=False, file=FILE)
    states = SysctlState(before, {}, boot), SysctlState(dict(before, **after), {}, boot)
    request.policy.refuse_harm(SysctlPlan(request, *states, [], [], [], True))


@pytest.mark.parametrize(
    "after, before, percent, words",
    [
        (
            {MODE: 2, RATIO: 10},
            {},
            10,
            "mode=never: CommitLimit would be 50000 KiB, and 200000 KiB are already promised (Committed_AS),"
            " 150000 KiB too much",
        ),
        ({MODE: 2, RATIO: 44}, {}, 10, "leaves 20000 KiB, less than headroom_percent=10"),
        ({MODE: 2}, {RATIO: 0, KBYTES: 100000}, 10, "CommitLimit would be 100000 KiB"),
        ({RATIO: 42}, {MODE: 2}, 10, "CommitLimit would be 210000 KiB"),
        (
            {MODE: 2, RATIO: 80, ADMIN_RESERVE: 300000},
            {},
            10,
            "admin_reserve_kbytes=300000 keeps the remaining 200000 KiB for root;"
            " raise ratio or kbytes, or add swap, or lower admin_reserve_kbytes to 3072 (force",
        ),
    ],
)
def test_refuse_lockout_with_figures(after, before, percent, words):
    with pytest.raises(InputError) as error:
        refuse(after, before, percent)
    assert words in str(error.value)
    assert "force=true" in str(error.value)


@pytest.mark.parametrize(
    "after, before, percent",
    [
        ({MODE: 2, RATIO: 45}, {}, 10),
        ({MODE: 2, RATIO: 42}, {}, 0),
        ({MODE: 1, RATIO: 1}, {}, 10),
        ({RATIO: 1}, {}, 10),  # no mode enforces it
        ({}, {MODE: 2, RATIO: 1}, 10),  # already so: a second run is not refused
        ({USER_RESERVE: 5}, {MODE: 2, RATIO: 1}, 10),
        ({RATIO: 41}, {MODE: 2, RATIO: 40}, 10),  # not enough, but better
        ({RATIO: 50, ADMIN_RESERVE: 16384}, {MODE: 2, RATIO: 40}, 10),
    ],
)
def test_refuse_only_lockout(after, before, percent):
    refuse(after, before, percent)


GUEST_RUN_KB = 45000  # measured on a guest with Debian 12


@pytest.mark.parametrize(
    "after, before, words",
    [
        (
            {MODE: 2, RATIO: 90},
            {},
            "mode=never: users can take every promise that admin_reserve_kbytes=8192 does not keep for root, and on"
            " this host root needs 47104 KiB to log in and run this module; set admin_reserve_kbytes to 47104 or more"
            " (force=true overrides)",
        ),
        ({MODE: 2, RATIO: 90, ADMIN_RESERVE: 47103}, {}, "set admin_reserve_kbytes to 47104 or more"),
        ({ADMIN_RESERVE: 8192}, {MODE: 2, RATIO: 90, ADMIN_RESERVE: 131072}, "set admin_reserve_kbytes to 47104"),
        ({MODE: 2, RATIO: 90}, {ADMIN_RESERVE: 0}, "admin_reserve_kbytes=0 does not keep"),
        (
            {MODE: 2, RATIO: 58, ADMIN_RESERVE: 47104},
            {},
            "CommitLimit would be 290000 KiB, and 200000 KiB are already promised (Committed_AS), and"
            " admin_reserve_kbytes=47104 leaves 42896 KiB of the rest to users, who need 45000 KiB on this host",
        ),
    ],
)
def test_refuse_limit_that_leaves_no_login(after, before, words):
    """A user takes all promises. Root must still be able to log in and to undo this."""
    with pytest.raises(InputError) as error:
        refuse(after, before, run_kb=GUEST_RUN_KB)
    assert words in str(error.value)


def test_accept_reserve_that_holds_a_login():
    refuse({MODE: 2, RATIO: 90, ADMIN_RESERVE: 47104}, run_kb=GUEST_RUN_KB)
    refuse({RATIO: 91}, {MODE: 2, RATIO: 90}, run_kb=GUEST_RUN_KB)  # no worse than before


def test_measure_only_for_a_stricter_limit():
    def fail():
        raise AssertionError

    for after, before in (({MODE: 1}, {}), ({RATIO: 91}, {MODE: 2, RATIO: 90}), ({MODE: 0}, {MODE: 2})):
        boot = dict.fromkeys(KEYS, BootValue(0, None))
        states = (SysctlState(dict(LIVE, **values), {}, boot) for values in (before, {**before, **after}))
        rules = OvercommitPolicy(after, GUEST, 10, fail)
        rules.refuse_harm(SysctlPlan(SysctlRequest(rules, False, FILE), *states, [], [], [], True))


@pytest.mark.parametrize(
    "total_kb, run_kb, needed",
    [
        (500000, 45000, 47104),  # 1953 KiB more, in whole MiB
        (16000000, 45000, 107520),
        (64000000, 45000, 131072),  # the kernel's documentation advises no more
        (64000000, 200000, 200704),
    ],
)
def test_needed_reserve(total_kb, run_kb, needed):
    assert needed_reserve_kb(CommitMemory(total_kb, 0, 0, 0), run_kb) == needed


@pytest.mark.parametrize("reserve, total_kb, found", [(5, 500000, 5), (None, 500000, 8192), (None, 64000, 2000)])
def test_reserve_at_boot_is_the_kernels_own(reserve, total_kb, found):
    assert admin_reserve_kb(CommitMemory(total_kb, 0, 0, 0), {ADMIN_RESERVE: reserve}) == found


@pytest.mark.parametrize(
    "before, after, stricter",
    [
        ({}, {MODE: 2}, True),
        ({MODE: 2}, {MODE: 0}, False),
        ({}, {RATIO: 1}, False),
        ({MODE: 2}, {MODE: 2}, False),
        ({MODE: 2}, {MODE: 2, RATIO: 49}, True),
        ({MODE: 2}, {MODE: 2, RATIO: 51}, False),
        ({MODE: 2}, {MODE: 2, ADMIN_RESERVE: 8191}, True),
        ({MODE: 2}, {MODE: 2, ADMIN_RESERVE: 8193}, True),
        ({MODE: 2}, {MODE: 2, RATIO: 51, ADMIN_RESERVE: 9000}, False),
    ],
)
def test_stricter_limit(before, after, stricter):
    before, after = dict(LIVE, **before), dict(LIVE, **after)
    assert is_stricter(before, after, GUEST) is stricter
    assert policy({}).can_stop_processes(before, after) is stricter


@pytest.mark.parametrize("wanted, keys", [({MODE: 2}, [RATIO, KBYTES]), ({MODE: 1}, []), ({RATIO: 1}, [])])
def test_related_keys(wanted, keys):
    assert policy(wanted).related_keys() == keys


@pytest.mark.parametrize("percent", [-1, 101])
def test_refuse_headroom_percent_out_of_range(percent):
    with pytest.raises(InputError, match=f"headroom_percent={percent} is out of range"):
        check_headroom_percent(percent)
    check_headroom_percent(0)


@pytest.mark.parametrize("mode, ratio, warnings", [(2, 80, 0), (2, 101, 1), (0, 101, 0)])
def test_warn_about_limit_above_memory(mode, ratio, warnings):
    assert len(policy({}).warnings_for(dict(LIVE, **{MODE: mode, RATIO: ratio}))) == warnings


@pytest.mark.parametrize(
    "engine, mode, left, warnings",
    [
        (None, 2, 0, 0),
        ("Docker", 0, 0, 0),
        ("Docker", 2, CONTAINER_START_KB - 4, 1),
        ("Docker", 2, CONTAINER_START_KB, 0),
        ("CRI-O", 2, -8, 1),
    ],
)
def test_warn_that_no_container_starts(engine, mode, left, warnings):
    memory = CommitMemory(total_kb=4000000, huge_kb=0, swap_kb=0, committed_kb=2000000)
    rules = OvercommitPolicy({MODE: 2}, memory, 10, lambda: 0, engine).replace_wanted({MODE: mode})
    found = rules.warnings_for(dict(LIVE, **{MODE: mode, RATIO: 0, KBYTES: 2000000 + left}))
    words = (
        f"mode=never: {engine} may start no container, because only {max(0, left)} KiB of CommitLimit are left"
        " and a start needs up to 851968 KiB; raise ratio or kbytes, or add swap"
    )
    assert found == [words] * warnings


@pytest.mark.parametrize(
    "live, path, lines, options, source, remedy",
    [
        (
            {RATIO: 80},
            "/dev/null",
            {},
            dict(mode="never"),
            "vm.overcommit_ratio: nothing sets it",
            "set ratio or kbytes as well to make it permanent",
        ),
        (
            {RATIO: 80},
            FILE,
            {RATIO: 10},
            dict(mode="never"),
            "vm.overcommit_ratio: {0} line 2",
            "set ratio or kbytes as well to make it permanent",
        ),
        (
            {},
            LATER,
            {RATIO: 10},
            dict(mode="never", ratio=80),
            "vm.overcommit_ratio: {0} line 2",
            "change {0} line 2, or set file to a name that sorts later",
        ),
        (
            {},
            LATER,
            {KBYTES: 9},
            dict(mode="never", ratio=80),
            "vm.overcommit_kbytes: {0} line 2",
            "change {0} line 2, or set file to a name that sorts later",
        ),
        (
            {RATIO: 80},
            LATER,
            {KBYTES: 9},
            dict(mode="never"),
            "vm.overcommit_kbytes: {0} line 2",
            "or set ratio or kbytes as well and file to a name that",
        ),
        (
            {},
            LATER,
            {MODE: 2},
            dict(ratio=10),
            "vm.overcommit_memory: {0} line 2 sets",
            "set ratio or kbytes to another value",
        ),
        (
            {},
            LATER,
            {ADMIN_RESERVE: 300000},
            dict(mode="never", ratio=80),
            "vm.admin_reserve_kbytes: {0} line 2",
            "or set admin_reserve_kbytes as well",
        ),
    ],
)
def test_refuse_lockout_at_boot_with_file_and_line(sysctl_tree, live, path, lines, options, source, remedy):
    sysctl_tree.set(**live)
    sysctl_tree.write(path, render_file("overcommit", lines, {}))
    request = SysctlRequest(policy(sysctls(**options), percent=30), True, FILE)
    with pytest.raises(InputError) as error:
        request.policy.refuse_harm(read_and_plan(sysctl_tree.host, request))
    assert str(error.value).startswith("mode=never after the next boot (vm.overcommit_memory: ")
    assert source.format(path) in str(error.value)
    assert remedy.format(path) in str(error.value)
