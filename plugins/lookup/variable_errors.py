# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return what is wrong with the variables of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_errors
short_description: Return what is wrong with the variables of this collection
version_added: 1.0.0
description:
  - Returns an error for each variable that no role and no playbook of this collection has, with the name that was
    meant.
  - Returns an error for each variable of the named roles that has a wrong type or value, and for two targets that ask
    for different things.
  - A name is refused for one of two reasons. It begins with the name of a role and an underscore, or with
    C(oom_events_) or C(oom_info_). Or it begins with an C(o) and differs from a known name by few letters, one in
    seven. So C(oom_protct_profiles) is refused, and C(oom_killer_team) is not.
  - Everything is checked that can be checked without the host.
options:
  _terms:
    description:
      - Names of roles whose values to check. V(oom_events) and V(oom_info) stand for the variables of the
        playbooks C(oomguard.linux.events) and C(oomguard.linux.info), and V(oom) for those that all playbooks share.
      - Names of variables are checked in any case.
    type: list
    elements: str
    required: true
notes:
  - Only variables of the host are looked at for which it is evaluated. So a host that returns facts with such names can
    fail only itself.
seealso:
  - plugin: oomguard.linux.role_arguments
    plugin_type: lookup
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Refuse wrong variables before anything is changed
  ansible.builtin.assert:
    that: query('oomguard.linux.variable_errors', 'oom_protect') == []
    fail_msg: "{{ query('oomguard.linux.variable_errors', 'oom_protect') | join('; ') }}"
"""

RETURN = r"""
_raw:
  description: The errors, each at most 300 characters long. Empty if nothing is wrong.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import check_variables


class LookupModule(LookupBase):
    """The class that Ansible loads the lookup from."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the errors."""
        return check_variables(variables or {}, self._templar.template, terms)[1]
