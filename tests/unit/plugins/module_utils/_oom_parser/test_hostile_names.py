# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""True reports of all kernels, with names of tasks and cgroups that imitate other messages."""

import random

import pytest
from hostile_reports import FORMS, KERNELS, drop_hostile, drop_messages, find_wrong_values, make_report, mix, render
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events


def check(report, is_whole=True):
    for form in FORMS:
        lines = render(report, form)
        assert find_wrong_values(parse_events(parse_lines(lines)), report, form, is_whole) == [], (form, lines)


@settings(max_examples=150, derandomize=True)  # the fuzzer looks elsewhere
@given(st.randoms(use_true_random=False))
def test_read_a_value_right_or_not_at_all(choose):
    """The constraint, pid, uid, victim, and both cgroups are right or None, and it is one event."""
    check(make_report(choose))


@settings(max_examples=150, derandomize=True)  # the fuzzer looks elsewhere
@given(st.randoms(use_true_random=False))
def test_read_a_part_right_or_not_at_all(choose):
    check(drop_messages(make_report(choose), choose), is_whole=False)


@pytest.mark.parametrize("seed", range(60))
def test_read_these_right(seed):
    check(make_report(random.Random(seed)))


def test_all_kernels():
    made = {make_report(random.Random(seed)).kernel for seed in range(60)}
    assert made == set(KERNELS)


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_a_user_change_no_report(form):
    """Behind a prefix of any kind, and between any messages of a report."""
    choose = random.Random(7)
    for _turn in range(300):
        clean, mixed = mix(make_report(choose), form, choose)
        expected = drop_hostile(parse_events(parse_lines(clean)))
        assert drop_hostile(parse_events(parse_lines(mixed))) == expected, mixed
