# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter of the role oom_protect: from its variables to the targets of the module oom_score_adj."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.validation import check_type_list

DOCUMENTATION = r"""
name: protect_targets
short_description: Put profiles and targets together for oom_score_adj
version_added: 0.1.0
description:
  - Gives O(oomguard.linux.oom_score_adj#module:targets) from the variables of the role P(oomguard.linux.oom_protect#role).
  - The entries of the chosen profiles come first, each unit once and with the lowest of its scores, then the targets.
  - A target replaces the entries whose unit, by any of its names, or process it selects.
  - A daemon that is in a profile and not on the host is no failure.
positional: profiles, chosen
options:
  _input:
    description: Targets beside those of the profiles, see O(oomguard.linux.oom_score_adj#module:targets).
    type: list
    elements: dict
    required: true
  profiles:
    description:
      - Lists of entries by the name of the profile.
      - An entry has C(unit), C(process) and C(score), may have C(aliases), other names of the unit, and C(source), where the score
        comes from. What else it has is passed to the module.
    type: dict
    required: true
  chosen:
    description: Names of profiles. An empty one is none.
    type: list
    elements: str
    required: true
  persistent:
    description: Whether to pin entries by C(unit), which lasts. If not they are pinned by C(process).
    type: bool
    default: true
  state:
    description: With V(absent) all of them are taken back.
    type: str
    choices: [present, absent]
    default: present
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Pin the daemons of a profile, and one more
  oomguard.linux.oom_score_adj:
    targets: "{{ own | oomguard.linux.protect_targets(profiles, ['database']) }}"
  vars:
    own:
      - unit: haproxy
        score: -500
    profiles:
      database:
        - unit: mariadb
          process: mariadbd
          score: -600
          source: A comment in its unit file.
  # gives [{unit: mariadb, score: -600, missing: ignore, state: present}, {unit: haproxy, score: -500, persistent: true, state: present}]
"""

RETURN = r"""
_value:
  description: Targets as the module oom_score_adj takes them.
  type: list
  elements: dict
"""

# What an entry tells of itself and the module is not told, what only a unit has, and what there is to take back.
_OF_ENTRY = {"unit", "process", "aliases", "source"}
_OF_UNIT = {"oom_policy"}
_TAKEN_BACK = {"score", "oom_policy"}


def _unit(name: str) -> str:
    return name.removesuffix(".service")


def _names(target: Mapping[str, Any]) -> set[tuple[str, str]]:
    """By what a target or an entry can be meant: the unit under each of its names, the process."""
    units = [target["unit"], *target.get("aliases", [])] if target.get("unit") else []
    processes = [target["process"]] if target.get("process") else []
    return {("unit", _unit(name)) for name in units} | {("process", name) for name in processes}


def _without(keys: set[str], target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in target.items() if key not in keys}


def _with_state(target: dict[str, Any], state: str) -> dict[str, Any]:
    """A target can be absent by itself. Neither a score nor a policy goes with that."""
    state = "absent" if state == "absent" else target.get("state", state)
    return dict(_without(_TAKEN_BACK, target) if state == "absent" else target, state=state)


def protect_targets(
    targets: Iterable[Mapping[str, Any]],
    profiles: Mapping[str, Iterable[Mapping[str, Any]]],
    chosen: Iterable[str] | str,
    persistent: bool = True,
    state: str = "present",
) -> list[dict[str, Any]]:
    """See DOCUMENTATION. Raises AnsibleFilterError for a profile that does not exist."""
    # As the role's argument spec does: -e oom_protect_profiles=a,b is text. An answer that was left out is empty text.
    names = [name for name in check_type_list(chosen) if name]
    unknown = [name for name in names if name not in profiles]
    if unknown:
        raise AnsibleFilterError(f"there is no profile {', '.join(unknown)}: choose from {', '.join(profiles)}")

    selector, dropped = ("unit", _OF_ENTRY) if persistent else ("process", _OF_ENTRY | _OF_UNIT)
    entries = list(chain.from_iterable(profiles[name] for name in names))
    replaced = {name for target in targets for name in _names(target)}
    # A unit that has several names on some hosts is one daemon there: what replaces one of its entries replaces all.
    replaced.update(*(_names(entry) for entry in entries if replaced & _names(entry)))
    lowest: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        selected = entry[selector]
        if not replaced & _names(entry) and (selected not in lowest or entry["score"] < lowest[selected]["score"]):
            lowest[selected] = entry

    of_profiles = [
        {selector: selected, **_without(dropped, entry), "missing": "ignore"} for selected, entry in lowest.items()
    ]
    own = [{"persistent": persistent, **target} if target.get("unit") else dict(target) for target in targets]
    return [_with_state(target, state) for target in of_profiles + own]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"protect_targets": protect_targets}
