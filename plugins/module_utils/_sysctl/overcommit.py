# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""How much memory the kernel promises: the arithmetic, the order of the writes, and what would lock everybody out.

Pure. Sources: Documentation/mm/overcommit-accounting.rst, mm/util.c:vm_commit_limit, __vm_enough_memory.
"""

from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo

ADMIN_RESERVE, USER_RESERVE = "vm.admin_reserve_kbytes", "vm.user_reserve_kbytes"
RATIO, KBYTES, MODE = "vm.overcommit_ratio", "vm.overcommit_kbytes", "vm.overcommit_memory"

KEYS = (ADMIN_RESERVE, USER_RESERVE, RATIO, KBYTES, MODE)

MODES = {"heuristic": 0, "always": 1, "never": 2}
NEVER = MODES["never"]

LARGEST = {
    "ratio": (1 << 31) - 1,
    "kbytes": (1 << 63) - 1,
    "admin_reserve_kbytes": (1 << 63) - 1,
    "user_reserve_kbytes": (1 << 63) - 1,
}


class Memory(NamedTuple):
    """What /proc/meminfo says, in KiB."""

    total_kb: int
    huge_kb: int  # the pool of huge pages, used or not
    swap_kb: int
    committed_kb: int  # Committed_AS
    page_kb: int = 4


def memory(meminfo: str, page_kb: int) -> Memory:
    """The text of /proc/meminfo. Raises UnsupportedError where a line of it is missing that every kernel of today has."""
    found = Meminfo(meminfo)
    # Before kernel 4.17 only the pool of the default size is told.
    huge_kb = found.get("Hugetlb", found.get("HugePages_Total", 0) * found.get("Hugepagesize", 0))
    return Memory(found["MemTotal"], huge_kb, found["SwapTotal"], found["Committed_AS"], page_kb)


def wanted(
    mode: Optional[str],
    ratio: Optional[int],
    kbytes: Optional[int],
    admin_reserve: Optional[int],
    user_reserve: Optional[int],
) -> Dict[str, int]:
    """Sysctls by name. Raises InputError for what no host should have."""
    if ratio is not None and kbytes is not None:
        raise InputError(
            f"ratio={ratio} and kbytes={kbytes}: the kernel makes one zero when the other is set; give one of them"
        )
    for name, value in (("ratio", ratio), ("kbytes", kbytes)):
        if value is not None and value < 1:
            raise InputError(
                f"{name}={value}: then only swap could be promised, on a host without swap nothing at all, and no process could start; give 1 or more"
            )
    for name, value in (
        ("ratio", ratio),
        ("kbytes", kbytes),
        ("admin_reserve_kbytes", admin_reserve),
        ("user_reserve_kbytes", user_reserve),
    ):
        if value is not None and not 0 <= value <= LARGEST[name]:
            raise InputError(f"{name}={value} is out of range, up to {LARGEST[name]}")
    given = {
        ADMIN_RESERVE: admin_reserve,
        USER_RESERVE: user_reserve,
        RATIO: ratio,
        KBYTES: kbytes,
        MODE: None if mode is None else MODES.get(mode, int(mode) if mode.isdigit() else None),
    }
    found = {key: value for key, value in given.items() if value is not None}
    if not found:
        raise InputError(
            "nothing is asked for: give mode, ratio or kbytes, admin_reserve_kbytes or user_reserve_kbytes"
        )
    return found


def order(live: Dict[str, Optional[int]], asked: Dict[str, int]) -> List[str]:
    """The limit stands before it binds, and binds no more before it falls."""
    leaves_never = live[MODE] == NEVER and asked.get(MODE, NEVER) != NEVER
    return sorted(KEYS, key=lambda key: key != MODE) if leaves_never else list(KEYS)


def leans_on(asked: Dict[str, int]) -> List[str]:
    """A limit that is asked for has to be the same at the next boot, whoever sets it."""
    return [RATIO, KBYTES] if asked.get(MODE) == NEVER else []


def check_percent(headroom_percent: int) -> None:
    if not 0 <= headroom_percent <= 100:
        raise InputError(f"headroom_percent={headroom_percent} is out of range, 0 to 100")


def commit_limit_kb(memory: Memory, ratio: Optional[int], kbytes: Optional[int]) -> int:
    """CommitLimit, as the kernel works it out in whole pages."""
    page = memory.page_kb
    if kbytes:
        return kbytes // page * page + memory.swap_kb
    return (memory.total_kb - memory.huge_kb) // page * (ratio or 0) // 100 * page + memory.swap_kb


def now(_key: str) -> Tuple[str, str]:
    return "mode=never", "raise ratio or kbytes, or add swap"


def refuse(
    before: Mapping[str, Optional[int]],
    after: Mapping[str, Optional[int]],
    memory: Memory,
    headroom_percent: int,
    told: Callable[[str], Tuple[str, str]] = now,
) -> None:
    """Raise InputError where promises that are already made would leave too little for anybody to start a process.

    Asked once for the live values, and once for those of the next boot.
    C(told) has when that is and what to do about it, from the sysctl that is the cause.
    """
    binding = (MODE, RATIO, KBYTES, ADMIN_RESERVE)
    if after[MODE] != NEVER or all(before[key] == after[key] for key in binding):
        return
    limit = commit_limit_kb(memory, after[RATIO], after[KBYTES])
    headroom = limit - memory.committed_kb
    figures = f"CommitLimit would be {limit} KiB, and {memory.committed_kb} KiB are promised already (Committed_AS)"
    if headroom < 0 or headroom * 100 < limit * headroom_percent:
        when, remedy = told(KBYTES if after[KBYTES] else RATIO)
        raise InputError(
            f"{when}: {figures}, which {(f'is {-headroom} KiB more' if headroom < 0 else f'leaves {headroom} KiB, less than headroom_percent={headroom_percent}')}: processes would fail to start, sshd and Ansible among them; {remedy} (force=true overrides)"
        )
    reserve = after[ADMIN_RESERVE] or 0
    if headroom < reserve:
        when, remedy = told(ADMIN_RESERVE)
        raise InputError(
            f"{when}: {figures}, and admin_reserve_kbytes={reserve} keeps the {headroom} KiB that are left from everybody but root; {remedy} (force=true overrides)"
        )


def doubts(after: Dict[str, Optional[int]], memory: Memory) -> List[str]:
    """What the limit does not do, for the user to know."""
    limit = commit_limit_kb(memory, after[RATIO], after[KBYTES])
    if after[MODE] == NEVER and limit > memory.total_kb + memory.swap_kb:
        return [
            f"mode=never: CommitLimit {limit} KiB is more than memory and swap, {memory.total_kb + memory.swap_kb} KiB: the OOM killer will still be called"
        ]
    return []
