# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide whether a text is a whole kernel message or a part of one, for rejoin.py.

Pure. Functions that need the parsed message take it beside its text: each line is parsed once.
"""

import re
from typing import Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import (
    INVOKED,
    KILL,
    LIMIT_OF,
    TRIGGER,
    WHOLE_KILL_END,
    find_name_end,
    parse_header,
    parse_memcg_limit,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Kill,
    MemcgStats,
    Message,
    TableRow,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.summary import parse_summary
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import (
    NAME_BYTES,
    TASK,
    count_name_bytes,
    find_longest_name,
)

_BEGINNING = re.compile(
    r"Out of(?: [Mm]emory|$)|Memory cgroup out|No available|Kernel panic - not syncing|[Kk]ill(?:ed)? process "
    r"|oom-kill:|oom_reaper: |Tasks? in /|CPU: |Pid: |\[ *(?:\d+|pid) *\] |.{1,60} invoked(?: oom|$)"
)
_BEFORE_PATH = "_memcg="  # a record may end there
_ORIGIN = r"(?:[A-Z][A-Za-z ()_]{5,60}: )?"
# Two parts of a message, where a person broke it. No name of a task ends so and begins so.
_PARTS = [
    (re.compile(first), re.compile(rest))
    for first, rest in [
        (_ORIGIN + r"Killed process \d{1,10}\s*$", r"\("),
        (_ORIGIN + r"[Kk]ill(?:ed)? process\s*$", r"\d{1,10} \("),
        (r"(?:Memory cgroup out|Out) of memory:\s*$", r"[Kk]ill(?:ed)? process \d{1,10} \("),
        (r"(?:Memory cgroup out|Out) of\s*$", r"memory: [Kk]ill(?:ed)? process \d{1,10} \("),
        (_ORIGIN + r"[Kk]ill process \d{1,10} \(.{1,60}\)\s*$", r"score -?\d+[^)]*$"),
        (
            _ORIGIN + r"[Kk]ill process \d{1,10} \(.{1,60}\) score(?: -?\d+)?(?: or)?(?: sacrifice)?\s*$",
            r"(?:-?\d+ )?(?:or )?(?:(?:sacrifice |a )?child|and children)",
        ),
        (
            r".{1,60} invoked oom-killer: gfp_mask=.{1,200},\s*$",
            r"(?:nodemask|order|oom_adj|oomkilladj|oom_score_adj)=",
        ),
        # systemd-oomd
        (r"(?:Killed|Marked) /\S+(?: for killing)?\s*$", r"(?:for killing )?due to memory (?:used|pressure)"),
    ]
]
_ONLY_SIZES = re.compile(
    r"(?:total-vm|vsz|[a-z]+-rss):\d+kB(?:,? [a-z]+-rss:\d+kB)*,?"
    r"(?: UID:\d+(?: pgtables:\d+kB)?(?: oom_score_adj:-?\d+)?)?\s*$"
    r"|UID:\d+ pgtables:\d+kB(?: oom_score_adj:-?\d+)?\s*$"
)
_ONLY_NUMBERS = re.compile(r"(?:-?\d+\s+){2,12}-?\d+\s*$")
_REST_OF_ROW = re.compile(r"\s*(?:-?\d+\s+){1,12}\S.{0,60}$")
_CUT_TABLE_HEADER = re.compile(r"\[ *pid *\]\s+uid(?:\s+[a-z_]+)*\s*$")
_REST_OF_TABLE_HEADER = re.compile(r"\s*(?:[a-z_]+\s+)*name\s*$")
_SIZES = (",", "total-vm:", "vsz:")  # how the sizes of a kill begin if they stand on their own line


def may_begin_message(text: str, message: Optional[Message]) -> bool:
    """Return whether a text is a message of the grammar, or may be the first part of one."""
    return bool(_BEGINNING.match(text)) or message is not None


def may_be_followed(text: str, message: Optional[Message], rest: str) -> bool:
    """Return whether C(rest) can continue a message; nothing continues a whole one.

    A kill that ends after its name may lack its sizes.
    """
    return rest.startswith(_SIZES) or not _is_complete(text, message)


def _is_complete(text: str, message: Optional[Message]) -> bool:
    if isinstance(message, MemcgStats):
        return True
    match = KILL.match(text)
    end = find_name_end(text, match.end()) if match else None
    return end is not None and (end.re is WHOLE_KILL_END or end.group("sizes") is None)


def lacks_end_of_name(text: str) -> bool:
    """Return whether a text ends inside the victim's name, and the name can still go on.

    If the name has a line end, the text before it ends so.
    """
    name, is_cut = _find_victim_name(text)
    return is_cut and name is not None and count_name_bytes(name) < NAME_BYTES


def has_possible_name(text: str) -> bool:
    """Return whether a text has a victim's whole name, not longer than a task can have.

    If joined lines have such a name, they belong together.
    """
    name, is_cut = _find_victim_name(text)
    return not is_cut and name is not None and count_name_bytes(name) <= NAME_BYTES


def may_end_in_name(text: str) -> bool:
    """Return whether a text that looks whole may end inside the victim's name.

    Before its line end a name can hold C(x,pid=1,uid=0), or a bracket.
    """
    if text.startswith("oom-kill:"):
        summary = parse_summary(text)
        at = text.rfind(TASK) + len(TASK)
        return summary is not None and summary.pid is not None and count_name_bytes(text[at:]) < NAME_BYTES
    match = KILL.match(text)
    end = find_name_end(text, match.end()) if match else None
    if match is None or end is None or end.group("sizes") is not None:
        return False
    return count_name_bytes(text[match.end() :]) < NAME_BYTES


def _find_victim_name(text: str) -> Tuple[Optional[str], bool]:
    """Return the victim's name, or None, and whether the text ends inside the message."""
    if "illed process " in text:
        match = KILL.match(text)
        if match:
            end = find_name_end(text, match.end())
            return (end.group("name"), False) if end else (text[match.end() :], True)
    if "oom-kill:" in text:
        summary = parse_summary(text)
        if summary is not None:
            return find_longest_name(summary.rest), summary.pid is None
    return None, False


def may_go_on_in_next_record(text: str, rest: str) -> bool:
    """Return whether a text lacks its end, and C(rest) can be that end.

    This is so for a summary, and for the limit up to 4.20. A record holds 1 KiB, and what does not
    fit begins another one (kernel/printk). The cgroup's name may end like a summary, but only the
    end of a summary begins with the task. Within the task's name no record ends.
    """
    if text.startswith("Task in /"):
        return text.endswith(LIMIT_OF) and rest.startswith("/")
    summary = parse_summary(text) if text.startswith("oom-kill:") else None
    if summary is None or rest.startswith(TASK):
        return summary is not None
    return summary.pid is None and (text.endswith(_BEFORE_PATH) or not lacks_end_of_name(text))


def is_broken_message(first: str, rest: str) -> bool:
    """Return whether two texts are one message that was broken outside a name.

    Inside a name a break looks the same as a line end that the name has.
    """
    if first.startswith("oom-kill:"):
        return may_go_on_in_next_record(first, rest) and not lacks_end_of_name(first) and " " not in rest
    if first.startswith("Task in /"):
        return _is_broken_limit(first, rest)
    match = KILL.match(first)
    end = find_name_end(first, match.end()) if match else None
    if end is None or end.re is WHOLE_KILL_END or not (end.group("sizes") or rest.startswith(_SIZES)):
        return False
    return WHOLE_KILL_END.match(first + rest) is not None


def is_split_by_hand(first: str, message: Optional[Message], rest: str) -> bool:
    """Return whether two texts can only be one message, wherever a person broke it.

    A kill goes on with its name or its sizes, the table's header with its columns, and a row with
    numbers.
    """
    if any(end.match(first) and begin.match(rest) for end, begin in _PARTS):
        return True
    if isinstance(message, Kill):
        return first.endswith((")", ",")) and _ONLY_SIZES.match(rest) is not None
    if isinstance(message, TableRow):
        return _ONLY_NUMBERS.match(message.rest) is not None and _REST_OF_ROW.match(rest) is not None
    return _CUT_TABLE_HEADER.match(first) is not None and _REST_OF_TABLE_HEADER.match(rest) is not None


def _is_broken_limit(first: str, rest: str) -> bool:
    whole = parse_memcg_limit(first + rest)
    # The victim's cgroup lies in the one that hit its limit.
    return whole is not None and (" " + LIMIT_OF not in first or str(whole.task_memcg).startswith(str(whole.memcg)))


def is_broken_trigger_name(first: str, message: Optional[Message], rest: str) -> bool:
    """Return whether two texts are one message with a line end in the trigger's name."""
    header = parse_header(rest) if INVOKED in rest else None
    if header is not None:
        return count_name_bytes(first + "\\x0a" + (header.name or "")) <= NAME_BYTES and message is None
    return "omm: " in first and TRIGGER.match(first) is None and TRIGGER.match(first + "\\x0a" + rest) is not None
