# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files prove that the kernel wrote a line: root's, if all lines have one form."""

import gzip
import io
import json
import lzma
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import provenance
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.provenance import (
    has_field_names,
    has_one_form,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.streams import Budget
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

KILL = "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
FIELDS = {"MESSAGE": KILL, "_TRANSPORT": "kernel", "SYSLOG_FACILITY": "0", "_BOOT_ID": "6aaf"}
JSON = json.dumps(FIELDS)
KMSG = "3,7,53649722,-;" + KILL
DECODED = "kern  :err   : [   53.649722] " + KILL
TALOS = "kern:     err: [2025-04-22T10:37:36.727637155Z]: " + KILL
EXPORT = "__CURSOR=a\n" + "".join(f"{name}={value}\n" for name, value in FIELDS.items()) + "\n"
PRETTY = json.dumps(FIELDS, indent="\t", separators=(",", " : ")) + "\n"
DMESG = '{"dmesg": [{"fac": "kern", "pri": "err", "time": 53.649722, "msg": "' + KILL + '"}]}\n'
SYSLOG = "Nov 23 04:43:46 host app: hello\n"

WHOLE = {
    "kmsg": f"6,6,1,-,caller=T1;a\n SUBSYSTEM=usb\n{KMSG}\n",
    "dmesg -x": f"kern  :info  : [    1.0] a\n               b 1\n{DECODED}\n",
    "talosctl": TALOS + "\n",
    "json": JSON + "\n",
    "json-seq": "\x1e" + JSON + "\n",
    "json-sse": "data: " + JSON + "\n\n",
    "json-pretty": PRETTY,
    "export": EXPORT,
    "dmesg json": DMESG,
}
MIXED = {
    "syslog, kmsg": SYSLOG + KMSG + "\n",
    "kmsg, syslog": KMSG + "\n" + SYSLOG,
    "syslog, dmesg -x": SYSLOG + DECODED + "\n",
    "dmesg -x, syslog": DECODED + "\n" + SYSLOG,
    "syslog, json": SYSLOG + JSON + "\n",
    "json, syslog": JSON + "\n" + SYSLOG,
    "json, kmsg": JSON + "\n" + KMSG + "\n",
    "kmsg, dmesg -x": KMSG + "\n" + DECODED + "\n",
    "pretty, text": PRETTY + SYSLOG,
    "export, text": EXPORT + "Nov 23 04:43:46 host app: a=b\n\n",
    "talosctl, node": TALOS + "\n" + " " + TALOS + "\n",
    "a plain line in the middle": f"{KMSG}\nhello\n{KMSG}\n",
    "a cut line": KMSG + "\n3,8",
}


@pytest.fixture
def root_owns(monkeypatch):
    """Let root own all files, also where the tests run as another user."""
    monkeypatch.setattr("ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files.is_roots", bool)


def trust(path, text, compress=bytes):
    path.write_bytes(compress(text.encode()))
    return {event["trusted"] for event in parse_events(LogFile(str(path)).records())}


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("text", WHOLE.values(), ids=list(WHOLE))
def test_trust_a_whole_file_of_root(root_owns, tmp_path, text, compress):
    assert trust(tmp_path / "log", text, compress) == {True}


@pytest.mark.parametrize("text", MIXED.values(), ids=list(MIXED))
def test_trust_no_line_of_a_mixed_file(root_owns, tmp_path, text):
    assert trust(tmp_path / "log", text) == {None}


@pytest.mark.parametrize("text", WHOLE.values(), ids=list(WHOLE))
def test_trust_no_file_of_a_user(tmp_path, text):
    """The journal's own form, too, is a text that anybody can write."""
    path = tmp_path / "log"
    path.write_text(text)
    path.chmod(0o666)
    assert trust(path, text) == {None}


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
@pytest.mark.parametrize(
    "first, more", [(KMSG + "\n", "6,6,1,-;{}\n"), (EXPORT, "MESSAGE={}\n\n")], ids=["kmsg", "export"]
)
def test_read_a_damaged_file_that_proves_nothing(root_owns, tmp_path, first, more, compress):
    """The lines before the damage are returned, as from a file of plain text."""
    whole = compress((first + "".join(more.format(os.urandom(99).hex()) for _number in range(9999))).encode())
    (tmp_path / "log").write_bytes(whole[: len(whole) // 2])
    log = LogFile(str(tmp_path / "log"))
    records = list(log.records())
    assert (records[0].text, records[0].trusted) == (KILL, None)
    assert len(records) > 1000
    assert "log is truncated or damaged" in log.damage


@pytest.mark.parametrize("text", [KMSG + "\n", EXPORT], ids=["kmsg", "export"])
def test_proof_leaves_a_part_of_the_budget(root_owns, tmp_path, text):
    (tmp_path / "log").write_bytes(gzip.compress(text.encode() * 20000))
    log = LogFile(str(tmp_path / "log"), budget=Budget(1 << 20))
    records = list(log.records())
    assert len(records) > 1000
    assert {record.trusted for record in records} == {None}
    assert "compressed files unpack to more than" in log.damage


def test_a_file_that_was_rotated_away_proves_nothing(root_owns, tmp_path):
    (tmp_path / "log").write_text(KMSG + "\n" + KMSG + "\n")
    log = LogFile(str(tmp_path / "log"))
    log._read_records = lambda opened: [os.unlink(log.path), *LogFile._read_records(log, opened)][1:]
    assert [record.trusted for record in log.records()] == [None, None]


def test_distrust_stays(tmp_path):
    (tmp_path / "log").touch(mode=0o666)
    assert trust(tmp_path / "log", "12,7,53649722,-;" + KILL + "\n") == {False}
    assert trust(tmp_path / "log", JSON.replace('"kernel"', '"syslog"') + "\n") == {False}


def test_vouch_for_no_killer_in_a_file_of_a_user(tmp_path):
    entry = {
        "MESSAGE": 'sending SIGTERM to process 1 uid 0 "a": badness 3, VmRSS 2 MiB',
        "_SYSTEMD_UNIT": "earlyoom.service",
    }
    (tmp_path / "log").touch(mode=0o666)
    (tmp_path / "log").chmod(0o666)
    assert trust(tmp_path / "log", json.dumps(entry) + "\n") == {None}


@pytest.mark.parametrize("size, whole", [(100, False), (10000, True)])
def test_check_up_to_a_bound(monkeypatch, size, whole):
    monkeypatch.setattr(provenance, "LARGEST_PROOF", size)
    text = (KMSG + "\n").encode() * 10
    assert has_one_form(io.BytesIO(text)) is whole


def test_check_only_the_beginning_of_a_long_line():
    assert has_one_form(io.BytesIO(KMSG.encode() + b"x" * 200000 + b"\n"))
    assert not has_one_form(io.BytesIO(b""))


def test_field_names():
    assert has_field_names([["MESSAGE", "__CURSOR"]])
    assert not has_field_names([["MESSAGE"], ["Nov 23 app: a"]])
