# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The trial of vm.overcommit_memory=2: who asks for too much is refused, and nobody is killed.

In the treatment the hog asks for as much as may be promised in all, and must
be refused (ENOMEM). In the control it asks for a little, and must get it: so
it was the limit that stopped it.
"""

import json
import os
import subprocess
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import SCORE_MAX, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import (
    DEADLINE_SECONDS,
    NAMES,
    KernelLog,
    Request,
    check_hog,
)

ENOMEM_EXIT = 12  # of oom_hog

# The control asks for this part of what is still free to be promised, and not for more than so much.
CONTROL_PART, CONTROL_MOST_KB = 8, 32 * 1024


class Attempt(NamedTuple):
    """One run of the hog."""

    name: str
    expected: str  # refused or granted
    pid: int
    exit: Optional[int]
    signal: Optional[int]
    asked_kb: int
    got_kb: int

    def observed(self) -> str:
        if self.signal is not None:
            return "killed" if self.signal == 9 else f"ended by signal {self.signal}"
        return {0: "granted", ENOMEM_EXIT: "refused"}.get(self.exit, f"exit {self.exit}")  # type: ignore[arg-type]


class Refusal:
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
        self._limit_kb = self._procfs.memory_kb("CommitLimit")
        self._headroom_kb = self._limit_kb - self._procfs.memory_kb("Committed_AS")
        self._check()

    def _check(self) -> None:
        """Refuse what cannot work or could hurt, with the reason."""
        check_hog(self._request.hog)
        if not self._request.allow_host_oom:
            raise InputError(
                "scope=overcommit takes all that may still be promised, so that for a moment other processes are refused memory as well:"
                " set allow_host_oom=true if that may happen here"
            )
        mode = self._procfs.read("sys/vm/overcommit_memory").strip()
        if mode != "2":
            raise UnsupportedError(
                f"vm.overcommit_memory is {mode}: nobody would be refused memory, but killed; set it to 2 first"
            )
        free_kb = self._procfs.memory_kb("MemAvailable", "SwapFree")
        if self._headroom_kb > free_kb:
            raise UnsupportedError(
                f"{self._headroom_kb} KiB may still be promised, more than the free memory and swap, {free_kb} KiB: the OOM killer would come first; lower vm.overcommit_ratio or kbytes"
            )

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
            duration_s=0.0,
        )

    def run(self) -> Dict[str, Any]:
        started_at = time.monotonic()
        log = KernelLog(self._open_log)
        before, counted_before = self._procfs.processes(), self._procfs.oom_kills()
        attempts = [
            self._ask("treatment", "refused", self._limit_kb),
            self._ask("control", "granted", min(self._headroom_kb // CONTROL_PART, CONTROL_MOST_KB)),
        ]
        events = log.kills()
        log.close()
        counted_after = self._procfs.oom_kills()
        counted = None if counted_after is None or counted_before is None else counted_after - counted_before
        victims = {victim["pid"]: victim["name"] for event in events for victim in event["victims"]}
        verdict, reasons = judge(attempts, victims, counted, log.error)
        return dict(
            self._facts(),
            verdict=verdict,
            reasons=reasons,
            report=_report(verdict, self._limit_kb, attempts, counted, len(victims)),
            runs=[
                dict(
                    name=one.name,
                    expected=one.expected,
                    observed=one.observed(),
                    decoy=None,
                    hog=_hog(one),
                    event=None,
                    log=[],
                    counters=None,
                )
                for one in attempts
            ],
            bystanders=dict(
                checked=len(before),
                lost=[
                    dict(pid=one.pid, name=one.name, start_time=one.start_time) for one in before if one.pid in victims
                ],
            ),
            counters=dict(vmstat_oom_kill=counted),
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
            clean=True,
            left_behind=[],
        )

    def _ask(self, name: str, expected: str, kilobytes: int) -> Attempt:
        command = [
            self._request.hog,
            "--host",
            "--name",
            NAMES["hog"],
            "--size",
            f"{kilobytes}K",
            "--step",
            "256K",
            "--score",
            str(SCORE_MAX),  # if the killer comes all the same, it takes the hog
            "--deadline",
            str(self._request.timeout),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as hog:
            said = hog.communicate(timeout=self._request.timeout + DEADLINE_SECONDS)[0]
        phases = [json.loads(line.decode("utf-8", "replace")) for line in said.splitlines()]
        code = hog.returncode
        return Attempt(
            name,
            expected,
            hog.pid,
            code if code >= 0 else None,
            -code if code < 0 else None,
            kilobytes,
            next((phase["kb"] for phase in reversed(phases) if "kb" in phase), 0),
        )


def judge(
    attempts: List[Attempt], victims: Dict[int, str], counted: Optional[int], log_error: Optional[str]
) -> Tuple[str, List[str]]:
    """Verdict and its reasons. refuted: the hog got it all, or the killer came. proven: refused and granted as expected, and no kill."""
    wrong = [
        f"{one.name}: {one.asked_kb} KiB were {one.observed()}, not {one.expected}"
        for one in attempts
        if one.observed() != one.expected
    ]
    kills = [f"the kernel killed process {pid} ({name})" for pid, name in victims.items()]
    if counted and not victims:
        kills.append(f"/proc/vmstat counts {counted} kills")
    if kills or attempts[0].observed() == "granted":
        return "refuted", wrong + kills
    if counted is None and log_error:
        wrong.append(f"whether anybody was killed cannot be told: {log_error}")
    if wrong:
        return "inconclusive", wrong
    return "proven", [f"{one.asked_kb} KiB were {one.observed()} in the {one.name}" for one in attempts] + [
        "nobody was killed"
    ]


def _report(verdict: str, limit_kb: int, attempts: List[Attempt], counted: Optional[int], victims: int) -> List[str]:
    claim = {
        "proven": "who asks for more than CommitLimit ({0} KiB) is refused, and nobody is killed",
        "refuted": "the limit of {0} KiB does not keep the killer away",
        "inconclusive": "nothing is shown about the limit of {0} KiB",
    }
    stories = [
        f"{one.name}: {one.asked_kb} KiB asked for, {one.got_kb} KiB given, {one.observed()}; expected {one.expected}. hog {one.pid}, {(f'signal {one.signal}' if one.exit is None else f'exit {one.exit}')}"
        for one in attempts
    ]
    return [
        f"{verdict}: {claim[verdict].format(limit_kb)}",
        *stories,
        f"kills: {'unknown' if counted is None else counted} counted, {victims} in the kernel log",
    ]


def _hog(one: Attempt) -> Dict[str, Any]:
    return dict(
        role="hog",
        pid=one.pid,
        name=NAMES["hog"],
        wanted_score=SCORE_MAX,
        score=None,
        exit=one.exit,
        signal=one.signal,
        outlived=False,
        asked_kb=one.asked_kb,
        got_kb=one.got_kb,
    )
