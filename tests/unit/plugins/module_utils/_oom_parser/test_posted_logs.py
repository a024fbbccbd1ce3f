# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of text that people post: cut by hand, quoted, wrapped, damaged; and what is no kill.

Each case has a text, and what is read of it: outcome and victims of each event.
"""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

SIZES = "total-vm:81920kB, anon-rss:40960kB, file-rss:1024kB, shmem-rss:0kB"
KILL = f"Out of memory: Killed process 6311 (delta) {SIZES}, UID:33 pgtables:192kB oom_score_adj:-5"
MEMCG_KILL = (
    f"Memory cgroup out of memory: Killed process {{0}} ({{1}}) {SIZES}, UID:33 pgtables:192kB oom_score_adj:-5"
)
GROUP = "Tasks in /q are going to be killed due to memory.oom.group set"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/q,task_memcg=/q/r"
    ",task=delta,pid=6311,uid=33"
)
INIT_PANIC = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009"
SYSLOG = "May  6 11:12:13 node-3 kernel: "

# The text, and for each event its outcome and its victims: pid, name, anon-rss, score.
CASES = {
    "openSUSE": (
        f"<0.4> 2026-05-06 11:12:13 node-3 kernel - - - [ 5120.000007] {KILL}",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "shared memory": (
        f"[9.000001] Out of memory: Kill process 6311 (delta) score 77 or sacrifice child\n"
        f"[9.000002] Killed process 6311 (delta) {SIZES}\n[12.0] Kill process 6312 (delta-io) sharing same memory\n"
        "[12.1] Kill process 6313 (delta-net) sharing same memory",
        [("kill", [(6311, "delta", 40960, 77), (6312, "delta-io", None, None), (6313, "delta-net", None, None)])],
    ),
    "an announcement and a kill in one line, with stamps of another width": (
        f"[ 123.456789] Out of memory: Kill process 6311 (delta) score 77 or sacrifice child [ 123.456795] Killed"
        f" process 6311 (delta) {SIZES}",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "an announcement and a kill in one line, without stamps": (
        f"Out of memory: Kill process 6311 (delta) score 77 or sacrifice childKilled process 6311 (delta) {SIZES}",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "an announcement without a blank": (
        "Out of memory: Kill process 6311(delta) score 77 or sacrifice child",
        [("incomplete", [])],
    ),
    "a host without a stamp": (
        "node-3 kernel: Out of Memory: Killed process 6311 (delta)",
        [("kill", [(6311, "delta", None, None)])],
    ),
    "a host without a stamp, with its announcement alone": (
        "node-3 kernel: Out of memory: Kill process 6311 (delta) score 77 or sacrifice child",
        [("incomplete", [])],
    ),
    "a panic without its dots": (
        "Kernel panic - not syncing: Out of memory and no killable processes",
        [("panic", [])],
    ),
    "shared memory alone": (
        "[9.0] Kill process 6312 (delta-io) sharing same memory",
        [("kill", [(6312, "delta-io", None, None)])],
    ),
    "a group without its line": (
        f"[8.000001] {SUMMARY}\n[8.000002] {MEMCG_KILL.format(6311, 'delta')}\n"
        f"[8.000003] {MEMCG_KILL.format(6312, 'echo')}\n[8.000004] {MEMCG_KILL.format(6311, 'delta')}\n"
        f"[8.000005] {MEMCG_KILL.format(6313, 'foxtrot')}",
        [("group_kill", [(6311, "delta", 40960, None), (6312, "echo", 40960, None), (6313, "foxtrot", 40960, None)])],
    ),
    "a group without its line, by the second": (
        "\n".join(SYSLOG + MEMCG_KILL.format(*one) for one in [(6311, "delta"), (6312, "echo"), (6311, "delta")]),
        [("group_kill", [(6311, "delta", 40960, None), (6312, "echo", 40960, None)])],
    ),
    "no group: too late": (
        f"[8.0] {MEMCG_KILL.format(6311, 'delta')}\n[8.5] {MEMCG_KILL.format(6312, 'echo')}\n"
        f"[9.4] {MEMCG_KILL.format(6311, 'delta')}",
        [("kill", [(pid, name, 40960, None)]) for pid, name in [(6311, "delta"), (6312, "echo"), (6311, "delta")]],
    ),
    "init died of it": (
        f"[8.1] Out of memory: Killed process 1 (init) {SIZES}\n[8.3] {INIT_PANIC}",
        [("panic", [(1, "init", 40960, None)])],
    ),
    "init died with its group": (
        f"[8.1] {MEMCG_KILL.format(6311, 'delta')}\n[8.2] {GROUP}\n"
        f"[8.3] {MEMCG_KILL.format(1, 'init')}\n[8.4] {INIT_PANIC}",
        [("panic", [(6311, "delta", 40960, None), (1, "init", 40960, None)])],
    ),
    "init died of something else": (f"[8.1] {KILL}\n[8.3] {INIT_PANIC}", [("kill", [(6311, "delta", 40960, None)])]),
    "init died without a kill": (INIT_PANIC, []),
    "wrapped, then quoted": (
        ">>> [  710.100001] gamma invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n"
        ">>> [  710.100002] Memory cgroup out of memory: Kill process 6311 (delta)\n>>> score 77 or sacrifice child\n"
        ">>> [  710.100003] Killed process 6311 (delta) total-vm:81920kB,\n>>> anon-rss:40960kB, file-rss:1024kB",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "indented": (
        f"{SYSLOG}Out of memory: Killed process 6311\n (delta) total-vm:81920kB, anon-rss:40960kB,\n file-rss:1024kB",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "indented sizes": (
        f"{SYSLOG}Out of memory: Killed process 6311 (delta)\n    {SIZES}",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "a row broken inside its blanks": (
        "> [ 7.200001] [ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds\n> swapents oom_score_adj name\n"
        "> [ 7.200002] [ 6311]    33  6310    20480    10496       6       0\n>    0             5 delta\n"
        "> [ 7.200004] Killed process 6311 (delta) total-vm:81920kB,\n> anon-rss:40960kB, file-rss:0kB",
        [("kill", [(6310, "delta", 40960, None)])],
    ),
    "lines run together": (
        f"{SYSLOG}eth0: link up {SYSLOG}{KILL} {SYSLOG}{KILL.replace('6311', '6312')}",
        [("kill", [(6311, "delta", 40960, None)]), ("kill", [(6312, "delta", 40960, None)])],
    ),
    "cut names": (
        "[1.0] Out of memory: Killed process 6311 (delta) ...\n"
        "[99.0] Out of memory: Killed process 6312 (echo) [snip]\n"
        "[199.0] Out of memory: Killed process 6313 (foxtrot) anon-rss:40960kB",
        [
            ("kill", [(6311, "delta", None, None)]),
            ("kill", [(6312, "echo", None, None)]),
            ("kill", [(6313, "foxtrot", 40960, None)]),
        ],
    ),
    "a cut summary": (
        "oom-kill:constraint=CONSTRAINT_MEMCG,task=delta,pid=6311,uid=33",
        [("kill", [(6311, "delta", None, None)])],
    ),
    "one in brackets behind": (
        "[9] Out of memory: Killed process 6311 (delta) anon-rss:40960kB (~0.04 GiB)",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "typed": (
        "[9.0] Out of memory: Kill process 6311 (delta) score 77\n"
        "[9.1] Killed process 6311 (delta) total-vm: 81920 kB, anon-rss: 40960K, file-rss:0kB",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "an old kill without its end": (
        "[9.1] Killed process 6311 (delta-foxtrot) vsz:81920kB\nanon-rss:40960kB, file-rss:2764kB lowmem 0kB",
        [("kill", [(6311, "delta-foxtrot", 40960, None)])],
    ),
    "broken before the score": (
        f"[9.0] Memory cgroup out of memory: Kill process 6311 (delta)\n   score 77 or sacrifice child\n"
        f"[9.1] Killed process\n   6311 (delta)\n   {SIZES}",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "broken behind the score": (
        f"[9.0] Out of memory:\n  Kill process 6311 (delta) score 77\n  or sacrifice child\n[9.1] Killed process 6311"
        f" (delta) {SIZES}",
        [("kill", [(6311, "delta", 40960, 77)])],
    ),
    "broken in the origin": (f"Memory cgroup out of\n  {KILL[7:]}", [("kill", [(6311, "delta", 40960, None)])]),
    "cut at the edge of a screen": (
        "[1.0] Out of memory: Killed process 6311 (delta) total-vm:8\n[99.0] Killed process 6312 (del)ta) total-\n"
        "[199.0] Killed process 6313 (delta) tot",
        [
            ("kill", [(6311, "delta", None, None)]),
            ("kill", [(6312, None, None, None)]),
            ("kill", [(6313, None, None, None)]),
        ],
    ),
    "in bytes": (
        "[Kernel] Out of memory: Killed process 6311 (delta) total-vm:83886080B, anon-rss:41943040B, file-rss:1024B",
        [("kill", [(6311, "delta", None, None)])],
    ),
    "in reverse order": (
        f"{SYSLOG}{MEMCG_KILL.format(6311, 'delta')}\n{SYSLOG}{SUMMARY}\n{SYSLOG}delta invoked oom-killer:"
        f" gfp_mask=0xd0, order=0\n{SYSLOG}Killed process 6310 (echo) {SIZES}\n"
        f"{SYSLOG}Out of memory: Kill process 6310 (echo) score 77 or sacrifice child\n"
        f"{SYSLOG}echo invoked oom-killer: gfp_mask=0xd0, order=0",
        [("kill", [(6311, "delta", 40960, None)]), ("kill", [(6310, "echo", 40960, 77)])],
    ),
    "behind what somebody copied from a program": (
        f"May  6 11:12:13 node-3 systemd[1]: delta.service: Main process exited\n```\n```\n{KILL}",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "a prompt behind a program's line": (
        f"May  6 11:12:13 node-3 systemd[1]: x\nroot@node-3:~# dmesg | grep -i kill\n{KILL}",
        [("kill", [(6311, "delta", 40960, None)])],
    ),
    "metalog": ("May  6 11:12:13 node-3 oom-killer: gfp_mask=0xd0, order=0", [("incomplete", [])]),
    "a killer's tag without a stamp": (
        'earlyoom[7]: sending SIGTERM to process 6311 uid 33 "delta": oom_score 77, VmRSS 40 MiB, cmdline "x"',
        [("kill", [(6311, "delta", None, 77)])],
    ),
    # What is no kill.
    "a header that somebody mentions": ("Yesterday java invoked oom-killer\nWhy?", []),
    "a header's format": ('pr_warn("%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d\\n", current->comm);', []),
    "a kill's format": ('+\tpr_err("%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB\\n", message, pid);', []),
    "a pattern": ("grep -E 'Killed process [0-9]+ \\(' /var/log/kern.log", []),
    "documentation": ("The kernel logs `Killed process <pid> (<name>)` and sends SIGKILL to process groups.", []),
    "a program with levels": ("[INFO] Killed process 6311 (delta)\n[INFO] Killed process 6312 (delta)", []),
    "a summary that somebody mentions": ("the `oom-kill:constraint=CONSTRAINT_MEMCG,...` line tells the limit", []),
    "earlyoom's dry run": (
        'earlyoom[7]: sending SIGTERM to process 6311 uid 33 "delta": oom_score 77, VmRSS 40 MiB, cmdline "x"\n'
        "earlyoom[7]: dryrun, not actually sending any signal",
        [],
    ),
    "a step of flux": ("29.475s: flux-shell[0]: ERROR: oom: Memory cgroup out of memory: killed 1 task on node-3.", []),
    "secure attention": ("[8.1] SAK: killed process 6311 (delta): fd#4 opened to the tty", []),
    "bcc": ('11:12:13 Triggered by PID 7 ("x"), OOM kill of PID 6311 ("delta"), 7 pages, loadavg: 1.88 1.70', []),
    "somebody's victim": ("Sending SIGTERM to the victim group yielded an exit.\nSend SIGTERM to the victims.", []),
    "a dialler": ("Hangup (SIGHUP)\nsending SIGTERM to process 6311", []),
    "a supervisor": ("[2026-05-06 11:12:13] [INFO] Sending SIGTERM to process 6311", []),
    "JavaScript": ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", []),
    "Go": ("fatal error: runtime: out of memory", []),
    "a settings file": ("vm.panic_on_oom=1  # Kernel panic when out of memory", []),
    "a rule": (
        '- alert: OOM\n  expr: increase(node_vmstat_oom_kill[5m]) > 0\n  summary: "Killed process on {{ $x }}"',
        [],
    ),
    "Java": ('Exception in thread "main" java.lang.OutOfMemoryError: Java heap space', []),
    "CUDA": ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.80 GiB total capacity)", []),
    "an allocation that failed": ("[8.1] delta: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL)", []),
    "FreeBSD": ("May  6 11:12:13 node-3 kernel: pid 6311 (delta), jid 0, uid 33, was killed: out of swap space", []),
    "macOS": ("memorystatus: killing process 6311 [delta] in high band ENTITLED", []),
    "the reaper": ("[8.1] oom_reaper: reaped process 6311 (delta), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB", []),
    "already exiting": ("[8.1] Out of memory: OOM victim 6311 (delta) is already exiting. Skip killing the task", []),
    "Kubernetes": ("Last State: Terminated\n  Reason: OOMKilled\n  Exit Code: 137", []),
    "Slurm": (
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=77.batch. Some of your processes may have died",
        [],
    ),
    "systemd": (
        "May  6 11:12:13 node-3 systemd[1]: delta.service: A process of this unit has been killed by the OOM killer.",
        [],
    ),
    "a script": ("watchdog: Killed process 6311 (delta) after 30 seconds", []),
    "earlyoom's settings": ("earlyoom[7]: sending SIGTERM when mem avail <= 10.00% and swap free <= 10.00%", []),
    "systemd-oomd's candidates": ("systemd-oomd[7]: Considered 21 cgroups for killing, top candidates were:", []),
}


def describe(events):
    return [
        (
            event["outcome"],
            [(one["pid"], one["name"], one["anon_rss_kb"], one["score"]) for one in event["victims"]],
        )
        for event in events
    ]


@pytest.mark.parametrize("text, expected", CASES.values(), ids=list(CASES))
def test_posted(text, expected):
    assert describe(parse_events(parse_lines(text.split("\n")))) == expected


def test_thread_of_a_process():
    """Up to 4.x the kill names a thread, and only the task table has the process."""
    header = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"
    row = "[ 6311]    33  6310    20480    10496       6       0             0 delta"
    for lines, expected in (
        ([header, row, KILL], (6310, 6311, True)),
        ([header, row.replace("6310", "6311"), KILL], (6311, None, False)),
        ([header, row.replace("6311", "6312").replace("6310", "6312"), KILL], (6311, None, None)),
        ([KILL], (6311, None, None)),
        ([header, row, SUMMARY], (6310, 6311, True)),
        ([header, row, SUMMARY.replace("6311", "6310"), MEMCG_KILL.format(6311, "delta")], (6310, 6311, True)),
    ):
        [event] = parse_events(parse_lines([f"[8.{number:06}] {line}" for number, line in enumerate(lines)]))
        [victim] = event["victims"]
        assert (victim["pid"], victim["tid"], victim["pid_is_thread"]) == expected


def test_owner_of_a_limit_in_a_report_without_its_beginning():
    """The first of these lines names the owner only if no other one was before it."""
    stats = "Memory cgroup stats for /q/{0}: cache:0KB rss:44KB"
    lines = [stats.format("a"), stats.format("b"), MEMCG_KILL.format(6311, "delta")]
    for before, path in (([], None), (["memory: usage 8kB, limit 8kB, failcnt 7"], "/q/a")):
        [event] = parse_events(parse_lines(before + lines))
        assert (event["constraint"], event["memcg"]["path"]) == ("memcg", path)


NULS = b"\0" * 3000


@pytest.mark.parametrize(
    "content",
    [
        (SYSLOG + KILL + "\n").encode() + NULS + (SYSLOG + "x\n").encode(),
        (SYSLOG + "x\n").encode() + NULS + (SYSLOG + KILL + "\n").encode(),
        (SYSLOG + "usb 1-1: n").encode() + b"\0" * 200000 + (SYSLOG + KILL + "\n").encode(),
        (SYSLOG + KILL).encode() + NULS,
    ],
    ids=["behind", "before", "in a line, longer than any line", "at the end"],
)
def test_blocks_of_nul(tmp_path, content):
    (tmp_path / "kern.log").write_bytes(content)
    log = LogFile(str(tmp_path / "kern.log"))
    assert describe(parse_events(log.records())) == [("kill", [(6311, "delta", 40960, None)])]
    [loss] = log.list_losses()
    assert f"kern.log has {content.count(0)} NUL bytes, as after a crash: lines are missing there" in loss


@pytest.mark.parametrize("form", ["utf-16", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_of_other_systems(tmp_path, form, end):
    text = SYSLOG + "caf\u00e9" + end + SYSLOG + KILL + end
    mark = b"\xfe\xff" if form == "utf-16-be" else b""
    (tmp_path / "oom.txt").write_bytes(mark + text.encode(form))
    log = LogFile(str(tmp_path / "oom.txt"))
    assert describe(parse_events(log.records())) == [("kill", [(6311, "delta", 40960, None)])]
    assert log.list_losses() == []


REPORT = [
    "delta invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-5",
    "CPU: 1 PID: 6320 Comm: delta Not tainted 6.1.0",
    "memory: usage 8kB, limit 8kB, failcnt 7",
    "Memory cgroup stats for /q:",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "[   6311]    33  6311     20480    10496    45056        0            -5 delta",
    SUMMARY,
    MEMCG_KILL.format(6311, "delta"),
]


@pytest.mark.parametrize("name", ["delta", "a b", "(x)"])
def test_reverse_order_loses_nothing(name):
    lines = [f"[8.{number:06}] {line.replace('delta', name)}" for number, line in enumerate(REPORT)]
    [event], [reverse] = (
        parse_events(parse_lines(lines), tasks=True),
        parse_events(parse_lines(lines[::-1]), tasks=True),
    )
    moved = ("monotonic", "id")
    assert {key: value for key, value in reverse.items() if key not in moved} == {
        key: value for key, value in event.items() if key not in moved
    }


@pytest.mark.parametrize("stamps", ["[8.{0:06}] ", "May  6 11:12:{0:02} node-3 kernel: "])
def test_no_report_in_order_counts_as_reverse(stamps):
    """The chosen process may be killed twice; the second report has its own header."""
    lines = [MEMCG_KILL.format(6311, "delta"), SUMMARY, *REPORT]
    events = parse_events(parse_lines([stamps.format(number) + line for number, line in enumerate(lines)]))
    assert [(event["outcome"], event["trigger"] and event["trigger"]["pid"]) for event in events] == [
        ("kill", None),
        ("kill", 6320),
    ]


def test_reverse_order_ends_after_a_while():
    lines = ["[99.1] " + MEMCG_KILL.format(6311, "delta"), "[99.0] " + SUMMARY, "[9.0] " + REPORT[0]]
    events = parse_events(parse_lines(lines))
    assert [(event["outcome"], event["trigger"] is None) for event in events] == [("kill", True), ("incomplete", False)]
