# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that make one report, in every order that logs have them in."""

import pytest
from kernel_lines import GROUP, HEADER, KILL, announcement, memcg_kill, summary

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.assembler import _STEPS
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Message
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events, read_events

REPORT = "ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report"

# Lines, and outcome and victims of each event.
STORIES = {
    "a kill without a report": ([KILL], [("kill", [7])]),
    "a report without a kill": ([HEADER], [("incomplete", [])]),
    "a report without a kill, then another report": ([HEADER, HEADER, KILL], [("incomplete", []), ("kill", [7])]),
    "a report without a kill, then a kill much later": (
        ["[1.0] " + HEADER, "[99.0] " + KILL],
        [("incomplete", []), ("kill", [7])],
    ),
    "a report of another process than the next kill": ([HEADER, summary(9), KILL], [("kill", [9]), ("kill", [7])]),
    "a group, each victim once": (
        [memcg_kill(1), GROUP, memcg_kill(2), memcg_kill(1)],
        [("group_kill", [1, 2])],
    ),
    "a group, then a kill, both without reports": (
        [memcg_kill(1), GROUP, memcg_kill(2), memcg_kill(1), memcg_kill(3)],
        [("group_kill", [1, 2]), ("kill", [3])],
    ),
    "a group, then a kill of another kind": ([memcg_kill(1), GROUP, KILL], [("group_kill", [1]), ("kill", [7])]),
    "a group, then a report": (
        [memcg_kill(1), GROUP, HEADER, KILL],
        [("group_kill", [1]), ("kill", [7])],
    ),
    "a group with a member that was already exiting": (
        [
            memcg_kill(1),
            GROUP,
            "Memory cgroup out of memory: OOM victim 2 (x) is already exiting. Skip killing the task",
        ],
        [("group_kill", [1])],
    ),
    "a group, then a kill too late for it": (
        ["[1.0] " + memcg_kill(1), "[1.0] " + GROUP, "[9.0] " + memcg_kill(2)],
        [("group_kill", [1]), ("kill", [2])],
    ),
    "the line of a group alone": ([GROUP], []),
    "nothing killable, then a panic": (
        [
            HEADER,
            "Out of memory and no killable processes...",
            "Kernel panic - not syncing: System is deadlocked on memory",
        ],
        [("panic", [])],
    ),
    "nothing killable, again and again": (
        ["Out of memory and no killable processes..."] * 2,
        [("no_killable", [])] * 2,
    ),
    "nothing killable, then a kill": (
        ["Out of memory and no killable processes...", KILL],
        [("no_killable", []), ("kill", [7])],
    ),
    "a panic alone": (["Kernel panic - not syncing: System is deadlocked on memory"], [("panic", [])]),
    "announced twice": (
        ["Out of memory: Kill process 5 (y) score 9 or sacrifice child"] * 2,
        [("incomplete", []), ("incomplete", [])],
    ),
    "two reports at once, kills in reverse order": (
        [summary(7), summary(8), memcg_kill(8), memcg_kill(7)],
        [("kill", [7]), ("kill", [8])],
    ),
    "two reports at once, kills in the same order": (
        [summary(7), summary(8), memcg_kill(7), memcg_kill(8)],
        [("kill", [7]), ("kill", [8])],
    ),
    "two reports at once, up to 5.0": (
        [HEADER, announcement(7), HEADER, announcement(8), memcg_kill(7), memcg_kill(8)],
        [("kill", [7]), ("kill", [8])],
    ),
    "two reports at once, where nothing links a header to a victim": (
        [HEADER, HEADER, announcement(7), announcement(8), memcg_kill(7), memcg_kill(8)],
        [("incomplete", []), ("kill", [7]), ("kill", [8])],
    ),
    "two reports at once, the first of a group": (
        [summary(7), summary(8), memcg_kill(7), GROUP, memcg_kill(9), memcg_kill(8)],
        [("group_kill", [7, 9]), ("kill", [8])],
    ),
    "two reports at once, the first kill too late": (
        [
            "[1.0] " + summary(7),
            "[2.0] " + summary(8),
            "[32.0] " + memcg_kill(8),
            "[32.0] " + memcg_kill(7),
        ],
        [("kill", [7]), ("kill", [8]), ("kill", [7])],
    ),
    "too many reports at once": (
        [announcement(pid) for pid in range(1, 12)] + [HEADER, memcg_kill(12), memcg_kill(1), memcg_kill(4)],
        [("incomplete", [])] * 3 + [("kill", [4])] + [("incomplete", [])] * 7 + [("kill", [12]), ("kill", [1])],
    ),
    "a report in which the group of the one before it is killed": (
        [
            HEADER,
            summary(8),
            HEADER,
            memcg_kill(8),
            GROUP,
            memcg_kill(9),
            summary(7),
            memcg_kill(7),
        ],
        [("group_kill", [8, 9]), ("kill", [7])],
    ),
    "nothing killable, after an announcement": (
        [announcement(7), "Out of memory and no killable processes...", memcg_kill(7)],
        [("no_killable", []), ("kill", [7])],
    ),
    "a header without a choice, then the kill of the report before": (
        [HEADER, summary(8), HEADER, memcg_kill(7), memcg_kill(8)],
        [("kill", [8]), ("kill", [7])],
    ),
    "the summary after the kill, as journalctl --reverse writes it": (
        [memcg_kill(7), summary(7)],
        [("kill", [7])],
    ),
    "the announcement after the kill": ([memcg_kill(7), announcement(7)], [("kill", [7])]),
    "two reports of one pid": ([announcement(7), memcg_kill(7)] * 2, [("kill", [7]), ("kill", [7])]),
    "a group without its first victim": (
        [GROUP, memcg_kill(1), memcg_kill(2)],
        [("group_kill", [1, 2])],
    ),
    "the summary of another process after the kill": ([memcg_kill(7), summary(8)], [("kill", [7]), ("kill", [8])]),
    "the summary of the same process, much later": (
        ["[1.0] " + memcg_kill(7), "[9.0] " + summary(7)],
        [("kill", [7]), ("kill", [7])],
    ),
    "a line end in a name": (
        ["Out of memory: Killed process 7 (two", "lines) total-vm:4kB, anon-rss:3kB, file-rss:2kB"],
        [("kill", [7])],
    ),
    "a name that never ends": (["Out of memory: Killed process 7 (two", "other words"], [("kill", [7])]),
    "a name that never ends, at the end": (["Out of memory: Killed process 7 (two"], [("kill", [7])]),
}


@pytest.mark.parametrize("lines, expected", STORIES.values(), ids=list(STORIES))
def test_lines_of_one_event(lines, expected):
    events = parse_events(parse_lines(lines))
    assert [(event["outcome"], [victim["pid"] for victim in event["victims"]]) for event in events] == expected


INDENTED = "Task in /a killed as a result of limit of /b"

# Some lines of a report have no uptime, such as those that dmesg indents. Some stamps have no date.
CLOCKS = {
    "CRI": (
        ["2026-11-23T04:43:46.1Z stdout F [ 100.0] " + HEADER, "2026-11-23T04:43:46.2Z stdout F   " + INDENTED],
        "2026-11-23T04:43:46.3Z stdout F [ 100.1] ",
    ),
    "RFC 5424": (
        [
            "<4>1 2026-11-23T04:43:46Z host kernel - - - [ 100.0] " + HEADER,
            "<4>1 2026-11-23T04:43:46Z host kernel - - - " + INDENTED,
        ],
        "<4>1 2026-11-23T04:43:46Z host kernel - - - [ 100.1] ",
    ),
    "syslog": (
        ["Nov 23 04:43:46 host kernel: [ 100.0] " + HEADER, "Nov 23 04:43:46 host kernel: " + INDENTED],
        "Nov 23 04:43:46 host kernel: [ 100.1] ",
    ),
    "midnight": (["Nov 23 23:59:59 host kernel: " + HEADER], "Nov 24 00:00:00 host kernel: "),
    "midnight, ISO": (["2026-11-23T23:59:59Z host kernel: " + HEADER], "2026-11-24T00:00:00Z host kernel: "),
    "uptime, then none": (["[ 100.0] " + HEADER], "Nov 24 00:00:00 host kernel: "),
}


@pytest.mark.parametrize("lines, prefix", CLOCKS.values(), ids=list(CLOCKS))
def test_report_with_any_clock(lines, prefix):
    assert [(event["outcome"], event["complete"]) for event in parse_events(parse_lines([*lines, prefix + KILL]))] == [
        ("kill", True)
    ]


@pytest.mark.parametrize(
    "first, then",
    [
        ("Nov 23 23:59:29 host kernel: ", "Nov 24 00:00:00 host kernel: "),
        ("Nov 23 04:43:46 host kernel: ", "Nov 23 04:44:17 host kernel: [ 100.0] "),
        (
            "Nov 23 04:43:46 host kernel: [ 10.0] ",
            "Nov 23 04:43:46 host kernel: [ 41.0] ",
        ),  # rsyslog stamped both when it started
    ],
)
def test_report_times_out(first, then):
    assert [event["outcome"] for event in parse_events(parse_lines([first + HEADER, then + KILL]))] == [
        "incomplete",
        "kill",
    ]


def test_group_over_midnight():
    kills = ["Nov 23 23:59:59 host kernel: " + line for line in (memcg_kill(1), GROUP)] + [
        "Nov 24 00:00:00 host kernel: " + memcg_kill(2)
    ]
    assert [event["outcome"] for event in parse_events(parse_lines(kills))] == ["group_kill"]


def test_two_reports_at_once():
    """Each event has its own log lines."""
    lines = [
        "[1.0] " + HEADER,
        "[1.0] " + summary(7),
        "[1.1] " + HEADER,
        "[1.1] " + summary(8),
        "[1.2] " + memcg_kill(7),
    ]
    end = read_events(parse_lines(lines), lambda _number, event: None)
    assert [(report.number, report.seconds) for report in end.unsettled] == [(2, 30.0), (0, 1.0)]
    assert [event["raw"] for event in parse_events(parse_lines(lines), raw=True)] == [lines[:2] + lines[4:], lines[2:4]]
    end = read_events(parse_lines(lines[:4]), lambda _number, event: None)
    assert [report.number for report in end.unsettled] == [2, 0]


@pytest.mark.parametrize(
    "lines, sysrq",
    [
        (["[10.0] sysrq: Manual OOM execution", "[10.1] "], True),
        (["[10.0] sysrq: Manual OOM execution", "[9000.0] "], False),
        (["[10.0] sysrq: Manual OOM execution", "[10.1] OOM request ignored. No task eligible", "[10.2] "], False),
        (["[10.0] sysrq: Manual OOM execution", "[10.1] OOM request", "[10.2] "], True),
        (
            [
                "kern  :info  : [10.0] sysrq: Manual OOM execution",
                "user  :info  : [10.1] OOM request ignored. No task eligible",
                "kern  :err   : [10.2] ",
            ],
            True,
        ),
        (["user  :info  : [10.0] sysrq: Manual OOM execution", "kern  :err   : [10.2] "], False),
    ],
)
def test_sysrq(lines, sysrq):
    """A kill right after the request is by sysrq."""
    [event] = parse_events(parse_lines([*lines[:-1], lines[-1] + KILL]))
    assert event["sysrq"] is sysrq


@pytest.mark.parametrize(
    "taint", ["Not tainted 4.18.0", "Kdump: loaded Not tainted 4.18.0", "Kdump: loaded Tainted: G OE 4.18.0"]
)
def test_trigger_with_crash_kernel(taint):
    [event] = parse_events(
        parse_lines([HEADER, "CPU: 0 PID: 8 Comm: y " + taint, "CPU: 0 PID: 9 Comm: x " + taint, KILL])
    )
    assert event["trigger"]["pid"] == 9


@pytest.mark.parametrize(
    "written, name",
    [
        ("kernel: x", "kernel: x"),
        ("kernel: x", "x"),
        ("kernel:x", "kernel:x"),
        ("kernel:", "kernel:"),
        ("kernel: ", "kernel: "),
    ],
)
@pytest.mark.parametrize(
    "stamp", ["", "[   12.345678] ", "[Tue Mar 11 10:16:36 2025] ", "kern  :warn  : [   12.345678] "]
)
def test_trigger_named_like_tag(written, name, stamp):
    """The next line shows whether a tag or a host is part of the trigger's name."""
    lines = [
        "a" + HEADER[1:],
        "CPU: 0 PID: 8 Comm: a Not tainted 6.1.0",
        written + HEADER[1:],
        f"CPU: 0 PID: 9 Comm: {name} Not tainted 6.1.0",
        KILL,
    ]
    lost, event = parse_events(parse_lines([stamp + line for line in lines]))
    assert (lost["outcome"], lost["trigger"]["pid"]) == ("incomplete", 8)
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == (name, 9)


def test_trigger_after_host():
    """A host without a tag, as in netconsole's lines that a syslog server stamped."""
    """As netconsole, stamped by a syslog server."""
    lines = [
        "Sep 13 15:31:25 escabot init" + HEADER[1:],
        "Sep 13 15:31:25 escabot Pid: 1, comm: init Not tainted 2.6.32",
        "Sep 13 15:31:25 escabot " + KILL,
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["trigger"]["name"], event["trigger"]["pid"], event["victims"][0]["pid"]) == ("init", 1, 7)


REST = [
    "Task in /a/b killed as a result of limit of /a",
    "memory: usage 8kB, limit 8kB, failcnt 3",
    "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
    "[    7]   500     7      1        1       3        2          -17 x",
    memcg_kill(7),
]


@pytest.mark.parametrize("lacks", range(5))
def test_report_without_beginning(lacks):
    """The rest of a report is kept: the kernel's buffer, or grep -A, may leave no more."""
    """As the kernel's buffer, or grep -A, leaves it."""
    [event] = parse_events(parse_lines(REST[lacks:]))
    victim, memcg = event["victims"][0], event["memcg"]
    assert memcg["path"] == (None if lacks > 0 else "/a")
    assert (memcg["usage_kb"], memcg["limit_kb"], memcg["failcnt"]) == ((None, None, None) if lacks > 1 else (8, 8, 3))
    assert (event["tasks_count"], event["complete"], event["trigger"]) == (None if lacks > 3 else 1, False, None)
    assert (victim["pid"], victim["uid"], victim["cgroup"]) == (
        7,
        None if lacks > 3 else 500,
        None if lacks > 0 else "/a/b",
    )


def test_rows_before_kill():
    """A search for a name leaves only the row and the kill."""
    lines = [
        REST[3],
        KILL,
        "[    9]   697     8      1        1       3        2          500 x",
        KILL.replace("7", "9"),
    ]
    events = parse_events(parse_lines(f"[{9 * number}.5] {line}" for number, line in enumerate(lines)))
    # The second kill names a thread, whose pid is in the row.
    assert [(event["tasks_count"], event["victims"][0]["uid"]) for event in events] == [(1, 500), (1, 697)]


def test_rest_waits_for_own_kill():
    """The rest of a report is not joined to a later kill, nor to one of another kind."""
    lines = ["[  100.0] " + line for line in REST[:2]] + [f"[  {second}.0] noise" for second in range(110, 160, 10)]
    for kill in ("[  160.0] " + memcg_kill(9), "[  101.0] " + KILL):
        [event] = parse_events(parse_lines([*lines, kill]), raw=True)
        assert (event["memcg"] or {}).get("path") is None
        assert event["raw"] == [kill]
    [event] = parse_events(parse_lines(["[  100.0] [12] 2026 11 23 job done", "[  101.0] " + KILL]))
    assert (event["monotonic"], event["tasks_count"]) == (101.0, None)


def test_middle_of_report():
    """The middle of a report alone is no event."""
    assert parse_events(parse_lines([*REST[:-1], "CPU: 0 PID: 9 Comm: x Not tainted 4.4"])) == []
    assert [event["outcome"] for event in parse_events(parse_lines([*REST[:-1], HEADER]))] == ["incomplete"]


def test_rows_after_kill():
    """Rows that follow a kill do not belong to the next one."""
    events = parse_events(parse_lines([HEADER, KILL, REST[3], memcg_kill(7)]))
    assert [(event["outcome"], event["tasks_count"]) for event in events] == [("kill", 0), ("kill", None)]


@pytest.mark.parametrize(
    "lines",
    [["Task in /a/b killed as a result of limit of /a"], ["Task in /a/b", " killed as a result of limit of /a"]],
    ids=["one line", "two"],
)
def test_limit_up_to_4_20(lines):
    """3.16 writes the two halves into two records."""
    [event] = parse_events(parse_lines([HEADER, *lines, memcg_kill(7)]))
    assert (event["constraint"], event["memcg"]["path"], event["victims"][0]["cgroup"]) == ("memcg", "/a", "/a/b")


def test_bounded_victims(monkeypatch):
    """The kills beyond the bound are counted, but not the second line of the chosen process."""
    monkeypatch.setattr(REPORT + ".MOST_VICTIMS", 2)
    skipped = "Memory cgroup out of memory: OOM victim {} (x) is already exiting. Skip killing the task"
    lines = [memcg_kill(1), GROUP, *(memcg_kill(pid) for pid in (2, 3, 1, 4)), *map(skipped.format, (5, 6, 7))]
    (event,) = parse_events(parse_lines([HEADER, *lines]))
    assert ([victim["pid"] for victim in event["victims"]], event["victims_count"]) == ([1, 2], 4)
    assert event["skipped_pids"] == [5, 6]


def test_bounded_memory(monkeypatch):
    monkeypatch.setattr(REPORT + ".MOST_TASKS", 2)
    monkeypatch.setattr(REPORT + ".MOST_RAW_LINES", 2)
    lines = [HEADER] + ["[    8]   500     7      100       50 x"] * 5 + [KILL]
    [event] = parse_events(parse_lines(lines), raw=True)
    assert (event["tasks_count"], len(event["raw"])) == (2, 2)


@pytest.mark.parametrize("most, outcome", [(4, "incomplete"), (3, "kill")])
def test_bounded_rows_of_reports_that_wait(monkeypatch, most, outcome):
    """Beyond the bound, the oldest report waits no longer: its kill goes to the open one."""
    monkeypatch.setattr(REPORT.replace(".report", ".assembler") + ".MOST_TASKS", most)
    row = "[    9]   500     9      100       50 y"
    lines = [HEADER, row, row, summary(7), HEADER, row, row, summary(8), HEADER, memcg_kill(7)]
    assert parse_events(parse_lines(lines))[-1]["outcome"] == outcome


def test_every_message_has_a_step():
    assert set(_STEPS) == set(Message.__args__)


def test_first_limit_counts():
    """A half counts with its other half, and a second limit does not change the first."""
    lines = [
        HEADER,
        "Task in /b/c Not tainted 4.4",  # the end of a line about a task that is named like half a limit
        "Task in /a/b",
        " killed as a result of limit of /a",
        "Task in /m/n killed as a result of limit of /m",
        memcg_kill(7),
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["memcg"]["path"], event["victims"][0]["cgroup"]) == ("/a", "/a/b")


def test_skipped_victim_before_the_kill():
    """A line about a victim that was skipped is no end of a report."""
    lines = [HEADER, "OOM victim 9 (y) is already exiting. Skip killing the task", KILL]
    [event] = parse_events(parse_lines(lines))
    assert (event["skipped_pids"], [victim["pid"] for victim in event["victims"]]) == ([], [7])


@pytest.mark.parametrize("priority", [6, 12])
def test_header_in_a_path(priority):
    """The kernel's own record begins with the name of the task, and no path can look like it."""
    path = "/a invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0"
    lines = [
        f"{priority},1,1,-;cgroup: fork rejected by pids controller in {path}",
        f"3,2,2,-;{HEADER}",
        f"3,3,3,-;{KILL}",
    ]
    assert len(parse_events(parse_lines(lines))) == 1
