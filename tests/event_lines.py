# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole reports of a kernel 6.1 in several formats, and the events that are parsed from them."""

import struct

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

ID = "69dc3709e8f3" + "0" * 52
DOCKER = f"/system.slice/docker-{ID}.scope"
POD_UID = "12345678-9abc-def0-1234-56789abcdef0"
POD = f"/kubepods.slice/kubepods-pod{POD_UID.replace('-', '_')}.slice"
SHOP = "/system.slice/shop.service"
SESSION = "/user.slice/user-1000.slice/session-4.scope"
CAUSES = {"none": "NONE", "cpuset": "CPUSET", "memory_policy": "MEMORY_POLICY", "memcg": "MEMCG"}
ORIGINS = {
    "none": "Out of memory",
    "cpuset": "Out of memory (oom_kill_allocating_task)",
    "memory_policy": "Out of memory",
    "memcg": "Memory cgroup out of memory",
}


def kill_line(pid, name, cause="memcg"):
    return (
        f"{ORIGINS[cause]}: Killed process {pid} ({name}) total-vm:27140kB, anon-rss:24360kB, file-rss:936kB, "
        "shmem-rss:0kB, UID:0 pgtables:88kB oom_score_adj:0"
    )


def report(pid=982, name="eat", limit=SHOP, task=None, cause="memcg", limit_kb=20480, end=None, order=0, group=()):
    """Return the texts of one report; with C(end) its last line instead of a kill."""
    lines = [f"{name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order={order}, oom_score_adj=0"]
    if cause == "memcg" and limit_kb:
        lines.append(f"memory: usage {limit_kb}kB, limit {limit_kb}kB, failcnt 79")
        lines.append(f"Memory cgroup stats for {limit}:")
    if end is None:
        where = f"oom_memcg={limit}" if cause == "memcg" else "global_oom"
        lines.append(
            f"oom-kill:constraint=CONSTRAINT_{CAUSES[cause]},nodemask=(null),cpuset=/,mems_allowed=0,{where},"
            f"task_memcg={task or limit},task={name},pid={pid},uid=0"
        )
        lines.append(kill_line(pid, name, cause))
        if group:
            lines.append(f"Tasks in {task or limit} are going to be killed due to memory.oom.group set")
            lines += [kill_line(one, name, cause) for one in [pid, *group]]
    return lines + ([end] if end else [])


def explained(
    *rows,
    victim=None,
    release="6.1.0-18-amd64",
    ram=1000000,
    constraint=None,
    origin=None,
    limit=SHOP,
    task=None,
    limit_kb=None,
    swap=None,
    total_vm_kb=240000,
    columns=True,
    kill=True,
):
    """Return the texts of a report with a task table, and all that explains its victim.

    A row is a pid, a name, resident pages and a score. The first process dies, besides init.
    With C(limit_kb) a memory cgroup reached its limit, else the host ran out of memory.
    """
    victim = victim or next(pid for pid, *_facts in rows if pid != 1)
    name = next((name for pid, name, *_facts in rows if pid == victim), "x")
    lines = ["java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"]
    if release:
        lines.append(f"CPU: 0 PID: 77 Comm: java Not tainted {release} #1 Debian")
    if limit_kb:
        lines += [f"memory: usage {limit_kb}kB, limit {limit_kb}kB, failcnt 7", *([swap] if swap else [])]
    elif ram:
        lines += ["Total swap = 40000kB", f"{ram} pages RAM", "10000 pages reserved"]
    if columns:
        lines.append("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
    lines += [f"[{pid:7}] 0 {pid} 60000 {pages} 0 0 {score} {comm}" for pid, comm, pages, score in rows]
    kind = constraint or ("MEMCG" if limit_kb else "NONE")
    where = f"oom_memcg={limit}" if limit_kb else "global_oom"
    lines.append(
        f"oom-kill:constraint=CONSTRAINT_{kind},nodemask=(null),cpuset=/,mems_allowed=0,{where},"
        f"task_memcg={task or limit},task={name},pid={victim},uid=0"
    )
    if kill:
        origin = origin or ("Memory cgroup out of memory" if limit_kb else "Out of memory")
        lines.append(f"{origin}: Killed process {victim} ({name}) total-vm:{total_vm_kb}kB, anon-rss:1kB, file-rss:0kB")
    return lines


def kmsg(reports, uptime=53.0, step=1.0):
    """Return the reports as lines of /dev/kmsg, one every C(step) seconds."""
    lines, number = [], 1
    for at, texts in enumerate(reports):
        for text in texts:
            lines.append(f"4,{number},{int((uptime + at * step) * 1000000)},-;{text}")
            number += 1
    return lines


def stamped(reports, day="2026-11-28", hour=14, step=1):
    """Return the reports as lines of journalctl --output=short-iso, one every C(step) seconds."""
    lines = []
    for at, texts in enumerate(reports):
        seconds = hour * 3600 + at * step
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        lines += [f"{day}T{clock}+0000 host kernel: {text}" for text in texts]
    return lines


def export_entry(fields):
    """Return an entry as journalctl --output=export writes it, in bytes.

    A value that has a line end comes with its size.
    """
    entry = b""
    for name, value in fields.items():
        content = value if isinstance(value, bytes) else value.encode()
        sized = b"\n" + struct.pack("<Q", len(content)) + content
        entry += name.encode() + (sized if b"\n" in content else b"=" + content) + b"\n"
    return entry + b"\n"


def events_of(lines):
    """Return the events of these lines, as the collector counts them."""
    return [dict(event, own_trial=False) for event in parse_events(parse_lines(lines))]
