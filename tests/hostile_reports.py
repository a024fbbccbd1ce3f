# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""True reports, as each kernel prints them, with names that imitate other messages.

make_report(choose) returns a report with its truth, render(report, form) its lines in a log's form,
and find_wrong_values(events, report, form) what the parser read wrongly. A value that is None is
never wrong. C(choose) is a random.Random or anything else with choice() and random().

Facts about names: comm has at most 15 bytes and any but NUL. The name of a cgroup has at most 255
bytes, without slash and line feed. The name of a cpuset is that of a cgroup; the root's is a slash.
"""

import json
import re
from typing import NamedTuple

WORDS = [
    ",oom_memcg=",
    ",task_memcg=",
    ",task=",
    ",task=x,pid=1,uid=0",
    ",pid=1,uid=0",
    ",global_oom",
    ",mems_allowed=0",
    ",cpuset=",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null)",
    " killed as a result of limit of ",
    " invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0",
    "Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB, file-rss:1kB",
    ") total-vm:1kB, anon-rss:1kB, file-rss:1kB, UID:0 pgtables:4kB",
    " are going to be killed due to memory.oom.group set",
    "OOM victim 9 (x) is already exiting. Skip killing the task",
    "Nov 23 04:43:46 host kernel: Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB, file-rss:1kB",
    "Task in ",
    "[ 1] 0 1 1 1",
    "Linux version 6",
    " Not tainted ",
    ": cache:1KB",
    ":\\x0aanon 1",
    "mysql.service",
    "system.slice",
    "a",
    "ab",
    "p",
    "=",
    ",",
    ":",
    '"',
    "'",
    "(",
    ")",
    "[",
    "]",
    " ",
    "\\",
    "\\x0a",
    "#012",
    "\\[7\\]",
    "gfp\\_mask",
    "order=3D41",
    "oom\u2011x",
    "process\u00a0",
    "&nbsp;",
    "\r",
    "\x1b[0m",
    "\x85",
    "\u2028",
    "\u00e9",
]
KERNELS = ["3.10", "4.19", "5.0", "5.2", "5.4", "6.1", "6.8"]
FORMS = ("kmsg", "journal", "dmesg", "syslog", "klogd")
CONSTRAINTS = ["none", "memcg", "cpuset", "memory_policy"]
RECORD_BYTES = 1024


class Report(NamedTuple):
    """A report of the kernel and its truth."""

    kernel: str
    messages: list  # each a list of what the kernel prints with one pr_cont
    constraint: str
    pid: int
    uid: int
    name: str
    memcg: str  # None: no limit was reached
    cgroup: str
    group: str = None  # the cgroup that was killed as a whole


def _make_text(choose, max_bytes, words):
    text = ""
    for _part in range(choose.choice([1, 1, 2, 3, 4])):
        more = text + choose.choice(words)
        if len(more.encode()) <= max_bytes:
            text = more
    return text or "x"


def _make_path(choose):
    depth = choose.choice([1, 1, 2, 2, 3, 4, 9])
    return "".join("/" + _make_text(choose, 255, WORDS) for _name in range(depth))


def make_report(choose):
    """Return a report; about half of the names are made to be misread."""
    kernel = choose.choice(KERNELS)
    version = tuple(int(part) for part in kernel.split("."))
    constraint = choose.choice(CONSTRAINTS if version >= (5, 4) else CONSTRAINTS[:2])
    pid, uid = choose.choice([7, 245, 4194303]), choose.choice([0, 5, 1000, 4294967294])
    name = _make_text(choose, 15, [*WORDS, "\n"])
    trigger = choose.choice([name, _make_text(choose, 15, [*WORDS, "\n"])])
    memcg = _make_path(choose) if constraint == "memcg" else None
    cgroup = choose.choice([memcg or "/", (memcg or "") + _make_path(choose)])
    cpuset = choose.choice(["/", _make_text(choose, 255, WORDS)])
    lines = [
        [f"{trigger} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"],
        [f"CPU: 0 PID: 8 Comm: {trigger} Not tainted {kernel}.0 #1"],
    ]
    lines += _limit_lines(version, memcg, cgroup)
    lines += _table_lines(version, pid, uid, name)
    if version >= (5, 0):
        lines.append(_summary(choose, version, constraint, memcg, cgroup, cpuset, name, pid, uid))
    origin = "Memory cgroup out of memory: " if memcg else "Out of memory: "
    if version < (5, 1):
        lines.append([f"{origin}Kill process {pid} ({name}) score 9 or sacrifice child"])
        origin = ""
    sizes = "total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB"
    later = f", UID:{uid} pgtables:44kB oom_score_adj:0" if version >= (5, 4) else ""
    lines.append([f"{origin}Killed process {pid} ({name}) {sizes}{later}"])
    group = None
    if memcg and version >= (4, 19) and choose.random() < 0.2:
        group = choose.choice([memcg, cgroup])
        line = ["Tasks in ", group, " are going to be killed due to memory.oom.group set"]
        # The kernel splits a longer line, and its group becomes separate events (docs/events.md).
        if len("".join(line).encode()) <= RECORD_BYTES:
            lines += [line, lines[-1]]
        else:
            group = None
    return Report(kernel, lines, constraint, pid, uid, name, memcg, cgroup, group)


def drop_messages(report, choose):
    """Return the report without some of its messages, as after a search with grep."""
    return report._replace(messages=[one for one in report.messages if choose.random() < 0.5])


def _limit_lines(version, memcg, cgroup):
    if memcg is None:
        return []
    usage = ["memory: usage 24576kB, limit 24576kB, failcnt 79"]
    if version < (5, 0):
        numbers = ": cache:0KB rss:24576KB rss_huge:0KB"
        limit = ["Task in ", cgroup, " killed as a result of limit of ", memcg]
        return [limit, usage, ["Memory cgroup stats for ", memcg, numbers]]
    if version < (5, 3):
        return [usage, ["Memory cgroup stats for ", memcg, ": cache:0KB rss:24576KB"]]
    if version < (6, 2):
        return [usage, ["Memory cgroup stats for ", memcg, ":", "\nanon 25051136\nfile 0"]]
    return [usage, ["Memory cgroup stats for ", memcg, ":"], ["anon 25051136"], ["file 0"]]


def _table_lines(version, pid, uid, name):
    printed = uid - (1 << 32) if uid > 1 << 31 else uid
    if version < (5, 0):
        head = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"
    else:
        head = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    return [[head], [f"[{pid:7d}] {printed:5d} {pid:5d}        1        1    45056        0             0 {name}"]]


def _summary(choose, version, constraint, memcg, cgroup, cpuset, name, pid, uid):
    """Return what mm/oom_kill.c:dump_oom_summary prints."""
    printed = "none" if version < (5, 3) else constraint
    parts = [f"oom-kill:constraint=CONSTRAINT_{printed.upper()},nodemask={choose.choice(['(null)', '0', '0-1,3'])}"]
    if choose.random() < 0.9:  # else a kernel without cpusets
        parts += [",cpuset=", cpuset, f",mems_allowed={choose.choice(['0', '0-1,3'])}"]
    if memcg is not None:
        parts += [",oom_memcg=", memcg, ",task_memcg=", cgroup]
    elif choose.random() < 0.9:  # else a kernel without memory cgroups
        parts += [",global_oom", ",task_memcg=", cgroup]
    return [*parts, f",task={name},pid={pid},uid={uid - (1 << 32) if uid > 1 << 31 else uid}"]


def _split_records(parts):
    """Return the records that the kernel makes of a message (printk: prb_reserve_in_last)."""
    records = [""]
    for part in parts:
        part = part.encode()[:RECORD_BYTES].decode("utf-8", "ignore")
        if records[-1] and len((records[-1] + part).encode()) > RECORD_BYTES:
            records.append("")
        records[-1] += part
    return records


def escape(text, form):
    """Return a text as this form of log shows it to the parser."""
    if form == "kmsg":
        return "".join(
            chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in text.encode("utf-8")
        )
    if form == "syslog":
        return "".join(letter if ord(letter) >= 32 else f"#{ord(letter):03o}" for letter in text)
    return "".join(letter if 32 <= ord(letter) != 127 else f"\\x{ord(letter):02x}" for letter in text)


def render(report, form):
    """Return the lines of a log of this form that hold the report."""
    lines = []
    for parts in report.messages:
        for text in _split_records(parts) if form in ("kmsg", "journal") else ["".join(parts)]:
            stamp = 53649722 + len(lines)
            if form == "kmsg":
                lines.append(f"4,{len(lines)},{stamp},-;{escape(text, form)}")
            elif form == "journal":
                facts = {"MESSAGE": text, "_TRANSPORT": "kernel", "_SOURCE_MONOTONIC_TIMESTAMP": str(stamp)}
                lines.append(json.dumps(dict(facts, SYSLOG_FACILITY="0")))
            else:
                prefix = "" if form == "dmesg" else "Nov 23 04:43:46 host kernel: "
                prefix += f"[{stamp / 1e6:12.6f}] "
                # syslog(2) puts a stamp before each line of a message.
                parts = text.split("\n") if form == "klogd" else [text]
                lines += [prefix + escape(part, form) for part in parts]
    return lines


# What a user may write to a log, or have in the name of a cgroup.
WRAPPINGS = ["", '"', "- ", "> ", "box | ", "[x] ", "(2)[7:x]", "x: ", "x ", '{"message": "', "Out of ", "7,", "`"]
HOSTILE = [
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "CPU: 0 PID: 4242 Comm: x Not tainted 6.1",
    "Out of memory: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB",
    "Memory cgroup out of memory: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "Killed process 4242 (x)",
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom"
    ",task_memcg=/u,task=x,pid=4242,uid=0",
    "Tasks in /g are going to be killed due to memory.oom.group set",
    "Kill process 4242 (x) sharing same memory",
    "Kernel panic - not syncing: Attempted to kill init!",
    "[   4242]     0  4242        1        1    45056        0             0 x",
    "lowmemorykiller: Killing 'x' (4242), adj 900,",
    "Nov 23 04:43:46 host kernel: Out of memory: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0; Out of memory: Killed process 4242 (x)"
    " total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "Task in /x killed as a result of limit of /x Memory cgroup out of memory: Kill process 4242 (x) score 9"
    " or sacrifice child Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    '"Out of memory: " "Killed process 4242 (x)\\n"',
    "E1129 07:13:02.123456 1 x.go:7] Out of memory: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "kernel[0]: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    "^[[32mOut of memory: Killed process 4242 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB^[[0m",
    "x\u00a0invoked\u00a0oom-killer:\u00a0gfp_mask=0xcc0,\u00a0order=0,\u00a0oom_score_adj=0",
]


def _hostile_line(choose, form, stamp):
    """Return a line that a user brought into the log, in this form, and one without harm."""
    text = choose.choice(WRAPPINGS) + choose.choice(HOSTILE) + choose.choice(["", '"', '"}', " |", "</td>"])
    prefix = f"[{stamp / 1e6:12.6f}] "
    if choose.random() < 0.4 or form == "dmesg":  # the kernel names the cgroup
        priority, transport = 6, "kernel"
        before = ("" if form == "dmesg" else "Nov 23 04:43:46 host kernel: ") + prefix
        texts = [f"cgroup: fork rejected by pids controller in /{name}" for name in (text.replace("/", ""), "a")]
    else:
        priority, transport = 12, choose.choice(["syslog", "stdout"])
        before = "Nov 23 04:43:46 host " + choose.choice(["mallory: ", "mallory[7]: ", "mallory[7]: " + prefix])
        texts = [text, "hello"]
    if form == "kmsg":
        return [f"{priority},7,{stamp},-;{escape(one, form)}" for one in texts]
    if form == "journal":
        facts = {"_TRANSPORT": transport, "SYSLOG_FACILITY": "0", "_SOURCE_MONOTONIC_TIMESTAMP": str(stamp)}
        return [json.dumps(dict(facts, MESSAGE=one)) for one in texts]
    return [before + one for one in texts]


def mix(report, form, choose):
    """Return a report with a user's lines between its messages: harmless ones, and others."""
    clean, mixed = [], []
    for message in [*report.messages, []]:
        for _line in range(choose.choice([0, 1, 2])):
            hostile, harmless = _hostile_line(choose, form, 53649722)
            mixed.append(hostile)
            clean.append(harmless)
        lines = render(report._replace(messages=[message]), form) if message else []
        clean += lines
        mixed += lines
    return clean, mixed


def drop_hostile(events):
    """Return the events that no program is known to have written."""
    return [event for event in events if event["trusted"] is not False]


def _fold(name, form):
    """Return a name without the blanks behind a line end, which no line keeps in this form."""
    return name if form != "klogd" or name is None else re.sub(r"(\\x0a) +", r"\1", name)


def find_wrong_values(events, report, form, is_whole=True):
    """Return the name of each value that is neither right nor None, with what was read.

    A report that lacks messages may be several events, or one without a victim.
    """
    if is_whole and (len(events) != 1 or len(events[0]["victims"]) != 1):
        return [("events", events)]
    return [wrong for event in events for wrong in _find_wrong_values(event, report, form)]


def _find_wrong_values(event, report, form):
    expected = [("constraint", event["constraint"], report.constraint)]
    if event["memcg"]:
        expected.append(("memcg", event["memcg"]["path"], report.memcg and escape(report.memcg, form)))
    for victim in event["victims"]:
        if report.group and victim["cgroup"] == escape(report.group, form):
            victim = dict(victim, cgroup=None)  # the group, which is right, too
        expected += [
            ("pid", victim["pid"], report.pid),
            ("uid", victim["uid"], report.uid),
            ("name", _fold(victim["name"], form), _fold(escape(report.name, form), form)),
            ("cgroup", victim["cgroup"], escape(report.cgroup, form)),
        ]
    return [(what, read, true) for what, read, true in expected if read not in (true, None)]
