# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Carries a plan out: write, re-read, look again, and undo all on any failure."""

import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DropIn, Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.forks import Forking
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Outcome, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import Selector

# A selection that still changes after so long forks faster than it can be pinned.
STABLE_SECONDS = 30
# A process that ends before its score is read may have left a child with the old one. Where that happens all the time, so many
# looks in a row must find nothing.
QUIET_LOOKS = 20
# A program that does not want another's score sets its own again soon; those that take minutes are known by name (_guards).
SECOND_LOOK_SECONDS = 0.2
# It may even do so before the score is read back, but hardly so many times in a row: then it is the kernel that did not take it.
ATTEMPTS = 3


class _Step(NamedTuple):
    """One score to write."""

    pin: Pin
    change: Change
    selector: Optional[Selector]  # which it must still match; None where being the same process is enough


class Application:
    """One plan that is carried out."""

    def __init__(self, procfs: Procfs, systemd: Systemd, plan: Plan) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._plan = plan
        self._scores: List[Change] = []  # what was written so far
        self._drop_ins: List[DropIn] = []
        self._forking = Forking(procfs)

    def run(self) -> List[Outcome]:
        """What really happened. Processes that ended since the look are counted.

        On any failure every score and drop-in that was already written is put
        back, and the failure is raised.
        """
        try:
            outcomes = self._write_scores()
            self._plan.check_missing(outcomes)
            self._write_drop_ins(outcomes)
        except BaseException as error:
            left = self._undo()
            if left:
                raise OomError(f"{error}; this could not be put back: {'; '.join(left)}") from error
            raise
        return self._look_again(outcomes)

    # --- scores --------------------------------------------------------------------

    def _write_scores(self) -> List[Outcome]:
        todo: List[_Step] = []
        for outcome in self._plan.outcomes:
            todo.extend(self._steps(outcome))
        # Lowering is what the kernel may deny: first, so that a denial comes before anything else changed.
        gone = {
            (step.pin, step.change)
            for step in sorted(todo, key=lambda step: step.change.after - step.change.before)
            if not self._write(step)
        }
        kept = [
            outcome._replace(
                changes=[change for change in outcome.changes if (outcome.pin, change) not in gone],
                inherited=[change for change in outcome.inherited if (outcome.pin, change) not in gone],
                vanished=sum((outcome.pin, change) in gone for change in outcome.changes),
            )
            for outcome in self._plan.outcomes
        ]
        return [self._until_stable(outcome) for outcome in kept]

    def _steps(self, outcome: Outcome) -> List[_Step]:
        selector = self._plan.selector(outcome.pin)
        selected = [_Step(outcome.pin, change, selector) for change in outcome.changes]
        inherited = [_Step(outcome.pin, change, None) for change in outcome.inherited]
        return [step for step in selected + inherited if step.change.before != step.change.after]

    def _until_stable(self, outcome: Outcome) -> Outcome:
        """A fork between look and write keeps the old score: look again until nothing is left to do."""
        pin = outcome.pin
        selector = self._plan.selector(pin)
        if selector is None or not (selector.grows or pin.children == "reset"):
            return outcome
        changes, inherited, vanished = list(outcome.changes), list(outcome.inherited), outcome.vanished
        deadline = time.monotonic() + STABLE_SECONDS
        quiet = 0
        while time.monotonic() < deadline:
            settled = self._forking.none()  # before the list is read, which then has what was forked
            complete, late = self._late(pin, selector)
            quiet = quiet + 1 if settled and not late else 0
            if quiet and (complete or quiet >= QUIET_LOOKS):
                return outcome._replace(changes=changes, inherited=inherited, vanished=vanished)
            for step in late:
                if not self._write(step):
                    vanished += 1
                else:
                    (inherited if step.selector is None else changes).append(step.change)
        raise OomError(
            f"{pin.target}: after {STABLE_SECONDS} seconds processes still appear with another score, or fork faster than they can be looked at"
        )

    def _late(self, pin: Pin, selector: Selector) -> Tuple[bool, List[_Step]]:
        """Whether everything that is listed was seen to have its score, and what has another one."""
        members = [] if pin.score is None or pin.children == "reset" else selector.members()
        scores = self._procfs.scores(members)  # these alone are read before most of those end that end soon
        if members and set(scores.values()) == {pin.score}:
            return len(scores) == len(members), []
        seen = self._plan.look(pin)
        late = self._steps(seen)
        return not members and not seen.vanished and not late, late

    def _write(self, step: _Step) -> bool:
        """False when the process that was looked up is no more, or no longer what was asked for."""
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
        self._scores.append(change)
        self._forking.add(change.process)
        return True

    # --- drop-ins --------------------------------------------------------------------

    def _write_drop_ins(self, outcomes: List[Outcome]) -> None:
        todo = {outcome.drop_in.path: outcome for outcome in outcomes if outcome.drop_in is not None and outcome.reload}
        if not todo:
            return
        for outcome in todo.values():
            drop_in = outcome.drop_in
            if drop_in is not None and drop_in.before != drop_in.after:
                self._drop_ins.append(drop_in)
                self._systemd.write(drop_in.path, drop_in.after)
        self._systemd.reload()
        now = self._systemd.units(outcome.pin.value for outcome in todo.values())
        for outcome in todo.values():
            unit = now[outcome.pin.value]
            read = (
                ("OOMScoreAdjust", unit.score, outcome.effective_after_restart),
                ("OOMPolicy", unit.oom_policy, outcome.oom_policy),
            )
            for key, shown, expected in read:
                if unit.load_state == "loaded" and shown != expected:
                    raise ReadBackError(
                        f"unit {unit.id}: systemd shows {key}={shown} after its files say {expected}: look at systemctl cat {unit.id}"
                    )
            if unit.main_pid not in (0, self._plan.main_pid(outcome.pin)):
                self._plan.warnings.append(f"unit {unit.id} was started meanwhile: run again to see its score")

    # --- the way back ------------------------------------------------------------------

    def _undo(self) -> List[str]:
        """Put everything back; what cannot be is told."""
        left = []
        for change in reversed(self._scores):
            try:
                with self._procfs.open(change.process.pid) as directory:
                    if directory.process().start_time == change.process.start_time:
                        _set_score(directory, Change(change.process, change.after, change.before))
            except GONE:
                continue
            except OomError as error:
                left.append(str(error))
        for drop_in in reversed(self._drop_ins):
            try:
                self._systemd.write(drop_in.path, drop_in.before)
            except OomError as error:
                left.append(str(error))
        try:
            if self._drop_ins:
                self._systemd.reload()
        except OomError as error:
            left.append(str(error))
        return left

    # --- the second look ---------------------------------------------------------------

    def _look_again(self, outcomes: List[Outcome]) -> List[Outcome]:
        """Whether what was written is still there a moment later."""
        if not self._scores:
            return outcomes
        time.sleep(SECOND_LOOK_SECONDS)
        reset: Dict[Change, Change] = {}
        for change in self._scores:
            try:
                with self._procfs.open(change.process.pid) as directory:
                    now = directory.score()
                    if directory.process().start_time == change.process.start_time and now != change.after:
                        reset[change] = change._replace(after=now)
            except GONE:
                continue
        for change, seen in reset.items():
            self._plan.warnings.append(
                f"{change.process} set its score to {seen.after} right after it was set to {change.after}: it manages its own, look for an option of it"
            )
        return [
            outcome._replace(
                changes=[reset.get(change, change) for change in outcome.changes],
                inherited=[reset.get(change, change) for change in outcome.inherited],
            )
            for outcome in outcomes
        ]


def _set_score(directory: ProcessDir, change: Change) -> None:
    for _attempt in range(ATTEMPTS):
        try:
            directory.set_score(change.after)
        except PermissionError:
            raise AccessError(_denied(change))
        except GONE:
            raise
        except OSError as error:
            raise AccessError(f"the score of {change.process} cannot be set: {error.strerror}")
        now = directory.score()
        if now == change.after:
            return
    raise ReadBackError(f"{change.process} shows score {now} after {change.after} was written")


def _denied(change: Change) -> str:
    what = f"setting the score of {change.process} from {change.before} to {change.after} was denied"
    if change.after < change.before:
        return (
            what
            + f": lowering a score needs CAP_SYS_RESOURCE in the initial user namespace, which this process (uid {os.geteuid()}) lacks; run as root on the host itself, not in a container"
        )
    return what + ": only its owner and root may do that; use become"
