# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check what a task asks, as far as that is known without the host.

Pure: the playbook info does so on the controller, where C(option) is the name of its variable.
"""

import json
from typing import Any, NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name, shorten

HOST = "host"
KINDS = ("cgroup", "unit", "container", "machine")
MAX_TOP = 1000
_LONGEST_DOMAIN = 100


class AskedDomain(NamedTuple):
    """A domain as the user wrote it."""

    kind: str  # host, or one of KINDS
    name: str


def parse_domain(value: Any, option: str = "domain") -> AskedDomain:
    """Return the option C(domain), which is C(host) or a dictionary, also as JSON.

    Raises InputError for anything else.
    """
    shown = f"{option}={printable_name(str(value)[:_LONGEST_DOMAIN])}"
    if isinstance(value, str) and value.strip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            example = f'{{"{option}": {{"cgroup": "/a"}}}}'
            raise InputError(
                f"{shown} is no JSON: on a command line write everything as one JSON text, such as '{example}'"
            ) from None
    if value == HOST:
        return AskedDomain(HOST, "")
    if isinstance(value, dict) and len(value) == 1:
        kind, name = next(iter(value.items()))
        if kind in KINDS and isinstance(name, str) and name:
            return AskedDomain(kind, name)
    raise InputError(
        f"{shown} is no domain: set host, or a dictionary with exactly one of {', '.join(KINDS)},"
        " whose value is text, such as {unit: docker}"
    )


def check_top(top: int, option: str = "top") -> None:
    """Raise InputError unless the option C(top) is in its range."""
    if not 0 <= top <= MAX_TOP:
        raise InputError(f"{option}={shorten(top)} is out of range, 0 to {MAX_TOP}; set a number in it")
