# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit files as text: what they assign, and how our assignments are added and removed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import (
    CHECKS,
    HEADER,
    change_assignments,
    is_own,
    is_policy,
    is_score,
    list_commands,
    read_assignment,
    resolve_assignment,
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
    "a section that is opened twice": ("[Service]\nA=1\n[Unit]\nB=1\n[Service]\nOOMScoreAdjust=3\n", "3"),
    "no section": ("OOMScoreAdjust=1\n", None),
    "a continued line hides it": ("[Service]\nExecStart=/x \\\nOOMScoreAdjust=1\n", None),
    "a comment does not end a continued line": ("[Service]\nExecStart=/x \\\n# why\nOOMScoreAdjust=1\n", None),
    "continued itself": ("[Service]\nOOMScoreAdjust=\\\n  -7\n", "-7"),
    "continued at the end": ("[Service]\nOOMScoreAdjust=1\nExecStart=/x \\", "1"),
    "a longer key": ("[Service]\nOOMScoreAdjustX=1\n", None),
    "empty": ("", None),
    "line ends of DOS": ("[Service]\r\nOOMScoreAdjust=1\r\nOOMScoreAdjust=2\r\n", "2"),
    "a form feed ends no line": ("[Service]\n# x\x0cOOMScoreAdjust=1\n", None),
    "a separator of Unicode ends no line": ("[Service]\nA=1\u2028OOMScoreAdjust=1\n", None),
}


@pytest.mark.parametrize("text, value", ASSIGNED.values(), ids=list(ASSIGNED))
def test_read_last_assignment(text, value):
    assert read_assignment(text, "OOMScoreAdjust") == value


ONE, TWO, RESET, SILENT = [
    f"[Service]\n{line}\n" for line in ("OOMScoreAdjust=1", "OOMScoreAdjust=2", "OOMScoreAdjust=", "Nice=1")
]
JUNK = "[Service]\nOOMScoreAdjust=-100 # why\nOOMScoreAdjust=2000\nOOMScoreAdjust=high\n"

ORDERED = {
    "the last wins": ([ONE, TWO, SILENT], "2", 1),
    "whatever its value": ([TWO, ONE], "1", 1),
    "an empty value resets": ([ONE, RESET], None, 1),
    "until the next": ([ONE, RESET, TWO], "2", 2),
    "invalid values are ignored": ([ONE, JUNK], "1", 0),
    "nothing": ([SILENT], None, None),
}


@pytest.mark.parametrize("texts, value, winner", ORDERED.values(), ids=list(ORDERED))
def test_resolve_in_order(texts, value, winner):
    assert resolve_assignment(texts, "OOMScoreAdjust", is_score) == (value, winner)


def test_valid_scores_and_policies():
    scores = ("0", "-1000", "+7", "1001", "5 ", "", "0x1")
    assert [value for value in scores if is_score(value)] == ["0", "-1000", "+7"]
    policies = ("continue", "stop", "kill", "panic", "")
    assert [value for value in policies if is_policy(value)] == ["continue", "stop", "kill"]


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
    "a foreign line stays": (
        OURS + "Nice=5\n",
        {"OOMScoreAdjust": "7"},
        HEADER + "\n[Service]\nNice=5\nOOMScoreAdjust=7\n",
    ),
    "a foreign line keeps the file": (OURS + "Nice=5\n", NONE, "[Service]\nNice=5\n"),
    "a foreign comment keeps the file": (OURS + "# mine\n", NONE, "[Service]\n# mine\n"),
    "a foreign section keeps the file": (OURS + "[Unit]\nB=1\n", NONE, "[Unit]\nB=1\n"),
    "ours, in front of a foreign section": (
        OURS + "[Unit]\nB=1\n",
        {"OOMScoreAdjust": "7"},
        HEADER + "\n[Service]\nOOMScoreAdjust=7\n[Unit]\nB=1\n",
    ),
    "sections behind ours": (
        "[Service]\nA=1\n[Unit]\nB=1\n",
        SCORE,
        f"[Service]\nA=1\n{HEADER}\nOOMScoreAdjust=-500\n[Unit]\nB=1\n",
    ),
    "no section yet": ("# mine", SCORE, f"# mine\n{OURS}"),
    "another section only": ("[Unit]\nB=1", SCORE, f"[Unit]\nB=1\n{OURS}"),
}


@pytest.mark.parametrize("before, assignments, after", CHANGED.values(), ids=list(CHANGED))
def test_change_only_our_assignments(before, assignments, after):
    assert change_assignments(before, assignments) == after
    assert change_assignments(after, assignments) == after  # the second time nothing changes


FOREIGN = {
    "a section": "[Service]\nNice=5\n",
    "two sections": "# mine\n[Unit]\nB=1\n\n[Service]\nNice=5\n\n[Install]\nC=1\n",
    "no section": "# mine\n",
    "another section": "[Unit]\nB=1\n",
    "line ends of DOS": "[Service]\r\nNice=5\r\n",
}


@pytest.mark.parametrize("before", FOREIGN.values(), ids=list(FOREIGN))
def test_removal_restores_every_byte_of_a_foreign_file(before):
    pinned = change_assignments(before, BOTH)
    assert (is_own(before), is_own(pinned)) == (False, True)
    assert change_assignments(change_assignments(pinned, dict(BOTH, OOMScoreAdjust="7")), NONE) == before


OWN = {
    "ours": (OURS, True),
    "ours, with a line of a colleague": (OURS + "Nice=5\n", True),
    "quoted": (f"[Service]\nExecStart=/bin/echo {HEADER}\n", False),
    "of a colleague": ("[Service]\nOOMScoreAdjust=-500\n", False),
    "empty": ("", False),
}


@pytest.mark.parametrize("text, own", OWN.values(), ids=list(OWN))
def test_is_own(text, own):
    assert is_own(text) == own


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
def test_our_value_wins_and_foreign_lines_stay(lines, ends):
    before = "\n".join(lines) + ("\n" if ends and lines else "")
    while before.rstrip("\n").endswith("\\"):
        before = before.rstrip("\n")[:-1]  # a continued last line has no end to keep
    after = change_assignments(before, BOTH)
    assert read_assignment(after, "OOMScoreAdjust") == "-500"
    assert read_assignment(after, "OOMPolicy") == "continue"
    ours = ("OOMScoreAdjust", "OOMPolicy")
    foreign = [line for line in before.splitlines() if line.strip() and line.partition("=")[0].strip() not in ours]
    assert [line for line in foreign if line not in after.splitlines()] == []
    removed = change_assignments(after, NONE)
    assert removed is None or not any(read_assignment(removed, key) for key in ours)


COMMANDS = {
    "one": (["[Service]\nExecStart=/bin/a $B\n"], ["/bin/a $B"]),
    "two": (["[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n"], ["/bin/a", "/bin/b"]),
    "replaced": (
        ["[Service]\nExecStart=/bin/a\n", "[Service]\nExecStart=\nExecStart=/bin/b \\\n  c\n"],
        ["/bin/b  c"],
    ),
    "another section": (["[Unit]\nExecStart=/bin/a\n"], []),
    "none": ([], []),
}


@pytest.mark.parametrize("texts, commands", COMMANDS.values(), ids=list(COMMANDS))
def test_list_commands(texts, commands):
    assert list_commands(texts) == commands


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("ManagedOOMPreference", "omit", True),
        ("ManagedOOMPreference", "never", False),
        ("OOMPolicy", "stop", True),
        ("OOMScoreAdjust", "omit", False),
    ],
)
def test_values_that_systemd_accepts(key, value, expected):
    assert CHECKS[key](value) is expected
