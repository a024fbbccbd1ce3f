#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set what the kernel does when memory runs out."""

DOCUMENTATION = r"""
module: oom_policy
short_description: Set what the kernel does when memory runs out
version_added: 1.0.0
description:
  - Sets C(vm.panic_on_oom), C(kernel.panic) and the sysctls that belong to them, in the kernel and for the next boot,
    and reads them back.
  - Refuses a policy that would hang the host, or panic it because a single container reached its limit.
options:
  on_oom:
    description:
      - C(vm.panic_on_oom). With V(kill), the kernel's default, the OOM killer ends a process.
      - With V(panic) the kernel panics when the whole host is out of memory. It still kills where a memory cgroup, a
        cpuset or a memory policy is the constraint.
      - With V(panic_always) the kernel panics in each of these cases.
    type: str
    choices: [kill, panic, panic_always]
  reboot_after:
    description:
      - C(kernel.panic). The host reboots this many seconds after a panic. With V(0) it hangs. With a negative number it
        reboots at once.
      - It is written before O(on_oom) is raised, and after O(on_oom) is lowered.
    type: int
  kill_allocating_task:
    description:
      - C(vm.oom_kill_allocating_task). Kill the process that asks for memory when none is left, instead of choosing by
        score.
      - That makes every pin worthless except V(-1000). It does not apply to memory cgroups.
      - The module refuses it while there are pins. Those that a distribution sets count as well, such as for
        systemd-journald and dbus.
    type: bool
  dump_tasks:
    description:
      - C(vm.oom_dump_tasks). Write the list of all processes to the kernel log at each kill. Without it the choice of a
        victim cannot be explained.
    type: bool
  panic_on_oops:
    description: C(kernel.panic_on_oops). Panic when the kernel finds a fault of its own, instead of continuing.
    type: bool
  force:
    description:
      - Override a refusal. The module refuses a panic with O(reboot_after=0), O(on_oom=panic_always) while memory
        cgroups have a limit, and O(kill_allocating_task=true) while there are pins. It also refuses to set a value that
        this host's kubelet overwrites, and to change the host from inside a container.
extends_documentation_fragment:
  - oomguard.linux.attributes
  - oomguard.linux.sysctls
notes:
  - Without O(file), O(state=present) writes C(/etc/sysctl.d/60-oomguard-policy.conf).
  - SysRq does not test O(on_oom). A kill by SysRq never panics.
seealso:
  - module: oomguard.linux.overcommit
  - module: oomguard.linux.oom_score_adj
  - name: Sysctls of vm
    description: The kernel's documentation.
    link: https://docs.kernel.org/admin-guide/sysctl/vm.html
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Reboot a cluster member, so that another one takes over
  oomguard.linux.oom_policy:
    on_oom: panic
    reboot_after: 30

- name: Take back what this module set on the host
  oomguard.linux.oom_policy:
    state: absent

- name: Log what explains each kill
  oomguard.linux.oom_policy:
    kill_allocating_task: false
    dump_tasks: true
"""

RETURN = r"""
msg:
  description: The change in one line of at most 200 characters.
  returned: always
  type: str
  sample: kernel.panic 0 -> 30, vm.panic_on_oom 0 -> 1, in /etc/sysctl.d/60-oomguard-policy.conf
report:
  description:
    - What the module did, for a person, in at most 12 lines. Each sysctl of the task has one, with what the next boot
      does with it. Each file that was written or removed has one, too.
  returned: success
  type: list
  elements: str
  sample:
    - "vm.panic_on_oom: 0 -> 1, also after the next boot (/etc/sysctl.d/60-oomguard-policy.conf line 3)"
    - "/etc/sysctl.d/60-oomguard-policy.conf: written"
not_lasting:
  description:
    - The sysctls that should be permanent, but that the next boot sets to another value. Empty with
      O(persistent=false) and with O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The sysctl.
      returned: success
      type: str
      sample: vm.panic_on_oom
    unit:
      description: Always null. It is there because M(oomguard.linux.oom_score_adj) returns it.
      returned: success
      type: str
      sample: null
    reason:
      description: The name of the file that wins at the next boot, or C(nothing sets it at boot).
      returned: success
      type: str
      sample: 99-local.conf wins
before:
  description: Every sysctl of this module before the change, at three places. Read one of them as in
    C(result.before.live['vm.panic_on_oom']).
  returned: success
  type: dict
  contains: &places
    live:
      description:
        - The values in the kernel. Null where this kernel does not have the sysctl.
        - C(vm.panic_on_oom) is 0 for V(kill), 1 for V(panic), 2 for V(panic_always). C(kernel.panic) is the number of
          seconds from a panic to the reboot. 0 hangs, and a negative number reboots at once. The others are 0 or 1.
      returned: success
      type: dict
      sample: &sysctls
        kernel.panic: 30
        kernel.panic_on_oops: 0
        vm.oom_dump_tasks: 1
        vm.oom_kill_allocating_task: 0
        vm.panic_on_oom: 1
    file:
      description: The values in O(file). Null where the file does not set the sysctl. With O(state=absent) and without
        O(file), the values in all files that the module wrote.
      returned: success
      type: dict
      sample:
        kernel.panic: 30
        kernel.panic_on_oops: 0
        vm.oom_dump_tasks: null
        vm.oom_kill_allocating_task: 0
        vm.panic_on_oom: 1
    boot:
      description: The values that the next boot sets. Null where the value depends on the kernel's configuration or on
        the host's memory.
      returned: success
      type: dict
      sample: *sysctls
after:
  description: The same sysctls after the change. The live values are read back. In check mode they are what a run would
    set.
  returned: success
  type: dict
  contains: *places
boot_value_from:
  description: The file and line that sets each sysctl at the next boot, or C(/proc/cmdline). Null where nothing sets
    it.
  returned: success
  type: dict
  sample:
    kernel.panic: /etc/sysctl.d/60-oomguard-policy.conf line 2
    kernel.panic_on_oops: /proc/cmdline
    vm.oom_dump_tasks: /etc/sysctl.d/99-local.conf line 1
    vm.oom_kill_allocating_task: null
    vm.panic_on_oom: /etc/sysctl.d/60-oomguard-policy.conf line 3
reboot_safe:
  description:
    - Whether the next boot sets the same values. If not, a warning names the file and line that sets another value.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import end_module
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.answer import answer_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy_request import (
    OOM_POLICY_OPTIONS,
    request_oom_policy,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=OOM_POLICY_OPTIONS,
        supports_check_mode=True,
    )
    end_module(module, answer_sysctls(request_oom_policy, module.params, module.check_mode))


if __name__ == "__main__":
    main()
