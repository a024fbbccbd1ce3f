# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Put kills into words: a few lines for a person who has ten seconds.

Pure. Only the values of an event decide what is said. Names are quoted where they could be read as
our own words.
"""

from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of, format_kb, join_words
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.kill_groups import (
    KILLS,
    KillGroup,
    KillGroups,
    Kind,
    Span,
    classify_event,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import (
    Owner,
    describe_owner,
    find_owner,
    get_container_name,
    get_pod_name,
    quote_name,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event

MAX_LINES = 15
_LONGEST_LINE = 300
_LONGEST_MSG = 200
_MOST_NAMES = 3

_CAUSES = {
    "none": "the host ran out of memory",
    "cpuset": "the memory nodes of a cpuset were full",
    "memory_policy": "the memory nodes of a memory policy were full",
    "sysrq": "SysRq f asked for a kill",
    None: "memory ran out",
}
_RESULTS = {
    "no_killable": "no process could be killed",
    "incomplete": "the log does not show what was killed",
}
_PANIC_POLICIES = {"system-wide": "vm.panic_on_oom is 1", "compulsory": "vm.panic_on_oom is 2"}
_OTHER_OUTCOMES = {
    "panic": ("panic", ""),
    "no_killable": ("OOM with nothing to kill", "OOMs with nothing to kill"),
    "incomplete": ("report without a kill", "reports without a kill"),
}
_REASONS = {"pressure": "because of memory pressure", "swap": "because of swap use"}


def build_what(event: Event, names: ContainerNames) -> Dict[str, object]:
    """Return what was hit by an event, and one line about it."""
    kind = classify_event(event)
    group = KillGroup(kind)
    group.add(event, 0)
    owner = kind.owner()
    return dict(
        unit=owner and owner.unit,
        container=owner and owner.container,
        container_name=owner and get_container_name(owner, names),
        pod=owner and owner.pod,
        pod_name=owner and get_pod_name(owner, names),
        limit_kb=kind.limit_kb,
        text=describe_group(group, names),
    )


def describe_what_if(event: Event) -> str:
    """Return what would have died with the pins of C(what_if), as one line."""
    what_if, chosen = event["what_if"], event["why"]["chosen"]
    old = _describe_process(chosen["name"], chosen["pid"])
    if what_if["victim"] is None:
        words = "no process could have been killed"
    elif what_if["is_other"]:
        new = what_if["victim"]
        words = f"{_describe_process(new['name'], new['pid'])} would have been chosen instead of {old}"
    else:
        words = f"{old} would have been chosen all the same"
    return f"with these pins {words}" + (", as far as the log shows" if what_if["unanswered"] else "")


# --- one group -----------------------------------------------------------------------


def describe_group(group: KillGroup, names: ContainerNames) -> str:
    """Return what happened, and to whom, as one line without a time."""
    kind = group.kind
    words = _describe_kernel(group, names) if kind.killer == "kernel" else _describe_program(group, names)
    return words + _describe_mark(kind)


def _describe_mark(kind: Kind) -> str:
    """Return the mark of an own trial, and of a forged event."""
    marks = [(kind.is_own_trial, " (a trial of oomguard.linux)"), (kind.is_forged, " (not written by the kernel)")]
    return "".join(mark for is_marked, mark in marks if is_marked)


def _describe_kernel(group: KillGroup, names: ContainerNames) -> str:
    kind = group.kind
    times = f" {group.events} times" if group.events > 1 else ""
    if kind.outcome in KILLS:
        result = f"killed {_describe_victims(group, names)}"
    elif kind.outcome == "panic":
        result = f"the kernel panicked ({_PANIC_POLICIES.get(kind.detail or '', 'no process could be killed')})"
    else:
        result = _RESULTS[kind.outcome]
    return f"{_describe_cause(kind, names)}{times}: {result}"


def _describe_cause(kind: Kind, names: ContainerNames) -> str:
    if kind.outcome == "panic" and kind.cause is None and kind.detail != "compulsory":
        return _CAUSES["none"]  # only that lets the kernel panic otherwise
    if kind.cause != "memcg":
        return _CAUSES[kind.cause]
    if kind.limit is None:
        whose, is_unit = "a memory cgroup", False
    else:
        whose = describe_owner(kind.limit, names)
        is_unit = bool(kind.limit.unit and not kind.limit.container and not kind.limit.inside)
    size = None if kind.limit_kb is None else format_kb(kind.limit_kb)
    if is_unit:  # systemd writes MemoryMax= to this cgroup
        return f"{whose} hit its own limit" + (f" ({size}, MemoryMax)" if size else "")
    return f"{whose} hit its limit" + (f" of {size}" if size else "")


def _describe_program(group: KillGroup, names: ContainerNames) -> str:
    kind = group.kind
    detail = _REASONS.get(kind.detail or "", f"with {quote_name(kind.detail)}" if kind.detail else "")
    times = f"{group.events} times" if group.events > 1 else ""
    if group.names:
        what = _describe_victims(group, names)
        if kind.limit and kind.victim is None:
            what += f" of {describe_owner(kind.limit, names)}"
    else:
        what = describe_owner(kind.limit, names) if kind.limit else "a cgroup"
        if group.kills > group.events:
            what += f" ({group.kills} processes)"
    return " ".join(filter(None, [kind.killer, "killed", what, times, detail]))


def _describe_victims(group: KillGroup, names: ContainerNames) -> str:
    """Return the names of the victims, and whose they are if that was not said yet."""
    if group.events == 1:
        [(name, _kills)] = list(group.names.items())[:1] or [(None, 0)]
        words = _describe_process(name, group.first_pid)
        if group.kills > 1:
            words += f" with {group.kills - 1} more"
    else:
        words = _list_names(group.names, group.kills)
    victim, limit = group.kind.victim, group.kind.limit
    if victim is None or victim.path == "/" or (limit is not None and victim.path == limit.path):
        return words
    return f"{words} of {describe_owner(victim, names)}"


def _describe_process(name: Optional[str], pid: Optional[int]) -> str:
    if name is None:
        return "a process" if pid is None else f"process {pid}"
    return quote_name(name) if pid is None else f"{quote_name(name)}[{pid}]"


def _list_names(names: "Counter[Optional[str]]", kills: int) -> str:
    """Return the most frequent names, with their numbers if there is more than one name."""
    if len(names) == 1 and sum(names.values()) == kills:
        return _describe_process(next(iter(names)), None)
    order = sorted(names.items(), key=lambda item: (-item[1], item[0] or ""))
    shown = order[:_MOST_NAMES]
    words = [f"{_describe_process(name, None)} ({number})" for name, number in shown]
    others = kills - sum(number for _name, number in shown)
    return ", ".join([*words, f"{others} more"] if others > 0 else words)


# --- times ---------------------------------------------------------------------------


def format_span(span: Span, today: str) -> str:
    """Return when a group began, in UTC; with the date unless that is C(today), YYYY-MM-DD."""
    if span.first is None or span.last is None:
        return _format_uptimes(span)
    first, last = span.first[:19], span.last[:19]
    if first[:10] != last[:10]:
        return f"{first.replace('T', ' ')}Z - {last.replace('T', ' ')}Z"
    date = "" if first[:10] == today else first[:10] + " "
    clocks = first[11:] if first == last else f"{first[11:]}-{last[11:]}"
    return f"{date}{clocks}Z"


def _format_uptimes(span: Span) -> str:
    if span.uptimes is None:
        return "(no time)"
    low, high = [f"{seconds:.0f}" for seconds in span.uptimes]
    return f"{low if low == high else low + '-' + high} s after boot"


def format_moment(text: str, today: str) -> str:
    """Return a time in UTC, without seconds if they are 0, with the date unless it is C(today)."""
    date, clock = text[:10], text[11:19]
    shown = (clock[:-3] if clock.endswith(":00") else clock) + "Z"
    return shown if date == today else f"{date} {shown}"


# --- all groups ----------------------------------------------------------------------


class PinnedKills(NamedTuple):
    """Count the kills that what_if could answer, and those that would have had another victim."""

    kills: int
    others: int


class Circumstances(NamedTuple):
    """Hold what the words of a run depend on, besides its groups."""

    window: str  # what was read, such as "since 06:00Z"
    today: str  # YYYY-MM-DD in UTC
    unlogged: Optional[int]  # kills; None if the kernel's count cannot be compared
    unlogged_in: List[Dict[str, Any]]  # this and the next as the module returns them
    lost: Dict[str, Any]
    own_trials: int  # kills that were left out
    forged: int = 0  # events that the kernel did not write, and that were left out
    is_filtered: bool = False  # other kills may have been left out
    pins: Optional[PinnedKills] = None  # of what_if; None without it


def write_msg(groups: KillGroups, circumstances: Circumstances) -> str:
    """Return the run in one line, such as C(7 kills in 3 units since 06:00Z, 930 unlogged)."""
    words = [_count_kills(groups, circumstances.is_filtered), *_count_others(groups)]
    words[-1] += f" {circumstances.window}"
    if circumstances.unlogged:
        words.append(f"{circumstances.unlogged} unlogged")
    if circumstances.own_trials:
        words.append(f"{count_of(circumstances.own_trials, 'kill')} of own trials left out")
    marked = sum(group.kills for group in groups.list_groups() if group.kind.is_forged)
    if marked:
        words.append(f"{count_of(marked, 'kill')} of these not written by the kernel")
    if circumstances.forged:
        words.append(f"{count_of(circumstances.forged, 'event')} not written by the kernel left out")
    return _cut(", ".join(words), _LONGEST_MSG)


def _count_kills(groups: KillGroups, is_filtered: bool) -> str:
    noun = "matching kill" if is_filtered else "kill"
    if not groups.kills:
        return f"no {noun}s"
    owners = {group.kind.owner() for group in groups.list_groups() if group.kills}
    kinds = Counter(_name_kind(owner) for owner in owners if owner is not None)
    places = [count_of(kinds[kind], kind) for kind in ("unit", "container", "pod") if kinds[kind]]
    if kinds["cgroup"]:
        places.append(count_of(kinds["cgroup"], "other cgroup" if places else "cgroup"))
    return count_of(groups.kills, noun) + (f" in {join_words(places)}" if places else "")


def _name_kind(owner: Owner) -> str:
    if owner.container:
        return "container"
    if owner.unit:
        return "unit"
    return "pod" if owner.pod else "cgroup"


def _count_others(groups: KillGroups) -> List[str]:
    """Return the numbers of events that are not kills."""
    others: Counter[str] = Counter()
    for group in groups.list_groups():
        others[group.kind.outcome] += group.events
    return [count_of(others[outcome], *noun) for outcome, noun in _OTHER_OUTCOMES.items() if others[outcome]]


def write_kill_report(groups: KillGroups, circumstances: Circumstances, names: ContainerNames) -> List[str]:
    """Return the run in at most MAX_LINES lines.

    A run of equal events is one line. If that makes too many, all equal events are one line, and
    then all kills in one unit, container or cgroup. The last line counts what is still too much.
    """
    notes = _write_notes(circumstances)
    room = MAX_LINES - len(notes)
    runs = list(groups.runs)
    if not runs:
        return [*notes, f"{_count_kills(groups, circumstances.is_filtered)} {circumstances.window}"]
    if not groups.has_more_runs and len(runs) <= room:
        return notes + [_write_line(run, describe_group(run, names), circumstances) for run in runs]
    merged = [[group] for group in groups.list_groups()]
    if len(merged) > room or groups.kills_beyond:
        merged = _merge_by_owner(groups.list_groups())
    merged.sort(key=_rank)
    if len(merged) <= room and not groups.kills_beyond:
        return notes + [_write_merged(one, circumstances, names) for one in merged]
    shown = merged[: room - 1]
    kills = groups.kills - sum(group.kills for one in shown for group in one)
    rest = f"... and {max(len(merged) - len(shown), 1)} more ({count_of(kills, 'kill')})"
    return [*notes, *(_write_merged(one, circumstances, names) for one in shown), rest]


def _write_notes(circumstances: Circumstances) -> List[str]:
    notes = []
    if circumstances.unlogged:
        names = ContainerNames({}, {})
        places = [
            f"{describe_owner(find_owner(one['cgroup']), names)} ({one['oom_kill'] - one['logged_kills']})"
            for one in circumstances.unlogged_in[:_MOST_NAMES]
        ]
        others = len(circumstances.unlogged_in) - len(places)
        places += [count_of(others, "more cgroup")] if others else []
        where = f", among them in {', '.join(places)}" if places else ""
        notes.append(f"{count_of(circumstances.unlogged, 'kill')} since boot are not in the log{where}")
    if circumstances.pins is not None:
        kills, others = circumstances.pins
        notes.append(
            f"with these pins {others} of {count_of(kills, 'kill')} would have had another victim"
            if kills
            else "what_if cannot be answered: no kill has a task table and all sizes in the log"
        )
    lost = circumstances.lost
    if lost["gap"]:
        notes.append("the place of the cursor is gone, kills may be missing")
    if lost["records"] and circumstances.unlogged != 0:
        notes.append(f"the log lacks {count_of(lost['records'], 'record')}, kills may be missing")
    if lost["files"]:
        notes.append(f"{count_of(len(lost['files']), 'file')} could not be read to the end, kills may be missing")
    return [_cut(note, _LONGEST_LINE) for note in notes]


def _merge_by_owner(groups: List[KillGroup]) -> List[List[KillGroup]]:
    """Return lists of groups: all kills of one owner, and each other group by itself.

    Own trials and forged events stay apart from the others.
    """
    merged: Dict[object, List[KillGroup]] = {}
    for group in groups:
        kind = group.kind
        key = (kind.owner(), kind.is_own_trial, kind.is_forged) if kind.outcome in KILLS else kind
        merged.setdefault(key, []).append(group)
    return list(merged.values())


def _rank(merged: List[KillGroup]) -> Tuple[bool, int]:
    """Return the sort key of a line: panics and the like first, then the most kills."""
    return merged[0].kind.outcome not in ("panic", "no_killable"), -sum(group.kills for group in merged)


def _write_merged(merged: List[KillGroup], circumstances: Circumstances, names: ContainerNames) -> str:
    if len(merged) == 1:
        return _write_line(merged[0], describe_group(merged[0], names), circumstances)
    total = KillGroup(merged[0].kind)
    for group in merged:
        total.merge(group)
    owner = total.kind.owner()
    of_host = sum(group.kills for group in merged if group.kind.cause == "none")
    why = f", {of_host} as the host ran out of memory" if of_host else ""
    where = f"in {describe_owner(owner, names)}" if owner else "without a known cgroup"
    what = f": {_list_names(total.names, total.kills)}" if total.names else ""
    mark = _describe_mark(total.kind)
    return _write_line(total, f"{count_of(total.kills, 'kill')} {where}{why}{what}{mark}", circumstances)


def _write_line(group: KillGroup, words: str, circumstances: Circumstances) -> str:
    return _cut(f"{format_span(group.span, circumstances.today)}  {words}", _LONGEST_LINE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
