# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What oom_events selects, counts and refuses, and where the next run starts."""

import gzip
import json
import os
import time

import pytest
from event_lines import DOCKER, ID, POD, SHOP, export_entry, kmsg, report, stamped

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host import container_names
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import files, pstore
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import expand_paths
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.streams import Budget
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import Query

HEADER = "x invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0"


def kill(pid, name):
    return f"Out of memory: Killed process {pid} ({name}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


def memcg_kill(pid, name):
    return kill(pid, name).replace("Out of memory", "Memory cgroup out of memory")


ENTRY = {
    "MESSAGE": kill(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


def panic(uptime):
    """Return the one part of a dump that pstore keeps of a panic."""
    return (
        f"Panic#1 Part1\n<4>[ {uptime}] {HEADER}\n"
        f"<0>[ {uptime}] Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n"
    )


def query(**changes):
    defaults = dict(
        source="auto",
        paths=[],
        boot="current",
        since=None,
        until=None,
        cursor=None,
        victim=None,
        unit=None,
        container=None,
        constraint=None,
        killer=None,
        own_trials=False,
        tasks=False,
        raw=False,
        untrusted=False,
        limit=100,
    )
    return Query(**dict(defaults, **changes))


def test_count_forged_kill_and_leave_it_out():
    with open("/dev/kmsg", "w") as kmsg:
        kmsg.write("<3>" + kill(1, "forged") + "\n")
    facts = gather.gather(query(limit=100000), Procfs())
    assert facts["counts"]["untrusted"] >= 1
    assert {event["trusted"] for event in facts["events"]} <= {True}
    everything = gather.gather(query(limit=100000, untrusted=True), Procfs())
    forged = [event for event in everything["events"] if event["trusted"] is False]
    assert len(forged) == everything["counts"]["untrusted"]
    assert "forged" in [victim["name"] for event in forged for victim in event["victims"]]
    assert forged[-1]["time"].endswith("Z")


def test_paths_and_globs(tmp_path):
    for name in ("b.log", "a.log"):
        (tmp_path / name).write_text(kill(1, "x"))
    a, b = str(tmp_path / "a.log"), str(tmp_path / "b.log")
    assert expand_paths([b, str(tmp_path / "*.log")]) == [b, a]
    facts = gather.gather(query(paths=[str(tmp_path / "*.log")], limit=1), Procfs())
    assert (facts["total"], facts["truncated"], facts["events"][0]["source"]) == (2, True, b)
    assert [(row["name"], row["kills"]) for row in facts["summary"]] == [("x", 2)]
    assert facts["counts"]["unlogged"] is None


def test_two_files_with_the_same_lines(tmp_path):
    line = "Nov 23 04:43:46 host kernel: [   53.649722] " + kill(1, "x")
    for name in ("syslog", "kern.log"):
        (tmp_path / name).write_bytes(line.encode() + b"\n" + b"\0" * (name == "syslog"))
    facts = gather.gather(query(paths=[str(tmp_path / "syslog"), str(tmp_path / "kern.log")]), Procfs())
    assert [event["duplicates"] for event in facts["events"]] == [1]
    assert (facts["total"], facts["counts"]["logged_kills"]) == (1, 1)
    assert facts["lost"]["files"] == [f"{tmp_path}/syslog has 1 NUL bytes, as after a crash: lines are missing there"]


def test_journal_entry_gives_time_and_boot(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "is_roots", lambda _path: True)
    (tmp_path / "journal.json").write_text(json.dumps(ENTRY) + "\n")
    [event] = gather.gather(query(paths=[str(tmp_path / "journal.json")]), Procfs())["events"]
    assert (event["time"], event["monotonic"], event["trusted"]) == ("2026-11-23T04:43:45.649722Z", 53.649722, True)
    assert event["boot_id"] == ENTRY["_BOOT_ID"] and event["id"].startswith("6aaf9458-")


EVENTS = [
    dict(
        ENTRY,
        MESSAGE="oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
        f"task_memcg={cgroup},task={name},pid={pid},uid=0",
    )
    for cgroup, name, pid in [
        ("/system.slice/mariadb.service", "mariadbd", 7),
        (f"/system.slice/docker-{'0123456789abcdef' * 4}.scope", "app", 8),
    ]
]


@pytest.mark.parametrize(
    "filters, pids",
    [
        ({}, [7, 8]),
        (dict(victim="app"), [8]),
        (dict(unit="mariadb"), [7]),
        (dict(unit="mariadb.service"), [7]),
        (dict(unit="app"), []),
        (dict(container="0123456789ab"), [8]),
        (dict(container="ba9876543210"), []),
        (dict(constraint="none"), [7, 8]),
        (dict(constraint="memcg"), []),
        (dict(killer="kernel", victim="mariadbd"), [7]),
    ],
)
def test_filters_select_events_summary_and_report(tmp_path, filters, pids):
    (tmp_path / "j").write_text("".join(json.dumps(entry) + "\n" for entry in EVENTS))
    facts = gather.gather(query(paths=[str(tmp_path / "j")], **filters), Procfs())
    assert [event["victims"][0]["pid"] for event in facts["events"]] == pids
    assert (facts["total"], facts["counts"]["logged_kills"]) == (len(pids), 2)
    assert sum(row["kills"] for row in facts["summary"]) == len(pids)
    matching = "matching kill" if filters else "kill"
    assert facts["msg"].startswith(f"{len(pids) or 'no'} {matching}")
    assert len(facts["report"]) == max(len(pids), 1)


def test_panic_kept_twice_is_one_event(tmp_path, monkeypatch, proc, dump):
    """systemd 252 leaves a dmesg.txt of the previous panic, and reuses the name of an old dump."""
    kept = tmp_path / "var/lib/systemd/pstore"
    dump(kept, "dmesg.txt", "dmesg-ramoops-0:\n" + panic("10.0"), 500)
    dump(kept, "dmesg-ramoops-0", panic("20.0"), 100)
    dump(kept, "9/dmesg-ramoops-0", panic("10.0"), 600)
    monkeypatch.setattr(pstore, "PSTORE", [str(kept)])
    facts = gather.gather(query(source="pstore"), proc.procfs)
    assert [(event["outcome"], event["monotonic"]) for event in facts["events"]] == [("panic", 10.0), ("panic", 20.0)]


class Story:
    """A log that is written, rotated, and read again with the cursor of the run before."""

    def __init__(self, folder):
        self.log = folder / "kern.log"
        self.log.write_text("begun\n")
        self.paths = [str(folder / "kern.log*")]
        self.cursor = None

    def write(self, *lines, age=0):
        with self.log.open("a") as stream:
            stream.write("".join(line + "\n" for line in lines))
        moment = time.time() - age
        os.utime(str(self.log), (moment, moment))

    def rotate(self, name="kern.log.1"):
        os.rename(str(self.log), str(self.log.parent / name))
        self.log.write_text("begun again\n")

    def read(self, **changes):
        facts = gather.gather(query(paths=self.paths, cursor=self.cursor, **changes), Procfs())
        self.cursor = facts["cursor"]
        self.lost = facts["lost"]
        assert facts["total"] == len(facts["events"])
        assert facts["counts"]["logged_kills"] == sum(len(event["victims"]) for event in facts["events"])
        return [(event["outcome"], [victim["pid"] for victim in event["victims"]]) for event in facts["events"]]


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_each_event_once_over_runs(story):
    story.write(kill(1, "x"), age=60)
    assert story.read() == [("kill", [1])]
    assert story.read() == []
    story.write(kill(2, "x"), age=60)
    story.write("else", age=60)
    assert story.read() == [("kill", [2])]
    assert story.read() == []


def test_return_report_once_it_is_whole(story):
    story.write(kill(1, "x"), age=60)
    assert story.read() == [("kill", [1])]
    story.write(HEADER)
    assert story.read() == []
    story.write(kill(2, "x"), "Tasks in /a are going to be killed due to memory.oom.group set")
    assert story.read() == []
    story.write(kill(3, "y"), age=60)
    assert story.read() == [("group_kill", [2, 3])]
    assert story.read() == []


def test_return_report_without_end_after_30_seconds(story):
    story.write("begun", age=60)
    story.read()
    story.write(HEADER, age=31)
    assert story.read() == [("incomplete", [])]
    assert story.read() == []


def test_first_run_returns_unfinished_report(story):
    story.write(HEADER)
    assert story.read() == [("incomplete", [])]
    story.write(kill(2, "x"), age=60)
    assert story.read() == [("kill", [2])]


def test_report_cut_by_rotation_is_one_event(story):
    story.write(kill(1, "x"), HEADER)
    assert story.read() == [("kill", [1]), ("incomplete", [])]
    story.rotate()
    story.write(kill(2, "x"), age=60)
    assert story.read() == [("kill", [2])]
    story.rotate("kern.log-20261123")
    story.write(kill(3, "x"), age=60)
    assert story.read() == [("kill", [3])]
    assert not story.lost["gap"]
    assert story.read() == []


def test_missing_log_is_a_gap(story):
    story.write(kill(1, "x"), age=60)
    story.read()
    story.log.write_text("new\n")
    story.write(kill(2, "x"), age=2)
    assert story.read() == [("kill", [2])]
    assert story.lost["gap"]


def test_damaged_file_is_named(story):
    story.write(kill(1, "x"), age=60)
    packed = gzip.compress(("begun\n" + kill(7, "x") + "\n" + os.urandom(1 << 20).hex() + "\n").encode())
    (story.log.parent / "kern.log.2.gz").write_bytes(packed[: len(packed) // 2])
    assert story.read() == [("kill", [7]), ("kill", [1])]
    assert "kern.log.2.gz is truncated or damaged" in story.lost["files"][0]


def test_kmsg_cursor_and_gap_after_reboot():
    name = f"forged{os.getpid()}"  # other runs of this test write to the same buffer

    def write(pid):
        with open("/dev/kmsg", "w") as kmsg:
            kmsg.write("<3>" + kill(pid, name) + "\n")

    def read(cursor):
        facts = gather.gather(query(source="kmsg", untrusted=True, cursor=cursor, limit=100000), Procfs())
        return [
            victim["pid"] for event in facts["events"] for victim in event["victims"] if victim["name"] == name
        ], facts

    def read_until(cursor):
        """Read again while a kill by another program holds back later events."""
        for _turn in range(100):
            pids, facts = read(cursor)
            if 2 in pids:
                break
            time.sleep(0.1)
        return pids, facts

    write(1)
    pids, facts = read(None)
    assert pids[-1] == 1
    write(2)
    pids, facts = read_until(facts["cursor"])
    # With an unfinished kill of another program, the first run leaves more to the next one.
    assert (pids[-1], facts["lost"]["gap"], facts["counts"]["vmstat_oom_kill"]) == (2, False, None)
    assert read(facts["cursor"])[0] == []
    source, host, position, pstore_ids = facts["cursor"].split("|")
    pids, facts = read_until("|".join([source, host, "0" * 32 + position[32:], pstore_ids]))
    assert (pids[-1], facts["lost"]["gap"]) == (2, True)


def test_journal_cursor_and_panic_once(tmp_path, monkeypatch, dump):
    """Guests run the real journalctl; here a script prints given entries in its place."""
    monkeypatch.setattr(pstore, "PSTORE", [str(tmp_path / "pstore")])
    monkeypatch.setattr(gather, "has_journal", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program = tmp_path / "journalctl"

    def read(cursor, *cursors):
        entries = [dict(ENTRY, MESSAGE=kill(ord(one), one), __CURSOR=one, __REALTIME_TIMESTAMP="1") for one in cursors]
        lines = "".join(export_entry(entry).decode() for entry in entries)
        program.write_text(f"#!/bin/sh\ncat <<'X'\n{lines}X\n")
        program.chmod(0o755)
        facts = gather.gather(query(cursor=cursor), Procfs())
        return [(event["outcome"], [victim["name"] for victim in event["victims"]]) for event in facts["events"]], facts

    events, facts = read("", "a")
    assert events == [("kill", ["a"])]
    dump(tmp_path / "pstore", "dmesg-ramoops-0", panic("10.0"), 9)
    events, facts = read(facts["cursor"], "a", "b")
    assert events == [("kill", ["b"]), ("panic", [])]
    events, facts = read(facts["cursor"], "b", "c")
    assert (events, facts["lost"]["gap"]) == ([("kill", ["c"])], False)
    events, facts = read(facts["cursor"], "d")
    assert (events, facts["lost"]["gap"]) == ([("kill", ["d"])], True)


@pytest.mark.parametrize(
    "since, until, pids",
    [("2026-11-23T04:43:45Z", None, [8, 9]), (None, "2026-11-23T04:43:45Z", [7]), ("-30s", None, [])],
)
def test_since_and_until(tmp_path, since, until, pids):
    stamps = {
        7: "2026-11-23T04:43:40+00:00",
        8: "2026-11-23T04:43:45+00:00",
        9: "2026-11-23T06:43:50+02:00",
        10: "Nov 23 04:43:50",
    }
    (tmp_path / "log").write_text("".join(f"{stamp} host kernel: {kill(pid, 'x')}\n" for pid, stamp in stamps.items()))
    facts = gather.gather(query(paths=[str(tmp_path / "log")], since=since, until=until), Procfs())
    assert [event["victims"][0]["pid"] for event in facts["events"]] == pids
    assert facts["counts"]["undated"] == 1
    assert (facts["cursor"] is None) is (until is not None)


def test_unlogged_kills_by_cgroup(monkeypatch, proc):
    proc.write("vmstat", "oom_kill 3\n")
    proc.write("sys/kernel/random/boot_id", "0" * 32)
    monkeypatch.setattr(gather, "oom_kills_by_cgroup", lambda _procfs: {"/a": 2, "/b": 1})
    message = (
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        "oom_memcg=/b,task_memcg=/b,task=x,pid=7,uid=0"
    )

    class Log:
        lost, next = 0, 3

        def __enter__(self):
            return self

        def __exit__(self, *_unused):
            pass

        def read(self):
            return [
                Record(message, 5.0, None, 5.0, True),
                Record(memcg_kill(7, "x"), 5.0, None, 5.0, True),
            ]

    facts = gather.gather(query(source="kmsg"), proc.procfs, lambda start: Log())
    assert facts["counts"]["unlogged"] == 2
    assert facts["counts"]["unlogged_in"] == [{"cgroup": "/a", "oom_kill": 2, "logged_kills": 0}]


def test_kill_of_a_large_group(tmp_path):
    group = "Tasks in /g are going to be killed due to memory.oom.group set"
    with open(str(tmp_path / "log"), "w") as stream:
        stream.write(f"[1.0] {HEADER}\n[1.0] {memcg_kill(1, 'x')}\n[1.0] {group}\n")
        stream.writelines(f"[1.0] {memcg_kill(pid, 'x')}\n" for pid in range(2, 3001))
        stream.write(f"[1.0] {memcg_kill(1, 'x')}\n")
    facts = gather.gather(query(paths=[str(tmp_path / "log")]), Procfs())
    (newest,) = facts["events"]
    assert (newest["outcome"], len(newest["victims"]), newest["victims_count"]) == ("group_kill", 256, 3000)
    assert (facts["total"], facts["truncated"], facts["counts"]["logged_kills"]) == (1, False, 3000)


def test_thousand_events_stay_below_a_mebibyte(tmp_path):
    path = (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{'a' * 36}.slice"
        f"/cri-containerd-{'b' * 64}.scope"
    )
    with open(str(tmp_path / "log"), "w") as stream:
        for pid in range(1, 1001):
            stamp = f"[{pid * 60}.000000] "
            stream.write(f"{stamp}{HEADER}\n{stamp}oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,")
            stream.write(f"mems_allowed=0,oom_memcg={path},task_memcg={path},task=x,pid={pid},uid=0\n")
            stream.write(f"{stamp}{memcg_kill(pid, 'x')}\n")
    facts = gather.gather(query(paths=[str(tmp_path / "log")], limit=1000), Procfs())
    assert facts["total"] == 1000 and facts["events"][-1]["victims"][0]["pid"] == 1000
    assert len(json.dumps(facts)) < (1 << 20) + 4096
    assert facts["truncated"] is (len(facts["events"]) < 1000)


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(source="file"), "needs paths"),
        (dict(source="kmsg", paths=["/x"]), "does not take"),
        (dict(limit=0), "limit=0 is too small"),
        (dict(source="kmsg", boot="previous"), "boot=previous needs the journal"),
        (dict(since="1h"), "since=1h is not a time"),
        (dict(since="-1h", until="-2h"), "since=-1h is not before until=-2h"),
        (dict(source="kmsg", cursor="x", since="-1h"), "cursor already sets where to start"),
        (dict(source="journal", cursor="x", boot="previous"), "cursor already sets where to start"),
        (dict(source="pstore", cursor="x"), "source=pstore has no cursor"),
        (dict(source="kmsg", cursor="hello"), "cursor='hello' was not returned by oom_events"),
        (dict(source="kmsg", cursor="kmsg|x|junk|"), "was not returned by oom_events"),
        (
            dict(source="kmsg", cursor="kmsg|elsewhere|" + "0" * 32 + ":7|"),
            "the cursor is from another host .machine id elsewhere",
        ),
        (
            dict(source="kmsg", cursor=f"journal|{gather._read_machine_id()}|s=1|"),
            "the cursor is from source=journal, but this run reads source=kmsg",
        ),
    ],
)
def test_refuse_conflicting_options(changes, words):
    with pytest.raises(InputError, match=words):
        gather.gather(query(**changes), Procfs())


def test_no_wall_clock_after_suspend(monkeypatch):
    clocks = {gather.CLOCK_BOOTTIME: 100.0, gather.time.CLOCK_MONOTONIC: 10.0}
    monkeypatch.setattr(gather.time, "clock_gettime", clocks.get)
    assert gather._format_wall_clock(5.0, 90.0) is None


def test_path_without_glob_is_kept():
    assert expand_paths(["/x"]) == ["/x"]


def test_datagram_forges_no_trusted_kill(tmp_path, monkeypatch):
    """Through /dev/log a user writes whole lines into root's file, in forms with a facility."""
    monkeypatch.setattr(files, "is_roots", lambda _path: True)
    lines = [
        "Nov 23 04:43:46 host app: hello",
        "kern  :err   : [ 1.0] " + kill(1, "init"),
        "3,999,1,-;" + kill(2, "db"),
    ]
    (tmp_path / "messages").write_text("\n".join([*lines, json.dumps(ENTRY), ""]))
    facts = gather.gather(query(paths=[str(tmp_path / "messages")]), Procfs())
    assert [(event["victims"][0]["pid"], event["trusted"]) for event in facts["events"]] == [
        (1, None),
        (2, None),
        (7, None),
    ]


def test_bomb_is_listed_as_lost(tmp_path, monkeypatch):
    """The files after it are read."""
    monkeypatch.setattr(gather, "Budget", lambda: Budget(1 << 20))
    (tmp_path / "a.log").write_bytes(gzip.compress(kill(7, "x").encode() + b"\n" * (4 << 20)))
    (tmp_path / "b.log").write_bytes(gzip.compress(kill(8, "x").encode()))
    (tmp_path / "c.log").write_text(kill(9, "x"))
    facts = gather.gather(query(paths=[str(tmp_path / "*.log")]), Procfs())
    assert [event["victims"][0]["pid"] for event in facts["events"]] == [7, 9]
    assert [words.partition(" was not read to its end")[0][-5:] for words in facts["lost"]["files"]] == [
        "a.log",
        "b.log",
    ]


def test_entries_that_cannot_be_read_are_lost(tmp_path, monkeypatch):
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\necho '{export_entry(ENTRY).decode()}MESSAGE=cut'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(gather, "has_journal", lambda: True)
    facts = gather.gather(query(source="journal"), Procfs())
    assert ([event["trusted"] for event in facts["events"]], facts["lost"]["records"]) == ([True], 1)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_any_moment(tmp_path, moment):
    (tmp_path / "kern.log").write_text(kill(7, "x"))
    for edge in ("since", "until"):
        facts = gather.gather(query(paths=[str(tmp_path / "kern.log")], limit=10**400, **{edge: moment}), Procfs())
        assert (facts["total"], facts["counts"]["undated"]) == (0, 1)


# --- sources that cannot be read -----------------------------------------------------


@pytest.fixture
def no_journal(monkeypatch):
    monkeypatch.setattr(gather, "has_journal", lambda: False)


@pytest.fixture
def hidden_journal(monkeypatch):
    def deny(_journal):
        raise AccessError("the journal cannot be read: no permission")

    monkeypatch.setattr(gather, "has_journal", lambda: True)
    monkeypatch.setattr(gather.Journal, "read", deny)


class RingBuffer:
    """Stands in for /dev/kmsg with given lines: the real one has what other programs write."""

    lost = 0
    next = 0

    def __init__(self, lines):
        self._records = [parse_kmsg_line(line).record for line in lines]

    def __call__(self, start):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        pass

    def read(self):
        return self._records


@pytest.mark.usefixtures("no_journal")
@pytest.mark.parametrize("options", [dict(source="journal"), dict(boot="previous")])
def test_no_journal_is_an_error(options):
    with pytest.raises(UnsupportedError, match=r"this host has no journal in .*: set source=kmsg .*, or paths"):
        gather.gather(query(**options), Procfs())


@pytest.mark.usefixtures("no_journal")
def test_auto_reads_kmsg_without_a_journal():
    facts = gather.gather(query(), Procfs(), RingBuffer(kmsg([report()])))
    assert (facts["cursor"].partition("|")[0], facts["total"]) == ("kmsg", 1)
    assert not any("instead" in warning for warning in facts["warnings"])


@pytest.mark.usefixtures("hidden_journal")
def test_auto_warns_of_a_journal_that_cannot_be_read():
    facts = gather.gather(query(), Procfs(), RingBuffer(kmsg([report()])))
    assert (facts["cursor"].partition("|")[0], facts["total"]) == ("kmsg", 1)
    assert facts["warnings"][0] == (
        "read source=kmsg instead, which may lack kills: the journal cannot be read: no permission"
    )


@pytest.mark.usefixtures("hidden_journal")
def test_fail_with_both_reasons():
    def deny(start):
        raise AccessError("/dev/kmsg cannot be read: add become: true")

    with pytest.raises(AccessError, match=r"the journal cannot .*; /dev/kmsg cannot be read: add become: true"):
        gather.gather(query(), Procfs(), deny)
    with pytest.raises(AccessError, match=r"^/dev/kmsg cannot be read"):
        gather.gather(query(source="kmsg"), Procfs(), deny)


@pytest.mark.usefixtures("hidden_journal")
@pytest.mark.parametrize("options", [dict(source="journal"), dict(boot="previous"), dict(cursor="journal|HOST|s=1|")])
def test_nothing_replaces_a_journal_that_was_asked_for(options):
    if "cursor" in options:
        options = dict(cursor=options["cursor"].replace("HOST", gather._read_machine_id()))
    with pytest.raises(AccessError, match="no permission"):
        gather.gather(query(**options), Procfs(), RingBuffer([]))


@pytest.mark.usefixtures("hidden_journal")
def test_auto_follows_the_cursor():
    host = gather._read_machine_id()
    facts = gather.gather(query(cursor=f"kmsg|{host}|{'0' * 32}:7|"), Procfs(), RingBuffer([]))
    assert facts["cursor"].startswith("kmsg|")
    with pytest.raises(InputError, match="was not returned by oom_events"):
        gather.gather(query(cursor="junk"), Procfs())


def test_pstore_without_anything(tmp_path, monkeypatch, dump):
    monkeypatch.setattr(pstore, "PSTORE", [str(tmp_path)])
    monkeypatch.setattr(gather, "pstore_backend", lambda: None)
    with pytest.raises(UnsupportedError, match=r"no pstore backend is loaded .*: load a backend such as ramoops"):
        gather.gather(query(source="pstore"), Procfs())
    dump(tmp_path, "dmesg-ramoops-0", panic("10.0"), 9)
    assert gather.gather(query(source="pstore"), Procfs())["total"] == 1


def test_pstore_with_a_backend_may_be_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(pstore, "PSTORE", [str(tmp_path)])
    monkeypatch.setattr(gather, "pstore_backend", lambda: "ramoops")
    assert gather.gather(query(source="pstore"), Procfs())["msg"] == "no kills in pstore"


@pytest.mark.parametrize("source", ["auto", "journal"])
def test_pstore_denied_beside_the_journal(monkeypatch, source):
    def deny():
        raise AccessError("/sys/fs/pstore cannot be read")

    monkeypatch.setattr(gather, "has_journal", lambda: True)
    monkeypatch.setattr(gather.Journal, "read", lambda _journal: iter([]))
    monkeypatch.setattr(gather, "pstore_dumps", deny)
    cursor = f"journal|{gather._read_machine_id()}|s=1|abc"
    if source == "journal":
        with pytest.raises(AccessError, match="/sys/fs/pstore cannot be read"):
            gather.gather(query(source=source, cursor=cursor), Procfs())
        return
    facts = gather.gather(query(cursor=cursor), Procfs())
    assert facts["warnings"] == ["pstore was not read, panics may be missing: /sys/fs/pstore cannot be read"]
    assert facts["cursor"] == cursor


def test_missing_files():
    for path in ("/nonexistent/kern.log", "/nonexistent/*"):
        with pytest.raises(NotFoundError, match=r"name .* on the managed host itself"):
            gather.gather(query(paths=[path]), Procfs())


# --- what a person is told -----------------------------------------------------------


def read_reports(tmp_path, reports, **changes):
    (tmp_path / "kern.log").write_text("\n".join(stamped(reports, step=60)) + "\n")
    return gather.gather(query(paths=[str(tmp_path / "kern.log")], **changes), Procfs())


TRIAL = "/oomguardtrial_123_4567.slice"


def test_own_trials_are_left_out(tmp_path):
    reports = [report(), report(7, "oomguard-hog", limit=TRIAL, task=TRIAL + "/oomguardtrial_123_4567_0_hog.service")]
    facts = read_reports(tmp_path, reports)
    assert [event["own_trial"] for event in facts["events"]] == [False]
    assert (facts["total"], facts["counts"]["own_trials"], facts["counts"]["logged_kills"]) == (1, 1, 2)
    assert [row["name"] for row in facts["summary"]] == ["eat"]
    assert facts["msg"].endswith("kern.log, 1 kill of own trials left out")
    facts = read_reports(tmp_path, reports, own_trials=True)
    assert [event["own_trial"] for event in facts["events"]] == [False, True]
    assert "left out" not in facts["msg"] and facts["report"][-1].endswith("(a trial of oomguard.linux)")


def test_names_of_containers_are_looked_up_once(tmp_path, monkeypatch):
    asked = []

    def find(containers):
        asked.append(list(containers))
        return gather.ContainerNames({ID: "web1"}, {})

    monkeypatch.setattr(container_names, "read_container_names", find)
    facts = read_reports(tmp_path, [report(limit=DOCKER), report(limit=DOCKER), report()])
    assert asked == [[ID]]
    assert [event["what"]["container_name"] for event in facts["events"]] == ["web1", "web1", None]
    assert facts["summary"][0]["container_name"] == "web1"
    assert "container web1 (69dc3709e8f3) hit its limit of 20 MiB 2 times: killed eat" in facts["report"][0]
    read_reports(tmp_path, [report()])
    assert len(asked) == 1
    read_reports(tmp_path, [report(limit=POD), report(limit=f"/user.slice/user-1000.slice/docker-{ID}.scope")])
    assert asked[1:] == [[]]  # pods have names, too; a user's claim is not looked up


def test_filter_by_the_name_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(container_names, "find_container_ids", {"web1": {ID}, "web2": set()}.get)
    facts = read_reports(tmp_path, [report(limit=DOCKER), report()], container="web1")
    assert [event["what"]["container"] for event in facts["events"]] == [ID]
    facts = read_reports(tmp_path, [report(limit=DOCKER), report()], container="web2")
    assert (facts["total"], len(facts["warnings"])) == (0, 1)
    assert facts["warnings"][0].startswith("container=web2: no container engine of this host knows that name")


def test_an_id_needs_no_docker(tmp_path, monkeypatch):
    def hang(_name):
        raise AccessError("Docker did not answer: select by the id of the container")

    monkeypatch.setattr(container_names, "find_container_ids", hang)
    for container in (ID, ID[:12]):
        facts = read_reports(tmp_path, [report(limit=DOCKER), report()], container=container)
        assert [event["what"]["container"] for event in facts["events"]] == [ID]
    with pytest.raises(AccessError, match="Docker did not answer"):
        read_reports(tmp_path, [report()], container="web1")


def test_warn_of_a_similar_unit(tmp_path):
    facts = read_reports(tmp_path, [report()], unit="shpo")
    assert (facts["total"], facts["warnings"]) == (
        0,
        ["unit=shpo matches no kill, but shop.service was killed: set unit to that name if you meant it"],
    )


@pytest.mark.parametrize("has_journal", [True, False])
def test_warn_whenever_kills_are_unlogged(monkeypatch, proc, has_journal):
    monkeypatch.setattr(gather, "has_journal", lambda: has_journal)
    proc.write("vmstat", "oom_kill 3\n")
    proc.write("sys/kernel/random/boot_id", "0" * 32)
    monkeypatch.setattr(gather, "oom_kills_by_cgroup", lambda _procfs: {SHOP: 2})
    facts = gather.gather(query(source="kmsg"), proc.procfs, RingBuffer(kmsg([report()])))
    [warning] = facts["warnings"]
    assert warning.startswith("counts.unlogged=2: the kernel counted more kills since boot than are in source=kmsg")
    assert ("read source=journal, or the log files with paths" in warning) is has_journal
    assert "the log files with paths; counts.unlogged_in lists the cgroups" in warning
    assert facts["msg"].endswith(", 2 unlogged")
    assert facts["report"][0] == "2 kills since boot are not in the log, among them in shop.service (1)"
    facts = gather.gather(query(source="kmsg"), proc.procfs, RingBuffer(kmsg([report(pid) for pid in (1, 2, 3)])))
    assert (facts["counts"]["unlogged"], facts["warnings"]) == (0, [])


def test_summary_and_report_cover_what_limit_leaves_out(tmp_path):
    facts = read_reports(tmp_path, [report(pid) for pid in range(1, 301)], limit=1)
    assert (len(facts["events"]), facts["total"], facts["summary"][0]["kills"]) == (1, 300, 300)
    assert facts["report"] == [
        "2026-11-28 14:00:00-18:59:00Z  shop.service hit its own limit (20 MiB, MemoryMax) 300 times: killed eat"
    ] or facts["report"][0].startswith("14:00:00-18:59:00Z  shop.service")
