# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check which hosts a play shall run on, before it starts.

Ansible warns about a name that the inventory does not have, and goes on. Then a run on no host
succeeds, and C(all:!databses) spares no host. A text without any name is V(all) for Ansible.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible import constants
from ansible.inventory.manager import PATTERN_WITH_SUBSCRIPT, split_host_pattern
from ansible.module_utils.common.collections import is_sequence, is_string

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text
from ansible_collections.oomguard.linux.plugins.plugin_utils.misspelt_names import suggest_name
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import parse_arguments
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import SHARED_PART

_SHOWN_LENGTH = 80
_WILDCARDS = re.compile(r"[*?\[]")
# What Ansible makes of a part of a pattern that matches nothing, by the first letter of the part.
_IGNORED = {
    "!": "Correct it. With oom_hosts_missing=ignore it would spare no host",
    "&": "Correct it. With oom_hosts_missing=ignore it would select no host",
}
_IGNORE = "Correct it, or set oom_hosts_missing=ignore to run without it"


def check_pattern(given: Any, groups: Mapping[str, Collection[str]], missing: str) -> None:
    """Check a pattern of hosts, or a list of such patterns. Raises InputError.

    C(groups) has the hosts of each group. With C(missing) V(ignore), names may be missing there,
    and a list may be empty.
    """
    patterns = list(given) if is_sequence(given) else [given]
    wrong = [one for one in patterns if not is_string(one)]
    if wrong:
        raise InputError(f"oom_hosts: {_show(wrong[0])} is not text: put the name of a host or group in quotes")
    arguments, errors = parse_arguments(SHARED_PART, {"oom_hosts_missing": missing})
    if errors:
        raise InputError(errors[0])
    may_be_missing = arguments["hosts_missing"] == "ignore"
    terms = split_host_pattern(patterns)
    if not patterns and not may_be_missing:
        raise InputError("oom_hosts is an empty list: name a host or group, or set oom_hosts_missing=ignore")
    if patterns and not terms:
        raise InputError("oom_hosts names no host: name a host or group")
    if may_be_missing:
        return
    names = {*groups, *groups["all"]}
    for term in terms:
        _check_term(term, names)


def _check_term(term: str, names: Collection[str]) -> None:
    """Raise InputError if one part of a pattern, such as C(!web*[0]), matches no name."""
    name = term[1:] if term[0] in "!&" else term
    is_expression = name.startswith("~")
    subscript = PATTERN_WITH_SUBSCRIPT.match(name)
    if subscript and not is_expression:
        name = subscript.group(1)
    if name in names or name in constants.LOCALHOST:
        return
    try:
        # As Ansible itself matches them.
        matches = re.compile(name[1:] if is_expression else fnmatch.translate(name)).match
    except (re.error, OverflowError, RecursionError):
        raise InputError(f"oom_hosts: {_show(term)} is no pattern: correct it") from None
    if any(map(matches, names)):
        return
    is_name = name and not is_expression and not _WILDCARDS.search(name)
    near = suggest_name(name, names) if is_name else None
    hint = f": did you mean {_show(near)}?" if near else "."
    raise InputError(
        f"oom_hosts: {_show(term)} matches no host and no group of the inventory{hint} {_IGNORED.get(term[0], _IGNORE)}"
    )


def _show(value: Any) -> str:
    return cut_text(value, _SHOWN_LENGTH)
