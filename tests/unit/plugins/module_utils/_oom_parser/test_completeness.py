# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole messages and parts of them; test_rejoin.py has the lines of logs."""

import pytest
from kernel_lines import HEADER, KILL, announcement, summary

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.completeness import (
    find_table_glue,
    has_possible_name,
    is_broken_message,
    is_broken_trigger_name,
    is_cut_before_name,
    is_cut_in_sizes,
    lacks_end_of_name,
    may_be_followed,
    may_begin_message,
    may_end_in_name,
    may_go_on_in_next_record,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import parse_message

SIZES = " total-vm:4kB, anon-rss:3kB, file-rss:2kB"


@pytest.mark.parametrize(
    "text, begins",
    [
        (HEADER, True),
        (KILL, True),
        ("Out of", True),
        ("Task in /a", True),
        ("x invoked oom", True),
        ("[ 7] ", True),
        ("oom_reaper: reaped process 7 (x)", True),
        ("killed as a result of limit of /a", True),
        ("anon-rss:3kB, file-rss:2kB", False),
        ("other words", False),
        ("", False),
    ],
)
def test_may_begin_message(text, begins):
    assert may_begin_message(text, parse_message(text)) is begins


@pytest.mark.parametrize(
    "text, rest, can_follow",
    [
        (KILL, "words", False),
        (KILL, ", shmem-rss:0kB", True),
        ("Killed process 7 (x)", "words", False),
        ("Killed process 7 (x)", "total-vm:4kB", True),
        ("Killed process 7 (x) total-vm:4kB, anon", "-rss:3kB", True),
        ("Killed process 7 (x", "y)", True),
        ("Memory cgroup stats for /a:", "anon 4096", False),
        (announcement(7), "words", True),
        ("other words", "words", True),
    ],
)
def test_may_be_followed(text, rest, can_follow):
    assert may_be_followed(text, parse_message(text), rest) is can_follow


@pytest.mark.parametrize(
    "text, lacks_end, is_possible",
    [
        (KILL, False, True),
        ("Killed process 7 (x", True, False),
        ("Killed process 7 (0123456789abcde", False, False),
        ("Killed process 7 (0123456789abcdef)" + SIZES, False, False),
        (summary(7), False, True),
        (summary(7).partition(",pid=")[0], True, False),
        (summary(7).partition(",task=")[0], False, False),
        ("oom-kill: no", False, False),
        ("Killed process", False, False),
        (HEADER, False, False),
    ],
)
def test_name(text, lacks_end, is_possible):
    assert (lacks_end_of_name(text), has_possible_name(text)) == (lacks_end, is_possible)


@pytest.mark.parametrize(
    "text, may_end",
    [
        (summary(7), True),
        (summary(7).replace("=x,", "=xyz,"), False),
        (summary(7).partition(",pid=")[0], False),
        ("oom-kill: no", False),
        ("Killed process 7 (x)", True),
        ("Killed process 7 (0123456789abcd)", False),
        ("Killed process 7 (x", False),
        (KILL, False),
        (HEADER, False),
    ],
)
def test_may_end_in_name(text, may_end):
    assert may_end_in_name(text) is may_end


@pytest.mark.parametrize(
    "text, rest, goes_on",
    [
        (summary(7), "/u", False),
        (summary(7), ",task=y,pid=8,uid=0", True),  # the cgroup's name ends like a summary
        (summary(7).partition(",task=")[0], ",task=x,pid=7,uid=0", True),
        (summary(7).partition("=x,")[0] + "=x", ",pid=7,uid=0", False),  # a line end in the name
        (summary(7).partition(",pid=")[0] + ",task_memcg=", "/u", True),
        ("Task in /a killed as a result of limit of ", "/b", True),
        ("Task in /a killed as a result of limit of /b", "/b", False),
        ("oom-kill: no", "", False),
        (KILL, "", False),
    ],
)
def test_may_go_on_in_next_record(text, rest, goes_on):
    assert may_go_on_in_next_record(text, rest) is goes_on


LIMIT = "Task in /a/b killed as a result of limit of /a"


@pytest.mark.parametrize(
    "first, rest, is_broken",
    [
        (summary(7).partition("/u")[0], "/u,task=x,pid=7,uid=0", True),
        (summary(7).partition("/u")[0], "other words", False),
        (summary(7).partition(",pid=")[0], ",pid=7,uid=0", False),  # a line end in the name looks the same
        (LIMIT[:20], LIMIT[20:], True),
        (LIMIT, "words", False),
        ("Task in /", "a", True),
        ("Killed process 7 (x) total-vm:4kB, anon-", "rss:3kB, file-rss:2kB", True),
        ("Killed process 7 (x)", SIZES, False),
        ("Killed process 7 (x) ", "total-vm:4kB, anon-rss:3kB", True),
        ("Killed process 7 (x) total-vm:4kB, anon-", "other words", False),
        ("Killed process 7 (x", ")" + SIZES, False),
        (KILL, "words", False),
        ("other", "words", False),
    ],
)
def test_broken_message(first, rest, is_broken):
    assert is_broken_message(first, rest) is is_broken


@pytest.mark.parametrize(
    "first, rest, is_broken",
    [
        ("fo", "o" + HEADER[1:], True),
        ("0123456789abcd", "o" + HEADER[1:], False),
        ("[ 7] 0 7 1 1 x", HEADER, False),
        ("CPU: 0 PID: 7 Comm: fo", "o Not tainted 6.1", True),
        ("CPU: 0 PID: 7 Comm: foo Not tainted 6.1", "words", False),
        ("CPU: 0 PID: 7 Comm: fo", "words", False),
        ("other", "words", False),
    ],
)
def test_broken_trigger_name(first, rest, is_broken):
    assert is_broken_trigger_name(first, parse_message(first), rest) is is_broken


@pytest.mark.parametrize(
    "first, rest, is_cut",
    [
        ("Out of mem", "ory: Killed process 7 (x)" + SIZES, True),
        ("Out of memory: Killed", " process 7 (x)" + SIZES, True),
        ("Killed process 70", "71 (x)" + SIZES, True),
        ("Killed process 7 (", "x)" + SIZES, False),  # a line end in the name looks the same
        ("Kill", "ed process 7 (x)" + SIZES, False),  # too short to be more than a word
        ("Killed process 7", "words (x)" + SIZES, False),
        ("words", KILL, False),
        ("Killed process 7", KILL, False),
    ],
)
def test_cut_before_name(first, rest, is_cut):
    assert is_cut_before_name(first, rest) is is_cut


@pytest.mark.parametrize(
    "first, rest, is_cut",
    [
        ("Killed process 7 (x)", SIZES, True),
        ("Killed process 7 (x) to", "tal-vm:4kB, anon-rss:3kB", True),
        ("Killed process 7 (x) total-vm:4", "4kB,", True),
        ("Killed process 7 (x) total-vm:4kB, anon-rss:3", "3kB, file-r", True),
        ("Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB, UI", "D:7 pgtables:4kB oom_score_adj:9", True),
        ("Killed process 7 (x) vsz:4", "4kB) total-vm:4kB, anon-rss:3kB", False),  # may be in the name
        ("Killed process 7 (x) total-vm:4", "words", False),
        ("Killed process 7 (x) total-vm:4", "12", False),
        ("Killed process 7 (x) total-vm:4kB, anon-rss:3kB, UID:7 pgtables:4kB oom_score_adj:9", "12", False),
        ("Killed process 7 (x) total-vm:4", "4kB," + 100 * " anon-rss:1kB", False),
        ("Killed process 7 (x", SIZES, False),
        ("words (x)", SIZES, False),
    ],
)
def test_cut_in_sizes(first, rest, is_cut):
    assert is_cut_in_sizes(first, rest) is is_cut


@pytest.mark.parametrize(
    "first, indent, rest, glue",
    [
        ("[  pid  ]   uid  tgid total", "", "_vm      rss name", ""),
        ("[  pid  ]   uid  tgid", " ", "total_vm      rss name", " "),
        ("[  pid  ]   uid  tgid", "", "total_vm      rss name", None),  # left to those that a mail broke
        ("[  pid  ]   uid  tgid total_vm rss name", "    ", "[ 7] 0 7 1 1 x", None),
        ("[   7]     0     7     12", "", "40      253 delta", ""),
        ("[   7]     0     7     1240  ", "   ", "253 delta", "   "),
        ("[   7]     0     7     1240", "", "253 delta", " "),
        ("[   ", "", "7]     0     7     1240      253 delta", ""),
        ("[   7]     0     7   ", "  ", "1240", "  "),
        ("[   7]     0     7", "", "0     1240      253", None),
        ("[   7]     0     7     1240      253 delta", "", "253 delta", None),
        ("[   7]     0     7     1240", "", "words of 300 letters" + 300 * " ", None),
        ("delta", "", "[   7]     0     7     1240      253 delta", None),
    ],
)
def test_table_glue(first, indent, rest, glue):
    assert find_table_glue(first, indent, rest, 5) == glue
    if "pid" not in first:
        assert find_table_glue(first, indent, rest, 0) is None
