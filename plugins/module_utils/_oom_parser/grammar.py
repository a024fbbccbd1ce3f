# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The grammar: parse a kernel message about memory running out, of any kernel version.

Pure. One message in, one value or None out. Users choose names and paths. So where a
message holds one, it is read from the side that a user cannot reach: from the last
bracket, or from the end of the line. Comments name a source by its kernel version; the
texts are those of mm/oom_kill.c and mm/memcontrol.c.
"""

import re
from typing import Callable, Dict, List, Optional, Tuple, Union

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record
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
    SuppressedReports,
    Sysrq,
    TableHeader,
    TableRow,
    TriggerPid,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.summary import parse_summary
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import (
    LONGEST_NAME,
    LONGEST_PATH,
    NAME_BYTES,
    count_name_bytes,
    is_inside,
    split_paths,
)

# A dozen numbers and a name.
_LONGEST_ROW = 400
_LONGEST_PID = 10

# Version 1 of cgroups writes "no limit" as a page count just below 2**63 bytes.
_LARGEST_LIMIT_KB = 1 << 52

# Before "Kill process" and "Killed process"; empty before 5.1 and on the lines of a group.
_ORIGIN = (
    r"(?P<origin>(?:Out of [Mm]emory(?: \(oom_kill_allocating_task\))?|Memory cgroup out of memory"
    r"|No available memory \(MPOL_BIND\)|No available memory in cpuset): )?"
)

# Where a message begins that shows a kill.
KILL_BEGINNING = (
    r"(?:Out of [Mm]emory(?: \(oom_kill_allocating_task\))?: |Memory cgroup out of memory: "
    r"|No available memory (?:\(MPOL_BIND\)|in cpuset): )?[Kk]ill(?:ed)? process \d"
    r"|Out of memory in UB \d|oom-kill:constraint=CONSTRAINT_|Out of memory and no killable"
    r"|Kernel panic - not syncing: "
)
INVOKED = " invoked oom-killer: "
_INVOKED_CUT = re.compile(
    r"(?P<name>.{1,60}) invoked oom-killer(?::? ?(?:\.{2,3}|\u2026|[\[<(].{0,40}))?\s*$", re.DOTALL
)
_HEADER_FIELDS = re.compile(r"gfp_mask=(?P<gfp>0x[0-9a-fA-F]+)")
_WHOLE_HEADER = re.compile(
    r"(?P<name>.{1,60}?) invoked oom-killer: gfp_mask=0x[0-9a-fA-F]+(?:\([A-Za-z_|]*\))?,"
    r" (?:nodemask=[^\s,]*, +)?order=-?\d+(?:, (?:oom_adj|oomkilladj|oom_score_adj|oom_scoe_adj)=-?\d+)+"
)
_CGROUP_LINE = re.compile(r"Tasks? in /|.* cpuset=")
_LONGEST_FIELDS = 512  # a path that fills a record can look like a header
_ORDER = re.compile(r"\border=(-?\d+)")
_HEADER_ADJ = re.compile(r"\boom_score_adj=(-?\d+)")
_HEADER_OPENVZ = re.compile(
    r"(?P<pid>\d+) \((?P<name>.*)\) invoked oom-killer in ub \d+ generation \d+ gfp (?P<gfp>0x[0-9a-fA-F]+)"
)
TRIGGER = re.compile(
    r"(?:CPU: \d+ (?:UID: \d+ )?PID: (?P<pid>\d+) Comm: |Pid: (?P<old_pid>\d+), comm: )"
    r"(?P<name>.*) (?:Not tainted|Tainted)(?::?[ A-Z()-]*? (?P<release>\d{1,5}\.\d\S{0,100}))?"
)
_TRIGGER_S390 = re.compile(r"Process (?P<name>.*) \(pid: (?P<pid>\d+), task: ")
_USAGE = re.compile(r"memory: usage (\d+)kB, limit (\d+)kB, failcnt (\d+)")
_SIZE_OF_MEMCG = re.compile(r"(?P<both>memory\+)?swap: usage \d+kB, limit (?P<limit>\d{1,20})kB")
_SIZE_OF_HOST = re.compile(r"(?P<pages>\d{1,15}) pages (?P<what>RAM|reserved)|Total swap = (?P<swap>\d{1,15})kB")
_STATS_OF = "Memory cgroup stats for "
# What follows the path up to 5.2. From 5.3 to 6.1 the numbers follow on lines of the same record;
# later kernels print each in its own record. A path has no line end.
_STATS_ON_LINE = re.compile(r"(?P<memcg>.*): cache:\d+KB(?: [a-z_]+:\d+KB)*\s*$", re.DOTALL)
_STATS_ON_LINES = re.compile(r"(?P<memcg>.*):(?:\\x0a|#012)anon \d", re.DOTALL)
LIMIT_OF = "killed as a result of limit of "
_TASK_IN, _REACHED = "Task in ", "Memory limit reached of cgroup "  # 4.4 has the second one, too
_TABLE_HEADER = re.compile(r"\[ *pid *\]\s+(uid\s.*name)\s*$")
_TABLE_ROW = re.compile(r"\[\s*(\d+)\]\s+(-?\d+\s+(\d+)\s+\d+\s.*)$", re.DOTALL)
_ANNOUNCEMENT = re.compile(
    _ORIGIN + r"[Kk]ill process (?P<pid>\d+) ?\((?P<name>.*)\) (?:with )?score (?P<score>-?\d+)"
    r"(?: or sacrifice child| or a child| and children|(?: or(?: sacrifice| a)?| and)?\.*\s*$)",
    re.DOTALL,
)
# A whole announcement, which other text may follow. No task's name is long enough for its end.
_WHOLE_ANNOUNCEMENT = re.compile(
    _ORIGIN + r"[Kk]ill process \d+ ?\((?P<name>.{1,60}?)\) (?:with )?score -?\d+(?: or sacrifice| or a) child"
)
_SHARED_KILL = re.compile(r"[Kk]ill process (?P<pid>\d+) \((?P<name>.*)\) sharing same memory\s*$", re.DOTALL)
KILL = re.compile(_ORIGIN + r"(?:\S+: )?Killed process (?P<pid>\d+)(?:, UID (?P<uid>\d+),)? ?\(", re.DOTALL)
_KILL_OPENVZ = re.compile(
    r"Out of memory in UB \d+: OOM killed process (?P<pid>\d+) \((?P<name>.*)\) score (?P<score>-?\d+)"
    r" vm:(?P<vm>\d+)kB(?:, rss:(?P<rss>\d+)kB)?",
    re.DOTALL,
)
# What follows the name, up to the end of the line. Matching all of it finds the last bracket,
# whatever the name holds. 2.6.33 to 2.6.35 print "vsz:". People who type it write "4k" or "4 KB".
_KB = r": ?\d+ ?(?:[kK]B?|B)"
_RSS = r"(?:,? [a-z]+-rss" + _KB + r")"
_UID = r"(?:, UID (?P<uid>\d+),)?"
_SOME_SIZES = r"(?P<sizes> (?:total-vm|vsz|[a-z]+-rss)" + _KB + _RSS + r"*)(?P<more>.*)"
WHOLE_KILL_END = re.compile(
    r"(?P<name>.*)\)" + _UID + r"(?P<sizes> (?:total-vm|vsz)" + _KB + _RSS + r"+)"
    r"(?P<more>, UID:\d+ pgtables:\d+kB oom_score_adj:-?\d+)?\s*$",
    re.DOTALL,
)
_CUT_KILL_END = re.compile(
    r"(?P<name>.*)\)"
    + _UID
    + r"(?:"
    + _SOME_SIZES
    + r"|(?:\.|,? ?(?:\.{2,3}|\u2026|[\[<][^\[\]<>()]{0,40}[\]>]))?\s*$)",
    re.DOTALL,
)
# A text in brackets may follow the sizes. Then the name ends at the only place that sizes follow.
_SIZED_KILL_END = re.compile(r"(?P<name>.{1,60}?)\)" + _UID + _SOME_SIZES, re.DOTALL)
# What another program says about a process that it killed.
_OTHER_END = re.compile(r".{1,15}\) [a-z]+ [a-z\d]")
_SIZE = re.compile(r"([a-z]+-[a-z]+|vsz): ?(\d+) ?[kK]")
# Since 5.4. Each part is read if the text was not cut inside it.
_WHOLE_MORE = re.compile(r", UID:\d+ pgtables:\d+kB oom_score_adj:-?\d+")
_MORE = re.compile(r", UID:(?P<uid>\d+) (?:pgtables:(?P<pgtables>\d+)kB(?: oom_score_adj:(?P<adj>-?\d+)(?:\D|$))?)?")
_GROUP_KILL = re.compile(r"Tasks in (/.*) are going to be killed due to memory\.oom\.group set\s*$", re.DOTALL)
_SKIPPED_VICTIM = re.compile(_ORIGIN + r"OOM victim (?P<pid>\d+) \(.*\) is already exiting\. Skip killing the task")
_PANIC = re.compile(
    r"(?:Kernel panic - not syncing: )?"
    r"(?:(?P<text>Out of memory: (?P<policy>compulsory|system-wide) panic_on_oom is enabled)"
    r"|[Oo]ut of memory(?P<where> from page fault|\(memcg\))?\. (?P<old>Compulsory )?panic_on_oom is selected"
    r"|System is deadlocked on memory)"
)
_OLD_POLICIES = {" from page fault": None, "(memcg)": "compulsory"}
_PANIC_NOTHING_KILLABLE = "Kernel panic - not syncing: Out of memory and no killable processes"
_PANIC_OF_INIT = "Kernel panic - not syncing: Attempted to kill init!"
_SYSRQ = re.compile(r"(?:sysrq: ?)?(?:SysRq ?: )?Manual OOM execution")
_VERSION = re.compile(r"Linux version \d+\.")  # a task's name can hold "Linux version 6"
_SUPPRESSED = re.compile(r"(?:oom_kill_process|dump_header|out_of_memory|oom_kill_task)\w*: (\d+) callbacks suppressed")
_LOST = re.compile(
    r"\*\* (\d{1,18}) printk messages dropped \*\*|printk: (\d{1,18}) messages suppressed"
    r"|__ratelimit: (\d{1,18}) callbacks suppressed|Missed (\d{1,18}) kernel messages"
    r"|imklog: (\d{1,18}) messages lost due to rate-limiting"
)


def parse_message(text: str) -> Optional[Message]:
    """Return the message in a text; None if it is about something else."""
    row = parse_table_row(text) if text.startswith("[") else None  # most lines of a report
    if row is not None:
        return row
    for words, parse in _FIRST_WORDS.get(text[:1], ()):
        message = parse(text) if text.startswith(words) else None
        if message is not None:
            return message
    for word, parsers in _PARSERS:
        if word in text:
            for words, parse in parsers:
                message = parse(text) if words in text else None
                if message is not None:
                    return message
    return None


def is_logged_kill(record: Record) -> bool:
    """Return whether the kernel itself logged a kill with this record.

    It counts a kill in /proc/vmstat for each, also for the chosen process of a group, which it logs
    twice. Source: mm/oom_kill.c:__oom_kill_process.
    """
    return record.trusted is True and isinstance(parse_message(record.text), Kill)


def parse_header(text: str) -> Optional[Header]:
    """Return the header in a text; more than a task's name before the words is another message."""
    name, invoked, fields = text.rpartition(INVOKED)
    if not invoked:
        name, _none, fields = text.partition("oom-killer: ")
    fields_match = _HEADER_FIELDS.match(fields)
    cut = None if fields_match else _INVOKED_CUT.match(text)
    if cut and count_name_bytes(cut.group("name")) <= NAME_BYTES:
        return Header(cut.group("name"), None, None, None)
    if not fields_match or len(fields) > _LONGEST_FIELDS or (not invoked and name):
        return None
    if len(name) > LONGEST_NAME or count_name_bytes(name) > NAME_BYTES:
        return None
    order, adj = _ORDER.search(fields), _HEADER_ADJ.search(fields)
    return Header(
        name or None,
        fields_match.group("gfp"),
        int(order.group(1)) if order else None,
        int(adj.group(1)) if adj else None,
    )


def measure_header(text: str) -> Optional[int]:
    """Return where a whole header ends that a text begins with; None if it begins otherwise.

    Names of cgroups can hold the words, too, but not behind the beginning of a line.
    """
    match = _WHOLE_HEADER.match(text)
    if not match or _CGROUP_LINE.match(match.group("name")) or count_name_bytes(match.group("name")) > NAME_BYTES:
        return None
    return match.end()


def _parse_header_openvz(text: str) -> Optional[Header]:
    match = _HEADER_OPENVZ.match(text)
    return Header(match.group("name"), match.group("gfp"), None, None, int(match.group("pid"))) if match else None


def _parse_trigger(text: str) -> Optional[TriggerPid]:
    match = TRIGGER.match(text)
    if not match:
        return None
    return TriggerPid(int(match.group("pid") or match.group("old_pid")), match.group("name"), match.group("release"))


def _parse_trigger_s390(text: str) -> Optional[TriggerPid]:
    match = _TRIGGER_S390.match(text)
    return TriggerPid(int(match.group("pid")), match.group("name")) if match else None


def parse_memcg_limit(text: str) -> Optional[MemcgLimit]:
    """Return the limit that was hit; 3.16 writes the two halves into two records.

    The task's cgroup lies in the one that reached its limit. Both are None if that leaves two
    places to split the line at, or if the record may have cut a path.
    """
    is_task = text.startswith(_TASK_IN + "/")
    is_limit = text.lstrip().startswith(LIMIT_OF + "/")
    if not (is_task or is_limit or text.startswith(_REACHED + "/")):
        return None
    if count_name_bytes(text) > LONGEST_PATH:
        return MemcgLimit(None, None)
    if is_limit:
        return MemcgLimit(None, text.lstrip()[len(LIMIT_OF) :])
    if not is_task:
        return MemcgLimit(None, text[len(_REACHED) :])
    paths = text[len(_TASK_IN) :]
    if " " + LIMIT_OF not in paths:
        return MemcgLimit(paths, None)
    is_cut = paths.endswith(LIMIT_OF)
    split = None if is_cut else split_paths(paths, " " + LIMIT_OF, is_inside)
    if split is None:
        return MemcgLimit(None, None)
    task, limit = split
    # A name can end with a blank. In a paste it is behind the line: the task's cgroup has none.
    is_paste = not is_inside(task, limit) and is_inside(task, limit.rstrip())
    return MemcgLimit(task, limit.rstrip() if is_paste else limit)


def _parse_task_in(text: str) -> Union[Header, MemcgLimit, None]:
    """Return the limit that was hit, or the header of a task that is named like the words."""
    header = parse_header(text) if INVOKED in text and LIMIT_OF not in text else None
    return header if header and header.name else parse_memcg_limit(text)


def _parse_memcg_usage(text: str) -> Optional[MemcgUsage]:
    match = _USAGE.match(text)
    if not match:
        return None
    usage, limit, failcnt = [int(number) for number in match.groups()]
    return MemcgUsage(usage, limit if limit < _LARGEST_LIMIT_KB else None, failcnt)


def _parse_size_of_memcg(text: str) -> Optional[MemorySize]:
    match = _SIZE_OF_MEMCG.match(text)
    if not match or int(match.group("limit")) >= _LARGEST_LIMIT_KB:
        return None
    return MemorySize("memcg_both_kb" if match.group("both") else "memcg_swap_kb", int(match.group("limit")))


def _parse_size_of_host(text: str) -> Optional[MemorySize]:
    match = _SIZE_OF_HOST.match(text)
    if not match:
        return None
    if match.group("swap"):
        return MemorySize("swap_kb", int(match.group("swap")))
    return MemorySize("ram_pages" if match.group("what") == "RAM" else "reserved_pages", int(match.group("pages")))


def _parse_memcg_stats(text: str) -> MemcgStats:
    """Return the cgroup whose numbers follow; the end of the line shows where its path ends.

    If the line was cut, the path is what precedes the only C(: cache:). It is None where the
    record may have cut the path itself.
    """
    if count_name_bytes(text) > LONGEST_PATH:
        return MemcgStats(None)
    rest = text[len(_STATS_OF) :].rstrip()
    if rest.endswith(":"):
        return MemcgStats(rest[:-1])
    found = _STATS_ON_LINE.match(rest) or _STATS_ON_LINES.match(rest)
    if found:
        return MemcgStats(found.group("memcg"))
    parts = rest.split(": cache:")
    return MemcgStats(parts[0] if len(parts) == 2 else None)


def _parse_table_header(text: str) -> Optional[TableHeader]:
    match = _TABLE_HEADER.match(text)
    return TableHeader(match.group(1).split()) if match else None


def parse_table_row(text: str) -> Optional[TableRow]:
    """Return the row of a task table in a text; None for any other text."""
    match = _TABLE_ROW.match(text)
    if not match or INVOKED in text:  # a task's name can look like the beginning of a row
        return None
    pid, columns, tgid = match.groups()
    thread = int(pid)
    process = None if len(tgid) > _LONGEST_PID else thread if tgid == pid else int(tgid)
    return TableRow(thread, process, columns[:_LONGEST_ROW])


def _parse_announcement(text: str) -> Optional[Announcement]:
    match = _ANNOUNCEMENT.match(text)
    if not match:
        return None
    return Announcement(_find_origin(match), int(match.group("pid")), match.group("name"), int(match.group("score")))


def _find_origin(match: "re.Match[str]") -> str:
    return (match.group("origin") or "")[:-2]


def _parse_kill(text: str) -> Optional[Kill]:
    match = KILL.match(text)
    if not match:
        return None
    end = find_name_end(text, match.end())
    if end is None and not match.group("origin") and _OTHER_END.match(text, match.end()):
        return None
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
    name = facts.get("name")
    if name is None or count_name_bytes(name) > NAME_BYTES:
        name = _find_only_name(text[match.end() :])
    return Kill(
        _find_origin(match),
        int(match.group("pid")),
        name,
        int(uid) if uid is not None else None,
        sizes,
        int(adj) if adj is not None else None,
        None,
    )


def find_name_end(text: str, start: int) -> Optional["re.Match[str]"]:
    """Match a victim's name from C(start) on, and what follows it.

    Returns None if the text ends inside the name, or may do so: a name with a line end can hold a
    size before it. What it matches is too long for a name where two lines lost the line end between
    them.
    """
    end = WHOLE_KILL_END.match(text, start) or _CUT_KILL_END.match(text, start)
    if end and end.group("sizes") and count_name_bytes(text[start : end.end("sizes")]) < NAME_BYTES:
        return None
    if end is None or count_name_bytes(end.group("name")) <= NAME_BYTES:
        return end
    first = _SIZED_KILL_END.match(text, start)
    is_only = first is not None and _SIZED_KILL_END.search(text, first.start("more")) is None
    return first if is_only else end


def _find_only_name(rest: str) -> Optional[str]:
    """Return the name before the only bracket that a name is short enough to end at.

    The text must be longer than a name: a shorter one may end inside it.
    """
    if count_name_bytes(rest) <= NAME_BYTES:
        return None
    names = [rest[: match.start()] for match in re.finditer(r"\)", rest[: LONGEST_NAME + 1])]
    names = [name for name in names if count_name_bytes(name) <= NAME_BYTES]
    return names[0] if len(names) == 1 else None


def measure_kill(text: str) -> Optional[int]:
    """Return where the message of a kill ends; None if the text ends inside it, or holds none."""
    match = KILL.match(text)
    end = find_name_end(text, match.end()) if match else None
    if end is None:
        return None
    if not end.group("sizes"):
        return end.end("name") + 1
    more = _WHOLE_MORE.match(text, end.end("sizes"))
    return more.end() if more else end.end("sizes")


def measure_announcement(text: str) -> Optional[int]:
    """Return where a whole announcement of a kill ends; None if the text begins otherwise."""
    match = _WHOLE_ANNOUNCEMENT.match(text)
    return match.end() if match and count_name_bytes(match.group("name")) <= NAME_BYTES else None


def is_whole_kill(text: str) -> bool:
    """Return whether a text is the message of a kill to its last character."""
    match = KILL.match(text)
    end = find_name_end(text, match.end()) if match else None
    if end is None:
        return _KILL_OPENVZ.match(text) is not None
    return end.re is WHOLE_KILL_END or not end.group("more")


def _parse_kill_openvz(text: str) -> Optional[Kill]:
    match = _KILL_OPENVZ.match(text)
    if not match:
        return None
    sizes = {"total-vm": int(match.group("vm"))}
    if match.group("rss"):
        sizes["rss"] = int(match.group("rss"))
    return Kill(
        "Out of memory", int(match.group("pid")), match.group("name"), None, sizes, None, int(match.group("score"))
    )


def _parse_shared_kill(text: str) -> Optional[SharedKill]:
    match = _SHARED_KILL.match(text)
    return SharedKill(int(match.group("pid")), match.group("name")) if match else None


def _parse_group_kill(text: str) -> Optional[GroupKill]:
    match = _GROUP_KILL.match(text)
    return GroupKill(match.group(1)) if match else None


def _parse_skipped_victim(text: str) -> Optional[SkippedVictim]:
    match = _SKIPPED_VICTIM.match(text)
    return SkippedVictim(int(match.group("pid"))) if match else None


def _parse_panic(text: str) -> Union[Panic, InitPanic, None]:
    if text.startswith(_PANIC_OF_INIT):
        return InitPanic()
    if text.startswith(_PANIC_NOTHING_KILLABLE):  # up to 4.15
        return Panic(None)
    match = _PANIC.match(text)
    if not match:
        return None
    policy = match.group("policy")
    if policy is None and "is selected" in text:
        # 2.6.18 to 2.6.35. A page fault panics with either policy (pagefault_out_of_memory).
        policy = _OLD_POLICIES.get(match.group("where"), "compulsory" if match.group("old") else "system-wide")
    return Panic(policy)


def _parse_nothing_killable(text: str) -> Optional[NothingKillable]:
    return NothingKillable() if text.startswith("Out of memory and no killable processes...") else None


def _parse_sysrq(text: str) -> Optional[Sysrq]:
    if text.startswith(("OOM request ignored. ", "OOM request ignored because ")):
        return Sysrq(ignored=True)
    return Sysrq(ignored=False) if _SYSRQ.match(text) else None


def _parse_suppressed_reports(text: str) -> Optional[SuppressedReports]:
    match = _SUPPRESSED.match(text)
    return SuppressedReports(int(match.group(1))) if match else None


def _parse_lost_lines(text: str) -> Optional[LostLines]:
    match = _LOST.match(text)
    return LostLines(int(next(filter(None, match.groups())))) if match else None


def _parse_new_boot(text: str) -> Optional[NewBoot]:
    return NewBoot() if _VERSION.match(text) else None


# The messages that begin with words of the kernel, by their first character. They are tried first:
# a path may follow, which can hold every other message.
_FIRST_WORDS: Dict[str, List[Tuple[str, Callable[[str], Optional[Message]]]]] = {
    "o": [("oom-kill:", parse_summary)],
    "T": [("Tasks in /", _parse_group_kill), ("Task in /", _parse_task_in), ("Total swap = ", _parse_size_of_host)],
    "M": [(_STATS_OF + "/", _parse_memcg_stats), (_REACHED + "/", parse_memcg_limit)],
    "s": [("swap: usage ", _parse_size_of_memcg)],
    "m": [("memory+swap: usage ", _parse_size_of_memcg)],
    **{digit: [(digit, _parse_size_of_host)] for digit in "0123456789"},
}

# The words that a text must hold before its pattern is tried, in two steps: most lines hold none of
# the first. A task's name can hold any of them, so what one pattern rejects goes on to the next.
_PARSERS: List[Tuple[str, List[Tuple[str, Callable[[str], Optional[Message]]]]]] = [
    (
        "ill",
        [
            ("oom-killer", parse_header),
            ("oom-killer in ub", _parse_header_openvz),
            ("illed process ", _parse_kill),
            ("OOM killed process ", _parse_kill_openvz),
            (" sharing same memory", _parse_shared_kill),
            ("ill process ", _parse_announcement),
            ("no killable", _parse_panic),
            ("Attempted to kill init", _parse_panic),
            ("no killable", _parse_nothing_killable),
            ("limit of /", parse_memcg_limit),
        ],
    ),
    ("OOM ", [("OOM victim ", _parse_skipped_victim), ("Manual OOM", _parse_sysrq), ("OOM request", _parse_sysrq)]),
    (
        "memory",
        [
            ("panic_on_oom", _parse_panic),
            ("deadlocked on memory", _parse_panic),
            ("memory: usage", _parse_memcg_usage),
        ],
    ),
    ("callbacks suppressed", [("", _parse_suppressed_reports), ("", _parse_lost_lines)]),
    (" messages", [("", _parse_lost_lines)]),
    ("Linux version ", [("", _parse_new_boot)]),
    ("omm: ", [("", _parse_trigger)]),
    (" (pid: ", [("", _parse_trigger_s390)]),
    ("total_vm", [("", _parse_table_header)]),
]
