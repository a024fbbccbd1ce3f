# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Reduce an event of oom_events to what the page of a fleet shows of it.

Pure.
"""

from typing import Any, Dict, Mapping, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import scope_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import format_kb
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

_SHORT_ID = 12


def reduce_event(event: Event, verdict: Optional[str], verdict_text: Optional[str]) -> Dict[str, Any]:
    """Return one row of the page, with what today's pins would have changed."""
    victim: Mapping[str, Any] = event["victims"][0] if event["victims"] else {}
    what, why = event["what"], event["why"]
    return dict(
        id=event["id"],
        time=event["time"],
        killer=event["killer"],
        outcome=event["outcome"],
        constraint=event["constraint"],
        trusted=event["trusted"],
        name=victim.get("name"),
        pid=victim.get("pid"),
        victims_count=event["victims_count"],
        unit=what["unit"] or (scope_of(victim["cgroup"]) if victim.get("cgroup") else None),
        container=what["container_name"] or (what["container"] or "")[:_SHORT_ID] or None,
        pod=what["pod_name"] or what["pod"],
        limit_kb=what["limit_kb"],
        rss_kb=victim.get("rss_kb"),
        score=victim.get("oom_score_adj"),
        text=what["text"],
        why=explain_kill(event),
        runner_up=_name_task(why["runner_up"]) if why and why["runner_up"] else None,
        margin_kb=why["margin_kb"] if why else None,
        with_todays_pins=verdict,
        with_todays_pins_text=verdict_text,
    )


def explain_kill(event: Event) -> Optional[str]:
    """Return why this process died, in one sentence; None if the log does not show it."""
    if event["killer"] != "kernel":
        return f"{event['killer']} killed it because of {event['reason']}" if event["reason"] else None
    if event["outcome"] == "panic":
        return "the kernel panicked instead of killing a process"
    if event["allocating_task"]:
        return "vm.oom_kill_allocating_task made the kernel kill the task that asked for memory"
    why = event["why"]
    if not why:
        return "SysRq f asked for a kill" if event["sysrq"] else None
    asked = "SysRq f asked for a kill, and " if event["sysrq"] else ""
    return asked + _compare_tasks(why)


def _compare_tasks(why: Mapping[str, Any]) -> str:
    chosen, rival, margin_kb = why["chosen"], why["runner_up"], why["margin_kb"]
    words = f"{_name_task(chosen)} had a badness of {_format_badness(chosen['badness_kb'])}"
    if rival is None:
        return f"{words} and was the only process that could be killed"
    if margin_kb < 0:
        return f"{words}; the kernel passed over {_name_task(rival)}, which was {_format_badness(-margin_kb)} worse"
    return f"{words}, {_format_badness(margin_kb)} more than {_name_task(rival)}"


def _name_task(task: Mapping[str, Any]) -> str:
    return f"{task['name']}[{task['pid']}]"


def _format_badness(size_kb: int) -> str:
    return f"-{format_kb(-size_kb)}" if size_kb < 0 else format_kb(size_kb)
