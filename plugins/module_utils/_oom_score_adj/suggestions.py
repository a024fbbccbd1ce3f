# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Suggest what was meant by a target that is not there.

Each function returns the last part of an error. It is called only where a message is shown, because
a search takes longer than the look-up that has failed. Users may choose the names of processes and
of their cgroups: a suggestion is text, and nothing is selected by it.
"""

import contextlib
import itertools
import os
import pwd
from typing import Iterator, List, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.alike_names import find_alike, suggest
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import cgroup_hierarchies, walk_cgroups
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import user_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, printable_name, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin

_MOST_USERS = 3  # that are named


def suggest_for_unit(name: str, systemd: Systemd, procfs: Procfs) -> str:
    """Return what to do about a service that does not exist."""
    of_users = list(itertools.islice(_find_units_of_users(name, procfs), _MOST_USERS))
    if of_users:
        owners = list(dict.fromkeys(_name_user(uid) for _path, uid in of_users))
        paths = [printable_name(path) for path, _uid in of_users]
        return f"it is a unit of {' and '.join(owners)}: select it by user_unit, or by cgroup={paths[0]}"
    if systemd.has_user_unit(name):
        return "it is a unit of users' service managers: select it by user_unit, with the user"
    return suggest(find_alike(name, systemd.known_services())) or "check the name with systemctl list-unit-files"


def suggest_running_units(name: str, systemd: Systemd) -> str:
    """Return the running services that are like this one; an empty text without one."""
    return suggest(find_alike(name, systemd.running_services()))


def _find_units_of_users(name: str, procfs: Procfs) -> Iterator[Tuple[str, int]]:
    """Yield the cgroup of each user's running service of this name, and the uid of that user."""
    for path in _find_cgroups(procfs, "user.slice", name):
        uid = user_of([path])
        if uid is not None:
            yield path, uid


def _name_user(uid: int) -> str:
    with contextlib.suppress(KeyError, OverflowError, ValueError):
        return f"user {printable_name(pwd.getpwuid(uid).pw_name)}"
    return f"user {uid}" if uid > 0 else "a user"


def _find_cgroups(procfs: Procfs, below: str, name: str) -> Iterator[str]:
    """Yield the paths of the cgroups of this name, below one at the top or in the whole tree."""
    for hierarchy in cgroup_hierarchies(procfs):
        for folder, names in walk_cgroups(os.path.join(hierarchy.mount, below)):
            if name in names:
                yield hierarchy.path(os.path.join(folder, name))


def suggest_for_process(pin: Pin, table: ProcessTable) -> str:
    """Return what to do about a name, a pattern or a pid that no process has."""
    if pin.selector == "process":
        return suggest(find_alike(pin.value, table.names())) or "check the name with ps -e -o comm, or start it first"
    if pin.selector == "pattern":
        return "try it with pgrep -af, or start the program first"
    if pin.selector in ("pid", "pidfile"):
        return "it has ended: select by unit or process, which find the next one too"
    return "it is empty: start what runs in it first"


def suggest_for_cgroup(path: str, procfs: Procfs) -> str:
    """Return what to do about a cgroup that does not exist."""
    parts = [part for part in path.split("/") if part]
    for hierarchy in cgroup_hierarchies(procfs):
        folder = hierarchy.mount
        for part in parts:
            if not os.path.isdir(bytes_of(os.path.join(folder, part))):
                alike = find_alike(part, _list_folders(folder))
                if alike:
                    return suggest(hierarchy.path(os.path.join(folder, one)) for one in alike)
                break
            folder = os.path.join(folder, part)
    elsewhere = next(_find_cgroups(procfs, "", parts[-1]), None)
    return suggest([elsewhere]) if elsewhere else "see systemd-cgls or /proc/PID/cgroup, or start what runs in it first"


def _list_folders(folder: str) -> List[str]:
    try:
        with os.scandir(bytes_of(folder)) as entries:
            return [text_of(entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def suggest_for_container(value: str, procfs: Procfs) -> str:
    """Return what to do about a container that does not run."""
    from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import list_container_names

    names = suggest(find_alike(value, list_container_names(procfs)))
    return names or "see docker ps, podman ps or crictl ps, or start it first"
