#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the action plugin of this name, which runs on the controller alone."""

DOCUMENTATION = r"""
module: oom_check_variables
short_description: Check the variables of roles, and return the policy that they ask for
version_added: 1.0.0
description:
  - Fails if a variable of this collection is misspelt or has a wrong value, with all errors. They are those of
    P(oomguard.linux.variable_errors#lookup).
  - The playbooks of this collection begin with it. It connects to no host.
options:
  parts:
    description: The roles whose values to check, as in P(oomguard.linux.variable_errors#lookup).
    type: list
    elements: str
    required: true
  policy:
    description:
      - Whether to return the policy of the roles P(oomguard.linux.oom_protect#role), P(oomguard.linux.oom_panic#role)
        and P(oomguard.linux.oom_overcommit#role). They must be among O(parts).
      - C(--tags) and C(--skip-tags) choose among its parts V(protect), V(panic) and V(overcommit), as they would choose
        among tasks with these tags.
    type: bool
    default: false
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [It changes nothing.]
  diff_mode:
    support: none
    details: [It changes nothing.]
  async:
    support: none
    details: [It runs on the controller.]
  platform:
    platforms: posix
seealso:
  - module: oomguard.linux.oom_apply_policy
  - plugin: oomguard.linux.variable_errors
    plugin_type: lookup
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Check all variables before anything is changed
  oomguard.linux.oom_check_variables:
    parts: [oom_protect, oom_panic, oom_overcommit]
    policy: true
  register: checked

- name: Apply the policy
  oomguard.linux.oom_apply_policy:
    checked: "{{ checked }}"
    playbook: site
"""

RETURN = r"""
msg:
  description: All errors in one line, or that there are none.
  returned: always
  type: str
  sample: "oom_protect_profile: did you mean oom_protect_profiles?"
policy:
  description: The options of M(oomguard.linux.oom_site) that the variables ask for. Without a part that tags leave out.
  returned: success and O(policy)
  type: dict
  sample: {panic: {on_oom: kill, state: present}}
asked:
  description: Whether the variables ask for anything of a part. Without a part that tags leave out.
  returned: success and O(policy)
  type: dict
  sample: {protect: false, panic: true, overcommit: false}
"""
