# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report shows, and when it is an event."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Header, Kill, Panic, TableRow
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report


def make_report(**facts):
    report = Report(Record("x"), 7)
    for name, value in facts.items():
        setattr(report, name, value)
    return report


@pytest.mark.parametrize(
    "facts, is_event, is_reported",
    [
        ({}, False, False),
        ({"header": Header("x", "0x0", None, None)}, True, True),
        ({"header": Header("x", None, None, None)}, False, True),
        ({"kills": [Kill("", 7, "x", None, {}, None, None)]}, True, False),
        ({"panic": Panic(None)}, True, False),
    ],
    ids=["nothing", "a header", "a cut header", "a kill", "a panic"],
)
def test_is_event(facts, is_event, is_reported):
    report = make_report(**facts)
    assert (report.is_event(), report.is_reported()) == (is_event, is_reported)


def test_find_processes():
    report = make_report(rows=[TableRow(8, 7, ""), TableRow(9, 9, ""), TableRow(5, None, "")])
    assert report.find_processes((7, 8, 9, 5, 4)) == {7: 7, 8: 7, 9: 9}


def test_words_are_those_up_to_the_kill():
    one, other = make_report(), make_report()
    for report, texts in ((one, ["a", "b"]), (other, ["a", "b", "c"])):
        for text in texts:
            report.add_line(Record(text), keep_raw=False)
            if text == "b":
                report.kills = [Kill("", 7, "x", None, {}, None, None)]
    assert one.words == other.words != 0
