# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check which hosts a play shall run on, before it starts.

Ansible warns about a name that the inventory does not have, and goes on. Then a run on no host
succeeds, and C(all:!databses) spares no host. A pattern without any name is V(all) for Ansible.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible import constants
from ansible.inventory.manager import PATTERN_WITH_SUBSCRIPT, split_host_pattern

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text
from ansible_collections.oomguard.linux.plugins.plugin_utils.misspelt_names import suggest_name
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import parse_arguments
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import SHARED_PART

_SHOWN_LENGTH = 80
_WILDCARDS = re.compile(r"[*?\[]")


def check_pattern(given: Any, groups: Mapping[str, Iterable[str]], missing: str) -> None:
    """Check a pattern of hosts, or a list of such patterns. Raises InputError.

    C(groups) has the hosts of each group. With C(missing) V(ignore), names may be missing there.
    """
    patterns = given if isinstance(given, list) else [given]
    wrong = [one for one in patterns if not isinstance(one, str)]
    if wrong:
        raise InputError(f"oom_hosts: {_show(wrong[0])} is not text: put the name of a host or group in quotes")
    terms = split_host_pattern(patterns)
    if not terms:
        raise InputError("oom_hosts names no host: name a host or group, or leave it out for all hosts")
    arguments, errors = parse_arguments(SHARED_PART, {"oom_hosts_missing": missing})
    if errors:
        raise InputError(errors[0])
    if arguments["hosts_missing"] == "ignore":
        return
    names = {*groups, *(host for hosts in groups.values() for host in hosts), *constants.LOCALHOST}
    for term in terms:
        if term not in names:
            _check_term(term, names)


def _check_term(term: str, names: Collection[str]) -> None:
    """Raise InputError if one part of a pattern, such as C(!web*[0]), matches no name."""
    name = term[1:] if term[0] in "!&" else term
    subscript = PATTERN_WITH_SUBSCRIPT.match(name)
    is_expression = name.startswith("~")
    if subscript and not is_expression:
        name = subscript.group(1)
    try:
        # As Ansible itself matches them.
        matches = re.compile(name[1:] if is_expression else fnmatch.translate(name)).match
    except re.error:
        raise InputError(f"oom_hosts: {_show(term)} is no pattern: correct it") from None
    if any(map(matches, names)):
        return
    near = None if is_expression or _WILDCARDS.search(name) else suggest_name(name, names)
    hint = f"did you mean {_show(near)}?" if near else "correct it."
    raise InputError(
        f"oom_hosts: {_show(term)} matches no host and no group of the inventory: {hint}"
        " To run without it, set oom_hosts_missing=ignore"
    )


def _show(value: Any) -> str:
    return cut_text(value, _SHOWN_LENGTH)
