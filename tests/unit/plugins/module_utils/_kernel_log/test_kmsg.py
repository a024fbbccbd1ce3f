# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a host keeps: the real kernel log, journalctl as a program, dumps of pstore."""

import json
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import journal as journal_reader
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import Journal, has_journal
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.pstore import pstore_backend, pstore_dumps

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"

ENTRY = {
    "MESSAGE": KILL.format(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


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


def test_the_ring_buffer_is_read_from_where_it_was_left(monkeypatch):
    chunks = [b"6,3,1,-;a", b"6,4,1,-;b", b"6,9,1,-;c", None]

    def read(_fd, _size):
        chunk = chunks.pop(0)
        if chunk is None:
            raise BlockingIOError()
        return chunk

    with Kmsg(start=4) as log:
        monkeypatch.setattr(os, "read", read)
        assert [(record.text, record.place.at) for record in log.read()] == [("b", 4), ("c", 9)]
        assert (log.lost, log.next) == (4, 10)


@pytest.fixture
def journalctl(tmp_path):
    """A journalctl that writes down how it was called, and says this."""

    def make(script):
        program = tmp_path / "journalctl"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n{script}\n')
        program.chmod(0o755)
        return str(program)

    return make


@pytest.mark.parametrize(
    "boot, words",
    [
        ("current", "--boot=0"),
        ("previous", "--boot=-1"),
        ("all", "_TRANSPORT=kernel"),
        ("6aaf9458705f", "--boot=6aaf9458705f"),
    ],
)
def test_the_journal_is_asked_for_the_kernel_and_the_boot(journalctl, tmp_path, boot, words):
    program = journalctl(f"cat <<'X'\n{json.dumps(ENTRY)}\nX")
    assert [record.text for record in Journal(boot, program=program).read()] == [ENTRY["MESSAGE"]]
    called = (tmp_path / "called").read_text()
    assert "_TRANSPORT=kernel + _SYSTEMD_UNIT=earlyoom.service" in called
    assert words in called and ("--boot" in called) is (boot != "all")


def test_a_journal_that_cannot_be_read_says_why(journalctl):
    program = journalctl(
        "echo 'Data from the specified boot (x) is not available: No such boot ID in journal' >&2; exit 1"
    )
    with pytest.raises(
        AccessError, match="the journal cannot be read .boot=x.: Data from the specified boot .x. is not available"
    ):
        list(Journal("x", program=program).read())
    with pytest.raises(UnsupportedError, match="/nonexistent cannot be started: No such file"):
        list(Journal("current", program="/nonexistent").read())


def test_the_journal_is_asked_for_a_time(journalctl, tmp_path):
    list(Journal("current", since=1795409025.7, until=1795409085.0, program=journalctl("")).read())
    assert "--boot=0 --since=@1795409026 --until=@1795409085" in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    "cursors, told, gap",
    [(["a", "b", "c"], ["b", "c"], False), (["a"], [], False), (["b", "c"], ["b", "c"], True), ([], [], True)],
)
def test_the_journal_is_read_from_where_it_was_left(journalctl, tmp_path, cursors, told, gap):
    entries = [dict(ENTRY, MESSAGE=cursor, __CURSOR=cursor) for cursor in cursors]
    journal = Journal(
        "current",
        cursor="a",
        program=journalctl("cat <<'X'\n{}X".format("".join(json.dumps(entry) + "\n" for entry in entries))),
    )
    records = list(journal.read())
    assert [record.text for record in records] == told
    assert [record.place.at for record in records] == (["a", *told])[: len(told)]
    assert (journal.gap, journal.end) == (gap, told[-1] if told else "a")
    called = (tmp_path / "called").read_text()
    assert "--cursor=a" in called and "--boot" not in called


def test_a_journal_of_which_a_part_is_hidden_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "log/0123").mkdir(parents=True)
    (tmp_path / "log/0123/system.journal").write_text("")
    monkeypatch.setattr(journal_reader, "JOURNALS", [str(tmp_path / "log")])
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(
        AccessError, match="no permission for .*system.journal: be root, or in the group systemd-journal"
    ):
        list(Journal("current").read())


def test_only_a_journal_that_is_kept_counts(tmp_path):
    assert not has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123").mkdir(parents=True)
    assert not has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123/system.journal").write_text("")
    assert has_journal(str(tmp_path))


def test_a_panic_is_put_together_from_its_parts_and_told_from_the_next(tmp_path, dump):
    kernel, kept = tmp_path / "sys/fs/pstore", tmp_path / "var/lib/systemd/pstore"
    dump(kernel, "dmesg-efi-2", "Panic#1 Part2\n<4>[  1.0] a\n<4>[  2.0] b\n", 10)
    last = dump(kernel, "dmesg-efi-1", "Panic#1 Part1\n<4>[  3.0] c\n", 10)
    whole = dump(kept, "17/dmesg.txt", "Panic#1 Part2\n<4>[  8.0] x\nPanic#1 Part1\n<4>[  9.0] y\n", 500)
    other = dump(kept, "17/dmesg-efi-3", "Panic#1 Part1\n<4>[  9.0] z\n", 500)
    dump(kernel, "console-ramoops-0", "<4>[  9.0] y\n", 1)
    dump(kernel, "dmesg-efi-9.enc.z", "\x9c\x01", 1)
    dumps = [
        (path, [record.text for record in records if "Panic#" not in record.text])
        for path, records in pstore_dumps(str(tmp_path))
    ]
    assert dumps == [(whole, ["x", "y"]), (other, ["z"]), (last, ["a", "b", "c"])]


def test_two_panics_of_which_only_one_part_was_kept_are_two(tmp_path, dump):
    first = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n<4>[  3.0] a\n", 99)
    second = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-1", "Panic#1 Part1\n<4>[  3.0] b\n", 10)
    assert [path for path, _records in pstore_dumps(str(tmp_path))] == [first, second]


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(tmp_path, monkeypatch, dump):
    dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n", 1)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(AccessError, match="sys/fs/pstore cannot be read .Permission denied.: be root"):
        list(pstore_dumps(str(tmp_path)))


@pytest.mark.parametrize("text, backend", [("ramoops\n", "ramoops"), ("(null)\n", None), (None, None)])
def test_who_would_keep_a_panic_is_told(tmp_path, text, backend):
    if text:
        path = tmp_path / "sys/module/pstore/parameters/backend"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert pstore_backend(str(tmp_path)) == backend
