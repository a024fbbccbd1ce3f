# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State the outcome of a host in one of a few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import name_key, state_outcome

DOCUMENTATION = r"""
name: host_outcome
short_description: State the outcome of a host for counts and for a person
version_added: 1.0.0
description:
  - The playbooks of this collection count hosts by outcome, and show one line for each host. A host may return
    anything, so the outcome is one of a few words, and the detail is escaped and cut.
  - An outcome that does not exist becomes V(failed), and the detail quotes it.
positional: detail, name
options:
  _input:
    description:
      - V(ok), V(changed), V(would_change), V(not_lasting), V(nothing_asked), V(failed), V(would_fail), V(checked),
        V(proven), V(refuted), V(inconclusive), V(kills), V(no_kills), V(findings), V(no_findings), V(undone)
        or V(nothing_to_undo).
    type: str
    required: true
  detail:
    description: The reason, or what changed.
    type: str
    default: ""
  name:
    description: The name of the host.
    type: str
    default: ""
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show what happened on this host
  ansible.builtin.debug:
    msg: "{{ ('failed' | oomguard.linux.host_outcome('panic')).line }}"
  # prints "failed: panic"
"""

RETURN = r"""
_value:
  description: The outcome.
  type: dict
  contains:
    word:
      description: The outcome in one word.
      type: str
    detail:
      description: The detail, at most 300 characters long.
      type: str
    line:
      description: Both in one line.
      type: str
    host:
      description: The name of the host as a key, escaped and at most 253 characters long. Two hosts never share it.
      type: str
"""


def state_host_outcome(outcome: Any, detail: Any = "", name: Any = "") -> dict[str, str]:
    """Return the outcome, as DOCUMENTATION describes."""
    return {**state_outcome(outcome, detail), "host": name_key(str(name))}


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"host_outcome": state_host_outcome}
