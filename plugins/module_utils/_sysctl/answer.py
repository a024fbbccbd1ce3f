# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Set or take back sysctls on this host, and answer with the result or with one sentence."""

from typing import Any, Callable, List, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import ModuleAnswer, answer_failure
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import Progress, SysctlRequest
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.results import sysctl_results
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls

# Memory that is kept for the answer. Parts of this size stay in the process when they are freed
# (mallopt(3), M_MMAP_THRESHOLD): otherwise another process could take them first.
_SPARE_PARTS, _SPARE_BYTES = 32, 1 << 16


def answer_sysctls(
    make_request: Callable[[Host, Mapping[str, Any]], SysctlRequest], options: Mapping[str, Any], check_mode: bool
) -> ModuleAnswer:
    """Return the answer to the options of a module, of which C(make_request) makes the request."""
    progress = Progress()
    spare: List[bytearray] = []
    try:
        spare.extend(bytearray(_SPARE_BYTES) for _part in range(_SPARE_PARTS))
        host = Host()
        plan = run_sysctls(host, make_request(host, options), check_mode, progress)
        warnings = [printable(warning) for warning in plan.warnings]
        results = printable_values({**plan.request.policy.figures(plan), **sysctl_results(plan)})
    except OomError as error:
        spare.clear()
        return answer_failure(str(error), check_mode)
    except MemoryError:
        spare.clear()
        # Without the prefix: here the check itself has failed.
        return answer_failure(f"this module ran out of memory; {progress.state}; free memory, then run it again", False)
    spare.clear()
    return ModuleAnswer(results, warnings)
