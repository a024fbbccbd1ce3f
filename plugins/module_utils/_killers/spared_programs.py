# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write and read the drop-in that makes earlyoom spare programs. Pure.

earlyoom knows names of programs alone. The last --ignore of its arguments counts, so ours has the
expression of the administrator's in it, too.
Sources: earlyoom:main.c, systemd.service(5) on command lines.
"""

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_HEADER

# A comm that stands for itself in an expression, a comment and a command.
_PROGRAM = re.compile(r"[A-Za-z0-9_.:@/+-]{1,15}\Z")
_LINE = re.compile(r"# unit=(\S+) program=(\S+)\Z")
_EXPRESSION, _COMMAND = "# expression=", "ExecStart="


class SparedPrograms(NamedTuple):
    """Describe what our drop-in of earlyoom says."""

    by_unit: Mapping[str, Sequence[str]]  # the programs of each unit, sorted
    expression: str  # the last --ignore that earlyoom gets
    command: str  # the ExecStart of earlyoom without ours; empty if somebody has changed the file
    ignored: Optional[str]  # the own --ignore of earlyoom


NOTHING_SPARED = SparedPrograms({}, "", "", None)


def is_plain(program: str) -> bool:
    """Return whether a program has a name that can be spared."""
    return _PROGRAM.match(program) is not None


def read_spared(text: Optional[str]) -> SparedPrograms:
    """Return what a drop-in of ours says; nothing for another file, or none."""
    lines = (text or "").split("\n")
    if lines[0] != KILLER_HEADER:
        return NOTHING_SPARED
    by_unit: Dict[str, List[str]] = {}
    for match in filter(None, map(_LINE.match, lines)):
        by_unit.setdefault(match.group(1), []).append(match.group(2))
    expression = next((line[len(_EXPRESSION) :] for line in lines if line.startswith(_EXPRESSION)), "")
    for ignored in (None, expression[1 : -len(_join_programs(by_unit)) - len(")|")]):
        command = next((line for line in lines if line.startswith(_COMMAND + "/")), "")[len(_COMMAND) :]
        command = command[: -len(_option(expression))]
        if write_spared(by_unit, command, ignored) == text:
            return SparedPrograms(by_unit, expression, command, ignored)
    return SparedPrograms(by_unit, expression, "", None)


def strip_ours(words: List[str], spared: SparedPrograms) -> List[str]:
    """Return the arguments of earlyoom without those of our drop-in."""
    is_ours = spared.expression and words[-2:] == ["--ignore", spared.expression]
    return words[:-2] if is_ours else words


def write_spared(by_unit: Mapping[str, Sequence[str]], command: str, ignored: Optional[str]) -> Optional[str]:
    """Return the text of the drop-in; None if no program is spared.

    C(command) is the ExecStart of earlyoom without ours, C(ignored) its own --ignore.
    """
    if not by_unit:
        return None
    own = _join_programs(by_unit)
    expression = own if ignored is None else f"({ignored})|{own}"
    lines = [f"# unit={unit} program={program}" for unit in sorted(by_unit) for program in by_unit[unit]]
    service = ["[Service]", _COMMAND, _COMMAND + command + _option(expression)]
    return "\n".join([KILLER_HEADER, *lines, _EXPRESSION + expression, *service, ""])


def _join_programs(by_unit: Mapping[str, Sequence[str]]) -> str:
    """Return an expression that matches these programs alone."""
    programs = sorted({program for programs in by_unit.values() for program in programs})
    escaped = "|".join(re.sub(r"([.+])", r"\\\1", program) for program in programs)
    return f"^({escaped})$"


def _option(expression: str) -> str:
    """Return the argument that our command has behind that of earlyoom."""
    return f' --ignore "{_quote(expression)}"'


def _quote(text: str) -> str:
    """Return a text as it stands in double quotes of a command of systemd."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
