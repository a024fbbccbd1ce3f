#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_score_adj
short_description: Set the OOM score adjustment of running processes
version_added: 0.1.0
description:
  - Sets C(/proc/PID/oom_score_adj), by which the kernel's OOM killer prefers or spares a process, and reads it back.
  - The write is safe against pid reuse. A process is looked up, checked and written through one open C(/proc/PID) directory,
    so that a process that took over the pid of one that ended is never touched.
  - All targets are looked up before the first score is written. When one write fails, those already done are put back.
  - The score lives in the running process. It is lost when the process ends, and children that it forks later inherit it.
options:
  pid:
    description: One process, by its number.
    type: int
  pidfile:
    description: One process, by the number that this file holds.
    type: path
  process:
    description:
      - Every process with exactly this name (the C(comm) of proc(5), at most 15 bytes), or that runs a program with this base name.
    type: str
  pattern:
    description:
      - Every process whose command line, arguments joined by blanks, this regular expression finds somewhere.
      - Never the module itself or the processes that started it.
    type: str
  cgroup:
    description:
      - Every process in this control group and in the ones below it, as a path from the root of the hierarchy
        such as V(/system.slice/docker.service).
      - The group is looked at again until no process with another score is left, so that forks in between are not missed.
    type: str
  score:
    description:
      - From V(-1000), never chosen, to V(1000), chosen first.
      - Required with a selector of one target.
      - Lowering needs CAP_SYS_RESOURCE on the host itself. Being root in a container is not enough.
    type: int
  missing:
    description: What to do when no process matches.
    type: str
    choices: [fail, warn, ignore]
    default: fail
  targets:
    description:
      - Many targets in one call, each with the same options as above.
      - A process that two targets select with different scores is refused.
    type: list
    elements: dict
    suboptions:
      pid:
        description: See O(pid).
        type: int
      pidfile:
        description: See O(pidfile).
        type: path
      process:
        description: See O(process).
        type: str
      pattern:
        description: See O(pattern).
        type: str
      cgroup:
        description: See O(cgroup).
        type: str
      score:
        description: See O(score).
        type: int
        required: true
      missing:
        description: See O(missing).
        type: str
        choices: [fail, warn, ignore]
        default: fail
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
notes:
  - The kernel copies a write to other processes that share the address space of the target (C(CLONE_VM)).
seealso:
  - module: oomguard.linux.oom_trial
  - name: proc(5)
    description: The manual page that describes oom_score_adj.
    link: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: The container engine dies late
  oomguard.linux.oom_score_adj:
    process: dockerd
    score: -500

- name: Several daemons in one round trip, some of them not on every host
  oomguard.linux.oom_score_adj:
    targets:
      - process: dockerd
        score: -500
      - pidfile: /run/haproxy.pid
        score: -500
        missing: ignore
      - cgroup: /system.slice/batch.service
        score: 500
        missing: ignore
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
      sample: process=dockerd
    found:
      description: Whether any process matched.
      type: bool
      sample: true
    changed:
      description: Whether the score of any of them changed, or would change in check mode.
      type: bool
      sample: true
    vanished:
      description: How many matching processes ended before their score could be written.
      type: int
      sample: 0
    processes:
      description: The processes that matched.
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._pins import SELECTORS, Pin, Pins, result
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs

TARGET_OPTIONS = dict(
    pid=dict(type="int"),
    pidfile=dict(type="path"),
    process=dict(type="str"),
    pattern=dict(type="str"),
    cgroup=dict(type="str"),
    score=dict(type="int"),
    missing=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
)


def pin(options: dict) -> Pin:
    """The one selector that is given, with what goes with it."""
    selector = next(name for name in SELECTORS if options[name] is not None)
    return Pin(selector, str(options[selector]), options["score"], options["missing"])


def main() -> None:
    selectors = sorted(SELECTORS)
    module = AnsibleModule(
        argument_spec=dict(
            TARGET_OPTIONS,
            targets=dict(
                type="list",
                elements="dict",
                options=dict(TARGET_OPTIONS, score=dict(type="int", required=True)),
                mutually_exclusive=[selectors],
                required_one_of=[selectors],
            ),
        ),
        mutually_exclusive=[selectors + ["targets"], ["score", "targets"]],
        required_one_of=[selectors + ["targets"]],
        required_by=dict((name, "score") for name in selectors),
        supports_check_mode=True,
    )
    targets = [module.params] if module.params["targets"] is None else module.params["targets"]
    try:
        pins = Pins(Procfs(), [pin(target) for target in targets])
        outcomes = pins.plan()
        if not module.check_mode:
            outcomes = pins.apply(outcomes)
    except OomError as error:
        module.fail_json(msg=str(error))
    for warning in pins.warnings:
        module.warn(warning)
    module.exit_json(**result(outcomes))


if __name__ == "__main__":
    main()
