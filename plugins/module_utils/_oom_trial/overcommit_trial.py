# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run the trial of vm.overcommit_memory=2: too large a request fails, and no process is killed.

In the treatment the hog requests as much memory as the kernel may commit in all
(CommitLimit), and must be refused with ENOMEM. In the control it requests a
little and must get it. So it was the limit that stopped the first request.
"""

import contextlib
import os
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import (
    EndingSignals,
    Interrupted,
    ending_signals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import TrialCgroup, sort_other_kills
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_watch import (
    KillWatch,
    finish_count,
    start_count,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    count_limit_hits,
    is_path_absolute,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    ACTOR_NAMES,
    DEADLINE_SECONDS,
    TrialRequest,
    check_trial_request,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import start_actor, wait_until
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    MOST_UNRELATED,
    build_unrun_answer,
    describe_unrelated,
    list_unrelated,
)

ENOMEM_EXIT = 12  # of oom_hog

# The control requests this fraction of what may still be committed, up to this size.
CONTROL_FRACTION, CONTROL_MAX_KB = 8, 32 * 1024

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


def prepare_overcommit_trial(
    request: TrialRequest,
    procfs: Optional[Procfs] = None,
    open_log: Callable[[], Kmsg] = Kmsg,
) -> "OvercommitTrial":
    """Check the host and return a trial that may run on it.

    Raises InputError or UnsupportedError with the reason, if the trial cannot work here
    or could harm the host.
    """
    procfs = procfs or Procfs()
    check_trial_request(request)
    limit_kb = procfs.memory_kb("CommitLimit")
    headroom_kb = limit_kb - procfs.memory_kb("Committed_AS")
    request = request._replace(hog=check_hog(request.hog))
    if not request.allow_host_oom:
        raise InputError(
            "scope=overcommit takes all memory that the kernel may still commit, so other processes are refused memory"
            " for a moment, too; set allow_host_oom=true to accept that"
        )
    mode = procfs.read("sys/vm/overcommit_memory").strip()
    if mode != "2":
        raise UnsupportedError(
            f"vm.overcommit_memory is {mode}: the kernel would kill a process instead of refusing memory;"
            " set it to 2 first"
        )
    free_kb = procfs.memory_kb("MemAvailable", "SwapFree")
    if headroom_kb > free_kb:
        raise UnsupportedError(
            f"the kernel may still commit {headroom_kb} KiB, more than the free memory and swap, {free_kb} KiB:"
            " the OOM killer would act before the limit does; lower vm.overcommit_ratio or vm.overcommit_kbytes"
        )
    return OvercommitTrial(request, limit_kb, headroom_kb, procfs, KillWatch(open_log))


class OvercommitTrial:
    """A trial that may run on this host; C(prepare_overcommit_trial) makes one."""

    def __init__(
        self,
        request: TrialRequest,
        limit_kb: int,
        headroom_kb: int,
        procfs: Procfs,
        watch: KillWatch,
    ) -> None:
        self._request = request
        self._limit_kb = limit_kb  # CommitLimit
        self._headroom_kb = headroom_kb  # what may still be committed
        self._procfs = procfs
        self._watch = watch

    def preview(self) -> Dict[str, Any]:
        """Return the answer of check mode; start nothing."""
        return dict(self._facts(), **build_unrun_answer())

    def run(self) -> Dict[str, Any]:
        """Run the trial and return the module's answer.

        Raises Interrupted after a signal that ends the module, and OomError if the trial
        cannot be carried out. No hog runs on in either case.
        """
        started_at = time.monotonic()
        with ending_signals() as signals:
            try:
                with signals.interrupt():
                    self._watch.start()
                    before, hits = self._procfs.processes(), self._limit_hits()
                    count = start_count(self._watch, self._procfs)
                attempts = [
                    self._attempt(signals, "treatment", "refused", self._limit_kb),
                    self._attempt(signals, "control", "granted", self._control_kb()),
                ]
                with signals.interrupt():
                    counted, logged = finish_count(self._watch, self._procfs, count)
                    events = self._watch.kills(count.position)
            except Interrupted as error:
                raise Interrupted(f"{error}: no hog of the trial runs on") from None
            finally:
                self._watch.close()
        at_limits = [event for event in events if event["constraint"] == "memcg"]
        unrelated, doubtful = sort_other_kills(at_limits, self._own_cgroup(attempts, hits))
        harmed = [event for event in events if event not in unrelated]
        verdict, reasons = decide_overcommit_verdict(
            attempts,
            name_victims([event for event in harmed if event["constraint"] != "memcg"]),
            None if counted is None else counted - logged,
            self._watch.error,
            doubtful,
        )
        others = list_unrelated(unrelated)
        return dict(
            self._facts(),
            verdict=verdict,
            reasons=reasons,
            report=_describe_trial(verdict, self._limit_kb, attempts, counted, logged) + describe_unrelated(others),
            runs=[_attempt_answer(one) for one in attempts],
            bystanders=_bystanders_answer(before, name_victims(harmed)),
            unrelated=others[:MOST_UNRELATED],
            unrelated_count=len(others),
            counters=dict(vmstat_oom_kill=counted),
            clean=True,
            left_behind=[],
            duration_s=round(time.monotonic() - started_at, 3),
        )

    def _facts(self) -> Dict[str, Any]:
        return dict(
            scope=self._request.scope,
            method="refused",
            manager=None,
            cgroup_version=None,
            kernel=os.uname().release,
            memory_limit_kb=self._limit_kb,
        )

    def _limit_hits(self) -> Optional[Dict[str, int]]:
        """Return how often our own cgroup and those above it hit their limits; None if unknown."""
        try:
            hierarchy = memory_hierarchy(self._procfs)
            own = hierarchy.directory(own_cgroup(self._procfs, hierarchy))
        except OomError:
            return None
        return count_limit_hits(hierarchy, os.path.join(own, "hog"))

    def _own_cgroup(self, attempts: List[Attempt], hits: Optional[Dict[str, int]]) -> TrialCgroup:
        """Return what is known of the cgroup that the hogs ran in, which is our own."""
        path = None
        with contextlib.suppress(OomError):
            if is_path_absolute(self._procfs):
                path = own_cgroup(self._procfs, memory_hierarchy(self._procfs))
        return TrialCgroup(
            name=os.path.basename(path or ""),
            path=path,
            members={one.pid for one in attempts},
            counters_fit=path is not None and hits is not None and hits == self._limit_hits(),
        )

    def _control_kb(self) -> int:
        """Return the size of the small request of the control."""
        return min(self._headroom_kb // CONTROL_FRACTION, CONTROL_MAX_KB)

    def _attempt(self, signals: EndingSignals, name: str, expected: str, size_kb: int) -> Attempt:
        """Run the hog once. A signal waits until it has been started, and then kills it."""
        command = [
            self._request.hog,
            "--host",
            "--name",
            ACTOR_NAMES["hog"],
            "--size",
            f"{size_kb}K",
            "--step",
            "256K",
            "--score",
            str(SCORE_MAX),  # if the killer acts after all, it kills the hog
            "--deadline",
            str(self._request.timeout),
        ]
        deadline = time.monotonic() + self._request.timeout + DEADLINE_SECONDS
        hog = start_actor(command)
        try:
            with signals.interrupt():
                ended = wait_until(lambda: hog.ended, [hog], deadline)
                code, number = (hog.wait() if ended else None) or (None, None)
        finally:
            hog.kill()
        got_kb = next((phase["kb"] for phase in reversed(hog.phases) if "kb" in phase), 0)
        return Attempt(name, expected, hog.child_pid, code, number, size_kb, got_kb)


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
        f"{one.name}: expected the request for {one.asked_kb} KiB to be {one.expected}; observed: {one.observed()}"
        for one in attempts
        if one.observed() != one.expected
    ]
    kills = [f"the kernel killed process {pid} ({name})" for pid, name in victims.items()]
    if unlogged and unlogged > 0 and not victims:
        kills.append(f"/proc/vmstat counted {unlogged} kills that the kernel log does not show")
    objections += [
        f"the kernel also killed process {pid} ({name}) ({reason}): run it again"
        for event, reason in doubtful
        for pid, name in name_victims([event]).items()
    ]
    if kills or attempts[0].observed() == "granted":
        return "refuted", objections + kills
    if unlogged is None and log_error:
        objections.append(f"kills cannot be ruled out: {log_error}")
    if objections:
        return "inconclusive", objections
    granted = [f"the request for {one.asked_kb} KiB was {one.observed()} in the {one.name}" for one in attempts]
    return "proven", [*granted, "no process was killed"]


def _describe_trial(
    verdict: str, limit_kb: int, attempts: List[Attempt], counted: Optional[int], logged: int
) -> List[str]:
    return [
        f"{verdict}: {_describe_limit(verdict, limit_kb)}",
        *[_describe_attempt(one) for one in attempts],
        f"kills: {'unknown' if counted is None else counted} counted, {logged} in the kernel log",
    ]


def _describe_limit(verdict: str, limit_kb: int) -> str:
    return {
        "proven": f"a request above CommitLimit ({limit_kb} KiB) is refused, and no process is killed",
        "refuted": f"CommitLimit ({limit_kb} KiB) does not prevent OOM kills",
        "inconclusive": f"the trial did not show whether CommitLimit ({limit_kb} KiB) holds",
    }[verdict]


def _describe_attempt(one: Attempt) -> str:
    end = f"signal {one.signal}" if one.exit is None else f"exit {one.exit}"
    return (
        f"{one.name}: hog {one.pid} requested {one.asked_kb} KiB and got {one.got_kb} KiB:"
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


def _bystanders_answer(before: List[Process], victims: Dict[int, str]) -> Dict[str, Any]:
    lost = [one for one in before if one.pid in victims]
    return dict(
        checked=len(before),
        lost=[dict(pid=one.pid, name=one.name, start_time=one.start_time) for one in lost],
    )
