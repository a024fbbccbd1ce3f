#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test whether the running kernel honours an OOM score: the module oom_trial."""

DOCUMENTATION = r"""
module: oom_trial
short_description: Test whether the running kernel honours an OOM score, or an overcommit limit
version_added: 1.0.0
description:
  - Starts a memory hog and a decoy in a private memory cgroup and lets the OOM killer of the kernel choose between
    them. Then it reads the kernel log and the kernel's counters, and returns a verdict.
  - The decoy stands for a pinned daemon and holds more memory than the hog ever gets. In the first run, the
    treatment, the decoy is pinned and must outlive the hog. In the second run, the control, it is not pinned and must
    die. Only the pair shows that the pin made the difference.
  - The trial shows that this kernel honours a difference between two scores. It does not show that a daemon has its
    score. Check that with M(oomguard.linux.oom_score_adj) in check mode, or read C(/proc/PID/oom_score_adj).
  - Without CAP_SYS_RESOURCE no score can be lowered, and the pair is mirrored. The hog is raised by the same
    difference instead of lowering the decoy. RV(method) returns which one was done.
  - Unless O(scope=host), the killer cannot choose a process outside the private cgroup. The limit of the cgroup must
    be at most half of the free memory. The programs end themselves after a deadline. The next trial removes what a
    killed one left behind.
options:
  hog:
    description:
      - Path of the program C(oom_hog) on the host, built for it. The role P(oomguard.linux.oom_verify#role) builds and
        copies it.
    type: path
    required: true
  scope:
    description:
      - Which memory runs out.
      - V(cgroup) fills a private memory cgroup. It is safe on a production host.
      - V(host) fills the whole host. It needs O(allow_host_oom=true) and stalls the host for a while. It is refused
        if the kernel could kill another process instead of the hog. Only the treatment runs.
      - V(overcommit) causes no OOM. It needs C(vm.overcommit_memory=2) and O(allow_host_oom=true). In the treatment
        the hog requests more memory than the kernel may commit. It must be refused (C(ENOMEM)), and no process may be
        killed. In the control it requests a little and must get it. There is no decoy. For a moment the kernel
        refuses memory to other processes, too.
    type: str
    choices: [cgroup, host, overcommit]
    default: cgroup
  allow_host_oom:
    description:
      - Allow the whole host to run out of memory, or of memory that may be committed. O(scope=host) and
        O(scope=overcommit) are refused without it.
    type: bool
    default: false
  memory_limit:
    description:
      - Size of the private memory cgroup, in bytes or with a unit such as V(64M). At most half of the free memory.
      - At least V(8M), and more if the scores differ by less than 256. The pin must weigh 2 MiB, so a difference of
        50 needs V(40M).
      - Not used with O(scope=host), where both processes share the free memory and swap of the host.
      - Not used with O(scope=overcommit). The same holds for O(pinned_score) and O(hog_score).
    type: str
    default: 64M
  pinned_score:
    description: Score of the pinned decoy. At least 50 below O(hog_score).
    type: int
    default: -900
  hog_score:
    description: Score of the hog, and of the decoy when it is not pinned.
    type: int
    default: 0
  timeout:
    description:
      - Seconds until the trial gives up, from 1 to 3595.
      - With O(scope=host) the kernel drops all its caches first, which can take minutes on a host with much swap.
    type: int
    default: 60
  manager:
    description:
      - What creates the cgroup and sets the scores.
      - V(systemd) starts transient services in a transient slice. systemd sets their scores.
      - V(cgroupfs) creates the cgroup by hand. The programs set their own scores.
      - V(auto) selects V(systemd) if it manages the host and the module runs as root without O(cgroup_parent), else
        V(cgroupfs).
    type: str
    choices: [auto, systemd, cgroupfs]
    default: auto
  cgroup_parent:
    description:
      - Folder of a delegated cgroup in which the private one is created, for users other than root. It must lie in
        the mounted hierarchy that limits memory.
      - Without it the module tries the root of the hierarchy, then its own cgroup and the ones above it.
    type: path
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode the module checks all requirements, among them the kernel log, the place of the cgroup and the
        file of the program. It starts no program and changes nothing of the host. RV(verdict) is then null.
      - Where a run would fail, the check fails with C(would fail:) and the same sentence.
      - Before its first kill, a run starts the program once with 1 MiB. So it also fails if O(hog) is another program.
  diff_mode:
    support: N/A
    details:
      - The trial changes nothing that lasts.
notes:
  - A kill in another part of the cgroup tree during the trial is returned as RV(unrelated) and does not change the
    verdict. Kernels before 4.13, and version 1 of cgroups with O(manager=systemd), have no counter that shows where a
    kill was, so there a kill that the kernel logs without a report makes the verdict V(inconclusive).
  - The verdict V(refuted) is a result, not an error. The module fails only if the trial cannot be carried out.
  - Without the kernel log no kill can be proven, so the module fails before the first one. It also fails in a container
    with a pid namespace of its own, because the kernel log names victims by the pids of the host.
  - Hosts that share a kernel, such as containers, see the kills of each other's trials. Run them one at a time, with
    C(serial) set to 1 in a play of your own, or with C(--forks 1).
seealso:
  - module: oomguard.linux.oom_events
  - module: oomguard.linux.oom_score_adj
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Test whether this kernel honours a score of -900
  oomguard.linux.oom_trial:
    hog: /root/oom_hog
  register: trial

- name: Fail unless it does
  ansible.builtin.assert:
    that: trial.verdict == 'proven'
    success_msg: "{{ trial.report }}"
    fail_msg: "{{ trial.report }}"

- name: Check whether the trial can run here, without a kill
  oomguard.linux.oom_trial:
    hog: /root/oom_hog
  check_mode: true

- name: Run the trial with the memory of a whole test machine
  oomguard.linux.oom_trial:
    hog: /root/oom_hog
    scope: host
    allow_host_oom: true
    timeout: 300
"""

RETURN = r"""
verdict:
  description:
    - V(proven) if every run took the course that the pin predicts, the kernel log names the victims, and no other
      process died of an OOM that may have to do with the trial.
    - V(refuted) if the kernel killed the pinned decoy. With O(scope=overcommit), if the kernel granted the large
      request or killed a process.
    - V(inconclusive) in every other case.
    - Null in check mode.
  returned: success
  type: str
  sample: proven
reasons:
  description: What the verdict is based on, or what prevents a better one.
  returned: success
  type: list
  elements: str
  sample: ["the kernel killed the hog in the treatment", "the kernel killed the decoy in the control"]
msg:
  description:
    - The result in one line of at most 200 characters, with the verdict, the process that the killer took and the one
      that it spared. If the verdict is V(inconclusive), it has the first of RV(reasons).
    - In check mode, what was checked.
  returned: always
  type: str
  sample: "proven: the killer took hog[4711] and spared decoy[4712] (-900)"
report:
  description:
    - The result for a person, in at most 12 lines of text. The first one is RV(msg).
  returned: success
  type: list
  elements: str
  sample:
    - "proven: the killer took hog[4711] and spared decoy[4712] (-900)"
    - "meaning: this kernel honours a score difference of 900"
    - "treatment: decoy[4712] at -900 with 38 MiB survived, hog[4711] at 0 was killed by the kernel, as expected"
    - "control: decoy[4713] at 0 with 38 MiB was killed by the kernel, hog[4714] at 0 survived, as expected"
    - "limit: 64 MiB for both, in a private memory cgroup (version 2, systemd); the decoy holds more than the hog"
    - "kernel log: Memory cgroup out of memory: Killed process 4711 (oomguard-hog) ..."
    - "kernel log: Memory cgroup out of memory: Killed process 4713 (oomguard-decoy) ..."
    - "bystanders: 84 other processes, none lost; kills on the host meanwhile: 2"
    - "cleaned up: nothing was left behind"
scope:
  description: The option O(scope).
  returned: success
  type: str
  sample: cgroup
method:
  description:
    - V(lowered) if the decoy was pinned, V(mirrored) if the hog was raised instead, V(refused) with
      O(scope=overcommit).
  returned: success
  type: str
  sample: lowered
manager:
  description: What created the cgroup, V(systemd) or V(cgroupfs). Null with O(scope=overcommit).
  returned: success
  type: str
  sample: systemd
cgroup_version:
  description: Version of the memory cgroup hierarchy. Null with O(scope=overcommit).
  returned: success
  type: int
  sample: 2
kernel:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.1.0-50-amd64
boot_id:
  description: Id of the boot, in 32 hexadecimal digits, as in RV(oomguard.linux.oom_events#module:events[].boot_id).
  returned: success
  type: str
  sample: 5f3c9d0b7a614c3c9d1f0a8f5a7f2b11
versions:
  description: Versions of what the trial ran on.
  returned: success
  type: dict
  contains:
    kernel:
      description: Release of the running kernel.
      returned: success
      type: str
      sample: 6.1.0-50-amd64
    python:
      description: Version of the Python that runs the module.
      returned: success
      type: str
      sample: 3.11.2
    libc:
      description: C library of that Python. Null if it is not glibc.
      returned: success
      type: str
      sample: glibc 2.36
    systemd:
      description: Version of systemd. Null if it does not manage the host.
      returned: success
      type: int
      sample: 252
    hog:
      description: How O(hog) was linked, V(static) or V(dynamic). Null if its file does not show it.
      returned: success
      type: str
      sample: static
memory_limit_kb:
  description:
    - Memory that both processes shared, in KiB. The size of the private memory cgroup, the free memory and swap of
      the host, or C(CommitLimit).
  returned: success
  type: int
  sample: 65536
runs:
  description: The treatment and the control. Only the treatment with O(scope=host). Empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(treatment) or V(control).
      returned: success
      type: str
      sample: treatment
    expected:
      description:
        - Process that had to die, V(hog) or V(decoy). With O(scope=overcommit) the expected outcome of the
          request, V(refused) or V(granted).
      returned: success
      type: str
      sample: hog
    observed:
      description:
        - Process that the kernel killed first, V(hog), V(decoy) or V(other). Null if it killed none.
        - With O(scope=overcommit) the outcome of the request, such as V(refused), V(granted), V(killed) or V(exit
          3).
      returned: success
      type: str
      sample: hog
    decoy:
      description: The decoy. Null with O(scope=overcommit).
      returned: success
      type: dict
      contains:
        role:
          description: V(decoy).
          returned: success
          type: str
          sample: decoy
        pid:
          description: Process number.
          returned: success
          type: int
          sample: 4711
        name:
          description: Name of the process, C(comm).
          returned: success
          type: str
          sample: oomguard-decoy
        wanted_score:
          description: Score that it should have.
          returned: success
          type: int
          sample: -900
        score:
          description: Score that the kernel held for it. Null if it could not be read.
          returned: success
          type: int
          sample: -900
        exit:
          description: Exit code. Null if a signal ended the process, or if it outlived the run.
          returned: success
          type: int
          sample: null
        signal:
          description: Signal that ended the process. Null if it exited, or if it outlived the run.
          returned: success
          type: int
          sample: null
        outlived:
          description: Whether it was still alive after the kills of the run.
          returned: success
          type: bool
          sample: true
    hog:
      description: The hog.
      returned: success
      type: dict
      contains:
        role:
          description: V(hog).
          returned: success
          type: str
          sample: hog
        pid:
          description: Process number.
          returned: success
          type: int
          sample: 4711
        name:
          description: Name of the process, C(comm).
          returned: success
          type: str
          sample: oomguard-hog
        wanted_score:
          description: Score that it should have.
          returned: success
          type: int
          sample: 0
        score:
          description: Score that the kernel held for it. Null if it could not be read, and with O(scope=overcommit).
          returned: success
          type: int
          sample: 0
        exit:
          description: Exit code. Null if a signal ended the process, or if it outlived the run.
          returned: success
          type: int
          sample: null
        signal:
          description: Signal that ended the process. Null if it exited, or if it outlived the run.
          returned: success
          type: int
          sample: 9
        outlived:
          description: Whether it was still alive after the kills of the run.
          returned: success
          type: bool
          sample: false
        asked_kb:
          description: Memory that it requested, in KiB.
          returned: success with O(scope=overcommit)
          type: int
          sample: 400000
        got_kb:
          description: Memory that it got, in KiB.
          returned: success with O(scope=overcommit)
          type: int
          sample: 250000
    event:
      description:
        - The first kill in this run, an event as M(oomguard.linux.oom_events) returns it. Null if there was none,
          and with O(scope=overcommit).
      returned: success
      type: dict
      contains:
        id:
          description: See RV(oomguard.linux.oom_events#module:events[].id).
          returned: success
          type: str
          sample: 3a69ac34-60f8c0a53a1b2c4d
        source:
          description: See RV(oomguard.linux.oom_events#module:events[].source).
          returned: success
          type: str
          sample: kmsg
        time:
          description: See RV(oomguard.linux.oom_events#module:events[].time).
          returned: success
          type: str
          sample: null
        monotonic:
          description: See RV(oomguard.linux.oom_events#module:events[].monotonic).
          returned: success
          type: float
          sample: 53.649722
        boot_id:
          description: See RV(oomguard.linux.oom_events#module:events[].boot_id).
          returned: success
          type: str
          sample: null
        boot_index:
          description: See RV(oomguard.linux.oom_events#module:events[].boot_index).
          returned: success
          type: int
          sample: null
        trusted:
          description: Always V(true). See RV(oomguard.linux.oom_events#module:events[].trusted).
          returned: success
          type: bool
          sample: true
        killer:
          description: See RV(oomguard.linux.oom_events#module:events[].killer).
          returned: success
          type: str
          sample: kernel
        reason:
          description: See RV(oomguard.linux.oom_events#module:events[].reason).
          returned: success
          type: str
          sample: null
        signal:
          description: See RV(oomguard.linux.oom_events#module:events[].signal).
          returned: success
          type: str
          sample: null
        escalated:
          description: See RV(oomguard.linux.oom_events#module:events[].escalated).
          returned: success
          type: bool
          sample: false
        killed_count:
          description: See RV(oomguard.linux.oom_events#module:events[].killed_count).
          returned: success
          type: int
          sample: null
        duplicates:
          description: See RV(oomguard.linux.oom_events#module:events[].duplicates).
          returned: success
          type: int
          sample: 0
        outcome:
          description: See RV(oomguard.linux.oom_events#module:events[].outcome).
          returned: success
          type: str
          sample: kill
        constraint:
          description: See RV(oomguard.linux.oom_events#module:events[].constraint).
          returned: success
          type: str
          sample: memcg
        sysrq:
          description: See RV(oomguard.linux.oom_events#module:events[].sysrq).
          returned: success
          type: bool
          sample: false
        allocating_task:
          description: See RV(oomguard.linux.oom_events#module:events[].allocating_task).
          returned: success
          type: bool
          sample: false
        trigger:
          description: See RV(oomguard.linux.oom_events#module:events[].trigger).
          returned: success
          type: dict
          contains:
            name:
              description: See RV(oomguard.linux.oom_events#module:events[].trigger.name).
              returned: success
              type: str
              sample: oomguard-hog
            pid:
              description: See RV(oomguard.linux.oom_events#module:events[].trigger.pid).
              returned: success
              type: int
              sample: 4711
            oom_score_adj:
              description: See RV(oomguard.linux.oom_events#module:events[].trigger.oom_score_adj).
              returned: success
              type: int
              sample: 0
            gfp_mask:
              description: See RV(oomguard.linux.oom_events#module:events[].trigger.gfp_mask).
              returned: success
              type: str
              sample: "0xcc0"
            order:
              description: See RV(oomguard.linux.oom_events#module:events[].trigger.order).
              returned: success
              type: int
              sample: 0
        memcg:
          description: See RV(oomguard.linux.oom_events#module:events[].memcg).
          returned: success
          type: dict
          contains:
            path:
              description: See RV(oomguard.linux.oom_events#module:events[].memcg.path).
              returned: success
              type: str
              sample: /oomguardtrial_4700_5364
            usage_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].memcg.usage_kb).
              returned: success
              type: int
              sample: 65536
            limit_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].memcg.limit_kb).
              returned: success
              type: int
              sample: 65536
            failcnt:
              description: See RV(oomguard.linux.oom_events#module:events[].memcg.failcnt).
              returned: success
              type: int
              sample: 12
        announced:
          description: See RV(oomguard.linux.oom_events#module:events[].announced).
          returned: success
          type: dict
          contains:
            pid:
              description: See RV(oomguard.linux.oom_events#module:events[].announced.pid).
              returned: success
              type: int
              sample: 4711
            name:
              description: See RV(oomguard.linux.oom_events#module:events[].announced.name).
              returned: success
              type: str
              sample: oomguard-hog
            score:
              description: See RV(oomguard.linux.oom_events#module:events[].announced.score).
              returned: success
              type: int
              sample: 400
        victims:
          description: See RV(oomguard.linux.oom_events#module:events[].victims).
          returned: success
          type: list
          elements: dict
          contains:
            pid:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].pid).
              returned: success
              type: int
              sample: 4711
            tid:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].tid).
              returned: success
              type: int
              sample: null
            pid_is_thread:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].pid_is_thread).
              returned: success
              type: bool
              sample: false
            name:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].name).
              returned: success
              type: str
              sample: oomguard-hog
            uid:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].uid).
              returned: success
              type: int
              sample: 0
            score:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].score).
              returned: success
              type: int
              sample: null
            oom_score_adj:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].oom_score_adj).
              returned: success
              type: int
              sample: 0
            total_vm_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].total_vm_kb).
              returned: success
              type: int
              sample: 29108
            anon_rss_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].anon_rss_kb).
              returned: success
              type: int
              sample: 25728
            file_rss_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].file_rss_kb).
              returned: success
              type: int
              sample: 1532
            shmem_rss_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].shmem_rss_kb).
              returned: success
              type: int
              sample: 0
            rss_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].rss_kb).
              returned: success
              type: int
              sample: 27260
            pgtables_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].pgtables_kb).
              returned: success
              type: int
              sample: 96
            cgroup:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].cgroup).
              returned: success
              type: str
              sample: /oomguardtrial_4700_5364
            unit:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].unit).
              returned: success
              type: str
              sample: null
            container_id:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].container_id).
              returned: success
              type: str
              sample: null
            pod_uid:
              description: See RV(oomguard.linux.oom_events#module:events[].victims[].pod_uid).
              returned: success
              type: str
              sample: null
        victims_count:
          description: See RV(oomguard.linux.oom_events#module:events[].victims_count).
          returned: success
          type: int
          sample: 1
        skipped_pids:
          description: See RV(oomguard.linux.oom_events#module:events[].skipped_pids).
          returned: success
          type: list
          elements: int
          sample: []
        panic_policy:
          description: See RV(oomguard.linux.oom_events#module:events[].panic_policy).
          returned: success
          type: str
          sample: null
        why:
          description: See RV(oomguard.linux.oom_events#module:events[].why).
          returned: success
          type: dict
          contains:
            kernel:
              description: See RV(oomguard.linux.oom_events#module:events[].why.kernel).
              returned: success
              type: str
              sample: 6.1.0-18-amd64
            chosen:
              description: See RV(oomguard.linux.oom_events#module:events[].why.chosen).
              returned: success
              type: dict
              contains: &logged_task
                pid:
                  description: Its pid.
                  returned: success
                  type: int
                  sample: 370
                name:
                  description: Its name (C(comm)).
                  returned: success
                  type: str
                  sample: oom_hog
                oom_score_adj:
                  description: Its score adjustment.
                  returned: success
                  type: int
                  sample: 0
                badness_kb:
                  description: What the kernel ranked it by, in KiB.
                  returned: success
                  type: int
                  sample: 51200
            badness_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].why.badness_kb).
              returned: success
              type: int
              sample: 51200
            runner_up:
              description: See RV(oomguard.linux.oom_events#module:events[].why.runner_up).
              returned: success
              type: dict
              contains: *logged_task
            margin_kb:
              description: See RV(oomguard.linux.oom_events#module:events[].why.margin_kb).
              returned: success
              type: int
              sample: 40960
        tasks_count:
          description: See RV(oomguard.linux.oom_events#module:events[].tasks_count).
          returned: success
          type: int
          sample: 2
        complete:
          description: See RV(oomguard.linux.oom_events#module:events[].complete).
          returned: success
          type: bool
          sample: true
    log:
      description: The kernel's own log lines on the victims.
      returned: success
      type: list
      elements: str
      sample: ["Memory cgroup out of memory: Killed process 4711 (oomguard-hog) ..."]
    counters:
      description: Counters of the private cgroup. Null with O(scope=overcommit).
      returned: success
      type: dict
      contains:
        cgroup_oom_kill:
          description: Kills that the cgroup counted during the run. Null if the cgroup has no such counter.
          returned: success
          type: int
          sample: 1
bystanders:
  description: The other processes of the host. Null in check mode.
  returned: success
  type: dict
  contains:
    checked:
      description: Number of processes that were alive before the trial.
      returned: success
      type: int
      sample: 84
    lost:
      description:
        - Processes that the killer killed, or may have killed, during the trial. Those in RV(unrelated) are left out.
      returned: success
      type: list
      elements: dict
      contains:
        pid:
          description: Process number.
          returned: success
          type: int
          sample: 812
        name:
          description: Name of the process, C(comm).
          returned: success
          type: str
          sample: sshd
        start_time:
          description: Start of the process, in clock ticks after boot.
          returned: success
          type: int
          sample: 5364
unrelated:
  description:
    - At most 20 processes that the kernel killed during the trial at the limits of memory cgroups in other parts of
      the tree. They have no effect on the verdict.
    - A kill that may have to do with the trial is not listed here. It makes the verdict V(inconclusive), and
      RV(reasons) names it.
  returned: success
  type: list
  elements: dict
  contains:
    memcg:
      description:
        - Memory cgroup that hit its limit, as a path. Null if the kernel logged only the kill. It logs at most ten
          reports in five seconds. Then the counters of the private cgroup show that the kill was in another one.
      returned: success
      type: str
      sample: /system.slice/batch.service
    pid:
      description: Process number.
      returned: success
      type: int
      sample: 812
    name:
      description: Name of the process, C(comm). Null if the log does not show it.
      returned: success
      type: str
      sample: convert
unrelated_count:
  description: Number of all such processes, also of those that RV(unrelated) leaves out.
  returned: success
  type: int
  sample: 0
counters:
  description: Counters of the host. Null in check mode.
  returned: success
  type: dict
  contains:
    vmstat_oom_kill:
      description:
        - How far C(oom_kill) of C(/proc/vmstat) rose during the trial, by unrelated kills too. Null before kernel 4.13.
      returned: success
      type: int
      sample: 2
clean:
  description: Whether the trial left nothing behind.
  returned: success
  type: bool
  sample: true
left_behind:
  description: Folders of cgroups that could not be removed.
  returned: success
  type: list
  elements: str
  sample: []
duration_s:
  description: Duration of the trial in seconds. V(0.0) in check mode.
  returned: success
  type: float
  sample: 0.412
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    WOULD_FAIL,
    printable,
    printable_values,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import prepare_kill_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import prepare_overcommit_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest, parse_size_kb


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            hog=dict(type="path", required=True),
            scope=dict(type="str", choices=["cgroup", "host", "overcommit"], default="cgroup"),
            allow_host_oom=dict(type="bool", default=False),
            memory_limit=dict(type="str", default="64M"),
            pinned_score=dict(type="int", default=-900),
            hog_score=dict(type="int", default=0),
            timeout=dict(type="int", default=60),
            manager=dict(type="str", choices=["auto", "systemd", "cgroupfs"], default="auto"),
            cgroup_parent=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    options = dict(module.params)
    phase = "the checks before the trial failed, and nothing was started"
    would_fail = WOULD_FAIL if module.check_mode else ""
    try:
        memory_limit_kb = parse_size_kb("memory_limit", options.pop("memory_limit"))
        request = TrialRequest(memory_limit_kb=memory_limit_kb, **options)
        prepare = prepare_overcommit_trial if request.scope == "overcommit" else prepare_kill_trial
        trial = prepare(request)
        phase = "the trial failed"
        answer = trial.preview() if module.check_mode else trial.run()
    except (OomError, Interrupted) as error:
        module.fail_json(msg=printable(f"{would_fail}{error}"))
    except (OSError, MemoryError) as error:
        module.fail_json(msg=printable(f"{would_fail}{phase}: {str(error) or 'not enough memory'}"))
    module.exit_json(changed=False, **printable_values(answer))


if __name__ == "__main__":
    main()
