# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Select the processes that a target names: by pid, name, argument, pid file, or container.

A name, an argument or a pid file is a claim that a user may make. So OfHost passes over what a user
could have put there (_host/identity.py).
"""

import os
import re
import time
from typing import TYPE_CHECKING, Callable, Dict, FrozenSet, Iterable, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    NotFoundError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import user_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs, find_start
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    check_path_text,
    printable_name,
    shorten,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import (
    ByCgroup,
    ByUnit,
    Selector,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import is_reported_if_missing
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin, SelectedContainer

if TYPE_CHECKING:  # a host compiles what it imports, and most targets do without these
    from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import Identity

_PID = re.compile(r"[1-9][0-9]{0,9}\Z")  # isdigit() would take the digits of every script
_PIDFILE_BYTES = 64
# Both clocks tick every 10 ms at most, but the wall clock may be slewed meanwhile.
_PIDFILE_SECONDS = 2
# Once the slow command lines of one look took this long, those of users are not searched any more.
_SLOW_SECONDS = 5


class ByPid(Selector):
    """One process by its pid."""

    def __init__(self, value: str) -> None:
        super().__init__()
        if not _PID.match(value):
            raise InputError(f"pid={shorten(value)} is not a process number: set it to one of ps -e, such as 1234")
        self.pid = int(value)

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pid, whether or not it exists."""
        return [self.pid]

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether this is the pid."""
        return process.pid == self.pid


class ByRecord(Selector):
    """The processes that the record of pins names."""

    def __init__(self, start_times: Dict[int, int]) -> None:
        """C(start_times) are those of the processes, by pid."""
        super().__init__()
        self._start_times = start_times

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the recorded pids, whether or not they exist."""
        return self._start_times

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is recorded, and did not take over the pid."""
        return self._start_times.get(process.pid) == process.start_time


class ByPidfile(ByPid):
    """One process by the pid in the first line of a file.

    As in systemd, root's files may name any process, and files of another system user only
    processes of that user. Files that ordinary users could have written are refused. So is a file
    that is older than its process, as after a restart or a step of the clock, unless it may be so.
    Source: systemd:src/core/service.c:service_load_pid_file.
    """

    def __init__(self, value: str, first_login_uid: int, users: FrozenSet[int], may_be_older: bool = False) -> None:
        from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

        self._may_be_older = may_be_older
        shown = printable_name(value)
        try:
            self._file = read_trusted(value, _PIDFILE_BYTES, first_login_uid, users)
        except FileNotFoundError:
            raise NotFoundError(
                f"pidfile={shown} does not exist: start the daemon, or select by unit or process"
            ) from None
        except OSError as error:
            from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

            # A user who is named may have made a circle of links: that stops no other target.
            kind = UntrustedError if users else InputError
            raise kind(f"pidfile={shown} cannot be read: {explain_os_error(error)}") from error
        except UntrustedError as error:
            raise UntrustedError(f"pidfile={error}: use pid or unit instead") from error
        # As systemd reads it: further lines are the daemon's own, as in postmaster.pid.
        text = self._file.content.partition(b"\n")[0].decode("ascii", "replace").strip()
        try:
            super().__init__(text)
        except InputError:
            kind = UntrustedError if self._file.uids or self._file.gids else InputError
            raise kind(
                f"pidfile={shown} holds {text[:32]!r}, not a process number: select by unit or process"
            ) from None

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether this is the pid, and the file may be believed."""
        if not super().matches(process, directory):
            return False
        from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import read_ids

        ids = read_ids(directory)
        strangers = sorted(uid for uid in self._file.uids if uid != ids.uid)
        if strangers or not self._file.gids <= set(ids.gids):
            owner = f"uid {strangers[0]}" if strangers else f"group {min(self._file.gids)}"
            self.pass_over(process, ids.uid, f"{owner} may write the pid file, and it runs as uid {ids.uid}")
            return False
        if not self._may_be_older and self._file.modified + _PIDFILE_SECONDS < find_start(process):
            why = "it began after the pid file was written, or the clock was set since (force=true overrides)"
            self.pass_over(process, ids.uid, why)
            return False
        return True


class ByProcess(Selector):
    """Every process with this name, or with an executable of this name."""

    def __init__(self, value: str) -> None:
        super().__init__()
        if not value or "/" in value:
            raise InputError(
                f"process={shorten(value)!r} is not a name: set the comm or the base name of the executable"
            )
        self.name = value

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids with this name, without this process: a module is a python3, too."""
        return table.named(self.name) - {os.getpid()}

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the comm or the executable has this name."""
        return process.name == self.name or directory.executable() == self.name


class ByPattern(Selector):
    """Every process whose command line matches a regular expression.

    Never this process or its ancestors: their command lines may hold the
    pattern itself, as that of C(ansible -a pattern=...) does.
    """

    def __init__(self, value: str, procfs: Procfs, is_foreign: Callable[[int], bool]) -> None:
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pattern import Pattern

        super().__init__()
        self._pattern = Pattern(value)
        self._is_foreign = is_foreign
        self._ours = set(procfs.ancestors(os.getpid()))

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids whose command line matches, without this process and its ancestors."""
        lines = [(pid, line) for pid, line in table.command_lines.items() if pid not in self._ours]
        found, searched = self._pattern.search_all(lines)
        return found + self._search_each(table, lines[searched:])

    def _search_each(self, table: ProcessTable, lines: List[Tuple[int, str]]) -> List[int]:
        """Return the pids whose command line matches, with a time limit for each."""
        found = []
        deadline = time.monotonic() + _SLOW_SECONDS
        for pid, line in lines:
            matches = None if time.monotonic() > deadline and self._is_foreign(pid) else self._pattern.search(line)
            if matches:
                found.append(pid)
            elif matches is None:
                self.pass_over(table.by_pid[pid], None, "its command line takes too long to search")
        return found

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the command line matches."""
        return self._pattern.search(directory.command_line()) is True


class ByContainer(ByCgroup):
    """Every process in the cgroup of a container."""

    def __init__(self, value: str, path: str, procfs: Procfs, users: FrozenSet[int]) -> None:
        super().__init__(path, procfs)
        from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_of
        from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_name

        found = container_of(path) or ""
        name = find_container_name(found, users) if found.startswith(value) else value
        self.container = SelectedContainer(found, name)


class ByUserUnit(ByUnit):
    """The main process of a user's service, or every process in its cgroup: only the user's own.

    The user chose both, so a set-uid program that runs there is not selected.
    """

    def __init__(self, main_pid: int, path: str, procfs: Procfs, whole: bool, uid: int) -> None:
        super().__init__(main_pid, path, procfs, whole)
        self._uid = uid

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is in the cgroup, and all its uids are the user's."""
        if not super().matches(process, directory):
            return False
        from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import read_ids

        ids = read_ids(directory)
        if set(ids.uids) == {self._uid}:
            return True
        self.pass_over(process, ids.uid, f"it does not run as uid {self._uid} alone")
        return False


class WithDescendants(Selector):
    """The processes of another selector, and all their descendants.

    Only those that C(roots) selects too, if it is given, have descendants that count.
    """

    grows = by_descent = True

    def __init__(self, selector: Selector, procfs: Procfs, roots: Optional[Selector] = None) -> None:
        super().__init__()
        self.passed_over = selector.passed_over
        self._selector = selector
        self._roots = roots or selector
        self._procfs = procfs
        self._start_times: Dict[int, int] = {}  # of descendants, by pid

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids of the other selector and of its descendants in the table."""
        chosen = {pid for pid in self._roots.candidates(table) if self._is_selected(pid)}
        self._start_times = {pid: table.by_pid[pid].start_time for pid in table.descendants(chosen)}
        return chosen.union(self._start_times)

    def _is_selected(self, pid: int) -> bool:
        """Return whether a process is selected, so that its descendants count."""
        try:
            with self._procfs.open(pid) as directory:
                return self._roots.matches(directory.process(), directory)
        except PermissionError:  # reported when it is read as a target
            return True
        except GONE:
            return False

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether it is a known descendant, or the other selector matches."""
        return self._start_times.get(process.pid) == process.start_time or self._selector.matches(process, directory)


class OfHost(Selector):
    """The processes of another selector, without those that a user could have started.

    A user gains nothing by a raised score: such processes are selected if theirs is raised. A score
    below 0 that one has already is removed.
    """

    def __init__(self, selector: Selector, pin: Pin, identity: "Identity", users: FrozenSet[int]) -> None:
        super().__init__()
        self.grows, self.by_descent = selector.grows, selector.by_descent
        self.passed_over = selector.passed_over
        self._selector = selector
        self._score = pin.score
        self._identity = identity
        self._users = users

    def candidates(self, table: ProcessTable) -> Iterable[int]:
        """Return the pids of the other selector."""
        return self._selector.candidates(table)

    def matches(self, process: Process, directory: ProcessDir) -> bool:
        """Return whether the other selector matches, and the process may have the score."""
        if not self._selector.matches(process, directory):
            return False
        before = directory.score()
        if self._score is not None and (before < self._score or before == self._score >= 0):
            return True
        why = self._identity.why_foreign(directory, self._users)
        if why is None:
            return True
        if self._score is None and before < 0:
            self.only_raised.add((process.pid, process.start_time))
            return True
        self.pass_over(process, self._identity.find_uid(directory), why)
        return False


def make_selector(pin: Pin, procfs: Procfs, identity: "Callable[[], Identity]", users: FrozenSet[int]) -> Selector:
    """Return the selector of a target other than C(unit), for which see C(ByUnit).

    C(children=pin) adds the descendants of the selected processes. C(users) are uids whose
    processes may be selected too. Raises InputError for a value that is malformed, UntrustedError
    for one that a user could have made, NotFoundError for one that does not exist.
    """
    value = pin.value
    check_path_text(pin.selector, value)
    if pin.selector == "container":
        return _find_container(pin, procfs, users)
    if pin.selector == "cgroup":
        return _find_cgroup(pin, procfs)
    if pin.selector == "machine":
        return _find_machine(pin, procfs)
    whole = pin.children == "pin"
    if pin.selector == "pid":
        by_pid = ByPid(value)
        return WithDescendants(by_pid, procfs) if whole else by_pid
    judge = identity()
    claimed: Selector
    if pin.selector == "pidfile":
        claimed = ByPidfile(value, judge.first_login_uid, users, may_be_older=pin.force)
    elif pin.selector == "process":
        claimed = ByProcess(value)
    else:
        claimed = ByPattern(value, procfs, lambda pid: _is_foreign(procfs, judge, users, pid))
    selector = OfHost(claimed, pin, judge, users)
    if not whole:
        return selector
    # Descendants are judged too, and each process once at a time.
    return OfHost(WithDescendants(claimed, procfs, selector), pin, judge, users)


def _is_foreign(procfs: Procfs, identity: "Identity", users: FrozenSet[int], pid: int) -> bool:
    try:
        with procfs.open(pid) as directory:
            return identity.why_foreign(directory, users) is not None
    except (*GONE, PermissionError):
        return True


def _find_container(pin: Pin, procfs: Procfs, users: FrozenSet[int]) -> Selector:
    # Imported only here: http.client is a third of everything that the module loads.
    from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_cgroup

    try:
        return ByContainer(pin.value, find_container_cgroup(procfs, pin.value, users), procfs, users)
    except NotFoundError as error:
        if not is_reported_if_missing(pin):
            raise
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.suggestions import (
            suggest_for_container,
        )

        raise NotFoundError(f"{error}; {suggest_for_container(pin.value, procfs)}") from error


def _find_machine(pin: Pin, procfs: Procfs) -> Selector:
    from ansible_collections.oomguard.linux.plugins.module_utils._host.machines import find_machine_cgroup

    path = find_machine_cgroup(procfs, pin.value)
    if user_of([path]) is not None:  # newer systemd lets users register their own
        raise UntrustedError(f"{pin.target} runs in {printable_name(path)}, in the slice of a user: use cgroup instead")
    return ByCgroup(path, procfs)


def _find_cgroup(pin: Pin, procfs: Procfs) -> Selector:
    try:
        return ByCgroup(pin.value, procfs)
    except NotFoundError as error:
        if not is_reported_if_missing(pin):
            raise
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.suggestions import (
            suggest_for_cgroup,
        )

        raise NotFoundError(f"{error}; {suggest_for_cgroup(pin.value, procfs)}") from error
