# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the kills of programs: what earlyoom, systemd-oomd, nohang, oomd, lmkd and Talos log.

Pure. These programs kill before the kernel has to, and each has its own wording. A line
counts if it has the tag of that program, or no tag: any other program may print the same
words. Sources: earlyoom:kill.c (1.0 to 1.9), systemd:src/oom/oomd-manager.c (255 to 261),
nohang, oomd:src/oomd/plugins/BaseKillPlugin.cpp, system/memory/lmkd of Android, the driver
drivers/staging/android/lowmemorykiller.c (up to 4.11), Talos' runtime.OOMController.
"""

import json
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import (
    Record,
    have_clock,
    seconds_between,
)

# Every line that is read here has one of these words; most lines of a log have none.
_MESSAGE_WORDS = (
    "VmRSS",
    "oomd",
    "due to memory ",
    "the victim",
    "escalating to SIGKILL",
    "dryrun, ",
    "badness",
    ".cpp:",
    "Name: ",
    "PID: ",
    "to free ",
    " the command",
)
_KERNEL_WORDS = ("oomd", "to free ")  # all that a line with the kernel's tag is read for, and the next ones
_KILL_WORDS = ("illing process", "Kill", "sigkill")
_FIRST_WORDS = ("[talos] ", "Rule '")

# All lines about one kill are logged within this time.
NEAR_SECONDS = 30.0

# Processes that swap end slowly. systemd-oomd kills their control group again meanwhile, and logs
# it again (seen in a guest with 252).
_DYING_SECONDS = 5.0

# Hostile input must not fill the memory.
_MOST_MEMBERS = 4096

_SIGNAL_NAMES = {"15": "SIGTERM", "9": "SIGKILL"}

_EARLYOOM = [
    # 1.3 and later. The name ends before the last quote that a number follows; the command line
    # comes after it.
    re.compile(
        r"sending (?P<signal>SIGTERM|SIGKILL) to process (?P<pid>\d+)(?: uid (?P<uid>\d+))? \"(?P<name>.{0,60}?)\":"
        r" (?:badness|oom_score) (?P<score>-?\d+)(?:, oom_score_adj (?P<adj>-?\d+))?, VmRSS (?P<rss>\d+) MiB"
        r"(?:, cmdline \"|\s*$|\s+[^\w\s,])"
    ),
    re.compile(
        r"killing process (?P<pid>\d+) \"(?P<name>.{0,60}?)\" with signal (?P<number>\d+): badness (?P<score>\d+),"
        r" VmRSS (?P<rss>\d+) MiB$"
    ),
    re.compile(
        r"Killing process '(?P<name>.{0,60})' with signal (?P<number>\d+), pid: (?P<pid>\d+),"
        r" badness: (?P<score>\d+), VmRSS: (?P<rss>\d+) MiB$"
    ),
    re.compile(
        r"Killing process: (?P<name>.{0,60}), pid: (?P<pid>\d+), badness: (?P<score>\d+), VmRSS: (?P<rss>\d+) MiB$"
    ),
]
# 1.0: read only with its tag, as any program could print that.
_EARLYOOM_OLD = re.compile(r"Killing process (?P<pid>\d+) (?P<name>.{1,60})$")
# earlyoom colours a message if it takes its output for a terminal; journald and rsyslog keep the
# colours escaped.
_COLOURS = re.compile(r"^(?:(?:\\x1b|#033)\[[0-9;]*m)+|(?:(?:\\x1b|#033)\[[0-9;]*m)+$")
_ESCALATED = re.compile(r"escalating to SIGKILL after ")
_DRY_RUN = "dryrun, not actually sending any signal"  # follows the message of the kill

_OOMD_KILL = re.compile(
    r"(?:Killed (?P<killed>/.+)|Marked (?P<marked>/.+) for killing) due to memory (?P<reason>used|pressure)(?:[ (]|$)"
)
_OOMD_COUNT = re.compile(r"(?P<unit>\S+): systemd-oomd killed (?P<count>\d+) process\(es\) in this unit\.$")

# nohang describes its victim before it kills: on a line or two, or, in 2020, with a line for each
# fact.
_NOHANG_VICTIM = [
    re.compile(r".*?\bPID: (?P<pid>\d+), [Nn]ame: (?P<name>.{0,60}), badness: (?P<score>\d+)"),
    re.compile(r"Victim VmRSS: (?P<rss_kb>\d+) KiB$"),
    re.compile(r"Name: +(?P<name>\S.{0,60})$"),
    re.compile(r"PID: +(?P<pid>\d{1,10})$"),
    re.compile(r"badness: +(?P<score>\d{1,10}), oom_score: "),
    re.compile(r"VmRSS: +(?P<rss_mib>\d{1,10}) MiB "),
]
_NOHANG_KILL = re.compile(
    r"(?:Sending|Send) (?P<signal>SIGTERM|SIGKILL) to the victim(?:$|[;,.])|Run the command: |Execute the command"
)

# "oomd kill: P10 P60 P300 CGROUP BYTES ruleset:[R] detectorgroup:[D] killer:PLUGIN v2".
# With (dry) before the plugin's name nothing was killed.
_META_OOMD_KILL = re.compile(
    r"oomd kill: \S+ \S+ \S+ (?P<cgroup>.+) \d+ ruleset:\[[^\]]*\] detectorgroup:\[[^\]]*\]"
    r" killer:(?!\(dry\))\S+ v2\s*$"
)
# Before that, on its own output and maybe several times:
# "[../BaseKillPlugin.cpp:112] Killed 2: 101(name) 102 103(name)[E3]"; 103 was not killed.
_META_OOMD_VICTIMS = re.compile(r"\[\S{1,200}\.cpp:\d{1,6}\] Killed \d{1,9}:(?= \d)")
_META_OOMD_VICTIM = re.compile(r" (?P<pid>\d{1,10})(?:\((?P<name>.{0,60}?)\))?(?P<failed>\[E\d{1,4}\])?(?= \d|$)")

# Killers that are a part of the kernel.
DRIVERS = ("lowmemorykiller",)

# lmkd names a user, the driver does not. 3.10 prints its own adj before oom_score_adj.
_LMKD_KILL = re.compile(
    r"(?:lowmemorykiller: )?Kill(?:ing)? '(?P<name>.{0,250})' \((?P<pid>\d{1,10})\),(?: \(tgid \d+\),)?"
    r" uid (?P<uid>\d{1,10})(?:,|$)"
    r"(?: oom_score_adj (?P<adj>-?\d{1,4}))?.{0,40}?(?: to free (?P<rss>\d{1,15})kB|$)"
)
_DRIVER_KILL = re.compile(
    r"(?:lowmemorykiller: )?(?:Killing '(?P<name>.{0,60})' \((?P<pid>\d{1,10})\)(?: \(tgid (?P<tgid>\d{1,10})\))?,"
    r" adj (?P<adj>-?\d{1,4})(?:, score_adj (?P<score_adj>-?\d{1,4}))?,"
    r"(?:(?:\s|\\x0a|#012)*to free (?P<rss>\d{1,15})kB)?"
    r"|send sigkill to (?P<old_pid>\d{1,10}) \((?P<old_name>.{0,60})\), adj -?\d{1,4}, size \d)"
)
_DRIVER_SIZE = re.compile(r"\s*to free (?P<rss>\d{1,15})kB on behalf of '")
# The score of the driver up to 3.3 is oom_adj; a larger number can only be oom_score_adj.
_LARGEST_OOM_ADJ = 15

_TALOS = re.compile(r"\[talos\] (?P<what>Sending SIGKILL to cgroup|victim processes:) (?P<facts>\{.{0,4000}\})\s*$")
_CGROUP_ROOT = "/sys/fs/cgroup"

# systemd 261: a rule may also be met without a kill, so systemd's count decides.
_OOMD_RULE = re.compile(
    r"Rule '.{1,200}' conditions met for cgroup (?P<cgroup>/\S.{0,1000}?)(?:,| for ).{0,200}taking action [a-z-]*kill"
)

_PROGRAM_BEGINNING = re.compile(
    r"Killed /|Marked /|\S+: systemd-oomd killed|sending SIG|escalating to|[Kk]illing process|\s*Send(?:ing)? SIG"
    r"|PID: |oomd kill: |\[\S+\.cpp:|Kill(?:ing)? '|send sigkill|lowmemorykiller: |\[talos\] "
)

# The tags of these programs, and where their messages begin behind a prefix of an unknown kind.
KILLERS = ("earlyoom", "nohang", "nohang-desktop", "systemd-oomd", "systemd", "oomd", "lmkd", "lowmemorykiller")
PROGRAM_KILL = (
    r"sending SIG(?:TERM|KILL) to process \d|[Kk]illing process[: ]|(?:lowmemorykiller: )?Kill(?:ing)? '"
    r"|(?:lowmemorykiller: )?send sigkill to \d|Killed /\S"
    r"|Marked /\S|\S+: systemd-oomd killed \d|oomd kill: |\[\S{1,200}\.cpp:\d+\] Killed \d|\[talos\] Sending"
)
_PROGRAM_KILL = re.compile(PROGRAM_KILL)


class ProgramKill(NamedTuple):
    """One kill by a program."""

    killer: str
    record: Record
    number: int  # of its line
    pid: Optional[int] = None
    name: Optional[str] = None
    uid: Optional[int] = None
    score: Optional[int] = None
    oom_score_adj: Optional[int] = None
    rss_kb: Optional[int] = None
    signal: Optional[str] = None
    escalated: bool = False  # SIGKILL followed SIGTERM
    cgroup: Optional[str] = None  # systemd-oomd and oomd kill a whole one
    members: Tuple[Tuple[int, Optional[str]], ...] = ()  # pids and names in it, as oomd logs them
    reason: Optional[str] = None  # swap or pressure
    killed_count: Optional[int] = None  # as the service manager counted


class ProgramKills:
    """Collects the kills by programs in a log.

    Later lines can be about the same kill, so it is returned when no more can follow.
    """

    def __init__(self) -> None:
        self._open: Dict[str, ProgramKill] = {}  # the last kill of each killer
        # The last unit whose victims systemd counted before systemd-oomd logged the kill.
        self._counted: Dict[str, Tuple[int, Record]] = {}
        # What nohang logged about its next victim, and the line, by vouched or not.
        self._next: Dict[bool, Tuple[Record, Dict[str, Any]]] = {}
        # The last rule of systemd-oomd that was met: its line, the number of it, and the cgroup.
        self._rule: Optional[Tuple[Record, int, str]] = None

    def take(self, record: Record, number: int) -> Sequence[ProgramKill]:
        """Use one line; return the kills that it shows to be over.

        C(number) is the line's place in the log.
        """
        return list(self._take_line(record, record.text, number)) if _may_be_killers(record) else ()

    def _take_line(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        program = record.program
        if program in (None, "earlyoom"):
            yield from self._take_earlyoom(record, text, number)
        if program in (None, "systemd-oomd"):
            yield from self._take_systemd_oomd(record, text, number)
        if program in (None, "systemd"):
            yield from self._take_count(record, text)
        if program in (None, "nohang", "nohang-desktop"):
            yield from self._take_nohang(record, text, number)
        if program in (None, "lmkd", "lowmemorykiller", "kernel"):
            yield from self._take_android(record, text, number)
        yield from self._take_talos(record, text, number)
        yield from self._take_meta_oomd(record, text, number)

    def list_unsettled(self, last: Record) -> List[ProgramKill]:
        """Return the kills that the next line may be about; C(last) is the line before it."""
        return [kill for kill in self._open.values() if _is_near(kill.record, last)]

    def finish(self) -> List[ProgramKill]:
        """Return the kills that are left."""
        left, self._open = list(self._open.values()), {}
        return left

    def _begin(self, kill: ProgramKill) -> Iterator[ProgramKill]:
        last = self._open.get(kill.killer)
        if last and _is_repeated(last, kill):
            self._open[kill.killer] = last._replace(
                escalated=last.escalated or (last.signal, kill.signal) == ("SIGTERM", "SIGKILL")
            )
            return
        if last:
            yield last
        self._open[kill.killer] = kill

    def _take_earlyoom(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        text = _COLOURS.sub("", text)
        last = self._open.get("earlyoom")
        if last and _ESCALATED.match(text):
            self._open["earlyoom"] = last._replace(escalated=True)
            return
        if last and text.startswith(_DRY_RUN) and _is_same_writer(last.record, record):
            del self._open["earlyoom"]
            return
        patterns = _EARLYOOM + ([_EARLYOOM_OLD] if record.program == "earlyoom" else [])
        match = next((match for match in (pattern.match(text) for pattern in patterns) if match), None)
        if match is None:
            return
        found = match.groupdict()
        rss = _to_int(found.get("rss"))
        signal = found.get("signal") or _SIGNAL_NAMES.get(found.get("number") or "")
        yield from self._begin(
            ProgramKill(
                "earlyoom",
                record,
                number,
                int(found["pid"]),
                found["name"],
                _to_int(found.get("uid")),
                _to_int(found.get("score")),
                _to_int(found.get("adj")),
                None if rss is None else rss * 1024,
                signal,
            )
        )

    def _take_systemd_oomd(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        rule = _OOMD_RULE.match(text)
        if rule:
            self._rule = (record, number, rule.group("cgroup"))
        match = _OOMD_KILL.match(text)
        if not match:
            return
        reason = "swap" if match.group("reason") == "used" else "pressure"
        cgroup = match.group("killed") or match.group("marked")
        count, line = self._counted.pop(cgroup.rpartition("/")[2], (None, record))
        if not _is_near(line, record):
            count = None
        yield from self._begin(
            ProgramKill("systemd-oomd", record, number, cgroup=cgroup, reason=reason, killed_count=count)
        )

    def _take_nohang(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        text = text.strip()
        kill = _NOHANG_KILL.match(text)
        if kill:
            facts = self._recall_victim(record)
            yield from self._begin(ProgramKill("nohang", record, number, signal=kill.group("signal"), **facts))
            self._next.pop(record.vouched, None)
        for match in filter(None, (pattern.match(text) for pattern in _NOHANG_VICTIM)):
            found = match.groupdict()
            mebibytes = found.pop("rss_mib", None)
            if mebibytes:
                found["rss_kb"] = int(mebibytes) * 1024
            facts = {key: value if key == "name" else int(value) for key, value in found.items()}
            self._next[record.vouched] = (record, dict(self._recall_victim(record), **facts))

    def _recall_victim(self, record: Record) -> Dict[str, Any]:
        """Return what nohang logged about its next victim; empty if that was too long ago."""
        line, facts = self._next.get(record.vouched, (record, {}))
        return facts if _is_near(line, record) else {}

    def _take_meta_oomd(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        last = self._open.get("oomd")
        if last and (last.cgroup or not _is_near(last.record, record)):
            last = None
        kill = _META_OOMD_KILL.match(text)  # with any tag: the reader of /dev/kmsg sets it
        victims = _META_OOMD_VICTIMS.match(text) if record.program in (None, "oomd") else None
        if victims:
            members = tuple(_find_members(text, victims.end()))
            if last:
                self._open["oomd"] = last._replace(members=(last.members + members)[:_MOST_MEMBERS])
            elif members:
                yield from self._begin(ProgramKill("oomd", record, number, members=members, reason="pressure"))
        elif kill and last:
            self._open["oomd"] = last._replace(cgroup=kill.group("cgroup"))
        elif kill:
            yield from self._begin(ProgramKill("oomd", record, number, cgroup=kill.group("cgroup"), reason="pressure"))

    def _take_android(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        lmkd = _LMKD_KILL.match(text) if record.program != "kernel" else None
        if lmkd:
            name, pid, uid, adj, rss = lmkd.group("name", "pid", "uid", "adj", "rss")
            yield from self._begin(
                ProgramKill(
                    "lmkd", record, number, int(pid), name, int(uid), None, _to_int(adj), _to_int(rss), "SIGKILL"
                )
            )
            return
        last = self._open.get("lowmemorykiller")
        size = _DRIVER_SIZE.match(text)
        if size and last and last.rss_kb is None and _is_near(last.record, record):
            self._open["lowmemorykiller"] = last._replace(rss_kb=int(size.group("rss")))
        driver = _DRIVER_KILL.match(text)
        if driver:
            name, pid, tgid, adj, score_adj, rss, old_pid, old_name = driver.groups()
            if score_adj is None and adj is not None and int(adj) > _LARGEST_OOM_ADJ:
                score_adj = adj
            yield from self._begin(
                ProgramKill(
                    "lowmemorykiller",
                    record,
                    number,
                    int(tgid or pid or old_pid),
                    name if old_name is None else old_name,
                    None,
                    None,
                    _to_int(score_adj),
                    _to_int(rss),
                    "SIGKILL",
                )
            )

    def _take_talos(self, record: Record, text: str, number: int) -> Iterator[ProgramKill]:
        match = _TALOS.match(text)
        facts = _read_json(match.group("facts")) if match else {}
        cgroup, processes = facts.get("cgroup"), facts.get("processes")
        last = self._open.get("talos")
        if isinstance(cgroup, str):
            path = cgroup[len(_CGROUP_ROOT) :] if cgroup.startswith(_CGROUP_ROOT + "/") else cgroup
            yield from self._begin(
                ProgramKill("talos", record, number, cgroup=path, signal="SIGKILL", reason="pressure")
            )
        elif isinstance(processes, list) and last and last.killed_count is None and _is_near(last.record, record):
            pids = tuple((pid, None) for pid in processes if isinstance(pid, int) and pid > 0)
            self._open["talos"] = last._replace(killed_count=len(processes), members=pids[:_MOST_MEMBERS])

    def _take_count(self, record: Record, text: str) -> Iterator[ProgramKill]:
        """Add systemd's count to the kill by systemd-oomd, or return the kill by a rule.

        The count may come first, as systemd-oomd logs a kill only when it is done.
        """
        match = _OOMD_COUNT.match(text)
        if not match:
            return
        last = self._open.get("systemd-oomd")
        unit, count = match.group("unit"), int(match.group("count"))
        if last and last.cgroup and last.cgroup.rpartition("/")[2] == unit and last.killed_count is None:
            self._open["systemd-oomd"] = last._replace(killed_count=count)
        elif self._rule and self._rule[2].rpartition("/")[2] == unit and _is_near(self._rule[0], record):
            rule, line, cgroup = self._rule
            self._rule = None
            yield from self._begin(
                ProgramKill("systemd-oomd", rule, line, cgroup=cgroup, reason="rule", killed_count=count)
            )
        else:
            self._counted = {unit: (count, record)}


def _may_be_killers(record: Record) -> bool:
    """Return whether a line holds a word of a killer; most lines of a log hold none."""
    text = record.text
    for word in _KERNEL_WORDS if record.program == "kernel" else _MESSAGE_WORDS:
        if word in text:
            return True
    return ("ill" in text and any(word in text for word in _KILL_WORDS)) or text.startswith(_FIRST_WORDS)


def may_begin_program_message(text: str) -> bool:
    """Return whether a text is a message of such a program, or may be the first part of one."""
    return _PROGRAM_BEGINNING.match(text) is not None


def find_program(text: str) -> Optional[str]:
    """Return the words with which a program's kill begins in a text; None for any other text."""
    match = _PROGRAM_KILL.match(text)
    return match.group() if match else None


def _read_json(text: str) -> Dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _find_members(text: str, at: int) -> Iterator[Tuple[int, Optional[str]]]:
    """Yield pids and names from C(at) to the end, or to the first other text."""
    match = _META_OOMD_VICTIM.match(text, at)
    while match:
        if not match.group("failed"):
            yield int(match.group("pid")), match.group("name")
        match = _META_OOMD_VICTIM.match(text, match.end())


def _is_near(first: Record, second: Record) -> bool:
    """Return whether two lines can be about the same kill; lines without a clock can."""
    return seconds_between(first, second) <= NEAR_SECONDS


def _is_repeated(first: ProgramKill, second: ProgramKill) -> bool:
    """Return whether the second kill is another signal to the same victim.

    A kill that journald vouches for and one that any program may have logged are never the same.
    """
    if not _is_same_writer(first.record, second.record):
        return False
    if first.pid is not None:
        is_same_process = (first.pid, first.name) == (second.pid, second.name)
        return is_same_process and _is_near(first.record, second.record)
    # Once systemd has counted, what runs in the control group was started again. A line with the
    # same numbers is a copy (copies.py).
    is_same_group = first.killer == "systemd-oomd" and (first.cgroup, first.reason) == (second.cgroup, second.reason)
    return (
        is_same_group
        and first.killed_count is None
        and first.record.text != second.record.text
        and have_clock(first.record, second.record)
        and seconds_between(first.record, second.record) <= _DYING_SECONDS
    )


def _is_same_writer(first: Record, second: Record) -> bool:
    return (first.vouched, first.trusted) == (second.vouched, second.trusted)


def _to_int(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)
