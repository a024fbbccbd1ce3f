# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the request that the options of the module oom_policy make on this host."""

from typing import Any, Dict, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    HostQueries,
    OomPolicy,
    oom_policy_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.options import (
    build_request,
    is_absent,
    shared_options,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest

_DEFAULT_FILE = "/etc/sysctl.d/60-oomguard-policy.conf"
_SYSCTL_OPTIONS: Dict[str, Any] = dict(
    on_oom=dict(type="str", choices=["kill", "panic", "panic_always"]),
    reboot_after=dict(type="int"),
    kill_allocating_task=dict(type="bool"),
    dump_tasks=dict(type="bool"),
    panic_on_oops=dict(type="bool"),
)
OOM_POLICY_OPTIONS: Dict[str, Any] = dict(_SYSCTL_OPTIONS, **shared_options())


def request_oom_policy(host: Host, params: Mapping[str, Any]) -> SysctlRequest:
    """Return the request; raises InputError for options that no host can have."""
    wanted = {} if is_absent(params) else oom_policy_sysctls(*(params[option] for option in _SYSCTL_OPTIONS))
    policy = OomPolicy(wanted, HostQueries(host.crash_kernel, host.limited_cgroups, host.pinned))
    return build_request(policy, params, _DEFAULT_FILE)
