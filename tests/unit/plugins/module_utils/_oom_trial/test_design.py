# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, scores and runs of a trial, and what it refuses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import (
    Candidate,
    Scores,
    design_trial,
    find_least_limit_kb,
    refuse_rivals,
)

LIMIT_KB = 64 * 1024


def test_lower_the_decoy_with_the_capability():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True)
    assert (design.method, design.treatment, design.control) == ("lowered", Scores(-900, 0), Scores(0, 0))
    assert design.runs() == [("treatment", Scores(-900, 0), "hog"), ("control", Scores(0, 0), "decoy")]


def test_mirror_the_pair_without_the_capability():
    design = design_trial(-900, 0, LIMIT_KB, own_score=50, can_lower=False)
    assert (design.method, design.treatment, design.control) == ("mirrored", Scores(50, 950), Scores(50, 50))


def test_raise_the_decoy_without_the_capability():
    assert design_trial(100, 600, LIMIT_KB, own_score=0, can_lower=False).treatment == Scores(100, 600)


@pytest.mark.parametrize(
    "pinned, hog, limit_kb, own, error, words",
    [
        (0, 0, LIMIT_KB, 0, InputError, "at least 50 below"),
        (
            -900,
            0,
            8 * 1024 - 1,
            0,
            InputError,
            "memory_limit=8191K is too small for scores that differ by 900: set at least 8M",
        ),
        (-50, 0, 40 * 1024 - 1, 0, InputError, "too small for scores that differ by 50: set at least 40M"),
        (-1000, 0, LIMIT_KB, 0, UnsupportedError, "immunity"),
        (
            -900,
            500,
            LIMIT_KB,
            0,
            UnsupportedError,
            r"because 0 \+ 1400 would pass 1000: set pinned_score and hog_score at most 1000 apart",
        ),
        (-900, 0, LIMIT_KB, 200, UnsupportedError, r"because 200 \+ 900 would pass 1000: .* at most 800 apart"),
    ],
)
def test_refuse_what_no_trial_can_show(pinned, hog, limit_kb, own, error, words):
    with pytest.raises(error, match=words):
        design_trial(pinned, hog, limit_kb, own, can_lower=False)


@given(st.integers(-1000, 950), st.integers(50, 2000), st.integers(0, 1 << 30))
def test_sizes_let_the_pin_decide(pinned, difference, more_kb):
    """The decoy's badness (pages + score * limit / 1000) is higher only without the pin.

    Up to 1.1 MiB of the limit were seen to be the kernel's, and are lost to the hog.
    """
    hog_score = min(1000, pinned + difference)
    if hog_score - pinned < 50:
        return
    limit_kb = find_least_limit_kb(hog_score - pinned) + more_kb
    design = design_trial(pinned, hog_score, limit_kb, own_score=0, can_lower=True)
    forgiven = (hog_score - pinned) * limit_kb / 1000
    for lost_kb in (0, 1100):
        hog_at_the_limit = limit_kb - design.decoy_kb - lost_kb
        assert design.decoy_kb - hog_at_the_limit >= 500
        assert hog_at_the_limit - (design.decoy_kb - forgiven) >= 400
    assert limit_kb - design.decoy_kb < design.hog_kb < limit_kb


def test_the_host_needs_memory_for_two():
    with pytest.raises(
        InputError, match=r"^free memory and swap of the host, 4096 KiB, is too small .*: free at least 8 MiB"
    ):
        design_trial(-900, 0, 4096, own_score=0, can_lower=True, scope="host")


TOTAL_KB = 1000 * 1024


def test_host_scope_runs_only_the_treatment():
    design = design_trial(-900, 0, LIMIT_KB, own_score=0, can_lower=True, scope="host")
    assert design.runs() == [("treatment", Scores(-900, 0), "hog")]
    assert design.hog_kb == 2 * LIMIT_KB


RIVALS = {
    "no process": (0, [], None),
    "small daemons": (0, [("sshd", 0, 9000), ("cron", 0, 3000)], None),
    "a large one that is pinned": (0, [("mysqld", -500, 400 * 1024)], None),
    "a large one that is immune": (0, [("mysqld", -1000, 900 * 1024)], None),
    "a large one": (0, [("sshd", 0, 9000), ("mysqld", 0, 400 * 1024)], "process 1 (mysqld)"),
    "a large one, but the hog has a raised score": (1000, [("mysqld", 0, 400 * 1024)], None),
    "a small one with a raised score": (0, [("browser", 300, 9000)], "set hog_score higher than 0"),
    "as large as the hog": (
        0,
        [("twin", 0, 160 * 1024)],
        "its badness is 163840 KiB (score 0, 163840 KiB of memory), that of the hog 163840 KiB",
    ),
    "a little smaller, within the noise": (0, [("twin", 0, 120 * 1024)], "twin"),
}


@pytest.mark.parametrize("hog_score, processes, words", RIVALS.values(), ids=list(RIVALS))
def test_refuse_a_rival_of_the_hog(hog_score, processes, words):
    design = design_trial(-900, hog_score, 400 * 1024, own_score=0, can_lower=True, scope="host")
    candidates = [
        Candidate(Process(pid, name, 1, 1, False, 0), score, memory_kb)
        for pid, (name, score, memory_kb) in enumerate(processes)
    ]
    if words is None:
        refuse_rivals(design, candidates, TOTAL_KB)
    else:
        with pytest.raises(InputError, match=re.escape(words)):
            refuse_rivals(design, candidates, TOTAL_KB)
