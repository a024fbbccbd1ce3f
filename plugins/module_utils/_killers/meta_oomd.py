# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the rules of Meta's oomd, and which pins it does not go by.

oomd kills whole control groups that its rules name, with all that is below them, and never reads
scores. With recursive=true it takes one of those below instead: a leaf, or one with
memory.oom.group. It takes those with the attribute oomd_avoid last; ManagedOOMPreference=avoid sets
it. The attribute counts for the very control group that has it. Pure.
Sources: oomd:docs/core_plugins.md, docs/configuration.md, src/oomd/plugins/BaseKillPlugin.cpp.
"""

import fnmatch
import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    Matcher,
    PinnedService,
    UnboundPin,
)

DEFAULT_FILES = ("/etc/oomd/oomd.json", "/etc/oomd.json")
_MAX_GROUPS = 200


class KilledGroups(NamedTuple):
    """Control groups that a rule kills."""

    pattern: str  # relative to the root of the hierarchy, with wildcards in each part
    is_recursive: bool  # whether what is below may be killed alone


class MetaOomdRules(NamedTuple):
    """Describe what oomd may kill."""

    file: str
    killed: List[KilledGroups]


def find_file_of_oomd(words: List[str]) -> Optional[str]:
    """Return the file that the arguments of a running oomd name; None if they name none."""
    return _find_value(words, "-C", "--config")


def find_drop_ins_of_oomd(words: List[str]) -> Optional[str]:
    """Return the folder of more rules that the arguments name; None if they name none."""
    return _find_value(words, "-w", "--drop-in-dir")


def _find_value(words: List[str], letter: str, name: str) -> Optional[str]:
    """Return the last value of an option; None without one."""
    found = None
    for word, following in zip(words, [*words[1:], None]):
        if word in (letter, name):
            found = following or found
        elif word.startswith(letter):
            found = word[len(letter) :]
        elif word.startswith(name + "="):
            found = word.partition("=")[2]
    return found


def parse_rules(file: str, text: str) -> MetaOomdRules:
    """Return what the rules in a file kill; raise InputError if they cannot be read."""
    try:
        # A line with a comment is allowed there.
        lines = [line for line in text.split("\n") if not line.lstrip().startswith("//")]
        document = json.loads("\n".join(lines))
        return MetaOomdRules(file, list(_list_killed(document))[:_MAX_GROUPS])
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{file} cannot be read as rules of oomd: {type(error).__name__}") from error


def _list_killed(document: Dict[str, Any]) -> Iterator[KilledGroups]:
    for ruleset in document.get("rulesets", []):
        for action in ruleset.get("actions", []):
            if not str(action.get("name", "")).startswith("kill_"):
                continue
            arguments = action.get("args", {})
            if _is_set(arguments, "dry"):
                continue
            is_recursive = _is_set(arguments, "recursive")
            for pattern in str(arguments.get("cgroup", "")).split(","):
                if pattern.strip():
                    yield KilledGroups(pattern.strip(), is_recursive)


def _is_set(arguments: Dict[str, Any], name: str) -> bool:
    return str(arguments.get(name, "false")).lower() in ("true", "1")


def _covers(rule: KilledGroups, path: str, matches: Matcher) -> bool:
    """Return whether a rule kills in a cgroup; no if its wildcards take too long to match."""
    wanted, parts = _split(rule.pattern), _split(path)
    if len(parts) < len(wanted):
        return False
    # A user may choose names that many wildcards match in many ways, so the time is limited.
    return all(matches(fnmatch.translate(pattern), part) for pattern, part in zip(wanted, parts))


def _split(path: str) -> List[str]:
    return [part for part in path.split("/") if part]


def _goes_by_mark(rule: KilledGroups, service: PinnedService) -> bool:
    """Return whether the attribute of a service counts for a rule that covers it."""
    if rule.is_recursive:
        return not service.is_divided
    return len(_split(rule.pattern)) == len(_split(service.control_group))


def judge_by_meta_oomd(rules: MetaOomdRules, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    """Return why oomd does not go by a pin; None if it does, or cannot kill the service."""
    covering = [rule for rule in rules.killed if _covers(rule, service.control_group, matches)]
    if service.preference == "avoid" or service.is_marked:
        covering = [rule for rule in covering if not _goes_by_mark(rule, service)]
    if service.score >= 0 or not covering:
        return None
    helps = _goes_by_mark(covering[0], service)
    way = f"set managed_oom_preference=avoid for unit={service.unit}" if service.unit else "pin it by its unit"
    return UnboundPin(
        service,
        "oomd",
        "oomd never reads scores",
        f"oomd may kill {service.name} ({covering[0].pattern} in {rules.file}) and never reads scores:"
        f" {way + ', or ' if helps else ''}change that rule",
        "avoid" if helps else None,
    )
