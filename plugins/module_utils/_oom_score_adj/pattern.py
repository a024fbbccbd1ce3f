# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Search command lines with a regular expression, in a limited time.

A pattern needs milliseconds for the longest command line. But users choose their command lines, and
can choose one for which an innocent pattern needs hours.
"""

import contextlib
import re
from typing import Iterable, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._host.time_limit import TooSlowError, time_limit

SEARCH_SECONDS = 0.5  # for one command line, and for all that are searched in one go
# Python checks for signals only inside of a long match, not between the many short ones of a
# search. So a longer line is matched from each of its positions in turn.
_SHORT_LINE = 4096


class Pattern:
    """A regular expression that matches command lines anywhere.

    Raises InputError for a text that is none, or that matches everything.
    """

    def __init__(self, value: str) -> None:
        try:
            self._pattern = re.compile(value)
            matches_all = self._pattern.search("") is not None
        except (re.error, OverflowError, RecursionError, MemoryError) as error:
            # OverflowError: a repeat count beyond 32 bits; the others: thousands of brackets.
            raise InputError(
                f"pattern={shorten(value)!r} is not a regular expression: {error or 'too large'}:"
                " write it as for Python's re, with a backslash before each of ()[]{}.*+?|^$ that is meant itself"
            ) from error
        if matches_all:
            raise InputError(f"pattern={shorten(value)!r} matches every process: make it more specific")

    def search(self, line: str) -> Optional[bool]:
        """Return whether a line matches; None if that takes too long."""
        try:
            with time_limit(SEARCH_SECONDS):
                return self._find(line)
        except TooSlowError:
            return None

    def search_all(self, lines: Iterable[Tuple[int, str]]) -> Tuple[List[int], int]:
        """Return the numbers of the lines that match, and how many lines were searched in time."""
        found: List[int] = []
        searched = 0
        with contextlib.suppress(TooSlowError), time_limit(SEARCH_SECONDS):
            for number, line in lines:
                if self._find(line):
                    found.append(number)
                searched += 1
        return found, searched

    def _find(self, line: str) -> bool:
        if len(line) <= _SHORT_LINE:
            return self._pattern.search(line) is not None
        return any(self._pattern.match(line, start) for start in range(len(line) + 1))
