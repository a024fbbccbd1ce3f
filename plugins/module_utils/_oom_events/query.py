# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check the options of oom_events, and decide which events they select.

Pure.
"""

import re
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.alike_names import find_alike
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNIT_NAME,
    add_suffix,
    scope_of,
    strip_suffix,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import format_utc, parse_moment
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Window
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import find_owner
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.wording import format_moment
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.what_if import LoggedPin

# What a target of what_if may name: a log has no command lines, and no pid files.
PIN_SELECTORS = ("unit", "process", "pid", "cgroup", "container")
_BOOT = re.compile(r"current|previous|all|0|-[0-9]{1,4}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BOOT_WORDS = {"all": "in all boots", "previous": "in the previous boot"}
CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}\Z")  # what engines allow as a name
_LONGEST_SHOWN = 80
_MOST_SEEN = 1024  # names that are compared with a filter


class Query(NamedTuple):
    """The options of the module: which events to return, and how much of each."""

    source: str  # auto, journal, kmsg, pstore or file
    paths: List[str]
    boot: str  # current, previous, all, a number or a boot id
    since: Optional[str]
    until: Optional[str]
    cursor: Optional[str]
    victim: Optional[str]
    unit: Optional[str]
    container: Optional[str]
    constraint: Optional[str]
    killer: Optional[str]
    own_trials: bool
    tasks: bool
    raw: bool
    untrusted: bool
    limit: int
    what_if: Optional[List[Dict[str, Any]]] = None  # each with one of SELECTORS, and a score

    def is_filtered(self) -> bool:
        """Return whether a filter selects some of the events."""
        return any((self.victim, self.unit, self.container, self.constraint, self.killer))


def check_query(query: Query) -> None:
    """Raise InputError for a value that is none, and for options that exclude each other.

    The source is the one that is read, so it is not C(auto).
    """
    source = query.source
    if source == "file" and not query.paths:
        raise InputError("source=file needs paths: name at least one file")
    if source != "file" and query.paths:
        raise InputError(f"source={source} does not take paths: remove paths, or set source=file")
    if not _BOOT.fullmatch(query.boot):
        raise InputError(
            f"boot={_show(query.boot)} is not a boot: set current, previous, all, or a boot id of 32 digits"
        )
    if source != "journal" and query.boot not in ("current", "all"):
        raise InputError(
            f"boot={query.boot} needs the journal: source={source} cannot select a boot; "
            "set source=journal, or remove boot"
        )
    if query.limit < 1:
        raise InputError(f"limit={_show(str(query.limit))} is too small: set at least 1")
    _refuse_cursor(query)
    _refuse_names(query)


def _refuse_cursor(query: Query) -> None:
    if query.cursor and (query.since or query.until or query.boot not in ("current", "all")):
        raise InputError(
            "cursor already sets where to start, and every boot since then is read: remove since, until and boot"
        )
    if query.cursor and query.source == "pstore":
        raise InputError(
            "source=pstore has no cursor: set source=journal, which with a cursor also returns the new dumps of pstore"
        )


def _refuse_names(query: Query) -> None:
    unit = query.unit or "x"
    if not UNIT_NAME.match(unit) or unit.endswith((".slice", ".socket", ".timer", ".target", ".mount")):
        raise InputError(
            f"unit={_show(unit)} is not the name of a service or scope: give one such as docker, docker.service or "
            "run-1.scope, or remove unit"
        )
    if query.container and not _CONTAINER.match(query.container):
        raise InputError(
            f"container={_show(query.container)} is neither an id nor a name: give 12 or more digits of its id, "
            "or its name"
        )


def _show(value: str) -> str:
    return printable_name(value[:_LONGEST_SHOWN])


def parse_pins(query: Query, find_ids: Callable[[str], FrozenSet[str]]) -> List[LoggedPin]:
    """Return the targets of C(what_if); C(find_ids) returns the ids of a container's name.

    Raises InputError for a target that selects nothing, and for a score out of range.
    """
    return [_parse_pin(f"what_if[{number}]", one, find_ids) for number, one in enumerate(query.what_if or ())]


def _parse_pin(where: str, target: Mapping[str, Any], find_ids: Callable[[str], FrozenSet[str]]) -> LoggedPin:
    selector = next((name for name in PIN_SELECTORS if target.get(name) not in (None, "")), None)
    if selector is None:
        raise InputError(f"{where} selects nothing: set one of {', '.join(PIN_SELECTORS)}")
    value, score = str(target[selector]), target["score"]
    shown = f"{where}: {selector}={_show(value)}"
    if not SCORE_MIN <= score <= SCORE_MAX:
        raise InputError(f"{shown}: score={str(score)[:24]} is out of range: set it to {SCORE_MIN} to {SCORE_MAX}")
    if selector == "unit":
        value = add_suffix(value)
        if not UNIT_NAME.match(value):
            raise InputError(f"{shown} is not the name of a service: give one such as docker or docker.service")
    if selector == "cgroup" and not value.startswith("/"):
        raise InputError(f"{shown} is not the path of a cgroup: begin it with /, as /system.slice/docker.service")
    if selector == "container" and not _CONTAINER.match(value):
        raise InputError(f"{shown} is neither an id nor a name: give 12 or more digits of its id, or its name")
    if selector != "container":
        return LoggedPin(selector, value.rstrip("/") or "/", score)
    ids = frozenset() if CONTAINER_ID.match(value) else find_ids(value)
    return LoggedPin(selector, value, score, ids)


def parse_window(query: Query, now: float) -> Window:
    """Return the window of since and until; raise InputError if it is empty."""
    window = Window(
        parse_moment("since", query.since, now) if query.since else None,
        parse_moment("until", query.until, now) if query.until else None,
    )
    if window.is_empty():
        raise InputError(
            f"since={query.since} is not before until={query.until}, so no event can match: "
            "set since to an earlier time than until"
        )
    return window


def _list_killed(event: Event) -> List[Dict[str, Any]]:
    """Return unit, container and cgroup of what was killed; a program may log a cgroup alone."""
    if event["victims"] or event["killer"] == "kernel" or not event["memcg"]:
        victims: List[Dict[str, Any]] = event["victims"]
        return victims
    path = event["memcg"]["path"]
    owner = find_owner(path)
    return [dict(unit=owner.unit, container_id=owner.container, cgroup=path)]


def _list_units(event: Event) -> List[Optional[str]]:
    """Return the services and the scopes that lost a process."""
    return [one["unit"] or (scope_of(one["cgroup"]) if one["cgroup"] else None) for one in _list_killed(event)]


def _list_containers(event: Event) -> List[Optional[str]]:
    return [one["container_id"] for one in _list_killed(event)]


class Filter:
    """Decides which events a query selects, and notes the names in the others."""

    def __init__(self, query: Query, container_ids: FrozenSet[str]) -> None:
        """Take the filters, and the ids of the containers that have the name in the query."""
        self._query = query
        self._container_ids = container_ids
        self._is_id = bool(query.container and CONTAINER_ID.match(query.container))
        self._seen: Dict[str, Set[str]] = {name: set() for name in ("victim", "unit") if getattr(query, name)}

    def selects(self, event: Event) -> bool:
        """Return whether the event passes every filter."""
        query, victims = self._query, event["victims"]
        if (event["trusted"] is False and not query.untrusted) or (event["own_trial"] and not query.own_trials):
            return False
        self._note_names(event)
        return (
            (query.victim is None or any(victim["name"] == query.victim for victim in victims))
            and (query.unit is None or any(map(self._is_unit, _list_units(event))))
            and (query.container is None or any(map(self._is_container, _list_containers(event))))
            and (query.constraint is None or event["constraint"] == query.constraint)
            and (query.killer is None or event["killer"] == query.killer)
        )

    def _is_unit(self, unit: Optional[str]) -> bool:
        return unit is not None and unit in (self._query.unit, f"{self._query.unit}.service")

    def _is_container(self, found: Optional[str]) -> bool:
        if found is None:
            return False
        return found in self._container_ids or (self._is_id and found.startswith(self._query.container or ""))

    def _note_names(self, event: Event) -> None:
        for option, seen in self._seen.items():
            names = _list_units(event) if option == "unit" else [one["name"] for one in event["victims"]]
            seen.update(name for name in names[: _MOST_SEEN - len(seen)] if name)

    def advise(self) -> Optional[str]:
        """Return what to correct in filters that select nothing; None if they may be right."""
        query = self._query
        for option, seen in self._seen.items():
            value = strip_suffix(getattr(query, option))
            known = {strip_suffix(name): name for name in sorted(seen)}
            scope = f"{value}.scope"
            alike = [] if value in known else [scope] if scope in known else find_alike(value, known)
            if alike:
                return (
                    f"{option}={_show(value)} matches no kill, but {_show(known[alike[0]])} was killed: "
                    f"set {option} to that name if you meant it"
                )
        if query.container and not self._is_id and not self._container_ids:
            return (
                f"container={query.container}: no container engine of this host knows that name, as after its removal: "
                "give the first 12 digits of the container's id"
            )
        return None


def describe_window(query: Query, window: Window, boot_time: float, today: str) -> str:
    """Return which part of which log is read, for a person: C(since 06:00Z), C(in 3 files).

    C(boot_time) is when this host booted, in seconds since 1970.
    """
    words = []
    since = window.since
    if query.cursor:
        words.append("since the last run")
    elif query.source in ("journal", "kmsg") and query.boot in ("current", "0"):
        if since is None or since < boot_time:
            words.append(f"since {_format_epoch(boot_time, today)} (boot)")
            since = None
    elif query.source == "journal":
        words.append(_BOOT_WORDS.get(query.boot, f"in boot {query.boot}"))
    elif query.source == "file":
        only = query.paths[0] if len(query.paths) == 1 else ""
        words.append(f"in {_show(only)}" if only else f"in {len(query.paths)} paths")
    else:
        words.append("in " + ("pstore" if query.source == "pstore" else "/dev/kmsg"))
    if since is not None:
        words.append(f"since {_format_epoch(since, today)}")
    if window.until is not None:
        words.append(f"until {_format_epoch(window.until, today)}")
    return " ".join(words)


def _format_epoch(epoch: float, today: str) -> str:
    return format_moment(format_utc(epoch), today)
