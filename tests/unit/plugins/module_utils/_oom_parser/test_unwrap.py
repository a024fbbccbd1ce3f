# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prefixes of unknown kinds: found by shape and by repetition, and powerless in a user's hands."""

import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.unwrap import unwrap_records

HEADER = "delta invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-5"
KILL = (
    "Out of memory: Killed process 6311 (delta) total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB, shmem-rss:0kB"
    ", UID:33 pgtables:192kB oom_score_adj:-5"
)
OLD_KILL = "Killed process 6311 (delta)"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/q,task_memcg=/q/r"
    ",task=delta,pid=6311,uid=33"
)
UPTIME = "[ 5120.000007] "

# What stands before a line, and behind it.
WRAPPINGS = {
    "quotes": ('"', '"'),
    "quotes and a comma": ("    '", "',"),
    "quotes with an escape": ('\\"', '\\"'),
    "quotes of HTML": ("&quot;", "&quot;"),
    "backquotes": ("`", "`"),
    "a bullet": ("* ", ""),
    "brackets": ("(", ")"),
    "a bullet and backquotes": ("- `", "`"),
    "a number": ("7) ", ""),
    "a digit that is no number": ("\u00b2node-3 - ", ""),
    "a row of a table": ("| 7 | node-3 | ", " |"),
    "a cell of HTML": ("<td>", "</td>"),
    "a cell of CSV": ('2026-05-06,node-3,kern,"', '","x"'),
    "a cell without quotes": ("2026-05-06;node-3;kern;", ""),
    "a field of JSON": ('  "message": "', '",'),
    "a field of a journal": ("    MESSAGE=", ""),
    "a key and a value": ('level=warn msg="', '" node=3'),
    "a host and a dash": ("node-3 - ", ""),
    "a host and a bar": ("node-3  | ", ""),
    "a file and a line": ("old/kern.log:812:", ""),
    "logcat": ("05-06 11:12:13.160     0     0 W ", ""),
    "a bracketed time and a zone": ("[Wed May  6 11:12:13 UTC 2026] ", ""),
    "a time in brackets": ("[2026-05-06 11:12:13] ", ""),
    "a clock": ("11:12:13.250 ", ""),
    "a build's step": ("#12 0.450 ", ""),
    "two kinds": ('> node-3 | "', '"'),
    "words that are no label": ("what my console said was ", ""),
}


def victims(lines):
    return [[one["pid"] for one in event["victims"]] for event in parse_events(parse_lines(lines))]


@pytest.mark.parametrize("stamp", ["", UPTIME], ids=["bare", "uptime"])
@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=list(WRAPPINGS))
def test_report_in_any_wrapping(wrapping, stamp):
    before, behind = wrapping
    lines = [HEADER, "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0", SUMMARY, KILL]
    [event] = parse_events(parse_lines([before + stamp + line + behind for line in lines]))
    [victim] = event["victims"]
    assert (event["outcome"], event["trusted"], event["memcg"]["path"]) == ("kill", None, "/q")
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == ("delta", 6320)
    assert (victim["pid"], victim["name"], victim["anon_rss_kb"], victim["oom_score_adj"]) == (6311, "delta", 40960, -5)
    assert event["monotonic"] == (5120.000007 if stamp else None)


@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=list(WRAPPINGS))
def test_kill_alone_in_any_wrapping(wrapping):
    before, behind = wrapping
    assert victims([before + KILL + behind]) == [[6311]]


def test_openvz_in_quotes():
    assert victims(
        ['"Out of memory in UB 103: OOM killed process 6311 (delta) score 77 vm:8kB, rss:4kB, swap:0kB"']
    ) == [[6311]]


@pytest.mark.parametrize("before", [".(2)[2437:delta]", "[0:  delta:  77] ", "(1)[9:x] ", "c1    77 (delta) "])
def test_brackets_behind_an_uptime(before):
    """Vendors of phones print the processor and the task behind the kernel's own prefix."""
    [event] = parse_events(parse_lines([UPTIME + before + HEADER, UPTIME + before + KILL]))
    assert (event["outcome"], event["trigger"]["name"], event["victims"][0]["pid"]) == ("kill", "delta", 6311)


@pytest.mark.parametrize(
    "before, name",
    [("node-333 | ", "delta"), ("7: 8: node: ", "my delta"), ("", "delta"), ("what my console said was ", None)],
)
def test_header_alone(before, name):
    """Without a second message only the shape shows where the name begins."""
    events = parse_events(parse_lines([before + HEADER.replace("delta", name or "delta")]))
    assert [event["trigger"]["name"] for event in events] == ([name] if name else [])


def test_learn_a_prefix_by_repetition():
    """A kill without sizes may stand in any sentence, so one alone is none behind words."""
    before = "node three told me "
    assert victims([before + OLD_KILL]) == victims(["node watchdog: " + OLD_KILL]) == []
    assert victims([before + HEADER, before + OLD_KILL]) == [[6311]]
    assert victims([before + OLD_KILL, before + OLD_KILL.replace("6311", "6312")]) == [[6311], [6312]]


def test_a_learned_prefix_stays():
    lines = ["node three said " + HEADER, "node three said [   6311]    33  6311     20480    10496        0 -5 delta"]
    lines += ["node three said " + KILL, "memory is fine now"]
    [event] = parse_events(parse_lines(lines), tasks=True, raw=True)
    assert [task["pid"] for task in event["tasks"]] == [6311]
    assert event["raw"] == lines[:3]


def test_another_prefix_replaces_it():
    other = KILL.replace("6311", "6312")
    assert victims(["a-1 | " + KILL, "b-2 - " + other, "a-1 | " + KILL.replace("6311", "6313")]) == [
        [6311],
        [6312],
        [6313],
    ]


# --- what users write ----------------------------------------------------------------------

SYSLOG = "May  6 11:12:13 host "


@pytest.mark.parametrize(
    "line",
    [
        "cgroup: fork rejected by pids controller in /x/" + KILL,
        "cgroup: fork rejected by pids controller in /x: " + KILL,
        "delta cpuset=" + KILL + " mems_allowed=0",
    ],
)
@pytest.mark.parametrize("prefix", ["", UPTIME, SYSLOG + "kernel: ", SYSLOG + "kernel: " + UPTIME])
def test_no_kill_in_the_kernels_words(line, prefix):
    """Users name cgroups, so a line of the kernel may hold a whole message."""
    assert victims([prefix + line, prefix + line]) == []


@pytest.mark.parametrize(
    "line",
    [
        SYSLOG + "mallory[7]: " + KILL,
        SYSLOG + 'mallory: "' + KILL + '"',
        "12,1,1,-;" + KILL,
        "mallory[7]: " + KILL,
        "node-3 | " + SYSLOG + "mallory: " + KILL,
        "node-3 | mallory[7]: " + KILL,
        '{"message": "' + KILL + '", "ident": "mallory"}',
        '{"message": "' + KILL + '", "facility": "user"}',
        '{"message": "mallory[7]: ' + KILL + '"}',
        SYSLOG + 'mallory[7]: {"message": "' + KILL + '"}',
    ],
)
def test_words_of_a_program(line):
    """A tag with a pid, or a facility, shows a program behind any prefix."""
    assert {event["trusted"] for event in parse_events(parse_lines([line]))} <= {False}


@pytest.mark.parametrize("line", ["kern  :err   : " + KILL, "3,7,7,-;" + KILL, '{"MESSAGE": "x"} ' + KILL])
def test_no_unknown_prefix_proves_the_kernel(line):
    assert {event["trusted"] for event in parse_events(parse_lines(["node-3 | " + line]))} <= {None}


def test_a_learned_prefix_changes_no_true_report():
    """What can be read without a prefix is read so, and other forms have not learned it."""
    true = [SYSLOG + "kernel: " + UPTIME + line for line in ["my app" + HEADER[5:], KILL]]
    whole = parse_events(parse_lines(true))
    for before in ("my ", "Out of memory: ", "Out of ", "[ 5120.000007] ", "kernel: "):
        hostile = SYSLOG + before + KILL.replace("6311", "7")
        events = parse_events(parse_lines([hostile, *true]))
        assert [event for event in events if event["victims"][0]["pid"] == 6311] == whole


SECOND_HAND = [
    '{"kind":"Event","reason":"OOMKilling","message":"' + KILL + '"}',
    "3m  Warning  OOMKilling  node/node-3  " + KILL,
    "I0506 11:12:13.000001 1 log_monitor.go:160] New status: {kernel-monitor Message:" + KILL + "}",
    'type: "Warning" reason: "SystemOOM" ' + KILL,
    "System OOM encountered, victim process: delta, pid: 6311",
]


@pytest.mark.parametrize("line", SECOND_HAND)
def test_reports_of_other_programs_are_not_counted(line):
    assert victims([line]) == []


@pytest.mark.parametrize("before", ["x[1] ", "x ", "\t"])
def test_every_record_comes_out_once(before):
    """Lines that wait for a second message are bounded, and leave in their order."""
    texts = [before + HEADER, *(f"line {number}" for number in range(100)), before + HEADER]
    records = [Record(text) for text in texts]
    assert [record.text for record in unwrap_records(records)] == texts


def measure(lines):
    begun = time.process_time()
    list(unwrap_records([Record(line, raw=line) for line in lines]))
    return time.process_time() - begun


@pytest.mark.parametrize(
    "line",
    ["{0} | " + HEADER, "{0} " + KILL, "a b " * 60 + "{0} Killed process 7 (x)", "[(<" * 60 + "{0}" + KILL, '"' * 4000],
)
def test_twice_the_lines_take_twice_the_time(line):
    lines = [line.replace("{0}", str(number)) for number in range(2000)]
    once = min(measure(lines[:1000]) for _turn in range(3))
    assert min(measure(lines) for _turn in range(3)) < 4 * once + 0.1
