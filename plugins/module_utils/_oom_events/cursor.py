# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse and format the cursor of oom_events, which records where the next run starts.

Pure. As text a cursor is C(SOURCE|HOST|POSITION|ID ID ...).

- SOURCE is the source that was read, HOST the host's machine id.
- POSITION depends on the source. For the journal it is journald's own cursor. For kmsg it is a boot
  id and the number of the next record. For files it is one mark for each file.
- Each ID is an event of pstore that an earlier run returned. Dumps stay in pstore, so without the
  ids every run would return them again.
"""

import re
from typing import List, NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

_MARK = "[0-9a-f]{16}:[0-9]{1,20}:[0-9]{1,20}"
_POSITIONS = {
    "journal": re.compile(r"\S+"),
    "kmsg": re.compile(r"[0-9a-f]{32}:[0-9]{1,20}"),
    "file": re.compile(_MARK + "( " + _MARK + ")*"),
}


class Cursor(NamedTuple):
    """How far one host's log was read."""

    source: str
    host: str
    position: str
    pstore_ids: List[str]  # events of pstore that were already returned


def format_cursor(cursor: Cursor) -> str:
    """Return the cursor as text, which C(parse_cursor) reads back."""
    return "|".join([cursor.source, cursor.host, cursor.position, " ".join(cursor.pstore_ids)])


def parse_cursor(text: str, source: str, host: str) -> Cursor:
    """Return the cursor that the text holds.

    Raises InputError if the text is not a cursor, or if it is from another source or host.
    """
    parts = text.split("|")
    if len(parts) != 4 or parts[0] not in _POSITIONS or not _POSITIONS[parts[0]].fullmatch(parts[2]):
        raise InputError(
            f"cursor={text[:80]!r} was not returned by oom_events: use the cursor of an earlier run, or remove it"
        )
    cursor = Cursor(parts[0], parts[1], parts[2], parts[3].split())
    if cursor.host != host:
        raise InputError(
            f"the cursor is from another host (machine id {cursor.host}, this host has {host}): "
            "keep one cursor for each host"
        )
    if cursor.source != source:
        raise InputError(
            f"the cursor is from source={cursor.source}, but this run reads source={source}: "
            f"keep one cursor for each source, or set source={cursor.source}"
        )
    return cursor
