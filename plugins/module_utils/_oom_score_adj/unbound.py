# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which pins of a plan the killers of the host do not go by.

Nothing is read beyond names of processes on a host without killers.
"""

import contextlib
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    is_avoided_by_meta_oomd,
    is_divided,
    read_cgroup_owner,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._killers.discovery import (
    KillerFinder,
    RegexMatcher,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import EarlyoomArguments
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    PinnedService,
    UserKiller,
    find_control_group,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import EARLYOOM, KILLER_UNITS
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.verdicts import (
    find_unbound,
    warnings_for_killers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import NotBinding, Outcome, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.spared import SparingPlan, plan_spared

_MAX_PROCESSES = 20  # of one target


class OtherKillers(NamedTuple):
    """Describe what the killers beside the kernel mean for a plan."""

    not_binding: List[NotBinding]
    outcome: Optional[Outcome]  # the drop-in of one that is told to spare programs
    warnings: List[str]


def look_at_other_killers(
    procfs: Procfs,
    systemd: Systemd,
    names: Mapping[int, str],
    outcomes: List[Outcome],
    protects: bool,
    find_manager: Callable[[Pin], Systemd],
) -> OtherKillers:
    """Return the pins that a killer does not go by once they are applied.

    C(names) are those of all programs that run, by pid. C(protects) is other_killers=protect.
    C(find_manager) returns the service manager of a target. What cannot be read of a killer costs
    no pin: it is a warning.
    """
    try:
        units = systemd.units(KILLER_UNITS) if systemd.runs() else {}
        finder = KillerFinder(procfs, systemd, names, units)
        killers = finder.find()
        sparing = plan_spared(procfs, systemd, units.get(EARLYOOM), outcomes, protects)
    except OomError as error:
        return OtherKillers([], None, [f"the killers beside the kernel were not examined: {error}"])
    killers = [_foresee(killer, sparing) for killer in killers]
    found: List[NotBinding] = []
    warnings, matches = list(sparing.warnings), RegexMatcher()
    asks = any(isinstance(killer.configuration, OomdSettings) for killer in killers)
    of_users: Dict[str, List[UserKiller]] = {}
    for outcome in outcomes:
        pin, watching = outcome.pin, killers
        if asks and pin.selector == "user_unit" and pin.state == "present" and outcome.changes:
            if pin.owner not in of_users:
                monitored = _find_monitored_by(finder, find_manager(pin), pin.owner, warnings)
                of_users[pin.owner] = [_watch_more(killer, monitored) for killer in killers]
            watching = of_users[pin.owner]
        for one in find_unbound(watching, _list_services(procfs, outcome), matches):
            if one.is_known:
                found.append(NotBinding(pin.target, one.service.unit, one.killer, one.reason))
            warnings.append(one.remedy)
    return OtherKillers(list(dict.fromkeys(found)), sparing.outcome, warnings + warnings_for_killers(killers))


def _foresee(killer: UserKiller, sparing: SparingPlan) -> UserKiller:
    """Return a killer as it will run: the plan may restart earlyoom with other arguments."""
    arguments = killer.configuration
    if sparing.outcome is None or killer.unit != EARLYOOM or not isinstance(arguments, EarlyoomArguments):
        return killer
    return killer._replace(configuration=arguments._replace(ignore=sparing.ignored))


def _find_monitored_by(finder: KillerFinder, manager: Systemd, user: str, warnings: List[str]) -> List[MonitoredGroup]:
    """Return what systemd-oomd watches for a user's manager; add a warning if that is not known."""
    try:
        return finder.find_monitored(manager)
    except OomError as error:
        warnings.append(f"what systemd-oomd watches for user {user} is not known: {error}")
        return []


def _watch_more(killer: UserKiller, monitored: List[MonitoredGroup]) -> UserKiller:
    """Return systemd-oomd as it watches these groups, too, and any other killer as it is."""
    settings = killer.configuration
    if not isinstance(settings, OomdSettings):
        return killer
    return killer._replace(configuration=OomdSettings(settings.monitored + monitored))


def _list_services(procfs: Procfs, outcome: Outcome) -> Iterator[PinnedService]:
    """Yield each program of the unit of a target, or each of its processes, as killers will see it.

    Of a program that runs more than once, it is the largest process.
    """
    pin = outcome.pin
    changes = list(outcome.changes) if pin.state == "present" else []
    if pin.is_unit:
        by_size = sorted(changes, key=lambda change: change.process.resident_kb)
        changes = list({change.process.name: change for change in by_size}.values())
    for change in changes[:_MAX_PROCESSES]:
        process = change.process
        with contextlib.suppress(*GONE), procfs.open(process.pid) as directory:
            control_group = find_control_group(directory.cgroups())
            yield PinnedService(
                name=_name_service(outcome) if pin.is_unit else str(process),
                unit=outcome.unit if pin.selector == "unit" else None,
                user_unit=pin.value if pin.selector == "user_unit" else None,
                score=change.after,
                control_group=control_group,
                program=process.name,
                uid=procfs.owner(process.pid),
                size_kb=process.resident_kb,
                preference=outcome.preference,
                is_divided=outcome.oom_policy != "kill" and is_divided(procfs, control_group),
                owner=read_cgroup_owner(procfs, control_group),
                is_marked=is_avoided_by_meta_oomd(procfs, control_group),
            )


def _name_service(outcome: Outcome) -> str:
    """Return a service as a sentence names it, of a user with the login name."""
    pin = outcome.pin
    return f"{pin.unit_name} of user {pin.owner}" if pin.selector == "user_unit" else outcome.unit or pin.value
