# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State how many processes of a host were killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import state_kills

DOCUMENTATION = r"""
name: kills_outcome
short_description: State how many processes of a host were killed
version_added: 1.0.0
description:
  - Counts the kills in the result of M(oomguard.linux.oom_events), and the units, containers and cgroups that they were
    in.
options:
  _input:
    description: The result of M(oomguard.linux.oom_events).
    type: dict
    required: true
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show how many processes were killed
  ansible.builtin.debug:
    msg: "{{ (events | oomguard.linux.kills_outcome).detail }}"
  # prints "5 in 2 units"
"""

RETURN = r"""
_value:
  description: The outcome, for P(oomguard.linux.host_outcome#filter).
  type: dict
  contains:
    outcome:
      description: V(kills) or V(no_kills).
      type: str
    detail:
      description: The reason, or what changed.
      type: str
"""


def find_kills_outcome(result: Any) -> dict[str, str]:
    """Return the outcome, as DOCUMENTATION describes."""
    outcome, detail = state_kills(result)
    return {"outcome": outcome, "detail": detail}


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"kills_outcome": find_kills_outcome}
