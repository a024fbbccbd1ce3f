# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Apply a plan: write, read back, check again a moment later, and undo all on any failure.

Strategy: what is to be written is noted first, so that the undo covers a write that a signal
interrupts. The undo changes only what still is as it was written. Trouble with a single process,
which may be a user's, is reported as a warning: it does not cost the other targets their pins.
"""

import contextlib
import os
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import writer_lock
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN, Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import (
    EndingSignals,
    Interrupted,
    ending_signals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import ByUnit, Selector
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_in_writer import (
    DropInWriter,
    explain_undo_failure,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.forks import ForkWatch, warnings_for_forks
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    refuse_missing,
    warnings_for_missing,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    NAMING,
    Change,
    Outcome,
    Pin,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import PinPlan, measure_killable
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.writes import (
    Write,
    move_to_immune,
    refuse_write,
)

# A selection that still changes after this time forks faster than it can be pinned.
STABLE_SECONDS = 30
# A process that ends before its score is read may have left a child with the old score. Where
# processes end all the time, this many consecutive scans must find nothing.
QUIET_LOOKS = 20
# A program that manages its own score sets it again soon. guards.py lists those that take minutes.
SECOND_LOOK_SECONDS = 0.2
# A program may set its score before ours is read back. If that happens this many times in a row,
# the program does so all the time, or the kernel did not accept the write.
ATTEMPTS = 3
_WAIT_SECONDS = 0.001


class AppliedPins(NamedTuple):
    """What was done, and warnings beyond those of the plan."""

    outcomes: List[Outcome]
    warnings: List[str]


def apply_locked(procfs: Procfs, systemd: Systemd, make_plan: Callable[[], PinPlan]) -> Tuple[PinPlan, AppliedPins]:
    """Make a plan and apply it, as the only writer of this host; return both.

    A plan that was made before the lock may be out of date: another run may have ended since.
    Raises Interrupted for a signal that ends the run, otherwise what apply_plan() raises.
    """
    with ending_signals() as signals, contextlib.ExitStack() as lock:
        with signals.interrupt():
            lock.enter_context(writer_lock(systemd.root))
            plan = make_plan()
        applied = apply_plan(procfs, plan, signals) if plan.changed else AppliedPins(plan.outcomes, [])
        return plan, applied._replace(warnings=applied.warnings + _settle_record(plan.finder))


def _settle_record(finder: TargetFinder) -> List[str]:
    """Bring the record up to date; return a warning if that fails.

    An entry too many does no harm, and all pins are written.
    """
    if finder.has_record:
        try:
            finder.record.settle()
        except OomError as error:
            return [str(error)]
    return []


def apply_plan(procfs: Procfs, plan: PinPlan, signals: Optional[EndingSignals] = None) -> AppliedPins:
    """Write a plan to the host and return what really happened.

    On any failure every score and drop-in that was already written is put back,
    and the failure is raised; an OomError then also names what could not be put back.
    """
    signals = signals or EndingSignals()
    scores = ScoreWriter(procfs, plan)
    drop_ins = DropInWriter(procfs, plan.finder)
    try:
        with signals.interrupt():
            outcomes = scores.write(plan.outcomes)
            refuse_missing(outcomes, plan.finder.missing, plan.finder.advise)
            changed_warnings = drop_ins.write(outcomes)
            resets = scores.find_resets()
    except BaseException as error:
        failures = scores.undo() + drop_ins.undo()
        if failures:
            raise OomError(f"{error}; this could not be put back, do it by hand: {'; '.join(failures)}") from error
        if isinstance(error, Interrupted):
            raise Interrupted(f"{error}: all that it had changed was put back; run again") from error
        raise
    missing = warnings_for_missing(outcomes, plan.finder.missing, plan.finder.advise)
    return AppliedPins(
        [drop_ins.describe(_add_resets(outcome, resets)) for outcome in outcomes],
        [one for one in missing if one not in plan.warnings]
        + scores.warnings
        + changed_warnings
        + warnings_for_resets(resets),
    )


# --- scores -----------------------------------------------------------------------


class _Step(NamedTuple):
    """One score to write."""

    pin: Pin
    change: Change
    selector: Optional[Selector]  # must still match; None for an heir, which was found by descent
    is_late: bool = False  # not part of the plan

    @property
    def process(self) -> Tuple[int, int]:
        """Return pid and start time."""
        return _identify(self.change.process)


def _identify(process: Process) -> Tuple[int, int]:
    return process.pid, process.start_time


def _needs_record(step: _Step) -> bool:
    """Return whether it pins a process, but the main process of a unit with a drop-in."""
    is_held = isinstance(step.selector, ByUnit) and step.pin.persistent and step.selector.is_main(step.process[0])
    return step.selector is not None and step.pin.score is not None and not is_held


class ScoreWriter:
    """Writes the scores of a plan, and remembers them for the way back."""

    def __init__(self, procfs: Procfs, plan: PinPlan) -> None:
        self._procfs = procfs
        self._finder = plan.finder
        self._killable: Killable = plan.killable
        self._least_killable_percent = plan.least_killable_percent
        self._written: List[Change] = []  # noted before the write
        self._latest: Dict[Tuple[int, int], Change] = {}  # the last write that was read back
        self._attempts: Dict[Tuple[int, int], int] = {}
        self._left: Set[Tuple[int, int]] = set()  # processes that are not written to any more
        self._troubles: Dict[Tuple[int, int], OomError] = {}
        self._forks = ForkWatch(procfs)
        self._keeps_record = os.geteuid() == 0
        self.warnings: List[str] = []

    def write(self, outcomes: List[Outcome]) -> List[Outcome]:
        """Write all scores, and return the outcomes; processes that have ended are only counted.

        Raises ReadBackError if no selected process keeps its score; for some it is a warning.
        """
        steps = [step for outcome in outcomes for step in self._list_steps(outcome)]
        steps.sort(key=lambda step: step.change.rise)
        self._record_scores(steps)
        done = {(step.pin, step.change): self._write_step(step) for step in dict.fromkeys(steps)}
        kept = [
            outcome._replace(
                changes=_replace_changes(outcome.pin, outcome.changes, done),
                inherited=_replace_changes(outcome.pin, outcome.inherited, done),
                vanished=sum(done.get((outcome.pin, change), change) is None for change in outcome.changes),
            )
            for outcome in outcomes
        ]
        stable = [self._write_until_stable(outcome) for outcome in kept]
        errors = list(self._troubles.values())
        selected = {_identify(change.process) for outcome in stable for change in outcome.changes}
        if selected and selected <= set(self._troubles):
            raise errors[0]
        self.warnings += [str(error) for error in errors] + warnings_for_forks(self._forks.given_up)
        self.warnings += self._warnings_for_record()
        return stable

    def _list_steps(self, outcome: Outcome, is_late: bool = False) -> List[_Step]:
        selector = self._finder.find_selector(outcome.pin)
        selected = [_Step(outcome.pin, change, selector, is_late) for change in outcome.changes]
        inherited = [_Step(outcome.pin, change, None, is_late) for change in outcome.inherited]
        return [
            step
            for step in selected + inherited
            if step.change.before != step.change.after and step.process not in self._left
        ]

    def _record_scores(self, steps: List[_Step]) -> None:
        """Record the scores before pins that no drop-in holds, for a run that gives them back.

        A pin protects also without its record: trouble with that is a warning.
        """
        needed = [step for step in steps if _needs_record(step)]
        changes = [step.change for step in needed]
        targets = {step.process: step.pin.target for step in needed if step.pin.selector in NAMING}
        if not changes or not self._keeps_record:
            return
        try:
            self._finder.record.note(changes, steps[0].is_late, targets)
        except OomError as error:
            self._keeps_record = False
            self._finder.forget_record()
            self.warnings.append(
                f"{error}; the scores before this pin are not recorded:"
                " state=absent gives the processes the score of their unit or parent"
            )

    def _warnings_for_record(self) -> List[str]:
        left = self._finder.record.unrecorded if self._finder.has_record else 0
        if not left:
            return []
        return [
            f"the scores of {left} processes before this pin were not recorded, because there are too many:"
            " state=absent gives them the score of their unit or parent"
        ]

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
                break
            self._record_scores(late)
            for step in late:
                change = self._write_step(step)
                if change is None:
                    vanished += 1
                else:
                    (inherited if step.selector is None else changes).append(change)
            if not late:
                time.sleep(_WAIT_SECONDS)
        else:
            self.warnings.append(
                f"{pin.target}: after {STABLE_SECONDS} seconds processes still appear with another score,"
                " or fork too fast to be checked: some may have the old score; run again"
            )
        return outcome._replace(changes=_merge_changes(changes), inherited=_merge_changes(inherited), vanished=vanished)

    def _find_late(self, pin: Pin, selector: Selector) -> Tuple[bool, List[_Step]]:
        """Return whether all listed processes were seen with the score, and what is left to do."""
        members = [] if pin.score is None or pin.children == "reset" else selector.members()
        # Scores alone are read faster than most short-lived processes end.
        scores = self._procfs.scores(members)
        if members and set(scores.values()) == {pin.score}:
            return len(scores) == len(members), []
        seen = self._finder.find_again(pin)
        late = self._list_steps(seen, is_late=True)
        return not members and not seen.vanished and not late, late

    def _write_step(self, step: _Step) -> Optional[Change]:
        """Write one score; return the change that really happened.

        Returns None if the process has ended, or no longer matches. A score that must not be
        written, or that the process does not keep, stays as it is, with a warning.
        """
        process = step.change.process
        try:
            with self._procfs.open(process.pid) as directory:
                found = directory.process()
                if found.start_time != process.start_time:
                    return None
                if step.selector is not None and not step.selector.matches(found, directory):
                    return None
                now = directory.score()
                if now == step.change.after:
                    return self._latest.get(step.process, step.change._replace(before=now))
                unchanged = step.change._replace(before=now, after=now)
                refusal = self._refuse(step, found, now, directory)
                if refusal is not None:
                    self._left.add(step.process)
                    self.warnings.append(refusal)
                    return unchanged
                change = step.change._replace(before=now)
                self._written.append(change)
                try:
                    _set_score(directory, change)
                except ReadBackError as error:
                    self._left.add(step.process)
                    self._troubles[step.process] = error
                    return change._replace(after=directory.score())
        except GONE:
            return None
        self._note(step, change, found)
        return change

    def _refuse(self, step: _Step, process: Process, now: int, directory: ProcessDir) -> Optional[str]:
        """Return why this score must not be written now, as a warning; None if it may."""
        if self._attempts.get(step.process, 0) >= ATTEMPTS:
            return (
                f"{process} sets its score to {now} again and again: it manages its own score;"
                " look for a setting of the program"
            )
        was_asked = step.selector is not None and step.pin.score is not None
        planned_cgroups = None if was_asked else self._finder.find_deciding_cgroups(process)
        write = Write(
            pin=step.pin,
            process=process,
            planned=step.change,
            now=now,
            is_heir=step.selector is None,
            is_late=step.is_late,
            planned_cgroups=planned_cgroups,
            cgroups=[] if planned_cgroups is None else directory.cgroups(),
        )
        refusal = refuse_write(write, self._killable, self._least_killable_percent)
        if refusal is not None and step.is_late and step.change.after == SCORE_MIN:
            # Many that were made immune may have ended since.
            self._killable = measure_killable(ProcessTable(self._procfs), [])
            refusal = refuse_write(write, self._killable, self._least_killable_percent)
        return refusal

    def _note(self, step: _Step, change: Change, process: Process) -> None:
        """Remember a score that was written and read back."""
        self._latest[step.process] = change
        self._attempts[step.process] = self._attempts.get(step.process, 0) + 1
        if step.is_late and change.after == SCORE_MIN:
            self._killable = move_to_immune(self._killable, process)
        self._forks.add(change.process)

    def undo(self) -> List[str]:
        """Put every written score back that a process still has, and return what failed."""
        failures = []
        for change in reversed(self._written):
            try:
                with self._procfs.open(change.process.pid) as directory:
                    is_same = directory.process().start_time == change.process.start_time
                    if is_same and directory.score() == change.after:
                        _set_score(directory, Change(change.process, change.after, change.before))
            except GONE:
                continue
            except Exception as error:  # whatever it is, the rest is put back
                failures.append(explain_undo_failure(f"the score {change.before} of {change.process}", error))
        if self._finder.has_record:
            try:
                self._finder.record.restore()
            except Exception as error:
                failures.append(explain_undo_failure("the record of scores", error))
        return failures

    def find_resets(self) -> Dict[Tuple[int, int], Tuple[Process, int, int]]:
        """Wait a moment, and return each process that has replaced its written score since.

        The key is its pid and start time; the value is the process, its score now, and ours.
        """
        if not self._latest:
            return {}
        time.sleep(SECOND_LOOK_SECONDS)
        resets: Dict[Tuple[int, int], Tuple[Process, int, int]] = {}
        for change in self._latest.values():
            try:
                with self._procfs.open(change.process.pid) as directory:
                    now = directory.score()
                    if directory.process().start_time == change.process.start_time and now != change.after:
                        resets[_identify(change.process)] = (change.process, now, change.after)
            except GONE:
                continue
        return resets


def _replace_changes(pin: Pin, changes: List[Change], done: Dict[Tuple[Pin, Change], Optional[Change]]) -> List[Change]:
    """Return the planned changes as they really happened, without processes that were gone."""
    replaced = [done.get((pin, change), change) for change in changes]
    return [change for change in replaced if change is not None]


def _merge_changes(changes: List[Change]) -> List[Change]:
    """Return one change for each process: from its first score to its last one."""
    merged: Dict[Tuple[int, int], Change] = {}
    for change in changes:
        first = merged.get(_identify(change.process), change)
        merged[_identify(change.process)] = first._replace(after=change.after)
    return list(merged.values())


def _add_resets(outcome: Outcome, resets: Dict[Tuple[int, int], Tuple[Process, int, int]]) -> Outcome:
    def add(change: Change) -> Change:
        reset = resets.get(_identify(change.process))
        return change._replace(after=reset[1]) if reset and change.after == reset[2] else change

    return outcome._replace(
        changes=[add(change) for change in outcome.changes], inherited=[add(change) for change in outcome.inherited]
    )


def warnings_for_resets(resets: Dict[Tuple[int, int], Tuple[Process, int, int]]) -> List[str]:
    """Return a warning for each process that set its own score after ours."""
    return [
        f"{process} set its score to {now} right after it was set to {written}:"
        " it manages its own score; look for a setting of the program"
        for process, now, written in resets.values()
    ]


def _set_score(directory: ProcessDir, change: Change) -> None:
    """Write a score and read it back.

    Raises AccessError if the kernel denies it, ReadBackError if it shows another score.
    """
    for _attempt in range(ATTEMPTS):
        try:
            directory.set_score(change.after)
        except GONE:
            raise
        except OSError as error:
            raise _make_write_error(change, error) from error
        now = directory.score()
        if now == change.after:
            return
    raise ReadBackError(
        f"{change.process} shows score {now} after {change.after} was written:"
        " it may set its own score; look for a setting of the program"
    )


def _make_write_error(change: Change, error: OSError) -> AccessError:
    # Imported only here: most runs do without.
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.denials import explain_denial

    if isinstance(error, PermissionError):
        return AccessError(explain_denial(change))
    return AccessError(f"the score of {change.process} cannot be set: {explain_os_error(error)}")
