# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a module that sets sysctls: read the host, plan, refuse harm, and carry the plan out.

Two runs on one host wait for each other.
"""

import contextlib
import functools
import os
from typing import Callable, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import LOCK_SECONDS, writer_lock
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.guards import refuse_kubelet_values, why_not_here
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    CHANGED,
    Progress,
    SysctlPlan,
    SysctlRequest,
    check_request,
    plan_sysctls,
)


def run_sysctls(
    host: Host, request: SysctlRequest, check_mode: bool, progress: Optional[Progress] = None
) -> SysctlPlan:
    """Return the plan that was carried out, or in check mode would be, with all warnings.

    Raises OomError if the change is refused or fails. Nothing is changed then.
    """
    progress = progress or Progress()
    try:
        return _run(host, request, check_mode, progress)
    except (OSError, ImportError) as error:  # such as a lack of memory or of descriptors
        raise OomError(
            f"this module failed ({error}); {progress.state}; remove that cause, then run it again"
        ) from error


def _run(host: Host, request: SysctlRequest, check_mode: bool, progress: Progress) -> SysctlPlan:
    with contextlib.ExitStack() as stack:
        lock = None
        if not check_mode:
            lock = stack.enter_context(writer_lock(host.root, LOCK_SECONDS))
            _remove_leftovers(host, request)
        plan = plan_without_harm(host, request)
        if plan.changed:
            _carry_out(host, plan, check_mode, [] if lock is None else [lock], progress)
    return plan._replace(warnings=[*plan.warnings, *plan.request.policy.warnings_for(plan.after.live)])


def _remove_leftovers(host: Host, request: SysctlRequest) -> None:
    """Remove what killed runs left. A file that cannot be removed stays: no boot reads it."""
    check_request(request)
    for path in host.leftovers(request):
        with contextlib.suppress(OSError):
            os.unlink(path)


def plan_without_harm(host: Host, request: SysctlRequest) -> SysctlPlan:
    """Return the plan for this host. Changes nothing; raises OomError if it is refused."""
    plan = read_and_plan(host, request)
    if not request.force:
        plan.request.policy.refuse_harm(plan)
        refuse_kubelet_values(plan.writes, lambda: host.runs("kubelet"))
    return plan


def read_and_plan(host: Host, request: SysctlRequest) -> SysctlPlan:
    """Return the plan for this host. Changes nothing; raises OomError if there can be no plan."""
    check_request(request)
    reading = host.read(request)
    if not request.absent:
        return plan_sysctls(request, reading)
    # What is seldom needed is imported only then, for the reason given in Host.
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.removal import plan_taking_back

    return plan_taking_back(request, reading)


def _carry_out(host: Host, plan: SysctlPlan, check_mode: bool, lock: Sequence[int], progress: Progress) -> None:
    """Apply the plan. In check mode only raise AccessError for the same reasons."""
    # What writes is imported only where something has to be written, for the reason given in Host.
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.apply import (
        apply_sysctls,
        choose_free_id,
        prove_new_process,
        refuse_unwritable,
    )

    reason = why_not_here(host.container(), host.read_only(), plan.request.force)
    if reason is not None:
        raise AccessError(reason)
    refuse_unwritable(host, plan)
    if check_mode:
        return
    proof: Callable[[], None] = _prove_nothing
    if plan.request.policy.can_stop_processes(plan.before.live, plan.after.live):
        proof = functools.partial(prove_new_process, choose_free_id(host))
    apply_sysctls(host, plan, proof, lock, progress)
    progress.state = CHANGED


def _prove_nothing() -> None:
    """Stand for the proof of a change that stops no process from starting."""
