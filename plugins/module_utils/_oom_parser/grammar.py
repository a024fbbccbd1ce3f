# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The grammar: each kernel message about memory running out, of every version, as a value.

Pure. One message in, one value or None out. Where a message holds a name or a
path, which users choose, it is read from the side that users cannot reach: from
the last bracket, from the end of the line. Sources are named by kernel version;
the texts are those of mm/oom_kill.c and mm/memcontrol.c.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

# What comm holds, in bytes; escaped (\x0a, #012) each can take four.
NAME_BYTES = 15
LONGEST_NAME = 4 * NAME_BYTES

# A dozen numbers and a name.
LONGEST_ROW = 400

_LARGEST_LIMIT_KB = 1 << 52  # version 1 writes "no limit" as a page count just below 2**63 bytes


class Header(NamedTuple):
    """C(NAME invoked oom-killer: ...): a report begins."""

    name: Optional[str]  # None in 2.6.18 and before
    gfp_mask: Optional[str]
    order: Optional[int]  # -1: asked for by sysrq
    oom_score_adj: Optional[int]
    pid: Optional[int] = None  # only OpenVZ says it here


class TriggerPid(NamedTuple):
    """C(CPU: 0 PID: 7 Comm: x), C(Pid: 7, comm: x): whose allocation it was, by thread id."""

    pid: int
    name: str


class MemcgLimit(NamedTuple):
    """C(Task in A killed as a result of limit of B) up to 4.20; either half can be missing."""

    task_memcg: Optional[str]
    memcg: Optional[str]


class Usage(NamedTuple):
    """C(memory: usage 1kB, limit 2kB, failcnt 3)."""

    usage_kb: int
    limit_kb: Optional[int]  # None: no limit
    failcnt: int


class MemcgStats(NamedTuple):
    """C(Memory cgroup stats for PATH:), first of the one whose limit was hit."""

    memcg: str


class TableHeader(NamedTuple):
    """C([ pid ] uid tgid total_vm ... name): the columns of this kernel's task table."""

    columns: List[str]


class TableRow(NamedTuple):
    """C([ 7] 0 7 100 ...): a row, still to be read by its header."""

    pid: int
    rest: str

    def is_whole(self) -> bool:
        """Whether it has the numbers and the name that every kernel since 2.6.3x prints, and so is no other list with brackets."""
        return _WHOLE_ROW.match(self.rest) is not None


class Summary(NamedTuple):
    """C(oom-kill:constraint=...), 5.0 and later."""

    constraint: str
    memcg: Optional[str]
    rest: str  # ",task_memcg=PATH,task=NAME": paths and names can hold any of it, see split()
    pid: Optional[int]  # None: the line was cut
    uid: Optional[int]


class Announced(NamedTuple):
    """C(Kill process 7 (x) score 9 or sacrifice child), up to 5.0: not yet a death, and maybe another's."""

    origin: str
    pid: int
    name: str
    score: Optional[int]


class Killed(NamedTuple):
    """C(Killed process 7 (x) ...): the one message that means a death."""

    origin: str
    pid: int
    name: Optional[str]  # None: the line was cut inside it
    uid: Optional[int]
    sizes_kb: Dict[
        str, int
    ]  # by the kernel's labels: total-vm, anon-rss, file-rss, shmem-rss, pgtables; OpenVZ has rss
    oom_score_adj: Optional[int]
    score: Optional[int]  # OpenVZ says it here


class Group(NamedTuple):
    """C(Tasks in PATH are going to be killed due to memory.oom.group set)."""

    memcg: str


class Skipped(NamedTuple):
    """C(OOM victim 7 (x) is already exiting. Skip killing the task): no death by the killer."""

    pid: int


class NoKillable(NamedTuple):
    """C(Out of memory and no killable processes...)."""


class Panic(NamedTuple):
    """C(Kernel panic - not syncing: ...) for want of memory."""

    policy: Optional[str]  # compulsory, system-wide, or None: not by panic_on_oom


class Sysrq(NamedTuple):
    """C(sysrq: Manual OOM execution), C(OOM request ignored. No task eligible)."""

    ignored: bool


class Suppressed(NamedTuple):
    """C(oom_kill_process: 2 callbacks suppressed): reports that were not printed."""

    reports: int


class Lost(NamedTuple):
    """C(** 2 printk messages dropped **), C(Missed 2 kernel messages): lines that this log lacks, as the kernel or who keeps its log says."""

    lines: int


class NewBoot(NamedTuple):
    """C(Linux version ...)."""


Message = Union[
    Header,
    TriggerPid,
    MemcgLimit,
    Usage,
    MemcgStats,
    TableHeader,
    TableRow,
    Summary,
    Announced,
    Killed,
    Group,
    Skipped,
    NoKillable,
    Panic,
    Sysrq,
    Suppressed,
    Lost,
    NewBoot,
]

# Before "Kill process" and "Killed process"; empty before 5.1 and on the lines of a group.
_ORIGIN = (
    r"(?P<origin>(?:Out of [Mm]emory(?: \(oom_kill_allocating_task\))?|Memory cgroup out of memory"
    r"|No available memory \(MPOL_BIND\)|No available memory in cpuset): )?"
)

_INVOKED = " invoked oom-killer: "
_HEADER_FIELDS = re.compile(r"gfp_mask=(?P<gfp>0x[0-9a-fA-F]+)")
_ORDER = re.compile(r"\border=(-?\d+)")
_HEADER_ADJ = re.compile(r"\boom_score_adj=(-?\d+)")
_HEADER_VZ = re.compile(
    r"(?P<pid>\d+) \((?P<name>.*)\) invoked oom-killer in ub \d+ generation \d+ gfp (?P<gfp>0x[0-9a-fA-F]+)"
)
_TRIGGER = re.compile(
    r"(?:CPU: \d+ (?:UID: \d+ )?PID: (?P<pid>\d+) Comm: |Pid: (?P<old_pid>\d+), comm: )(?P<name>.*) (?:Not tainted|Tainted)"
)
_TRIGGER_S390 = re.compile(r"Process (?P<name>.*) \(pid: (?P<pid>\d+), task: ")
KDUMP = " Kdump: loaded"  # behind the name of the task where a crash kernel is loaded (lib/dump_stack.c)
_USAGE = re.compile(r"memory: usage (\d+)kB, limit (\d+)kB, failcnt (\d+)")
_TABLE_HEADER = re.compile(r"\[ *pid *\]\s+(uid\s.*name)\s*$")
_TABLE_ROW = re.compile(r"\[\s*(\d+)\]\s+(-?\d+\s+\d+\s+\d+\s.*)$", re.DOTALL)
_WHOLE_ROW = re.compile(r"(?:-?\d+\s+){6}\S")
_SUMMARY = re.compile(r"oom-kill:constraint=CONSTRAINT_(\w+),nodemask=")
_SUMMARY_END = re.compile(r",pid=(\d+),uid=(-?\d+)\s*$")
_ANNOUNCED = re.compile(
    _ORIGIN
    + r"[Kk]ill process (?P<pid>\d+) \((?P<name>.*)\) (?:with )?score (?P<score>-?\d+) (?:or sacrifice child|or a child|and children)",
    re.DOTALL,
)
_KILLED = re.compile(_ORIGIN + r"(?:\S+: )?Killed process (?P<pid>\d+)(?:, UID (?P<uid>\d+),)? ?\(", re.DOTALL)
_KILLED_VZ = re.compile(
    r"Out of memory in UB \d+: OOM killed process (?P<pid>\d+) \((?P<name>.*)\) score (?P<score>-?\d+) vm:(?P<vm>\d+)kB(?:, rss:(?P<rss>\d+)kB)?",
    re.DOTALL,
)
# What follows the name, up to the end of the line: with it the last bracket is found, whatever the name holds. "vsz:" is of 2.6.33 to 2.6.35.
_KILLED_END = re.compile(
    r"(?P<name>.*)\)(?:, UID (?P<uid>\d+),)?(?P<sizes> (?:total-vm|vsz):\d+kB(?:,? [a-z]+-rss:\d+kB)+)"
    r"(?P<more>, UID:\d+ pgtables:\d+kB oom_score_adj:-?\d+)?\s*$",
    re.DOTALL,
)
_KILLED_CUT = re.compile(
    r"(?P<name>.*)\)(?:, UID (?P<uid>\d+),)?"
    r"(?:(?P<sizes> (?:total-vm:\d+kB|vsz:\d+kB, anon-rss:\d+kB)(?:,? [a-z]+-rss:\d+kB)*)(?P<more>.*)|\.?\s*$)",
    re.DOTALL,
)
SIZES = (",", "total-vm:", "vsz:")  # how they begin where they are on a line of their own
_SIZE = re.compile(r"([a-z]+-[a-z]+|vsz):(\d+)kB")
# Since 5.4, each if the text was not cut inside it.
_MORE = re.compile(r", UID:(?P<uid>\d+) (?:pgtables:(?P<pgtables>\d+)kB(?: oom_score_adj:(?P<adj>-?\d+)(?:\D|$))?)?")
_GROUP = re.compile(r"Tasks in (.*) are going to be killed due to memory\.oom\.group set")
_SKIPPED = re.compile(r"(?:.{0,60}: )?OOM victim (\d+) \(.*\) is already exiting\. Skip killing the task")
_PANIC = re.compile(
    r"(?:Kernel panic - not syncing: )?(?:(?P<text>Out of memory: (?P<policy>compulsory|system-wide) panic_on_oom is enabled)"
    r"|[Oo]ut of memory(?P<where> from page fault|\(memcg\))?\. (?P<old>Compulsory )?panic_on_oom is selected"
    r"|System is deadlocked on memory)"
)
_OLD_POLICIES = {" from page fault": None, "(memcg)": "compulsory"}
_PANIC_NO_KILLABLE = "Kernel panic - not syncing: Out of memory and no killable processes..."
_SYSRQ = re.compile(r"(?:sysrq: ?)?(?:SysRq ?: )?Manual OOM execution")
_VERSION = re.compile(r"Linux version \d")  # a task can have the words for its name
_SUPPRESSED = re.compile(r"(?:oom_kill_process|dump_header|out_of_memory|oom_kill_task)\w*: (\d+) callbacks suppressed")
_LOST = re.compile(
    r"\*\* (\d{1,18}) printk messages dropped \*\*|printk: (\d{1,18}) messages suppressed|__ratelimit: (\d{1,18}) callbacks suppressed"
    r"|Missed (\d{1,18}) kernel messages|imklog: (\d{1,18}) messages lost due to rate-limiting"
)
_BEGINNING = re.compile(
    r"Out of(?: [Mm]emory|$)|Memory cgroup out|No available|Kernel panic - not syncing|[Kk]ill(?:ed)? process |oom-kill:|oom_reaper: "
    r"|Tasks? in /|CPU: |Pid: |\[ *(?:\d+|pid) *\] |.{1,60} invoked(?: oom|$)"
)
_STATS_OF = "Memory cgroup stats for "
_LIMIT_OF = "killed as a result of limit of "


def understand(text: str) -> Optional[Message]:
    """What a message says; None when it is about something else."""
    row = _table_row(text) if text.startswith("[") else None  # most lines of a report
    if row is not None:
        return row
    for word, readers in _READERS:
        if word in text:
            for words, reader in readers:
                found = reader(text) if words in text else None
                if found is not None:
                    return found
    return None


def is_cut(text: str) -> bool:
    """Whether a victim's message ends inside the name, as at a line end in it, and the name can still go on."""
    name, goes_on = _victim_name(text)
    return goes_on and name is not None and _bytes(name) < NAME_BYTES


def is_whole(text: str) -> bool:
    """Whether it is a victim's message with a name that a task can have, so that its lines were rightly put together."""
    name, goes_on = _victim_name(text)
    return not goes_on and name is not None and _bytes(name) <= NAME_BYTES


def _victim_name(text: str) -> Tuple[Optional[str], bool]:
    """The name in a victim's message, None where there is none, and whether the text ends inside the message."""
    if "illed process " in text:
        match = _KILLED.match(text)
        if match:
            end = _end_of_name(text, match.end())
            return (end.group("name"), False) if end else (text[match.end() :], True)
    if "oom-kill:" in text:
        summary = _summary(text)
        if isinstance(summary, Summary):
            return split_task(summary.rest, None)[1], summary.pid is None
    return None, False


def _end_of_name(text: str, start: int) -> Optional["re.Match[str]"]:
    """What ends the name of a victim that starts here; None where the text was cut inside it."""
    return _KILLED_END.match(text, start) or _KILLED_CUT.match(text, start)


def is_continued(text: str) -> bool:
    """Whether the rest of a summary may be in the next record: one holds 1 KiB, and what does not fit begins another (kernel/printk)."""
    if not text.startswith("oom-kill:"):
        return False
    summary = _summary(text)
    return isinstance(summary, Summary) and summary.pid is None


def begins(text: str) -> bool:
    """Whether it is, or may be the first part of, a message that is understood here."""
    return bool(_BEGINNING.match(text)) or understand(text) is not None


def is_over(text: str) -> bool:
    """Whether it is a message with nothing behind it that might be missing; of a victim's, the sizes may be (C(SIZES))."""
    if isinstance(understand(text), MemcgStats):
        return True
    match = _KILLED.match(text)
    end = _end_of_name(text, match.end()) if match else None
    return end is not None and (end.re is _KILLED_END or end.group("sizes") is None)


def is_broken(first: str, rest: str) -> bool:
    """Whether these are parts of one message, broken anywhere but in a name, which may have a line end itself."""
    if first.startswith("oom-kill:"):
        return is_continued(first) and not is_cut(first) and " " not in rest
    if first.startswith("Task in /"):
        whole = _memcg_limit(first + rest)
        # The victim's cgroup lies in the one whose limit was hit.
        return isinstance(whole, MemcgLimit) and (
            " " + _LIMIT_OF not in first or str(whole.task_memcg).startswith(str(whole.memcg))
        )
    match = _KILLED.match(first)
    end = _end_of_name(first, match.end()) if match else None
    if end is None or end.re is _KILLED_END or not (end.group("sizes") or rest.startswith(SIZES)):
        return False
    return _KILLED_END.match(first + rest) is not None


def is_name_of_trigger(first: str, rest: str) -> bool:
    """Whether these two lines are one message with a line end in the name of the task that asked for memory."""
    header = _header(rest) if _INVOKED in rest else None
    if isinstance(header, Header):
        return _bytes(first + "\\x0a" + (header.name or "")) <= NAME_BYTES and understand(first) is None
    return "omm: " in first and _TRIGGER.match(first) is None and _TRIGGER.match(first + "\\x0a" + rest) is not None


def _header(text: str) -> Optional[Message]:
    name, invoked, fields = text.rpartition(_INVOKED)
    if not invoked:
        name, _none, fields = text.partition("oom-killer: ")
    fields_match = _HEADER_FIELDS.match(fields)
    if not fields_match or len(name) > LONGEST_NAME or (not invoked and name):
        return None
    order, adj = _ORDER.search(fields), _HEADER_ADJ.search(fields)
    if _bytes(name) > NAME_BYTES:  # a prefix that is not known stands before it
        name = ""
    return Header(
        name or None,
        fields_match.group("gfp"),
        int(order.group(1)) if order else None,
        int(adj.group(1)) if adj else None,
    )


def _header_openvz(text: str) -> Optional[Message]:
    match = _HEADER_VZ.match(text)
    return Header(match.group("name"), match.group("gfp"), None, None, int(match.group("pid"))) if match else None


def _trigger(text: str) -> Optional[Message]:
    match = _TRIGGER.match(text)
    return TriggerPid(int(match.group("pid") or match.group("old_pid")), match.group("name")) if match else None


def _trigger_s390(text: str) -> Optional[Message]:
    match = _TRIGGER_S390.match(text)
    return TriggerPid(int(match.group("pid")), match.group("name")) if match else None


def _memcg_limit(text: str) -> Optional[Message]:
    # 3.16 writes the two halves into two records.
    if text.startswith("Task in /"):
        task, limit, memcg = text[len("Task in ") :].rpartition(" " + _LIMIT_OF)
        return MemcgLimit(task, memcg.rstrip()) if limit else MemcgLimit(memcg.rstrip(), None)
    if text.lstrip().startswith(_LIMIT_OF):
        return MemcgLimit(None, text.lstrip()[len(_LIMIT_OF) :].rstrip())
    if text.startswith("Memory limit reached of cgroup "):  # 4.4
        return MemcgLimit(None, text[len("Memory limit reached of cgroup ") :].rstrip())
    return None


def _usage(text: str) -> Optional[Message]:
    match = _USAGE.match(text)
    if not match:
        return None
    usage, limit, failcnt = [int(number) for number in match.groups()]
    return Usage(usage, limit if limit < _LARGEST_LIMIT_KB else None, failcnt)


def _memcg_stats(text: str) -> Optional[Message]:
    if not text.startswith(_STATS_OF):
        return None
    # Up to 5.2 the numbers follow, from 5.3 to 6.1 on lines of the same record, since then in records of their own.
    for end in (":\\x0aanon ", ": cache:"):
        path, found, _numbers = text[len(_STATS_OF) :].rpartition(end)
        if found:
            return MemcgStats(path)
    return MemcgStats(text[len(_STATS_OF) :].rstrip().rstrip(":"))


def _table_header(text: str) -> Optional[Message]:
    match = _TABLE_HEADER.match(text)
    return TableHeader(match.group(1).split()) if match else None


def _table_row(text: str) -> Optional[Message]:
    match = _TABLE_ROW.match(text)
    return TableRow(int(match.group(1)), match.group(2)[:LONGEST_ROW]) if match else None


def _summary(text: str) -> Optional[Message]:
    match = _SUMMARY.match(text)
    if not match:
        return None
    end = _SUMMARY_END.search(text, max(0, len(text) - 40))
    pid, uid = (int(end.group(1)), unsigned(int(end.group(2)))) if end else (None, None)
    body = text[match.end() : end.start()] if end else text[match.end() :]
    # Free text begins after mems_allowed=; where a cpuset's name imitates what follows, the first one counts.
    _before, in_memcg, after = body.partition(",oom_memcg=")
    if not in_memcg:
        _before, found, after = body.partition(",task_memcg=")
        return Summary(match.group(1), None, found + after if found else _task_part(body), pid, uid)
    memcg, task_memcg = _split_paths(after)
    if not task_memcg:  # cut inside the path
        return Summary(match.group(1), None, "", pid, uid)
    return Summary(match.group(1), memcg, task_memcg, pid, uid)


def unsigned(uid: int) -> int:
    """A uid that the kernel printed with %d."""
    return uid + (1 << 32) if uid < 0 else uid


def _task_part(body: str) -> str:
    """C(,task=NAME) of a kernel without memory cgroups."""
    at = body.find(",task=")
    return body[at:] if at >= 0 else ""


def _split_paths(text: str) -> List[str]:
    """C(PATH,task_memcg=PATH...): the victim's cgroup lies in the one whose limit was hit, so the second begins with the first."""
    separator = ",task_memcg="
    at = -1
    fallback: Optional[List[str]] = None
    for _turn in range(8):
        at = text.find(separator, at + 1)
        if at < 0:
            break
        memcg, rest = text[:at], text[at:]
        fallback = fallback or [memcg, rest]
        if memcg == "/" or rest.startswith(separator + memcg):
            return [memcg, rest]
    return fallback or [text, ""]


def split_task(rest: str, name: Optional[str]) -> List[Optional[str]]:
    """Path and name of C(,task_memcg=PATH,task=NAME).

    Both can hold the words between them. Where another line gives the name it
    decides; else the longest name that is not longer than a name can be.
    """
    body = rest[len(",task_memcg=") :] if rest.startswith(",task_memcg=") else rest
    if name is not None and body.endswith(",task=" + name):
        return [body[: -len(",task=" + name)] or None, name]
    best: Optional[int] = None
    at = len(body)
    for _turn in range(8):
        at = body.rfind(",task=", 0, at)
        if at < 0 or len(body) - at - len(",task=") > LONGEST_NAME:
            break
        if best is None or _bytes(body[at + len(",task=") :]) <= NAME_BYTES:
            best = at
    if best is None:
        return [body or None, None]
    return [body[:best] or None, body[best + len(",task=") :]]


def _bytes(name: str) -> int:
    r"""Length of a name before it was escaped as \x0a or #012, or what is no UTF-8 was replaced."""
    return len(re.sub("\\\\x[0-9a-f]{2}|#\\d{3}|\ufffd", "?", name).encode("utf-8", "replace"))


def _announced(text: str) -> Optional[Message]:
    match = _ANNOUNCED.match(text)
    if not match:
        return None
    return Announced(_origin(match), int(match.group("pid")), match.group("name"), int(match.group("score")))


def _origin(match: "re.Match[str]") -> str:
    return (match.group("origin") or "")[:-2]


def _killed(text: str) -> Optional[Message]:
    match = _KILLED.match(text)
    if not match:
        return None
    end = _end_of_name(text, match.end())
    facts = end.groupdict() if end else {}
    sizes = {label: int(size) for label, size in _SIZE.findall(facts.get("sizes") or "")}
    if "vsz" in sizes:
        sizes["total-vm"] = sizes.pop("vsz")
    more = _MORE.match(facts.get("more") or "")
    later = more.groupdict() if more else {}
    if later.get("pgtables"):
        sizes["pgtables"] = int(later["pgtables"])
    uid = match.group("uid") or facts.get("uid") or later.get("uid")
    adj = later.get("adj")
    return Killed(
        _origin(match),
        int(match.group("pid")),
        _name(facts.get("name")),
        int(uid) if uid is not None else None,
        sizes,
        int(adj) if adj is not None else None,
        None,
    )


def _name(text: Optional[str]) -> Optional[str]:
    """None where it is longer than a name can be, as lines that lost the line end between them make it."""
    return None if text is None or _bytes(text) > NAME_BYTES else text


def _killed_openvz(text: str) -> Optional[Message]:
    match = _KILLED_VZ.match(text)
    if not match:
        return None
    sizes = {"total-vm": int(match.group("vm"))}
    if match.group("rss"):
        sizes["rss"] = int(match.group("rss"))
    return Killed(
        "Out of memory", int(match.group("pid")), match.group("name"), None, sizes, None, int(match.group("score"))
    )


def _group(text: str) -> Optional[Message]:
    match = _GROUP.match(text)
    return Group(match.group(1)) if match else None


def _skipped(text: str) -> Optional[Message]:
    match = _SKIPPED.match(text)
    return Skipped(int(match.group(1))) if match else None


def _panic(text: str) -> Optional[Message]:
    if text.startswith(_PANIC_NO_KILLABLE):  # up to 4.15
        return Panic(None)
    match = _PANIC.match(text)
    if not match:
        return None
    policy = match.group("policy")
    if (
        policy is None and "is selected" in text
    ):  # 2.6.18 to 2.6.35; a page fault asked for either (pagefault_out_of_memory)
        policy = _OLD_POLICIES.get(match.group("where"), "compulsory" if match.group("old") else "system-wide")
    return Panic(policy)


def _no_killable(text: str) -> Optional[Message]:
    return NoKillable() if text.startswith("Out of memory and no killable processes...") else None


def _sysrq(text: str) -> Optional[Message]:
    if text.startswith(("OOM request ignored. ", "OOM request ignored because ")):
        return Sysrq(ignored=True)
    return Sysrq(ignored=False) if _SYSRQ.match(text) else None


def _suppressed(text: str) -> Optional[Message]:
    match = _SUPPRESSED.match(text)
    return Suppressed(int(match.group(1))) if match else None


def _lost(text: str) -> Optional[Message]:
    match = _LOST.match(text)
    return Lost(int(next(filter(None, match.groups())))) if match else None


def _new_boot(text: str) -> Optional[Message]:
    return NewBoot() if _VERSION.match(text) else None


# Words that a message must hold before its pattern is tried, in two steps, as most lines hold none of the first. A name can hold any words:
# what a pattern does not accept goes on to the next.
_READERS = [
    (
        "ill",
        [
            ("oom-killer: ", _header),
            ("oom-killer in ub", _header_openvz),
            ("oom-kill:", _summary),
            ("illed process ", _killed),
            ("OOM killed process ", _killed_openvz),
            ("ill process ", _announced),
            ("no killable", _panic),
            ("no killable", _no_killable),
            ("limit of /", _memcg_limit),
            ("memory.oom.group", _group),
        ],
    ),
    ("OOM ", [("OOM victim ", _skipped), ("Manual OOM", _sysrq), ("OOM request", _sysrq)]),
    ("memory", [("panic_on_oom", _panic), ("deadlocked on memory", _panic), ("memory: usage", _usage)]),
    ("callbacks suppressed", [("", _suppressed), ("", _lost)]),
    (" messages", [("", _lost)]),
    ("Linux version ", [("", _new_boot)]),
    ("Task in /", [("", _memcg_limit)]),
    ("Memory limit reached", [("", _memcg_limit)]),
    ("Memory cgroup stats", [("", _memcg_stats)]),
    ("omm: ", [("", _trigger)]),
    (" (pid: ", [("", _trigger_s390)]),
    ("total_vm", [("", _table_header)]),
]
