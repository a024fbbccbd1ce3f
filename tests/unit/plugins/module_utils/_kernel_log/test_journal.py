# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The journal: how journalctl is called, where reading continues, and what cannot be read."""

import json
import os
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import journal
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import Journal, has_journal

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"

ENTRY = {
    "MESSAGE": KILL.format(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


@pytest.fixture
def journalctl(tmp_path):
    """Make a journalctl that runs this script, and writes its arguments to a file."""

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
def test_select_the_kernel_and_the_boot(journalctl, tmp_path, boot, words):
    program = journalctl(f"cat <<'X'\n{json.dumps(ENTRY)}\nX")
    assert [record.text for record in Journal(boot, program=program).read()] == [ENTRY["MESSAGE"]]
    called = (tmp_path / "called").read_text()
    assert "_TRANSPORT=kernel + _SYSTEMD_UNIT=earlyoom.service" in called
    assert words in called and ("--boot" in called) is (boot != "all")


def test_report_why_the_journal_cannot_be_read(journalctl):
    program = journalctl(
        "echo 'Data from the specified boot (x) is not available: No such boot ID in journal' >&2; exit 1"
    )
    with pytest.raises(
        AccessError,
        match=r"the journal cannot be read \(boot=x\): .*/journalctl --quiet failed: Data from the specified boot "
        r"\(x\) is not available",
    ):
        list(Journal("x", program=program).read())
    with pytest.raises(UnsupportedError, match="/nonexistent cannot be started: No such file"):
        list(Journal("current", program="/nonexistent").read())


def test_select_a_time(journalctl, tmp_path):
    list(Journal("current", since=1795409025.7, until=1795409085.0, program=journalctl("")).read())
    assert "--boot=0 --since=@1795409026 --until=@1795409085" in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    "cursors, messages, gap",
    [(["a", "b", "c"], ["b", "c"], False), (["a"], [], False), (["b", "c"], ["b", "c"], True), ([], [], True)],
)
def test_continue_at_a_cursor(journalctl, tmp_path, cursors, messages, gap):
    entries = [dict(ENTRY, MESSAGE=cursor, __CURSOR=cursor) for cursor in cursors]
    reader = Journal(
        "current",
        cursor="a",
        program=journalctl("cat <<'X'\n{}X".format("".join(json.dumps(entry) + "\n" for entry in entries))),
    )
    records = list(reader.read())
    assert [record.text for record in records] == messages
    assert [record.place.at for record in records] == (["a", *messages])[: len(messages)]
    assert (reader.gap, reader.end) == (gap, messages[-1] if messages else "a")
    called = (tmp_path / "called").read_text()
    assert "--cursor=a" in called and "--boot" not in called


def test_refuse_a_journal_that_is_partly_hidden(tmp_path, monkeypatch):
    (tmp_path / "log/0123").mkdir(parents=True)
    (tmp_path / "log/0123/system.journal").write_text("")
    monkeypatch.setattr(journal, "JOURNALS", [str(tmp_path / "log")])
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(
        AccessError, match=r"no permission for .*system\.journal: set source=kmsg, or join the group systemd-journal"
    ):
        list(Journal("current").read())


def test_a_folder_alone_is_no_journal(tmp_path):
    assert not has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123").mkdir(parents=True)
    assert not has_journal(str(tmp_path))
    (tmp_path / "var/log/journal/0123/system.journal").write_text("")
    assert has_journal(str(tmp_path))


def test_clamp_a_time_that_systemd_does_not_parse(journalctl, tmp_path):
    list(Journal("all", since=-62135596830.0, until=253402300829.0, program=journalctl("")).read())
    assert "--since=@0 --until=@100000000000" in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    "line",
    [
        '{"MESSAGE": "cut',
        "no JSON",
        "[]",
        "[" * 60000,
        '{"a": ' + "9" * 5000 + "}" if sys.version_info >= (3, 11) else "x",
        '{"a": "' + "x" * 70000 + '"}',
    ],
    ids=["cut", "text", "list", "nested", "number", "long"],
)
def test_count_an_entry_that_cannot_be_read(journalctl, tmp_path, line):
    (tmp_path / "output").write_text(json.dumps(ENTRY) + "\n" + line + "\n" + json.dumps(ENTRY) + "\n" + '{"MESS')
    log = Journal("all", program=journalctl(f"cat {tmp_path}/output"))
    assert [record.text for record in log.read()] == [ENTRY["MESSAGE"]] * 2
    assert log.unreadable == 2


def test_keep_the_place_before_an_entry_without_one(journalctl):
    entry = dict(ENTRY, __REALTIME_TIMESTAMP="x", __CURSOR=7)
    log = Journal("all", cursor="a", program=journalctl(f"cat <<'X'\n{json.dumps(entry)}\nX"))
    assert len(list(log.read())) == 1
    assert (log.end, log.written) == ("a", 0.0)


def test_drain_the_error_output(journalctl):
    program = journalctl(f"head -c 300000 /dev/zero | tr '\\0' e >&2; echo '{json.dumps(ENTRY)}'")
    assert len(list(Journal("all", program=program).read())) == 1


def test_end_a_journalctl_that_hangs(journalctl):
    log = Journal("all", program=journalctl(f"echo '{json.dumps(ENTRY)}'; exec sleep 60"), seconds=0.5)
    with pytest.raises(AccessError, match=r"\(boot=all\): .*/journalctl --quiet did not end within 0 seconds"):
        list(log.read())
