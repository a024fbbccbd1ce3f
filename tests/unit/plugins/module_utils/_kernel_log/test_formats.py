# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The forms of logs: entries of the journal in JSON and export, dmesg in JSON, and what only looks like them."""

import io
import json
import struct

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import formats as _log_forms
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import (
    dmesg_records,
    export_entries,
    journal_record,
    parse_lines,
)

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


@pytest.mark.parametrize("line", ["{", "{}", '{"MESSAGE": ' + "[" * 60000, "[1]", '{"MESSAGE": null}'])
def test_a_line_that_only_begins_like_the_journal_is_text(line):
    assert [record.text for record in parse_lines([line, KILL.format(7, "x")])] == [
        line[: _log_forms.LONGEST_LINE],
        KILL.format(7, "x"),
    ]


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
def test_journald_vouches_for_services_that_kill(fields, program, vouched):
    record = journal_record(dict(ENTRY, _TRANSPORT="stdout", **fields))
    assert (record.program, record.vouched, record.trusted) == (program, vouched, False)


@pytest.mark.parametrize(
    "log, told",
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
def test_what_a_container_writes_is_text_and_proves_nothing(log, told):
    line = json.dumps({"log": log, "stream": "stdout", "time": "2026-11-23T04:43:45.649722123Z"})
    [record] = parse_lines([line])
    assert (record.text, record.monotonic, record.trusted, record.program) == told
    assert (record.time, record.raw) == ("2026-11-23T04:43:45.649722Z", log.rstrip("\n"))


@pytest.mark.parametrize("change", [dict(log=7), dict(time=None), dict(time="kern  :err   : x"), dict(stream=[])])
def test_what_docker_does_not_write_is_text(change):
    line = json.dumps(dict({"log": "text", "stream": "stdout", "time": "2026-11-23T04:43:45Z"}, **change))
    assert [record.text for record in parse_lines([line])] == [line]


STAMP = dict(timestamp="2026-11-23T04:43:45.649722123Z")


@pytest.mark.parametrize(
    "payload, told",
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
def test_a_cloud_wraps_lines_and_entries_and_proves_nothing(payload, told):
    [record] = parse_lines([json.dumps(dict(payload, **STAMP))])
    assert (record.text, record.monotonic, record.trusted, record.program) == told
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
def test_what_a_cloud_does_not_write_is_text(entry):
    assert [record.text for record in parse_lines([json.dumps(entry)])] == [json.dumps(entry)]


@pytest.mark.parametrize("frame", ["\ufeff", "\x1e", "data: "])
def test_what_frames_a_line_of_another_form_is_taken_off(frame):
    [record] = parse_lines([frame + json.dumps(ENTRY)])
    assert (record.text, record.trusted) == (ENTRY["MESSAGE"], True)


@pytest.mark.parametrize(
    "line, trusted",
    [
        ("\ufeffkern  :err   : text", True),
        ("\ufeff6,1,5,-;text", True),
        ("\ufefftext", None),
        ("\x1etext", None),
        ("data: text", None),
    ],
)
def test_a_frame_proves_nothing(line, trusted):
    [record] = parse_lines([line])
    assert (record.text, record.trusted) == ("data: text" if line.startswith("d") else "text", trusted)


def export(fields):
    """As journalctl writes it: text that has a line end, or none, with its size."""
    return (
        b"".join(
            name.encode() + (b"\n" + struct.pack("<Q", len(value)) + value if b"\n" in value else b"=" + value) + b"\n"
            for name, value in fields.items()
        )
        + b"\n"
    )


def test_the_export_format_is_read_entry_by_entry():
    entries = [{"__CURSOR": b"a", "MESSAGE": b"x=y"}, {"MESSAGE": b"one\ntwo", "_PID": b"7"}]
    stream = io.BytesIO(b"\n" + b"".join(export(fields) for fields in entries) + b"MESSAGE=half")
    told = list(export_entries(stream))
    assert [fields for _taken, fields in told] == [
        {"__CURSOR": "a", "MESSAGE": "x=y"},
        {"MESSAGE": "one\ntwo", "_PID": "7"},
    ]
    assert sum(taken for taken, _fields in told) == len(export(entries[0]) + export(entries[1]))


@pytest.mark.parametrize(
    "tail", [b"MESSAGE\n\x05\0", b"MESSAGE\n\x05\0\0\0\0\0\0\0abc", b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7fabc"]
)
def test_an_export_that_is_cut_ends_before_the_entry(tail):
    assert [fields for _taken, fields in export_entries(io.BytesIO(export({"MESSAGE": b"x"}) + tail))] == [
        {"MESSAGE": "x"}
    ]


def test_a_value_that_is_too_long_is_skipped_not_kept():
    fields = {"MESSAGE": b"\n" * (_log_forms.LONGEST_ENTRY + 9), "_PID": b"7"}
    [(_taken, told)] = export_entries(io.BytesIO(export(fields)))
    assert (len(told["MESSAGE"]), told["_PID"]) == (_log_forms.LONGEST_ENTRY, "7")


def test_dmesg_in_json_tells_the_facility_only_by_name():
    text = json.dumps(
        {
            "dmesg": [
                {"pri": 3, "time": 5.25, "msg": "a"},
                {"fac": "kern", "pri": "err", "msg": "b"},
                {"fac": "user", "msg": "c"},
                {"msg": 7},
            ]
        }
    )
    assert [(record.text, record.monotonic, record.trusted) for record in dmesg_records(text)] == [
        ("a", 5.25, None),
        ("b", None, True),
        ("c", None, False),
    ]


def test_dmesg_escapes_as_json_does_not():
    """As util-linux 2.38 wrote it in a guest."""
    assert [record.text for record in dmesg_records(r'{"dmesg": [{"msg": "a\x0ab\\x0a\"c\u00e9\nd"}]}')] == [
        'a\\x0ab\\x0a"c\u00e9\\x0ad'
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"dmesg": 7}', '{"dmesg": [7]}', '{"dmesg": [' + "[" * 60000])
def test_what_is_no_list_of_messages_is_refused(text):
    with pytest.raises((ValueError, RecursionError)):
        list(dmesg_records(text))
