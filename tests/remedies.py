# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the remedy in a message: the clause that says what to do."""

import re

# A remedy begins with one of these verbs, or a few more words before it.
VERBS = (
    "add",
    "apply",
    "build",
    "check",
    "end",
    "find out",
    "free",
    "install",
    "keep",
    "leave",
    "look",
    "lower",
    "mount",
    "put",
    "remove",
    "run",
    "set",
    "start",
    "stop",
    "use",
    "write",
)
_CLAUSE = re.compile(r"[:;] (?:or |first )?((?:" + "|".join(VERBS) + r")\b.*)\Z", re.DOTALL)


def find_remedy(message):
    """Return the clause after a colon or semicolon that says what to do; None if there is none."""
    match = _CLAUSE.search(message)
    return match.group(1) if match else None
