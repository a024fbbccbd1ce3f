# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Forks that may still be under way with the score of before.

fork() copies the score early and lists the child late
(kernel/fork.c:copy_process, copy_signal to cgroup_post_fork). In between, which
lasts as long as copying the page tables, the child is on no list, and what is
written to the parent does not reach it. So after a write the parent must be
seen outside of any fork before a list can be trusted.
"""

import os
from typing import Dict

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Process, Procfs

# fork() sleeps for memory and for locks, and never so that a signal could wake it: what it shows then is D.
_IN_KERNEL = ("R", "D")
# More time of a processor than a fork takes, which is 10 to 20 ms for each GiB whose page tables are copied.
_FORK_SECONDS = 0.1
_FORK_SECONDS_PER_GIB = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


class Forking:
    """Processes whose score was written, until their threads were all seen outside of a fork."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._since: Dict[Process, Dict[int, int]] = {}  # processor time by thread

    def add(self, process: Process) -> None:
        """Its score was just written."""
        busy = self._busy(process)
        if busy:
            self._since[process] = busy

    def none(self) -> bool:
        """Whether whatever they were forking at the write has ended, and is on the next list that is read."""
        for process, since in list(self._since.items()):
            now = self._busy(process)
            longest = _TICKS * (_FORK_SECONDS + _FORK_SECONDS_PER_GIB * process.resident_kb / (1 << 20))
            since = {tid: ticks for tid, ticks in since.items() if tid in now and now[tid] - ticks <= longest}
            if since:
                self._since[process] = since
            else:
                del self._since[process]
        return not self._since

    def _busy(self, process: Process) -> Dict[int, int]:
        """Threads that may be forking now, with the processor time that they have had."""
        try:
            with self._procfs.open(process.pid) as directory:
                if directory.process().start_time != process.start_time:
                    return {}
                return {thread.tid: thread.cpu_ticks for thread in directory.threads() if thread.state in _IN_KERNEL}
        except GONE:
            return {}
