# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which scores processes have today, as targets that a kernel log can answer.

Pure. The task table of a log has names of processes, but not their units. So a pin is asked for by
name if all processes of that name have one score today, and else by unit.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import UNIT_NAME
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import INIT, Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import identify_task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

MAX_TARGETS = 100  # a user may name processes at will


class TodaysPins(NamedTuple):
    """The scores below 0 of today."""

    targets: List[Dict[str, Any]]  # for what_if of oom_events: process or unit, and score
    mixed: FrozenSet[str]  # names of processes that have different scores, some below 0
    uniform: FrozenSet[str]  # units whose processes all have one score

    @property
    def digest(self) -> str:
        """Return what differs if other pins would be asked for."""
        facts = [self.targets, sorted(self.mixed)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def find_todays_pins(tasks: Iterable[Task]) -> TodaysPins:
    """Return the pins of these processes. Of more than MAX_TARGETS the lowest scores count."""
    by_name: Dict[str, Set[int]] = defaultdict(set)
    by_unit: Dict[str, Set[int]] = defaultdict(set)
    names_in: Dict[str, Set[str]] = defaultdict(set)
    for task in tasks:
        if task.pid == INIT:
            continue
        by_name[task.name].add(task.score)
        unit = identify_task(task)["unit"]
        if unit is not None and UNIT_NAME.match(unit):
            by_unit[unit].add(task.score)
            names_in[unit].add(task.name)
    pinned = {name: scores for name, scores in by_name.items() if min(scores) < 0}
    mixed = {name for name, scores in pinned.items() if len(scores) > 1}
    found = [("process", name, min(scores)) for name, scores in pinned.items() if len(scores) == 1 and _is_name(name)]
    uniform = {unit for unit, scores in by_unit.items() if len(scores) == 1}
    found += [
        ("unit", unit, min(by_unit[unit])) for unit in uniform if min(by_unit[unit]) < 0 and mixed & names_in[unit]
    ]
    found.sort(key=lambda one: (one[2], one[0], one[1]))
    targets = [{selector: value, "score": score} for selector, value, score in found[:MAX_TARGETS]]
    mixed.update(value for selector, value, _score in found[MAX_TARGETS:] if selector == "process")
    return TodaysPins(targets, frozenset(mixed), frozenset(uniform))


def judge_todays_pins(event: Event, pins: TodaysPins) -> Tuple[Optional[str], Optional[str]]:
    """Return whether the victim is the C(same) with today's pins, and the answer in one line.

    C(other) is another victim, C(unknown) what the log cannot answer, and None an event without an
    explanation.
    """
    why: Optional[Mapping[str, Any]] = event["why"]
    if why is None:
        return None, None
    chosen = why["chosen"]["name"]
    # No pin, no question: the log has no answer.
    what_if = event.get("what_if") or {"victim": None, "is_other": False, "text": "no process is pinned today"}
    victim = what_if["victim"]
    doubtful = [chosen] if chosen in pins.mixed and event["what"]["unit"] not in pins.uniform else []
    doubtful += [victim["name"]] if victim and victim["name"] != chosen and victim["name"] in pins.mixed else []
    if doubtful:
        return "unknown", f"not all processes named {doubtful[0]} have one score today, and the log has names alone"
    return "other" if what_if["is_other"] else "same", what_if["text"]


def _is_name(name: str) -> bool:
    """Return whether oom_events takes a name as it is, and the process is there tomorrow.

    Workers of udev and what systemd is about to start are named in brackets. They come and go, and
    a log would be read again each time.
    """
    return bool(name) and not name.endswith("/") and not name.startswith("(")
