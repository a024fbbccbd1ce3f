# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the names that a person may have meant, among those of a host.

Pure. Both sides may come from users, so length and number are bounded.
"""

from typing import Iterable, List, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

_MAX_SUGGESTED = 3
_MAX_COMPARED = 20000  # names; a user may start any number of processes, with any names
_LEAST_ALIKE = 0.66  # ratio of difflib: one letter of a name with three differs, or two of one with six
_LONGEST_NAME = 255
_SUFFIXES = (".service", ".slice", ".scope")


def find_alike(name: str, known: Iterable[str]) -> List[str]:
    """Return the names that look most like this one, best first; those that begin with it first.

    A suffix of systemd, such as .service, has to be the same, and is not compared.
    """
    import difflib  # few runs need it

    stem, suffix = _split_suffix(name[:_LONGEST_NAME])
    names = [one for _number, one in zip(range(_MAX_COMPARED), known) if one != name and len(one) <= _LONGEST_NAME]
    stems = [one for one, found in map(_split_suffix, names) if found == suffix]
    beginning = sorted(one for one in stems if len(stem) > 2 and one.startswith(stem))
    alike = difflib.get_close_matches(stem, stems, _MAX_SUGGESTED, _LEAST_ALIKE)
    return [one + suffix for one in dict.fromkeys(beginning + alike)][:_MAX_SUGGESTED]


def _split_suffix(name: str) -> Tuple[str, str]:
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return name[: len(name) - len(suffix)], suffix


def suggest(names: Iterable[str]) -> str:
    """Return "did you mean NAME or NAME?" in one line; an empty text without names."""
    shown = " or ".join(map(printable_name, names))
    return f"did you mean {shown}?" if shown else ""
