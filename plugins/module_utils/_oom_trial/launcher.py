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
can remove what a killed one left behind (leftovers.py).
"""

import abc
import contextlib
import os
import re
import time
from typing import Dict, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_become
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    Hierarchy,
    cgroup_hierarchies,
    memory_hierarchy,
    own_cgroup,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import run_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, check_path_text, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_facts import read_systemd_version
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import find_leftovers, own_cgroup_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import (
    REMOVE_SECONDS,
    MemoryCgroup,
    count_limit_hits,
    find_obstacle,
    headroom_kb,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import (
    End,
    StartedProgram,
    start_actor,
)

_SLICE_SECONDS = 10  # for systemd to create a slice


class Launcher(abc.ABC):
    """A private memory cgroup, and the programs that are started in it."""

    manager: str

    def __init__(self, procfs: Procfs, hierarchy: Hierarchy) -> None:
        self._procfs = procfs
        self._hierarchy = hierarchy
        self._cgroup: Optional[MemoryCgroup] = None
        self._started: List[StartedProgram] = []

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
    def check(self) -> None:
        """Raise what open() would raise, as far as that shows without creating anything."""

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
    def wait_for_end(self, program: StartedProgram) -> Optional[End]:
        """Wait for the end, which must be near, and return the program's exit code and signal.

        Returns None if the program did not end.
        """

    @abc.abstractmethod
    def _remove_cgroup(self, cgroup: MemoryCgroup) -> None:
        """Kill the programs and remove the cgroup, as far as that is possible."""

    @abc.abstractmethod
    def sweep(self) -> List[str]:
        """Remove what killed trials left behind, and return the names of their cgroups."""

    def limit_hits(self) -> Optional[Dict[str, int]]:
        """Return how often the cgroups above hit their limits; see count_limit_hits()."""
        return count_limit_hits(self._hierarchy, self._opened().directory)

    def close(self) -> List[str]:
        """Kill the programs, remove the cgroup, and return the folders that remain.

        It never raises: what ended the trial must not be hidden.
        """
        cgroup = self._cgroup
        if cgroup is not None:
            with contextlib.suppress(OomError, OSError):
                self._remove_cgroup(cgroup)
        for program in self._started:
            program.kill()
        return [cgroup.directory] if cgroup is not None and cgroup.exists() else []

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
            cgroup = MemoryCgroup(self._hierarchy, os.path.join(parent, own_cgroup_name(self._procfs)))
            self._cgroup = cgroup  # first: a signal during create() must not leave the folder behind
            try:
                cgroup.create()
            except (AccessError, UnsupportedError) as error:
                self._cgroup = None
                failures.append(str(error))
                continue
            if limit_kb is not None:
                cgroup.set_limit(limit_kb)
            return cgroup
        raise _no_cgroup(failures)

    def check(self) -> None:
        """Raise AccessError if no parent allows a cgroup."""
        obstacles = [find_obstacle(self._hierarchy, parent) for parent in self._parents]
        if None not in obstacles:
            raise _no_cgroup([obstacle for obstacle in obstacles if obstacle])

    def headroom_kb(self) -> Optional[int]:
        """Return what the first parent and the cgroups above it still allow, in KiB."""
        return headroom_kb(self._hierarchy, self._parents[0])

    def start(self, role: str, command: List[str], score: int) -> StartedProgram:
        """Start a program that joins the cgroup before exec and sets its own score."""
        join = os.open(bytes_of(self._opened().directory) + b"/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            program = start_actor([*command, "--score", str(score)], lambda: os.write(join, b"0"))
        finally:
            os.close(join)
        self._started.append(program)
        return program

    def oom_kills(self) -> Optional[int]:
        """Return the kills that the cgroup counted; None before kernel 4.13."""
        return self._opened().oom_kills()

    def wait_for_end(self, program: StartedProgram) -> Optional[End]:
        """Wait for the child, which is the program itself."""
        return program.wait()

    def _remove_cgroup(self, cgroup: MemoryCgroup) -> None:
        cgroup.remove()

    def sweep(self) -> List[str]:
        """Remove what killed trials left behind below the same parents."""
        swept = []
        for parent in self._parents:
            for name in find_leftovers(self._procfs, parent, self.version):
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
        try:
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
        except OomError as error:
            raise UnsupportedError(
                f"systemd does not start the slice {self._slice} ({error}): set manager=cgroupfs"
            ) from error
        deadline = time.monotonic() + _SLICE_SECONDS
        while not cgroup.exists():  # when the call returns, the job is queued but not done
            if time.monotonic() > deadline:
                raise UnsupportedError(
                    f"systemd created no memory cgroup for {self._slice} within {_SLICE_SECONDS} s:"
                    " set manager=cgroupfs, or check that MemoryAccounting works here"
                )
            time.sleep(0.01)
        if limit_kb is not None:
            cgroup.set_limit(limit_kb)
        return cgroup

    def check(self) -> None:
        """Do nothing: choose_launcher() has found that systemd manages the host."""

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
        if (read_systemd_version() or 0) >= 243:
            wrapped.append("--property=OOMPolicy=continue")
        program = start_actor([*wrapped, "--", *command])
        self._started.append(program)
        self._units[program] = unit
        return program

    def oom_kills(self) -> Optional[int]:
        """Return the kills that the slice counted; None with version 1.

        Version 1 counts in the victim's own cgroup, which systemd removes with the unit.
        """
        return self._opened().oom_kills() if self.version == 2 else None

    def wait_for_end(self, program: StartedProgram) -> Optional[End]:
        """Wait for systemd-run, then ask systemd how the service ended.

        Raises OomError if there was no service, or if systemctl fails.
        """
        end = program.wait()
        if end is None or end[0] == 0:
            return end  # systemd unloads a unit that succeeded at once
        code, signal = end
        output = run_program("systemctl", "show", "--property=ExecMainCode,ExecMainStatus", self._units[program])
        shown = {key: value for key, _equals, value in (line.partition("=") for line in output.split("\n"))}
        text = shown.get("ExecMainStatus", "")
        status = int(text) if re.match(r"[0-9]{1,9}\Z", text) else code or signal or 0
        # ExecMainCode is si_code of waitid(2): 1 exited, 2 killed, 3 dumped core. Without a process
        # it is 0.
        if shown.get("ExecMainCode") == "0":
            raise OomError(
                f"systemd-run started no process (exit {code}): run systemd-run --pipe --wait /bin/true to see why, or"
                " set manager=cgroupfs; on a host with SELinux look for denials with ausearch -m avc"
            )
        return (status, None) if shown.get("ExecMainCode") == "1" else (None, status)

    def _remove_cgroup(self, cgroup: MemoryCgroup) -> None:
        _stop_slice(self._slice)
        deadline = time.monotonic() + REMOVE_SECONDS
        while cgroup.exists() and time.monotonic() < deadline:
            time.sleep(0.01)

    def sweep(self) -> List[str]:
        """Stop the slices and remove the cgroups that killed trials left behind.

        One that cannot be stopped stays. With manager=cgroupfs a trial leaves a cgroup alone.
        """
        swept = []
        for name in find_leftovers(self._procfs, self._hierarchy.mount, self.version):
            with contextlib.suppress(OomError):
                if name.endswith(".slice"):
                    _stop_slice(name)
                else:
                    MemoryCgroup(self._hierarchy, os.path.join(self._hierarchy.mount, name)).remove()
                swept.append(name)
        return swept


def choose_launcher(procfs: Procfs, manager: str, parent: Optional[str]) -> Launcher:
    """Return the launcher for C(manager), or with auto the one that fits this host.

    Raises InputError or UnsupportedError if that manager cannot be used.
    """
    if manager == "auto":
        manager = "systemd" if Systemd().runs() and os.geteuid() == 0 and not parent else "cgroupfs"
    if manager == "cgroupfs":
        if parent:
            hierarchy, folder = _locate_parent(procfs, parent)
            return CgroupLauncher(procfs, hierarchy, [folder])
        hierarchy = memory_hierarchy(procfs)
        return CgroupLauncher(procfs, hierarchy, _usual_parents(procfs, hierarchy))
    if parent:
        raise InputError(
            f"cgroup_parent={parent} cannot be combined with manager=systemd, which creates its own slice:"
            " set manager=cgroupfs, or leave out cgroup_parent"
        )
    if not Systemd().runs():
        raise UnsupportedError(
            "manager=systemd: systemd does not manage this host (no /run/systemd/system); set manager=cgroupfs"
        )
    return SystemdLauncher(procfs, memory_hierarchy(procfs), own_cgroup_name(procfs) + ".slice")


def _no_cgroup(failures: List[str]) -> AccessError:
    """Return the error for these failures, with what a user, or root in a container, can do."""
    remedy = "run on the host itself, or set cgroup_parent to a delegated cgroup"
    if os.geteuid() != 0:
        remedy = f"{explain_become()}, or set cgroup_parent to a cgroup delegated to this user"
    return AccessError(f"cannot create a memory cgroup: {'; '.join(failures)}; {remedy}")


def _locate_parent(procfs: Procfs, parent: str) -> Tuple[Hierarchy, str]:
    """Return the hierarchy that limits memory in this folder, and the folder without symlinks.

    Raises InputError if it is not a folder of such a hierarchy. A folder on another file system
    would get ordinary files instead of a limit.
    """
    folder = os.path.realpath(check_path_text("cgroup_parent", parent))
    memory = memory_hierarchy(procfs)
    for hierarchy in cgroup_hierarchies(procfs):
        mount = bytes_of(hierarchy.mount)
        is_memory = hierarchy.version == memory.version and hierarchy.controllers == memory.controllers
        with contextlib.suppress(OSError):
            is_below = (folder + b"/").startswith(mount.rstrip(b"/") + b"/")
            # Another file system may be mounted below.
            if is_memory and is_below and os.path.isdir(folder) and os.stat(folder).st_dev == os.stat(mount).st_dev:
                return hierarchy, text_of(folder)
    raise InputError(
        f"cgroup_parent={parent} is not a folder of the memory cgroup hierarchy at {memory.mount}:"
        " set it to the folder of a cgroup that is delegated to this user"
    )


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


def _stop_slice(name: str) -> None:
    """Stop a slice and everything in it, and clear the failed state of its units."""
    run_program("systemctl", "stop", name)
    with contextlib.suppress(OomError):  # none of them failed
        run_program("systemctl", "reset-failed", name[: -len(".slice")] + "*")
