# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Detect forks that may still give a child its parent's old score.

fork() copies the score early and lists the child late
(kernel/fork.c:copy_process, copy_signal to cgroup_post_fork). In between, while
the page tables are copied, no list shows the child, and a write to the parent
does not reach it. So after a write, a list of processes can be trusted only
once the parent was seen outside any fork.
"""

import os
from typing import Dict

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs

# fork() sleeps for memory and for locks, but no signal can wake it: its state is then D.
_IN_KERNEL = ("R", "D")
# More processor time than a fork takes: copying page tables takes 10 to 20 ms for each GiB.
_FORK_SECONDS = 0.1
_FORK_SECONDS_PER_GIB = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


class ForkWatch:
    """Watches written processes until each of their threads was seen outside a fork."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._since: Dict[Process, Dict[int, int]] = {}  # processor ticks at the write, by thread

    def add(self, process: Process) -> None:
        """Watch a process whose score was just written."""
        busy = self._read_busy_threads(process)
        if busy:
            self._since[process] = busy

    def all_ended(self) -> bool:
        """Return whether all forks of the time of the writes have ended.

        Their children are then on the next list of processes that is read.
        """
        for process, since in list(self._since.items()):
            now = self._read_busy_threads(process)
            longest = _TICKS * (_FORK_SECONDS + _FORK_SECONDS_PER_GIB * process.resident_kb / (1 << 20))
            since = {tid: ticks for tid, ticks in since.items() if tid in now and now[tid] - ticks <= longest}
            if since:
                self._since[process] = since
            else:
                del self._since[process]
        return not self._since

    def _read_busy_threads(self, process: Process) -> Dict[int, int]:
        """Return the processor ticks of each thread that may be forking now, by thread id."""
        try:
            with self._procfs.open(process.pid) as directory:
                if directory.process().start_time != process.start_time:
                    return {}
                return {thread.tid: thread.cpu_ticks for thread in directory.threads() if thread.state in _IN_KERNEL}
        except GONE:
            return {}
