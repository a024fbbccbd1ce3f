# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Compute what the kernel's OOM killer ranks processes by, for every version since 2.6.36.

Pure. Sizes are in pages, as in the kernel. Each rule names the change that made it. The source is
mm/oom_kill.c: oom_badness() for the sum, select_bad_process() and oom_evaluate_task() for ties, and
oom_kill_process() for the child that older kernels kill instead.
"""

import re
from typing import NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN

_RELEASE = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})(?:\.([0-9]{1,5}))?")
_ROOT_SCORE = 30
_ROOT_PERCENT = 3
_PERMILLE = 1000

Version = Tuple[int, ...]


class Footprint(NamedTuple):
    """The memory of a process in pages, and what else decides its badness."""

    rss: int
    swap: int
    pte: int  # page tables of the lowest level; since 4.15 of all levels
    pmd: int  # of the second level, before 4.15
    score: int  # oom_score_adj
    root: bool  # CAP_SYS_ADMIN is effective


class BadnessRule(NamedTuple):
    """The arithmetic of some kernel versions."""

    in_pages: bool = True  # else in thousandths of all memory
    pte: bool = True  # page tables count
    pmd: bool = False
    root_score: int = 0  # taken from the score of a process with CAP_SYS_ADMIN
    root_percent: int = 0  # taken from the memory of such a process
    floor: Optional[int] = 1  # the lowest badness; None: it may be negative
    last_wins: bool = False  # of equal processes the last one is killed, else the first one
    kills_child: bool = False  # a child with its own memory may be killed instead of the process
    # The killer reads the counters of /proc/PID/stat, else those of status. None: not known which.
    approximate: Optional[bool] = True


_FIRST = BadnessRule(in_pages=False, pte=False, root_score=_ROOT_SCORE, kills_child=True)
_PAGES = _FIRST._replace(in_pages=True, pte=True)
_ROOT_SHARE = _PAGES._replace(root_score=0, root_percent=_ROOT_PERCENT)
_NO_BONUS = _ROOT_SHARE._replace(root_percent=0)
_NO_CHILD = _NO_BONUS._replace(kills_child=False)
_LAST_WINS = _NO_CHILD._replace(last_wins=True)
_SIGNED = _LAST_WINS._replace(floor=None)

# The first version with each rule, newest first.
RULES: Tuple[Tuple[Version, BadnessRule], ...] = (
    # "mm: fix OOM killer inaccuracy on large many-core systems": it sums the counters of all CPUs.
    # 7.2 has it, and 6.18 does not. In between either may hold.
    ((7, 2), _SIGNED._replace(approximate=False)),
    ((6, 19), _SIGNED._replace(approximate=None)),
    # 9066e5cfb73c "mm, oom: make the calculation of oom badness more accurate"; the long-term 5.4
    # took it, too, so what the kernel shows decides, see choose_rule().
    ((5, 9), _SIGNED),
    # The walk over a cgroup skips all threads but the leader, and of equal ones takes the later.
    ((5, 3), _LAST_WINS),
    # bbbe48029720 "mm, oom: remove 'prefer children over parent' heuristic"
    ((5, 1), _NO_CHILD),
    # d46078b28889 "mm, oom: remove 3% bonus for CAP_SYS_ADMIN processes"
    ((4, 17), _NO_BONUS),
    # af5b0f6a09e4 "mm: consolidate page table accounting": one counter for all levels
    ((4, 15), _ROOT_SHARE),
    # dc6c9a35b66b "mm: account pmd page tables to the process"
    ((4, 0), _ROOT_SHARE._replace(pmd=True)),
    # 778c14affaf9 "mm, oom: base root bonus on current usage"
    ((3, 14), _ROOT_SHARE),
    # a7f638f999ff "mm, oom: normalize oom scores to oom_score_adj scale only for userspace"
    ((3, 5), _PAGES),
    # f755a042d82b "oom: use pte pages in OOM score"
    ((2, 6, 39), _FIRST._replace(pte=True)),
    # a63d83f427fb "oom: badness heuristic rewrite"
    ((2, 6, 36), _FIRST),
)

# Kernels of Red Hat and its rebuilds that took later rules than their number says, and the version
# that has these: 4.18 of release 8 prints the messages of 5.4. Others that are built for a release,
# such as 5.4.196-1.el7.elrepo or 5.15.0-100.96.32.el8uek, have the rules of their number.
RED_HAT: Tuple[Tuple["re.Pattern[str]", Version], ...] = (
    (re.compile(r"2\.6\.32-.*\.el6(?:[._]|\Z)"), (2, 6, 36)),
    (re.compile(r"4\.18\.0-.*\.el8(?:[._]|\Z)"), (5, 3)),
)


def parse_release(release: str) -> Optional[Version]:
    """Return the version whose rules a kernel release such as C(4.18.0-553.el8_10) has, or None."""
    red_hat = next((version for pattern, version in RED_HAT if pattern.match(release)), None)
    if red_hat is not None:
        return red_hat
    match = _RELEASE.match(release)
    return tuple(int(number) for number in match.groups() if number is not None) if match else None


def choose_rule(release: str, signed: Optional[bool] = None) -> Optional[BadnessRule]:
    """Return the rule of this kernel release; None for a version that no rule is known for.

    C(signed) is what the kernel itself shows of its rule, see C(is_signed): it decides where a
    vendor took a later rule.
    """
    version = parse_release(release)
    rule = next((rule for first, rule in RULES if version is not None and version >= first), None)
    if rule is None or signed is None or signed == (rule.floor is None):
        return rule
    return _SIGNED._replace(approximate=rule.approximate) if signed else rule._replace(floor=1)


def is_signed(score: int, shown: int) -> Optional[bool]:
    """Return whether /proc/PID/oom_score of a process is of the rule since 5.9; None if both fit.

    That rule shows two thirds of 1000 more than before, for a process with C(score).
    Source: fs/proc/base.c:proc_oom_score.
    """
    least = (_PERMILLE + score) * 2 // 3
    if shown == 0 or least <= max(score, 1):
        return None
    return shown >= least


def compute_badness(rule: BadnessRule, task: Footprint, total: int) -> Optional[int]:
    """Return a process's badness in pages, by the oldest rule in thousandths; None if immune.

    C(total) is all memory that the killer may take from, in pages.
    """
    if task.score == SCORE_MIN:
        return None
    used = task.rss + task.swap + (task.pte if rule.pte else 0) + (task.pmd if rule.pmd else 0)
    score = task.score - (rule.root_score if task.root else 0)
    if not rule.in_pages:
        return min(max(used * _PERMILLE // max(total, 1) + score, 1), _PERMILLE)
    if task.root and rule.root_percent:
        used -= used * rule.root_percent // 100
    badness = used + score * (total // _PERMILLE)
    return badness if rule.floor is None else max(badness, rule.floor)


def show_score(rule: BadnessRule, badness: int, total: int) -> int:
    """Return a badness as /proc/PID/oom_score and the kernel's log show it."""
    if not rule.in_pages:
        return badness
    share = abs(badness) * _PERMILLE // max(total, 1)  # C truncates
    if rule.floor is not None:
        return share
    return max(0, (_PERMILLE + (share if badness >= 0 else -share)) * 2 // 3)
