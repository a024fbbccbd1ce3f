#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set how much memory the kernel promises."""

DOCUMENTATION = r"""
module: overcommit
short_description: Set how much memory the kernel promises, without blocking logins
version_added: 1.0.0
description:
  - Sets C(vm.overcommit_memory) and the sysctls that belong to it, in the kernel and for the next boot, and reads them
    back.
  - With O(mode=never) the kernel refuses memory to any process that would exceed the limit (C(ENOMEM)). If the limit is
    below what is already promised, no process can start any more, neither a shell nor Ansible. So the module calculates
    the limit first. A helper also restores the old values if new processes turn out not to start.
  - Users may take everything that is promised to them. So the module also measures what a run of it and the login for
    it take on this host. It refuses O(mode=never) if O(admin_reserve_kbytes) is smaller, because root could not undo it
    then.
options:
  mode:
    description:
      - V(heuristic), the kernel's default, refuses only a request that is larger than memory and swap together.
        V(always) refuses nothing. V(never) promises no more than the limit, C(CommitLimit) in C(/proc/meminfo). V(0),
        V(1) and V(2) are the kernel's numbers for them.
      - With V(never) the module warns if the host has Docker, containerd or CRI-O and less than
        832 MiB of the limit are left. Starting a container takes about 700 MiB, measured with Docker.
      - V(never) does not switch the OOM killer off. Memory cgroups have their own limits, and some memory is used
        without being promised first.
    type: str
    choices: [heuristic, always, never, "0", "1", "2"]
  ratio:
    description:
      - The limit, in percent of the memory without huge pages. Swap is added to it. 1 or more.
      - Mutually exclusive with O(kbytes). When one is written, the kernel sets the other to 0.
    type: int
  kbytes:
    description: The limit in KiB. Swap is added to it. 1 or more.
    type: int
  admin_reserve_kbytes:
    description:
      - Memory that is promised only to root, in KiB. For O(mode=never) the kernel's documentation advises 131072, so
        that root can log in. The kernel's own value is 8192 or less, which is too little for that.
      - It does not help the login of another user, even one who becomes root, nor what sshd runs as its own user before
        a login. Keep a connection of root or a console for a host where users take all promises.
    type: int
  user_reserve_kbytes:
    description: With O(mode=never), memory in KiB that no single process gets, so that its user can still end it.
    type: int
  headroom_percent:
    description: Refuse O(mode=never) if less than this share of the limit would be left beyond what is already
      promised.
    type: int
    default: 10
  force:
    description:
      - Override a refusal. The module refuses a limit that leaves less than O(headroom_percent), or no memory for a
        login, and an O(admin_reserve_kbytes) that does not hold one. It also refuses to set a value that this host's
        kubelet overwrites, and to change the host from inside a container.
      - A change that is nowhere stricter than the present values is not refused for its limit.
extends_documentation_fragment:
  - oomguard.linux.attributes
  - oomguard.linux.sysctls
notes:
  - Without O(file), O(state=present) writes C(/etc/sysctl.d/60-oomguard-overcommit.conf).
  - The reserves are written first, then O(ratio) or O(kbytes), then O(mode). A change away from V(never) writes O(mode)
    first.
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

- name: Let Redis fork for a snapshot
  oomguard.linux.overcommit:
    mode: always

- name: Try a limit until the next boot
  oomguard.linux.overcommit:
    mode: never
    kbytes: 12582912
    admin_reserve_kbytes: 131072
    persistent: false

- name: Take back what this module set on the host
  oomguard.linux.overcommit:
    state: absent
"""

RETURN = r"""
msg:
  description: The change in one line of at most 200 characters.
  returned: always
  type: str
  sample: vm.overcommit_ratio 50 -> 80, vm.overcommit_memory 0 -> 2, in /etc/sysctl.d/60-oomguard-overcommit.conf
report:
  description:
    - What the module did, for a person, in at most 12 lines. Each sysctl of the task has one, with what the next boot
      does with it. Each file that was written or removed has one, too.
  returned: success
  type: list
  elements: str
  sample:
    - "vm.overcommit_memory: 0 -> 2, also after the next boot (/etc/sysctl.d/60-oomguard-overcommit.conf line 4)"
    - "/etc/sysctl.d/60-oomguard-overcommit.conf: written"
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
      sample: vm.overcommit_memory
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
    C(result.before.live['vm.overcommit_memory']).
  returned: success
  type: dict
  contains: &places
    live:
      description:
        - The values in the kernel. Null where this kernel does not have the sysctl.
        - C(vm.overcommit_memory) is 0 for V(heuristic), 1 for V(always), 2 for V(never). C(vm.overcommit_ratio) is a
          percentage of the memory, the others are in KiB.
        - Of C(vm.overcommit_ratio) and C(vm.overcommit_kbytes), the one that is not in use is 0.
      returned: success
      type: dict
      sample: &sysctls
        vm.admin_reserve_kbytes: 131072
        vm.user_reserve_kbytes: 131072
        vm.overcommit_ratio: 80
        vm.overcommit_kbytes: 0
        vm.overcommit_memory: 2
    file:
      description: The values in O(file). Null where the file does not set the sysctl. With O(state=absent) and without
        O(file), the values in all files that the module wrote.
      returned: success
      type: dict
      sample:
        vm.admin_reserve_kbytes: 131072
        vm.user_reserve_kbytes: null
        vm.overcommit_ratio: 80
        vm.overcommit_kbytes: 0
        vm.overcommit_memory: 2
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
    it. A line that sets C(vm.overcommit_ratio) or C(vm.overcommit_kbytes) sets the other one to 0.
  returned: success
  type: dict
  sample:
    vm.admin_reserve_kbytes: /etc/sysctl.d/60-oomguard-overcommit.conf line 2
    vm.user_reserve_kbytes: /etc/sysctl.d/99-local.conf line 1
    vm.overcommit_ratio: /etc/sysctl.d/60-oomguard-overcommit.conf line 3
    vm.overcommit_kbytes: /etc/sysctl.d/60-oomguard-overcommit.conf line 3
    vm.overcommit_memory: /etc/sysctl.d/60-oomguard-overcommit.conf line 4
reboot_safe:
  description:
    - Whether the next boot sets the same values. If not, a warning names the file and line that sets another value.
  returned: success
  type: bool
  sample: true
commit_limit_kb:
  description: The limit after the change, in KiB. It is C(CommitLimit), which O(mode=never) enforces.
  returned: success
  type: int
  sample: 13107200
committed_as_kb:
  description: What is promised before the change, in KiB. It is C(Committed_AS).
  returned: success
  type: int
  sample: 3276800
headroom_kb:
  description: RV(commit_limit_kb) minus RV(committed_as_kb).
  returned: success
  type: int
  sample: 9830400
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import end_module
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.answer import answer_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit_request import (
    OVERCOMMIT_OPTIONS,
    request_overcommit,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=OVERCOMMIT_OPTIONS,
        supports_check_mode=True,
    )
    end_module(module, answer_sysctls(request_overcommit, module.params, module.check_mode))


if __name__ == "__main__":
    main()
