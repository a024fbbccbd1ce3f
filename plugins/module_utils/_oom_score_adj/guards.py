# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Refuse pins that make no sense or would do harm, and warn of pins without effect.

Pure: the request and the facts in, sentences out. Every refusal of harm names
the option that overrides it.
"""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Killable, Outcome, Pin

MAX_SHOWN = 5  # processes in one message
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
    "screen",
    "tmux",
    "teleport",
    "systemd",
    "user@",
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
    "sudo",
    "su",
    "login",
}
# containerd:docs/ops.md: its shims start with its own score + 1. dockerd and crio start helpers
# likewise.
RUNTIMES = {"containerd", "dockerd", "docker", "crio", "podman"}

WHY_NOT_IMMUNE = (
    "a user or the maker of its container image chose its name, and programs of this name start others,"
    " which would inherit immunity: use -999 or higher (force=true overrides)"
)


# --- targets that make no sense ---------------------------------------------------


def refuse_contradictions(pin: Pin) -> None:
    """Raise InputError for options of one target that contradict each other."""
    if pin.state == "present" and pin.score is None:
        raise InputError(f"{pin.target}: score is missing: set it, or use state=absent")
    if pin.state == "absent" and (pin.score is not None or pin.oom_policy is not None):
        raise InputError(f"{pin.target}: state=absent removes the pin: leave out score and oom_policy")
    if pin.score is not None and not SCORE_MIN <= pin.score <= SCORE_MAX:
        raise InputError(f"{pin.target}: score {pin.score} is out of range, {SCORE_MIN} to {SCORE_MAX}")
    if pin.selector != "unit" and pin.persistent:
        raise InputError(
            f"{pin.target}: only a unit can be pinned persistently: select by unit, or leave out persistent"
        )
    if pin.oom_policy is not None and not pin.persistent:
        raise InputError(
            f"{pin.target}: oom_policy needs the drop-in of a unit: select by unit, without persistent=false"
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
    return f"score {pin.score}" + (f" and oom_policy {pin.oom_policy}" if pin.oom_policy else "")


def _add_request(requests: Dict[Any, Tuple[Pin, str]], key: Any, name: str, pin: Pin, request: str) -> None:
    other, other_request = requests.setdefault(key, (pin, request))
    if other_request != request:
        raise InputError(
            f"{name} is selected twice: {other.target} asks for {other_request}, {pin.target} asks for {request}"
        )


# --- targets that are not there ---------------------------------------------------


def refuse_missing(outcomes: List[Outcome], reasons: Mapping[Pin, str]) -> None:
    """Raise NotFoundError for the first missing target with C(missing=fail).

    C(reasons) says why a target has no selector; others have no matching process.
    """
    for outcome in outcomes:
        if _is_missing(outcome, "fail"):
            raise NotFoundError(_explain_missing(outcome, reasons) + ACCEPT_MISSING)


def warnings_for_missing(outcomes: List[Outcome], reasons: Mapping[Pin, str]) -> List[str]:
    """Return a warning for each missing target with C(missing=warn), no warning twice.

    Where only processes that a user could have started fit, there is one in any case.
    """
    warnings = [
        _explain_missing(outcome, reasons)
        for outcome in outcomes
        if _is_missing(outcome, "warn") or (outcome.passed_over and not outcome.found)
    ]
    return list(dict.fromkeys(warnings))


def _is_missing(outcome: Outcome, reaction: str) -> bool:
    return not outcome.found and outcome.pin.state == "present" and outcome.pin.missing == reaction


def _explain_missing(outcome: Outcome, reasons: Mapping[Pin, str]) -> str:
    pin = outcome.pin
    if not outcome.passed_over:
        return reasons.get(pin) or f"{pin.target}: no such process"
    shown = "; ".join(f"{one.process}: {one.why}" for one in outcome.passed_over[:MAX_SHOWN])
    more = len(outcome.passed_over) - MAX_SHOWN
    return (
        f"{pin.target}: no process was selected, because a user could have put there what fits: {shown}"
        + (f"; and {more} more" if more > 0 else "")
        + ". Name its user in users, select a container by container or cgroup, or use unit or pid"
    )


def warnings_for_not_immune(outcomes: List[Outcome]) -> List[str]:
    """Return a warning for each target of which some processes do not become immune.

    Where it is all of them, C(warnings_for_missing) has one.
    """
    warnings = []
    for outcome in outcomes:
        refused = [str(one.process) for one in outcome.passed_over if one.why == WHY_NOT_IMMUNE]
        if outcome.found and refused:
            names = ", ".join(refused[:MAX_SHOWN]) + (", ..." if len(refused) > MAX_SHOWN else "")
            warnings.append(f"{outcome.pin.target}: not pinned at -1000: {names}: {WHY_NOT_IMMUNE}")
    return warnings


def warnings_for_inherited(outcomes: List[Outcome]) -> List[str]:
    """Return a warning for each removed pin that descendants of its processes keep."""
    warnings = []
    for outcome in outcomes:
        removed = {change.before for change in outcome.changes if change.before != change.after}
        keeping = [
            str(change.process)
            for change in outcome.inherited
            if change.before == change.after and change.before in removed
        ]
        if outcome.pin.state == "absent" and keeping:
            names = ", ".join(keeping[:5]) + (", ..." if len(keeping) > 5 else "")
            warnings.append(
                f"{outcome.pin.target}: processes started since the pin keep the score that they inherited:"
                f" use children=reset, or restart them: {names}"
            )
    return warnings


# --- pins that would do harm, or have no effect -------------------------------------


def name_program(comm: str, is_init: bool) -> str:
    """Return a program's name: the first word of a title such as C(tmux: server), or C(init)."""
    return "init" if is_init and comm == "systemd" else comm.partition(":")[0]


def shorten_name(name: str) -> str:
    """Return a name as the tables above have it: without suffix or instance, aliases resolved."""
    name = name[: -len(".service")] if name.endswith(".service") else name
    template, at, _instance = name.partition("@")
    name = template + at if template + at in JOB_RUNNERS else template
    return _ALIASES.get(name, name)


def is_guarded(name: str) -> bool:
    """Return whether the tables above have a rule for a program of this name."""
    return shorten_name(name) in SELF_MANAGING or hands_on_immunity(name)


def hands_on_immunity(name: str) -> bool:
    """Return whether a program of this name starts others, which inherit its score."""
    return shorten_name(name) in JOB_RUNNERS or shorten_name(name) in RUNTIMES


def find_self_managing(names: Iterable[str]) -> Optional[str]:
    """Return the first of these names in alphabetical order that sets its own score, or None."""
    return next((name for name in sorted(map(shorten_name, names)) if name in SELF_MANAGING), None)


def refuse_pin(target: str, score: Optional[int], names: Iterable[str]) -> None:
    """Raise InputError for a target that manages its own score, or whose children would be immune.

    C(names) are all names of the target: of its unit, and of the programs that it selects.
    """
    daemon = find_self_managing(names)
    if daemon:
        request = "state=absent" if score is None else f"score={score}"
        raise InputError(f"{target} with {request}: {SELF_MANAGING[daemon]} (force=true overrides)")
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
    target: str, score: int, names: Iterable[str], oom_policy: Optional[str], others_in_unit: int
) -> List[str]:
    """Return a warning if the unit's OOMPolicy undoes the pin of its main process, else none."""
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
    return [f"{target}: with OOMPolicy={oom_policy} {effect}: set oom_policy=continue"]
