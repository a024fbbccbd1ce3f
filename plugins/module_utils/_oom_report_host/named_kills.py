# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Count the kills that the log names and no earlier run of this boot has counted.

Pure. A log forgets its old lines, so the kills that it names now are too few. The record adds up
what each run counts, and the place where that run stopped is an uptime: it holds in every log.
"""

from typing import Optional

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event


class NamedKills:
    """The kills of one boot behind an uptime."""

    def __init__(self, boot: Optional[str], counted_until: Optional[int]) -> None:
        """Take the boot's id, and the uptime until which kills were counted, in microseconds."""
        self._boot = boot
        self._counted_until = counted_until
        self.until = counted_until
        self.kills = 0

    def add(self, event: Event, kills: int) -> None:
        """Count an event of the kernel, unless it is of another boot or was counted."""
        if self._boot is None or event["boot_id"] != self._boot or event["monotonic"] is None:
            return
        uptime = round(event["monotonic"] * 1000000)
        if self._counted_until is not None and uptime <= self._counted_until:
            return
        self.kills += kills
        self.until = uptime if self.until is None else max(self.until, uptime)
