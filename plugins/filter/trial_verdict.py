# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge what a host returned for a trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import judge_trial

DOCUMENTATION = r"""
name: trial_verdict
short_description: Take the verdict and its reasons from the result of a trial
version_added: 1.0.0
description:
  - Returns the verdict, the reasons and the report of the module M(oomguard.linux.oom_trial), for use on the
    controller. A host may return anything, so the verdict is one of three words, and texts are escaped and cut.
  - A verdict that does not exist becomes V(inconclusive), and the first reason quotes it.
options:
  _input:
    description: The result of the module M(oomguard.linux.oom_trial).
    type: dict
    required: true
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Fail unless the trial proved that the score decides
  ansible.builtin.assert:
    that: (trial | oomguard.linux.trial_verdict).verdict == 'proven'
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
  contains:
    verdict:
      description: V(proven), V(refuted) or V(inconclusive).
      type: str
    reasons:
      description: At most 22 texts, each at most 300 characters long.
      type: list
      elements: str
    report:
      description: At most 22 texts, each at most 1000 characters long.
      type: list
      elements: str
"""


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"trial_verdict": judge_trial}
