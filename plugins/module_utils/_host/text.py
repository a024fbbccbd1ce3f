# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Convert between the kernel's bytes and text, and escape what an administrator must not see raw.

Pure. Names of processes, cgroups, mount points and files are bytes that users may choose. Inside
the collection they are text that can be turned back into the same bytes (surrogateescape). Text is
escaped once, where it leaves a module: printable() for a message, printable_values() for an answer.
"""

import re
from typing import Any, List

# A lone surrogate stands for a byte that is not UTF-8. The other classes move a terminal's cursor,
# change its state, end a line, or reorder what is shown: C0 and C1 controls, line and paragraph
# separators, and the bidirectional and invisible format characters.
_UNPRINTABLE = re.compile(
    "[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def text_of(raw: bytes) -> str:
    """Return text for bytes of the kernel; bytes_of() gives the same bytes back."""
    return raw.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes that text_of() made this text of, whatever the locale."""
    return text.encode("utf-8", "surrogateescape")


def lines_of(raw: bytes) -> List[str]:
    """Return the lines of a file of the kernel, which ends each with a line feed.

    No other character ends a line there, unlike in str.splitlines(): a name may hold it.
    """
    lines = text_of(raw).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def printable(text: str) -> str:
    """Return text with every character escaped that could change how its surroundings are shown.

    Line feeds and tabs stay: names that could hold them pass through printable_name().
    """
    return _UNPRINTABLE.sub(_escape, text)


def printable_name(text: str) -> str:
    """Return a name as one line: as printable(), with line feeds and tabs escaped too."""
    return printable(text).replace("\n", "\\x0a").replace("\t", "\\x09")


def printable_values(value: Any) -> Any:
    """Return an answer of a module with printable() applied to every text in it, keys too."""
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
