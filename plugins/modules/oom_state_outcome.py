#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the action plugin of this name, which runs on the controller alone."""

DOCUMENTATION = r"""
module: oom_state_outcome
short_description: State the outcome of a policy on a host, in one line or in the statistics of the run
version_added: 1.0.0
description:
  - The playbook C(oomguard.linux.site) ends with it. It shows what M(oomguard.linux.oom_apply_policy) did in one line.
  - It fails if the policy failed, if the host was lost, and in check mode with C(oom_fail_on_drift) if the host is not
    as declared. With C(oom_fail_on_nothing_asked) it also fails if no variable asks for anything.
  - It connects to no host.
options:
  playbook:
    description: The name of the playbook, which is part of each key of the statistics.
    type: str
    required: true
  checked:
    description: The result of M(oomguard.linux.oom_check_variables).
    type: dict
    required: true
  applied:
    description: The result of M(oomguard.linux.oom_apply_policy). Nothing counts here if O(checked) has failed.
    type: raw
    default: {}
  statistics:
    description:
      - Whether to add the outcome to the statistics of the run instead, as C(ansible.builtin.set_stats) would.
      - M(oomguard.linux.oom_apply_policy) does that itself if it succeeds. Ansible ignores the statistics of a task
        that fails. It also shows no difference of such a task, and counts no change. So this task has both.
    type: bool
    default: false
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [It changes nothing itself.]
  diff_mode:
    support: full
    details: [With O(statistics) it has the differences of O(applied).]
  async:
    support: none
    details: [It runs on the controller.]
  platform:
    platforms: posix
seealso:
  - module: oomguard.linux.oom_apply_policy
  - module: oomguard.linux.oom_check_variables
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Report the outcome of this host
  oomguard.linux.oom_state_outcome:
    playbook: site
    checked: "{{ checked }}"
    applied: "{{ applied }}"
"""

RETURN = r"""
msg:
  description: The outcome in one word, with its reason.
  returned: always
  type: str
  sample: "changed: 3 pins, panic policy"
"""
