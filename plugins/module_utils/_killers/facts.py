# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Define the killers beside the kernel, and what is pinned. Pure."""

from typing import Any, Callable, List, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import service_cgroup_of

# Return whether a regular expression matches a text; None if that is not known.
Matcher = Callable[[str, str], Optional[bool]]


class UserKiller(NamedTuple):
    """A program that kills before the kernel has to."""

    name: str
    unit: Optional[str]  # None if no unit starts it
    active: bool
    reads_scores: Optional[bool]  # whether it chooses by oom_score or oom_score_adj; None: not known
    version: Optional[str] = None
    configuration: Any = None  # a NamedTuple of the file of this killer; None if it was not read
    candidates: Optional[List[str]] = None  # the cgroups that it may kill in; None: any process
    problem: Optional[str] = None  # why its configuration was not understood


class PinnedService(NamedTuple):
    """A service or process with a score, as the killers see it."""

    name: str  # as messages show it, such as shop.service or process 7 (x)
    unit: Optional[str]  # None if no unit of the host has it
    score: int
    control_group: str
    program: str  # the comm of the process
    uid: Optional[int] = None
    preference: Optional[str] = None  # for systemd-oomd; None before systemd 248
    size_kb: int = 0  # the resident memory of the process
    is_divided: bool = False  # its cgroup has others below, which do not inherit the preference
    owner: Optional[int] = None  # the uid that owns its cgroup; None if that is not known
    is_marked: bool = False  # its cgroup has the attribute of an administrator that Meta's oomd goes by
    user_unit: Optional[str] = None  # USER/UNIT of a service of a user

    @property
    def target(self) -> Optional[str]:
        """Return the target that pins it by the unit that starts it; None if no unit is known."""
        if self.unit is not None:
            return f"unit={self.unit}"
        return None if self.user_unit is None else f"user_unit={self.user_unit}"


class UnboundPin(NamedTuple):
    """A pin that a killer does not go by, or may not go by."""

    service: PinnedService
    killer: str
    reason: str  # for the last line of a playbook
    remedy: str  # with the line to paste
    preference: Optional[str] = None  # the one that would bind
    is_known: bool = True  # False: the configuration does not show whether the killer goes by it


def find_control_group(cgroups: Sequence[str]) -> str:
    """Return the cgroup of the service that a process in these runs in, else its own.

    The text is empty if there is none.
    """
    service = next((found for found in map(service_cgroup_of, cgroups) if found is not None), None)
    return service or (cgroups[-1] if cgroups else "")
