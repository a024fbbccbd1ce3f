# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""All processes of the host at one moment, for as many questions as a call has.

What identifies a process is read at once, the rest of all of them when the
first question needs it: hundreds of targets cost as much as one.
"""

from typing import Dict, Iterable, List, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import SCORE_MIN, Procfs


def pinned_processes(procfs: Procfs) -> List[str]:
    """Every process that the killer is to spare and yet may take (a score below 0, above -1000), the most pinned first, as text."""
    processes = {process.pid: process for process in procfs.processes()}
    found = [(score, str(processes[pid])) for pid, score in procfs.scores(processes).items() if SCORE_MIN < score < 0]
    return [f"{process} at {score}" for score, process in sorted(found)]


class ProcessTable:
    """Every process but kernel threads."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self.by_pid = {process.pid: process for process in procfs.processes()}
        self._scores: Optional[Dict[int, int]] = None
        self._command_lines: Optional[Dict[int, str]] = None
        self._by_name: Optional[Dict[str, Set[int]]] = None
        self._children: Optional[Dict[int, List[int]]] = None

    @property
    def scores(self) -> Dict[int, int]:
        """Score by pid, without those that are gone."""
        if self._scores is None:
            self._scores = self._procfs.scores(self.by_pid)
        return self._scores

    @property
    def command_lines(self) -> Dict[int, str]:
        if self._command_lines is None:
            self._command_lines = self._procfs.command_lines(self.by_pid)
        return self._command_lines

    def named(self, name: str) -> Set[int]:
        """Pids of the processes with this name, or that run a program of this name."""
        if self._by_name is None:
            self._by_name = {}
            for pid, process in self.by_pid.items():
                self._by_name.setdefault(process.name, set()).add(pid)
            for pid, program in self._procfs.executables(self.by_pid).items():
                self._by_name.setdefault(program, set()).add(pid)
        return self._by_name.get(name, set())

    def descendants(self, pids: Iterable[int]) -> Set[int]:
        """Children of these processes, their children, and so on, without the processes themselves."""
        if self._children is None:
            self._children = {}
            for process in self.by_pid.values():
                self._children.setdefault(process.parent, []).append(process.pid)
        ancestors = set(pids)
        found: Set[int] = set()
        below = list(ancestors)
        while below:
            for child in self._children.get(below.pop(), ()):
                if child not in found:
                    found.add(child)
                    below.append(child)
        return found - ancestors
