# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the results of a module from its plan: values, a diff, and lines for a person.

Pure.
"""

import posixpath
from typing import Any, Dict, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlPlan,
    SysctlState,
    is_concerned,
)

MSG_LENGTH = 200
REPORT_LINES = 12


def sysctl_results(plan: SysctlPlan) -> Dict[str, Any]:
    """Return everything that both modules return."""
    return dict(
        changed=plan.changed,
        msg=_message(plan),
        report=_report(plan),
        not_lasting=_not_lasting(plan),
        before=_returned_state(plan.before),
        after=_returned_state(plan.after),
        boot_value_from={key: str(found.source) if found.source else None for key, found in plan.after.boot.items()},
        reboot_safe=plan.reboot_safe,
        diff=_diff(plan),
    )


def _returned_state(state: SysctlState) -> Dict[str, Any]:
    return dict(live=state.live, file={key: state.file.get(key) for key in state.live}, boot=state.boot_values)


def _diff(plan: SysctlPlan) -> List[Dict[str, str]]:
    """Return the live values as one part, and each file that changes as another."""
    return [
        _diff_part("live values", _live_text(plan.before), _live_text(plan.after)),
        *(_diff_part(printable_name(change.path), change.before, change.after) for change in plan.files),
    ]


def _diff_part(name: str, before: Optional[str], after: Optional[str]) -> Dict[str, str]:
    return dict(
        before_header=name if before is not None else f"{name} (does not exist)",
        after_header=name if after is not None else f"{name} (removed)",
        before=before or "",
        after=after or "",
    )


def _live_text(state: SysctlState) -> str:
    return "".join(f"{key} = {value}\n" for key, value in state.live.items() if value is not None)


# --- lines for a person -----------------------------------------------------------


def _message(plan: SysctlPlan) -> str:
    """Return the whole change in one line."""
    request, changed = plan.request, _changed_keys(plan)
    parts = [f"{key} {plan.before.live[key]} -> {plan.after.live[key]}" for key in changed]
    for change in plan.files:
        path = printable_name(change.path)
        if change.after is None:
            parts.append(f"{path} removed")
        elif not change.private:
            parts.append(f"in {path}" if changed else f"{path} written")
    if changed and not request.persistent and not request.absent:
        parts.append("until the next boot")
    if not parts:
        wanted = [f"{key} is {value}" for key, value in request.policy.wanted.items()]
        parts = ["nothing to take back" if request.absent else f"nothing to change: {', '.join(wanted)}"]
    return _cut(", ".join(parts), MSG_LENGTH)


def _changed_keys(plan: SysctlPlan) -> List[str]:
    return [key for key, value in plan.before.live.items() if plan.after.live[key] != value]


def _report(plan: SysctlPlan) -> List[str]:
    """Return one line for each sysctl that is set or does not last, and for each file."""
    changed, lost = _changed_keys(plan), [entry["target"] for entry in _not_lasting(plan)]
    lines = []
    for key, value in plan.after.live.items():
        if key not in {*changed, *plan.request.policy.wanted, *lost}:
            continue
        live = f"{plan.before.live[key]} -> {value}" if key in changed else f"{value}"
        lines.append(f"{key}: {live}, {_describe_boot(plan, key)}")
    lines += [
        f"{printable_name(change.path)}: {'removed' if change.after is None else 'written'}" for change in plan.files
    ]
    if not lines:
        lines = ["nothing to take back"]
    if len(lines) > REPORT_LINES:
        lines[REPORT_LINES - 1 :] = [f"... and {len(lines) - REPORT_LINES + 1} more"]
    return lines


def _describe_boot(plan: SysctlPlan, key: str) -> str:
    """Return what the next boot does with a live value."""
    found = plan.after.boot[key]
    if found.value == plan.after.live[key]:
        return "also after the next boot" if found.source is None else f"also after the next boot ({found.source})"
    value = "the kernel's default" if found.value is None else str(found.value)
    if found.source is None:
        return f"{value} after the next boot"
    return f"boot value from {printable_name(found.source.path)} wins ({value})"


def _not_lasting(plan: SysctlPlan) -> List[Dict[str, Optional[str]]]:
    """Return the values that should be permanent, but that the next boot sets otherwise."""
    if not plan.request.persistent or plan.request.absent:
        return []
    found: List[Dict[str, Optional[str]]] = []
    for key, value in plan.after.live.items():
        boot = plan.after.boot[key]
        if value is None or boot.value == value or not is_concerned(plan.request, key):
            continue
        reason = "nothing sets it at boot"
        if boot.source is not None:
            reason = f"{printable_name(posixpath.basename(boot.source.path))} wins"
        found.append(dict(target=key, unit=None, reason=reason))
    return found


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
