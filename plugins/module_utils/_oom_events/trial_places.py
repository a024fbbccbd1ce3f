# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Recognise the kills of this collection's own trials.

A trial kills in a cgroup of its own, and the kernel logs its path. The path must lie where only
root can make a cgroup: at the top of the tree, or in our own cgroup and those above it
(_oom_trial/launcher.py). Elsewhere a user could give a cgroup such a name, to hide a kill.
"""

import os
import stat
from typing import FrozenSet, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import trial_parent_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event


class TrialPlaces:
    """The cgroups in which root's trials make theirs; they are looked up once, if needed."""

    def __init__(self, procfs: Procfs) -> None:
        self._procfs = procfs
        self._own: Optional[FrozenSet[str]] = None

    def is_own(self, event: Event) -> bool:
        """Return whether the kernel killed in the cgroup of a trial, and nowhere else."""
        if event["killer"] != "kernel" or event["trusted"] is False or not event["victims"]:
            return False
        return all(self._is_trials(victim["cgroup"]) for victim in event["victims"]) or self._is_trials(
            event["memcg"] and event["memcg"]["path"]
        )

    def _is_trials(self, path: Optional[str]) -> bool:
        parent = trial_parent_of(path) if path else None
        if parent is None or parent == "/":
            return parent is not None
        if self._own is None:
            self._own = _find_own_places(self._procfs)
        return parent in self._own


def _find_own_places(procfs: Procfs) -> FrozenSet[str]:
    """Return our own cgroup and those above it, as far as only root can make cgroups in them."""
    try:
        hierarchy = memory_hierarchy(procfs)
        own = own_cgroup(procfs, hierarchy)
        places, path = [], ""
        for name in own.strip("/").split("/"):
            path += "/" + name
            status = os.stat(bytes_of(hierarchy.directory(path)))
            if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                break
            places.append(path)
    except (OomError, OSError):
        return frozenset()
    return frozenset(places)
