#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predict what the OOM killer would kill, and find what is wrong with a host's posture."""

DOCUMENTATION = r"""
module: oom_info
short_description: Predict what the OOM killer would kill next, and what a pin would change
version_added: 0.1.0
description:
  - Answers before anything dies. If this process goes on growing, does it die itself, or does it take a daemon with it?
  - Ranks the processes as the running kernel would, by its own arithmetic. That changed with many versions.
  - Reports what is wrong with the host's posture as findings, each with the task that repairs it.
  - Shows with O(what_if) what would die if some pins were set, without setting them.
  - A prediction is marked as certain only if the bounds of the two closest processes do not overlap.
options:
  domain:
    description:
      - Whose memory runs out. V(host), or a dictionary with one of the keys C(cgroup), C(unit), C(container) and
        C(machine), whose value is a name as in M(oomguard.linux.oom_score_adj). On the command line write all arguments
        as JSON.
      - A C(machine) is one that systemd-machined knows, by its name.
      - Of all limits on the way up from a cgroup, the one with the least room is the domain. Without any limit the
        module fails.
    type: raw
    default: host
  grower:
    description:
      - The process that goes on growing. If more than one process is selected, RV(if_it_grows) has an entry for each,
        up to O(top).
      - Without it the first processes of the ranking are each taken as the one that grows.
      - A process that grows meets its own limits first, whatever O(domain) is.
      - A process of any user can be selected.
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
      - Nothing is written. What that module refuses, this one refuses with the same reason.
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
  description: The sysctls that decide about memory.
  returned: success
  type: dict
  contains:
    live:
      description: Values in the kernel, by sysctl. Null for one that this kernel does not have.
      returned: success
      type: dict
      contains: &sysctls
        vm.panic_on_oom:
          description: Value of C(vm.panic_on_oom).
          returned: success
          type: int
          sample: 0
        kernel.panic:
          description: Value of C(kernel.panic).
          returned: success
          type: int
          sample: 10
        kernel.panic_on_oops:
          description: Value of C(kernel.panic_on_oops).
          returned: success
          type: int
          sample: 0
        vm.oom_dump_tasks:
          description: Value of C(vm.oom_dump_tasks).
          returned: success
          type: int
          sample: 1
        vm.oom_kill_allocating_task:
          description: Value of C(vm.oom_kill_allocating_task).
          returned: success
          type: int
          sample: 0
        vm.overcommit_memory:
          description: Value of C(vm.overcommit_memory).
          returned: success
          type: int
          sample: 0
        vm.overcommit_ratio:
          description: Value of C(vm.overcommit_ratio).
          returned: success
          type: int
          sample: 50
        vm.overcommit_kbytes:
          description: Value of C(vm.overcommit_kbytes).
          returned: success
          type: int
          sample: 0
        vm.admin_reserve_kbytes:
          description: Value of C(vm.admin_reserve_kbytes).
          returned: success
          type: int
          sample: 8192
        vm.user_reserve_kbytes:
          description: Value of C(vm.user_reserve_kbytes).
          returned: success
          type: int
          sample: 131072
    boot:
      description: Values at the next boot. Null for one that depends on the host.
      returned: success
      type: dict
      contains: *sysctls
    boot_value_from:
      description: The file and line that sets each at boot. Null if nothing sets it.
      returned: success
      type: dict
      contains:
        vm.panic_on_oom:
          description: What sets C(vm.panic_on_oom).
          returned: success
          type: str
          sample: null
        kernel.panic:
          description: What sets C(kernel.panic).
          returned: success
          type: str
          sample: /etc/sysctl.d/50-reboot.conf line 2
        kernel.panic_on_oops:
          description: What sets C(kernel.panic_on_oops).
          returned: success
          type: str
          sample: null
        vm.oom_dump_tasks:
          description: What sets C(vm.oom_dump_tasks).
          returned: success
          type: str
          sample: null
        vm.oom_kill_allocating_task:
          description: What sets C(vm.oom_kill_allocating_task).
          returned: success
          type: str
          sample: null
        vm.overcommit_memory:
          description: What sets C(vm.overcommit_memory).
          returned: success
          type: str
          sample: null
        vm.overcommit_ratio:
          description: What sets C(vm.overcommit_ratio).
          returned: success
          type: str
          sample: null
        vm.overcommit_kbytes:
          description: What sets C(vm.overcommit_kbytes).
          returned: success
          type: str
          sample: null
        vm.admin_reserve_kbytes:
          description: What sets C(vm.admin_reserve_kbytes).
          returned: success
          type: str
          sample: null
        vm.user_reserve_kbytes:
          description: What sets C(vm.user_reserve_kbytes).
          returned: success
          type: str
          sample: null
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
      description: The systemd service that it runs in. Null outside of one.
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
        - One of V(systemd-oomd), V(earlyoom), V(nohang), V(oomd) (Meta's), V(kubelet), V(talos) and V(lmkd).
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
      description: Whether it chooses by score. V(earlyoom) with C(--sort-by-rss) does not.
      returned: success
      type: bool
      sample: false
    configuration:
      description:
        - What decides its choice. For V(systemd-oomd) the control groups that it watches, for V(earlyoom) its
          arguments, for V(nohang) its adjustments, for V(oomd) what its rules kill.
        - Null if it does not run, has none that matters, or none that was understood.
      returned: success
      type: dict
      sample: {monitored: [{unit: "-.slice", path: /, reasons: [swap]}]}
    candidates:
      description: The control groups that it kills in. Null if it may kill any process, or does not run.
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
      description: The task that repairs it. Null if no module of this collection does.
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

import contextlib
import pwd
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.answers import (
    answer_for,
    keep_growers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.asked_domain import (
    AskedDomain,
    find_domain_cgroup,
    measure_domain,
    parse_domain,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    LostPin,
    Policy,
    Posture,
    find_all,
    measure_killability,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.kill_counts import read_kill_counts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.killers import KillerFacts, look_at_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.report import Answer, ScoreChange, build_results
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.units import ask_for_units, read_units
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts, PinnedUnit, Snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import take_snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS, Pin, parse_target
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy, overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import values_at_boot
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host

MAX_TOP = 1000
_MAX_NAMES = 20  # of users that are looked up; a look-up may ask a directory server


def read_policy() -> Policy:
    """Return the sysctls of the modules oom_policy and overcommit, now and at the next boot."""
    host = Host()
    keys = [*oom_policy.KEYS, *overcommit.KEYS]
    boot = values_at_boot(keys, host.boot_sources())
    return Policy(
        {key: host.live(key) for key in keys},
        {key: found.value for key, found in boot.items()},
        {key: str(found.source) if found.source else None for key, found in boot.items()},
        host.crash_kernel(),
    )


@contextlib.contextmanager
def name_option(name: str) -> Iterator[None]:
    """Put the option's name before the reason of an error."""
    try:
        yield
    except OomError as error:
        raise type(error)(f"{name}: {error}") from error


def find_domain(asked: AskedDomain, procfs: Procfs, systemd: Systemd) -> Optional[str]:
    """Return what find_domain_cgroup() does, and say what to do about a name that nothing has."""
    try:
        return find_domain_cgroup(asked, procfs, systemd)
    except NotFoundError as error:
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import suggestions

        advice: Dict[str, Callable[[], str]] = {
            "cgroup": lambda: suggestions.suggest_for_cgroup(asked.name, procfs),
            "unit": lambda: suggestions.suggest_for_unit(service_name(asked.name), systemd, procfs),
            "container": lambda: suggestions.suggest_for_container(asked.name, procfs),
            "machine": lambda: "see machinectl list, or start it first",
        }
        raise NotFoundError(f"{error}; {advice[asked.kind]()}") from error


def find_growers(options: Mapping[str, Any], procfs: Procfs, systemd: Systemd) -> List[int]:
    """Return the pids that the option grower selects; raise NotFoundError if there are none."""
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import (
        TargetFinder,
        complete_name,
    )

    # A process of any user may be asked about: the highest score selects all (selectors.OfHost).
    neutral = dict.fromkeys(["oom_policy", "managed_oom_preference"])
    neutral.update(state="present", persistent=False, children="report", missing="warn", force=False)
    pin = parse_target({**neutral, **options, "score": SCORE_MAX})
    pin = complete_name(pin)
    units = systemd.units([pin.value]) if pin.selector == "unit" and not pin.template else {}
    finder = TargetFinder(procfs, systemd, ProcessTable(procfs), units)
    found = [change.process.pid for change in finder.find([pin])[0].changes]
    if not found:
        missing = "no process of it runs; start it first" if units else f"no such process; {finder.advise(pin)}"
        raise NotFoundError(finder.missing.get(pin) or f"{pin.target}: {missing}")
    return found


def apply_targets(
    targets: Sequence[Mapping[str, Any]], procfs: Procfs, systemd: Systemd, snapshot: Snapshot
) -> Tuple[Snapshot, List[ScoreChange], List[str]]:
    """Return the snapshot as if these targets were applied, what changes, and warnings.

    Raises the OomError with which oom_score_adj would refuse them.
    """
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.instances import expand_instances
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

    pins: List[Pin] = expand_instances([parse_target(target) for target in targets], systemd)
    plan = plan_pins(procfs, systemd, pins, 10)
    wanted = plan.list_scores()
    known = [snapshot.tasks[pid] for pid in wanted if pid in snapshot.tasks]
    changes = [ScoreChange(task, task.score, wanted[task.pid]) for task in known if wanted[task.pid] != task.score]
    return snapshot.with_scores(wanted).with_groups(plan.list_groups()), changes, plan.warnings


class UserNames:
    """The login names of a few users."""

    def __init__(self) -> None:
        self._names: Dict[int, str] = {}

    def find(self, uid: int) -> str:
        """Return the login name, or the uid if there is none, or too many were asked for."""
        if uid not in self._names:
            if len(self._names) >= _MAX_NAMES:
                return str(uid)
            try:
                self._names[uid] = pwd.getpwuid(uid).pw_name
            except (KeyError, OverflowError):
                self._names[uid] = str(uid)
        return self._names[uid]


def read_posture(procfs: Procfs, systemd: Systemd, answer: Answer, warnings: List[str]) -> Posture:
    """Return all that findings are made from. What cannot be read adds a warning."""
    policy, killers, kills = Policy({}, {}, {}), KillerFacts(), KillCounts()
    pinned: Sequence[PinnedUnit] = ()
    try:
        policy = read_policy()
    except OomError as error:
        warnings.append(f"the sysctls were not examined: {error}")
    try:
        units, pinned = read_units(systemd)
        killers = look_at_killers(procfs, systemd, answer.snapshot, units, pinned)
    except OomError as error:
        warnings.append(f"the units were not examined: {error}")
    lost: List[LostPin] = []
    try:
        lost = read_lost_pins(procfs, systemd)
    except OomError as error:
        warnings.append(f"the record of pins was not examined: {error}")
    try:
        kills = read_kill_counts(procfs)
    except OomError as error:
        warnings.append(f"the kills since boot were not compared with the kernel's log: {error}")
    killability = measure_killability(answer.snapshot)
    warnings += killers.warnings
    return Posture(
        answer.snapshot,
        policy,
        pinned,
        answer.domain,
        answer.next_victim,
        killability,
        tuple(lost),
        killers.killers,
        killers.unbound,
        kills,
    )


def read_lost_pins(procfs: Procfs, systemd: Systemd) -> List[LostPin]:
    """Return the pins by a name whose process has ended; none without root, who has the record."""
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord

    found = PinRecord(procfs, systemd.root).find_lost()
    return [LostPin(one.target, one.name, score) for one in found for score in sorted(one.written)[:1]]


def run(params: Mapping[str, Any], warnings: List[str]) -> Dict[str, Any]:
    """Return the module's result, and add to the warnings."""
    top = params["top"]
    if not 0 <= top <= MAX_TOP:
        raise InputError(f"top={str(top)[:24]} is out of range, 0 to {MAX_TOP}; set a number in it")
    asked = parse_domain(params["domain"])
    procfs, systemd = Procfs(), Systemd()
    ask_for_units(systemd)  # systemd prepares its answer meanwhile
    with name_option("domain"):
        path = find_domain(asked, procfs, systemd)
    growers: Optional[List[int]] = None
    if params["grower"] is not None:
        with name_option("grower"):
            growers = find_growers(params["grower"], procfs, systemd)
    snapshot = take_snapshot(procfs, cgroups=[] if path is None else [path])
    with name_option("domain"):
        domain = measure_domain(snapshot, path)
    if growers is not None:
        with name_option("grower"):
            growers = keep_growers(snapshot, domain, growers, top)
    answer = answer_for(procfs, snapshot, domain, growers, top)
    other: Optional[Answer] = None
    changes: List[ScoreChange] = []
    if params["what_if"]:
        with name_option("what_if"):
            changed, changes, found = apply_targets(params["what_if"], procfs, systemd, snapshot)
        warnings += found
        same = [growth.grower.task.pid for growth in answer.growths]
        other = answer_for(procfs, changed, domain, same, top)
    posture = read_posture(procfs, systemd, answer, warnings)
    return build_results(posture, answer, find_all(posture), other, changes, top, UserNames().find)


def main() -> None:
    """Run the module."""
    user_unit = dict(
        user=dict(type="str", required=True),
        unit=dict(type="str", required=True),
        scope=dict(type="str", choices=["user", "all_users"], default="user"),
    )
    selectors: Dict[str, Any] = {name: dict(type="str") for name in SELECTORS}
    selectors.update(
        pid=dict(type="int"),
        pidfile=dict(type="path"),
        user_unit=dict(type="dict", options=user_unit),
        users=dict(type="list", elements="str"),
    )
    one_selector = dict(mutually_exclusive=[SELECTORS], required_one_of=[SELECTORS])
    module = AnsibleModule(
        argument_spec=dict(
            domain=dict(type="raw", default="host"),
            grower=dict(type="dict", options=selectors, **one_selector),
            what_if=dict(
                type="list",
                elements="dict",
                options=dict(
                    selectors,
                    score=dict(type="int"),
                    state=dict(type="str", choices=["present", "absent"], default="present"),
                    persistent=dict(type="bool"),
                    oom_policy=dict(type="str", choices=["continue", "stop", "kill"]),
                    managed_oom_preference=dict(type="str", choices=["none", "avoid", "omit"]),
                    children=dict(type="str", choices=["report", "reset", "pin"], default="report"),
                    missing=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
                    force=dict(type="bool", default=False),
                ),
                **one_selector,
            ),
            top=dict(type="int", default=20),
        ),
        supports_check_mode=True,
    )
    warnings: List[str] = []
    try:
        results = printable_values(run(module.params, warnings))
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
