# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parser has to keep for any input; fuzz_parser.py and fuzz_fragments.py try it.

The first byte of an input selects its format, so that the journal's export format and dmesg's JSON
are tried as well.

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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hostile_reports import FORMS, drop_hostile, find_wrong_values, make_report, mix, render

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/fixtures/kernel_logs/recorded")

EXPORT, DMESG_JSON, TEXT, REPORT, MIXED = 0, 1, 2, 3, 4  # formats; every other number is text as well

KEYS = set(
    parse_events(parse_lines(["Out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"]))[0]
)


def read_records(form, data):
    """Return the records of a file with this format and content."""
    if form == EXPORT:
        records = (parse_journal_entry(fields or {}) for _taken, fields in read_export_entries(io.BytesIO(data)))
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


def check_report(choose, forms=FORMS):
    """Parse the report that is chosen, and fail if a value is wrong."""
    report = make_report(choose)
    for form in forms:
        lines = render(report, form)
        wrong = find_wrong_values(parse_events(parse_lines(lines)), report, form)
        assert not wrong, (wrong, lines)


def check_mixed(choose, forms=FORMS):
    """Mix a true report with a user's lines, and fail if these change its events."""
    report = make_report(choose)
    for form in forms:
        clean, mixed = mix(report, form, choose)
        found = drop_hostile(parse_events(parse_lines(mixed)))
        assert found == drop_hostile(parse_events(parse_lines(clean))), mixed


def check_promises(data):
    """Parse one input, and fail if the events break a promise."""
    form = data[0] % 8 if data else TEXT
    if form == REPORT:
        check_report(Choices(data[1:]))
    elif form == MIXED:
        check_mixed(Choices(data[1:]))
    else:
        check_events(form, data[1:])


def check_events(form, data):
    """Parse a file of this format, fail if its events break a promise, and return them."""
    records = read_records(form, data)
    events = parse_events(records, tasks=True, raw=True)
    # Events of nohang may have no pid.
    victims = {victim["pid"] for event in events for victim in event["victims"]} - {None}
    if not victims <= find_numbers(records):  # a wrapped line can break a number
        assert victims <= find_numbers(record for record, _message in rejoin_messages(records)), events
    for event in events:
        assert set(event) - {"tasks", "raw"} == KEYS, event
        if event["trusted"] and event["killer"] == "kernel":
            assert any(record.trusted for record in records), event
    json.dumps(events)
    return events


def find_numbers(records):
    """Return the numbers in the messages of records."""
    return {int(digits) for record in records for digits in re.findall(r"\d+", record.text)}


def read_fixtures():
    """Yield path and lines of each recorded log."""
    for path in sorted(glob.glob(os.path.join(FIXTURES, "*", "*"))):
        with open(path, "rb") as stream:
            yield path, stream.read().split(b"\n")
