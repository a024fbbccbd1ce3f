#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_score_adj
short_description: Pin processes and services against the OOM killer, now and after a restart
version_added: 0.1.0
description:
  - Sets C(/proc/PID/oom_score_adj), by which the kernel's OOM killer prefers or spares a process, and reads it back.
  - Of a unit it also writes a drop-in, so that the next process of the unit has the score from its start.
  - The write is safe against pid reuse. A process is looked up, checked and written through one open C(/proc/PID) directory,
    so that a process that took over the pid of one that ended is never touched.
  - All targets are looked up before anything is written. When one write fails, those already done are put back.
  - A moment after the last write the scores are looked at again. A process that has set its own by then is named in a warning.
  - Children that a process forks later inherit its score. See O(children).
options:
  unit:
    description:
      - A service of systemd, by its name or an alias, with or without C(.service). Its main process is pinned, see O(children).
      - A unit that exists and does not run gets its drop-in.
    type: str
  process:
    description:
      - Every process with exactly this name (the C(comm) of proc(5), at most 15 bytes), or that runs a program with this base name.
    type: str
  pattern:
    description:
      - Every process whose command line, arguments joined by blanks, this regular expression finds somewhere.
      - Never the module itself or the processes that started it.
    type: str
  pid:
    description:
      - One process, by its number.
    type: int
  pidfile:
    description:
      - One process, by the number that this file holds.
    type: path
  cgroup:
    description:
      - Every process in this control group and in the ones below it, as a path from the root of the hierarchy
        such as V(/system.slice/docker.service).
      - The group is looked at again until no process with another score is left, so that forks in between are not missed.
    type: str
  container:
    description:
      - Every process in a running container of Docker, podman or a CRI runtime, by its id, of which 12 digits are enough, or its name.
      - Names are known for Docker, where its socket answers, and podman. Nothing of either has to be installed.
    type: str
  score:
    description:
      - From V(-1000), never chosen, to V(1000), chosen first. Required unless O(state=absent).
      - Lowering needs CAP_SYS_RESOURCE on the host itself. Being root in a container is not enough.
    type: int
  state:
    description:
      - V(absent) removes our part of the drop-in and gives a process back the score that its unit, or else its parent in the same
        cgroup, gives, or 0. Of a unit only a process is touched that has the score of the drop-in. One that set its own keeps it.
    type: str
    choices: [present, absent]
    default: present
  persistent:
    description:
      - Whether to write a drop-in for O(unit), which is the default there. Other selectors have nothing that lasts.
    type: bool
  oom_policy:
    description:
      - C(OOMPolicy) of the unit, in the same drop-in. With V(stop), which most services have, systemd stops the whole unit when
        any process in it is killed, the pinned one included. V(kill) lets the kernel kill all of them together.
      - systemd before 243 always continues, and V(stop) and V(kill) are refused.
    type: str
    choices: [continue, stop, kill]
  children:
    description:
      - What to do with processes that the selected ones started, or that run in the cgroup of the unit.
      - V(report) lists those that inherited the score. V(reset) sets these back to 0, or to the score of their own unit. It does
        not last, what is started later inherits again.
        V(pin) gives all of them the same score.
      - V(reset) and V(pin) are repeated until no process with another score is left.
    type: str
    choices: [report, reset, pin]
    default: report
  missing:
    description:
      - What to do when the unit does not exist or is masked, or no process matches.
    type: str
    choices: [fail, warn, ignore]
    default: fail
  force:
    description:
      - Do what is refused otherwise. To pin a daemon that manages its own score, such as sshd; to make one immune that starts the work of
        others, such as cron; to go below O(min_killable_percent).
    type: bool
    default: false
  targets:
    description:
      - Many targets in one call, each with the same options as above.
      - A process that two targets select with different scores is refused.
      - O(force) beside it goes for all of them.
    type: list
    elements: dict
    suboptions:
      unit:
        description: See O(unit).
        type: str
      process:
        description: See O(process).
        type: str
      pattern:
        description: See O(pattern).
        type: str
      pid:
        description: See O(pid).
        type: int
      pidfile:
        description: See O(pidfile).
        type: path
      cgroup:
        description: See O(cgroup).
        type: str
      container:
        description: See O(container).
        type: str
      score:
        description: See O(score).
        type: int
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
        default: present
      persistent:
        description: See O(persistent).
        type: bool
      oom_policy:
        description: See O(oom_policy).
        type: str
        choices: [continue, stop, kill]
      children:
        description: See O(children).
        type: str
        choices: [report, reset, pin]
        default: report
      missing:
        description: See O(missing).
        type: str
        choices: [fail, warn, ignore]
        default: fail
      force:
        description: See O(force).
        type: bool
        default: false
  min_killable_percent:
    description:
      - Refuse to make a process immune (V(-1000)) when processes that stay killable would then hold less than this share of the
        used memory. Without a process to kill the kernel panics, and a memory cgroup hangs at its limit.
    type: int
    default: 10
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
notes:
  - The kernel copies a write to other processes that share the address space of the target (C(CLONE_VM)).
  - The drop-in is C(/etc/systemd/system/UNIT.d/60-oomguard.conf). Of it the module owns C(OOMScoreAdjust) and C(OOMPolicy), every
    other line stays. Drop-ins of others are never touched. The folder is removed with the drop-in if nothing else is in it.
  - systemd is asked once for all units, and reloaded once if a drop-in changed. No unit is restarted.
  - Where systemd does not manage the host, units cannot be selected. Pin what runs with another selector, and let the init script
    or the container engine set the score at the next start.
seealso:
  - module: oomguard.linux.oom_trial
  - name: proc(5)
    description: The manual page that describes oom_score_adj.
    link: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
  - name: systemd.service(5)
    description: The manual page that describes OOMPolicy.
    link: https://man7.org/linux/man-pages/man5/systemd.service.5.html
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: The container engine dies late, also after its next restart
  oomguard.linux.oom_score_adj:
    unit: docker
    score: -500

- name: Several daemons in one round trip, some of them not on every host
  oomguard.linux.oom_score_adj:
    targets:
      - unit: containerd
        score: -999
      - unit: mariadb
        score: -600
        missing: ignore
      - pidfile: /run/haproxy.pid
        score: -500
        missing: ignore
      - container: batch
        score: 500

- name: Cron lives on when one of its jobs is killed, and jobs that run now do not keep its score
  oomguard.linux.oom_score_adj:
    unit: cron
    score: -300
    oom_policy: continue
    children: reset

- name: Take the pin of the container engine back
  oomguard.linux.oom_score_adj:
    unit: docker
    state: absent
"""

RETURN = r"""
targets:
  description: One entry for each target, in the order they were given.
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The selector and its value.
      type: str
      sample: unit=docker.service
    unit:
      description: The service that the target is, or that all selected processes run in. Null for none or several.
      type: str
      sample: docker.service
    found:
      description: Whether the unit exists or any process matched.
      type: bool
      sample: true
    changed:
      description: Whether any score or the drop-in changed, or would change in check mode.
      type: bool
      sample: true
    vanished:
      description: How many matching processes ended before their score could be written.
      type: int
      sample: 0
    processes:
      description: The processes that are pinned.
      type: list
      elements: dict
      contains:
        pid:
          description: Process number.
          type: int
          sample: 956
        name:
          description: Name of the process, C(comm).
          type: str
          sample: dockerd
        start_time:
          description: When it started, in clock ticks after boot. Together with the pid it identifies the process.
          type: int
          sample: 2301
        before:
          description: Score before.
          type: int
          sample: 0
        after:
          description: Score after, read back from the kernel.
          type: int
          sample: -500
    inherited:
      description:
        - Processes that were started by a pinned one, or run in the cgroup of the unit, and have the score from it, before or after.
        - With O(children=pin) what was started is among RV(targets[].processes), of a unit what runs in its cgroup.
      type: list
      elements: dict
      contains:
        pid:
          description: Process number.
          type: int
          sample: 4711
        name:
          description: Name of the process, C(comm).
          type: str
          sample: bash
        start_time:
          description: When it started, in clock ticks after boot.
          type: int
          sample: 99120
        score:
          description: The score that it had.
          type: int
          sample: -500
        after:
          description: The score that it has. Another one only with O(children=reset).
          type: int
          sample: -500
    drop_in:
      description: The drop-in of the unit. Null for other selectors, and with O(persistent=false).
      type: dict
      contains:
        path:
          description: Where it is.
          type: str
          sample: /etc/systemd/system/docker.service.d/60-oomguard.conf
        before:
          description: Its text before, null for none.
          type: str
        after:
          description: Its text after, null for none.
          type: str
    effective_after_restart:
      description:
        - The score that the unit's files give to its next main process, whoever wrote them. Null for other selectors.
        - A drop-in of somebody else with a later name wins over ours. Then this differs from O(score), and a warning tells it.
      type: int
      sample: -500
    restart_required:
      description:
        - Whether the unit runs, and only its next start brings what was asked for, as it has no process that could be written to.
        - A new O(oom_policy) needs no restart. systemd applies it when it reloads.
      type: bool
      sample: false
killable:
  description:
    - Resident memory of all processes by whether the killer may take them, in KiB, once this is done.
    - C(percent) is the share of C(killable_kb) in both. A process at V(-1000) and pid 1 are immune.
  returned: success
  type: dict
  sample: {"percent": 98, "killable_kb": 812000, "immune_kb": 13000}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    SELECTORS,
    parse_targets,
    pin_results,
)

TARGET_OPTIONS = dict(
    unit=dict(type="str"),
    process=dict(type="str"),
    pattern=dict(type="str"),
    pid=dict(type="int"),
    pidfile=dict(type="path"),
    cgroup=dict(type="str"),
    container=dict(type="str"),
    score=dict(type="int"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    persistent=dict(type="bool"),
    oom_policy=dict(type="str", choices=["continue", "stop", "kill"]),
    children=dict(type="str", choices=["report", "reset", "pin"], default="report"),
    missing=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
    force=dict(type="bool", default=False),
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            TARGET_OPTIONS,
            targets=dict(
                type="list",
                elements="dict",
                options=TARGET_OPTIONS,
                mutually_exclusive=[SELECTORS],
                required_one_of=[SELECTORS],
            ),
            min_killable_percent=dict(type="int", default=10),
        ),
        mutually_exclusive=[
            [*SELECTORS, "targets"],
            ["score", "targets"],
            ["persistent", "targets"],
            ["oom_policy", "targets"],
        ],
        required_one_of=[[*SELECTORS, "targets"]],
        supports_check_mode=True,
    )
    procfs, systemd = Procfs(), Systemd()
    try:
        pins = parse_targets(module.params)
        systemd.ask_for(service_name(pin.value) for pin in pins if pin.selector == "unit")
        # A host compiles what a module imports, in every run. So the code that plans is imported
        # while systemd prepares its answer, and the code that writes only if there is work to do.
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

        plan = plan_pins(procfs, systemd, pins, module.params["min_killable_percent"])
        outcomes, warnings = plan.outcomes, plan.warnings
        if plan.changed and not module.check_mode:
            from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_plan

            applied = apply_plan(procfs, systemd, plan)
            outcomes, warnings = applied.outcomes, plan.warnings + applied.warnings
    except OomError as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**pin_results(outcomes, plan.killable))


if __name__ == "__main__":
    main()
