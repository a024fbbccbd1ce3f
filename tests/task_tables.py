# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explain every kill with a task table in kernel logs: python task_tables.py FILE...

The kernel chose the victim by the same numbers, so it must have the highest badness.
"""

import sys
from typing import NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import read_log
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.assembler import ReportAssembler
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.explanation import explain_choice
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import rejoin_messages
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_table import TaskTable


class Verdict(NamedTuple):
    """The victim of a table beside the next one."""

    path: str
    release: str
    chosen: int  # the pid that the kernel chose; up to 5.0 a child of it may have died
    best: int  # the highest badness, in KiB
    behind: int  # how much less the chosen one has
    rows: int


def read_reports(path):
    """Return every report with a task table in a log, except forged ones."""
    assembler, reports = ReportAssembler(raw=True), []
    for number, (record, message) in enumerate(rejoin_messages(read_log(path))):
        if record.trusted is not False:
            reports += assembler.take(record, message, number) or []
    return [report for report in [*reports, *assembler.finish()] if report.rows and report.columns]


def compute_table(report):
    """Return the badness in pages of every process of a table that could be killed, by pid."""
    explanation = explain_choice(report, TaskTable(report), None)
    return {task.pid: task.badness for task in explanation.candidates} if explanation else {}


def judge_log(path):
    """Return the verdicts on the tables of a log in which badness decided, except forged ones."""
    events = [one for one in parse_events(read_log(path)) if one["trusted"] is not False and one["why"]]
    return [judge_table(path, event["why"], event["tasks_count"]) for event in events]


def judge_table(path, why, rows):
    """Return the verdict on one table."""
    behind = max(0, -(why["margin_kb"] or 0))
    return Verdict(path, why["kernel"], why["chosen"]["pid"], why["badness_kb"] + behind, behind, rows)


if __name__ == "__main__":
    found = [verdict for path in sys.argv[1:] for verdict in judge_log(path)]
    for verdict in found:
        print("right" if not verdict.behind else "WRONG", *verdict)
    print(f"{sum(not verdict.behind for verdict in found)} of {len(found)} victims have the highest badness")
