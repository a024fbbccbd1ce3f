# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the cgroup of a running container by id or name.

Strategy: every runtime puts the container's id into the name of its cgroup, so
an id is looked up there. A name is looked up at the engine: Docker returns the id
through its socket, and podman's monitor has the name on its command line. Neither
client needs to be installed.
Sources: runc and crun (cgroup drivers cgroupfs and systemd), conmon(8),
Docker Engine API, GET /containers/{id}/json.
"""

import http.client
import json
import os
import re
import socket
from typing import Iterator, List, NamedTuple, Optional
from urllib.parse import quote

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import cgroup_hierarchies, walk_cgroups
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_id
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

DOCKER_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
DOCKER_SECONDS = 10

_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")  # what Docker and podman allow


class Container(NamedTuple):
    """A running container, as its cgroup shows it."""

    id: str
    path: str  # of the cgroup


def find_container_cgroup(procfs: Procfs, value: str) -> str:
    """Return the cgroup path of the running container with this id or name.

    The first 12 digits of an id are enough. Raises InputError if the value is not a valid id or
    name, or matches more than one cgroup. Raises NotFoundError if no running container matches.
    """
    if not _NAME.match(value):
        raise InputError(
            f"container {value!r} is neither an id nor a name: give 12 or more digits of its id, or its name"
        )
    running = list(_running_containers(procfs))
    found = [container for container in running if _ID.match(value) and container.id.startswith(value)]
    if not found:
        docker_id = _ask_docker(value)
        found = [container for container in running if container.id == docker_id]
        found = found or _find_podman_containers(procfs, value, running)
    if not found:
        raise NotFoundError(f"no running container has the id or name {value}")
    # A container has the same path in all hierarchies. A user with a delegated part of the tree
    # can create a cgroup there with the id of another container in its name.
    paths = sorted({container.path for container in found})
    if len(paths) > 1:
        raise InputError(f"container {value} matches more than one cgroup ({', '.join(paths)}): select one with cgroup")
    return paths[0]


def _running_containers(procfs: Procfs) -> Iterator[Container]:
    """Yield the topmost cgroup of each container in each hierarchy."""
    for hierarchy in cgroup_hierarchies(procfs):
        # The container itself chooses the names below its cgroup.
        for folder, names in walk_cgroups(hierarchy.mount, lambda name: container_id(name) is None):
            for name in names:
                found = container_id(name)
                if found:
                    yield Container(found, hierarchy.path(os.path.join(folder, name)))


def _find_podman_containers(procfs: Procfs, name: str, running: List[Container]) -> List[Container]:
    """Return the running containers with a monitor (conmon -c ID -n NAME) of this name.

    A monitor runs as long as its container. Any user can run a program called conmon. So a
    user's monitor counts only for containers in the slice of that user.
    """
    found: List[Container] = []
    for pid, line in procfs.command_lines().items():
        words = line.split(" ")
        options = dict(zip(words, words[1:]))
        if os.path.basename(words[0]) != "conmon" or name not in (options.get("-n"), options.get("--name")):
            continue
        owner = procfs.owner(pid)
        user_slice = f"/user-{owner}.slice/"
        named_id = options.get("-c") or options.get("--cid")
        found.extend(
            container
            for container in running
            if container.id == named_id and (owner == 0 or user_slice in container.path)
        )
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=DOCKER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _ask_docker(name: str) -> Optional[str]:
    """Return Docker's id for a container name; None without Docker or such a container."""
    for path in DOCKER_SOCKETS:
        connection = _UnixConnection(path)
        try:
            connection.request("GET", f"/containers/{quote(name)}/json")
            answer = connection.getresponse()
            return json.loads(answer.read().decode("utf-8"))["Id"] if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return None
