# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""List the killers that this collection knows. Pure."""

from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

# From these scores on, a pin means that systemd-oomd omits or avoids a unit.
OMIT_SCORE, AVOID_SCORE = -999, -500


EARLYOOM = "earlyoom.service"


class KnownKiller(NamedTuple):
    """A killer that this collection knows."""

    name: str
    units: Tuple[str, ...]
    program: str  # the comm of its process, or its script's name
    reads_scores: bool
    candidates: Optional[List[str]] = None


# kubelet evicts pods by their usage, and touches no service of the host
# (kubernetes:pkg/kubelet/eviction). The killers of Talos and Android are not here: no module runs
# there, because neither has Python, and Talos has no SSH. Kills in their logs are read.
KNOWN = (
    KnownKiller("systemd-oomd", ("systemd-oomd.service",), "systemd-oomd", False),
    KnownKiller("earlyoom", (EARLYOOM,), "earlyoom", True),
    KnownKiller("nohang", ("nohang.service", "nohang-desktop.service"), "nohang", True),
    KnownKiller("oomd", ("oomd.service",), "oomd", False),
    KnownKiller("kubelet", ("kubelet.service",), "kubelet", False, ["/kubepods", "/kubepods.slice"]),
)
_PROGRAMS = {known.program for known in KNOWN}
_INTERPRETER = "python"
KILLER_UNITS = tuple(unit for known in KNOWN for unit in known.units)


def name_programs(names: Mapping[int, str], read_lines: Callable[[List[int]], Mapping[int, str]]) -> Dict[int, str]:
    """Return the comm of each process by pid, or its script's name if that is a killer.

    nohang as its authors install it begins with C(#!/usr/bin/env python3), so its comm is python3.
    C(read_lines) returns the command lines of processes by pid.
    """
    interpreters = [pid for pid, name in names.items() if name.startswith(_INTERPRETER)]
    scripts = {pid: _name_script(line) for pid, line in read_lines(interpreters).items()} if interpreters else {}
    return {**names, **{pid: name for pid, name in scripts.items() if name in _PROGRAMS}}


def _name_script(line: str) -> str:
    """Return the base name of the first argument."""
    return line.partition(" ")[2].partition(" ")[0].rpartition("/")[2]


def may_run(names: Iterable[str]) -> bool:
    """Return whether any of these names of programs is that of a killer."""
    return not _PROGRAMS.isdisjoint(names)


def find_preference(score: int) -> Optional[str]:
    """Return what a score means for systemd-oomd; None if nothing."""
    if score <= OMIT_SCORE:
        return "omit"
    return "avoid" if score <= AVOID_SCORE else None
