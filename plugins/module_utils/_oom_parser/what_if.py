# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Answer for a logged kill what would have died if some processes had other scores.

Pure. A task table has the names and pids of processes, and not their cgroups. A report names only
the cgroup that reached its limit, which has all of the processes in its table, and the victim's.
"""

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_of, unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.explanation import (
    Explanation,
    LoggedTask,
    build_logged_task,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import NAME_BYTES, is_inside

_MAX_CHANGES = 50


class LoggedPin(NamedTuple):
    """A score that some processes of a log are taken to have had."""

    selector: str  # process, pid, unit, cgroup or container
    value: str
    score: int
    container_ids: FrozenSet[str] = frozenset()  # of the containers with that name

    def selects(self, task: LoggedTask) -> bool:
        """Return whether a row of a task table fits, by its name or pid."""
        if self.selector == "process":
            name, wanted = (text.encode("utf-8", "surrogatepass")[:NAME_BYTES] for text in (task.name, self.value))
            return name == wanted
        return self.selector == "pid" and str(task.pid) == self.value

    def has_cgroup(self, path: str) -> bool:
        """Return whether a cgroup is the selected one, or lies in it."""
        if self.selector == "unit":
            return unit_of([path]) == self.value
        if self.selector == "container":
            found = container_of(path)
            return found is not None and (found in self.container_ids or found.startswith(self.value))
        return is_inside(path, self.value)

    def is_outside(self, limit: str) -> bool:
        """Return whether no process below this cgroup can be selected."""
        if self.selector == "unit":
            return unit_of([limit]) is not None and not self.has_cgroup(limit)
        if self.selector == "container":
            return container_of(limit) is not None and not self.has_cgroup(limit)
        return not is_inside(limit, self.value) and not is_inside(self.value, limit)


def build_what_if(
    explanation: Optional[Explanation], pins: Sequence[LoggedPin], limit: Optional[str], victim: Optional[str]
) -> Optional[Dict[str, Any]]:
    """Return what would have died with these pins; None without an explanation of the kill.

    C(limit) is the cgroup that reached its limit, and C(victim) that of the victim.
    """
    if explanation is None:
        return None
    scores: Dict[int, int] = {}
    unanswered = []
    for pin in pins:
        selected, doubt = _select(explanation, pin, limit, victim)
        scores.update((task.pid, pin.score) for task in selected)
        unanswered += [doubt] if doubt else []
    weighed = [
        explanation.weigh(task, scores[task.pid]) if task.pid in scores else task for task in explanation.candidates
    ]
    left = [task for task in weighed if task is not None]
    worst = explanation.find_worst(left)
    rival = explanation.find_worst([task for task in left if worst and task.pid != worst.pid])
    changed = [
        task for task in explanation.candidates if scores.get(task.pid, task.footprint.score) != task.footprint.score
    ]
    return dict(
        victim=None if worst is None else build_logged_task(explanation, worst),
        is_other=worst is None or worst.pid != explanation.chosen.pid,
        margin_kb=None if worst is None or rival is None else explanation.to_kb(worst.badness - rival.badness),
        changes=[
            dict(pid=task.pid, name=task.name, before=task.footprint.score, after=scores[task.pid])
            for task in changed[:_MAX_CHANGES]
        ],
        changes_count=len(changed),
        unanswered=unanswered,
    )


def _select(
    explanation: Explanation, pin: LoggedPin, limit: Optional[str], victim: Optional[str]
) -> Tuple[List[LoggedTask], Optional[str]]:
    """Return the processes that a pin selects, and what the log does not show about it."""
    target = f"{pin.selector}={pin.value}"
    if pin.selector in ("process", "pid"):
        return [task for task in explanation.candidates if pin.selects(task)], None
    if limit is not None and pin.has_cgroup(limit):
        return explanation.candidates, None
    if limit is not None and pin.is_outside(limit):
        return [], None
    if victim is not None and pin.has_cgroup(victim):
        doubt = f"{target}: the victim was in it, and the log does not show which others were: name them by process"
        return [explanation.chosen], doubt
    return [], f"{target}: the log does not show which processes were in it: name them by process"
