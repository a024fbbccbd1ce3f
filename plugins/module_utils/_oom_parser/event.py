# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What is told of a report, or of a kill by a program: an event.

Pure. An event has always the same keys, null where the text does not say.
"""

import hashlib
import re
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_of, pod_of, unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import grammar as say
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import user_killers as _user_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report

_CONSTRAINTS = {"NONE": "none", "CPUSET": "cpuset", "MEMORY_POLICY": "memory_policy", "MEMCG": "memcg"}
_ORIGIN_CONSTRAINTS = {
    "Memory cgroup out of memory": "memcg",
    "No available memory (MPOL_BIND)": "memory_policy",
    "No available memory in cpuset": "cpuset",
}
_PAGE_SIZES_KB = (4, 8, 16, 64)
_WHOLE = re.compile(r"-?\d{1,20}$")

Event = Dict[str, Any]


class _Table:
    """The task table of a report, read by the header that its kernel printed."""

    def __init__(self, report: Report) -> None:
        self._columns = report.columns or ["uid", "tgid"]
        self._splits = len(self._columns) - 1 if report.columns else 2  # the name, which comes last, may hold blanks
        self._rows = report.rows
        died = {str(kill.pid) for kill in report.kills}
        self._of_victims: Dict[str, Dict[str, str]] = {}
        self.count = 0
        tgid = self._columns.index("tgid") if "tgid" in self._columns else -1
        for thread, values in self._whole_rows():
            self.count += 1
            # Up to 3.x who died may be named by a thread.
            pids = [pid for pid in (values[tgid] if tgid >= 0 else "", str(thread)) if pid in died]
            if pids:
                self._of_victims.setdefault(pids[0], dict(zip(self._columns, values)))

    def _whole_rows(self) -> Iterator[Tuple[int, List[str]]]:
        """Thread and values of each row that was not cut."""
        for row in self._rows:
            values = row.rest.split(None, self._splits)
            if len(values) >= len(self._columns):
                yield row.pid, values

    def of(self, pid: int) -> Dict[str, str]:
        """The row of a victim, by column; empty where there is none."""
        return self._of_victims.get(str(pid), {})

    def rows(self) -> Iterator[Tuple[int, Dict[str, str]]]:
        """Thread and values by column of each row."""
        for thread, values in self._whole_rows():
            yield thread, dict(zip(self._columns, values))


def event(report: Report, tasks: bool = False, raw: bool = False) -> Event:
    """The event of a report: always the same keys, null where the text does not say."""
    table = _Table(report)
    victims = _victims(report, table)
    header = report.header
    constraint = _constraint(report)
    announced = report.announced
    facts: Dict[str, Any] = dict(
        source=report.first.place.source if report.first.place else None,
        time=report.first.time,
        monotonic=report.first.monotonic,
        boot_id=report.first.boot,
        boot_index=None,
        trusted=report.trusted,
        killer="kernel",
        reason=None,
        signal=None,
        escalated=False,
        killed_count=None,
        outcome=_outcome(report, victims),
        constraint=constraint,
        sysrq=report.sysrq or bool(header and header.order == -1),
        allocating_task=any("oom_kill_allocating_task" in one.origin for one in _origins(report)),
        trigger=None
        if header is None
        else dict(
            name=header.name,
            pid=report.trigger_pid,
            oom_score_adj=header.oom_score_adj,
            gfp_mask=header.gfp_mask,
            order=header.order,
        ),
        memcg=_memcg(report) if constraint == "memcg" else None,
        announced=dict(pid=announced.pid, name=announced.name, score=announced.score) if announced else None,
        victims=victims,
        skipped_pids=report.skipped,
        panic_policy=report.panic.policy if report.panic else None,
        tasks_count=table.count if header or table.count else None,
        complete=header is not None and not report.has_no_end(),
    )
    if tasks:
        page_kb = _page_kb(report, table)
        facts["tasks"] = [_task(thread, values, page_kb) for thread, values in table.rows()]
    if raw:
        facts["raw"] = report.raw
    facts["id"] = _identity(facts)
    return facts


def program_event(kill: _user_killers.Kill, tasks: bool = False, raw: bool = False) -> Event:
    """The event of a killer that is a program: the same keys. Only journald can tell that the line is really its own."""
    report = Report(kill.record, True if kill.record.vouched else None, kill.number)
    report.note(kill.record, raw)
    for pid, name in kill.members or ([] if kill.cgroup else [(kill.pid, kill.name)]):
        # Only nohang may leave the pid out; of the kernel's kills it is always known, and so the type says.
        report.add(say.Killed("", pid, name, kill.uid, {}, kill.oom_score_adj, kill.score))  # type: ignore[arg-type]
    facts = event(report, tasks, raw)
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
    facts["id"] = _identity(facts)
    return facts


def _origins(report: Report) -> List[Union[say.Killed, say.Announced]]:
    return report.kills + ([report.announced] if report.announced else [])


def _outcome(report: Report, victims: List[Dict[str, Any]]) -> str:
    if report.panic:
        return "panic"
    if report.no_killable:
        return "no_killable"
    if report.group:
        return "group_kill"
    return "kill" if victims else "incomplete"


def _constraint(report: Report) -> Optional[str]:
    """From evidence: 5.0 prints CONSTRAINT_NONE whatever it was, before it the text does not name it."""
    by_origin = [_ORIGIN_CONSTRAINTS[one.origin] for one in _origins(report) if one.origin in _ORIGIN_CONSTRAINTS]
    if by_origin:
        return by_origin[0]
    if report.limit.memcg or (report.summary and report.summary.memcg):
        return "memcg"
    if report.summary:
        return _CONSTRAINTS.get(report.summary.constraint)
    return "memcg" if report.stats else None  # where nobody could be killed there is no summary


def _memcg(report: Report) -> Dict[str, Any]:
    usage = report.usage
    of_stats = report.stats.memcg if report.stats else None
    return dict(
        path=report.summary.memcg if report.summary and report.summary.memcg else report.limit.memcg or of_stats,
        usage_kb=usage.usage_kb if usage else None,
        limit_kb=usage.limit_kb if usage else None,
        failcnt=usage.failcnt if usage else None,
    )


def _victims(report: Report, table: _Table) -> List[Dict[str, Any]]:
    """Who died, each once, in the order of the text: the chosen one of a group is printed twice."""
    if not report.kills:
        summary = report.summary
        if summary is None or summary.pid is None or report.announced or report.panic or report.no_killable:
            return []
        # Only the summary survived, as a log that was searched for "oom-kill" shows it.
        name = say.split_task(summary.rest, None)[1]
        return [_victim(report, table, say.Killed("", summary.pid, name, None, {}, None, None))]
    unique: Dict[int, say.Killed] = {}
    for kill in report.kills:
        unique.setdefault(kill.pid, kill)
    return [_victim(report, table, kill) for kill in unique.values()]


def _victim(report: Report, table: _Table, kill: say.Killed) -> Dict[str, Any]:
    values = table.of(kill.pid)
    chosen = report.summary is not None and report.summary.pid == kill.pid
    cgroup = report.group
    if chosen:
        cgroup = say.split_task(report.summary.rest, kill.name)[0]  # type: ignore[union-attr]
    elif not cgroup and kill is report.kills[0]:
        cgroup = report.limit.task_memcg
    announced = report.announced
    return dict(
        pid=kill.pid,
        name=kill.name,
        uid=_first(kill.uid, report.summary.uid if chosen and report.summary else None, _uid(values)),
        score=_first(kill.score, announced.score if announced and announced.pid == kill.pid else None),
        oom_score_adj=_first(kill.oom_score_adj, _number(values, "oom_score_adj")),
        total_vm_kb=kill.sizes_kb.get("total-vm"),
        anon_rss_kb=kill.sizes_kb.get("anon-rss"),
        file_rss_kb=kill.sizes_kb.get("file-rss"),
        shmem_rss_kb=kill.sizes_kb.get("shmem-rss"),
        rss_kb=_resident_kb(kill),
        pgtables_kb=_pgtables_kb(kill, values),
        cgroup=cgroup,
        unit=unit_of([cgroup]) if cgroup else None,
        container_id=container_of(cgroup) if cgroup else None,
        pod_uid=pod_of(cgroup) if cgroup else None,
    )


def _resident_kb(kill: say.Killed) -> Optional[int]:
    """All that is resident; null where the line does not name every kind that its kernel counts."""
    if "rss" in kill.sizes_kb:
        return kill.sizes_kb["rss"]
    if "anon-rss" not in kill.sizes_kb or "file-rss" not in kill.sizes_kb:
        return None
    return sum(kill.sizes_kb.get(kind, 0) for kind in ("anon-rss", "file-rss", "shmem-rss"))


def _first(*values: Optional[int]) -> Optional[int]:
    """The first that is known; zero is a value."""
    return next((value for value in values if value is not None), None)


def _number(values: Dict[str, str], column: str) -> Optional[int]:
    text = values.get(column, "")
    return int(text) if _WHOLE.match(text) else None


def _uid(values: Dict[str, str]) -> Optional[int]:
    uid = _number(values, "uid")
    return None if uid is None else say.unsigned(uid)


def _pgtables_kb(kill: say.Killed, values: Dict[str, str]) -> Optional[int]:
    """5.4 prints bytes and calls them kB; the table, in bytes, gives it away."""
    size = kill.sizes_kb.get("pgtables")
    if size and size == _number(values, "pgtables_bytes"):
        return size // 1024
    return size


def _page_kb(report: Report, table: _Table) -> Optional[int]:
    """Page size of that kernel: the victim's size is there in pages and in KiB."""
    for kill in report.kills:
        pages = _number(table.of(kill.pid), "total_vm")
        size = kill.sizes_kb.get("total-vm")
        if pages and size and size % pages == 0 and size // pages in _PAGE_SIZES_KB:
            return size // pages
    return None


def _task(thread: int, values: Dict[str, str], page_kb: Optional[int]) -> Dict[str, Any]:
    """A row of the task table; sizes only where the page size is known."""

    def kb(column: str) -> Optional[int]:
        pages = _number(values, column)
        return pages * page_kb if pages is not None and page_kb else None

    return dict(
        pid=_number(values, "tgid"),
        thread=thread,
        uid=_uid(values),
        name=values.get("name"),
        oom_score_adj=_number(values, "oom_score_adj"),
        total_vm_kb=kb("total_vm"),
        rss_kb=kb("rss"),
        swap_kb=kb("swapents"),
    )


def _identity(facts: Dict[str, Any]) -> str:
    """The same event read again has the same id: made of what the kernel wrote, not of where it was read, or when that was written down."""
    when = facts["time"] if facts["monotonic"] is None else facts["monotonic"]
    parts = [when, facts["outcome"], facts["trigger"] and facts["trigger"]["pid"]]
    parts += [(victim["pid"], victim["name"], victim["total_vm_kb"]) for victim in facts["victims"]]
    if facts["killer"] != "kernel":
        parts += [facts["killer"], facts["memcg"] and facts["memcg"]["path"]]
    boot = facts["boot_id"][:8] + "-" if facts["boot_id"] else ""
    return boot + hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
