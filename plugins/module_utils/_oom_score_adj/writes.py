# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide which score may be written to which process, and why not.

Pure. A user asks for the score of the processes that a target selects. All other scores follow
from where a process runs: those of heirs (children=reset) and of processes whose pin is removed
(state=absent). A process chooses its name, and a user the names of cgroups below a session. So a
service gives its score only to processes in the cgroup that systemd reports for it, and immunity
only to its main process. The plan calls these functions to choose a score. They are called again
right before each write, for the process as it is then.
"""

from typing import Iterable, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN, Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    name_program,
    refuse_few_killable,
    refuse_pin,
    why_not_pinned,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Pin

_USERS = "/user.slice/"  # below it, users choose the names


def runs_in(cgroups: Iterable[str], control_group: str) -> bool:
    """Return whether a process in these cgroups runs in the service with this C(ControlGroup)."""
    if not control_group.strip("/") or (control_group + "/").startswith(_USERS):
        return False
    return any((path + "/").startswith(control_group.rstrip("/") + "/") for path in cgroups)


def choose_score(given: int, is_main_process: bool = False) -> int:
    """Return the score for a process that gets this one from its service or its parent.

    0 instead of -1000, unless it is the main process of the service that gives it.
    """
    return 0 if given == SCORE_MIN and not is_main_process else given


class Write(NamedTuple):
    """A score on its way to a process, with what the process shows right before the write."""

    pin: Pin
    process: Process
    planned: Change
    now: int  # the score that it shows
    is_heir: bool  # it has its score from a selected process, and children=reset takes it away
    is_late: bool  # it was found after the plan was made, so no guard of the plan saw it
    planned_cgroups: Optional[List[str]]  # those that its score follows from; None if it follows from none
    cgroups: List[str]  # those that it is in now; read only if there are planned ones


def refuse_write(write: Write, killable: Killable, least_killable_percent: int) -> Optional[str]:
    """Return why this score must not be written to this process, as a warning; None if it may.

    The memory is what stays killable once everything before this write is done.
    """
    pin, process, after = write.pin, write.process, write.planned.after
    start = f"{pin.target}: {process} keeps its score {write.now}"
    # A higher score is no gain for anybody: a process must not avoid it by a change in time.
    if after < write.now and write.is_heir and write.now != write.planned.before:
        return f"{start}: it has changed the score {write.planned.before} that it inherited, and is left alone"
    if after < write.now and write.planned_cgroups is not None and write.cgroups != write.planned_cgroups:
        return f"{start}: it has moved to another cgroup during this run; run again"
    if after != SCORE_MIN:
        why = _why_late_login(write)
        return f"{start}: {why}" if why else None
    if write.is_heir:
        return f"{start}: no process inherits immunity; select it itself if it is to have -1000"
    if pin.force:
        return None
    try:
        refuse_pin(pin.target, after, [name_program(process.name, process.pid == 1)])
        if write.is_late:
            refuse_few_killable(move_to_immune(killable, process), least_killable_percent)
    except InputError as error:
        return f"{process} keeps its score {write.now}: {error}"
    return None


def _why_late_login(write: Write) -> Optional[str]:
    """Return why a process that the plan has not seen must not get its score; None if it may."""
    if write.pin.force or write.is_heir or not write.is_late:
        return None
    return why_not_pinned(write.planned.after, name_program(write.process.name, write.process.pid == 1))


def move_to_immune(killable: Killable, process: Process) -> Killable:
    """Return the memory that stays killable once this process is immune, too."""
    return Killable(killable.killable_kb - process.resident_kb, killable.immune_kb + process.resident_kb)
