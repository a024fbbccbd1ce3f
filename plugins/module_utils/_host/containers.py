# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Containers by id or name, as cgroups.

A runtime puts the id of a container into the name of its cgroup. A name is
something that only the engine knows: Docker tells it on its socket, podman's
monitor has it on its command line. Nothing of either needs to be installed.
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
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import cgroup_hierarchies
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_id
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

DOCKER_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
DOCKER_SECONDS = 10

_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")  # what Docker and podman allow


class Container(NamedTuple):
    """A running container, as its cgroup tells."""

    id: str
    path: str  # of the cgroup


def find_container_cgroup(procfs: Procfs, value: str) -> str:
    """Path of the cgroup of the running container with this id, at least 12 digits of it, or name."""
    if not _NAME.match(value):
        raise InputError(f"container {value!r} is neither an id nor a name")
    running = list(_running(procfs))
    found = [one for one in running if _ID.match(value) and one.id.startswith(value)]
    if not found:
        docker = _docker_id(value)
        found = [one for one in running if one.id == docker] or _of_podman(procfs, value, running)
    if not found:
        raise NotFoundError(f"no running container has the id or name {value}")
    # The same in all hierarchies. Who was given a part of the tree can make a cgroup there that is named like another's container.
    paths = sorted({one.path for one in found})
    if len(paths) > 1:
        raise InputError(f"container {value} is more than one: {', '.join(paths)}: say which by cgroup")
    return paths[0]


def _running(procfs: Procfs) -> Iterator[Container]:
    """Of every container one cgroup."""
    for hierarchy in cgroup_hierarchies(procfs):
        for folder, folders, _files in os.walk(hierarchy.mount):
            for name in list(folders):
                found = container_id(name)
                if found:
                    folders.remove(name)  # what is below it is the container's own
                    yield Container(found, hierarchy.path(os.path.join(folder, name)))


def _of_podman(procfs: Procfs, name: str, running: List[Container]) -> List[Container]:
    """From the monitors, which run as long as their containers: conmon ... -c ID ... -n NAME ...

    Anybody can run a program of that name: one of a user only tells of containers in the user's own slice.
    """
    found = []
    for pid, line in procfs.command_lines().items():
        words = line.split(" ")
        options = dict(zip(words, words[1:]))
        if os.path.basename(words[0]) != "conmon" or name not in (options.get("-n"), options.get("--name")):
            continue
        owner = procfs.owner(pid)
        inside = f"/user-{owner}.slice/"
        told = options.get("-c") or options.get("--cid")
        found.extend(one for one in running if one.id == told and (owner == 0 or inside in one.path))
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=DOCKER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _docker_id(name: str) -> Optional[str]:
    """None where no engine answers or it knows no such container."""
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
