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
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import LOGIN_KB, Host, proc_path
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    CHANGING,
    NOTHING_CHANGED,
    Progress,
    SysctlPlan,
    SysctlValues,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import RollbackHelper

LOGIN_BYTES = LOGIN_KB << 10

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
    path = host.path(plan.request.file)
    new_text = plan.new_text
    with contextlib.ExitStack() as stack:
        fds = stack.enter_context(_open_sysctls(host, plan))
        new_file = None if new_text is None else stack.enter_context(_prepare_file(path, new_text))
        keep = functools.partial(_replace_file, new_file, path)
        undo = functools.partial(_undo, [(fds[key], _to_bytes(value)) for key, value in plan.undo_writes()], new_file)
        try:
            helper = RollbackHelper(plan.request.rollback_seconds, keep, undo, [*fds.values(), *lock])
        except (OSError, MemoryError) as error:
            reason = f"the rollback helper cannot be started ({_describe(error)})"
            raise OomError(f"{NOTHING_CHANGED}: {reason}") from error
        progress.state = CHANGING
        try:
            _write_sysctls(host, plan, fds, helper)
            prove()
            if not helper.confirm():
                raise OomError(
                    "the rollback helper did not keep the change: the module did not confirm it within"
                    f" rollback_seconds={plan.request.rollback_seconds}, or {plan.request.file} could not be replaced,"
                    " or the helper was killed"
                )
        except BaseException as error:
            helper.roll_back()
            left = _finish_undo(host, plan, undo)
            state = f"this could not be restored: {'; '.join(left)}" if left else "everything is as before"
            raise OomError(f"{_describe(error)}; {state}") from error


def _replace_file(new_file: Optional[bytes], path: bytes) -> None:
    """Put the prepared file in the place of ours. Without one, our file stays as it is."""
    if new_file is not None:
        os.rename(new_file, path)


def _undo(old_values: Sequence[Tuple[int, bytes]], new_file: Optional[bytes]) -> None:
    """Write the old values to their descriptors and remove the prepared file.

    Tries everything, then raises the first error.
    """
    errors = []
    for fd, value in old_values:
        try:
            os.pwrite(fd, value, 0)
        except (OSError, MemoryError) as error:
            errors.append(error)  # restore the others all the same
    if new_file is not None:
        try:
            _remove_file(new_file)
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _finish_undo(host: Host, plan: SysctlPlan, undo: Callable[[], None]) -> List[str]:
    """Undo what the helper did not undo, and return what cannot be undone.

    The helper leaves nothing, unless it was killed, or this process was stopped
    while the helper worked. Undoing twice has the same result, so nothing is
    read first: a read may fail for lack of memory.
    """
    left: List[str] = []
    for step in (
        undo,
        lambda: _restore_file(host, plan),
        lambda: left.extend(_find_differences(host, plan.before.live)),
    ):
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


def _restore_file(host: Host, plan: SysctlPlan) -> None:
    if host.text(plan.request.file) == plan.text_before:
        return
    path = host.path(plan.request.file)
    if plan.text_before is None:
        os.unlink(path)
        return
    with _prepare_file(path, plan.text_before) as old_file:
        os.rename(old_file, path)


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
    raise OomError(f"{NOTHING_CHANGED}: no free user id was found from {FREE_IDS[0]} to {FREE_IDS[-1]}")


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
        raise OomError(f"no new process can be started (fork: {error.strerror})") from error
    status = os.waitpid(child, 0)[1]
    if status != 0:
        why = os.strerror(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else f"signal {os.WTERMSIG(status)}"
        raise OomError(
            f"a process of an ordinary user cannot take {LOGIN_BYTES // 1024} KiB of memory and fork, as a login does"
            f" ({why})"
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
                f" rollback_seconds={plan.request.rollback_seconds} had passed, or it was killed"
            )
        try:
            os.pwrite(fds[write.key], _to_bytes(write.after), 0)
        except OSError as error:
            raise AccessError(f"{write.key} cannot be set to {write.after}: {error.strerror}") from error
    differences = _find_differences(host, plan.after.live)
    if differences:
        raise ReadBackError(f"after the write {'; '.join(differences)}")


def _find_differences(host: Host, expected: SysctlValues) -> List[str]:
    found = {key: host.live(key) for key in expected}
    return [f"{key} is {found[key]} instead of {value}" for key, value in expected.items() if found[key] != value]


def _to_bytes(value: int) -> bytes:
    return f"{value}\n".encode()


def why_unwritable(host: Host, plan: SysctlPlan) -> Optional[str]:
    """Return why the sysctls of a plan cannot be opened for writing, or None."""
    try:
        with _open_sysctls(host, plan):
            return None
    except AccessError as error:
        return str(error)


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
        if error.errno == errno.EROFS:
            raise AccessError(f"{path} cannot be written: it is read-only here") from error
        raise AccessError(f"{path} cannot be written: {error.strerror}; use become") from error
    try:
        yield fd
    finally:
        os.close(fd)


# --- our file ---------------------------------------------------------------------


@contextlib.contextmanager
def _prepare_file(path: bytes, text: str) -> Iterator[bytes]:
    """Write the text to a hidden file next to C(path), on disk, and yield its name for a rename.

    It is removed at the end unless it was renamed, and so is its folder if it is new and empty.
    Its name is always the same, so that a run finds what a killed module and helper left
    (C(Host.leftovers)).
    """
    folder, name = os.path.split(path)
    prepared = os.path.join(folder, b"." + name + b".new")
    with contextlib.ExitStack() as stack:
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder)
                stack.callback(_ignore_errors, os.rmdir, folder)
                os.chmod(folder, 0o755)  # whatever the umask
            stack.callback(_ignore_errors, _remove_file, prepared)
            fd = os.open(prepared, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(fd, "wb") as stream:
                os.fchmod(fd, 0o644)
                stream.write(bytes_of(text))
                stream.flush()
                os.fsync(fd)
        except OSError as error:
            raise AccessError(f"{text_of(path)} cannot be written: {error.strerror}") from error
        yield prepared


def _remove_file(path: bytes) -> None:
    """Remove a file if there is one. Raises OSError if it stays."""
    try:
        os.unlink(path)
    except OSError:
        # A read-only file system refuses before it looks for the file.
        if os.path.lexists(path):
            raise


def _ignore_errors(action: Callable[[bytes], None], path: bytes) -> None:
    with contextlib.suppress(OSError):
        action(path)
