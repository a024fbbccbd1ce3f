# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Apply a plan: write, read back, check again a moment later, and undo all on any failure."""

import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.forks import ForkWatch
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    refuse_missing,
    warnings_for_missing,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Outcome, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import PinPlan, TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import Selector

# A selection that still changes after this time forks faster than it can be pinned.
STABLE_SECONDS = 30
# A process that ends before its score is read may have left a child with the old score. Where
# processes end all the time, this many looks in a row must find nothing.
QUIET_LOOKS = 20
# A program that manages its own score sets it again soon. Those that take minutes are known by
# name (guards.py).
SECOND_LOOK_SECONDS = 0.2
# A program may set its score before ours is read back, but hardly that often in a row: then the
# kernel did not accept the write.
ATTEMPTS = 3


class AppliedPins(NamedTuple):
    """What was done, and warnings beyond those of the plan."""

    outcomes: List[Outcome]
    warnings: List[str]


def apply_plan(procfs: Procfs, systemd: Systemd, plan: PinPlan) -> AppliedPins:
    """Write a plan to the host and return what really happened.

    On any failure every score and drop-in that was already written is put back,
    and the failure is raised; an OomError then also names what could not be put back.
    """
    scores = ScoreWriter(procfs, plan.finder)
    drop_ins = DropInWriter(systemd, plan.finder)
    try:
        outcomes = scores.write(plan.outcomes)
        refuse_missing(outcomes, plan.finder.missing)
        changed_warnings = drop_ins.write(outcomes)
    except BaseException as error:
        failures = scores.undo() + drop_ins.undo()
        if failures:
            raise OomError(f"{error}; this could not be put back: {'; '.join(failures)}") from error
        raise
    resets = scores.find_resets()
    missing = warnings_for_missing(outcomes, plan.finder.missing)
    return AppliedPins(
        [_add_resets(outcome, resets) for outcome in outcomes],
        [one for one in missing if one not in plan.warnings] + changed_warnings + warnings_for_resets(resets),
    )


# --- scores -----------------------------------------------------------------------


class _Step(NamedTuple):
    """One score to write."""

    pin: Pin
    change: Change
    selector: Optional[Selector]  # must still match; None if being the same process is enough


class ScoreWriter:
    """Writes the scores of a plan, and remembers them for the way back."""

    def __init__(self, procfs: Procfs, finder: TargetFinder) -> None:
        self._procfs = procfs
        self._finder = finder
        self._written: List[Change] = []
        self._forks = ForkWatch(procfs)

    def write(self, outcomes: List[Outcome]) -> List[Outcome]:
        """Write all scores, and return the outcomes; processes that have ended are only counted."""
        steps = [step for outcome in outcomes for step in self._list_steps(outcome)]
        # The kernel may deny to lower a score: this comes first, before anything else has changed.
        steps.sort(key=lambda step: step.change.after - step.change.before)
        gone = {(step.pin, step.change) for step in steps if not self._write_step(step)}
        kept = [
            outcome._replace(
                changes=[change for change in outcome.changes if (outcome.pin, change) not in gone],
                inherited=[change for change in outcome.inherited if (outcome.pin, change) not in gone],
                vanished=sum((outcome.pin, change) in gone for change in outcome.changes),
            )
            for outcome in outcomes
        ]
        return [self._write_until_stable(outcome) for outcome in kept]

    def _list_steps(self, outcome: Outcome) -> List[_Step]:
        selector = self._finder.find_selector(outcome.pin)
        selected = [_Step(outcome.pin, change, selector) for change in outcome.changes]
        inherited = [_Step(outcome.pin, change, None) for change in outcome.inherited]
        return [step for step in selected + inherited if step.change.before != step.change.after]

    def _write_until_stable(self, outcome: Outcome) -> Outcome:
        """Find the target again until no process has the old score.

        A process that was forked between look and write keeps it.
        """
        pin = outcome.pin
        selector = self._finder.find_selector(pin)
        if selector is None or not (selector.grows or pin.children == "reset"):
            return outcome
        changes, inherited, vanished = list(outcome.changes), list(outcome.inherited), outcome.vanished
        deadline = time.monotonic() + STABLE_SECONDS
        quiet = 0
        while time.monotonic() < deadline:
            settled = self._forks.all_ended()  # before the list is read, which then has all their children
            complete, late = self._find_late(pin, selector)
            quiet = quiet + 1 if settled and not late else 0
            if quiet and (complete or quiet >= QUIET_LOOKS):
                return outcome._replace(changes=changes, inherited=inherited, vanished=vanished)
            for step in late:
                if not self._write_step(step):
                    vanished += 1
                else:
                    (inherited if step.selector is None else changes).append(step.change)
        raise OomError(
            f"{pin.target}: after {STABLE_SECONDS} seconds processes still appear with another score,"
            " or fork too fast to be checked"
        )

    def _find_late(self, pin: Pin, selector: Selector) -> Tuple[bool, List[_Step]]:
        """Return whether all listed processes were seen with the score, and what is left to do."""
        members = [] if pin.score is None or pin.children == "reset" else selector.members()
        # Scores alone are read faster than most short-lived processes end.
        scores = self._procfs.scores(members)
        if members and set(scores.values()) == {pin.score}:
            return len(scores) == len(members), []
        seen = self._finder.find_again(pin)
        late = self._list_steps(seen)
        return not members and not seen.vanished and not late, late

    def _write_step(self, step: _Step) -> bool:
        """Write one score; return False if the process has ended, or no longer matches."""
        change = step.change
        try:
            with self._procfs.open(change.process.pid) as directory:
                process = directory.process()
                if process.start_time != change.process.start_time:
                    return False
                if step.selector is not None and not step.selector.matches(process, directory):
                    return False
                _set_score(directory, change)
        except GONE:
            return False
        self._written.append(change)
        self._forks.add(change.process)
        return True

    def undo(self) -> List[str]:
        """Put every written score back, and return what failed."""
        failures = []
        for change in reversed(self._written):
            try:
                with self._procfs.open(change.process.pid) as directory:
                    if directory.process().start_time == change.process.start_time:
                        _set_score(directory, Change(change.process, change.after, change.before))
            except GONE:
                continue
            except OomError as error:
                failures.append(str(error))
        return failures

    def find_resets(self) -> Dict[Change, int]:
        """Wait a moment, and return each written score that a program has replaced since."""
        if not self._written:
            return {}
        time.sleep(SECOND_LOOK_SECONDS)
        resets: Dict[Change, int] = {}
        for change in self._written:
            try:
                with self._procfs.open(change.process.pid) as directory:
                    now = directory.score()
                    if directory.process().start_time == change.process.start_time and now != change.after:
                        resets[change] = now
            except GONE:
                continue
        return resets


def _add_resets(outcome: Outcome, resets: Dict[Change, int]) -> Outcome:
    return outcome._replace(
        changes=[change._replace(after=resets.get(change, change.after)) for change in outcome.changes],
        inherited=[change._replace(after=resets.get(change, change.after)) for change in outcome.inherited],
    )


def warnings_for_resets(resets: Dict[Change, int]) -> List[str]:
    """Return a warning for each process that set its own score after ours."""
    return [
        f"{change.process} set its score to {now} right after it was set to {change.after}:"
        " it manages its own score; look for a setting of the program"
        for change, now in resets.items()
    ]


def _set_score(directory: ProcessDir, change: Change) -> None:
    """Write a score and read it back.

    Raises AccessError if the kernel denies it, ReadBackError if it shows another score.
    """
    for _attempt in range(ATTEMPTS):
        try:
            directory.set_score(change.after)
        except PermissionError as error:
            raise AccessError(_explain_denial(change)) from error
        except GONE:
            raise
        except OSError as error:
            raise AccessError(f"the score of {change.process} cannot be set: {error.strerror}") from error
        now = directory.score()
        if now == change.after:
            return
    raise ReadBackError(f"{change.process} shows score {now} after {change.after} was written")


def _explain_denial(change: Change) -> str:
    denied = f"setting the score of {change.process} from {change.before} to {change.after} was denied"
    if change.after < change.before:
        return (
            f"{denied}: lowering a score needs CAP_SYS_RESOURCE in the initial user namespace,"
            f" which this process (uid {os.geteuid()}) lacks; run as root on the host itself, not in a container"
        )
    return f"{denied}: only its owner and root may do that; use become"


# --- drop-ins ---------------------------------------------------------------------


class DropInWriter:
    """Writes the drop-ins of a plan, and remembers them for the way back."""

    def __init__(self, systemd: Systemd, finder: TargetFinder) -> None:
        self._systemd = systemd
        self._finder = finder
        self._written: List[DropIn] = []

    def write(self, outcomes: List[Outcome]) -> List[str]:
        """Write all drop-ins, reload systemd once, and return warnings for units started meanwhile.

        Raises ReadBackError if systemd then shows other values than its files set.
        """
        by_path = {one.drop_in.path: one for one in outcomes if one.drop_in is not None and one.reload}
        if not by_path:
            return []
        for outcome in by_path.values():
            drop_in = outcome.drop_in
            if drop_in is not None and drop_in.before != drop_in.after:
                self._written.append(drop_in)
                self._systemd.write(drop_in.path, drop_in.after)
        self._systemd.reload()
        return self._read_back(list(by_path.values()))

    def _read_back(self, outcomes: List[Outcome]) -> List[str]:
        warnings = []
        units = self._systemd.units(outcome.pin.value for outcome in outcomes)
        for outcome in outcomes:
            unit = units[outcome.pin.value]
            read = (
                ("OOMScoreAdjust", unit.score, outcome.effective_after_restart),
                ("OOMPolicy", unit.oom_policy, outcome.oom_policy),
            )
            for key, shown, expected in read:
                if unit.load_state == "loaded" and shown != expected:
                    raise ReadBackError(
                        f"unit {unit.id}: systemd shows {key}={shown}, but its files set {expected}:"
                        f" check systemctl cat {unit.id}"
                    )
            if unit.main_pid not in (0, self._finder.get_unit(outcome.pin).main_pid):
                warnings.append(f"unit {unit.id} was started during this run: run again to see its score")
        return warnings

    def undo(self) -> List[str]:
        """Put every written drop-in back, and return what failed."""
        failures = []
        for drop_in in reversed(self._written):
            try:
                self._systemd.write(drop_in.path, drop_in.before)
            except OomError as error:
                failures.append(str(error))
        try:
            if self._written:
                self._systemd.reload()
        except OomError as error:
            failures.append(str(error))
        return failures
