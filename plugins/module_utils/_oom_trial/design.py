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

from typing import List, NamedTuple, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN, Process

# Two ordinary processes differ in stack, page tables and libraries.
# A pin below this difference could weigh less than those pages.
SMALLEST_DIFFERENCE = 50

LIMIT_MIN_KB = 8 * 1024


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
    _refuse_options(pinned_score, hog_score, limit_kb)
    difference = hog_score - pinned_score
    decoy_kb, hog_kb = _sizes_kb(difference, limit_kb, scope)
    if can_lower or pinned_score >= own_score:
        method, treatment, control = "lowered", Scores(pinned_score, hog_score), Scores(hog_score, hog_score)
    else:
        _refuse_mirror(pinned_score, difference, own_score)
        method, treatment, control = "mirrored", Scores(own_score, own_score + difference), Scores(own_score, own_score)
    return TrialDesign(scope, method, limit_kb, decoy_kb, hog_kb, treatment, control)


def _refuse_options(pinned_score: int, hog_score: int, limit_kb: int) -> None:
    if not SCORE_MIN <= pinned_score <= SCORE_MAX or not SCORE_MIN <= hog_score <= SCORE_MAX:
        raise InputError(
            f"pinned_score {pinned_score} and hog_score {hog_score}: both must lie between {SCORE_MIN} and {SCORE_MAX}"
        )
    if hog_score - pinned_score < SMALLEST_DIFFERENCE:
        raise InputError(
            f"pinned_score {pinned_score} must be at least {SMALLEST_DIFFERENCE} below hog_score {hog_score}:"
            " the memory of two equal processes can differ by more than a smaller difference weighs"
        )
    if limit_kb < LIMIT_MIN_KB:
        raise InputError(
            f"memory_limit {limit_kb} KiB is too small: set at least {LIMIT_MIN_KB} KiB,"
            " so that the two processes differ clearly in size"
        )


def _sizes_kb(difference: int, limit_kb: int, scope: str) -> Tuple[int, int]:
    """Return how much memory the decoy and the hog request, in KiB."""
    # The pin subtracts difference / 1000 of the limit from the decoy's badness.
    # The decoy leads the hog by half of that, at most by a fifth of the limit:
    # it has the higher badness without the pin and the lower one with it.
    lead = min(difference / 2000.0, 0.2)
    decoy_kb = int(limit_kb * (1 + lead) / 2)
    # Together they exceed the limit, alone the hog stays well below it. On the
    # host the hog requests more than there is: MemAvailable leaves out up to
    # half of the page cache.
    return decoy_kb, limit_kb * 2 if scope == "host" else int(limit_kb * 1.2) - decoy_kb


def _refuse_mirror(pinned_score: int, difference: int, own_score: int) -> None:
    if pinned_score == SCORE_MIN:
        raise UnsupportedError(
            "pinned_score -1000 means immunity, and only a process with CAP_SYS_RESOURCE can set it:"
            " grant the capability, or set a score above -1000"
        )
    if own_score + difference > SCORE_MAX:
        raise UnsupportedError(
            f"scores cannot be lowered here (no CAP_SYS_RESOURCE), and raising the hog by {difference}"
            f" from this process's own score {own_score} would pass {SCORE_MAX}:"
            " grant the capability, or set a smaller difference"
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
                f"the kernel could kill {one.process} instead of the hog: its badness is {one.badness_kb(total_kb)} KiB"
                f" (score {one.score}, {one.memory_kb} KiB of memory), that of the hog {hog_kb} KiB;"
                f" lower its score, or set hog_score higher than {design.treatment.hog}"
            )
