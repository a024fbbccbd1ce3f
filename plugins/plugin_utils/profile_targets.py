# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Combine the daemons of profiles and a host's own targets into targets of oom_score_adj."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import strip_suffix

# Keys of an entry that are not passed to the module.
_ENTRY_KEYS = {"unit", "process", "aliases", "source"}
# Keys that only a unit may have.
_UNIT_KEYS = {"oom_policy", "managed_oom_preference"}
# Keys that a removed pin may not have.
_PIN_KEYS = {"score", *_UNIT_KEYS}


def _list_names(target: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return every name of a target or entry: those of its unit, and its process."""
    units = [target["unit"], *target.get("aliases", [])] if target.get("unit") else []
    processes = [target["process"]] if target.get("process") else []
    return {("unit", strip_suffix(name)) for name in units} | {("process", name) for name in processes}


def _drop_keys(keys: set[str], target: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target without these keys."""
    return {key: value for key, value in target.items() if key not in keys}


def _set_state(target: dict[str, Any], state: str) -> dict[str, Any]:
    """Return a target with its state: absent if the role or the target itself requests it.

    An absent target has no score, no policy and no preference.
    """
    state = "absent" if state == "absent" else target.get("state", state)
    return dict(_drop_keys(_PIN_KEYS, target) if state == "absent" else target, state=state)


def combine_targets(
    targets: Iterable[Mapping[str, Any]],
    profiles: Mapping[str, Iterable[Mapping[str, Any]]],
    chosen: Iterable[str],
    persistent: bool = True,
    state: str = "present",
) -> list[dict[str, Any]]:
    """Return targets for the module: those of the chosen profiles first, then a host's own.

    Each unit of profiles comes once, with the lowest of its scores. A target replaces every entry
    whose unit, by any of its names, or process it selects. Raises InputError for a profile that
    does not exist.
    """
    names = [name for name in chosen if name]
    unknown = [name for name in names if name not in profiles]
    if unknown:
        raise InputError(f"profile {', '.join(unknown)} does not exist: choose from {', '.join(profiles)}")

    selector, dropped = ("unit", _ENTRY_KEYS) if persistent else ("process", _ENTRY_KEYS | _UNIT_KEYS)
    # One without a process cannot be selected by it.
    entries = [entry for entry in chain.from_iterable(profiles[name] for name in names) if selector in entry]
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
    own = [
        {"persistent": persistent, **target} if target.get("unit") or target.get("user_unit") else dict(target)
        for target in targets
    ]
    return [_set_state(target, state) for target in of_profiles + own]
