# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sysctls of a tree of files: what is there, what is to be done, what the next boot makes of it."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import guards as _sysctl_guards
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host as _sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import overcommit as _overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Step
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    MODE,
    RATIO,
    USER_RESERVE,
)

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
HEADER = "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\n"


def plan(tree, persistent=True, file=FILE, **values):
    names = dict(mode=MODE, ratio=RATIO, kbytes=KBYTES, admin_reserve=ADMIN_RESERVE, user_reserve=USER_RESERVE)
    wanted = {
        key: values[name]
        for name, key in sorted(names.items(), key=lambda pair: _overcommit.KEYS.index(pair[1]))
        if name in values
    }
    request = _sysctls.Request(
        "overcommit", _overcommit.KEYS, wanted, _overcommit.order, _overcommit.leans_on, persistent, file
    )
    return _sysctls.plan(tree.host, request)


# --- what is to be done -------------------------------------------------------------


def test_only_what_differs_is_written_and_the_file_says_what_is_asked_for(sysctl_tree):
    made = plan(sysctl_tree, mode=2, ratio=50)
    assert made.steps == [Step(MODE, 0, 2)]
    assert made.text_before is None
    assert made.text_after == HEADER + "vm.overcommit_ratio = 50\nvm.overcommit_memory = 2\n"
    assert (made.changed, made.reboot_safe, made.doubts) == (True, True, [])


def test_a_second_run_is_no_change(sysctl_tree):
    sysctl_tree.set(**{MODE: 2, RATIO: 80})
    sysctl_tree.write(FILE, HEADER + "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n")
    made = plan(sysctl_tree, mode=2, ratio=80)
    assert (made.changed, made.steps, made.reboot_safe) == (False, [], True)


@pytest.mark.parametrize(
    "text, values, after",
    [
        ("vm.overcommit_memory = 2\n", dict(ratio=80), "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n"),
        (
            "vm.overcommit_kbytes = 900\nvm.overcommit_memory = 2\n",
            dict(ratio=80),
            "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n",
        ),
        ("vm.overcommit_ratio = 80\n", dict(kbytes=900), "vm.overcommit_kbytes = 900\n"),
        ("vm.overcommit_ratio = 80\nvm.swappiness = 1\n# note\n", dict(ratio=70), "vm.overcommit_ratio = 70\n"),
    ],
)
def test_our_file_keeps_what_is_ours(sysctl_tree, text, values, after):
    sysctl_tree.write(FILE, HEADER + text)
    assert plan(sysctl_tree, **values).text_after == HEADER + after


def test_without_persistence_the_file_stays_and_the_next_boot_is_told(sysctl_tree):
    made = plan(sysctl_tree, persistent=False, mode=1)
    assert (made.file_changes, made.reboot_safe) == (False, False)
    assert made.doubts == [
        "vm.overcommit_memory will not be 1 after the next boot: nothing sets it, and the kernel starts with 0"
    ]


@pytest.mark.parametrize(
    "before, values, undo",
    [
        ({}, dict(mode=2, ratio=80, admin_reserve=131072), [(MODE, 0), (RATIO, 50), (ADMIN_RESERVE, 8192)]),
        ({RATIO: 0, KBYTES: 900}, dict(mode=2, ratio=80), [(MODE, 0), (KBYTES, 900)]),
        ({}, dict(kbytes=900), [(RATIO, 50)]),
        ({MODE: 2}, dict(mode=0, ratio=80), [(RATIO, 50), (MODE, 2)]),
    ],
)
def test_the_way_back_is_the_way_there_backwards_and_writes_no_zero_of_a_pair(sysctl_tree, before, values, undo):
    sysctl_tree.set(**before)
    assert plan(sysctl_tree, **values).undo() == undo


def test_what_this_kernel_does_not_have_is_named(sysctl_tree):
    os.unlink(str(sysctl_tree.root / "proc/sys/vm/user_reserve_kbytes"))
    assert plan(sysctl_tree, mode=2).before.live[USER_RESERVE] is None
    with pytest.raises(UnsupportedError, match="does not have vm.user_reserve_kbytes"):
        plan(sysctl_tree, user_reserve=1)


def test_a_pair_of_which_this_kernel_has_one_is_no_pair(sysctl_tree):
    """vm.overcommit_kbytes came with Linux 3.14."""
    os.unlink(str(sysctl_tree.root / "proc/sys/vm/overcommit_kbytes"))
    made = plan(sysctl_tree, mode=2, ratio=80)
    assert made.after.live == dict(made.before.live, **{MODE: 2, RATIO: 80})
    assert made.after.live[KBYTES] is None
    assert (made.reboot_safe, made.doubts) == (True, [])


def test_a_live_value_that_is_none_is_an_error(sysctl_tree):
    sysctl_tree.set(**{MODE: 9})
    with pytest.raises(OomError, match="/proc/sys/vm/overcommit_memory shows '9'"):
        plan(sysctl_tree, mode=1)


# --- the file is ours ---------------------------------------------------------------


@pytest.mark.parametrize(
    "file, words",
    [
        ("/etc/sysctl.conf", "would not be read at boot"),
        ("/etc/sysctl.d/x", "ends with .conf"),
        ("/etc/sysctl.d/.x.conf", "would not be read"),
        ("/run/sysctl.d/x.conf", "would not be read at boot: name one in /etc/sysctl.d"),
        ("x.conf", "would not be read"),
        ("/etc/sysctl.d/../x.conf", "would not be read"),
        ("/etc/sysctl.d//x.conf", "would not be read"),
    ],
)
def test_a_file_that_is_not_read_at_boot_is_refused(sysctl_tree, file, words):
    for persistent in (True, False):
        with pytest.raises(InputError) as error:
            plan(sysctl_tree, file=file, mode=1, persistent=persistent)
        assert words in str(error.value)


def test_a_file_of_somebody_else_is_refused(sysctl_tree):
    sysctl_tree.write(FILE, "vm.overcommit_memory = 1\n")
    with pytest.raises(InputError, match="is not ours"):
        plan(sysctl_tree, mode=2)
    sysctl_tree.write(FILE, "# Managed by oomguard.linux.oom_policy, which keeps nothing else that is written here.\n")
    with pytest.raises(InputError, match="is not ours"):
        plan(sysctl_tree, mode=2)


def test_a_link_in_its_place_is_somebodys_decision(sysctl_tree):
    (sysctl_tree.root / FILE[1:]).symlink_to("/dev/null")
    with pytest.raises(InputError, match="is a symbolic link, left alone"):
        plan(sysctl_tree, mode=2)


def test_a_file_that_cannot_be_read_is_told(sysctl_tree, monkeypatch):
    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_sysctls, "open", denied, raising=False)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        plan(sysctl_tree, mode=2)


# --- the next boot ------------------------------------------------------------------

OTHER = "vm.overcommit_memory = 1\n"


@pytest.mark.parametrize(
    "systemd, path, text, wins, safe",
    [
        (True, "/etc/sysctl.d/99-local.conf", OTHER, "/etc/sysctl.d/99-local.conf line 1", False),
        (True, "/etc/sysctl.d/10-local.conf", OTHER, FILE + " line 2", True),
        (True, "/usr/local/lib/sysctl.d/99-x.conf", "\n" + OTHER, "/usr/local/lib/sysctl.d/99-x.conf line 2", False),
        (True, "/usr/lib/sysctl.d/99-x.conf", OTHER, "/usr/lib/sysctl.d/99-x.conf line 1", False),
        (True, "/usr/lib/sysctl.d/60-oomguard-overcommit.conf", OTHER, FILE + " line 2", True),
        (True, "/etc/sysctl.conf", OTHER, FILE + " line 2", True),
        (False, "/etc/sysctl.conf", OTHER, "/etc/sysctl.conf line 1", False),
        (True, "/proc/cmdline", "quiet sysctl.vm.overcommit_memory=1\n", FILE + " line 2", True),
        (True, "/run/sysctl.d/99-x.conf", OTHER, FILE + " line 2", False),
        (True, "/etc/sysctl.d/99-x.txt", OTHER, FILE + " line 2", True),
        (True, "/etc/sysctl.d/.99-x.conf", OTHER, FILE + " line 2", True),
        (True, "/etc/sysctl.d/99-x.conf", "vm.overcommit_memory = 2\n", "/etc/sysctl.d/99-x.conf line 1", True),
    ],
)
def test_what_wins_at_the_next_boot(sysctl_tree, systemd, path, text, wins, safe):
    if not systemd:
        os.rmdir(str(sysctl_tree.root / "run/systemd/system"))
    sysctl_tree.write(path, text)
    made = plan(sysctl_tree, mode=2)
    assert _sysctls.result(made)["boot_value_from"][MODE] == wins
    assert made.reboot_safe is safe
    assert made.after.boot[MODE].value == (1 if path in wins and "= 2" not in text else 2)


@pytest.mark.parametrize(
    "path, words",
    [
        (
            "/etc/sysctl.d/99-x.conf",
            "vm.overcommit_memory will not be 2 after the next boot: /etc/sysctl.d/99-x.conf line 1 sets vm.overcommit_memory to 1",
        ),
        (
            "/run/sysctl.d/99-x.conf",
            "vm.overcommit_memory may not be 2 after the next boot: /run/sysctl.d/99-x.conf line 1 sets vm.overcommit_memory to 1,"
            " if something writes that file again",
        ),
        (
            "/etc/sysctl.conf",
            "vm.overcommit_memory will be 2 after the next boot, but not after sysctl --system: /etc/sysctl.conf line 1 sets vm.overcommit_memory to 1",
        ),
    ],
)
def test_which_file_and_line_is_against_it(sysctl_tree, path, words):
    sysctl_tree.write(path, OTHER)
    assert plan(sysctl_tree, mode=2).doubts == [words]


def test_a_file_that_is_not_utf_8_is_read(sysctl_tree):
    (sysctl_tree.root / "etc/sysctl.d/99-x.conf").write_bytes(b"vm.overcommit_memory = 1 # h\xe9h\n")
    assert plan(sysctl_tree, mode=2).doubts[0].endswith("sets vm.overcommit_memory to 1")


@pytest.mark.parametrize("release, value", [("5.4.0-1-amd64", 0), ("5.8.1", 1), ("6.1.0", 1), ("10.0", 1)])
def test_the_command_line_counts_as_far_as_this_kernel_reads_it(sysctl_tree, release, value):
    sysctl_tree.write("/proc/cmdline", "sysctl.vm.overcommit_memory=1\n")
    host = _sysctls.Host(str(sysctl_tree.root), release)
    assert host.boot([MODE], FILE, None)[MODE].value == value


def test_what_a_limit_leans_on_is_watched_too(sysctl_tree):
    sysctl_tree.set(**{RATIO: 80})
    made = plan(sysctl_tree, mode=2)
    assert not made.reboot_safe
    assert made.doubts == [
        "vm.overcommit_ratio will not be 80 after the next boot: nothing sets it, and the kernel starts with 50"
    ]


def test_a_link_to_sysctl_conf_is_read_as_debian_12_has_it(sysctl_tree):
    sysctl_tree.write("/etc/sysctl.conf", OTHER)
    (sysctl_tree.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    made = plan(sysctl_tree, mode=2)
    assert str(made.after.boot[MODE].source) == "/etc/sysctl.d/99-sysctl.conf line 1"
    assert not made.reboot_safe


def test_a_pair_is_told_where_somebody_else_sets_the_other_half(sysctl_tree):
    sysctl_tree.write("/etc/sysctl.d/99-x.conf", "vm.overcommit_kbytes = 900\n")
    assert [doubt.split(" after")[0] for doubt in plan(sysctl_tree, ratio=80).doubts] == [
        "vm.overcommit_ratio will not be 80",
        "vm.overcommit_kbytes will not be 0",
    ]


# --- what is told ---------------------------------------------------------------------


def test_what_the_user_gets(sysctl_tree):
    told = _sysctls.result(plan(sysctl_tree, kbytes=900))
    assert told["before"]["live"] == {ADMIN_RESERVE: 8192, USER_RESERVE: 131072, RATIO: 50, KBYTES: 0, MODE: 0}
    assert told["after"]["live"] == {ADMIN_RESERVE: 8192, USER_RESERVE: 131072, RATIO: 0, KBYTES: 900, MODE: 0}
    assert told["after"]["file"] == {ADMIN_RESERVE: None, USER_RESERVE: None, RATIO: None, KBYTES: 900, MODE: None}
    assert told["after"]["boot"] == {ADMIN_RESERVE: None, USER_RESERVE: None, RATIO: 0, KBYTES: 900, MODE: 0}
    assert "vm.overcommit_kbytes = 0" in told["diff"]["before"]
    assert told["diff"]["after"].endswith(f"# {FILE}\n{HEADER}vm.overcommit_kbytes = 900\n")


def test_a_container_is_known_by_its_first_process(sysctl_tree):
    sysctl_tree.write("/proc/1/environ", "PATH=/bin\0container=lxc\0")
    assert sysctl_tree.host.container() == "/proc/1/environ"


# --- not here -------------------------------------------------------------------------


@pytest.mark.parametrize("mark", _sysctls.CONTAINER_MARKS)
def test_a_container_is_known(sysctl_tree, mark):
    assert sysctl_tree.host.container() is None
    sysctl_tree.write(mark, "")
    assert sysctl_tree.host.container() == mark


@pytest.mark.parametrize(
    "container, read_only, force, words",
    [
        (None, False, False, None),
        ("/.dockerenv", False, True, None),
        (
            "/.dockerenv",
            False,
            False,
            "this is a container (/.dockerenv), and the kernel that would change is that of its host",
        ),
        (
            "/.dockerenv",
            True,
            False,
            "/proc/sys is read-only here, in a container (/.dockerenv): the settings are those of the host",
        ),
        ("/.dockerenv", True, True, "/proc/sys is read-only here"),
        (None, True, False, "/proc/sys is read-only here: the settings"),
    ],
)
def test_why_not_here(container, read_only, force, words):
    reason = _sysctl_guards.why_not_here(container, read_only, force)
    assert reason is None if words is None else reason.startswith(words)


@pytest.mark.parametrize(
    "step, kept", [(Step(MODE, 1, 2), False), (Step(MODE, 0, 1), True), (Step(RATIO, 50, 80), True)]
)
def test_what_the_kubelet_would_not_leave_is_refused_where_it_runs(step, kept):
    _sysctl_guards.refuse_kubelet([step], lambda: False)
    if kept:
        _sysctl_guards.refuse_kubelet([step], lambda: True)
    else:
        with pytest.raises(InputError, match="vm.overcommit_memory=2: the kubelet on this host sets it to 1"):
            _sysctl_guards.refuse_kubelet([step], lambda: True)


def test_a_crash_kernel_is_seen(sysctl_tree):
    assert not sysctl_tree.host.crash_kernel()
    sysctl_tree.write("/sys/kernel/kexec_crash_loaded", "1\n")
    assert sysctl_tree.host.crash_kernel()


def test_what_matters_of_processes_and_cgroups(sysctl_tree, tmp_path):
    host, proc = sysctl_tree.host, sysctl_tree.proc
    proc.process(7, name="sshd", score=-1000)
    proc.process(8, name="redis", score=-500, exe="/usr/bin/redis-server")
    assert host.pinned() == ["process 8 (redis) at -500"]
    assert [host.runs(name) for name in ("sshd", "redis-server", "kubelet")] == [True, True, False]
    for folder, limit in (("", "max"), ("a", "4096"), ("b", "max")):
        (tmp_path / "cgroups" / folder).mkdir()
        (tmp_path / "cgroups" / folder / "memory.max").write_text(limit)
    (tmp_path / "cgroups/cgroup.controllers").write_text("memory\n")
    proc.write("self/mountinfo", f"32 24 0:28 / {tmp_path / 'cgroups'} rw - cgroup2 cgroup2 rw\n")
    assert host.limited_cgroups() == ["/a"]
