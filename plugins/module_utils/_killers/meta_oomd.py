# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the rules of Meta's oomd, and which pins it does not go by.

oomd kills whole control groups that its rules name, and never reads scores. It takes those with the
attribute oomd_avoid last, which ManagedOOMPreference=avoid sets. Pure.
Sources: oomd:docs/core_plugins.md, docs/configuration.md.
"""

import fnmatch
import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
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
    for number, word in enumerate(words):
        if word in ("-C", "--config") and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("--config="):
            return word.partition("=")[2]
    return None


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
            is_recursive = str(arguments.get("recursive", "false")).lower() in ("true", "1")
            for pattern in str(arguments.get("cgroup", "")).split(","):
                if pattern.strip():
                    yield KilledGroups(pattern.strip(), is_recursive)


def _covers(rule: KilledGroups, path: str) -> bool:
    wanted = [part for part in rule.pattern.split("/") if part]
    parts = [part for part in path.split("/") if part]
    if len(parts) > len(wanted) and not rule.is_recursive:
        return False
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def judge_by_meta_oomd(rules: MetaOomdRules, service: PinnedService) -> Optional[UnboundPin]:
    """Return why oomd does not go by a pin; None if it does, or cannot kill the service."""
    covering = [rule.pattern for rule in rules.killed if _covers(rule, service.control_group)]
    if service.score >= 0 or not covering or (service.preference == "avoid" and not service.is_divided):
        return None
    return UnboundPin(
        service,
        "oomd",
        "oomd never reads scores",
        f"oomd may kill {service.name} ({covering[0]} in {rules.file}) and never reads scores: set"
        f" managed_oom_preference=avoid for unit={service.unit}, or change that rule",
        "avoid",
    )
