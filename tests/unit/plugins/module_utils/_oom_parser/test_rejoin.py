# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that are one message: logs as mails and terminals wrap them, and names on several lines."""

import json
import os
import textwrap

import pytest
from kernel_lines import HEADER, KILL, summary

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages

RECORDED = os.path.join(os.path.dirname(__file__), "../../../fixtures/kernel_logs/recorded")

FORMS = [
    "debian11-5.10/dmesg-iso.log",
    "debian11-5.10/journal-short.log",
    "debian12-6.1/dmesg-T.log",
    "debian12-6.1/dmesg-x.log",
    "debian12-6.1/journal-all.log",
]


def as_mail(line, width):
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False) or [""]


def as_terminal(line, width):
    return [line[start : start + width] for start in range(0, len(line), width)] or [""]


def quoted(line, width):
    return ["> " + part for part in as_mail(line, width - 2)]


def with_blanks(line, width):
    """Wrap as fold -s does, and mails with format=flowed."""
    parts = as_mail(line, width - 1)
    return [part + " " for part in parts[:-1]] + parts[-1:]


def comparable_events(lines):
    """Return the events without their ids, which depend on the name.

    The event whose victim's name has a line end is left out, as wrapping changes the name.
    """
    events = parse_events(parse_lines(lines), tasks=True)
    return [
        dict(event, id=None) for event in events if "lines" not in str([victim["name"] for victim in event["victims"]])
    ]


@pytest.mark.parametrize(
    "wrap, width",
    [(as_mail, 72), (as_mail, 76), (as_mail, 80), (as_terminal, 80), (quoted, 76), (with_blanks, 78)],
)
@pytest.mark.parametrize("form", FORMS)
def test_wrapped_log(form, wrap, width):
    with open(os.path.join(RECORDED, form), encoding="utf-8", errors="backslashreplace") as stream:
        lines = stream.read().splitlines()
    whole = comparable_events([part for line in lines for part in wrap(line, 10000)])
    assert len(whole) > 10
    assert comparable_events([part for line in lines for part in wrap(line, width)]) == whole


def describe_victims(lines, names=True):
    """Return the victims of each event, without the one whose name has a line end."""
    victims = [
        (one["pid"], one["name"], one["anon_rss_kb"], event["outcome"], event["constraint"])
        for event in parse_events(parse_lines(lines))
        for one in event["victims"]
        if one["pid"] not in (270, 382)
    ]
    return victims if names else [victim[0] for victim in victims]


@pytest.mark.parametrize("width", [50, 60, 64, 72, 76, 90, 110, 120, 132])
@pytest.mark.parametrize("form", FORMS)
def test_terminal_of_another_width(form, width):
    """Lines that end at the same column show the edge; names and numbers across it are joined."""
    with open(os.path.join(RECORDED, form), encoding="utf-8", errors="backslashreplace") as stream:
        lines = stream.read().splitlines()
    whole = describe_victims(lines, names=width > 60)
    assert len(whole) > 10
    assert describe_victims([part for line in lines for part in as_terminal(line, width)], names=width > 60) == whole


@pytest.mark.parametrize("width", [48, 60, 68, 90])
@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] ", "[Wed May  6 11:12:13 2026] "])
def test_a_short_report_in_a_terminal(stamp, width):
    lines = [stamp + line for line in (HEADER, summary(7), KILL)]
    parts = [part for line in lines for part in as_terminal(line, width)]
    assert describe_victims(parts) == describe_victims(lines) != []


TASK_KILLS = [
    "Killed process 20771 (java) total-vm:4604480kB, anon-rss:521060kB, file-rss:12144kB, shmem-rss:0kB",
    "Memory cgroup out of memory: Killed process 9120 (node) total-vm:1151648kB, anon-rss:258828kB, file-rss:2016kB"
    ", shmem-rss:0kB, UID:1000 pgtables:2212kB oom_score_adj:989",
]


@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] ", "May  6 11:12:13 node-3 kernel: "])
@pytest.mark.parametrize("kill", TASK_KILLS)
def test_a_kill_alone_in_a_terminal_of_any_width(kill, stamp):
    """Only inside the name a break looks like a line end that the name has."""
    line = stamp + kill
    name = range(line.index("(") + 1, line.index(")") + 1)
    for width in range(40, len(line)):
        if width not in name and len(line) - width > 3:  # the rest is more than digits
            assert describe_victims(as_terminal(line, width)) == describe_victims([line]), width


def describe_task(lines):
    """Return the numbers of the only task; its name may be broken where it has a line end."""
    [event] = parse_events(parse_lines(lines), tasks=True)
    [task] = event["tasks"]
    return dict(task, name=None), [one["pid"] for one in event["victims"]]


@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] "])
def test_a_task_table_in_a_terminal_of_any_width(stamp):
    lines = [stamp + line for line in REPORT]
    whole = describe_task(lines)
    for width in range(58, 160):
        assert describe_task([part for line in lines for part in as_terminal(line, width)]) == whole, width


@pytest.mark.parametrize("width", [77, 78, 79])
def test_a_task_table_without_its_header(width):
    """The pid stands twice in a row, which shows where a number was broken."""
    stamp = "May  6 11:12:13 node-3-with-a-longer-name kernel: [ 5120.000007] "
    lines = [stamp + line for line in REPORT if "tgid" not in line]
    assert describe_task([part for line in lines for part in as_terminal(line, width)]) == describe_task(lines)


@pytest.mark.parametrize("stamp", ["", "[ 5120.000007] "])
def test_a_limit_that_was_broken_in_a_path(stamp):
    """The task's cgroup shows that the path goes on."""
    path = "/kubepods/burstable/pod7/0e4a814eda03"
    limit = f"Task in {path} killed as a result of limit of {path}"
    for at in (1, 2, 5, 11, 15, 20, 30):  # at a slash it may be the path of a parent
        lines = [stamp + limit[:-at], limit[-at:] + " " * (at % 2), stamp + KILL.replace("Out", "Memory cgroup out")]
        [event] = parse_events(parse_lines([stamp + HEADER, *lines]))
        assert (event["memcg"]["path"], event["outcome"]) == (path, "kill")
    [event] = parse_events(parse_lines([stamp + HEADER, stamp + limit[:-8], "other text", *lines[2:]]))
    assert event["memcg"]["path"] == path[:-8]


def test_lines_of_the_same_width_are_no_terminal():
    """Without a stamp only the words show that another message begins."""
    kills = [KILL.replace("process ", f"process 1{number}") for number in range(4)]
    assert describe_victims([*kills, "that was all"]) == describe_victims(kills)
    assert len(describe_victims(kills)) == 4


REPORT = [
    "java invoked oom-killer: gfp_mask=0x1100dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), order=0, oom_score_adj=300",
    "CPU: 1 PID: 10551 Comm: java Not tainted 6.1.0-26-amd64 #1  Debian 6.1.112-1",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "[  10551]  1000 10551 17303040  8650752     36933632        0           300 java",
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/user.slice"
    ",task=java,pid=10551,uid=1000",
    "Out of memory: Killed process 10551 (java) total-vm:69212160kB, anon-rss:34603008kB, file-rss:0kB, shmem-rss:0kB"
    ", UID:1000 pgtables:36068kB oom_score_adj:300",
    "oom_reaper: reaped process 10551 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
]


@pytest.mark.parametrize("wrap, width", [(as_mail, 72), (as_mail, 80), (as_terminal, 80)])
def test_wrapped_without_stamps(wrap, width):
    """Without stamps the words show where a message begins."""
    assert comparable_events([part for line in REPORT for part in wrap(line, width)]) == comparable_events(REPORT)


OTHER = [
    [
        "earlyoom v1.3",
        "mem avail: 1943 of 1943 MiB (100 %), swap avail:    0 of    0 MiB ( 0 %)",
        "sending SIGTERM when mem <= 10 % and swap <= 10 %",
    ],
    [
        "[    1.000000] active_anon:77 inactive_anon:3047 isolated_anon:0 and a word",
        "                active_file:12 inactive_file:20 isolated_file:0",
    ],
    [
        "[    1.000000] " + 90 * "a b ",
        "[    2.000000] a line that is nearly as long as those that mails and terminals wr",
        "a bare one",
    ],
    [
        "[    1.000000] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=xyz,pid=1,uid=0",
        "[    1.000000] ,pid=2,uid=0",  # with a line end, the name would be longer than a task's
    ],
    [
        "kern  :err   : [    1.000000] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)",
        "user  :err   : [    1.000000] ,task=x,pid=2,uid=0",
    ],
    ["[    1.000000] x", "x invoked oom-killer: no"],
    ["[    1.000000] a folder", "[    1.000000] /tmp"],
]


@pytest.mark.parametrize("lines", OTHER)
def test_separate_lines(lines):
    assert [record.raw for record, _message in rejoin_messages(parse_lines(lines))] == lines


SIZES = " total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0"
BARE_KILL = "Out of memory: Killed process 1234 (java)" + SIZES
BARE_SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom"
    ",task_memcg=/,task=java,pid=1234,uid=0"
)
OOMD_KILL = "oomd kill: 1.0 2.0 3.0 /a 123 ruleset:[R] detectorgroup:[D] killer:P v2"

# Lines, of which none was wrapped, and the pids of the victims.
SHORT_LINES = {
    "after a line of a program": (
        ["[Mon Nov 23 04:43:46 2026] starting collection of kernel messages (dmesg)", BARE_KILL],
        [1234],
    ),
    "after any other line": (["[    1.000000] " + 50 * "a", BARE_KILL], [1234]),
    "after an announcement": (
        [
            "[  100.000000] Out of memory: Kill process 123 (java) score 9 or sacrifice child",
            "Killed process 123 (j) total-vm:1kB, anon-rss:1kB, file-rss:0kB",
        ],
        [123],
    ),
    "after a name like an uptime": (
        [
            "[  123]  1000   123     1000      900     57344        0             0 x",
            "[1.000000] ",
            BARE_SUMMARY,
            BARE_KILL,
        ],
        [1234],
    ),
    "earlyoom": (
        [
            "2026-11-23T04:43:46Z stdout F mem avail:  9 of 1943 MiB ( 5.10 %), swap",
            'sending SIGTERM to process 1234 uid 0 "java": badness 9, VmRSS 900 MiB',
        ],
        [1234],
    ),
    "oomd": (["[../oomd/plugins/BaseKillPlugin.cpp:112] Killed 1: 101(name) 102(b)", OOMD_KILL], [101, 102]),
    "the reaper": (
        [BARE_KILL.partition(", shmem")[0], "oom_reaper: reaped process 1234 (java), now anon-rss:0kB, file-rss:0kB"],
        [1234],
    ),
    "an old kill, and prose": (
        ["Sep 14 20:16:21 dhcpaq kernel: Out of Memory: Killed process 1234 (bk).", "Then the machine was fine again."],
        [1234],
    ),
    "an old kill, and the end of a block": (
        ["Sep 14 20:16:21 dhcpaq kernel: Out of Memory: Killed process 1234 (bk).", "```"],
        [1234],
    ),
    "cut, and the reaper": (
        [
            BARE_KILL.partition("0kB, shmem")[0],
            "oom_reaper: reaped process 1234 (java), now anon-rss:0kB, file-rss:0kB",
        ],
        [1234],
    ),
}


@pytest.mark.parametrize("lines, pids", SHORT_LINES.values(), ids=list(SHORT_LINES))
def test_short_lines(lines, pids):
    """Short lines alone do not show that a text was wrapped."""
    victims = [victim for event in parse_events(parse_lines(lines)) for victim in event["victims"]]
    assert [victim["pid"] for victim in victims] == pids
    assert {victim["anon_rss_kb"] for victim in victims} & {0} == set()
    assert None not in {victim["name"] for victim in victims}


WIDE = "Oct 30 10:13:57 main kernel: [ 7096.161113] "
GROUP_PATH = "/docker/" + 8 * "0123456789abcdef"


@pytest.mark.parametrize("width", [100, 132, 205])
@pytest.mark.parametrize(
    "lines",
    [
        [
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0"
            f",oom_memcg={GROUP_PATH},task_memcg={GROUP_PATH},task=php-fpm,pid=7,uid=1000",
            "Memory cgroup out of memory: Killed process 7 (php-fpm) total-vm:568056kB, anon-rss:107940kB"
            ", file-rss:11516kB, shmem-rss:6280kB, UID:1000 pgtables:524kB oom_score_adj:-30",
        ],
        [
            f"Task in {GROUP_PATH} killed as a result of limit of {GROUP_PATH}",
            "Memory cgroup out of memory: Killed process 7 (php-fpm) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
        ],
    ],
)
def test_terminal_of_any_width(lines, width):
    """A value is whole or unknown: never half of a path or a number."""
    lines = [WIDE + line for line in lines]
    [event] = parse_events(parse_lines(lines))
    [broken] = parse_events(parse_lines([part for line in lines for part in as_terminal(line, width)]))
    assert broken["memcg"]["path"] in (GROUP_PATH, None)
    for key, value in broken["victims"][0].items():
        assert value in (event["victims"][0][key], None)
    if width == 205:
        assert broken == dict(event, id=broken["id"])


def test_bare_line_after_limit():
    """A line without stamps after a limit need not be its rest."""
    line = WIDE + "Task in /a killed as a result of limit of " + GROUP_PATH
    for behind in ("```", "--", "a word", "Thanks", "2", "/code", "20:01"):
        [event] = parse_events(
            parse_lines([line, behind, WIDE + "Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"])
        )
        assert event["memcg"]["path"] == GROUP_PATH


def test_join_no_huge_number():
    """Joined lines make no number that is too long for Python."""
    nines = 3900 * "9"
    lines = ["Nov 23 04:43:46 host mallory[7]: Killed process 7 (x) total-vm:4kB, anon-rss:" + nines, nines + "kB"]
    assert [event["victims"][0]["pid"] for event in parse_events(parse_lines(lines))] == [7]


@pytest.mark.parametrize(
    "stamp", ["[    5.000000] ", WIDE + "Memory cgroup out of memory: ", "Nov 23 04:43:46 host kernel: "]
)
def test_name_like_size(stamp):
    [event] = parse_events(
        parse_lines([stamp + "Killed process 7 (x) vsz:1kB", "yyy) total-vm:4kB, anon-rss:3kB, file-rss:2kB"])
    )
    assert (event["victims"][0]["name"], event["victims"][0]["total_vm_kb"]) == ("x) vsz:1kB\\x0ayyy", 4)


def test_summary_alone():
    """The name in a summary may have a line end, also without a kill."""
    lines = [
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=ssh",
        "d,pid=7,uid=0",
    ]
    [event] = parse_events(parse_lines([WIDE + lines[0], lines[1]]))
    assert (event["victims"][0]["name"], event["victims"][0]["cgroup"]) == ("ssh\\x0ad", "/a")


def test_break_after_hyphen():
    lines = ["[115879.769795] Killed process 1917 (php-cgi) total-vm:467184kB, anon-", "rss:101196kB, file-rss:204kB"]
    [event] = parse_events(parse_lines(lines))
    assert (event["victims"][0]["anon_rss_kb"], event["victims"][0]["file_rss_kb"]) == (101196, 204)


def test_path_ends_with_line():
    """The path in the stats of a memory cgroup ends with its line."""
    lines = [
        "Memory cgroup stats for /user.slice/user-1000.slice/session-1.scope:",
        "anon 4096",
        "Out of memory and no killable processes...",
    ]
    for stamp in ("", "[    5.000000] "):
        [event] = parse_events(
            parse_lines(
                [
                    "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
                    stamp + lines[0],
                    *lines[1:],
                ]
            )
        )
        assert event["memcg"]["path"] == "/user.slice/user-1000.slice/session-1.scope"


def test_late_record():
    """A later record is not the next part of a summary."""
    lines = [
        "[    5.000000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a",
        "[    7.000000] ,task_memcg=/x,task=evil,pid=1,uid=0",
    ]
    assert [event["victims"] for event in parse_events(parse_lines(lines))] == [[]]


PATH = "/" + 80 * "0123456789/" + "end"

CONTINUED = {
    "before the second path": ["oom_memcg=" + PATH, ",task_memcg=" + PATH + ",task=bar,pid=200,uid=1000"],
    "before the path": ["oom_memcg=/", ",task_memcg=", PATH + ",task=bar,pid=200,uid=1000"],
    "before the name": ["oom_memcg=" + PATH + ",task_memcg=" + PATH, ",task=bar,pid=200,uid=1000"],
    "three times": ["oom_memcg=", PATH, ",task_memcg=" + PATH, ",task=bar,pid=200,uid=1000"],
}


@pytest.mark.parametrize("stamp", ["4,{0},5000000,-;", "[    5.000000] "], ids=["kmsg", "dmesg"])
@pytest.mark.parametrize("parts", CONTINUED.values(), ids=list(CONTINUED))
def test_long_path(parts, stamp):
    """A path that does not fit into a record goes on in the next."""
    lines = ["oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0," + parts[0], *parts[1:]]
    [event] = parse_events(parse_lines([stamp.replace("{0}", str(number)) + line for number, line in enumerate(lines)]))
    assert event["memcg"]["path"] == ("/" if parts[0] == "oom_memcg=/" else PATH)
    assert [(victim["pid"], victim["name"], victim["uid"], victim["cgroup"]) for victim in event["victims"]] == [
        (200, "bar", 1000, PATH)
    ]


@pytest.mark.parametrize(
    "first, second",
    [("fo", "o"), ("", "evil"), ("evil", ""), ("omm: x", "Tainted"), ("", "[    1.000000]"), ("a\\x0ab", "c")],
)
def test_trigger_name_with_line_end(first, second):
    """Such a name as dmesg writes it; its second line may look like one of another boot."""
    lines = [
        "[  108.500000] " + first,
        second + " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=3",
        "[  108.500000] CPU: 0 PID: 7 Comm: " + first,
        second + " Not tainted 6.1.0-26-amd64 #1",
        "[  108.600000] [      7]     0     7     1000      100    57344        0             3 " + first,
        second,
        "[  108.600000] Out of memory: Killed process 7 (" + first,
        second + ") total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    [event] = parse_events(parse_lines(lines))
    name = first + "\\x0a" + second
    assert event["trigger"] == {"name": name, "pid": 7, "oom_score_adj": 3, "gfp_mask": "0xcc0", "order": 0}
    assert ([victim["name"] for victim in event["victims"]], event["monotonic"], event["boot_index"]) == (
        [name],
        108.5,
        0,
    )


NAME_END = ") total-vm:4kB, anon-rss:3kB, file-rss:2kB"
SYSLOG = "Nov 23 04:43:46 host "
CUT = "Killed process 5 (x"


def journal_entry(message, transport):
    return json.dumps({"MESSAGE": message, "_TRANSPORT": transport})


# Lines, and the pid and name of each victim; a name that was cut is None.
NAMES_ON_LINES = {
    "two line ends": (["[1.0] Killed process 7 (a", "b", "c" + NAME_END], [(7, "a\\x0ab\\x0ac")]),
    "nothing but line ends": (["Killed process 7 ("] + [""] * 14 + [NAME_END], [(7, "\\x0a" * 15)]),
    "in the summary": (
        [summary(7).replace("=x,", "=a\nb\nc,"), KILL.replace("(x", "(a\nb\nc")],
        [(7, "a\\x0ab\\x0ac")],
    ),
    "like the end of a summary": (
        [summary(7).replace("=x,", "=x,pid=1,uid=0\n,"), KILL.replace("(x", "(x,pid=1,uid=0\n")],
        [(7, "x,pid=1,uid=0\\x0a")],
    ),
    "like the end of an old kill": (["Killed process 7 (a)", ")", "b" + NAME_END], [(7, "a)\\x0a)\\x0ab")]),
    "an old kill before another": (["Killed process 7 (a)", "Killed process 8 (b)"], [(7, "a"), (8, "b")]),
    "an old kill before a part": (["Killed process 7 (a)", "b", "c", KILL], [(7, "a"), (7, "x")]),
    "longer than a name can be": (["Killed process 7 ("] + [""] * 15 + [NAME_END], [(7, None)]),
    "a line longer than a name can be": (["Killed process 7 (a", "0123456789abcde" + NAME_END], [(7, None)]),
    "cut before the next victim's": ([CUT, KILL], [(5, None), (7, "x")]),
    "cut before the next victim's, which has a line end": (
        [CUT, "Killed process 7 (a", "b" + NAME_END],
        [(5, None), (7, "a\\x0ab")],
    ),
    "cut before the next summary": ([CUT, summary(7), KILL], [(5, None), (7, "x")]),
    "cut before what only looks like a summary": ([CUT, "oom-kill: no", "oom-kill: no", KILL], [(5, None), (7, "x")]),
    "cut before a report": ([CUT, HEADER, KILL], [(5, None), (7, "x")]),
    "made up in syslog, cut": ([SYSLOG + "mallory: " + CUT, SYSLOG + "kernel: " + KILL], [(5, None), (7, "x")]),
    "made up in syslog, seems to go on": ([SYSLOG + "mallory: " + CUT, SYSLOG + "kernel: y" + NAME_END], [(5, None)]),
    "made up in the journal, cut": (
        [journal_entry(CUT, "syslog"), journal_entry(KILL, "kernel")],
        [(5, None), (7, "x")],
    ),
    "made up in /dev/kmsg, cut": (["12,1,1,-;" + CUT, "3,2,2,-;" + KILL], [(5, None), (7, "x")]),
    "a name like a kill": (["Killed process 7 (", "Killed process" + NAME_END], [(7, "\\x0aKilled process")]),
    "a name like a row": (["Killed process 7 (", "[1] 1 1 1 x", NAME_END], [(7, "\\x0a[1] 1 1 1 x\\x0a")]),
}


@pytest.mark.parametrize("lines, victims", NAMES_ON_LINES.values(), ids=list(NAMES_ON_LINES))
def test_join_name(lines, victims):
    """Lines are joined up to the end of a victim's name and no further."""
    events = parse_events(parse_lines("\n".join(lines).split("\n")))
    assert [(victim["pid"], victim["name"]) for event in events for victim in event["victims"]] == victims


def test_join_one_writer():
    """Both lines of a message have one writer.

    The kernel's has a name with a line end, as dmesg --decode wrote it in a guest. A second line
    does not make a program's message trusted.
    """
    lines = [
        "kern  :warn  : [  108.5] x",
        "Killed proces invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
        "kern  :err   : [  108.6] Memory cgroup out of memory: Killed process 7 (x",
        "Killed proces) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
        "user  :err   : [  108.7] hello",
        "Out of memory: Killed process 8 (y) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    assert [
        (event["trusted"], [victim["name"] for victim in event["victims"]])
        for event in parse_events(parse_lines(lines))
    ] == [(True, ["x\\x0aKilled proces"]), (False, ["y"])]


def test_name_like_uptime():
    lines = [
        "[  108.523588] Memory cgroup out of memory: Killed process 7 (",
        "[    1.000000]) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    [event] = parse_events(parse_lines(lines))
    assert (event["victims"][0]["name"], event["monotonic"]) == ("\\x0a[    1.000000]", 108.523588)
