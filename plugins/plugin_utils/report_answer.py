# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Make safe what the module oom_report_host answered: every value gets its type and its bound.

Pure. A managed host may be in other hands. A value of another type counts as missing, a text is
escaped and cut, and a list is cut. No key of the result is made of a host's words.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import LINE_LENGTH, NAME_LENGTH, cut_text

SEVERITIES = ("high", "medium", "low")
VERDICTS_ON_PINS = ("same", "other", "unknown")
# A page has a column for each finding and a colour for each killer, so a host cannot make new ones.
FINDING_IDS = (
    "panic_hangs",
    "panic_on_cgroup",
    "allocating_task_ignores_pins",
    "pin_ignored_by_killer",
    "overcommit_lockout",
    "boot_differs",
    "nothing_killable",
    "inherited_immunity",
    "next_victim_is_protected",
    "pin_lost",
    "pin_not_lasting",
    "pin_undone_by_oom_policy",
    "cgroup_hangs",
    "memory_protection_capped",
    "rule_unknown",
    "kills_unlogged",
    "processes_hidden",
)
KILLERS = (
    "kernel",
    "systemd-oomd",
    "earlyoom",
    "nohang",
    "oomd",
    "lmkd",
    "lowmemorykiller",
    "talos",
)
# What a run may not have been able to read. The host itself names all but the log.
PARTS = {
    "log": "the log",
    "kills": "the kills since boot",
    "sysctls": "the sysctls",
    "units": "the units",
    "pins": "the record of pins",
}
OUTCOMES_OF_EVENTS = ("kill", "group_kill", "no_killable", "panic", "incomplete")
CONSTRAINTS = ("none", "cpuset", "memory_policy", "memcg")
MAX_EVENTS = 400
MAX_FINDINGS = 50
MAX_PINS = 100
MAX_LOSSES = 20
_MAX_KILLERS = 20
_MAX_SYSCTLS = 20
LARGEST = 2**53  # what JavaScript and spreadsheets still count exactly
_SHORT = 64
_LONGEST_FIX = 1000
_LONGEST_CURSOR = 20_000  # it has a mark of each event in pstore
_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?Z", re.ASCII)
_SYSCTL = re.compile(r"[a-z0-9_]{1,20}(\.[a-z0-9_]{1,40}){1,3}", re.ASCII)
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}", re.ASCII)
# A task of ours, as fixes.py writes it. Somebody may paste it into a playbook.
_FIX = re.compile(
    r"- oomguard\.linux\.(?:oom_score_adj|oom_policy|overcommit):\n(?:    [a-z_]+: [\x20-\x7e]+\n)+", re.ASCII
)
_TEMPLATE = re.compile(r"\{[{%#]")
_BOOT = re.compile("[0-9a-f]{32}", re.ASCII)
_CURSOR = re.compile(r"[\x20-\x7e]+", re.ASCII)


def accept_posture(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a host's posture, without pids."""
    domain = _mapping(answer.get("domain"))
    return {
        "kernel": read_text(answer.get("kernel"), _SHORT),
        "next_victim": _read_victim(answer.get("next_victim")),
        "room_kb": read_number(domain.get("room_kb")),
        "limit_kb": read_number(domain.get("limit_kb")),
        "sysctls": _read_sysctls(_mapping(answer.get("policy"))),
        "pins": _read_pins(answer),
        "killers": _read_each(answer.get("killers"), _read_killer, _MAX_KILLERS),
        "unlogged_kills": read_number(answer.get("unlogged_kills"), least=0),
    }


def accept_findings(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the findings, each once, the most severe first."""
    found = _read_each(answer.get("findings"), _read_finding, MAX_FINDINGS)
    unique = {(one["id"], one["object"]): one for one in found}
    return sorted(unique.values(), key=lambda one: SEVERITIES.index(one["severity"]))


def accept_events(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the kills, each once."""
    found = _read_each(answer.get("events"), _read_event, MAX_EVENTS)
    return list({one["id"]: one for one in found}.values())


def accept_losses(answer: Mapping[str, Any]) -> list[str]:
    """Return the sentences on what the log lacks."""
    sentences = (read_text(one, LINE_LENGTH) for one in _list(answer.get("lost"))[:MAX_LOSSES])
    return [one for one in sentences if one]


def accept_unread(answer: Mapping[str, Any]) -> list[str]:
    """Return the parts that could not be read, as keys of PARTS and in their order."""
    named = [one for one in _list(answer.get("unread")) if isinstance(one, str)]
    unread = ["log"] if not isinstance(answer.get("events"), list) else []
    return unread + [part for part in PARTS if part != "log" and part in named]


def accept_kills(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the host counted of the kills since boot; None if it did not say of which boot.

    C(counted) is the kernel's own count, and C(unlogged) how many of them no log has now. C(new)
    are those in the log that the run before had not counted, until the uptime C(until).
    """
    boot = answer.get("boot")
    if not isinstance(boot, str) or not _BOOT.fullmatch(boot):
        return None
    counts = {key: read_number(answer.get(f"{key}_kills"), least=0) for key in ("counted", "unlogged", "new")}
    return {"boot": str(boot), **counts, "until": read_number(answer.get("kills_until"), least=0)}


def accept_cursor(answer: Mapping[str, Any]) -> str | None:
    """Return the place of the next run, which goes back to the host as it is."""
    value = answer.get("cursor")
    is_cursor = isinstance(value, str) and len(value) <= _LONGEST_CURSOR and _CURSOR.fullmatch(value)
    return str(value) if is_cursor else None


def read_moment(value: Any) -> float | None:
    """Return the seconds since 1970 of a time as ISO 8601 in UTC; None for anything else."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) and len(value) <= _SHORT else None
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    is_date = year >= 1970 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    if not is_date or hour > 23 or minute > 59 or second > 60:
        return None
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def read_text(value: Any, length: int = NAME_LENGTH) -> str | None:
    """Return a text, escaped and cut, as one line; None for anything else and for an empty text."""
    return cut_text(value, length) or None if isinstance(value, str) else None


def read_number(value: Any, least: int = -LARGEST) -> int | None:
    """Return a whole number that everybody can count with; None for anything else."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_number and least <= value <= LARGEST else None


def read_word(value: Any, words: Iterable[str]) -> str | None:
    """Return the word of a fixed list that a value is; None for anything else."""
    return next((word for word in words if isinstance(value, str) and value == word), None)


def read_truth(value: Any) -> bool | None:
    """Return true or false; None for anything else."""
    return value if isinstance(value, bool) else None


def _read_victim(value: Any) -> dict[str, Any] | None:
    victim = _mapping(value)
    name = read_text(victim.get("name"), _SHORT)
    if name is None:
        return None
    return {
        **_read_place(victim, name),
        "score": read_number(victim.get("score")),
        "certain": read_truth(victim.get("certain")) is True,
        "margin_kb": read_number(victim.get("margin_kb")),
    }


def _read_place(process: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": read_text(process.get("unit")),
        "container": read_text(process.get("container"), _SHORT),
    }


def _read_sysctls(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    live, boot, origin = (_mapping(policy.get(key)) for key in ("live", "boot", "boot_value_from"))
    keys = [key for key in list(live)[:_MAX_SYSCTLS] if isinstance(key, str) and _SYSCTL.fullmatch(key)]
    return [
        {
            "name": str(key),
            "live": read_number(live[key]),
            "boot": read_number(boot.get(key)),
            "boot_value_from": read_text(origin.get(key)),
        }
        for key in sorted(keys)
    ]


def _read_pins(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the processes with a score below 0, each unit and name once."""
    processes = [one for key in ("protected", "immune") for one in _read_each(answer.get(key), _read_pin, MAX_PINS)]
    unique = {tuple(one.values()): one for one in processes if one["score"] < 0}
    ordered = sorted(unique.values(), key=lambda one: (one["score"], one["unit"] or "", one["name"]))
    return ordered[:MAX_PINS]


def _read_pin(process: Mapping[str, Any]) -> dict[str, Any] | None:
    name, score = read_text(process.get("name"), _SHORT), read_number(process.get("score"))
    return None if name is None or score is None else {**_read_place(process, name), "score": score}


def _read_killer(killer: Mapping[str, Any]) -> dict[str, Any] | None:
    name = read_text(killer.get("name"), _SHORT)
    if name is None:
        return None
    return {
        "name": name,
        "unit": read_text(killer.get("unit")),
        "active": read_truth(killer.get("active")),
        "version": read_text(killer.get("version"), _SHORT),
        "reads_scores": read_truth(killer.get("reads_scores")),
    }


def _read_finding(finding: Mapping[str, Any]) -> dict[str, Any] | None:
    kind, severity = read_word(finding.get("id"), FINDING_IDS), read_word(finding.get("severity"), SEVERITIES)
    if kind is None or severity is None:
        return None
    return {
        "id": kind,
        "severity": severity,
        "object": read_text(finding.get("object")) or "",
        "message": read_text(finding.get("message"), LINE_LENGTH) or "",
        "fix": _read_fix(finding.get("fix")),
    }


def _read_fix(value: Any) -> str | None:
    """Return a task as it stands in a playbook, with its lines.

    A task that is too long is none: half of it would do something else. So is one of another
    module, and one with a template: they would do for the host what they like.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_FIX:
        return None
    return str(value) if _FIX.fullmatch(value) and not _TEMPLATE.search(value) else None


def _read_event(event: Mapping[str, Any]) -> dict[str, Any] | None:
    name, moment = event.get("id"), event.get("time")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return None
    return {
        "id": str(name),
        "time": None if read_moment(moment) is None else str(moment),
        "killer": read_word(event.get("killer"), KILLERS) or "unknown",
        "outcome": read_word(event.get("outcome"), OUTCOMES_OF_EVENTS),
        "constraint": read_word(event.get("constraint"), CONSTRAINTS),
        "trusted": read_truth(event.get("trusted")),
        **_read_place(event, read_text(event.get("name"), _SHORT)),
        "pid": read_number(event.get("pid")),
        "victims_count": read_number(event.get("victims_count"), least=0),
        "pod": read_text(event.get("pod")),
        "limit_kb": read_number(event.get("limit_kb")),
        "rss_kb": read_number(event.get("rss_kb")),
        "score": read_number(event.get("score")),
        "text": read_text(event.get("text"), LINE_LENGTH) or "",
        "why": read_text(event.get("why"), LINE_LENGTH),
        "runner_up": read_text(event.get("runner_up")),
        "margin_kb": read_number(event.get("margin_kb")),
        "with_todays_pins": read_word(event.get("with_todays_pins"), VERDICTS_ON_PINS),
        "with_todays_pins_text": read_text(event.get("with_todays_pins_text"), LINE_LENGTH),
    }


def _read_each(
    value: Any, read: Callable[[Mapping[str, Any]], dict[str, Any] | None], most: int
) -> list[dict[str, Any]]:
    """Return what the first entries of a list read as, without those that are none."""
    found: Iterable[dict[str, Any] | None] = (read(_mapping(one)) for one in _list(value)[:most])
    return [one for one in found if one is not None]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
