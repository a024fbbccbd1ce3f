# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Log files: rotated, packed, cut, half written, and what is none."""

import gzip
import json
import lzma
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import (
    LogFile,
    Mark,
    expand_paths,
    group_rotations,
    read_log,
)

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_packed_files_are_read_whatever_their_name(tmp_path, pack):
    (tmp_path / "kern.log").write_bytes(pack(KILL.format(7, "x").encode()))
    assert [record.text for record in read_log(str(tmp_path / "kern.log"))] == [KILL.format(7, "x")]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_of_a_packed_file_that_is_cut_the_beginning_is_read(tmp_path, pack):
    whole = pack((KILL.format(7, "x") + "\n" + os.urandom(1 << 20).hex() + "\n" + KILL.format(8, "y")).encode())
    (tmp_path / "kern.log").write_bytes(whole[: len(whole) // 2])
    log = LogFile(str(tmp_path / "kern.log"))
    assert next(log.records()).text == KILL.format(7, "x")
    assert len(list(log.records())) > 0
    assert "kern.log is cut or damaged" in log.damage
    with pytest.raises(InputError, match="kern.log is cut or damaged"):
        list(read_log(str(tmp_path / "kern.log")))


def test_a_packed_file_of_which_nothing_can_be_read_is_refused(tmp_path):
    (tmp_path / "kern.log").write_bytes(gzip.compress(b"x")[:12])
    with pytest.raises(InputError, match="kern.log is cut or damaged"):
        LogFile(str(tmp_path / "kern.log"))
    (tmp_path / "kern.log").write_bytes(gzip.compress(b"x")[:-8] + b"\0" * 8)
    with pytest.raises(InputError, match="kern.log is cut or damaged: CRC check failed"):
        LogFile(str(tmp_path / "kern.log"))


def test_files_of_a_glob_are_read_as_they_were_written(tmp_path):
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
    assert [len(log) for log in group_rotations(["/kern.log", "/kern.log.1"])] == [
        1,
        1,
    ]  # so they did not follow each other


def read_on(path, marks=(), whole_lines=True):
    """What is new in a file, and where the next one goes on."""
    log = LogFile(str(path), marks, whole_lines)
    return [record.text for record in log.records()], [log.mark()] if log.mark() else []


def test_a_file_is_read_on_where_it_was_left_whatever_it_is_called_now(tmp_path):
    log = tmp_path / "kern.log"
    log.write_text("one\ntwo\n")
    told, marks = read_on(log)
    assert told == ["one", "two"]
    with log.open("a") as stream:
        stream.write("three\nfo")
    told, marks = read_on(log, marks)
    assert told == ["three"]
    with log.open("a") as stream:
        stream.write("ur\n")
    packed = tmp_path / "kern.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.write_text("other\n")
    assert read_on(packed, marks)[0] == ["four"]
    assert read_on(log, marks)[0] == ["other"]
    assert [Mark.of(str(mark)) for mark in marks] == marks


def test_a_line_that_is_still_written_is_read_again_by_who_reads_on(tmp_path):
    (tmp_path / "kern.log").write_text("one\ntwo")
    told, marks = read_on(tmp_path / "kern.log", whole_lines=False)
    assert (told, marks[0].offset) == (["one", "two"], 4)


def test_an_empty_file_cannot_be_known_again(tmp_path):
    (tmp_path / "kern.log").write_text("")
    assert read_on(tmp_path / "kern.log") == ([], [])
    assert read_on(tmp_path / "kern.log", [Mark("e3b0c44298fc1c14", 0, 9)]) == ([], [])


def test_of_a_line_without_end_only_the_beginning_is_looked_at(tmp_path):
    (tmp_path / "kern.log").write_bytes(b"one\n" + b"x" * 300000 + b"\ntwo\n")
    records = list(LogFile(str(tmp_path / "kern.log")).records())
    assert [record.text[:3] for record in records] == ["one", "xxx", "two"]
    assert [record.place.at for record in records] == [0, 4, 300005]


def test_dmesg_in_json_is_read_once_and_refused_when_it_is_cut(tmp_path):
    path = tmp_path / "dmesg.json"
    entry = (
        '      {\n         "pri": 3,\n         "time":    53.649722,\n         "msg": "'
        + KILL.format(7, "x")
        + '"\n      }\n'
    )
    path.write_text('{\n   "dmesg": [\n' + entry + "   ]\n}\n")
    told, marks = read_on(path)
    assert told == [KILL.format(7, "x")]
    assert read_on(path, marks)[0] == []
    path.write_text(path.read_text()[:60])
    with pytest.raises(InputError, match="dmesg.json is not what dmesg writes as JSON"):
        read_on(path)


def test_the_journals_export_is_read_on_by_entries(tmp_path):
    path = tmp_path / "journal.export"
    entry = "__CURSOR={0}\n_TRANSPORT=kernel\nMESSAGE={0}\n\n"
    path.write_text(entry.format("a") + entry.format("b")[:-20])
    told, marks = read_on(path)
    assert told == ["a"]
    path.write_text(entry.format("a") + entry.format("b"))
    assert read_on(path, marks)[0] == ["b"]


def pretty(**fields):
    """As journalctl --output=json-pretty writes it."""
    return json.dumps(fields, indent="\t", separators=(",", " : ")) + "\n"


def test_the_journals_json_on_many_lines_is_read_on_by_entries(tmp_path):
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
    assert read_on(path, [log.mark()])[0] == [KILL.format(7, "x")]


def test_json_on_many_lines_that_is_no_entry_is_left(tmp_path):
    path = tmp_path / "journal.json"
    path.write_text(
        '{\n\t"A" : "b"\n}\n'
        + '{\n\t"MESSAGE" : "a"\n'
        + '{\n\t"MESSAGE" : "b",\n'
        + "\t[\n" * 70000
        + "}\n"
        + '{\n\t"MESSAGE" : "c"\n}\n'
    )
    assert read_on(path)[0] == ["c"]


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "junk").write_bytes(bytes(range(32)) * 100)
    (tmp_path / "odd").write_bytes(KILL.format(1, "caf").encode() + b"\xe9\xff\n")
    assert len(list(read_log(str(tmp_path / "odd")))) == 1
    for path, error, words in (
        (tmp_path / "junk", InputError, "junk is not text"),
        (tmp_path, InputError, "is not a file"),
        (tmp_path / "none", NotFoundError, "none does not exist"),
        (tmp_path / "odd" / "x", AccessError, "cannot be read: Not a directory"),
    ):
        with pytest.raises(error, match=words):
            list(read_log(str(path)))
    with pytest.raises(NotFoundError, match="matches no file"):
        expand_paths([str(tmp_path / "*.gz")])
