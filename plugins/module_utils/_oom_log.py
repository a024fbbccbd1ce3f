# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""From kernel text to events: which lines belong together.

Pure: records in, events out, one pass, nothing remembered but the open reports.

A report begins with "invoked oom-killer", ends with "Killed process", and may
lack either: the kernel prints at most ten reports in five seconds, but every
kill (mm/oom_kill.c:oom_kill_process). So a kill without a report is an event,
a report without a kill is an incomplete one, and neither is glued to its
neighbour. The pid of "Killed process" is who died; "Kill process" only
announces, and up to 5.0 a child may have died instead.
"""

import hashlib
import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ansible_collections.oomguard.linux.plugins.module_utils import _oom_messages as say
from ansible_collections.oomguard.linux.plugins.module_utils import _user_killers
from ansible_collections.oomguard.linux.plugins.module_utils._cgroup_names import container_of, pod_of, unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._log_prefix import Record, seconds_between
from ansible_collections.oomguard.linux.plugins.module_utils._oom_lines import whole_messages

# A report prints within moments, also on a slow console. What comes later belongs to another.
REPORT_SECONDS = 30.0
# The members of a group are killed one after the other by the same loop.
GROUP_SECONDS = 1.0
# An uptime that falls by more than lines are ever shuffled means another boot.
REBOOT_SECONDS = 5.0

# Hostile input must not fill the memory: real reports stay far below.
MOST_WAITING = 8
MOST_TASKS = 65536
MOST_RAW_LINES = 4096

# Who keeps the kernel's log, and says what it lacks.
_KEEPERS = ("systemd-journald", "rsyslogd")

_CONSTRAINTS = {"NONE": "none", "CPUSET": "cpuset", "MEMORY_POLICY": "memory_policy", "MEMCG": "memcg"}
_ORIGIN_CONSTRAINTS = {
    "Memory cgroup out of memory": "memcg",
    "No available memory (MPOL_BIND)": "memory_policy",
    "No available memory in cpuset": "cpuset",
}
_PAGE_SIZES_KB = (4, 8, 16, 64)
_WHOLE = re.compile(r"-?\d{1,20}$")


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
        self.header = None  # type: Optional[say.Header]
        self.trigger_pid = None  # type: Optional[int]
        self.limit = say.MemcgLimit(None, None)
        self.usage = None  # type: Optional[say.Usage]
        self.stats = None  # type: Optional[say.MemcgStats]
        self.columns = None  # type: Optional[List[str]]
        self.rows = []  # type: List[say.TableRow]
        self.summary = None  # type: Optional[say.Summary]
        self.announced = None  # type: Optional[say.Announced]
        self.kills = []  # type: List[say.Killed]
        self.is_repeated = False  # the first of them is there a second time
        self.group = None  # type: Optional[str]
        self.skipped = []  # type: List[int]
        self.no_killable = False
        self.panic = None  # type: Optional[say.Panic]
        self.sysrq = False
        self.raw = []  # type: List[str]
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


class _Table:
    """The task table of a report, read by the header that its kernel printed."""

    def __init__(self, report: Report) -> None:
        self._columns = report.columns or ["uid", "tgid"]
        self._splits = len(self._columns) - 1 if report.columns else 2  # the name, which comes last, may hold blanks
        self._rows = report.rows
        died = {str(kill.pid) for kill in report.kills}
        self._of_victims = {}  # type: Dict[str, Dict[str, str]]
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


class _Stream:
    """The reports of one writer: the kernel's own, or those that a program made up."""

    def __init__(self, trusted: Optional[bool], raw: bool) -> None:
        self._trusted = trusted
        self._raw = raw
        self._open = None  # type: Optional[Report]  # still without its end
        self._ended = None  # type: Optional[Report]  # its group may go on
        self._waiting = []  # type: List[Report]  # another began before the kill that they told of
        self._over = []  # type: List[Report]
        self._sysrq = None  # type: Optional[Record]  # it was asked for, and nothing came of it yet
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
        waiting = [(self._open, REPORT_SECONDS), (self._ended, GROUP_SECONDS)] + [(report, REPORT_SECONDS) for report in self._waiting]
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
        report = self._open if self._open and self._open.announced is None and self._open.may_be_of(announced) else self._begin(record)
        report.announced = announced

    def _has_just_died(self, record: Record, ended: Report, pid: Optional[int]) -> bool:
        """Whether the choice stands behind the kill, as in what journalctl --reverse tells: then it is no second one."""
        return not self._open and seconds_between(ended.last, record) <= GROUP_SECONDS and pid in [kill.pid for kill in ended.kills]

    def _killed(self, record: Record, kill: say.Killed) -> None:
        own = next((report for report in [self._open] + self._waiting if report and report.has_chosen(kill.pid)), None)
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
    _USES = {
        say.Header: _header,
        say.Summary: _summary,
        say.Announced: _announced,
        say.Killed: _killed,
        say.Group: _group,
        say.Skipped: _skipped,
        say.NoKillable: _no_killable,
        say.Panic: _panic,
        say.Sysrq: _manual,
    }  # type: Dict[type, Callable[..., None]]

    @staticmethod
    def _describe(report: Report, message: say.Message) -> None:
        if isinstance(message, say.TableRow):
            if len(report.rows) < MOST_TASKS:
                report.rows.append(message)
        elif isinstance(message, say.TriggerPid):
            report.identify_trigger(message)
        elif isinstance(message, say.MemcgLimit):
            report.limit = say.MemcgLimit(message.task_memcg or report.limit.task_memcg, message.memcg or report.limit.memcg)
        elif isinstance(message, say.Usage):
            report.usage = report.usage or message
        elif isinstance(message, say.MemcgStats):
            report.stats = report.stats or message
        elif isinstance(message, say.TableHeader):
            report.columns = message.columns


Event = Dict[str, Any]


class Ending(NamedTuple):
    """What is known when the last line was read."""

    boots: int  # that the text is of
    suppressed: int  # reports that the kernel did not print, as it says itself
    lost: int  # lines that it says were not written down
    unsettled: List[Unsettled]


def read(records: Iterable[Record], take: Callable[[int, Event], None], tasks: bool = False, raw: bool = False) -> Ending:
    """Hand over each event, with the number of its first line, when no line of this text can belong to it any more.

    C(boot_index) counts from the first boot of the text: how many there are is
    known at the end.
    """
    parser = _Parser(take, tasks, raw)
    for number, record in enumerate(whole_messages(records)):
        parser.take(number, record)
    return parser.finish()


def parse(records: Iterable[Record], tasks: bool = False, raw: bool = False) -> List[Event]:
    """Events of kernel text, in the order in which they began; see C(event) for their keys."""
    found = []  # type: List[Tuple[int, Event]]
    boots = read(records, lambda number, facts: found.append((number, facts)), tasks, raw).boots
    return [dict(facts, boot_index=facts["boot_index"] - boots + 1) for _number, facts in sorted(found, key=lambda one: one[0])]


class _Parser:
    """All who speak in one text, and the boots that it is of."""

    def __init__(self, take: Callable[[int, Event], None], tasks: bool, raw: bool) -> None:
        self._take = take
        self._options = (tasks, raw)
        self._streams = {trusted: _Stream(trusted, raw) for trusted in (False, None, True)}
        self._programs = _user_killers.Stream()
        self._boot = 0
        self._lines = 0  # of this boot
        self._suppressed = 0
        self._lost = 0
        self._uptime = None  # type: Optional[float]
        self._boot_id = None  # type: Optional[str]
        self._last = Record("")

    def take(self, number: int, record: Record) -> None:
        message = say.understand(record.text)
        if _restarted(record, message, self._uptime, self._lines, self._boot_id):
            self._end_boot()
            self._boot, self._lines = self._boot + 1, 0
        if record.monotonic is not None and record.trusted is not False:  # a program can write any
            self._uptime = record.monotonic
        self._boot_id = record.boot or self._boot_id
        self._lines += 1
        self._last = record
        if isinstance(message, say.Suppressed) and record.trusted is not False:
            self._suppressed += message.reports
        elif isinstance(message, say.Lost) and (record.trusted is not False or record.program in _KEEPERS):
            self._lost += message.lines
        over = self._streams[record.trusted].take(record, message, number)
        if over:
            self._keep(over)
        if message is None:
            self._keep_programs(self._programs.take(record, number))

    def finish(self) -> Ending:
        unsettled = [Unsettled(kill.number, kill.record, _user_killers.NEAR_SECONDS) for kill in self._programs.since(self._last)]
        for trusted in (None, True):  # for what a program makes up nobody waits
            unsettled += self._streams[trusted].unsettled(self._last)
        self._end_boot()
        return Ending(self._boot + 1, self._suppressed, self._lost, unsettled)

    def _end_boot(self) -> None:
        for stream in self._streams.values():
            self._keep(stream.finish())
        self._keep_programs(self._programs.finish())

    def _keep(self, ended: Iterable[Report]) -> None:
        for report in ended:
            self._take(report.number, dict(event(report, *self._options), boot_index=self._boot))

    def _keep_programs(self, ended: Iterable[_user_killers.Kill]) -> None:
        for kill in ended:
            self._take(kill.number, dict(program_event(kill, *self._options), boot_index=self._boot))


def _restarted(record: Record, message: Optional[say.Message], uptime: Optional[float], lines: int, boot_id: Optional[str]) -> bool:
    """Whether this line belongs to a new boot: the id tells, else the uptime, or, where lines have none, the version that comes first."""
    if record.boot and boot_id:
        return record.boot != boot_id
    if record.trusted is False:
        return False
    if record.monotonic is None:
        return isinstance(message, say.NewBoot) and lines > 0
    shuffled = 0.0 if isinstance(message, say.NewBoot) else REBOOT_SECONDS
    return uptime is not None and record.monotonic < uptime - shuffled


# --- a report as an event ----------------------------------------------------------


def event(report: Report, tasks: bool = False, raw: bool = False) -> Event:
    """The event of a report: always the same keys, null where the text does not say."""
    table = _Table(report)
    victims = _victims(report, table)
    header = report.header
    constraint = _constraint(report)
    announced = report.announced
    facts = dict(
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
            name=header.name, pid=report.trigger_pid, oom_score_adj=header.oom_score_adj, gfp_mask=header.gfp_mask, order=header.order
        ),
        memcg=_memcg(report) if constraint == "memcg" else None,
        announced=dict(pid=announced.pid, name=announced.name, score=announced.score) if announced else None,
        victims=victims,
        skipped_pids=report.skipped,
        panic_policy=report.panic.policy if report.panic else None,
        tasks_count=table.count if header or table.count else None,
        complete=header is not None and not report.has_no_end(),
    )  # type: Dict[str, Any]
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
    unique = {}  # type: Dict[int, say.Killed]
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
