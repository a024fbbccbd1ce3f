# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the variables of the role oom_protect into targets of the module oom_score_adj."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.validation import check_type_list

DOCUMENTATION = r"""
name: protect_targets
short_description: Combine profiles and targets for oom_score_adj
version_added: 0.1.0
description:
  - Returns O(oomguard.linux.oom_score_adj#module:targets) for the variables of the role
    P(oomguard.linux.oom_protect#role).
  - The entries of the chosen profiles come first, each unit once with the lowest of its scores. The targets follow.
  - A target replaces every entry whose unit, by any of its names, or process it selects.
  - A daemon of a profile may be missing on the host.
positional: profiles, chosen
options:
  _input:
    description: Targets in addition to those of the profiles, see O(oomguard.linux.oom_score_adj#module:targets).
    type: list
    elements: dict
    required: true
  profiles:
    description:
      - A list of entries for each profile, by the name of the profile.
      - An entry has C(unit), C(process) and C(score). It may have C(aliases), which are other names of the unit, and
        C(source), which names the origin of the score. All other keys are passed to the module.
    type: dict
    required: true
  chosen:
    description: Names of profiles. Empty names are ignored.
    type: list
    elements: str
    required: true
  persistent:
    description: Whether to pin entries by C(unit), so that the pin lasts. Otherwise they are pinned by C(process).
    type: bool
    default: true
  state:
    description: With V(absent) all pins are removed.
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
  # returns [{unit: mariadb, score: -600, missing: ignore, state: present},
  #          {unit: haproxy, score: -500, persistent: true, state: present}]
"""

RETURN = r"""
_value:
  description: The targets for the module oom_score_adj.
  type: list
  elements: dict
"""

# Keys of an entry that are not passed to the module.
_ENTRY_KEYS = {"unit", "process", "aliases", "source"}
# Keys that only a unit may have.
_UNIT_KEYS = {"oom_policy"}
# Keys that a removed pin may not have.
_PIN_KEYS = {"score", "oom_policy"}


def _strip_suffix(unit: str) -> str:
    """Return a unit's name without C(.service)."""
    return unit.removesuffix(".service")


def _list_names(target: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return every name of a target or entry: those of its unit, and its process."""
    units = [target["unit"], *target.get("aliases", [])] if target.get("unit") else []
    processes = [target["process"]] if target.get("process") else []
    return {("unit", _strip_suffix(name)) for name in units} | {("process", name) for name in processes}


def _drop_keys(keys: set[str], target: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target without these keys."""
    return {key: value for key, value in target.items() if key not in keys}


def _set_state(target: dict[str, Any], state: str) -> dict[str, Any]:
    """Return a target with its state: absent if the role or the target itself requests it.

    An absent target has no score and no policy.
    """
    state = "absent" if state == "absent" else target.get("state", state)
    return dict(_drop_keys(_PIN_KEYS, target) if state == "absent" else target, state=state)


def protect_targets(
    targets: Iterable[Mapping[str, Any]],
    profiles: Mapping[str, Iterable[Mapping[str, Any]]],
    chosen: Iterable[str] | str,
    persistent: bool = True,
    state: str = "present",
) -> list[dict[str, Any]]:
    """Return targets for the module, as DOCUMENTATION describes.

    Raises AnsibleFilterError for a profile that does not exist.
    """
    # The role's argument spec accepts text too: -e oom_protect_profiles=a,b. An unanswered survey
    # question is empty text.
    names = [name for name in check_type_list(chosen) if name]
    unknown = [name for name in names if name not in profiles]
    if unknown:
        raise AnsibleFilterError(f"profile {', '.join(unknown)} does not exist: choose from {', '.join(profiles)}")

    selector, dropped = ("unit", _ENTRY_KEYS) if persistent else ("process", _ENTRY_KEYS | _UNIT_KEYS)
    entries = list(chain.from_iterable(profiles[name] for name in names))
    replaced = {name for target in targets for name in _list_names(target)}
    # Entries with a common name are one daemon on some hosts. A target replaces all of them.
    replaced.update(*(_list_names(entry) for entry in entries if replaced & _list_names(entry)))
    lowest: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        selected = entry[selector]
        if not replaced & _list_names(entry) and (selected not in lowest or entry["score"] < lowest[selected]["score"]):
            lowest[selected] = entry

    of_profiles = [
        {selector: selected, **_drop_keys(dropped, entry), "missing": "ignore"} for selected, entry in lowest.items()
    ]
    own = [{"persistent": persistent, **target} if target.get("unit") else dict(target) for target in targets]
    return [_set_state(target, state) for target in of_profiles + own]


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"protect_targets": protect_targets}
