# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Where the hog and the decoy of a trial run: a private memory cgroup, limited or not, and the programs in it.

Two ways to get one. With systemd as the manager of the host the cgroup is a
transient slice, each program a transient service in it, and systemd itself
sets the score, as it does for a pinned daemon. Elsewhere the cgroup is made by
hand and each program joins it before it starts and sets its own score.

Either way the cgroup's name tells whose it is, so that a later trial can sweep
away what a killed one left behind.
"""

import json
import os
import re
import select
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, run_program
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import memory_cgroup as _memory_cgroup

# No blank, slash or dash: a dash in the name of a slice would make it a child of another slice.
_NAME = "oomguardtrial_{pid}_{start_time}"
_LEFTOVER = re.compile(r"oomguardtrial_(\d+)_(\d+)(\.slice)?$")


class Started:
    """A program of the trial that was started: its words, its life, its end."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self._child = child
        self._fd = child.stdout.fileno()  # type: ignore[union-attr]
        self._unread = b""
        self.phases: List[Dict[str, Any]] = []
        self.ended = False  # its side of the pipe is closed

    def fileno(self) -> int:
        return self._fd

    def pump(self) -> None:
        """Read what is there; the caller knows from select() that there is something."""
        chunk = os.read(self._fd, 65536)
        if not chunk:
            self.ended = True
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            try:
                self.phases.append(json.loads(line.decode("utf-8", "replace")))
            except ValueError:
                continue  # not the hog's own words: a wrapper may talk too

    def said(self, phase: str) -> Optional[Dict[str, Any]]:
        return next((line for line in self.phases if line.get("phase") == phase), None)

    @property
    def pid(self) -> int:
        """Its own pid if it told it, else that of the child, which may be a wrapper."""
        start = self.said("start")
        return start["pid"] if start else self._child.pid

    def reap(self) -> Tuple[Optional[int], Optional[int]]:
        """Wait for the end, which must be near. Exit code and signal, one of them None."""
        code = self._child.wait()
        self._child.stdout.close()  # type: ignore[union-attr]
        return (code, None) if code >= 0 else (None, -code)


def wait_for(started: Sequence[Started], deadline: float, until: Any) -> bool:
    """Read from all of them until the condition holds; False when the deadline came first."""
    while not until():
        waiting = [one for one in started if not one.ended]
        left = deadline - time.monotonic()
        if not waiting or left <= 0:
            return False
        for one in select.select(waiting, [], [], left)[0]:
            one.pump()
    return True


class CgroupLauncher:
    """The cgroup made by hand, for hosts without systemd and for delegated cgroups."""

    manager = "cgroupfs"

    def __init__(self, procfs: Procfs, parent: Optional[str]) -> None:
        self._procfs = procfs
        self._hierarchy = memory_hierarchy(procfs)
        self.version = self._hierarchy.version
        self._parents = [parent] if parent else self._usual_parents()

    def _usual_parents(self) -> List[str]:
        """The root of the hierarchy, else our own cgroup and those above it, nearest first.

        Not our own cgroup first: with OOMPolicy=stop a kill below it would
        take the session or the agent that runs this.
        """
        parents = [self._hierarchy.mount]
        directory = self._hierarchy.directory(own_cgroup(self._procfs, self._hierarchy))
        while directory.startswith(self._hierarchy.mount + "/"):
            parents.append(directory)
            directory = os.path.dirname(directory)
        return parents

    def open(self, limit_kb: Optional[int]) -> "_memory_cgroup.MemoryCgroup":
        refusals = []
        for parent in self._parents:
            cgroup = _memory_cgroup.MemoryCgroup(self._hierarchy, os.path.join(parent, _own_name(self._procfs)))
            try:
                cgroup.create()
            except (AccessError, UnsupportedError) as error:
                refusals.append(str(error))
                continue
            self.cgroup = cgroup
            if limit_kb is not None:
                cgroup.set_limit(limit_kb)
            return cgroup
        raise AccessError(
            f"no memory cgroup can be made: {'; '.join(refusals)}; run as root, or name a delegated cgroup with cgroup_parent"
        )

    def headroom_kb(self) -> Optional[int]:
        return _memory_cgroup.headroom_kb(self._hierarchy, self._parents[0])

    def start(self, role: str, command: List[str], score: int) -> Started:
        join = os.open(os.path.join(self.cgroup.directory, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC)
        try:
            return _start([*command, "--score", str(score)], lambda: os.write(join, b"0"))
        finally:
            os.close(join)

    def oom_kills(self) -> Optional[int]:
        return self.cgroup.oom_kills()

    def end_of(self, started: Started) -> Tuple[Optional[int], Optional[int]]:
        return started.reap()

    def close(self) -> List[str]:
        """Kill and remove; what could not be removed is named."""
        cgroup = getattr(self, "cgroup", None)
        return [] if cgroup is None or cgroup.remove() else [cgroup.directory]

    def sweep(self) -> List[str]:
        """Remove what trials that were killed left below the same parents."""
        swept = []
        for parent in self._parents:
            for name in _leftovers(self._procfs, parent):
                _memory_cgroup.MemoryCgroup(self._hierarchy, os.path.join(parent, name)).remove()
                swept.append(name)
        return swept


class SystemdLauncher:
    """A transient slice with the limit and transient services in it."""

    manager = "systemd"

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._hierarchy = memory_hierarchy(procfs)
        self.version = self._hierarchy.version
        self._slice = _own_name(procfs) + ".slice"
        self._units: Dict[Started, str] = {}
        self._opened = False

    def open(self, limit_kb: Optional[int]) -> "_memory_cgroup.MemoryCgroup":
        self.cgroup = _memory_cgroup.MemoryCgroup(self._hierarchy, self._hierarchy.directory("/" + self._slice))
        self._opened = True
        # systemctl can only limit a slice through a drop-in; the bus call leaves nothing behind.
        if limit_kb is None:
            properties = ["1", "MemoryAccounting", "b", "true"]
        else:
            properties = ["2", "MemoryMax", "t", str(limit_kb * 1024), "MemorySwapMax", "t", "0"]
        run_program(
            "busctl",
            "call",
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "StartTransientUnit",
            "ssa(sv)a(sa(sv))",
            self._slice,
            "fail",
            *properties,
            "0",
        )
        deadline = time.monotonic() + 10
        while not self.cgroup.exists():  # the job is queued, not done, when the call returns
            if time.monotonic() > deadline:
                raise UnsupportedError(
                    f"systemd made no memory cgroup for {self._slice}: is MemoryAccounting possible here?"
                )
            time.sleep(0.01)
        if limit_kb is not None:
            self.cgroup.set_limit(limit_kb)
        return self.cgroup

    def headroom_kb(self) -> Optional[int]:
        return None  # the slice lies at the root of the hierarchy

    def start(self, role: str, command: List[str], score: int) -> Started:
        unit = f"{self._slice[: -len('.slice')]}_{len(self._units)}_{role}.service"
        # OOMPolicy: with the default "stop" systemd itself would end a unit after a kill in it.
        wrapped = [
            "systemd-run",
            "--quiet",
            "--wait",
            "--pipe",
            "--slice=" + self._slice,
            "--unit=" + unit,
            f"--property=OOMScoreAdjust={score}",
        ]
        if _systemd_version() >= 243:
            wrapped.append("--property=OOMPolicy=continue")
        started = _start([*wrapped, "--", *command], None)
        self._units[started] = unit
        return started

    def oom_kills(self) -> Optional[int]:
        # Version 1 counts in the victim's own cgroup, which systemd removes with the unit.
        return self.cgroup.oom_kills() if self.version == 2 else None

    def end_of(self, started: Started) -> Tuple[Optional[int], Optional[int]]:
        code, signal = started.reap()
        if code == 0:
            return 0, None  # a unit that succeeded is forgotten at once
        shown = dict(
            line.split("=", 1)
            for line in run_program(
                "systemctl", "show", "--property=ExecMainCode,ExecMainStatus", self._units[started]
            ).splitlines()
        )
        status = int(shown.get("ExecMainStatus", code or signal or 0))
        # ExecMainCode is si_code of waitid(2): 1 exited, 2 killed, 3 dumped core.
        return (status, None) if shown.get("ExecMainCode") == "1" else (None, status)

    def close(self) -> List[str]:
        if not self._opened:
            return []
        _stop(self._slice)
        deadline = time.monotonic() + _memory_cgroup.REMOVE_SECONDS
        while self.cgroup.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return [self.cgroup.directory] if self.cgroup.exists() else []

    def sweep(self) -> List[str]:
        names = _leftovers(self._procfs, self._hierarchy.mount)
        for name in names:
            _stop(name)
        return names


def launcher(procfs: Procfs, manager: str, parent: Optional[str]) -> Any:
    """The launcher for this host, or the one that was asked for."""
    if manager == "auto":
        manager = "systemd" if Systemd().runs() and os.geteuid() == 0 and not parent else "cgroupfs"
    if manager == "cgroupfs":
        return CgroupLauncher(procfs, parent)
    if parent:
        raise InputError(
            f"cgroup_parent {parent} does not go with manager=systemd, which makes a slice of its own: use manager=cgroupfs"
        )
    if not Systemd().runs():
        raise UnsupportedError(
            "manager=systemd: systemd does not manage this host (no /run/systemd/system): use manager=cgroupfs"
        )
    return SystemdLauncher(procfs)


def _own_name(procfs: Procfs) -> str:
    with procfs.open(os.getpid()) as directory:
        return _NAME.format(**directory.process()._asdict())


def _leftovers(procfs: Procfs, parent: str) -> List[str]:
    """Cgroups below this folder whose trial no longer runs."""
    names = []
    try:
        entries = os.listdir(parent)
    except OSError:
        return []
    for name in entries:
        match = _LEFTOVER.match(name)
        if not match:
            continue
        try:
            with procfs.open(int(match.group(1))) as directory:
                if directory.process().start_time == int(match.group(2)):
                    continue
        except GONE:
            pass
        names.append(name)
    return names


def _start(command: List[str], before: Any) -> Started:
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=before,
            env=dict(os.environ, LC_ALL="C"),
        )
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}")
    return Started(child)


def _systemd_version() -> int:
    return int(run_program("systemd-run", "--version").split()[1].split(".")[0].split("~")[0])


def _stop(slice_name: str) -> None:
    """End a slice and all in it, and let systemd forget that units in it failed."""
    run_program("systemctl", "stop", slice_name)
    pattern = slice_name[: -len(".slice")] + "*"
    run_program("systemctl", "reset-failed", pattern)
