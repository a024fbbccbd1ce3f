# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages in the string literals of sources, and strings that stay apart."""

import pprint
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.literals import join_literals
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

HEADER = "delta invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-5"
TRIGGER = "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/q,task_memcg=/q/r"
    ",task=delta,pid=6311,uid=33"
)
KILL = "Memory cgroup out of memory: Killed process 6311 (delta) total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB"


def describe(lines):
    return [
        (
            event["outcome"],
            event["trigger"] and event["trigger"]["name"],
            event["memcg"] and event["memcg"]["path"],
            [(one["pid"], one["name"], one["anon_rss_kb"]) for one in event["victims"]],
        )
        for event in parse_events(parse_lines(lines))
    ]


def split(text, width):
    return [text[start : start + width] for start in range(0, len(text), width)]


WHOLE = [("kill", "delta", "/q", [(6311, "delta", 40960)])]


@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] "])
@pytest.mark.parametrize("width", [45, 60, 75, 100])
@pytest.mark.parametrize(
    "before, between, behind",
    [("    ", "", ""), ("", " +", ""), ("    f", "", ""), ("", " \\", ""), ("", " .", ";")],
    ids=["C", "JavaScript", "Python", "a macro", "PHP"],
)
@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_literals_on_several_lines(quote, before, between, behind, width, stamp):
    lines = []
    for text in (HEADER, SUMMARY, KILL):
        *parts, last = split(stamp + text + "\\n", width)
        lines += [before + quote + part + quote + between for part in parts] + [before + quote + last + quote + behind]
    assert describe(lines) == WHOLE


@pytest.mark.parametrize("joint", ['" "', '" + "', '" . "', '"   "', '" f"'])
def test_literals_on_one_line(joint):
    lines = ['printk("' + joint.join(split(text, 50)) + '\\n");' for text in (HEADER, SUMMARY, KILL)]
    assert describe(lines) == WHOLE


def test_a_kill_without_sizes():
    assert describe(['"Out of memory: " "Killed process 6311 (delta)"'])[0][3] == [(6311, "delta", None)]
    assert describe(['"Out of memory: "', '"Killed process 6311 (delta)\\n"'])[0][3] == [(6311, "delta", None)]


def test_strings_that_are_whole_stay_apart():
    other = KILL.replace("6311", "6312")
    lines = [f'"{text}"' for text in (HEADER, SUMMARY, KILL, other)]
    assert [[pid for pid, _name, _rss in victims] for *_event, victims in describe(lines)] == [[6311], [6312]]
    assert describe([line + "," for line in lines]) == describe(lines)


@pytest.mark.parametrize(
    "lines",
    [
        ['"Out of memory: "', '"hello"', "x"],
        ['"Out of memory: "', "'Killed process 7 (x)'"],
        ['"Out of memory: "'] * 40,
        ['pr_err("Out of memory: "', '"Killed process %d (%s)\\n", pid, name);'],
    ],
    ids=["another text", "another quote", "too many", "a format"],
)
def test_what_is_no_message_stays_as_it_is(lines):
    records = [Record(line, raw=line, bare=True) for line in lines]
    assert list(join_literals(records)) == records


def measure(line):
    records = [Record(line, raw=line, bare=True)] * 100
    begun = time.process_time()
    list(join_literals(records))
    return time.process_time() - begun


@pytest.mark.parametrize("part", [" ", '"', '" ', '" "', "\\n", '" + ', ";"])
def test_twice_the_length_takes_twice_the_time(part):
    once = min(measure('"a"' + part * (2000 // len(part)) + "x") for _turn in range(3))
    assert min(measure('"a"' + part * (4000 // len(part)) + "x") for _turn in range(3)) < 3 * once + 0.05


def test_lines_with_a_stamp_are_no_literals():
    """A task may be named like a quote."""
    records = [Record('"Out of memory: "', 7.0), Record('"Killed process 7 (x)\\n"', 7.0)]
    assert list(join_literals(records)) == records


@pytest.mark.parametrize("width", [30, 45, 60, 75])
@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] "])
def test_list_of_strings(stamp, width):
    """As pprint writes a list: a comma ends each string, and its literals are broken at blanks."""
    lines = pprint.pformat([stamp + text for text in (HEADER, TRIGGER, SUMMARY, KILL)], width=width).split("\n")
    assert describe(lines) == WHOLE


def test_literal_before_invoked():
    lines = [
        '"delta "',
        '"invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-5\\n"',
        TRIGGER,
        SUMMARY,
        KILL,
    ]
    assert describe(lines) == WHOLE


def test_strings_of_a_list_stay_apart():
    lines = ["'Killed process 6311 (delta)'", "'words',", "'Killed process 6312 (delta)',", "'words',"]
    assert [victims[0][0] for _outcome, _trigger, _path, victims in describe(lines)] == [6311, 6312]
