# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Start the program of a trial once, without a kill, in the place where the trial will run it.

A run does this before its first kill. So it fails with one sentence where the program does not
start, does not join its cgroup, does not get its score, or is another program.
"""

import time
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, shorten
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import explain_start_failure
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import (
    REAP_SECONDS,
    End,
    StartedProgram,
    wait_until,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import START_FAILED, describe_end

REHEARSAL_KB = 1024
REHEARSAL_NAME = "oomguard-check"  # comm, at most 15 bytes

# Nothing is allocated that takes time. An emulated machine starts a program in seconds.
MOST_SECONDS = 20


def rehearsal_command(hog: str, domain: List[str]) -> List[str]:
    """Return the command that takes REHEARSAL_KB and ends; C(domain) are further options."""
    return [
        hog,
        "--name",
        REHEARSAL_NAME,
        "--size",
        f"{REHEARSAL_KB}K",
        "--deadline",
        str(MOST_SECONDS),
        *domain,
    ]


def wait_for_rehearsal(program: StartedProgram, timeout: int) -> None:
    """Wait for the end of the program, which must be near."""
    wait_until(lambda: program.ended, [program], time.monotonic() + min(timeout, MOST_SECONDS + REAP_SECONDS))


def check_rehearsal(hog: str, program: StartedProgram, end: Optional[End], score: Optional[int]) -> None:
    """Raise InputError unless the program took its memory, had this score, and ended by itself.

    With None any score is right.
    """
    start = program.phase("start") or {}
    if end is None:
        raise InputError(
            f"hog={hog} did not end by itself after it took {REHEARSAL_KB} KiB:"
            " set hog to oom_hog, built for this host, or set a longer timeout"
        )
    if end[0] == START_FAILED:
        raise InputError(f"hog={hog} cannot be started: {explain_start_failure(bytes_of(hog))}")
    if end == (12, None):
        raise InputError(f"hog={hog} was refused {REHEARSAL_KB} KiB (ENOMEM, exit 12): free memory first")
    if end != (0, None):
        raise InputError(f"hog={hog} {describe_end(*end)}")
    if program.phase("allocated") is None:
        raise InputError(f"hog={hog} is another program than oom_hog: build it from the oom_hog.c of this release")
    if score is not None and start.get("score") != score:
        raise InputError(
            f"hog={hog} got score {shorten(start.get('score'))}, not {score}:"
            " find out what else sets scores on this host"
        )
