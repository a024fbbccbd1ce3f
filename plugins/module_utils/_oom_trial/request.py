# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The options of a trial, and what its two kinds have in common."""

import re
from typing import NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, shorten

# Each program of a trial ends itself this long after the trial would have ended it.
DEADLINE_SECONDS = 5

# oom_hog accepts deadlines of at most an hour.
TIMEOUT_MAX = 3600 - DEADLINE_SECONDS

ACTOR_NAMES = {"decoy": "oomguard-decoy", "hog": "oomguard-hog"}  # comm, at most 15 bytes

_SIZE = re.compile(
    r"([0-9]{1,15})(?:\.([0-9]{1,9}))?\s*(?:([KMGTPEZYkmgtpezy])(?:i?[Bb](?:yte)?s?)?|[Bb](?:yte)?s?)?\Z"
)
_UNITS = "KMGTPEZY"


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


def parse_size_kb(option: str, text: str) -> int:
    """Return a size in KiB, from bytes or from a number with a unit such as 64M.

    Raises InputError for anything else.
    """
    match = _SIZE.match(text.strip())
    if not match:
        raise InputError(f"{option}={shorten(text)} is not a size: write it in bytes or with a unit, such as 64M")
    whole, fraction, unit = match.groups()
    factor = 1024 ** (_UNITS.index(unit.upper()) + 1) if unit else 1
    parts = int(whole + (fraction or "")) * factor
    return int(parts // 10 ** len(fraction or "") // 1024)


def format_size(size_kb: int) -> str:
    """Return a size as a value of C(memory_limit)."""
    return f"{size_kb}K" if size_kb % 1024 else f"{size_kb // 1024}M"


def check_trial_request(request: TrialRequest) -> None:
    """Raise InputError for a value that no trial can use."""
    if not 1 <= request.timeout <= TIMEOUT_MAX:
        raise InputError(f"timeout={shorten(request.timeout)} is out of range: set it to 1 to {TIMEOUT_MAX} seconds")
    for option, score in (("pinned_score", request.pinned_score), ("hog_score", request.hog_score)):
        if not SCORE_MIN <= score <= SCORE_MAX:
            raise InputError(f"{option}={shorten(score)} is out of range: set it to {SCORE_MIN} to {SCORE_MAX}")
    check_path_text("hog", request.hog)
    check_path_text("cgroup_parent", request.cgroup_parent or "/")


def count_kills(before: Optional[int], after: Optional[int]) -> Optional[int]:
    """Return how far a counter of kills rose; None where the kernel has no such counter."""
    return None if before is None or after is None else after - before
