# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prefixes of unknown kinds: found by shape and by repetition, and powerless in a user's hands."""

import time

import pytest
from log_wrappings import WRAPPINGS

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


@pytest.mark.parametrize("stamp", ["", UPTIME, "May  6 11:12:13 node-3 kernel: "])
@pytest.mark.parametrize(
    "write",
    [
        lambda line: line.replace(" ", "\u00a0"),
        lambda line: line.replace("oom-", "oom\u2011").replace("-rss", "\u2013rss").replace("total-", "total\u2011"),
        lambda line: line.replace("_", "\\_"),
        lambda line: "".join("\\" + letter if letter in "_[]()*#" else letter for letter in line),
    ],
    ids=["hard blanks", "dashes", "LaTeX", "Markdown"],
)
def test_characters_of_a_markup(write, stamp):
    lines = [HEADER, "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0", SUMMARY, KILL]
    [event] = parse_events(parse_lines([write(stamp + line) for line in lines]))
    [victim] = event["victims"]
    assert (event["trigger"]["name"], event["trigger"]["pid"], event["memcg"]["path"]) == ("delta", 6320, "/q")
    assert (victim["pid"], victim["name"], victim["anon_rss_kb"], victim["uid"]) == (6311, "delta", 40960, 33)


@pytest.mark.parametrize("cut", [",oom_memcg", ",task_memcg", "/r,task", ",task=", ",pid"])
@pytest.mark.parametrize("stamp", [UPTIME, "May  6 11:12:13 node-3 kernel: "])
@pytest.mark.parametrize(
    "write",
    [str, lambda line: line.replace("_", "\\_"), lambda line: line.replace(" ", "\u00a0")],
    ids=["plain", "LaTeX", "hard blanks"],
)
def test_broken_summary_of_a_markup(write, cut, stamp):
    """A person broke it; the rest has the codes of the markup, too."""
    first, rest = SUMMARY.split(cut, 1)
    lines = [write(stamp + HEADER), write(stamp + first), write(cut + rest), write(stamp + KILL)]
    [event] = parse_events(parse_lines(lines))
    assert (event["memcg"]["path"], [one["cgroup"] for one in event["victims"]]) == ("/q", ["/q/r"])


@pytest.mark.parametrize("name", ["task\\[7", "gfp\\_mask", "oom\u2011x", "process\u00a07", "order=3D", "\\[7]"])
@pytest.mark.parametrize("stamp", [UPTIME, "May  6 11:12:13 node-3 kernel: "])
def test_names_like_characters_of_a_markup_stay(stamp, name):
    summary = SUMMARY.replace("/q/r", "/q/" + name).replace("delta", name)
    lines = [HEADER, summary, KILL.replace("delta", name).replace("Out", "Memory cgroup out")]
    [event] = parse_events(parse_lines([stamp + line for line in lines]))
    assert [(one["name"], one["cgroup"]) for one in event["victims"]] == [(name, "/q/" + name)]


@pytest.mark.parametrize("name", ["\\[", "\\_x", "\\[ 1] 0 1 1 1", "\\[7 x"])
def test_name_that_begins_a_line_like_a_markup_stays(name):
    """A name may hold a line feed; a log daemon makes two lines of such a message."""
    stamp = "Nov 23 04:43:46 host kernel: [   53.649733] "
    lines = [stamp + "Killed process 245 (", stamp + name + ") total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB"]
    [event] = parse_events(parse_lines(lines))
    assert [one["name"] for one in event["victims"]] == ["\\x0a" + name]


@pytest.mark.parametrize(
    "before",
    [
        "May  6 11:12:13 node-3 kernel: Out of memory: Kill process 12 (xyyyyyyyyyyyyyyyyyyyy",
        "[ 5120.000007] CPU: 1 is running hot, throttled now for a while, see log",
        "[ 5120.000007] oom_reaper: reaped process 7 (x), now anon-rss:0kB, file-rss:0kB",
    ],
)
@pytest.mark.parametrize("blank", ["\u00a0", "&nbsp;"])
@pytest.mark.parametrize("stamp", [UPTIME, "May  6 11:12:13 node-3 kernel: "])
def test_a_stamp_in_codes_begins_a_line(stamp, blank, before):
    lines = [(stamp + line).replace(" ", blank) for line in (HEADER, SUMMARY, KILL)]
    for written in (lines, lines[2:]):
        [event] = [one for one in parse_events(parse_lines([before, *written])) if one["victims"]]
        assert [one["pid"] for one in event["victims"]] == [6311]


def test_codes_behind_a_name_of_two_lines():
    first, rest = KILL.replace("delta", "my\n\\_task").split("\n")
    [event] = parse_events(parse_lines([UPTIME + HEADER, UPTIME + first, UPTIME + rest.replace("oom_s", "oom\\_s")]))
    [victim] = event["victims"]
    assert (victim["name"], victim["oom_score_adj"]) == ("my\\x0a_task", -5)


def test_a_summary_with_codes_does_not_continue_another_one():
    other = SUMMARY.replace("/q/r", "/q/s").replace("6311", "77").replace("_", "\\_")
    kill = KILL.replace("Out", "Memory cgroup out")
    lines = [HEADER, SUMMARY, kill, HEADER, other, kill.replace("6311", "77")]
    events = parse_events(parse_lines([UPTIME + line for line in lines]))
    assert [one["cgroup"] for event in events for one in event["victims"]] == ["/q/r", "/q/s"]


@pytest.mark.parametrize("odd", ["order=3D41", "gfp\\_m", "oom\u2011x"])
@pytest.mark.parametrize("path", ["/x", "/x: Killed process 1 ("])
def test_paths_that_go_on_in_the_next_record_keep_what_looks_like_codes(path, odd):
    summary = SUMMARY.partition("/q,")[0]
    lines = [HEADER, summary, f"{path},task_memcg=", f"{path}/{odd},task=delta,pid=6311,uid=33", KILL]
    [event] = parse_events(parse_lines([UPTIME + line for line in lines]))
    assert [one["cgroup"] for one in event["victims"]] == [f"{path}/{odd}"]


@pytest.mark.parametrize("odd", ["order=3D41", "gfp\\_m", "oom\u2011x"])
def test_limit_that_goes_on_in_the_next_record_keeps_what_looks_like_codes(odd):
    lines = [HEADER, f"Task in /q/{odd} killed as a result of limit of ", f"/q/{odd}", OLD_KILL]
    [event] = parse_events(parse_lines([UPTIME + line for line in lines]))
    assert event["memcg"]["path"] == f"/q/{odd}"


# A name may hold a line feed, at any place; no task has a longer one than 15 bytes.
_ODD = ["\\[", "\\_x", "\\[ 1] 0 1 1", "\\[7 x", "\\[7\\]", "\\[ 7\\] 8", "\\[pid\\]", "order=3D", "order=3D41"]
_ODD += ["gfp\\_mask", "task\\[7", "mems\\_", "oom\u2011x", "anon\u2013x", "process\u00a07", "a\u00a0b", "a&nbsp;b"]
_PLACES = ["\n%s", "a\n%s", "%s\n", "%s\nb", "%s\n%s", "a)\n%s", "a\n\n%s"]
_BROKEN_NAMES = [place.replace("%s", odd) for odd in _ODD for place in _PLACES]
_BROKEN_NAMES = [name for name in _BROKEN_NAMES if len(name.encode()) <= 15] + [",task=\n&nbsp;"]


@pytest.mark.parametrize("name", _BROKEN_NAMES)
@pytest.mark.parametrize("has_summary", [False, True])
@pytest.mark.parametrize("stamp", ["", UPTIME, "Nov 23 04:43:46 host kernel: [   53.649733] "])
def test_name_of_two_lines_like_characters_of_a_markup_stays(stamp, has_summary, name):
    """A log daemon makes two lines of a message with such a name."""
    messages = [SUMMARY, KILL] if has_summary else [KILL]
    lines = [stamp + line for message in messages for line in message.replace("delta", name).split("\n")]
    [event] = parse_events(parse_lines(lines))
    assert [one["name"] for one in event["victims"]] == [name.replace("\n", "\\x0a")]


@pytest.mark.parametrize("before", ["{noformat}", "[CODE]", "<pre><code>", "kern.log:7:", "['", "web-1  | "])
def test_header_of_a_kworker(before):
    """The name of such a task has a slash and a colon, which are no end of a prefix."""
    name = "kworker/u8:3"
    lines = [
        UPTIME + line.replace("delta", name) for line in (HEADER, "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0")
    ]
    [event] = parse_events(parse_lines([before + lines[0], lines[1], UPTIME + KILL]))
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == (name, 6320)


@pytest.mark.parametrize("before", ["{code:java}", "- '", "['", "7 "])
def test_prefix_of_a_short_name(before):
    """With the prefix it is still no longer than a name can be: the trigger's line decides."""
    lines = [before + HEADER.replace("delta", "sh"), "CPU: 1 PID: 6320 Comm: sh Not tainted 6.1.0", KILL]
    [event] = parse_events(parse_lines(lines))
    assert (event["trigger"]["name"], event["trigger"]["pid"]) == ("sh", 6320)


@pytest.mark.parametrize("stamp", ["", UPTIME, "May  6 11:12:13 node-3 kernel: "])
def test_context_of_grep(stamp):
    """grep -C -n writes colons around the number of a found line, and dashes around others."""
    lines = [HEADER, "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0", "memory: usage 8kB, limit 8kB, failcnt 7"]
    lines.append(KILL.replace("Out", "Memory cgroup out"))
    marks = [":", "-", "-", ":"]
    [event] = parse_events(parse_lines([f"x.txt{mark}7{mark}{stamp}{line}" for mark, line in zip(marks, lines)]))
    assert (event["trigger"]["name"], event["trigger"]["pid"], event["memcg"]["limit_kb"]) == ("delta", 6320, 8)


def test_a_quote_behind_a_learned_prefix():
    """YAML quotes only the strings that need it."""
    lines = ["  - '" + HEADER + "'", "  - " + SUMMARY, "  - '" + KILL + "'"]
    [event] = parse_events(parse_lines(lines))
    assert [(one["pid"], one["anon_rss_kb"]) for one in event["victims"]] == [(6311, 40960)]


@pytest.mark.parametrize(
    "write", [lambda text: text.replace(" ", "&nbsp;"), lambda text: text.replace("  ", " &nbsp;")]
)
def test_blanks_of_html(write):
    header = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    lines = [HEADER, header, "[   6311]    33  6311     20480    10496    45056        0            -5 delta", KILL]
    [event] = parse_events(parse_lines([write(UPTIME + line) + "<br>" for line in lines]), tasks=True)
    assert ([task["name"] for task in event["tasks"]], event["victims"][0]["anon_rss_kb"]) == (["delta"], 40960)
    assert victims(["> " + write(UPTIME + KILL)]) == [[6311]]


def test_killers_behind_a_prefix():
    sigterm = 'sending SIGTERM to process 6311 uid 33 "delta": oom_score 77, VmRSS 40 MiB, cmdline "x"'
    assert victims(["    'earlyoom[7]: " + sigterm + "',"]) == [[6311]]
    for before in ("    [ 5120.000007] ", "  \u2514 May 06 11:12:13 node-3 "):
        [event] = parse_events(
            parse_lines([before + "systemd-oomd[7]: Killed /q/r due to memory pressure for /q being 90% > 80%"])
        )
        assert (event["killer"], event["memcg"]["path"]) == ("systemd-oomd", "/q/r")


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
    assert victims([before + HEADER, before + OLD_KILL]) == victims(["node | " + UPTIME + OLD_KILL]) == [[6311]]
    assert victims([before + OLD_KILL, before + OLD_KILL.replace("6311", "6312")]) == [[6311], [6312]]


@pytest.mark.parametrize("stamp", ["", UPTIME, "May  6 11:12:13 node-3 kernel: "])
def test_fields_that_repeat_a_message(stamp):
    """As rsyslog writes all properties of a message (RSYSLOG_DebugFormat)."""
    lines = []
    for text in (HEADER, SUMMARY, KILL):
        lines += ["Debug line with all properties:", "syslogtag 'kernel:', programname: 'kernel', PROCID: '-',"]
        lines += [
            f"msg: ' {stamp}{text}'",
            f"escaped msg: ' {stamp}{text}'",
            f"inputname: imklog rawmsg: '<4>{stamp}{text}'",
        ]
    [event] = parse_events(parse_lines(lines))
    assert (event["outcome"], event["trigger"]["name"], [one["pid"] for one in event["victims"]]) == (
        "kill",
        "delta",
        [6311],
    )
    other = KILL.replace("6311", "6312")
    assert victims([f"a | {KILL}", f"b - {other}"]) == [[6311], [6312]]


@pytest.mark.parametrize("before", ["node-3 | mallory[7]: ", "node-3 | ", "msg: ' mallory[7]: "])
def test_no_line_of_a_program_hides_its_copy(before):
    for true in ("node-3 | " + UPTIME, UPTIME, "May  6 11:12:13 node-3 kernel: "):
        events = parse_events(parse_lines([before + KILL, true + KILL]))
        assert [event["victims"][0]["pid"] for event in events if event["trusted"] is None][:1] == [6311]


def test_a_line_that_a_terminal_broke_has_no_prefix():
    lines = ["[ 5120.000007] Memory cgroup out of mem", "ory: Killed process 6311 (delta) total-vm"]
    assert [record.text for record in unwrap_records(parse_lines(lines))][1] == lines[1]


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
        "cgroup: fork rejected by pids controller in /x source=/var/log/messages May  6 11:12:13 x kernel: " + KILL,
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
        "node-3 | mallory[7]: hello " + KILL,
        "node-3 | mallory[7]: " + UPTIME + KILL,
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


@pytest.mark.parametrize("behind", ["{code}", "<br>", "\\n", '"', " | t", "\tx 7"])
def test_a_suffix_is_learned_for_a_report(behind):
    """A line that ends with a path or a name does not show where it ends."""
    header = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    lines = [HEADER, "Task in /q/r killed as a result of limit of /q", header]
    lines += ["[   6311]    33  6311     20480    10496    45056        0            -5 delta", OLD_KILL]
    [event] = parse_events(parse_lines([UPTIME + line + behind for line in lines]), tasks=True)
    assert (event["memcg"], event["victims"][0]["cgroup"]) == (None, "/q/r") or event["memcg"]["path"] == "/q"
    assert [task["name"] for task in event["tasks"]] == ["delta"]
    assert [(one["pid"], one["name"], one["cgroup"]) for one in event["victims"]] == [(6311, "delta", "/q/r")]


def test_no_suffix_of_a_name():
    """Words in the name of a cgroup or a task teach no suffix, and a whole message ends one."""
    limit = "Task in /q{0}/r killed as a result of limit of /q{0}"
    for name in (
        " invoked oom-killer: order=0<br>",
        "oom-kill:constraint=CONSTRAINT_MEMCG,uid=7<br>",
        OLD_KILL + "<br>",
    ):
        lines = [HEADER, limit.replace("{0}", name), KILL.replace("Out", "Memory cgroup out")]
        [event] = parse_events(parse_lines([UPTIME + line for line in lines]))
        assert event["memcg"]["path"] == "/q" + name
    lines = [HEADER + "<br>", HEADER, limit.replace("{0}", "<br>"), KILL.replace("Out", "Memory cgroup out")]
    events = parse_events(parse_lines([UPTIME + line for line in lines]))
    assert events[-1]["memcg"]["path"] == "/q<br>"
    lines = [HEADER, OLD_KILL.replace("delta", "x-rss:3kB<br>")]
    [event] = parse_events(parse_lines([UPTIME + line for line in lines]))
    assert event["victims"][0]["name"] == "x-rss:3kB<br>"


def test_no_suffix_of_a_name_with_a_line_end():
    lines = [SYSLOG + "kernel: " + UPTIME + line for line in ("Killed process 7 (a)'", "b) total-vm:4kB, anon-rss:3kB")]
    [event] = parse_events(parse_lines(lines))
    assert [(one["name"], one["anon_rss_kb"]) for one in event["victims"]] == [("a)'\\x0ab", 3)]


def test_no_suffix_of_a_summary_that_is_cut():
    """With a line end in the task's name, what looks like its end is in the cgroup's."""
    cgroup = "/q,task=x,pid=1,uid=0(/r"
    first = SUMMARY.replace("/q/r", cgroup).replace("delta,pid=6311,uid=33", "a")
    lines = [SYSLOG + "kernel: " + UPTIME + line for line in (first, "b,pid=6311,uid=33")]
    [event] = parse_events(parse_lines(lines))
    assert (event["victims"][0]["pid"], event["victims"][0]["uid"]) == (6311, 33)


def test_other_forms_have_not_learned_a_suffix():
    lines = [HEADER + "<br>", SYSLOG + "kernel: Task in /q killed as a result of limit of /q<br>"]
    events = parse_events(parse_lines([*lines, SYSLOG + "kernel: Memory cgroup o" + KILL[1:]]))
    assert events[-1]["memcg"]["path"] == "/q<br>"


MAIL = """\
alpha invoked oom-killer: gfp_mask=3D0xcc0(GFP_KERNEL), order=3D0, oom_scor=
e_adj=3D-5
> [ 5120.000007] oom-kill:constraint=3DCONSTRAINT_MEMCG,nodemask=3D(null),c=
puset=3D/,mems_allowed=3D0,oom_memcg=3D/q,task_memcg=3D/q/r,task=3Ddelta,pi=
d=3D6311,uid=3D33
> |[ 5120.000008] Memory cgroup out of memory: Killed process 6311 (delta) =
total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB"""


def test_quoted_printable():
    """RFC 2045: a mail program breaks lines at an equals sign, and writes others as =3D."""
    [event] = parse_events(parse_lines(MAIL.split("\n")))
    assert (event["trigger"]["name"], event["trigger"]["oom_score_adj"]) == ("alpha", -5)
    [victim] = event["victims"]
    assert (event["memcg"]["path"], victim["cgroup"], victim["anon_rss_kb"]) == ("/q", "/q/r", 40960)


@pytest.mark.parametrize("first", ["x" * 45 + "=", "mallory[7]: " + "x" * 34 + "=", "kernel: /" + "x" * 37 + "="])
def test_no_line_that_ends_so_hides_a_kill(first):
    for before, line in ((SYSLOG, SYSLOG + "kernel: " + KILL), ("x" * 25 + " ", KILL)):
        assert victims([(before + first)[-76:], line])[-1:] == [[6311]]


SECOND_HAND = [
    '{"kind":"Event","reason":"OOMKilling","message":"' + KILL + '"}',
    "3m  Warning  OOMKilling  node/node-3  " + KILL,
    "I0506 11:12:13.000001 1 log_monitor.go:160] Found: " + KILL,
    "I0506 11:12:13.000001 1 log_monitor.go:160] New status: {kernel-monitor Message:" + KILL + "}",
    'type: "Warning" reason: "SystemOOM" ' + KILL,
    "System OOM encountered, victim process: delta, pid: 6311",
    '  involvedObject:\n    kind: Node\n  kind: Event\n  message: "' + KILL + '"\n  reason: OOMKilling',
    '"involvedObject": {\n"kind": "Node"\n},\n"reason": "OOMKilling",\n"message": "' + KILL + '",',
]


@pytest.mark.parametrize("line", SECOND_HAND)
def test_reports_of_other_programs_are_not_counted(line):
    assert victims(line.split("\n")) == []


def test_an_event_of_kubernetes_hides_no_line_of_the_kernel():
    lines = ["kind: Event", UPTIME + KILL, "message: " + KILL.replace("6311", "6312"), KILL.replace("6311", "6313")]
    assert victims(lines) == [[6311], [6313]]
    assert victims(["kind: Event", *["x"] * 20, 'message: "' + KILL + '"']) == [[6311]]


@pytest.mark.parametrize("before", ["x[1] ", "x ", "\t"])
def test_every_record_comes_out_once(before):
    """Lines that wait for a second message are bounded, and leave in their order."""
    texts = [before + HEADER, *(f"line {number}" for number in range(100)), before + HEADER]
    records = [Record(text) for text in texts]
    assert [record.text for record in unwrap_records(records)] == texts


def measure(lines):
    begun = time.process_time()
    list(unwrap_records([Record(line, raw=line, bare=True) for line in lines]))
    return time.process_time() - begun


@pytest.mark.parametrize("part", ["\u00a0", "\u00a0-", "\\_", "=3D", "%", "\u2011"])
def test_twice_the_length_takes_twice_the_time(part):
    once = min(measure([part * (2000 // len(part))] * 50) for _turn in range(3))
    assert min(measure([part * (4000 // len(part))] * 50) for _turn in range(3)) < 3 * once + 0.05


@pytest.mark.parametrize(
    "line",
    ["{0} | " + HEADER, "{0} " + KILL, "a b " * 60 + "{0} Killed process 7 (x)", "[(<" * 60 + "{0}" + KILL, '"' * 4000],
)
def test_twice_the_lines_take_twice_the_time(line):
    lines = [line.replace("{0}", str(number)) for number in range(2000)]
    once = min(measure(lines[:1000]) for _turn in range(3))
    assert min(measure(lines) for _turn in range(3)) < 4 * once + 0.1
