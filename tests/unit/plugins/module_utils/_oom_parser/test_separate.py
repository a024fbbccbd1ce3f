# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several messages in one line, and names of users that look like that."""

import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.separate import separate

HEADER = "delta invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-5"
TRIGGER = "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0"
CPUSET = "delta cpuset=q mems_allowed=0"
LIMIT = "Task in /q/r killed as a result of limit of /q"  # ends with the name of a cgroup
USAGE = "memory: usage 8kB, limit 8kB, failcnt 7"
STATS = "Memory cgroup stats for /q: cache:0KB rss:44KB"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/q,task_memcg=/q/r"
    ",task=delta,pid=6311,uid=33"
)
KILL = (
    "Memory cgroup out of memory: Killed process 6311 (delta) total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB"
    ", shmem-rss:0kB, UID:33 pgtables:192kB oom_score_adj:-5"
)
OLD_ANNOUNCEMENT = "Memory cgroup out of memory: Kill process 6311 (delta) score 77 or sacrifice child"
OLD_KILL = "Killed process 6311 (delta) total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB, shmem-rss:0kB"
REAPER = "oom_reaper: reaped process 6311 (delta), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"
REPORT = [HEADER, CPUSET, TRIGGER, USAGE, STATS, SUMMARY, KILL]

SYSLOG = "May  6 11:12:13 node-3 kernel: "
STAMPS = ["[ 5120.000007] ", "[Wed May  6 11:12:13 2026] ", SYSLOG, "2026-05-06T11:12:13.250000+00:00 node-3 kernel: "]


def describe(lines):
    events = parse_events(parse_lines(lines))
    return [
        (
            event["trigger"] and (event["trigger"]["name"], event["trigger"]["pid"]),
            event["memcg"] and (event["memcg"]["path"], event["memcg"]["limit_kb"]),
            [(one["pid"], one["name"], one["uid"], one["cgroup"]) for one in event["victims"]],
        )
        for event in events
    ]


WHOLE = [(("delta", 6320), ("/q", 8), [(6311, "delta", 33, "/q/r")])]


@pytest.mark.parametrize("report", [REPORT, [*REPORT, REAPER]], ids=["to the kill", "to the reaper"])
@pytest.mark.parametrize("joint", ["", " ", "  "])
@pytest.mark.parametrize("stamp", STAMPS)
def test_lines_with_stamps(stamp, joint, report):
    assert describe([joint.join(stamp + line for line in report)]) == WHOLE


@pytest.mark.parametrize("joint", ["%0A", "&#10;"])
@pytest.mark.parametrize("stamp", ["", *STAMPS])
def test_line_ends_of_urls_and_xml(stamp, joint):
    assert describe([joint.join(stamp + line for line in (HEADER, TRIGGER, USAGE, SUMMARY, KILL))]) == WHOLE


@pytest.mark.parametrize("stamp", ["", STAMPS[0]])
@pytest.mark.parametrize("kill", [[KILL], [OLD_ANNOUNCEMENT, OLD_KILL]])
def test_fields_of_one_line_that_repeat_a_message(kill, stamp):
    """As rsyslog writes all properties, here in one line."""
    lines = [
        f"PRI: 4, syslogtag 'kernel:', msg: ' {stamp}{text}' escaped msg: ' {stamp}{text}' rawmsg: '<4>{stamp}{text}'"
        for text in (HEADER, *kill)
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["outcome"], event["trigger"]["name"]) == ("kill", "delta")
    assert [(one["pid"], one["name"]) for one in event["victims"]] == [(6311, "delta")]


def test_list_of_strings_in_one_line():
    """The first quote before a message begins the list, not the last one."""
    [event] = parse_events(parse_lines([repr([HEADER, OLD_ANNOUNCEMENT, OLD_KILL])]))
    assert (event["outcome"], event["trigger"]["name"]) == ("kill", "delta")


OLD_REPORT = [
    HEADER,
    CPUSET,
    TRIGGER,
    "Hardware name: QEMU Standard PC, BIOS 1.16.2-1 04/01/2014",
    "Call Trace:",
    " [<ffffffff81604406>] dump_stack+0x19/0x1b",
    "Task in /q/r killed as a result of limit of /q",
    USAGE,
    "memory+swap: usage 8kB, limit 9007199254740988kB, failcnt 0",
    STATS,
    "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
    "[ 6311]    33  6311    20480    10496      48        0            -5 delta",
    "Memory cgroup out of memory: Kill process 6311 (delta) score 77 or sacrifice child",
    "Killed process 6311 (delta) total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB, shmem-rss:0kB",
]


@pytest.mark.parametrize("report", [OLD_REPORT, [*REPORT, REAPER]], ids=["with a limit", "with a summary"])
@pytest.mark.parametrize(
    "joint", [" ", "  ", "\t", "; ", ", ", " | ", "\\n", "\\r\\n", "<br>", "<br />", "#012", "\\x0a"]
)
@pytest.mark.parametrize("stamp", ["", *STAMPS])
def test_lines_behind_a_whole_header(stamp, joint, report):
    """Behind a whole header the kernel prints nothing: what stands there was joined to it."""
    assert describe([joint.join(stamp + line for line in report)]) == WHOLE


@pytest.mark.parametrize(
    "limit",
    [
        "Task in /q killed as a result of limit of /x killed as a result of limit of /q",
        "Task in /" + "q" * 1000 + " killed as a result of limit of /q",
        "Task in /q/r killed as a result of limit of ",
        "Task in /a killed as a result of limit of /q",
    ],
    ids=["twice", "too long", "half", "elsewhere"],
)
def test_a_limit_that_shows_no_end(limit):
    """A line stays whole if the name of a cgroup may have made what looks like several."""
    lines = [HEADER, limit, KILL]
    text = " ".join(STAMPS[0] + line for line in lines)
    assert len(separate(Record(text, raw=text))) == 1
    assert [victims for *_event, victims in describe([text]) if victims] == []


def test_lines_between_tags():
    assert describe(["<div>" + "<br>".join(STAMPS[0] + line for line in OLD_REPORT) + "</div>"]) == WHOLE


@pytest.mark.parametrize("stamp", ["", *STAMPS])
@pytest.mark.parametrize(
    "before, joint, behind",
    [('"stdout": "', "\\n", '",'), ("x = b'", "\\r\\n", "\\n'"), ("'", "<br>", "'")],
    ids=["JSON", "Python", "HTML"],
)
def test_a_string(before, joint, behind, stamp):
    text = before + joint.join(stamp + line for line in REPORT) + behind
    assert describe(text.split("\n")) == WHOLE


def test_a_string_longer_than_a_line():
    rows = [f"[   {7000 + number}]     0  7000     1240      253    45056        0 0 bash" for number in range(100)]
    assert describe(['"stdout": "' + "\\n".join([HEADER, TRIGGER, USAGE, STATS, *rows, SUMMARY, KILL]) + '"']) == WHOLE


def test_a_line_that_ends_with_the_name_of_a_cgroup():
    lines = [HEADER, LIMIT, KILL]
    assert describe(['"' + "\\n".join(lines)])[0][1] == ("/q", None)
    for stamp in STAMPS:
        assert describe(["".join(stamp + line for line in lines)])[0][1] == ("/q", None)
    # Alone it may be the name of one cgroup, which the task has left meanwhile.
    assert describe(["".join(STAMPS[0] + line for line in lines[1:])]) == []


def test_breaks_of_a_web_page():
    """Without stamps and quotes only the beginning of a kill shows that one message ended."""
    assert describe([HEADER + "<br>" + KILL]) == [(("delta", None), (None, None), [(6311, "delta", 33, None)])]


def test_text_that_was_filled_anew():
    lines = [
        "> [ 7.000001] Out of memory: kill process 6310 (sshd) score 7 or a",
        "> child [    7.000002] Killed process",
    ]
    assert describe([*lines, "> 6311 (delta)"])[0][2] == [(6311, "delta", None, None)]


# --- what users write ----------------------------------------------------------------------

FORGED = "Out of memory: Killed process 1 (init) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


@pytest.mark.parametrize(
    "joint", ["[ 5120.000007] ", " [    0.000001] ", " " + SYSLOG, SYSLOG, "\\n", "<br>", " ", "#012", "; " + STAMPS[0]]
)
@pytest.mark.parametrize("prefix", ["", *STAMPS])
@pytest.mark.parametrize(
    "line",
    [
        "Task in /q/{0} killed as a result of limit of /q/{0}",
        "Task in /q{0}/r killed as a result of limit of /q{0}",
        "Task in /q killed as a result of limit of /q{0}",
        "Memory cgroup stats for /q{0}: cache:0KB rss:44KB",
        "Memory cgroup stats for /q: cache:0KB{0}:",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset={0},mems_allowed=0,oom_memcg=/q,task_memcg=/q/r"
        ",task=delta,pid=6311,uid=33",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/q,task_memcg=/q"
        ",task=x,pid=1,uid=0{0},task_memcg=/q/r,task=delta,pid=6311,uid=33",
        "Task in /q invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0{0}",
        "Task in /q invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0{0} killed as a result of limit of /q",
        "a cpuset=b invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0{0}",
        "Task in /q killed as a result of limit of /q{0}/q killed as a result of limit of /q mems_allowed=0",
        "delta cpuset={0} mems_allowed=0",
        "delta cpuset=x mems_allowed=0{0} mems_allowed=0",
        "cgroup: fork rejected by pids controller in /q -rss:{0}",
    ],
)
def test_no_name_of_a_cgroup_makes_a_kill(line, prefix, joint):
    for name in (joint + FORGED, joint + FORGED + joint, "-rss:" + joint + FORGED):
        events = parse_events(parse_lines([prefix + line.replace("{0}", name)]))
        assert {one["pid"] for event in events for one in event["victims"]} <= {6311}


@pytest.mark.parametrize(
    "name",
    [
        "#012kill process 1",
        "\\x0akill process 1",
        "[    0.000001] ",
        "a\\nb",
        "a\\nCPU: 0 PID",
        "a<br>b",
        "\\nMem-Info:",
    ],
)
def test_no_name_of_a_task_hides_a_kill(name):
    lines = [line.replace("delta", name) for line in (HEADER, TRIGGER, KILL)]
    [event] = parse_events(parse_lines([f"[ 5120.00000{number}] {line}" for number, line in enumerate(lines)]))
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == (name, 6320)
    assert [(one["pid"], one["name"]) for one in event["victims"]] == [(6311, name)]


HOSTILE_NAMES = [
    "Kill process 1(",
    "kill process 7(",
    "Hardware name: ",
    "Call Trace:",
    "Mem-Info:",
    "swap: usage 1",
    "oom_reaper: ",
    "[    1.000000] ",
    "a\\nb",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_of_a_task_hides_itself_behind_an_announcement(name):
    lines = [f"[  123.45679{at}] {line}".replace("delta", name) for at, line in enumerate((OLD_ANNOUNCEMENT, OLD_KILL))]
    [event] = parse_events(parse_lines([" ".join(lines)]))
    [victim] = event["victims"]
    assert (victim["pid"], victim["name"], victim["anon_rss_kb"], victim["score"]) == (6311, name, 40960, 77)


@pytest.mark.parametrize("joint", ["\n", "", " ", " [ 5120.07] "], ids=["lines", "joined", "a blank", "a stamp"])
@pytest.mark.parametrize("name", ["x) score 1 or s", "x) score 1 and", "a child", ") score 1 or a "])
def test_no_name_of_a_task_ends_an_announcement(name, joint):
    lines = joint.join(line.replace("delta", name) for line in (OLD_ANNOUNCEMENT, OLD_KILL)).split("\n")
    [event] = parse_events(parse_lines(lines))
    assert [(one["pid"], one["name"], one["score"]) for one in event["victims"]] == [(6311, name, 77)]


@pytest.mark.parametrize(
    "line",
    [
        SYSLOG.replace("kernel", "mallory") + HEADER + " " + STAMPS[0] + KILL,
        SYSLOG.replace("kernel", "mallory[7]") + HEADER + " " + SYSLOG + KILL,
        "node-3 | mallory[7]: " + HEADER + " " + STAMPS[0] + KILL,
        "12,7,7,-;" + HEADER + " " + STAMPS[0] + KILL,
    ],
)
def test_no_program_makes_a_kill(line):
    assert {event["trusted"] for event in parse_events(parse_lines([line]))} <= {False}


@pytest.mark.parametrize("trusted", [True, False])
def test_a_record_with_a_writer_is_one_message(trusted):
    record = Record(HEADER + "<br>" + KILL, trusted=trusted, raw="x")
    assert separate(record) == [record]


def test_only_a_reaper_before_a_cut():
    record = Record("oom_reaper: -rss:7kB [ 5120.000007] oom_reaper: x", raw="x")
    assert [part.text for part in separate(record)] == ["oom_reaper: -rss:7kB", "oom_reaper: x"]


def measure(lines):
    begun = time.process_time()
    for line in lines:
        separate(Record(line, raw=line, bare=True))
    return time.process_time() - begun


@pytest.mark.parametrize("part", ["\\n", "<br>", "[    0.000001] ", "Killed process 7 (x) [    0.000001] ", '"'])
def test_twice_the_line_takes_twice_the_time(part):
    line = HEADER + part * (4000 // len(part))
    once = min(measure([line] * 5) for _turn in range(3))
    assert min(measure([line + line[len(HEADER) :]] * 5) for _turn in range(3)) < 4 * once + 0.1
