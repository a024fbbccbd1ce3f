# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Work out what systemd-oomd may kill, and which pins it does not go by.

It kills whole control groups below those that have ManagedOOMSwap=kill,
ManagedOOMMemoryPressure=kill or OOMRules=, and never reads scores. A preference counts for the very
control group that has it, and only if that belongs to root, or to the owner of the watched one.
Where it kills by swap, only root's count. A rule with Action=kill-all kills the very group that has
it, whatever is preferred. Pure.
Sources: systemd.resource-control(5), oomd.conf(5),
systemd:src/oom/oomd-util.c:oomd_fetch_cgroup_oom_preference and oomd_select_by_swap_usage,
src/oom/oomd-manager.c:ruleset_execute_action.
"""

from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import read_assignment
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService, UnboundPin
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import find_preference

PROPERTIES = ("Id", "ControlGroup", "ManagedOOMSwap", "ManagedOOMMemoryPressure", "OOMRules")
# The managers of users tell systemd-oomd what to watch since 250 (systemd pull request 20690). It
# goes by preferences of cgroups that root does not own since 252 (pull request 23764).
WATCHES_FOR_USERS, _HEEDS_USERS = 250, 252
_ROOT_SLICE = "-.slice"
# Where the rules of OOMRules= are: of files with the same name the first one counts.
RULE_FOLDERS = tuple(f"{folder}/systemd/oomd/rules.d" for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
_KILL_ALL, _KILL_BY_SWAP = "kill-all", "kill-by-swap"
_MAX_REASONS = 4  # in one sentence


class MonitoredGroup(NamedTuple):
    """A control group in which systemd-oomd kills."""

    unit: str
    path: str
    reasons: List[str]  # swap, pressure, or the names of rules (systemd 261)
    owner: Optional[int] = None  # the uid that owns it; None if that is not known
    ignores_users: bool = False  # no preference of a control group that a user owns counts
    kills_all: Sequence[str] = ()  # the rules that kill all of it at once


class OomdSettings(NamedTuple):
    """All that systemd-oomd watches."""

    monitored: List[MonitoredGroup]


def kills_nothing(words: Iterable[str]) -> bool:
    """Return whether systemd-oomd with these arguments only says what it would kill."""
    return any("--dry-run".startswith(word) and len(word) > len("--") for word in words)


def parse_action(text: str) -> str:
    """Return the Action= of a rule; an empty text if it has none, and does nothing."""
    return read_assignment(text, "Action", "Rule") or ""


def read_monitored(
    units: Iterable[Dict[str, str]],
    find_owner: Callable[[str], Optional[int]],
    find_action: Callable[[str], Optional[str]],
    has_swap: bool,
    version: int,
) -> List[MonitoredGroup]:
    """Return what systemd-oomd watches, of these properties of the units of one manager.

    C(find_owner) returns the uid that owns a control group, C(find_action) the Action= of a rule:
    an empty text for one that does nothing, None if it is not known. C(has_swap) is whether the
    host has any swap: without that, no use of swap is above a limit. C(version) is that of systemd.
    """
    idle = ("",) if has_swap else ("", _KILL_BY_SWAP)
    found = []
    for unit in units:
        name = unit.get("Id", "")
        rules = {rule: find_action(rule) for rule in unit.get("OOMRules", "").split()}
        reasons = ["swap"] if has_swap and unit.get("ManagedOOMSwap") == "kill" else []
        reasons += ["pressure"] if unit.get("ManagedOOMMemoryPressure") == "kill" else []
        reasons += [rule for rule, action in rules.items() if action not in idle]
        # A user's manager has a -.slice, too, with a cgroup of its own.
        path = unit.get("ControlGroup") or ("/" if name == _ROOT_SLICE else "")
        if reasons and path:
            group = MonitoredGroup(
                name,
                path,
                reasons,
                find_owner(path),
                ignores_users=version < _HEEDS_USERS or "swap" in reasons or _KILL_BY_SWAP in rules.values(),
                kills_all=[rule for rule, action in rules.items() if action == _KILL_ALL],
            )
            found.append(group)
    return found


def find_watching(settings: OomdSettings, control_group: str) -> List[MonitoredGroup]:
    """Return the watched groups that a control group is in, or is itself."""
    if not control_group:
        return []
    return [
        one
        for one in settings.monitored
        if one.path == "/" or (control_group + "/").startswith(one.path.rstrip("/") + "/")
    ]


def _list_reasons(watching: Sequence[MonitoredGroup]) -> str:
    """Return why systemd-oomd may kill in these groups, such as C(swap in -.slice)."""
    reasons = [f"{reason} in {one.unit}" for one in watching for reason in one.reasons]
    more = len(reasons) - _MAX_REASONS
    return ", ".join(reasons[:_MAX_REASONS]) + (f" and {more} more" if more > 0 else "")


def judge_by_systemd_oomd(settings: OomdSettings, service: PinnedService) -> Optional[UnboundPin]:
    """Return why systemd-oomd does not go by a pin; None if it does, or cannot kill the service."""
    watching = find_watching(settings, service.control_group)
    is_spared = service.preference in ("avoid", "omit")
    if not watching or (service.score >= 0 and not is_spared):
        return None
    may = f"systemd-oomd may kill {service.name} ({_list_reasons(watching)}) and never reads scores"
    total = next((one for one in watching if one.kills_all), None)
    if total is not None:
        rule = total.kills_all[0]
        return UnboundPin(
            service,
            "systemd-oomd",
            "systemd-oomd has a rule that kills all",
            f"{may}: the rule {rule} kills all of {total.unit} at once, whatever is preferred; leave {rule} out of"
            f" OOMRules= of {total.unit}, or give it another Action=",
        )
    if any(service.owner not in (0, None, None if one.ignores_users else one.owner) for one in watching):
        return UnboundPin(
            service,
            "systemd-oomd",
            "systemd-oomd ignores the preference of a user's control group",
            f"{may}: it ignores the preference of a control group that uid {service.owner} owns; {_name_way(service)}",
        )
    if is_spared and not service.is_divided:
        return None
    if is_spared:
        return UnboundPin(
            service,
            "systemd-oomd",
            "systemd-oomd kills control groups below it",
            f"{may}: ManagedOOMPreference does not count for the control groups below that of {service.name};"
            " move what must live to a unit of its own. Or set oom_policy=kill: all of it then lives and dies as one,"
            " by the kernel's killer, too",
        )
    preference = find_preference(service.score) or "avoid"
    remedy = _advise(service, preference)
    return UnboundPin(service, "systemd-oomd", "systemd-oomd never reads scores", f"{may}: {remedy}", preference)


def _name_way(service: PinnedService) -> str:
    if service.unit is not None:
        return f"leave Delegate= out of {service.unit}, or User="
    return "run it as a system service with User=, and pin that by unit"


def _advise(service: PinnedService, preference: str) -> str:
    """Return how systemd-oomd is told to spare a service."""
    if service.target is None:
        return "pin it by the unit or user_unit that starts it, with managed_oom_preference"
    if service.preference is None:
        return f"this systemd has no preferences: set ManagedOOMSwap and ManagedOOMMemoryPressure of {service.name}"
    remedy = f"set managed_oom_preference={preference} for {service.target}"
    # other_killers=protect does nothing for other scores, and for services of users.
    if service.unit is not None and find_preference(service.score):
        remedy += ", or other_killers=protect (oom_protect_other_killers of the role)"
    return remedy
