# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse unit files, and change the assignments in the text of a drop-in.

Strategy: a text is split into statements, and each keeps all its lines. So a changed
drop-in keeps every other line byte for byte.
Pure. The parser handles the part of systemd.syntax(7) that assignments need: sections,
comments, blanks around "=", and lines continued with a backslash.
"""

import re
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

_HEADER_START = "# Managed by oomguard.linux.oom_score_adj,"
HEADER = f"{_HEADER_START} which overwrites OOMScoreAdjust, OOMPolicy and ManagedOOMPreference here and nothing else."
# The drop-in of a killer, all of which is ours. It replaces a command, so its name sorts behind
# those that people use.
KILLER_DROP_IN = "zz-oomguard.conf"
KILLER_HEADER = f"{_HEADER_START} because of other_killers=protect. It names programs that this killer spares."
# What we assign in a drop-in, and take back.
OWN_KEYS = ("OOMScoreAdjust", "OOMPolicy", "ManagedOOMPreference")
SECTION = "Service"
# systemd:src/basic/fileio.c:read_line_full and src/basic/string-util.h. Other line ends of Unicode
# are ordinary characters there.
_LINE = re.compile("[^\n\r]*(?:\r\n|\n|\r)|[^\n\r]+")
_BLANKS = " \t\n\r"


class DropIn(NamedTuple):
    """Our drop-in of a unit, its text now and as planned; None stands for no file."""

    path: str
    before: Optional[str]
    after: Optional[str]


def is_killer_drop_in(path: str) -> bool:
    """Return whether a path is that of our drop-in of another killer, which pins nothing."""
    return path.endswith(f"/{KILLER_DROP_IN}")


class _Statement(NamedTuple):
    """One statement of a unit file, or a comment or blank line between two."""

    lines: str  # all its lines, with their line ends
    section: Optional[str]  # the section that it is in, or that it opens
    key: Optional[str]  # None unless it is an assignment
    value: Optional[str]
    is_complete: bool = True  # False for a last statement that ends with a backslash


def _split_statements(text: str) -> Iterator[_Statement]:
    section: Optional[str] = None
    lines, joined = "", ""
    for line in _LINE.findall(text):
        content = line.strip(_BLANKS)
        is_comment = content.startswith(("#", ";"))
        is_continuation = bool(lines)
        lines += line
        if is_comment and is_continuation:
            continue  # the statement continues after the comment
        if content.endswith("\\") and not is_comment:
            joined += content[:-1] + " "
            continue
        joined += "" if is_comment else content
        key, equals, value = joined.partition("=")
        if joined.startswith("[") and joined.endswith("]"):
            section, equals = joined[1:-1], ""
        yield _Statement(
            lines, section, key.strip(_BLANKS) if equals else None, value.strip(_BLANKS) if equals else None
        )
        lines, joined = "", ""
    if lines:
        yield _Statement(lines, section, None, None, is_complete=False)


def read_assignment(text: str, key: str, section: str = SECTION) -> Optional[str]:
    """Return the last value of a key in a section; None if not assigned, empty if reset."""
    values = _read_assignments(text, key, section)
    return values[-1] if values else None


def _read_assignments(text: str, key: str, section: str = SECTION) -> List[Optional[str]]:
    if key not in text:  # most files: splitting them would take time
        return []
    return [
        statement.value
        for statement in _split_statements(text)
        if statement.section == section and statement.key == key
    ]


def resolve_assignment(
    texts: List[str], key: str, is_valid: Callable[[str], bool]
) -> Tuple[Optional[str], Optional[int]]:
    """Return the value of a key in a unit file and its drop-ins, and the number of its text.

    The texts are in the order in which systemd reads them: the last valid value wins. An empty
    value resets all values before it, and there is none then. systemd ignores an invalid value.
    """
    for number in range(len(texts) - 1, -1, -1):
        for value in reversed(_read_assignments(texts[number], key)):
            if not value:
                return None, number
            if is_valid(value):
                return value, number
    return None, None


def is_score(value: str) -> bool:
    """Return whether systemd accepts this as OOMScoreAdjust=: -1000 to 1000 (systemd.exec(5))."""
    # Newer Pythons refuse to read thousands of digits, and older ones take minutes for a million.
    return bool(re.match(r"[+-]?[0-9]{1,10}\Z", value)) and -1000 <= int(value) <= 1000


def is_policy(value: str) -> bool:
    """Return whether systemd accepts this text as OOMPolicy= (systemd.service(5))."""
    return value in ("continue", "stop", "kill")


def is_preference(value: str) -> bool:
    """Return whether systemd accepts this text as ManagedOOMPreference=.

    Source: systemd.resource-control(5).
    """
    return value in ("none", "avoid", "omit")


# Whether systemd accepts a text as the value of a key.
CHECKS: Dict[str, Callable[[str], bool]] = {
    "OOMScoreAdjust": is_score,
    "OOMPolicy": is_policy,
    "ManagedOOMPreference": is_preference,
}


def is_own(text: str) -> bool:
    """Return whether a drop-in has our header: our assignments in it may be removed."""
    return _HEADER_START in text and any(map(_is_header, _split_statements(text)))


def list_commands(texts: List[str]) -> List[str]:
    """Return the values of ExecStart in a unit file and its drop-ins; an empty one resets them."""
    commands: List[str] = []
    for value in [value for text in texts for value in _read_assignments(text, "ExecStart")]:
        commands = [*commands, value] if value else []
    return commands


def change_assignments(text: Optional[str], assignments: Dict[str, Optional[str]]) -> Optional[str]:
    """Return a drop-in's text with these values by key in [Service]; None removes a key.

    Every other line stays as it is. Our header stands above our assignments, and goes with them.
    Pass None as the text of a missing file. The result is None if only ours would be left.
    """
    kept = [one for one in _split_statements(text or "") if one.section != SECTION or one.key not in assignments]
    new_lines = "".join(f"{key}={value}\n" for key, value in assignments.items() if value is not None)
    if not new_lines:
        kept = _remove_header(kept)
        is_foreign = any(one.lines.strip() not in ("", f"[{SECTION}]") for one in kept)
        return _join_lines(kept) if is_foreign else None
    header = "" if any(map(_is_header, kept)) else f"{HEADER}\n"
    # Add at the end of the section, so that nothing in the section overrides the new lines.
    last = max((number for number, one in enumerate(kept) if one.section == SECTION), default=None)
    if last is None:
        return f"{_end_lines(kept)}{header}[{SECTION}]\n{new_lines}"
    return _end_lines(kept[: last + 1]) + header + new_lines + _join_lines(kept[last + 1 :])


def _is_header(statement: _Statement) -> bool:
    # The rest of the line has changed with what we assign.
    return statement.lines.strip().startswith(_HEADER_START)


def _remove_header(statements: List[_Statement]) -> List[_Statement]:
    """Return the statements without our header, and without an empty section below it."""
    kept: List[_Statement] = []
    for number, one in enumerate(statements):
        is_below = number > 0 and _is_header(statements[number - 1]) and one.lines.strip() == f"[{SECTION}]"
        following = statements[number + 1 : number + 2]
        is_empty = not following or (following[0].section != SECTION or following[0].lines.strip() == f"[{SECTION}]")
        if not _is_header(one) and not (is_below and is_empty):
            kept.append(one)
    return kept


def _join_lines(statements: List[_Statement]) -> str:
    return "".join(statement.lines for statement in statements)


def _end_lines(statements: List[_Statement]) -> str:
    """Return the text with a final line end, and an empty line to end a continuation."""
    text = _join_lines(statements)
    if text and not text.endswith("\n"):
        text += "\n"
    return text if not statements or statements[-1].is_complete else text + "\n"
