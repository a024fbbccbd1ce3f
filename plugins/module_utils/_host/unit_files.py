# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Unit files as text: what they assign, and how an assignment is changed.

Pure. Of systemd.syntax(7) this knows sections, comments, blanks around "=",
and lines that a backslash continues; that is all that assignments need.
"""

import re
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust and OOMPolicy here and nothing else."
)
SECTION = "Service"


class _Statement(NamedTuple):
    """One statement of a unit file with all lines that it takes, ends of lines included."""

    text: str
    section: Optional[str]  # the section that it stands in, or opens
    key: Optional[str]  # None for everything but an assignment
    value: Optional[str]
    ended: bool = True  # False for the last one of a file when a backslash says that it goes on


def _statements(text: str) -> Iterator[_Statement]:
    section: Optional[str] = None
    lines, words = "", ""
    for line in text.splitlines(True):
        content = line.strip()
        comment = content.startswith(("#", ";"))
        continued = bool(lines)
        lines += line
        if comment and continued:
            continue  # it does not end what the line before it continues
        if content.endswith("\\") and not comment:
            words += content[:-1] + " "
            continue
        words += "" if comment else content
        key, equals, value = words.partition("=")
        if words.startswith("[") and words.endswith("]"):
            section, equals = words[1:-1], ""
        yield _Statement(lines, section, key.strip() if equals else None, value.strip() if equals else None)
        lines, words = "", ""
    if lines:
        yield _Statement(lines, section, None, None, ended=False)


def assigned(text: str, key: str) -> Optional[str]:
    """The last value of a key in [Service]; None when it is not assigned, empty when it is reset."""
    values = [one.value for one in _statements(text) if one.section == SECTION and one.key == key]
    return values[-1] if values else None


def last_assigned(texts: List[str], key: str, valid: Callable[[str], bool]) -> Optional[str]:
    """What a unit file and its drop-ins, in the order in which systemd reads them, give to a key; None for nothing.

    An empty value takes back what came before. One that is not valid systemd logs and ignores.
    """
    # Most files do not have the key, and need not be taken apart.
    values = [
        one.value
        for text in texts
        if key in text
        for one in _statements(text)
        if one.section == SECTION and one.key == key
    ]
    for value in reversed(values):
        if not value:
            return None
        if valid(value):
            return value
    return None


def is_score(value: str) -> bool:
    return bool(re.match(r"[+-]?[0-9]+\Z", value)) and -1000 <= int(value) <= 1000


def is_policy(value: str) -> bool:
    return value in ("continue", "stop", "kill")


def assign(text: Optional[str], wanted: Dict[str, Optional[str]]) -> Optional[str]:
    """The drop-in with these values in [Service], None for a key that is not to be there.

    Every other line stays as it is. None where nothing but our own header would be left.
    """
    kept = [one for one in _statements(text or "") if not (one.section == SECTION and one.key in wanted)]
    lines = "".join(one.text for one in kept)
    ours = "".join(f"{key}={value}\n" for key, value in wanted.items() if value is not None)
    if not ours:
        rest = [one for one in kept if one.text.strip() not in ("", HEADER, f"[{SECTION}]")]
        return lines if rest else None
    if not kept:
        return f"{HEADER}\n[{SECTION}]\n{ours}"
    # Behind the last line of the section, so that nothing in it comes after and wins.
    last = max((number for number, one in enumerate(kept) if one.section == SECTION), default=None)
    if last is None:
        return f"{_whole(kept)}[{SECTION}]\n{ours}"
    return _whole(kept[: last + 1]) + ours + "".join(one.text for one in kept[last + 1 :])


def _whole(statements: List[_Statement]) -> str:
    """Their text with an end, also where the last line or its continuation has none."""
    text = "".join(one.text for one in statements)
    if text and not text.endswith("\n"):
        text += "\n"
    return text if not statements or statements[-1].ended else text + "\n"
