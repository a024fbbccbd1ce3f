# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan to take back what a module set: remove its files, and give the live values back.

Pure. A live value that is not as the module set it is somebody else's, and stays. Any other becomes
what the remaining boot files give. Where none gives one, it becomes the value from before the
module, which its file or its record has. A file of an older version has none; then it becomes the
kernel's default.
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
    record = record_path(request.policy.manager)
    removed = _choose_files(request, reading, record)
    sources = reading.boot_sources.without_files(removed)
    originals: Dict[str, int] = {}
    own: Dict[str, int] = {}
    for path, file in removed.items():
        originals = {**file.originals, **originals}
        if path != record:
            own.update(file.values)
    written = [file.values for file in removed.values()]
    start = {**DEFAULTS, **request.policy.kernel_defaults(), **originals}
    found = values_at_boot(request.policy.keys, sources, volatile=True, start=start)
    targets = _find_targets(found, add_other_halves({*originals}.union(*written)), reading.live)
    wanted = _choose_halves(targets, reading.live)
    foreign = {key: wanted.pop(key) for key in _find_foreign(wanted, reading.live, written)}
    given_back = [key for key in targets if key not in add_other_halves(foreign)]
    guessed = [key for key in given_back if found[key].source is None and key not in originals]
    policy = request.policy.replace_wanted(wanted)
    request = request._replace(policy=policy)
    kept = dict(reading.own_files[request.file].values) if request.file in reading.own_files.keys() - removed else {}
    plan = SysctlPlan(
        request,
        SysctlState(reading.live, {**kept, **own}, values_at_boot(policy.keys, reading.boot_sources)),
        SysctlState(live_after(reading.live, policy.wanted), kept, values_at_boot(policy.keys, sources)),
        plan_writes(policy, reading),
        [FileChange(path, file.text, None, private=path == record) for path, file in removed.items()],
        [
            *_warn_of_strangers(request, reading),
            *_warn_of_foreign_values(foreign, reading.live),
            *_warn_of_guesses(guessed, targets),
        ],
        reboot_safe=True,
    )
    return finish_plan(plan, sources)


def _choose_files(request: SysctlRequest, reading: SysctlReading, record: str) -> Dict[str, OwnFile]:
    """Return the files to remove, by path.

    Without C(file) that is the record. If more than live values are taken back, it is also every
    file that only root could have written.
    """
    if request.persistent and not request.every_file:
        refuse_foreign_file(request, reading.file_text)
        return {path: file for path, file in reading.own_files.items() if path == request.file}
    found: Dict[str, OwnFile] = {}
    if request.persistent:
        found.update((path, file) for path, file in reading.own_files.items() if file.is_roots)
    if reading.record is not None:
        found[record] = OwnFile(reading.record, reading.written, reading.originals, is_roots=True)
    return found


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


def _find_foreign(wanted: Dict[str, int], live: SysctlValues, written: List[Dict[str, int]]) -> List[str]:
    """Return the wanted sysctls whose live value is not one that the module wrote.

    A pair is as the module wrote it if one half is, because a write to it sets the other to 0.
    """
    return [
        key
        for key, value in wanted.items()
        if live[key] != value
        and not any(
            half in values and live[half] == values[half] for half in add_other_halves([key]) for values in written
        )
    ]


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


def _warn_of_foreign_values(foreign: Dict[str, int], live: SysctlValues) -> List[str]:
    """Return a warning for each value that stays, with the command that gives the old one back."""
    return [
        f"{key} stays {live[key]}, because something else set it since; if nothing needs that, run"
        f" sysctl -w {key}={value}"
        for key, value in foreign.items()
    ]


def _warn_of_guesses(guessed: List[str], targets: Dict[str, int]) -> List[str]:
    return [
        f"{key} becomes {targets[key]}, which kernels start with, because no file has its value from before; check it,"
        " or reboot"
        for key in guessed
    ]
