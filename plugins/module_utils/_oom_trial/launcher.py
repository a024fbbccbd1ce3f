# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Start the hog and the decoy of a trial in a private memory cgroup.

There are two ways to get one. Where systemd manages the host, the cgroup is a
transient slice, each program is a transient service in it, and systemd sets the
score, as it does for a pinned daemon. Elsewhere the cgroup is made by hand; each
program joins it before it starts and sets its own score.

Either way the cgroup's name identifies the trial that owns it, so a later trial
can remove what a killed one left behind.
"""

import abc
import json
import os
import re
import select
import subprocess
import time
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import Hierarchy, memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import run_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    REMOVE_SECONDS,
    MemoryCgroup,
    headroom_kb,
)

_PRIVATE_NAME = re.compile(r"oomguardtrial_(\d+)_(\d+)(\.slice)?$")
_SLICE_SECONDS = 10  # for systemd to create a slice

# Exit code and signal of a program that ended; one of them is None.
End = Tuple[Optional[int], Optional[int]]


class StartedProgram:
    """A running program of the trial, its JSON lines, and its end."""

    def __init__(self, child: "subprocess.Popen[bytes]", stdout: IO[bytes]) -> None:
        self._child = child
        self._stdout = stdout
        self._unread = b""
        self.phases: List[Dict[str, Any]] = []
        self.ended = False  # the program has closed its side of the pipe

    def fileno(self) -> int:
        """Return the descriptor of its output, for select(2)."""
        return self._stdout.fileno()

    def read_phases(self) -> None:
        """Read what its pipe holds; waits if the pipe is empty, so call it after select(2)."""
        chunk = os.read(self.fileno(), 65536)
        if not chunk:
            self.ended = True
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            try:
                self.phases.append(json.loads(line.decode("utf-8", "replace")))
            except ValueError:
                continue  # not written by the hog: a wrapper may also print

    def phase(self, name: str) -> Optional[Dict[str, Any]]:
        """Return the line that the program printed for a phase, or None."""
        return next((line for line in self.phases if line.get("phase") == name), None)

    @property
    def pid(self) -> int:
        """The pid that the program printed, else that of the child, which may be a wrapper."""
        start = self.phase("start")
        return start["pid"] if start else self._child.pid

    def wait(self) -> End:
        """Wait for the end, which must be near, and return exit code and signal."""
        code = self._child.wait()
        self._stdout.close()
        return (code, None) if code >= 0 else (None, -code)


def wait_until(condition: Callable[[], bool], programs: Sequence[StartedProgram], deadline: float) -> bool:
    """Read from all programs until the condition holds; return False if the deadline passes first.

    The deadline is a time of the monotonic clock, in seconds.
    """
    while not condition():
        running = [one for one in programs if not one.ended]
        left = deadline - time.monotonic()
        if not running or left <= 0:
            return False
        for one in select.select(running, [], [], left)[0]:
            one.read_phases()
    return True


class Launcher(abc.ABC):
    """A private memory cgroup, and the programs that are started in it."""

    manager: str

    def __init__(self, procfs: Procfs, hierarchy: Hierarchy) -> None:
        self._procfs = procfs
        self._hierarchy = hierarchy
        self._cgroup: Optional[MemoryCgroup] = None

    @property
    def version(self) -> int:
        """The version of the memory cgroup hierarchy, 1 or 2."""
        return self._hierarchy.version

    @abc.abstractmethod
    def open(self, limit_kb: Optional[int]) -> MemoryCgroup:
        """Create the cgroup and return it; with None it has no limit.

        Raises AccessError or UnsupportedError.
        """

    @abc.abstractmethod
    def headroom_kb(self) -> Optional[int]:
        """Return what the cgroups above still allow, in KiB; None if none has a limit."""

    @abc.abstractmethod
    def start(self, role: str, command: List[str], score: int) -> StartedProgram:
        """Start a program in the cgroup with this score."""

    @abc.abstractmethod
    def oom_kills(self) -> Optional[int]:
        """Return the kills that the cgroup counted; None if it has no lasting counter."""

    @abc.abstractmethod
    def wait_for_end(self, program: StartedProgram) -> End:
        """Wait for the end, which must be near, and return the program's exit code and signal."""

    @abc.abstractmethod
    def close(self) -> List[str]:
        """Kill the programs, remove the cgroup, and return the folders that remain."""

    @abc.abstractmethod
    def sweep(self) -> List[str]:
        """Remove what killed trials left behind, and return the names of their cgroups."""

    def _opened(self) -> MemoryCgroup:
        if self._cgroup is None:
            raise RuntimeError("the launcher has no cgroup before open()")
        return self._cgroup


class CgroupLauncher(Launcher):
    """A cgroup made by hand, for hosts without systemd and for delegated cgroups."""

    manager = "cgroupfs"

    def __init__(self, procfs: Procfs, hierarchy: Hierarchy, parents: List[str]) -> None:
        super().__init__(procfs, hierarchy)
        self._parents = parents  # folders to try in this order

    def open(self, limit_kb: Optional[int]) -> MemoryCgroup:
        """Create the cgroup below the first parent that allows it."""
        failures = []
        for parent in self._parents:
            cgroup = MemoryCgroup(self._hierarchy, os.path.join(parent, _own_name(self._procfs)))
            try:
                cgroup.create()
            except (AccessError, UnsupportedError) as error:
                failures.append(str(error))
                continue
            self._cgroup = cgroup
            if limit_kb is not None:
                cgroup.set_limit(limit_kb)
            return cgroup
        raise AccessError(
            f"cannot create a memory cgroup: {'; '.join(failures)};"
            " run as root, or set cgroup_parent to a delegated cgroup"
        )

    def headroom_kb(self) -> Optional[int]:
        """Return what the first parent and the cgroups above it still allow, in KiB."""
        return headroom_kb(self._hierarchy, self._parents[0])

    def start(self, role: str, command: List[str], score: int) -> StartedProgram:
        """Start a program that joins the cgroup before exec and sets its own score."""
        join = os.open(os.path.join(self._opened().directory, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC)
        try:
            return _start([*command, "--score", str(score)], lambda: os.write(join, b"0"))
        finally:
            os.close(join)

    def oom_kills(self) -> Optional[int]:
        """Return the kills that the cgroup counted; None before kernel 4.13."""
        return self._opened().oom_kills()

    def wait_for_end(self, program: StartedProgram) -> End:
        """Wait for the child, which is the program itself."""
        return program.wait()

    def close(self) -> List[str]:
        """Kill the programs and remove the cgroup."""
        return [] if self._cgroup is None or self._cgroup.remove() else [self._cgroup.directory]

    def sweep(self) -> List[str]:
        """Remove what killed trials left behind below the same parents."""
        swept = []
        for parent in self._parents:
            for name in _leftovers(self._procfs, parent):
                MemoryCgroup(self._hierarchy, os.path.join(parent, name)).remove()
                swept.append(name)
        return swept


class SystemdLauncher(Launcher):
    """A transient slice with the limit, and transient services in it."""

    manager = "systemd"

    def __init__(self, procfs: Procfs, hierarchy: Hierarchy, slice_name: str) -> None:
        super().__init__(procfs, hierarchy)
        self._slice = slice_name
        self._units: Dict[StartedProgram, str] = {}

    def open(self, limit_kb: Optional[int]) -> MemoryCgroup:
        """Start the slice and wait for its cgroup."""
        self._cgroup = cgroup = MemoryCgroup(self._hierarchy, self._hierarchy.directory("/" + self._slice))
        # systemctl can limit a slice only through a drop-in; the bus call leaves no file behind.
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
        deadline = time.monotonic() + _SLICE_SECONDS
        while not cgroup.exists():  # when the call returns, the job is queued but not done
            if time.monotonic() > deadline:
                raise UnsupportedError(
                    f"systemd created no memory cgroup for {self._slice}: check that MemoryAccounting works here"
                )
            time.sleep(0.01)
        if limit_kb is not None:
            cgroup.set_limit(limit_kb)
        return cgroup

    def headroom_kb(self) -> Optional[int]:
        """Return None: the slice is at the root of the hierarchy."""
        return None

    def start(self, role: str, command: List[str], score: int) -> StartedProgram:
        """Start a transient service; systemd sets its score."""
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
        program = _start([*wrapped, "--", *command], None)
        self._units[program] = unit
        return program

    def oom_kills(self) -> Optional[int]:
        """Return the kills that the slice counted; None with version 1.

        Version 1 counts in the victim's own cgroup, which systemd removes with the unit.
        """
        return self._opened().oom_kills() if self.version == 2 else None

    def wait_for_end(self, program: StartedProgram) -> End:
        """Wait for systemd-run, then ask systemd how the service ended."""
        code, signal = program.wait()
        if code == 0:
            return 0, None  # systemd unloads a unit that succeeded at once
        shown = dict(
            line.split("=", 1)
            for line in run_program(
                "systemctl", "show", "--property=ExecMainCode,ExecMainStatus", self._units[program]
            ).splitlines()
        )
        status = int(shown.get("ExecMainStatus", code or signal or 0))
        # ExecMainCode is si_code of waitid(2): 1 exited, 2 killed, 3 dumped core.
        return (status, None) if shown.get("ExecMainCode") == "1" else (None, status)

    def close(self) -> List[str]:
        """Stop the slice and wait until its cgroup is gone."""
        if self._cgroup is None:
            return []
        _stop_slice(self._slice)
        deadline = time.monotonic() + REMOVE_SECONDS
        while self._cgroup.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return [self._cgroup.directory] if self._cgroup.exists() else []

    def sweep(self) -> List[str]:
        """Stop the slices that killed trials left behind."""
        names = _leftovers(self._procfs, self._hierarchy.mount)
        for name in names:
            _stop_slice(name)
        return names


def choose_launcher(procfs: Procfs, manager: str, parent: Optional[str]) -> Launcher:
    """Return the launcher for C(manager), or with auto the one that fits this host.

    Raises InputError or UnsupportedError if that manager cannot be used.
    """
    if manager == "auto":
        manager = "systemd" if Systemd().runs() and os.geteuid() == 0 and not parent else "cgroupfs"
    if manager == "cgroupfs":
        hierarchy = memory_hierarchy(procfs)
        return CgroupLauncher(procfs, hierarchy, [parent] if parent else _usual_parents(procfs, hierarchy))
    if parent:
        raise InputError(
            f"cgroup_parent {parent} cannot be combined with manager=systemd, which creates its own slice:"
            " set manager=cgroupfs"
        )
    if not Systemd().runs():
        raise UnsupportedError(
            "manager=systemd: systemd does not manage this host (no /run/systemd/system); set manager=cgroupfs"
        )
    return SystemdLauncher(procfs, memory_hierarchy(procfs), _own_name(procfs) + ".slice")


def _usual_parents(procfs: Procfs, hierarchy: Hierarchy) -> List[str]:
    """Return the root of the hierarchy, then our own cgroup and those above it, nearest first.

    Our own cgroup is not the first: with OOMPolicy=stop a kill below it would
    end the session or the agent that runs the trial.
    """
    parents = [hierarchy.mount]
    directory = hierarchy.directory(own_cgroup(procfs, hierarchy))
    while directory.startswith(hierarchy.mount + "/"):
        parents.append(directory)
        directory = os.path.dirname(directory)
    return parents


def _private_name(owner: Process) -> str:
    """Return the name of a trial's cgroup, which identifies the process that runs the trial.

    It has no blank or slash, and no dash: a dash would make a slice the child of another slice.
    """
    return f"oomguardtrial_{owner.pid}_{owner.start_time}"


def _own_name(procfs: Procfs) -> str:
    with procfs.open(os.getpid()) as directory:
        return _private_name(directory.process())


def _leftovers(procfs: Procfs, parent: str) -> List[str]:
    """Return the names of cgroups in this folder whose trial no longer runs."""
    names = []
    try:
        entries = os.listdir(parent)
    except OSError:
        return []
    for name in entries:
        match = _PRIVATE_NAME.match(name)
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


def _start(command: List[str], before_exec: Optional[Callable[[], object]]) -> StartedProgram:
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=before_exec,
            env=dict(os.environ, LC_ALL="C"),
        )
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}") from error
    assert child.stdout is not None  # stdout=PIPE
    return StartedProgram(child, child.stdout)


def _systemd_version() -> int:
    return int(run_program("systemd-run", "--version").split()[1].split(".")[0].split("~")[0])


def _stop_slice(name: str) -> None:
    """Stop a slice and everything in it, and clear the failed state of its units."""
    run_program("systemctl", "stop", name)
    run_program("systemctl", "reset-failed", name[: -len(".slice")] + "*")
