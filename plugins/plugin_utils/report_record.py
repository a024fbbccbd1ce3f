# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Keep a host's record: its last posture, what changed since, and its kills.

Pure. A record is what the controller knows of a host. Each run merges an answer into it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import parse_moment
from ansible_collections.oomguard.linux.plugins.plugin_utils.file_names import safe_file_name
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text, name_key
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import (
    LARGEST,
    MAX_EVENTS,
    MAX_FINDINGS,
    MAX_LOSSES,
    accept_cursor,
    accept_events,
    accept_findings,
    accept_kills,
    accept_losses,
    accept_posture,
    accept_unread,
    read_moment,
    read_number,
    read_text,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_drift import (
    MAX_CHANGES,
    compare_facts,
    name_finding,
    state_facts,
)

VERSION = 1
MAX_BYTES = 256 * 1024
# A record begins with a digest of all that follows, so a file that is broken or edited is found.
_HEAD = re.compile(b'{"digest":"([0-9a-f]{64})",')
_MAX_CONTENT = MAX_BYTES - len('{"digest":"",') - 64
# Where a record is too large, the ends of these lists are left out, in this order.
_CUT_FIRST = ("events", "changes", "findings", "pins", "lost")
_ROOM_FOR_LOSS = 200
_FORGOTTEN = "the log no longer has this kill, and the pins have changed since it was read"
_OTHER_LOGS = "look for them in older log files with oom_events"
_BROKEN = "the record of this host could not be read, so it begins anew"
_NO_ROOM = "there are more kills than the record has room for: the newest are kept"
_LARGEST_DRIFT = 3600  # seconds of a clock; a slow host takes minutes to answer

Record = dict[str, Any]


def format_second(epoch: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def parse_since(text: str, now: float) -> float:
    """Return the seconds since 1970 from which on events are kept. Raises InputError."""
    since = parse_moment("since", text, now)
    if since > now:  # it would remove all that the records have
        raise InputError(f"since={cut_text(text, 80)} lies in the future: give a time that has passed")
    return max(since, 0.0)


def is_answer(answer: Mapping[str, Any]) -> bool:
    """Return whether a result has what the module oom_report_host returns."""
    return isinstance(answer.get("policy"), Mapping) and isinstance(answer.get("findings"), list)


def name_record_file(host: str) -> str:
    """Return the name of the file for the record of a host."""
    return safe_file_name(host) + ".json"


def new_record(host: str) -> Record:
    """Return the record of a host that never answered."""
    return {
        "version": VERSION,
        "name": name_key(host),  # printable and bounded, as it is shown
        "file": name_record_file(host),
        "tried": None,
        "state": "failed",
        "reason": "",
        "read": None,
        "unread": [],
        "log_since": None,  # seconds since 1970; from then on the record has what the log had
        "cursor": None,
        "pins_digest": None,
        "facts": {},
        "kernel": None,
        "next_victim": None,
        "room_kb": None,
        "limit_kb": None,
        "sysctls": [],
        "pins": [],
        "killers": [],
        "unlogged_kills": None,
        "kills": None,  # of the kernel: the boot, how many any run has found in a log, and until which uptime
        "findings": [],
        "changes": [],
        "lost": [],
        "events": [],
    }


def parse_record(host: str | None, text: bytes | None, now: float) -> Record:
    """Return the record in a file; a new one if there is none, or none that can be read.

    Without a C(host) the record says whose it is.
    """
    fresh = new_record(host or "")
    if text is None:
        return fresh
    head = _HEAD.match(text)
    if head and head[1] == _digest(text[head.end() :]):
        record = json.loads(text)
        if record["version"] == VERSION:
            names = {} if host is None else {key: fresh[key] for key in ("name", "file")}
            return {**{key: record.get(key, fresh[key]) for key in fresh}, **names}
    return {**fresh, "lost": [{"seen": format_second(now), "text": _BROKEN}]}


def recall_place(record: Record, since: float) -> dict[str, Any]:
    """Return what the module needs of a record: where the log goes on, and the pins asked for.

    The log is read again if C(since) is now earlier than what the record has of it.
    """
    goes_on = record["log_since"] is not None and record["log_since"] <= since
    counted = record["kills"] or {"boot": None, "until": None}
    return {
        "cursor": record["cursor"] if goes_on else None,
        "pins": record["pins_digest"],
        "boot": counted["boot"],
        "kills_until": counted["until"],
    }


def merge_failure(record: Record, state: str, reason: str, now: float) -> Record:
    """Return the record of a host that did not answer; what was known of it stays."""
    return {**record, "tried": now, "state": state, "reason": cut_text(reason)}


def merge_answer(
    record: Record, answer: Mapping[str, Any], now: float, since: float, before: Record | None = None
) -> Record:
    """Return the record with what the host answered, without what is older than C(since).

    C(before) is the record as it was when the host was asked: another job may have changed it.
    """
    seen = format_second(now)
    posture, findings = accept_posture(answer), accept_findings(answer)
    begun = (before or record)["kills"]
    kills, unlogged = _merge_kills(begun, record["kills"], accept_kills(answer), posture["unlogged_kills"])
    posture["unlogged_kills"], findings = unlogged, _follow_kills(findings, unlogged)
    unread = accept_unread(answer)
    unexamined = [part for part in unread if part != "log"]
    facts, changes = compare_facts(
        record["facts"], state_facts(posture, findings, unexamined, _has_all_pins(answer)), seen
    )
    is_first = not record["facts"]  # nothing to compare with
    if "sysctls" in unread:
        posture["sysctls"] = record["sysctls"]
    if "units" in unread:
        posture["killers"] = record["killers"]
    digest = read_text(answer.get("pins"))
    merged = {
        **record,
        **posture,
        "kills": kills,
        "tried": now,
        "state": "ok",
        "reason": "",
        "read": seen,
        "facts": facts,
        "unread": unread,
        "findings": _merge_findings(record["findings"], findings, seen, bool(unexamined)),
        "changes": (([] if is_first else changes) + record["changes"])[:MAX_CHANGES],
    }
    losses = [*_describe_clock(answer, now), *accept_losses(answer)]
    if "log" not in unread:
        is_same = digest is not None and digest == record["pins_digest"]
        known = record["events"] if is_same else [_forget_pins(event) for event in record["events"]]
        merged["events"] = _merge_events(known, accept_events(answer), seen)
        merged["cursor"], merged["pins_digest"], merged["log_since"] = accept_cursor(answer), digest, since
    merged["lost"] = _merge_losses(record["lost"], losses, seen)
    return _cut_events(keep_since(merged, since), MAX_EVENTS)


def _merge_kills(
    begun: dict[str, Any] | None, known: dict[str, Any] | None, now: dict[str, Any] | None, unlogged: int | None
) -> tuple[dict[str, Any] | None, int | None]:
    """Return how many kills of this boot any run has found in a log, and how many no run has.

    A log of a fixed size forgets kills that earlier runs have read, so what each run found is added
    up. C(begun) is what the record had when the host was asked, and C(known) what it has now.
    """
    if now is None:
        return known, unlogged
    begun, known = (one if one and one["boot"] == now["boot"] else None for one in (begun, known))
    named = max(known["named"] if known else 0, (begun["named"] if begun else 0) + (now["new"] or 0))
    if unlogged is not None and now["counted"] is not None:
        named = max(named, now["counted"] - unlogged)  # all that is in the log now
        unlogged = max(0, now["counted"] - named)
    uptimes = [one["until"] for one in (known, now) if one and one["until"] is not None]
    return {"boot": now["boot"], "named": min(named, LARGEST), "until": max(uptimes, default=None)}, unlogged


def _follow_kills(findings: list[dict[str, Any]], unlogged: int | None) -> list[dict[str, Any]]:
    """Return the findings with what the record knows of the kills: the host has its log alone."""
    if unlogged is None:
        return findings
    message = f"the kernel counted {count_of(unlogged, 'kill')} since boot that no run found in a log: {_OTHER_LOGS}"
    return [
        {**one, "message": message} if one["id"] == "kills_unlogged" else one
        for one in findings
        if unlogged or one["id"] != "kills_unlogged"
    ]


def _has_all_pins(answer: Mapping[str, Any]) -> bool:
    """Return whether the lists of pinned processes were not cut."""
    counts = [(answer.get(key), read_number(answer.get(f"{key}_count"))) for key in ("protected", "immune")]
    return all(isinstance(listed, list) and count == len(listed) for listed, count in counts)


def _merge_findings(
    before: list[dict[str, Any]], now: list[dict[str, Any]], seen: str, is_partial: bool
) -> list[dict[str, Any]]:
    """Return the findings with the time when each was first seen and last seen.

    One that is gone is left out, unless parts of the posture could not be read.
    """
    known = {name_finding(finding): finding for finding in before}
    merged = {}
    for finding in now:
        key = name_finding(finding)
        merged[key] = {**finding, "first_seen": known.get(key, {}).get("first_seen") or seen, "last_seen": seen}
    kept = [finding for key, finding in known.items() if is_partial and key not in merged]
    return [*merged.values(), *kept][:MAX_FINDINGS]


def keep_since(record: Record, since: float) -> Record:
    """Return a record without the kills, the changes and the losses that are older."""
    kept = {key: [one for one in record[key] if _date(one["seen"]) >= since] for key in ("changes", "lost")}
    return {**record, **kept, "events": [one for one in record["events"] if _date_event(one) >= since]}


def _describe_clock(answer: Mapping[str, Any], now: float) -> list[str]:
    """Return a sentence if the clock of the host is wrong, or that of the controller."""
    clock = read_number(answer.get("clock"))
    if clock is None or abs(clock - now) < _LARGEST_DRIFT:
        return []
    drift = "behind" if clock < now else "ahead of"
    return [f"the host's clock is over an hour {drift} the controller's: its kills have wrong times, or are left out"]


def _merge_losses(before: list[dict[str, Any]], now: list[str], seen: str) -> list[dict[str, Any]]:
    """Return each sentence once, with the time when it was seen last, the newest first."""
    kept = [one for one in before if one["text"] not in now]
    return ([{"seen": seen, "text": text} for text in dict.fromkeys(now)] + kept)[:MAX_LOSSES]


def _forget_pins(event: dict[str, Any]) -> dict[str, Any]:
    """Return a kill that other pins were asked for; the answer replaces it, if it has it again."""
    if event.get("with_todays_pins") is None:
        return event
    return {**event, "with_todays_pins": "unknown", "with_todays_pins_text": _FORGOTTEN}


def _merge_events(before: list[dict[str, Any]], now: list[dict[str, Any]], seen: str) -> list[dict[str, Any]]:
    """Return all kills, each once, the newest first. One that was read again replaces itself."""
    known = {event["id"]: event for event in before}
    for event in now:
        known[event["id"]] = {**event, "seen": known[event["id"]]["seen"] if event["id"] in known else seen}
    return sorted(known.values(), key=lambda event: (_date_event(event), event["time"] or ""), reverse=True)


def _date_event(event: Mapping[str, Any]) -> float:
    """Return when an event happened, at the latest when it was read: clocks may be wrong."""
    return min(_date(event["time"] or event["seen"]), _date(event["seen"]))


def _date(moment: str) -> float:
    return read_moment(moment) or 0.0


def _cut_events(record: Record, most: int) -> Record:
    """Return a record with the newest kills, and a loss if there are more."""
    if len(record["events"]) <= most:
        return record
    lost = _merge_losses(record["lost"], [_NO_ROOM], record["read"])
    return {**record, "events": record["events"][:most], "lost": lost}


def format_record(record: Record) -> bytes:
    """Return a record as JSON of at most MAX_BYTES bytes, without the ends of its longest lists."""
    text = _render(record)
    for key in _CUT_FIRST:
        if len(text) <= _MAX_CONTENT:
            break
        room = _MAX_CONTENT - _ROOM_FOR_LOSS - (len(text) - len(_render(record[key])))
        most = _count_fitting(record[key], room)
        record = _cut_events(record, most) if key == "events" else {**record, key: record[key][:most]}
        text = _render(record)
    if len(text) > _MAX_CONTENT:  # then the next run has nothing to compare with
        text = _render({**record, "facts": {}})
    content = text[len("{") :]
    return b'{"digest":"%s",' % _digest(content) + content


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")


def _count_fitting(entries: list[Any], room: int) -> int:
    """Return how many of the first entries fit into that many bytes."""
    used = len("[]")
    for number, entry in enumerate(entries):
        used += len(_render(entry)) + 1
        if used > room:
            return number
    return len(entries)


def _render(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
