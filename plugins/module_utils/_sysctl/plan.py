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
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    EXCLUSIVE,
    FOLDERS,
    SYSCTL_CONF,
    BootSources,
    BootValue,
    file_header,
    parse_assignments,
    parse_value,
    render_file,
    values_at_boot,
)

ROLLBACK_SECONDS_MAX = 3600
_LONGEST_NUMBER = 24  # digits of a number in a message

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


class SysctlReading(NamedTuple):
    """What a host has before the change."""

    live: Dict[str, Optional[int]]
    file_text: Optional[str]  # None: the module has no file yet
    boot_sources: BootSources


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


class SysctlPlan(NamedTuple):
    """What a run changes."""

    request: SysctlRequest
    before: SysctlState
    after: SysctlState
    writes: List[SysctlWrite]
    text_before: Optional[str]  # of our file; None for no file
    text_after: Optional[str]
    warnings: List[str]  # why the next boot, or sysctl --system, may set another value
    reboot_safe: bool

    @property
    def new_text(self) -> Optional[str]:
        """Return the text to write to our file, or None if the file stays as it is."""
        return None if self.text_after == self.text_before else self.text_after

    @property
    def changed(self) -> bool:
        """Whether the kernel or our file has to be written."""
        return bool(self.writes) or self.new_text is not None

    def undo_writes(self) -> List[Tuple[str, int]]:
        """Return the old values in the order in which they are restored: the last write first."""
        undo = []
        for write in reversed(self.writes):
            other = EXCLUSIVE.get(write.key)
            other_before = self.before.live.get(other) if other else None
            # Of two that zero each other, write only the one that was not 0. That restores both.
            undo.append((other, other_before) if other and other_before else (write.key, write.before))
        return undo


# --- plan -------------------------------------------------------------------------


def check_request(request: SysctlRequest) -> None:
    """Raise InputError for a time out of range, and for a file that no boot reads."""
    if not 0 < request.rollback_seconds <= ROLLBACK_SECONDS_MAX:
        raise InputError(
            f"rollback_seconds={shorten_number(request.rollback_seconds)} is out of range, 1 to {ROLLBACK_SECONDS_MAX}"
        )
    _check_path(request.file)
    folder, name = posixpath.split(request.file)
    read_at_boot = folder == FOLDERS[0] and name.endswith(".conf") and not name.startswith(".")
    if not read_at_boot or posixpath.normpath(request.file) != request.file:
        raise InputError(
            f"file={request.file} would not be read at boot; name a file in {FOLDERS[0]} that ends with .conf"
        )


def shorten_number(number: float) -> str:
    """Return a number for a message. A user may give one with hundreds of digits."""
    digits = str(number)
    return digits if len(digits) <= _LONGEST_NUMBER else f"{digits[:_LONGEST_NUMBER]}..."


def _check_path(path: str) -> None:
    """Raise InputError for a text that no path can have."""
    try:
        raw = bytes_of(path)
    except UnicodeEncodeError:
        raw = b"\0"
    if b"\0" in raw:
        raise InputError(f"file={path!r} cannot be the name of a file; remove the characters that no name can have")


def plan_sysctls(request: SysctlRequest, reading: SysctlReading) -> SysctlPlan:
    """Return what has to be written, and what the host will be like then.

    Raises InputError for a file that another program wrote, and UnsupportedError
    for a sysctl that this kernel does not have.
    """
    text = reading.file_text
    if request.persistent:
        _refuse_foreign_file(request, text)
    before = _state(request, reading.live, text, reading.boot_sources)
    writes = _plan_writes(request.policy, reading)
    text_after = _new_file_text(request, before.file) if request.persistent else text
    sources = reading.boot_sources.with_file(request.file, text_after)
    after = _state(request, _live_after(reading.live, request.policy.wanted), text_after, sources)
    unsafe, elsewhere = _next_boot_warnings(request, sources, after)
    unsafe += [f"{reason}; what it sets at boot is not predicted" for reason in sources.unreadable.values()]
    return SysctlPlan(request, before, after, writes, text, text_after, unsafe + elsewhere, not unsafe)


def _refuse_foreign_file(request: SysctlRequest, text: Optional[str]) -> None:
    if text and not text.startswith(file_header(request.policy.manager)):
        raise InputError(
            f"file={request.file} was not written by oomguard.linux.{request.policy.manager} (it does not begin with"
            " the header of that module) and is left alone; name another file"
        )


def _state(
    request: SysctlRequest, live: Dict[str, Optional[int]], text: Optional[str], sources: BootSources
) -> SysctlState:
    """Return the state with these live values and this text in our file."""
    keys = request.policy.keys
    own = {}
    for assignment in parse_assignments(text or "", request.file):
        value = parse_value(assignment.key, assignment.value)
        if assignment.key in keys and value is not None:
            own[assignment.key] = value
    return SysctlState(live, own, values_at_boot(keys, sources.with_file(request.file, text)))


def _plan_writes(policy: SysctlPolicy, reading: SysctlReading) -> List[SysctlWrite]:
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


def _live_after(live: Dict[str, Optional[int]], wanted: Dict[str, int]) -> Dict[str, Optional[int]]:
    """Return the live values once the wanted ones are written."""
    after = dict(live)
    for key, value in wanted.items():
        after[key] = value
        other = EXCLUSIVE.get(key)
        if other and after[other] is not None:
            after[other] = 0
    return after


def _new_file_text(request: SysctlRequest, own: Dict[str, int]) -> str:
    """Return our file's text: the wanted values, and those it had for other sysctls."""
    wanted = request.policy.wanted
    kept = {key: value for key, value in own.items() if EXCLUSIVE.get(key) not in wanted}
    kept.update(wanted)
    return render_file(request.policy.manager, {key: kept[key] for key in request.policy.keys if key in kept})


def _next_boot_warnings(
    request: SysctlRequest, sources: BootSources, after: SysctlState
) -> Tuple[List[str], List[str]]:
    """Return where the next boot may set other values, and where only sysctl --system would.

    The first list makes the plan not reboot_safe.
    """
    in_run = values_at_boot(request.policy.keys, sources, volatile=True)
    by_hand = values_at_boot(request.policy.keys, sources, volatile=True, procps=True)
    unsafe, elsewhere = [], []
    concerned = {*request.policy.wanted, *request.policy.related_keys()}
    for key, live in after.live.items():
        if live is None or (key not in concerned and EXCLUSIVE.get(key) not in concerned):
            continue
        if after.boot[key].value != live:
            unsafe.append(f"{key} will not be {live} after the next boot: {after.boot[key]}")
        elif in_run[key].value != live:
            unsafe.append(
                f"{key} may not be {live} after the next boot: {in_run[key]}, if something writes that file again"
            )
        elif by_hand[key].value != live:
            elsewhere.append(f"{key} will be {live} after the next boot, but not after sysctl --system: {by_hand[key]}")
    return unsafe, elsewhere


# --- the next boot, in words ------------------------------------------------------


def explain_boot_value(plan: SysctlPlan, key: str) -> str:
    """Return the sysctl and the file and line that sets it at the next boot, as text."""
    return f"{key}: {plan.after.boot[key]}"


def suggest_boot_fix(plan: SysctlPlan, key: str, option: str) -> str:
    """Return what the user can do to make the next boot set another value.

    C(option) is the name of the option that sets this sysctl.
    """
    source = plan.after.boot[key].source
    wanted = plan.request.policy.wanted
    is_set = key in wanted or EXCLUSIVE.get(key) in wanted
    if source is None or source.path in (COMMAND_LINE, plan.request.file):
        return f"set {option} to another value" if is_set else f"set {option} as well to make it permanent"
    if source.path == SYSCTL_CONF:
        return f"change {source}"  # no name sorts later
    return f"change {source}, or set {'' if is_set else option + ' as well and '}file to a name that sorts later"


# --- what a module returns --------------------------------------------------------


def sysctl_results(plan: SysctlPlan) -> Dict[str, Any]:
    """Return C(changed), C(before), C(after), C(boot_value_from), C(reboot_safe) and C(diff)."""
    return dict(
        changed=plan.changed,
        before=_returned_state(plan.before),
        after=_returned_state(plan.after),
        boot_value_from={key: str(found.source) if found.source else None for key, found in plan.after.boot.items()},
        reboot_safe=plan.reboot_safe,
        diff=dict(
            before=_diff_text(plan, plan.before, plan.text_before), after=_diff_text(plan, plan.after, plan.text_after)
        ),
    )


def _returned_state(state: SysctlState) -> Dict[str, Any]:
    return dict(live=state.live, file={key: state.file.get(key) for key in state.live}, boot=state.boot_values)


def _diff_text(plan: SysctlPlan, state: SysctlState, text: Optional[str]) -> str:
    """Return the live values and our file as one text."""
    live = "".join(f"{key} = {value}\n" for key, value in state.live.items() if value is not None)
    return live + (f"# {plan.request.file}\n{text}" if text is not None else "")
