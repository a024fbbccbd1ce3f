# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task table as columns. test_event.py has what becomes of them."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Kill, TableRow
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_table import TaskTable, read_integer


def table(*rests, size_kb=40):
    report = Report(Record(""), 0)
    report.columns = ["uid", "tgid", "total_vm", "name"]
    for number, rest in enumerate(rests):
        report.add_row(TableRow(70 + number, 70 + number, rest))
    report.add_kill(Kill("", 70, "a b", None, {"total-vm": size_kb}, None, None))
    return TaskTable(report)


def test_rows_are_split_and_cut_rows_left_out():
    found = table("0 70 10 a b", "0 71", "0 72 10 c")
    assert list(found.iterate_rows()) == [
        (70, dict(uid="0", tgid="70", total_vm="10", name="a b")),
        (72, dict(uid="0", tgid="72", total_vm="10", name="c")),
    ]
    assert (found.count, found.find_row(70)["name"], found.find_row(71)) == (2, "a b", {})


@pytest.mark.parametrize("size_kb, page_kb", [(40, 4), (640, 64), (41, None), (50, None), (0, None)])
def test_the_size_of_a_page(size_kb, page_kb):
    assert table("0 70 10 a b", size_kb=size_kb).page_kb == page_kb


def test_numbers():
    values = dict(a="-7", b="x", c="1" * 30)
    assert [read_integer(values, column) for column in "abcd"] == [-7, None, None, None]
