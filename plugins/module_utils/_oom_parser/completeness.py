# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide whether a text is a whole kernel message or a part of one, for rejoin.py and unwrap.py.

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
    is_inside,
)

_BEGINNING = re.compile(
    r"Out of(?: [Mm]emory|$)|Memory cgroup out|No available|Kernel panic - not syncing|[Kk]ill(?:ed)? process "
    r"|oom-kill:|oom_reaper: |Tasks? in /|CPU: |Pid: |\[ *(?:\d+|pid) *\] |.{1,60} invoked(?: oom|$)"
)
_BEFORE_PATH = "_memcg="  # a record may end there
_LINE_END = "\0"  # stands for it; no text of a record has this character
# A message that does not fit goes on in the next record, with a path or the comma before it.
NEXT_PART = {",", "/"}
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
        (r".{1,60} invoked\s*$", r"oom-killer: gfp_mask=0x"),
        (r".{1,60} invoked oom-killer:\s*$", r"gfp_mask=0x"),
        (
            r".{1,60} invoked oom-killer: gfp_mask=.{1,200},\s*$",
            r"(?:nodemask|order|oom_adj|oomkilladj|oom_score_adj)=",
        ),
        # systemd-oomd
        (r"(?:Killed|Marked) /\S+(?: for killing)?\s*$", r"(?:for killing )?due to memory (?:used|pressure)"),
    ]
]
_ONLY_SIZES = re.compile(
    r"(?:(?:total-vm|vsz|[a-z]+-rss):\d+kB(?:,? [a-z]+-rss:\d+kB)*,?"
    r"(?: UID:\d+(?: pgtables:\d+kB)?(?: oom_score_adj:-?\d+)?)?"
    r"|UID:\d+ pgtables:\d+kB(?: oom_score_adj:-?\d+)?)[\"'`]?\s*$"
)
# What stands before the name of a victim, and behind it, as far as it was printed.
_BEFORE_NAME = ("Killed process ", "Out of memory: Killed process ", "Memory cgroup out of memory: Killed process ")
_SHORTEST_BEGINNING = 6
_LONGEST_KILL, _LONGEST_ROW = 500, 300  # no real one is longer, and hostile ones cost time
_SIZE = r",? (?:(?:total-vm|vsz|[a-z]+-rss|pgtables):\d+kB|UID:\d+|oom_score_adj:-?\d+)"
_SIZES_SO_FAR = re.compile(r"(?P<sizes>(?:" + _SIZE + r"(?![\dk]))*),? ?(?:[a-zU][a-zA-Z_-]*(?::-?\d*k?)?)?\s*$")
_ONLY_NUMBERS = re.compile(r"(?:-?\d+\s+){2,12}-?\d+\s*$")
_REST_OF_ROW = re.compile(r"\s*(?:-?\d+\s+){1,12}\S.{0,60}$")
_CUT_TABLE_HEADER = re.compile(r"\[ *pid *\]\s+uid(?:\s+[a-z_]+)*\s*$")
_REST_OF_TABLE_HEADER = re.compile(r"\s*(?:[a-z_]+\s+)*name\s*$")
_TABLE_COLUMNS = frozenset(
    [
        "uid",
        "tgid",
        "total_vm",
        "rss",
        "rss_anon",
        "rss_file",
        "rss_shmem",
        "nr_ptes",
        "nr_pmds",
        "nr_puds",
        "pgtables_bytes",
        "swapents",
        "cpu",
        "oom_adj",
        "oom_score_adj",
        "name",
    ]
)
_TABLE_HEADER_SO_FAR = re.compile(r"\[ *(?:pi?|pid(?: *\](?:\s+[a-z_]+)*))\s*$")
_ROW_SO_FAR = re.compile(r"\[ *(?:\d+(?:\](?:\s+-?\d+)*)?)?\s*$")
_NUMBERS_OF_ROW = re.compile(r"\[ *\d+\]((?:\s+-?\d+(?=\s))*)\s+(?!-?\d+(?:\s|$))\S.{0,60}$")
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


def may_be_in_name(first: str, rest: str) -> bool:
    """Return whether C(rest) can continue a victim's name behind a line end that the name has."""
    name, is_cut = _find_victim_name(first + _LINE_END + rest)
    if name is None or _LINE_END not in name:
        return False
    return count_name_bytes(name) + is_cut <= NAME_BYTES


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


def is_cut_before_name(first: str, rest: str) -> bool:
    """Return whether a kill that ends before its victim's name goes on in C(rest)."""
    if len(first) < _SHORTEST_BEGINNING or KILL.match(first):
        return False
    digits = first.rstrip("0123456789")
    is_beginning = digits in _BEFORE_NAME or any(words.startswith(first) for words in _BEFORE_NAME)
    whole = KILL.match(first + rest) if is_beginning else None
    return whole is not None and find_name_end(first + rest, whole.end()) is not None


def is_cut_in_sizes(first: str, rest: str) -> bool:
    """Return whether C(rest) goes on with the sizes of a kill, even in a number or a word.

    Without a bracket there it cannot be in the name.
    """
    is_short = "illed process " in first and len(first) + len(rest) <= _LONGEST_KILL
    match = KILL.match(first) if is_short and ")" not in rest else None
    end = first.rfind(")") + 1
    if match is None or end < match.end():
        return False
    if WHOLE_KILL_END.match(first, match.end()) and rest.strip().isdigit():
        return False  # such as the number of the next line
    before = _SIZES_SO_FAR.match(first, end)
    joined = _SIZES_SO_FAR.match(first + rest, end)
    return before is not None and joined is not None and joined.end("sizes") > max(len(first), before.end("sizes"))


def find_table_glue(first: str, indent: str, rest: str, columns: int) -> Optional[str]:
    """Return what stood between two parts of a line of the task table; None if they are none.

    A terminal breaks it anywhere, also in a number, and keeps its blanks. C(columns) counts those
    of the table's header, 0 without one.
    """
    if not first.startswith("[") or len(first) + len(rest) > _LONGEST_ROW:
        return None
    if _TABLE_HEADER_SO_FAR.match(first):
        word, next_word = first.rpartition(" ")[2], (indent + rest).partition(" ")[0]
        return indent if word != "name" and word + next_word in _TABLE_COLUMNS else None
    if not columns or not _ROW_SO_FAR.match(first):
        return None
    for glue in (indent, " "):
        row = _NUMBERS_OF_ROW.match(first + glue + rest)
        if row is not None and len(row.group(1).split()) == columns - 1:
            return glue
    has_blank = bool(indent) or first.endswith(" ")
    return indent if has_blank and _ROW_SO_FAR.match(first + indent + rest) else None


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


def is_cut_limit(first: str, rest: str) -> bool:
    """Return whether C(rest) continues the path of the limit, as the path of the task shows."""
    limit = parse_memcg_limit(first) if LIMIT_OF in first else None
    if limit is None or limit.task_memcg is None or limit.memcg is None:
        return False
    whole = limit.memcg + rest.rstrip()
    return bool(rest.strip()) and is_inside(limit.task_memcg, whole) and not is_inside(limit.task_memcg, limit.memcg)


def is_broken_trigger_name(first: str, message: Optional[Message], rest: str) -> bool:
    """Return whether two texts are one message with a line end in the trigger's name."""
    header = parse_header(rest) if INVOKED in rest else None
    if header is not None:
        return count_name_bytes(first + "\\x0a" + (header.name or "")) <= NAME_BYTES and message is None
    return "omm: " in first and TRIGGER.match(first) is None and TRIGGER.match(first + "\\x0a" + rest) is not None
