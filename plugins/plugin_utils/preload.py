# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Load what tasks need before Ansible forks.

Ansible forks a process for each task on each host, and its importer compiles each file of a
collection again in each process. What the first process has loaded, all others inherit. On a large
fleet that halves the work of the controller (make bench-fleet).
"""

from __future__ import annotations

import functools
from pathlib import Path

from ansible.plugins.loader import action_loader, filter_loader, lookup_loader

from ansible_collections.oomguard.linux.plugins.plugin_utils.policy_options import load_profiles
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import parse_arguments
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import check_names, load_parts

_PLUGINS = Path(__file__).resolve().parents[1]


@functools.lru_cache(maxsize=None)
def preload() -> None:
    """Load the plugins of this collection, the options of all roles, and the profiles."""
    for folder, loader in (("filter", filter_loader), ("lookup", lookup_loader)):
        for path in sorted(_PLUGINS.joinpath(folder).glob("[a-z]*.py")):
            loader.get(f"oomguard.linux.{path.stem}")
    for path in sorted(_PLUGINS.joinpath("action").glob("[a-z]*.py")):
        action_loader.get(f"oomguard.linux.{path.stem}", class_only=True)
    load_profiles()
    check_names([])
    for part in load_parts():
        parse_arguments(part, {})
