# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Work out the outcome of a host from the results of its modules.

A host may answer anything. So a result is looked at with doubt: what does not have the type that
the module returns counts as missing. host_answers.state_outcome() escapes and bounds the texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import strip_suffix
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import WOULD_FAIL, count_of, join_words
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import is_killer_drop_in
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text, first_line
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import ASKING, name_variables

# What ansible-core puts before a message says nothing about the reason.
_PREFIXES = re.compile(r"\A((Task|Action|Module) failed: )+")
# Ansible's own reasons do not say what to do. Reasons of this length fit into a line with that.
_UNREACHABLE = "; start the host, or correct its address or its login"
_PASSWORD = re.compile(r"\A((Missing|Incorrect) \w{1,20} password)\Z")
_NO_PASSWORD = "; run with --ask-become-pass, or set ansible_become_password"
_REASON_LENGTH = 200
# What a host printed in place of an answer stands behind the reason.
_PRINTED = "; the host printed: "
_PRINTED_LENGTH = 100
_MOST_PRINTED = 4000
# The end of a connection, and answers that nobody can read, say nothing.
_NO_WORDS = re.compile(r"\s*(Shared connection to .{1,300} closed\.?\s*\Z|[\[{\]}])")

# The parts of a playbook that change something, with what they change.
_CHANGES = {"protect": "pins", "panic": "panic policy", "overcommit": "overcommit policy"}
_NO_RESULT = "the host did not return what the module oom_site returns; check its Python, and what its login prints"
UNREADABLE = {"failed": True, "msg": "the answer of the host cannot be read"}  # in place of such an answer
_NOT_APPLIED = "the policy was not applied"
_UNCHECKED = "the variables were not checked"
_NOTHING_RAN = "no task has these tags"
_NOTHING_TO_PIN = "none of the daemons to pin is on this host"
_MOST_SHOWN = 3
# What a summary of kills may name, and how the outcome counts it. A kill in a container counts as
# one of the container, not of the unit around it, as in the module's own words.
_PLACES = ("container", "unit", "cgroup", "name")
_SHOWN = {"unit": "unit", "container": "container", "cgroup": "other cgroup", "name": "other program"}
_COUNT_OF_FINDINGS = re.compile(r"; (no|[0-9]{1,9}) findings?(, [0-9]{1,9} high)?\Z")  # the last words of oom_info
_SEVERITIES = ("high", "medium", "low")
_LARGEST = 10**9  # a host may return any number
_MOST_ENTRIES = 10000  # and any number of entries, each of which takes time


def state_failure(part: str, result: Any, check_mode: bool) -> tuple[str, str]:
    """Return the outcome and the reason of a failed task: the first line of its message.

    C(part) stands before the reason, unless it is empty.
    """
    result = _mapping(result)
    message = _PREFIXES.sub("", str(result.get("msg") or "no reason was given"))
    outcome = "failed"
    if check_mode and message.startswith(WOULD_FAIL):
        outcome, message = "would_fail", message[len(WOULD_FAIL) :]
    reason = _PASSWORD.sub(rf"\1{_NO_PASSWORD}", first_line(message))
    printed = _last_words(result)
    if printed and printed not in reason:
        reason = f"{cut_text(reason, _REASON_LENGTH - len(_PRINTED))}{_PRINTED}{printed}"
    if result.get("unreachable"):
        part, reason = "unreachable", cut_text(reason.rstrip(": "), _REASON_LENGTH) + _UNREACHABLE
    return outcome, ": ".join(filter(None, [part, reason]))


def _last_words(result: Mapping[str, Any]) -> str:
    """Return the last line that a host printed in place of an answer; C("") if there is none.

    It says why no module ran, such as that there is no Python. Over a terminal, as with a password
    for sudo, it is in the output.
    """
    for key in ("module_stderr", "module_stdout"):
        text = result.get(key)
        lines = text[-_MOST_PRINTED:].split("\n") if isinstance(text, str) else []
        words = [line.strip() for line in lines if line.strip() and not _NO_WORDS.match(line)]
        if words:
            return cut_text(words[-1], _PRINTED_LENGTH)
    return ""


def state_applied(results: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Return the outcome and the detail of a playbook that sets something.

    C(results) are those of its parts in the order in which they ran. A part that tags left out has
    an empty result. The part C(arguments) has always run.
    """
    if not results.get("arguments"):
        return state_failure("arguments", {"msg": _UNCHECKED}, check_mode)
    ran = {part: _mapping(results[part]) for part in _CHANGES if results.get(part)}
    asked = {part: result for part, result in ran.items() if not result.get("skipped")}
    changed = ", ".join(_describe_change(part, result) for part, result in asked.items() if result.get("changed"))
    for part, result in results.items():
        if _mapping(result).get("failed") or _mapping(result).get("unreachable"):
            outcome, reason = state_failure(part, result, check_mode)
            reason = name_variables(f"oom_{part}", reason) if part in _CHANGES else reason
            return outcome, _join_parts(reason, _describe_all(changed, check_mode))
    if not ran:
        return "nothing_asked", _NOTHING_RAN
    if not asked:
        return "nothing_asked", _name_asking(ran)
    lost = [text for part, result in asked.items() for text in _describe_lost(part, result)]
    # What the kernel would kill next, which the module predicts in check mode.
    victims = cut_text(_mapping(asked.get("protect", {}).get("next_victim")).get("text"))
    unbound = _name_entries(_mapping(one) for result in asked.values() for one in _list(result.get("not_binding")))
    shown = f"not binding: {_join_some(unbound)}" if unbound else ""
    if lost:
        return "not_lasting", _join_parts(_join_some(lost), shown, _describe_all(changed, check_mode), victims)
    if unbound and not (changed and check_mode):  # an audit fails on what would change
        return "not_binding", _join_parts(_join_some(unbound), _describe_all(changed, check_mode), victims)
    if changed:
        return "would_change" if check_mode else "changed", _join_parts(changed, shown, victims)
    return "ok", _NOTHING_TO_PIN if _lacks_all_targets(asked.get("protect", {})) else ""


def split_policy(arguments: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the result of each part, for state_applied(), from those of two tasks.

    C(arguments) is what oom_check_variables returned, and C(policy) what oom_site did.
    """
    asked = _mapping(arguments.get("asked"))
    results: dict[str, Mapping[str, Any]] = {"arguments": arguments}
    for part in _CHANGES:
        if part in asked:
            # That a part was left out is never the host's word.
            answer = {name: value for name, value in _mapping(policy.get(part)).items() if name != "skipped"}
            results[part] = answer if asked[part] else {"skipped": True}
    broken = policy.get("failed") or policy.get("unreachable")
    if broken and not has_failed(results):
        results[""] = policy
    for part, result in results.items():
        if not result and not broken and part != "arguments":
            results[part] = {"failed": True, "msg": _NO_RESULT if policy else _NOT_APPLIED}
    return results


def has_failed(results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a part has failed, or the host was lost."""
    return any(result.get("failed") or result.get("unreachable") for result in results.values())


def state_kills(result: Any) -> tuple[str, str]:
    """Return the outcome and the detail of a playbook that reads what was killed."""
    result = _mapping(result)
    summary = [_mapping(one) for one in _list(result.get("summary"))]
    kills = sum(_number(one.get("kills")) for one in summary)
    counted = _mapping(result.get("counts"))
    unlogged, trials = _number(counted.get("unlogged")), _number(counted.get("own_trials"))
    forged = _number(counted.get("untrusted"))
    notes = [
        f"{count_of(forged, 'event')} not written by the kernel" if forged else "",
        f"{count_of(unlogged, 'kill')} not in the log" if unlogged else "",
    ]
    if not kills:
        return "no_kills", _join_parts(f"{count_of(trials, 'kill')} of own trials left out" if trials else "", *notes)
    kinds = [(next((kind for kind in _PLACES if one.get(kind)), "name"), one) for one in summary]
    places = {(kind, _text(one.get(kind))) for kind, one in kinds}  # a unit has a row for each of its programs
    counts = Counter(kind for kind, _place in places)
    shown = [
        count_of(counts[kind], word if len(counts) > 1 else word.rpartition(" ")[2])
        for kind, word in _SHOWN.items()
        if kind in counts
    ]
    return "kills", _join_parts(f"{kills} in {join_words(shown)}", *notes)


def state_findings(result: Any, fail_on: str = "") -> tuple[str, str]:
    """Return the outcome and the detail of a playbook that predicts.

    The detail has the module's words on the next victim, the number of findings of each severity,
    and the severities for which list_severe() fails the host.
    """
    result = _mapping(result)
    findings = _list(result.get("findings"))
    words = _COUNT_OF_FINDINGS.sub("", cut_text(result.get("msg"), _REASON_LENGTH))
    if not findings:
        return "no_findings", words
    counts = Counter(_list_severities(result))
    count = count_of(len(findings), "finding") + "".join(f", {counts[one]} {one}" for one in _SEVERITIES if counts[one])
    severe = ", ".join(list_severe(result, fail_on))
    cause = f"failed by oom_info_fail_on: {severe}" if severe else ""
    return "findings", _join_parts(words, count, cause)


def list_severe(result: Any, fail_on: str) -> list[str]:
    """Return the severities of a host's findings that are at least this one; C("") is none."""
    severe = _SEVERITIES[: _SEVERITIES.index(fail_on) + 1] if fail_on in _SEVERITIES else ()
    found = _list_severities(_mapping(result))
    return [severity for severity in severe if severity in found]


def _list_severities(result: Mapping[str, Any]) -> list[str]:
    found = [_mapping(one).get("severity") for one in _list(result.get("findings"))]
    return [severity for severity in found if isinstance(severity, str)]


def _name_asking(parts: Iterable[str]) -> str:
    """Return which variables would have asked for something: all of one part, or two of each."""
    parts = list(parts)
    names = [f"oom_{part}_{option}" for part in parts for option in ASKING[f"oom_{part}"][: 2 if parts[1:] else None]]
    return f"set {', '.join(names[:-1])} or {names[-1]}"


def _lacks_all_targets(protect: Mapping[str, Any]) -> bool:
    """Return whether a host has none of the daemons to pin; it looks like one that has all pins."""
    targets = [_mapping(one) for one in _list(protect.get("targets"))]
    return bool(targets) and not any(one.get("found") or one.get("drop_in") for one in targets)


def _describe_change(part: str, result: Mapping[str, Any]) -> str:
    changed = [_mapping(one) for one in _list(result.get("targets")) if _mapping(one).get("changed")]
    if part != "protect" or not changed:
        return _CHANGES[part]
    changed_pins = [one for one in changed if not is_killer_drop_in(_text(one.get("target")))]
    # A profile names a unit by each of its names, and a host may know more than one of them.
    units = [_text(one.get("unit")) for one in changed_pins]
    pins = len(set(filter(None, units))) + units.count("")
    killers = "arguments of another killer" if len(changed_pins) < len(changed) else ""
    return ", ".join(filter(None, [count_of(pins, "pin") if pins else "", killers]))


def _describe_lost(part: str, result: Mapping[str, Any]) -> list[str]:
    """Return each object whose pin or value does not last, with the reason.

    A process without a unit has nothing that could last: that was asked for.
    """
    entries = [_mapping(one) for one in _list(result.get("not_lasting"))]
    return _name_entries(one for one in entries if one.get("unit") or part != "protect")


def _name_entries(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return each object of a result once, with the reason that it has there."""
    return list(
        dict.fromkeys(
            f"{strip_suffix(cut_text(one.get('unit') or one.get('target')))} ({cut_text(one.get('reason'))})"
            for one in entries
        )
    )


def _describe_all(changed: str, check_mode: bool) -> str:
    return f"{'would change' if check_mode else 'changed'} {changed}" if changed else ""


def _join_parts(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _join_some(texts: list[str]) -> str:
    more = len(texts) - _MOST_SHOWN
    return ", ".join(texts[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value[:_MOST_ENTRIES] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int) and 0 <= value < _LARGEST else 0
