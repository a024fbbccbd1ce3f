# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of the kernel as text, and text that is safe to show."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    bytes_of,
    check_path_text,
    format_kb,
    join_words,
    lines_of,
    printable,
    printable_name,
    printable_values,
    shorten,
    text_of,
)


@pytest.mark.parametrize("words, joined", [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_words_of_a_sentence(words, joined):
    assert join_words(list(words)) == joined


@given(st.binary())
def test_bytes_survive(raw):
    assert bytes_of(text_of(raw)) == raw


@given(st.binary())
def test_only_a_line_feed_ends_a_line(raw):
    assert len(lines_of(raw)) == raw.count(b"\n") + (not raw.endswith(b"\n") and raw != b"")


@given(st.binary())
def test_whatever_the_bytes_an_answer_is_json_and_keeps_its_lines(raw):
    shown = printable(text_of(raw))
    json.dumps(shown).encode("ascii")
    shown.encode("utf-8")
    assert len(shown.splitlines()) == len(text_of(raw).replace("\r", " ").split("\n")) - (
        text_of(raw).endswith("\n") or raw == b""
    )


ESCAPES = {
    "terminal": ("\x1b[2Jok", "\\x1b[2Jok"),
    "carriage return": ("ok\rno", "ok\\x0dno"),
    "not UTF-8": (text_of(b"caf\xe9"), "caf\\xe9"),
    "C1": ("\x9b2J", "\\x9b2J"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "bidirectional": ("a\u202eb", "a\\u202eb"),
    "plain": ("caf\u00e9 \u65e5\u672c", "caf\u00e9 \u65e5\u672c"),
    "lines and tabs of a diff": ("a\n\tb\n", "a\n\tb\n"),
}


@pytest.mark.parametrize(("text", "shown"), ESCAPES.values(), ids=ESCAPES)
def test_printable(text, shown):
    assert printable(text) == shown


def test_a_name_is_one_line():
    assert printable_name("a\nb\tc\x0b") == "a\\x0ab\\x09c\\x0b"


def test_every_text_of_an_answer():
    answer = {"a\x1b": ["\r", ("\x00", 1, None, True)], "b": {"c": "\x7f"}}
    assert printable_values(answer) == {"a\\x1b": ["\\x0d", ["\\x00", 1, None, True]], "b": {"c": "\\x7f"}}


@pytest.mark.parametrize("text, raw", [("/x", b"/x"), ("/\u00e9", b"/\xc3\xa9"), ("/\udcff", b"/\xff"), ("", b"")])
def test_check_path_text(text, raw):
    assert check_path_text("pidfile", text) == raw


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\0" * 5000])
def test_text_that_nothing_can_be_called(text):
    with pytest.raises(
        InputError, match=r"^pidfile='.* holds a character that no name on Linux can have: remove it$"
    ) as raised:
        check_path_text("pidfile", text)
    assert len(str(raised.value)) < 300


SHORTENED = {
    "a number": (7, "7"),
    "a long number": (10**400, "1" + "0" * 20 + "... (more than 20 digits)"),
    "a long negative number": (-(10**400), "-1" + "0" * 20 + "... (more than 20 digits)"),
    "a text": ("x" * 40, "x" * 40),
    "a long text": ("x" * 41, "x" * 40 + "..."),
}


@pytest.mark.parametrize("value, text", SHORTENED.values(), ids=list(SHORTENED))
def test_shorten(value, text):
    assert shorten(value) == text


@pytest.mark.parametrize(
    "size_kb, shown",
    [
        (0, "0 KiB"),
        (1023, "1023 KiB"),
        (20480, "20 MiB"),
        (1536, "1.5 MiB"),
        (1047552, "1023 MiB"),
        (1258291, "1.2 GiB"),
        (5 << 50, "5242880 TiB"),
    ],
)
def test_size_for_a_person(size_kb, shown):
    assert format_kb(size_kb) == shown
