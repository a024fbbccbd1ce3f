# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the task table of a report by the header that its kernel printed. Pure."""

import re
from typing import Dict, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import Report

_PAGE_SIZES_KB = (4, 8, 16, 64)
_INTEGER = re.compile(r"-?\d{1,20}$")


class TaskTable:
    """The task table of a report, split into columns.

    C(page_kb) is that kernel's page size; None without a victim's size both in pages and in KiB.
    """

    def __init__(self, report: Report) -> None:
        self.columns = report.columns or ["uid", "tgid"]
        self._splits = len(self.columns) - 1 if report.columns else 2  # the name is last and may hold blanks
        self._rows = report.rows
        died = {kill.pid for kill in report.kills}
        by_text = {str(pid): pid for pid in died}
        self._of_victims: Dict[int, Dict[str, str]] = {}
        chosen = report.summary.pid if report.summary else None
        self.processes = report.find_processes({chosen, *(kill.pid for kill in report.kills)})
        self.count = 0
        tgid = self.columns.index("tgid") if "tgid" in self.columns else -1
        for thread, values in self.iterate_values():
            self.count += 1
            # Up to 3.x the kill may name a thread instead of the process.
            pid = by_text.get(values[tgid], thread) if tgid >= 0 else thread
            if pid in died:
                self._of_victims.setdefault(pid, dict(zip(self.columns, values)))
        self.page_kb = self._find_page_kb(report)

    def iterate_values(self) -> Iterator[Tuple[int, List[str]]]:
        """Yield thread and values, in the order of the columns, of each row that was not cut."""
        splits, fewest = self._splits, len(self.columns)
        for thread, _process, text in self._rows:
            values = text.split(None, splits)
            if len(values) >= fewest:
                yield thread, values

    def find_row(self, pid: int) -> Dict[str, str]:
        """Return a victim's row, by column; empty if it has none."""
        return self._of_victims.get(pid, {})

    def iterate_rows(self) -> Iterator[Tuple[int, Dict[str, str]]]:
        """Yield each row's thread and its values by column."""
        for thread, values in self.iterate_values():
            yield thread, dict(zip(self.columns, values))

    def _find_page_kb(self, report: Report) -> Optional[int]:
        for kill in report.kills:
            pages = read_integer(self.find_row(kill.pid), "total_vm")
            size = kill.sizes_kb.get("total-vm")
            if pages and size and size % pages == 0 and size // pages in _PAGE_SIZES_KB:
                return size // pages
        return None


def read_integer(values: Dict[str, str], column: str) -> Optional[int]:
    """Return the number in a column; None if the row has no such number."""
    text = values.get(column, "")
    return int(text) if _INTEGER.match(text) else None
