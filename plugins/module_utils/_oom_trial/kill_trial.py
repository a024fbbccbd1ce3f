# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a trial with kills on the running kernel.

A trial must leave nothing behind and must not harm the host. So everything is
checked before the first process starts, every wait has a deadline, the programs
have deadlines of their own, and every way out runs the same clean-up.
"""

import contextlib
import os
import signal
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import (
    Candidate,
    Scores,
    TrialDesign,
    design_trial,
    refuse_rivals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_watch import LOG_SECONDS, KillWatch
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import (
    End,
    Launcher,
    StartedProgram,
    choose_launcher,
    wait_until,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    ACTOR_NAMES,
    DEADLINE_SECONDS,
    TrialRequest,
    check_hog,
    count_kills,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    Actor,
    ObservedRun,
    Surroundings,
    build_answer,
    build_unrun_answer,
    pids_of,
)

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(OomError):
    """A signal asked the trial to end; it cleaned up first."""


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
    launcher = choose_launcher(procfs, request.manager, request.cgroup_parent)
    check_hog(request.hog)
    host_wide = request.scope == "host"
    if host_wide:
        _check_host_wide(request, procfs, launcher)
    else:
        _check_contained(request, procfs, launcher)
    design = design_trial(
        request.pinned_score,
        request.hog_score,
        procfs.memory_kb("MemAvailable", "SwapFree") if host_wide else request.memory_limit_kb,
        own_score=_own_score(procfs),
        can_lower=_can_lower(request, procfs, launcher),
        scope=request.scope,
    )
    if host_wide:
        refuse_rivals(design, _candidates(procfs), procfs.memory_kb("MemTotal", "SwapTotal"))
    return KillTrial(request, design, procfs, launcher, KillWatch(open_log))


def _check_contained(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> None:
    """Refuse a limit that is not far below the free memory of the host and of the cgroups above."""
    if _sysctl(procfs, "vm.panic_on_oom") == "2":
        raise UnsupportedError(
            "vm.panic_on_oom is 2: the kernel panics on any OOM, even in the trial's own cgroup; set it to 0 or 1 first"
        )
    limit_kb = request.memory_limit_kb
    rooms = {"free memory (MemAvailable)": procfs.memory_kb("MemAvailable")}
    headroom = launcher.headroom_kb()
    if headroom is not None:
        rooms["memory left in the cgroups above the trial"] = headroom
    for room, room_kb in rooms.items():
        if limit_kb > room_kb // 2:
            raise InputError(
                f"memory_limit {limit_kb} KiB is more than half of the {room}, {room_kb} KiB: set a smaller limit"
            )


def _check_host_wide(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> None:
    """Refuse a trial without consent, and a host that would not answer the OOM with one kill."""
    if not request.allow_host_oom:
        raise InputError(
            "scope=host makes the whole host run out of memory: it may stall for minutes, and other processes may die;"
            " set allow_host_oom=true to accept that"
        )
    panic_on_oom = _sysctl(procfs, "vm.panic_on_oom")
    if panic_on_oom != "0":
        raise UnsupportedError(f"vm.panic_on_oom is {panic_on_oom}: the host would panic; set it to 0 first")
    if _sysctl(procfs, "vm.overcommit_memory") == "2":
        raise UnsupportedError(
            "vm.overcommit_memory is 2: the kernel would refuse memory to the hog instead of killing it;"
            " set it to 0 or 1 first"
        )
    headroom = launcher.headroom_kb()
    if headroom is not None:
        raise UnsupportedError(
            f"a cgroup above the trial has only {headroom} KiB left: it would run out before the host does;"
            " use scope=cgroup"
        )


def _sysctl(procfs: Procfs, name: str) -> str:
    return procfs.read("sys/" + name.replace(".", "/")).strip()


def _candidates(procfs: Procfs) -> List[Candidate]:
    """Return the processes that a host-wide killer could choose, with score and memory."""
    found = []
    for process in _other_processes(procfs):
        try:
            with procfs.open(process.pid) as directory:
                found.append(Candidate(process, directory.score(), directory.memory_kb()))
        except GONE:
            continue
    return found


def _other_processes(procfs: Procfs) -> List[Process]:
    return [process for process in procfs.processes() if process.pid != os.getpid()]


def _own_score(procfs: Procfs) -> int:
    with procfs.open(os.getpid()) as directory:
        return directory.score()


def _can_lower(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> bool:
    """Return whether a program of the trial could have its score lowered.

    A child process tries it and then ends: having the capability is not enough,
    it must be that of the initial user namespace.
    """
    if launcher.manager == "systemd":
        return True  # pid 1 of the host sets the scores
    child = os.fork()
    if child == 0:
        try:
            with procfs.open(os.getpid()) as directory:
                directory.set_score(request.pinned_score)
                os._exit(0 if directory.score() == request.pinned_score else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


# --- the trial -------------------------------------------------------------------


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

    def preview(self) -> Dict[str, Any]:
        """Return the answer of check mode; start nothing."""
        return dict(self._facts(), **build_unrun_answer())

    def run(self) -> Dict[str, Any]:
        """Run the trial, clean up, and return the module's answer.

        Raises Interrupted after a signal that ends the module, and OomError if the trial
        cannot be carried out.
        """
        started_at = time.monotonic()
        deadline = started_at + self._request.timeout
        runs: List[ObservedRun] = []
        self._watch.start()
        with _signals_raise():
            try:
                self._launcher.sweep()
                before = _other_processes(self._procfs)
                kills_before = self._procfs.oom_kills()
                cgroup = self._launcher.open(None if self._design.scope == "host" else self._design.limit_kb)
                for name, scores, expected in self._design.runs():
                    runs.append(self._run_once(name, scores, expected, cgroup, deadline))
                surroundings = self._surroundings(before, kills_before, runs)
            finally:
                with _signals_blocked():
                    left_behind = self._launcher.close()
                    self._watch.close()
        return dict(
            self._facts(),
            duration_s=round(time.monotonic() - started_at, 3),
            **build_answer(self._design, runs, surroundings, left_behind),
        )

    def _facts(self) -> Dict[str, Any]:
        return dict(
            scope=self._design.scope,
            method=self._design.method,
            manager=self._launcher.manager,
            cgroup_version=self._launcher.version,
            kernel=os.uname().release,
            memory_limit_kb=self._design.limit_kb,
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
        if not wait_until(lambda: decoy.ended or _has_allocated(decoy), [decoy], deadline) or decoy.ended:
            problems.append("the decoy did not get its memory")
        decoy_score = self._score_of(decoy)
        hog = self._start("hog", self._design.hog_kb, scores.hog, deadline)
        both = [hog, decoy]
        wait_until(lambda: hog.ended or hog.phase("start") is not None, both, deadline)
        hog_score = self._score_of(hog)
        members = {hog.pid, decoy.pid}.union(cgroup.processes())
        # If the decoy dies the hog gets all its memory: wait until nothing more can happen.
        if not wait_until(lambda: hog.ended or _has_allocated(hog), both, deadline):
            problems.append(f"the hog neither ended nor got all its memory within {self._request.timeout} s")

        counted = count_kills(kills_before, self._launcher.oom_kills())
        if counted != 0:  # the killer frees a victim's memory before the process is gone
            wait_until(lambda: hog.ended or decoy.ended, both, time.monotonic() + LOG_SECONDS)
        ends = {program: self._launcher.wait_for_end(program) for program in both if program.ended}
        deaths = sum(number == signal.SIGKILL for _code, number in ends.values())
        logged = self._watch.wait_for_kills(deaths if counted is None else counted, since)
        kills = self._kills_of_trial(logged, cgroup, members)
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
            *(["--host"] if self._design.scope == "host" else ["--max-domain", f"{self._design.limit_kb}K"]),
        ]
        return self._launcher.start(role, command, score)

    def _score_of(self, program: StartedProgram) -> Optional[int]:
        """Return the kernel's score, or what the program read back if it has ended."""
        try:
            with self._procfs.open(program.pid) as directory:
                return directory.score()
        except GONE:
            return (program.phase("start") or {}).get("score")

    def _kills_of_trial(self, kills: List[Event], cgroup: MemoryCgroup, members: Set[int]) -> List[Event]:
        """Return the kills that the trial caused.

        On the host that is a host-wide kill of a member. In the trial's cgroup the
        unique name in the path decides: in a cgroup namespace the log shows a longer
        path than we see. After many kills in a short time the kernel leaves the path
        out; then the pid decides.
        """
        name = os.path.basename(cgroup.path)
        found = []
        for event in kills:
            path = (event["memcg"] or {}).get("path")
            member = bool(pids_of([event]) & members)
            if self._design.scope == "host":
                inside = event["constraint"] != "memcg" and member
            else:
                inside = event["constraint"] == "memcg" and (name in path.split("/") if path else member)
            if inside:
                found.append(event)
        return found

    def _end_survivors(self, cgroup: MemoryCgroup, survivors: List[StartedProgram]) -> None:
        cgroup.kill()
        wait_until(lambda: all(program.ended for program in survivors), survivors, time.monotonic() + DEADLINE_SECONDS)
        for program in survivors:
            self._launcher.wait_for_end(program)

    def _surroundings(
        self, before: List[Process], kills_before: Optional[int], runs: List[ObservedRun]
    ) -> Surroundings:
        """Return what happened to the processes that were alive before the trial."""
        counted = count_kills(kills_before, self._procfs.oom_kills())
        ours = {pid for run in runs for pid in run.victims()}
        elsewhere = [event for event in self._watch.kills() if not pids_of([event]) & ours]
        named = pids_of(elsewhere)
        # A process that ended by itself is not lost. If the kernel counted a kill that
        # the log does not name, any process that is gone may have been the victim.
        unexplained = counted is None or counted > len(ours) + len(named)
        alive = set(self._procfs.processes())
        lost = [process for process in before if process not in alive and (unexplained or process.pid in named)]
        return Surroundings(len(before), lost, elsewhere, counted, self._watch.error)


def _has_allocated(program: StartedProgram) -> bool:
    return program.phase("allocated") is not None


def _actor(role: str, program: StartedProgram, wanted_score: int, score: Optional[int], end: Optional[End]) -> Actor:
    code, number = end or (None, None)
    return Actor(role, program.pid, ACTOR_NAMES[role], wanted_score, score, code, number, outlived=end is None)


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn a signal that ends the module into an exception, so that the usual clean-up runs."""

    def interrupt(number: int, _frame: Any) -> None:
        raise Interrupted(f"the trial was interrupted by signal {number}; its processes and its cgroup were removed")

    usual = {number: signal.signal(number, interrupt) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Keep signals from interrupting the clean-up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING_SIGNALS)
