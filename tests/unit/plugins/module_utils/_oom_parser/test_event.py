# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of an event, and the lines that they come from."""

import pytest
from kernel_lines import HEADER, KILL

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events, read_events


def test_complete_from_table():
    """The task table completes what the kill does not show."""
    lines = [
        HEADER,
        "CPU: 0 PID: 8 Comm: other Not tainted 4.4",
        "CPU: 0 PID: 9 Comm: x Not tainted 4.4",
        "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
        "[    8]   500     7      100       50       3        2          -17 x y",
        "[    6]     0",
        "oom_kill_process: 3 callbacks suppressed",
        "Out of memory: Kill process 7 (x y) score 9 or sacrifice child",
        "Killed process 7 (x y) total-vm:1600kB, anon-rss:3kB, file-rss:2kB",
    ]
    found = []
    end = read_events(parse_lines(lines), lambda _number, event: found.append(event), tasks=True, raw=True)
    assert end.suppressed == 3
    [event] = found
    assert event["raw"][0] == HEADER
    assert event["trigger"]["pid"] == 9
    victim = event["victims"][0]
    assert (victim["uid"], victim["oom_score_adj"], victim["score"]) == (500, -17, 9)
    assert event["tasks"] == [
        dict(pid=7, thread=8, uid=500, name="x y", oom_score_adj=-17, total_vm_kb=1600, rss_kb=800, swap_kb=32)
    ]


def test_unknown_page_size():
    lines = [HEADER, "[ pid ]   uid  tgid total_vm rss name", "[ 8] 500 8 100 50 x", "[ 9] 1 1", KILL]
    assert parse_events(parse_lines(lines), tasks=True)[0]["tasks"][0]["total_vm_kb"] is None


def test_page_size_of_cut_kill():
    """A kill that was cut before its sizes shows no page size (found by tests/fuzz)."""
    lines = [
        HEADER,
        "[ pid ]   uid  tgid total_vm oom_score_adj name",
        "[    7]     0     7      100             0 x",
        "Killed process 7 (x)",
    ]
    [event] = parse_events(parse_lines(lines), tasks=True)
    assert event["tasks"][0]["total_vm_kb"] is None


def test_threads_of_a_group():
    """5.10 prints threads without a row in the table (recorded: 1459 and 1470, 1468 and 1478)."""
    killed = "Memory cgroup out of memory: Killed process {} (filler) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, "
    killed += "shmem-rss:0kB, UID:0 pgtables:{}kB oom_score_adj:0"
    lines = [
        HEADER,
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[   1459]     0  1459    20881     4379   106496        0             0 filler",
        "[   1468]     0  1468     7598     3503    81920        0             0 filler",
        "[   1477]     0  1477    10964    10778   122880        0             0 filler",
        killed.format(1477, 43856, 42432, 680, 120),
        "Tasks in /g are going to be killed due to memory.oom.group set",
        killed.format(1459, 83524, 16836, 680, 104),
        killed.format(1468, 30392, 13460, 552, 80),
        killed.format(1477, 43856, 42432, 680, 120),
        killed.format(1470, 83524, 16916, 680, 104),
        killed.format(1478, 30392, 13464, 680, 80),
        killed.format(1500, 2504, 876, 880, 40),  # forked after the table was printed
    ]
    [event] = parse_events(parse_lines(lines))
    assert [victim["pid"] for victim in event["victims"]] == [1477, 1459, 1468, 1500]
    assert event["victims_count"] == 4
    without_table = [line for line in lines if not line.startswith("[")]
    [event] = parse_events(parse_lines(without_table))
    assert event["victims_count"] == 6


def test_table_without_header():
    assert parse_events(parse_lines([HEADER, "[    8]   500     7      100       50 x", KILL]))[0]["tasks_count"] == 1


def test_page_tables_in_bytes():
    """5.4 prints bytes as kB."""
    lines = [
        HEADER,
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[      7]     0     7        1        1         4096        0             0 x",
        KILL + ", shmem-rss:0kB, UID:0 pgtables:4096kB oom_score_adj:0",
    ]
    assert parse_events(parse_lines(lines))[0]["victims"][0]["pgtables_kb"] == 4


@pytest.mark.parametrize("value", ["--5", "\u00b2", "5-", "x"])
def test_odd_numbers(value):
    lines = [HEADER, "[ pid ]   uid  tgid total_vm oom_score_adj name", f"[    7]     0     7      100 {value} x", KILL]
    [event] = parse_events(parse_lines(lines))
    assert event["victims"][0]["oom_score_adj"] is None


def test_negative_uid_in_table():
    lines = [
        HEADER,
        "[ pid ]   uid  tgid total_vm oom_score_adj name",
        "[    7]    -2     7      100             0 x",
        KILL,
    ]
    [event] = parse_events(parse_lines(lines), tasks=True)
    assert (event["victims"][0]["uid"], [task["uid"] for task in event["tasks"]]) == (4294967294, [4294967294])


def test_openvz_rss():
    [event] = parse_events(
        parse_lines(["Out of memory in UB 3: OOM killed process 7 (x) score 5 vm:4kB, rss:3kB, swap:0kB"])
    )
    assert (event["victims"][0]["rss_kb"], event["victims"][0]["anon_rss_kb"]) == (3, None)


def test_memcg_without_victim():
    """Without a victim there is no summary; the constraint is memcg (seen in a guest with 6.12)."""
    lines = [HEADER, "memory: usage 24576kB, limit 24576kB, failcnt 19", "Memory cgroup stats for /provoked immune:"]
    [event] = parse_events(parse_lines([*lines, "Out of memory and no killable processes..."]))
    assert (event["outcome"], event["constraint"]) == ("no_killable", "memcg")
    assert event["memcg"] == {"path": "/provoked immune", "usage_kb": 24576, "limit_kb": 24576, "failcnt": 19}


def test_program_event():
    """The event of a program's kill has the keys of a kernel event."""
    lines = [
        "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:1kB",
        'sending SIGTERM to process 1 uid 0 "a": badness 3, VmRSS 2 MiB',
    ]
    [kernel, program] = parse_events(parse_lines(lines))
    assert set(kernel) == set(program)
    assert set(kernel["victims"][0]) == set(program["victims"][0])
    assert kernel["victims"][0]["rss_kb"] == 6
    assert kernel["id"] != program["id"]
