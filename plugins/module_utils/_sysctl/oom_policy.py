# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What the kernel does when memory runs out: the order of the writes, and what would hang or harm the host.

Pure: what is known of the host is handed in as functions, called only when
they matter. Sources: Documentation/admin-guide/sysctl/vm.rst and kernel.rst,
mm/oom_kill.c:check_panic_on_oom, out_of_memory, kernel/panic.c.
"""

from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

REBOOT_AFTER, ON_OOPS = "kernel.panic", "kernel.panic_on_oops"
DUMP_TASKS, ALLOCATING_TASK, ON_OOM = "vm.oom_dump_tasks", "vm.oom_kill_allocating_task", "vm.panic_on_oom"

KEYS = (REBOOT_AFTER, ON_OOPS, DUMP_TASKS, ALLOCATING_TASK, ON_OOM)

ANSWERS = {"kill": 0, "panic": 1, "panic_always": 2}

INT_MAX = (1 << 31) - 1

# A host that panics again as soon as it is up leaves this long to log in.
REBOOT_LOOP_SECONDS = 10


class Facts(NamedTuple):
    """What is asked of the host, when it matters."""

    crash_kernel: Callable[[], bool]
    limited_cgroups: Callable[[], List[str]]  # paths of memory cgroups that have a limit
    pinned: Callable[[], List[str]]  # processes with a score below 0 that can be killed all the same


def wanted(
    on_oom: Optional[str],
    reboot_after: Optional[int],
    kill_allocating_task: Optional[bool],
    dump_tasks: Optional[bool],
    panic_on_oops: Optional[bool],
) -> Dict[str, int]:
    """Sysctls by name. Raises InputError when nothing is asked for, or what no kernel takes."""
    if reboot_after is not None and not -INT_MAX <= reboot_after <= INT_MAX:
        raise InputError(f"reboot_after={reboot_after} is out of range, up to {INT_MAX} seconds")
    given = {
        REBOOT_AFTER: reboot_after,
        ON_OOPS: panic_on_oops,
        DUMP_TASKS: dump_tasks,
        ALLOCATING_TASK: kill_allocating_task,
        ON_OOM: None if on_oom is None else ANSWERS[on_oom],
    }
    found = {key: int(value) for key, value in given.items() if value is not None}
    if not found:
        raise InputError(
            "nothing is asked for: give on_oom, reboot_after, kill_allocating_task, dump_tasks or panic_on_oops"
        )
    return found


def order(live: Dict[str, Optional[int]], asked: Dict[str, int]) -> List[str]:
    """A host that panics on OOM knows how to come back, at any moment."""
    calmer = ON_OOM in asked and asked[ON_OOM] < (live[ON_OOM] or 0)
    return sorted(KEYS, key=lambda key: key != ON_OOM) if calmer else list(KEYS)


def leans_on(asked: Dict[str, int]) -> List[str]:
    """A panic that is asked for needs its way back at the next boot, too, whoever sets it."""
    return [REBOOT_AFTER] if asked.get(ON_OOM) else []


def refuse_next_boot(
    before: Mapping[str, Optional[int]], after: Mapping[str, Optional[int]], why: str, remedy: str, facts: Facts
) -> None:
    """Raise InputError where the next boot would panic on OOM and stay dead, and would not have before."""
    hangs = after[ON_OOM] and not after[REBOOT_AFTER]
    if (
        hangs
        and (before[ON_OOM], before[REBOOT_AFTER]) != (after[ON_OOM], after[REBOOT_AFTER])
        and not facts.crash_kernel()
    ):
        raise InputError(
            f"after the next boot {ON_OOM} would be {after[ON_OOM]} without a way back, as of {why}; {remedy} (force=true overrides)"
        )


def refuse(asked: Dict[str, int], after: Mapping[str, Optional[int]], facts: Facts) -> None:
    """Raise InputError for what would hang the host."""
    if (
        asked.keys() & {ON_OOM, REBOOT_AFTER}
        and after[ON_OOM]
        and after[REBOOT_AFTER] == 0
        and not facts.crash_kernel()
    ):
        raise InputError(
            f"{ON_OOM}=1 or 2 with {REBOOT_AFTER}=0, and no crash kernel is loaded: a host that runs out of memory would stay dead until somebody resets it; set reboot_after, such as 10 (force=true overrides)"
        )


def refuse_harm(
    changes: Sequence[Tuple[Mapping[str, Optional[int]], Mapping[str, Optional[int]]]], facts: Facts
) -> None:
    """Raise InputError where a container could take the host down, or pins would be worth nothing, and it was not so before.

    C(changes) are the values before and after, now and at the next boot: what is so now is not made permanent without a word.
    """

    def becomes(key: str, value: int) -> bool:
        return any((before[key] or 0) < value <= (after[key] or 0) for before, after in changes)

    if becomes(ON_OOM, ANSWERS["panic_always"]):
        limited = facts.limited_cgroups()
        if limited:
            raise InputError(
                f"on_oom=panic_always: memory cgroups have a limit ({_some(limited)}), and the first of them that reaches it takes the whole host down; use on_oom=panic (force=true overrides)"
            )
    if becomes(ALLOCATING_TASK, 1):
        pinned = facts.pinned()
        if pinned:
            raise InputError(
                f"kill_allocating_task: the kernel would kill whoever asks for memory at that moment, whatever its score, and there are pins ({_some(pinned)}); leave it out (force=true overrides)"
            )


def doubts(asked: Dict[str, int], after: Mapping[str, Optional[int]]) -> List[str]:
    """What may come of it, for the user to know."""
    found = []
    seconds = after[REBOOT_AFTER] or 0
    if after[ON_OOM] and seconds != 0 and seconds < REBOOT_LOOP_SECONDS:
        found.append(
            f"reboot_after={seconds}: if it panics again after each boot there is no time to log in; {REBOOT_LOOP_SECONDS} or more seconds are usual"
        )
    if asked.get(ON_OOPS) and seconds == 0:
        found.append(
            f"panic_on_oops with {REBOOT_AFTER}=0: without a crash kernel the host stays dead after a fault of the kernel"
        )
    return found


def _some(names: List[str]) -> str:
    """The first few, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
