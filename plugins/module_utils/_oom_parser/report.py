# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Hold what the lines of one call of the killer show: a report.

Pure. The pid of "Killed process" is the one that died. "Kill process" only announces a kill, and up
to 5.0 a child may die instead.
"""

from typing import Container, Dict, List, Optional, Union

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, list_row_texts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    Header,
    Kill,
    MemcgLimit,
    MemcgStats,
    MemcgUsage,
    Panic,
    Summary,
    TableRow,
    TriggerPid,
)

# The kernel prints a report within moments, also on a slow console. Later lines belong to another.
REPORT_SECONDS = 30.0

# What follows the trigger's name if a crash kernel is loaded (lib/dump_stack.c).
_KDUMP = " Kdump: loaded"

# Hostile input must not fill the memory: real reports stay far below.
MOST_TASKS = 65536
MOST_RAW_LINES = 4096
MOST_VICTIMS = 4096  # of one report


class Report:
    """What the lines of one call of the killer show."""

    def __init__(self, record: Record, number: int) -> None:
        self.first = record
        self.number = number  # of its first line; events are ordered by it
        self.header: Optional[Header] = None
        self.trigger_pid: Optional[int] = None
        self.limit = MemcgLimit(None, None)
        self._task_in: Optional[str] = None  # half a limit, whose other half has not come yet
        self.usage: Optional[MemcgUsage] = None
        self.sizes: Dict[str, int] = {}  # of memory and swap, see MemorySize
        self.release: Optional[str] = None  # of the kernel
        self.stats: Optional[MemcgStats] = None
        self.columns: Optional[List[str]] = None
        self.rows: List[TableRow] = []
        self.summary: Optional[Summary] = None
        self.announcement: Optional[Announcement] = None
        self.kills: List[Kill] = []
        self.killed: Optional[Record] = None  # the line of the first kill
        self.more_kills = 0  # beyond MOST_VICTIMS
        self.has_repeated_kill = False  # the first victim was printed a second time
        self.is_group = False
        self.group: Optional[str] = None  # its cgroup
        self.skipped_pids: List[int] = []
        self.nothing_killable = False
        self.panic: Optional[Panic] = None
        self.sysrq = False
        self.raw: List[str] = []
        self.last = record
        self.words = 0  # a hash of its messages up to the kill, without their stamps

    def add_line(self, record: Record, keep_raw: bool) -> None:
        """Note a line and its rows as the report's last ones, and keep their text if wanted."""
        self.last = record
        if self.has_no_end() or record is self.killed:
            for text in [record.text, *list_row_texts(record)]:
                self.words = hash((self.words, text))
        if keep_raw and len(self.raw) < MOST_RAW_LINES:
            self.raw += [record.raw, *record.rows][: MOST_RAW_LINES - len(self.raw)]

    def add_kill(self, kill: Kill) -> None:
        """Add a victim, or count it if there are too many."""
        is_repeated = bool(self.kills) and kill.pid == self.kills[0].pid
        self.has_repeated_kill = self.has_repeated_kill or is_repeated
        if len(self.kills) < MOST_VICTIMS:
            self.kills.append(kill)
        elif not is_repeated:
            self.more_kills += 1

    def add_skipped(self, pid: int) -> None:
        """Add a member of the group that was already exiting."""
        if len(self.skipped_pids) < MOST_VICTIMS:
            self.skipped_pids.append(pid)

    def add_row(self, row: TableRow) -> None:
        """Add a row of the task table."""
        if len(self.rows) < MOST_TASKS:
            self.rows.append(row)

    def add_limit(self, limit: MemcgLimit) -> None:
        """Set the limit, once both halves are known.

        The first one counts: a task's name that has a line end can look like a half.
        """
        if limit.memcg is None:
            self._task_in = limit.task_memcg
        elif self.limit.memcg is None:
            self.limit = MemcgLimit(limit.task_memcg or self._task_in, limit.memcg)

    def identify_trigger(self, trigger: TriggerPid) -> None:
        """Set the trigger's pid, and strip a host or tag left in its name.

        The first words after a stamp can be a host, a tag or a part of the name: this line decides,
        as the same task prints both.
        """
        header = self.header
        self.release = self.release or trigger.release
        if header is None or not header.name or self.trigger_pid is not None:
            return
        names = [header.name]
        if self.first.program == "kernel":
            names += ["kernel: " + header.name, "kernel:" + header.name]
        elif self.first.clock is not None:
            names += [header.name.partition(" ")[2]]
        names.append(header.name[-len(trigger.name) :])  # a quote, or the mark of a list
        name = next((name for name in names if name and trigger.name in (name, name + _KDUMP)), None)
        if name:
            self.trigger_pid, self.header = trigger.pid, header._replace(name=name)

    def has_chosen(self, pid: int) -> bool:
        """Return whether the killer chose this pid, and the report has no end yet."""
        chosen = (self.announcement and self.announcement.pid, self.summary and self.summary.pid)
        return self.has_no_end() and pid in chosen

    def is_event(self) -> bool:
        """Return whether it shows a call of the killer; the middle of a report alone does not.

        A header that was cut to "invoked oom-killer" is also what people write about one.
        """
        has_header = self.header is not None and self.header.gfp_mask is not None
        return bool(has_header or self.announcement or self.summary) or not self.has_no_end()

    def is_reported(self) -> bool:
        """Return whether it has more than a kill."""
        return bool(self.header or self.summary or self.announcement)

    def find_processes(self, pids: Container[Optional[int]]) -> Dict[int, int]:
        """Return the process of each of these pids that the task table has, also of a thread."""
        found: Dict[int, int] = {}
        for thread, process, _columns in self.rows:
            if process is not None and process in pids:
                found[process] = process
            if process is not None and thread in pids:
                found.setdefault(thread, process)
        return found

    def may_include(self, message: Union[Announcement, Kill]) -> bool:
        """Return whether a kill or its announcement can belong here.

        A report that shows a memory cgroup's limit cannot end with "Out of memory": the whole host
        ran out then, and no limit was hit.
        """
        has_limit = self.limit.memcg or self.usage or self.stats
        return self.is_event() or message.origin != "Out of memory" or not has_limit

    def may_have_victim(self, kill: Kill) -> bool:
        """Return whether this kill can be the end of the report.

        Up to 5.0, and only after an announcement, a child may die instead of the chosen process.
        """
        if self.nothing_killable or not self.may_include(kill):
            return False
        if self.announcement is not None or self.summary is None or self.summary.pid in (None, kill.pid):
            return True
        return self.summary.pid == self.find_processes((kill.pid,)).get(kill.pid)  # the kill may name a thread

    def has_no_end(self) -> bool:
        """Return whether neither a kill nor anything else has ended it."""
        return not (self.kills or self.nothing_killable or self.panic)
