#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return what the OOM killer killed: the module oom_events."""

DOCUMENTATION = r"""
module: oom_events
short_description: Return what the OOM killer killed, which task triggered it, and why
version_added: 1.0.0
description:
  - Reads the kernel log from the journal, from C(/dev/kmsg), from pstore or from files. Returns one event for each
    call of the OOM killer.
  - RV(report) is the same for a person, in at most 15 lines, and RV(msg) in one line.
  - Identifies victims by the pid in the line C(Killed process). The kernel prints this line even when it suppresses
    the report.
  - Keeps apart a report without a kill, a kill without a report, a group kill and a panic.
  - Parses the messages of kernels from 2.6 to today, behind any common log prefix.
  - Also returns the kills of earlyoom, systemd-oomd, nohang and oomd. Joins what systemd logs about a kill to the
    event, and does not count it again.
  - A program can write to C(/dev/kmsg), but never with the kernel's facility. Such records are counted, and left out
    unless O(untrusted=true).
options:
  source:
    description:
      - Where to read the kernel log from.
      - V(journal) reads what the kernel and the services of user-space killers wrote to the journal, in the boot that
        O(boot) selects. The module identifies them by fields that only journald writes, so no other program can write
        in their name.
      - V(kmsg) reads the kernel's ring buffer of the current boot.
      - V(pstore) reads what a panic left in persistent storage, from C(/sys/fs/pstore) and C(/var/lib/systemd/pstore).
        It needs a backend such as C(ramoops) or C(efi), loaded before the panic. See RV(pstore_backend).
      - V(file) reads O(paths).
      - V(auto) means V(file) if O(paths) is set, else the source of O(cursor), else V(journal) if the host has a
        journal, else V(kmsg). A journal that cannot be read is replaced by V(kmsg), with a warning.
      - Any other source that cannot be read is an error, which names what to use instead.
      - With the journal, O(boot=all) and O(cursor) also read pstore, because a dump does not name its boot.
    type: str
    choices: [auto, journal, kmsg, pstore, file]
    default: auto
  paths:
    description:
      - Log files or globs, in the order in which to read them.
      - The files of a glob are read oldest first, by the names that C(logrotate) gives. A rotated log counts as one
        log.
      - Files compressed with gzip, xz, bzip2 or zstd are decompressed, the last three where the host can.
      - The module detects the format by the content. It reads text with any common prefix, records of C(/dev/kmsg),
        the output of C(journalctl) with C(--output=json) or C(--output=export), and the output of C(dmesg --json).
      - A file proves that the kernel wrote its lines only if root alone could have written it, and if each line of it
        has one form that carries the facility, as after C(dmesg -x > FILE). See RV(events[].trusted).
      - FIFOs, devices, files in C(/proc), and sparse files that are nearly all holes are refused. Compressed files
        together may unpack to 4 GiB. The rest is not read, and is listed in RV(lost.files).
    type: list
    elements: str
    default: []
  boot:
    description:
      - The boot to read, as V(current), V(previous), V(all), a boot id, or a number such as V(-2) for the boot before
        the previous one.
      - Only the journal can select a boot other than the current one.
    type: str
    default: current
  since:
    description:
      - Return only events that began at this moment or later.
      - ISO 8601 with a zone such as V(2026-11-23T04:43:45Z), seconds since 1970, or a time ago such as V(-30m), V(-1h)
        or V(-2d).
      - Events whose date and time the log does not record are left out, and counted in RV(counts.undated).
    type: str
  until:
    description: Return only events that began before this moment, in the formats of O(since).
    type: str
  cursor:
    description:
      - The RV(cursor) of an earlier run. Returns only newer events, of every boot since that run.
      - Repeated runs neither miss nor repeat an event, even if logs are rotated or the host reboots.
      - An unfinished event is left for the next run. That is a report of the last 30 seconds without an end. A kill
        of the last second is left too, because it may be the first of a group kill.
      - An empty string means no cursor. A cursor is valid for one host and one source.
      - For O(source=file), name the rotated files in O(paths) as well, for example V(/var/log/kern.log*).
      - Excludes O(since), O(until), and a O(boot) other than V(current) or V(all).
    type: str
  victim:
    description: Return only events in which a process of this name died.
    type: str
  unit:
    description:
      - Return only events in which a process of this service or scope died, such as V(docker) or V(run-1.scope).
      - The suffix C(.service) is optional. Scopes of users do not count, because users choose their names.
    type: str
  container:
    description:
      - Return only events in which a process of this container died.
      - The container's id, its first 12 digits or more, or its name.
      - Names are those of Docker, podman, CRI-O, nerdctl and the kubelet, also of stopped containers. A container that
        was removed has no name any more.
    type: str
  constraint:
    description: Return only events with this RV(events[].constraint). V(none) means that the host ran out of memory.
    type: str
    choices: [none, cpuset, memory_policy, memcg]
  killer:
    description:
      - Return only events of this killer.
      - With V(kernel), large files are not searched for the messages of user-space killers, which is faster.
    type: str
    choices: [kernel, systemd-oomd, earlyoom, nohang, oomd, lmkd, lowmemorykiller, talos]
  own_trials:
    description:
      - Include the kills of this collection's own trials (M(oomguard.linux.oom_trial)). Their RV(events[].own_trial) is
        V(true).
      - They are recognised by the cgroup in the kernel's own record. It counts only at the top of the tree, or in a
        cgroup above this module run that only root may change, so a user cannot hide a kill.
      - In a container with a cgroup namespace they cannot be recognised.
    type: bool
    default: false
  tasks:
    description: Include the task table of each report in RV(events[].tasks).
    type: bool
    default: false
  raw:
    description: Include the log lines of each report in RV(events[].raw).
    type: bool
    default: false
  untrusted:
    description: Include events that a program wrote instead of the kernel. Their RV(events[].trusted) is V(false).
    type: bool
    default: false
  what_if:
    description:
      - Targets with a score each. RV(events[].what_if) has what the kernel would have chosen if their processes had
        had these scores.
      - The task table of a report has names and pids of processes, but not their cgroups. So O(what_if[].unit),
        O(what_if[].cgroup) and O(what_if[].container) are answered where the memory cgroup that reached its limit lies
        in them, and for the victim. RV(events[].what_if.unanswered) says what the log does not show.
      - A log has no command lines, so there is no C(pattern).
    type: list
    elements: dict
    suboptions:
      unit:
        description: A systemd service. It stands for all of its processes, as a log does not show the main one.
        type: str
      process:
        description: The name of processes (C(comm)), of which the kernel keeps 15 bytes.
        type: str
      pid:
        description: A process, by its pid.
        type: int
      cgroup:
        description: Every process in a control group and below it.
        type: str
      container:
        description: Every process in a container, by its id, the first 12 digits of it, or its name.
        type: str
      score:
        description: The score, from V(-1000) to V(1000).
        type: int
        required: true
  limit:
    description:
      - Return at most this many events, the newest ones.
      - Unless O(tasks) or O(raw) is set, the events also take up at most 1 MiB.
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
  - C(/dev/kmsg) needs root or CAP_SYSLOG if C(kernel.dmesg_restrict) is 1. The journal needs root or the group
    C(systemd-journal).
  - RV(msg), RV(report) and RV(summary) cover all events that match, also those that O(limit) leaves out. RV(counts) and
    RV(lost) cover all events in the selected time, whatever the filters O(victim), O(unit), O(container),
    O(constraint) and O(killer) select.
  - The module warns whenever RV(counts.unlogged) is not 0, if V(auto) could not read a source, and if no event matches
    a filter but a similar name was killed.
  - If a compressed file is damaged, it is read up to the damage and listed in RV(lost.files). If anything else cannot
    be read, the module fails.
seealso:
  - module: oomguard.linux.oom_trial
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Read the kills since this host booted
  oomguard.linux.oom_events:
  register: oom

- name: Show them in a few lines
  ansible.builtin.debug:
    var: oom.report

- name: Fail if a unit lost a process
  ansible.builtin.assert:
    that: "'postgresql@15-main.service' not in (oom.summary | map(attribute='unit'))"
    fail_msg: "{{ oom.msg }}"

- name: Check whether a container reached its memory limit
  oomguard.linux.oom_events:
    container: web1
    constraint: memcg

- name: Check whether a unit lost a process in the previous boot
  oomguard.linux.oom_events:
    boot: previous
    unit: postgresql@15-main

- name: Find out whether this host rebooted because of a panic
  oomguard.linux.oom_events:
    source: pstore

- name: Read the kernel logs of the last weeks
  oomguard.linux.oom_events:
    paths: [/var/log/kern.log*]

- name: Read the kills of the last hour
  oomguard.linux.oom_events:
    since: -1h

- name: Ask whether pins would have saved the database
  oomguard.linux.oom_events:
    what_if:
      - process: postgres
        score: -500
      - process: backup
        score: 300
  register: oom

- name: Read the kills since the last run of this playbook
  block:
    - name: Load the cursor of the last run
      ansible.builtin.slurp:
        src: /var/lib/oom_events.cursor
      register: saved
      failed_when: false

    - name: Read the events after the cursor
      oomguard.linux.oom_events:
        cursor: "{{ saved.content | default('') | b64decode }}"
      register: oom

    - name: Save the cursor for the next run
      ansible.builtin.copy:
        content: "{{ oom.cursor | default('', true) }}"
        dest: /var/lib/oom_events.cursor
        mode: "0600"
"""

RETURN = r"""
msg:
  description: The run in one line, at most 200 characters. Times are in UTC.
  returned: always
  type: str
  sample: 7 kills in 3 units since 06:00Z (boot), 930 unlogged
report:
  description:
    - The matching events for a person, in at most 15 lines. Times are in UTC, with the date unless it is today's.
    - Equal events, one after another, are one line. If that makes too many lines, all equal events are one, then all
      kills in one unit, container or cgroup, the most frequent first. The last line counts the rest.
    - The first lines say what the log lacks, if anything.
    - Names that contain anything but letters, digits and a few signs are quoted. Long names are cut.
  returned: success
  type: list
  elements: str
  sample:
    - 14:54:58Z  container web1 (69dc3709e8f3) hit its limit of 32 MiB: killed eat[982]
    - 14:55:14-14:55:21Z  shop.service hit its own limit (20 MiB, MemoryMax) 5 times: killed eat
events:
  description:
    - The events, in the order in which they began.
    - All events have the same keys. A value that the log does not record is null.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Identifies the event. The same event has the same id in every run.
      returned: always
      type: str
      sample: 6aaf9458-3b687da3417b9f79
    source:
      description: Where the event was read, as V(journal), V(kmsg), or the path of the file. For pstore it is the path
        of the dump.
      returned: always
      type: str
      sample: journal
    time:
      description:
        - When the event began, as ISO 8601 in UTC.
        - Null if the log lacks the date, the year or the zone. Also null with O(source=kmsg) if the host was suspended
          since boot.
      returned: always
      type: str
      sample: "2026-11-23T04:43:45.649722Z"
    monotonic:
      description: When the event began, in seconds after boot. Null if the log does not record it.
      returned: always
      type: float
      sample: 53.649722
    boot_id:
      description: The boot in which the event happened. Null if the log does not name it.
      returned: always
      type: str
      sample: 6aaf9458705f4b56a35ac8cca67d8f0f
    boot_index:
      description: The boot in which the event happened. V(0) is the last boot in the log, V(-1) the boot before it.
      returned: always
      type: int
      sample: 0
    trusted:
      description:
        - V(true) if the source proves that the kernel wrote the lines, or if journald vouches for the service of the
          killer. C(/dev/kmsg) and the journal do. A file does so only if root alone could have written it, and if each
          line of it has one form that carries the facility (records of C(/dev/kmsg), C(dmesg -x), the journal in JSON
          or export format).
        - V(false) if a program wrote lines that only the kernel writes.
        - Null if the source cannot prove either.
      returned: always
      type: bool
      sample: true
    killer:
      description:
        - What killed. V(kernel), or a program, which is V(systemd-oomd), V(earlyoom), V(nohang), V(oomd), V(lmkd),
          V(lowmemorykiller) or V(talos). V(lowmemorykiller) is the old driver of Android kernels.
        - The journal and log files record the kills of programs.
      returned: always
      type: str
      sample: kernel
    reason:
      description: Why a program killed, V(swap) or V(pressure). Null if it does not log a reason, and for the kernel.
      returned: always
      type: str
      sample: pressure
    signal:
      description: The signal that a program sent. Null if it does not log one, and for the kernel.
      returned: always
      type: str
      sample: SIGTERM
    escalated:
      description: Whether the program sent SIGKILL after SIGTERM had not been enough.
      returned: always
      type: bool
      sample: false
    killed_count:
      description: How many processes died in the cgroup that systemd-oomd chose, as systemd logs it afterwards. Null
        for other killers.
      returned: always
      type: int
      sample: 12
    duplicates:
      description: How many copies of the event were read besides it, as in two log files that hold the same lines.
      returned: always
      type: int
      sample: 0
    outcome:
      description:
        - V(kill) if the kernel killed a process, or if a program killed one or more.
        - V(group_kill) if the kernel killed a whole memory cgroup (C(memory.oom.group)).
        - V(no_killable) if no process could be killed. In a memory cgroup this is not a panic.
        - V(panic) if the kernel panicked instead.
        - V(incomplete) if the log has a report without a kill.
      returned: always
      type: str
      sample: kill
    constraint:
      description:
        - What ran out of memory. V(none) for the host, V(cpuset), V(memory_policy), or V(memcg) for a memory cgroup.
        - Null if the log does not record it.
      returned: always
      type: str
      sample: memcg
    sysrq:
      description: Whether SysRq f requested the kill.
      returned: always
      type: bool
      sample: false
    allocating_task:
      description: Whether C(vm.oom_kill_allocating_task) made the kernel choose the task that allocated.
      returned: always
      type: bool
      sample: false
    trigger:
      description: The task whose allocation failed. Null if the first line of the report is missing.
      returned: always
      type: dict
      contains:
        name:
          description: Name of the task (C(comm)). Kernels before 2.6.19 do not print it.
          returned: always
          type: str
          sample: hog
        pid:
          description: Thread id of the task. Null if the report does not contain it.
          returned: always
          type: int
          sample: 370
        oom_score_adj:
          description: Score adjustment of the task. Null before kernel 2.6.36.
          returned: always
          type: int
          sample: 300
        gfp_mask:
          description: The allocation flags, in hexadecimal.
          returned: always
          type: str
          sample: "0xcc0"
        order:
          description: The size of the allocation. V(0) is one page, V(1) two pages, V(2) four pages. V(-1) is SysRq f.
          returned: always
          type: int
          sample: 0
    memcg:
      description: The memory cgroup that reached its limit, or that a program chose. Null for other constraints.
      returned: always
      type: dict
      contains:
        path:
          description: Path of the memory cgroup.
          returned: always
          type: str
          sample: /system.slice/x.service
        usage_kb:
          description: How much memory it used, in KiB.
          returned: always
          type: int
          sample: 24576
        limit_kb:
          description: Its limit in KiB. Null if it has no limit, or if the log does not record it.
          returned: always
          type: int
          sample: 24576
        failcnt:
          description: How often its usage had reached the limit.
          returned: always
          type: int
          sample: 79
    announced:
      description:
        - The process that a kernel up to 5.0 chose (C(Kill process ... or sacrifice child)). A child of it may have
          died instead.
        - Null for newer kernels.
      returned: always
      type: dict
      contains:
        pid:
          description: Its pid, in the initial pid namespace.
          returned: always
          type: int
          sample: 7
        name:
          description: Its name (C(comm)).
          returned: always
          type: str
          sample: apache2
        score:
          description: Its badness.
          returned: always
          type: int
          sample: 12
    victims:
      description:
        - The processes that died, each once, in the order of the log. RV(events[].victims_count) counts all of them.
        - At most 256 are listed. The newest event lists fewer if it would else be larger than 1 MiB.
        - O(victim), O(unit) and RV(summary) take the first 4096 into account.
      returned: always
      type: list
      elements: dict
      contains:
        pid:
          description: Its pid, in the initial pid namespace. Null if nohang does not log it.
          returned: always
          type: int
          sample: 370
        tid:
          description: The thread that the kernel names instead of the process, if the task table shows that. Else null.
          returned: always
          type: int
          sample: 371
        pid_is_thread:
          description:
            - Whether the kernel names a thread instead of the process. RV(events[].victims[].pid) is the process then.
            - Null if the report has no task table with it. RV(events[].victims[].pid) is what the log says then.
          returned: always
          type: bool
          sample: false
        name:
          description: Its name (C(comm)), with control characters escaped as in the log.
          returned: always
          type: str
          sample: hog
        uid:
          description: Its user, in the initial user namespace.
          returned: always
          type: int
          sample: 0
        score:
          description: Its badness. Kernels up to 5.0 log it, and some programs.
          returned: always
          type: int
          sample: 12
        oom_score_adj:
          description: Its score adjustment.
          returned: always
          type: int
          sample: 300
        total_vm_kb:
          description: Its virtual memory in KiB.
          returned: always
          type: int
          sample: 27140
        anon_rss_kb:
          description: Its resident anonymous memory in KiB.
          returned: always
          type: int
          sample: 24360
        file_rss_kb:
          description: Its resident file mappings in KiB.
          returned: always
          type: int
          sample: 936
        shmem_rss_kb:
          description: Its resident shared memory in KiB.
          returned: always
          type: int
          sample: 0
        rss_kb:
          description: Its whole resident memory in KiB. Null if the line does not contain every part of it.
          returned: always
          type: int
          sample: 25296
        pgtables_kb:
          description: Its page tables in KiB.
          returned: always
          type: int
          sample: 88
        cgroup:
          description: Its memory cgroup, or the cgroup of the group that was killed.
          returned: always
          type: str
          sample: /system.slice/x.service
        unit:
          description: The service of this host's systemd that the cgroup belongs to. Null if there is none.
          returned: always
          type: str
          sample: x.service
        container_id:
          description: The full id of the container that the cgroup belongs to. Null if there is none.
          returned: always
          type: str
          sample: 4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339caaaa
        pod_uid:
          description: The uid of the Kubernetes pod that the cgroup belongs to. Null if there is none.
          returned: always
          type: str
          sample: 0c2f6a1e-6f0b-4b5e-9d3c-2a7f8e1b4c5d
    what:
      description: What the event hit, for a person. It belongs to the first victim, or without one to the cgroup that
        reached its limit.
      returned: always
      type: dict
      contains:
        unit:
          description: The service. Null if there is none.
          returned: always
          type: str
          sample: shop.service
        container:
          description: The full id of the container. Null if there is none.
          returned: always
          type: str
          sample: 4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339caaaa
        container_name:
          description: The name that the container has now, as the engine or the kubelet keeps it. Null if the container
            was removed, and for a container in the cgroup of a user or a service, which could claim any id.
          returned: always
          type: str
          sample: web1
        pod:
          description: The uid of the Kubernetes pod. Null if there is none.
          returned: always
          type: str
          sample: 0c2f6a1e-6f0b-4b5e-9d3c-2a7f8e1b4c5d
        pod_name:
          description: Namespace and name of the pod, as the kubelet keeps them in C(/var/log/pods). Null if it is gone.
          returned: always
          type: str
          sample: shop/web-0
        limit_kb:
          description: The limit that was reached, in KiB. Null if no cgroup reached its limit.
          returned: always
          type: int
          sample: 32768
        text:
          description: The event in one line, without its time.
          returned: always
          type: str
          sample: "container web1 (69dc3709e8f3) hit its limit of 32 MiB: killed eat[982]"
    own_trial:
      description: Whether a trial of this collection made the kernel kill (M(oomguard.linux.oom_trial)).
      returned: always
      type: bool
      sample: false
    victims_count:
      description: How many victims the log names. If RV(events[].victims) is shorter, the others were left out.
      returned: always
      type: int
      sample: 1
    skipped_pids:
      description: Members of a killed group that were already exiting.
      returned: always
      type: list
      elements: int
      sample: [381]
    panic_policy:
      description:
        - The value of C(vm.panic_on_oom) behind a panic, in the kernel's words. V(system-wide) is 1, V(compulsory) is
          2.
        - Null if the setting did not cause a panic.
      returned: always
      type: str
      sample: system-wide
    why:
      description:
        - Why the kernel chose the process, computed from the task table by the rules of the kernel that wrote it, as in
          M(oomguard.linux.oom_info).
        - Null if badness did not decide, and if the log lacks the table, the kernel's release, the size of a page, or
          how much memory there was.
        - Up to 4.16 root's processes count a little less, which a table does not show.
      returned: always
      type: dict
      contains:
        kernel:
          description: Release of the kernel that wrote the report.
          returned: always
          type: str
          sample: 6.1.0-18-amd64
        chosen:
          description: The chosen process. Up to 5.0 a child of it may have died instead.
          returned: always
          type: dict
          contains: &logged_task
            pid:
              description: Its pid.
              returned: always
              type: int
              sample: 2210
            name:
              description: Its name (C(comm)).
              returned: always
              type: str
              sample: java
            oom_score_adj:
              description: Its score adjustment.
              returned: always
              type: int
              sample: 0
            badness_kb:
              description: What the kernel ranked it by, in KiB. Negative if a pin takes more than its memory.
              returned: always
              type: int
              sample: 812340
        badness_kb:
          description: The badness of the chosen process in KiB.
          returned: always
          type: int
          sample: 812340
        runner_up:
          description: The process that would have been chosen without it. Null if there was no other one.
          returned: always
          type: dict
          contains: *logged_task
        margin_kb:
          description: By how much the chosen process was worse. Negative if the kernel passed over the runner-up, as
            one that was already exiting. Null without a runner-up.
          returned: always
          type: int
          sample: 1258291
    what_if:
      description: What the kernel would have chosen with the pins of O(what_if). Null where RV(events[].why) is.
      returned: with O(what_if)
      type: dict
      contains:
        victim:
          description: The process that would have been chosen. Null if none could have been killed.
          returned: always
          type: dict
          contains: *logged_task
        is_other:
          description: Whether that is another process than the chosen one.
          returned: always
          type: bool
          sample: true
        margin_kb:
          description: By how much it would have been worse than the next one. Null if it was the only one.
          returned: always
          type: int
          sample: 204800
        changes:
          description: Up to 50 processes whose score the pins change.
          returned: always
          type: list
          elements: dict
          contains:
            pid:
              description: Its pid.
              returned: always
              type: int
              sample: 700
            name:
              description: Its name (C(comm)).
              returned: always
              type: str
              sample: postgres
            before:
              description: Its score adjustment in the log.
              returned: always
              type: int
              sample: 0
            after:
              description: Its score adjustment with the pins.
              returned: always
              type: int
              sample: -500
        changes_count:
          description: How many processes have another score.
          returned: always
          type: int
          sample: 6
        unanswered:
          description: What the log does not show about targets, each as a sentence.
          returned: always
          type: list
          elements: str
          sample:
            - "unit=web.service: the log does not show which processes were in it: name them by process"
        text:
          description: The answer in one line.
          returned: always
          type: str
          sample: with these pins backup[991] would have been chosen instead of postgres[700]
    tasks_count:
      description: How many rows of the task table are in the log. Null if the log has neither the table nor the
        report's first line.
      returned: always
      type: int
      sample: 15
    tasks:
      description: The task table of the report, the processes that the kernel could choose from.
      returned: with O(tasks=true)
      type: list
      elements: dict
      contains:
        pid:
          description: The pid of the process.
          returned: always
          type: int
          sample: 384
        thread:
          description: The thread id that the kernel prints for the process. Usually the same number as the pid.
          returned: always
          type: int
          sample: 384
        uid:
          description: Its user, in the initial user namespace.
          returned: always
          type: int
          sample: 0
        name:
          description: Its name (C(comm)).
          returned: always
          type: str
          sample: globalhog
        oom_score_adj:
          description: Its score adjustment.
          returned: always
          type: int
          sample: 0
        total_vm_kb:
          description: Its virtual memory in KiB. Null if the report does not reveal the page size.
          returned: always
          type: int
          sample: 224516
        rss_kb:
          description: Its resident memory in KiB. Null if the report does not reveal the page size.
          returned: always
          type: int
          sample: 221272
        swap_kb:
          description: Its swap in KiB. Null if the report does not reveal the page size.
          returned: always
          type: int
          sample: 0
    raw:
      description: The lines of the report, as they were read. Control characters are escaped.
      returned: with O(raw=true)
      type: list
      elements: str
      sample: ["4,1048,163472999,-;nodump invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"]
    complete:
      description: Whether the log has both the first line of the report and its end.
      returned: always
      type: bool
      sample: true
total:
  description: How many events match.
  returned: success
  type: int
  sample: 2
truncated:
  description: Whether RV(events) lacks events that match, because of O(limit) or their size.
  returned: success
  type: bool
  sample: false
counts:
  description: Compares the log with the kernel's own counters.
  returned: success
  type: dict
  contains:
    vmstat_oom_kill:
      description:
        - The kills that the kernel counted since boot (C(oom_kill) in C(/proc/vmstat)).
        - Null before kernel 4.13. Also null unless the run reads the whole current boot from the journal or
          C(/dev/kmsg).
      returned: always
      type: int
      sample: 20
    logged_kills:
      description: The victims of the kernel that the log names.
      returned: always
      type: int
      sample: 17
    unlogged:
      description:
        - The kills that the kernel counted and the log does not explain. In a group kill the kernel counts the chosen
          process twice.
        - Null if RV(counts.vmstat_oom_kill) is.
      returned: always
      type: int
      sample: 2
    unlogged_in:
      description: The existing cgroups that count more kills than the log names in them. Searched only if
        RV(counts.unlogged) is not 0.
      returned: always
      type: list
      elements: dict
      contains:
        cgroup:
          description: Path of the cgroup.
          returned: always
          type: str
          sample: /system.slice/x.service
        oom_kill:
          description: The kills that the cgroup counted (C(memory.events.local), or C(memory.oom_control) in version
            1).
          returned: always
          type: int
          sample: 3
        logged_kills:
          description: The victims in the cgroup that the log names.
          returned: always
          type: int
          sample: 1
    own_trials:
      description: The kills of this collection's own trials, which are left out unless O(own_trials=true).
      returned: always
      type: int
      sample: 2
    untrusted:
      description: The events whose RV(events[].trusted) is V(false).
      returned: always
      type: int
      sample: 1
    undated:
      description: The events left out because of O(since) or O(until), as the log does not record when they happened.
      returned: always
      type: int
      sample: 0
summary:
  description:
    - The kills of the matching events, by process name and by unit, container or cgroup, the most kills first.
    - Includes the kills of programs. At most 1000 rows.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the killed processes. Null if the log does not contain it.
      returned: always
      type: str
      sample: hog
    unit:
      description: The service that they belonged to. Null if there is none.
      returned: always
      type: str
      sample: shop.service
    container:
      description: The full id of the container that they ran in. Null if there is none.
      returned: always
      type: str
      sample: 4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339caaaa
    container_name:
      description: The name of the container, as in RV(events[].what.container_name).
      returned: always
      type: str
      sample: web1
    cgroup:
      description: The cgroup of the unit or container, or else their own. Null if the log does not record it.
      returned: always
      type: str
      sample: /system.slice/shop.service
    killer:
      description: What killed them, as in RV(events[].killer).
      returned: always
      type: str
      sample: kernel
    kills:
      description: How many of them died.
      returned: always
      type: int
      sample: 2
    first:
      description: When the first of these events began, as ISO 8601 in UTC. Null unless the log records it for all.
      returned: always
      type: str
      sample: "2026-11-23T04:43:45.649722Z"
    last:
      description: When the last of these events began.
      returned: always
      type: str
      sample: "2026-11-23T04:45:36.163472Z"
lost:
  description: What is missing from the log.
  returned: success
  type: dict
  contains:
    records:
      description:
        - Records of the ring buffer that were overwritten before they were read.
        - Includes the lines that the kernel, journald or rsyslog log as lost, and entries of the journal that cannot be
          read.
      returned: always
      type: int
      sample: 0
    suppressed_reports:
      description: Reports that the kernel logs as suppressed.
      returned: always
      type: int
      sample: 3
    gap:
      description: Whether the place of O(cursor) no longer exists. Events between that place and the oldest record may
        be lost.
      returned: always
      type: bool
      sample: false
    files:
      description: The files whose rest could not be read, or that lack lines, with the reason.
      returned: always
      type: list
      elements: str
      sample:
        - "/var/log/kern.log.2.gz is cut or damaged: Compressed file ended before the end-of-stream marker was reached"
cursor:
  description: Where the next run starts, for O(cursor). Null with O(source=pstore), with O(until), and if there was
    nothing to read.
  returned: success
  type: str
  sample: "kmsg|6aaf9458705f4b56a35ac8cca67d8f0f|0c3b1f2b36e9411785b1ab3cbd8dba7d:1204|"
pstore_backend:
  description: The pstore backend that would keep the kernel log of a panic for O(source=pstore). Null if none is
    loaded.
  returned: success
  type: str
  sample: ramoops
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    printable,
    printable_name,
    printable_values,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import PIN_SELECTORS, Query


def main() -> None:
    """Read the log, and return its events, counts, losses and the next cursor."""
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
            container=dict(type="str"),
            constraint=dict(type="str", choices=["none", "cpuset", "memory_policy", "memcg"]),
            killer=dict(
                type="str",
                choices=["kernel", "systemd-oomd", "earlyoom", "nohang", "oomd", "lmkd", "lowmemorykiller", "talos"],
            ),
            own_trials=dict(type="bool", default=False),
            tasks=dict(type="bool", default=False),
            raw=dict(type="bool", default=False),
            untrusted=dict(type="bool", default=False),
            what_if=dict(
                type="list",
                elements="dict",
                options=dict(
                    unit=dict(type="str"),
                    process=dict(type="str"),
                    pid=dict(type="int"),
                    cgroup=dict(type="str"),
                    container=dict(type="str"),
                    score=dict(type="int", required=True),
                ),
                mutually_exclusive=[PIN_SELECTORS],
                required_one_of=[PIN_SELECTORS],
            ),
            limit=dict(type="int", default=100),
        ),
        supports_check_mode=True,
    )
    try:
        facts = gather(Query(**module.params), Procfs())
    except OomError as error:
        module.fail_json(msg=printable(str(error)))
    for warning in facts.pop("warnings"):
        module.warn(printable_name(warning))
    module.exit_json(changed=False, **printable_values(facts))


if __name__ == "__main__":
    main()
