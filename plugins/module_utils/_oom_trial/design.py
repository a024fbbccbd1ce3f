# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The experiment on paper: how it is laid out, and what its outcome means.

Pure. Two processes share one memory cgroup. The decoy stands for the daemon
that is pinned and holds more memory than the hog ever gets, so that by size
alone the kernel must take the decoy (mm/oom_kill.c:oom_badness). In the
treatment the decoy is pinned and must outlive the hog; in the control it is
not, and must die. Only the pair shows that the pin made the difference.

On the whole host only the treatment is tried: a second OOM there would double
the harm, and that the larger one dies without a pin is what the contained pair
shows.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import SCORE_MAX, SCORE_MIN, Process

# Below this the pages of two ordinary processes outside their allocation
# (stack, page tables, libraries) weigh as much as the pin.
SMALLEST_DIFFERENCE = 50

LIMIT_MIN_KB = 8 * 1024


class Scores(NamedTuple):
    """oom_score_adj of the two actors of one run."""

    decoy: int
    hog: int


class Design(NamedTuple):
    """Everything that is decided before the first process starts."""

    scope: str  # cgroup or host
    method: str  # lowered or mirrored
    limit_kb: int  # what the two share: the limit of their cgroup, or the free memory and swap of the host
    decoy_kb: int
    hog_kb: int
    treatment: Scores
    control: Scores

    def runs(self) -> List[Tuple[str, Scores, str]]:
        """Name, scores and who must die."""
        treatment, control = ("treatment", self.treatment, "hog"), ("control", self.control, "decoy")
        return [treatment] if self.scope == "host" else [treatment, control]

    def hog_badness_kb(self, total_kb: int) -> int:
        """How the kernel will weigh the hog when memory runs out, in KiB (oom_badness)."""
        return self.limit_kb - self.decoy_kb + self.treatment.hog * total_kb // 1000


class Candidate(NamedTuple):
    """A process that is none of ours, as the killer of the whole host sees it."""

    process: Process
    score: int
    memory_kb: int  # resident, swapped, and its page tables


class Actor(NamedTuple):
    """One of the two processes, as it was seen from outside."""

    role: str  # decoy or hog
    pid: int
    name: str
    wanted_score: int
    score: Optional[int]  # read from /proc while it lived
    exit: Optional[int]
    signal: Optional[int]
    outlived: bool  # still alive when the killing was over


class Run(NamedTuple):
    """One run, observed."""

    name: str
    expected: str  # hog or decoy
    decoy: Actor
    hog: Actor
    kills: List[Dict[str, Any]]  # trusted events of the kernel log in the trial's cgroup
    cgroup_oom_kill: Optional[int]  # what the cgroup itself counted
    lines: List[str]  # the kernel's own words on the victims
    problems: List[str]  # what kept the run from taking its course

    def victims(self) -> List[int]:
        """Pids that the kernel says it killed in this run, in its order."""
        return [victim["pid"] for event in self.kills for victim in event["victims"]]

    def killed_score(self, pid: int) -> Optional[int]:
        """The score that the kernel log gives to a victim; None where its version does not say."""
        return next(
            (victim["oom_score_adj"] for event in self.kills for victim in event["victims"] if victim["pid"] == pid),
            None,
        )

    def observed(self) -> Optional[str]:
        """Whom the kernel took first: hog, decoy, other, or None."""
        victims = self.victims()
        if not victims:
            return None
        return {self.hog.pid: "hog", self.decoy.pid: "decoy"}.get(victims[0], "other")


class Surroundings(NamedTuple):
    """What happened on the rest of the host during the trial."""

    checked: int  # processes that were alive before and are not ours
    lost: List[Process]  # those of them that the killer took, or may have taken
    elsewhere: List[Dict[str, Any]]  # trusted kills of the kernel log that are not ours
    counted_kills: Optional[int]  # how far oom_kill of /proc/vmstat moved
    log_error: Optional[str]  # why the kernel log could not be read, or what of it was lost


def design(
    pinned_score: int, hog_score: int, limit_kb: int, own_score: int, can_lower: bool, scope: str = "cgroup"
) -> Design:
    """Sizes and scores of both runs.

    Where scores cannot be lowered the pair is mirrored: not the decoy down but
    the hog up by the same difference. Badness is a sum of memory and score, so
    only differences of scores matter to the choice; immunity (-1000) is no
    matter of arithmetic and cannot be mirrored.
    """
    difference = hog_score - pinned_score
    if not SCORE_MIN <= pinned_score <= SCORE_MAX or not SCORE_MIN <= hog_score <= SCORE_MAX:
        raise InputError(
            f"pinned_score {pinned_score} and hog_score {hog_score}: both must lie between {SCORE_MIN} and {SCORE_MAX}"
        )
    if difference < SMALLEST_DIFFERENCE:
        raise InputError(
            f"pinned_score {pinned_score} must be at least {SMALLEST_DIFFERENCE} below hog_score {hog_score}: a smaller difference is lost in the noise of two processes"
        )
    if limit_kb < LIMIT_MIN_KB:
        raise InputError(
            f"memory_limit {limit_kb} KiB is too small: at least {LIMIT_MIN_KB} KiB are needed to tell two processes apart"
        )

    # By size alone the decoy must lose, with the pin it must win: it leads the
    # hog by half of what the pin forgives (difference / 1000 of the limit),
    # and by a fifth of the limit at the most.
    lead = min(difference / 2000.0, 0.2)
    decoy_kb = int(limit_kb * (1 + lead) / 2)
    # Together they pass the limit, alone the hog stays well below it. On the
    # host it takes more than there is: MemAvailable leaves out up to half of the page cache.
    hog_kb = limit_kb * 2 if scope == "host" else int(limit_kb * 1.2) - decoy_kb

    if can_lower or pinned_score >= own_score:
        return Design(
            scope, "lowered", limit_kb, decoy_kb, hog_kb, Scores(pinned_score, hog_score), Scores(hog_score, hog_score)
        )
    if pinned_score == SCORE_MIN:
        raise UnsupportedError(
            "pinned_score -1000 means immunity, which can only be shown where scores can be lowered:"
            " give CAP_SYS_RESOURCE, or try a score above -1000"
        )
    if own_score + difference > SCORE_MAX:
        raise UnsupportedError(
            f"scores cannot be lowered here (no CAP_SYS_RESOURCE), and raising the hog by {difference} from this process's own score {own_score} instead would pass {SCORE_MAX}: give the capability or choose a smaller difference"
        )
    return Design(
        scope,
        "mirrored",
        limit_kb,
        decoy_kb,
        hog_kb,
        Scores(own_score, own_score + difference),
        Scores(own_score, own_score),
    )


def refuse_rivals(plan: Design, candidates: List[Candidate], total_kb: int) -> None:
    """On the whole host the kernel chooses among all: the hog must be the worst by far, now and not only by hope."""
    hog_kb = plan.hog_badness_kb(total_kb)
    noise_kb = SMALLEST_DIFFERENCE * total_kb // 1000
    for one in sorted(candidates, key=lambda one: -(one.memory_kb + one.score * total_kb // 1000)):
        badness_kb = one.memory_kb + one.score * total_kb // 1000
        if one.score != SCORE_MIN and badness_kb + noise_kb > hog_kb:
            raise InputError(
                f"the kernel could take process {one.process.pid} ({one.process.name}) instead of the hog: it weighs {badness_kb} KiB (score {one.score}, {one.memory_kb} KiB of memory) against {hog_kb} KiB: pin it lower, or set hog_score higher than {plan.treatment.hog}"
            )


# --- the verdict ------------------------------------------------------------


def judge(runs: List[Run], surroundings: Surroundings) -> Tuple[str, List[str]]:
    """Verdict and its reasons.

    refuted: the kernel killed the pinned decoy although the unpinned hog was there.
    proven: both runs took the course that the pin predicts, the kernel's own
    log and counters say so, and nothing else died. Anything less is inconclusive.
    """
    refutations = [sentence for run in runs for sentence in _refutations(run)]
    doubts = [sentence for run in runs for sentence in _doubts(run)] + _doubts_about(surroundings, runs)
    if refutations:
        return "refuted", refutations + doubts
    if doubts:
        return "inconclusive", doubts
    return "proven", [f"the kernel took the {run.expected} in the {run.name}" for run in runs]


def _refutations(run: Run) -> List[str]:
    if run.expected != "hog" or run.decoy.pid not in run.victims():
        return []
    return [
        f"{run.name}: the kernel killed the pinned decoy (pid {run.decoy.pid}){('' if run.decoy.score == run.decoy.wanted_score else f', whose score was {run.decoy.score} and not {run.decoy.wanted_score}: the pin was not applied')}"
    ]


def _doubts(run: Run) -> List[str]:
    dying, living = (run.hog, run.decoy) if run.expected == "hog" else (run.decoy, run.hog)
    found = list(run.problems)
    for actor in (run.decoy, run.hog):
        if actor.score != actor.wanted_score:
            found.append(f"the {actor.role} had score {actor.score}, not {actor.wanted_score}")
    if dying.pid not in run.victims():
        found.append(_how_it_ended(dying))
    elif run.observed() != run.expected:
        found.append(f"the kernel took {_whom(run)} before the {run.expected}")
    if run.expected == "hog" and not living.outlived and living.pid not in run.victims():
        found.append(f"the decoy ended without the kernel: {_ending(living)}")
    strangers = [pid for pid in run.victims() if pid not in (run.hog.pid, run.decoy.pid)]
    if strangers:
        found.append(f"the kernel killed another process in the trial's cgroup: pid {', '.join(map(str, strangers))}")
    if run.killed_score(dying.pid) not in (None, dying.wanted_score):
        found.append(
            f"the kernel log gives the {dying.role} score {run.killed_score(dying.pid)}, not {dying.wanted_score}"
        )
    if run.cgroup_oom_kill is not None and run.cgroup_oom_kill != len(run.victims()):
        found.append(f"the cgroup counts {run.cgroup_oom_kill} kills, the kernel log names {len(run.victims())}")
    return [f"{run.name}: {sentence}" for sentence in found]


def _whom(run: Run) -> str:
    observed = run.observed()
    return {None: "nobody", "other": "another process"}.get(observed, f"the {observed}")


def _how_it_ended(actor: Actor) -> str:
    """Why an actor that the kernel should have killed does not count as killed."""
    if actor.outlived:
        return f"the {actor.role} was not killed"
    if actor.signal == 9:
        return f"the {actor.role} ended by signal 9, but the kernel log does not name its pid {actor.pid}: anyone can send that signal"
    return f"the {actor.role} {_ending(actor)}"


def _ending(actor: Actor) -> str:
    if actor.signal == 14:
        return "ended by its own deadline"
    if actor.signal is not None:
        return f"ended by signal {actor.signal}"
    meaning = {
        0: "survived: memory did not run out",
        2: "did not understand its options (exit 2)",
        3: "refused to start in this memory domain (exit 3)",
        4: "could not set its score (exit 4)",
        12: "was refused memory instead of being killed (ENOMEM, exit 12)",
    }
    return meaning.get(actor.exit, f"ended with exit {actor.exit}")  # type: ignore[arg-type]


def _doubts_about(surroundings: Surroundings, runs: List[Run]) -> List[str]:
    found = []
    if surroundings.log_error:
        found.append(surroundings.log_error)
    for event in surroundings.elsewhere:
        names = ", ".join(f"{victim['pid']} ({victim['name']})" for victim in event["victims"])
        found.append(f"meanwhile the kernel also killed process {names} elsewhere on the host: run again")
    named = sum(len(run.victims()) for run in runs) + sum(len(event["victims"]) for event in surroundings.elsewhere)
    if surroundings.counted_kills is not None and surroundings.counted_kills != named:
        found.append(f"/proc/vmstat counts {surroundings.counted_kills} kills, the kernel log names {named}")
    if surroundings.lost:
        found.append(f"bystanders were lost: {', '.join(f'{one.pid} ({one.name})' for one in surroundings.lost)}")
    return found


def pids_of(events: List[Dict[str, Any]]) -> Set[int]:
    """Every victim of these events."""
    return {victim["pid"] for event in events for victim in event["victims"]}


# --- what the user gets back ------------------------------------------------


def outcome(design: Design, runs: List[Run], surroundings: Surroundings, left_behind: List[str]) -> Dict[str, Any]:
    """The verdict with everything that it rests on, and five lines for a person."""
    verdict, reasons = judge(runs, surroundings)
    if left_behind:
        verdict, reasons = "inconclusive", [*reasons, f"left behind: {', '.join(left_behind)}"]
    return dict(
        verdict=verdict,
        reasons=reasons,
        report=[
            f"{verdict}: {_claim(design, verdict)}",
            *[_story(run) for run in runs],
            f"kernel log: {'; '.join(line for run in runs for line in run.lines[:1]) or 'no line names the hog or the decoy'}",
            f"bystanders: {surroundings.checked} checked, {len(surroundings.lost)} lost; the kernel counted {'unknown' if surroundings.counted_kills is None else surroundings.counted_kills} kills; {'left behind: ' + ', '.join(left_behind) if left_behind else 'nothing is left behind'}",
        ],
        runs=[
            dict(
                name=run.name,
                expected=run.expected,
                observed=run.observed(),
                decoy=dict(run.decoy._asdict()),
                hog=dict(run.hog._asdict()),
                event=run.kills[0] if run.kills else None,
                log=run.lines,
                counters=dict(cgroup_oom_kill=run.cgroup_oom_kill),
            )
            for run in runs
        ],
        bystanders=dict(
            checked=surroundings.checked,
            lost=[dict(pid=one.pid, name=one.name, start_time=one.start_time) for one in surroundings.lost],
        ),
        counters=dict(vmstat_oom_kill=surroundings.counted_kills),
        clean=not left_behind,
        left_behind=left_behind,
    )


def _claim(design: Design, verdict: str) -> str:
    difference = design.treatment.hog - design.treatment.decoy
    how = (
        f"a decoy at {design.treatment.decoy} against a hog at {design.treatment.hog}"
        if design.method == "lowered"
        else f"mirrored, as scores cannot be lowered here: a decoy at {design.treatment.decoy} against a hog raised to {design.treatment.hog}"
    )
    binds = {"proven": "binds", "refuted": "does not bind", "inconclusive": "was not shown to bind"}[verdict]
    where = "on the whole host" if design.scope == "host" else f"in {design.limit_kb // 1024} MiB"
    return f"a score difference of {difference} {binds} ({how}, {where})"


def _story(run: Run) -> str:
    return f"{run.name}: the kernel took {_whom(run)}; expected the {run.expected}. {_fate(run, run.decoy)}, {_fate(run, run.hog)}"


def _fate(run: Run, actor: Actor) -> str:
    if actor.pid in run.victims():
        fate = "killed by the kernel"
    elif actor.outlived:
        fate = "lived on"
    else:
        fate = _ending(actor)
    return f"{actor.role} {actor.pid} (score {actor.score}) {fate}"
