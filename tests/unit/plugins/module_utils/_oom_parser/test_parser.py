# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole logs: recorded ones, boots, missing lines, and what imitates the kernel."""

import json
import os
import random
import re
import time

import corpus
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_lines import HEADER, KILL

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import formats
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import unwrap
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events, read_events

FIXTURES = os.path.join(os.path.dirname(__file__), "../../../fixtures/kernel_logs")
PUBLIC = os.environ.get("OOMGUARD_KERNEL_LOGS")


def cases_in(folder):
    return list(corpus.find_cases(folder))


@pytest.mark.parametrize(
    "scoring", [case[1] for case in cases_in(FIXTURES)], ids=[case[0] for case in cases_in(FIXTURES)]
)
def test_recorded_log(scoring):
    assert scoring().wrong == []


def test_public_logs():
    for name, scoring in cases_in(PUBLIC) if PUBLIC else []:
        assert (name, scoring().wrong) == (name, [])


@pytest.mark.parametrize(
    "line, counts",
    [
        ("[    1.000000] oom_kill_process: 2 callbacks suppressed", (2, 0)),
        ("Nov 23 04:43:46 host mallory: oom_kill_process: 2 callbacks suppressed", (0, 0)),
        ("12,1,1,-;oom_kill_process: 2 callbacks suppressed", (0, 0)),
        ("** 2 printk messages dropped **", (0, 2)),
        ("Nov 23 04:43:46 host kernel: printk: 2 messages suppressed.", (0, 2)),
        ("Nov 23 04:43:46 host systemd-journald[88]: Missed 2 kernel messages", (0, 2)),
        (
            "Nov 23 04:43:46 host rsyslogd: imklog: 2 messages lost due to rate-limiting"
            " (20000 allowed within 600 seconds)",
            (0, 2),
        ),
        ("Nov 23 04:43:46 host mallory[88]: Missed 2 kernel messages", (0, 0)),
        ("12,1,1,-;Missed 2 kernel messages", (0, 0)),
    ],
)
def test_count_missing(line, counts):
    """Only the kernel and the log daemons can know what a log lacks."""
    end = read_events(parse_lines([line]), lambda _number, _event: None)
    assert (end.suppressed, end.lost) == counts


def test_separate_boots():
    by_uptime = ["[500.0] " + KILL, "[0.0] Linux version 6.1", "[9.0] " + KILL]
    by_version = [KILL, "Linux version 6.1", KILL]
    for lines in (by_uptime, by_version):
        assert [event["boot_index"] for event in parse_events(parse_lines(lines))] == [-1, 0]


SYSLOG = "Nov 23 04:43:46 host "
SHORT_BOOT = ["[0.000000] Linux version 6.1.0", "[3.0] " + HEADER, "[3.1] " + KILL]

BOOTS = {
    "a boot shorter than lines are out of order": (SHORT_BOOT * 2, [-1, 0]),
    "lines out of order": (["[3.0] a", "[2.0] " + KILL], [0]),
    "the version after other lines": (["[0.000000] microcode: updated early", *SHORT_BOOT], [0]),
    "a name like the version": (
        ["[3.0] " + KILL, "[3.1] ", "[    0.100000] Linux version  invoked oom-killer: gfp_mask=0x0", "[3.2] " + KILL],
        [0, 0],
    ),
    "an uptime that a program made up": (
        [
            SYSLOG + "kernel: [10.0] " + KILL,
            SYSLOG + "mallory: [99999.0] a",
            SYSLOG + "mallory: [0.0] Linux version 6.1.0",
            SYSLOG + "kernel: [12.0] " + KILL,
        ],
        [0, 0],
    ),
}


@pytest.mark.parametrize("lines, boots", BOOTS.values(), ids=list(BOOTS))
def test_new_boot(lines, boots):
    assert [event["boot_index"] for event in parse_events(parse_lines(lines)) if event["victims"]] == boots


def test_new_boot_by_id():
    """The boot id decides, whatever the uptimes are; a line without an id is of the same boot."""
    boots = ["a", None, "b", "b"]
    records = [Record(KILL, 100.0 - number, boot=boot, trusted=True) for number, boot in enumerate(boots)]
    events = parse_events(records)
    assert [(event["boot_id"], event["boot_index"]) for event in events] == [
        ("a", -1),
        (None, -1),
        ("b", 0),
        ("b", 0),
    ]


def test_name_like_new_boot():
    """A line end and "Linux version " are 15 bytes, which any user can give a task as its name."""
    lines = ["[  100.000001] ", "Linux version  invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0"]
    lines += [
        "[  100.000017] Memory cgroup out of memory: Killed process 500 (",
        "Linux version ) total-vm:40000kB, anon-rss:24000kB, file-rss:2kB",
    ]
    assert [
        (event["boot_index"], [victim["pid"] for victim in event["victims"]])
        for event in parse_events(parse_lines(lines))
    ] == [(0, [500])]


def test_separate_writers():
    """The lines of a program are never part of a report by the kernel."""
    lines = ["4,1,1,-;" + HEADER, "12,2,2,-;" + KILL.replace("7", "1"), "6,3,3,-;" + KILL]
    events = parse_events(parse_lines(lines))
    assert [(event["trusted"], event["victims"][0]["pid"], event["trigger"] is None) for event in events] == [
        (True, 7, False),
        (False, 1, True),
    ]


KERNEL_PREFIXES = [
    "[   12.345678] ",
    "[   12.345678] host kernel: ",
    "1795409025.649722 host kernel: ",
    "Aug 12 10:16:36 host kern.err kernel: [   12.345678] ",
    "Mon Aug 12 10:16:36 2024 kern.err kernel: [   12.345678] ",
    "11\u6708 23 04:43:46 host kernel: ",
    "[\u4e00 3\u6708 11 10:16:36 2025] ",
    "Aug 12 10:16:36 2001:db8::7 kernel: ",
    "Aug 12 10:16:36 host kernel:[   12.345678] ",
    "kernel: [   12.345678] ",
    "[   12.345678 <    0.000012>] ",
    "[  +0.000012] ",
    "kernel: ",
    "[   12.345678] kernel: ",
    "Mon 2026-11-23 04:43:46 CET host kernel: ",
    "Nov 23 04:43:46.649722 sonic ERR kernel: ",
    "10.1.1.2: kern:     err: [2026-11-23T04:43:46.649722566Z]: ",
    "[Di, 12. Aug 2025, 10:16:36] ",
]

NAMES = [
    "kernel: x",
    "[<1.0>] x",
    "[+1.0] x",
    "[Aug12 10:16] x",
    "h kernel: x",
    "h kern.err k: ",
    "kern:err:x",
    "x\\x0a[1.0] ",
    "data: {",
    "::1 a: x",
    "a[1]: x",
    "\u6708 1 x",
    "3\u6708 1 x",
    "h - x",
    "#033[0mx",
    "[a 10:16:36]",
    "> : x",
    "12: x",
    "2: [1.000000]",
    "kernel:x",
    "h kernel:x",
]


@pytest.mark.parametrize("prefix", KERNEL_PREFIXES)
def test_name_like_prefix(prefix):
    for name in NAMES:
        [event] = parse_events(parse_lines([prefix + name + HEADER[1:], prefix + KILL.replace("(x)", f"({name})")]))
        assert (event["outcome"], event["trusted"], event["trigger"] is None) == ("kill", None, False)
        assert [(victim["pid"], victim["name"]) for victim in event["victims"]] == [(7, name)]


PROGRAM_PREFIXES = [
    "[   12.345678] host mallory[7]: ",
    "1795409025.649722 host mallory[7]: ",
    "Aug 12 10:16:36 host user.err kernel: ",
    "Aug 12 10:16:36 host kern.err mallory: ",
    "Mon Aug 12 10:16:36 2024 user.err mallory: ",
    "11\u6708 23 04:43:46 host mallory: ",
    "Aug 12 10:16:36 2001:db8::7 mallory: ",
    "Aug 12 10:16:36 host mallory:[   12.345678] ",
]


@pytest.mark.parametrize("prefix", PROGRAM_PREFIXES)
@pytest.mark.parametrize(
    "behind",
    [
        "",
        "kernel: ",
        "host kernel: ",
        "[   12.345678] ",
        "[   12.345678] host kernel: ",
        "kern  :err   : ",
        "<3>",
        "\x1b[0m",
    ],
)
def test_program_like_kernel(prefix, behind):
    """The words of a program are never trusted, also in what Docker keeps of a container."""
    line = prefix + behind + KILL
    for whole in (line, json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-23T04:43:45.1Z"})):
        assert {event["trusted"] for event in parse_events(parse_lines([whole]))} <= {False}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=15), st.integers(1, 4194304))
def test_any_name(name, pid):
    """No name hides a victim or makes one up."""
    line = (
        f"Out of memory: Killed process {pid} ({name}) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB"
        ", UID:0 pgtables:1kB oom_score_adj:0"
    )
    [event] = parse_events(parse_lines(["6,1,1,-;" + line]))
    assert [(victim["pid"], victim["name"]) for victim in event["victims"]] == [(pid, name)]


@pytest.mark.parametrize(
    "line",
    [
        "[{0}.{0}] x",
        "{0},{0},{0},-;x",
        "Out of memory: Killed process {0} (x) total-vm:{0}kB, anon-rss:{0}kB, file-rss:{0}kB",
        "x invoked oom-killer: gfp_mask=0x{0}, order={0}, oom_score_adj={0}",
        "[{0}] {0} {0} {0} x",
        "memory: usage {0}kB, limit {0}kB, failcnt {0}",
        'sending SIGTERM to process {0} uid {0} "x": oom_score {0}, VmRSS {0} MiB',
        '{"MESSAGE": "x", "__REALTIME_TIMESTAMP": "{0}"}',
    ],
)
def test_huge_numbers(line):
    """Numbers longer than Python converts raise nothing."""
    lines = [line.replace("{0}", "9" * digits) for digits in (20, 400, 3000, 5000, 70000)]
    json.dumps(parse_events(parse_lines(lines), tasks=True), allow_nan=False)


# --- lines that a user makes to hold the reader up ------------------------------------------------

STAMP = "Nov 23 04:43:46 host kernel: "
BEGINNINGS = {
    "nothing": "",
    "a kill": STAMP + KILL,
    "a header": STAMP + HEADER,
    "a name": STAMP + "Out of memory: Killed process 7 (",
}
REPEATED = [" ", "7", "a", "-", ".", "(", ")", "[", "]", '"', "<b>", "\\r", "\\n", "=3D", "a: ", "> ", "\x1b[1m"]
REPEATED += ["Killed process 7 (x) ", "[ 1] 0 1 1 1 1 1 x", "), uid ", "] [", ",task=x,pid=1,uid=0", STAMP]


def measure_seconds(line):
    begun = time.process_time()
    parse_events(parse_lines([line]), True, True)
    return time.process_time() - begun


@pytest.mark.parametrize("unit", REPEATED)
@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_four_times_the_line_takes_about_four_times_the_time(beginning, unit):
    """A journal entry of a user has up to 64 KiB. What takes the square of it takes minutes."""
    for end in ("", KILL):
        seconds = measure_seconds(beginning + unit * (60000 // len(unit)) + end)
        assert seconds < 1 or seconds < 8 * measure_seconds(beginning + unit * (15000 // len(unit)) + end)


# --- what is read in a shorter way ------------------------------------------------------------

NEVER = re.compile(r"(?!)")
NAMES = ["java", "my db", "(sd-pam)", "kworker/0:1", "killall", "sending SIGKILL", "a\\x0ab", "x kernel: y", "[K", "7"]
BETWEEN = [
    " rest of a row",
    "Nov 23 04:43:46 host app[7]: [  100.000001] [    7]     0     7      100       50    40960        0        0 x",
    "[  100.000001] [    7]     0     7      100       50    40960        0             0 x",
    "Nov 23 04:43:46 host kernel: [  100.000001] [    7]     0     7",
    "",
    "> quoted: Out of memory: Killed process 9 (y) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "Nov 23 04:43:46 host kernel: [  100.000001] Linux version 6.1.0",
    "[ 99]     0    99      100       50    40960        0             0 z",
]


def make_log(dice):
    """Return the lines of reports with the usual prefix, disturbed here and there."""
    uptime, lines = 100.0, []
    for _report in range(dice.randint(1, 3)):
        rows = [
            f"[{pid:7}]     0 {pid:5} {dice.randint(1, 9999):8} {pid:8}    90112        0 {dice.choice([0, 500]):13} "
            + dice.choice(NAMES if dice.random() < 0.1 else NAMES[:1])
            for pid in range(100, 100 + dice.randint(0, 30))
        ]
        columns = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
        name, pid = dice.choice(NAMES if dice.random() < 0.2 else NAMES[:1]), dice.randint(100, 130)
        summary = (
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,"
        )
        sizes = "total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0"
        texts = [
            name + " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
            "CPU: 0 PID: 7 Comm: java Not tainted 6.1.0-50-amd64 #1",
            "262000 pages RAM",
            columns,
            *rows,
            f"{summary}task={name},pid={pid},uid=0",
            f"Out of memory: Killed process {pid} ({name}) {sizes}",
        ]
        for text in texts[dice.choice([0, 0, 1, 4]) :]:
            uptime += dice.choice([0.0, 0.000009, 0.2, 0.9] if dice.random() < 0.1 else [0.000001])
            lines.append(f"Nov 23 04:43:{int(uptime) % 60:02} host kernel: [{uptime:12.6f}] {text}")
    for _turn in range(dice.choice([0, 0, 1, 3])):
        at = dice.randrange(len(lines))
        if dice.random() < 0.5:
            lines.insert(at, dice.choice(BETWEEN))
        else:
            lines[at] = lines[at][: dice.randrange(40, 120)]
    return lines


@pytest.mark.parametrize("seed", range(20))
def test_the_shorter_ways_change_no_event(seed, monkeypatch):
    """Rows with the usual prefix are read together, and whole messages are not unwrapped."""
    logs = [make_log(random.Random(seed * 1000 + number)) for number in range(20)]
    short = [parse_events(parse_lines(log), True, True) for log in logs]
    assert any(event["tasks_count"] for events in short for event in events)
    monkeypatch.setattr(formats, "_MORE_ROW", NEVER)
    monkeypatch.setattr(unwrap, "_WHOLE_MESSAGE", NEVER)
    for log, events in zip(logs, short):
        assert events == parse_events(parse_lines(log), True, True), "\n".join(log)
