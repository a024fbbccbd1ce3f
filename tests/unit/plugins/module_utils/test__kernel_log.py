# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers and the module oom_events: the real kernel log, real files, real junk."""

import gzip
import json
import lzma
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils import _events, _kernel_log
from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._events import Query, gather
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import Kmsg, files, read_file, read_journal
from ansible_collections.oomguard.linux.plugins.module_utils._log_prefix import journal_record
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


def query(**changes):
    usual = dict(
        source="auto", paths=[], boot="current", victim=None, unit=None, constraint=None, killer=None, tasks=False, raw=False, untrusted=False,
        limit=100,
    )
    return Query(**dict(usual, **changes))


def test_the_kernel_log_is_read_and_then_only_what_is_new():
    with Kmsg() as log:
        assert log.read()
        assert log.read() == []
        log.seek_end()
        with open("/dev/kmsg", "w") as kmsg:
            kmsg.write("<3>" + KILL.format(1, "forged") + "\n")
        log.wait(5)
        [record] = log.read()
        assert (record.trusted, record.text) == (False, KILL.format(1, "forged"))


def test_a_kill_that_a_program_wrote_is_counted_and_left_out(proc):
    with open("/dev/kmsg", "w") as kmsg:
        kmsg.write("<3>" + KILL.format(1, "forged") + "\n")
    facts = gather(query(limit=100000), Procfs())
    assert facts["counts"]["untrusted"] >= 1
    assert {event["trusted"] for event in facts["events"]} <= {True}
    everything = gather(query(limit=100000, untrusted=True), Procfs())
    assert everything["total"] == facts["total"] + facts["counts"]["untrusted"]
    assert everything["events"][-1]["victims"][0]["name"] == "forged"
    assert everything["events"][-1]["time"].endswith("Z")


def test_a_log_that_cannot_be_opened_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(UnsupportedError, match="does not exist"):
        Kmsg(str(tmp_path / "kmsg"))

    def denied(*_args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AccessError, match="have CAP_SYSLOG while kernel.dmesg_restrict is 1"):
        Kmsg()


def test_records_that_were_overwritten_are_counted(monkeypatch):
    chunks = [b"6,3,1,-;a", BrokenPipeError(), b"6,7,1,-;b", b"no record", BlockingIOError()]

    def read(_fd, _size):
        chunk = chunks.pop(0)
        if isinstance(chunk, bytes):
            return chunk
        raise chunk

    with Kmsg() as log:
        monkeypatch.setattr(os, "read", read)
        assert [record.text for record in log.read()] == ["a", "b"]
        assert log.lost == 6


def test_files_are_named_by_paths_and_globs(tmp_path):
    for name in ("b.log", "a.log"):
        (tmp_path / name).write_text(KILL.format(1, "x"))
    a, b = str(tmp_path / "a.log"), str(tmp_path / "b.log")
    assert files([b, str(tmp_path / "*.log")]) == [b, a]
    facts = gather(query(paths=[str(tmp_path / "*.log")], limit=1), Procfs())
    assert (facts["total"], facts["truncated"], facts["events"][0]["source"]) == (2, True, b)
    assert facts["summary"] == [{"name": "x", "kills": 2}]
    assert facts["counts"]["unlogged"] is None


ENTRY = {
    "MESSAGE": KILL.format(7, "x"), "_TRANSPORT": "kernel", "SYSLOG_FACILITY": "0", "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722", "__REALTIME_TIMESTAMP": "1795409025649722",
}


def test_an_entry_of_the_journal_says_when_and_in_which_boot(tmp_path):
    (tmp_path / "journal.json").write_text(json.dumps(ENTRY) + "\n")
    [event] = gather(query(paths=[str(tmp_path / "journal.json")]), Procfs())["events"]
    assert (event["time"], event["monotonic"], event["trusted"]) == ("2026-11-23T04:43:45.649722Z", 53.649722, True)
    assert event["boot_id"] == ENTRY["_BOOT_ID"] and event["id"].startswith("6aaf9458-")


@pytest.mark.parametrize(
    "changes, trusted",
    [
        (dict(), True),
        (dict(_TRANSPORT="syslog", SYSLOG_IDENTIFIER="kernel"), False),
        (dict(_TRANSPORT="stdout"), False),
        (dict(SYSLOG_FACILITY="1"), False),  # written to /dev/kmsg by a program
        (dict(_TRANSPORT=["kernel", "syslog"]), False),
    ],
)
def test_no_program_speaks_for_the_kernel_in_the_journal(changes, trusted):
    assert journal_record(dict(ENTRY, **changes)).trusted is trusted


@pytest.mark.parametrize(
    "message, text",
    [
        ("a\nOut of memory: Killed process 1 (init)", "a\\x0aOut of memory: Killed process 1 (init)"),
        ([65, 10, 255], "A\\x0a\\xff"),
        ("tail\n", "tail"),
    ],
)
def test_a_message_of_the_journal_is_one_line_whatever_is_in_it(message, text):
    assert journal_record(dict(ENTRY, MESSAGE=message)).text == text


@pytest.mark.parametrize("message", [None, [], ["x"], [256], 7, {}])
def test_an_entry_without_a_message_is_none(message):
    assert journal_record(dict(ENTRY, MESSAGE=message)) is None


@pytest.mark.parametrize("line", ["{", "{}", "{\"MESSAGE\": " + "[" * 60000, "[1]", "{\"MESSAGE\": null}"])
def test_a_line_that_only_begins_like_the_journal_is_text(tmp_path, line):
    (tmp_path / "log").write_text(line + "\n" + KILL.format(7, "x") + "\n")
    assert [event["victims"][0]["pid"] for event in gather(query(paths=[str(tmp_path / "log")]), Procfs())["events"]] == [7]


@pytest.fixture
def journalctl(tmp_path):
    """A journalctl that writes down how it was called, and says this."""

    def make(script):
        program = tmp_path / "journalctl"
        program.write_text('#!/bin/sh\necho "$@" > {0}/called\n{1}\n'.format(tmp_path, script))
        program.chmod(0o755)
        return str(program)

    return make


@pytest.mark.parametrize(
    "boot, words", [("current", "--boot=0"), ("previous", "--boot=-1"), ("all", "_TRANSPORT=kernel"), ("6aaf9458705f", "--boot=6aaf9458705f")]
)
def test_the_journal_is_asked_for_the_kernel_and_the_boot(journalctl, tmp_path, boot, words):
    program = journalctl("cat <<'X'\n{0}\nX".format(json.dumps(ENTRY)))
    assert [record.text for record in read_journal(boot, program)] == [ENTRY["MESSAGE"]]
    called = (tmp_path / "called").read_text()
    assert "_TRANSPORT=kernel" in called and words in called and ("--boot" in called) is (boot != "all")


def test_a_journal_that_cannot_be_read_says_why(journalctl):
    program = journalctl("echo 'Data from the specified boot (x) is not available: No such boot ID in journal' >&2; exit 1")
    with pytest.raises(AccessError, match="the journal cannot be read .boot=x.: Data from the specified boot .x. is not available"):
        list(read_journal("x", program))
    with pytest.raises(UnsupportedError, match="/nonexistent cannot be started: No such file"):
        list(read_journal("current", "/nonexistent"))


def test_only_a_journal_that_is_kept_counts(tmp_path):
    assert not _kernel_log.has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123").mkdir(parents=True)
    assert not _kernel_log.has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123/system.journal").write_text("")
    assert _kernel_log.has_journal(str(tmp_path))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_packed_files_are_read_whatever_their_name(tmp_path, pack):
    (tmp_path / "kern.log").write_bytes(pack(KILL.format(7, "x").encode()))
    assert [record.text for record in read_file(str(tmp_path / "kern.log"))] == [KILL.format(7, "x")]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_that_is_cut_says_so(tmp_path, pack):
    whole = pack(os.urandom(4096).hex().encode())
    (tmp_path / "kern.log").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="kern.log is cut or damaged"):
        list(read_file(str(tmp_path / "kern.log")))


EVENTS = [
    dict(
        ENTRY,
        MESSAGE="oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg={0},task={1},pid={2},uid=0".format(*one),
    )
    for one in [("/system.slice/mariadb.service", "mariadbd", 7), ("/system.slice/docker-{0}.scope".format("0123456789abcdef" * 4), "app", 8)]
]


@pytest.mark.parametrize(
    "filters, pids",
    [
        (dict(), [7, 8]),
        (dict(victim="app"), [8]),
        (dict(unit="mariadb"), [7]),
        (dict(unit="mariadb.service"), [7]),
        (dict(unit="app"), []),
        (dict(constraint="none"), [7, 8]),
        (dict(constraint="memcg"), []),
        (dict(killer="kernel", victim="mariadbd"), [7]),
    ],
)
def test_events_are_chosen_and_counted_all_the_same(tmp_path, filters, pids):
    (tmp_path / "j").write_text("".join(json.dumps(entry) + "\n" for entry in EVENTS))
    facts = gather(query(paths=[str(tmp_path / "j")], **filters), Procfs())
    assert [event["victims"][0]["pid"] for event in facts["events"]] == pids
    assert (facts["total"], facts["counts"]["logged_kills"]) == (len(pids), 2)


def dump(folder, name, text, age):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(str(path), (1000000 - age, 1000000 - age))
    return str(path)


def test_a_panic_is_put_together_from_its_parts_and_told_from_the_next(tmp_path):
    kernel, kept = tmp_path / "sys/fs/pstore", tmp_path / "var/lib/systemd/pstore"
    dump(kernel, "dmesg-efi-2", "Panic#1 Part2\n<4>[  1.0] a\n<4>[  2.0] b\n", 10)
    last = dump(kernel, "dmesg-efi-1", "Panic#1 Part1\n<4>[  3.0] c\n", 10)
    whole = dump(kept, "17/dmesg.txt", "Panic#1 Part2\n<4>[  8.0] x\nPanic#1 Part1\n<4>[  9.0] y\n", 500)
    other = dump(kept, "17/dmesg-efi-3", "Panic#1 Part1\n<4>[  9.0] z\n", 500)
    dump(kernel, "console-ramoops-0", "<4>[  9.0] y\n", 1)
    dump(kernel, "dmesg-efi-9.enc.z", "\x9c\x01", 1)
    dumps = [(path, [record.text for record in records if record.monotonic]) for path, records in _kernel_log.pstore_dumps(str(tmp_path))]
    assert dumps == [(whole, ["x", "y"]), (other, ["z"]), (last, ["a", "b", "c"])]


def test_a_panic_that_is_kept_twice_is_one_event(tmp_path, monkeypatch, proc):
    """As systemd 252 leaves it: what it put together is of the panic before, and a dump has the name of the one before."""
    panic = "Panic#1 Part1\n<4>[ {0}] x invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n" + (
        "<0>[ {0}] Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n"
    )
    kept = tmp_path / "var/lib/systemd/pstore"
    dump(kept, "dmesg.txt", "dmesg-ramoops-0:\n" + panic.format("10.0"), 500)
    dump(kept, "dmesg-ramoops-0", panic.format("20.0"), 100)
    dump(kept, "9/dmesg-ramoops-0", panic.format("10.0"), 600)
    monkeypatch.setattr(_kernel_log, "PSTORE", [str(kept)])
    told = gather(query(source="pstore"), proc.procfs)
    assert [(event["outcome"], event["monotonic"]) for event in told["events"]] == [("panic", 10.0), ("panic", 20.0)]


def test_two_panics_of_which_only_one_part_was_kept_are_two(tmp_path):
    first = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n<4>[  3.0] a\n", 99)
    second = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-1", "Panic#1 Part1\n<4>[  3.0] b\n", 10)
    assert [path for path, _records in _kernel_log.pstore_dumps(str(tmp_path))] == [first, second]


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path, monkeypatch):
    dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n", 1)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(AccessError, match="sys/fs/pstore cannot be read .Permission denied.: be root"):
        list(_kernel_log.pstore_dumps(str(tmp_path)))


@pytest.mark.parametrize("text, backend", [("ramoops\n", "ramoops"), ("(null)\n", None), (None, None)])
def test_who_would_keep_a_panic_is_told(tmp_path, text, backend):
    if text:
        path = tmp_path / "sys/module/pstore/parameters/backend"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert _kernel_log.pstore_backend(str(tmp_path)) == backend


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "junk").write_bytes(bytes(range(32)) * 100)
    (tmp_path / "odd").write_bytes(KILL.format(1, "caf").encode() + b"\xe9\xff\n")
    assert len(list(read_file(str(tmp_path / "odd")))) == 1
    for path, error, words in (
        (tmp_path / "junk", InputError, "junk is not text"),
        (tmp_path, InputError, "is not a file"),
        (tmp_path / "none", NotFoundError, "none does not exist"),
        (tmp_path / "odd" / "x", AccessError, "cannot be read: Not a directory"),
    ):
        with pytest.raises(error, match=words):
            list(read_file(str(path)))
    with pytest.raises(NotFoundError, match="matches no file"):
        files([str(tmp_path / "*.gz")])


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(source="file"), "needs paths"),
        (dict(source="kmsg", paths=["/x"]), "does not take"),
        (dict(limit=0), "limit 0"),
        (dict(source="kmsg", boot="previous"), "boot=previous needs the journal"),
    ],
)
def test_options_that_do_not_go_together_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        gather(query(**changes), Procfs())


def test_a_host_that_slept_has_no_sure_time(monkeypatch):
    clocks = {_events._CLOCK_BOOTTIME: 100.0, _events.time.CLOCK_MONOTONIC: 10.0}
    monkeypatch.setattr(_events.time, "clock_gettime", clocks.get)
    assert _events._wall_clock(5.0) is None


def test_kills_that_nobody_logged_are_told():
    events = [dict(victims=[1, 2], outcome="group_kill"), dict(victims=[3], outcome="kill")]
    assert [_events._unlogged(counted, events) for counted in (None, 4, 5, 2)] == [None, 0, 1, 0]


def test_the_modules_answer_as_ansible_wants(run_module, tmp_path):
    (tmp_path / "kern.log").write_text(KILL.format(7, "x"))
    facts = run_module("oom_events", paths=[str(tmp_path / "kern.log")])
    assert (facts["changed"], facts["events"][0]["victims"][0]["pid"]) == (False, 7)
    assert run_module("oom_events", paths=["/nonexistent"])["msg"] == "/nonexistent does not exist"
    assert "is not a file" in run_module("oom_trial", hog="/nonexistent")["msg"]
    checked = run_module("oom_trial", check_mode=True, hog="/bin/true")
    assert (checked["changed"], checked["verdict"]) == (False, None)
    own = run_module("oom_score_adj", check_mode=True, targets=[dict(pid=os.getpid(), score=999)])
    assert (own["changed"], own["targets"][0]["processes"][0]["after"]) == (True, 999)
    assert "no such process" in run_module("oom_score_adj", process="no-such-daemon", score=1)["msg"]
    warned = run_module("oom_score_adj", process="no-such-daemon", score=1, missing="warn")
    assert "no such process" in str(warned["warnings"])
    assert _kernel_log.files(["/x"]) == ["/x"]
