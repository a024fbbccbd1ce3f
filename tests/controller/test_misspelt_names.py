# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find what was meant by a misspelt name."""

import time

import pytest

from ansible_collections.oomguard.linux.plugins.plugin_utils.misspelt_names import (
    LETTERS_FOR_A_TYPO,
    count_typos,
    find_nearest,
    suggest_name,
)


@pytest.mark.parametrize(
    "one, other, typos",
    [
        ("", "", 0),
        ("", "abc", 3),
        ("mode", "mode", 0),
        ("mode", "mod", 1),
        ("mod", "mode", 1),
        ("mode", "made", 1),
        ("mode", "mdoe", 1),
        ("mdoe", "mode", 1),
        ("profiles", "porfile", 2),
        ("abc", "xyz", 3),
    ],
)
def test_count_typos(one, other, typos):
    assert [count_typos(*pair, most=9) for pair in ((one, other), (other, one))] == [typos, typos]
    assert [count_typos(one, other, most) <= most for most in range(4)] == [typos <= most for most in range(4)]


def test_count_stops_beyond_the_allowed_typos():
    started = time.process_time()
    assert count_typos("x" * 10_000, "y" * 10_000, most=2) == 3
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "name, near",
    [
        ("containers", "containers"),
        ("contaners", "containers"),
        ("Containers", "containers"),
        ("databse", "database"),
        ("kubernetes", "kubernetes_node"),
        ("k", "kubernetes_node"),
        ("nodes", None),
        ("desktop", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_suggest_name(name, near):
    assert suggest_name(name, ["containers", "kubernetes_node", "database", "monitoring"]) == near


def test_typos_are_few():
    """One letter in seven may differ, and one in a short name."""
    known = ["oom_hosts", "oom_overcommit_mode"]
    assert find_nearest("oom_host", known, LETTERS_FOR_A_TYPO) == "oom_hosts"
    assert find_nearest("oom_hos", known, LETTERS_FOR_A_TYPO) is None
    assert find_nearest("oom_ovrcomit_mode", known, LETTERS_FOR_A_TYPO) == "oom_overcommit_mode"
    assert find_nearest("oom_ovrcomit_mod", known, LETTERS_FOR_A_TYPO) is None


def test_first_in_order_of_the_alphabet_wins_a_tie():
    assert suggest_name("bat", ["cat", "bar"]) == suggest_name("bat", ["bar", "cat"]) == "bar"
