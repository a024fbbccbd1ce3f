# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Journal entries in JSON and in the export format, and lines that Docker or Google wrapped."""

import io
import json

import pytest
from event_lines import export_entry

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    LONGEST_ENTRY,
    parse_journal_entry,
    parse_json_entry,
    parse_verbose_entry,
    read_export_entries,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.provenance import has_field_names

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"

ENTRY = {
    "MESSAGE": KILL.format(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


@pytest.mark.parametrize(
    "changes, trusted",
    [
        ({}, True),
        (dict(_TRANSPORT="syslog", SYSLOG_IDENTIFIER="kernel"), False),
        (dict(_TRANSPORT="stdout"), False),
        (dict(SYSLOG_FACILITY="1"), False),  # written to /dev/kmsg by a program
        (dict(_TRANSPORT=["kernel", "syslog"]), False),
    ],
)
def test_no_program_poses_as_the_kernel(changes, trusted):
    assert parse_journal_entry(dict(ENTRY, **changes)).trusted is trusted


@pytest.mark.parametrize(
    "message, text",
    [
        ("a\nOut of memory: Killed process 1 (init)", "a\\x0aOut of memory: Killed process 1 (init)"),
        ([65, 10, 255], "A\\x0a\\xff"),
        ("tail\n", "tail"),
    ],
)
def test_a_message_becomes_one_line(message, text):
    assert parse_journal_entry(dict(ENTRY, MESSAGE=message)).text == text


@pytest.mark.parametrize("message", [None, [], ["x"], [256], 7, {}])
def test_ignore_an_entry_without_a_message(message):
    assert parse_journal_entry(dict(ENTRY, MESSAGE=message)) is None


@pytest.mark.parametrize(
    "fields, program, vouched",
    [
        (dict(_SYSTEMD_UNIT="earlyoom.service"), "earlyoom", True),
        (dict(_SYSTEMD_UNIT="systemd-oomd.service", SYSLOG_IDENTIFIER="anything"), "systemd-oomd", True),
        (dict(_PID="1", SYSLOG_IDENTIFIER="systemd"), "systemd", True),
        (dict(_SYSTEMD_UNIT="session-1.scope", SYSLOG_IDENTIFIER="earlyoom"), "earlyoom", False),
        (
            dict(
                _SYSTEMD_UNIT="user@1000.service", _SYSTEMD_USER_UNIT="earlyoom.service", SYSLOG_IDENTIFIER="earlyoom"
            ),
            "earlyoom",
            False,
        ),
        (dict(_SYSTEMD_UNIT=["earlyoom.service", "x"]), None, False),
    ],
)
def test_journald_proves_the_services_of_killers(fields, program, vouched):
    record = parse_journal_entry(dict(ENTRY, _TRANSPORT="stdout", **fields))
    assert (record.program, record.vouched, record.trusted) == (program, vouched, False)


@pytest.mark.parametrize(
    "log, expected",
    [
        ("[   12.500000] text\n", ("text", 12.5, None, None)),
        ("text\n", ("text", None, None, None)),
        ("text", ("text", None, None, None)),  # the first part of a line that is longer than Docker's 16 KiB
        ("Nov 23 04:43:46 host kernel: [   12.500000] text\n", ("text", 12.5, None, "kernel")),
        ("Nov 23 04:43:46 host mallory: text\n", ("text", None, False, "mallory")),
        ("<12>text\n", ("text", None, False, None)),
        ("kern  :err   : [   12.500000] text\n", ("text", 12.5, None, None)),
        ("user  :err   : text\n", ("text", None, False, None)),
        ("6,1,5,-;text\n", ("6,1,5,-;text", None, None, None)),
        ("one\ntext", ("one\\x0atext", None, None, None)),
        (json.dumps(ENTRY), (json.dumps(ENTRY), None, None, None)),
    ],
)
def test_a_containers_line_is_text_and_proves_nothing(log, expected):
    line = json.dumps({"log": log, "stream": "stdout", "time": "2026-11-23T04:43:45.649722123Z"})
    record = parse_json_entry(line)
    assert (record.text, record.monotonic, record.trusted, record.program) == expected
    assert (record.time, record.raw) == ("2026-11-23T04:43:45.649722Z", log.rstrip("\n"))


@pytest.mark.parametrize("change", [dict(log=7), dict(time=None), dict(time="kern  :err   : x"), dict(stream=[])])
def test_other_json_than_dockers(change):
    line = json.dumps(dict({"log": "text", "stream": "stdout", "time": "2026-11-23T04:43:45Z"}, **change))
    assert parse_json_entry(line) is None


STAMP = dict(timestamp="2026-11-23T04:43:45.649722123Z")


@pytest.mark.parametrize(
    "payload, expected",
    [
        (dict(textPayload="[   12.500000] text\r\n"), ("text", 12.5, None, None)),
        (dict(textPayload="Nov 23 04:43:46 host mallory: text"), ("text", None, False, "mallory")),
        (dict(jsonPayload=dict(ENTRY, MESSAGE="text")), ("text", 53.649722, None, None)),
        (
            dict(jsonPayload=dict(MESSAGE="text", _TRANSPORT="stdout", _SYSTEMD_UNIT="earlyoom.service")),
            ("text", None, False, "earlyoom"),
        ),
    ],
)
def test_googles_entries_prove_nothing(payload, expected):
    record = parse_json_entry(json.dumps(dict(payload, **STAMP)))
    assert (record.text, record.monotonic, record.trusted, record.program) == expected
    assert (record.time, record.vouched, record.boot) == ("2026-11-23T04:43:45.649722Z", False, None)


@pytest.mark.parametrize(
    "entry",
    [
        dict(textPayload="text"),
        dict(timestamp="kern  :err   : x", textPayload="text"),
        dict(STAMP, jsonPayload=7),
        dict(STAMP, jsonPayload={}),
    ],
)
def test_other_json_than_googles(entry):
    assert parse_json_entry(json.dumps(entry)) is None


def test_read_export_entries():
    entries = [{"__CURSOR": b"a", "MESSAGE": b"x=y"}, {"MESSAGE": b"one\ntwo", "_PID": b"7"}]
    parts = [export_entry(fields) for fields in entries]
    stream = io.BytesIO(b"\n" + b"".join(parts) + b"MESSAGE=half")
    entries_read = list(read_export_entries(stream))
    assert [fields for _length, fields in entries_read] == [
        {"__CURSOR": "a", "MESSAGE": "x=y"},
        {"MESSAGE": "one\ntwo", "_PID": "7"},
        None,
    ]
    assert [length for length, _fields in entries_read] == [
        len(export_entry(entries[0])),
        len(export_entry(entries[1])),
        12,
    ]


@pytest.mark.parametrize(
    "tail",
    [
        b"MESSAGE=",
        b"MESSAGE",
        b"MESSAGE=x\n",
        b"MESSAGE=" + b"x" * LONGEST_ENTRY,
        b"MESSAGE\n\x05\0",
        b"MESSAGE\n\x05\0\0\0\0\0\0\0abc",
        b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7fabc",
        b"MESSAGE\n\x02\0\0\0\0\0\0\0a\n",
    ],
)
def test_an_incomplete_entry_has_no_fields(tail):
    whole = export_entry({"MESSAGE": b"x"})
    assert [fields for _length, fields in read_export_entries(io.BytesIO(whole + tail))] == [{"MESSAGE": "x"}, None]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"MESSAGE=x\n\n"])
def test_an_export_that_ends_behind_an_entry(text):
    assert None not in [fields for _length, fields in read_export_entries(io.BytesIO(text))]


def test_many_fields_prove_nothing():
    """They do not fill the memory, either."""
    many = b"".join(b"F%d=x\n" % number for number in range(10000))
    [(length, fields)] = read_export_entries(io.BytesIO(many + b"\n"))
    assert length == len(many) + 1 and len(fields) < 3000
    assert not has_field_names([fields])


def test_keep_only_the_beginning_of_a_long_value():
    for letter in (b"\n", b"x"):
        fields = {"MESSAGE": letter * (LONGEST_ENTRY + 9), "_PID": b"7"}
        [(length, value)] = read_export_entries(io.BytesIO(export_entry(fields)))
        assert length == len(export_entry(fields))
        assert (LONGEST_ENTRY - len(value["MESSAGE"]) < 10, value["_PID"]) == (True, "7")


@pytest.mark.parametrize(
    "fields, uptime, time, clock",
    [
        ({}, 53.649722, "2026-11-23T04:43:45.649722Z", 17025.649722),
        ({"_SOURCE_MONOTONIC_TIMESTAMP": None, "__MONOTONIC_TIMESTAMP": "7000000"}, 7.0, None, None),
        ({"_SOURCE_MONOTONIC_TIMESTAMP": "x", "__REALTIME_TIMESTAMP": "-1"}, None, None, None),
        ({"__REALTIME_TIMESTAMP": "9" * 20}, None, "9999-12-31T23:59:59.000000Z", 86399.0),
    ],
)
def test_read_the_times_of_an_entry(fields, uptime, time, clock):
    record = parse_journal_entry(dict(ENTRY, **fields))
    assert uptime is None or record.monotonic == uptime
    assert time is None or (record.time, record.clock) == (time, pytest.approx(clock))
    assert record.boot == ENTRY["_BOOT_ID"]


@pytest.mark.parametrize("text", ["", "text", "{", "[1]", "7", '{"a": 1}', '{"MESSAGE": null}'])
def test_text_that_is_no_entry(text):
    assert parse_json_entry(text) is None


def test_ignore_an_entry_that_is_too_long():
    assert parse_json_entry(json.dumps(dict(ENTRY, MESSAGE="x" * LONGEST_ENTRY))) is None


VERBOSE = [
    "Mon 2026-11-23 04:43:45.649722 UTC [s=0c3b;i=7;b=6aaf9458705f4b56a35ac8cca67d8f0f;m=332a2da;t=660f1d6f2e11a;x=9]",
    "    _TRANSPORT=kernel",
    "    SYSLOG_FACILITY=0",
    "    MESSAGE=" + KILL.format(7, "x"),
]


def test_verbose_entry():
    record = parse_verbose_entry(VERBOSE)
    assert (record.text, record.trusted, record.boot) == (KILL.format(7, "x"), True, "6aaf9458705f4b56a35ac8cca67d8f0f")
    assert (record.monotonic, record.time) == (53.650138, "2026-11-23T13:47:49.890330Z")


@pytest.mark.parametrize("more", ["            _TRANSPORT=kernel", "     _TRANSPORT=kernel", "no field"])
def test_verbose_entry_of_a_program(more):
    """The other lines of a message have a larger indent than the fields."""
    lines = [VERBOSE[0], "    _TRANSPORT=syslog", *VERBOSE[2:], more]
    assert parse_verbose_entry(lines).trusted is False


@pytest.mark.parametrize("lines", [[], ["x"], VERBOSE[1:], VERBOSE[:2]])
def test_no_verbose_entry(lines):
    assert parse_verbose_entry(lines) is None
