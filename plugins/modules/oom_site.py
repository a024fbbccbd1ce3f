#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply a whole policy in one call: documentation, argument spec, one call."""

DOCUMENTATION = r"""
module: oom_site
short_description: Set pins, the panic policy and the overcommit policy in one call
version_added: 1.0.0
description:
  - Does what M(oomguard.linux.oom_score_adj), M(oomguard.linux.oom_policy) and M(oomguard.linux.overcommit) do, in this
    order and in one process. A connection to a host costs more than the work on it, so on a fleet one call instead of
    three saves most of the time. The playbook C(oomguard.linux.site) uses it.
  - Parts that are left out are not looked at. The first part that fails ends the call. It has undone its own changes
    then, and parts before it stay as they are set.
options:
  protect:
    description: "The options of M(oomguard.linux.oom_score_adj): which daemons to pin."
    type: dict
    suboptions:
      unit:
        description: See O(oomguard.linux.oom_score_adj#module:unit).
        type: str
      process:
        description: See O(oomguard.linux.oom_score_adj#module:process).
        type: str
      pattern:
        description: See O(oomguard.linux.oom_score_adj#module:pattern).
        type: str
      pid:
        description: See O(oomguard.linux.oom_score_adj#module:pid).
        type: int
      pidfile:
        description: See O(oomguard.linux.oom_score_adj#module:pidfile).
        type: path
      cgroup:
        description: See O(oomguard.linux.oom_score_adj#module:cgroup).
        type: str
      container:
        description: See O(oomguard.linux.oom_score_adj#module:container).
        type: str
      machine:
        description: See O(oomguard.linux.oom_score_adj#module:machine).
        type: str
      user_unit:
        description: See O(oomguard.linux.oom_score_adj#module:user_unit).
        type: dict
        suboptions:
          user:
            description: See O(oomguard.linux.oom_score_adj#module:user_unit.user).
            type: str
            required: true
          unit:
            description: See O(oomguard.linux.oom_score_adj#module:user_unit.unit).
            type: str
            required: true
          scope:
            description: See O(oomguard.linux.oom_score_adj#module:user_unit.scope).
            type: str
            choices: [user, all_users]
            default: user
      users:
        description: See O(oomguard.linux.oom_score_adj#module:users).
        type: list
        elements: str
      score:
        description: See O(oomguard.linux.oom_score_adj#module:score).
        type: int
      state:
        description: See O(oomguard.linux.oom_score_adj#module:state).
        type: str
        choices: [present, absent]
        default: present
      persistent:
        description: See O(oomguard.linux.oom_score_adj#module:persistent).
        type: bool
      oom_policy:
        description: See O(oomguard.linux.oom_score_adj#module:oom_policy).
        type: str
        choices: [continue, stop, kill]
      managed_oom_preference:
        description: See O(oomguard.linux.oom_score_adj#module:managed_oom_preference).
        type: str
        choices: [none, avoid, omit]
      children:
        description: See O(oomguard.linux.oom_score_adj#module:children).
        type: str
        choices: [report, reset, pin]
        default: report
      missing:
        description: See O(oomguard.linux.oom_score_adj#module:missing).
        type: str
        choices: [fail, warn, ignore]
        default: fail
      force:
        description: See O(oomguard.linux.oom_score_adj#module:force).
        type: bool
        default: false
      targets:
        description: See O(oomguard.linux.oom_score_adj#module:targets).
        type: list
        elements: dict
        suboptions:
          unit:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].unit).
            type: str
          process:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].process).
            type: str
          pattern:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].pattern).
            type: str
          pid:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].pid).
            type: int
          pidfile:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].pidfile).
            type: path
          cgroup:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].cgroup).
            type: str
          container:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].container).
            type: str
          machine:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].machine).
            type: str
          user_unit:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].user_unit).
            type: dict
            suboptions:
              user:
                description: See O(oomguard.linux.oom_score_adj#module:targets[].user_unit.user).
                type: str
                required: true
              unit:
                description: See O(oomguard.linux.oom_score_adj#module:targets[].user_unit.unit).
                type: str
                required: true
              scope:
                description: See O(oomguard.linux.oom_score_adj#module:targets[].user_unit.scope).
                type: str
                choices: [user, all_users]
                default: user
          users:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].users).
            type: list
            elements: str
          score:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].score).
            type: int
          state:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].state).
            type: str
            choices: [present, absent]
            default: present
          persistent:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].persistent).
            type: bool
          oom_policy:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].oom_policy).
            type: str
            choices: [continue, stop, kill]
          managed_oom_preference:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].managed_oom_preference).
            type: str
            choices: [none, avoid, omit]
          children:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].children).
            type: str
            choices: [report, reset, pin]
            default: report
          missing:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].missing).
            type: str
            choices: [fail, warn, ignore]
            default: fail
          force:
            description: See O(oomguard.linux.oom_score_adj#module:targets[].force).
            type: bool
            default: false
      all_pins:
        description: See O(oomguard.linux.oom_score_adj#module:all_pins).
        type: bool
      min_killable_percent:
        description: See O(oomguard.linux.oom_score_adj#module:min_killable_percent).
        type: int
        default: 10
      other_killers:
        description: See O(oomguard.linux.oom_score_adj#module:other_killers).
        type: str
        choices: [report, protect]
        default: report
  panic:
    description: "The options of M(oomguard.linux.oom_policy): what the kernel does when memory runs out."
    type: dict
    suboptions:
      on_oom:
        description: See O(oomguard.linux.oom_policy#module:on_oom).
        type: str
        choices: [kill, panic, panic_always]
      reboot_after:
        description: See O(oomguard.linux.oom_policy#module:reboot_after).
        type: int
      kill_allocating_task:
        description: See O(oomguard.linux.oom_policy#module:kill_allocating_task).
        type: bool
      dump_tasks:
        description: See O(oomguard.linux.oom_policy#module:dump_tasks).
        type: bool
      panic_on_oops:
        description: See O(oomguard.linux.oom_policy#module:panic_on_oops).
        type: bool
      state:
        description: See O(oomguard.linux.oom_policy#module:state).
        type: str
        choices: [present, absent]
        default: present
      persistent:
        description: See O(oomguard.linux.oom_policy#module:persistent).
        type: bool
        default: true
      file:
        description: See O(oomguard.linux.oom_policy#module:file).
        type: str
      rollback_seconds:
        description: See O(oomguard.linux.oom_policy#module:rollback_seconds).
        type: int
        default: 30
      force:
        description: See O(oomguard.linux.oom_policy#module:force).
        type: bool
        default: false
  overcommit:
    description: "The options of M(oomguard.linux.overcommit): how much memory the kernel promises."
    type: dict
    suboptions:
      mode:
        description: See O(oomguard.linux.overcommit#module:mode).
        type: str
        choices: [heuristic, always, never, "0", "1", "2"]
      ratio:
        description: See O(oomguard.linux.overcommit#module:ratio).
        type: int
      kbytes:
        description: See O(oomguard.linux.overcommit#module:kbytes).
        type: int
      admin_reserve_kbytes:
        description: See O(oomguard.linux.overcommit#module:admin_reserve_kbytes).
        type: int
      user_reserve_kbytes:
        description: See O(oomguard.linux.overcommit#module:user_reserve_kbytes).
        type: int
      headroom_percent:
        description: See O(oomguard.linux.overcommit#module:headroom_percent).
        type: int
        default: 10
      state:
        description: See O(oomguard.linux.overcommit#module:state).
        type: str
        choices: [present, absent]
        default: present
      persistent:
        description: See O(oomguard.linux.overcommit#module:persistent).
        type: bool
        default: true
      file:
        description: See O(oomguard.linux.overcommit#module:file).
        type: str
      rollback_seconds:
        description: See O(oomguard.linux.overcommit#module:rollback_seconds).
        type: int
        default: 30
      force:
        description: See O(oomguard.linux.overcommit#module:force).
        type: bool
        default: false
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [As in the modules of the parts.]
  diff_mode:
    support: full
    details: [RV(diff) has the differences of all parts.]
seealso:
  - module: oomguard.linux.oom_score_adj
  - module: oomguard.linux.oom_policy
  - module: oomguard.linux.overcommit
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Pin a database, reboot after a panic, and promise no more than swap and 80 % of memory
  oomguard.linux.oom_site:
    protect:
      targets:
        - unit: postgresql
          score: -900
    panic:
      on_oom: panic
      reboot_after: 30
    overcommit:
      mode: never
      ratio: 80
      admin_reserve_kbytes: 131072

- name: Take back what these modules set on the host
  oomguard.linux.oom_site:
    protect:
      all_pins: true
      state: absent
    panic:
      state: absent
    overcommit:
      state: absent
"""

RETURN = r"""
msg:
  description: The lines of all parts in one, each behind the name of its part. Of a failed part, its error.
  returned: always
  type: str
  sample: "protect: postgres[812]: 0 -> -900, drop-in written; panic: unchanged"
protect:
  description:
    - What M(oomguard.linux.oom_score_adj) returns.
    - If it failed, C(failed) is true and C(msg) is the error.
  returned: if O(protect) is set
  type: dict
panic:
  description:
    - What M(oomguard.linux.oom_policy) returns. If it failed, as in RV(protect).
  returned: if O(panic) is set, and no part before it failed
  type: dict
overcommit:
  description:
    - What M(oomguard.linux.overcommit) returns. If it failed, as in RV(protect).
  returned: if O(overcommit) is set, and no part before it failed
  type: dict
diff:
  description: The differences that the parts return, one after the other.
  returned: always
  type: list
  elements: dict
"""

from typing import Any, Iterator, Mapping, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import (
    ModuleAnswer,
    end_module,
    join_answers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.answer import answer_pins
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import (
    PIN_OPTIONS,
    PIN_RULES,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.answer import answer_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy_request import (
    OOM_POLICY_OPTIONS,
    request_oom_policy,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit_request import (
    OVERCOMMIT_OPTIONS,
    request_overcommit,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            protect=dict(type="dict", options=PIN_OPTIONS, **PIN_RULES),
            panic=dict(type="dict", options=OOM_POLICY_OPTIONS),
            overcommit=dict(type="dict", options=OVERCOMMIT_OPTIONS),
        ),
        required_one_of=[["protect", "panic", "overcommit"]],
        supports_check_mode=True,
    )
    end_module(module, join_answers(answer_parts(module.params, module.check_mode)))


def answer_parts(options: Mapping[str, Any], check_mode: bool) -> Iterator[Tuple[str, ModuleAnswer]]:
    """Apply one part after the other, and yield each with its answer."""
    if options["protect"] is not None:
        yield "protect", answer_pins(options["protect"], check_mode)
    if options["panic"] is not None:
        yield "panic", answer_sysctls(request_oom_policy, options["panic"], check_mode)
    if options["overcommit"] is not None:
        yield "overcommit", answer_sysctls(request_overcommit, options["overcommit"], check_mode)


if __name__ == "__main__":
    main()
