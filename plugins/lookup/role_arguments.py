# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return the arguments of a role from the variables of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_arguments
short_description: Return the arguments of a role of this collection, checked and with their types
version_added: 1.0.0
description:
  - Returns the variables of one role as the role uses them. The names have no prefix, values have the type of their
    option, and an option that is unset has its default or is missing.
  - Empty text and null mean unset, because AWX sends them for a question without an answer.
  - The lists C(oom_protect_profiles) and C(oom_protect_targets) have what all variables with a suffix add to them.
  - Fails with the errors of P(oomguard.linux.variable_errors#lookup) for this role, if there are any.
options:
  _terms:
    description:
      - The name of one role, V(oom_events) or V(oom_info) for the variables of the playbooks C(oomguard.linux.events)
        and C(oomguard.linux.info), or V(oom) for those that all playbooks share.
    type: str
    required: true
seealso:
  - plugin: oomguard.linux.variable_errors
    plugin_type: lookup
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show what the role oom_panic would set
  ansible.builtin.debug:
    msg: "{{ lookup('oomguard.linux.role_arguments', 'oom_panic') }}"
"""

RETURN = r"""
_raw:
  description:
    - The arguments of the role by option, such as C(on_oom) for C(oom_panic_on_oom).
    - C(asked) says whether any of them asks the role to change or remove something.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import parse_arguments
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import read_values


class LookupModule(LookupBase):
    """The class that Ansible loads the lookup from."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the arguments of the role in a list. Raises AnsibleLookupError if one is wrong."""
        [part] = terms
        values, unread = read_values(variables or {}, self._templar.template, terms)
        arguments, errors = parse_arguments(part, values)
        if unread or errors:
            raise AnsibleLookupError("; ".join(unread + errors))
        return [arguments]
