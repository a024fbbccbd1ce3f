#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_events
short_description: Tell what the OOM killer did, to whom, and why
version_added: 0.1.0
description:
  - Reads the kernel log, from the journal, from C(/dev/kmsg), from pstore or from files, and returns one event for each call of the OOM killer.
  - Victims are known by the pid of the line C(Killed process), which the kernel prints even when it suppresses the report.
    A report without a kill, a kill without a report, a group kill and a panic are told apart.
  - Understands the messages of kernels from 2.6 to today, behind any usual prefix.
  - Also tells of kills by programs, that is earlyoom, systemd-oomd, nohang and oomd. What systemd says afterwards is joined, not counted again.
  - User space can write to C(/dev/kmsg), but never with the facility of the kernel. Such records are counted and left out.
options:
  source:
    description:
      - V(journal) reads what the kernel, and services that kill, wrote to the journal, in the boot that O(boot) names. They are known by
        fields that only journald writes, so nobody can write there in their name.
      - V(kmsg) reads the kernel's ring buffer of the current boot.
      - V(pstore) reads what a panic left in memory that outlives it, from C(/sys/fs/pstore) and C(/var/lib/systemd/pstore). It needs a
        backend, such as C(ramoops) or C(efi), that was loaded before the panic. See RV(pstore_backend).
      - V(file) reads O(paths).
      - V(auto) is V(file) when O(paths) is given, else V(journal) where there is one, else V(kmsg). With the journal and O(boot=all)
        it also reads pstore, of which nobody knows the boot, and so it does with O(cursor).
    type: str
    choices: [auto, journal, kmsg, pstore, file]
    default: auto
  paths:
    description:
      - Log files, or globs of them, in the order in which they are read. Those of a glob are read oldest first, by the names that
        C(logrotate) gives, and one that was rotated is one log. Files packed by gzip or xz are unpacked.
      - Their form is known by what they hold. Text with any usual prefix, records of C(/dev/kmsg), what C(journalctl) writes with
        C(--output=json) or C(--output=export), and C(dmesg --json).
    type: list
    elements: str
    default: []
  boot:
    description:
      - Which boot, V(current), V(previous), V(all) or a boot id. Only the journal knows others than the current one.
    type: str
    default: current
  since:
    description:
      - Only events that began at this moment or later. ISO 8601 with its zone, as V(2026-11-23T04:43:45Z), seconds since 1970, or a
        time ago, as V(-30m), V(-1h), V(-2d).
      - Events of which the log does not tell the moment are left out, and counted in RV(counts).
    type: str
  until:
    description: Only events that began before this moment, written as O(since).
    type: str
  cursor:
    description:
      - What the run before returned as RV(cursor). Only what came since then is told, of every boot, so that runs after one another
        neither miss nor repeat an event, also when logs are rotated or the host reboots. An empty one is none.
      - An event that is still going on is left to the next run. That is a report without its end in the last 30 seconds, or a kill in
        the last second that may be the first of a group.
      - It is of one host, and of one source. For V(file), O(paths) should name the rotated files as well.
    type: str
  victim:
    description: Only events in which a process of this name died.
    type: str
  unit:
    description: Only events in which a process of this service died, with or without C(.service).
    type: str
  constraint:
    description: Only events where this had run out. V(none) means the host.
    type: str
    choices: [none, cpuset, memory_policy, memcg]
  killer:
    description:
      - Only events of this killer.
      - With V(kernel) large files are not searched for the other ones, which are then missing in RV(summary).
    type: str
    choices: [kernel, systemd-oomd, earlyoom, nohang, oomd]
  tasks:
    description: Include the task table of each report.
    type: bool
    default: false
  raw:
    description: Include the lines of each report as they were read.
    type: bool
    default: false
  untrusted:
    description: Include events that a program wrote and not the kernel.
    type: bool
    default: false
  limit:
    description: Return the newest events only, so many of them, and no more than 1 MiB, unless O(tasks) or O(raw) is asked for.
    type: int
    default: 100
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
  - Needs root, or CAP_SYSLOG, for C(/dev/kmsg) where C(kernel.dmesg_restrict) is 1, and root or the group C(systemd-journal) for the journal.
  - RV(counts), RV(summary) and RV(lost) are of all events in the time that was asked for, whatever else is filtered.
  - A file of which the rest is damaged is read up to there, and named in RV(lost). Anything else that cannot be read is an error.
seealso:
  - module: oomguard.linux.oom_trial
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: What happened since this host booted
  oomguard.linux.oom_events:
  register: oom

- name: Fail when a database was killed
  ansible.builtin.assert:
    that: "'postgres' not in (oom.summary | map(attribute='name'))"

- name: Whether a unit lost a process in the boot before
  oomguard.linux.oom_events:
    boot: previous
    unit: postgresql@15-main

- name: Why this host rebooted
  oomguard.linux.oom_events:
    source: pstore

- name: Read the kernel logs of the last weeks
  oomguard.linux.oom_events:
    paths: [/var/log/kern.log*]

- name: What happened in the last hour
  oomguard.linux.oom_events:
    since: -1h

- name: What happened since this was asked the last time
  block:
    - name: Read how far it was read
      ansible.builtin.slurp:
        src: /var/lib/oom_events.cursor
      register: kept
      failed_when: false

    - name: Read what came since then
      oomguard.linux.oom_events:
        cursor: "{{ kept.content | default('') | b64decode }}"
      register: oom

    - name: Keep how far it was read
      ansible.builtin.copy:
        content: "{{ oom.cursor | default('', true) }}"
        dest: /var/lib/oom_events.cursor
        mode: "0600"
"""

RETURN = r"""
events:
  description: The events in the order in which they began. Every key is always there, null where the log does not say.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The same event read again has the same id.
      type: str
      sample: 3a69ac34-60f8c0a53a1b2c4d
    source:
      description: V(journal), V(kmsg), or the path of the file, for pstore as well.
      type: str
      sample: journal
    time:
      description: When it began, ISO 8601 in UTC. Null where the log gives no date, year or zone, or the host was suspended.
      type: str
      sample: "2026-11-23T04:43:45.649722Z"
    monotonic:
      description: When it began, in seconds after boot.
      type: float
      sample: 53.649722
    boot_id:
      description: The boot it belongs to. Null where the text does not say.
      type: str
      sample: 6aaf9458705f4b56a35ac8cca67d8f0f
    boot_index:
      description: V(0) for the last boot in the source, V(-1) for the one before.
      type: int
      sample: 0
    trusted:
      description:
        - V(true) when the facility proves that the kernel wrote it, or journald that the service of RV(events[].killer) did. V(false) when
          a program wrote what only the kernel says. Null when it cannot be told.
      type: bool
      sample: true
    killer:
      description:
        - Who killed, V(kernel), or a program, V(systemd-oomd), V(earlyoom), V(nohang) or V(oomd). Of programs the journal tells, and files.
      type: str
      sample: kernel
    reason:
      description: Why a program killed, V(swap) or V(pressure), where it says so.
      type: str
      sample: null
    signal:
      description: What a program sent.
      type: str
      sample: null
    escalated:
      description: Whether the program sent SIGKILL as SIGTERM was not enough.
      type: bool
      sample: false
    killed_count:
      description: How many processes were killed in the cgroup that systemd-oomd chose, as systemd says afterwards.
      type: int
      sample: null
    outcome:
      description: V(kill), V(group_kill), V(no_killable), V(panic) or V(incomplete).
      type: str
      sample: kill
    constraint:
      description: What had run out, V(none) for the host, V(cpuset), V(memory_policy) or V(memcg).
      type: str
      sample: memcg
    sysrq:
      description: Whether somebody asked for it with SysRq.
      type: bool
      sample: false
    allocating_task:
      description: Whether the task that allocated was to be killed, by C(vm.oom_kill_allocating_task).
      type: bool
      sample: false
    trigger:
      description: The task whose allocation failed. Null when the report's first line is missing.
      type: dict
      sample: {"name": "hog", "pid": 370, "oom_score_adj": 300, "gfp_mask": "0xcc0", "order": 0}
    memcg:
      description: The memory cgroup that was at its limit. Null for other constraints.
      type: dict
      sample: {"path": "/system.slice/x.service", "usage_kb": 65536, "limit_kb": 65536, "failcnt": 12}
    announced:
      description: Whom a kernel up to 5.0 chose. A child of it may have died instead.
      type: dict
      sample: null
    victims:
      description: Who died, each once.
      type: list
      elements: dict
      contains:
        pid:
          description: Process number in the initial pid namespace.
          type: int
          sample: 370
        name:
          description: Name of the process, C(comm), with control characters as the log escapes them.
          type: str
          sample: hog
        uid:
          description: Its user, in the initial user namespace.
          type: int
          sample: 0
        score:
          description: Its badness, up to kernel 5.0.
          type: int
          sample: null
        oom_score_adj:
          description: Its score adjustment.
          type: int
          sample: 300
        total_vm_kb:
          description: Virtual memory in KiB.
          type: int
          sample: 27140
        anon_rss_kb:
          description: Anonymous memory in KiB.
          type: int
          sample: 24360
        file_rss_kb:
          description: File mappings in KiB.
          type: int
          sample: 936
        shmem_rss_kb:
          description: Shared memory in KiB.
          type: int
          sample: 0
        rss_kb:
          description: All that was resident, in KiB.
          type: int
          sample: 25296
        pgtables_kb:
          description: Page tables in KiB.
          type: int
          sample: 88
        cgroup:
          description: Its memory cgroup, or that of the group that was killed.
          type: str
          sample: /system.slice/x.service
        unit:
          description: The service that the cgroup belongs to. Null for none of this host's systemd.
          type: str
          sample: x.service
        container_id:
          description: The container that the cgroup belongs to, by its full id.
          type: str
        pod_uid:
          description: The Kubernetes pod that the cgroup belongs to, by its uid.
          type: str
    skipped_pids:
      description: Members of a killed group that were already exiting.
      type: list
      elements: int
    panic_policy:
      description: V(compulsory) or V(system-wide) when C(vm.panic_on_oom) made the kernel panic.
      type: str
      sample: null
    tasks_count:
      description: Rows of the task table that are in the log.
      type: int
      sample: 2
    tasks:
      description: The task table, with O(tasks).
      type: list
      elements: dict
    raw:
      description: The lines, with O(raw).
      type: list
      elements: str
    complete:
      description: Whether both the first line of the report and its end are in the log.
      type: bool
      sample: true
total:
  description: How many events there are.
  returned: success
  type: int
  sample: 2
truncated:
  description: Whether O(limit) or their size left some of them out.
  returned: success
  type: bool
  sample: false
counts:
  description:
    - C(vmstat_oom_kill) is what the kernel counted since boot. Null before kernel 4.13, and for anything but the whole current boot.
    - C(logged_kills) is how many victims of the kernel the log names, C(unlogged) how many of the counted kills it does not.
    - C(unlogged_in) tells where they were, as far as cgroups that still exist count more kills than the log names in them
      (C(memory.events.local), C(memory.oom_control)).
    - C(untrusted) is how many events were not written by the kernel.
    - C(undated) is how many events were left out of the time that was asked for, as the log does not tell when they were.
  returned: success
  type: dict
  sample: {"vmstat_oom_kill": 2, "logged_kills": 2, "unlogged": 0, "unlogged_in": [], "untrusted": 0, "undated": 0}
summary:
  description: Kills by name, most first.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "hog", "kills": 2}]
lost:
  description:
    - C(records) of the ring buffer that were overwritten before they were read, with the lines that the log itself says it lacks, and
      reports that the kernel says it suppressed.
    - C(gap) is true when what O(cursor) names is no longer there, so that what came between may be lost.
    - C(files) says of which files the rest could not be read, and why.
  returned: success
  type: dict
  sample: {"records": 0, "suppressed_reports": 0, "gap": false, "files": []}
cursor:
  description: Where the next run goes on, for O(cursor). Null for V(pstore), with O(until), and where there was nothing to read.
  returned: success
  type: str
  sample: "kmsg|6aaf9458705f4b56a35ac8cca67d8f0f|0c3b1f2b36e9411785b1ab3cbd8dba7d:1204|"
pstore_backend:
  description: What would keep the kernel log of a panic for O(source=pstore). Null for nothing.
  returned: success
  type: str
  sample: ramoops
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import Query, gather


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            source=dict(type="str", choices=["auto", "journal", "kmsg", "pstore", "file"], default="auto"),
            paths=dict(type="list", elements="str", default=[]),
            boot=dict(type="str", default="current"),
            since=dict(type="str"),
            until=dict(type="str"),
            cursor=dict(type="str"),
            victim=dict(type="str"),
            unit=dict(type="str"),
            constraint=dict(type="str", choices=["none", "cpuset", "memory_policy", "memcg"]),
            killer=dict(type="str", choices=["kernel", "systemd-oomd", "earlyoom", "nohang", "oomd"]),
            tasks=dict(type="bool", default=False),
            raw=dict(type="bool", default=False),
            untrusted=dict(type="bool", default=False),
            limit=dict(type="int", default=100),
        ),
        supports_check_mode=True,
    )
    try:
        facts = gather(Query(**module.params), Procfs())
    except OomError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
