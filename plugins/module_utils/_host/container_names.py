# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Look up the names of containers and pods whose ids are known, for readers of logs.

Strategy: Docker is asked for each id; podman, CRI-O, nerdctl and the kubelet keep names in files. A
container that was removed has no name. A name that root's engines did not write is not used.
Sources: nerdctl:docs/dir.md, kubernetes:pkg/kubelet/kuberuntime/legacy.go (links in
/var/log/containers) and helpers.go:BuildPodLogsDirectory (folders in /var/log/pods).
"""

import glob
import os
import re
import stat
import time
from typing import Dict, Iterable, Iterator, Optional, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import (
    find_engine_ids,
    read_docker_name,
    read_stored_names,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import text_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

CONTAINER_LOGS = "/var/log/containers"
POD_LOGS = "/var/log/pods"
NERDCTL_NAMES = "/var/lib/nerdctl/*/names/*/*"

# More containers than these are not asked for, and more files are not read.
MAX_CONTAINERS = 256
_MAX_FILES = 1 << 14
# A host that is short of memory answers slowly. A report without some names beats a late one.
_DOCKER_SECONDS = 10

_FIRST_LOGIN_ID = 1000  # lower ids belong to the system; such a group may write /var/log on Ubuntu
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}\Z")
_CONTAINER_LOG = re.compile(r"[a-z0-9.-]+_[a-z0-9-]+_(?P<name>[a-z0-9-]+)-(?P<id>[0-9a-f]{64})\.log\Z")
_POD_LOG = re.compile(r"(?P<space>[a-z0-9-]+)_(?P<pod>[a-z0-9.-]+)_(?P<uid>[0-9a-f-]{32,36})\Z")


def read_container_names(containers: Iterable[str]) -> ContainerNames:
    """Return the names of these containers, by id, and of all pods on this host, by uid."""
    known = {**_read_nerdctl_names(), **_read_log_names(), **read_stored_names()}
    names = {}
    docker_answers = True
    deadline = time.monotonic() + _DOCKER_SECONDS
    for _number, container in zip(range(MAX_CONTAINERS), containers):
        name = known.get(container)
        if name is None and docker_answers and time.monotonic() < deadline:
            try:
                name = read_docker_name(container)
            except AccessError:  # it would not answer for the next one either
                docker_answers = False
        if name is not None and _NAME.match(name):
            names[container] = name
    return ContainerNames(names, _read_pod_names())


def find_container_ids(name: str) -> Set[str]:
    """Return the ids of root's containers with this name, also of those that do not run.

    Raises AccessError if Docker does not answer in time.
    """
    kept = {**_read_nerdctl_names(), **_read_log_names()}
    return find_engine_ids(name) | {container for container, known in kept.items() if known == name}


def _read_nerdctl_names() -> Dict[str, str]:
    names = {}
    for _number, path in zip(range(_MAX_FILES), glob.iglob(NERDCTL_NAMES)):
        try:
            names[text_of(read_trusted(path, 128, 1).content).strip()] = os.path.basename(path)
        except (OSError, UntrustedError):
            continue
    return names


def _read_log_names() -> Dict[str, str]:
    """Return the names of the containers of Kubernetes; several may have the same name."""
    found = (_CONTAINER_LOG.match(name) for name in _list_folder(CONTAINER_LOGS))
    return {match.group("id"): match.group("name") for match in found if match}


def _read_pod_names() -> Dict[str, str]:
    found = (_POD_LOG.match(name) for name in _list_folder(POD_LOGS))
    return {match.group("uid"): f"{match.group('space')}/{match.group('pod')}" for match in found if match}


def _list_folder(path: str) -> Iterator[str]:
    """Yield the names in a folder, unless others than root and the system may write it."""
    if not _is_systems(path):
        return
    with os.scandir(path) as entries:
        for _number, entry in zip(range(_MAX_FILES), entries):
            yield entry.name


def _is_systems(path: str) -> bool:
    """Return whether no ordinary user may create or replace what is in a folder.

    In a folder above it with the sticky bit, only the owner of an entry can replace it.
    """
    folder: Optional[str] = path
    while folder:
        try:
            status = os.lstat(folder)
        except OSError:
            return False
        is_open = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid >= _FIRST_LOGIN_ID)
        is_sticky = folder != path and status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or (is_open and not is_sticky) or not stat.S_ISDIR(status.st_mode):
            return False
        folder = os.path.dirname(folder) if folder != "/" else None
    return True
