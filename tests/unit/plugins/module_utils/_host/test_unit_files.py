# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files as text: what they assign, and how our assignments come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import (
    HEADER,
    assign,
    assigned,
    is_policy,
    is_score,
    last_assigned,
)

OURS = HEADER + "\n[Service]\nOOMScoreAdjust=-500\n"

ASSIGNED = {
    "plain": ("[Service]\nOOMScoreAdjust=-500\n", "-500"),
    "blanks around": ("[Service]\n  OOMScoreAdjust = -500  \n", "-500"),
    "no last line end": ("[Service]\nOOMScoreAdjust=-500", "-500"),
    "twice, the last wins": ("[Service]\nOOMScoreAdjust=1\nOOMScoreAdjust=2\n", "2"),
    "reset": ("[Service]\nOOMScoreAdjust=1\nOOMScoreAdjust=\n", ""),
    "a comment": ("[Service]\n#OOMScoreAdjust=1\n;OOMScoreAdjust=2\n", None),
    "another section": ("[Unit]\nOOMScoreAdjust=1\n[Install]\nOOMScoreAdjust=2\n", None),
    "a section that comes again": ("[Service]\nA=1\n[Unit]\nB=1\n[Service]\nOOMScoreAdjust=3\n", "3"),
    "no section": ("OOMScoreAdjust=1\n", None),
    "a continued line hides it": ("[Service]\nExecStart=/x \\\nOOMScoreAdjust=1\n", None),
    "a comment does not end a continued line": ("[Service]\nExecStart=/x \\\n# why\nOOMScoreAdjust=1\n", None),
    "continued itself": ("[Service]\nOOMScoreAdjust=\\\n  -7\n", "-7"),
    "continued at the end": ("[Service]\nOOMScoreAdjust=1\nExecStart=/x \\", "1"),
    "a longer key": ("[Service]\nOOMScoreAdjustX=1\n", None),
    "empty": ("", None),
}


@pytest.mark.parametrize("text, value", ASSIGNED.values(), ids=list(ASSIGNED))
def test_the_last_assignment_of_the_section_counts(text, value):
    assert assigned(text, "OOMScoreAdjust") == value


ONE, TWO, RESET, SILENT = [
    f"[Service]\n{line}\n" for line in ("OOMScoreAdjust=1", "OOMScoreAdjust=2", "OOMScoreAdjust=", "Nice=1")
]
JUNK = "[Service]\nOOMScoreAdjust=-100 # why\nOOMScoreAdjust=2000\nOOMScoreAdjust=high\n"

ORDERED = {
    "the last wins": ([ONE, TWO, SILENT], "2"),
    "whatever it is": ([TWO, ONE], "1"),
    "an empty value resets": ([ONE, RESET], None),
    "until the next": ([ONE, RESET, TWO], "2"),
    "what systemd ignores": ([ONE, JUNK], "1"),
    "nothing": ([SILENT], None),
}


@pytest.mark.parametrize("texts, value", ORDERED.values(), ids=list(ORDERED))
def test_files_are_read_in_their_order(texts, value):
    assert last_assigned(texts, "OOMScoreAdjust", is_score) == value


def test_what_systemd_takes_for_a_score_and_a_policy():
    assert [is_score(value) for value in ("0", "-1000", "+7", "1001", "5 ", "", "0x1")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert [is_policy(value) for value in ("continue", "stop", "kill", "panic", "")] == [True, True, True, False, False]


SCORE = {"OOMScoreAdjust": "-500"}
BOTH = {"OOMScoreAdjust": "-500", "OOMPolicy": "continue"}
NONE = {"OOMScoreAdjust": None, "OOMPolicy": None}

CHANGED = {
    "a new file": (None, SCORE, OURS),
    "both": (None, BOTH, OURS + "OOMPolicy=continue\n"),
    "nothing to assign": (None, NONE, None),
    "ours, the same": (OURS, SCORE, OURS),
    "ours, another value": (OURS.replace("-500", "3"), SCORE, OURS),
    "ours, one less": (OURS + "OOMPolicy=continue\n", dict(BOTH, OOMPolicy=None), OURS),
    "ours, gone": (OURS, NONE, None),
    "a line of somebody else stays": (
        OURS + "Nice=5\n",
        {"OOMScoreAdjust": "7"},
        HEADER + "\n[Service]\nNice=5\nOOMScoreAdjust=7\n",
    ),
    "and keeps the file": (OURS + "Nice=5\n", NONE, HEADER + "\n[Service]\nNice=5\n"),
    "a comment of somebody else as well": (OURS + "# mine\n", NONE, HEADER + "\n[Service]\n# mine\n"),
    "sections behind ours": (
        "[Service]\nA=1\n[Unit]\nB=1\n",
        SCORE,
        "[Service]\nA=1\nOOMScoreAdjust=-500\n[Unit]\nB=1\n",
    ),
    "no section yet": ("# mine", SCORE, "# mine\n[Service]\nOOMScoreAdjust=-500\n"),
    "another section only": ("[Unit]\nB=1", SCORE, "[Unit]\nB=1\n[Service]\nOOMScoreAdjust=-500\n"),
}


@pytest.mark.parametrize("before, wanted, after", CHANGED.values(), ids=list(CHANGED))
def test_only_our_assignments_come_and_go(before, wanted, after):
    assert assign(before, wanted) == after
    assert assign(after, wanted) == after  # the second time nothing changes


LINES = st.lists(
    st.sampled_from(
        [
            "[Service]",
            "[Unit]",
            "A=1",
            "OOMScoreAdjust=3",
            "OOMScoreAdjust=",
            "# c",
            "; d",
            "",
            "E=x \\",
            "junk",
            " OOMPolicy = kill",
        ]
    ),
    max_size=12,
)


@given(LINES, st.booleans())
def test_whatever_was_there_before_our_value_counts_and_the_rest_stays(lines, ends):
    before = "\n".join(lines) + ("\n" if ends and lines else "")
    while before.rstrip("\n").endswith("\\"):
        before = before.rstrip("\n")[:-1]  # a continued last line has no end that could be kept
    after = assign(before, BOTH)
    assert assigned(after, "OOMScoreAdjust") == "-500" and assigned(after, "OOMPolicy") == "continue"
    ours = ("OOMScoreAdjust", "OOMPolicy")
    foreign = [line for line in before.splitlines() if line.strip() and line.partition("=")[0].strip() not in ours]
    assert [line for line in foreign if line not in after.splitlines()] == []
    taken_back = assign(after, NONE)
    assert taken_back is None or not any(assigned(taken_back, key) for key in ours)
