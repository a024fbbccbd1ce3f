# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Explain a logged kill: rank the rows of its task table by the arithmetic of the logged kernel.

Pure. A table lacks some of what the killer knew: which processes were exiting, and which had
CAP_SYS_ADMIN, for which kernels up to 4.16 take a little less.
"""

from operator import itemgetter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import (
    BadnessRule,
    Footprint,
    choose_rule,
    compute_badness,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_table import TaskTable

_INIT = 1
_NEEDED = {"tgid", "rss", "oom_score_adj", "name"}
_PERMILLE = 1000
_NUMBERS = ("tgid", "rss", "oom_score_adj", "swapents", "nr_ptes", "nr_pmds", "pgtables_bytes")
_ABSENT = -1  # the place of a column that this kernel does not print: a 0 behind the last value
_TOO_LARGE = 1 << 52  # more pages or bytes than any host has


class LoggedTask(NamedTuple):
    """A process in a task table that could be killed, with its badness."""

    pid: int
    name: str
    footprint: Footprint
    badness: int  # in pages; in thousandths of all memory by the oldest rule


class Explanation(NamedTuple):
    """The choice that the killer had."""

    release: str
    rule: BadnessRule
    total: int  # all memory that could be used, in pages
    page_kb: int
    chosen: LoggedTask
    candidates: List[LoggedTask]  # in the order of the table, with the chosen one

    def find_worst(self, tasks: Sequence[LoggedTask]) -> Optional[LoggedTask]:
        """Return the process that the kernel would choose of these; None for no process."""
        ordered = reversed(tasks) if self.rule.last_wins else tasks
        return max(ordered, key=lambda task: task.badness, default=None)

    def weigh(self, task: LoggedTask, score: int) -> Optional[LoggedTask]:
        """Return a process with another score; None if that makes it immune."""
        footprint = task.footprint._replace(score=score)
        badness = compute_badness(self.rule, footprint, self.total)
        return None if badness is None else task._replace(footprint=footprint, badness=badness)

    def to_kb(self, badness: int) -> int:
        """Return a badness in KiB."""
        pages = badness if self.rule.in_pages else badness * self.total // _PERMILLE
        return pages * self.page_kb


def explain_choice(report: Report, table: TaskTable, constraint: Optional[str]) -> Optional[Explanation]:
    """Return what the killer had to choose from.

    None if badness did not decide, or if the log lacks the table, the kernel's release or a size.
    """
    rule = choose_rule(report.release) if report.release else None
    pid = _find_chosen(report)
    if rule is None or pid is None or table.page_kb is None or not _NEEDED.issubset(table.columns):
        return None
    total = _find_total(report, table.page_kb, constraint)
    if total is None:
        return None
    candidates = _weigh_rows(table, table.page_kb, rule, total)
    pid = table.processes.get(pid, pid)
    chosen = next((task for task in candidates if task.pid == pid), None)
    if chosen is None:
        return None
    return Explanation(str(report.release), rule, total, table.page_kb, chosen, candidates)


def _find_chosen(report: Report) -> Optional[int]:
    """Return the process that the kernel chose by badness; up to 5.0 a child may have died."""
    origins = [kill.origin for kill in report.kills]
    origins += [report.announcement.origin] if report.announcement else []
    if not report.kills or any("oom_kill_allocating_task" in origin for origin in origins):
        return None
    if report.announcement:
        return report.announcement.pid
    return report.summary.pid if report.summary and report.summary.pid else report.kills[0].pid


def _find_total(report: Report, page_kb: int, constraint: Optional[str]) -> Optional[int]:
    """Return the pages that the killer could take from.

    A memory cgroup without a limit for swap may use that of the host, which its report does not
    show: it counts as none. Source: mm/oom_kill.c:constrained_alloc.
    """
    sizes = report.sizes
    if report.usage is not None:
        limit_kb = report.usage.limit_kb
        if limit_kb is None:
            return None
        swap_kb = max(0, sizes.get("memcg_both_kb", limit_kb) - limit_kb) + sizes.get("memcg_swap_kb", 0)
        return (limit_kb + swap_kb) // page_kb
    if constraint in ("cpuset", "memory_policy") or "ram_pages" not in sizes:
        return None  # a report does not show how much the allowed nodes have
    return sizes["ram_pages"] - sizes.get("reserved_pages", 0) + sizes.get("swap_kb", 0) // page_kb


def _weigh_rows(table: TaskTable, page_kb: int, rule: BadnessRule, total: int) -> List[LoggedTask]:
    at = {column: number for number, column in enumerate(table.columns)}
    pick = itemgetter(*(at.get(column, _ABSENT) for column in _NUMBERS))
    at_name, bytes_per_page = at["name"], page_kb << 10
    found = []
    for _thread, values in table.iterate_values():
        name = values[at_name]
        values.append("0")
        try:
            numbers = tuple(map(int, pick(values)))
        except ValueError:  # a line that is no row
            continue
        pid, rss, score, swap, ptes, pmds, table_bytes = numbers
        if pid == _INIT or not SCORE_MIN < score <= SCORE_MAX or max(map(abs, numbers)) >= _TOO_LARGE:
            continue
        footprint = Footprint(rss, swap, ptes + table_bytes // bytes_per_page, pmds, score, False)
        badness = compute_badness(rule, footprint, total)
        if badness is not None:
            found.append(LoggedTask(pid, name, footprint, badness))
    return found


def build_why(explanation: Optional[Explanation]) -> Optional[Dict[str, Any]]:
    """Return why the chosen process was chosen, as a module returns it; None without an answer."""
    if explanation is None:
        return None
    chosen = explanation.chosen
    runner_up = explanation.find_worst([task for task in explanation.candidates if task.pid != chosen.pid])
    return dict(
        kernel=explanation.release,
        chosen=build_logged_task(explanation, chosen),
        badness_kb=explanation.to_kb(chosen.badness),
        runner_up=None if runner_up is None else build_logged_task(explanation, runner_up),
        margin_kb=None if runner_up is None else explanation.to_kb(chosen.badness - runner_up.badness),
    )


def build_logged_task(explanation: Explanation, task: LoggedTask) -> Dict[str, Any]:
    """Return a process of a task table as a module returns it."""
    return dict(
        pid=task.pid, name=task.name, oom_score_adj=task.footprint.score, badness_kb=explanation.to_kb(task.badness)
    )
