# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Examine a host: predict what the OOM killer would kill, and find what is wrong."""

import contextlib
import pwd
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import LEAST_KILLABLE_PERCENT, SCORE_MAX
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.answers import (
    answer_for,
    keep_growers,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.asked_domain import (
    find_domain_cgroup,
    measure_domain,
    refuse_without_systemd,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    BOOT_DIFFERS,
    Finding,
    LostPin,
    Policy,
    Posture,
    find_all,
    measure_killability,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import (
    ON_OOM,
    PINS,
    PROMISES,
    Fix,
    keep_accepted,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.kill_counts import read_kill_counts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.killers import KillerFacts, look_at_killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.report import (
    Answer,
    Growers,
    ScoreChange,
    WhatIf,
    build_results,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.request import (
    AskedDomain,
    check_top,
    parse_domain,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.units import ask_for_units, read_units
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts, PinnedUnit, Snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import take_snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin, parse_target
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import TARGET_OPTIONS
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy, overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import values_at_boot
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host

if TYPE_CHECKING:  # a host compiles what it imports, and most have no pin without a drop-in
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import RecordedPin

_MAX_LOST = 20  # targets of ended pins that are looked for again
_MAX_NAMES = 20  # of users that are looked up; a look-up may ask a directory server


class Examined(NamedTuple):
    """Hold what was found out about a host, and the module's result about it."""

    posture: Posture
    results: Dict[str, Any]
    unread: List[str]  # parts of the posture that could not be read: sysctls, units, pins, kills


def read_policy() -> Policy:
    """Return the sysctls of the modules oom_policy and overcommit, now and at the next boot."""
    host = Host()
    keys = [*oom_policy.KEYS, *overcommit.KEYS]
    boot = values_at_boot(keys, host.boot_sources())
    return Policy(
        {key: host.live(key) for key in keys},
        {key: found.value for key, found in boot.items()},
        {key: str(found.source) if found.source else None for key, found in boot.items()},
        host.crash_kernel(),
    )


@contextlib.contextmanager
def name_option(name: str) -> Iterator[None]:
    """Put the option's name before the reason of an error."""
    try:
        yield
    except OomError as error:
        raise type(error)(f"{name}: {error}") from error


def find_domain(asked: AskedDomain, procfs: Procfs, systemd: Systemd) -> Optional[str]:
    """Return what find_domain_cgroup() does, and say what to do about a name that nothing has."""
    try:
        return find_domain_cgroup(asked, procfs, systemd)
    except NotFoundError as error:
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import suggestions

        advice: Dict[str, Callable[[], str]] = {
            "cgroup": lambda: suggestions.suggest_for_cgroup(asked.name, procfs),
            "unit": lambda: suggestions.suggest_for_unit(service_name(asked.name), systemd, procfs),
            "container": lambda: suggestions.suggest_for_container(asked.name, procfs),
            "machine": lambda: (
                "see machinectl list, or start it first" if systemd.runs() else "name the domain by its cgroup"
            ),
        }
        raise NotFoundError(f"{error}; {advice[asked.kind]()}") from error


def parse_selection(options: Mapping[str, Any], score: int) -> Pin:
    """Return a target that selects the processes that a pin with this score would."""
    return parse_target({**_complete(TARGET_OPTIONS, options), "persistent": False, "missing": "warn", "score": score})


def find_growers(options: Mapping[str, Any], procfs: Procfs, systemd: Systemd) -> List[int]:
    """Return the pids that the option grower selects; raise NotFoundError if there are none."""
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import (
        TargetFinder,
        complete_name,
    )

    # A process of any user may be asked about: the highest score selects all (selectors.OfHost).
    pin = complete_name(parse_selection(options, SCORE_MAX))
    if pin.is_unit:
        refuse_without_systemd(systemd, pin.target, "name the grower by process or pid")
    units = systemd.units([pin.value]) if pin.selector == "unit" and not pin.template else {}
    finder = TargetFinder(procfs, systemd, ProcessTable(procfs), units)
    found = [change.process.pid for change in finder.find([pin])[0].changes]
    if not found:
        missing = "no process of it runs; start it first" if units else f"no such process; {finder.advise(pin)}"
        raise NotFoundError(finder.missing.get(pin) or f"{pin.target}: {missing}")
    return found


class AppliedTargets(NamedTuple):
    """Hold what the targets of what_if would do."""

    snapshot: Snapshot
    changes: List[ScoreChange]
    idle: List[str]  # targets that would change nothing now
    warnings: List[str]


def apply_targets(
    targets: Sequence[Mapping[str, Any]], procfs: Procfs, systemd: Systemd, snapshot: Snapshot
) -> AppliedTargets:
    """Return the snapshot as if these targets were applied, what changes, and warnings.

    Raises the OomError with which oom_score_adj would refuse them to everybody. Whether this
    caller may write the scores does not matter.
    """
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.instances import expand_instances
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

    pins: List[Pin] = expand_instances([parse_target(target) for target in targets], systemd)
    plan = plan_pins(procfs, systemd, pins, LEAST_KILLABLE_PERCENT)
    wanted = plan.list_scores()
    known = [snapshot.tasks[pid] for pid in wanted if pid in snapshot.tasks]
    changes = [ScoreChange(task, task.score, wanted[task.pid]) for task in known if wanted[task.pid] != task.score]
    changed = snapshot.with_scores(wanted).with_groups(plan.list_groups())
    regrouped = {path for path, cgroup in changed.cgroups.items() if cgroup != snapshot.cgroups[path]}
    idle = [
        outcome.pin.target
        for outcome in plan.outcomes
        if all(change.before == change.after for change in outcome.all_changes())
        and not (plan.finder.has_unit(outcome.pin) and plan.finder.get_unit(outcome.pin).control_group in regrouped)
    ]
    return AppliedTargets(changed, changes, idle, plan.warnings)


def _complete(options: Mapping[str, Any], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what is given, with the defaults of an argument spec for all other options."""
    return {**{name: option.get("default") for name, option in options.items()}, **given}


def keep_accepted_fixes(found: Sequence[Finding], procfs: Procfs, systemd: Systemd) -> List[Finding]:
    """Return the findings, without the fixes that their modules would refuse on this host."""
    pins = [one.fix for one in found if one.fix is not None and one.fix.module == PINS]
    all_targets = [target for fix in pins for target in fix.targets]
    accepts_all = len(pins) > 1 and accepts_pins(all_targets, procfs, systemd)

    def accept(finding: Finding) -> Optional[Fix]:
        fix = finding.fix
        if fix is None or (accepts_all and fix.module == PINS):
            return fix
        if fix.module != PINS:
            return fix if accepts_sysctls(fix, finding.id == BOOT_DIFFERS) else None
        targets = keep_accepted(fix.targets, lambda tried: accepts_pins(tried, procfs, systemd))
        return fix._replace(targets=targets) if targets else None

    return [one._replace(fix=accept(one)) for one in found]


def accepts_pins(targets: Sequence[Mapping[str, Any]], procfs: Procfs, systemd: Systemd) -> bool:
    """Return whether oom_score_adj would pin these targets; nothing is written."""
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

    try:
        plan_pins(
            procfs,
            systemd,
            [parse_target(_complete(TARGET_OPTIONS, target)) for target in targets],
            LEAST_KILLABLE_PERCENT,
        )
    except (OomError, OSError):
        return False
    return True


def accepts_sysctls(fix: Fix, is_for_boot: bool) -> bool:
    """Return whether oom_policy or overcommit would set these options; nothing is written.

    C(is_for_boot) is whether it has to last, so that no later file may set another value.
    """
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy_request import (
        OOM_POLICY_OPTIONS,
        request_oom_policy,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit_request import (
        OVERCOMMIT_OPTIONS,
        request_overcommit,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import plan_without_harm

    options, request = {
        ON_OOM: (OOM_POLICY_OPTIONS, request_oom_policy),
        PROMISES: (OVERCOMMIT_OPTIONS, request_overcommit),
    }[fix.module]
    host = Host()
    try:
        plan = plan_without_harm(host, request(host, _complete(options, fix.options)))
    except (OomError, OSError):
        return False
    return plan.reboot_safe or not is_for_boot


class UserNames:
    """The login names of a few users."""

    def __init__(self) -> None:
        self._names: Dict[int, str] = {}

    def find(self, uid: int) -> str:
        """Return the login name, or the uid if there is none, or too many were asked for."""
        if uid not in self._names:
            if len(self._names) >= _MAX_NAMES:
                return str(uid)
            try:
                self._names[uid] = pwd.getpwuid(uid).pw_name
            except (KeyError, OverflowError):
                self._names[uid] = str(uid)
        return self._names[uid]


def read_posture(procfs: Procfs, systemd: Systemd, answer: Answer, warnings: List[str], unread: List[str]) -> Posture:
    """Return all that findings are made from.

    What cannot be read adds a warning, and the name of the part to C(unread).
    """
    policy, killers, kills = Policy({}, {}, {}), KillerFacts(), KillCounts()
    pinned: Sequence[PinnedUnit] = ()
    lost: List[LostPin] = []
    living: Set[int] = set()
    with _note_failure("sysctls", "the sysctls were not examined", warnings, unread):
        policy = read_policy()
    with _note_failure("pins", "the record of pins was not examined", warnings, unread):
        lost, living = read_recorded_pins(procfs, systemd)
    with _note_failure("units", "the units were not examined", warnings, unread):
        units, pinned = read_units(systemd)
        killers = look_at_killers(procfs, systemd, answer.snapshot, units, pinned, living)
    with _note_failure("kills", "the kills since boot were not compared with the kernel's log", warnings, unread):
        kills = read_kill_counts(procfs)
    killability = measure_killability(answer.snapshot)
    warnings += killers.warnings
    return Posture(
        answer.snapshot,
        policy,
        pinned,
        answer.domain,
        answer.next_victim,
        killability,
        tuple(lost),
        killers.killers,
        killers.unbound,
        kills,
    )


@contextlib.contextmanager
def _note_failure(part: str, problem: str, warnings: List[str], unread: List[str]) -> Iterator[None]:
    """Add a warning if a part of the posture cannot be read, and go on with the next one."""
    try:
        yield
    except OomError as error:
        warnings.append(f"{problem}: {error}")
        unread.append(part)


def read_recorded_pins(procfs: Procfs, systemd: Systemd) -> Tuple[List[LostPin], Set[int]]:
    """Return the pins by a name whose process has ended, and the pids of pins without a drop-in.

    There are none of both without root, who has the record.
    """
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord

    record = PinRecord(procfs, systemd.root)
    lost = find_successors(record.find_lost(), procfs, systemd)
    living: Set[int] = set()
    with contextlib.suppress(AccessError):
        living = {one.pid for one in record.find_living()}
    return lost, living


def find_successors(ended: Sequence["RecordedPin"], procfs: Procfs, systemd: Systemd) -> List[LostPin]:
    """Return each target of these pins, and what it selects now that is not older than they are."""
    if not ended:
        return []
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder

    oldest: Dict[Tuple[str, int], int] = {}
    for one in ended:
        key = one.target, min(one.written)
        oldest[key] = min(one.start_time, oldest.get(key, one.start_time))
    finder = TargetFinder(procfs, systemd, ProcessTable(procfs), {})
    found = []
    for (target, score), start_time in sorted(oldest.items())[:_MAX_LOST]:
        selector, _equals, value = target.partition("=")
        successors: List[int] = []
        with contextlib.suppress(OomError):  # such as a pid file that names a kernel thread by now
            changes = finder.find([parse_selection({selector: value}, score)])[0].changes
            successors = [one.process.pid for one in changes if one.process.start_time > start_time]
        found.append(LostPin(target, score, tuple(successors)))
    return found


def examine_host(params: Mapping[str, Any], warnings: List[str]) -> Examined:
    """Return what was found out, for the options of oom_info, and add to the warnings.

    Raises OomError if a process or cgroup that an option names does not exist.
    """
    top = params["top"]
    check_top(top)
    asked = parse_domain(params["domain"])
    procfs, systemd = Procfs(), Systemd()
    ask_for_units(systemd)  # systemd prepares its answer meanwhile
    with name_option("domain"):
        path = find_domain(asked, procfs, systemd)
    selected: Optional[List[int]] = None
    if params["grower"] is not None:
        with name_option("grower"):
            selected = find_growers(params["grower"], procfs, systemd)
    snapshot = take_snapshot(procfs, cgroups=[] if path is None else [path])
    with name_option("domain"):
        domain = measure_domain(snapshot, path)
    growers: Optional[Growers] = None
    if selected is not None:
        with name_option("grower"):
            growers = keep_growers(snapshot, domain, selected, top)
    answer = answer_for(procfs, snapshot, domain, growers and growers.pids, top)
    what_if: Optional[WhatIf] = None
    if params["what_if"]:
        with name_option("what_if"):
            applied = apply_targets(params["what_if"], procfs, systemd, snapshot)
        warnings += applied.warnings
        same = [growth.grower.task.pid for growth in answer.growths]
        other = answer_for(procfs, applied.snapshot, domain, same, top)
        is_removal = all(target["state"] == "absent" for target in params["what_if"])
        what_if = WhatIf(other, applied.changes, applied.idle, is_removal)
    unread: List[str] = []
    posture = read_posture(procfs, systemd, answer, warnings, unread)
    findings = keep_accepted_fixes(find_all(posture), procfs, systemd)
    results = build_results(posture, answer, findings, what_if, growers, top, UserNames().find)
    return Examined(posture, results, unread)
