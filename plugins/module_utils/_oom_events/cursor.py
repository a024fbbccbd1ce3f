# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Where the next run goes on: the cursor of oom_events, as text.

Pure. C(SOURCE|HOST|POSITION|ID ...): the source that was read, the machine id
of the host, how far, and the events of pstore that were told, as dumps stay
there. A position of the journal is its own cursor, of kmsg a boot id and the
number of the next record, of files a mark for each.
"""

import re
from typing import List, NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

_POSITIONS = {
    "journal": re.compile(r"\S+"),
    "kmsg": re.compile(r"[0-9a-f]{32}:\d+"),
    "file": re.compile(r"[0-9a-f]{16}:\d+:\d+( [0-9a-f]{16}:\d+:\d+)*"),
}


class Cursor(NamedTuple):
    """How far one host's log was read."""

    source: str
    host: str
    position: str
    told: List[str]  # ids

    def __str__(self) -> str:
        return "|".join([self.source, self.host, self.position, " ".join(self.told)])


def understand(text: str, source: str, host: str) -> Cursor:
    """Raises InputError for a text that is no cursor, or one of another source or host."""
    parts = text.split("|")
    if len(parts) != 4 or parts[0] not in _POSITIONS or not _POSITIONS[parts[0]].fullmatch(parts[2]):
        raise InputError(f"cursor {text[:80]!r} is none that oom_events returned")
    cursor = Cursor(parts[0], parts[1], parts[2], parts[3].split())
    if cursor.host != host:
        raise InputError(
            f"the cursor is of another host (machine id {cursor.host}, here it is {host}): keep one for each host"
        )
    if cursor.source != source:
        raise InputError(
            f"the cursor is of source={cursor.source}, and source={source} is to be read: keep one for each source"
        )
    return cursor
