# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the variables of the role oom_protect into targets of the module oom_score_adj."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.validation import check_type_list

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.profile_targets import combine_targets

DOCUMENTATION = r"""
name: protect_targets
short_description: Combine profiles and targets for oom_score_adj
version_added: 1.0.0
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
      - An entry has C(unit) and C(score). It may have C(process), C(aliases), which are other names of the unit, and
        C(source), which names the origin of the score. All other keys are passed to the module.
      - An entry without C(process) is left out if pins are not persistent.
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
    try:
        return combine_targets(targets, profiles, check_type_list(chosen), persistent, state)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"protect_targets": protect_targets}
