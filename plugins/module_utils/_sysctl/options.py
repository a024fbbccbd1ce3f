# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The options that overcommit and oom_policy share, and the request that they make."""

from typing import Any, Dict, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlPolicy, SysctlRequest


def shared_options(file: str) -> Dict[str, Any]:
    """Return the argument spec of the shared options. C(file) is the module's default file."""
    return dict(
        persistent=dict(type="bool", default=True),
        file=dict(type="str", default=file),
        rollback_seconds=dict(type="int", default=30),
        force=dict(type="bool", default=False),
    )


def build_request(policy: SysctlPolicy, params: Mapping[str, Any]) -> SysctlRequest:
    """Return the request that the parameters of a module make."""
    return SysctlRequest(
        policy=policy,
        persistent=params["persistent"],
        file=params["file"],
        rollback_seconds=params["rollback_seconds"],
        force=params["force"],
    )
