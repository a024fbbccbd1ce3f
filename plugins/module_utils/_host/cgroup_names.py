# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Whose a cgroup is, by its name: a service of systemd, a container, a pod.

Pure. Sources: systemd.slice(5), runc and crun (cgroup drivers cgroupfs and
systemd), kubernetes:pkg/kubelet/cm/cgroup_manager_linux.go.
"""

import re
from typing import Iterable, Optional

UNIT_NAME = re.compile(
    r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\Z"
)  # unit names of systemd.unit(5), and none that is an option

# docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope with systemd; ID or libpod-ID without.
# Not libpod-conmon-ID.scope or crio-conmon-ID.scope: there the monitor of a container runs. SLICE:cri-containerd:ID is what
# containerd makes where it takes the names of systemd for paths.
_CONTAINER = re.compile(r"(?!.*conmon-)(?:[a-z-]+-|[^:]+\.slice:cri-containerd:)?([0-9a-f]{64})(?:\.scope)?\Z")

# kubepods-burstable-podUID.slice with systemd, where "-" parts slices, so that UID has "_"; podUID without.
_POD = re.compile(
    r"(?:kubepods-(?:[a-z]+-)?)?pod([0-9a-f]{8}(?:[_-][0-9a-f]{4}){3}[_-][0-9a-f]{12}|[0-9a-f]{32})"
    r"(?:\.slice(?::cri-containerd:[0-9a-f]{64})?)?\Z"
)


def unit_of(cgroups: Iterable[str]) -> Optional[str]:
    """The service of this host's systemd that a process with these cgroups belongs to.

    Only slices lead to it. Whatever lies below a scope, a container or a user's
    manager may have any name, chosen by anybody.
    """
    for path in cgroups:
        parts = path.split("/")[1:]
        while parts and parts[0].endswith(".slice"):
            parts.pop(0)
        if parts and parts[0].endswith(".service") and not parts[0].startswith("user@") and UNIT_NAME.match(parts[0]):
            return parts[0]
    return None


def container_id(name: str) -> Optional[str]:
    """The id of the container whose cgroup has this name, the last part of its path."""
    match = _CONTAINER.match(name)
    return match.group(1) if match else None


def container_of(path: str) -> Optional[str]:
    """The id of the container that a process in this cgroup runs in; of a container in a container the outer one."""
    return next((found for found in map(container_id, path.split("/")) if found), None)


def pod_of(path: str) -> Optional[str]:
    """The uid of the Kubernetes pod that a process in this cgroup runs in, as the API writes it."""
    match = next((match for match in map(_POD.match, path.split("/")) if match), None)
    return match.group(1).replace("_", "-") if match else None
