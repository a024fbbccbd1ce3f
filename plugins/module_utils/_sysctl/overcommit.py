# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Limit how much memory the kernel promises, and refuse a limit under which no process could start.

Pure. Sources: Documentation/mm/overcommit-accounting.rst, mm/util.c:vm_commit_limit,
__vm_enough_memory.
"""

import functools
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlPlan,
    SysctlPolicy,
    SysctlValues,
    explain_boot_value,
    suggest_boot_fix,
)

ADMIN_RESERVE, USER_RESERVE = "vm.admin_reserve_kbytes", "vm.user_reserve_kbytes"
RATIO, KBYTES, MODE = "vm.overcommit_ratio", "vm.overcommit_kbytes", "vm.overcommit_memory"

KEYS = (ADMIN_RESERVE, USER_RESERVE, RATIO, KBYTES, MODE)

MODES = {"heuristic": 0, "always": 1, "never": 2, "0": 0, "1": 1, "2": 2}
NEVER = MODES["never"]

ADMIN_RESERVE_MAX_KB, USER_RESERVE_MAX_KB = 8 << 10, 128 << 10  # include/linux/sizes.h in mm/mmap.c
ADVISED_RESERVE_KB = 128 << 10  # Documentation/admin-guide/sysctl/vm.rst, for mode 2
# What must be left to start a container: several programs in Go run at once. Measured with Docker
# 20.10 and runc 1.1 on Debian 12: they are promised 680 to 745 MiB. With 608 MiB left no container
# started, with 832 all did without a fault. Of CRI-O nothing was measured; it runs runc, too.
CONTAINER_START_KB = 832 << 10

LARGEST = {
    "ratio": (1 << 31) - 1,
    "kbytes": (1 << 63) - 1,
    "admin_reserve_kbytes": (1 << 63) - 1,
    "user_reserve_kbytes": (1 << 63) - 1,
}


# --- options ----------------------------------------------------------------------


def overcommit_sysctls(
    mode: Optional[str],
    ratio: Optional[int],
    kbytes: Optional[int],
    admin_reserve: Optional[int],
    user_reserve: Optional[int],
) -> Dict[str, int]:
    """Return the sysctls that these options set.

    Raises InputError if no option is set, and for values that no host should have.
    """
    if ratio is not None and kbytes is not None:
        raise InputError(
            f"ratio={ratio} and kbytes={kbytes} exclude each other: a write to one makes the kernel set the other"
            " to 0; set only one of them"
        )
    _check_limit("ratio", ratio)
    _check_limit("kbytes", kbytes)
    _check_range("ratio", ratio)
    _check_range("kbytes", kbytes)
    _check_range("admin_reserve_kbytes", admin_reserve)
    _check_range("user_reserve_kbytes", user_reserve)
    given = {
        ADMIN_RESERVE: admin_reserve,
        USER_RESERVE: user_reserve,
        RATIO: ratio,
        KBYTES: kbytes,
        MODE: None if mode is None else MODES[mode],
    }
    found = {key: value for key, value in given.items() if value is not None}
    if not found:
        raise InputError("no option is set; set mode, ratio, kbytes, admin_reserve_kbytes or user_reserve_kbytes")
    return found


def _check_limit(option: str, value: Optional[int]) -> None:
    if value is not None and value < 1:
        raise InputError(
            f"{option}={shorten(value)} lets the kernel promise only swap:"
            " on a host without swap no process could start; set 1 or more"
        )


def _check_range(option: str, value: Optional[int]) -> None:
    if value is not None and not 0 <= value <= LARGEST[option]:
        raise InputError(f"{option}={shorten(value)} is out of range, up to {LARGEST[option]}; set a lower number")


def check_headroom_percent(headroom_percent: int) -> None:
    """Raise InputError unless this is a percentage."""
    if not 0 <= headroom_percent <= 100:
        raise InputError(f"headroom_percent={shorten(headroom_percent)} is out of range, 0 to 100; set a number in it")


# --- arithmetic -------------------------------------------------------------------


class CommitMemory(NamedTuple):
    """The numbers of /proc/meminfo that decide the limit, in KiB."""

    total_kb: int
    huge_kb: int  # the pool of huge pages, used or not
    swap_kb: int
    committed_kb: int  # Committed_AS
    page_kb: int = 4


def parse_commit_memory(meminfo: str, page_kb: int) -> CommitMemory:
    """Return the numbers in the text of /proc/meminfo.

    Raises UnsupportedError if it lacks a line that every kernel of today has.
    """
    found = Meminfo(meminfo)
    # Before kernel 4.17 /proc/meminfo has only the pool of the default huge page size.
    huge_kb = found.get("Hugetlb", found.get("HugePages_Total", 0) * found.get("Hugepagesize", 0))
    return CommitMemory(found["MemTotal"], huge_kb, found["SwapTotal"], found["Committed_AS"], page_kb)


def commit_limit_kb(memory: CommitMemory, values: SysctlValues) -> int:
    """Return CommitLimit for these sysctls in KiB. The kernel calculates in whole pages."""
    page, kbytes = memory.page_kb, values[KBYTES]
    if kbytes:
        return kbytes // page * page + memory.swap_kb
    return (memory.total_kb - memory.huge_kb) // page * (values[RATIO] or 0) // 100 * page + memory.swap_kb


def admin_reserve_kb(memory: CommitMemory, values: SysctlValues) -> int:
    """Return what is promised only to root, in KiB; at boot the kernel chooses."""
    reserve = values[ADMIN_RESERVE]
    return start_reserve_kb(memory, ADMIN_RESERVE_MAX_KB) if reserve is None else reserve


def start_reserve_kb(memory: CommitMemory, most_kb: int) -> int:
    """Return the reserve that a kernel starts with, in KiB.

    That is 1/32 of the memory that is free early at boot, so nearly of all, up to a maximum.
    """
    return min(memory.total_kb // 32, most_kb)


def needed_reserve_kb(memory: CommitMemory, run_kb: int) -> int:
    """Return the reserve that a run by root needs when users have taken all other promises, in KiB.

    The kernel's counter of promises may lag by 1/256 of memory (mm/mm_init.c:mm_compute_batch), so
    users may take that much of the reserve as well. It is added up to ADVISED_RESERVE_KB in all.
    """
    lag = min(memory.total_kb // 256, max(0, ADVISED_RESERVE_KB - run_kb))
    return -(-(run_kb + lag) // 1024) * 1024


class Lockout(NamedTuple):
    """Why no process could start."""

    key: str  # the sysctl that is the cause
    reason: str
    remedy: str


def is_stricter(before: SysctlValues, after: SysctlValues, memory: CommitMemory) -> bool:
    """Whether root or other users may be promised less after the change than before it."""
    if after[MODE] != NEVER:
        return False
    if before[MODE] != NEVER:
        return True
    more_for_all = commit_limit_kb(memory, after) - commit_limit_kb(memory, before)
    more_for_root = admin_reserve_kb(memory, after) - admin_reserve_kb(memory, before)
    return more_for_all < more_for_root or more_for_root < 0


def find_lockout(
    before: SysctlValues,
    after: SysctlValues,
    memory: CommitMemory,
    headroom_percent: int,
    run_kb: Callable[[], int],
) -> Optional[Lockout]:
    """Return why nobody could log in after the change; None if one could, or it is not stricter.

    The memory that is already promised counts against the new limit. C(run_kb) measures what a run
    of this module and its login take, in KiB: users may take everything that the reserve does not
    keep for root, and without a reserve for them, users could not log in either.
    """
    if not is_stricter(before, after, memory):
        return None
    limit = commit_limit_kb(memory, after)
    headroom = limit - memory.committed_kb
    figures = f"CommitLimit would be {limit} KiB, and {memory.committed_kb} KiB are already promised (Committed_AS)"
    if headroom < 0 or headroom * 100 < limit * headroom_percent:
        size = (
            f"{-headroom} KiB too much"
            if headroom < 0
            else f"which leaves {headroom} KiB, less than headroom_percent={headroom_percent}"
        )
        return Lockout(
            KBYTES if after[KBYTES] else RATIO,
            f"{figures}, {size}: processes would fail to start, sshd and Ansible among them",
            "raise ratio or kbytes, or add swap",
        )
    reserve = admin_reserve_kb(memory, after)
    run = run_kb()
    needed = needed_reserve_kb(memory, run)
    if headroom < reserve:
        lower = f", or lower admin_reserve_kbytes to {needed}" if needed + run <= headroom else ""
        return Lockout(
            ADMIN_RESERVE,
            f"{figures}, and admin_reserve_kbytes={reserve} keeps the remaining {headroom} KiB for root",
            f"raise ratio or kbytes, or add swap{lower}",
        )
    if reserve < needed:
        return Lockout(
            ADMIN_RESERVE,
            f"users can take every promise that admin_reserve_kbytes={reserve} does not keep for root, and"
            f" on this host root needs {needed} KiB to log in and run this module",
            f"set admin_reserve_kbytes to {needed} or more",
        )
    if headroom - reserve < run:
        return Lockout(
            KBYTES if after[KBYTES] else RATIO,
            f"{figures}, and admin_reserve_kbytes={reserve} leaves {headroom - reserve} KiB of the rest to users, who"
            f" need {run} KiB on this host to log in and start a module",
            "raise ratio or kbytes, or add swap",
        )
    return None


# --- the policy -------------------------------------------------------------------


class OvercommitPolicy(SysctlPolicy):
    """The rules of the module overcommit."""

    manager = "overcommit"
    keys = KEYS

    def __init__(
        self,
        wanted: Dict[str, int],
        memory: CommitMemory,
        headroom_percent: int,
        run_kb: Callable[[], int],
        engine: Optional[str] = None,
    ) -> None:
        self.wanted = wanted
        self.memory = memory
        self.headroom_percent = headroom_percent
        self.engine = engine  # which starts containers on this host
        self._run_kb = functools.lru_cache(maxsize=None)(run_kb)  # it reads all processes

    def replace_wanted(self, wanted: Dict[str, int]) -> "OvercommitPolicy":
        """Return the same rules for other wanted values."""
        return OvercommitPolicy(wanted, self.memory, self.headroom_percent, self._run_kb, self.engine)

    def kernel_defaults(self) -> Dict[str, int]:
        """Return the reserves that a kernel chooses at boot.

        Source: mm/mmap.c:init_admin_reserve, init_user_reserve.
        """
        return {
            ADMIN_RESERVE: start_reserve_kb(self.memory, ADMIN_RESERVE_MAX_KB),
            USER_RESERVE: start_reserve_kb(self.memory, USER_RESERVE_MAX_KB),
        }

    def write_order(self, live: SysctlValues) -> List[str]:
        """Return an order in which no moment has a stricter limit than the end.

        The limit comes before the mode that enforces it, and after the mode when
        the change ends the enforcement.
        """
        leaves_never = live[MODE] == NEVER and self.wanted.get(MODE, NEVER) != NEVER
        return sorted(KEYS, key=lambda key: key != MODE) if leaves_never else list(KEYS)

    def related_keys(self) -> List[str]:
        """Return what makes the limit, which the next boot must set to the same size."""
        return [RATIO, KBYTES] if self.wanted.get(MODE) == NEVER else []

    def refuse_harm(self, plan: SysctlPlan) -> None:
        """Raise InputError if no process could start, at once or after the next boot."""
        lockout, when = self._find_lockout(plan.before.live, plan.after.live), ""
        if lockout is not None and not plan.request.absent:
            raise InputError(f"mode=never: {lockout.reason}; {lockout.remedy} (force=true overrides)")
        if lockout is None:
            lockout, when = self._find_lockout(plan.before.boot_values, plan.after.boot_values), " after the next boot"
        if lockout is not None:
            option = "admin_reserve_kbytes" if lockout.key == ADMIN_RESERVE else "ratio or kbytes"
            key, option = (MODE, "mode") if plan.request.absent else (lockout.key, option)
            sources = f"{explain_boot_value(plan, MODE)}; {explain_boot_value(plan, lockout.key)}"
            raise InputError(
                f"mode=never{when} ({sources}): {lockout.reason};"
                f" {suggest_boot_fix(plan, key, option)} (force=true overrides)"
            )

    def _find_lockout(self, before: SysctlValues, after: SysctlValues) -> Optional[Lockout]:
        return find_lockout(before, after, self.memory, self.headroom_percent, self._run_kb)

    def can_stop_processes(self, before: SysctlValues, after: SysctlValues) -> bool:
        """Whether the limit is stricter.

        If it is not, a proof would only let a user who takes all promises stop the remedy.
        """
        return is_stricter(before, after, self.memory)

    def figures(self, plan: SysctlPlan) -> Dict[str, Any]:
        """Return C(commit_limit_kb), C(committed_as_kb) and C(headroom_kb)."""
        limit, committed = commit_limit_kb(self.memory, plan.after.live), self.memory.committed_kb
        return dict(commit_limit_kb=limit, committed_as_kb=committed, headroom_kb=limit - committed)

    def warnings_for(self, live: SysctlValues) -> List[str]:
        """Return warnings of a limit too high to prevent a kill, or too low for containers."""
        if live[MODE] != NEVER:
            return []
        limit = commit_limit_kb(self.memory, live)
        most = self.memory.total_kb + self.memory.swap_kb
        warnings = []
        if limit > most:
            warnings.append(
                f"mode=never: CommitLimit is {limit} KiB, more than memory and swap together ({most} KiB):"
                " the OOM killer will still be called; lower ratio or kbytes"
            )
        left = limit - self.memory.committed_kb
        if self.engine is not None and left < CONTAINER_START_KB:
            warnings.append(
                f"mode=never: {self.engine} may start no container, because only {max(0, left)} KiB of CommitLimit are"
                f" left and a start needs up to {CONTAINER_START_KB} KiB; raise ratio or kbytes, or add swap"
            )
        return warnings
