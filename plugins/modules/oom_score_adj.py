#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pin processes and services against the OOM killer: documentation, argument spec, one call."""

DOCUMENTATION = r"""
module: oom_score_adj
short_description: Pin processes and services against the OOM killer, now and after a restart
version_added: 1.0.0
description:
  - Sets C(/proc/PID/oom_score_adj), which makes the kernel's OOM killer prefer or spare a process, and reads it back.
  - For a unit it also writes a drop-in, so that the unit's next process has the score from its start.
  - The write is safe against pid reuse. A process is looked up, checked and written through one open C(/proc/PID)
    directory, so a process that took over the pid of another one is never touched.
  - All targets are looked up before anything is written. If one write fails, all earlier writes are put back.
  - The scores are read again a moment after the last write. A process that has changed its own score by then is named
    in a warning.
  - Processes forked later inherit the score. See O(children).
options:
  unit:
    description:
      - A systemd service, by its name or an alias, with or without C(.service). Its main process is pinned, see
        O(children).
      - A unit that exists but does not run gets its drop-in.
      - V(postgresql@*) stands for all instances of a template that systemd has started, or that another unit wants. One
        that another target names is not among them. Instances that are made later are pinned by the next run.
    type: str
  process:
    description:
      - Every process with exactly this name (the C(comm) of proc(5), at most 15 bytes), or with an executable of this
        base name.
      - Any user can run a program under any name. So a process that an ordinary user could have put there is passed
        over, unless its score is raised, see O(users).
    type: str
  pattern:
    description:
      - Every process whose command line matches this regular expression anywhere. Arguments are joined by blanks.
      - The module itself and the processes that started it never match.
      - A process that an ordinary user could have put there is passed over, as with O(process). So is a process whose
        command line takes longer than half a second to search.
    type: str
  pid:
    description:
      - One process, by its pid.
    type: int
  pidfile:
    description:
      - One process, by the pid in this file.
      - The file must be a regular file that no ordinary user could have written, in folders of which the same is true.
        If it or a folder belongs to a system user, the process must run as that user. A file of a user in O(users)
        may only name processes of that user.
      - A process that began after the file was written is passed over, and so is what O(process) passes over.
    type: path
  cgroup:
    description:
      - Every process in this control group and in the groups below it. Write the path from the root of the hierarchy,
        such as V(/system.slice/docker.service).
      - The group is read again until every process has the score, so forks in between are not missed.
    type: str
  container:
    description:
      - Every process in a running container of Docker, podman or a CRI runtime, by the container's id or name.
        The first 12 digits of the id are enough.
      - Names work for Docker, if its socket answers, and for podman. Neither client has to be installed.
      - A container of an ordinary user (rootless podman) is selected only with that user in O(users).
    type: str
  machine:
    description:
      - Every process in a running machine that systemd-machined knows, by the name that C(machinectl list) shows. These
        are containers of systemd-nspawn, and guests of libvirt.
      - Select other machines by O(cgroup), such as V(/qemu.slice/100.scope) for a guest of Proxmox VE, V(/lxc/101) for
        a container of it, and V(/lxc.payload.web1) for an instance of Incus or LXD.
      - Such a pin ends with the machine.
    type: str
  user_unit:
    description:
      - A service of the service manager of a user, as C(systemctl --user) shows it. Its main process is pinned, see
        O(children).
      - Root sets the score of the running process. A drop-in holds it for the next start. It is written with the rights
        of the user where the folder belongs to the user.
      - The manager of a user has the score V(100), and no right to lower one. So its services never start with less,
        whatever their C(OOMScoreAdjust). RV(targets[].effective_after_restart) is what the service will have, and
        RV(targets[].survives) is what the pin outlasts. A warning says how to make it last.
      - A user who is not logged in and does not linger (C(loginctl enable-linger)) has no manager. Then the drop-in is
        for the next login.
    type: dict
    suboptions:
      user:
        description: The login name of the user.
        type: str
        required: true
      unit:
        description: The service, by its name, with or without C(.service).
        type: str
        required: true
      scope:
        description:
          - V(user) writes the drop-in below the user's C(~/.config/systemd/user), where the user can change it.
          - V(all_users) writes it to C(/etc/systemd/user), for every user who has a service of this name.
        type: str
        choices: [user, all_users]
        default: user
  users:
    description:
      - Login names of users whose processes may be selected too by O(process), O(pattern), O(pidfile) and O(container).
      - These selectors never lower the score of a process that an ordinary user could have put there. Such a process
        runs as a login user (C(UID_MIN) of C(/etc/login.defs) and above), in the slice or a login of one, or in a
        container; or its executable is not a file of this host that belongs to root and that only root may write, or a
        folder above it belongs to another user or may be written by all users.
      - Any user can run a set-uid program such as sudo under any name. Name V(root) to select a daemon with such a
        program, such as exim, or with a program that another group may write.
      - A name that does not exist on a host counts as a missing target, see O(missing).
      - What was passed over is in RV(targets[].skipped_foreign). A warning reports it if nothing else matched.
      - Select a process in a container by O(container) or O(cgroup). O(unit), O(cgroup) and O(pid) need no O(users).
      - Without root, the caller's own processes can be selected without this option.
      - O(users) next to O(targets) applies to all of them.
    type: list
    elements: str
  score:
    description:
      - From V(-1000), never chosen, to V(1000), chosen first. Required unless O(state=absent).
      - Lowering a score needs CAP_SYS_RESOURCE on the host itself. Being root in a container is not enough.
    type: int
  state:
    description:
      - V(absent) removes our part of the drop-in and the score of the processes. A process that was pinned without a
        drop-in gets the score that it had before. Any other gets the score that its unit gives, or else the score of
        its parent in the same cgroup, or V(0).
      - Of a unit, only processes with the drop-in's score are changed. A process that set its own score keeps it.
    type: str
    choices: [present, absent]
    default: present
  persistent:
    description:
      - Whether to write a drop-in for O(unit) or O(user_unit), which is the default there. Other selectors have nothing
        that lasts.
    type: bool
  oom_policy:
    description:
      - C(OOMPolicy) of the unit, in the same drop-in.
      - With V(stop), the policy of most services, systemd stops the whole unit when any process in it is killed, the
        pinned one included. With V(kill) the kernel kills all of them together.
      - systemd before 243 always continues, so V(stop) and V(kill) are refused there.
    type: str
    choices: [continue, stop, kill]
  managed_oom_preference:
    description:
      - C(ManagedOOMPreference) of the unit, in the same drop-in. systemd-oomd kills whole control groups, and goes by
        this instead of scores, which it never reads.
      - With V(avoid) it kills the unit only if nothing else is left to kill, with V(omit) never. V(none) is systemd's
        default.
      - It takes effect at once, and is read back from the attributes of the unit's control group. Control groups below
        that of the unit, as with C(Delegate=yes), do not inherit it.
      - systemd before 248 does not have it, so this option is refused there.
    type: str
    choices: [none, avoid, omit]
  children:
    description:
      - What to do with processes that the selected ones started, or that run in the cgroup of the unit.
      - V(report) lists those that inherited the score.
      - V(reset) sets these back to V(0), or to the score of their own unit. This does not last, because processes
        started later inherit the score again.
      - V(pin) gives all of them the same score.
      - V(reset) and V(pin) are repeated until no process with another score is left.
    type: str
    choices: [report, reset, pin]
    default: report
  missing:
    description:
      - What to do if the unit does not exist or is masked, or no process matches.
    type: str
    choices: [fail, warn, ignore]
    default: fail
  force:
    description:
      - Override a refusal. The module refuses to pin pid 1, and a daemon that manages its own score, such as sshd. It
        refuses a score below V(0) for what starts logins, such as getty, a display manager, tmux, su or
        C(user@1000.service). It refuses immunity for a daemon that starts jobs, such as cron, and what goes below
        O(min_killable_percent).
      - Also accept a O(pidfile) that is older than its process, as after a clock was set.
    type: bool
    default: false
  targets:
    description:
      - Many targets in one call, each with the same options as above.
      - The module refuses two targets that select the same process with different scores.
      - O(force) next to O(targets) applies to all of them.
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
      machine:
        description: See O(machine).
        type: str
      user_unit:
        description: See O(user_unit).
        type: dict
        suboptions:
          user:
            description: See O(user_unit.user).
            type: str
            required: true
          unit:
            description: See O(user_unit.unit).
            type: str
            required: true
          scope:
            description: See O(user_unit.scope).
            type: str
            choices: [user, all_users]
            default: user
      users:
        description: See O(users).
        type: list
        elements: str
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
      managed_oom_preference:
        description: See O(managed_oom_preference).
        type: str
        choices: [none, avoid, omit]
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
  all_pins:
    description:
      - With O(state=absent), take back every pin that this collection has set on the host and that is still there.
        Leave out all selectors and O(targets).
      - Drop-ins are found by their header, in C(/etc/systemd/system) and C(/run/systemd/system), also those of units
        that no longer exist. So are those of services of users, in C(/etc/systemd/user), and below the home folders of
        users who are logged in, linger, or are in C(/var/lib/oomguard/homes). Runs of root keep the users with such
        drop-ins there, and only root can open it.
      - Live scores of other pins are found in a record in C(/run/oomguard), which only root can open.
      - Processes that inherited such a score lose it, as with O(children=reset).
      - Check mode lists everything first, in RV(report) and in the diff.
    type: bool
  min_killable_percent:
    description:
      - Refuse to make a process immune (V(-1000)) if killable processes would then hold less than this share of the
        used memory. Without a killable process the kernel panics, and a memory cgroup hangs at its limit.
    type: int
    default: 10
  other_killers:
    description:
      - What to do about killers other than the kernel, which may not go by scores.
      - With V(protect), a unit that is pinned at V(-999) or V(-1000) gets O(managed_oom_preference=omit), and one at
        V(-500) or lower V(avoid), unless its target has a preference. systemd before 248 has no preferences, and
        nothing is written there.
      - Where earlyoom runs with C(--sort-by-rss), it ignores scores. With V(protect), a drop-in of ours adds the
        programs of units at V(-500) or lower to its C(--ignore), and earlyoom is restarted. These are the programs that
        are pinned now, so a unit that does not run gets its turn in a later run. The drop-in is one more entry of
        RV(targets). earlyoom knows names alone, so a user's program of that name is spared, too. The kernel still goes
        by scores.
      - nohang goes by scores, and can have no fragment of ours.
      - V(report) adds nothing of that, and RV(not_binding) has the pins that such killers do not go by. After a run
        with V(protect), it takes back for its targets what that run told such killers; a target keeps its own
        O(managed_oom_preference). What other targets have stays, and earlyoom is restarted only if a program goes.
      - O(state=absent) takes all of that back, whatever this option is.
    type: str
    choices: [report, protect]
    default: report
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
notes:
  - The kernel copies a write to other processes that share the address space of the target (C(CLONE_VM)).
  - The drop-in is C(/etc/systemd/system/UNIT.d/60-oomguard.conf). The module owns its C(OOMScoreAdjust), C(OOMPolicy)
    and C(ManagedOOMPreference) and keeps every other line. A header above these marks them as ours. Other drop-ins are
    never touched. The folder is removed with the drop-in if nothing else is in it.
  - The drop-in of earlyoom is C(/etc/systemd/system/earlyoom.service.d/zz-oomguard.conf), see O(other_killers). All of
    it is ours.
  - Check mode fails where a run would fail, with C(would fail) and the message of the run. That covers a missing
    C(become) and a missing CAP_SYS_RESOURCE.
  - The module reads all units from systemd in one call, and reloads systemd once if a drop-in changed. No unit is
    restarted.
  - Only one run of this collection writes on a host at a time; others wait for it. SIGTERM, SIGINT and SIGHUP put back
    what the run has changed. What a killed run left is removed by the next one.
  - A single process never costs other targets their pins. If it forks without end or sets its own score, a warning
    names it.
  - On a host without systemd, units cannot be selected. Pin running processes with another selector, and let the init
    script or the container engine set the score at the next start.
seealso:
  - module: oomguard.linux.oom_trial
  - name: proc(5)
    description: The manual page that describes oom_score_adj.
    link: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
  - name: systemd.service(5)
    description: The manual page that describes OOMPolicy.
    link: https://man7.org/linux/man-pages/man5/systemd.service.5.html
  - name: systemd.resource-control(5)
    description: The manual page that describes ManagedOOMPreference.
    link: https://man7.org/linux/man-pages/man5/systemd.resource-control.5.html
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Pin the container engine, also after its next restart
  oomguard.linux.oom_score_adj:
    unit: docker
    score: -500

- name: Pin several daemons in one round trip, some of them not on every host
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

- name: Keep cron running when one of its jobs is killed, and unpin the jobs that run now
  oomguard.linux.oom_score_adj:
    unit: cron
    score: -300
    oom_policy: continue
    children: reset

- name: Keep the database away from the kernel's killer and from systemd-oomd
  oomguard.linux.oom_score_adj:
    unit: postgresql@15-main
    score: -900
    managed_oom_preference: omit

- name: Let the pins count for systemd-oomd, and for an earlyoom that goes by size
  oomguard.linux.oom_score_adj:
    targets:
      - {unit: containerd, score: -999}
      - {unit: mariadb, score: -600}
    other_killers: protect

- name: Pin a program that a login user runs, on purpose
  oomguard.linux.oom_score_adj:
    process: batch-server
    users: [deploy]
    score: -300

- name: Let a machine of systemd-nspawn or libvirt die late
  oomguard.linux.oom_score_adj:
    machine: web1
    score: -300

- name: Pin a service of a user's own service manager
  oomguard.linux.oom_score_adj:
    user_unit:
      user: deploy
      unit: shop
    score: -300

- name: Remove the pin of the container engine
  oomguard.linux.oom_score_adj:
    unit: docker
    state: absent

- name: Take back every pin that this collection has set on this host
  oomguard.linux.oom_score_adj:
    all_pins: true
    state: absent
"""

RETURN = r"""
msg:
  description: One line for a person, of at most 200 characters. For a single target it is the target's line. In check
    mode it ends with RV(next_victim).
  returned: always
  type: str
  sample: "dockerd[287]: 0 -> -500, drop-in written"
report:
  description: One line for each target, changed ones first if there are many. At most 12 lines. In check mode the last
    one is RV(next_victim).
  returned: success
  type: list
  elements: str
  sample:
    - "dockerd[287]: 0 -> -500, drop-in written (docker.service)"
    - "shop.service is not running: pinned from its next start"
not_lasting:
  description:
    - Pins that do not last. Another drop-in overrides them, or no drop-in holds them, or children have inherited the
      score. Reported in every run, whether or not it changed anything.
    - A unit with O(persistent=false) is not listed for that, because such a pin was asked for. The pin of any other
      selector is listed with O(persistent=false), too, because nothing can hold it.
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The selector and its value.
      returned: success
      type: str
      sample: unit=redis-server.service
    unit:
      description: The unit of the target. Null for none or several.
      returned: success
      type: str
      sample: redis-server.service
    reason:
      description:
        - Why it does not last, such as C(99-colleague.conf wins), C(inherited by 2 children), C(has no unit) or C(not
          by its unit docker.service).
      returned: success
      type: str
      sample: 99-colleague.conf wins
not_binding:
  description:
    - Pins that a killer other than the kernel does not go by, and which runs on this host. A warning has the line to
      paste. Reported in every run, whether or not it changed anything.
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The selector and its value.
      returned: success
      type: str
      sample: unit=redis-server.service
    unit:
      description: The unit of the target. Null for other selectors.
      returned: success
      type: str
      sample: redis-server.service
    killer:
      description: The killer, such as V(systemd-oomd).
      returned: success
      type: str
      sample: systemd-oomd
    reason:
      description: Why the pin does not count for it.
      returned: success
      type: str
      sample: systemd-oomd never reads scores
targets:
  description:
    - One entry for each target, in the order of the call.
    - With O(all_pins), one entry for each drop-in, and one for all recorded processes together.
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The selector and its value.
      returned: success
      type: str
      sample: unit=docker.service
    unit:
      description: The selected service, or the one that all selected processes run in. Null for none or several.
      returned: success
      type: str
      sample: docker.service
    container_id:
      description: Id of the selected container. Null for other selectors.
      returned: success
      type: str
      sample: 69dc3709e8f3e0f2d5b3a2f0f5a5ef3f3c6a5b0f9f4e7f1f3b2c1d0e9f8a7b6c
    container_name:
      description: Name of the selected container. Null for other selectors, and if no engine reports one.
      returned: success
      type: str
      sample: web1
    found:
      description: Whether the unit exists or any process matched.
      returned: success
      type: bool
      sample: true
    changed:
      description: Whether any score or the drop-in changed, or would change in check mode.
      returned: success
      type: bool
      sample: true
    vanished:
      description: Number of matching processes that ended before their score could be written.
      returned: success
      type: int
      sample: 0
    processes:
      description: The pinned processes.
      returned: success
      type: list
      elements: dict
      contains:
        pid:
          description: Process id.
          returned: success
          type: int
          sample: 956
        name:
          description: Name of the process, its C(comm).
          returned: success
          type: str
          sample: dockerd
        start_time:
          description: Start of the process in clock ticks after boot. Together with the pid it identifies the process.
          returned: success
          type: int
          sample: 2301
        before:
          description: Score before.
          returned: success
          type: int
          sample: 0
        after:
          description: Score after, read back from the kernel. In check mode the score that would be written.
          returned: success
          type: int
          sample: -500
    skipped_foreign:
      description:
        - Processes that matched, but were passed over, because an ordinary user could have put them there. At most 100.
      returned: success
      type: list
      elements: dict
      contains:
        pid:
          description: Process id.
          returned: success
          type: int
          sample: 4712
        name:
          description: Name of the process, its C(comm).
          returned: success
          type: str
          sample: containerd
        uid:
          description: Effective user id. Null if it was not read.
          returned: success
          type: int
          sample: 1000
        why:
          description: What an ordinary user could have done.
          returned: success
          type: str
          sample: it runs as uid 1000 (alice)
    inherited:
      description:
        - Processes that have the old or new score from a pinned one, because it started them or because they run in
          the cgroup of the unit.
        - With O(children=pin) such processes are in RV(targets[].processes) instead. For a unit these are the
          processes in its cgroup.
      returned: success
      type: list
      elements: dict
      contains:
        pid:
          description: Process id.
          returned: success
          type: int
          sample: 4711
        name:
          description: Name of the process, its C(comm).
          returned: success
          type: str
          sample: bash
        start_time:
          description: Start of the process in clock ticks after boot.
          returned: success
          type: int
          sample: 99120
        score:
          description: Score before.
          returned: success
          type: int
          sample: -500
        after:
          description: Score after. It differs only with O(children=reset).
          returned: success
          type: int
          sample: -500
    drop_in:
      description: The drop-in of the unit. Null for other selectors, and with O(persistent=false).
      returned: success
      type: dict
      contains:
        path:
          description: Path of the file.
          returned: when there is a drop-in
          type: str
          sample: /etc/systemd/system/docker.service.d/60-oomguard.conf
        before:
          description: Text before. Null if there was no file.
          returned: when there is a drop-in
          type: str
          sample: "[Service]\nOOMScoreAdjust=-300\n"
        after:
          description: Text after. Null if there is no file.
          returned: when there is a drop-in
          type: str
          sample: "[Service]\nOOMScoreAdjust=-500\n"
    effective_after_restart:
      description:
        - The score that all files of the unit give to its next main process. Null for other selectors.
        - Of O(user_unit) it is the score that the next start really has, which is never below that of the manager.
        - A drop-in with a later name overrides ours. This value then differs from O(score), and a warning reports it.
      returned: success
      type: int
      sample: -500
    managed_oom_preference:
      description:
        - What systemd-oomd does with the unit by all its files, V(none), V(avoid) or V(omit). A drop-in with a later
          name overrides ours, and a warning reports that.
        - Null for other selectors, and with systemd before 248.
      returned: success
      type: str
      sample: omit
    restart_required:
      description:
        - Whether the pin takes effect only at the next start of the unit, which runs but has no process to write to.
        - A new O(oom_policy) or O(managed_oom_preference) needs no restart. systemd applies it when it reloads.
      returned: success
      type: bool
      sample: false
    survives:
      description: What the pin of a O(user_unit) outlasts. Null for other selectors, and with O(state=absent).
      returned: success
      type: dict
      contains:
        restart:
          description: A restart of the service, while the manager of the user runs.
          returned: when it is not null
          type: bool
          sample: false
        logout:
          description: The last logout of the user. The process goes on, because the user lingers.
          returned: when it is not null
          type: bool
          sample: true
        login:
          description: A new start of the manager, at the next login.
          returned: when it is not null
          type: bool
          sample: false
        reboot:
          description: A reboot of the host.
          returned: when it is not null
          type: bool
          sample: false
killable:
  description: Resident memory of all processes once this is done, by whether the killer may choose them.
  returned: success
  type: dict
  contains:
    percent:
      description: Share of C(killable_kb) in the sum of both. 100 if the sum is 0.
      returned: success
      type: int
      sample: 98
    killable_kb:
      description: Memory of the processes that the killer may choose, in KiB.
      returned: success
      type: int
      sample: 812000
    immune_kb:
      description: Memory of the processes at V(-1000) and of pid 1, in KiB.
      returned: success
      type: int
      sample: 13000
next_victim:
  description:
    - What the kernel would kill next if the host ran out of memory, now and once this is done, as in
      M(oomguard.linux.oom_info).
    - Null outside of check mode, and if nothing would change. Also null if no rule is known for the kernel, or not all
      processes of the host are seen, as in a container.
  returned: success
  type: dict
  contains:
    now:
      description: The next victim as things are. Null if nothing can be killed, or the kernel would do something else.
      returned: in check mode
      type: dict
      contains: &victim
        pid: &pid
          description: Its pid.
          returned: success
          type: int
          sample: 812
        name: &name
          description: Its name.
          returned: success
          type: str
          sample: dockerd
        unit: &unit
          description: The systemd service that it runs in. Null outside of one, and for services of users.
          returned: success
          type: str
          sample: docker.service
        container: &container
          description: First 12 digits of the id of its container. Null outside of one.
          returned: success
          type: str
          sample: null
        score:
          description: Its C(oom_score_adj).
          returned: success
          type: int
          sample: 0
        certain:
          description: Whether the bounds of the victim and of every other process are apart.
          returned: success
          type: bool
          sample: true
        margin_kb:
          description: By how much it is worse than the next process, in KiB. Null if it is the only one.
          returned: success
          type: int
          sample: 204800
        group:
          description: Up to 50 processes that die with it, because their cgroup has C(memory.oom.group) set.
          returned: success
          type: list
          elements: dict
          contains:
            pid: *pid
            name: *name
            unit: *unit
            container: *container
        group_count:
          description: How many processes die with it.
          returned: success
          type: int
          sample: 0
    with_pins:
      description: The next victim once this is done. Null as for RV(next_victim.now).
      returned: in check mode
      type: dict
      contains: *victim
    text:
      description: Both in one line, each marked if it is not certain. Null if nothing dies, now or then.
      returned: in check mode
      type: str
      sample: next victim now dockerd[812] (docker.service), with these pins java[2210]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import end_module
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.answer import answer_pins
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import (
    PIN_OPTIONS,
    PIN_RULES,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=PIN_OPTIONS,
        supports_check_mode=True,
        **PIN_RULES,
    )
    end_module(module, answer_pins(module.params, module.check_mode))


if __name__ == "__main__":
    main()
