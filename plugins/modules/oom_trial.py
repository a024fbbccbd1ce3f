#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_trial
short_description: Try on the running kernel whether an OOM score pin, or a limit of promises, binds
version_added: 0.1.0
description:
  - Starts a memory hog and a decoy in a private memory cgroup, lets the kernel's OOM killer choose, reads the kernel's own
    account, and gives a verdict.
  - The decoy stands for a pinned daemon and holds more memory than the hog ever gets. In the first run, the treatment, it is
    pinned and must outlive the hog. In the second, the control, it is not, and must die. Only the pair shows that the pin made
    the difference.
  - Where scores cannot be lowered, for want of CAP_SYS_RESOURCE, the pair is mirrored. Instead of the decoy being lowered, the
    hog is raised by the same difference. RV(method) says which of the two was done.
  - Unless O(scope=host), nothing outside the private cgroup can be chosen by the killer. The cgroup's limit must be at most half
    of the free memory. The programs end by themselves after a deadline. What a killed trial left behind is removed by the next one.
options:
  hog:
    description: Path, on the host, of the built C(oom_hog) of this collection. See the role P(oomguard.linux.oom_verify#role).
    type: path
    required: true
  scope:
    description:
      - Where the killer is called.
      - V(cgroup) means in a private memory cgroup, which is safe on a production host.
      - V(host) means that the whole host runs out of memory. It needs O(allow_host_oom=true), stalls the host for a while, and
        is refused where the kernel could take another process than the hog. Only the treatment is tried.
      - V(overcommit) means nowhere. With C(vm.overcommit_memory=2) the hog asks for more than may be promised, and must be refused
        (C(ENOMEM)) without anybody being killed. In the control it asks for a little, and must get it. There is no decoy.
        It needs O(allow_host_oom=true), as for a moment others are refused as well.
    type: str
    choices: [cgroup, host, overcommit]
    default: cgroup
  allow_host_oom:
    description:
      - Whether the whole host may run out of memory, or of promises. O(scope=host) and O(scope=overcommit) are refused without it.
    type: bool
    default: false
  memory_limit:
    description:
      - Size of the private memory cgroup, in bytes or with a unit such as V(64M). At least V(8M).
      - With O(scope=host) there is none, and the two share the free memory and swap of the host. With O(scope=overcommit) it is not used,
        nor are the scores.
    type: bytes
    default: 64M
  pinned_score:
    description: The score of the pinned decoy. At least 50 below O(hog_score).
    type: int
    default: -900
  hog_score:
    description: The score of the hog, and of the decoy when it is not pinned.
    type: int
    default: 0
  timeout:
    description:
      - Seconds after which the trial gives up.
      - With O(scope=host) the kernel first gives up all its caches, which can take minutes where there is much swap.
    type: int
    default: 60
  manager:
    description:
      - Who makes the cgroup and sets the scores.
      - V(systemd) starts transient services in a transient slice, and the scores are those that systemd sets.
      - V(cgroupfs) makes the cgroup by hand.
      - V(auto) takes V(systemd) where it manages the host and the module runs as root, else V(cgroupfs).
    type: str
    choices: [auto, systemd, cgroupfs]
    default: auto
  cgroup_parent:
    description:
      - Folder of a delegated cgroup below which the private one is made, for users who are not root.
      - Without it the root of the hierarchy is tried first, then the module's own cgroup and the ones above it.
    type: path
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode all requirements are checked and nothing is started. RV(verdict) is then null.
  diff_mode:
    support: N/A
    details:
      - The trial leaves nothing changed.
notes:
  - The verdict V(refuted) is a result, not an error. The module fails only when the trial cannot be carried out.
seealso:
  - module: oomguard.linux.oom_events
  - module: oomguard.linux.oom_score_adj
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Does a score of -900 save a daemon on this host
  oomguard.linux.oom_trial:
    hog: /root/oom_hog
  register: trial

- name: It must
  ansible.builtin.assert:
    that: trial.verdict == 'proven'
    fail_msg: "{{ trial.reasons }}"

- name: The same when a whole test machine runs out of memory
  oomguard.linux.oom_trial:
    hog: /root/oom_hog
    scope: host
    allow_host_oom: true
    timeout: 300
"""

RETURN = r"""
verdict:
  description:
    - V(proven) when every run took the course that the pin predicts, the kernel log names the victims and nothing else died.
    - V(refuted) when the kernel killed the pinned decoy, or with O(scope=overcommit) gave the hog all it wanted, or killed anybody.
    - V(inconclusive) for everything else.
    - Null in check mode.
  returned: success
  type: str
  sample: proven
reasons:
  description: What the verdict rests on, or what is in the way of a better one.
  returned: success
  type: list
  elements: str
  sample: ["the kernel took the hog in the treatment", "the kernel took the decoy in the control"]
report:
  description: The same in five lines for a person.
  returned: success
  type: list
  elements: str
  sample: ["proven: a score difference of 900 binds (a decoy at -900 against a hog at 0, in 64 MiB)"]
scope:
  description: Where the killer was called, V(cgroup) or V(host), or V(overcommit).
  returned: success
  type: str
  sample: cgroup
method:
  description: V(lowered) when the decoy was pinned, V(mirrored) when the hog was raised instead, V(refused) with O(scope=overcommit).
  returned: success
  type: str
  sample: lowered
manager:
  description: Who made the cgroup, V(systemd) or V(cgroupfs). Null with O(scope=overcommit).
  returned: success
  type: str
  sample: systemd
cgroup_version:
  description: Version of the memory cgroup hierarchy. Null with O(scope=overcommit).
  returned: success
  type: int
  sample: 2
kernel:
  description: Release of the kernel that chose.
  returned: success
  type: str
  sample: 6.1.0-50-amd64
memory_limit_kb:
  description: What the two shared, in KiB. The size of the private memory cgroup, or the free memory and swap of the host, or C(CommitLimit).
  returned: success
  type: int
  sample: 65536
runs:
  description: The treatment and the control. With O(scope=host) only the treatment.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(treatment) or V(control).
      type: str
      sample: treatment
    expected:
      description: Who had to die, V(hog) or V(decoy). With O(scope=overcommit) what had to become of the request, V(refused) or V(granted).
      type: str
      sample: hog
    observed:
      description: Whom the kernel took first, V(hog), V(decoy), V(other), or null for nobody. Or what became of the request.
      type: str
      sample: hog
    decoy:
      description: The decoy. Its keys are those of RV(runs[].hog). Null with O(scope=overcommit).
      type: dict
    hog:
      description: The hog. With O(scope=overcommit) it also has C(asked_kb) and C(got_kb).
      type: dict
      contains:
        role:
          description: V(decoy) or V(hog).
          type: str
          sample: hog
        pid:
          description: Process number.
          type: int
          sample: 4711
        name:
          description: Name of the process, C(comm).
          type: str
          sample: oomguard-hog
        wanted_score:
          description: The score that it should have.
          type: int
          sample: 0
        score:
          description: The score that the kernel held for it, null when it ended before it could be read.
          type: int
          sample: 0
        exit:
          description: Exit code, null when it ended by a signal or outlived the run.
          type: int
          sample: null
        signal:
          description: Signal that ended it, null when it exited or outlived the run.
          type: int
          sample: 9
        outlived:
          description: Whether it was still alive when the killing was over.
          type: bool
          sample: false
    event:
      description: The first kill in this run, as in M(oomguard.linux.oom_events), null when there was none.
      type: dict
    log:
      description: The kernel's own words on the victims.
      type: list
      elements: str
    counters:
      description: How far the counters of the private cgroup moved. Null with O(scope=overcommit).
      type: dict
      sample: {"cgroup_oom_kill": 1}
bystanders:
  description: The other processes of the host. Null in check mode.
  returned: success
  type: dict
  contains:
    checked:
      description: How many were alive before the trial.
      type: int
      sample: 84
    lost:
      description: Those that the killer took, or may have taken, meanwhile, each with C(pid), C(name) and C(start_time).
      type: list
      elements: dict
counters:
  description: How far C(oom_kill) of C(/proc/vmstat) moved during the trial. Null in check mode.
  returned: success
  type: dict
  sample: {"vmstat_oom_kill": 2}
clean:
  description: Whether nothing was left behind.
  returned: success
  type: bool
  sample: true
left_behind:
  description: What was left behind.
  returned: success
  type: list
  elements: str
  sample: []
duration_s:
  description: Seconds from the first to the last step.
  returned: success
  type: float
  sample: 0.412
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import Request, Trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import Refusal


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            hog=dict(type="path", required=True),
            scope=dict(type="str", choices=["cgroup", "host", "overcommit"], default="cgroup"),
            allow_host_oom=dict(type="bool", default=False),
            memory_limit=dict(type="bytes", default="64M"),
            pinned_score=dict(type="int", default=-900),
            hog_score=dict(type="int", default=0),
            timeout=dict(type="int", default=60),
            manager=dict(type="str", choices=["auto", "systemd", "cgroupfs"], default="auto"),
            cgroup_parent=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    options = module.params
    request = Request(
        hog=options["hog"],
        scope=options["scope"],
        allow_host_oom=options["allow_host_oom"],
        memory_limit_kb=options["memory_limit"] // 1024,
        pinned_score=options["pinned_score"],
        hog_score=options["hog_score"],
        timeout=options["timeout"],
        manager=options["manager"],
        cgroup_parent=options["cgroup_parent"],
    )
    try:
        trial = Refusal(request) if request.scope == "overcommit" else Trial(request)
        outcome = trial.check() if module.check_mode else trial.run()
    except OomError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **outcome)


if __name__ == "__main__":
    main()
