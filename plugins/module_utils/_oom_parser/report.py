# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Which messages belong together: the reports of the killer.

Pure, one pass, nothing remembered but the open reports.

A report begins with "invoked oom-killer", ends with "Killed process", and may
lack either: the kernel prints at most ten reports in five seconds, but every
kill (mm/oom_kill.c:oom_kill_process). So a kill without a report is an event,
a report without a kill is an incomplete one, and neither is glued to its
neighbour. The pid of "Killed process" is who died; "Kill process" only
announces, and up to 5.0 a child may have died instead.
"""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Union

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, seconds_between
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import grammar as say

# A report prints within moments, also on a slow console. What comes later belongs to another.
REPORT_SECONDS = 30.0
# The members of a group are killed one after the other by the same loop.
GROUP_SECONDS = 1.0

# Hostile input must not fill the memory: real reports stay far below.
MOST_WAITING = 8
MOST_TASKS = 65536
MOST_RAW_LINES = 4096


class Unsettled(NamedTuple):
    """A report that more lines may belong to, if they come soon."""

    number: int  # of its first line
    first: Record
    seconds: float  # how long it waits


class Report:
    """What is known of one call of the killer, line by line."""

    def __init__(self, record: Record, trusted: Optional[bool], number: int) -> None:
        self.first = record
        self.number = number  # of its first line, by which events are ordered
        self.trusted = trusted
        self.header: Optional[say.Header] = None
        self.trigger_pid: Optional[int] = None
        self.limit = say.MemcgLimit(None, None)
        self.usage: Optional[say.Usage] = None
        self.stats: Optional[say.MemcgStats] = None
        self.columns: Optional[List[str]] = None
        self.rows: List[say.TableRow] = []
        self.summary: Optional[say.Summary] = None
        self.announced: Optional[say.Announced] = None
        self.kills: List[say.Killed] = []
        self.is_repeated = False  # the first of them is there a second time
        self.group: Optional[str] = None
        self.skipped: List[int] = []
        self.no_killable = False
        self.panic: Optional[say.Panic] = None
        self.sysrq = False
        self.raw: List[str] = []
        self.last = record

    def note(self, record: Record, raw: bool) -> None:
        self.last = record
        if raw and len(self.raw) < MOST_RAW_LINES:
            self.raw.append(record.raw)

    def add(self, kill: say.Killed) -> None:
        self.is_repeated = self.is_repeated or (bool(self.kills) and kill.pid == self.kills[0].pid)
        self.kills.append(kill)

    def identify_trigger(self, message: say.TriggerPid) -> None:
        """The pid of who asked for memory, and its name: behind a stamp that could begin with a host, and behind one it could with a tag."""
        header = self.header
        if header is None or not header.name or self.trigger_pid is not None:
            return
        names = [header.name]
        if self.first.program == "kernel":
            names += ["kernel: " + header.name, "kernel:" + header.name]
        elif self.first.clock is not None:
            names += [header.name.partition(" ")[2]]
        name = next((name for name in names if name and message.name in (name, name + say.KDUMP)), None)
        if name:
            self.trigger_pid, self.header = message.pid, header._replace(name=name)

    def has_chosen(self, pid: int) -> bool:
        return self.has_no_end() and pid in (self.announced and self.announced.pid, self.summary and self.summary.pid)

    def is_event(self) -> bool:
        """Whether it tells of a call of the killer: lines from the middle of a report alone do not."""
        return bool(self.header or self.announced or self.summary) or not self.has_no_end()

    def may_be_of(self, choice: Union[say.Announced, say.Killed]) -> bool:
        """Whether the lines of a report without its beginning can be of this: where the whole host is out of memory no limit was hit."""
        return self.is_event() or choice.origin != "Out of memory" or not (self.limit.memcg or self.usage or self.stats)

    def has_no_end(self) -> bool:
        return not (self.kills or self.no_killable or self.panic)


class Stream:
    """The reports of one writer: the kernel's own, or those that a program made up."""

    def __init__(self, trusted: Optional[bool], raw: bool) -> None:
        self._trusted = trusted
        self._raw = raw
        self._open: Optional[Report] = None  # still without its end
        self._ended: Optional[Report] = None  # its group may go on
        self._waiting: List[Report] = []  # another began before the kill that they told of
        self._over: List[Report] = []
        self._sysrq: Optional[Record] = None  # it was asked for, and nothing came of it yet
        self._number = 0

    def take(self, record: Record, message: Optional[say.Message], number: int) -> Sequence[Report]:
        """Use one message, that of line C(number); give the reports that it shows to be over."""
        if message is None and self._open is None:
            return ()
        self._number = number
        if self._open and seconds_between(self._open.last, record) > REPORT_SECONDS:
            self._close()
        if self._waiting:
            self._give_up([report for report in self._waiting if seconds_between(report.last, record) > REPORT_SECONDS])
        if message is not None:
            use = self._USES.get(type(message))
            if use:
                use(self, record, message)
            elif self._open or self._is_rest(record, message):
                self._describe(self._open or self._begin(record), message)
        current = self._ended if self._ended and isinstance(message, self._OF_THE_ENDED) else self._open or self._ended
        if current and (message is not None or (self._open and self._open.is_event())):
            current.note(record, self._raw)
        return self._hand_over()

    def _is_rest(self, record: Record, message: say.Message) -> bool:
        """Whether it belongs to a report whose beginning this text lacks. Those come before the kill, so they cannot be of one that ended."""
        if isinstance(message, (say.MemcgLimit, say.Usage, say.MemcgStats, say.TableHeader)):
            return True
        if not isinstance(message, say.TableRow) or not message.is_whole() or self._waiting:
            return False
        return self._ended is None or seconds_between(self._ended.last, record) > GROUP_SECONDS

    def finish(self) -> Sequence[Report]:
        self._close()
        self._give_up(self._waiting)
        return self._hand_over()

    def _hand_over(self) -> Sequence[Report]:
        if not self._over:
            return ()
        over, self._over = self._over, []
        return over

    def unsettled(self, last: Record) -> List[Unsettled]:
        """The reports that the next line may belong to, when that was the last."""
        waiting = [(self._open, REPORT_SECONDS), (self._ended, GROUP_SECONDS)] + [
            (report, REPORT_SECONDS) for report in self._waiting
        ]
        return [
            Unsettled(report.number, report.first, seconds)
            for report, seconds in waiting
            if report and seconds_between(report.last, last) <= seconds
        ]

    def _close(self) -> None:
        """Nothing more can come but the kill of whom the open report has chosen, as reports of several cgroups may be printed at once."""
        self._over += [self._ended] if self._ended else []
        if self._open and self._open.has_no_end() and (self._open.announced or self._open.summary):
            self._waiting.append(self._open)
            self._give_up(self._waiting[:-MOST_WAITING])
        elif self._open and self._open.is_event():
            self._over.append(self._open)
        self._open = self._ended = None

    def _give_up(self, late: List[Report]) -> None:
        self._over += late
        self._waiting = [report for report in self._waiting if report not in late]

    def _begin(self, record: Record) -> Report:
        self._close()
        self._open = Report(record, self._trusted, self._number)
        self._open.sysrq = self._sysrq is not None and seconds_between(self._sysrq, record) <= REPORT_SECONDS
        self._sysrq = None
        return self._open

    def _header(self, record: Record, header: say.Header) -> None:
        report = self._begin(record)
        report.header, report.trigger_pid = header, header.pid

    def _summary(self, record: Record, summary: say.Summary) -> None:
        """It says whom the killer chose; a second one in a report means that the next has begun."""
        if self._ended and self._ended.summary is None and self._has_just_died(record, self._ended, summary.pid):
            self._ended.summary = summary
            return
        report = self._open if self._open and self._open.summary is None else self._begin(record)
        report.summary = summary

    def _announced(self, record: Record, announced: say.Announced) -> None:
        """The same in kernels up to 5.0."""
        if self._ended and self._ended.announced is None and self._has_just_died(record, self._ended, announced.pid):
            self._ended.announced = announced
            return
        report = (
            self._open
            if self._open and self._open.announced is None and self._open.may_be_of(announced)
            else self._begin(record)
        )
        report.announced = announced

    def _has_just_died(self, record: Record, ended: Report, pid: Optional[int]) -> bool:
        """Whether the choice stands behind the kill, as in what journalctl --reverse tells: then it is no second one."""
        return (
            not self._open
            and seconds_between(ended.last, record) <= GROUP_SECONDS
            and pid in [kill.pid for kill in ended.kills]
        )

    def _killed(self, record: Record, kill: say.Killed) -> None:
        own = next((report for report in [self._open, *self._waiting] if report and report.has_chosen(kill.pid)), None)
        if own is None and self._goes_on(record, kill):
            self._ended.add(kill)  # type: ignore[union-attr]
            return
        report = own or (self._open if self._open and self._may_be_victim(self._open, kill) else self._begin(record))
        report.add(kill)
        self._over += [self._ended] if self._ended else []
        self._ended = report
        if report is self._open:
            self._open = None
        else:
            self._waiting.remove(report)

    @staticmethod
    def _may_be_victim(report: Report, kill: say.Killed) -> bool:
        """Up to 5.0, and then only after an announcement, a child may die in the place of the chosen one."""
        if report.no_killable or not report.may_be_of(kill):
            return False
        return report.announced is not None or report.summary is None or report.summary.pid in (None, kill.pid)

    def _goes_on(self, record: Record, kill: say.Killed) -> bool:
        """Whether a kill without a report is one more of the group that is being killed.

        The chosen one is printed a second time somewhere among the others. A
        group whose own report was printed goes on after that, as the next kill
        would have its report, too. Where reports are suppressed it need not.
        """
        group = self._ended
        if group is None or group.group is None or seconds_between(group.last, record) > GROUP_SECONDS:
            return False
        if kill.origin not in (group.kills[0].origin, group.kills[-1].origin):
            return False
        reported = group.header or group.summary or group.announced
        return bool(reported) or not group.is_repeated

    def _group(self, record: Record, group: say.Group) -> None:
        """The first of its kills stands before it, if that is not what the text lacks."""
        is_begun = self._ended and seconds_between(self._ended.last, record) <= GROUP_SECONDS
        report = (self._ended if is_begun else self._open) or self._begin(record)
        report.group = group.memcg

    def _skipped(self, _record: Record, skipped: say.Skipped) -> None:
        if self._ended:
            self._ended.skipped.append(skipped.pid)

    def _no_killable(self, record: Record, _message: say.NoKillable) -> None:
        report = self._open if self._open and not self._open.no_killable else self._begin(record)
        report.no_killable = True

    def _panic(self, record: Record, panic: say.Panic) -> None:
        """After "no killable processes" it is the end of the same report."""
        report = self._open or self._begin(record)
        report.panic = panic

    def _manual(self, record: Record, message: say.Sysrq) -> None:
        self._sysrq = None if message.ignored else record

    _OF_THE_ENDED = (say.Killed, say.Group, say.Skipped)
    _USES: Dict[type, Callable[..., None]] = {
        say.Header: _header,
        say.Summary: _summary,
        say.Announced: _announced,
        say.Killed: _killed,
        say.Group: _group,
        say.Skipped: _skipped,
        say.NoKillable: _no_killable,
        say.Panic: _panic,
        say.Sysrq: _manual,
    }

    @staticmethod
    def _describe(report: Report, message: say.Message) -> None:
        if isinstance(message, say.TableRow):
            if len(report.rows) < MOST_TASKS:
                report.rows.append(message)
        elif isinstance(message, say.TriggerPid):
            report.identify_trigger(message)
        elif isinstance(message, say.MemcgLimit):
            report.limit = say.MemcgLimit(
                message.task_memcg or report.limit.task_memcg, message.memcg or report.limit.memcg
            )
        elif isinstance(message, say.Usage):
            report.usage = report.usage or message
        elif isinstance(message, say.MemcgStats):
            report.stats = report.stats or message
        elif isinstance(message, say.TableHeader):
            report.columns = message.columns
