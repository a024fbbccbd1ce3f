# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Take one snapshot of the host's processes, and use it for the whole run.

Strategy: the constructor reads only what identifies each process. Scores, command
lines, program names and the tree of children are read for all processes when
first needed, then kept. So hundreds of targets take as long as one.
"""

from typing import Dict, Iterable, List, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs


def pinned_processes(procfs: Procfs) -> List[str]:
    """Return every process with a score below 0 but above -1000, lowest score first, as text.

    The killer spares such a process as long as it can, but may still take it. Kernel threads
    are left out. Each text reads like "process 10 (dockerd) at -500".
    """
    processes = {process.pid: process for process in procfs.processes()}
    pinned = [(score, str(processes[pid])) for pid, score in procfs.scores(processes).items() if SCORE_MIN < score < 0]
    return [f"{process} at {score}" for score, process in sorted(pinned)]


class ProcessTable:
    """A snapshot of all processes except kernel threads; by_pid holds each Process by its pid.

    A process that ended after the snapshot stays in by_pid. Later reads leave it out.
    """

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self.by_pid = {process.pid: process for process in procfs.processes()}
        self._scores: Optional[Dict[int, int]] = None
        self._command_lines: Optional[Dict[int, str]] = None
        self._pids_by_name: Optional[Dict[str, Set[int]]] = None
        self._children: Optional[Dict[int, List[int]]] = None

    @property
    def scores(self) -> Dict[int, int]:
        """Return each process's oom_score_adj by pid, -1000 to 1000; it is read at first use."""
        if self._scores is None:
            self._scores = self._procfs.scores(self.by_pid)
        return self._scores

    @property
    def command_lines(self) -> Dict[int, str]:
        """Return each process's arguments, joined by blanks, by pid; they are read at first use."""
        if self._command_lines is None:
            self._command_lines = self._procfs.command_lines(self.by_pid)
        return self._command_lines

    def named(self, name: str) -> Set[int]:
        """Return the pids of processes with this comm, or with a program of this base name."""
        return self._read_names().get(name, set())

    def names(self) -> List[str]:
        """Return every comm and every base name of a program, sorted."""
        return sorted(self._read_names())

    def _read_names(self) -> Dict[str, Set[int]]:
        if self._pids_by_name is None:
            self._pids_by_name = {}
            for pid, process in self.by_pid.items():
                self._pids_by_name.setdefault(process.name, set()).add(pid)
            for pid, program in self._procfs.executables(self.by_pid).items():
                self._pids_by_name.setdefault(program, set()).add(pid)
        return self._pids_by_name

    def descendants(self, pids: Iterable[int]) -> Set[int]:
        """Return the pids of all children of these processes, their children, and so on.

        The given pids themselves are left out, even if one descends from another.
        """
        if self._children is None:
            self._children = {}
            for process in self.by_pid.values():
                self._children.setdefault(process.parent, []).append(process.pid)
        ancestors = set(pids)
        found: Set[int] = set()
        unvisited = list(ancestors)
        while unvisited:
            for child in self._children.get(unvisited.pop(), ()):
                if child not in found:
                    found.add(child)
                    unvisited.append(child)
        return found - ancestors
