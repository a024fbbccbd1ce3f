# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse the text of /proc/meminfo. Pure. Sources: proc_meminfo(5), fs/proc/meminfo.c."""

from typing import Dict

from ansible_collections.oomguard.linux.plugins.module_utils._errors import UnsupportedError


class Meminfo(Dict[str, int]):
    """The lines of /proc/meminfo: KiB by name, and counts for HugePages_*.

    A missing line raises UnsupportedError with []; get() returns None instead.
    """

    def __init__(self, text: str) -> None:
        super().__init__(
            (key, int(value.split()[0])) for key, value in (line.split(":", 1) for line in text.split("\n") if line)
        )

    def __missing__(self, key: str) -> int:
        raise UnsupportedError(
            f"/proc/meminfo has no {key}: kernels before 3.14 are not supported; leave this host out"
        )
