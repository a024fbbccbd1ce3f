#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_policy
short_description: Set what the kernel does when memory runs out
version_added: 0.1.0
description:
  - Sets C(vm.panic_on_oom), C(kernel.panic) and what goes with them, in the kernel and for the next boot, and reads it back.
  - Refuses what would leave a host hanging, or take it down because a single container reached its limit.
options:
  on_oom:
    description:
      - C(vm.panic_on_oom). With V(kill), the default of the kernel, the OOM killer ends a process.
      - With V(panic) the kernel panics when the whole host is out of memory, and still kills where a memory cgroup, a cpuset or a memory
        policy is.
      - With V(panic_always) it panics on any of them.
    type: str
    choices: [kill, panic, panic_always]
  reboot_after:
    description:
      - C(kernel.panic). So many seconds after a panic the host reboots. With V(0) it stays dead, with a number below 0 it reboots at once.
      - It is in place before O(on_oom) is raised, and stays until it is lowered.
    type: int
  kill_allocating_task:
    description:
      - C(vm.oom_kill_allocating_task). Kill whoever asks for memory when there is none left, instead of choosing by score.
      - That makes pins worthless, all but V(-1000). It does not go for memory cgroups.
      - It is refused while there are pins, also those that a distribution brings, as systemd-journald and dbus have them.
    type: bool
  dump_tasks:
    description: C(vm.oom_dump_tasks). Write the list of all processes to the kernel log at each kill, without which a choice cannot be explained.
    type: bool
  panic_on_oops:
    description: C(kernel.panic_on_oops). Panic when the kernel has found a fault of its own, instead of going on.
    type: bool
  file:
    default: /etc/sysctl.d/60-oomguard-policy.conf
  force:
    description:
      - Do what is refused otherwise. To panic with O(reboot_after=0); O(on_oom=panic_always) while memory cgroups have a limit;
        O(kill_allocating_task=true) while there are pins; to set what the kubelet of this host sets otherwise; to change the host from
        inside a container.
extends_documentation_fragment:
  - oomguard.linux.attributes
  - oomguard.linux.sysctls
notes:
  - SysRq does not test O(on_oom). A kill by hand never panics.
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
- name: A member of a cluster reboots, so that another takes over
  oomguard.linux.oom_policy:
    on_oom: panic
    reboot_after: 30

- name: The way back
  oomguard.linux.oom_policy:
    on_oom: kill
    reboot_after: 0

- name: Every kill can be explained
  oomguard.linux.oom_policy:
    kill_allocating_task: false
    dump_tasks: true
"""

RETURN = r"""
before:
  description:
    - Every sysctl of this module before, by name, at three places. C(live) in the kernel, null where this kernel has none. C(file) in
      O(file), null where it is not there. C(boot) what the next boot would have made of it, null where that is up to the kernel.
  returned: success
  type: dict
  sample: {"live": {"vm.panic_on_oom": 0}, "file": {"vm.panic_on_oom": null}, "boot": {"vm.panic_on_oom": 0}}
after:
  description: The same afterwards, the live values as read back. In check mode what they would be.
  returned: success
  type: dict
  sample: {"live": {"vm.panic_on_oom": 1}, "file": {"vm.panic_on_oom": 1}, "boot": {"vm.panic_on_oom": 1}}
boot_value_from:
  description: For each sysctl the file and line that wins at the next boot, or C(/proc/cmdline). Null for what the kernel starts with.
  returned: success
  type: dict
  sample: {"vm.panic_on_oom": "/etc/sysctl.d/60-oomguard-policy.conf line 3"}
reboot_safe:
  description:
    - Whether the next boot sets the values that were asked for. If not, a warning tells which file and line is against it.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy as _oom_policy
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import (
    Host,
    Plan,
    Request,
    cause,
    remedy,
    result,
    values,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run


def refuse(plan: Plan, facts: _oom_policy.Facts) -> None:
    """Now, and as the next boot will be."""
    before, after = values(plan.before.boot), values(plan.after.boot)
    _oom_policy.refuse(plan.request.wanted, plan.after.live, facts)
    _oom_policy.refuse_harm([(plan.before.live, plan.after.live), (before, after)], facts)
    reboot_after = _oom_policy.REBOOT_AFTER
    _oom_policy.refuse_next_boot(
        before, after, cause(plan, reboot_after), remedy(plan, reboot_after, "reboot_after"), facts
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            on_oom=dict(type="str", choices=["kill", "panic", "panic_always"]),
            reboot_after=dict(type="int"),
            kill_allocating_task=dict(type="bool"),
            dump_tasks=dict(type="bool"),
            panic_on_oops=dict(type="bool"),
            persistent=dict(type="bool", default=True),
            file=dict(type="str", default="/etc/sysctl.d/60-oomguard-policy.conf"),
            rollback_seconds=dict(type="int", default=30),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    options = module.params
    host = Host()
    facts = _oom_policy.Facts(
        crash_kernel=host.crash_kernel,
        limited_cgroups=host.limited_cgroups,
        pinned=host.pinned,
    )
    try:
        request = Request(
            manager="oom_policy",
            keys=_oom_policy.KEYS,
            wanted=_oom_policy.wanted(
                options["on_oom"],
                options["reboot_after"],
                options["kill_allocating_task"],
                options["dump_tasks"],
                options["panic_on_oops"],
            ),
            order=_oom_policy.order,
            leans_on=_oom_policy.leans_on,
            persistent=options["persistent"],
            file=options["file"],
            rollback_seconds=options["rollback_seconds"],
            force=options["force"],
        )
        done = run(host, request, lambda plan: refuse(plan, facts), module.check_mode)
    except OomError as error:
        module.fail_json(msg=str(error))
    for doubt in done.doubts + _oom_policy.doubts(request.wanted, done.after.live):
        module.warn(doubt)
    module.exit_json(**result(done))


if __name__ == "__main__":
    main()
