# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the request that the options of the module overcommit make on this host."""

import os
from typing import Any, Dict, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.options import (
    build_request,
    is_absent,
    shared_options,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    OvercommitPolicy,
    check_headroom_percent,
    overcommit_sysctls,
    parse_commit_memory,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest

_DEFAULT_FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
_SYSCTL_OPTIONS: Dict[str, Any] = dict(
    mode=dict(type="str", choices=["heuristic", "always", "never", "0", "1", "2"]),
    ratio=dict(type="int"),
    kbytes=dict(type="int"),
    admin_reserve_kbytes=dict(type="int"),
    user_reserve_kbytes=dict(type="int"),
)
OVERCOMMIT_OPTIONS: Dict[str, Any] = dict(
    _SYSCTL_OPTIONS, headroom_percent=dict(type="int", default=10), **shared_options()
)


def request_overcommit(host: Host, params: Mapping[str, Any]) -> SysctlRequest:
    """Return the request; raises InputError for options that no host can have."""
    wanted = {} if is_absent(params) else overcommit_sysctls(*(params[option] for option in _SYSCTL_OPTIONS))
    check_headroom_percent(params["headroom_percent"])
    memory = parse_commit_memory(host.meminfo(), os.sysconf("SC_PAGE_SIZE") // 1024)
    policy = OvercommitPolicy(wanted, memory, params["headroom_percent"], host.run_kb, host.container_engine())
    return build_request(policy, params, _DEFAULT_FILE)
