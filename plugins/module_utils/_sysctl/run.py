# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""One run of a module that sets sysctls: look, refuse, and carry out what is left to do.

Two runs on one host wait for each other.
"""

import contextlib
import fcntl
import os
import time
from typing import Callable, Iterator

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import guards as _sysctl_guards
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import PROC_SYS, Host, Plan, Request, plan

# A run that hangs holds the lock for its rollback_seconds, 30 usually, and while its helper tries to put back what it cannot, 60.
LOCK_SECONDS = 100
LOCK_PAUSE_SECONDS = 0.1


def run(host: Host, request: Request, refuse: Callable[[Plan], None], check_mode: bool) -> Plan:
    """What was done, or in check mode would be. C(refuse) has the module's own reasons against a plan."""
    with contextlib.ExitStack() as stack:
        lock = [] if check_mode else [stack.enter_context(_alone(host))]
        made = plan(host, request)
        if not request.force:
            refuse(made)
            _sysctl_guards.refuse_kubelet(made.steps, lambda: host.runs("kubelet"))
        if not made.changed:
            return made
        # What writes is loaded where something is to be written, as in Host.
        from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.apply import (
            apply,
            prove_new_process,
            unwritable,
        )

        reason = _sysctl_guards.why_not_here(host.container(), host.read_only(), request.force)
        if check_mode:
            reason = reason or unwritable(host, made)
            return made if reason is None else made._replace(doubts=[*made.doubts, reason])
        if reason is not None:
            raise AccessError(reason)
        apply(host, made, prove_new_process, lock)
        return made


@contextlib.contextmanager
def _alone(host: Host) -> Iterator[int]:
    """One module at a time: of two that change the same, each would take back what the other did.

    Everybody may read the folder, and so hold its lock: nobody waits for it without end.
    """
    fd = os.open(host.path(PROC_SYS), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _locked(fd):
            if time.monotonic() > deadline:
                raise OomError(
                    f"nothing was changed, as for {LOCK_SECONDS} seconds another run of overcommit or oom_policy on this host has held the lock on {PROC_SYS}, or somebody else has: see lslocks, and try again when it is free"
                )
            time.sleep(LOCK_PAUSE_SECONDS)
        yield fd
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
