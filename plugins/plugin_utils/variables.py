# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read which variables there are: those of the roles, and those of the playbooks alone.

A part is a role, or what a playbook adds to the roles. Its variables begin with its name, as in
C(oom_protect_profiles). The part C(oom) has what all playbooks share.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.oomguard.linux.plugins.plugin_utils.misspelt_names import (
    LETTERS_FOR_A_TYPO,
    find_nearest,
    is_typo,
    may_be_near,
    suggest_name,
)

_COLLECTION = Path(__file__).resolve().parents[2]

SHARED_PART = "oom"
# Lists that add up: a host's groups may each set one, with a suffix of their own.
ADDED_LISTS = ("oom_protect_profiles", "oom_protect_targets")

# A host may return any number of facts, of any length. Comparing names takes time, so what is
# beyond these bounds is not compared. That concerns only this host. Names of others, which share
# too few letters with any of ours, do not count as compared.
MOST_SCREENED = 1000
MOST_COMPARED = 20
LONGEST_COMPARED = 64
_MOST_SUFFIXES = 4  # a list with a typo begins with three words and one underscore too many, at most


@functools.lru_cache(maxsize=None)
def load_parts() -> Mapping[str, Mapping[str, Any]]:
    """Return the options of each part, by the name of their variable."""
    roles = {path.parts[-3]: path for path in sorted(_COLLECTION.glob("roles/*/meta/argument_specs.yml"))}
    specs = {role: _load_specs(path)["main"] for role, path in roles.items()}
    specs.update(_load_specs(_COLLECTION / "playbooks" / "vars" / "argument_specs.yml"))
    return {part: spec["options"] for part, spec in specs.items()}


def _load_specs(path: Path) -> Mapping[str, Any]:
    specs: Mapping[str, Any] = yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return specs


def list_names() -> list[str]:
    """Return the names of all variables."""
    return [name for options in load_parts().values() for name in options]


def is_addition(name: str, variable: str | None = None) -> bool:
    """Return whether a name is that of a list with a suffix: of this list, or of any."""
    lists = ADDED_LISTS if variable is None else (variable,)
    return any(name.startswith(one + "_") and name != one + "_" for one in lists if one in ADDED_LISTS)


def read_values(
    variables: Mapping[str, Any], template: Callable[[Any], Any], parts: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the variables of these parts, and an error for each without one."""
    wanted = {name for part in parts for name in load_parts()[part]}
    lists = tuple(one for one in ADDED_LISTS if one in wanted)
    # A host has hundreds of variables, and each reference to an argument evaluates this again.
    mine = [name for name in variables if name in wanted or (name.startswith(lists) and is_addition(name))]
    values, errors = {}, []
    for name in sorted(mine):
        try:
            values[name] = template(variables[name])
        except AnsibleError as error:
            errors.append(f"{name}: {error.message}")
    return values, errors


def check_names(given: Iterable[str]) -> list[str]:
    """Return an error for each variable that no part has, with the name that was meant.

    A name is refused for one of two reasons. It begins with the name of a part other than C(oom),
    as in C(oom_protect_profile). Or it begins with an C(o) and is a known name with a typo, as in
    C(oom_protct_profiles). All other names belong to others, such as C(oom_killer_team).
    """
    known = set(list_names())
    unknown = [name for name in given if _is_compared(name) and name not in known and not is_addition(name)]
    screened = sorted(unknown, key=lambda name: (not _is_reserved(name), not name.lower().startswith("oom"), name))
    likely = (name for name in screened[:MOST_SCREENED] if _is_reserved(name) or _may_be_misspelt(name))
    return [error for error in map(_check_name, itertools.islice(likely, MOST_COMPARED)) if error]


@functools.lru_cache(maxsize=MOST_COMPARED)  # Ansible asks twice: for the condition and for the message
def _check_name(name: str) -> str | None:
    candidates = _candidates(name, list_names())
    if _is_reserved(name):
        near = suggest_name(name, candidates)
        return f"{name}: did you mean {near}?" if near else _refuse(name)
    near = find_nearest(name, candidates, LETTERS_FOR_A_TYPO)
    return f"{name}: did you mean {near}?" if near and is_typo(name, near) else None


def _is_compared(name: str) -> bool:
    return name[:1] in ("o", "O") and len(name) <= LONGEST_COMPARED


def _is_reserved(name: str) -> bool:
    return name.startswith(_reserved_prefixes())


def _may_be_misspelt(name: str) -> bool:
    return may_be_near(name, _candidates(name, list_names()), LETTERS_FOR_A_TYPO)


@functools.lru_cache(maxsize=None)
def _reserved_prefixes() -> tuple[str, ...]:
    return tuple(part + "_" for part in load_parts() if part != SHARED_PART)


def _candidates(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names, and the lists that add up with what may be this name's suffix."""
    starts = [position + 1 for position, letter in enumerate(name) if letter == "_"]
    suffixes = [name[start:] for start in starts[:_MOST_SUFFIXES] if name[start:]]
    return [*known, *(f"{one}_{suffix}" for one in ADDED_LISTS for suffix in suffixes)]


def _refuse(name: str) -> str:
    prefix = next(prefix for prefix in _reserved_prefixes() if name.startswith(prefix))
    return f"{name}: oomguard.linux has no such variable; give it a name that does not begin with {prefix}"
