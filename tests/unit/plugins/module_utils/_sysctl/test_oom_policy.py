# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel is to do when memory runs out, and what would hang or harm the host."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import BootValue
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    ALLOCATING_TASK,
    DUMP_TASKS,
    KEYS,
    ON_OOM,
    ON_OOPS,
    REBOOT_AFTER,
    HostQueries,
    OomPolicy,
    oom_policy_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import render_file
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlPlan, SysctlRequest, SysctlState
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

FILE = "/etc/sysctl.d/60-oomguard-policy.conf"
LIVE = {REBOOT_AFTER: 0, ON_OOPS: 0, DUMP_TASKS: 1, ALLOCATING_TASK: 0, ON_OOM: 0}


def sysctls(on_oom=None, reboot_after=None, kill_allocating_task=None, dump_tasks=None, panic_on_oops=None):
    return oom_policy_sysctls(on_oom, reboot_after, kill_allocating_task, dump_tasks, panic_on_oops)


def policy(wanted, crash_kernel=False, limited=(), pinned=()):
    return OomPolicy(wanted, HostQueries(lambda: crash_kernel, lambda: list(limited), lambda: list(pinned)))


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
def test_sysctls_in_the_order_of_the_file(options, found):
    assert list(sysctls(**options).items()) == list(found.items())


def test_refuse_no_option():
    with pytest.raises(InputError, match="no option is set"):
        sysctls()


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
def test_host_can_reboot_between_any_two_writes(live, wanted, first):
    order = policy(wanted).write_order(dict(LIVE, **{ON_OOM: live}))
    assert sorted(order) == sorted(KEYS)
    assert order[0] == first


def refuse(wanted, before=None, boot=None, **found):
    """C(boot) is what the next boot would have set, if not the live values."""
    live, boot = dict(LIVE, **(before or {})), dict(LIVE, **(before if boot is None else boot) or {})
    policy(wanted, **found).refuse_hang(dict(live, **wanted))
    policy(wanted, **found).refuse_worse([(live, dict(live, **wanted)), (boot, dict(boot, **wanted))])


@pytest.mark.parametrize(
    "wanted, facts, words",
    [
        ({ON_OOM: 1}, {}, "vm.panic_on_oom=1 with kernel.panic=0 and no crash kernel loaded"),
        ({ON_OOM: 1, REBOOT_AFTER: 0}, dict(before={REBOOT_AFTER: 10}), "set reboot_after, such as 10"),
        ({REBOOT_AFTER: 0}, dict(before={REBOOT_AFTER: 10, ON_OOM: 1}), "would hang until it is reset"),
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
def test_refuse_hang_and_harm(wanted, facts, words):
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
        ({DUMP_TASKS: 0}, dict(before={ON_OOM: 1})),  # the host hangs already, and the task sets neither sysctl
        ({ON_OOM: 2}, dict(before={ON_OOM: 2, REBOOT_AFTER: 9}, limited=["/a"])),  # already so
        ({ON_OOM: 2, REBOOT_AFTER: 9}, {}),
        ({ALLOCATING_TASK: 1}, {}),
        ({ALLOCATING_TASK: 0}, dict(pinned=["x"])),
        ({ALLOCATING_TASK: 1}, dict(before={ALLOCATING_TASK: 1}, pinned=["x"])),
    ],
)
def test_refuse_only_hang_and_harm(wanted, facts):
    refuse(wanted, **facts)


def test_read_only_what_is_needed():
    def never():
        raise AssertionError("read")

    harmless = OomPolicy({DUMP_TASKS: 1}, HostQueries(never, never, never))
    harmless.refuse_hang(LIVE)
    harmless.refuse_worse([(LIVE, LIVE)])


@pytest.mark.parametrize("on_oom, reboot_after, warnings", [(1, 3, 1), (1, 10, 0), (1, -1, 1), (0, 3, 0)])
def test_warn_about_reboot_loop(on_oom, reboot_after, warnings):
    live = dict(LIVE, **{ON_OOM: on_oom, REBOOT_AFTER: reboot_after})
    assert len(policy({}).warnings_for(live)) == warnings


@pytest.mark.parametrize(
    "wanted, reboot_after, warnings", [({ON_OOPS: 1}, 0, 1), ({ON_OOPS: 1}, 9, 0), ({ON_OOPS: 0}, 0, 0), ({}, 0, 0)]
)
def test_warn_about_hang_after_kernel_fault(wanted, reboot_after, warnings):
    assert len(policy(wanted).warnings_for(dict(LIVE, **{REBOOT_AFTER: reboot_after}))) == warnings


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
def test_refuse_hang_at_boot_only_on_change(before, after, refused):
    states = [SysctlState(LIVE, {}, boot_values(*values)) for values in (before, after)]

    def refuse_boot(crash_kernel):
        request = SysctlRequest(policy({DUMP_TASKS: 1}, crash_kernel=crash_kernel), True, FILE)
        request.policy.refuse_harm(SysctlPlan(request, *states, [], [], [], True))

    refuse_boot(crash_kernel=True)
    if not refused:
        refuse_boot(crash_kernel=False)
        return
    with pytest.raises(
        InputError,
        match=r"after the next boot vm\.panic_on_oom would be 1, and a host that runs out of memory would hang"
        r" \(kernel\.panic: nothing sets it, .*\); set reboot_after as well .*force=true",
    ):
        refuse_boot(crash_kernel=False)


def boot_values(on_oom, reboot_after):
    return {key: BootValue({ON_OOM: on_oom, REBOOT_AFTER: reboot_after}.get(key, 0), None) for key in KEYS}


def test_refuse_value_that_no_kernel_accepts():
    with pytest.raises(InputError, match="reboot_after=3000000000 is out of range"):
        sysctls(reboot_after=3000000000)


def test_number_in_a_message_is_short():
    with pytest.raises(InputError, match=r"^reboot_after=1000000000\d+\.\.\. .more than 20 digits. is out of range"):
        sysctls(reboot_after=10**400)


def test_names_in_a_message_are_one_line():
    """A cgroup's name is its user's choice."""
    with pytest.raises(InputError, match=r"have a limit .*/a\\x0a\\x1b\[2J"):
        refuse({ON_OOM: 2, REBOOT_AFTER: 9}, limited=["/a\n\x1b[2J"])


def test_no_proof_that_a_user_could_spoil():
    assert policy({ON_OOM: 1}).can_stop_processes(LIVE, dict(LIVE, **{ON_OOM: 1})) is False


def test_write_order_without_the_sysctl():
    assert policy({DUMP_TASKS: 1}).write_order(dict(LIVE, **{ON_OOM: None}))[0] == REBOOT_AFTER


@pytest.mark.parametrize("wanted, keys", [({ON_OOM: 1}, [REBOOT_AFTER]), ({ON_OOM: 0}, []), ({DUMP_TASKS: 1}, [])])
def test_related_keys(wanted, keys):
    assert policy(wanted).related_keys() == keys


def refuse_on(tree, options, persistent=True, **found):
    request = SysctlRequest(policy(sysctls(**options), **found), persistent, FILE)
    request.policy.refuse_harm(read_and_plan(tree.host, request))


@pytest.mark.parametrize(
    "live, options, words",
    [
        ({REBOOT_AFTER: 9, ON_OOM: 2}, dict(on_oom="panic_always", reboot_after=9), "memory cgroups have a limit"),
        ({ALLOCATING_TASK: 1}, dict(kill_allocating_task=True), "there are pins"),
    ],
)
def test_refuse_harm_only_on_change(sysctl_tree, live, options, words):
    """What is live already may not become permanent. What is permanent already is not refused."""
    found = dict(limited=["/a"], pinned=["x"])
    sysctl_tree.set(**live)
    refuse_on(sysctl_tree, options, persistent=False, **found)
    with pytest.raises(InputError, match=words):
        refuse_on(sysctl_tree, options, **found)
    sysctl_tree.write(FILE, render_file("oom_policy", live, {}))
    refuse_on(sysctl_tree, options, **found)


@pytest.mark.parametrize(
    "path, options, words",
    [
        (
            "/dev/null",
            {},
            "kernel.panic: nothing sets it, so the kernel starts with its own default);"
            " set reboot_after as well to make it permanent",
        ),
        (FILE, {}, "{0} line 2 sets kernel.panic to 0); set reboot_after as well to make it permanent"),
        (
            "/etc/sysctl.d/99-x.conf",
            {},
            "{0} line 2 sets kernel.panic to 0); change {0} line 2, or set reboot_after as well and file to a name that"
            " sorts later",
        ),
        (
            "/etc/sysctl.d/99-x.conf",
            dict(reboot_after=9),
            "kernel.panic: {0} line 2 sets kernel.panic to 0); change {0} line 2, or set file to a name that",
        ),
        (
            "/etc/sysctl.conf",
            dict(reboot_after=9),
            "{0} line 2 sets kernel.panic to 0); change {0} line 2 (force=true overrides)",
        ),
    ],
)
def test_refuse_hang_at_boot_with_file_and_line(sysctl_tree, path, options, words):
    if path == "/etc/sysctl.conf":
        os.rmdir(str(sysctl_tree.root / "run/systemd/system"))
    sysctl_tree.set(**{REBOOT_AFTER: 9})
    sysctl_tree.write(path, render_file("oom_policy", {REBOOT_AFTER: 0}, {}))
    with pytest.raises(InputError) as error:
        refuse_on(sysctl_tree, dict(on_oom="panic", **options))
    assert words.format(path) in str(error.value)


def test_no_figures_besides_the_sysctls(sysctl_tree):
    policy = OomPolicy({DUMP_TASKS: 1}, HostQueries(lambda: True, list, list))
    plan = read_and_plan(sysctl_tree.host, SysctlRequest(policy, True, FILE))
    assert policy.figures(plan) == {}
