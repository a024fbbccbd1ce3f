#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the action plugin of this name, which runs the module oom_site."""

DOCUMENTATION = r"""
module: oom_apply_policy
short_description: Apply the policy that variables ask for, and add the outcome to the statistics of the run
version_added: 1.0.0
description:
  - Runs M(oomguard.linux.oom_site) with the policy that M(oomguard.linux.oom_check_variables) returned. If there is
    nothing to do, it connects to no host.
  - Works out the outcome as P(oomguard.linux.applied_outcome#filter) does, and adds it to the statistics of the run, as
    C(ansible.builtin.set_stats) would. After a failure M(oomguard.linux.oom_state_outcome) has to do that.
  - A host that does not answer has failed. It is not reported as unreachable.
  - The playbook C(oomguard.linux.site) consists of it.
options:
  checked:
    description: The result of M(oomguard.linux.oom_check_variables) with its option C(policy).
    type: dict
    required: true
  playbook:
    description: The name of the playbook, which is part of each key of the statistics.
    type: str
    required: true
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [As in M(oomguard.linux.oom_site).]
  diff_mode:
    support: full
    details: [RV(diff) has the differences of all parts.]
  async:
    support: none
    details: [Part of it runs on the controller.]
seealso:
  - module: oomguard.linux.oom_site
  - module: oomguard.linux.oom_check_variables
  - module: oomguard.linux.oom_state_outcome
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Apply the policy
  oomguard.linux.oom_apply_policy:
    checked: "{{ checked }}"
    playbook: site
  register: applied
"""

RETURN = r"""
msg:
  description: The outcome in one line.
  returned: always
  type: str
  sample: "changed: 3 pins, panic policy"
outcome:
  description: The outcome in one word, see P(oomguard.linux.host_outcome#filter).
  returned: always
  type: str
  sample: changed
detail:
  description: The reason, or what changed.
  returned: always
  type: str
  sample: 3 pins, panic policy
protect:
  description: What M(oomguard.linux.oom_score_adj) returns, without C(diff).
  returned: if the policy has this part and the host was reached
  type: dict
panic:
  description: What M(oomguard.linux.oom_policy) returns, without C(diff).
  returned: if the policy has this part, the host was reached, and no part before it failed
  type: dict
overcommit:
  description: What M(oomguard.linux.overcommit) returns, without C(diff).
  returned: if the policy has this part, the host was reached, and no part before it failed
  type: dict
diff:
  description: The differences that the parts return, one after the other.
  returned: if a part has run
  type: list
  elements: dict
"""
