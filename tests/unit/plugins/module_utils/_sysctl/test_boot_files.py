# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which line of which file sets a sysctl at boot."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    SYSCTL_CONF,
    Assignment,
    BootSources,
    BootValue,
    normalize_key,
    order_files,
    parse_assignments,
    parse_command_line,
    parse_value,
    resolve_assignments,
    values_at_boot,
)

OOM, PANIC = "vm.panic_on_oom", "kernel.panic"
RATIO, KBYTES, MODE = "vm.overcommit_ratio", "vm.overcommit_kbytes", "vm.overcommit_memory"


@pytest.mark.parametrize(
    "name, normal",
    [
        ("vm.panic_on_oom", OOM),
        ("vm/panic_on_oom", OOM),
        ("/vm/panic_on_oom", OOM),
        ("vm//panic_on_oom", OOM),
        (" vm.panic_on_oom ", OOM),
        ("net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net.ipv4.conf.eth0/1.forwarding"),
    ],
)
def test_normalize_key(name, normal):
    assert normalize_key(name) == normal


@pytest.mark.parametrize(
    "key, text, value",
    [
        (PANIC, "10", 10),
        (PANIC, " -1 \n", -1),
        (PANIC, "0x10", 16),
        (PANIC, "010", 8),
        (PANIC, "0", 0),
        (PANIC, "-0x10", -16),
        (PANIC, "0b1", None),
        (PANIC, "1_0", None),
        (PANIC, "08", None),
        (PANIC, "10 20", 10),
        (PANIC, "", None),
        (PANIC, "ten", None),
        (PANIC, None, None),
        (OOM, "2", 2),
        (OOM, "3", None),
        (MODE, "-1", None),
        (PANIC, "\u00b2", None),
        (PANIC, "1\u00b2", None),
        (PANIC, "\u0661", None),  # a digit in Arabic
        (PANIC, "5\x851", None),  # no blank of the kernel
        (PANIC, "5\v1", 5),
        (PANIC, "2147483647", 2147483647),
        (PANIC, "-2147483648", -2147483648),
        (PANIC, "2147483648", None),
        (KBYTES, "18446744073709551615", 18446744073709551615),
        (KBYTES, "18446744073709551616", None),
        (KBYTES, "-1", None),
        (KBYTES, "9" * 100000, None),
        (PANIC, "0x" + "f" * 100000, None),
        (PANIC, "0" * 20, 0),
        (PANIC, "0" * 21, None),
    ],
    ids=lambda value: str(value)[:25],
)
def test_parse_value(key, text, value):
    assert parse_value(key, text) == value


def read(text, path="f"):
    return [(one.key, one.value, one.line) for one in parse_assignments(text, path)]


@pytest.mark.parametrize(
    "text, found",
    [
        ("", []),
        ("# vm.panic_on_oom = 1\n; vm.panic_on_oom = 1\n\n", []),
        ("vm.panic_on_oom=1", [(OOM, "1", 1)]),
        ("\n  vm.panic_on_oom = 1  \n", [(OOM, "1", 2)]),
        ("-vm.panic_on_oom = 1", [(OOM, "1", 1)]),
        ("-vm.panic_on_oom", [(OOM, None, 1)]),
        ("vm.panic_on_oom", []),
        ("vm.panic_on_oom =", [(OOM, "", 1)]),
        ("vm.* = 1", [("vm.*", "1", 1)]),
        ("kernel.core_pattern = a=b", [("kernel.core_pattern", "a=b", 1)]),
        ("vm.panic_on_oom = 1 # why", [(OOM, "1 # why", 1)]),
        ("\u2028vm.panic_on_oom = 1\x1cvm.panic_on_oom = 2", [("\u2028" + OOM, "1\x1cvm.panic_on_oom = 2", 1)]),
        ("# page\x0cvm.panic_on_oom = 1\r\nvm.panic_on_oom = 2\r\n", [(OOM, "2", 2)]),
    ],
)
def test_parse_assignments(text, found):
    assert read(text) == found


@pytest.mark.parametrize(
    "text, found",
    [
        ("BOOT_IMAGE=/vmlinuz root=/dev/vda ro quiet\n", []),
        ("panic=30", [(PANIC, "30")]),
        ("oops=panic", [("kernel.panic_on_oops", "1")]),
        ("oops=", []),
        ("sysctl.vm.panic_on_oom=1", [(OOM, "1")]),
        ("sysctl/vm/panic_on_oom=1", [(OOM, "1")]),
        ("sysctl.kernel.panic=5 panic=30", [(PANIC, "30"), (PANIC, "5")]),
        ("panic", []),
    ],
)
def test_parse_command_line(text, found):
    assert [(one.key, one.value) for one in parse_command_line(text)] == found
    assert all(str(one) == COMMAND_LINE for one in parse_command_line(text))


@pytest.mark.parametrize(
    "paths, order",
    [
        (
            ["/etc/sysctl.d/60-a.conf", "/usr/lib/sysctl.d/50-b.conf"],
            ["/usr/lib/sysctl.d/50-b.conf", "/etc/sysctl.d/60-a.conf"],
        ),
        (
            ["/usr/lib/sysctl.d/99-a.conf", "/etc/sysctl.d/60-b.conf"],
            ["/etc/sysctl.d/60-b.conf", "/usr/lib/sysctl.d/99-a.conf"],
        ),
        (["/lib/sysctl.d/a.conf", "/usr/lib/sysctl.d/a.conf", "/run/sysctl.d/a.conf"], ["/run/sysctl.d/a.conf"]),
        (["/run/sysctl.d/a.conf", "/etc/sysctl.d/a.conf"], ["/etc/sysctl.d/a.conf"]),
        (["/usr/lib/sysctl.d/a.conf", "/usr/local/lib/sysctl.d/a.conf"], ["/usr/local/lib/sysctl.d/a.conf"]),
    ],
)
def test_order_files(paths, order):
    assert order_files(paths) == order


def boot(text, first="", keys=(OOM, PANIC, RATIO, KBYTES, MODE)):
    found = resolve_assignments(keys, parse_command_line(first), parse_assignments(text, "f"))
    return {key: (value, source and source.line) for key, (value, source) in found.items() if source}


@pytest.mark.parametrize(
    "text, first, found",
    [
        ("", "", {}),
        ("vm.panic_on_oom = 1\nvm.panic_on_oom = 2", "", {OOM: (2, 2)}),
        ("vm.panic_on_oom = 1\nvm.panic_on_oom = 1", "", {OOM: (1, 2)}),
        ("vm.panic_on_oom = 2", "sysctl.vm.panic_on_oom=1", {OOM: (2, 1)}),
        ("", "sysctl.vm.panic_on_oom=1 panic=5", {OOM: (1, 1), PANIC: (5, 1)}),
        # the kernel refuses the last line and keeps its value: the line before is not applied
        ("vm.panic_on_oom = 1\nvm.panic_on_oom = 7", "", {OOM: (0, 2)}),
        ("\nvm.panic_on_oom = 7", "sysctl.vm.panic_on_oom=1", {OOM: (1, 2)}),
        # patterns
        ("vm.panic* = 1", "", {OOM: (1, 1)}),
        ("*.panic = 9", "", {PANIC: (9, 1)}),
        ("vm.panic_on_oom = 2\nvm.panic* = 1", "", {OOM: (2, 1)}),
        ("-vm.panic_on_oom\nvm.panic* = 1", "", {OOM: (0, 1)}),
        ("vm.panic_on_oom = 2\n-vm.panic_on_oom", "", {OOM: (0, 2)}),
        ("* = 1", "", {}),
        ("vm.* = 1", "", {OOM: (1, 1), MODE: (1, 1), KBYTES: (0, 1), RATIO: (1, 1)}),
        # a wildcard does not cross a dot
        ("v*.panic_on_oom = 1", "", {OOM: (1, 1)}),
        # a write to one zeroes the other, so the last one stays
        ("vm.overcommit_ratio = 80", "", {RATIO: (80, 1), KBYTES: (0, 1)}),
        ("vm.overcommit_ratio = 80\nvm.overcommit_kbytes = 9", "", {RATIO: (0, 2), KBYTES: (9, 2)}),
        ("vm.overcommit_kbytes = 9\nvm.overcommit_ratio = 80", "", {RATIO: (80, 2), KBYTES: (0, 2)}),
        ("vm.overcommit_ratio = 80\nvm.overcommit_kbytes = 0", "", {RATIO: (0, 2), KBYTES: (0, 2)}),
        ("vm.overcommit_kb* = 0", "", {RATIO: (0, 1), KBYTES: (0, 1)}),
        # the same value again does not move to the end
        (
            "vm.overcommit_ratio = 80\nvm.overcommit_kbytes = 9\nvm.overcommit_ratio = 80",
            "",
            {RATIO: (0, 2), KBYTES: (9, 2)},
        ),
        (
            "vm.overcommit_ratio = 70\nvm.overcommit_kbytes = 9\nvm.overcommit_ratio = 80",
            "",
            {RATIO: (80, 3), KBYTES: (0, 3)},
        ),
        ("net.ipv4.ip_forward = 1", "", {}),
    ],
)
def test_resolve_assignments(text, first, found):
    assert boot(text, first) == found


def test_kernel_default_where_nothing_sets_it():
    found = resolve_assignments([RATIO, "vm.admin_reserve_kbytes"], [], [])
    assert found[RATIO] == (50, None)
    assert found["vm.admin_reserve_kbytes"] == (None, None)


def test_other_half_of_a_pair_counts_without_its_key():
    assert boot("vm.overcommit_kbytes = 9", keys=[RATIO]) == {RATIO: (0, 1)}


def test_exclusion_withdraws_nothing_with_procps():
    text = "vm.panic_on_oom = 2\n-vm.panic_on_oom\nvm.panic* = 1"
    assert resolve_assignments([OOM], [], parse_assignments(text, "f"), procps=True)[OOM].value == 2


def test_command_line_before_kernel_5_8():
    assert [one.key for one in parse_command_line("panic=5 sysctl.vm.panic_on_oom=1", sysctls=False)] == [PANIC]


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "nothing sets it, so the kernel starts with 0"),
        ("vm.panic_on_oom = 2 # why", "f line 1 sets vm.panic_on_oom to 2"),
        ("vm.panic_on_oom = 7", "f line 1 sets it to 7, which the kernel refuses, so it stays 0"),
        ("vm.panic_on_oom =", "f line 1 sets it to an empty value, which the kernel refuses, so it stays 0"),
        ("-vm.panic_on_oom", "f line 1 excludes it, so the kernel starts with 0"),
    ],
)
def test_boot_value_as_text(text, words):
    assert str(resolve_assignments([OOM], [], parse_assignments(text, "f"))[OOM]) == words


def test_assignment_names_file_and_line():
    assert str(Assignment(RATIO, "80", "/etc/sysctl.d/x.conf", 2)) == "/etc/sysctl.d/x.conf line 2"


SOURCES = BootSources({"/etc/sysctl.d/50-a.conf": "vm.panic_on_oom = 1", SYSCTL_CONF: ""}, "", "6.1.0", True)


@pytest.mark.parametrize(
    "path, systemd, options, value",
    [
        (None, True, {}, 1),
        ("/etc/sysctl.d/60-b.conf", True, {}, 2),
        ("/etc/sysctl.d/.60-b.conf", True, {}, 1),
        ("/etc/sysctl.d/.60-b.conf", False, {}, 1),
        ("/run/sysctl.d/60-b.conf", True, {}, 1),
        ("/run/sysctl.d/60-b.conf", True, dict(volatile=True), 2),
        (SYSCTL_CONF, True, {}, 1),
        (SYSCTL_CONF, True, dict(procps=True), 2),
        (SYSCTL_CONF, False, {}, 2),
    ],
)
def test_values_at_boot(path, systemd, options, value):
    sources = SOURCES._replace(systemd=systemd).with_file(path, path and "vm.panic_on_oom = 2")
    assert values_at_boot([OOM], sources, **options)[OOM].value == value


def test_many_stars_are_one():
    """The pattern would take years. A file in sysctl.d may be a link to another user's."""
    line = Assignment("vm." + "*" * 5000 + "x", "1", "f", 1)
    assert resolve_assignments([MODE], [], [line])[MODE] == BootValue(0, None)
    line = Assignment("vm.overcommit_" + "*" * 5000, "1", "f", 1)
    assert resolve_assignments([MODE], [], [line])[MODE] == BootValue(1, line)


def test_words_of_a_file_are_cut():
    value = BootValue(None, Assignment(MODE, "\x1b" + "x" * 5000, "/etc/sysctl.d/a\n.conf", 1))
    assert str(value) == (
        f"/etc/sysctl.d/a\\x0a.conf line 1 sets it to \\x1b{'x' * 59}..., which the kernel refuses,"
        " so it stays its own default"
    )
    value = BootValue(1, Assignment("vm." + "?" * 5000, "1", "f", 1))
    assert str(value) == f"f line 1 sets vm.{'?' * 57}... to 1"


def test_text_for_another_sysctl_changes_nothing():
    line = Assignment("kernel.core_pattern", "core", "f", 1)
    assert resolve_assignments([MODE], [], [line]) == {MODE: BootValue(0, None)}
