# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The trial: the experiment of C(_experiment) carried out on the running kernel.

What must not happen is that it leaves something behind or harms the host, so
everything is checked before the first process starts, every wait has a
deadline, the programs have one of their own, and the way out is always the same.
"""

import contextlib
import os
import signal
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Process, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import design as _experiment
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import Started, launcher, wait_for
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup

# The line that names a victim is written after the signal was sent (mm/oom_kill.c:__oom_kill_process).
LOG_SECONDS = 3.0

# The programs end by themselves so much later than the trial would end them.
DEADLINE_SECONDS = 5

NAMES = {"decoy": "oomguard-decoy", "hog": "oomguard-hog"}  # comm, at most 15 bytes

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Exit code and signal of the programs that have ended.
Ends = Dict["Started", Tuple[Optional[int], Optional[int]]]


class Request(NamedTuple):
    """The options of one trial."""

    hog: str
    scope: str  # cgroup, host or overcommit
    allow_host_oom: bool
    memory_limit_kb: int
    pinned_score: int
    hog_score: int
    timeout: int  # seconds, for both runs together
    manager: str
    cgroup_parent: Optional[str]


class Interrupted(OomError):
    """A signal asked the trial to end; it cleaned up first."""


def check_hog(hog: str) -> None:
    """Raise InputError unless this is a program."""
    if not os.path.isfile(hog):
        raise InputError(f"hog {hog} is not a file: give the path of the built oom_hog on this host")
    if not os.access(hog, os.X_OK):
        raise InputError(f"hog {hog} is not executable: build it for this host and set mode 0755")


class KernelLog:
    """The kernel log from now on, or the reason why there is none."""

    def __init__(self, open_log: Callable[[], Kmsg]) -> None:
        self._records: List[Record] = []
        self._kmsg: Optional[Kmsg] = None
        self.error: Optional[str] = None
        try:
            self._kmsg = open_log()
            self._kmsg.seek_end()
        except OomError as error:
            self.error = str(error)

    def position(self) -> int:
        """Where the log is now, for the same calls below."""
        self._read()
        return len(self._records)

    def kills(self, since: int = 0) -> List[Dict[str, Any]]:
        """Kills that the kernel itself reported since a position."""
        self._read()
        return [event for event in parse_events(self._records[since:]) if event["trusted"] and event["victims"]]

    def wait_for(self, count: int, since: int) -> List[Dict[str, Any]]:
        """The same, once so many victims are named, or after LOG_SECONDS."""
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            kills = self.kills(since)
            left = deadline - time.monotonic()
            if self._kmsg is None or left <= 0 or len(_experiment.pids_of(kills)) >= count:
                return kills
            self._kmsg.wait(left)

    def lines(self, pids: List[int], since: int) -> List[str]:
        """The kernel's own words on the end of these processes."""
        words = [f"Killed process {pid} (" for pid in pids]
        return [
            record.text
            for record in self._records[since:]
            if record.trusted and any(word in record.text for word in words)
        ]

    def close(self) -> None:
        if self._kmsg is not None:
            self._kmsg.close()

    def _read(self) -> None:
        if self._kmsg is not None:
            self._records.extend(self._kmsg.read())
            if self._kmsg.lost:
                self.error = f"{self._kmsg.lost} records of the kernel log were overwritten before they were read"


class Trial:
    """One trial on this host."""

    def __init__(
        self,
        request: Request,
        procfs: Optional[Procfs] = None,
        open_log: Callable[[], Kmsg] = Kmsg,
    ) -> None:
        self._request = request
        self._procfs = procfs or Procfs()
        self._open_log = open_log
        self._launcher = launcher(self._procfs, request.manager, request.cgroup_parent)
        self._design = self._check()

    # --- before: nothing below this line changes the host ---------------------

    def _check(self) -> _experiment.Design:
        """Refuse what cannot work or could hurt, with the reason."""
        check_hog(self._request.hog)
        host_wide = self._request.scope == "host"
        if host_wide:
            self._check_host_wide()
        else:
            self._check_contained()
        design = _experiment.design(
            self._request.pinned_score,
            self._request.hog_score,
            self._procfs.memory_kb("MemAvailable", "SwapFree") if host_wide else self._request.memory_limit_kb,
            own_score=self._own_score(),
            can_lower=self._can_lower(),
            scope=self._request.scope,
        )
        if host_wide:
            _experiment.refuse_rivals(design, self._candidates(), self._procfs.memory_kb("MemTotal", "SwapTotal"))
        return design

    def _check_contained(self) -> None:
        """The trial's cgroup must be full long before the host, or a cgroup above it, is."""
        if self._sysctl("vm.panic_on_oom") == "2":
            raise UnsupportedError(
                "vm.panic_on_oom is 2: the kernel panics on any OOM, also on that of the trial's own cgroup; set it to 0 or 1 first"
            )
        limit_kb = self._request.memory_limit_kb
        rooms = {"free memory (MemAvailable)": self._procfs.memory_kb("MemAvailable")}
        headroom = self._launcher.headroom_kb()
        if headroom is not None:
            rooms["memory left in the cgroups above the trial"] = headroom
        for what, room_kb in rooms.items():
            if limit_kb > room_kb // 2:
                raise InputError(
                    f"memory_limit {limit_kb} KiB is more than half of the {what}, {room_kb} KiB: choose a smaller limit"
                )

    def _check_host_wide(self) -> None:
        """Somebody must want it, and the kernel must answer it with a kill."""
        if not self._request.allow_host_oom:
            raise InputError(
                "scope=host lets the whole host run out of memory, which may stall it for minutes and can kill what is not pinned:"
                " set allow_host_oom=true if that may happen here"
            )
        if self._sysctl("vm.panic_on_oom") != "0":
            raise UnsupportedError(
                f"vm.panic_on_oom is {self._sysctl('vm.panic_on_oom')}: the host would panic; set it to 0 first"
            )
        if self._sysctl("vm.overcommit_memory") == "2":
            raise UnsupportedError(
                "vm.overcommit_memory is 2: the hog would be refused memory and nobody killed; set it to 0 or 1 first"
            )
        headroom = self._launcher.headroom_kb()
        if headroom is not None:
            raise UnsupportedError(
                f"a cgroup above the trial has {headroom} KiB left: it would run out, not the host; use scope=cgroup"
            )

    def _sysctl(self, name: str) -> str:
        return self._procfs.read("sys/" + name.replace(".", "/")).strip()

    def _candidates(self) -> List[_experiment.Candidate]:
        found = []
        for process in self._bystanders():
            try:
                with self._procfs.open(process.pid) as directory:
                    found.append(_experiment.Candidate(process, directory.score(), directory.memory_kb()))
            except GONE:
                continue
        return found

    def _own_score(self) -> int:
        with self._procfs.open(os.getpid()) as directory:
            return directory.score()

    def _can_lower(self) -> bool:
        """Whether a program that we start could have its score lowered: tried, in a child that then ends.

        The capability alone does not tell: it must be that of the initial user namespace.
        """
        if self._launcher.manager == "systemd":
            return True  # pid 1 of the host sets the scores
        child = os.fork()
        if child == 0:
            try:
                with self._procfs.open(os.getpid()) as directory:
                    directory.set_score(self._request.pinned_score)
                    os._exit(0 if directory.score() == self._request.pinned_score else 1)
            finally:
                os._exit(1)
        return os.waitpid(child, 0)[1] == 0

    # --- the trial ----------------------------------------------------------

    def check(self) -> Dict[str, Any]:
        """What a run would find out; nothing is started."""
        return dict(
            self._facts(),
            verdict=None,
            reasons=["check mode: nothing was tried"],
            runs=[],
            report=[],
            bystanders=None,
            counters=None,
            clean=True,
            left_behind=[],
            duration_s=0.0,
        )

    def run(self) -> Dict[str, Any]:
        started_at = time.monotonic()
        deadline = started_at + self._request.timeout
        log = KernelLog(self._open_log)
        runs: List[_experiment.Run] = []
        with _signals_raise():
            try:
                self._launcher.sweep()
                before = self._bystanders()
                kills_before = self._procfs.oom_kills()
                cgroup = self._launcher.open(None if self._design.scope == "host" else self._design.limit_kb)
                for name, scores, expected in self._design.runs():
                    runs.append(self._run(name, scores, expected, cgroup, log, deadline))
                surroundings = self._surroundings(before, kills_before, runs, log)
            finally:
                with _signals_ignored():
                    leftovers = self._launcher.close()
                    log.close()
        return dict(
            self._facts(),
            duration_s=round(time.monotonic() - started_at, 3),
            **_experiment.outcome(self._design, runs, surroundings, leftovers),
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

    def _run(
        self,
        name: str,
        scores: _experiment.Scores,
        expected: str,
        cgroup: MemoryCgroup,
        log: KernelLog,
        deadline: float,
    ) -> _experiment.Run:
        """One run: the decoy takes its memory and holds it, the hog comes, the kernel chooses."""
        since, kills_before = log.position(), self._launcher.oom_kills()
        problems = []
        decoy = self._start("decoy", self._design.decoy_kb, scores.decoy, deadline)
        if not wait_for([decoy], deadline, lambda: decoy.ended or decoy.said("allocated")) or decoy.ended:
            problems.append("the decoy did not get its memory")
        decoy_score = self._score_of(decoy)
        hog = self._start("hog", self._design.hog_kb, scores.hog, deadline)
        wait_for([hog, decoy], deadline, lambda: hog.ended or hog.said("start"))
        hog_score = self._score_of(hog)
        members = {hog.pid, decoy.pid}.union(cgroup.processes())
        # Where the decoy dies the hog gets all it wants: wait until both are at rest.
        if not wait_for([hog, decoy], deadline, lambda: hog.ended or hog.said("allocated")):
            problems.append(f"the hog was still at its limit after {self._request.timeout} s")

        counted = _difference(self._launcher.oom_kills(), kills_before)
        if counted != 0:  # memory comes back before the process is gone
            wait_for([hog, decoy], time.monotonic() + LOG_SECONDS, lambda: hog.ended or decoy.ended)
        ends = {one: self._launcher.end_of(one) for one in (hog, decoy) if one.ended}
        expected_lines = (
            counted if counted is not None else [number for _code, number in ends.values()].count(signal.SIGKILL)
        )
        kills = self._ours(log.wait_for(expected_lines, since), cgroup, members)
        self._end_survivors(cgroup, [one for one in (hog, decoy) if one not in ends])
        return _experiment.Run(
            name=name,
            expected=expected,
            decoy=_actor("decoy", decoy, scores.decoy, decoy_score, ends),
            hog=_actor("hog", hog, scores.hog, hog_score, ends),
            kills=kills,
            cgroup_oom_kill=counted,
            lines=log.lines([hog.pid, decoy.pid], since),
            problems=problems,
        )

    def _start(self, role: str, size_kb: int, score: int, deadline: float) -> Started:
        seconds = max(1, int(deadline - time.monotonic())) + DEADLINE_SECONDS
        command = [
            self._request.hog,
            "--name",
            NAMES[role],
            "--size",
            f"{size_kb}K",
            "--hold",
            str(seconds),
            "--deadline",
            str(seconds),
            *(["--host"] if self._design.scope == "host" else ["--max-domain", f"{self._design.limit_kb}K"]),
        ]
        return self._launcher.start(role, command, score)

    def _score_of(self, started: Started) -> Optional[int]:
        """What the kernel holds, not what was asked for. Of one that is gone, what it read back itself."""
        try:
            with self._procfs.open(started.pid) as directory:
                return directory.score()
        except GONE:
            return (started.said("start") or {}).get("score")

    def _ours(self, kills: List[Dict[str, Any]], cgroup: MemoryCgroup, members: Set[int]) -> List[Dict[str, Any]]:
        """Kills that the trial caused.

        On the host that is a host-wide one of a member. In the trial's cgroup,
        the path tells: in a cgroup namespace the log shows a longer one than we
        see, so the cgroup's unique name decides. After many kills in a short
        time the kernel leaves the path out; then the pid decides.
        """
        name = os.path.basename(cgroup.path)
        ours = []
        for event in kills:
            path = (event["memcg"] or {}).get("path")
            member = bool(_experiment.pids_of([event]) & members)
            if self._design.scope == "host":
                inside = event["constraint"] != "memcg" and member
            else:
                inside = event["constraint"] == "memcg" and (name in path.split("/") if path else member)
            if inside:
                ours.append(event)
        return ours

    def _end_survivors(self, cgroup: MemoryCgroup, survivors: List[Started]) -> None:
        cgroup.kill()
        wait_for(survivors, time.monotonic() + DEADLINE_SECONDS, lambda: all(one.ended for one in survivors))
        for one in survivors:
            self._launcher.end_of(one)

    # --- everything else on the host --------------------------------------------

    def _bystanders(self) -> List[Process]:
        return [process for process in self._procfs.processes() if process.pid != os.getpid()]

    def _surroundings(
        self, before: List[Process], kills_before: Optional[int], runs: List[_experiment.Run], log: KernelLog
    ) -> _experiment.Surroundings:
        counted = _difference(self._procfs.oom_kills(), kills_before)
        ours = {pid for run in runs for pid in run.victims()}
        elsewhere = [event for event in log.kills() if not _experiment.pids_of([event]) & ours]
        named = _experiment.pids_of(elsewhere)
        # A process that ended by itself is none of our business, unless a kill happened that the log does not explain.
        unexplained = counted is None or counted > len(ours) + len(named)
        alive = set(self._procfs.processes())
        lost = [process for process in before if process not in alive and (unexplained or process.pid in named)]
        return _experiment.Surroundings(len(before), lost, elsewhere, counted, log.error)


def _actor(role: str, started: Started, wanted: int, score: Optional[int], ends: Ends) -> _experiment.Actor:
    code, number = ends.get(started, (None, None))
    return _experiment.Actor(role, started.pid, NAMES[role], wanted, score, code, number, outlived=started not in ends)


def _difference(after: Optional[int], before: Optional[int]) -> Optional[int]:
    return None if after is None or before is None else after - before


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn a request to end into an exception, so that the way out is the usual one."""

    def interrupt(number: int, _frame: Any) -> None:
        raise Interrupted(f"the trial was ended by signal {number}; what it had started was removed")

    usual = {number: signal.signal(number, interrupt) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """Let nothing interrupt the cleaning up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
