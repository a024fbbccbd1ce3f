# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory may be promised, and what would lock everybody out."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import boot_files as _sysctl_files
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host as _sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import overcommit as _overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    MODE,
    RATIO,
    USER_RESERVE,
    Memory,
)
from ansible_collections.oomguard.linux.plugins.modules import overcommit

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
LATER = "/etc/sysctl.d/99-x.conf"
GUEST = Memory(total_kb=500000, huge_kb=0, swap_kb=0, committed_kb=200000)
LIVE = {ADMIN_RESERVE: 8192, USER_RESERVE: 15000, RATIO: 50, KBYTES: 0, MODE: 0}


def asked(mode=None, ratio=None, kbytes=None, admin_reserve=None, user_reserve=None):
    return _overcommit.wanted(mode, ratio, kbytes, admin_reserve, user_reserve)


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
def test_what_is_asked_for_in_the_order_of_the_file(options, found):
    assert list(asked(**options).items()) == list(found.items())


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(ratio=0), "ratio=0: then only swap could be promised"),
        (dict(ratio=-1), "ratio=-1: then only swap"),
        (dict(kbytes=0), "kbytes=0: then only swap could be promised"),
        (
            dict(ratio=80, kbytes=500),
            "ratio=80 and kbytes=500: the kernel makes one zero when the other is set; give one of them",
        ),
        (dict(admin_reserve=-1), "admin_reserve_kbytes=-1 is out of range"),
        (dict(user_reserve=-5), "user_reserve_kbytes=-5"),
        (dict(ratio=1 << 31), "ratio=2147483648 is out of range"),
        ({}, "nothing is asked for"),
    ],
)
def test_what_no_host_should_have_is_refused(options, words):
    with pytest.raises(InputError) as error:
        asked(**options)
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
def test_the_limit_stands_while_it_binds(live, wanted, last):
    order = _overcommit.order(dict(LIVE, **{MODE: live}), wanted)
    assert sorted(order) == sorted(_overcommit.KEYS)
    assert order[-1] == last
    assert order.index(ADMIN_RESERVE) < order.index(RATIO)


MEMINFO = "MemTotal:  500000 kB\nSwapTotal:  1000 kB\nCommitted_AS:  200000 kB\n"
HUGE_PAGES = {
    "none": ("", 0),
    "of one size": ("HugePages_Total:       4\nHugepagesize:       2048 kB\n", 8192),
    "of all sizes": ("HugePages_Total:       4\nHugepagesize:       2048 kB\nHugetlb:         1056768 kB\n", 1056768),
}


@pytest.mark.parametrize("huge_pages, huge_kb", HUGE_PAGES.values(), ids=list(HUGE_PAGES))
def test_memory_as_the_kernel_tells_it(huge_pages, huge_kb):
    assert _overcommit.memory(MEMINFO + huge_pages, 4) == Memory(500000, huge_kb, 1000, 200000)


@pytest.mark.parametrize("missing", ["MemTotal", "SwapTotal", "Committed_AS"])
def test_a_kernel_that_does_not_tell_is_named(missing):
    with pytest.raises(UnsupportedError, match="/proc/meminfo has no " + missing):
        _overcommit.memory("".join(line for line in MEMINFO.splitlines(True) if not line.startswith(missing)), 4)


@pytest.mark.parametrize(
    "memory, ratio, kbytes, limit",
    [
        (Memory(500000, 0, 0, 0), 50, 0, 250000),
        (Memory(500000, 0, 1000, 0), 50, 0, 251000),
        (Memory(500000, 100000, 0, 0), 50, 0, 200000),
        (Memory(500000, 0, 1000, 0), 0, 300001, 301000),  # whole pages
        (Memory(500002, 0, 0, 0), 33, 0, 165000),
        (Memory(500000, 0, 0, 0, page_kb=64), 50, 0, 249984),
        (Memory(500000, 0, 77, 0), 0, 0, 77),
    ],
)
def test_the_limit_is_the_kernels(memory, ratio, kbytes, limit):
    assert _overcommit.commit_limit_kb(memory, ratio, kbytes) == limit


def refuse(after, before=None, percent=10, memory=GUEST):
    before = dict(LIVE, **(before or {}))
    _overcommit.refuse(before, dict(before, **after), memory, percent)


@pytest.mark.parametrize(
    "after, before, percent, words",
    [
        (
            {MODE: 2, RATIO: 10},
            {},
            10,
            "mode=never: CommitLimit would be 50000 KiB, and 200000 KiB are promised already (Committed_AS), which is 150000 KiB more",
        ),
        ({MODE: 2, RATIO: 44}, {}, 10, "leaves 20000 KiB, less than headroom_percent=10"),
        ({MODE: 2}, {RATIO: 0, KBYTES: 100000}, 10, "CommitLimit would be 100000 KiB"),
        ({RATIO: 42}, {MODE: 2}, 10, "CommitLimit would be 210000 KiB"),
        (
            {MODE: 2, RATIO: 80, ADMIN_RESERVE: 300000},
            {},
            10,
            "admin_reserve_kbytes=300000 keeps the 200000 KiB that are left from everybody but root",
        ),
    ],
)
def test_a_limit_that_locks_out_is_refused_with_the_figures(after, before, percent, words):
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
        ({RATIO: 1}, {}, 10),  # does not bind
        ({}, {MODE: 2, RATIO: 1}, 10),  # is so already: a second run is no refusal
        ({USER_RESERVE: 5}, {MODE: 2, RATIO: 1}, 10),
    ],
)
def test_what_harms_nobody_is_not_refused(after, before, percent):
    refuse(after, before, percent)


@pytest.mark.parametrize("asked, keys", [({MODE: 2}, [RATIO, KBYTES]), ({MODE: 1}, []), ({RATIO: 1}, [])])
def test_a_limit_leans_on_its_size(asked, keys):
    assert _overcommit.leans_on(asked) == keys


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_without_sense_is_refused(percent):
    with pytest.raises(InputError, match=f"headroom_percent={percent} is out of range"):
        _overcommit.check_percent(percent)
    _overcommit.check_percent(0)


@pytest.mark.parametrize("mode, ratio, told", [(2, 80, 0), (2, 101, 1), (0, 101, 0)])
def test_a_limit_above_the_memory_is_told(mode, ratio, told):
    assert len(_overcommit.doubts(dict(LIVE, **{MODE: mode, RATIO: ratio}), GUEST)) == told


@pytest.mark.parametrize(
    "live, path, lines, options, source, remedy",
    [
        (
            {RATIO: 80},
            "/dev/null",
            {},
            dict(mode="never"),
            "vm.overcommit_ratio: nothing sets it",
            "give ratio or kbytes as well, which makes it permanent",
        ),
        (
            {RATIO: 80},
            FILE,
            {RATIO: 10},
            dict(mode="never"),
            "vm.overcommit_ratio: {0} line 2",
            "give ratio or kbytes as well, which makes it permanent",
        ),
        (
            {},
            LATER,
            {RATIO: 10},
            dict(mode="never", ratio=80),
            "vm.overcommit_ratio: {0} line 2",
            "change {0} line 2, or give file a name that sorts later",
        ),
        (
            {},
            LATER,
            {KBYTES: 9},
            dict(mode="never", ratio=80),
            "vm.overcommit_kbytes: {0} line 2",
            "change {0} line 2, or give file a name that sorts later",
        ),
        (
            {RATIO: 80},
            LATER,
            {KBYTES: 9},
            dict(mode="never"),
            "vm.overcommit_kbytes: {0} line 2",
            "or give ratio or kbytes as well and file a name that",
        ),
        ({}, LATER, {MODE: 2}, dict(ratio=10), "vm.overcommit_memory: {0} line 2 sets", "give another ratio or kbytes"),
        (
            {},
            LATER,
            {ADMIN_RESERVE: 300000},
            dict(mode="never", ratio=80),
            "vm.admin_reserve_kbytes: {0} line 2",
            "or give admin_reserve_kbytes as well",
        ),
    ],
)
def test_a_next_boot_that_locks_out_is_refused_with_the_line_that_does_it(
    sysctl_tree, live, path, lines, options, source, remedy
):
    sysctl_tree.set(**live)
    sysctl_tree.write(path, _sysctl_files.render("overcommit", lines))
    request = _sysctls.Request(
        "overcommit", _overcommit.KEYS, asked(**options), _overcommit.order, _overcommit.leans_on, True, FILE
    )
    with pytest.raises(InputError) as error:
        overcommit.refuse(_sysctls.plan(sysctl_tree.host, request), GUEST, 30)
    assert str(error.value).startswith("mode=never after the next boot (vm.overcommit_memory: ")
    assert source.format(path) in str(error.value)
    assert remedy.format(path) in str(error.value)
