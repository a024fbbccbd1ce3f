# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute the badness of every row of the task tables in kernel logs: python task_tables.py FILE...

The kernel chose the victim by the same numbers, so it must have the highest badness.
"""

import re
import sys
from typing import NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import read_log
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import (
    Footprint,
    choose_rule,
    compute_badness,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.assembler import ReportAssembler
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages

PAGE_KB = 4
NO_LIMIT_KB = 1 << 50
INIT = 1


class Verdict(NamedTuple):
    """The victim of a table beside the row with the highest badness."""

    path: str
    release: str
    chosen: int  # the pid that the kernel chose; up to 5.0 a child of it may have died
    best: int  # the highest badness, in pages
    behind: int  # how much less the chosen one has
    rows: int


def read_reports(path):
    """Return every report with a task table in a log, except forged ones."""
    assembler, reports = ReportAssembler(raw=True), []
    for number, (record, message) in enumerate(rejoin_messages(read_log(path))):
        if record.trusted is not False:
            reports += assembler.take(record, message, number) or []
    return [report for report in [*reports, *assembler.finish()] if report.rows and report.columns]


def is_by_badness(report):
    """Return whether badness decided: not if the allocating task is killed, or nothing was."""
    origins = [one.origin for one in [*report.kills, report.announcement] if one]
    return bool(report.kills) and not any("allocating_task" in origin for origin in origins)


def find_number(pattern, text, default=0):
    match = re.search(pattern, text)
    return int(match.group(1)) if match else default


def find_total(report, text):
    """Return the pages that the killer could take from."""
    if report.usage:
        swap_kb = find_number(r"(?<!\+)swap: usage \d+kB, limit (\d+)kB", text)
        both_kb = find_number(r"memory\+swap: usage \d+kB, limit (\d+)kB", text, report.usage.limit_kb)
        swap_kb += both_kb - report.usage.limit_kb
        # No limit: as much as the host has swap, which this report does not show.
        return (report.usage.limit_kb + (swap_kb if swap_kb < NO_LIMIT_KB else 0)) // PAGE_KB
    ram = find_number(r"(\d+) pages RAM", text) - find_number(r"(\d+) pages reserved", text)
    return ram + find_number(r"Total swap = (\d+)kB", text) // PAGE_KB


def compute_table(report):
    """Return the badness in pages of every process of a table that could be killed, by pid."""
    text = "\n".join(report.raw)
    rule, total = choose_rule(find_release(text)), find_total(report, text)
    badness = {}
    for row in report.rows:
        values = dict(zip(report.columns, row.rest.split(None, len(report.columns) - 1)))
        numbers = {name: int(value) for name, value in values.items() if name != "name"}
        bytes_of_tables = numbers.get("pgtables_bytes")
        task = Footprint(
            numbers["rss"],
            numbers.get("swapents", 0),
            numbers.get("nr_ptes", 0) if bytes_of_tables is None else bytes_of_tables // (PAGE_KB << 10),
            numbers.get("nr_pmds", 0),
            numbers["oom_score_adj"],
            root=False,  # a table does not show capabilities, and not root's uid
        )
        points = compute_badness(rule, task, total)
        if points is not None and numbers["tgid"] != INIT:
            badness[numbers["tgid"]] = points
    return badness


def find_release(text):
    """Return the kernel's release, which it prints next to "tainted"."""
    return re.search(r"(?:Not tainted|Tainted:[ A-Z]*?) +(\d+\.\d+\S*)", text).group(1)


def judge_table(path, report):
    """Return the verdict on one table."""
    badness = compute_table(report)
    chosen = report.announcement.pid if report.announcement else report.kills[0].pid
    best = max(badness.values())
    release = find_release("\n".join(report.raw))
    return Verdict(path, release, chosen, best, best - badness.get(chosen, 0), len(report.rows))


def judge_log(path):
    """Return the verdicts on the tables of a log in which badness decided."""
    return [judge_table(path, report) for report in read_reports(path) if is_by_badness(report)]


if __name__ == "__main__":
    found = [verdict for path in sys.argv[1:] for verdict in judge_log(path)]
    for verdict in found:
        print("right" if not verdict.behind else "WRONG", *verdict)
    print(f"{sum(not verdict.behind for verdict in found)} of {len(found)} victims have the highest badness")
