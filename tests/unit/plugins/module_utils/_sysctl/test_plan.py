# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run changes, and what the next boot sets: plans for a tree of files."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import values_at_boot
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    KEYS,
    MODE,
    RATIO,
    USER_RESERVE,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    FileChange,
    SysctlWrite,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
HEADER = "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\n"
RECORD = "/run/oomguard/overcommit.before"


def before(*lines):
    return "".join(f"# Before this file: {line}\n" for line in lines)


@pytest.fixture
def plan(sysctl_tree, overcommit_request):
    names = dict(admin_reserve=ADMIN_RESERVE, user_reserve=USER_RESERVE, ratio=RATIO, kbytes=KBYTES, mode=MODE)
    assert tuple(names.values()) == KEYS

    def make(persistent=True, file=FILE, **values):
        wanted = {key: values[name] for name, key in names.items() if name in values}
        return read_and_plan(sysctl_tree.host, overcommit_request(wanted, persistent=persistent, file=file))

    return make


# --- what is written ----------------------------------------------------------------


def test_write_only_what_differs(plan):
    made = plan(mode=2, ratio=50)
    assert made.writes == [SysctlWrite(MODE, 0, 2)]
    values = f"{RATIO} = 50\n{MODE} = 2\n"
    assert made.files == [
        FileChange(FILE, None, HEADER + values + before(f"{RATIO} = 50", f"{KBYTES} = 0", f"{MODE} = 0"))
    ]
    assert (made.changed, made.reboot_safe, made.warnings) == (True, True, [])


def test_second_run_changes_nothing(sysctl_tree, plan):
    sysctl_tree.set(**{MODE: 2, RATIO: 80})
    sysctl_tree.write(FILE, HEADER + "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n")
    made = plan(mode=2, ratio=80)
    assert (made.changed, made.writes, made.reboot_safe) == (False, [], True)


@pytest.mark.parametrize(
    "text, values, after",
    [
        (
            "vm.overcommit_memory = 2\n",
            dict(ratio=80),
            "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n" + before(f"{RATIO} = 50", f"{KBYTES} = 0"),
        ),
        (
            "vm.overcommit_kbytes = 900\nvm.overcommit_memory = 2\n",
            dict(ratio=80),
            "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n",
        ),
        ("vm.overcommit_ratio = 80\n", dict(kbytes=900), "vm.overcommit_kbytes = 900\n"),
        ("vm.overcommit_ratio = 80\nvm.swappiness = 1\n# note\n", dict(ratio=70), "vm.overcommit_ratio = 70\n"),
    ],
)
def test_file_keeps_only_our_values(sysctl_tree, plan, text, values, after):
    sysctl_tree.write(FILE, HEADER + text)
    [change] = plan(**values).files
    assert (change.before, change.after) == (HEADER + text, HEADER + after)


def test_not_persistent_keeps_file_and_warns(plan):
    made = plan(persistent=False, mode=1)
    assert ([change.path for change in made.files], made.reboot_safe) == ([RECORD], False)
    assert made.warnings == [
        "vm.overcommit_memory will not be 1 after the next boot: nothing sets it, so the kernel starts with 0;"
        " set persistent=true to keep it"
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
def test_undo_is_backwards_and_never_writes_zero_of_a_pair(sysctl_tree, plan, before, values, undo):
    sysctl_tree.set(**before)
    assert plan(**values).undo_writes() == undo


def test_refuse_sysctl_that_kernel_does_not_have(sysctl_tree, plan):
    os.unlink(str(sysctl_tree.root / "proc/sys/vm/user_reserve_kbytes"))
    assert plan(mode=2).before.live[USER_RESERVE] is None
    with pytest.raises(UnsupportedError, match=r"does not have vm\.user_reserve_kbytes"):
        plan(user_reserve=1)


def test_pair_without_its_other_half(sysctl_tree, plan):
    """vm.overcommit_kbytes came with Linux 3.14."""
    os.unlink(str(sysctl_tree.root / "proc/sys/vm/overcommit_kbytes"))
    made = plan(mode=2, ratio=80)
    assert made.after.live == dict(made.before.live, **{MODE: 2, RATIO: 80})
    assert made.after.live[KBYTES] is None
    assert (made.reboot_safe, made.warnings) == (True, [])


# --- our file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "file, words",
    [
        ("/etc/sysctl.conf", "would not be read at boot"),
        ("/etc/sysctl.d/x", "ends with .conf"),
        ("/etc/sysctl.d/.x.conf", "would not be read"),
        ("/run/sysctl.d/x.conf", "would not be read at boot; name a file in /etc/sysctl.d"),
        ("x.conf", "would not be read"),
        ("/etc/sysctl.d/../x.conf", "would not be read"),
        ("/etc/sysctl.d//x.conf", "would not be read"),
    ],
)
def test_refuse_file_that_no_boot_reads(plan, file, words):
    for persistent in (True, False):
        with pytest.raises(InputError) as error:
            plan(file=file, mode=1, persistent=persistent)
        assert words in str(error.value)


def test_refuse_file_of_another_program(sysctl_tree, plan):
    sysctl_tree.write(FILE, "vm.overcommit_memory = 1\n")
    with pytest.raises(InputError, match=r"was not written by oomguard.linux.overcommit"):
        plan(mode=2)
    sysctl_tree.write(FILE, "# Managed by oomguard.linux.oom_policy, which keeps nothing else that is written here.\n")
    with pytest.raises(InputError, match=r"was not written by oomguard.linux.overcommit"):
        plan(mode=2)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_refuse_name_that_no_file_can_have(plan, name):
    with pytest.raises(InputError, match="holds a character that no name on Linux can have: remove it"):
        plan(file=f"/etc/sysctl.d/{name}.conf", mode=1)


def test_our_file_need_not_be_utf_8(sysctl_tree, plan):
    (sysctl_tree.root / FILE[1:]).write_bytes(HEADER.encode() + b"vm.overcommit_ratio = 80 # h\xe9h\r\n")
    [change] = plan(mode=2).files
    assert change.after == HEADER + "vm.overcommit_ratio = 80\nvm.overcommit_memory = 2\n" + before(f"{MODE} = 0")


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
def test_which_line_wins_at_boot(sysctl_tree, plan, systemd, path, text, wins, safe):
    if not systemd:
        os.rmdir(str(sysctl_tree.root / "run/systemd/system"))
    sysctl_tree.write(path, text)
    made = plan(mode=2)
    assert str(made.after.boot[MODE].source) == wins
    assert made.reboot_safe is safe
    assert made.after.boot[MODE].value == (1 if path in wins and "= 2" not in text else 2)


@pytest.mark.parametrize(
    "path, words",
    [
        (
            "/etc/sysctl.d/99-x.conf",
            "vm.overcommit_memory will not be 2 after the next boot: /etc/sysctl.d/99-x.conf line 1 sets"
            " vm.overcommit_memory to 1; change /etc/sysctl.d/99-x.conf line 1, or set file to a name that sorts later",
        ),
        (
            "/run/sysctl.d/99-x.conf",
            "vm.overcommit_memory may not be 2 after the next boot: /run/sysctl.d/99-x.conf line 1 sets"
            " vm.overcommit_memory to 1, if something writes that file again; stop what writes it",
        ),
        (
            "/etc/sysctl.conf",
            "vm.overcommit_memory will be 2 after the next boot, but not after sysctl --system: /etc/sysctl.conf line 1"
            " sets vm.overcommit_memory to 1; remove that line",
        ),
    ],
)
def test_warn_with_file_and_line(sysctl_tree, plan, path, words):
    sysctl_tree.write(path, OTHER)
    assert plan(mode=2).warnings == [words]


def test_file_need_not_be_utf_8(sysctl_tree, plan):
    (sysctl_tree.root / "etc/sysctl.d/99-x.conf").write_bytes(b"vm.overcommit_memory = 1 # h\xe9h\n")
    assert "sets vm.overcommit_memory to 1;" in plan(mode=2).warnings[0]


@pytest.mark.parametrize("release, value", [("5.4.0-1-amd64", 0), ("5.8.1", 1), ("6.1.0", 1), ("10.0", 1)])
def test_command_line_counts_since_kernel_5_8(sysctl_tree, release, value):
    sysctl_tree.write("/proc/cmdline", "sysctl.vm.overcommit_memory=1\n")
    sources = Host(str(sysctl_tree.root), release).boot_sources()
    assert values_at_boot([MODE], sources)[MODE].value == value


def test_warn_about_related_keys(sysctl_tree, plan):
    sysctl_tree.set(**{RATIO: 80})
    made = plan(mode=2)
    assert not made.reboot_safe
    assert made.warnings == [
        "vm.overcommit_ratio will not be 80 after the next boot: nothing sets it, so the kernel starts with 50;"
        " set it in this task as well"
    ]


def test_link_to_sysctl_conf_counts(sysctl_tree, plan):
    """Debian 12 has this link."""
    sysctl_tree.write("/etc/sysctl.conf", OTHER)
    (sysctl_tree.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    made = plan(mode=2)
    assert str(made.after.boot[MODE].source) == "/etc/sysctl.d/99-sysctl.conf line 1"
    assert not made.reboot_safe


def test_warn_about_both_halves_of_a_pair(sysctl_tree, plan):
    sysctl_tree.write("/etc/sysctl.d/99-x.conf", "vm.overcommit_kbytes = 900\n")
    assert [warning.split(" after")[0] for warning in plan(ratio=80).warnings] == [
        "vm.overcommit_ratio will not be 80",
        "vm.overcommit_kbytes will not be 0",
    ]
