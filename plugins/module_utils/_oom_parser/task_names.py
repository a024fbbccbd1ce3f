# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Task names and cgroup paths in a message: how long they can be, and where they end.

Pure. Users choose both, so both can hold any text, also the words that follow them.
"""

import re
from typing import List, Optional

NAME_BYTES = 15  # of comm
LONGEST_NAME = 4 * NAME_BYTES  # each byte can be escaped as four characters (\x0a, #012)

_ESCAPED_BYTE = re.compile("\\\\x[0-9a-f]{2}|#\\d{3}|\ufffd")
_TASK = ",task="
_TASK_MEMCG = ",task_memcg="

# Hostile input must not be searched again and again.
_MOST_TRIES = 8


def count_name_bytes(name: str) -> int:
    r"""Return the length of a name in bytes.

    What was escaped as \x0a or #012, or was no UTF-8 and was replaced, counts as one byte.
    """
    return len(_ESCAPED_BYTE.sub("?", name).encode("utf-8", "replace"))


def find_task_part(text: str) -> str:
    """Return C(,task=NAME) and what follows; empty if it is not in the text."""
    at = text.find(_TASK)
    return text[at:] if at >= 0 else ""


def split_memcgs(text: str) -> List[str]:
    """Split C(PATH,task_memcg=PATH...) before the second path.

    The victim's cgroup lies in the one that hit its limit, so its path begins with the first.
    """
    at = -1
    fallback: Optional[List[str]] = None
    for _turn in range(_MOST_TRIES):
        at = text.find(_TASK_MEMCG, at + 1)
        if at < 0:
            break
        memcg, rest = text[:at], text[at:]
        fallback = fallback or [memcg, rest]
        if memcg == "/" or rest.startswith(_TASK_MEMCG + memcg):
            return [memcg, rest]
    return fallback or [text, ""]


def split_task(rest: str, name: Optional[str]) -> List[Optional[str]]:
    """Split C(,task_memcg=PATH,task=NAME) into path and name; None for a part that is missing.

    Both can hold the words between them. C(name), if another line gives it,
    decides; otherwise take the longest name that a task can have.
    """
    body = rest[len(_TASK_MEMCG) :] if rest.startswith(_TASK_MEMCG) else rest
    if name is not None and body.endswith(_TASK + name):
        return [body[: -len(_TASK + name)] or None, name]
    best: Optional[int] = None
    at = len(body)
    for _turn in range(_MOST_TRIES):
        at = body.rfind(_TASK, 0, at)
        if at < 0 or len(body) - at - len(_TASK) > LONGEST_NAME:
            break
        if best is None or count_name_bytes(body[at + len(_TASK) :]) <= NAME_BYTES:
            best = at
    if best is None:
        return [body or None, None]
    return [body[:best] or None, body[best + len(_TASK) :]]
