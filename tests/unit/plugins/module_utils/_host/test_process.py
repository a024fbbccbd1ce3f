# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes and threads, read from the text of their stat files."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import (
    Killable,
    Process,
    Thread,
    parse_process,
    parse_thread,
)

FIELDS = b"S 3 1 1 0 -1 %d 0 0 0 0 11 22 0 0 20 0 1 0 4242 0 5 18446744073709551615"

NAMES = {
    "plain": (b"sshd", "sshd"),
    "blanks and brackets": (b"a) (b", "a) (b"),
    "looks like the fields that follow": (b"x) S 1 2", "x) S 1 2"),
    "not UTF-8": (b"caf\xe9", "caf\\xe9"),
    "a line feed": (b"two\nlines", "two\\x0alines"),
}


@pytest.mark.parametrize(("raw", "name"), NAMES.values(), ids=list(NAMES))
def test_names(raw, name):
    stat = b"7 (" + raw + b") " + FIELDS % 0
    assert parse_process(stat, 4) == Process(7, name, 4242, 3, False, 20)
    assert str(parse_process(stat, 4)) == f"process 7 ({name})"


def test_kernel_thread():
    assert parse_process(b"2 (kthreadd) " + FIELDS % 0x00208040, 4).kernel_thread


def test_thread():
    assert parse_thread(b"8 (a b) " + FIELDS % 0) == Thread(8, "S", 33)


@pytest.mark.parametrize("killable_kb, immune_kb, percent", [(0, 0, 100), (2, 1, 66), (0, 5, 0), (5, 0, 100)])
def test_killable_percent(killable_kb, immune_kb, percent):
    assert Killable(killable_kb, immune_kb).percent == percent
