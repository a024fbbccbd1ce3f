# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a module that sets sysctls: read the host, plan, refuse harm, and carry the plan out.

Two runs on one host wait for each other.
"""

import contextlib
import fcntl
import os
import time
from typing import Iterator, List, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.guards import refuse_kubelet_values, why_not_here
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import PROC_SYS, Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlPlan,
    SysctlRequest,
    check_request,
    plan_sysctls,
)

# A run that hangs holds the lock for its rollback_seconds, 30 by default, and for another 60 while
# its helper tries to restore a value that cannot be written.
LOCK_SECONDS = 100
LOCK_PAUSE_SECONDS = 0.1


def run_sysctls(host: Host, request: SysctlRequest, check_mode: bool) -> SysctlPlan:
    """Return the plan that was carried out, or in check mode would be, with all warnings.

    Raises OomError if the change is refused or fails. Nothing is changed then.
    """
    with contextlib.ExitStack() as stack:
        lock = [] if check_mode else [stack.enter_context(_lock_out_other_runs(host))]
        plan = read_and_plan(host, request)
        if not request.force:
            request.policy.refuse_harm(plan)
            refuse_kubelet_values(plan.writes, lambda: host.runs("kubelet"))
        warnings = _carry_out(host, plan, check_mode, lock) if plan.changed else []
    return plan._replace(warnings=[*plan.warnings, *warnings, *request.policy.warnings_for(plan.after.live)])


def read_and_plan(host: Host, request: SysctlRequest) -> SysctlPlan:
    """Return the plan for this host. Changes nothing; raises OomError if there can be no plan."""
    check_request(request)
    return plan_sysctls(request, host.read(request))


def _carry_out(host: Host, plan: SysctlPlan, check_mode: bool, lock: Sequence[int]) -> List[str]:
    """Apply the plan. In check mode return why that would fail instead, as a warning."""
    # What writes is imported only where something has to be written, for the reason given in Host.
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.apply import (
        apply_sysctls,
        prove_new_process,
        why_unwritable,
    )

    reason = why_not_here(host.container(), host.read_only(), plan.request.force)
    if check_mode:
        reason = reason or why_unwritable(host, plan)
        return [] if reason is None else [reason]
    if reason is not None:
        raise AccessError(reason)
    apply_sysctls(host, plan, prove_new_process, lock)
    return []


@contextlib.contextmanager
def _lock_out_other_runs(host: Host) -> Iterator[int]:
    """Yield a lock on /proc/sys: two runs at once would undo what the other did.

    Every user can open the folder and so lock it. That is why the wait ends after LOCK_SECONDS.
    """
    fd = os.open(host.path(PROC_SYS), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_lock(fd):
            if time.monotonic() > deadline:
                raise OomError(
                    f"nothing was changed: another process has held the lock on {PROC_SYS} for {LOCK_SECONDS} seconds,"
                    " probably another run of overcommit or oom_policy; find it with lslocks, and try again"
                )
            time.sleep(LOCK_PAUSE_SECONDS)
        yield fd
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
