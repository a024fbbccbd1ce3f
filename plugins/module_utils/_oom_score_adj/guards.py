# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Pins that would do harm, or nothing, and why.

Pure: what is asked for and what is known of it in, sentences out. Every
refusal names the option that overrides it.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import SCORE_MIN

# Who sets its own score, by the name of its program or unit, and what to do instead. Any other score is overwritten, or handed on to
# what must not have it.
SELF_MANAGING: Dict[str, str] = {
    # mm/oom_kill.c:oom_unkillable_task, and kernel/fork.c:copy_signal.
    "init": "the kernel never kills init, and every daemon without a score of its own would be started with this one: leave it alone",
    # openssh-portable:openbsd-compat/port-linux.c restores the score that sshd was started with in every session.
    "sshd": "sshd makes itself immune and gives every login the score that it was started with itself, so that a pinned one makes all"
    " sessions and what runs in them as hard to kill: leave it alone",
    # systemd:src/udev/udevd.c and units/systemd-udevd.service.in
    "systemd-udevd": "systemd-udevd is immune by its own unit and sets its workers back to 0: leave it alone",
    # kubernetes:pkg/kubelet/cm/container_manager_linux.go writes its --oom-score-adj again every few minutes.
    "kubelet": "kubelet writes its own score every few minutes: set oomScoreAdj in its configuration",
    "slurmd": "slurmd sets its own score and that of its jobs: use SLURMD_OOM_ADJ and SLURMSTEPD_OOM_ADJ",
    "slurmstepd": "slurmstepd sets its own score and that of its jobs: use SLURMSTEPD_OOM_ADJ",
    "multipathd": "multipathd makes itself immune: leave it alone",
    "iscsid": "iscsid makes itself immune: leave it alone",
}
_ALIASES = {"ssh": "sshd", "sshd-session": "sshd", "udevd": "systemd-udevd"}

# What starts the work of others, which inherits the score: at -1000 nothing of that could ever be killed.
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
# containerd:docs/ops.md: its shims start with its own score + 1; dockerd and crio start helpers likewise.
RUNTIMES = {"containerd", "dockerd", "docker", "crio", "podman"}


class Killable(NamedTuple):
    """How much memory of processes the killer may free, and how much it may not touch."""

    killable_kb: int
    immune_kb: int

    @property
    def percent(self) -> int:
        used = self.killable_kb + self.immune_kb
        return 100 * self.killable_kb // used if used else 100


def program(comm: str, is_init: bool) -> str:
    """The name of a program by what its process is called: the first word of C(tmux: server), and init whichever it is."""
    return "init" if is_init and comm == "systemd" else comm.partition(":")[0]


def short_name(name: str) -> str:
    """How the tables above have it: no suffix, no instance, no alias."""
    name = name[: -len(".service")] if name.endswith(".service") else name
    template, at, _instance = name.partition("@")
    name = template + at if template + at in JOB_RUNNERS else template
    return _ALIASES.get(name, name)


def manages_itself(names: Iterable[str]) -> Optional[str]:
    """Which of these names is one of a daemon that sets its own score."""
    return next((name for name in sorted(map(short_name, names)) if name in SELF_MANAGING), None)


def refuse(target: str, score: Optional[int], names: Iterable[str]) -> None:
    """Raise InputError for a target that manages its own score, or would hand immunity on.

    The names are all by which it may be known: of its unit and of the programs that it selects.
    """
    own = manages_itself(names)
    if own:
        wish = "state=absent" if score is None else f"score={score}"
        raise InputError(f"{target} with {wish}: {SELF_MANAGING[own]} (force=true overrides)")
    if score != SCORE_MIN:
        return
    for name in sorted(map(short_name, names)):
        if name in JOB_RUNNERS:
            raise InputError(
                f"{target} at -1000: {name} starts the work of others, which would be immune as well, so that the killer has nobody left: use -999 or higher, and oom_policy=continue (force=true overrides)"
            )
        if name in RUNTIMES:
            raise InputError(
                f"{target} at -1000: {name} starts helpers for every container with its own score or one above: use -999 or higher (force=true overrides)"
            )


def refuse_too_few(killable: Killable, least_percent: int) -> None:
    """Raise InputError where too little of the used memory would stay killable: the kernel then panics, or a cgroup hangs at its limit."""
    if killable.percent < least_percent:
        raise InputError(
            f"processes that stay killable would hold {killable.percent} % of the used memory ({killable.killable_kb} KiB, immune {killable.immune_kb} KiB), less than min_killable_percent {least_percent}: when memory runs out the kernel would find nobody to kill and panic; pin fewer at -1000 (force=true overrides)"
        )


def doubts(target: str, score: int, names: Iterable[str], oom_policy: Optional[str], others_in_unit: int) -> List[str]:
    """What makes a pin worth less than it seems, for the user to decide."""
    if not others_in_unit and not any(short_name(name) in JOB_RUNNERS for name in names):
        return []
    if score < 0 and oom_policy == "stop":
        undone = "systemd stops the whole unit, the pinned process included, when any process in it is killed"
    elif SCORE_MIN < score < 0 and oom_policy == "kill":
        undone = "the kernel kills all of the unit that is not at -1000, the pinned process included, when it kills any process in it"
    else:
        return []
    return [f"{target}: with OOMPolicy={oom_policy} {undone}: set oom_policy=continue"]
