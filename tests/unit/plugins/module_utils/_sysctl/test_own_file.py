# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a module's own files."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import parse_assignments
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import (
    HEADER_START,
    file_header,
    parse_originals,
    parse_own_values,
    parse_written,
    record_path,
    render_file,
    render_record,
)

RATIO, MODE = "vm.overcommit_ratio", "vm.overcommit_memory"
KEYS = (RATIO, MODE)


def test_file_and_back():
    text = render_file("overcommit", {RATIO: 80, MODE: 2}, {RATIO: 50, MODE: 0})
    assert text == (
        "# Managed by oomguard.linux.overcommit, which keeps nothing else that is written here.\n"
        "vm.overcommit_ratio = 80\n"
        "vm.overcommit_memory = 2\n"
        "# Before this file: vm.overcommit_ratio = 50\n"
        "# Before this file: vm.overcommit_memory = 0\n"
    )
    assert text.startswith(file_header("overcommit"))
    assert text.startswith(HEADER_START)
    assert parse_own_values(text, KEYS) == {RATIO: 80, MODE: 2}
    assert parse_originals(text, KEYS) == {RATIO: 50, MODE: 0}


def test_no_boot_applies_the_originals():
    text = render_file("overcommit", {MODE: 2}, {RATIO: 50, MODE: 0})
    assert [(found.key, found.value) for found in parse_assignments(text, "f")] == [(MODE, "2")]


@pytest.mark.parametrize(
    "text, values",
    [
        ("", {}),
        ("vm.overcommit_memory = 1\nvm.overcommit_memory = 2\n", {MODE: 2}),
        ("vm/overcommit_memory=1", {MODE: 1}),
        ("vm.overcommit_memory = 3\nvm.swappiness = 1\n", {}),
        ("vm.overcommit_memory\n", {}),
    ],
)
def test_own_values_are_known_ones_of_our_sysctls(text, values):
    assert parse_own_values(text, KEYS) == values


@pytest.mark.parametrize(
    "line, values",
    [
        ("# Before this file: vm.overcommit_memory = 1", {MODE: 1}),
        ("# Before this file: vm.overcommit_memory = 9", {}),  # the kernel would refuse it
        ("# Before this file: vm.overcommit_memory = -1", {}),
        ("# Before this file: vm.swappiness = 1", {}),
        ("# before this file: vm.overcommit_memory = 1", {}),
        (" # Before this file: vm.overcommit_memory = 1", {}),
        ("# Before this file: ", {}),
    ],
)
def test_originals_are_valid_values_of_our_sysctls(line, values):
    assert parse_originals(file_header("overcommit") + line + "\n", KEYS) == values


def test_record_and_back():
    text = render_record("overcommit", {RATIO: 50, MODE: 0}, {RATIO: 80})
    assert text.startswith("# Live values from before oomguard.linux.overcommit")
    assert text.endswith("vm.overcommit_memory = 0\n# Written: vm.overcommit_ratio = 80\n")
    assert parse_own_values(text, KEYS) == {RATIO: 50, MODE: 0}
    assert parse_written(text, KEYS) == {RATIO: 80}
    assert record_path("overcommit") == "/run/oomguard/overcommit.before"
