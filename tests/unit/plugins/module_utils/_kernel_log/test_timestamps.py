# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Timestamps: what people may write, what is refused, and formatting."""

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import (
    DATE,
    ZONE,
    format_match,
    format_utc,
    parse_moment,
    parse_utc,
)

NOW = 1795409025.5


@pytest.mark.parametrize(
    "text, epoch",
    [
        ("2026-11-23T04:43:45Z", 1795409025),
        ("2026-11-23 04:43:45 UTC", 1795409025),
        ("2026-11-23T06:43:45.250+02:00", 1795409025.25),
        ("2026-11-22T21:13:45,5-0730", 1795409025.5),
        ("1795409025", 1795409025),
        ("@1795409025.75", 1795409025.75),
        ("-30s", NOW - 30),
        ("-5m", NOW - 300),
        ("-1h", NOW - 3600),
        ("-2d", NOW - 172800),
        ("-1w", NOW - 604800),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_parse_moment(text, epoch):
    assert parse_moment("since", text, NOW) == epoch


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T04:43:45", "2026-11-23", "2026-02-30T00:00:00Z", "20261123", "1h", "-1y", "yesterday", "-", " "],
)
def test_refuse_what_would_have_to_be_guessed(text):
    with pytest.raises(InputError, match=f"since={text} is not a time: give ISO 8601 with a zone"):
        parse_moment("since", text, NOW)


def test_refuse_a_long_number():
    with pytest.raises(InputError, match=r"since=10{79} is not a time: give"):
        parse_moment("since", "1" + "0" * 400, NOW)


@pytest.mark.parametrize("epoch", [0.0, NOW, 1795409025.123456])
def test_parse_what_was_formatted(epoch):
    assert parse_utc(format_utc(epoch)) == pytest.approx(epoch, abs=1e-6)
    assert parse_utc("2026-11-23T04:43:45Z") == 1795409025


@pytest.mark.parametrize(
    "text, utc",
    [
        ("2026-11-23T04:43:45Z", "2026-11-23T04:43:45Z"),
        ("2026-11-23 04:43:45.123456789Z", "2026-11-23T04:43:45.123456Z"),
        ("2026-11-23T04:43:45,5+02", "2026-11-23T02:43:45.5Z"),
        ("2026-07-11T05:57:14-03:30", "2026-07-11T09:27:14Z"),
        ("2026-13-41T05:57:14Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_format_match(text, utc):
    assert format_match(re.match(DATE + ZONE, text)) == utc
