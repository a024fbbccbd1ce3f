# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan to take back what a module set: remove its files, and give the live values back.

Pure. A live value becomes what the remaining boot files give. Where none gives one, it becomes the
value from before the module, which its file or its record has. A file of an older version has none;
then it becomes the kernel's default.
"""

from typing import Dict, List, Mapping, Set

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    DEFAULTS,
    EXCLUSIVE,
    BootValue,
    values_at_boot,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import record_path
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    FileChange,
    OwnFile,
    SysctlPlan,
    SysctlReading,
    SysctlRequest,
    SysctlState,
    SysctlValues,
    add_other_halves,
    finish_plan,
    live_after,
    plan_writes,
    refuse_foreign_file,
)


def plan_taking_back(request: SysctlRequest, reading: SysctlReading) -> SysctlPlan:
    """Return what has to be written to take back what the module set.

    Raises InputError if the file to remove is not one of the module.
    """
    removed = _choose_files(request, reading)
    sources = reading.boot_sources.without_files(removed)
    takes_record = request.every_file or not request.persistent
    originals = dict(reading.originals) if takes_record else {}
    own: Dict[str, int] = {}
    for file in removed.values():
        originals.update(file.originals)
        own.update(file.values)
    start = {**DEFAULTS, **request.policy.kernel_defaults(), **originals}
    found = values_at_boot(request.policy.keys, sources, volatile=True, start=start)
    targets = _find_targets(found, add_other_halves({*own, *originals}), reading.live)
    guessed = [key for key in targets if found[key].source is None and key not in originals]
    policy = request.policy.replace_wanted(_choose_halves(targets, reading.live))
    request = request._replace(policy=policy)
    kept = dict(reading.own_files[request.file].values) if request.file in reading.own_files.keys() - removed else {}
    plan = SysctlPlan(
        request,
        SysctlState(reading.live, {**kept, **own}, values_at_boot(policy.keys, reading.boot_sources)),
        SysctlState(live_after(reading.live, policy.wanted), kept, values_at_boot(policy.keys, sources)),
        plan_writes(policy, reading),
        _file_changes(request, reading, removed, takes_record),
        [*_warn_of_strangers(request, reading), *_warn_of_guesses(guessed, targets)],
        reboot_safe=True,
    )
    return finish_plan(plan, sources)


def _choose_files(request: SysctlRequest, reading: SysctlReading) -> Dict[str, OwnFile]:
    """Return the files to remove, by path.

    Without C(file) that is every one that only root could have written.
    """
    if not request.persistent:
        return {}
    if request.every_file:
        return {path: file for path, file in reading.own_files.items() if file.is_roots}
    refuse_foreign_file(request, reading.file_text)
    return {path: file for path, file in reading.own_files.items() if path == request.file}


def _find_targets(found: Mapping[str, BootValue], ours: Set[str], live: SysctlValues) -> Dict[str, int]:
    """Return the live values to give back."""
    return {
        key: boot.value
        for key, boot in found.items()
        if key in ours and boot.value is not None and live[key] is not None
    }


def _choose_halves(targets: Dict[str, int], live: SysctlValues) -> Dict[str, int]:
    """Return the targets with one of each pair that zero each other.

    It is the one that is not 0. If both become 0, it is the one that is not 0 now.
    """
    chosen = dict(targets)
    for key, other in EXCLUSIVE.items():
        if key in chosen and other in chosen and not chosen[key] and (chosen[other] or not live[key]):
            del chosen[key]
    return chosen


def _file_changes(
    request: SysctlRequest, reading: SysctlReading, removed: Dict[str, OwnFile], takes_record: bool
) -> List[FileChange]:
    changes = [FileChange(path, file.text, None) for path, file in removed.items()]
    if takes_record and reading.record is not None:
        changes.append(FileChange(record_path(request.policy.manager), reading.record, None, private=True))
    return changes


def _warn_of_strangers(request: SysctlRequest, reading: SysctlReading) -> List[str]:
    """Return a warning for each file that looks like one of the module, but may not be one."""
    if not (request.persistent and request.every_file):
        return []
    return [
        f"{path} begins with the header of this module, but another user could have written it, so it stays; see what"
        " it is, and set file to remove it"
        for path, file in reading.own_files.items()
        if not file.is_roots
    ]


def _warn_of_guesses(guessed: List[str], targets: Dict[str, int]) -> List[str]:
    return [
        f"{key} becomes {targets[key]}, which kernels start with, because no file has its value from before; check it,"
        " or reboot"
        for key in guessed
    ]
