# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The options of a trial, and what its two kinds have in common."""

import os
from typing import NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

# Each program of a trial ends itself this long after the trial would have ended it.
DEADLINE_SECONDS = 5

ACTOR_NAMES = {"decoy": "oomguard-decoy", "hog": "oomguard-hog"}  # comm, at most 15 bytes


class TrialRequest(NamedTuple):
    """The options of one trial."""

    hog: str
    scope: str  # cgroup, host or overcommit
    allow_host_oom: bool
    memory_limit_kb: int
    pinned_score: int
    hog_score: int
    timeout: int  # seconds, for both runs together
    manager: str
    cgroup_parent: Optional[str]


def check_hog(hog: str) -> None:
    """Raise InputError unless this path is an executable file."""
    if not os.path.isfile(hog):
        raise InputError(f"hog {hog} is not a file: set it to the path of oom_hog, built for this host")
    if not os.access(hog, os.X_OK):
        raise InputError(f"hog {hog} is not executable: build it for this host and set mode 0755")


def count_kills(before: Optional[int], after: Optional[int]) -> Optional[int]:
    """Return how far a counter of kills rose; None where the kernel has no such counter."""
    return None if before is None or after is None else after - before
