# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records: the distance between two, lines of /dev/kmsg, and escapes."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    LONGEST_LINE,
    Record,
    escape_message,
    parse_kmsg_line,
    seconds_between,
)


@pytest.mark.parametrize(
    "one, other, seconds",
    [
        (Record("a", monotonic=5.0), Record("b", monotonic=7.5), 2.5),
        (Record("a", monotonic=7.5), Record("b", monotonic=5.0), 2.5),
        (Record("a", monotonic=5.0, clock=10.0), Record("b", monotonic=7.5, clock=90.0), 2.5),
        (Record("a", monotonic=5.0, clock=10.0), Record("b", clock=11.0), 1.0),
        (Record("a", clock=86399.0), Record("b", clock=1.0), 2.0),
        (Record("a", clock=1.0), Record("b", clock=86399.0), 2.0),
        (Record("a", monotonic=5.0), Record("b", clock=11.0), 0.0),
        (Record("a"), Record("b"), 0.0),
    ],
    ids=["uptimes", "backwards", "uptimes first", "clocks", "midnight", "midnight backwards", "one of each", "none"],
)
def test_seconds_between_records(one, other, seconds):
    assert seconds_between(one, other) == seconds


@pytest.mark.parametrize(
    "line, sequence, uptime, trusted",
    [
        ("6,1,5000000,-;text", 1, 5.0, True),
        ("6,1,5000000,-,caller=T7;text", 1, 5.0, True),
        ("3,18446744073709551615,5,c,caller=C0,new=1;text", 18446744073709551615, 5e-6, True),
        ("7,0,0,-;text", 0, 0.0, True),
        ("12,1,5000000,-;text", 1, 5.0, False),
        ("8,1,5000000,-;text", 1, 5.0, False),
    ],
)
def test_parse_kmsg_line(line, sequence, uptime, trusted):
    """Only facility 0 is proof that the kernel wrote the record."""
    assert parse_kmsg_line(line) == (sequence, Record("text", uptime, None, None, trusted, line))


@pytest.mark.parametrize("line", ["", "text", "6,1,5000000;text", "6,1,5000000,-", " SUBSYSTEM=usb", "6,x,5,-;text"])
def test_refuse_other_lines_than_kmsg(line):
    assert parse_kmsg_line(line) is None


def test_keep_the_text_after_the_first_semicolon():
    assert parse_kmsg_line("6,1,5,-;a;b,c").record.text == "a;b,c"


def test_ignore_the_rest_of_a_long_kmsg_line():
    assert parse_kmsg_line("6,1,5,-;" + "x" * 2 * LONGEST_LINE).record.text == "x" * LONGEST_LINE


@pytest.mark.parametrize(
    "message, text",
    [
        ("text", "text"),
        ("text\n\n", "text"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\0\x1b\x7f", "\\x00\\x1b\\x7f"),
        ("caf\u00e9", "caf\u00e9"),
        ("x" * 2 * LONGEST_LINE, "x" * LONGEST_LINE),
    ],
)
def test_escape_message(message, text):
    assert escape_message(message) == text
