# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searching command lines in a limited time."""

import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import pattern
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pattern import Pattern

LONG = "-cp " + "x.jar:" * 5000

SEARCHES = {
    "anywhere": ("b+", "abc", True),
    "not": ("x", "abc", False),
    "behind a long line": ("Daemon$", LONG + "org.Daemon", True),
    "the beginning of a long line": ("^-cp", LONG, True),
    "no beginning inside of a long line": ("^x", LONG, False),
    "what stands before": ("(?<=:)x", LONG, True),
    "not in a long line": ("Daemon", LONG, False),
}


@pytest.mark.parametrize("value, line, found", SEARCHES.values(), ids=list(SEARCHES))
def test_search(value, line, found):
    assert Pattern(value).search(line) is found


SLOW = {
    "nested repeats": ("(a+)+$", "a" * 40 + "b"),
    "one repeat, from every position": (".*x", "a" * 131072),
    "three repeats": ("a*a*a*b", "a" * 4000),
}


@pytest.mark.parametrize("value, line", SLOW.values(), ids=list(SLOW))
def test_slow_search_ends(monkeypatch, value, line):
    monkeypatch.setattr(pattern, "SEARCH_SECONDS", 0.05)
    handler = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    assert Pattern(value).search(line) is None
    found, searched = Pattern(value).search_all([(1, "aab" if value.endswith("b") else "ax"), (2, line), (3, "x")])
    assert searched == 1 and found in ([1], [])
    assert time.monotonic() - started < 5
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_search_all():
    assert Pattern("a").search_all([(7, "a"), (8, "b"), (9, "ba")]) == ([7, 9], 3)


@pytest.mark.parametrize("value", ["a(b", "a{1,99999999999999999999}", "(" * 5000 + ")" * 5000])
def test_refuse_what_is_no_pattern(value):
    with pytest.raises(InputError, match="is not a regular expression"):
        Pattern(value)


def test_refuse_pattern_for_everything():
    with pytest.raises(InputError, match="matches every process"):
        Pattern("x*")
