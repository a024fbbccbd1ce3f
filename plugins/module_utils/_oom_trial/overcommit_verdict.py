# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide what the two requests of an overcommit trial prove, and build the answer of the module.

Pure: facts in, the module's answer out.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.answer import (
    MOST_UNRELATED,
    describe_cleaning,
    describe_reasons,
    describe_unrelated,
    list_bystanders,
    list_unrelated,
    state_result,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import ACTOR_NAMES
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import MOST_NAMED, Surroundings

ENOMEM_EXIT = 12  # of oom_hog

_OUTCOMES: Dict[Optional[int], str] = {0: "granted", ENOMEM_EXIT: "refused"}


class Attempt(NamedTuple):
    """One run of the hog: its request, and how it ended."""

    name: str
    expected: str  # refused or granted
    pid: int
    exit: Optional[int]
    signal: Optional[int]
    asked_kb: int
    got_kb: int

    def observed(self) -> str:
        """Return refused, granted, killed, or how else the hog ended."""
        if self.signal is not None:
            return "killed" if self.signal == 9 else f"ended by signal {self.signal}"
        if self.exit is None:
            return "not ended in time"
        return _OUTCOMES.get(self.exit, f"exit {self.exit}")


# What to do about an attempt that was observed to end otherwise than expected.
_REMEDIES = {
    "granted": "check that vm.overcommit_memory is still 2",
    "refused": "leave more memory that may be committed, and run it again",
    "killed": "find out what killed it, and run it again",
    "not ended in time": "set a longer timeout",
}
_BUILD = "build it from the oom_hog.c of this release, for this host"


def name_victims(events: List[Event]) -> Dict[int, str]:
    """Return the name of each victim of these events, by pid."""
    return {victim["pid"]: victim["name"] for event in events for victim in event["victims"]}


def decide_overcommit_verdict(
    attempts: List[Attempt],
    victims: Dict[int, str],
    unlogged: Optional[int],
    log_error: Optional[str],
    doubtful: Sequence[Tuple[Event, str]] = (),
) -> Tuple[str, List[str]]:
    """Return the verdict and its reasons.

    C(victims) are those that CommitLimit should have saved. C(doubtful) are kills at the limits of
    cgroups that the trial may have to do with, with the reason. C(unlogged) is the number of kills
    that the kernel counted, but the log does not show.

    refuted: the large request was granted, or the kernel killed a process.
    proven: refused and granted as expected, and no kill. inconclusive: everything else.
    """
    objections = [
        f"{one.name}: expected the request for {one.asked_kb} KiB to be {one.expected}; observed: {one.observed()};"
        f" {_REMEDIES.get(one.observed(), _BUILD)}"
        for one in attempts
        if one.observed() != one.expected
    ]
    kills = [f"the kernel killed process {pid} ({name})" for pid, name in list(victims.items())[:MOST_NAMED]]
    if len(victims) > MOST_NAMED:
        kills.append(f"the kernel killed {len(victims) - MOST_NAMED} more processes")
    if unlogged and unlogged > 0 and not victims:
        kills.append(f"/proc/vmstat counted {unlogged} kills that the kernel log does not show")
    objections += [
        f"the kernel also killed process {pid} ({name}) ({reason}): run it again"
        for event, reason in doubtful[:MOST_NAMED]
        for pid, name in name_victims([event]).items()
    ]
    if kills or attempts[0].observed() == "granted":
        return "refuted", objections + kills
    if unlogged is None and log_error:
        objections.append(f"kills cannot be ruled out without the kernel log: {log_error}")
    if objections:
        return "inconclusive", objections
    granted = [f"the request for {one.asked_kb} KiB was {one.observed()} in the {one.name}" for one in attempts]
    return "proven", [*granted, "no process was killed"]


def build_overcommit_answer(
    limit_kb: int, attempts: List[Attempt], victims: Dict[int, str], surroundings: Surroundings
) -> Dict[str, Any]:
    """Return the verdict, the facts behind it, and message and report for a person.

    C(victims) are as in decide_overcommit_verdict().
    """
    counted, logged = surroundings.counted_kills, surroundings.logged_kills
    verdict, reasons = decide_overcommit_verdict(
        attempts,
        victims,
        None if counted is None else counted - logged,
        surroundings.log_error,
        surroundings.doubtful,
    )
    others = list_unrelated(surroundings.unrelated)
    lines = [
        f"meaning: {_describe_limit(verdict, limit_kb)}",
        *describe_reasons(verdict, reasons),
        *[_describe_attempt(one) for one in attempts],
        f"kills: {'unknown' if counted is None else counted} counted, {logged} in the kernel log",
        f"bystanders: {surroundings.checked} other processes, {len(surroundings.lost) or 'none'} lost",
        describe_cleaning([]),
        *describe_unrelated(others),
    ]
    return dict(
        verdict=verdict,
        reasons=reasons,
        **state_result(verdict, _describe_course(verdict, reasons, attempts), lines),
        runs=[_attempt_answer(one) for one in attempts],
        bystanders=list_bystanders(surroundings),
        unrelated=others[:MOST_UNRELATED],
        unrelated_count=len(others),
        counters=dict(vmstat_oom_kill=counted),
        clean=True,
        left_behind=[],
    )


def _describe_course(verdict: str, reasons: List[str], attempts: List[Attempt]) -> str:
    if verdict == "proven":
        treatment = attempts[0]
        return f"the kernel refused hog[{treatment.pid}] {treatment.asked_kb} KiB and killed no process"
    return reasons[0]


def _describe_limit(verdict: str, limit_kb: int) -> str:
    return {
        "proven": f"a request above CommitLimit ({limit_kb} KiB) is refused, and no process is killed",
        "refuted": f"CommitLimit ({limit_kb} KiB) does not prevent OOM kills",
        "inconclusive": f"the trial did not show whether CommitLimit ({limit_kb} KiB) holds",
    }[verdict]


def _describe_attempt(one: Attempt) -> str:
    end = f"signal {one.signal}" if one.exit is None else f"exit {one.exit}"
    return (
        f"{one.name}: hog[{one.pid}] requested {one.asked_kb} KiB and got {one.got_kb} KiB:"
        f" {one.observed()} ({end}); expected {one.expected}"
    )


def _attempt_answer(one: Attempt) -> Dict[str, Any]:
    hog = dict(
        role="hog",
        pid=one.pid,
        name=ACTOR_NAMES["hog"],
        wanted_score=SCORE_MAX,
        score=None,
        exit=one.exit,
        signal=one.signal,
        outlived=False,
        asked_kb=one.asked_kb,
        got_kb=one.got_kb,
    )
    return dict(
        name=one.name,
        expected=one.expected,
        observed=one.observed(),
        decoy=None,
        hog=hog,
        event=None,
        log=[],
        counters=None,
    )
