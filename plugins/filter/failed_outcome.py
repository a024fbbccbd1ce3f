# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State why a task of a host failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import state_failure

DOCUMENTATION = r"""
name: failed_outcome
short_description: State why a task of a host failed
version_added: 1.0.0
description:
  - Returns the first line of the message of a failed task, at most 300 characters long.
  - In check mode a module that begins its message with C(would fail:) has the outcome V(would_fail).
positional: check_mode, part
options:
  _input:
    description: The result of the failed task.
    type: dict
    required: true
  check_mode:
    description: Whether the task ran in check mode.
    type: bool
    default: false
  part:
    description: What failed, such as C(protect). It stands before the reason.
    type: str
    default: ""
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show why the trial failed
  ansible.builtin.debug:
    msg: "{{ (ansible_failed_result | oomguard.linux.failed_outcome).detail }}"
"""

RETURN = r"""
_value:
  description: The outcome, for P(oomguard.linux.host_outcome#filter).
  type: dict
  contains:
    outcome:
      description: V(failed) or V(would_fail).
      type: str
    detail:
      description: The reason, or what changed.
      type: str
"""


def find_failed_outcome(result: Any, check_mode: Any = False, part: str = "") -> dict[str, str]:
    """Return the outcome, as DOCUMENTATION describes."""
    outcome, detail = state_failure(part, result, bool(check_mode))
    return {"outcome": outcome, "detail": detail}


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"failed_outcome": find_failed_outcome}
