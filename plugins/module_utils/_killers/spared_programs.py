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
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_HEADER

# A comm that stands for itself in an expression, a comment and a command.
_PROGRAM = re.compile(r"[A-Za-z0-9_.:@/+-]{1,15}\Z")
_LINE = re.compile(r"# unit=(\S+) program=(\S+)\Z")
_EXPRESSION = "# expression="


class SparedPrograms(NamedTuple):
    """Describe what our drop-in of earlyoom says."""

    by_unit: Dict[str, str]
    expression: str  # the last --ignore that earlyoom gets


def is_plain(program: str) -> bool:
    """Return whether a program has a name that can be spared."""
    return _PROGRAM.match(program) is not None


def read_spared(text: Optional[str]) -> SparedPrograms:
    """Return what a drop-in of ours says; nothing for another file, or none."""
    lines = (text or "").split("\n")
    if lines[0] != KILLER_HEADER:
        return SparedPrograms({}, "")
    matches = [match for match in map(_LINE.match, lines) if match is not None]
    expression = next((line[len(_EXPRESSION) :] for line in lines if line.startswith(_EXPRESSION)), "")
    return SparedPrograms({match.group(1): match.group(2) for match in matches}, expression)


def strip_ours(words: List[str], spared: SparedPrograms) -> List[str]:
    """Return the arguments of earlyoom without those of our drop-in."""
    is_ours = spared.expression and words[-2:] == ["--ignore", spared.expression]
    return words[:-2] if is_ours else words


def write_spared(by_unit: Dict[str, str], command: str, ignored: Optional[str]) -> Optional[str]:
    """Return the text of the drop-in; None if no program is spared.

    C(command) is the ExecStart of earlyoom without ours, C(ignored) its own --ignore.
    """
    if not by_unit:
        return None
    names = "|".join(sorted({re.sub(r"([.+])", r"\\\1", program) for program in by_unit.values()}))
    expression = f"^({names})$" if ignored is None else f"({ignored})|^({names})$"
    lines = [f"# unit={unit} program={program}" for unit, program in sorted(by_unit.items())]
    return "\n".join(
        [
            KILLER_HEADER,
            *lines,
            _EXPRESSION + expression,
            "[Service]",
            "ExecStart=",
            f'ExecStart={command} --ignore "{_quote(expression)}"',
            "",
        ]
    )


def _quote(text: str) -> str:
    """Return a text as it stands in double quotes of a command of systemd."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
