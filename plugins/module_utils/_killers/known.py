# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""List the killers that this collection knows. Pure."""

from typing import Iterable, List, NamedTuple, Optional, Tuple

# From these scores on, a pin means that systemd-oomd omits or avoids a unit.
OMIT_SCORE, AVOID_SCORE = -999, -500


EARLYOOM = "earlyoom.service"


class KnownKiller(NamedTuple):
    """A killer that this collection knows."""

    name: str
    units: Tuple[str, ...]
    program: str  # the comm of its process
    reads_scores: bool
    candidates: Optional[List[str]] = None


# kubelet evicts pods by their usage, and Talos kills them by their class: neither touches a service
# of the host (kubernetes:pkg/kubelet/eviction, talos:internal/app/machined). lmkd, of Android, goes
# by oom_score_adj.
KNOWN = (
    KnownKiller("systemd-oomd", ("systemd-oomd.service",), "systemd-oomd", False),
    KnownKiller("earlyoom", (EARLYOOM,), "earlyoom", True),
    KnownKiller("nohang", ("nohang.service", "nohang-desktop.service"), "nohang", True),
    KnownKiller("oomd", ("oomd.service",), "oomd", False),
    KnownKiller("kubelet", ("kubelet.service",), "kubelet", False, ["/kubepods", "/kubepods.slice"]),
    KnownKiller("talos", (), "machined", False, ["/kubepods"]),
    KnownKiller("lmkd", (), "lmkd", True),
)
KILLER_UNITS = tuple(unit for known in KNOWN for unit in known.units)


def may_run(names: Iterable[str]) -> bool:
    """Return whether any of these names of processes is that of a killer."""
    return not {known.program for known in KNOWN}.isdisjoint(names)


def find_preference(score: int) -> Optional[str]:
    """Return what a score means for systemd-oomd; None if nothing."""
    if score <= OMIT_SCORE:
        return "omit"
    return "avoid" if score <= AVOID_SCORE else None
