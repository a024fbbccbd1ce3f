# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a trial with kills on the running kernel.

A trial must leave nothing behind and must not harm the host. Everything is checked
before the first process starts. Every wait has a deadline, and so has each program.
Every way out runs the same clean-up.
"""

import os
import signal
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, TypeVar

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted, ending_signals
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.answer import (
    build_answer,
    build_unrun_answer,
    describe_leftovers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import (
    TrialCgroup,
    find_own_path,
    pids_of,
    select_own_kills,
    sort_other_kills,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import (
    Scores,
    TrialDesign,
    design_trial,
    refuse_rivals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import (
    check_hog,
    explain_start_failure,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_checks import (
    can_lower_score,
    check_contained,
    check_host_wide,
    check_pids,
    list_candidates,
    other_processes,
    read_own_score,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_facts import read_host_facts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_watch import (
    LOG_SECONDS,
    KillCount,
    KillWatch,
    finish_count,
    start_count,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import Launcher, choose_launcher
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    MemoryCgroup,
    is_path_absolute,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.rehearsal import (
    check_rehearsal,
    rehearsal_command,
    wait_for_rehearsal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    ACTOR_NAMES,
    DEADLINE_SECONDS,
    TrialRequest,
    check_trial_request,
    count_kills,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import (
    End,
    StartedProgram,
    wait_until,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    START_FAILED,
    Actor,
    ObservedRun,
    Surroundings,
)

# The kernel log is read at least this often: its buffer holds the reports of some seconds.
_READ_SECONDS = 0.5

_Result = TypeVar("_Result")


# --- before the trial: nothing here changes the host ---------------------------


def prepare_kill_trial(
    request: TrialRequest,
    procfs: Optional[Procfs] = None,
    open_log: Callable[[], Kmsg] = Kmsg,
) -> "KillTrial":
    """Check the host and return a trial that may run on it.

    Raises InputError, UnsupportedError or AccessError with the reason, if the trial
    cannot work here or could harm the host.
    """
    procfs = procfs or Procfs()
    check_trial_request(request)
    check_pids(procfs)
    launcher = choose_launcher(procfs, request.manager, request.cgroup_parent)
    request = request._replace(hog=check_hog(request.hog))
    host_wide = request.scope == "host"
    if host_wide:
        check_host_wide(request, procfs, launcher)
    else:
        check_contained(request, procfs, launcher)
    design = design_trial(
        request.pinned_score,
        request.hog_score,
        procfs.memory_kb("MemAvailable", "SwapFree") if host_wide else request.memory_limit_kb,
        own_score=read_own_score(procfs),
        can_lower=can_lower_score(request, procfs, launcher),
        scope=request.scope,
    )
    if host_wide:
        refuse_rivals(design, list_candidates(procfs), procfs.memory_kb("MemTotal", "SwapTotal"))
    return KillTrial(request, design, procfs, launcher, KillWatch(open_log))


# --- the trial -------------------------------------------------------------------


class _Start(NamedTuple):
    """What was seen before the first run."""

    processes: List[Process]  # of others
    baseline: KillCount
    limit_hits: Optional[Dict[str, int]]  # of the cgroups above


class KillTrial:
    """A trial that may run on this host; C(prepare_kill_trial) makes one."""

    def __init__(
        self,
        request: TrialRequest,
        design: TrialDesign,
        procfs: Procfs,
        launcher: Launcher,
        watch: KillWatch,
    ) -> None:
        self._request = request
        self._design = design
        self._procfs = procfs
        self._launcher = launcher
        self._watch = watch
        self._left_behind: List[str] = []

    def preview(self) -> Dict[str, Any]:
        """Check the kernel log and the place of the cgroup, and return the answer of check mode.

        Raises what run() would raise, as far as that shows without a change of the host.
        """
        facts = self._facts()
        try:
            self._start_watch()
        finally:
            self._watch.close()
        self._launcher.check()
        where = "on the whole host" if self._design.scope == "host" else f"in {self._describe_cgroup()}"
        limit = f"{self._design.limit_kb // 1024} MiB"
        return dict(
            facts,
            **build_unrun_answer(f"checked: the trial can run {where} with {limit}, {self._design.method}"),
        )

    def run(self) -> Dict[str, Any]:
        """Run the trial, clean up, and return the module's answer.

        Raises Interrupted after a signal that ends the module, and OomError if the trial
        cannot be carried out.
        """
        started_at = time.monotonic()
        facts = self._facts()
        runs: List[ObservedRun] = []
        surroundings = self._carry_out(lambda: self._make_runs(runs, started_at + self._request.timeout))
        return dict(
            facts,
            **build_answer(self._design, runs, surroundings, self._left_behind, self._describe_cgroup()),
            duration_s=round(time.monotonic() - started_at, 3),
        )

    def _carry_out(self, action: Callable[[], _Result]) -> _Result:
        """Return what the action returns, and clean up after it.

        Raises what the action raises, and says so if something is left behind.
        """
        with ending_signals() as signals:
            try:
                with signals.interrupt():
                    return action()
            except (OomError, OSError, MemoryError, Interrupted) as error:
                failure: BaseException = error
            finally:
                self._left_behind = self._launcher.close()
                self._watch.close()
        if self._left_behind:
            failure = type(failure)(f"{failure}; {describe_leftovers(self._left_behind)}")
        elif isinstance(failure, Interrupted):
            failure = Interrupted(f"{failure}: the trial's processes and its cgroup were removed; run it again")
        raise failure

    def _open(self) -> MemoryCgroup:
        """Open the log and the cgroup, and start the program once without a kill."""
        self._start_watch()
        cgroup = self._launcher.open(None if self._design.scope == "host" else self._design.limit_kb)
        score = self._design.treatment.decoy
        program = self._launcher.start("check", rehearsal_command(self._request.hog, self._domain()), score)
        wait_for_rehearsal(program, self._request.timeout)
        check_rehearsal(self._request.hog, program, self._launcher.wait_for_end(program), score)
        return cgroup

    def _start_watch(self) -> None:
        self._watch.start()
        if self._watch.is_closed():
            raise AccessError(f"without the kernel log no kill can be proven: {self._watch.error}")

    def _make_runs(self, runs: List[ObservedRun], deadline: float) -> Surroundings:
        """Make each run, and return what happened on the host meanwhile."""
        self._launcher.sweep()
        cgroup = self._open()
        start = self._look_around()
        for name, scores, expected in self._design.runs():
            runs.append(self._run_once(name, scores, expected, cgroup, deadline))
        return self._surroundings(start, runs, cgroup)

    def _describe_cgroup(self) -> str:
        return f"a private memory cgroup (version {self._launcher.version}, {self._launcher.manager})"

    def _domain(self) -> List[str]:
        """Return the options that limit what the program may fill."""
        return ["--host"] if self._design.scope == "host" else ["--max-domain", f"{self._design.limit_kb}K"]

    def _facts(self) -> Dict[str, Any]:
        return dict(
            scope=self._design.scope,
            method=self._design.method,
            manager=self._launcher.manager,
            cgroup_version=self._launcher.version,
            memory_limit_kb=self._design.limit_kb,
            **read_host_facts(self._procfs, self._request.hog),
        )

    def _run_once(
        self,
        name: str,
        scores: Scores,
        expected: str,
        cgroup: MemoryCgroup,
        deadline: float,
    ) -> ObservedRun:
        """Start the decoy, then the hog, and observe which one the kernel kills."""
        since, kills_before = self._watch.position(), self._launcher.oom_kills()
        problems = []
        decoy = self._start("decoy", self._design.decoy_kb, scores.decoy, deadline)
        if not self._wait_until(lambda: decoy.ended or _has_allocated(decoy), [decoy], deadline) or decoy.ended:
            problems.append(f"the decoy did not get its {self._design.decoy_kb} KiB in time: set a longer timeout")
        decoy_score = self._score_of(decoy)
        hog = self._start("hog", self._design.hog_kb, scores.hog, deadline)
        both = [hog, decoy]
        self._wait_until(lambda: hog.ended or hog.phase("start") is not None, both, deadline)
        hog_score = self._score_of(hog)
        members = {hog.pid, decoy.pid}.union(cgroup.processes())
        # If the decoy dies the hog gets all its memory: wait until nothing more can happen.
        if not self._wait_until(lambda: hog.ended or _has_allocated(hog), both, deadline):
            problems.append(
                f"the hog neither ended nor got all its memory within {self._request.timeout} s: set a longer timeout"
            )

        counted = count_kills(kills_before, self._launcher.oom_kills())
        if counted != 0:  # the killer frees a victim's memory before the process is gone
            self._wait_until(lambda: hog.ended or decoy.ended, both, time.monotonic() + LOG_SECONDS)
        ends = self._ends_of([program for program in both if program.ended])
        if (START_FAILED, None) in ends.values():
            reason = explain_start_failure(bytes_of(self._request.hog))
            problems.append(f"hog={self._request.hog} cannot be started: {reason}")
        deaths = sum(number == signal.SIGKILL for _code, number in ends.values())
        name_of_cgroup, path = os.path.basename(cgroup.path), self._own_path(cgroup)
        kills = self._watch.wait_for_kills(
            deaths if counted is None else counted,
            since,
            lambda events: select_own_kills(events, name_of_cgroup, path, members, self._design.scope),
        )
        self._end_survivors(cgroup, [program for program in both if program not in ends])
        return ObservedRun(
            name=name,
            expected=expected,
            decoy=_actor("decoy", decoy, scores.decoy, decoy_score, ends.get(decoy)),
            hog=_actor("hog", hog, scores.hog, hog_score, ends.get(hog)),
            kills=kills,
            cgroup_oom_kill=counted,
            lines=self._watch.lines([hog.pid, decoy.pid], since),
            problems=problems,
        )

    def _start(self, role: str, size_kb: int, score: int, deadline: float) -> StartedProgram:
        seconds = max(1, int(deadline - time.monotonic())) + DEADLINE_SECONDS
        command = [
            self._request.hog,
            "--name",
            ACTOR_NAMES[role],
            "--size",
            f"{size_kb}K",
            "--hold",
            str(seconds),
            "--deadline",
            str(seconds),
            *self._domain(),
        ]
        return self._launcher.start(role, command, score)

    def _score_of(self, program: StartedProgram) -> Optional[int]:
        """Return the kernel's score, or what the program read back if it has ended."""
        try:
            with self._procfs.open(program.pid) as directory:
                return directory.score()
        except GONE:
            return (program.phase("start") or {}).get("score")

    def _ends_of(self, programs: List[StartedProgram]) -> Dict[StartedProgram, End]:
        """Return how these programs ended; one that closed its output but runs on is left out."""
        ends = {program: self._launcher.wait_for_end(program) for program in programs}
        return {program: end for program, end in ends.items() if end is not None}

    def _end_survivors(self, cgroup: MemoryCgroup, survivors: List[StartedProgram]) -> None:
        cgroup.kill()
        wait_until(lambda: all(program.ended for program in survivors), survivors, time.monotonic() + DEADLINE_SECONDS)
        for program in survivors:
            self._launcher.wait_for_end(program)

    def _wait_until(self, condition: Callable[[], bool], programs: List[StartedProgram], deadline: float) -> bool:
        """Do as wait_until(), and read the kernel log meanwhile, before it is overwritten."""
        while not wait_until(condition, programs, min(deadline, time.monotonic() + _READ_SECONDS)):
            self._watch.position()
            if time.monotonic() >= deadline or all(program.ended for program in programs):
                return condition()
        return True

    def _look_around(self) -> _Start:
        """Return what is seen before the first run."""
        processes, limit_hits = other_processes(self._procfs), self._launcher.limit_hits()
        return _Start(processes, start_count(self._watch, self._procfs), limit_hits)

    def _surroundings(self, start: _Start, runs: List[ObservedRun], cgroup: MemoryCgroup) -> Surroundings:
        """Return what happened on the rest of the host since the start."""
        counted, logged = finish_count(self._watch, self._procfs, start.baseline)
        own = [event for run in runs for event in run.kills]
        ours = pids_of(own)
        elsewhere = [event for event in self._watch.kills(start.baseline.position) if not pids_of([event]) & ours]
        unrelated, doubtful = sort_other_kills(elsewhere, self._trial_cgroup(start, runs, cgroup))
        named = pids_of([event for event, _reason in doubtful])
        # A process that ended by itself is not lost. If there may have been a kill that the log
        # does not name, any process that is gone may have been the victim.
        log_error = self._watch.error
        unexplained = bool(log_error) if counted is None else counted > logged
        if self._watch.lost and counted == logged:
            log_error = None  # what was lost of the log reported no kill
        spared = set(self._procfs.processes()) | {one for one in start.processes if one.pid in pids_of(unrelated)}
        lost = [one for one in start.processes if one not in spared and (unexplained or one.pid in named)]
        return Surroundings(len(start.processes), lost, doubtful, unrelated, counted, logged, log_error)

    def _own_path(self, cgroup: MemoryCgroup) -> Optional[str]:
        """Return the path of the trial's cgroup in the kernel log; None if it is unknown."""
        return cgroup.path if is_path_absolute(self._procfs) else None

    def _trial_cgroup(self, start: _Start, runs: List[ObservedRun], cgroup: MemoryCgroup) -> TrialCgroup:
        """Return what is known of the trial's cgroup after the last run."""
        own = [event for run in runs for event in run.kills]
        name = os.path.basename(cgroup.path)
        path = self._own_path(cgroup)
        counted, hits = self._launcher.oom_kills(), start.limit_hits
        return TrialCgroup(
            name=name,
            path=path or find_own_path(own, name),
            members={program.pid for run in runs for program in (run.decoy, run.hog)},
            counters_fit=path is not None
            and counted == len(pids_of(own))
            and hits is not None
            and hits == self._launcher.limit_hits(),
        )


def _has_allocated(program: StartedProgram) -> bool:
    return program.phase("allocated") is not None


def _actor(role: str, program: StartedProgram, wanted_score: int, score: Optional[int], end: Optional[End]) -> Actor:
    code, number = end or (None, None)
    return Actor(role, program.pid, ACTOR_NAMES[role], wanted_score, score, code, number, outlived=end is None)
