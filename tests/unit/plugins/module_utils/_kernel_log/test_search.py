# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The search in large logs: skipping lines does not change the events."""

import gzip
import os
import random

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import files, search, word_search
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

FILLER = (
    "Nov 23 {0:02}:{1:02}:{2:02} host kernel: [{3:12.6f}] usb 1-1: new high-speed USB device number {4} using xhci_hcd"
)
REPORT = [
    "x invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
] + [f"[{pid:7}]     0 {pid:5}     6785     6324    90112        0             0 worker" for pid in range(100, 400)]
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/,task=x,pid={0},uid=0"
)
KILL = "Out of memory: Killed process {0} (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
CASES = {
    "report": lambda pid: [*REPORT, SUMMARY.format(pid), KILL.format(pid)],
    "without its beginning": lambda pid: [*REPORT[1:], SUMMARY.format(pid), KILL.format(pid)],
    "up to 5.0 and without its beginning": lambda pid: [
        *REPORT[1:],
        f"Out of memory: Kill process {pid} (x) score 9",
        KILL.format(pid),
    ],
    "storm": lambda pid: [KILL.format(pid), KILL.format(pid + 1)],
    "group": lambda pid: [
        *REPORT,
        KILL.format(pid),
        "Tasks in /a are going to be killed due to memory.oom.group set",
        KILL.format(pid + 1),
    ],
    "incomplete": lambda pid: REPORT,
    "panic": lambda pid: [*REPORT, "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"],
    "panic without a report": lambda pid: [
        "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"
    ],
    "no killable": lambda pid: [*REPORT, "Out of memory and no killable processes..."],
    "sysrq": lambda pid: ["sysrq: Manual OOM execution", *REPORT, KILL.format(pid)],
    "suppressed": lambda pid: ["oom_kill_process: 3 callbacks suppressed", *REPORT, KILL.format(pid)],
    "summary": lambda pid: [SUMMARY.format(pid)],
    "boot": lambda pid: ["Linux version 6.1"],
    "earlyoom": lambda pid: [f'sending SIGTERM to process {pid} uid 0 "x": oom_score 7, VmRSS 9 MiB, cmdline "x"'],
    "earlyoom 1.2": lambda pid: [f"Killing process 'x' with signal 15, pid: {pid}, badness: 7, VmRSS: 9 MiB"],
    "systemd-oomd": lambda pid: [
        f"Killed /a/{pid} due to memory pressure for /a being 1.00% > 0.50% for > 20s with reclaim activity"
    ],
    "nohang": lambda pid: [f"PID: {pid}, name: x, badness: 7", "  Sending SIGTERM to the victim"],
    "nohang, a line for each fact": lambda pid: [
        "  Name:      x",
        f"  PID:       {pid}",
        "  Send SIGKILL to the victim",
    ],
    "oomd's output": lambda pid: [f"[../BaseKillPlugin.cpp:112] Killed 1: {pid}(x)"],
    "oomd": lambda pid: [f"oomd kill: 1 2 3 /a/{pid} 9 ruleset:[r] detectorgroup:[d] killer:p v2"],
}
PROGRAMS = {
    "earlyoom": "earlyoom",
    "earlyoom 1.2": "earlyoom",
    "systemd-oomd": "systemd-oomd",
    "nohang": "nohang",
    "nohang, a line for each fact": "nohang",
    "oomd's output": "oomd",
}


def write(path, seed, cases, fillers):
    """Write a log with these cases, and up to C(fillers) irrelevant lines before each."""
    choose = random.Random(seed)
    seconds = 0.0
    lines = []
    for pid, case in enumerate(cases, 1000):
        for number in range(choose.randrange(fillers)):
            seconds += choose.random()
            lines.append(
                FILLER.format(int(seconds) // 3600 % 24, int(seconds) // 60 % 60, int(seconds) % 60, seconds, number)
            )
        if case == "boot":
            seconds = 0.0
        stamp = FILLER.format(
            int(seconds) // 3600 % 24, int(seconds) // 60 % 60, int(seconds) % 60, seconds, 0
        ).partition("usb")[0]
        if case in PROGRAMS:
            stamp = stamp.partition("kernel:")[0] + PROGRAMS[case] + "[7]: "
        lines += [stamp + text for text in CASES[case](pid * 10)]
        seconds += 31
    path.write_text("\n".join(lines) + "\n")


def read_events(path, programs=True):
    log = LogFile(str(path), programs=programs)
    events = parse_events(log.records(), tasks=True)
    assert log.mark().offset == os.path.getsize(str(path))
    return events


def kernel_only(events):
    return [event for event in events if event["killer"] == "kernel"]


@pytest.fixture
def turn_search_on(monkeypatch):
    """Make ranges small, so that a small file has many. Return what turns the search on."""
    for name, size in (("_BLOCK", 4096), ("_BEFORE", 512), ("_BEFORE_END", 1 << 16), ("_AFTER", 1024)):
        monkeypatch.setattr(search, name, size)
    monkeypatch.setattr(word_search, "_BLOCK", 4096)
    monkeypatch.setattr(files, "_READ_BYTES", 100)
    return lambda: monkeypatch.setattr(files, "_SEARCHED_BYTES", 0)


@pytest.mark.parametrize("seed", range(20))
def test_skipping_lines_changes_no_event(tmp_path, turn_search_on, seed):
    cases = random.Random(seed).choices(list(CASES), k=30)
    write(tmp_path / "log", seed, cases, 200)
    whole = read_events(tmp_path / "log")
    assert len(whole) >= 20
    turn_search_on()
    assert read_events(tmp_path / "log") == whole
    assert kernel_only(read_events(tmp_path / "log", programs=False)) == kernel_only(whole)


@pytest.mark.parametrize("seed", range(20))
def test_skipping_lines_of_a_stream_changes_no_event(tmp_path, turn_search_on, seed):
    """What is unpacked cannot be read twice, so all that may be needed is kept."""
    cases = random.Random(seed).choices(list(CASES), k=30)
    write(tmp_path / "log", seed, cases, 200)
    (tmp_path / "log.gz").write_bytes(gzip.compress((tmp_path / "log").read_bytes()))
    packed = LogFile(str(tmp_path / "log.gz"))
    events = parse_events(packed.records(), tasks=True)
    assert packed.mark().offset == os.path.getsize(str(tmp_path / "log"))
    expected = read_events(tmp_path / "log")
    assert [dict(event, source=None) for event in events] == [dict(event, source=None) for event in expected]


@pytest.mark.parametrize("case", sorted(set(CASES) - {"boot"}))
def test_find_each_kind_of_event_alone(tmp_path, turn_search_on, case):
    write(tmp_path / "log", 7, [case], 3000)
    whole = read_events(tmp_path / "log")
    turn_search_on()
    assert read_events(tmp_path / "log") == whole != []


def test_skip_most_of_a_log(tmp_path, turn_search_on):
    write(tmp_path / "log", 7, ["report", "report"], 20000)
    turn_search_on()
    log = LogFile(str(tmp_path / "log"))
    read = sum(len(record.raw) + 1 for record in log.records())
    assert read < os.path.getsize(str(tmp_path / "log")) / 10


def test_read_everything_without_memmem(tmp_path, turn_search_on, monkeypatch):
    write(tmp_path / "log", 7, ["report"], 100)
    whole = read_events(tmp_path / "log")
    turn_search_on()
    monkeypatch.setattr(word_search, "_memmem", None)
    assert read_events(tmp_path / "log") == whole
