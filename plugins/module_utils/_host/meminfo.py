# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The lines of /proc/meminfo as numbers. Pure. Source: fs/proc/meminfo.c, proc_meminfo(5)."""

from typing import Dict

from ansible_collections.oomguard.linux.plugins.module_utils._errors import UnsupportedError


class Meminfo(Dict[str, int]):
    """By name, in KiB, huge pages as a count. To ask for a line that is not there raises UnsupportedError; C(get) does not."""

    def __init__(self, text: str) -> None:
        super().__init__(
            (key, int(value.split()[0])) for key, value in (line.split(":", 1) for line in text.splitlines())
        )

    def __missing__(self, key: str) -> int:
        raise UnsupportedError(
            f"/proc/meminfo has no {key}, which every kernel from 3.14 on has: an older one is not supported"
        )
