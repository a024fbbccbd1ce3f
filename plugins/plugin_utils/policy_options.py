# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the options of the module oom_site from the arguments of the three roles."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.oomguard.linux.plugins.plugin_utils.profile_targets import combine_targets

_PROFILES = Path(__file__).resolve().parents[2] / "roles" / "oom_protect" / "vars" / "main.yml"

# The parts of a policy, in the order in which they are applied: options of oom_site, and tags.
POLICY_PARTS = ("protect", "panic", "overcommit")


@functools.lru_cache(maxsize=None)
def load_profiles() -> Mapping[str, Any]:
    """Return the daemons of each profile, from the role oom_protect."""
    profiles: Mapping[str, Any] = yaml_load(_PROFILES.read_text(encoding="utf-8"))["__oom_protect_profiles"]
    return profiles


def build_policy(
    arguments: Mapping[str, Mapping[str, Any]], tagged: Collection[str]
) -> tuple[dict[str, Any], dict[str, bool]]:
    """Return the options of each part that has something to do, and whether it was asked for.

    C(arguments) are those of the roles, and C(tagged) the parts that the tags of the run leave. A
    part that they leave out is in neither value. Raises InputError for an unknown profile.
    """
    asked = {part: bool(arguments[f"oom_{part}"]["asked"]) for part in POLICY_PARTS if part in tagged}
    return {part: _build_options(part, arguments[f"oom_{part}"]) for part in asked if asked[part]}, asked


def _build_options(part: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the part's module: what tasks/apply.yml of its role gives it."""
    options = {name: value for name, value in arguments.items() if name != "asked"}
    if part == "protect":
        chosen, state, persistent = (options.pop(name) for name in ("profiles", "state", "persistent"))
        options["targets"] = combine_targets(options["targets"], load_profiles(), chosen, persistent, state)
    return options
