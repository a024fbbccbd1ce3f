# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Convert between the kernel's bytes and text, and escape unprintable characters.

Pure. Users may choose the bytes in names of processes, cgroups, mount points and files. Inside the
collection these names are text that converts back to the same bytes (surrogateescape). Text is
escaped once, where it leaves a module: printable() for a message, printable_values() for a result.
Only a process name is escaped earlier, when process.py parses it.
"""

import re
from typing import Any, List, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

WOULD_FAIL = "would fail: "  # every failed check of a module begins with this
_LONGEST_VALUE = 40  # of a value in a message
# A lone surrogate stands for a byte that is not UTF-8. The other characters can move a terminal's
# cursor, change its state, end a line, or reorder text. They are C0 and C1 controls, line and
# paragraph separators, and bidirectional and invisible format characters.
_UNPRINTABLE = re.compile(
    "[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def text_of(raw: bytes) -> str:
    """Decode bytes of the kernel; bytes_of() returns the same bytes."""
    return raw.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Encode text to the bytes that text_of() decoded, in any locale."""
    return text.encode("utf-8", "surrogateescape")


def lines_of(raw: bytes) -> List[str]:
    """Return the lines of a file of the kernel.

    Only a line feed ends a line. str.splitlines() would also split at characters inside names.
    """
    lines = text_of(raw).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def printable(text: str) -> str:
    """Escape every character that could change how the text around it is shown.

    Line feeds and tabs stay. For names that may contain them use printable_name().
    """
    return _UNPRINTABLE.sub(_escape, text)


def printable_name(text: str) -> str:
    """Escape a name like printable(), and also line feeds and tabs, so that it is one line."""
    return printable(text).replace("\n", "\\x0a").replace("\t", "\\x09")


def check_path_text(option: str, text: str) -> bytes:
    """Return the bytes of a path or a name of this option, whatever the locale.

    Raises InputError for a text that nothing on Linux can be called.
    """
    try:
        raw = bytes_of(text)
    except UnicodeEncodeError:
        raw = b"\0"
    if b"\0" in raw:
        raise InputError(f"{option}={shorten(text)!r} holds a character that no name on Linux can have: remove it")
    return raw


def shorten(value: object) -> str:
    """Return an option's value for a message, cut if it is absurdly long."""
    if isinstance(value, int) and abs(value) >= 10**20:  # newer Pythons refuse to print thousands of digits
        return f"{'-' if value < 0 else ''}1{'0' * 20}... (more than 20 digits)"
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def join_words(words: Sequence[str]) -> str:
    """Return words as a sentence has them: C(a), C(a and b), C(a, b and c)."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def format_kb(size_kb: int) -> str:
    """Return a size for a person, such as 20 MiB or 1.5 GiB."""
    size, units = float(size_kb), ["KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.3g} {units[0]}" if size < 1000 else f"{size:.0f} {units[0]}"


def printable_values(value: Any) -> Any:
    """Return a module's result with printable() applied to every text in it, keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_values(key): printable_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable_values(one) for one in value]
    return value


def _escape(match: "re.Match[str]") -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # the byte that it stands for
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
