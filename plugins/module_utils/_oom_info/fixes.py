# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write the tasks that repair findings.

Pure. A task of oom_score_adj removes from the drop-in of a unit what it does not name. So the
target of a unit has all that the drop-in has now, and what every finding on that unit asks for:
pasted together, or one after the other, these tasks do not undo each other.
"""

import json
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit, Task

PINS, ON_OOM, PROMISES = "oom_score_adj", "oom_policy", "overcommit"
_ANSWERS = ("kill", "panic", "panic_always")
_MODES = ("heuristic", "always", "never")
_REBOOT_SECONDS = 10

Options = Dict[str, Any]
Sysctls = Mapping[str, Optional[int]]


class Fix(NamedTuple):
    """A task: of oom_score_adj with targets, of another module with options."""

    module: str  # a name without the collection
    options: Mapping[str, Any] = {}
    targets: Tuple[Options, ...] = ()

    def build_arguments(self) -> Options:
        """Return the arguments of the module."""
        if not self.targets:
            return dict(self.options)
        return dict(self.targets[0]) if len(self.targets) == 1 else {"targets": list(self.targets)}


def write_task(fix: Optional[Fix]) -> Optional[str]:
    """Return a task for a playbook; None without a fix."""
    if fix is None:
        return None
    lines = [f"    {name}: {json.dumps(value)}\n" for name, value in fix.build_arguments().items()]
    return f"- oomguard.linux.{fix.module}:\n" + "".join(lines)


# --- pins --------------------------------------------------------------------------------


def pin_process(pinned: Sequence[PinnedUnit], task: Task, score: int, **options: str) -> Options:
    """Return the target that gives a process this score.

    The drop-in of a unit decides only over the main process, and only a unit with a drop-in of ours
    gets one: others are pinned by whoever made the unit. Any other process is selected by its pid.
    """
    ours = next((one for one in pinned if one.main_pid == task.pid), None)
    if ours is None:
        return dict(pid=task.pid, score=score, **options)
    is_lost = score < task.score and ours.score < score  # what the drop-in says is more than enough
    return dict(unit=ours.unit, score=ours.score if is_lost else score, **options)


def join_targets(fixes: Sequence[Optional[Fix]], pinned: Sequence[PinnedUnit]) -> Sequence[Optional[Fix]]:
    """Return the fixes, each with the whole target of every unit that it names."""
    wanted = {one.unit: _read_target(one) for one in pinned}
    for target in [target for fix in fixes if fix is not None for target in fix.targets]:
        if "unit" in target:
            wanted.setdefault(target["unit"], {}).update(target)
    return [fix and fix._replace(targets=tuple(_complete(target, wanted) for target in fix.targets)) for fix in fixes]


def _read_target(pinned: PinnedUnit) -> Options:
    """Return the target that writes the drop-in of a unit as it is."""
    values = dict(
        unit=pinned.unit,
        score=pinned.score,
        oom_policy=pinned.own_policy,
        managed_oom_preference=pinned.own_preference,
    )
    return {name: value for name, value in values.items() if value is not None}


def _complete(target: Options, wanted: Mapping[str, Options]) -> Options:
    return wanted[target["unit"]] if "unit" in target else target


def keep_accepted(targets: Tuple[Options, ...], accepts: Callable[[Tuple[Options, ...]], bool]) -> Tuple[Options, ...]:
    """Return the targets without those that are refused.

    Halves are tried, because a plan takes as long for one target as for many.
    """
    if accepts(targets):
        return targets
    half = len(targets) // 2
    return keep_accepted(targets[:half], accepts) + keep_accepted(targets[half:], accepts) if half else ()


# --- sysctls -----------------------------------------------------------------------------


def keep_live_value(key: str, live: Sysctls, boot: Sysctls, reboots: bool) -> Optional[Fix]:
    """Return the task that makes the live value of a sysctl permanent; None if there is none.

    C(reboots) is whether a host that panics starts again without kernel.panic.
    """
    value = live.get(key)
    if value is None:
        return None
    if key in ("vm.overcommit_ratio", "vm.overcommit_kbytes"):
        return _keep_limit(live)
    if key in ("kernel.panic", "vm.panic_on_oom"):
        return Fix(ON_OOM, _keep_panic(key, live, boot, reboots))
    if key == "vm.overcommit_memory":
        return Fix(PROMISES, dict(mode=_MODES[value]))
    if key in _NUMBERS:
        return Fix(PROMISES, {_NUMBERS[key]: value})
    return Fix(ON_OOM, {_SWITCHES[key]: bool(value)})


_NUMBERS = {
    "vm.admin_reserve_kbytes": "admin_reserve_kbytes",
    "vm.user_reserve_kbytes": "user_reserve_kbytes",
}
_SWITCHES = {
    "kernel.panic_on_oops": "panic_on_oops",
    "vm.oom_dump_tasks": "dump_tasks",
    "vm.oom_kill_allocating_task": "kill_allocating_task",
}


def _keep_limit(live: Sysctls) -> Optional[Fix]:
    """Return the task for the one of both that makes the limit: the kernel sets the other to 0."""
    for key, option in (("vm.overcommit_kbytes", "kbytes"), ("vm.overcommit_ratio", "ratio")):
        if live.get(key):
            return Fix(PROMISES, {option: live[key]})
    return None


def _keep_panic(key: str, live: Sysctls, boot: Sysctls, reboots: bool) -> Options:
    """Return the option for one of both that decide about a panic, with the other where needed."""
    answer = live.get("vm.panic_on_oom") or 0
    if key == "kernel.panic" and not boot.get("vm.panic_on_oom"):
        return dict(reboot_after=live[key])
    if key == "vm.panic_on_oom" and not answer:
        return dict(on_oom=_ANSWERS[answer])
    return _panic_and_reboot(_ANSWERS[answer], live, reboots)


def _panic_and_reboot(answer: str, live: Sysctls, reboots: bool) -> Options:
    """Return the options with which a host does not hang after a panic, now and later."""
    seconds = live.get("kernel.panic") or 0
    needs_seconds = answer != "kill" and not reboots
    return dict(on_oom=answer, reboot_after=seconds or (_REBOOT_SECONDS if needs_seconds else 0))


def calm_panic(live: Sysctls, reboots: bool) -> Fix:
    """Return the task with which only a host that is out of memory panics."""
    return Fix(ON_OOM, _panic_and_reboot("panic", live, reboots))


def reboot_after_panic() -> Fix:
    """Return the task with which a host that panics starts again."""
    return Fix(ON_OOM, dict(reboot_after=_REBOOT_SECONDS))
