# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cursor survives the way through text, and is refused where it does not belong."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.cursor import (
    Cursor,
    format_cursor,
    parse_cursor,
)

BOOT = "0123456789abcdef" * 2
MARK = "0123456789abcdef:100:2000"

CURSORS = {
    "journal": (Cursor("journal", "here", "s=1;i=2", []), "journal|here|s=1;i=2|"),
    "journal with events of pstore": (Cursor("journal", "here", "s=1", ["a", "b"]), "journal|here|s=1|a b"),
    "kmsg": (Cursor("kmsg", "here", BOOT + ":7", []), f"kmsg|here|{BOOT}:7|"),
    "two files": (Cursor("file", "none", f"{MARK} {MARK}", []), f"file|none|{MARK} {MARK}|"),
}


@pytest.mark.parametrize("cursor, text", CURSORS.values(), ids=list(CURSORS))
def test_format_and_parse(cursor, text):
    assert format_cursor(cursor) == text
    assert parse_cursor(text, cursor.source, cursor.host) == cursor


REFUSED = {
    "not a cursor": ("hello", "cursor='hello' was not returned by oom_events"),
    "unknown source": ("pstore|here|x|", "was not returned by oom_events"),
    "position of another form": ("kmsg|here|junk|", "was not returned by oom_events"),
    "position too long": (f"kmsg|here|{BOOT}:{chr(57) * 5000}|", "was not returned by oom_events"),
    "position with a tail": (f"kmsg|here|{BOOT}:7x|", "was not returned by oom_events"),
    "another host": (f"kmsg|there|{BOOT}:7|", r"from another host \(machine id there, this host has here\)"),
    "another source": ("journal|here|s=1|", "from source=journal, but this run reads source=kmsg"),
}


@pytest.mark.parametrize("text, words", REFUSED.values(), ids=list(REFUSED))
def test_refuse(text, words):
    with pytest.raises(InputError, match=words):
        parse_cursor(text, "kmsg", "here")
