# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a module that sets sysctls, and answer with its results or with one sentence."""

from typing import Any, Callable, List, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import Progress, SysctlPlan
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.results import sysctl_results

# Memory that is kept for the answer. Parts of this size stay in the process when they are freed
# (mallopt(3), M_MMAP_THRESHOLD): otherwise another process could take them first.
_SPARE_PARTS, _SPARE_BYTES = 32, 1 << 16


def answer(module: AnsibleModule, run: Callable[[Mapping[str, Any], bool, Progress], SysctlPlan]) -> None:
    """Call C(run) with the parameters and check_mode, and end the module with its answer."""
    progress = Progress()
    spare: List[bytearray] = []
    try:
        spare.extend(bytearray(_SPARE_BYTES) for _part in range(_SPARE_PARTS))
        plan = run(module.params, module.check_mode, progress)
        warnings = [printable(warning) for warning in plan.warnings]
        results = printable_values({**plan.request.policy.figures(plan), **sysctl_results(plan)})
    except OomError as error:
        spare.clear()
        module.fail_json(msg=printable(f"would fail: {error}" if module.check_mode else str(error)))
    except MemoryError:
        spare.clear()
        module.fail_json(msg=f"this module ran out of memory; {progress.state}; free memory, then run it again")
    spare.clear()
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**results)
