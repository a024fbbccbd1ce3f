# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide what the observed runs of a trial with kills prove.

Pure: facts in, the verdict and its reasons out. Whatever keeps a verdict from being proven is one
reason, and says what to do about it.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event


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
    lost: List[Process]  # the killer killed them, or may have
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


_CHECK_SCORES = "find out what else sets scores on this host, and run it again"
_KEEP_OUT = "keep other processes out of the trial's cgroup, and run it again"
_OTHER_KILLER = "another process may have sent the signal, such as earlyoom; stop it, and run it again"
MOST_NAMED = 10  # kills, or processes, in a reason
_SHARED_KERNEL = "run it again, and hosts that share a kernel one at a time (serial: 1)"


def _refutations(run: ObservedRun) -> List[str]:
    """Return why this run disproves the pin."""
    if run.expected != "hog" or run.decoy.pid not in run.victims():
        return []
    reason = f"{run.name}: the kernel killed the pinned decoy (pid {run.decoy.pid})"
    if run.decoy.score != run.decoy.wanted_score:
        reason += (
            f"; its score was {run.decoy.score}, not {run.decoy.wanted_score}: the pin was not applied; {_CHECK_SCORES}"
        )
    return [reason]


def _objections(run: ObservedRun) -> List[str]:
    """Return what keeps this run from proving the pin."""
    dying, living = (run.hog, run.decoy) if run.expected == "hog" else (run.decoy, run.hog)
    found = list(run.problems)
    if dying.pid not in run.victims():
        found.append(_why_not_killed(dying))
    elif run.observed() != run.expected:
        found.append(f"the kernel killed {name_first_victim(run)} before the {run.expected}: set a larger memory_limit")
    if run.expected == "hog" and not living.outlived and living.pid not in run.victims():
        found.append(f"the kernel did not kill the decoy, but the decoy {describe_end(living.exit, living.signal)}")
    found += [
        f"the {actor.role} had score {actor.score}, not {actor.wanted_score}: {_CHECK_SCORES}"
        for actor in (run.decoy, run.hog)
        if actor.score != actor.wanted_score
    ]
    return [f"{run.name}: {reason}" for reason in found + _log_objections(run, dying)]


def _log_objections(run: ObservedRun, dying: Actor) -> List[str]:
    """Return where log and counters contradict the expected course."""
    found = []
    strangers = [pid for pid in run.victims() if pid not in (run.hog.pid, run.decoy.pid)]
    if strangers:
        pids = ", ".join(map(str, strangers))
        found.append(f"the kernel killed another process in the trial's cgroup: pid {pids}; {_KEEP_OUT}")
    logged_score = run.logged_score(dying.pid)
    if logged_score not in (None, dying.wanted_score):
        found.append(
            f"the kernel log shows score {logged_score} for the {dying.role}, not {dying.wanted_score}: {_CHECK_SCORES}"
        )
    if run.cgroup_oom_kill is not None and run.cgroup_oom_kill != len(run.victims()):
        found.append(
            f"the cgroup counted {run.cgroup_oom_kill} kills, the kernel log names {len(run.victims())}: run it again"
        )
    return found


def name_first_victim(run: ObservedRun) -> str:
    """Return which process the kernel killed first, for a sentence."""
    observed = run.observed()
    return {None: "no process", "other": "another process"}.get(observed, f"the {observed}")


def _why_not_killed(actor: Actor) -> str:
    """Return why an actor that the kernel should have killed does not count as killed."""
    if actor.outlived:
        return f"the {actor.role} was not killed: check that the kernel enforces memory limits here"
    if actor.signal == 9:
        return (
            f"the {actor.role} ended by signal 9, but the kernel log does not name its pid {actor.pid}: {_OTHER_KILLER}"
        )
    return f"the {actor.role} {describe_end(actor.exit, actor.signal)}"


START_FAILED = 203  # EXIT_EXEC of systemd.exec(5)

_BUILD = "build it from the oom_hog.c of this release, for this host"

# Exit codes of oom_hog, of the dynamic loader and of systemd, and what to do about each.
_EXITS: Dict[Optional[int], str] = {
    0: f"ended by itself (exit 0): memory did not run out; {_BUILD}",
    2: f"rejected its options (exit 2): {_BUILD}",
    3: "refused to start in this memory domain (exit 3): check that the cgroup's limit is in force",
    4: "could not set its score (exit 4): run as root on the host itself, or set a higher score",
    12: "was refused memory instead of being killed (ENOMEM, exit 12): set vm.overcommit_memory to 0 or 1",
    127: "found no library that it needs (exit 127): build it on this host, or with -static",
    START_FAILED: "could not be started by systemd (exit 203): put it below /usr/local/libexec",
    206: "could not get its score from systemd (exit 206): run on the host itself, or set manager=cgroupfs",
}


def describe_end(code: Optional[int], number: Optional[int]) -> str:
    """Return how a program ended, by exit code or signal, as the predicate of a sentence."""
    if number == 14:
        return "ended by its own deadline (SIGALRM): set a longer timeout"
    if number is not None:
        return f"ended by signal {number}: find out what sent it, and run it again"
    return _EXITS.get(code, f"ended with exit {code}: {_BUILD}")


def _disturbances(surroundings: Surroundings) -> List[str]:
    """Return events outside the trial that prevent a proof."""
    found = []
    if surroundings.log_error:
        found.append(surroundings.log_error)
    for event, reason in surroundings.doubtful[:MOST_NAMED]:
        names = ", ".join(f"{victim['pid']} ({victim['name']})" for victim in event["victims"])
        found.append(
            f"during the trial the kernel also killed process {names} elsewhere on the host ({reason}):"
            f" {_SHARED_KERNEL}"
        )
    if len(surroundings.doubtful) > MOST_NAMED:
        found.append(f"... and {len(surroundings.doubtful) - MOST_NAMED} more such kills: {_SHARED_KERNEL}")
    counted, logged = surroundings.counted_kills, surroundings.logged_kills
    if counted is not None and counted != logged:
        found.append(f"/proc/vmstat counted {counted} kills, the kernel log names {logged}: {_SHARED_KERNEL}")
    if surroundings.lost:
        names = ", ".join(f"{one.pid} ({one.name})" for one in surroundings.lost[:MOST_NAMED])
        more = ", ..." if len(surroundings.lost) > MOST_NAMED else ""
        found.append(f"bystanders were lost: {names}{more}; start them again, and run the trial again")
    return found
