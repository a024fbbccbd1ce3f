# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check a host before a trial with kills, without changing anything on it."""

import os
import signal
import time
from typing import List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import LEAST_LIMIT_KB, Candidate
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import Launcher
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import sees_every_process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest, format_size
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import REAP_SECONDS


def check_pids(procfs: Procfs) -> None:
    """Refuse a container with pids of its own: the kernel log names victims by the host's pids."""
    if not sees_every_process(procfs):
        raise UnsupportedError(
            "this container has a pid namespace of its own, and the kernel log names victims by the pids of the host:"
            " run the trial on the host itself, or start the container with --pid=host"
        )


def check_contained(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> None:
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
            remedy = f"set at most {room_kb // 2048}M"
            if room_kb // 2 < LEAST_LIMIT_KB:
                remedy = f"free at least {LEAST_LIMIT_KB // 512} MiB first"
            raise InputError(
                f"memory_limit={format_size(limit_kb)} is more than half of the {room}, {room_kb} KiB: {remedy}"
            )


def check_host_wide(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> None:
    """Refuse a trial without consent, and a host that would not answer the OOM with one kill."""
    if not request.allow_host_oom:
        raise InputError(
            "scope=host is not allowed yet, because the whole host may stall for minutes, and other processes may die:"
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
            f"a cgroup above the trial has only {headroom} KiB left, so it would run out before the host does:"
            " use scope=cgroup"
        )


def _sysctl(procfs: Procfs, name: str) -> str:
    return procfs.read("sys/" + name.replace(".", "/")).strip()


def list_candidates(procfs: Procfs) -> List[Candidate]:
    """Return the processes that a host-wide killer could choose, with score and memory.

    Both files that show a process's memory are read, and the larger number counts.
    """
    found = []
    for process in other_processes(procfs):
        try:
            with procfs.open(process.pid) as directory:
                memory_kb = max(directory.memory_kb(), process.resident_kb, 0)
                found.append(Candidate(process, directory.score(), memory_kb))
        except GONE:
            continue
    return found


def other_processes(procfs: Procfs) -> List[Process]:
    """Return all processes but this one and kernel threads."""
    return [process for process in procfs.processes() if process.pid != os.getpid()]


def read_own_score(procfs: Procfs) -> int:
    """Return the score of this process."""
    with procfs.open(os.getpid()) as directory:
        return directory.score()


def can_lower_score(request: TrialRequest, procfs: Procfs, launcher: Launcher) -> bool:
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
    return _wait_for_child(child) == 0


def _wait_for_child(pid: int) -> Optional[int]:
    """Return the status of a child that ends at once; None if it hangs and had to be killed."""
    deadline = time.monotonic() + REAP_SECONDS
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return None
        time.sleep(0.001)
