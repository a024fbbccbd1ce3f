# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Compare how many kills the kernel counted with how many its own log still names."""

from typing import Callable

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import is_logged_kill


def read_kill_counts(procfs: Procfs, open_log: Callable[[], Kmsg] = Kmsg) -> KillCounts:
    """Return the kills since boot, as counted and as logged. No log is read if none was counted.

    Raises OomError if /proc/vmstat or the log cannot be read.
    """
    counted = procfs.oom_kills() or 0  # before the log: a later kill may be in both or only there
    if not counted:
        return KillCounts()
    with open_log() as log:
        logged = sum(map(is_logged_kill, log.read()))
        return KillCounts(counted, logged, log.lost)
