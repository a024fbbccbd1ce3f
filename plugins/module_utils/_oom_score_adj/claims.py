# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which names and processes of a call's targets are claims of users.

Identity is read only where it matters: for names that guards have a rule for, and for processes
that two targets contradict each other about.
"""

from typing import TYPE_CHECKING, Dict, FrozenSet, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import ByUnit, Selector
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import INIT
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    is_guarded,
    name_program,
    why_not_pinned,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import CLAIMING, Pin

if TYPE_CHECKING:  # a host compiles what it imports, and most targets do without this
    from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import Identity


class Claims:
    """Judges the processes of one call."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._identity: Optional[Identity] = None
        self._uids: Dict[Tuple[str, ...], FrozenSet[int]] = {}  # of login names

    def get_identity(self) -> "Identity":
        """Return the judge of processes; it is imported at the first use."""
        if self._identity is None:
            from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import Identity

            self._identity = Identity(self._procfs)
        return self._identity

    def find_users(self, pin: Pin) -> FrozenSet[int]:
        """Return the uids of the target's users, where its selector needs them.

        Raises NotFoundError for an unknown name, so that C(missing) decides.
        """
        if pin.selector not in CLAIMING:
            return frozenset()
        if pin.users and pin.users not in self._uids:
            from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import find_uids

            self._uids[pin.users] = find_uids(pin.users)
        return self._uids.get(pin.users, frozenset())

    def is_claim(self, pin: Pin, process: Process, directory: ProcessDir, selector: Selector) -> bool:
        """Return whether guards have a rule for the process's name, but a user chose it."""
        if not is_guarded(name_program(process.name, process.pid == INIT)) or process.pid == INIT:
            return False
        if pin.selector == "user_unit":
            return True
        if isinstance(selector, ByUnit) and selector.is_main(process.pid):
            return False
        return self.get_identity().why_foreign(directory, self.find_users(pin)) is not None

    @staticmethod
    def why_refused(pin: Pin, process: Process) -> Optional[str]:
        """Return why a program of this name must not get the score; None if it may."""
        return None if pin.force else why_not_pinned(pin.score, name_program(process.name, False))

    def is_foreign(self, process: Process) -> bool:
        """Return whether a user could have started a process; true if it has ended."""
        try:
            with self._procfs.open(process.pid) as directory:
                is_same = directory.process().start_time == process.start_time
                return not is_same or self.get_identity().why_foreign(directory) is not None
        except (*GONE, PermissionError):
            return True
