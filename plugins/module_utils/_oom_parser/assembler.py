# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Assemble the messages that belong together into reports, one for each call of the killer.

Pure, one pass; it remembers only the reports that are not over.

A report begins with "invoked oom-killer" and ends with "Killed process". Either can be
missing: the kernel prints at most ten reports in five seconds, but every kill
(mm/oom_kill.c:oom_kill_process). So a kill without a report is an event, a report without
a kill is an incomplete event, and the two are never joined to a neighbour.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    Record,
    list_row_texts,
    seconds_between,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import parse_table_row
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    GroupKill,
    Header,
    InitPanic,
    Kill,
    LostLines,
    MemcgLimit,
    MemcgStats,
    MemcgUsage,
    MemorySize,
    Message,
    NewBoot,
    NothingKillable,
    Panic,
    SharedKill,
    SkippedVictim,
    Summary,
    SuppressedReports,
    Sysrq,
    TableHeader,
    TableRow,
    TriggerPid,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.report import (
    MOST_RAW_LINES,
    MOST_TASKS,
    MOST_VICTIMS,
    REPORT_SECONDS,
    Report,
)

# One loop kills the members of a group, one after the other.
GROUP_SECONDS = 1.0
# After the victim, the kernel kills what shares its memory; a slow console prints that later.
SHARED_SECONDS = 10.0

# Hostile input must not fill the memory: real reports stay far below.
MOST_WAITING = 8


class UnsettledEvent(NamedTuple):
    """An event that later lines may still belong to."""

    number: int  # of its first line
    first: Record
    seconds: float  # how long it waits for them


class ReportAssembler:
    """Assembles the reports of one kind of writer: the kernel, a program, or an unknown one."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._state = _State()

    def take(self, record: Record, message: Optional[Message], number: int) -> Sequence[Report]:
        """Use one line and its message; return the reports that it shows to be over.

        C(number) is the line's place in the log.
        """
        state = self._state
        if message is None and state.open is None:
            return ()
        state.expire(record)
        if message is not None:
            report = _STEPS[type(message)](state, record, number, message)
        else:
            report = state.open if state.open and state.open.is_event() else None
        if report:
            report.add_line(record, self._raw)
        return state.hand_over() if state.over else ()

    def finish(self) -> Sequence[Report]:
        """Return the reports that are left."""
        self._state.close()
        self._state.give_up(self._state.waiting)
        return self._state.hand_over()

    def list_unsettled(self, last: Record) -> List[UnsettledEvent]:
        """Return the reports that the next line may belong to; C(last) is the line before it."""
        state = self._state
        waiting: List[Tuple[Optional[Report], float]] = [(state.open, REPORT_SECONDS)]
        waiting += [(report, GROUP_SECONDS) for report in state.run]
        waiting += [(report, REPORT_SECONDS) for report in state.waiting]
        return [
            UnsettledEvent(report.number, report.first, seconds)
            for report, seconds in waiting
            if report and seconds_between(report.last, last) <= seconds
        ]


class _State:
    """All that the assembler remembers from line to line."""

    def __init__(self) -> None:
        self.open: Optional[Report] = None  # has no end yet
        self.ended: Optional[Report] = None  # has its kill; the other members of its group may follow
        # The ended report, after reports of one kill each that may prove to be of one group.
        self.run: List[Report] = []
        self.has_members = False  # whether a kill of another process followed the first of them
        # The ended report, if the log is in reverse order: what was before its kill follows.
        self.reversed: Optional[Report] = None
        self.trigger: Optional[TriggerPid] = None  # of the reversed report
        self.waiting: List[Report] = []  # the victim is chosen, but another report began before the kill
        self.over: List[Report] = []  # not handed over yet
        self.sysrq: Optional[Record] = None  # a person requested a kill, and no report has begun since

    def find_current(self) -> Optional[Report]:
        """Return the report that a line without an effect belongs to."""
        return self.open or self.ended

    def begin(self, record: Record, number: int) -> Report:
        """Open a new report, and close the one before it."""
        self.reversed = None
        self.close()
        self.open = Report(record, number)
        self.open.sysrq = self.sysrq is not None and seconds_between(self.sysrq, record) <= REPORT_SECONDS
        self.sysrq = None
        return self.open

    def end(self, report: Report) -> None:
        """Note that a report has its kill."""
        if not (report is self.open and self.run and self.run[-1] is self.ended and not report.is_reported()):
            self.end_run()
        self.has_members = self.has_members or (bool(self.run) and report.kills[0] != self.run[0].kills[0])
        self.run.append(report)
        self.ended, self.reversed = report, None
        if report is self.open:
            self.open = None
        else:
            self.waiting.remove(report)

    def close(self) -> None:
        """End the open report: from now on only the kill of its chosen process belongs to it.

        Reports of several memory cgroups may be printed at once.
        """
        self.end_run()
        if self.open and self.open.has_no_end() and (self.open.announcement or self.open.summary):
            self.waiting.append(self.open)
            self.give_up(self.waiting[:-MOST_WAITING])
            while sum(len(report.rows) for report in self.waiting) > MOST_TASKS:
                self.give_up(self.waiting[:1])
        elif self.open and self.open.is_event():
            self.over.append(self.open)
        self.open = None

    def end_run(self) -> None:
        """Hand over the reports that had one kill after the other: nothing made a group of them."""
        self.over += self.run
        self.run, self.ended, self.has_members = [], None, False

    def expire(self, record: Record) -> None:
        """Close or give up the reports whose last line is too old."""
        if self.open and seconds_between(self.open.last, record) > REPORT_SECONDS:
            self.close()
        if self.reversed and seconds_between(self.reversed.last, record) > REPORT_SECONDS:
            self.reversed = None
        if self.waiting:
            self.give_up([report for report in self.waiting if seconds_between(report.last, record) > REPORT_SECONDS])

    def give_up(self, reports: List[Report]) -> None:
        """Stop waiting for the end of these reports."""
        self.over += reports
        self.waiting = [report for report in self.waiting if report not in reports]

    def hand_over(self) -> Sequence[Report]:
        """Return the reports that are over, each once."""
        over, self.over = self.over, []
        return over

    def find_just_ended(self, record: Record) -> Optional[Report]:
        """Return the report whose kill stands right before this line."""
        return self.ended if self.ended and seconds_between(self.ended.last, record) <= GROUP_SECONDS else None

    def find_just_killed(self, record: Record, pid: Optional[int]) -> Optional[Report]:
        """Return the report that has just ended with the kill of this pid.

        That is the case in a log in reverse order, as journalctl --reverse writes it.
        """
        report = None if self.open else self.find_just_ended(record)
        if report is None or pid not in [kill.pid for kill in report.kills]:
            return None
        if _is_reversed(report.killed, record):
            self.reversed, self.trigger = report, None
        return report

    def find_reportable(self, record: Record, number: int) -> Report:
        """Return the report that a line between header and kill belongs to; it may begin one."""
        return self.open or self.reversed or self.begin(record, number)

    def find_group(self, record: Record, kill: Kill) -> Optional[Report]:
        """Return the report of the group that a kill without its own report belongs to.

        The kernel prints the chosen process a second time, somewhere among the others. After that
        the group goes on only if its own report was printed, because the next kill then has its own
        report. If reports are suppressed, the next kill may be of another group.
        """
        report = self.find_just_ended(record)
        if report is None or not report.is_group:
            return None
        if kill.origin not in (report.kills[0].origin, report.kills[-1].origin):
            return None
        return report if report.is_reported() or not report.has_repeated_kill else None

    def begin_kill(self, record: Record, number: int, kill: Kill) -> Report:
        """Open a report for a kill without one; it may prove to be of the last one's group."""
        last = self.ended
        is_next = last and not last.is_group and last.kills and kill.origin == last.kills[-1].origin
        if self.open or not is_next or not self.find_just_ended(record) or len(self.run) >= MOST_VICTIMS:
            return self.begin(record, number)
        self.open = Report(record, number)
        return self.open

    def find_proven_group(self, record: Record, kill: Kill) -> Optional[Report]:
        """Return the report that this kill shows to be of a group, with the kills since as members.

        The kernel prints the chosen process of a group twice, a moment apart. The same kill at the
        same moment is a copy of the line.
        """
        first = self.run[0] if self.run else None
        if first is None or first.killed is None or not self.find_just_ended(record) or self.open:
            return None
        if first.is_group or (kill.pid, kill.name) != (first.kills[0].pid, first.kills[0].name):
            return None
        if record.monotonic is None or first.killed.monotonic is None:
            is_later = kill == first.kills[0] and self.has_members
        else:
            is_later = record.monotonic > first.killed.monotonic
        if not is_later or seconds_between(first.killed, record) > GROUP_SECONDS:
            return None
        for member in self.run[1:]:
            for one in member.kills:
                first.add_kill(one)
            first.raw += member.raw[: MOST_RAW_LINES - len(first.raw)]
            first.last = member.last
        first.is_group = True
        self.run, self.ended, self.has_members = [first], first, False
        return first


def _is_reversed(killed: Optional[Record], record: Record) -> bool:
    """Return whether a line after a kill can be from before it."""
    if killed is None or record.monotonic is None or killed.monotonic is None:
        return killed is not None and (record.clock is None or killed.clock is None or record.clock <= killed.clock)
    return record.monotonic <= killed.monotonic


# --- What each message does: a step changes the state and returns the line's report, if any -------


def _take_header(state: _State, record: Record, number: int, header: Header) -> Report:
    """Begin a report; in reverse order the header ends it."""
    report, trigger = state.reversed, state.trigger
    if report is None or not _is_reversed(report.killed, record):
        report, trigger = state.begin(record, number), None
    state.reversed = None
    report.header, report.trigger_pid = header, header.pid
    if trigger:
        report.identify_trigger(trigger)
    return report


def _take_trigger(state: _State, _record: Record, _number: int, trigger: TriggerPid) -> Optional[Report]:
    if state.open:
        state.open.identify_trigger(trigger)
    elif state.reversed:
        state.trigger = trigger
    return state.find_current()


# The next five may be the first lines of a report whose beginning the text lacks.


def _take_limit(state: _State, record: Record, number: int, limit: MemcgLimit) -> Report:
    report = state.find_reportable(record, number)
    report.add_limit(limit)
    return report


def _take_usage(state: _State, record: Record, number: int, usage: MemcgUsage) -> Report:
    report = state.find_reportable(record, number)
    report.usage = report.usage or usage
    return report


def _take_stats(state: _State, record: Record, number: int, stats: MemcgStats) -> Report:
    """Set the owner of the limit, if it is known that no other group's numbers came before."""
    report = state.find_reportable(record, number)
    is_first = report.header or report.limit.memcg or report.usage
    report.stats = report.stats or (stats if is_first else MemcgStats(None))
    return report


def _take_size(state: _State, _record: Record, _number: int, size: MemorySize) -> Optional[Report]:
    """Note a size of the open report; a page allocation failure prints the same lines."""
    if state.open:
        state.open.sizes.setdefault(size.what, size.size)
    return state.open


def _take_table_header(state: _State, record: Record, number: int, header: TableHeader) -> Report:
    report = state.find_reportable(record, number)
    report.columns = header.columns
    return report


def _take_row(state: _State, record: Record, number: int, row: TableRow) -> Optional[Report]:
    """Add a row of the task table, and the rows behind it.

    Rows come before the kill, so in order they cannot belong to a report that has ended.
    """
    report = state.open or state.reversed
    if report is None:
        if state.waiting or state.find_just_ended(record) or not row.has_all_columns():
            return state.ended
        report = state.begin(record, number)
    report.add_row(row)
    for text in list_row_texts(record):
        more = parse_table_row(text)
        if more is not None:
            report.add_row(more)
    return report


def _take_summary(state: _State, record: Record, number: int, summary: Summary) -> Report:
    """Set the chosen process; a second summary in a report is the first line of the next one."""
    report = state.find_just_killed(record, summary.pid)
    if report is None or report.summary is not None:
        report = state.open
        if report is None or report.summary is not None:
            report = state.begin(record, number)
    report.summary = summary
    return report


def _take_announcement(state: _State, record: Record, number: int, announcement: Announcement) -> Report:
    """Set the chosen process, as a summary does in later kernels."""
    report = state.find_just_killed(record, announcement.pid)
    if report is None or report.announcement is not None:
        report = state.open
        if report is None or report.announcement is not None or not report.may_include(announcement):
            report = state.begin(record, number)
    report.announcement = announcement
    return report


def _take_kill(state: _State, record: Record, number: int, kill: Kill) -> Report:
    chosen = next((one for one in [state.open, *state.waiting] if one and one.has_chosen(kill.pid)), None)
    group = None if chosen else state.find_group(record, kill) or state.find_proven_group(record, kill)
    if group:
        group.add_kill(kill)
        return group
    report = chosen or state.open
    if report is None or (report is not chosen and not report.may_have_victim(kill)):
        report = state.begin_kill(record, number, kill)
    report.add_kill(kill)
    report.killed = record
    state.end(report)
    return report


def _take_shared_kill(state: _State, record: Record, number: int, shared: SharedKill) -> Report:
    """Add a process that dies because it has the victim's memory.

    Without the kill of the victim it is an event of its own.
    """
    kill = Kill("", shared.pid, shared.name, None, {}, None, None)
    victim = state.ended
    if victim is None or state.open or seconds_between(victim.last, record) > SHARED_SECONDS:
        return _take_kill(state, record, number, kill)
    victim.add_kill(kill)
    return victim


def _take_group_kill(state: _State, record: Record, number: int, group: GroupKill) -> Report:
    """Mark a group kill. Its first kill stands before this line, or is missing."""
    report = state.find_just_ended(record) or state.open or state.begin(record, number)
    report.is_group, report.group = True, group.memcg
    return state.ended or report  # a late line, too, is noted with the report that has its kill


def _take_skipped_victim(state: _State, _record: Record, _number: int, skipped: SkippedVictim) -> Optional[Report]:
    if state.ended:
        state.ended.add_skipped(skipped.pid)
    return state.ended or state.open


def _take_nothing_killable(state: _State, record: Record, number: int, _message: NothingKillable) -> Report:
    report = state.open if state.open and not state.open.nothing_killable else state.begin(record, number)
    report.nothing_killable = True
    return report


def _take_panic(state: _State, record: Record, number: int, panic: Panic) -> Report:
    """Set the panic; after "no killable processes" it is the end of the same report."""
    report = state.open or state.begin(record, number)
    report.panic = panic
    return report


def _take_init_panic(state: _State, record: Record, _number: int, _panic: InitPanic) -> Optional[Report]:
    """End the report that killed pid 1; of any other death of init this is no event."""
    report = state.ended
    if report and 1 in [kill.pid for kill in report.kills] and seconds_between(report.last, record) <= REPORT_SECONDS:
        report.panic = Panic(None)
        return report
    return state.open


def _take_sysrq(state: _State, record: Record, _number: int, sysrq: Sysrq) -> Optional[Report]:
    state.sysrq = None if sysrq.ignored else record
    return state.find_current()


def _take_other(state: _State, _record: Record, _number: int, _message: Message) -> Optional[Report]:
    return state.find_current()


_STEPS: Dict[type, Callable[[_State, Record, int, Any], Optional[Report]]] = {
    Header: _take_header,
    TriggerPid: _take_trigger,
    MemcgLimit: _take_limit,
    MemcgUsage: _take_usage,
    MemcgStats: _take_stats,
    MemorySize: _take_size,
    TableHeader: _take_table_header,
    TableRow: _take_row,
    Summary: _take_summary,
    Announcement: _take_announcement,
    Kill: _take_kill,
    SharedKill: _take_shared_kill,
    GroupKill: _take_group_kill,
    SkippedVictim: _take_skipped_victim,
    NothingKillable: _take_nothing_killable,
    Panic: _take_panic,
    InitPanic: _take_init_panic,
    Sysrq: _take_sysrq,
    SuppressedReports: _take_other,
    LostLines: _take_other,
    NewBoot: _take_other,
}
