# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Design a trial with kills: sizes, scores and runs, before any process starts.

Pure. Two processes share one memory cgroup. The decoy stands for the pinned
daemon. It holds more memory than the hog ever gets, so by size alone the kernel
must kill the decoy (mm/oom_kill.c:oom_badness). In the treatment the decoy is
pinned and must outlive the hog. In the control it is not pinned and must die.
Only the pair shows that the pin made the difference.

On the whole host only the treatment runs. A second OOM there would double the
harm, and the contained pair already shows that the larger process dies without a pin.
"""

import math
from typing import List, NamedTuple, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN, Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import format_size

# Two ordinary processes differ in stack, page tables and libraries.
# A pin below this difference could weigh less than those pages.
SMALLEST_DIFFERENCE = 50

# The pin must outweigh what the kernel charges to the same limit besides the memory of both
# processes: their page tables and stacks, and pages in reserve. Measured: up to 1.1 MiB.
_LEAST_PIN_KB = 2 * 1024
LEAST_LIMIT_KB = 8 * 1024


class Scores(NamedTuple):
    """The oom_score_adj of both actors in one run."""

    decoy: int
    hog: int


class TrialDesign(NamedTuple):
    """Everything that is decided before the first process starts."""

    scope: str  # cgroup or host
    method: str  # lowered or mirrored
    limit_kb: int  # shared by both actors: the limit of their cgroup, or the host's free memory and swap
    decoy_kb: int
    hog_kb: int
    treatment: Scores
    control: Scores

    def runs(self) -> List[Tuple[str, Scores, str]]:
        """Return name, scores and the actor that must die, for each run in order."""
        treatment, control = ("treatment", self.treatment, "hog"), ("control", self.control, "decoy")
        return [treatment] if self.scope == "host" else [treatment, control]

    def hog_badness_kb(self, total_kb: int) -> int:
        """Return the hog's badness in KiB at the moment when memory runs out (oom_badness)."""
        return self.limit_kb - self.decoy_kb + self.treatment.hog * total_kb // 1000


class Candidate(NamedTuple):
    """A process outside the trial that the killer of the whole host could choose."""

    process: Process
    score: int
    memory_kb: int  # resident memory, swap and page tables

    def badness_kb(self, total_kb: int) -> int:
        """Return the badness in KiB on a host with this much memory and swap (oom_badness)."""
        return self.memory_kb + self.score * total_kb // 1000


def design_trial(
    pinned_score: int, hog_score: int, limit_kb: int, own_score: int, can_lower: bool, scope: str = "cgroup"
) -> TrialDesign:
    """Return sizes and scores of both runs.

    Where scores cannot be lowered the pair is mirrored: the hog is raised by the
    same difference instead of lowering the decoy. Badness is a sum of memory and
    score, so only the difference of two scores affects the choice. Immunity
    (-1000) is not part of that sum and cannot be mirrored.

    Raises InputError for scores or a limit that no trial can use, and
    UnsupportedError for scores that this process may not set.
    """
    check_design(pinned_score, hog_score, limit_kb, scope)
    difference = hog_score - pinned_score
    decoy_kb, hog_kb = _sizes_kb(difference, limit_kb, scope)
    if can_lower or pinned_score >= own_score:
        method, treatment, control = "lowered", Scores(pinned_score, hog_score), Scores(hog_score, hog_score)
    else:
        _refuse_mirror(pinned_score, difference, own_score)
        method, treatment, control = "mirrored", Scores(own_score, own_score + difference), Scores(own_score, own_score)
    return TrialDesign(scope, method, limit_kb, decoy_kb, hog_kb, treatment, control)


def find_least_limit_kb(difference: int) -> int:
    """Return the smallest limit that shows a difference between two scores, in KiB, whole MiB."""
    limit_kb = max(LEAST_LIMIT_KB, _LEAST_PIN_KB * 1000 / difference)
    return math.ceil(limit_kb / 1024) * 1024


def check_design(pinned_score: int, hog_score: int, limit_kb: int, scope: str) -> None:
    """Raise InputError for scores or a limit that no trial can use, on any host."""
    difference = hog_score - pinned_score
    if difference < SMALLEST_DIFFERENCE:
        raise InputError(
            f"pinned_score={pinned_score} is too close to hog_score={hog_score}:"
            f" set it at least {SMALLEST_DIFFERENCE} below hog_score, as -900 is below 0"
        )
    least_kb = find_least_limit_kb(difference)
    if limit_kb >= least_kb:
        return
    what, remedy = f"memory_limit={format_size(limit_kb)}", f"set at least {format_size(least_kb)}"
    if scope == "host":
        what = f"free memory and swap of the host, {limit_kb} KiB,"
        remedy = f"free at least {least_kb // 1024} MiB, or use scope=cgroup"
    raise InputError(f"{what} is too small for scores that differ by {difference}: {remedy}")


def _sizes_kb(difference: int, limit_kb: int, scope: str) -> Tuple[int, int]:
    """Return how much memory the decoy and the hog request, in KiB."""
    # The pin subtracts difference / 1000 of the limit from the decoy's badness. The decoy leads
    # the hog by a quarter of that, and by what the kernel needs for itself, which the hog does
    # not get. So the decoy has the higher badness without the pin and the lower one with it.
    lead = min(difference / 4000.0, 0.2)
    decoy_kb = int(limit_kb * (1 + lead) / 2)
    # Together they exceed the limit, alone the hog stays well below it. On the
    # host the hog requests more than there is: MemAvailable leaves out up to
    # half of the page cache.
    return decoy_kb, limit_kb * 2 if scope == "host" else int(limit_kb * 1.2) - decoy_kb


def _refuse_mirror(pinned_score: int, difference: int, own_score: int) -> None:
    if pinned_score == SCORE_MIN:
        raise UnsupportedError(
            "pinned_score=-1000 (immunity) cannot be set here, because this process has no CAP_SYS_RESOURCE:"
            " run as root on the host itself, or set it above -1000"
        )
    if own_score + difference > SCORE_MAX:
        raise UnsupportedError(
            f"pinned_score={pinned_score} cannot be set here (no CAP_SYS_RESOURCE), and the hog cannot be raised by"
            f" {difference} instead, because {own_score} + {difference} would pass {SCORE_MAX}:"
            f" set pinned_score and hog_score at most {SCORE_MAX - own_score} apart"
        )


def refuse_rivals(design: TrialDesign, candidates: List[Candidate], total_kb: int) -> None:
    """Raise InputError if the kernel could choose another process of the host than the hog.

    The hog's badness must exceed every other one by more than the noise of SMALLEST_DIFFERENCE.
    """
    hog_kb = design.hog_badness_kb(total_kb)
    noise_kb = SMALLEST_DIFFERENCE * total_kb // 1000
    for one in sorted(candidates, key=lambda one: -one.badness_kb(total_kb)):
        if one.score != SCORE_MIN and one.badness_kb(total_kb) + noise_kb > hog_kb:
            raise InputError(
                f"the kernel could kill {one.process} instead of the hog, because its badness is"
                f" {one.badness_kb(total_kb)} KiB (score {one.score}, {one.memory_kb} KiB of memory), that of the hog"
                f" {hog_kb} KiB: lower its score, or set hog_score higher than {design.treatment.hog}"
            )
