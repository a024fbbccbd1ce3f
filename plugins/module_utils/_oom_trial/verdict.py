# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide what the observed runs of a trial with kills prove.

Pure: facts in, the module's answer out.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import path_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import TrialDesign

# The answer lists this many unrelated victims, and the report this many.
MOST_UNRELATED = 20
_MOST_REPORTED = 2


class Actor(NamedTuple):
    """One of the two processes of a run, as seen from outside."""

    role: str  # decoy or hog
    pid: int
    name: str
    wanted_score: int
    score: Optional[int]  # read from /proc while the process was alive
    exit: Optional[int]
    signal: Optional[int]
    outlived: bool  # still alive after the kills of its run


class ObservedRun(NamedTuple):
    """One run and what was observed of it."""

    name: str
    expected: str  # hog or decoy
    decoy: Actor
    hog: Actor
    kills: List[Event]  # trusted events of the kernel log that belong to the run
    cgroup_oom_kill: Optional[int]  # how far the counter of the trial's cgroup rose
    lines: List[str]  # the kernel's own log lines on the victims
    problems: List[str]  # what kept the run from its course

    def victims(self) -> List[int]:
        """Return the pids that the kernel log names as killed, in order."""
        return [victim["pid"] for event in self.kills for victim in event["victims"]]

    def logged_score(self, pid: int) -> Optional[int]:
        """Return a victim's score from the kernel log; None if this kernel logs no score."""
        return next(
            (victim["oom_score_adj"] for event in self.kills for victim in event["victims"] if victim["pid"] == pid),
            None,
        )

    def observed(self) -> Optional[str]:
        """Return which process the kernel killed first: hog, decoy, other, or None for no kill."""
        victims = self.victims()
        if not victims:
            return None
        return {self.hog.pid: "hog", self.decoy.pid: "decoy"}.get(victims[0], "other")


class Surroundings(NamedTuple):
    """What happened on the rest of the host during the trial."""

    checked: int  # processes of others that were alive before the trial
    lost: List[Process]  # those of them that the killer killed, or may have killed
    # Trusted kills in the kernel log that the trial may have to do with, each with the reason.
    doubtful: List[Tuple[Event, str]]
    unrelated: List[Event]  # trusted kills at the limits of cgroups in other parts of the tree
    counted_kills: Optional[int]  # how far oom_kill of /proc/vmstat rose
    logged_kills: int  # lines of the kernel log that report a kill; a group's first victim has two
    log_error: Optional[str]  # why the kernel log could not be read, or what was lost of it


# --- the verdict ------------------------------------------------------------


def decide_verdict(runs: List[ObservedRun], surroundings: Surroundings) -> Tuple[str, List[str]]:
    """Return the verdict and its reasons.

    refuted: the kernel killed the pinned decoy although the unpinned hog was there.
    proven: every run took the course that the pin predicts, the kernel's log and
    counters confirm it, and nothing else died. inconclusive: everything else.
    """
    refutations = [reason for run in runs for reason in _refutations(run)]
    objections = [reason for run in runs for reason in _objections(run)]
    objections += _disturbances(surroundings)
    if refutations:
        return "refuted", refutations + objections
    if objections:
        return "inconclusive", objections
    return "proven", [f"the kernel killed the {run.expected} in the {run.name}" for run in runs]


def _refutations(run: ObservedRun) -> List[str]:
    """Return why this run disproves the pin."""
    if run.expected != "hog" or run.decoy.pid not in run.victims():
        return []
    reason = f"{run.name}: the kernel killed the pinned decoy (pid {run.decoy.pid})"
    if run.decoy.score != run.decoy.wanted_score:
        reason += f"; its score was {run.decoy.score}, not {run.decoy.wanted_score}: the pin was not applied"
    return [reason]


def _objections(run: ObservedRun) -> List[str]:
    """Return what keeps this run from proving the pin."""
    dying, living = (run.hog, run.decoy) if run.expected == "hog" else (run.decoy, run.hog)
    found = list(run.problems)
    found += [
        f"the {actor.role} had score {actor.score}, not {actor.wanted_score}"
        for actor in (run.decoy, run.hog)
        if actor.score != actor.wanted_score
    ]
    if dying.pid not in run.victims():
        found.append(_why_not_killed(dying))
    elif run.observed() != run.expected:
        found.append(f"the kernel killed {_first_victim(run)} before the {run.expected}")
    if run.expected == "hog" and not living.outlived and living.pid not in run.victims():
        found.append(f"the kernel did not kill the decoy, but the decoy {_ending(living)}")
    return [f"{run.name}: {reason}" for reason in found + _log_objections(run, dying)]


def _log_objections(run: ObservedRun, dying: Actor) -> List[str]:
    """Return where log and counters contradict the expected course."""
    found = []
    strangers = [pid for pid in run.victims() if pid not in (run.hog.pid, run.decoy.pid)]
    if strangers:
        found.append(f"the kernel killed another process in the trial's cgroup: pid {', '.join(map(str, strangers))}")
    logged_score = run.logged_score(dying.pid)
    if logged_score not in (None, dying.wanted_score):
        found.append(f"the kernel log shows score {logged_score} for the {dying.role}, not {dying.wanted_score}")
    if run.cgroup_oom_kill is not None and run.cgroup_oom_kill != len(run.victims()):
        found.append(f"the cgroup counted {run.cgroup_oom_kill} kills, the kernel log names {len(run.victims())}")
    return found


def _first_victim(run: ObservedRun) -> str:
    observed = run.observed()
    return {None: "no process", "other": "another process"}.get(observed, f"the {observed}")


def _why_not_killed(actor: Actor) -> str:
    """Return why an actor that the kernel should have killed does not count as killed."""
    if actor.outlived:
        return f"the {actor.role} was not killed"
    if actor.signal == 9:
        return (
            f"the {actor.role} ended by signal 9, but the kernel log does not name its pid {actor.pid}:"
            " another process may have sent the signal"
        )
    return f"the {actor.role} {_ending(actor)}"


START_FAILED = 203  # EXIT_EXEC of systemd.exec(5)

# Exit codes of oom_hog, of the dynamic loader and of systemd.
_EXITS: Dict[Optional[int], str] = {
    0: "ended by itself (exit 0): memory did not run out",
    2: "rejected its options (exit 2)",
    3: "refused to start in this memory domain (exit 3)",
    4: "could not set its score (exit 4)",
    12: "was refused memory instead of being killed (ENOMEM, exit 12)",
    127: "found no library that it needs (exit 127): build it on this host, or with -static",
    START_FAILED: "could not be started by systemd (exit 203)",
}


def _ending(actor: Actor) -> str:
    """Return how an actor ended, as the predicate of a sentence."""
    if actor.signal == 14:
        return "ended by its own deadline"
    if actor.signal is not None:
        return f"ended by signal {actor.signal}"
    return _EXITS.get(actor.exit, f"ended with exit {actor.exit}")


def _disturbances(surroundings: Surroundings) -> List[str]:
    """Return what happened around the trial and spoils a proof."""
    found = []
    if surroundings.log_error:
        found.append(surroundings.log_error)
    for event, reason in surroundings.doubtful:
        names = ", ".join(f"{victim['pid']} ({victim['name']})" for victim in event["victims"])
        found.append(
            f"during the trial the kernel also killed process {names} elsewhere on the host ({reason}): run it again"
        )
    counted, logged = surroundings.counted_kills, surroundings.logged_kills
    if counted is not None and counted != logged:
        found.append(f"/proc/vmstat counted {counted} kills, the kernel log names {logged}")
    if surroundings.lost:
        found.append(f"bystanders were lost: {', '.join(f'{one.pid} ({one.name})' for one in surroundings.lost)}")
    return found


# --- the answer of the module -------------------------------------------------


def build_answer(
    design: TrialDesign, runs: List[ObservedRun], surroundings: Surroundings, left_behind: List[str]
) -> Dict[str, Any]:
    """Return the verdict, the facts behind it, and a report of one line a topic for a person."""
    verdict, reasons = decide_verdict(runs, surroundings)
    unrelated = list_unrelated(surroundings.unrelated)
    if left_behind:
        verdict, reasons = "inconclusive", [*reasons, f"left behind: {', '.join(left_behind)}"]
    return dict(
        verdict=verdict,
        reasons=reasons,
        report=[
            f"{verdict}: {_describe_result(design, verdict)}",
            *[_describe_run(run) for run in runs],
            _describe_log(runs),
            _describe_surroundings(surroundings, left_behind),
            *describe_unrelated(unrelated),
        ],
        runs=[_run_answer(run) for run in runs],
        bystanders=dict(
            checked=surroundings.checked,
            lost=[dict(pid=one.pid, name=one.name, start_time=one.start_time) for one in surroundings.lost],
        ),
        unrelated=unrelated[:MOST_UNRELATED],
        unrelated_count=len(unrelated),
        counters=dict(vmstat_oom_kill=surroundings.counted_kills),
        clean=not left_behind,
        left_behind=left_behind,
    )


def _run_answer(run: ObservedRun) -> Dict[str, Any]:
    return dict(
        name=run.name,
        expected=run.expected,
        observed=run.observed(),
        decoy=dict(run.decoy._asdict()),
        hog=dict(run.hog._asdict()),
        event=run.kills[0] if run.kills else None,
        log=run.lines,
        counters=dict(cgroup_oom_kill=run.cgroup_oom_kill),
    )


def list_unrelated(events: List[Event]) -> List[Dict[str, Any]]:
    """Return each victim of these events with the cgroup that hit its limit, or None for it."""
    return [
        dict(memcg=path_of(event), pid=victim["pid"], name=victim["name"])
        for event in events
        for victim in event["victims"]
    ]


def describe_unrelated(victims: List[Dict[str, Any]]) -> List[str]:
    """Return the line of the report about victims in other cgroups; none if there are none."""
    if not victims:
        return []
    some = [f"{one['pid']} ({one['name']}) in {one['memcg'] or 'an unknown one'}" for one in victims[:_MOST_REPORTED]]
    more = ", ..." if len(victims) > _MOST_REPORTED else ""
    return [f"unrelated: {len(victims)} killed in other cgroups: {', '.join(some)}{more}"]


def build_unrun_answer() -> Dict[str, Any]:
    """Return the answer of check mode: the keys of a trial that was not run."""
    return dict(
        verdict=None,
        reasons=["check mode: no trial was run"],
        runs=[],
        report=[],
        bystanders=None,
        unrelated=[],
        unrelated_count=0,
        counters=None,
        clean=True,
        left_behind=[],
        duration_s=0.0,
    )


def _describe_result(design: TrialDesign, verdict: str) -> str:
    result = {
        "proven": "this kernel honours a score difference of",
        "refuted": "this kernel does not honour a score difference of",
        "inconclusive": "the trial did not show whether this kernel honours a score difference of",
    }[verdict]
    difference = design.treatment.hog - design.treatment.decoy
    if design.method == "lowered":
        how = f"decoy at {design.treatment.decoy}, hog at {design.treatment.hog}"
    else:
        how = (
            "mirrored, because scores cannot be lowered here:"
            f" decoy at {design.treatment.decoy}, hog raised to {design.treatment.hog}"
        )
    where = "on the whole host" if design.scope == "host" else f"in {design.limit_kb // 1024} MiB"
    return f"{result} {difference} ({how}, {where})"


def _describe_run(run: ObservedRun) -> str:
    course = f"{run.name}: the kernel killed {_first_victim(run)}"
    course += ", as expected" if run.observed() == run.expected else f"; expected the {run.expected}"
    return f"{course}. {_describe_actor(run, run.decoy)}, {_describe_actor(run, run.hog)}"


def _describe_actor(run: ObservedRun, actor: Actor) -> str:
    if actor.pid in run.victims():
        fate = "was killed by the kernel"
    elif actor.outlived:
        fate = "survived"
    else:
        fate = _ending(actor)
    return f"{actor.role} {actor.pid} (score {actor.score}) {fate}"


def _describe_log(runs: List[ObservedRun]) -> str:
    lines = [line for run in runs for line in run.lines[:1]]
    return f"kernel log: {'; '.join(lines) or 'no line names the hog or the decoy'}"


def _describe_surroundings(surroundings: Surroundings, left_behind: List[str]) -> str:
    counted = "unknown" if surroundings.counted_kills is None else surroundings.counted_kills
    remains = f"left behind: {', '.join(left_behind)}" if left_behind else "nothing was left behind"
    return (
        f"bystanders: {surroundings.checked} checked, {len(surroundings.lost)} lost;"
        f" kills counted by the kernel: {counted}; {remains}"
    )
