# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the values and words of a prediction that every module returns alike.

Pure. Lists have bounds, because a user may fork any number of processes.
"""

from typing import Any, Dict, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNKNOWN_USER,
    container_of,
    service_of_user,
    unit_of,
    user_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Death

_MAX_GROUP = 50
_SHORT_ID = 12


def describe_task(task: Task) -> str:
    """Return a process as a report names it.

    C(java[2210] (app.service)), or C(java[2210] (app.service of uid 1000)) in a user's manager.
    Without a service, its container or its user stands there.
    """
    place = unit_of(task.cgroups) or _describe_place(task.cgroups)
    return f"{task.name}[{task.pid}]" + (f" ({place})" if place else "")


def _describe_place(cgroups: Sequence[str]) -> str:
    """Return where a process without a service of the host runs; an empty text if unknown."""
    container = next(filter(None, map(container_of, cgroups)), None)
    service, uid = service_of_user(cgroups), user_of(cgroups)
    inside = f"container {container[:_SHORT_ID]}" if container else service[1] if service else ""
    of_user = "" if uid is None else "a user" if uid == UNKNOWN_USER else f"uid {uid}"
    return " of ".join(filter(None, [inside, of_user]))


def describe_difference(before: Optional[Death], after: Optional[Death], change: str = "with these pins") -> str:
    """Return the next victim now and with other scores, each marked if it is not certain."""
    now, then = _name_victim(before), _name_victim(after)
    return f"next victim now and {change} {now}" if now == then else f"next victim now {now}, {change} {then}"


def _name_victim(death: Optional[Death]) -> str:
    if death is None:
        return "nobody"
    return describe_task(death.victim.task) + ("" if death.certain else " (not certain)")


def identify_task(task: Task) -> Dict[str, Any]:
    """Return what a result says of every process: C(pid), C(name), C(unit) and C(container)."""
    container = next((found for found in map(container_of, task.cgroups) if found), None)
    return dict(
        pid=task.pid, name=task.name, unit=unit_of(task.cgroups), container=container[:_SHORT_ID] if container else None
    )


def build_death(death: Optional[Death]) -> Optional[Dict[str, Any]]:
    """Return the next victim as a module returns it; None if nothing dies."""
    if death is None:
        return None
    return dict(
        identify_task(death.victim.task),
        score=death.victim.task.score,
        certain=death.certain,
        margin_kb=death.margin_kb,
        group=[identify_task(one.task) for one in death.group[:_MAX_GROUP]],
        group_count=len(death.group),
    )
