# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Refuse pins that make no sense or would do harm, and warn of pins without effect.

Pure: the request and the facts in, sentences out. Every refusal of harm names
the option that overrides it.
"""

import re
from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import strip_suffix
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import (
    SCORE_MAX,
    SCORE_MIN,
    Killable,
    Process,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Outcome, Pin

MAX_SHOWN = 5  # processes in one message
# The cgroup of a user's service manager, of one user, or of all.
_OF_USERS = re.compile(r"/(?:user@[0-9]+\.service|user-[0-9]+\.slice|user\.slice)/*\Z")
ACCEPT_MISSING = " (missing=ignore or missing=warn accepts that)"

# Daemons that set their own score, by the name of the program or unit, and what to do instead.
# The daemon overwrites any other score, or hands it on to processes that must not have it.
SELF_MANAGING: Dict[str, str] = {
    # mm/oom_kill.c:oom_unkillable_task, and kernel/fork.c:copy_signal.
    "init": "the kernel never kills init, and every daemon without a score of its own would start with this one:"
    " leave it alone",
    # openssh-portable:openbsd-compat/port-linux.c: each session gets the score sshd started with.
    "sshd": "sshd makes itself immune and gives every login the score that it was started with,"
    " so a pinned sshd gives its score to all sessions: leave it alone",
    # systemd:src/udev/udevd.c and units/systemd-udevd.service.in
    "systemd-udevd": "systemd-udevd is immune by its own unit and resets its workers to 0: leave it alone",
    # kubernetes:pkg/kubelet/cm/container_manager_linux.go writes --oom-score-adj every few minutes.
    "kubelet": "kubelet writes its own score every few minutes: set oomScoreAdj in its configuration",
    "slurmd": "slurmd sets its own score and that of its jobs: use SLURMD_OOM_ADJ and SLURMSTEPD_OOM_ADJ",
    "slurmstepd": "slurmstepd sets its own score and that of its jobs: use SLURMSTEPD_OOM_ADJ",
    "multipathd": "multipathd makes itself immune: leave it alone",
    "iscsid": "iscsid makes itself immune: leave it alone",
}
_ALIASES = {"ssh": "sshd", "sshd-session": "sshd", "udevd": "systemd-udevd"}

# Programs that start jobs, which inherit the score: at -1000 no job could ever be killed.
JOB_RUNNERS = {
    "cron",
    "crond",
    "fcron",
    "anacron",
    "atd",
    "supervisord",
    "gitlab-runner",
    "Runner.Listener",
    "Runner.Worker",
    "runsvc.sh",
    "jenkins",
    "buildkite-agent",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "fish",
}
# Programs and units that start the shells and sessions of users. All that a user starts there
# inherits the score, so that a user's program would outlive the daemons of the host.
_LOGIN_PROGRAMS = {
    # util-linux: term-utils/agetty.c, login-utils/login.c; systemd: units/*getty@.service.in
    "consoles": "getty agetty mingetty mgetty fgetty ngetty fbgetty kmscon kmsconvt autovt login sulogin"
    " serial-getty console-getty container-getty debug-shell emergency rescue",
    "display managers": "gdm gdm3 gdm-session-worker gdm-wayland-session gdm-x-session lightdm sddm sddm-helper"
    " xdm lxdm lxdm-binary lxdm-session greetd ly ly-dm emptty lemurs lidm slim wdm kdm nodm tdm cdm mdm entrance"
    " plasmalogin cosmic-greeter display-manager",
    "logins over the network, besides sshd": "dropbear telnetd in.telnetd rlogind in.rlogind rshd in.rshd"
    " mosh-server teleport xrdp xrdp-sesman x2goserver nxserver vncserver vncsession tigervnc ttyd gotty"
    " shellinaboxd cockpit cockpit-ws cockpit-tls cockpit-session cockpit-bridge cockpit-wsinstance-http"
    " cockpit-wsinstance-https cockpit-wsinstance-https-factory",
    "terminal servers, and programs that change the user": "tmux screen SCREEN dtach abduco zellij su sudo doas pkexec",
    "systemd --user, and its unit": "systemd user@",
}
LOGIN_PROGRAMS = {name for names in _LOGIN_PROGRAMS.values() for name in names.split()}
# containerd:docs/ops.md: its shims start with its own score + 1. dockerd and crio start helpers
# likewise.
RUNTIMES = {"containerd", "dockerd", "docker", "crio", "podman"}
_COMM_BYTES = 15  # the kernel cuts the name of a process: TASK_COMM_LEN
_CUT_LOGIN_PROGRAMS = {name[:_COMM_BYTES] for name in LOGIN_PROGRAMS}

WHY_NOT_IMMUNE = (
    "a user or the maker of its container image chose its name, and programs of this name start others,"
    " which would inherit immunity: use -999 or higher (force=true overrides)"
)
WHY_NOT_LOWERED = (
    "programs of this name start the shells of users, which would inherit the score:"
    " use 0 or higher (force=true overrides)"
)


# --- targets that make no sense ---------------------------------------------------


def refuse_contradictions(pin: Pin) -> None:
    """Raise InputError for options of one target that contradict each other."""
    if pin.state == "present" and pin.score is None:
        raise InputError(f"{pin.target}: score is missing: set it, or state: absent beside the selector")
    names = ("score", "oom_policy", "managed_oom_preference")
    given = [name for name in names if getattr(pin, name) is not None]
    if pin.state == "absent" and given:
        raise InputError(f"{pin.target}: state=absent removes the pin: leave out {' and '.join(given)}")
    if pin.score is not None and not SCORE_MIN <= pin.score <= SCORE_MAX:
        raise InputError(
            f"{pin.target}: score {shorten(pin.score)} is out of range: set it to {SCORE_MIN} to {SCORE_MAX}"
        )
    if not pin.is_unit and pin.persistent:
        raise InputError(
            f"{pin.target}: only a unit can be pinned persistently: select by unit, or leave out persistent"
        )
    if given and given[-1] != "score" and not pin.persistent:
        raise InputError(
            f"{pin.target}: {given[-1]} needs the drop-in of a unit: select by unit, without persistent=false"
        )


def refuse_conflicts(outcomes: List[Outcome]) -> None:
    """Raise InputError if two targets ask for different things of one process or unit."""
    requests: Dict[Any, Tuple[Pin, str]] = {}
    for outcome in outcomes:
        for change in outcome.changes:
            process = change.process
            _add_request(requests, process.pid, str(process), outcome.pin, f"score {change.after}")
        if outcome.drop_in is not None:
            _add_request(
                requests, outcome.drop_in.path, f"unit {outcome.unit}", outcome.pin, _describe_request(outcome.pin)
            )


def _describe_request(pin: Pin) -> str:
    if pin.score is None:
        return "no score"
    settings = {"score": pin.score, "oom_policy": pin.oom_policy, "managed_oom_preference": pin.managed_oom_preference}
    return " and ".join(f"{name} {value}" for name, value in settings.items() if value is not None)


def _add_request(requests: Dict[Any, Tuple[Pin, str]], key: Any, name: str, pin: Pin, request: str) -> None:
    other, other_request = requests.setdefault(key, (pin, request))
    if other_request != request:
        raise InputError(
            f"{name} is selected twice: {other.target} asks for {other_request}, {pin.target} asks for {request}:"
            " leave out one of them"
        )


# --- targets that are not there ---------------------------------------------------


def refuse_missing(outcomes: List[Outcome], reasons: Mapping[Pin, str], advise: Callable[[Pin], str]) -> None:
    """Raise NotFoundError for the first missing target with C(missing=fail).

    C(reasons) says why a target has no selector; others have no matching process, and C(advise)
    returns what to do about that.
    """
    for outcome in outcomes:
        if _is_missing(outcome, "fail"):
            raise NotFoundError(_explain_missing(outcome, reasons, advise) + ACCEPT_MISSING)


def warnings_for_missing(
    outcomes: List[Outcome], reasons: Mapping[Pin, str], advise: Callable[[Pin], str]
) -> List[str]:
    """Return a warning for each missing target with C(missing=warn), no warning twice.

    Where only processes that a user could have started fit, there is one in any case.
    """
    warnings = [
        _explain_missing(outcome, reasons, advise)
        for outcome in outcomes
        if _is_missing(outcome, "warn") or (outcome.passed_over and not outcome.found)
    ]
    return list(dict.fromkeys(warnings))


def is_reported_if_missing(pin: Pin) -> bool:
    """Return whether a message says so if the target is missing: then it has advice, too."""
    return pin.state == "present" and pin.missing != "ignore"


def _is_missing(outcome: Outcome, reaction: str) -> bool:
    return not outcome.found and outcome.pin.state == "present" and outcome.pin.missing == reaction


def _explain_missing(outcome: Outcome, reasons: Mapping[Pin, str], advise: Callable[[Pin], str]) -> str:
    pin = outcome.pin
    if not outcome.passed_over:
        return reasons.get(pin) or f"{pin.target}: no such process; {advise(pin)}"
    shown = "; ".join(f"{one.process}: {one.why}" for one in outcome.passed_over[:MAX_SHOWN])
    more = len(outcome.passed_over) - MAX_SHOWN
    listed = shown + (f"; and {more} more" if more > 0 else "")
    if all(one.why in (WHY_NOT_IMMUNE, WHY_NOT_LOWERED) for one in outcome.passed_over):
        return f"{pin.target}: no process was selected: {listed}"
    return (
        f"{pin.target}: no process was selected, because a user could have put there what fits: {listed}"
        ". Name its user in users, select a container by container or cgroup, or use unit or pid"
    )


def warnings_for_not_pinned(outcomes: List[Outcome]) -> List[str]:
    """Return a warning for each target of which some processes do not get the score.

    Where it is all of them, C(warnings_for_missing) has one.
    """
    warnings = []
    for outcome in outcomes:
        for why in (WHY_NOT_IMMUNE, WHY_NOT_LOWERED):
            refused = [one.process for one in outcome.passed_over if one.why == why]
            if outcome.found and refused:
                pin = outcome.pin
                warnings.append(f"{pin.target}: not pinned at {pin.score}: {join_processes(refused)}: {why}")
    return warnings


def join_processes(processes: List[Process]) -> str:
    """Return the first processes as text, in one line."""
    return ", ".join(map(str, processes[:MAX_SHOWN])) + (", ..." if len(processes) > MAX_SHOWN else "")


def warnings_for_inherited(outcomes: List[Outcome]) -> List[str]:
    """Return a warning for each target whose score other processes have by inheritance.

    Those of a removed pin keep it. Those of a pin were forked later, or a restart of the unit left
    them: they are reported in every run.
    """
    warnings = []
    for outcome in outcomes:
        keeping = [change.process for change in find_keeping(outcome)]
        if not keeping:
            continue
        if outcome.pin.state == "absent":
            warnings.append(
                f"{outcome.pin.target}: processes started since the pin keep the score that they inherited:"
                f" use children=reset, or restart them: {join_processes(keeping)}"
            )
        else:
            warnings.append(
                f"{outcome.pin.target}: {len(keeping)} other processes have inherited the score {outcome.pin.score}:"
                f" use children=reset, or children=pin if they are to have it: {join_processes(keeping)}"
            )
    return warnings


def find_keeping(outcome: Outcome) -> List[Change]:
    """Return the processes that keep an inherited score: that of the pin, or of a removed one."""
    removed = {change.before for change in outcome.changes if change.before != change.after}
    inherited = removed if outcome.pin.state == "absent" else {outcome.pin.score} - {0}
    return [one for one in outcome.inherited if one.before == one.after and one.before in inherited]


def warnings_for_several(outcomes: List[Outcome]) -> List[str]:
    """Return a warning for each name or pattern that selects several processes of one service."""
    warnings = []
    for outcome in outcomes:
        pin = outcome.pin
        if pin.selector not in ("process", "pattern") or pin.state == "absent" or pin.children == "pin":
            continue
        raised = [change for change in outcome.changes if change.before < change.after]
        shown = f", and raises {raised[0].process} from {raised[0].before}" if raised else ""
        warnings += [
            f"{pin.target} selects {count} processes of {unit}{shown}:"
            f" select by unit={unit}, which pins its main process, and also the next one"
            for unit, count in outcome.units
            if unit is not None and count > 1
        ]
    return warnings


# --- pins that would do harm, or have no effect -------------------------------------


def name_program(comm: str, is_init: bool) -> str:
    """Return a program's name: the first word of a title such as C(tmux: server), or C(init).

    Pid 1 is init whatever its name: a container and an appliance may have any program there.
    """
    return "init" if is_init else comm.partition(":")[0]


def name_user_cgroup(path: str) -> Set[str]:
    """Return the name that the tables above have for a cgroup of users; none for another."""
    return {"user@"} if _OF_USERS.search(path) else set()


def shorten_name(name: str) -> str:
    """Return a name as the tables above have it: without suffix or instance, aliases resolved."""
    name = strip_suffix(name)
    template, at, _instance = name.partition("@")
    name = template + at if template + at in LOGIN_PROGRAMS else template
    return _ALIASES.get(name, name)


def is_guarded(name: str) -> bool:
    """Return whether the tables above have a rule for a program of this name."""
    return shorten_name(name) in SELF_MANAGING or hands_on_immunity(name)


def hands_on_immunity(name: str) -> bool:
    """Return whether a program of this name starts others, which inherit its score."""
    return shorten_name(name) in JOB_RUNNERS or shorten_name(name) in RUNTIMES or starts_logins(name)


def starts_logins(name: str) -> bool:
    """Return whether a program or unit of this name starts the shells of users."""
    short = shorten_name(name)
    return short in LOGIN_PROGRAMS or short in _CUT_LOGIN_PROGRAMS


def why_not_pinned(score: Optional[int], name: str) -> Optional[str]:
    """Return why a program must not get this score, where a user may have chosen its name."""
    if score == SCORE_MIN and hands_on_immunity(name):
        return WHY_NOT_IMMUNE
    return WHY_NOT_LOWERED if score is not None and score < 0 and starts_logins(name) else None


def find_self_managing(names: Iterable[str]) -> Optional[str]:
    """Return the first of these names in alphabetical order that sets its own score, or None."""
    return next((name for name in sorted(map(shorten_name, names)) if name in SELF_MANAGING), None)


def refuse_pin(target: str, score: Optional[int], names: Collection[str]) -> None:
    """Raise InputError for a target that manages its own score, or whose children would be immune.

    C(names) are all names of the target: of its unit, and of the programs that it selects.
    """
    daemon = find_self_managing(names)
    if daemon:
        request = "state=absent" if score is None else f"score={score}"
        raise InputError(f"{target} with {request}: {SELF_MANAGING[daemon]} (force=true overrides)")
    login = next((name for name in sorted(map(shorten_name, names)) if starts_logins(name)), None)
    if login and score is not None and score < 0:
        raise InputError(
            f"{target} with score={score}: {login} starts the shells of users, and all that they run would inherit the"
            " score: use 0 or higher, or pin the daemons themselves (force=true overrides)"
        )
    if score != SCORE_MIN:
        return
    for name in sorted(map(shorten_name, names)):
        if name in JOB_RUNNERS:
            raise InputError(
                f"{target} at -1000: {name} starts jobs, which would inherit immunity and leave the killer no victim:"
                " use -999 or higher, and oom_policy=continue (force=true overrides)"
            )
        if name in RUNTIMES:
            raise InputError(
                f"{target} at -1000: {name} starts helpers for every container with its own score or one higher:"
                " use -999 or higher (force=true overrides)"
            )


def refuse_few_killable(killable: Killable, least_percent: int) -> None:
    """Raise InputError if too little of the used memory would stay killable.

    Without a victim the kernel panics, and a memory cgroup hangs at its limit.
    """
    if killable.percent < least_percent:
        raise InputError(
            f"killable processes would hold {killable.percent} % of the used memory"
            f" ({killable.killable_kb} KiB, immune {killable.immune_kb} KiB),"
            f" less than min_killable_percent={least_percent}:"
            " out of memory, the kernel would find no victim and panic;"
            " pin fewer processes at -1000 (force=true overrides)"
        )


def warnings_for_policy(
    target: str,
    score: int,
    names: Iterable[str],
    oom_policy: Optional[str],
    others_in_unit: int,
    needs_kill: bool = False,
) -> List[str]:
    """Return a warning if the unit's OOMPolicy undoes the pin of its main process, else none.

    C(needs_kill) is whether the unit's preference for systemd-oomd counts only with OOMPolicy=kill.
    """
    if not others_in_unit and not any(shorten_name(name) in JOB_RUNNERS for name in names):
        return []
    if score < 0 and oom_policy == "stop":
        effect = "systemd stops the whole unit, the pinned process included, when any process in it is killed"
    elif SCORE_MIN < score < 0 and oom_policy == "kill":
        effect = (
            "the kernel kills every process of the unit that is not at -1000, the pinned one included,"
            " when it kills any of them"
        )
    else:
        return []
    remedy = "set oom_policy=continue"
    if oom_policy == "kill" and needs_kill:
        remedy = (
            "move what must live to a unit of its own. Or set oom_policy=continue: then ManagedOOMPreference does not"
            " count for the control groups below that of the unit"
        )
    return [f"{target}: with OOMPolicy={oom_policy} {effect}: {remedy}"]
