# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Scores of running processes: find, plan, apply, re-read.

A pin is the value of /proc/PID/oom_score_adj, -1000 (never chosen) to 1000
(chosen first), one for each process (fs/proc/base.c:__set_oom_adj).
"""

import os
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils import _cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    OomError,
    ReadBackError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import (
    GONE,
    SCORE_MAX,
    SCORE_MIN,
    Process,
    ProcessDir,
    Procfs,
)

# A cgroup whose process list still changes after so many looks forks faster than it can be pinned.
CGROUP_ROUNDS = 100


class Pin(NamedTuple):
    """What the user asked for, one target."""

    selector: str  # pid, pidfile, process, pattern or cgroup
    value: str
    score: int
    missing: str  # fail, warn or ignore

    @property
    def target(self) -> str:
        return "{0}={1}".format(self.selector, self.value)


class Change(NamedTuple):
    """One process and its score before and after; both are the same where nothing is to do."""

    process: Process
    before: int
    after: int


class Outcome(NamedTuple):
    """What became, or in check mode would become, of one target."""

    pin: Pin
    changes: List[Change]
    vanished: int  # processes that matched and ended before the write


# --- selectors: which processes does a target mean -------------------------


class _ByPid:
    """One process by its number."""

    def __init__(self, value: str) -> None:
        if not value.isdigit() or int(value) < 1:
            raise InputError("pid {0!r} is not a process number".format(value))
        self.pid = int(value)

    def candidates(self, procfs: Procfs) -> List[int]:
        return [self.pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return process.pid == self.pid


class _ByPidfile(_ByPid):
    """One process by the number that a file holds."""

    def __init__(self, value: str) -> None:
        try:
            with open(value, errors="replace") as stream:
                text = stream.read(64).strip()
        except FileNotFoundError:
            raise NotFoundError("pidfile {0} does not exist".format(value))
        except OSError as error:
            raise InputError("pidfile {0} cannot be read: {1}".format(value, error.strerror))
        try:
            super().__init__(text)
        except InputError:
            raise InputError("pidfile {0} holds {1!r}, not a process number".format(value, text[:32]))


class _ByProcess:
    """Every process with this name, or running a program of this name."""

    def __init__(self, value: str) -> None:
        if not value or "/" in value:
            raise InputError("process {0!r} is not a name: give the comm or the base name of the program".format(value))
        self.name = value

    def candidates(self, procfs: Procfs) -> List[int]:
        return procfs.pids()

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return process.name == self.name or directory.executable() == self.name


class _ByPattern:
    """Every process whose command line a regular expression finds.

    Never the caller or what started it: their command lines may well hold the
    pattern itself, as that of C(ansible -a pattern=...) does.
    """

    def __init__(self, value: str) -> None:
        try:
            self.pattern = re.compile(value)
        except re.error as error:
            raise InputError("pattern {0!r} is not a regular expression: {1}".format(value, error))
        if self.pattern.search(""):
            raise InputError("pattern {0!r} finds every process: say more".format(value))

    def candidates(self, procfs: Procfs) -> List[int]:
        return sorted(set(procfs.pids()) - set(procfs.ancestors(os.getpid())))

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        return self.pattern.search(directory.command_line()) is not None


class _ByCgroup:
    """Every process in a cgroup and in the cgroups below it."""

    def __init__(self, value: str) -> None:
        self.path = value

    def candidates(self, procfs: Procfs) -> List[int]:
        return _cgroup.processes(_cgroup.find(procfs, self.path))

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        inside = self.path.rstrip("/") + "/"
        return any((path + "/").startswith(inside) for path in directory.cgroups())


SELECTORS = {
    "pid": _ByPid,
    "pidfile": _ByPidfile,
    "process": _ByProcess,
    "pattern": _ByPattern,
    "cgroup": _ByCgroup,
}


# --- plan: what there is against what is wanted -----------------------------


class Pins:
    """All targets of one call, each look at the host shared by all of them."""

    def __init__(self, procfs: Procfs, pins: Iterable[Pin]) -> None:
        self._procfs = procfs
        self._pins = list(dict.fromkeys(pins))  # the same target twice is one target
        self._selectors = {}  # type: Dict[Pin, Any]
        for pin in self._pins:
            if not SCORE_MIN <= pin.score <= SCORE_MAX:
                raise InputError("{0}: score {1} is out of range, {2} to {3}".format(pin.target, pin.score, SCORE_MIN, SCORE_MAX))
        # Filled by plan() and apply(): for the user, not errors.
        self.warnings = []  # type: List[str]

    def plan(self) -> List[Outcome]:
        """Which processes would change. Reads only; fails before anything is written."""
        outcomes = self._look(self._pins)
        self._check_missing(outcomes)
        _check_conflicts(outcomes)
        lowered = [change for outcome in outcomes for change in outcome.changes if change.after < change.before]
        if lowered and not self._procfs.has_cap_sys_resource():
            self.warnings.append(
                "lowering a score without CAP_SYS_RESOURCE is denied below the lowest value that a privileged process ever gave to it"
            )
        return outcomes

    def _look(self, pins: List[Pin]) -> List[Outcome]:
        """One pass over the processes for all targets."""
        by_pid = {}  # type: Dict[int, List[Pin]]
        found = {pin: [] for pin in pins}  # type: Dict[Pin, List[Change]]
        for pin in pins:
            for pid in self._candidates(pin):
                by_pid.setdefault(pid, []).append(pin)
        for pid, wanted in sorted(by_pid.items()):
            try:
                with self._procfs.open(pid) as directory:
                    process = directory.process()
                    for pin in wanted:
                        if self._selectors[pin].matches(process, directory) and self._may_pin(pin, process):
                            found[pin].append(Change(process, directory.score(), pin.score))
            except GONE:
                continue
        return [Outcome(pin, found[pin], 0) for pin in pins]

    def _candidates(self, pin: Pin) -> List[int]:
        try:
            self._selectors[pin] = SELECTORS[pin.selector](pin.value)
            return self._selectors[pin].candidates(self._procfs)
        except NotFoundError:
            if pin.missing == "fail":
                raise
            return []

    @staticmethod
    def _may_pin(pin: Pin, process: Process) -> bool:
        if process.kernel_thread and pin.selector in ("pid", "pidfile"):
            raise InputError("{0}: {1} is a kernel thread, which the OOM killer never chooses".format(pin.target, process.name))
        return not process.kernel_thread

    def _check_missing(self, outcomes: List[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.changes:
                continue
            sentence = "{0}: no such process".format(outcome.pin.target)
            if outcome.pin.missing == "fail":
                raise NotFoundError(sentence + " (missing=ignore or missing=warn accepts that)")
            if outcome.pin.missing == "warn":
                self.warnings.append(sentence)

    # --- apply: write, re-read, and undo all on any failure ----------------

    def apply(self, outcomes: List[Outcome]) -> List[Outcome]:
        """Write what the plan says; what really happened comes back.

        Processes that ended since are counted. On any failure every score that
        was already written is put back, and the failure is raised.
        """
        written = []  # type: List[Tuple[Pin, Change]]
        try:
            outcomes = self._write_all(outcomes, written)
            self._check_missing(outcomes)
        except OomError as error:
            left = self._undo(written)
            if left:
                raise type(error)("{0}; these scores could not be put back: {1}".format(error, ", ".join(left)))
            raise
        return outcomes

    def _write_all(self, outcomes: List[Outcome], written: List[Tuple[Pin, Change]]) -> List[Outcome]:
        vanished = set()  # type: Set[Tuple[Pin, Change]]
        todo = [(outcome.pin, change) for outcome in outcomes for change in outcome.changes if change.before != change.after]
        # Lowering is what the kernel may deny: first, so that a denial comes before anything else changed.
        for pin, change in sorted(todo, key=lambda one: one[1].after - one[1].before):
            try:
                self._write(pin, change)
                written.append((pin, change))
            except GONE:
                vanished.add((pin, change))
        kept = [
            Outcome(
                outcome.pin,
                [change for change in outcome.changes if (outcome.pin, change) not in vanished],
                outcome.vanished + sum((outcome.pin, change) in vanished for change in outcome.changes),
            )
            for outcome in outcomes
        ]
        return [self._until_stable(outcome, written) if outcome.pin.selector == "cgroup" else outcome for outcome in kept]

    def _until_stable(self, outcome: Outcome, written: List[Tuple[Pin, Change]]) -> Outcome:
        """A fork between look and write keeps the old score: look again until nothing is left to do."""
        changes, vanished = list(outcome.changes), outcome.vanished
        for _round in range(CGROUP_ROUNDS):
            late = [change for change in self._look([outcome.pin])[0].changes if change.before != change.after]
            if not late:
                return Outcome(outcome.pin, changes, vanished)
            for change in late:
                try:
                    self._write(outcome.pin, change)
                except GONE:
                    vanished += 1
                    continue
                written.append((outcome.pin, change))
                changes.append(change)
        raise OomError(
            "{0}: processes still appear with another score after {1} looks: something in it sets its own score".format(
                outcome.pin.target, CGROUP_ROUNDS
            )
        )

    def _write(self, pin: Pin, change: Change) -> None:
        """Raises one of GONE when the process that was looked up is no more, or no longer what was asked for."""
        with self._procfs.open(change.process.pid) as directory:
            process = directory.process()
            if process.start_time != change.process.start_time or not self._selectors[pin].matches(process, directory):
                raise ProcessLookupError()
            _set_score(directory, change)

    def _undo(self, written: List[Tuple[Pin, Change]]) -> List[str]:
        left = []
        for _pin, change in reversed(written):
            try:
                with self._procfs.open(change.process.pid) as directory:
                    if directory.process().start_time == change.process.start_time:
                        _set_score(directory, Change(change.process, change.after, change.before))
            except GONE:
                continue
            except OomError as error:
                left.append(str(error))
        return left


def _set_score(directory: ProcessDir, change: Change) -> None:
    try:
        directory.set_score(change.after)
    except PermissionError:
        raise AccessError(_denied(change))
    now = directory.score()
    if now != change.after:
        raise ReadBackError("{0} shows score {1} after {2} was written".format(_name(change.process), now, change.after))


def _denied(change: Change) -> str:
    what = "setting the score of {0} from {1} to {2} was denied".format(_name(change.process), change.before, change.after)
    if change.after < change.before:
        return (
            what + ": lowering a score needs CAP_SYS_RESOURCE in the initial user namespace, which this process"
            " (uid {0}) lacks; run as root on the host itself, not in a container".format(os.geteuid())
        )
    return what + ": only its owner and root may do that; use become"


def _name(process: Process) -> str:
    return "process {0} ({1})".format(process.pid, process.name)


def _check_conflicts(outcomes: List[Outcome]) -> None:
    """Two targets may select the same process only for the same score."""
    wanted = {}  # type: Dict[int, Pin]
    for outcome in outcomes:
        for change in outcome.changes:
            other = wanted.setdefault(change.process.pid, outcome.pin)
            if other.score != outcome.pin.score:
                raise InputError(
                    "{0} is selected twice: {1} wants {2}, {3} wants {4}".format(
                        _name(change.process), other.target, other.score, outcome.pin.target, outcome.pin.score
                    )
                )


# --- what the user gets back ------------------------------------------------


def result(outcomes: List[Outcome]) -> Dict[str, Any]:
    """C(changed), C(targets) and C(diff), computed from the plan or from what was done, in one place."""
    changes = [change for outcome in outcomes for change in outcome.changes]
    return {
        "changed": any(change.before != change.after for change in changes),
        "targets": [
            {
                "target": outcome.pin.target,
                "found": bool(outcome.changes),
                "changed": any(change.before != change.after for change in outcome.changes),
                "vanished": outcome.vanished,
                "processes": [
                    {
                        "pid": change.process.pid,
                        "name": change.process.name,
                        "start_time": change.process.start_time,
                        "before": change.before,
                        "after": change.after,
                    }
                    for change in outcome.changes
                ],
            }
            for outcome in outcomes
        ],
        "diff": {
            "before": _scores((change.process, change.before) for change in changes),
            "after": _scores((change.process, change.after) for change in changes),
        },
    }


def _scores(rows: Iterable[Tuple[Process, int]]) -> str:
    return "".join("{0} {1} oom_score_adj {2}\n".format(process.pid, process.name, score) for process, score in rows)
