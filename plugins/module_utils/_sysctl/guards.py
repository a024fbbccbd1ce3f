# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Hosts whose sysctls are not for us to set, and why.

Pure. What only one module refuses is in _overcommit and _oom_policy.
"""

from typing import Callable, Iterable, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import PROC_SYS, Step

# kubernetes:pkg/kubelet/cm/container_manager_linux.go:setupKernelTunables writes these at each start, or with protectKernelDefaults does not start.
KUBELET = {"vm.overcommit_memory": 1, "vm.panic_on_oom": 0, "kernel.panic": 10, "kernel.panic_on_oops": 1}


def why_not_here(container: Optional[str], read_only: bool, force: bool) -> Optional[str]:
    """Why nothing can, or should, be written here; None if it may be.

    C(container) is what shows that this is one: these sysctls are not namespaced, they belong to the kernel of its host.
    """
    if read_only:
        return f"{PROC_SYS} is read-only here{(f', in a container ({container})' if container else '')}: the settings are those of the host, run this there"
    if container and not force:
        return f"this is a container ({container}), and the kernel that would change is that of its host: run this there (force=true overrides)"
    return None


def refuse_kubelet(steps: Iterable[Step], runs: Callable[[], bool]) -> None:
    """Raise InputError for a value that the kubelet of this host would not leave."""
    against = [step for step in steps if KUBELET.get(step.key, step.after) != step.after]
    if against and runs():
        raise InputError(
            f"{against[0].key}={against[0].after}: the kubelet on this host sets it to {KUBELET[against[0].key]} whenever it starts, or does not start if it protects kernel defaults (force=true overrides)"
        )
