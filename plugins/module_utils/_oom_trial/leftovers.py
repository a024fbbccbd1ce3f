# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Name the cgroup of a trial after its process, and find those that killed trials left behind.

To remove one kills everything in it. So only a cgroup counts that this user made, whose trial no
longer runs anywhere on the host, and in which no process is left but those of that trial.
"""

import contextlib
import os
from typing import Iterator, List

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import pids_in_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import TRIAL_NAME
from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import read_ids
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import sees_every_process


def name_trial_cgroup(owner: Process) -> str:
    """Return the name of a trial's cgroup, which identifies the process that runs the trial.

    It has no blank or slash, and no dash: a dash would make a slice the child of another slice.
    """
    return f"oomguardtrial_{owner.pid}_{owner.start_time}"


def own_cgroup_name(procfs: Procfs) -> str:
    """Return the name of the cgroup of a trial that this process runs."""
    with procfs.open(os.getpid()) as directory:
        return name_trial_cgroup(directory.process())


def find_leftovers(procfs: Procfs, parent: str, version: int) -> List[str]:
    """Return the names of cgroups in this folder that killed trials left behind.

    Anybody may give a cgroup of its own such a name. So only a folder counts that this user made.
    With version 1, whoever owns the parent can also rename what is in it: then nothing counts
    unless the parent is ours, too. A container that does not see every process finds nothing.
    """
    names: List[str] = []
    with contextlib.suppress(OSError):
        if sees_every_process(procfs) and (version == 2 or os.stat(bytes_of(parent)).st_uid == os.geteuid()):
            names = [name for name in _own_folders(parent) if _is_abandoned(procfs, parent, name)]
    return names


def _own_folders(parent: str) -> Iterator[str]:
    with os.scandir(bytes_of(parent)) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # one that cannot be read is no reason to leave the others
                if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    yield text_of(entry.name)


def _is_abandoned(procfs: Procfs, parent: str, name: str) -> bool:
    """Return whether this is the cgroup of a trial that no longer runs, with nothing else in it."""
    match = TRIAL_NAME.match(name)
    if not match:
        return False
    owner_pid, owner_start = int(match.group(1)), int(match.group(2))
    if _is_running(procfs, owner_pid, owner_start):
        return False
    try:
        pids = pids_in_cgroup(os.path.join(parent, name))
    except OSError:
        return False
    return all(_belonged_to(procfs, pid, owner_start) for pid in pids)


def _is_running(procfs: Procfs, pid: int, start_time: int) -> bool:
    """Return whether the process with this pid runs, or could run, on this host or in a container.

    In a container it gave its cgroup the pid that it has there.
    """
    for process in procfs.processes():
        if process.start_time == start_time:
            with contextlib.suppress(*GONE), procfs.open(process.pid) as directory:
                if pid in _own_pids(directory):
                    return True
    return pid in procfs.hidden  # by the mount option hidepid


def _own_pids(directory: ProcessDir) -> List[int]:
    """Return the pids of a process, one for each pid namespace that sees it."""
    shown = [line for line in directory.status() if line.startswith("NSpid:")]  # since kernel 4.1
    return [int(word) for line in shown for word in line.split()[1:]] or [directory.process().pid]


def _belonged_to(procfs: Procfs, pid: int, owner_start: int) -> bool:
    """Return whether a process in a trial's cgroup is one that the trial started, or has ended."""
    try:
        with procfs.open(pid) as directory:
            ids = read_ids(directory)
            return ids.uid == os.geteuid() and not ids.nested and directory.process().start_time >= owner_start
    except GONE:
        return True
    except PermissionError:
        return False
