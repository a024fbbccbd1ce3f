# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel is to do when memory runs out, and what would hang or harm the host."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import boot_files as _sysctl_files
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host as _sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy as _oom_policy
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    ALLOCATING_TASK,
    DUMP_TASKS,
    ON_OOM,
    ON_OOPS,
    REBOOT_AFTER,
    Facts,
)
from ansible_collections.oomguard.linux.plugins.modules import oom_policy

FILE = "/etc/sysctl.d/60-oomguard-policy.conf"
LIVE = {REBOOT_AFTER: 0, ON_OOPS: 0, DUMP_TASKS: 1, ALLOCATING_TASK: 0, ON_OOM: 0}


def asked(on_oom=None, reboot_after=None, kill_allocating_task=None, dump_tasks=None, panic_on_oops=None):
    return _oom_policy.wanted(on_oom, reboot_after, kill_allocating_task, dump_tasks, panic_on_oops)


@pytest.mark.parametrize(
    "options, found",
    [
        (dict(on_oom="kill"), {ON_OOM: 0}),
        (dict(on_oom="panic", reboot_after=30), {REBOOT_AFTER: 30, ON_OOM: 1}),
        (dict(on_oom="panic_always", reboot_after=-1), {REBOOT_AFTER: -1, ON_OOM: 2}),
        (
            dict(kill_allocating_task=False, dump_tasks=True, panic_on_oops=True),
            {ON_OOPS: 1, DUMP_TASKS: 1, ALLOCATING_TASK: 0},
        ),
    ],
)
def test_what_is_asked_for_in_the_order_of_the_file(options, found):
    assert list(asked(**options).items()) == list(found.items())


def test_nothing_is_refused():
    with pytest.raises(InputError, match="nothing is asked for"):
        asked()


@pytest.mark.parametrize(
    "live, wanted, first",
    [
        (0, {ON_OOM: 1, REBOOT_AFTER: 10}, REBOOT_AFTER),
        (1, {ON_OOM: 2, REBOOT_AFTER: 10}, REBOOT_AFTER),
        (1, {REBOOT_AFTER: 10}, REBOOT_AFTER),
        (1, {ON_OOM: 0, REBOOT_AFTER: 0}, ON_OOM),
        (2, {ON_OOM: 1, REBOOT_AFTER: 10}, ON_OOM),
    ],
)
def test_a_host_that_panics_comes_back_at_any_moment(live, wanted, first):
    order = _oom_policy.order(dict(LIVE, **{ON_OOM: live}), wanted)
    assert sorted(order) == sorted(_oom_policy.KEYS)
    assert order[0] == first


def refuse(wanted, before=None, boot=None, crash_kernel=False, limited=(), pinned=()):
    """C(boot) is what the next boot would have made of it, if not what is live."""
    live, boot = dict(LIVE, **(before or {})), dict(LIVE, **(before if boot is None else boot) or {})
    facts = Facts(crash_kernel=lambda: crash_kernel, limited_cgroups=lambda: list(limited), pinned=lambda: list(pinned))
    _oom_policy.refuse(wanted, dict(live, **wanted), facts)
    _oom_policy.refuse_harm([(live, dict(live, **wanted)), (boot, dict(boot, **wanted))], facts)


@pytest.mark.parametrize(
    "wanted, facts, words",
    [
        ({ON_OOM: 1}, {}, "vm.panic_on_oom=1 or 2 with kernel.panic=0, and no crash kernel is loaded"),
        ({ON_OOM: 1, REBOOT_AFTER: 0}, dict(before={REBOOT_AFTER: 10}), "set reboot_after, such as 10"),
        ({REBOOT_AFTER: 0}, dict(before={REBOOT_AFTER: 10, ON_OOM: 1}), "would stay dead"),
        ({ON_OOM: 2, REBOOT_AFTER: 9}, dict(limited=["/a", "/b", "/c", "/d"]), "have a limit (/a, /b, /c and 1 more)"),
        ({ON_OOM: 2, REBOOT_AFTER: 9}, dict(limited=["/a"]), "on_oom=panic_always: memory cgroups have a limit (/a)"),
        (
            {ON_OOM: 2},
            dict(before={ON_OOM: 2, REBOOT_AFTER: 9}, boot={}, limited=["/a"]),
            "on_oom=panic_always: memory cgroups have a limit (/a)",
        ),
        (
            {ALLOCATING_TASK: 1},
            dict(pinned=["process 7 (dockerd) at -500"]),
            "there are pins (process 7 (dockerd) at -500)",
        ),
        ({ALLOCATING_TASK: 1}, dict(before={ALLOCATING_TASK: 1}, boot={}, pinned=["x"]), "there are pins (x)"),
    ],
)
def test_what_hangs_or_harms_is_refused_with_the_reason(wanted, facts, words):
    with pytest.raises(InputError) as error:
        refuse(wanted, **facts)
    assert words in str(error.value)
    assert "force=true overrides" in str(error.value)


@pytest.mark.parametrize(
    "wanted, facts",
    [
        ({ON_OOM: 1, REBOOT_AFTER: 10}, {}),
        ({ON_OOM: 1}, dict(crash_kernel=True)),
        ({ON_OOM: 1}, dict(before={REBOOT_AFTER: -1})),
        ({ON_OOM: 0, REBOOT_AFTER: 0}, {}),
        ({DUMP_TASKS: 0}, dict(before={ON_OOM: 1})),  # a host that hangs already, and is not asked about
        ({ON_OOM: 2}, dict(before={ON_OOM: 2, REBOOT_AFTER: 9}, limited=["/a"])),  # is so already
        ({ON_OOM: 2, REBOOT_AFTER: 9}, {}),
        ({ALLOCATING_TASK: 1}, {}),
        ({ALLOCATING_TASK: 0}, dict(pinned=["x"])),
        ({ALLOCATING_TASK: 1}, dict(before={ALLOCATING_TASK: 1}, pinned=["x"])),
    ],
)
def test_the_rest_is_not(wanted, facts):
    refuse(wanted, **facts)


def test_the_host_is_asked_only_what_matters():
    def never():
        raise AssertionError("asked")

    _oom_policy.refuse({DUMP_TASKS: 1}, LIVE, Facts(never, never, never))
    _oom_policy.refuse_harm([(LIVE, LIVE)], Facts(never, never, never))


@pytest.mark.parametrize("on_oom, reboot_after, told", [(1, 3, 1), (1, 10, 0), (1, -1, 1), (0, 3, 0)])
def test_a_loop_of_reboots_is_told(on_oom, reboot_after, told):
    assert len(_oom_policy.doubts({}, dict(LIVE, **{ON_OOM: on_oom, REBOOT_AFTER: reboot_after}))) == told


@pytest.mark.parametrize(
    "asked, reboot_after, told", [({ON_OOPS: 1}, 0, 1), ({ON_OOPS: 1}, 9, 0), ({ON_OOPS: 0}, 0, 0), ({}, 0, 0)]
)
def test_a_fault_of_the_kernel_that_nobody_ends_is_told(asked, reboot_after, told):
    assert len(_oom_policy.doubts(asked, dict(LIVE, **{REBOOT_AFTER: reboot_after}))) == told


@pytest.mark.parametrize(
    "before, after, refused",
    [
        ((0, None), (1, None), True),
        ((0, 0), (1, 0), True),
        ((1, 9), (1, 0), True),
        ((0, None), (1, 9), False),
        ((0, 0), (0, 0), False),
        ((1, 0), (1, 0), False),
    ],
)
def test_a_next_boot_that_would_hang_is_refused(before, after, refused):
    before, after = dict(zip((ON_OOM, REBOOT_AFTER), before)), dict(zip((ON_OOM, REBOOT_AFTER), after))
    _oom_policy.refuse_next_boot(before, after, "why", "do this", Facts(lambda: True, list, list))
    if not refused:
        _oom_policy.refuse_next_boot(before, after, "why", "do this", Facts(lambda: False, list, list))
    else:
        with pytest.raises(
            InputError,
            match="after the next boot vm.panic_on_oom would be 1 without a way back, as of why; do this .force=true",
        ):
            _oom_policy.refuse_next_boot(before, after, "why", "do this", Facts(lambda: False, list, list))


def test_what_no_kernel_takes_is_refused():
    with pytest.raises(InputError, match="reboot_after=3000000000 is out of range"):
        asked(reboot_after=3000000000)


def test_a_kernel_without_the_sysctl_has_an_order_too():
    assert _oom_policy.order(dict(LIVE, **{ON_OOM: None}), {DUMP_TASKS: 1})[0] == REBOOT_AFTER


@pytest.mark.parametrize("wanted, keys", [({ON_OOM: 1}, [REBOOT_AFTER]), ({ON_OOM: 0}, []), ({DUMP_TASKS: 1}, [])])
def test_a_panic_leans_on_its_way_back(wanted, keys):
    assert _oom_policy.leans_on(wanted) == keys


def plan(tree, persistent=True, **options):
    request = _sysctls.Request(
        "oom_policy", _oom_policy.KEYS, asked(**options), _oom_policy.order, _oom_policy.leans_on, persistent, FILE
    )
    return _sysctls.plan(tree.host, request)


@pytest.mark.parametrize(
    "live, options, words",
    [
        ({REBOOT_AFTER: 9, ON_OOM: 2}, dict(on_oom="panic_always", reboot_after=9), "memory cgroups have a limit"),
        ({ALLOCATING_TASK: 1}, dict(kill_allocating_task=True), "there are pins"),
    ],
)
def test_what_is_so_now_is_not_made_permanent_and_what_is_permanent_is_not_refused(sysctl_tree, live, options, words):
    facts = Facts(lambda: False, lambda: ["/a"], lambda: ["x"])
    sysctl_tree.set(**live)
    oom_policy.refuse(plan(sysctl_tree, persistent=False, **options), facts)
    with pytest.raises(InputError, match=words):
        oom_policy.refuse(plan(sysctl_tree, **options), facts)
    sysctl_tree.write(FILE, _sysctl_files.render("oom_policy", live))
    oom_policy.refuse(plan(sysctl_tree, **options), facts)


@pytest.mark.parametrize(
    "path, options, words",
    [
        (
            "/dev/null",
            {},
            "kernel.panic: nothing sets it, and the kernel starts with its own value; give reboot_after as well, which makes it permanent",
        ),
        (FILE, {}, "{0} line 2 sets kernel.panic to 0; give reboot_after as well, which makes it permanent"),
        (
            "/etc/sysctl.d/99-x.conf",
            {},
            "{0} line 2 sets kernel.panic to 0; change {0} line 2, or give reboot_after as well and file a name that sorts later",
        ),
        (
            "/etc/sysctl.d/99-x.conf",
            dict(reboot_after=9),
            "kernel.panic: {0} line 2 sets kernel.panic to 0; change {0} line 2, or give file a name that",
        ),
        (
            "/etc/sysctl.conf",
            dict(reboot_after=9),
            "{0} line 2 sets kernel.panic to 0; change {0} line 2 (force=true overrides)",
        ),
    ],
)
def test_a_next_boot_that_would_hang_is_refused_with_the_line_that_does_it(sysctl_tree, path, options, words):
    if path == "/etc/sysctl.conf":
        os.rmdir(str(sysctl_tree.root / "run/systemd/system"))
    sysctl_tree.set(**{REBOOT_AFTER: 9})
    sysctl_tree.write(path, _sysctl_files.render("oom_policy", {REBOOT_AFTER: 0}))
    with pytest.raises(InputError) as error:
        oom_policy.refuse(plan(sysctl_tree, on_oom="panic", **options), Facts(lambda: False, list, list))
    assert words.format(path) in str(error.value)
