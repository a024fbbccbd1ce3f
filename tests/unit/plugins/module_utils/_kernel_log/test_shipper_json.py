# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of JSON of any program that ships logs."""

import json

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.shipper_json import (
    is_second_hand,
    parse_json_line,
)

KILL = "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
TIME = "2026-05-06T11:12:13.250Z"

# Objects with one message: text, time, uptime and trust of its record.
OBJECTS = {
    "Elastic": (
        {"@timestamp": TIME, "log": {"syslog": {"facility": {"code": 0}}}, "message": KILL},
        (KILL, TIME, None, None),
    ),
    "GELF": (
        {"short_message": KILL, "timestamp": 1778065933.25, "_facility": "kern"},
        (KILL, "2026-05-06T11:12:13.250000Z", None, None),
    ),
    "milliseconds": ({"message": KILL, "timestamp": 1778065933250}, (KILL, "2026-05-06T11:12:13.250000Z", None, None)),
    "fluent-bit's kmsg": (
        {"priority": 3, "sequence": 7, "sec": 840, "usec": 1, "msg": KILL},
        (KILL, None, 840.000001, None),
    ),
    "nested": ({"_source": {"event": {"original": KILL}}}, (KILL, None, None, None)),
    "an unusual name": ({"host": "x", "what": {"happened": KILL}}, (KILL, None, None, None)),
    "the same text twice": ({"message": KILL, "event": {"original": KILL}}, (KILL, None, None, None)),
    "with the kernel's prefix": ({"message": "[  840.000001] " + KILL, "time": "x"}, (KILL, None, 840.000001, None)),
    "another line of a report": ({"message": "Mem-Info:", "host": "x"}, ("Mem-Info:", None, None, None)),
    "the kernel by name": ({"message": KILL, "ident": "kernel"}, (KILL, None, None, None)),
    "a program": ({"message": KILL, "SYSLOG_IDENTIFIER": "mallory"}, (KILL, None, None, False)),
    "a facility": ({"message": KILL, "facility": "user"}, (KILL, None, None, False)),
    "a facility's number": ({"message": KILL, "syslog": {"facility": {"code": 1}}}, (KILL, None, None, False)),
    "a tag in the message": ({"message": "May  6 11:12:13 host mallory: " + KILL}, (KILL, None, None, False)),
    "no proof by words": ({"message": "kern  :err   : " + KILL}, (KILL, None, None, None)),
}


@pytest.mark.parametrize("fields, expected", OBJECTS.values(), ids=list(OBJECTS))
def test_one_message(fields, expected):
    for line in (json.dumps(fields), "  " + json.dumps(fields) + ",", "[" + json.dumps(fields) + "]"):
        (record,) = parse_json_line(line) or ()
        assert (record.text, record.time, record.monotonic, record.trusted) == expected


def test_message_with_several_lines():
    message = "x invoked oom-killer: gfp_mask=0x0\n[  840.000002] CPU: 0 PID: 7 Comm: x\n" + KILL + "\n"
    records = parse_json_line(json.dumps({"message": message, "@timestamp": TIME}))
    assert [record.raw for record in records] == message.rstrip().split("\n")
    assert [record.text.split(" ")[0] for record in records] == ["x", "CPU:", "Out"]
    assert {record.time for record in records} == {TIME}


HEADER = "x invoked oom-killer: gfp_mask=0x0"
FLUENTD = "2026-05-06 11:12:13.000000000 +0000 kernel: "

# Answers to a search, each with a header and a kill.
ANSWERS = {
    "objects": [{"message": HEADER}, {"message": KILL}],
    "lines": [HEADER, KILL],
    "rows": [["1778065933250000000", HEADER], ["1778065933250000001", KILL]],
    "Elasticsearch": {"took": 7, "hits": {"hits": [{"_source": {"message": line}} for line in (HEADER, KILL)]}},
    "Loki": {"data": {"result": [{"stream": {"host": "x"}, "values": [["1778065933250000000", HEADER], ["1", KILL]]}]}},
    "CloudWatch": {"events": [{"timestamp": 1778065933250, "message": line} for line in (HEADER, KILL)]},
    "Ansible": {"changed": True, "stdout_lines": [HEADER, KILL]},
    "with a message of its own": {"message": "found", "lines": [HEADER, KILL]},
    "a console": {"InstanceId": "i-7", "Output": HEADER + "\r\n" + KILL + "\r\n"},
    "with a report of another program": [{"message": HEADER}, {"reason": "OOMKilling", "message": KILL}, [KILL]],
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_several_messages(answer):
    records = parse_json_line(json.dumps(answer)) or ()
    assert [(record.text, record.trusted) for record in records] == [(HEADER, None), (KILL, None)]


def test_lists_without_messages():
    assert parse_json_line(json.dumps({"tags": ["a", "b"], "n": [7, None]})) is None
    assert parse_json_line('[[[[[[[[[["' + KILL + '"]]]]]]]]]]') is None
    [record] = parse_json_line(json.dumps({"message": KILL, "tags": [HEADER]})) or ()
    assert record.text == KILL


@pytest.mark.parametrize("prefix", ["2026-05-06T11:12:13+00:00\tkern\t", "node-3 | ", "May  6 11:12:13 ", FLUENTD])
def test_object_behind_a_prefix(prefix):
    [record] = parse_lines([prefix + json.dumps({"message": KILL})])
    assert record.text == KILL


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "{",
        "[{]",
        '{"a" 7}',
        "{}",
        '{"a": 7}',
        "[[" * 9999 + "{}",
        "x" * 300 + json.dumps({"message": KILL}),
        "[ 5120.000007] " + json.dumps({"message": KILL}),
        "May  6 11:12:13 host mallory[7]: " + json.dumps({"message": KILL}),
        json.dumps({"message": KILL + "x" * 70000}),
    ],
)
def test_no_object(line):
    assert parse_json_line(line) is None


def test_a_deep_and_a_large_object():
    deep = fields = {}
    for _level in range(50):
        deep["a"] = deep = {}
    deep["message"] = KILL
    wide = dict({str(number): 7 for number in range(2000)}, message=KILL)
    assert parse_json_line(json.dumps(fields)) is None
    assert parse_json_line(json.dumps(wide)) is None
    assert (
        parse_json_line(json.dumps({"a": {str(number): 7 for number in range(2000)}, "b": {"c": {"message": KILL}}}))
        is None
    )


def test_two_messages_and_neither_has_a_usual_name():
    assert parse_json_line(json.dumps({"a": KILL, "b": KILL + "x"})) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "Event", "reason": "OOMKilling", "message": KILL},
        {"type": "Warning", "involvedObject": {"kind": "Node"}, "message": KILL},
        {"caller": "oom/oom_watcher_linux.go:83", "msg": "Got sys oom event", "event": KILL},
    ],
)
def test_second_hand(fields):
    assert parse_json_line(json.dumps(fields)) == []
    assert is_second_hand(json.dumps(fields)) and not is_second_hand(KILL)
