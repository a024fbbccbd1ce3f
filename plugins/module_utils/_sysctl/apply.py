# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Carries a plan for sysctls out: all or nothing.

The live values and the file change together, or neither does, even if the
module is killed in between (_dead_man).
"""

import contextlib
import errno
import mmap
import os
from typing import Callable, Dict, Iterator, List, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host, Live, Plan, proc_path
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.rollback import DeadMan

# What a login by ssh with a module in it was promised on Debian 12: Committed_AS rose by 18 MiB meanwhile.
ROOM = 20 << 20  # bytes
NOBODY = 65534  # a user without capabilities: what the kernel keeps for root alone does not count


def apply(host: Host, made: Plan, prove: Callable[[], None], lock: Sequence[int] = ()) -> None:
    """Carry a plan out. Raises OomError when anything fails, and then everything is as it was.

    C(prove) is called once the live values are written, and raises OomError
    when they are not to stay. C(lock) is what the helper holds on to, too.
    """
    undo = made.undo()
    path = host.path(made.request.file)
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(_opened(host, made))
        new = stack.enter_context(_unfinished(path, made.text_after)) if made.file_changes else None
        back = [(files[key], _bytes(value)) for key, value in undo]

        def finish() -> None:
            if new is not None:
                os.rename(new, path)

        def put_back() -> None:
            failed = []
            for fd, value in back:
                try:
                    os.pwrite(fd, value, 0)
                except (OSError, MemoryError) as error:
                    failed.append(error)  # the others all the same
            if new is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new)
            if failed:
                raise failed[0]

        try:
            dead_man = DeadMan(made.request.rollback_seconds, finish, put_back, [*files.values(), *lock])
        except OSError as error:
            raise OomError(
                f"the helper that would restore the values before cannot be started ({error}), so nothing was changed"
            )
        try:
            _write(host, made, files, dead_man)
            prove()
            if not dead_man.keep():
                raise OomError(
                    f"the helper did not finish it: that all is well was not shown within rollback_seconds={made.request.rollback_seconds}, or {made.request.file} could not be replaced, or it was killed"
                )
        except BaseException as error:
            dead_man.undo()
            left = _back(host, made, put_back)
            how = "all is as before" if not left else f"this could not be put back: {'; '.join(left)}"
            raise OomError(f"{_words(error)}; {how}") from error


def _back(host: Host, made: Plan, put_back: Callable[[], None]) -> List[str]:
    """What the helper has left to do: nothing, unless it was killed, or we were stopped while it worked. What cannot be done is told.

    Done again it is the same, so that nothing has to be looked at first, which may fail for lack of memory.
    """
    left: List[str] = []
    for step in (
        put_back,
        lambda: _restore_file(host, made),
        lambda: left.extend(_differences(host, made.before.live)),
    ):
        try:
            step()
        except (OSError, OomError, MemoryError) as error:
            left.append(_words(error))
    return left


def _words(error: BaseException) -> str:
    """Python has none for a lack of memory."""
    return "this module got no more memory" if isinstance(error, MemoryError) else str(error)


def _restore_file(host: Host, made: Plan) -> None:
    if host.text(made.request.file) == made.text_before:
        return
    path = host.path(made.request.file)
    if made.text_before is None:
        os.unlink(path)
        return
    with _unfinished(path, made.text_before) as old:
        os.rename(old, path)


def prove_new_process() -> None:
    """Raise OomError unless an ordinary user can start a process that starts another, with some memory."""
    try:
        child = os.fork()
        if child == 0:
            os._exit(_live_as_nobody())
    except OSError as error:
        raise OomError(f"no new process can be started (fork: {error.strerror})")
    status = os.waitpid(child, 0)[1]
    if status != 0:
        why = os.strerror(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else f"signal {os.WTERMSIG(status)}"
        raise OomError(
            f"a process of an ordinary user does not get the {ROOM // 1024} KiB and the fork that a login takes ({why})"
        )


def _live_as_nobody() -> int:
    """0, or the number of the error."""
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        mmap.mmap(-1, ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if os.fork() == 0:
            os._exit(0)
        return errno.ECHILD if os.wait()[1] else 0
    except OSError as error:
        return error.errno or errno.EIO
    except BaseException:  # pylint: disable=broad-except
        return errno.ENOMEM


def _write(host: Host, made: Plan, files: Dict[str, int], dead_man: DeadMan) -> None:
    for step in made.steps:
        if not dead_man.holds():
            raise OomError(
                f"the helper gave up before all was written: rollback_seconds={made.request.rollback_seconds} were over, or it was killed"
            )
        try:
            os.pwrite(files[step.key], _bytes(step.after), 0)
        except OSError as error:
            raise AccessError(f"{step.key} cannot be set to {step.after}: {error.strerror}")
    different = _differences(host, made.after.live)
    if different:
        raise ReadBackError(f"after the write {'; '.join(different)}")


def _differences(host: Host, expected: Live) -> List[str]:
    found = {key: host.live(key) for key in expected}
    return [f"{key} shows {found[key]} and not {value}" for key, value in expected.items() if found[key] != value]


def _bytes(value: int) -> bytes:
    return f"{value}\n".encode()


def unwritable(host: Host, made: Plan) -> Optional[str]:
    """Why a run would fail."""
    try:
        with _opened(host, made):
            return None
    except AccessError as error:
        return str(error)


@contextlib.contextmanager
def _opened(host: Host, made: Plan) -> Iterator[Dict[str, int]]:
    """Before anything is written: what cannot be written is refused here."""
    with contextlib.ExitStack() as stack:
        yield {
            key: stack.enter_context(_opened_one(host, key))
            for key in {key for key, _value in made.undo()} | {step.key for step in made.steps}
        }


@contextlib.contextmanager
def _opened_one(host: Host, key: str) -> Iterator[int]:
    path = proc_path(key)
    try:
        fd = os.open(host.path(path), os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise AccessError(f"{path} cannot be written: it is read-only here")
        raise AccessError(f"{path} cannot be written: {error.strerror}; use become")
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _unfinished(path: str, text: str) -> Iterator[str]:
    """A file beside this one with the text and on disk, to be renamed; removed if it is still there in the end.

    Its name is always the same: what a killed module and helper left is overwritten.
    """
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, "." + name + ".new")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chmod(folder, 0o755)  # whatever the umask
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(fd, "w", encoding="utf-8") as stream:
            os.fchmod(fd, 0o644)
            stream.write(text)
            stream.flush()
            os.fsync(fd)
    except OSError as error:
        raise AccessError(f"{path} cannot be written: {error.strerror}")
    try:
        yield unfinished
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
