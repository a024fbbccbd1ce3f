#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predict what the OOM killer would kill, and find what is wrong with a host's posture."""

DOCUMENTATION = r"""
module: oom_info
short_description: Predict what the OOM killer would kill next, and what a pin would change
version_added: 1.0.0
description:
  - Answers before anything dies. If this process goes on growing, does it die itself, or does it take a daemon with it?
  - Ranks the processes as the running kernel would, by its own arithmetic. That changed with many versions.
  - Reports what is wrong with the host's posture as findings, each with the task that repairs it.
  - Shows with O(what_if) what would die if some pins were set, without setting them.
  - A prediction is marked as certain only if the bounds of the two closest processes do not overlap.
options:
  domain:
    description:
      - Whose memory runs out. V(host), or a dictionary with exactly one of the keys C(cgroup), C(unit), C(container)
        and C(machine), whose value is a name as in M(oomguard.linux.oom_score_adj). On the command line write all
        arguments as one JSON text.
      - A C(machine) is one that systemd-machined knows, by its name.
      - Of all limits on the way up from a cgroup, the one with the least room is the domain. Without any limit the
        module fails.
    type: raw
    default: host
  grower:
    description:
      - The process that goes on growing. If more than one process is selected, RV(if_it_grows) has an entry for each,
        up to O(top). RV(report) counts those that O(top) or O(domain) leaves out.
      - Without it the first processes of the ranking are each taken as the one that grows.
      - A process that grows meets its own limits first, whatever O(domain) is.
      - A process of any user can be selected. So can pid 1 and others that the kernel cannot kill. If such a process
        grows, everything else that can be killed dies, and then nothing is left to kill.
    type: dict
    suboptions: &selectors
      unit:
        description: A systemd service. It stands for its main process.
        type: str
      process:
        description: The name of a process, or of its executable.
        type: str
      pattern:
        description: A regular expression that matches the command line.
        type: str
      pid:
        description: A process, by its pid.
        type: int
      pidfile:
        description: A process, by the pid in this file.
        type: path
      cgroup:
        description: Every process in a control group and below it.
        type: str
      container:
        description: Every process in a running container, by its id or name.
        type: str
      machine:
        description: Every process in a machine that systemd-machined knows.
        type: str
      user_unit:
        description: The main process of a service of a user, as in M(oomguard.linux.oom_score_adj).
        type: dict
        suboptions:
          user:
            description: The login name of the user.
            type: str
            required: true
          unit:
            description: The service, by its name.
            type: str
            required: true
          scope:
            description: Where the drop-in would be written.
            type: str
            choices: [user, all_users]
            default: user
      users:
        description: Login names of users whose processes may be selected too, as in M(oomguard.linux.oom_score_adj).
        type: list
        elements: str
  what_if:
    description:
      - Targets as in M(oomguard.linux.oom_score_adj). RV(what_if) has the prediction as if they had been applied.
      - Nothing is written. What that module refuses to everybody, this one refuses with the same reason.
      - It shows what the kernel would do with these scores. Whether the caller may write them is not asked. To find
        out, run M(oomguard.linux.oom_score_adj) in check mode as the user who would set them.
      - In RV(report) each sentence about a process that grows begins with V(Now), V(With these pins) or both.
        Targets that change nothing are named.
      - With O(what_if[].oom_policy) a unit that runs counts as a group that dies together, or no longer does.
    type: list
    elements: dict
    suboptions:
      <<: *selectors
      score:
        description: The score, as in M(oomguard.linux.oom_score_adj).
        type: int
      state:
        description: V(absent) takes the pin away.
        type: str
        choices: [present, absent]
        default: present
      persistent:
        description: Whether the drop-in of the unit would be written. The live score is the same.
        type: bool
      oom_policy:
        description: C(OOMPolicy) of the unit.
        type: str
        choices: [continue, stop, kill]
      managed_oom_preference:
        description: C(ManagedOOMPreference) of the unit. The kernel does not go by it.
        type: str
        choices: [none, avoid, omit]
      children:
        description: What happens to processes that inherited the score.
        type: str
        choices: [report, reset, pin]
        default: report
      missing:
        description: What happens if nothing is selected.
        type: str
        choices: [fail, warn, ignore]
        default: fail
      force:
        description: Override a refusal.
        type: bool
        default: false
  top:
    description:
      - How many processes of the ranking to return, up to 1000.
      - With V(0) RV(ranking) is empty, and so is RV(if_it_grows) without O(grower).
    type: int
    default: 20
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [The module only reads.]
  diff_mode:
    support: N/A
    details: [The module only reads.]
notes:
  - It runs without root. With C(hidepid) it then sees only the caller's processes, so no prediction is certain.
  - Where only root may read the kernel's log, other users are warned that kills since boot were not compared with it.
  - What is swapped to zram is in memory, so no prediction is certain while that can still grow.
  - Memory that no process maps, such as files in tmpfs and huge pages, belongs to no process. While it grows, the next
    victim dies.
  - A process that is bound to some nodes of a NUMA host can run out of memory alone. That is not predicted.
seealso:
  - module: oomguard.linux.oom_score_adj
  - module: oomguard.linux.oom_events
author:
  - oomguard contributors (@oomguard)
"""

EXAMPLES = r"""
# ansible servers -b -m oomguard.linux.oom_info
- name: Show what the kernel would kill next, and what is wrong
  oomguard.linux.oom_info:
  register: oom
- ansible.builtin.debug:
    var: oom.report

# ansible servers -b -m oomguard.linux.oom_info -a '{"grower": {"unit": "app"}, "domain": {"unit": "app"}}'
- name: Ask whether the application dies itself if it leaks
  oomguard.linux.oom_info:
    grower:
      unit: app
  register: leak
  failed_when: not leak.if_it_grows[0].itself

- name: Ask what a pin would change
  oomguard.linux.oom_info:
    what_if:
      - unit: postgresql@15-main
        score: -500
      - unit: backup
        score: 300

- name: Predict for the memory limit of a container
  oomguard.linux.oom_info:
    domain:
      container: web
    top: 5
"""

RETURN = r"""
kernel:
  description: Release of the running kernel, whose rules were used.
  returned: success
  type: str
  sample: 6.1.0-18-amd64
policy:
  description: The sysctls that decide about memory. Read one of them as in C(result.policy.live['vm.panic_on_oom']).
  returned: success
  type: dict
  contains:
    live:
      description: Values in the kernel, by sysctl. Null for one that this kernel does not have.
      returned: success
      type: dict
      sample: &sysctls
        vm.panic_on_oom: 0
        kernel.panic: 10
        kernel.panic_on_oops: 0
        vm.oom_dump_tasks: 1
        vm.oom_kill_allocating_task: 0
        vm.overcommit_memory: 0
        vm.overcommit_ratio: 50
        vm.overcommit_kbytes: 0
        vm.admin_reserve_kbytes: 8192
        vm.user_reserve_kbytes: 131072
    boot:
      description: Values at the next boot. Null for one that depends on the host.
      returned: success
      type: dict
      sample: *sysctls
    boot_value_from:
      description: The file and line that sets each at boot. Null if nothing sets it.
      returned: success
      type: dict
      sample:
        vm.panic_on_oom: null
        kernel.panic: /etc/sysctl.d/50-reboot.conf line 2
        kernel.panic_on_oops: null
        vm.oom_dump_tasks: null
        vm.oom_kill_allocating_task: null
        vm.overcommit_memory: null
        vm.overcommit_ratio: null
        vm.overcommit_kbytes: null
        vm.admin_reserve_kbytes: null
        vm.user_reserve_kbytes: null
domain:
  description: Whose memory runs out.
  returned: success
  type: dict
  contains:
    kind:
      description: V(host) or V(cgroup).
      returned: success
      type: str
      sample: cgroup
    path:
      description: Path of the cgroup that has the limit, C(/) for the host.
      returned: success
      type: str
      sample: /system.slice/app.service
    limit_kb:
      description: Its limit, or all RAM of the host, in KiB.
      returned: success
      type: int
      sample: 1048576
    usage_kb:
      description: What is used of it, in KiB.
      returned: success
      type: int
      sample: 524288
    room_kb:
      description: What can still be allocated, with swap and page cache that can be reclaimed, in KiB.
      returned: success
      type: int
      sample: 612000
    swap_room_kb:
      description: What of it is swap, in KiB.
      returned: success
      type: int
      sample: 0
ranking:
  description: The first processes as the kernel would rank them in RV(domain), then those that it cannot choose.
  returned: success
  type: list
  elements: dict
  contains:
    pid: &pid
      description: Its pid.
      returned: success
      type: int
      sample: 2210
    name: &name
      description: Its name.
      returned: success
      type: str
      sample: java
    unit: &unit
      description: The systemd service that it runs in. Null outside of one, and for services of users.
      returned: success
      type: str
      sample: app.service
    container: &container
      description: First 12 digits of the id of its container. Null outside of one.
      returned: success
      type: str
      sample: 0f1e2d3c4b5a
    user:
      description: Login name of its effective user, or the uid.
      returned: success
      type: str
      sample: app
    score: &score
      description: Its C(oom_score_adj).
      returned: success
      type: int
      sample: 0
    badness_kb:
      description: What the kernel ranks by, once page cache is reclaimed, in KiB. Null if it cannot be chosen.
      returned: success
      type: int
      sample: 812340
    rss_kb: &rss
      description: Resident memory by the counters that this kernel's killer reads, in KiB.
      returned: success
      type: int
      sample: 830412
    swap_kb:
      description: Its memory in swap, in KiB.
      returned: success
      type: int
      sample: 0
    pgtables_kb:
      description: Its page tables, in KiB.
      returned: success
      type: int
      sample: 1840
    counter_error_kb:
      description: By how much the exact and the approximate counter of its memory differ, in KiB.
      returned: success
      type: int
      sample: 128
    chosen:
      description: Whether it is RV(next_victim).
      returned: success
      type: bool
      sample: true
    skipped:
      description: Why the kernel cannot choose it. One of V(init), V(immune), V(vfork), V(reaped). Null if it can.
      returned: success
      type: str
      sample: null
next_victim:
  description:
    - What dies if the memory of RV(domain) runs out as it is held now.
    - Null if nothing can be killed, the kernel would do something else, or no rule is known for it.
  returned: success
  type: dict
  contains: &victim
    pid: *pid
    name: *name
    unit: *unit
    container: *container
    score: *score
    certain: &certain
      description: Whether the bounds of the victim and of every other process are apart.
      returned: success
      type: bool
      sample: true
    margin_kb: &margin
      description: By how much it is worse than the next process, in KiB. Null if it is the only one.
      returned: success
      type: int
      sample: 1258291
    group: &group
      description: Up to 50 processes that die with it, because their cgroup has C(memory.oom.group) set.
      returned: success
      type: list
      elements: dict
      contains: &process
        pid: *pid
        name: *name
        unit: *unit
        container: *container
    group_count:
      description: How many processes die with it.
      returned: success
      type: int
      sample: 0
if_it_grows:
  description: What happens if one process goes on growing, for O(grower), or else for each of RV(ranking).
  returned: success
  type: list
  elements: dict
  contains: &growth
    grower:
      description: The process that grows.
      returned: success
      type: dict
      contains: *process
    domain:
      description: Path of the cgroup whose limit it meets first, C(/) for the host.
      returned: success
      type: str
      sample: /
    room_kb:
      description: How much it can grow until then, in KiB.
      returned: success
      type: int
      sample: 4231220
    victim:
      description: The process that dies first. Null if nothing can be killed, or something else happens.
      returned: success
      type: dict
      contains: *process
    itself:
      description: Whether the grower is that process.
      returned: success
      type: bool
      sample: false
    collateral:
      description: Up to 10 other processes that die before the grower, or with it, in this order.
      returned: success
      type: list
      elements: dict
      contains: *process
    collateral_count:
      description: How many other processes die.
      returned: success
      type: int
      sample: 1
    certain: *certain
    margin_kb: *margin
    advice:
      description: Scores that make the grower die itself, each alone. Null if it does, and for all but the first 3.
      returned: success
      type: dict
      contains:
        victim_score:
          description: Score for RV(if_it_grows[].victim). Null if no score is enough.
          returned: success
          type: int
          sample: -500
        grower_score:
          description: Score for RV(if_it_grows[].grower). Null if no score is enough.
          returned: success
          type: int
          sample: 300
protected:
  description: Up to 50 processes with a score below 0 that the kernel can still kill, the lowest score first.
  returned: success
  type: list
  elements: dict
  contains: &scored
    pid: *pid
    name: *name
    unit: *unit
    container: *container
    score: *score
    rss_kb: *rss
protected_count:
  description: How many there are.
  returned: success
  type: int
  sample: 3
immune:
  description: Up to 50 processes that the kernel cannot kill on OOM. These are pid 1, and those at V(-1000).
  returned: success
  type: list
  elements: dict
  contains: *scored
immune_count:
  description: How many there are.
  returned: success
  type: int
  sample: 2
killable:
  description: Resident memory of all processes, by whether the kernel can kill them.
  returned: success
  type: dict
  contains:
    percent:
      description: Share of C(killable_kb) in the sum of both. 100 if the sum is 0.
      returned: success
      type: int
      sample: 97
    killable_kb:
      description: Memory of the processes that can be killed, in KiB.
      returned: success
      type: int
      sample: 1812000
    immune_kb:
      description: Memory of those that cannot, in KiB.
      returned: success
      type: int
      sample: 43000
killers:
  description:
    - Programs that kill before the kernel has to. They are installed as units, or run with a program that belongs to
      root.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - One of V(systemd-oomd), V(earlyoom), V(nohang), V(oomd) (Meta's) and V(kubelet).
      returned: success
      type: str
      sample: systemd-oomd
    unit:
      description: Its unit. Null if none starts it.
      returned: success
      type: str
      sample: systemd-oomd.service
    active:
      description: Whether it runs.
      returned: success
      type: bool
      sample: true
    version:
      description: Its version. Null where none is known, or it does not run.
      returned: success
      type: str
      sample: 252.39-1~deb12u1
    reads_scores:
      description:
        - Whether it chooses by score. V(earlyoom) with C(--sort-by-rss) does not.
        - Null if its configuration, which decides that, was not understood.
      returned: success
      type: bool
      sample: false
    configuration:
      description:
        - What decides its choice. For V(systemd-oomd) the control groups that it watches, without those of users'
          managers. For V(earlyoom) its arguments, for V(nohang) whether it leaves out scores above 0, for V(oomd)
          what its rules kill.
        - Null if it does not run, has none that matters, or none that was understood.
      returned: success
      type: dict
      sample: {monitored: [{unit: "-.slice", path: /, reasons: [swap], owner: 0, ignores_users: true, kills_all: []}]}
    candidates:
      description:
        - The control groups that it kills in, without those of users' managers. Null if it may kill any process, or
          does not run.
      returned: success
      type: list
      sample: [/]
    problem:
      description: Why its configuration was not understood. Null if it was.
      returned: success
      type: str
      sample: null
findings:
  description: What is wrong, the most severe first, at most 50. C(docs/findings.md) explains each.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is. It never changes.
      returned: success
      type: str
      sample: pin_undone_by_oom_policy
    severity:
      description: V(high), V(medium) or V(low).
      returned: success
      type: str
      sample: medium
    object:
      description: The sysctl, unit, process or cgroup.
      returned: success
      type: str
      sample: web.service
    message:
      description: What is wrong, as one sentence.
      returned: success
      type: str
      sample: "web.service is pinned at -500, but with OOMPolicy=stop it goes down with any of its other processes"
    fix:
      description: The task that repairs it. Null if no module of this collection does, or if it would refuse to on this
        host. A unit's task names all that its drop-in has, so that no other setting is lost.
      returned: success
      type: str
      sample: "- oomguard.linux.oom_score_adj:\n    unit: web\n    score: -500\n    oom_policy: continue\n"
what_if:
  description: The prediction with the scores of O(what_if). Null without that option.
  returned: success
  type: dict
  contains:
    next_victim:
      description: As RV(next_victim).
      returned: with O(what_if)
      type: dict
      contains: *victim
    if_it_grows:
      description: As RV(if_it_grows), for the same growers.
      returned: with O(what_if)
      type: list
      elements: dict
      contains: *growth
    changes:
      description: Up to 50 processes whose score would differ.
      returned: with O(what_if)
      type: list
      elements: dict
      contains:
        pid: *pid
        name: *name
        unit: *unit
        container: *container
        before:
          description: Its score now.
          returned: success
          type: int
          sample: 0
        after:
          description: Its score with O(what_if).
          returned: success
          type: int
          sample: -500
    changes_count:
      description: How many there are.
      returned: with O(what_if)
      type: int
      sample: 1
report:
  description: The prediction and the findings in sentences, at most 12 lines.
  returned: success
  type: list
  elements: str
  sample:
    - If java[2210] (app.service) goes on growing, it dies itself (margin 1.2 GiB).
    - "If backup[991] goes on growing, redis[700] (redis.service) dies first: give it -500 or backup +300."
msg:
  description: The next victim and the number of findings, in one line.
  returned: always
  type: str
  sample: "next victim of the host: java[2210] (app.service), certain; 2 findings, 1 high"
"""

from typing import List

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import (
    SELECTOR_OPTIONS,
    TARGET_OPTIONS,
)
from ansible_collections.oomguard.linux.plugins.module_utils._posture.examine import examine_host


def main() -> None:
    """Run the module."""
    one_selector = dict(mutually_exclusive=[SELECTORS], required_one_of=[SELECTORS])
    module = AnsibleModule(
        argument_spec=dict(
            domain=dict(type="raw", default="host"),
            grower=dict(type="dict", options=SELECTOR_OPTIONS, **one_selector),
            what_if=dict(type="list", elements="dict", options=TARGET_OPTIONS, **one_selector),
            top=dict(type="int", default=20),
        ),
        supports_check_mode=True,
    )
    warnings: List[str] = []
    try:
        results = printable_values(examine_host(module.params, warnings).results)
    except OomError as error:
        module.fail_json(msg=printable(str(error)))
    except OSError as error:
        from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

        path = text_of(error.filename) if isinstance(error.filename, bytes) else error.filename
        module.fail_json(msg=printable(f"{path or 'this host'} cannot be read: {explain_os_error(error)}"))
    for warning in warnings:
        module.warn(printable(warning))
    module.exit_json(**results)


if __name__ == "__main__":
    main()
