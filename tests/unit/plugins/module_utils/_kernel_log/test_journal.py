# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The journal: how journalctl is called, where reading continues, and what cannot be read."""

import glob
import os
import re

import pytest
from event_lines import export_entry

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import journal
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import read_log
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import (
    MESSAGE_BEGINNINGS,
    Journal,
    has_journal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import LostLines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../fixtures/kernel_logs/recorded")

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"

ENTRY = {
    "MESSAGE": KILL.format(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


def export(entry):
    """Return an entry for a script; no value has a line end."""
    return export_entry(entry).decode()


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
    program = journalctl(f"cat <<'X'\n{export(ENTRY)}X")
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
    assert "--since=@1795409026 --boot=0 --until=@1795409085" in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    "cursors, messages, gap",
    [(["a", "b", "c"], ["b", "c"], False), (["a"], [], False), (["b", "c"], ["b", "c"], True), ([], [], True)],
)
def test_continue_at_a_cursor(journalctl, tmp_path, cursors, messages, gap):
    entries = [dict(ENTRY, MESSAGE=cursor, __CURSOR=cursor) for cursor in cursors]
    output = "".join(map(export, entries))
    reader = Journal("current", cursor="a", program=journalctl(f"cat <<'X'\n{output}X"))
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


@pytest.mark.parametrize("cut", [b"MESSAGE=cut", b"MESSAGE\n" + b"\xff" * 7 + b"\x7fcut"], ids=["text", "binary"])
def test_count_an_entry_that_cannot_be_read(journalctl, tmp_path, cut):
    (tmp_path / "output").write_bytes(export(ENTRY).encode() * 2 + cut)
    log = Journal("all", program=journalctl(f"cat {tmp_path}/output"))
    assert [record.text for record in log.read()] == [ENTRY["MESSAGE"]] * 2
    assert log.unreadable == 1


def test_read_behind_an_entry_that_is_very_long(journalctl, tmp_path):
    (tmp_path / "output").write_text(export(dict(ENTRY, MESSAGE="x" * 2000000)) + export(ENTRY))
    log = Journal("all", program=journalctl(f"cat {tmp_path}/output"))
    assert [record.text for record in log.read()][1:] == [ENTRY["MESSAGE"]]
    assert log.unreadable == 0


def test_keep_the_place_before_an_entry_without_one(journalctl):
    entry = dict(ENTRY, __REALTIME_TIMESTAMP="x")
    log = Journal("all", cursor="a", program=journalctl(f"cat <<'X'\n{export(entry)}X"))
    assert len(list(log.read())) == 1
    assert (log.end, log.written) == ("a", 0.0)


def test_drain_the_error_output(journalctl):
    program = journalctl(f"head -c 300000 /dev/zero | tr '\\0' e >&2; echo '{export(ENTRY)}'")
    assert len(list(Journal("all", program=program).read())) == 1


def test_end_a_journalctl_that_hangs(journalctl):
    log = Journal("all", program=journalctl(f"echo '{export(ENTRY)}'; exec sleep 60"), seconds=0.5)
    with pytest.raises(AccessError, match=r"\(boot=all\): .*/journalctl --quiet did not end within 0 seconds"):
        list(log.read())


def entry(number, text="", boot="b1", uptime=0, sequence="5a"):
    """Make an entry with a cursor as journalctl writes it; its numbers are hexadecimal."""
    cursor = f"s={sequence};i={number};b={boot};m={uptime or number};t={number};x=0"
    return export(dict(ENTRY, MESSAGE=text or number, __CURSOR=cursor))


@pytest.fixture
def large_journal(journalctl, tmp_path, monkeypatch):
    """Make a journal whose first three entries are read, and the others are searched."""
    monkeypatch.setattr(journal, "_FIRST_ENTRIES", 3)

    def make(kernel="", killers="", newest="", rest="", grep_fails=""):
        (tmp_path / "first").write_text("".join(entry(str(number)) for number in (1, 2, 3, 4)))
        for name, text in dict(kernel=kernel, killers=killers, newest=newest, rest=rest).items():
            (tmp_path / name).write_text(text)
        return journalctl(
            f"""cd {tmp_path}
            case "$*" in
            *--lines=1*) cat newest;;
            *--grep=*) cat kernel; {grep_fails or "true"};;
            *--after-cursor=*--output-fields=*) cat killers;;
            *--after-cursor=*) echo "$@" >fallback; cat rest;;
            *) cat first;;
            esac"""
        )

    return make


@pytest.mark.parametrize(
    "answers, found",
    [
        (dict(kernel=entry("5") + entry("8"), killers=entry("7"), newest=entry("9")), ["5", "7", "8", "9"]),
        (dict(kernel=entry("5"), newest=entry("5")), ["5"]),
        (dict(kernel=entry("5") + entry("6"), newest=entry("5")), ["5", "6"]),  # written meanwhile
        (dict(newest=entry("3")), []),
        (dict(newest=entry("9"), grep_fails="exit 1"), ["9"]),  # journalctl found nothing
    ],
    ids=["merged", "newest is found", "newer is found", "none", "nothing matches"],
)
def test_search_all_but_the_first_entries(large_journal, tmp_path, answers, found):
    log = Journal("current", until=1795409085.0, program=large_journal(**answers))
    assert [record.text for record in log.read()] == ["1", "2", "3", *found]
    assert f";i={([*'123', *found])[-1]};" in log.end and not log.gap
    assert "--boot=0 --until=@1795409085" in (tmp_path / "called").read_text()
    assert not (tmp_path / "fallback").exists()


@pytest.mark.parametrize(
    "kernel, killers, found",
    [
        (entry("9", "kernel"), entry("8", "killer"), ["killer", "kernel"]),
        (entry("9", "kernel", uptime=1), entry("8", "killer", uptime=2, sequence="6b"), ["kernel", "killer"]),
        (entry("9", "kernel", boot="b2", uptime=1), entry("8", "killer", sequence="6b"), ["killer", "kernel"]),
    ],
    ids=["by number", "by uptime", "by time"],
)
def test_merge_in_the_order_of_the_journal(large_journal, kernel, killers, found):
    log = Journal("all", program=large_journal(kernel=kernel, killers=killers))
    assert [record.text for record in log.read()] == ["1", "2", "3", *found]


@pytest.mark.parametrize(
    "answers",
    [
        dict(grep_fails="echo 'Compiled without pattern matching support' >&2; exit 1"),
        dict(grep_fails="exit 2"),
        dict(newest=export(dict(ENTRY, __CURSOR="unknown"))),
    ],
    ids=["no pcre2", "failure", "unknown cursor"],
)
def test_read_all_if_the_journal_cannot_be_searched(large_journal, tmp_path, answers):
    program = large_journal(kernel=entry("4"), rest=entry("5") + entry("6"), **answers)
    assert [record.text for record in Journal("all", program=program).read()] == ["1", "2", "3", "4", "5", "6"]
    assert "--after-cursor=s=5a;i=4;" in (tmp_path / "fallback").read_text()


def test_read_every_line(large_journal):
    log = Journal("all", program=large_journal(kernel="never read"), every_line=True)
    assert [record.text for record in log.read()] == ["1", "2", "3", "4"]


def test_search_every_message_of_a_report():
    """Find each message of all recorded logs by its beginning."""
    pattern = re.compile(MESSAGE_BEGINNINGS)
    found = set()
    for path in sorted(glob.glob(os.path.join(RECORDED, "*", "*.log"))):
        for record, message in rejoin_messages(read_log(path)):
            if message is not None and not isinstance(message, LostLines):
                assert pattern.match(record.text), record.text
                found.add(type(message).__name__)
    assert len(found) >= 11, found


@pytest.mark.parametrize(
    "text",
    [
        "a b c d e f g h invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0",
        "a\nb invoked oom-killer: gfp_mask=0x0, order=0",
        ",task_memcg=/a,task=b,pid=7,uid=0",
        " killed as a result of limit of /a",
        "Out of Memory: Kill process 7 (x) score 9 or sacrifice child",
        "Process x (pid: 7, task: 0000)",
        "oom_kill_process: 2 callbacks suppressed",
        "SysRq : Manual OOM execution",
        "send sigkill to 7 (x), adj 0, size 9",
        "lowmemorykiller: Killing 'x' (7), adj 0,",
        "   to free 4kB on behalf of 'x' (7) because",
        'sending SIGTERM to process 7 uid 0 "x": badness 7, VmRSS 9 MiB',
        "[talos] Sending SIGKILL to cgroup {}",
    ],
)
def test_search_a_message(text):
    assert re.match(MESSAGE_BEGINNINGS, text)


@pytest.mark.parametrize("text", ["usb 1-1: new high-speed device", "kernel: x", "audit: type=1400", "[drm] ready"])
def test_search_no_other_line(text):
    assert not re.match(MESSAGE_BEGINNINGS, text)
