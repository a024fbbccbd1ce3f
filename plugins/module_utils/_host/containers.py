# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the cgroup of a running container by id or name.

Strategy: every runtime puts the container's id into the name of its cgroup, so
an id is looked up there. Only the engine knows names: Docker answers on its
socket, and podman and CRI-O keep them in a file of their storage. Neither client
needs to be installed.
A user may create a cgroup of any name in a part of the tree that belongs to the user, and run a
program of any name. So a cgroup counts only if all folders above it belong to root, or to a user
that the caller names; a socket and a file only if nobody else could have made them.
Sources: runc and crun (cgroup drivers cgroupfs and systemd), Docker Engine API,
GET /containers/{id}/json, containers/storage:containers.go, containers-storage.conf(5).
"""

import contextlib
import glob
import http.client
import json
import os
import pwd
import re
import socket
import struct
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Set, Tuple
from urllib.parse import quote

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    Hierarchy,
    cgroup_hierarchies,
    walk_cgroups,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_id, user_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, printable_name, shorten
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

DOCKER_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
DOCKER_SECONDS = 30
_NAME_SECONDS = 3  # for what only a message needs
# What docker inspect prints of one container has some 10 KiB.
_ANSWER_BYTES = 4 << 20

# Where podman and CRI-O keep the names of root's containers: graphroot and runroot. Beside a file
# there may be folders of drop-ins.
STORAGE_FILES = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_STORAGE_DROP_INS = ("storage.conf.d", "storage.rootful.conf.d")
STORAGE_FOLDERS = ("/var/lib/containers/storage", "/run/containers/storage")
USER_STORAGE = ".local/share/containers/storage"  # in the user's home
_STORAGE_FOLDER = re.compile(r"""^[ \t]*(?:graphroot|runroot)[ \t]*=[ \t]*["'](/[^"'\n]+)["']""", re.MULTILINE)
_STORAGE_DRIVERS = ("overlay", "vfs", "btrfs", "zfs", "aufs", "devmapper")
_STORAGE_BYTES = 16 << 20  # an entry has about 1 KiB
_SETTINGS_BYTES = 1 << 20

_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")  # what Docker and podman allow
_MAX_SHOWN = 3
_USERS = "user.slice"


class Container(NamedTuple):
    """A running container, as its cgroup shows it."""

    id: str
    path: str  # of the cgroup
    owner: int  # uid of the user who could have made the cgroup; 0 for root


def find_container_cgroup(procfs: Procfs, value: str, users: FrozenSet[int] = frozenset()) -> str:
    """Return the cgroup path of the running container with this id or name.

    The first 12 digits of an id are enough. Containers of root come first, then those of
    C(users), uids; without root the caller is one of these. Others are never returned.
    Raises InputError if the value can be neither an id nor a name, or matches more than one of
    root's cgroups; UntrustedError if it matches more than one of the users', or only those of other
    users; NotFoundError if no running container matches.
    """
    if not _NAME.match(value):
        raise InputError(
            f"container={shorten(value)!r} is neither an id nor a name: give 12 or more digits of its id, or its name"
        )
    users |= {os.geteuid()} - {0}
    running = list(_running_containers(procfs, ""))
    found = _match_ids(value, running)
    if not _keep_trusted(found, users):
        found += _find_named(value, running)
    if not _keep_trusted(found, users):
        running += _running_containers(procfs, _USERS)
        found = _match_ids(value, running) + _find_named_of_users(value, running, users)
    trusted = _keep_trusted(found, users)
    if not trusted:
        if found:
            raise UntrustedError(_explain_untrusted(value, found))
        raise NotFoundError(f"no running container has the id or name {value}")
    paths = sorted({container.path for container in trusted})
    if len(paths) > 1:
        shown = ", ".join(printable_name(path) for path in paths[:_MAX_SHOWN])
        # Those of users are no mistake of the caller: that stops no other target.
        kind = UntrustedError if trusted[0].owner else InputError
        raise kind(f"container={value} matches more than one cgroup ({shown}): select one with cgroup")
    return paths[0]


def _match_ids(value: str, running: List[Container]) -> List[Container]:
    return [container for container in running if _ID.match(value) and container.id.startswith(value)]


def _keep_trusted(found: List[Container], users: FrozenSet[int]) -> List[Container]:
    """Return root's containers; without any, those of the users."""
    of_root = [container for container in found if container.owner == 0]
    return of_root or [container for container in found if container.owner in users]


def _explain_untrusted(value: str, found: List[Container]) -> str:
    owners = ", ".join(f"uid {uid}" for uid in sorted({container.owner for container in found})[:_MAX_SHOWN])
    return (
        f"container={value} runs only below {printable_name(found[0].path)}, where {owners} may create any cgroup:"
        " name the user in users to select containers of that user, or use cgroup"
    )


# --- cgroups ------------------------------------------------------------------------


def _running_containers(procfs: Procfs, below: str) -> Iterator[Container]:
    """Yield each container's topmost cgroup, once for every hierarchy that has it.

    C(below) is the name of a cgroup at the top, or empty for the whole tree without the part of
    the users: there may be any number of cgroups in that.
    """

    def enter(name: str) -> bool:
        # The container itself chooses the names below its cgroup.
        return container_id(name) is None and (bool(below) or name != _USERS)

    for hierarchy in cgroup_hierarchies(procfs):
        for folder, names in walk_cgroups(os.path.join(hierarchy.mount, below), enter):
            containers = [(found, name) for found, name in ((container_id(name), name) for name in names) if found]
            owner = _find_owner(hierarchy, folder) if containers else 0
            for found, name in containers:
                yield Container(found, hierarchy.path(os.path.join(folder, name)), owner)


def _find_owner(hierarchy: Hierarchy, folder: str) -> int:
    """Return the uid of the first user, besides root, who owns a folder or one above it.

    That user may create any cgroup there. The container's own cgroup does not count: a runtime
    gives it to the container's root. Nor does the mount point, which is root's on every host.
    """
    owner = user_of([hierarchy.path(folder)])
    if owner:
        return owner
    checked = hierarchy.mount
    for name in os.path.relpath(folder, hierarchy.mount).split("/"):
        checked = os.path.join(checked, name)
        try:
            uid = os.stat(bytes_of(checked)).st_uid if name != "." else 0
        except OSError:  # removed meanwhile
            return 0
        if uid != 0:
            return uid
    return 0


# --- names --------------------------------------------------------------------------


def _find_named(name: str, running: List[Container]) -> List[Container]:
    """Return root's containers that Docker, podman or CRI-O gave this name."""
    ids = {_ask_docker_for_id(name), *_find_stored(name, _list_storage_folders(), frozenset())}
    return [container for container in running if container.id in ids and container.owner == 0]


def _find_named_of_users(name: str, running: List[Container], users: FrozenSet[int]) -> List[Container]:
    """Return the containers to which the podman of one of these users gave this name."""
    found = []
    for uid in sorted(users):
        ids = set(_find_stored(name, _list_user_storage(uid), frozenset([uid])))
        found += [container for container in running if container.id in ids and container.owner == uid]
    return found


def _list_storage_folders() -> List[str]:
    folders = list(STORAGE_FOLDERS)
    paths = list(STORAGE_FILES)
    for path in STORAGE_FILES:
        for name in _STORAGE_DROP_INS:
            paths += sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), name, "*.conf")))
    for path in paths:
        try:
            text = read_trusted(path, _SETTINGS_BYTES, 1).content.decode("utf-8", "replace")
        except (OSError, UntrustedError):
            continue
        folders += _STORAGE_FOLDER.findall(text)
    return folders


def _list_user_storage(uid: int) -> List[str]:
    try:
        return [os.path.join(pwd.getpwuid(uid).pw_dir, USER_STORAGE)]
    except (KeyError, OverflowError):
        return []


def find_container_name(container: str, users: FrozenSet[int] = frozenset()) -> Optional[str]:
    """Return the name that an engine gave a container of this id; None if none answers in time."""
    try:
        name = read_docker_name(container)
    except AccessError:
        name = None
    if name is not None and _NAME.match(name):
        return name
    return next((name for found, name in _list_stored_names(users) if found == container), None)


def read_docker_name(container: str) -> Optional[str]:
    """Return the name that Docker gave to the container with this id, or None.

    Raises AccessError if Docker does not answer in a few seconds: only messages need the name.
    """
    answer = _ask_docker(f"/containers/{quote(container)}/json", _NAME_SECONDS, f"container={container}: ")
    name = answer.get("Name") if isinstance(answer, dict) else None
    return name.lstrip("/") if isinstance(name, str) else None


def read_stored_names() -> Dict[str, str]:
    """Return the names that podman and CRI-O gave to root's containers, by id."""
    stored = _read_stored(_list_storage_folders(), frozenset())
    return {container: str(names[0]) for container, names in stored if names}


def find_engine_ids(name: str) -> Set[str]:
    """Return the ids of root's containers with this name, also of those that do not run.

    Raises AccessError if Docker does not answer in time.
    """
    found = {_ask_docker_for_id(name), *_find_stored(name, _list_storage_folders(), frozenset())}
    return {container for container in found if container is not None}


def list_container_names(procfs: Procfs) -> List[str]:
    """Return the names of root's running containers, of all engines that answer in time."""
    names: List[str] = []
    with contextlib.suppress(AccessError):
        answer = _ask_docker("/containers/json", _NAME_SECONDS)
        for entry in answer if isinstance(answer, list) else ():
            found = entry.get("Names") if isinstance(entry, dict) else None
            names += [str(name).lstrip("/") for name in (found if isinstance(found, list) else ())]
    running = {container.id for container in _running_containers(procfs, "") if container.owner == 0}
    names += [name for found, name in _list_stored_names(frozenset()) if found in running]
    return sorted({name for name in names if _NAME.match(name)})


def _list_stored_names(users: FrozenSet[int]) -> Iterator[Tuple[str, str]]:
    """Yield id and name of each container in the storage of podman and CRI-O."""
    storages: List[Tuple[List[str], FrozenSet[int]]] = [(_list_storage_folders(), frozenset())]
    storages += [(_list_user_storage(uid), frozenset([uid])) for uid in users]
    for folders, owners in storages:
        for found, names in _read_stored(folders, owners):
            for name in names:
                if isinstance(name, str) and _NAME.match(name):
                    yield found, name


def _find_stored(name: str, folders: List[str], users: FrozenSet[int]) -> Iterator[str]:
    """Yield the ids of containers with this name in the storage of podman and CRI-O."""
    return (found for found, names in _read_stored(folders, users) if name in names)


def _read_stored(folders: List[str], users: FrozenSet[int]) -> Iterator[Tuple[str, List[Any]]]:
    """Yield id and names of each container in the storage of podman and CRI-O.

    Files that others than root and these users could have written are left out.
    """
    paths = [
        f"{folder}/{driver}-containers/{name_of_file}"
        for folder in dict.fromkeys(folders)
        for driver in _STORAGE_DRIVERS
        for name_of_file in ("containers.json", "volatile-containers.json")  # the latter of --rm
    ]
    for path in paths:
        try:
            file = read_trusted(path, _STORAGE_BYTES, 1, users)
            entries = json.loads(file.content.decode("utf-8")) if not file.uids - users and not file.gids else []
        except (OSError, UntrustedError, ValueError, RecursionError):
            continue
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("names"), list):
                yield str(entry.get("id")), entry["names"]


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a socket that root listens on, or this process's own user."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
        # The kernel keeps the ids of the process that called listen(2): unix(7).
        credentials = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _pid, uid, _gid = struct.unpack("3i", credentials)
        if uid not in (0, os.geteuid()):
            raise PermissionError(f"{self._path} belongs to uid {uid}")


def _ask_docker_for_id(name: str) -> Optional[str]:
    """Return Docker's id for a container name; None without Docker or such a container.

    Raises AccessError if Docker does not answer in time: it is not known then what the name means.
    """
    container = _ask_docker(f"/containers/{quote(name)}/json", DOCKER_SECONDS, f"container={name}: ")
    found = container.get("Id") if isinstance(container, dict) else None
    return found if isinstance(found, str) else None


def _ask_docker(path: str, seconds: float, problem: str = "") -> Any:
    """Return what Docker's API has at this path; None without Docker, or if it has nothing.

    Raises AccessError if Docker does not answer in time; C(problem) is the start of its message.
    """
    for address in DOCKER_SOCKETS:
        connection = _UnixConnection(address, seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return _parse_answer(answer.read(_ANSWER_BYTES)) if answer.status == 200 else None
        except socket.timeout:
            raise AccessError(
                f"{problem}Docker did not answer on {address} within {seconds} seconds:"
                " run again when it does, or select by the id of the container or by cgroup"
            ) from None
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return None


def _parse_answer(answer: bytes) -> Any:
    try:
        return json.loads(answer.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
