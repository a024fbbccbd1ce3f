# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Refuse a change on a host whose sysctls another program or another kernel owns.

Pure. What only one module refuses is in overcommit.py and oom_policy.py.
"""

from typing import Callable, Iterable, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlWrite

# kubernetes:pkg/kubelet/cm/container_manager_linux.go:setupKernelTunables writes these at each
# start. With protectKernelDefaults it does not start instead.
KUBELET = {"vm.overcommit_memory": 1, "vm.panic_on_oom": 0, "kernel.panic": 10, "kernel.panic_on_oops": 1}


def why_not_here(container: Optional[str], read_only: bool, force: bool) -> Optional[str]:
    """Return why nothing can or should be written on this host, or None.

    These sysctls are not namespaced: they belong to the kernel of a container's
    host. C(container) is the path that shows that this is a container.
    """
    if read_only:
        where = f", in a container ({container})" if container else ""
        return f"/proc/sys is read-only here{where}: these sysctls belong to the host; run this on the host"
    if container and not force:
        return (
            f"this is a container ({container}): these sysctls belong to the kernel of its host;"
            " run this on the host (force=true overrides)"
        )
    return None


def refuse_kubelet_values(writes: Iterable[SysctlWrite], kubelet_runs: Callable[[], bool]) -> None:
    """Raise InputError for a value that the kubelet of this host would overwrite."""
    against = [write for write in writes if KUBELET.get(write.key, write.after) != write.after]
    if against and kubelet_runs():
        key, _before, after = against[0]
        raise InputError(
            f"{key}={after}: the kubelet on this host sets it to {KUBELET[key]} at each start, or does not start with"
            f" protectKernelDefaults; leave it at {KUBELET[key]} (force=true overrides)"
        )
