#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: overcommit
short_description: Set how much memory the kernel promises, without locking anybody out
version_added: 0.1.0
description:
  - Sets C(vm.overcommit_memory) and what goes with it, in the kernel and for the next boot, and reads it back.
  - With O(mode=never) a process that asks for more than the limit is refused (C(ENOMEM)), whoever it is. Where the limit is below what
    is already promised nothing can be started any more, no shell and no Ansible. So the limit is worked out first, and a helper puts the
    old values back when it turns out that new processes cannot be started.
options:
  mode:
    description:
      - V(heuristic), the default of the kernel, refuses only what is larger than memory and swap together. V(always) refuses nothing.
        V(never) promises no more than the limit, C(CommitLimit) of C(/proc/meminfo). The numbers are those of the kernel.
      - V(never) does not switch the OOM killer off. Memory cgroups have their own limits, and not all memory is promised first.
    type: str
    choices: [heuristic, always, never, "0", "1", "2"]
  ratio:
    description:
      - The limit as a share of memory without huge pages, in percent, to which swap is added. 1 or more.
      - The kernel knows this or O(kbytes). Setting one makes the other zero.
    type: int
  kbytes:
    description: The limit in KiB, to which swap is added. 1 or more.
    type: int
  admin_reserve_kbytes:
    description:
      - What only root may still be promised, in KiB. With O(mode=never) the kernel's documentation advises 131072, so that root can log in.
    type: int
  user_reserve_kbytes:
    description: With O(mode=never) a process may not be promised the last so many KiB, so that its user can still end it.
    type: int
  headroom_percent:
    description: Refuse O(mode=never) when less than this share of the limit would be left, beyond what is promised already.
    type: int
    default: 10
  file:
    default: /etc/sysctl.d/60-oomguard-overcommit.conf
  force:
    description:
      - Do what is refused otherwise. To go below O(headroom_percent); to set what the kubelet of this host sets otherwise; to change the host
        from inside a container.
extends_documentation_fragment:
  - oomguard.linux.attributes
  - oomguard.linux.sysctls
notes:
  - The order is reserves, then O(ratio) or O(kbytes), then O(mode). When V(never) is left, O(mode) comes first.
seealso:
  - module: oomguard.linux.oom_policy
  - name: Overcommit accounting
    description: The kernel's documentation of the modes.
    link: https://docs.kernel.org/mm/overcommit-accounting.html
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Promise no more than swap and 80 % of memory
  oomguard.linux.overcommit:
    mode: never
    ratio: 80
    admin_reserve_kbytes: 131072

- name: What Redis wants, so that it can fork for a snapshot
  oomguard.linux.overcommit:
    mode: always

- name: Try it until the next boot
  oomguard.linux.overcommit:
    mode: never
    kbytes: 12582912
    persistent: false
"""

RETURN = r"""
before:
  description:
    - Every sysctl of this module before, by name, at three places. C(live) in the kernel, null where this kernel has none. C(file) in
      O(file), null where it is not there. C(boot) what the next boot would have made of it, null where that is up to the kernel.
  returned: success
  type: dict
  sample: {"live": {"vm.overcommit_memory": 0}, "file": {"vm.overcommit_memory": null}, "boot": {"vm.overcommit_memory": 0}}
after:
  description: The same afterwards, the live values as read back. In check mode what they would be.
  returned: success
  type: dict
  sample: {"live": {"vm.overcommit_memory": 2}, "file": {"vm.overcommit_memory": 2}, "boot": {"vm.overcommit_memory": 2}}
boot_value_from:
  description: For each sysctl the file and line that wins at the next boot, or C(/proc/cmdline). Null for what the kernel starts with.
  returned: success
  type: dict
  sample: {"vm.overcommit_memory": "/etc/sysctl.d/60-oomguard-overcommit.conf line 4"}
reboot_safe:
  description:
    - Whether the next boot sets the values that were asked for. If not, a warning tells which file and line is against it.
  returned: success
  type: bool
  sample: true
commit_limit_kb:
  description: What may be promised in all with O(mode=never), C(CommitLimit), afterwards.
  returned: success
  type: int
  sample: 13107200
committed_as_kb:
  description: What is promised, C(Committed_AS), before the change.
  returned: success
  type: int
  sample: 3276800
headroom_kb:
  description: RV(commit_limit_kb) less RV(committed_as_kb).
  returned: success
  type: int
  sample: 9830400
"""

import os
from typing import Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import overcommit as _overcommit
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


def refuse(plan: Plan, found: _overcommit.Memory, headroom_percent: int) -> None:
    """Now, and as the next boot will be."""
    _overcommit.refuse(plan.before.live, plan.after.live, found, headroom_percent)

    def at_boot(key: str) -> Tuple[str, str]:
        option = "admin_reserve_kbytes" if key == _overcommit.ADMIN_RESERVE else "ratio or kbytes"
        return f"mode=never after the next boot ({cause(plan, _overcommit.MODE)}; {cause(plan, key)})", remedy(
            plan, key, option
        )

    _overcommit.refuse(values(plan.before.boot), values(plan.after.boot), found, headroom_percent, at_boot)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            mode=dict(type="str", choices=["heuristic", "always", "never", "0", "1", "2"]),
            ratio=dict(type="int"),
            kbytes=dict(type="int"),
            admin_reserve_kbytes=dict(type="int"),
            user_reserve_kbytes=dict(type="int"),
            headroom_percent=dict(type="int", default=10),
            persistent=dict(type="bool", default=True),
            file=dict(type="str", default="/etc/sysctl.d/60-oomguard-overcommit.conf"),
            rollback_seconds=dict(type="int", default=30),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    options = module.params
    host = Host()
    try:
        request = Request(
            manager="overcommit",
            keys=_overcommit.KEYS,
            wanted=_overcommit.wanted(
                options["mode"],
                options["ratio"],
                options["kbytes"],
                options["admin_reserve_kbytes"],
                options["user_reserve_kbytes"],
            ),
            order=_overcommit.order,
            leans_on=_overcommit.leans_on,
            persistent=options["persistent"],
            file=options["file"],
            rollback_seconds=options["rollback_seconds"],
            force=options["force"],
        )
        _overcommit.check_percent(options["headroom_percent"])
        found = _overcommit.memory(host.text("/proc/meminfo") or "", os.sysconf("SC_PAGE_SIZE") // 1024)
        done = run(host, request, lambda plan: refuse(plan, found, options["headroom_percent"]), module.check_mode)
    except OomError as error:
        module.fail_json(msg=str(error))
    live = done.after.live
    for doubt in done.doubts + _overcommit.doubts(live, found):
        module.warn(doubt)
    limit = _overcommit.commit_limit_kb(found, live[_overcommit.RATIO], live[_overcommit.KBYTES])
    module.exit_json(
        commit_limit_kb=limit,
        committed_as_kb=found.committed_kb,
        headroom_kb=limit - found.committed_kb,
        **result(done),
    )


if __name__ == "__main__":
    main()
