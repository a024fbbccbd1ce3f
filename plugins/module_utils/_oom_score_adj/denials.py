# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Explain why a score or a drop-in cannot be written, and predict it for check mode.

Source of the rule: fs/proc/base.c:__set_oom_adj. Without CAP_SYS_RESOURCE a score may not go below
the lowest one that a privileged process ever gave it, which no file shows. It is 0 or more for
nearly every process that has 0 or more now. So a score below 0 would be denied; whether one of 0 or
more would be, only a write shows.
"""

import errno
import os
from typing import List

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_become
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Outcome


def explain_denial(change: Change) -> str:
    """Return why the kernel does not let this process set a score, and what to do about it."""
    verb = "lowered" if change.after < change.before else "set"
    denied = f"the score of {change.process} cannot be {verb} from {change.before} to {change.after}"
    if os.geteuid() != 0:
        return f"{denied}: {explain_become()}"
    if change.after < change.before:
        return (
            f"{denied}: this root lacks CAP_SYS_RESOURCE in the initial user namespace, as in a container:"
            " run on the host itself"
        )
    return f"{denied}: this root may not write to it, as in a user namespace: run on the host itself"


def refuse_denied(procfs: Procfs, finder: TargetFinder, outcomes: List[Outcome]) -> List[str]:
    """Raise AccessError for what a run could not write.

    Return a warning for scores of which only a run shows whether they are denied.
    """
    is_privileged = procfs.has_cap_sys_resource()
    doubtful = 0
    changes = [change for outcome in outcomes for change in outcome.all_changes()]
    for change in sorted(changes, key=lambda change: change.rise):
        if change.before == change.after:
            continue
        is_lowered = change.after < change.before and not is_privileged
        if (is_lowered and change.after < 0) or not _may_write(procfs, change):
            raise AccessError(explain_denial(change))
        doubtful += is_lowered
    for outcome in outcomes:
        if outcome.drop_in and outcome.reload:
            reason = finder.get_manager(outcome.pin).why_read_only(outcome.drop_in.path)
            if reason:
                raise AccessError(reason)
    if not doubtful:
        return []
    return [
        f"lowering the score of {doubtful} processes may be denied: this process lacks CAP_SYS_RESOURCE, without which"
        " a score cannot go below the lowest one that a privileged process gave it: run on the host itself, as root"
    ]


def _may_write(procfs: Procfs, change: Change) -> bool:
    try:
        with procfs.open(change.process.pid) as directory:
            return directory.may_set_score()
    except GONE:
        return True  # a run only counts it
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EPERM)
