# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""From a target's selector to processes.

A selector answers two questions: who may be meant, from the table of all
processes, and whether one process is meant, through its open directory. The
second is asked again right before the write, when the table is old.
"""

import os
import re
from typing import Callable, Dict, Iterable, List

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import find_cgroup, pids_in_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Process, ProcessDir, Procfs


class Selector:
    """What all of them have."""

    grows = False  # whether a process may be forked into the selection
    by_descent = False  # whether it takes a new table to see that

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        raise NotImplementedError

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        raise NotImplementedError

    def members(self) -> List[int]:
        """Pids in the cgroup that belongs to the target, if there is one."""
        return []


class ByPid(Selector):
    """One process by its number."""

    def __init__(self, value: str) -> None:
        if not value.isdigit() or int(value) < 1:
            raise InputError(f"pid {value!r} is not a process number")
        self.pid = int(value)

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        return [self.pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return process.pid == self.pid


class ByPidfile(ByPid):
    """One process by the number that a file holds."""

    def __init__(self, value: str) -> None:
        try:
            with open(value, errors="replace") as stream:
                text = stream.readline(
                    64
                ).strip()  # as systemd reads it: what follows is the daemon's own, as in postmaster.pid
        except FileNotFoundError:
            raise NotFoundError(f"pidfile {value} does not exist")
        except OSError as error:
            raise InputError(f"pidfile {value} cannot be read: {error.strerror}")
        try:
            super().__init__(text)
        except InputError:
            raise InputError(f"pidfile {value} holds {text[:32]!r}, not a process number")


class ByProcess(Selector):
    """Every process with this name, or running a program of this name."""

    def __init__(self, value: str) -> None:
        if not value or "/" in value:
            raise InputError(f"process {value!r} is not a name: give the comm or the base name of the program")
        self.name = value

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        return table.named(self.name) - {os.getpid()}  # a module is a python3, too

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return process.name == self.name or directory.executable() == self.name


class ByPattern(Selector):
    """Every process whose command line a regular expression finds.

    Never the caller or what started it: their command lines may well hold the
    pattern itself, as that of C(ansible -a pattern=...) does.
    """

    def __init__(self, value: str, procfs: Procfs) -> None:
        try:
            self.pattern = re.compile(value)
        except re.error as error:
            raise InputError(f"pattern {value!r} is not a regular expression: {error}")
        if self.pattern.search(""):
            raise InputError(f"pattern {value!r} finds every process: say more")
        self._ours = set(procfs.ancestors(os.getpid()))

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        return [pid for pid, line in table.command_lines.items() if pid not in self._ours and self.pattern.search(line)]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return self.pattern.search(directory.command_line()) is not None


class ByCgroup(Selector):
    """Every process in a cgroup and in the cgroups below it."""

    grows = True

    def __init__(self, path: str, procfs: Procfs) -> None:
        self._directory = find_cgroup(procfs, path)
        self._inside = path.rstrip("/") + "/"

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        return self.members()

    def members(self) -> List[int]:
        return pids_in_cgroup(self._directory)

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return any((path + "/").startswith(self._inside) for path in directory.cgroups())


class ByUnit(ByCgroup):
    """The main process of a service, or all that run in it."""

    def __init__(self, main_pid: int, path: str, procfs: Procfs, whole: bool) -> None:
        super().__init__(path, procfs)
        self._main_pid = main_pid
        self.grows = whole

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        return self.members() if self.grows else [self._main_pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return (self.grows or process.pid == self._main_pid) and super().matches(process, directory)


class WithDescendants(Selector):
    """What another selector means, and all that was started by it."""

    grows = by_descent = True

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._below: Dict[int, int] = {}  # pid and when it started

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        chosen = set(self._selector.candidates(table))
        self._below = {pid: table.by_pid[pid].start_time for pid in table.descendants(chosen)}
        return chosen.union(self._below)

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return self._below.get(process.pid) == process.start_time or self._selector.matches(process, directory)


def select(name: str, value: str, procfs: Procfs, whole: bool) -> Selector:
    """The selector of a target, with what it started where the whole is meant. For C(unit) systemd must be asked first: C(ByUnit)."""
    if name == "container":
        # Only who names a container pays for http.client, which is a third of what there is to load.
        from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_cgroup

        return ByCgroup(find_container_cgroup(procfs, value), procfs)
    if name == "cgroup":
        return ByCgroup(value, procfs)
    kinds: Dict[str, Callable[[str], Selector]] = {"pid": ByPid, "pidfile": ByPidfile, "process": ByProcess}
    found = ByPattern(value, procfs) if name == "pattern" else kinds[name](value)
    return WithDescendants(found) if whole else found
