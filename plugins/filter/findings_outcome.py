# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State what was found on a host, and whether that is severe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import list_severe, state_findings

DOCUMENTATION = r"""
name: findings_outcome
short_description: State what was found on a host, and whether that is severe
version_added: 1.0.0
description:
  - Returns the outcome of a host from the result of M(oomguard.linux.oom_info), with the next victim and the number of
    findings of each severity. If the host fails because of them, it names those severities.
positional: fail_on
options:
  _input:
    description: The result of M(oomguard.linux.oom_info).
    type: dict
    required: true
  fail_on:
    description: The lowest severity that is severe. An empty text means that none is.
    type: str
    choices: ["", high, medium, low]
    default: ""
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ (info | oomguard.linux.findings_outcome('high')).detail }}"
  # prints "next victim of the host: java[2210] (app.service), certain; 2 findings, 1 high, 1 low;
  # failed by oom_info_fail_on: high"
"""

RETURN = r"""
_value:
  description: The outcome, for P(oomguard.linux.host_outcome#filter).
  type: dict
  contains:
    outcome:
      description: V(findings) or V(no_findings).
      type: str
    detail:
      description: The next victim, the number of findings, and the severities that are severe.
      type: str
    is_severe:
      description: Whether there is a finding of the severity O(fail_on), or of a higher one.
      type: bool
"""


def find_findings_outcome(result: Any, fail_on: str = "") -> dict[str, Any]:
    """Return the outcome, as DOCUMENTATION describes."""
    outcome, detail = state_findings(result, fail_on)
    return {"outcome": outcome, "detail": detail, "is_severe": bool(list_severe(result, fail_on))}


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"findings_outcome": find_findings_outcome}
