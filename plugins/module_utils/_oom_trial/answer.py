# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build what the module returns of a trial: facts for programs, lines of text for a person.

Pure. The first line is the message: the verdict, and which process the killer took and spared.
Each line after it has one topic.
"""

from typing import Any, Dict, List

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import path_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import TrialDesign
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    Actor,
    ObservedRun,
    Surroundings,
    decide_verdict,
    describe_end,
    name_first_victim,
)

# The answer lists this many unrelated victims, and the report this many.
MOST_UNRELATED = 20
_MOST_REPORTED = 2

MESSAGE_LENGTH = 200
_LINE_LENGTH = 300
_MOST_REASONS = 2  # so that the report has at most 12 lines


def build_answer(
    design: TrialDesign, runs: List[ObservedRun], surroundings: Surroundings, left_behind: List[str], cgroup: str
) -> Dict[str, Any]:
    """Return the verdict, the facts behind it, and message and report for a person.

    C(cgroup) says which cgroup both processes shared.
    """
    verdict, reasons = decide_verdict(runs, surroundings)
    unrelated = list_unrelated(surroundings.unrelated)
    if left_behind:
        verdict, reasons = "inconclusive", [describe_leftovers(left_behind), *reasons]
    lines = [
        f"meaning: {_describe_meaning(design, verdict)}",
        *describe_reasons(verdict, reasons),
        *[_describe_run(run, design) for run in runs],
        f"limit: {_describe_limit(design, cgroup)}",
        *[f"kernel log: {line}" for line in _select_lines(runs)],
        _describe_bystanders(surroundings),
        describe_cleaning(left_behind),
        *describe_unrelated(unrelated),
    ]
    return dict(
        verdict=verdict,
        reasons=reasons,
        **state_result(verdict, _describe_course(verdict, reasons, design, runs), lines),
        runs=[_run_answer(run) for run in runs],
        bystanders=list_bystanders(surroundings),
        unrelated=unrelated[:MOST_UNRELATED],
        unrelated_count=len(unrelated),
        counters=dict(vmstat_oom_kill=surroundings.counted_kills),
        clean=not left_behind,
        left_behind=left_behind,
    )


def build_unrun_answer(what: str) -> Dict[str, Any]:
    """Return the answer of check mode: all keys of a trial, and what was checked."""
    return dict(
        verdict=None,
        reasons=["check mode: no trial was run"],
        msg=what,
        report=[what],
        runs=[],
        bystanders=None,
        unrelated=[],
        unrelated_count=0,
        counters=None,
        clean=True,
        left_behind=[],
        duration_s=0.0,
    )


def state_result(verdict: str, course: str, lines: List[str]) -> Dict[str, Any]:
    """Return C(msg), and C(report) with the message as its first line, each in bounded lines."""
    message = _cut(f"{verdict}: {course}", MESSAGE_LENGTH)
    return dict(msg=message, report=[message, *[_cut(line, _LINE_LENGTH) for line in lines]])


def describe_leftovers(left_behind: List[str]) -> str:
    """Return what is left of a trial, and what to do about it."""
    return f"left behind: {', '.join(left_behind)}; end the processes in it, and remove it with rmdir"


def describe_cleaning(left_behind: List[str]) -> str:
    """Return the line of the report about what is left."""
    return describe_leftovers(left_behind) if left_behind else "cleaned up: nothing was left behind"


def describe_reasons(verdict: str, reasons: List[str]) -> List[str]:
    """Return the lines of the report with what prevents a better verdict; none if it is proven."""
    if verdict == "proven":
        return []
    more = len(reasons) - _MOST_REASONS
    lines = [f"why: {reason}" for reason in reasons[:_MOST_REASONS]]
    if more > 0:
        lines[-1] += f" (and {more} more, see reasons)"
    return lines


def list_bystanders(surroundings: Surroundings) -> Dict[str, Any]:
    """Return how many other processes there were, and which of them were lost."""
    lost = [dict(pid=one.pid, name=one.name, start_time=one.start_time) for one in surroundings.lost]
    return dict(checked=surroundings.checked, lost=lost)


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
    some = [f"{one['name']}[{one['pid']}] in {one['memcg'] or 'an unknown one'}" for one in victims[:_MOST_REPORTED]]
    more = ", ..." if len(victims) > _MOST_REPORTED else ""
    return [f"unrelated: {len(victims)} killed in other cgroups: {', '.join(some)}{more}"]


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


def _describe_course(verdict: str, reasons: List[str], design: TrialDesign, runs: List[ObservedRun]) -> str:
    """Return what the killer did in the treatment, or why that is not known."""
    if verdict == "inconclusive":
        return reasons[0]
    hog, decoy = f"hog[{runs[0].hog.pid}]", f"decoy[{runs[0].decoy.pid}] ({runs[0].decoy.score})"
    if design.method == "mirrored" or verdict == "refuted":
        hog += f" ({runs[0].hog.score})"
    if verdict == "refuted":
        return f"the killer took {decoy} although {hog} was there"
    return f"the killer took {hog} and spared {decoy}"


def _describe_meaning(design: TrialDesign, verdict: str) -> str:
    result = {
        "proven": "this kernel honours a score difference of",
        "refuted": "this kernel does not honour a score difference of",
        "inconclusive": "the trial did not show whether this kernel honours a score difference of",
    }[verdict]
    mirrored = (
        " (mirrored: scores cannot be lowered here, so the hog was raised)" if design.method == "mirrored" else ""
    )
    return f"{result} {design.treatment.hog - design.treatment.decoy}{mirrored}"


def _describe_run(run: ObservedRun, design: TrialDesign) -> str:
    decoy = f"decoy[{run.decoy.pid}] at {run.decoy.score} with {design.decoy_kb // 1024} MiB"
    hog = f"hog[{run.hog.pid}] at {run.hog.score}"
    course = f"{decoy} {_describe_fate(run, run.decoy)}, {hog} {_describe_fate(run, run.hog)}"
    if run.observed() == run.expected:
        return f"{run.name}: {course}, as expected"
    return f"{run.name}: {course}; expected the kernel to kill the {run.expected}, it killed {name_first_victim(run)}"


def _describe_fate(run: ObservedRun, actor: Actor) -> str:
    if actor.pid in run.victims():
        return "was killed by the kernel"
    return "survived" if actor.outlived else describe_end(actor.exit, actor.signal).partition(":")[0]


def _describe_limit(design: TrialDesign, cgroup: str) -> str:
    size = f"{design.limit_kb // 1024} MiB"
    if design.scope == "host":
        return f"all {size} of free memory and swap of the host"
    return f"{size} for both, in {cgroup}; the decoy holds more than the hog"


def _select_lines(runs: List[ObservedRun]) -> List[str]:
    return [line for run in runs for line in run.lines[:1]] or ["no line names the hog or the decoy"]


def _describe_bystanders(surroundings: Surroundings) -> str:
    counted = "unknown" if surroundings.counted_kills is None else surroundings.counted_kills
    lost = len(surroundings.lost) or "none"
    return f"bystanders: {surroundings.checked} other processes, {lost} lost; kills on the host meanwhile: {counted}"


def _cut(text: str, length: int) -> str:
    line = printable_name(text)
    return line if len(line) <= length else line[: length - 3] + "..."
