# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Sysctls: what they are now, in a file of ours and at the next boot, and what is to be done.

Sources: proc_sys(5), sysctl.d(5).
"""

import os
import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import boot_files as _sysctl_files
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    EXCLUSIVE,
    FOLDERS,
    Found,
)

ROLLBACK_SECONDS_MAX = 3600

PROC_SYS = "/proc/sys"
SYSCTL_CONF = "/etc/sysctl.conf"  # read last by procps, by systemd only through a link in a folder
VOLATILE = "/run/sysctl.d"  # empty after a boot, unless something fills it again

# What engines and managers of containers leave inside (systemd:src/basic/virt.c; the last: any pod of Kubernetes).
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/run/secrets/kubernetes.io")

COMMAND_LINE_SINCE = (5, 8)  # of the kernel: sysctl.NAME=VALUE

Live = Dict[str, Optional[int]]  # None where this kernel has none


class Request(NamedTuple):
    """What is asked for."""

    manager: str  # the module, as its file names it
    keys: Sequence[str]  # every sysctl of the module, in the order of its file
    wanted: Dict[str, int]
    order: Callable[[Live, Dict[str, int]], Sequence[str]]  # of the writes, from the live values and the wanted ones
    leans_on: Callable[
        [Dict[str, int]], Iterable[str]
    ]  # what else has to be as it is, for the wanted values to be worth anything
    persistent: bool
    file: str
    rollback_seconds: float = 30
    force: bool = False


class State(NamedTuple):
    """The sysctls of a module: live, in our file, at the next boot."""

    live: Live
    file: Dict[str, int]
    boot: Dict[str, Found]


class Step(NamedTuple):
    """One write."""

    key: str
    before: int
    after: int


class Plan(NamedTuple):
    """What will be done."""

    request: Request
    before: State
    after: State
    steps: List[Step]
    text_before: Optional[str]  # of our file; None for no file
    text_after: Optional[str]
    doubts: List[str]  # what may make the next boot another one
    reboot_safe: bool

    @property
    def file_changes(self) -> bool:
        return self.text_before != self.text_after

    @property
    def changed(self) -> bool:
        return bool(self.steps) or self.file_changes

    def undo(self) -> List[Tuple[str, int]]:
        """The values before, in the order in which they are put back: what was written last comes first."""
        back = []
        for step in reversed(self.steps):
            other = EXCLUSIVE.get(step.key)
            other_before = self.before.live.get(other) if other else None
            # Of two that make each other zero the one is written that was not: that is both.
            back.append((other, other_before) if other and other_before else (step.key, step.before))
        return back


# --- look -------------------------------------------------------------------------


class Host:
    """The sysctls of this host, live and in files."""

    def __init__(self, root: str = "/", release: Optional[str] = None) -> None:
        self._root = root
        self._kernel = tuple(int(part) for part in re.findall(r"\d+", release or os.uname().release)[:2])
        self._read: Optional[Dict[str, str]] = None

    def path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def live(self, key: str) -> Optional[int]:
        """None where this kernel has none."""
        text = self.text(proc_path(key))
        if text is None:
            return None
        value = _sysctl_files.number(key, text)
        if value is None:
            raise OomError(f"{proc_path(key)} shows {text.strip()!r}, which is no value of it that is known here")
        return value

    def look(self, keys: Sequence[str], text: Optional[str], file: str) -> State:
        """How everything is, with this text in our file."""
        own = {}
        for assignment in _sysctl_files.assignments(text or "", file):
            value = _sysctl_files.number(assignment.key, assignment.value)
            if assignment.key in keys and value is not None:
                own[assignment.key] = value
        return State({key: self.live(key) for key in keys}, own, self.boot(keys, file, text))

    def boot(
        self, keys: Sequence[str], file: str, text: Optional[str], volatile: bool = False, procps: bool = False
    ) -> Dict[str, Found]:
        """What the next boot will make of the files as they are, with this text in ours.

        C(volatile) counts what is in /run now, C(procps) does as C(sysctl --system).
        """
        texts = {
            path: text
            for path, text in self._texts().items()
            if path != SYSCTL_CONF and (volatile or not path.startswith(VOLATILE))
        }
        if text is not None:
            texts[file] = text
        procps = procps or not self.systemd()
        order = [path for path in _sysctl_files.in_order(texts) if procps or not os.path.basename(path).startswith(".")]
        if procps:
            texts[SYSCTL_CONF] = self._texts()[SYSCTL_CONF]
            order.append(SYSCTL_CONF)
        first = _sysctl_files.command_line(
            self.text(_sysctl_files.COMMAND_LINE) or "", self._kernel >= COMMAND_LINE_SINCE
        )
        then = [line for path in order for line in _sysctl_files.assignments(texts[path], path)]
        return _sysctl_files.at_boot(keys, first, then, procps)

    def systemd(self) -> bool:
        """Whether systemd-sysctl sets them at boot; elsewhere C(sysctl --system) of procps does."""
        return os.path.isdir(self.path("/run/systemd/system"))  # sd_booted(3)

    def container(self) -> Optional[str]:
        """What shows that this is a container, whose kernel is another host's."""
        found = next((mark for mark in CONTAINER_MARKS if os.path.exists(self.path(mark))), None)
        if found is None and "\0container=" in "\0" + (self.text("/proc/1/environ", denied="") or ""):
            found = "/proc/1/environ"
        return found

    def read_only(self) -> bool:
        try:
            return bool(os.statvfs(self.path(PROC_SYS)).f_flag & os.ST_RDONLY)
        except OSError as error:
            raise UnsupportedError(f"{PROC_SYS} cannot be looked at: {error.strerror}")

    def crash_kernel(self) -> bool:
        """Whether a panic starts another kernel (kexec), which saves the memory and reboots."""
        return (self.text("/sys/kernel/kexec_crash_loaded") or "0").strip() == "1"

    def text(self, path: str, denied: Optional[str] = None) -> Optional[str]:
        """None where there is no such file, and C(denied), if given, where it may not be read."""
        try:
            with open(self.path(path), encoding="utf-8", errors="backslashreplace") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            if denied is not None and isinstance(error, PermissionError):
                return denied
            raise AccessError(f"{path} cannot be read: {error.strerror}")

    def _texts(self) -> Dict[str, str]:
        """Every file that sets sysctls, read once."""
        if self._read is None:
            self._read = {path: self.text(path) or "" for path in [*self._files(), SYSCTL_CONF]}
        return self._read

    def _files(self) -> Iterator[str]:
        for folder in FOLDERS:
            try:
                names = os.listdir(self.path(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise AccessError(f"{folder} cannot be read: {error.strerror}")
            for name in names:
                if name.endswith(".conf"):
                    yield os.path.join(folder, name)

    # Processes and cgroups matter to few settings. What reads them is loaded then: a host compiles what a module imports, in each run.

    def runs(self, name: str) -> bool:
        """Whether a process has this name, or runs a program of this name."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import (
            ProcessTable,
        )
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return bool(ProcessTable(Procfs(self.path("/proc"))).named(name))

    def pinned(self) -> List[str]:
        """Processes that the killer is to spare and yet may take."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import pinned_processes
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return pinned_processes(Procfs(self.path("/proc")))

    def limited_cgroups(self) -> List[str]:
        """Paths of the cgroups that have a memory limit."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import limited_cgroups
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return limited_cgroups(Procfs(self.path("/proc")))


def proc_path(key: str) -> str:
    return PROC_SYS + "/" + key.replace(".", "/")


# --- plan -------------------------------------------------------------------------


def plan(host: Host, request: Request) -> Plan:
    """What is to be done; nothing is changed. Raises InputError for a file that is not ours, UnsupportedError for sysctls that are not there."""
    if not 0 < request.rollback_seconds <= ROLLBACK_SECONDS_MAX:
        raise InputError(f"rollback_seconds={request.rollback_seconds} is out of range, 1 to {ROLLBACK_SECONDS_MAX}")
    text = _own_text(host, request)
    before = host.look(request.keys, text, request.file)
    missing = [key for key in request.wanted if before.live[key] is None]
    if missing:
        raise UnsupportedError(
            f"this kernel ({os.uname().release}) does not have {', '.join(missing)}: leave the option out here"
        )
    live = _with(before.live, request.wanted)
    order = [key for key in request.order(before.live, request.wanted) if key in request.wanted]
    steps = [Step(key, before.live[key], live[key]) for key in order if live[key] != before.live[key]]
    text_after = text
    own = before.file
    if request.persistent:
        own = {key: value for key, value in before.file.items() if EXCLUSIVE.get(key) not in request.wanted}
        own.update(request.wanted)
        own = {key: own[key] for key in request.keys if key in own}
        text_after = _sysctl_files.render(request.manager, own)
    after = State(live, own, host.boot(request.keys, request.file, text_after))
    unsafe, elsewhere = _compare(host, request, after, text_after)
    return Plan(request, before, after, steps, text, text_after, unsafe + elsewhere, not unsafe)


def _compare(host: Host, request: Request, after: State, text: Optional[str]) -> Tuple[List[str], List[str]]:
    """How the next boot may differ from what is live then, and what would change it before that."""
    in_run = host.boot(request.keys, request.file, text, volatile=True)
    by_hand = host.boot(request.keys, request.file, text, volatile=True, procps=True)
    unsafe, elsewhere = [], []
    concerned = {*request.wanted, *request.leans_on(request.wanted)}
    for key in request.keys:
        if after.live[key] is None or (key not in concerned and EXCLUSIVE.get(key) not in concerned):
            continue
        live, boot = after.live[key], after.boot[key]
        if boot.value != live:
            unsafe.append(f"{key} will not be {live} after the next boot: {boot}")
        elif in_run[key].value != live:
            unsafe.append(
                f"{key} may not be {live} after the next boot: {in_run[key]}, if something writes that file again"
            )
        elif by_hand[key].value != live:
            elsewhere.append(f"{key} will be {live} after the next boot, but not after sysctl --system: {by_hand[key]}")
    return unsafe, elsewhere


def _with(live: Live, wanted: Dict[str, int]) -> Live:
    """Live values once these are written."""
    after = dict(live)
    for key, value in wanted.items():
        after[key] = value
        other = EXCLUSIVE.get(key)
        if other and after[other] is not None:
            after[other] = 0
    return after


def _own_text(host: Host, request: Request) -> Optional[str]:
    """Text of our file; raises InputError for one that is not, or would not be read."""
    folder, name = os.path.split(request.file)
    if (
        folder != FOLDERS[0]
        or os.path.normpath(request.file) != request.file
        or not name.endswith(".conf")
        or name.startswith(".")
    ):
        raise InputError(
            f"file {request.file} would not be read at boot: name one in {FOLDERS[0]} that ends with .conf"
        )
    real = host.path(request.file)
    if not request.persistent:
        return host.text(request.file)
    if os.path.islink(real) or os.path.isdir(real):
        raise InputError(
            f"file {request.file} is {'a symbolic link' if os.path.islink(real) else 'a folder'}, left alone: name another one"
        )
    text = host.text(request.file)
    if text and not text.startswith(_sysctl_files.header(request.manager)):
        raise InputError(
            f"file {request.file} is not ours (it does not start with our header), left alone: name another one"
        )
    return text


# --- what the user gets back ---------------------------------------------------------


def result(plan: Plan) -> Dict[str, Any]:
    """C(changed), C(before), C(after), C(boot_value_from), C(reboot_safe) and C(diff)."""
    return dict(
        changed=plan.changed,
        before=_told(plan.before),
        after=_told(plan.after),
        boot_value_from={key: str(found.source) if found.source else None for key, found in plan.after.boot.items()},
        reboot_safe=plan.reboot_safe,
        diff=dict(before=_state(plan, plan.before, plan.text_before), after=_state(plan, plan.after, plan.text_after)),
    )


def values(boot: Dict[str, Found]) -> Dict[str, Optional[int]]:
    """What the next boot sets, without where it comes from."""
    return {key: found.value for key, found in boot.items()}


def cause(plan: Plan, key: str) -> str:
    """Which file and line makes this value at the next boot."""
    return f"{key}: {plan.after.boot[key]}"


def remedy(plan: Plan, key: str, option: str) -> str:
    """What makes the next boot set another value, by this option."""
    source = plan.after.boot[key].source
    given = key in plan.request.wanted or EXCLUSIVE.get(key) in plan.request.wanted
    if source is None or source.path in (COMMAND_LINE, plan.request.file):
        return f"give another {option}" if given else f"give {option} as well, which makes it permanent"
    if source.path == SYSCTL_CONF:
        return f"change {source}"  # no name sorts later
    return f"change {source}, or give {'' if given else option + ' as well and '}file a name that sorts later"


def _told(state: State) -> Dict[str, Any]:
    return dict(
        live=state.live,
        file={key: state.file.get(key) for key in state.live},
        boot=values(state.boot),
    )


def _state(plan: Plan, state: State, text: Optional[str]) -> str:
    """Live values and our file as text."""
    live = "".join(f"{key} = {value}\n" for key, value in state.live.items() if value is not None)
    return live + (f"# {plan.request.file}\n{text}" if text is not None else "")
