# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find names that are misspelt, and what was meant.

A name is misspelt if it differs from a known one by few letters: added, left out, replaced, or
swapped with a neighbour. One letter in seven may differ, so one in C(oom_hosts) and two in
C(oom_overcommit_mode).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LETTERS_FOR_A_TYPO = 7
# A name below one of our prefixes is wrong in any case, and so is an unknown option or choice. So
# a suggestion may be further away.
LETTERS_FOR_A_SUGGESTION = 3


def count_typos(one: str, other: str, most: int) -> int:
    """Return how many letters differ between two names (optimal string alignment).

    The count stops beyond C(most), because it takes long: the result is then any larger number.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            best = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                best = min(best, before[column - 2] + 1)
            current.append(best)
        if min(*last, *current) > most:
            return most + 1
        before, last = last, current
    return last[-1]


def find_nearest(name: str, known: Iterable[str], letters: int) -> str | None:
    """Return the known name that differs least, if at most one letter in C(letters) differs.

    Capitals count as small letters.
    """
    name = name.lower()
    allowed = {one: _allowed(one, letters) for one in known}
    near = [
        (count_typos(name, one.lower(), most), one) for one, most in allowed.items() if _may_be_near(name, one, most)
    ]
    return min(((typos, one) for typos, one in near if typos <= allowed[one]), default=(0, None))[1]


def is_typo(name: str, meant: str) -> bool:
    """Return whether a name near C(meant) is a typo of it, and not a name of others.

    Another first word of the same length is no typo, as in C(oem_hosts). In a short name a letter
    may be swapped, left out or added: C(oom_posts), C(om_hosts) and C(oom_hosts2) are other names.
    """
    name = name.lower()
    word, first = name.partition("_")[0], meant.partition("_")[0]
    other_word = sorted(word) != sorted(first)
    if other_word and len(word) == len(first):
        return False
    if _allowed(meant, LETTERS_FOR_A_TYPO) > 1:
        return True
    replaced = len(name) == len(meant) and sorted(name) != sorted(meant)
    return not (replaced or name.startswith(meant) or (other_word and len(word) < len(first)))


def suggest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was meant: the only one that begins with this one, or the nearest."""
    known = list(known)
    longer = [one for one in known if name and one.startswith(name)]
    return longer[0] if len(longer) == 1 else find_nearest(name, known, LETTERS_FOR_A_SUGGESTION)


def may_be_near(name: str, known: Iterable[str], letters: int) -> bool:
    """Return false if find_nearest() would return None.

    Only letters count here, not their order, so find_nearest() may still return None otherwise.
    """
    return any(_may_be_near(name.lower(), one, _allowed(one, letters)) for one in known)


def _may_be_near(name: str, one: str, allowed: int) -> bool:
    """Return false where two names need more typos, without counting them: that takes longer."""
    if abs(len(one) - len(name)) > allowed:
        return False
    # A typo adds one letter and takes away one, at most.
    letters, wanted = Counter(name), Counter(one.lower())
    return max(sum((letters - wanted).values()), sum((wanted - letters).values())) <= allowed


def _allowed(name: str, letters: int) -> int:
    return max(1, len(name) // letters)
