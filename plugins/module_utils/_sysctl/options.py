# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The options that overcommit and oom_policy share, and the request that they make."""

from typing import Any, Dict, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlPolicy, SysctlRequest


def shared_options() -> Dict[str, Any]:
    """Return the argument spec of the shared options."""
    return dict(
        state=dict(type="str", choices=["present", "absent"], default="present"),
        persistent=dict(type="bool", default=True),
        file=dict(type="str"),
        rollback_seconds=dict(type="int", default=30),
        force=dict(type="bool", default=False),
    )


def is_absent(params: Mapping[str, Any]) -> bool:
    """Return whether the parameters ask to take back what the module set."""
    return bool(params["state"] == "absent")


def build_request(policy: SysctlPolicy, params: Mapping[str, Any], default_file: str) -> SysctlRequest:
    """Return the request that the parameters of a module make."""
    return SysctlRequest(
        policy=policy,
        persistent=params["persistent"],
        file=default_file if params["file"] is None else params["file"],
        rollback_seconds=params["rollback_seconds"],
        force=params["force"],
        absent=is_absent(params),
        every_file=params["file"] is None,
    )
