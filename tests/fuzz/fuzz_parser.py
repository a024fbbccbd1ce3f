# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzz the parser, guided by coverage: python tests/fuzz/fuzz_parser.py FOLDER -runs=N

FOLDER keeps the inputs that reached new code. At first it is filled with pieces of the recorded
logs. The first byte of an input selects its format, so that the journal's export format and dmesg's
JSON are tried as well.

One format is none: the bytes choose a true report with names that imitate other messages
(tests/hostile_reports.py), and each value must be right or None. In another, a user's lines stand
between the messages of the report, behind prefixes of any kind: they must change nothing.

Beyond raising nothing, the parser has to keep four promises:
- The pid of every victim stands in the text, after wrapped lines are rejoined.
- Every event has the same keys.
- A trusted event has a trusted record.
- The events can be written as JSON.
"""

import glob
import io
import json
import os
import re
import sys

import atheris

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hostile_reports import FORMS, drop_hostile, find_wrong_values, make_report, mix, render

with atheris.instrument_imports(include=["ansible_collections"]):
    from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import (
        parse_dmesg_json,
        parse_lines,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
        parse_journal_entry,
        read_export_entries,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/fixtures/kernel_logs/recorded")

EXPORT, DMESG_JSON, TEXT, REPORT, MIXED = 0, 1, 2, 3, 4  # formats; every other number is text as well

KEYS = set(
    parse_events(parse_lines(["Out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"]))[0]
)


def read_records(form, data):
    """Return the records of a file with this format and content."""
    if form == EXPORT:
        records = (parse_journal_entry(fields) for _taken, fields in read_export_entries(io.BytesIO(data)))
        return [record for record in records if record is not None]
    text = data.decode("utf-8", "backslashreplace")
    if form == DMESG_JSON:
        try:
            return list(parse_dmesg_json(text))
        except (ValueError, RecursionError):
            return []
    return list(parse_lines(text.split("\n")))


class Choices:
    """Takes its choices from bytes, and the first of all when there are no more."""

    def __init__(self, data):
        self._bytes = iter(data)

    def choice(self, values):
        return values[next(self._bytes, 0) % len(values)]

    def random(self):
        return next(self._bytes, 0) / 256


def check_report(data):
    """Parse the report that the bytes choose, and fail if a value is wrong."""
    report = make_report(Choices(data))
    for form in FORMS:
        lines = render(report, form)
        wrong = find_wrong_values(parse_events(parse_lines(lines)), report, form)
        assert not wrong, (wrong, lines)


def check_mixed(data):
    """Mix a true report with a user's lines, and fail if these change its events."""
    choose = Choices(data)
    report = make_report(choose)
    for form in FORMS:
        clean, mixed = mix(report, form, choose)
        found = drop_hostile(parse_events(parse_lines(mixed)))
        assert found == drop_hostile(parse_events(parse_lines(clean))), mixed


def check_promises(data):
    """Parse one input, and fail if the events break a promise."""
    if data and data[0] % 8 == REPORT:
        check_report(data[1:])
        return
    if data and data[0] % 8 == MIXED:
        check_mixed(data[1:])
        return
    records = read_records(data[0] % 8 if data else TEXT, data[1:])
    events = parse_events(records, tasks=True, raw=True)
    # Events of nohang may have no pid.
    victims = {victim["pid"] for event in events for victim in event["victims"]} - {None}
    if victims:
        messages = rejoin_messages(records)
        numbers = {int(digits) for record, _message in messages for digits in re.findall(r"\d+", record.text)}
        assert victims <= numbers, events
    for event in events:
        assert set(event) - {"tasks", "raw"} == KEYS, event
        if event["trusted"] and event["killer"] == "kernel":
            assert any(record.trusted for record in records), event
    json.dumps(events)


def write_seeds(folder):
    """Write the recorded logs into the folder, about one report in each file, and some choices."""
    for number in range(64):
        with open(os.path.join(folder, f"report-{number}"), "wb") as stream:
            choices = bytes((number * step + step) % 256 for step in range(1, 160))
            stream.write(bytes([REPORT + number % 2]) + choices)
    for path in sorted(glob.glob(os.path.join(FIXTURES, "*", "*"))):
        with open(path, "rb") as stream:
            lines = stream.read().split(b"\n")
        for number in range(0, len(lines), 12):
            with open(os.path.join(folder, f"{path.replace(os.sep, '_')[-60:]}-{number}"), "wb") as stream:
                stream.write(bytes([TEXT]) + b"\n".join(lines[number : number + 12]))


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    if not os.listdir(sys.argv[1]):
        write_seeds(sys.argv[1])
    atheris.Setup(sys.argv, check_promises)
    atheris.Fuzz()


main()
