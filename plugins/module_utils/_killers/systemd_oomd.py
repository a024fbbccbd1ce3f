# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Work out what systemd-oomd may kill, and which pins it does not go by.

It kills whole control groups below those that have ManagedOOMSwap=kill,
ManagedOOMMemoryPressure=kill or OOMRules=, and never reads scores. A preference counts for the very
control group that has it. Pure.
Sources: systemd.resource-control(5), oomd.conf(5), systemd:src/oom/oomd-util.c.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService, UnboundPin
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import find_preference

PROPERTIES = ("Id", "ControlGroup", "ManagedOOMSwap", "ManagedOOMMemoryPressure", "OOMRules")
_ROOT_SLICE = "-.slice"


class MonitoredGroup(NamedTuple):
    """A control group in which systemd-oomd kills."""

    unit: str
    path: str
    reasons: List[str]  # swap, pressure, or the names of rules (systemd 261)


class OomdSettings(NamedTuple):
    """All that systemd-oomd watches."""

    monitored: List[MonitoredGroup]


def read_settings(units: Iterable[Dict[str, str]]) -> OomdSettings:
    """Return what systemd-oomd watches, of these properties of units."""
    found = []
    for unit in units:
        name = unit.get("Id", "")
        reasons = ["swap"] if unit.get("ManagedOOMSwap") == "kill" else []
        reasons += ["pressure"] if unit.get("ManagedOOMMemoryPressure") == "kill" else []
        reasons += unit.get("OOMRules", "").split()
        path = "/" if name == _ROOT_SLICE else unit.get("ControlGroup", "")
        if reasons and path:
            found.append(MonitoredGroup(name, path, reasons))
    return OomdSettings(found)


def list_reasons(settings: OomdSettings, control_group: str) -> List[str]:
    """Return why systemd-oomd may kill in a control group, such as C(swap in -.slice)."""
    return [
        f"{reason} in {one.unit}"
        for one in settings.monitored
        if one.path == "/" or (control_group + "/").startswith(one.path.rstrip("/") + "/")
        for reason in one.reasons
    ]


def judge_by_systemd_oomd(settings: OomdSettings, service: PinnedService) -> Optional[UnboundPin]:
    """Return why systemd-oomd does not go by a pin; None if it does, or cannot kill the service."""
    reasons = list_reasons(settings, service.control_group) if service.control_group else []
    is_spared = service.preference in ("avoid", "omit")
    if service.score >= 0 or not reasons or (is_spared and not service.is_divided):
        return None
    may = f"systemd-oomd may kill {service.name} ({', '.join(reasons)}) and never reads scores"
    preference = find_preference(service.score) or "avoid"
    if is_spared:
        return UnboundPin(
            service,
            "systemd-oomd",
            "systemd-oomd kills control groups below it",
            f"{may}: ManagedOOMPreference does not count for the control groups below that of {service.unit};"
            " set oom_policy=kill, so that they are killed as one, or move what must live to a unit of its own",
        )
    if service.unit is None:
        remedy = "pin it by the unit that starts it, with managed_oom_preference"
    elif service.preference is None:
        remedy = f"this systemd has no preferences: set ManagedOOMSwap and ManagedOOMMemoryPressure of {service.unit}"
    else:
        remedy = f"set managed_oom_preference={preference} for unit={service.unit}, or other_killers=protect"
    return UnboundPin(service, "systemd-oomd", "systemd-oomd never reads scores", f"{may}: {remedy}", preference)
