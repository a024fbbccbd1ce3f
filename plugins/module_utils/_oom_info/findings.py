# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find what is wrong with a host's posture, before anything dies.

Pure. Each finding has a stable id with a section in docs/findings.md, and the task that repairs it.
"""

from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import (
    LEAST_KILLABLE_PERCENT,
    SCORE_MIN,
    Killable,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of, printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UnboundPin, UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.advice import advise_for_victim
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import (
    ON_OOM,
    PINS,
    PROMISES,
    Fix,
    calm_panic,
    join_targets,
    keep_live_value,
    pin_process,
    reboot_after_panic,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import (
    INIT,
    KillCounts,
    PinnedUnit,
    Snapshot,
    Task,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Death
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import describe_task

HIGH, MEDIUM, LOW = "high", "medium", "low"
BOOT_DIFFERS = "boot_differs"
MAX_FINDINGS = 50
_LEAST_HEADROOM_PERCENT = 10
_SHOWN = 3  # names in one message
_MAX_TARGETS = 20  # of one fix
_LAST = SCORE_MIN + 1  # dies last, but can
NEVER = 2  # vm.overcommit_memory


class Policy(NamedTuple):
    """The sysctls that decide about memory: live, and at the next boot."""

    live: Mapping[str, Optional[int]]
    boot: Mapping[str, Optional[int]]
    boot_value_from: Mapping[str, Optional[str]]
    crash_kernel: bool = False  # a panic starts one, which reboots


class LostPin(NamedTuple):
    """A pin by a name whose process has ended."""

    target: str  # such as process=haproxy
    score: int
    successors: Tuple[int, ...] = ()  # pids that the target selects now, started after that process


class Posture(NamedTuple):
    """All that findings are made from."""

    snapshot: Snapshot
    policy: Policy
    pinned: Sequence[PinnedUnit]
    domain: Domain
    next_victim: Optional[Death]
    killability: Killable
    lost_pins: Tuple[LostPin, ...] = ()
    killers: Sequence[UserKiller] = ()
    unbound: Sequence[UnboundPin] = ()  # pins that a running killer does not go by
    kills: KillCounts = KillCounts()


class Finding(NamedTuple):
    """One thing that is wrong, and how to repair it."""

    id: str
    severity: str
    object: str
    message: str
    fix: Optional[Fix]  # None: no task of this collection repairs it


def measure_killability(snapshot: Snapshot) -> Killable:
    """Return how much resident memory can be killed."""
    immune = sum(task.rss_kb for task in snapshot.tasks.values() if is_immune(task))
    return Killable(sum(task.rss_kb for task in snapshot.tasks.values()) - immune, immune)


def is_immune(task: Task) -> bool:
    """Return whether no OOM can kill a process (mm/oom_kill.c:oom_unkillable_task)."""
    return task.score == SCORE_MIN or task.pid == INIT


def is_protected(task: Task) -> bool:
    """Return whether a pin spares a process as long as there are others."""
    return SCORE_MIN < task.score < 0 and task.pid != INIT


def find_all(posture: Posture) -> List[Finding]:
    """Return every finding, the most severe first."""
    found = [finding for check in _CHECKS for finding in check(posture)]
    fixes = join_targets([finding.fix for finding in found], posture.pinned)
    found = [finding._replace(fix=fix) for finding, fix in zip(found, fixes)]
    return sorted(found, key=lambda one: (HIGH, MEDIUM, LOW).index(one.severity))[:MAX_FINDINGS]


def _join(tasks: Sequence[Task]) -> str:
    names = ", ".join(describe_task(task) for task in tasks[:_SHOWN])
    return names + (f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else "")


# --- the kernel's settings ---------------------------------------------------------------


def _find_panics(posture: Posture) -> Iterator[Finding]:
    live = posture.policy.live
    on_oom = live.get("vm.panic_on_oom") or 0
    if on_oom and live.get("kernel.panic") == 0 and not posture.policy.crash_kernel:
        yield Finding(
            "panic_hangs",
            HIGH,
            "kernel.panic",
            f"vm.panic_on_oom={on_oom} and kernel.panic=0: a host that runs out of memory panics, and then hangs"
            " until it is reset",
            reboot_after_panic(),
        )
    limited = [cgroup.path for cgroup in posture.snapshot.cgroups.values() if cgroup.limit_kb is not None]
    if on_oom == NEVER and limited:
        yield Finding(
            "panic_on_cgroup",
            HIGH,
            "vm.panic_on_oom",
            f"vm.panic_on_oom=2: any of {len(limited)} cgroups with a memory limit, such as"
            f" {printable_name(limited[0])}, panics the whole host when it meets its limit",
            calm_panic(live, posture.policy.crash_kernel),
        )


def _find_ignored_pins(posture: Posture) -> Iterator[Finding]:
    pinned = [task for task in posture.snapshot.tasks.values() if is_protected(task)]
    if posture.policy.live.get("vm.oom_kill_allocating_task") and pinned:
        yield Finding(
            "allocating_task_ignores_pins",
            HIGH,
            "vm.oom_kill_allocating_task",
            "vm.oom_kill_allocating_task=1: a host that runs out of memory kills the process that asks for more,"
            f" whatever its score; {len(pinned)} pins do nothing then: {_join(pinned)}",
            Fix(ON_OOM, dict(kill_allocating_task=False)),
        )


def _find_unbound_pins(posture: Posture) -> Iterator[Finding]:
    """Yield a finding for each running killer that does not go by some pins."""
    for killer in dict.fromkeys(one.killer for one in posture.unbound):
        unbound = [one for one in posture.unbound if one.killer == killer]
        names = ", ".join(one.service.name for one in unbound[:_SHOWN])
        more = f" and {len(unbound) - _SHOWN} more" if len(unbound) > _SHOWN else ""
        ours = {one.unit for one in posture.pinned}
        targets = [
            dict(
                {} if one.service.unit in ours else {"score": one.service.score},
                unit=one.service.unit,
                managed_oom_preference=one.preference,
            )
            for one in unbound
            # A preference that could not be read is of a systemd that has none.
            if one.service.unit and one.service.preference is not None and one.preference
        ]
        yield Finding(
            "pin_ignored_by_killer",
            MEDIUM,
            killer,
            f"{count_of(len(unbound), 'pin')} {'does' if len(unbound) == 1 else 'do'} not count for {killer},"
            f" which runs: {names}{more}; {unbound[0].remedy}",
            Fix(PINS, targets=tuple(targets)) if targets else None,
        )


def _find_lockout(posture: Posture) -> Iterator[Finding]:
    host = posture.snapshot.host
    headroom = host.commit_limit_kb - host.committed_kb
    if posture.policy.live.get("vm.overcommit_memory") != NEVER:
        return
    if headroom * 100 < host.commit_limit_kb * _LEAST_HEADROOM_PERCENT:
        yield Finding(
            "overcommit_lockout",
            HIGH,
            "vm.overcommit_memory",
            f"vm.overcommit_memory=2 and only {max(0, headroom)} KiB of {host.commit_limit_kb} KiB are not promised"
            " yet: soon no process can start, not even a login",
            Fix(PROMISES, dict(mode="heuristic")),
        )


def _find_boot_differences(posture: Posture) -> Iterator[Finding]:
    policy = posture.policy
    for key, live in policy.live.items():
        boot = policy.boot.get(key)
        if live is None or boot is None or live == boot:
            continue
        source = policy.boot_value_from.get(key)
        yield Finding(
            BOOT_DIFFERS,
            MEDIUM,
            key,
            f"{key} is {live}, and {boot} after the next boot ({f'{source} sets it' if source else 'no file sets it'})",
            keep_live_value(key, policy.live, policy.boot, policy.crash_kernel),
        )


# --- who can be killed -----------------------------------------------------------------


def _find_nothing_killable(posture: Posture) -> Iterator[Finding]:
    share = posture.killability
    if share.percent >= LEAST_KILLABLE_PERCENT:
        return
    largest = sorted(filter(is_immune, posture.snapshot.tasks.values()), key=lambda task: -task.rss_kb)
    yield Finding(
        "nothing_killable",
        HIGH,
        "host",
        f"only {share.percent} % of the memory of processes can be killed ({share.killable_kb} KiB, immune"
        f" {share.immune_kb} KiB: {_join(largest)}): a host that runs out of memory finds no victim and panics",
        _make_killable(posture, largest),
    )


def _make_killable(posture: Posture, immune: Sequence[Task]) -> Optional[Fix]:
    """Return the task for as many of these processes, the largest first, as have to be killable."""
    share, targets = posture.killability, []
    for task in [task for task in immune if task.pid != INIT][:_MAX_TARGETS]:
        if share.percent >= LEAST_KILLABLE_PERCENT:
            break
        share = Killable(share.killable_kb + task.rss_kb, share.immune_kb - task.rss_kb)
        targets.append(pin_process(posture.pinned, task, _LAST))
    is_enough = share.percent >= LEAST_KILLABLE_PERCENT
    return Fix(PINS, targets=tuple(targets)) if is_enough else None


def _find_inherited_immunity(posture: Posture) -> Iterator[Finding]:
    tasks = posture.snapshot.tasks
    heirs: Dict[int, List[Task]] = {}
    for task in tasks.values():
        parent = tasks.get(task.parent)
        if task.score == SCORE_MIN and parent is not None and parent.score == SCORE_MIN and parent.pid != INIT:
            heirs.setdefault(parent.pid, []).append(task)
    for pid, children in heirs.items():
        parent = tasks[pid]
        yield Finding(
            "inherited_immunity",
            MEDIUM,
            describe_task(parent),
            f"{describe_task(parent)} is immune, and {len(children)} processes that it started inherited that:"
            f" {_join(children)}; if one of them leaks, everything else dies first",
            Fix(PINS, targets=(pin_process(posture.pinned, parent, _LAST, children="reset"),)),
        )


def _find_protected_victim(posture: Posture) -> Iterator[Finding]:
    death = posture.next_victim
    if death is not None and is_protected(death.victim.task):
        task = death.victim.task
        yield Finding(
            "next_victim_is_protected",
            HIGH,
            describe_task(task),
            f"{describe_task(task)} is pinned at {task.score}, and is still the next victim of {posture.domain}"
            f"{'' if death.certain else ' (not certain)'}: it holds more than the pin is worth",
            _lower_victim(posture, death),
        )


def _lower_victim(posture: Posture, death: Death) -> Optional[Fix]:
    """Return the task with which a process without a pin dies in the place of one with a pin."""
    score = advise_for_victim(posture.snapshot, posture.domain, death, is_protected)
    if score is None:
        return None
    return Fix(PINS, targets=(pin_process(posture.pinned, death.victim.task, score),))


# --- pins of units ---------------------------------------------------------------------


def _find_lost_pins(posture: Posture) -> Iterator[Finding]:
    tasks = posture.snapshot.tasks
    for pinned in posture.pinned:
        task = tasks.get(pinned.main_pid)
        if pinned.after_restart != pinned.score:
            yield Finding(
                "pin_not_lasting",
                MEDIUM,
                pinned.unit,
                f"the drop-in of {pinned.unit} sets {pinned.score}, but a later file of the unit wins: its next"
                f" process starts with {pinned.after_restart}; look for OOMScoreAdjust in systemctl cat {pinned.unit}",
                None,
            )
        elif task is not None and task.score != pinned.score:
            yield Finding(
                "pin_lost",
                MEDIUM,
                pinned.unit,
                f"{describe_task(task)} has the score {task.score}, not {pinned.score} as its drop-in says",
                Fix(PINS, targets=(dict(unit=pinned.unit),)),
            )
        others = [one for one in tasks.values() if pinned.control_group in one.cgroups and one.pid != pinned.main_pid]
        if pinned.main_pid and others and _is_undone(pinned):
            is_wanted = pinned.own_policy == pinned.oom_policy
            yield Finding(
                "pin_undone_by_oom_policy",
                MEDIUM,
                pinned.unit,
                f"{pinned.unit} is pinned at {pinned.score}, but with OOMPolicy={pinned.oom_policy}"
                f"{', which its task asks for,' if is_wanted else ''} it goes down with any of its other processes:"
                f" {_join(others)}",
                None if is_wanted else Fix(PINS, targets=(dict(unit=pinned.unit, oom_policy="continue"),)),
            )


def _is_undone(pinned: PinnedUnit) -> bool:
    """Return whether the OOMPolicy of a unit ends its pinned process with any other one.

    The kernel spares an immune process where it kills a group, and systemd stops all.
    """
    return pinned.score < 0 and (
        pinned.oom_policy == "stop" or (pinned.oom_policy == "kill" and pinned.score > SCORE_MIN)
    )


def _find_lost_names(posture: Posture) -> Iterator[Finding]:
    """Yield a finding for each pin by a name whose next process runs without it."""
    tasks = posture.snapshot.tasks
    for lost in sorted(posture.lost_pins):
        successors = [tasks[pid] for pid in lost.successors if pid in tasks]
        if successors and all(task.score != lost.score for task in successors):
            selector, _equals, value = lost.target.partition("=")
            yield Finding(
                "pin_lost",
                MEDIUM,
                lost.target,
                f"{lost.target} was pinned at {lost.score}, and that process has ended; what runs now has another"
                f" score: {_join(successors)}; let the unit or the script that starts it set the score",
                Fix(PINS, targets=({selector: value, "score": lost.score},)),
            )


# --- cgroups, and what is not known ----------------------------------------------------


def _find_in_cgroups(posture: Posture) -> Iterator[Finding]:
    cgroups = posture.snapshot.cgroups
    for path, cgroup in cgroups.items():
        if cgroup.kill_disabled:
            yield Finding(
                "cgroup_hangs",
                HIGH,
                printable_name(path),
                f"cgroup {printable_name(path)} has oom_kill_disable=1: at its limit its processes wait, and nothing"
                " is killed",
                None,
            )
        parent = cgroups.get(path.rpartition("/")[0])
        wanted = cgroup.min_kb or 0
        if parent is not None and wanted > (parent.min_kb or 0) and parent.min_kb is not None:
            yield Finding(
                "memory_protection_capped",
                LOW,
                printable_name(path),
                f"cgroup {printable_name(path)} has memory.min of {wanted} KiB, but the one above it only"
                f" {parent.min_kb} KiB, and that is all it gets",
                None,
            )


def _find_unknowns(posture: Posture) -> Iterator[Finding]:
    snapshot = posture.snapshot
    if snapshot.rule is None:
        yield Finding(
            "rule_unknown",
            MEDIUM,
            "kernel",
            f"no rule is known for the kernel {snapshot.release}: nothing is predicted",
            None,
        )
    if snapshot.is_container:
        yield Finding(
            "processes_hidden",
            LOW,
            "/proc",
            "only the processes of a container are seen, and others may die first, so no prediction is certain: run it"
            " on the host",
            None,
        )
    elif snapshot.is_hidden:
        yield Finding(
            "processes_hidden",
            LOW,
            "/proc",
            "the processes of other users are hidden (hidepid), so no prediction is certain: run as root",
            None,
        )


def _find_unlogged_kills(posture: Posture) -> Iterator[Finding]:
    kills = posture.kills
    if kills.counted <= kills.logged:
        return
    lost = f" ({kills.overwritten} older records were overwritten)" if kills.overwritten else ""
    yield Finding(
        "kills_unlogged",
        LOW,
        "kernel log",
        f"the kernel counted {kills.counted} kills since boot, and its log names {kills.logged} of them{lost}: look"
        " for the others in the journal with oom_events",
        None,
    )


_CHECKS: Sequence[Callable[[Posture], Iterator[Finding]]] = (
    _find_panics,
    _find_ignored_pins,
    _find_unbound_pins,
    _find_lockout,
    _find_boot_differences,
    _find_nothing_killable,
    _find_inherited_immunity,
    _find_protected_victim,
    _find_lost_pins,
    _find_lost_names,
    _find_in_cgroups,
    _find_unknowns,
    _find_unlogged_kills,
)
