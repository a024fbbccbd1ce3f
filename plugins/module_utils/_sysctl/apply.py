# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Carry out a plan for sysctls: all or nothing.

The live values and the file change together, or neither does. That holds even
if the module is killed in between (rollback.py).
"""

import contextlib
import errno
import functools
import mmap
import os
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.file_changes import (
    PreparedChange,
    check_folder,
    commit_changes,
    prepare_change,
    restore_file,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import (
    LOGIN_KB,
    Host,
    explain_failure,
    proc_path,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    CHANGING,
    NOTHING_CHANGED,
    Progress,
    SysctlPlan,
    SysctlValues,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import RollbackHelper

LOGIN_BYTES = LOGIN_KB << 10

MORE_MEMORY = "raise ratio or kbytes, or end programs"

# User ids that systemd, subuid(5) and the domain services give to nobody, up to the largest that
# every program reads as a positive number.
FREE_IDS = range(2000300000, 2147400000)
_TRIES = 100


def apply_sysctls(
    host: Host,
    plan: SysctlPlan,
    prove: Callable[[], None],
    lock: Sequence[int] = (),
    progress: Optional[Progress] = None,
) -> None:
    """Carry out a plan. Raises OomError if anything fails; everything is then as before.

    C(prove) is called once the live values are written. It raises OomError if they
    must not stay. C(lock) are descriptors that the helper keeps open as well.
    """
    progress = progress or Progress()
    with contextlib.ExitStack() as stack:
        fds = stack.enter_context(_open_sysctls(host, plan))
        files = [stack.enter_context(prepare_change(host, change)) for change in plan.files]
        keep = functools.partial(commit_changes, files)
        undo = functools.partial(_undo, [(fds[key], _to_bytes(value)) for key, value in plan.undo_writes()], files)
        try:
            helper = RollbackHelper(plan.request.rollback_seconds, keep, undo, [*fds.values(), *lock])
        except (OSError, MemoryError) as error:
            reason = f"the rollback helper cannot be started ({_describe(error)})"
            raise OomError(f"{NOTHING_CHANGED}: {reason}; free memory, then run this again") from error
        progress.state = CHANGING
        try:
            _write_sysctls(host, plan, fds, helper)
            prove()
            if not helper.confirm():
                raise OomError(
                    "the rollback helper did not keep the change: the module did not confirm it within"
                    f" rollback_seconds={plan.request.rollback_seconds}, or {_name_files(plan)} could not be"
                    " replaced or removed, or the helper was killed; raise rollback_seconds, or see why that file stays"
                )
        except BaseException as error:
            helper.roll_back()
            left = _finish_undo(host, plan, undo)
            state = (
                f"this could not be restored: {'; '.join(left)}; do that by hand" if left else "everything is as before"
            )
            raise OomError(f"{_describe(error)}; {state}") from error


def _undo(old_values: Sequence[Tuple[int, bytes]], files: Sequence[PreparedChange]) -> None:
    """Write the old values to their descriptors and undo what was done to files.

    Tries everything, then raises the first error.
    """
    errors = []
    steps: List[Callable[[], object]] = [functools.partial(os.pwrite, fd, value, 0) for fd, value in old_values]
    for step in [*steps, *(file.undo for file in files)]:
        try:
            step()
        except (OSError, MemoryError) as error:
            errors.append(error)  # restore the others all the same
    if errors:
        raise errors[0]


def _name_files(plan: SysctlPlan) -> str:
    return " and ".join(change.path for change in plan.files) or plan.request.file


def _finish_undo(host: Host, plan: SysctlPlan, undo: Callable[[], None]) -> List[str]:
    """Undo what the helper did not undo, and return what cannot be undone.

    The helper undoes everything, unless it was killed, or this process was stopped
    while the helper worked. Undoing twice has the same result, so nothing is
    read first: a read may fail for lack of memory.
    """
    left: List[str] = []

    def compare() -> None:
        left.extend(_find_differences(host, plan.before.live))

    restore: List[Callable[[], None]] = [functools.partial(restore_file, host, change) for change in plan.files]
    for step in [undo, *restore, compare]:
        try:
            step()
        except (OSError, OomError, MemoryError) as error:
            left.append(_describe(error))
    return left


def _describe(error: BaseException) -> str:
    """Return the text of an error. Python has none for a lack of memory, and none for a signal."""
    if isinstance(error, MemoryError):
        return "this module ran out of memory"
    return "this module was interrupted" if isinstance(error, KeyboardInterrupt) else str(error)


# --- proof ------------------------------------------------------------------------


def choose_free_id(host: Host) -> int:
    """Return a number for a user and a group that no process has and nobody can foresee.

    No user but root can then send a signal to a process of that user.
    """
    used = host.ids_in_use()
    for _try in range(_TRIES):
        number = FREE_IDS[int.from_bytes(os.urandom(8), "big") % len(FREE_IDS)]
        if number not in used:
            return number
    raise OomError(f"{NOTHING_CHANGED}: no free user id was found from {FREE_IDS[0]} to {FREE_IDS[-1]}; run this again")


def prove_new_process(user: Optional[int] = None) -> None:
    """Raise OomError unless an ordinary user can start a process, take some memory and fork.

    The process runs with this id and without capabilities, so that the kernel's reserve for root
    does not count. By default the id is a free one of this host.
    """
    user = choose_free_id(Host()) if user is None else user
    try:
        child = os.fork()
        if child == 0:
            os._exit(_act_as_login(user))
    except OSError as error:
        raise OomError(f"no new process can be started (fork: {error.strerror}); {MORE_MEMORY}") from error
    status = os.waitpid(child, 0)[1]
    if status != 0:
        why = os.strerror(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else f"signal {os.WTERMSIG(status)}"
        raise OomError(
            f"a process of an ordinary user cannot take {LOGIN_BYTES // 1024} KiB of memory and fork, as a login does"
            f" ({why}); {MORE_MEMORY}"
        )


def _act_as_login(user: int) -> int:
    """Take memory and fork as this user. Return 0 or the number of the error."""
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        mmap.mmap(-1, LOGIN_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if os.fork() == 0:
            os._exit(0)
        return errno.ECHILD if os.wait()[1] else 0
    except OSError as error:
        return error.errno or errno.EIO
    except BaseException:  # pylint: disable=broad-except
        return errno.ENOMEM


# --- live values ------------------------------------------------------------------


def _write_sysctls(host: Host, plan: SysctlPlan, fds: Dict[str, int], helper: RollbackHelper) -> None:
    """Write the values one by one as long as the helper waits, and read them back."""
    for write in plan.writes:
        if not helper.is_waiting():
            raise OomError(
                "the rollback helper ended before all values were written:"
                f" rollback_seconds={plan.request.rollback_seconds} had passed, or it was killed;"
                " raise rollback_seconds"
            )
        try:
            os.pwrite(fds[write.key], _to_bytes(write.after), 0)
        except OSError as error:
            refused = error.errno == errno.EINVAL
            reason = "the kernel refuses this value: set another one" if refused else explain_failure(error)
            raise AccessError(f"{write.key} cannot be set to {write.after}: {reason}") from error
    differences = _find_differences(host, plan.after.live)
    if differences:
        raise ReadBackError(f"after the write {'; '.join(differences)}; stop what else writes it, such as tuned")


def _find_differences(host: Host, expected: SysctlValues) -> List[str]:
    found = {key: host.live(key) for key in expected}
    return [f"{key} is {found[key]} instead of {value}" for key, value in expected.items() if found[key] != value]


def _to_bytes(value: int) -> bytes:
    return f"{value}\n".encode()


def refuse_unwritable(host: Host, plan: SysctlPlan) -> None:
    """Raise AccessError if the sysctls or the files of a plan cannot be written."""
    with _open_sysctls(host, plan):
        for change in plan.files:
            check_folder(host, change)


@contextlib.contextmanager
def _open_sysctls(host: Host, plan: SysctlPlan) -> Iterator[Dict[str, int]]:
    """Yield a descriptor for each sysctl to write. Raises AccessError if one cannot be opened."""
    keys = {key for key, _value in plan.undo_writes()} | {write.key for write in plan.writes}
    with contextlib.ExitStack() as stack:
        yield {key: stack.enter_context(_open_sysctl(host, key)) for key in keys}


@contextlib.contextmanager
def _open_sysctl(host: Host, key: str) -> Iterator[int]:
    path = proc_path(key)
    try:
        fd = os.open(host.path(path), os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AccessError(f"{path} cannot be written: {explain_failure(error)}") from error
    try:
        yield fd
    finally:
        os.close(fd)
