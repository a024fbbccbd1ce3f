# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build an event from a report of the kernel, or from a kill by a program.

Pure. Every event has the same keys; a value that the log does not show is None.
"""

import hashlib
from typing import Any, Dict, List, Optional, Sequence, Union, cast

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_of, pod_of, unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.explanation import build_why, explain_choice
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Announcement, Kill
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.summary import drop_cut_path, to_unsigned
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import split_task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_table import TaskTable, read_integer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import (
    DRIVERS,
    ProgramKill,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.what_if import LoggedPin, build_what_if

_CONSTRAINTS = {"NONE": "none", "CPUSET": "cpuset", "MEMORY_POLICY": "memory_policy", "MEMCG": "memcg"}
_ORIGIN_CONSTRAINTS = {
    "Memory cgroup out of memory": "memcg",
    "No available memory (MPOL_BIND)": "memory_policy",
    "No available memory in cpuset": "cpuset",
}

Event = Dict[str, Any]


def build_kernel_event(report: Report, tasks: bool = False, raw: bool = False, pins: Sequence[LoggedPin] = ()) -> Event:
    """Build the event of a report, with the task table and the log lines if wanted.

    With C(pins) it also says what would have died with them.
    """
    table = TaskTable(report)
    victims = _build_victims(report, table)
    header = report.header
    constraint = _find_constraint(report)
    announcement = report.announcement
    explanation = explain_choice(report, table, constraint)
    memcg = _build_memcg(report) if constraint == "memcg" else None
    facts: Dict[str, Any] = dict(
        source=report.first.place.source if report.first.place else None,
        time=report.first.time,
        monotonic=report.first.monotonic,
        boot_id=report.first.boot,
        boot_index=None,
        trusted=report.first.trusted,
        killer="kernel",
        reason=None,
        signal=None,
        escalated=False,
        killed_count=None,
        duplicates=0,
        outcome=_find_outcome(report, victims),
        constraint=constraint,
        sysrq=report.sysrq or bool(header and header.order == -1),
        allocating_task=any("oom_kill_allocating_task" in one.origin for one in _list_origins(report)),
        trigger=None
        if header is None
        else dict(
            name=header.name,
            pid=report.trigger_pid,
            oom_score_adj=header.oom_score_adj,
            gfp_mask=header.gfp_mask,
            order=header.order,
        ),
        memcg=memcg,
        announced=None
        if announcement is None
        else dict(pid=announcement.pid, name=announcement.name, score=announcement.score),
        victims=victims,
        victims_count=len(victims) + report.more_kills,
        skipped_pids=report.skipped_pids,
        panic_policy=report.panic.policy if report.panic else None,
        why=build_why(explanation),
        tasks_count=table.count if header or table.count else None,
        complete=header is not None and not report.has_no_end(),
    )
    if tasks:
        facts["tasks"] = [_build_task(thread, values, table.page_kb) for thread, values in table.iterate_rows()]
    if raw:
        facts["raw"] = report.raw
    if pins:
        victim = victims[0]["cgroup"] if victims else None
        facts["what_if"] = build_what_if(explanation, pins, memcg["path"] if memcg else None, victim)
    facts["id"] = _make_id(facts)
    return facts


def build_program_event(
    kill: ProgramKill, tasks: bool = False, raw: bool = False, pins: Sequence[LoggedPin] = ()
) -> Event:
    """Build the event of a kill by a program, with the same keys as the kernel's.

    It is trusted only if journald vouches that this program wrote the line. A driver is a part of
    the kernel, and trusted like it.
    """
    trusted = kill.record.trusted if kill.killer in DRIVERS else True if kill.record.vouched else None
    report = Report(kill.record._replace(trusted=trusted), kill.number)
    report.add_line(kill.record, raw)
    for pid, name in kill.members or ([] if kill.cgroup else [(kill.pid, kill.name)]):
        # nohang may print no pid; a kill by the kernel always has one, as its type states.
        report.add_kill(Kill("", cast(int, pid), name, kill.uid, {}, kill.oom_score_adj, kill.score))
    facts = build_kernel_event(report, tasks, raw, pins)
    for victim in facts["victims"]:
        victim["rss_kb"] = kill.rss_kb
    facts.update(
        killer=kill.killer,
        reason=kill.reason,
        signal=kill.signal,
        escalated=kill.escalated,
        killed_count=kill.killed_count,
        outcome="kill",
        memcg=dict(path=kill.cgroup, usage_kb=None, limit_kb=None, failcnt=None) if kill.cgroup else None,
        complete=True,
    )
    facts["id"] = _make_id(facts)
    return facts


def _list_origins(report: Report) -> List[Union[Kill, Announcement]]:
    return report.kills + ([report.announcement] if report.announcement else [])


def _find_outcome(report: Report, victims: List[Dict[str, Any]]) -> str:
    if report.panic:
        return "panic"
    if report.nothing_killable:
        return "no_killable"
    if report.is_group:
        return "group_kill"
    return "kill" if victims else "incomplete"


def _find_constraint(report: Report) -> Optional[str]:
    """Return the constraint by evidence; None if there is none, or if it contradicts itself.

    5.0 to 5.2 always print CONSTRAINT_NONE, and earlier kernels do not print the constraint. But
    all that print it also print whether a memory cgroup reached its limit.
    """
    by_origin = [_ORIGIN_CONSTRAINTS[one.origin] for one in _list_origins(report) if one.origin in _ORIGIN_CONSTRAINTS]
    summary = report.summary
    if summary and summary.is_global is not None:
        printed = _CONSTRAINTS.get(summary.constraint)
        if summary.is_global:
            return None if "memcg" in [printed, *by_origin] else printed
        return "memcg" if printed in ("memcg", "none") else None
    if by_origin:
        return by_origin[0]
    if report.limit.memcg or report.stats:  # if nothing can be killed there is no summary
        return "memcg"
    return _CONSTRAINTS.get(summary.constraint) if summary else None


def _build_memcg(report: Report) -> Dict[str, Any]:
    usage = report.usage
    paths = [
        report.summary.memcg if report.summary else None,
        report.limit.memcg,
        report.stats.memcg if report.stats else None,
    ]
    return dict(
        path=drop_cut_path(next(filter(None, paths), None)),
        usage_kb=usage.usage_kb if usage else None,
        limit_kb=usage.limit_kb if usage else None,
        failcnt=usage.failcnt if usage else None,
    )


def _build_victims(report: Report, table: TaskTable) -> List[Dict[str, Any]]:
    """Return the victims in the order of the log, each once."""
    if not report.kills:
        summary = report.summary
        if summary is None or summary.pid is None or report.announcement or report.panic or report.nothing_killable:
            return []
        # Only the summary is left, as after a search for "oom-kill".
        name = split_task(summary.rest, None)[1]
        return [_build_victim(report, table, Kill("", summary.pid, name, None, {}, None, None))]
    return [_build_victim(report, table, kill) for kill in _list_processes(report, table)]


def _list_processes(report: Report, table: TaskTable) -> List[Kill]:
    """Return the first kill of each process.

    The kernel prints the chosen process of a group twice. 5.10 also prints threads of a group's
    processes: the task table has no row for them, and their memory is that of a process.
    """
    kills: Dict[int, Kill] = {}
    memories = set()
    for kill in report.kills:
        process = table.processes.get(kill.pid)
        memory = (kill.sizes_kb.get("total-vm"), kill.sizes_kb.get("pgtables"), kill.uid)
        if report.is_group and process is None and memory in memories:
            continue
        if process is not None and None not in memory:
            memories.add(memory)
        kills.setdefault(kill.pid if process is None else process, kill)
    return list(kills.values())


def _build_victim(report: Report, table: TaskTable, kill: Kill) -> Dict[str, Any]:
    values = table.find_row(kill.pid)
    process = table.processes.get(kill.pid)
    pid = kill.pid if process is None else process
    summary = report.summary if report.summary and report.summary.pid in (pid, kill.pid) else None
    announcement = report.announcement if report.announcement and report.announcement.pid == kill.pid else None
    cgroup = report.group
    if summary:
        cgroup = split_task(summary.rest, kill.name)[0]
    elif not cgroup and kill is report.kills[0]:
        cgroup = report.limit.task_memcg
    cgroup = drop_cut_path(cgroup)
    return dict(
        pid=pid,
        tid=None if process in (None, kill.pid) else kill.pid,
        pid_is_thread=None if process is None else process != kill.pid,
        name=kill.name,
        uid=_pick_known(kill.uid, summary.uid if summary else None, _read_uid(values)),
        score=_pick_known(kill.score, announcement.score if announcement else None),
        oom_score_adj=_pick_known(kill.oom_score_adj, read_integer(values, "oom_score_adj")),
        total_vm_kb=kill.sizes_kb.get("total-vm"),
        anon_rss_kb=kill.sizes_kb.get("anon-rss"),
        file_rss_kb=kill.sizes_kb.get("file-rss"),
        shmem_rss_kb=kill.sizes_kb.get("shmem-rss"),
        rss_kb=_sum_resident_kb(kill),
        pgtables_kb=_correct_pgtables_kb(kill, values),
        cgroup=cgroup,
        unit=unit_of([cgroup]) if cgroup else None,
        container_id=container_of(cgroup) if cgroup else None,
        pod_uid=pod_of(cgroup) if cgroup else None,
    )


def _sum_resident_kb(kill: Kill) -> Optional[int]:
    """Return all resident memory; None if the line lacks a kind that its kernel counts."""
    if "rss" in kill.sizes_kb:
        return kill.sizes_kb["rss"]
    if "anon-rss" not in kill.sizes_kb or "file-rss" not in kill.sizes_kb:
        return None
    return sum(kill.sizes_kb.get(kind, 0) for kind in ("anon-rss", "file-rss", "shmem-rss"))


def _pick_known(*values: Optional[int]) -> Optional[int]:
    """Return the first value that is not None; zero is a value."""
    return next((value for value in values if value is not None), None)


def _read_uid(values: Dict[str, str]) -> Optional[int]:
    uid = read_integer(values, "uid")
    return None if uid is None else to_unsigned(uid)


def _correct_pgtables_kb(kill: Kill, values: Dict[str, str]) -> Optional[int]:
    """Return the size of the page tables.

    5.4 prints bytes and calls them kB. The task table, which is in bytes, shows that.
    """
    size = kill.sizes_kb.get("pgtables")
    if size and size == read_integer(values, "pgtables_bytes"):
        return size // 1024
    return size


def _build_task(thread: int, values: Dict[str, str], page_kb: Optional[int]) -> Dict[str, Any]:
    """Return a row of the task table; sizes are None without the page size."""

    def size_kb(column: str) -> Optional[int]:
        pages = read_integer(values, column)
        return pages * page_kb if pages is not None and page_kb else None

    return dict(
        pid=read_integer(values, "tgid"),
        thread=thread,
        uid=_read_uid(values),
        name=values.get("name"),
        oom_score_adj=read_integer(values, "oom_score_adj"),
        total_vm_kb=size_kb("total_vm"),
        rss_kb=size_kb("rss"),
        swap_kb=size_kb("swapents"),
    )


def _make_id(facts: Dict[str, Any]) -> str:
    """Return an id that stays the same when the event is read again.

    It is made of what the kernel wrote, not of where it was read or when it was logged.
    """
    when = facts["time"] if facts["monotonic"] is None else facts["monotonic"]
    parts = [when, facts["outcome"], facts["trigger"] and facts["trigger"]["pid"]]
    parts += [(victim["pid"], victim["name"], victim["total_vm_kb"]) for victim in facts["victims"]]
    if facts["killer"] != "kernel":
        parts += [facts["killer"], facts["memcg"] and facts["memcg"]["path"]]
    boot = facts["boot_id"][:8] + "-" if facts["boot_id"] else ""
    return boot + hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
