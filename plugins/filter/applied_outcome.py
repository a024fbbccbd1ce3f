# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work out the outcome of a host from the results of the roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import state_applied

DOCUMENTATION = r"""
name: applied_outcome
short_description: Work out the outcome of a host from the results of the roles
version_added: 1.0.0
description:
  - The playbooks of this collection state what happened on a host in one word and one line. This filter works out both
    from the results of the modules.
  - Parts of a result that do not have the type that the module returns count as missing.
positional: check_mode
options:
  _input:
    description:
      - The result of each part by its name, in the order in which they ran, such as C(arguments), C(protect), C(panic)
        and C(overcommit). A part that did not run has an empty result.
    type: dict
    required: true
  check_mode:
    description: Whether the results are of a run in check mode.
    type: bool
    default: false
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Work out what happened on this host
  ansible.builtin.debug:
    msg: "{{ {'arguments': checked, 'panic': result} | oomguard.linux.applied_outcome }}"
  # prints {"outcome": "changed", "detail": "panic policy"}
"""

RETURN = r"""
_value:
  description: The outcome, for P(oomguard.linux.host_outcome#filter).
  type: dict
  contains:
    outcome:
      description: V(ok), V(changed), V(would_change), V(not_lasting), V(not_binding), V(nothing_asked), V(failed) or
        V(would_fail).
      type: str
    detail:
      description: The reason, or what changed.
      type: str
"""


def find_applied_outcome(results: Any, check_mode: Any = False) -> dict[str, str]:
    """Return the outcome, as DOCUMENTATION describes."""
    outcome, detail = state_applied(results, bool(check_mode))
    return {"outcome": outcome, "detail": detail}


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"applied_outcome": find_applied_outcome}
