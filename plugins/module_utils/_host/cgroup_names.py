# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out from a cgroup's name what it belongs to: a service, a user, a container, a pod, a trial.

Pure. Sources: systemd.slice(5), runc and crun (cgroup drivers cgroupfs and
systemd), kubernetes:pkg/kubelet/cm/cgroup_manager_linux.go.
"""

import re
from typing import Dict, Iterable, NamedTuple, Optional, Sequence, Tuple

# The unit names of systemd.unit(5), except names that a program would read as an option.
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\Z")

# With the systemd driver docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope;
# with cgroupfs ID or libpod-ID. libpod-conmon-ID.scope and crio-conmon-ID.scope are excluded:
# they hold a container's monitor. SLICE:cri-containerd:ID comes from a containerd that uses the
# cgroupfs driver but gets the names of the systemd driver.
_CONTAINER = re.compile(r"(?!.*conmon-)(?:[a-z-]+-|[^:]+\.slice:cri-containerd:)?([0-9a-f]{64})(?:\.scope)?\Z")

# With the systemd driver kubepods-burstable-podUID.slice, where "-" separates slices, so that UID
# has "_" instead; with cgroupfs podUID.
_POD = re.compile(
    r"(?:kubepods-(?:[a-z]+-)?)?pod([0-9a-f]{8}(?:[_-][0-9a-f]{4}){3}[_-][0-9a-f]{12}|[0-9a-f]{32})"
    r"(?:\.slice(?::cri-containerd:[0-9a-f]{64})?)?\Z"
)


# Slices and service managers of users, whose cgroups below belong to the users themselves.
_USER_PART = re.compile(r"user(?:-([0-9]{1,10})\.slice|@([0-9]{1,10})\.service)\Z")
UNKNOWN_USER = -1

# The cgroup of a trial of this collection: a slice where systemd manages the host
# (_oom_trial/launcher.py). Its name has the pid of the module run and its start time.
TRIAL_NAME = re.compile(r"oomguardtrial_([0-9]{1,10})_([0-9]{1,20})(\.slice)?\Z")

_SERVICE, _MANAGER = ".service", "user@"


class ContainerNames(NamedTuple):
    """The names that container engines and the kubelet gave."""

    containers: Dict[str, str]  # by id
    pods: Dict[str, str]  # NAMESPACE/NAME by uid


def add_suffix(name: str) -> str:
    """Return the name of a service with .service."""
    return name if name.endswith(_SERVICE) else name + _SERVICE


def strip_suffix(name: str) -> str:
    """Return the name of a service without .service."""
    return name[: -len(_SERVICE)] if name.endswith(_SERVICE) else name


def unit_of(cgroups: Iterable[str]) -> Optional[str]:
    """Return the service of this host's systemd that a process in these cgroups belongs to.

    Returns None without one. Only a service directly below slices counts: users may choose the
    names below a scope, a container or a user's service manager.
    """
    for path in cgroups:
        parts = path.split("/")
        manager, at = _locate_service(parts)
        if manager is None and at is not None:
            return parts[at]
    return None


def service_of_user(cgroups: Iterable[str]) -> Optional[Tuple[int, str]]:
    """Return the uid and the service of a user that a process in these cgroups belongs to.

    Returns None without one. The user chooses the name of the service, and not the uid.
    """
    for path in cgroups:
        parts = path.split("/")
        manager, at = _locate_service(parts)
        match = None if manager is None else _USER_PART.match(parts[manager])
        if match and at is not None:
            return int(match.group(2)), parts[at]
    return None


def service_cgroup_of(path: str) -> Optional[str]:
    """Return the cgroup of the service, of the host or of a user, that a path lies in.

    Returns None outside of one.
    """
    parts = path.split("/")
    _manager, at = _locate_service(parts)
    return None if at is None else "/".join(parts[: at + 1])


def _locate_service(parts: Sequence[str]) -> Tuple[Optional[int], Optional[int]]:
    """Return where a user's manager and the service are in a path; None for each without one."""
    at = _find_service(parts, 1)
    if at is None or not parts[at].startswith(_MANAGER):
        return None, at
    return at, _find_service(parts, at + 1)


def _find_service(parts: Sequence[str], start: int) -> Optional[int]:
    """Return where the service directly below slices is in a path; None without one.

    C(start) is the index of the first slice.
    """
    at = next((at for at in range(start, len(parts)) if not parts[at].endswith(".slice")), None)
    is_service = at is not None and parts[at].endswith(_SERVICE) and UNIT_NAME.match(parts[at])
    return at if is_service else None


def user_of(cgroups: Iterable[str]) -> Optional[int]:
    """Return the uid of the user in whose slice or service manager one of these cgroups lies.

    UNKNOWN_USER for a cgroup in user.slice whose path has no uid; None for cgroups of the host.
    A user who may create cgroups elsewhere can choose these names too, but gains nothing by it.
    """
    for path in cgroups:
        parts = path.split("/")[1:]
        match = next((match for match in map(_USER_PART.match, parts) if match), None)
        if match:
            return int(match.group(1) or match.group(2))
        if parts[:1] == ["user.slice"] and len(parts) > 1:
            return UNKNOWN_USER
    return None


def container_id(name: str) -> Optional[str]:
    """Return the 64-digit container id in the name of a cgroup; None for other cgroups.

    The name is the last part of the cgroup's path.
    """
    match = _CONTAINER.match(name)
    return match.group(1) if match else None


def container_of(path: str) -> Optional[str]:
    """Return the id of the container that a process in this cgroup runs in; None outside of one.

    For a container inside a container it is the outer one.
    """
    return next((found for found in map(container_id, path.split("/")) if found), None)


def scope_of(path: str) -> Optional[str]:
    """Return the scope of this host's systemd that a cgroup lies in; None without one.

    Users choose the names in their own slices, and the name of a container's scope is its id.
    """
    if user_of([path]) is not None or container_of(path):
        return None
    part = next((part for part in path.split("/")[1:] if not part.endswith(".slice")), "")
    return part if part.endswith(".scope") else None


def pod_of(path: str) -> Optional[str]:
    """Return the uid of the Kubernetes pod that a process in this cgroup runs in; None outside.

    The uid is written as in the Kubernetes API, with "-".
    """
    match = next((match for match in map(_POD.match, path.split("/")) if match), None)
    return match.group(1).replace("_", "-") if match else None


def trial_parent_of(path: str) -> Optional[str]:
    """Return the cgroup in which a trial made the cgroup that this path lies in; None elsewhere.

    Anybody may name an own cgroup like that of a trial, so the caller has to check the result.
    """
    parts = path.split("/")
    at = next((at for at, part in enumerate(parts) if TRIAL_NAME.match(part)), None)
    return None if at is None else "/".join(parts[:at]) or "/"
