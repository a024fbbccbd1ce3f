# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Select the processes that a target names.

A selector answers two questions. candidates() returns pids from the table of
all processes. matches() checks one process through its open directory, and
checks it again right before the write, because the table may be old by then.
"""

import os
import re
from typing import Callable, Dict, Iterable, List

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import find_cgroup, pids_in_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs


class Selector:
    """The interface of all selectors."""

    grows = False  # whether a process that is forked later may belong to the selection
    by_descent = False  # whether only a new table of processes shows that

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return pids of processes that may be selected."""
        raise NotImplementedError

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the process in this open directory is selected."""
        raise NotImplementedError

    def members(self) -> List[int]:
        """Return the pids in the target's cgroup; none for a target without one."""
        return []


class ByPid(Selector):
    """One process by its pid."""

    def __init__(self, value: str) -> None:
        if not value.isdigit() or int(value) < 1:
            raise InputError(f"pid {value!r} is not a process number")
        self.pid = int(value)

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pid, whether or not it exists."""
        return [self.pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether this is the pid."""
        return process.pid == self.pid


class ByPidfile(ByPid):
    """One process by the pid in the first line of a file."""

    def __init__(self, value: str) -> None:
        try:
            with open(value, errors="replace") as stream:
                # As systemd reads it: further lines are the daemon's own, as in postmaster.pid.
                text = stream.readline(64).strip()
        except FileNotFoundError:
            raise NotFoundError(f"pidfile {value} does not exist") from None
        except OSError as error:
            raise InputError(f"pidfile {value} cannot be read: {error.strerror}") from error
        try:
            super().__init__(text)
        except InputError:
            raise InputError(f"pidfile {value} holds {text[:32]!r}, not a process number") from None


class ByProcess(Selector):
    """Every process with this name, or with an executable of this name."""

    def __init__(self, value: str) -> None:
        if not value or "/" in value:
            raise InputError(f"process {value!r} is not a name: set the comm or the base name of the executable")
        self.name = value

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids with this name, without this process: a module is a python3, too."""
        return table.named(self.name) - {os.getpid()}

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the comm or the executable has this name."""
        return process.name == self.name or directory.executable() == self.name


class ByPattern(Selector):
    """Every process whose command line matches a regular expression.

    Never this process or its ancestors: their command lines may hold the
    pattern itself, as that of C(ansible -a pattern=...) does.
    """

    def __init__(self, value: str, procfs: Procfs) -> None:
        try:
            self.pattern = re.compile(value)
        except re.error as error:
            raise InputError(f"pattern {value!r} is not a regular expression: {error}") from error
        if self.pattern.search(""):
            raise InputError(f"pattern {value!r} matches every process: make it more specific")
        self._ours = set(procfs.ancestors(os.getpid()))

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids whose command line matches, without this process and its ancestors."""
        return [pid for pid, line in table.command_lines.items() if pid not in self._ours and self.pattern.search(line)]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the command line matches."""
        return self.pattern.search(directory.command_line()) is not None


class ByCgroup(Selector):
    """Every process in a cgroup and in the cgroups below it."""

    grows = True

    def __init__(self, path: str, procfs: Procfs) -> None:
        self._directory = find_cgroup(procfs, path)
        self._inside = path.rstrip("/") + "/"

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids in the cgroup."""
        return self.members()

    def members(self) -> List[int]:
        """Return the pids in the cgroup and below."""
        return pids_in_cgroup(self._directory)

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the process is in the cgroup or below."""
        return any((path + "/").startswith(self._inside) for path in directory.cgroups())


class ByUnit(ByCgroup):
    """The main process of a service, or with C(whole) every process in its cgroup."""

    def __init__(self, main_pid: int, path: str, procfs: Procfs, whole: bool) -> None:
        super().__init__(path, procfs)
        self._main_pid = main_pid
        self.grows = whole

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the main pid, or with C(whole) the pids in the cgroup."""
        return self.members() if self.grows else [self._main_pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is in the cgroup, and is the main process or C(whole) is set."""
        return (self.grows or process.pid == self._main_pid) and super().matches(process, directory)


class WithDescendants(Selector):
    """The processes of another selector, and all their descendants."""

    grows = by_descent = True

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._start_times: Dict[int, int] = {}  # of descendants, by pid

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids of the other selector and of its descendants in the table."""
        chosen = set(self._selector.candidates(table))
        self._start_times = {pid: table.by_pid[pid].start_time for pid in table.descendants(chosen)}
        return chosen.union(self._start_times)

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is a known descendant, or the other selector matches."""
        return self._start_times.get(process.pid) == process.start_time or self._selector.matches(process, directory)


def make_selector(name: str, value: str, procfs: Procfs, whole: bool) -> Selector:
    """Return the selector of a target other than C(unit), for which see C(ByUnit).

    C(whole) adds the descendants of the selected processes. Raises InputError
    for a value that is malformed, NotFoundError for one that does not exist.
    """
    if name == "container":
        # Imported only here: http.client is a third of everything that the module loads.
        from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_cgroup

        return ByCgroup(find_container_cgroup(procfs, value), procfs)
    if name == "cgroup":
        return ByCgroup(value, procfs)
    kinds: Dict[str, Callable[[str], Selector]] = {"pid": ByPid, "pidfile": ByPidfile, "process": ByProcess}
    selector = ByPattern(value, procfs) if name == "pattern" else kinds[name](value)
    return WithDescendants(selector) if whole else selector
