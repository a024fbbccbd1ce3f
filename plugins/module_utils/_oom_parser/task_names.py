# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Task names and cgroup paths in a message: how long they can be, and where they end.

Pure. Users choose both, so both can hold any text, also the words that follow them.
"""

import re
from typing import Callable, List, Optional, Tuple

NAME_BYTES = 15  # of comm
LONGEST_NAME = 4 * NAME_BYTES  # each byte can be escaped as four characters (\x0a, #012)
# A record of the kernel holds 992 or 1024 bytes (kernel/printk), and cuts a path that is longer.
LONGEST_PATH = 960

_ESCAPED_BYTE = re.compile("\\\\x[0-9a-f]{2}|#\\d{3}|\ufffd")
TASK = ",task="
TASK_MEMCG = ",task_memcg="


def count_name_bytes(name: str) -> int:
    r"""Return the length of a name or path in bytes.

    What was escaped as \x0a or #012, or was no UTF-8 and was replaced, counts as one byte.
    """
    return len(_ESCAPED_BYTE.sub("?", name).encode("utf-8", "replace"))


def split_paths(text: str, words: str, fits: Callable[[str, str], bool]) -> Optional[Tuple[str, str]]:
    """Split a text at the words between two paths of cgroups, which can hold the words, too.

    Returns None if what precedes and follows the words fits at more than one place, or at none. A
    text that has the words once is split there, although its task was moved meanwhile.
    """
    places = [match.start() for match in re.finditer(re.escape(words) + "(?=/)", text)]
    splits = [(text[:at], text[at + len(words) :]) for at in places]
    fitting = [split for split in splits if fits(*split)]
    if len(fitting) == 1:
        return fitting[0]
    return splits[0] if len(splits) == 1 else None


def is_inside(path: str, other: str) -> bool:
    """Return whether a cgroup is another one, or lies in it."""
    return path == other or other == "/" or path.startswith(other + "/")


def begins_inside(text: str, other: str) -> bool:
    """Return whether C(PATH,task=NAME) can begin with the path of a cgroup, or of one inside it."""
    if other == "/" or text.startswith(other + "/"):
        return True
    return text.startswith(other + TASK) and count_name_bytes(text[len(other) + len(TASK) :]) <= NAME_BYTES


def _find_names(text: str) -> List[int]:
    """Return the places of all C(,task=) in a text that only a name can follow, first to last.

    If the last name is too long for a task, it has bytes that were escaped in an unknown way.
    """
    places = [match.start() for match in re.finditer(TASK, text) if len(text) - match.end() <= LONGEST_NAME]
    return [at for at in places if count_name_bytes(text[at + len(TASK) :]) <= NAME_BYTES] or places[-1:]


def find_longest_name(text: str) -> Optional[str]:
    """Return the longest name that can stand at the end of C(PATH,task=NAME); None for none."""
    return next((text[at + len(TASK) :] for at in _find_names(text)), None)


def split_task(rest: str, name: Optional[str]) -> List[Optional[str]]:
    """Split C(,task_memcg=PATH,task=NAME) into path and name; None for what is unknown.

    Both can hold the words between them. C(name) decides, if another line gives it.
    """
    has_path = rest.startswith(TASK_MEMCG)
    body = rest[len(TASK_MEMCG) :] if has_path else rest
    if name is not None and body.endswith(TASK + name):
        return [body[: -len(TASK + name)] if has_path else None, name]
    places = _find_names(body)
    if len(places) != 1:
        return [None, None]
    return [body[: places[0]] if has_path else None, body[places[0] + len(TASK) :]]
