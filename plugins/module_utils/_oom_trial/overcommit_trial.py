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
from typing import Any, Callable, Dict, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import (
    EndingSignals,
    Interrupted,
    ending_signals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.answer import build_unrun_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import TrialCgroup, sort_other_kills
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_facts import read_host_facts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_watch import (
    KillWatch,
    finish_count,
    start_count,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    count_limit_hits,
    is_path_absolute,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_verdict import (
    Attempt,
    build_overcommit_answer,
    name_victims,
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
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import start_actor, wait_until
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import Surroundings

# The control requests this fraction of what may still be committed, up to this size.
CONTROL_FRACTION, CONTROL_MAX_KB = 8, 32 * 1024


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
            "scope=overcommit is not allowed yet, because for a moment the kernel refuses memory to other processes,"
            " too: set allow_host_oom=true to accept that"
        )
    mode = procfs.read("sys/vm/overcommit_memory").strip()
    if mode != "2":
        raise UnsupportedError(
            f"vm.overcommit_memory is {mode}: the kernel would kill a process instead of refusing memory;"
            " set it to 2 first, with the module overcommit and mode=never"
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
        return dict(
            self._facts(),
            **build_unrun_answer(f"checked: the trial can run here with CommitLimit {self._limit_kb} KiB"),
        )

    def run(self) -> Dict[str, Any]:
        """Run the trial and return the module's answer.

        Raises Interrupted after a signal that ends the module, and OomError if the trial
        cannot be carried out. No hog runs on in either case.
        """
        started_at, facts = time.monotonic(), self._facts()
        with ending_signals() as signals:
            try:
                self._rehearse(signals)
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
                raise Interrupted(f"{error}: no hog of the trial runs on; run it again") from None
            finally:
                self._watch.close()
        at_limits = [event for event in events if event["constraint"] == "memcg"]
        unrelated, doubtful = sort_other_kills(at_limits, self._own_cgroup(attempts, hits))
        harmed = [event for event in events if event not in unrelated]
        surroundings = Surroundings(
            checked=len(before),
            lost=[one for one in before if one.pid in name_victims(harmed)],
            doubtful=doubtful,
            unrelated=unrelated,
            counted_kills=counted,
            logged_kills=logged,
            log_error=self._watch.error,
        )
        victims = name_victims([event for event in harmed if event["constraint"] != "memcg"])
        return dict(
            facts,
            **build_overcommit_answer(self._limit_kb, attempts, victims, surroundings),
            duration_s=round(time.monotonic() - started_at, 3),
        )

    def _facts(self) -> Dict[str, Any]:
        return dict(
            scope=self._request.scope,
            method="refused",
            manager=None,
            cgroup_version=None,
            memory_limit_kb=self._limit_kb,
            **read_host_facts(self._procfs, self._request.hog),
        )

    def _rehearse(self, signals: EndingSignals) -> None:
        """Start the hog once with a small request, or raise InputError with the reason."""
        hog = start_actor(rehearsal_command(self._request.hog, ["--host", "--score", str(SCORE_MAX)]))
        try:
            with signals.interrupt():
                wait_for_rehearsal(hog, self._request.timeout)
                check_rehearsal(self._request.hog, hog, hog.wait(), SCORE_MAX)
        finally:
            hog.kill()

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
