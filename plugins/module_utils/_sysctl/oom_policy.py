# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide what the kernel does when memory runs out, and refuse what would hang or harm the host.

Pure: what is read from the host comes in as functions, which are called only
when a setting needs them. Sources: Documentation/admin-guide/sysctl/vm.rst and
kernel.rst, mm/oom_kill.c:check_panic_on_oom, out_of_memory, kernel/panic.c.
"""

from types import MappingProxyType
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name, shorten
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlPlan,
    SysctlPolicy,
    SysctlValues,
    explain_boot_value,
    suggest_boot_fix,
)

REBOOT_AFTER, ON_OOPS = "kernel.panic", "kernel.panic_on_oops"
DUMP_TASKS, ALLOCATING_TASK, ON_OOM = "vm.oom_dump_tasks", "vm.oom_kill_allocating_task", "vm.panic_on_oom"

KEYS = (REBOOT_AFTER, ON_OOPS, DUMP_TASKS, ALLOCATING_TASK, ON_OOM)

# The options whose values may be refused, and what is suggested to a task that sets them.
OPTIONS = {REBOOT_AFTER: "reboot_after", ON_OOM: "on_oom", ALLOCATING_TASK: "kill_allocating_task"}
REMEDIES = MappingProxyType({ON_OOM: "use on_oom=panic", ALLOCATING_TASK: "leave the option out"})

ANSWERS = {"kill": 0, "panic": 1, "panic_always": 2}

INT_MAX = (1 << 31) - 1

# A host that panics again as soon as it has booted leaves this long to log in.
REBOOT_LOOP_SECONDS = 10


def oom_policy_sysctls(
    on_oom: Optional[str],
    reboot_after: Optional[int],
    kill_allocating_task: Optional[bool],
    dump_tasks: Optional[bool],
    panic_on_oops: Optional[bool],
) -> Dict[str, int]:
    """Return the sysctls that these options set.

    Raises InputError if no option is set, and for a value that the kernel refuses.
    """
    if reboot_after is not None and not -INT_MAX <= reboot_after <= INT_MAX:
        raise InputError(f"reboot_after={shorten(reboot_after)} is out of range, up to {INT_MAX} seconds; set fewer")
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
            "no option is set; set on_oom, reboot_after, kill_allocating_task, dump_tasks or panic_on_oops"
        )
    return found


class HostQueries(NamedTuple):
    """What can be read from the host when a setting needs it."""

    crash_kernel: Callable[[], bool]
    limited_cgroups: Callable[[], List[str]]  # paths of memory cgroups that have a limit
    pinned: Callable[[], List[str]]  # processes with a score below 0 that the killer may still choose


class OomPolicy(SysctlPolicy):
    """The rules of the module oom_policy."""

    manager = "oom_policy"
    keys = KEYS

    def __init__(self, wanted: Dict[str, int], queries: HostQueries) -> None:
        self.wanted = wanted
        self._queries = queries

    def replace_wanted(self, wanted: Dict[str, int]) -> "OomPolicy":
        """Return the same rules for other wanted values."""
        return OomPolicy(wanted, self._queries)

    def kernel_defaults(self) -> Dict[str, int]:
        """Return what kernels start with.

        CONFIG_PANIC_TIMEOUT and CONFIG_PANIC_ON_OOPS may change that.
        """
        return {REBOOT_AFTER: 0, ON_OOPS: 0}

    def write_order(self, live: SysctlValues) -> List[str]:
        """Return an order in which a host that panics on OOM can reboot at any moment."""
        calmer = ON_OOM in self.wanted and self.wanted[ON_OOM] < (live[ON_OOM] or 0)
        return sorted(KEYS, key=lambda key: key != ON_OOM) if calmer else list(KEYS)

    def related_keys(self) -> List[str]:
        """Return the reboot after a panic, which the next boot must set as well."""
        return [REBOOT_AFTER] if self.wanted.get(ON_OOM) else []

    def refuse_harm(self, plan: SysctlPlan) -> None:
        """Raise InputError for a plan that would hang the host, or that makes it worse.

        See C(refuse_hang) and C(refuse_worse). The next boot counts as well.
        """
        before, after = plan.before.boot_values, plan.after.boot_values
        changes = [(plan.before.live, plan.after.live), (before, after)]
        if plan.request.absent:
            fixes = {key: suggest_boot_fix(plan, key, option) for key, option in OPTIONS.items()}
            self.refuse_hang(plan.after.live, fixes[REBOOT_AFTER])
            self.refuse_worse(changes, fixes)
        else:
            self.refuse_hang(plan.after.live)
            self.refuse_worse(changes)
        if self.boot_begins_to_hang(before, after):
            raise InputError(
                f"after the next boot {ON_OOM} would be {after[ON_OOM]}, and a host that runs out of memory would hang"
                f" ({explain_boot_value(plan, REBOOT_AFTER)});"
                f" {suggest_boot_fix(plan, REBOOT_AFTER, 'reboot_after')} (force=true overrides)"
            )

    def refuse_hang(self, live: SysctlValues, remedy: str = "set reboot_after, such as 10") -> None:
        """Raise InputError if a panic would hang the host and the task sets one of its sysctls."""
        concerned = self.wanted.keys() & {ON_OOM, REBOOT_AFTER}
        if concerned and live[ON_OOM] and live[REBOOT_AFTER] == 0 and not self._queries.crash_kernel():
            raise InputError(
                f"{ON_OOM}={live[ON_OOM]} with {REBOOT_AFTER}=0 and no crash kernel loaded: a host that runs out of"
                f" memory would hang until it is reset; {remedy} (force=true overrides)"
            )

    def refuse_worse(
        self, changes: Sequence[Tuple[SysctlValues, SysctlValues]], remedies: Mapping[str, str] = REMEDIES
    ) -> None:
        """Raise InputError if from now on a container could stop the host, or pins are ignored.

        C(changes) are the values before and after, in the kernel and at the next
        boot: a value that is only live must not become permanent unnoticed.
        """

        def begins(key: str, value: int) -> bool:
            return any((before[key] or 0) < value <= (after[key] or 0) for before, after in changes)

        if begins(ON_OOM, ANSWERS["panic_always"]):
            limited = self._queries.limited_cgroups()
            if limited:
                raise InputError(
                    f"on_oom=panic_always: memory cgroups have a limit ({_join_first(limited)}), and the first one to"
                    f" reach it would panic the whole host; {remedies[ON_OOM]} (force=true overrides)"
                )
        if begins(ALLOCATING_TASK, 1):
            pinned = self._queries.pinned()
            if pinned:
                raise InputError(
                    "kill_allocating_task=true: the kernel would kill the process that asks for memory, whatever its"
                    f" score, and there are pins ({_join_first(pinned)}); {remedies[ALLOCATING_TASK]} (force=true"
                    " overrides)"
                )

    def boot_begins_to_hang(self, before: SysctlValues, after: SysctlValues) -> bool:
        """Whether the next boot would panic on OOM and then hang, and would not have before."""
        was, becomes = (before[ON_OOM], before[REBOOT_AFTER]), (after[ON_OOM], after[REBOOT_AFTER])
        return bool(after[ON_OOM] and not after[REBOOT_AFTER] and was != becomes and not self._queries.crash_kernel())

    def can_stop_processes(self, before: SysctlValues, after: SysctlValues) -> bool:
        """Return false: these sysctls decide nothing about a process that starts."""
        return False

    def warnings_for(self, live: SysctlValues) -> List[str]:
        """Return warnings about a loop of reboots and about a hang after a kernel fault."""
        found = []
        seconds = live[REBOOT_AFTER] or 0
        if live[ON_OOM] and seconds != 0 and seconds < REBOOT_LOOP_SECONDS:
            found.append(
                f"reboot_after={seconds}: if the host panics again after each boot, there is no time to log in;"
                f" {REBOOT_LOOP_SECONDS} or more seconds are usual"
            )
        if self.wanted.get(ON_OOPS) and seconds == 0:
            found.append(
                f"panic_on_oops=true with {REBOOT_AFTER}=0: without a crash kernel the host hangs after a kernel fault;"
                " set reboot_after"
            )
        return found


def _join_first(names: List[str]) -> str:
    """Return the first three names, and how many more there are."""
    return ", ".join(map(printable_name, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
