# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Select the processes of a unit or a cgroup, and define what every selector does.

A selector answers two questions. candidates() returns pids from the table of
all processes. matches() checks one process through its open directory, and
checks it again right before the write, because the table may be old by then.
Every selector keeps why it passed a process over. The other selectors are in selectors.py, so that
a host that pins units need not compile them.
"""

from typing import Dict, Iterable, List, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import find_cgroup, pids_in_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import PassedOver, SelectedContainer


class Selector:
    """The interface of all selectors."""

    grows = False  # whether a process that is forked later may belong to the selection
    by_descent = False  # whether only a new table of processes shows that
    container: Optional[SelectedContainer] = None  # that is selected

    def __init__(self) -> None:
        self.passed_over: Dict[Tuple[int, int], PassedOver] = {}  # by pid and start time
        # Processes that a user could have started, and whose pin is removed all the same.
        self.only_raised: Set[Tuple[int, int]] = set()

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return pids of processes that may be selected."""
        raise NotImplementedError

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the process in this open directory is selected."""
        raise NotImplementedError

    def members(self) -> List[int]:
        """Return the pids in the target's cgroup; none for a target without one."""
        return []

    def pass_over(self, process: Process, uid: Optional[int], why: str) -> None:
        """Remember why a process that fits is not selected."""
        self.passed_over[process.pid, process.start_time] = PassedOver(process, uid, why)


class ByCgroup(Selector):
    """Every process in a cgroup and in the cgroups below it."""

    grows = True

    def __init__(self, path: str, procfs: Procfs) -> None:
        super().__init__()
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

    def is_main(self, pid: int) -> bool:
        """Return whether systemd reports this pid as the main process."""
        return pid == self._main_pid

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the main pid, or with C(whole) the pids in the cgroup."""
        return self.members() if self.grows else [self._main_pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is in the cgroup, and is the main process or C(whole) is set."""
        return (self.grows or process.pid == self._main_pid) and super().matches(process, directory)
