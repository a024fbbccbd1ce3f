# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Log files: rotated, compressed, truncated, still growing, and files that are not logs."""

import gzip
import json
import lzma
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import files
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import (
    LogFile,
    Mark,
    expand_paths,
    group_rotations,
    read_log,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_read_compressed_files_of_any_name(tmp_path, compress):
    (tmp_path / "kern.log").write_bytes(compress(KILL.format(7, "x").encode()))
    assert [record.text for record in read_log(str(tmp_path / "kern.log"))] == [KILL.format(7, "x")]


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_read_the_beginning_of_a_truncated_file(tmp_path, compress):
    whole = compress((KILL.format(7, "x") + "\n" + os.urandom(1 << 20).hex() + "\n" + KILL.format(8, "y")).encode())
    (tmp_path / "kern.log").write_bytes(whole[: len(whole) // 2])
    log = LogFile(str(tmp_path / "kern.log"))
    assert next(log.records()).text == KILL.format(7, "x")
    assert len(list(log.records())) > 0
    assert "kern.log is truncated or damaged" in log.damage
    with pytest.raises(InputError, match=r"kern\.log is truncated or damaged"):
        list(read_log(str(tmp_path / "kern.log")))


@pytest.mark.parametrize(
    "content, reason",
    [(gzip.compress(b"x")[:12], "ended before"), (gzip.compress(b"x")[:-8] + b"\0" * 8, "incorrect data check")],
    ids=["cut", "wrong checksum"],
)
def test_report_a_compressed_file_without_any_readable_byte(tmp_path, content, reason):
    (tmp_path / "kern.log").write_bytes(content)
    log = LogFile(str(tmp_path / "kern.log"))
    assert list(log.records()) == []
    assert [reason in loss for loss in log.list_losses()] == [True]
    with pytest.raises(InputError, match=rf"kern\.log is truncated or damaged: .*{reason}"):
        list(read_log(str(tmp_path / "kern.log")))


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_read_a_small_file_up_to_its_damage(tmp_path, compress):
    """Read the first member of a file whose second one was cut, all within its first bytes."""
    path = tmp_path / "kern.log.gz"
    path.write_bytes(compress((KILL.format(7, "x") + "\n").encode()) + compress(b"x" * 9999)[:14])
    log = LogFile(str(path))
    assert [record.text for record in log.records()] == [KILL.format(7, "x")]
    assert "is truncated or damaged" in log.list_losses()[0]


def rotate(folder):
    (folder / "kern.log").rename(folder / "kern.log.1")
    (folder / "kern.log").write_text(KILL.format(9, "new") + "\n")


def rotate_into_date(folder):
    (folder / "kern.log").rename(folder / "kern.log-20261123")


def test_follow_a_file_that_is_rotated_before_it_is_read(tmp_path):
    for change in (rotate, rotate_into_date):
        (tmp_path / "kern.log").write_text(KILL.format(7, "x") + "\n")
        log = LogFile(str(tmp_path / "kern.log"))
        change(tmp_path)
        assert [record.text for record in log.records()] == [KILL.format(7, "x")]
        assert log.list_losses() == []


def test_follow_a_file_that_is_rotated_while_it_is_read(tmp_path):
    (tmp_path / "kern.log").write_text((KILL.format(7, "x") + "\n") * 2)
    records = LogFile(str(tmp_path / "kern.log")).records()
    next(records)
    rotate(tmp_path)
    assert [record.text for record in records] == [KILL.format(7, "x")]


def test_report_a_file_that_is_gone(tmp_path):
    (tmp_path / "kern.log").write_text(KILL.format(7, "x") + "\n")
    log = LogFile(str(tmp_path / "kern.log"))
    rotate(tmp_path)
    (tmp_path / "kern.log.1").unlink()
    assert list(log.records()) == []
    assert "kern.log was rotated away before it was read" in log.list_losses()[0]


def test_report_a_file_that_is_truncated_while_it_is_read(tmp_path):
    (tmp_path / "kern.log").write_text((KILL.format(7, "x") + "\n") * 5000)
    log = LogFile(str(tmp_path / "kern.log"))
    records = log.records()
    next(records)
    os.truncate(tmp_path / "kern.log", 0)
    assert len(list(records)) < 4999
    assert "kern.log was truncated while it was read" in log.list_losses()[0]


def test_order_the_files_of_a_glob_from_old_to_new(tmp_path):
    written = [
        "a.log-20261101.gz",
        "a.log-20261108",
        "a.log",
        "kern.log.10.gz",
        "kern.log.2.xz",
        "kern.log.1",
        "kern.log",
        "x.log",
    ]
    for name in written:
        (tmp_path / name).write_text("x")
    paths = expand_paths([str(tmp_path / "*")])
    assert [os.path.basename(path) for path in paths] == written
    assert [len(log) for log in group_rotations(paths)] == [3, 4, 1]
    # Given from new to old, they do not follow each other.
    assert [len(log) for log in group_rotations(["/kern.log", "/kern.log.1"])] == [1, 1]


def read_new(path, marks=(), whole_lines=True):
    """Return the new lines of a file, and its marks for the next run."""
    log = LogFile(str(path), marks, whole_lines)
    return [record.text for record in log.records()], [log.mark()] if log.mark() else []


def test_continue_a_file_under_another_name(tmp_path):
    log = tmp_path / "kern.log"
    log.write_text("one\ntwo\n")
    texts, marks = read_new(log)
    assert texts == ["one", "two"]
    with log.open("a") as stream:
        stream.write("three\nfo")
    texts, marks = read_new(log, marks)
    assert texts == ["three"]
    with log.open("a") as stream:
        stream.write("ur\n")
    packed = tmp_path / "kern.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("other\n")
    assert read_new(packed, marks)[0] == ["four"]
    assert read_new(log, marks)[0] == ["other"]
    assert [Mark.of(str(mark)) for mark in marks] == marks


def test_read_an_incomplete_line_again(tmp_path):
    (tmp_path / "kern.log").write_text("one\ntwo")
    texts, marks = read_new(tmp_path / "kern.log", whole_lines=False)
    assert (texts, marks[0].offset) == (["one", "two"], 4)


def test_an_empty_file_has_no_mark(tmp_path):
    (tmp_path / "kern.log").write_text("")
    assert read_new(tmp_path / "kern.log") == ([], [])
    assert read_new(tmp_path / "kern.log", [Mark("e3b0c44298fc1c14", 0, 9)]) == ([], [])


def test_read_only_the_beginning_of_a_long_line(tmp_path):
    (tmp_path / "kern.log").write_bytes(b"one\n" + b"x" * 300000 + b"\ntwo\n")
    records = list(LogFile(str(tmp_path / "kern.log")).records())
    assert [record.text[:3] for record in records] == ["one", "xxx", "two"]
    assert [record.place.at for record in records] == [0, 4, 300005]


@pytest.mark.parametrize(
    "turn",
    ["", "\r", "\u00e9", "x" * 300000],
    ids=["plain", "a line of Windows", "a letter beyond ASCII", "a long line"],
)
def test_lines_and_places_are_the_same_in_text_of_any_kind(tmp_path, turn):
    """Plain lines are read together, others one by one; buffers end anywhere in them."""
    lines = [f"{number} {turn if number % 701 == 7 else 'usb'} {'y' * (number % 90)}\n" for number in range(4000)]
    content = [line.encode() for line in lines]
    (tmp_path / "kern.log").write_bytes(b"".join(content) + b"no end")
    records = list(LogFile(str(tmp_path / "kern.log")).records())
    texts = [record.text for record in records]
    assert [text[:80] for text in texts] == [line.rstrip("\r\n")[:80] for line in lines] + ["no end"]
    places = [sum(map(len, content[:number])) for number in range(0, 4001, 500)]
    assert [record.place.at for record in records[::500]] == places


def test_read_dmesg_json_once_and_refuse_it_truncated(tmp_path):
    path = tmp_path / "dmesg.json"
    entry = (
        '      {\n         "pri": 3,\n         "time":    53.649722,\n         "msg": "'
        + KILL.format(7, "x")
        + '"\n      }\n'
    )
    path.write_text('{\n   "dmesg": [\n' + entry + "   ]\n}\n")
    texts, marks = read_new(path)
    assert texts == [KILL.format(7, "x")]
    assert read_new(path, marks)[0] == []
    path.write_text(path.read_text()[:60])
    with pytest.raises(InputError, match=r"dmesg\.json is not JSON from dmesg"):
        read_new(path)


def test_continue_an_export_after_its_last_whole_entry(tmp_path):
    path = tmp_path / "journal.export"
    entry = "__CURSOR={0}\n_TRANSPORT=kernel\nMESSAGE={0}\n\n"
    path.write_text(entry.format("a") + entry.format("b")[:-20])
    texts, marks = read_new(path)
    assert texts == ["a"]
    path.write_text(entry.format("a") + entry.format("b"))
    assert read_new(path, marks)[0] == ["b"]


def pretty(**fields):
    """Return an entry as journalctl --output=json-pretty writes it."""
    return json.dumps(fields, indent="\t", separators=(",", " : ")) + "\n"


def test_continue_pretty_json_after_its_last_whole_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "is_roots", lambda _path: True)
    path = tmp_path / "journal.json"
    kernel = pretty(__CURSOR="a", MESSAGE=KILL.format(7, "x"), _TRANSPORT="kernel", SYSLOG_FACILITY="0")
    program = pretty(__CURSOR="b", MESSAGE=[ord(letter) for letter in "hi\n}\n{\n"], _TRANSPORT="syslog")
    hostile = pretty(
        __CURSOR="c", MESSAGE=KILL.format(1, "init") + '\n\t"_TRANSPORT" : "kernel"\n}\n' + kernel, _TRANSPORT="stdout"
    )
    path.write_text(kernel + program + hostile + kernel[:50])
    log = LogFile(str(path))
    records = list(log.records())
    assert [record.trusted for record in records] == [True, False, False]
    assert [record.place.at for record in records] == [0, len(kernel), len(kernel + program)]
    assert [record.text for record in records[:2]] == [KILL.format(7, "x"), "hi\\x0a}\\x0a{"]
    path.write_text(kernel + program + hostile + kernel)
    assert read_new(path, [log.mark()])[0] == [KILL.format(7, "x")]


def test_ignore_pretty_json_without_an_entry(tmp_path):
    path = tmp_path / "journal.json"
    path.write_text(
        '{\n\t"A" : "b"\n}\n'
        + '{\n\t"MESSAGE" : "a"\n'
        + '{\n\t"MESSAGE" : "b",\n'
        + "\t[\n" * 70000
        + "}\n"
        + '{\n\t"MESSAGE" : "c"\n}\n'
    )
    assert read_new(path)[0] == ["c"]


def test_refuse_files_that_are_not_logs(tmp_path):
    (tmp_path / "junk").write_bytes(bytes(range(32)) * 100)
    (tmp_path / "program").write_bytes((b"\x7fELF" + b"\0" * 50 + b"\x01\x02 text") * 100)
    (tmp_path / "odd").write_bytes(KILL.format(1, "caf").encode() + b"\xe9\xff\n")
    assert len(list(read_log(str(tmp_path / "odd")))) == 1
    for path, error, words in (
        (tmp_path / "junk", InputError, "junk is not text: .*: name log files only"),
        (tmp_path / "program", InputError, "program is not text"),
        (tmp_path, InputError, "is not a file"),
        (tmp_path / "none", NotFoundError, "none does not exist"),
        (tmp_path / "odd" / "x", AccessError, "cannot be read: Not a directory"),
    ):
        with pytest.raises(error, match=words):
            list(read_log(str(path)))
    with pytest.raises(NotFoundError, match="matches no file"):
        expand_paths([str(tmp_path / "*.gz")])


HEAD = "Mon 2026-11-23 04:43:45.649722 UTC [s={0:032x};i=7;b={0:032x};m=332a2da;t=660f1d6f2e11a;x=9]"


def verbose(number, transport):
    return f"{HEAD.format(7)}\n    _TRANSPORT={transport}\n    MESSAGE={KILL.format(number, 'x')}\n    PRIORITY=3\n"


def test_verbose_journal(tmp_path):
    """Fields show what a program wrote. A text proves no writer, so nothing is trusted."""
    path = tmp_path / "journal.txt"
    path.write_text(verbose(7, "kernel") + verbose(8, "syslog") + verbose(9, "kernel"))
    events = parse_events(read_log(str(path)))
    assert [(event["victims"][0]["pid"], event["trusted"]) for event in events] == [(7, None), (8, False), (9, None)]
    log = LogFile(str(path), whole_lines=True)
    assert len(list(log.records())) == 2
    path.write_text(path.read_text() + verbose(10, "kernel"))
    later = LogFile(str(path), [log.mark()])
    assert [event["victims"][0]["pid"] for event in parse_events(later.records())] == [9, 10]
