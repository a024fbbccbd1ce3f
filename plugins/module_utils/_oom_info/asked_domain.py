# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the domain that a task asks about."""

from typing import Callable, Dict, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    NotFoundError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import find_cgroup, memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.request import HOST, AskedDomain
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import (
    Domain,
    find_limit,
    measure_host,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot


def find_domain_cgroup(asked: AskedDomain, procfs: Procfs, systemd: Systemd) -> Optional[str]:
    """Return the path of the cgroup; None for the host.

    Raises UnsupportedError without a memory controller or, for a unit, without systemd, and
    NotFoundError or InputError if there is no such cgroup.
    """
    if asked.kind == HOST:
        return None
    memory_hierarchy(procfs)  # without the controller nothing has a limit
    path = _FINDERS[asked.kind](asked.name, procfs, systemd)
    find_cgroup(procfs, path)
    return path.rstrip("/")


def refuse_without_systemd(systemd: Systemd, target: str, remedy: str) -> None:
    """Raise UnsupportedError if systemd does not manage this host, so that it knows no target.

    Its own error is about pins that last, and nobody asks for a pin here.
    """
    if not systemd.runs():
        raise UnsupportedError(f"{target}: systemd does not manage this host (no /run/systemd/system): {remedy}")


def _find_unit(name: str, procfs: Procfs, systemd: Systemd) -> str:
    name = service_name(name)
    refuse_without_systemd(systemd, f"unit={name}", "name the domain by its cgroup, as in /proc/PID/cgroup")
    unit = systemd.units([name])[name]
    missing = systemd.why_missing(name, unit)
    if missing:
        raise NotFoundError(missing)
    if not unit.control_group:
        raise InputError(f"unit {unit.id} does not run, so it has no cgroup: start it first")
    return unit.control_group


def _find_container(name: str, procfs: Procfs, systemd: Systemd) -> str:
    # Imported only here: http.client takes longer to load than the rest.
    from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_cgroup

    return find_container_cgroup(procfs, name)


def _find_machine(name: str, procfs: Procfs, systemd: Systemd) -> str:
    from ansible_collections.oomguard.linux.plugins.module_utils._host.machines import find_machine_cgroup

    return find_machine_cgroup(procfs, name)


_FINDERS: Dict[str, Callable[[str, Procfs, Systemd], str]] = {
    "cgroup": lambda name, _procfs, _systemd: name,
    "unit": _find_unit,
    "container": _find_container,
    "machine": _find_machine,
}


def measure_domain(snapshot: Snapshot, path: Optional[str]) -> Domain:
    """Return the domain of a cgroup: of the limits on its way up, the one with the least room.

    Raises InputError if there is no limit on the way up.
    """
    if path is None:
        return measure_host(snapshot)
    domain = find_limit(snapshot, path)
    if domain is None:
        raise InputError(
            f"cgroup {printable_name(path)} has no memory limit, nor has one above it, so its memory runs out only with"
            " the host's: set a limit, such as MemoryMax= of its unit, or use domain=host"
        )
    return domain
