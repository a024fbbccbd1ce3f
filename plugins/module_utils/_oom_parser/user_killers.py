# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Killers that are programs: what earlyoom, systemd-oomd, nohang and oomd write when they kill.

Pure. They end processes before the kernel has to, and say so in their own
words. A line counts where it has the tag of that program or none at all, as
any other program may print the same. Sources: earlyoom:kill.c (1.0 to 1.9),
systemd:src/oom/oomd-manager.c (255 to 261), nohang, oomd:src/oomd/plugins/BaseKillPlugin.cpp.
"""

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, seconds_between

# Most lines of a log have none of these words and are not looked at any further.
_WORDS = (
    "VmRSS",
    "oomd",
    "due to memory ",
    "the victim",
    "escalating to SIGKILL",
    "illing process",
    "badness",
    ".cpp:",
    "Name: ",
    "PID: ",
)

# What is said of one kill is said within this time.
NEAR_SECONDS = 30.0

# Hostile input must not fill the memory.
_MOST_MEMBERS = 4096

_SIGNALS = {"15": "SIGTERM", "9": "SIGKILL"}

_EARLYOOM = [
    # 1.3 and later; the name ends before the last quote that a number follows, as cmdline comes behind it
    re.compile(
        r"sending (?P<signal>SIGTERM|SIGKILL) to process (?P<pid>\d+)(?: uid (?P<uid>\d+))? \"(?P<name>.{0,60}?)\":"
        r" (?:badness|oom_score) (?P<score>-?\d+)(?:, oom_score_adj (?P<adj>-?\d+))?, VmRSS (?P<rss>\d+) MiB(?:, cmdline \"|$)"
    ),
    re.compile(
        r"killing process (?P<pid>\d+) \"(?P<name>.{0,60}?)\" with signal (?P<number>\d+): badness (?P<score>\d+), VmRSS (?P<rss>\d+) MiB$"
    ),
    re.compile(
        r"Killing process '(?P<name>.{0,60})' with signal (?P<number>\d+), pid: (?P<pid>\d+), badness: (?P<score>\d+), VmRSS: (?P<rss>\d+) MiB$"
    ),
    re.compile(
        r"Killing process: (?P<name>.{0,60}), pid: (?P<pid>\d+), badness: (?P<score>\d+), VmRSS: (?P<rss>\d+) MiB$"
    ),
]
_EARLYOOM_OLD = re.compile(
    r"Killing process (?P<pid>\d+) (?P<name>.{1,60})$"
)  # 1.0: only with its tag, as anybody could say that
# Around its words where it takes what it writes to for a terminal, as journald and rsyslog keep it.
_COLOURS = re.compile(r"^(?:(?:\\x1b|#033)\[[0-9;]*m)+|(?:(?:\\x1b|#033)\[[0-9;]*m)+$")
_ESCALATED = re.compile(r"escalating to SIGKILL after ")

_OOMD_KILL = re.compile(
    r"(?:Killed (?P<killed>/.+)|Marked (?P<marked>/.+) for killing) due to memory (?P<reason>used|pressure)[ (]"
)
_OOMD_COUNT = re.compile(r"(?P<unit>\S+): systemd-oomd killed (?P<count>\d+) process\(es\) in this unit\.$")

# What it says of its victim before it kills: on a line or two, or, in 2020, on one for each fact.
_NOHANG_VICTIM = [
    re.compile(r".*?\bPID: (?P<pid>\d+), [Nn]ame: (?P<name>.{0,60}), badness: (?P<score>\d+)"),
    re.compile(r"Victim VmRSS: (?P<rss_kb>\d+) KiB$"),
    re.compile(r"Name: +(?P<name>\S.{0,60})$"),
    re.compile(r"PID: +(?P<pid>\d{1,10})$"),
    re.compile(r"badness: +(?P<score>\d{1,10}), oom_score: "),
    re.compile(r"VmRSS: +(?P<rss_mib>\d{1,10}) MiB "),
]
_NOHANG_KILL = re.compile(r"(?:Sending|Send) (?P<signal>SIGTERM|SIGKILL) to the victim")

# "oomd kill: P10 P60 P300 CGROUP BYTES ruleset:[R] detectorgroup:[D] killer:PLUGIN v2"; with (dry) nothing was killed
_META_OOMD_KILL = re.compile(
    r"oomd kill: \S+ \S+ \S+ (?P<cgroup>.+) \d+ ruleset:\[[^\]]*\] detectorgroup:\[[^\]]*\] killer:(?!\(dry\))\S+ v2\s*$"
)
# Before that, on its own output, maybe several times: "[../BaseKillPlugin.cpp:112] Killed 2: 101(name) 102 103(name)[E3]", of which 103 was not.
_META_OOMD_VICTIMS = re.compile(r"\[\S{1,200}\.cpp:\d{1,6}\] Killed \d{1,9}:(?= \d)")
_META_OOMD_VICTIM = re.compile(r" (?P<pid>\d{1,10})(?:\((?P<name>.{0,60}?)\))?(?P<failed>\[E\d{1,4}\])?(?= \d|$)")
# How what is read here begins.
_BEGINNING = re.compile(
    r"Killed /|Marked /|\S+: systemd-oomd killed|sending SIG|escalating to|[Kk]illing process|\s*Send(?:ing)? SIG|PID: |oomd kill: |\[\S+\.cpp:"
)


class Kill(NamedTuple):
    """One kill of a program."""

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
    escalated: bool = False  # SIGTERM was not enough
    cgroup: Optional[str] = None  # what systemd-oomd and oomd kill
    members: Tuple[Tuple[int, Optional[str]], ...] = ()  # pids and names in it, as oomd says
    reason: Optional[str] = None  # swap or pressure
    killed_count: Optional[int] = None  # as the service manager counts


class Stream:
    """The kills of all programs in a log. What belongs to one is joined to it, so each is given when nothing more can come."""

    def __init__(self) -> None:
        self._open: Dict[str, Kill] = {}  # the last kill of each killer
        self._counted: Dict[
            str, Tuple[int, Record]
        ] = {}  # what systemd said of a unit before oomd did, of the last one
        # What nohang says of its victim before it kills, and when; apart where journald knows that it is nohang.
        self._next: Dict[bool, Tuple[Record, Dict[str, Any]]] = {}

    def take(self, record: Record, number: int) -> Sequence[Kill]:
        """Use one line; give the kills of which no more can come."""
        for word in _WORDS:
            if word in record.text:
                return list(self._read(record, record.text, number))
        return ()

    def _read(self, record: Record, text: str, number: int) -> Iterator[Kill]:
        program = record.program
        if program in (None, "earlyoom"):
            yield from self._earlyoom(record, text, number)
        if program in (None, "systemd-oomd"):
            match = _OOMD_KILL.match(text)
            if match:
                reason = "swap" if match.group("reason") == "used" else "pressure"
                cgroup = match.group("killed") or match.group("marked")
                count, said = self._counted.pop(cgroup.rpartition("/")[2], (None, record))
                if not _is_near(said, record):
                    count = None
                yield from self._begin(
                    Kill("systemd-oomd", record, number, cgroup=cgroup, reason=reason, killed_count=count)
                )
        if program in (None, "systemd"):
            self._count(_OOMD_COUNT.match(text), record)
        if program in (None, "nohang", "nohang-desktop"):
            yield from self._nohang(record, text, number)
        yield from self._oomd(record, text, number)

    def since(self, last: Record) -> List[Kill]:
        """The last kill of each killer, if it was right before that record: lines that still come may say more of it."""
        return [kill for kill in self._open.values() if _is_near(kill.record, last)]

    def finish(self) -> List[Kill]:
        left = list(self._open.values())
        self._open = {}
        return left

    def _begin(self, kill: Kill) -> Iterator[Kill]:
        last = self._open.get(kill.killer)
        if last and _is_again(last, kill):
            self._open[kill.killer] = last._replace(
                escalated=last.escalated or (last.signal, kill.signal) == ("SIGTERM", "SIGKILL")
            )
            return
        if last:
            yield last
        self._open[kill.killer] = kill

    def _earlyoom(self, record: Record, text: str, number: int) -> Iterator[Kill]:
        text = _COLOURS.sub("", text)
        last = self._open.get("earlyoom")
        if last and _ESCALATED.match(text):
            self._open["earlyoom"] = last._replace(escalated=True)
            return
        patterns = _EARLYOOM + ([_EARLYOOM_OLD] if record.program == "earlyoom" else [])
        match = next((match for match in (pattern.match(text) for pattern in patterns) if match), None)
        if match is None:
            return
        found = match.groupdict()
        rss = _number(found.get("rss"))
        signal = found.get("signal") or _SIGNALS.get(found.get("number") or "")
        yield from self._begin(
            Kill(
                "earlyoom",
                record,
                number,
                int(found["pid"]),
                found["name"],
                _number(found.get("uid")),
                _number(found.get("score")),
                _number(found.get("adj")),
                None if rss is None else rss * 1024,
                signal,
            )
        )

    def _nohang(self, record: Record, text: str, number: int) -> Iterator[Kill]:
        text = text.strip()
        kill = _NOHANG_KILL.match(text)
        if kill:
            yield from self._begin(Kill("nohang", record, number, signal=kill.group("signal"), **self._said(record)))
            self._next.pop(record.vouched, None)
        for match in filter(None, (pattern.match(text) for pattern in _NOHANG_VICTIM)):
            found = match.groupdict()
            mebibytes = found.pop("rss_mib", None)
            if mebibytes:
                found["rss_kb"] = int(mebibytes) * 1024
            facts = {key: value if key == "name" else int(value) for key, value in found.items()}
            self._next[record.vouched] = (record, dict(self._said(record), **facts))

    def _said(self, record: Record) -> Dict[str, Any]:
        said, facts = self._next.get(record.vouched, (record, {}))
        return facts if _is_near(said, record) else {}

    def _oomd(self, record: Record, text: str, number: int) -> Iterator[Kill]:
        last = self._open.get("oomd")
        if last and (last.cgroup or not _is_near(last.record, record)):
            last = None
        kill = _META_OOMD_KILL.match(text)  # whoever reads /dev/kmsg gives it a tag
        victims = _META_OOMD_VICTIMS.match(text) if record.program in (None, "oomd") else None
        if victims:
            members = tuple(_oomd_members(text, victims.end()))
            if last:
                self._open["oomd"] = last._replace(members=(last.members + members)[:_MOST_MEMBERS])
            elif members:
                yield from self._begin(Kill("oomd", record, number, members=members, reason="pressure"))
        elif kill and last:
            self._open["oomd"] = last._replace(cgroup=kill.group("cgroup"))
        elif kill:
            yield from self._begin(Kill("oomd", record, number, cgroup=kill.group("cgroup"), reason="pressure"))

    def _count(self, match: Optional["re.Match[str]"], record: Record) -> None:
        """What systemd says of it is no other kill. It may come first, as oomd speaks when it is done."""
        if not match:
            return
        last = self._open.get("systemd-oomd")
        unit, count = match.group("unit"), int(match.group("count"))
        if last and last.cgroup and last.cgroup.rpartition("/")[2] == unit and last.killed_count is None:
            self._open["systemd-oomd"] = last._replace(killed_count=count)
        else:
            self._counted = {unit: (count, record)}


def begins(text: str) -> bool:
    """Whether it is, or may be the first part of, a message that is understood here."""
    return _BEGINNING.match(text) is not None


def _oomd_members(text: str, at: int) -> Iterator[Tuple[int, Optional[str]]]:
    """Pids and names up to the end, or to what is none."""
    match = _META_OOMD_VICTIM.match(text, at)
    while match:
        if not match.group("failed"):
            yield int(match.group("pid")), match.group("name")
        match = _META_OOMD_VICTIM.match(text, match.end())


def _is_near(first: Record, second: Record) -> bool:
    """Whether two lines can be of the same kill; lines without a clock can."""
    return seconds_between(first, second) <= NEAR_SECONDS


def _is_again(first: Kill, second: Kill) -> bool:
    """Whether a victim did not listen and is killed once more; what anybody may have written does not stand for what journald knows."""
    if first.pid is None or (first.pid, first.name, first.record.vouched) != (
        second.pid,
        second.name,
        second.record.vouched,
    ):
        return False
    return _is_near(first.record, second.record)


def _number(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)
