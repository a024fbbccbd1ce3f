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

A thread may look like that for as long as its user likes: it waits in state D for a child of
vfork(), lies in a frozen cgroup, or gets no processor. So each thread has a time limit. Beyond it
the process is reported, and is waited for no longer.
"""

import os
import time
from typing import Dict, List, NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs

# fork() sleeps for memory and for locks, but no signal can wake it: its state is then D.
_IN_KERNEL = ("R", "D")
# More processor time than a fork takes: copying page tables takes 10 to 20 ms for each GiB.
_FORK_SECONDS = 0.1
_FORK_SECONDS_PER_GIB = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
# The longest time that one process may keep the run waiting: twice, on a busy host, the processor
# time that a fork takes, and what it may sleep for memory.
_WAIT_SECONDS = 2.0


class _Busy(NamedTuple):
    """A thread that may have been forking when the score of its process was written."""

    cpu_ticks: int
    since: float  # time.monotonic() of the write


class ForkWatch:
    """Watches written processes until each of their threads was seen outside a fork."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._watched: Dict[Process, Dict[int, _Busy]] = {}  # by thread id
        self.given_up: List[Process] = []  # no longer waited for: a child may still get the old score

    def add(self, process: Process) -> None:
        """Watch a process whose score was just written."""
        busy = self._read_busy_threads(process)
        if busy:
            now = time.monotonic()
            self._watched[process] = {tid: _Busy(ticks, now) for tid, ticks in busy.items()}

    def all_ended(self) -> bool:
        """Return whether all forks of the time of the writes have ended.

        Their children are then on the next list of processes that is read. A fork that takes too
        long counts as ended; its process is added to C(given_up).
        """
        for process, watched in list(self._watched.items()):
            now = self._read_busy_threads(process)
            seconds = _FORK_SECONDS + _FORK_SECONDS_PER_GIB * process.resident_kb / (1 << 20)
            watched = {
                tid: busy
                for tid, busy in watched.items()
                if tid in now and now[tid] - busy.cpu_ticks <= _TICKS * seconds
            }
            latest = time.monotonic() - _WAIT_SECONDS - 2 * seconds
            in_time = {tid: busy for tid, busy in watched.items() if busy.since > latest}
            if len(in_time) < len(watched) and process not in self.given_up:
                self.given_up.append(process)
            if in_time:
                self._watched[process] = in_time
            else:
                del self._watched[process]
        return not self._watched

    def _read_busy_threads(self, process: Process) -> Dict[int, int]:
        """Return the processor ticks of each thread that may be forking now, by thread id."""
        try:
            with self._procfs.open(process.pid) as directory:
                if directory.process().start_time != process.start_time:
                    return {}
                return {thread.tid: thread.cpu_ticks for thread in directory.threads() if thread.state in _IN_KERNEL}
        except GONE:
            return {}


def warnings_for_forks(processes: List[Process]) -> List[str]:
    """Return a warning for each process that was waited for no longer."""
    return [
        f"{process} has been in the kernel for seconds, or was not let run: if it forks right now,"
        " its child has the old score; run again when it goes on"
        for process in processes
    ]
