# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan a change of sysctls: compare the wanted values with the kernel, our file and the next boot.

Pure: host.py reads what a plan needs, and apply.py carries the plan out.
Sources: proc_sys(5), sysctl.d(5).
"""

import abc
import posixpath
from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, shorten
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    EXCLUSIVE,
    FOLDERS,
    SYSCTL_CONF,
    BootSources,
    BootValue,
    values_at_boot,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import (
    file_header,
    parse_own_values,
    record_path,
    render_file,
    render_record,
)

ROLLBACK_SECONDS_MAX = 3600

NOTHING_CHANGED = "nothing was changed"
CHANGING = "its helper restores every old value, or keeps the change if it was complete"
CHANGED = "the change is in place, and only its report is missing"


class Progress:
    """How far a run has come, in words that take no memory when none is left."""

    state = NOTHING_CHANGED


# By sysctl. None: this kernel does not have it, or its value at boot is unknown.
SysctlValues = Mapping[str, Optional[int]]


class SysctlPolicy(abc.ABC):
    """The rules of one module. The engine calls them, and has no rule for a single sysctl."""

    manager: str  # the module's name, as the header of its file has it
    keys: Sequence[str]  # every sysctl of the module, in the order of its file
    wanted: Dict[str, int]  # the sysctls that the user set

    @abc.abstractmethod
    def replace_wanted(self, wanted: Dict[str, int]) -> "SysctlPolicy":
        """Return the same rules for other wanted values."""

    @abc.abstractmethod
    def kernel_defaults(self) -> Dict[str, int]:
        """Return the values that a kernel starts with on this host, as far as that is known."""

    @abc.abstractmethod
    def write_order(self, live: SysctlValues) -> List[str]:
        """Return all keys in the order in which they may be written safely."""

    @abc.abstractmethod
    def related_keys(self) -> List[str]:
        """Return the keys that the wanted values rely on: the next boot must not change them."""

    @abc.abstractmethod
    def refuse_harm(self, plan: "SysctlPlan") -> None:
        """Raise InputError if the plan would harm the host, at once or after the next boot."""

    @abc.abstractmethod
    def can_stop_processes(self, before: SysctlValues, after: SysctlValues) -> bool:
        """Return whether processes that could start before the change may fail after it.

        If so, a proof that one can start is part of the change.
        """

    def figures(self, plan: "SysctlPlan") -> Dict[str, Any]:
        """Return what the module returns besides C(sysctl_results)."""
        return {}

    @abc.abstractmethod
    def warnings_for(self, live: SysctlValues) -> List[str]:
        """Return warnings about the live values after the change."""


class SysctlRequest(NamedTuple):
    """What the user wants, with the rules of the module."""

    policy: SysctlPolicy
    persistent: bool
    file: str
    rollback_seconds: float = 30
    force: bool = False
    absent: bool = False  # take back what the module set
    every_file: bool = False  # with absent: not only C(file), but every file that the module wrote


class OwnFile(NamedTuple):
    """A file that the module wrote."""

    text: str
    values: Dict[str, int]
    originals: Dict[str, int]  # the values from before it
    is_roots: bool  # only root could have written it; there are no originals otherwise


class SysctlReading(NamedTuple):
    """What a host has before the change."""

    live: Dict[str, Optional[int]]
    file_text: Optional[str]  # of the file that the request names; None if there is none
    boot_sources: BootSources
    own_files: Mapping[str, OwnFile]  # by path, in all folders
    record: Optional[str]  # the text of the record of live values
    originals: Dict[str, int]  # of the record: the values from before
    written: Dict[str, int]  # of the record: the values that the module wrote
    can_record: bool  # /run can be written


class SysctlState(NamedTuple):
    """The sysctls of a module at three places: in the kernel, in our file, at the next boot."""

    live: Dict[str, Optional[int]]
    file: Dict[str, int]
    boot: Dict[str, BootValue]

    @property
    def boot_values(self) -> Dict[str, Optional[int]]:
        """Return the values at boot without their sources."""
        return {key: found.value for key, found in self.boot.items()}


class SysctlWrite(NamedTuple):
    """One write to the kernel."""

    key: str
    before: int
    after: int


class FileChange(NamedTuple):
    """One file that is written or removed."""

    path: str
    before: Optional[str]  # None: there is no file
    after: Optional[str]
    private: bool = False  # only root may read it


class SysctlPlan(NamedTuple):
    """What a run changes."""

    request: SysctlRequest
    before: SysctlState
    after: SysctlState
    writes: List[SysctlWrite]
    files: List[FileChange]  # one that is written, or any number that are removed
    warnings: List[str]  # why the next boot, or sysctl --system, may set another value
    reboot_safe: bool

    @property
    def changed(self) -> bool:
        """Whether the kernel or a file has to be written."""
        return bool(self.writes or self.files)

    def undo_writes(self) -> List[Tuple[str, int]]:
        """Return the old values in the order in which they are restored: the last write first."""
        undo = []
        for write in reversed(self.writes):
            other = EXCLUSIVE.get(write.key)
            other_before = self.before.live.get(other) if other else None
            # Of two that zero each other, write only the one that was not 0. That restores both.
            undo.append((other, other_before) if other and other_before else (write.key, write.before))
        return undo


# --- the request ------------------------------------------------------------------


def check_request(request: SysctlRequest) -> None:
    """Raise InputError for a time out of range, and for a file that no boot reads."""
    if not 0 < request.rollback_seconds <= ROLLBACK_SECONDS_MAX:
        raise InputError(
            f"rollback_seconds={shorten(request.rollback_seconds)} is out of range, 1 to {ROLLBACK_SECONDS_MAX};"
            " set a number in it"
        )
    check_path_text("file", request.file)
    folder, name = posixpath.split(request.file)
    read_at_boot = folder == FOLDERS[0] and name.endswith(".conf") and not name.startswith(".")
    if not read_at_boot or posixpath.normpath(request.file) != request.file:
        raise InputError(
            f"file={request.file} would not be read at boot; name a file in {FOLDERS[0]} that ends with .conf"
        )


def refuse_foreign_file(request: SysctlRequest, text: Optional[str]) -> None:
    """Raise InputError if the module did not write this text of the file of the request."""
    if text and not text.startswith(file_header(request.policy.manager)):
        raise InputError(
            f"file={request.file} was not written by oomguard.linux.{request.policy.manager} (it does not begin with"
            " the header of that module) and is left alone; name another file"
        )


# --- plan what is set -------------------------------------------------------------


def plan_sysctls(request: SysctlRequest, reading: SysctlReading) -> SysctlPlan:
    """Return what has to be written to set the wanted values, and what the host will be like then.

    Raises InputError for a file that another program wrote, and UnsupportedError
    for a sysctl that this kernel does not have.
    """
    text = reading.file_text
    if request.persistent:
        refuse_foreign_file(request, text)
    policy, sources = request.policy, reading.boot_sources
    own = parse_own_values(text or "", policy.keys)
    before = SysctlState(reading.live, own, values_at_boot(policy.keys, sources))
    writes = plan_writes(policy, reading)
    if request.persistent:
        change = FileChange(request.file, text, _new_file_text(request, reading, own))
        sources = sources.with_file(request.file, change.after)
        own = parse_own_values(change.after or "", policy.keys)
    else:
        change = _record_change(policy, reading, writes)
    after = SysctlState(live_after(reading.live, policy.wanted), own, values_at_boot(policy.keys, sources))
    files = [] if change.before == change.after else [change]
    return finish_plan(SysctlPlan(request, before, after, writes, files, [], True), sources)


def plan_writes(policy: SysctlPolicy, reading: SysctlReading) -> List[SysctlWrite]:
    """Return the writes that set the wanted values, in order."""
    before = {key: value for key, value in reading.live.items() if value is not None}
    missing = [key for key in policy.wanted if key not in before]
    if missing:
        raise UnsupportedError(
            f"this kernel ({reading.boot_sources.kernel_release}) does not have {', '.join(missing)};"
            " leave the option out on this host"
        )
    return [
        SysctlWrite(key, before[key], policy.wanted[key])
        for key in policy.write_order(reading.live)
        if key in policy.wanted and policy.wanted[key] != before[key]
    ]


def live_after(live: Dict[str, Optional[int]], wanted: Dict[str, int]) -> Dict[str, Optional[int]]:
    """Return the live values once the wanted ones are written."""
    after = dict(live)
    for key, value in wanted.items():
        after[key] = value
        other = EXCLUSIVE.get(key)
        if other and after[other] is not None:
            after[other] = 0
    return after


def add_other_halves(keys: Collection[str]) -> Set[str]:
    """Return the keys, and of each pair that zero each other both."""
    return {*keys, *(EXCLUSIVE[key] for key in keys if key in EXCLUSIVE)}


def _new_file_text(request: SysctlRequest, reading: SysctlReading, own: Dict[str, int]) -> str:
    """Return our file's text.

    It has the wanted values, those it had for other sysctls, and the originals.
    """
    policy = request.policy
    file = reading.own_files.get(request.file)
    originals = {**_find_originals(policy.wanted, reading), **(file.originals if file else {})}
    return render_file(
        policy.manager, _in_order(policy, _update_values(own, policy.wanted)), _in_order(policy, originals)
    )


def _record_change(policy: SysctlPolicy, reading: SysctlReading, writes: Sequence[SysctlWrite]) -> FileChange:
    """Return the record with what is written, and its originals."""
    path = record_path(policy.manager)
    if not writes or not reading.can_record:
        return FileChange(path, reading.record, reading.record)
    new = {write.key: write.after for write in writes}
    originals = _in_order(policy, {**_find_originals(new, reading), **reading.originals})
    written = _in_order(policy, _update_values(reading.written, new))
    return FileChange(path, reading.record, render_record(policy.manager, originals, written), private=True)


def _update_values(old: Mapping[str, int], new: Mapping[str, int]) -> Dict[str, int]:
    """Return the old values with the new ones, which end those that they set to 0."""
    return {**{key: value for key, value in old.items() if EXCLUSIVE.get(key) not in new}, **new}


def _find_originals(keys: Collection[str], reading: SysctlReading) -> Dict[str, int]:
    """Return the values that these sysctls had before this module set them.

    None for a sysctl that a file of an older version sets, because its live value is ours.
    """
    known = dict(reading.originals)
    ours: Set[str] = set()
    for file in reading.own_files.values():
        known.update(file.originals)
        ours |= add_other_halves(file.values)
    found = {}
    for key in add_other_halves(keys):
        value = known.get(key, None if key in ours else reading.live[key])
        if value is not None:
            found[key] = value
    return found


def _in_order(policy: SysctlPolicy, values: Mapping[str, int]) -> Dict[str, int]:
    return {key: values[key] for key in policy.keys if key in values}


# --- the next boot ----------------------------------------------------------------


def finish_plan(plan: SysctlPlan, sources: BootSources) -> SysctlPlan:
    """Return the plan with its warnings about the next boot, which reads these sources."""
    unsafe, elsewhere = _next_boot_warnings(plan.request, sources, plan.after)
    unsafe += [f"{reason}; until then what it sets at boot is not predicted" for reason in sources.unreadable.values()]
    return plan._replace(warnings=[*plan.warnings, *unsafe, *elsewhere], reboot_safe=not unsafe)


def is_concerned(request: SysctlRequest, key: str) -> bool:
    """Whether the user set this sysctl, or what is set relies on it."""
    return key in add_other_halves([*request.policy.wanted, *request.policy.related_keys()])


def _next_boot_warnings(
    request: SysctlRequest, sources: BootSources, after: SysctlState
) -> Tuple[List[str], List[str]]:
    """Return where the next boot may set other values, and where only sysctl --system would.

    The first list makes the plan not reboot_safe.
    """
    in_run = values_at_boot(request.policy.keys, sources, volatile=True)
    by_hand = values_at_boot(request.policy.keys, sources, volatile=True, procps=True)
    unsafe, elsewhere = [], []
    for key, live in after.live.items():
        # What absent returns to may be a kernel's own default, which is unknown.
        unknown = request.absent and after.boot[key].value is None
        if live is None or unknown or not is_concerned(request, key):
            continue
        if after.boot[key].value != live:
            remedy = _how_to_keep(request, key, after)
            unsafe.append(f"{key} will not be {live} after the next boot: {after.boot[key]}; {remedy}")
        elif in_run[key].value != live:
            unsafe.append(
                f"{key} may not be {live} after the next boot: {in_run[key]}, if something writes that file again;"
                " stop what writes it"
            )
        elif by_hand[key].value != live:
            elsewhere.append(
                f"{key} will be {live} after the next boot, but not after sysctl --system: {by_hand[key]};"
                " remove that line"
            )
    return unsafe, elsewhere


def _how_to_keep(request: SysctlRequest, key: str, after: SysctlState) -> str:
    """Return what makes the next boot set the live value."""
    source = after.boot[key].source
    if source is None:
        return "set it in this task as well" if request.persistent else "set persistent=true to keep it"
    if request.absent or source.path in (SYSCTL_CONF, request.file):
        return f"change {source} to keep it"
    return f"change {source}, or set file to a name that sorts later"


# --- the next boot, in words ------------------------------------------------------


def explain_boot_value(plan: SysctlPlan, key: str) -> str:
    """Return the sysctl and the file and line that sets it at the next boot, as text."""
    return f"{key}: {plan.after.boot[key]}"


def suggest_boot_fix(plan: SysctlPlan, key: str, option: str) -> str:
    """Return what the user can do to make the next boot set another value.

    C(option) is the name of the option that sets this sysctl.
    """
    source = plan.after.boot[key].source
    if plan.request.absent:
        return f"change {source}" if source else f"keep state=present, and set {option} to another value"
    is_set = key in add_other_halves(plan.request.policy.wanted)
    if source is None or source.path in (COMMAND_LINE, plan.request.file):
        return f"set {option} to another value" if is_set else f"set {option} as well to make it permanent"
    if source.path == SYSCTL_CONF:
        return f"change {source}"  # no name sorts later
    return f"change {source}, or set {'' if is_set else option + ' as well and '}file to a name that sorts later"
