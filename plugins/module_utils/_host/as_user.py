# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Do something with the rights of another user, in a process of its own.

Root that works in a folder of a user could be led anywhere by links and renames. A process with
the user's ids reaches only what the user reaches anyway. The kernel lets no user trace a process
that has given up root's ids (ptrace(2), PR_SET_DUMPABLE in prctl(2)). A user may trace a program
that it starts, stop or end it, or hold it for ever in a file system of his own (fuse(4)). So it has
nothing of the run but a pipe: no terminal to type into (TIOCSTI in ioctl_tty(2)), and no lock that
it would keep. Its time is limited, and its answer is data of the user.
Sources: credentials(7), kernel/cred.c:commit_creds.
"""

import contextlib
import json
import os
import pwd
import select
import signal
import time
from typing import Any, Callable, List, NamedTuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

# What one user may cost in a run: systemctl waits up to 25 seconds for a busy service manager, and
# a home folder on a network may be slow. Less than other runs wait for the lock (lock.py).
SECONDS = 40.0
_END_SECONDS = 2.0
_MAX_ANSWER_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 16
_MAX_USERS = 1000
_MAX_REASON = 500  # characters
_UMASK = 0o022


class Account(NamedTuple):
    """A login user of this host."""

    name: str
    uid: int
    gid: int
    home: str


def find_account(name: str) -> Account:
    """Return the account of a login name; raise NotFoundError for an unknown one."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):  # ValueError: NUL, or not encodable
        raise NotFoundError(
            f"user {printable_name(name)!r}: this host has no such user; check the name with getent passwd"
        ) from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def list_present_users(root: str = "/") -> List[str]:
    """Return the login names of users whose service manager runs, or would run after a boot."""
    names = set(_list(os.path.join(root, "var/lib/systemd/linger")))
    for uid in _list(os.path.join(root, "run/user")):
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            names.add(pwd.getpwuid(int(uid)).pw_name)
    return sorted(names)[:_MAX_USERS]


def _list(folder: str) -> List[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def become(account: Account) -> None:
    """Give up this process's ids for those of a user, for good.

    What the user might make of the process must not keep a score below 0. Raises OSError without
    the right to change ids.
    """
    if os.geteuid() == account.uid:
        return
    _leave_score()
    os.setgroups(os.getgrouplist(account.name, account.gid))
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    os.chdir("/")
    os.umask(_UMASK)


def _leave_score() -> None:
    with open("/proc/self/oom_score_adj", "r+b", buffering=0) as score:
        if int(score.read()) < 0:
            score.write(b"0")


def call_as_user(account: Account, action: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Return what the action returns when it is called with a user's rights; it must be JSON.

    Raises AccessError if the action does, and OomError if it fails otherwise, or takes too long.
    """
    if os.geteuid() == account.uid:
        return action()
    if os.geteuid() != 0:
        from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_become

        raise AccessError(f"the files of user {account.name} cannot be reached: {explain_become()}")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(account, action, writing)
    try:
        os.close(writing)
        answer = _read_answer(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        _end(pid)
    return _parse_answer(account, answer)


class AsUser:
    """Calls actions with the rights of one user, who has a limited time in all."""

    def __init__(self, account: Account, seconds: float = SECONDS) -> None:
        self.account = account
        self._seconds = self._left = seconds

    def call(self, action: Callable[[], Any]) -> Any:
        """Return what call_as_user() does; raise OomError too once the time is used up."""
        if self._left <= 0:
            raise OomError(
                f"working with the rights of user {self.account.name} took more than {self._seconds:.0f} seconds:"
                " check whether the home folder and the service manager of the user respond"
            )
        begun = time.monotonic()
        try:
            return call_as_user(self.account, action, self._left)
        finally:
            self._left -= time.monotonic() - begun


def _end(pid: int) -> None:
    """End a child that has answered, or took too long, and the programs that it has started.

    One that the kernel holds, as for a home folder on a dead server, ends later.
    """
    for end in (os.killpg, os.kill):  # it may not have its own group yet
        with contextlib.suppress(ProcessLookupError):
            end(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.001)


def _answer(account: Account, action: Callable[[], Any], writing: int) -> None:
    """Call the action as the user, write its result as JSON, and end this process."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _leave_run(writing)
        become(account)
        answer = {"result": action()}
    except AccessError as error:
        answer = {"access": str(error)}
    except OomError as error:
        answer = {"refused": str(error)}
    except BaseException as error:  # whatever it is, the other process has to know
        answer = {"failure": f"{type(error).__name__}: {error}"}
    try:
        with open(writing, "wb") as stream:
            stream.write(json.dumps(answer).encode("ascii"))
    finally:
        os._exit(0)


def _leave_run(writing: int) -> None:
    """Let go of the terminal, the files and the lock of the run, but for the pipe."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in (0, 1, 2, writing):
            with contextlib.suppress(OSError):  # that of the list itself is closed already
                os.close(int(name))


def _read_answer(reading: int, deadline: float) -> bytes:
    """Return all that comes before the deadline, up to one byte too many; fewer at the deadline."""
    chunks: List[bytes] = []
    size = 0
    while size <= _MAX_ANSWER_BYTES:
        ready, _writing, _errors = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(reading, _CHUNK_BYTES) if ready else b""
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _parse_answer(account: Account, answer: bytes) -> Any:
    try:
        parsed = json.loads(answer.decode("ascii")) if len(answer) <= _MAX_ANSWER_BYTES else {}
    except ValueError:
        parsed = {}
    if "access" in parsed:
        raise AccessError(str(parsed["access"]))
    if "refused" in parsed:
        raise OomError(str(parsed["refused"]))
    if "result" in parsed:
        return parsed["result"]
    why = parsed.get("failure") or "no answer came in time"
    raise OomError(
        f"working with the rights of user {account.name} failed: {printable_name(str(why)[:_MAX_REASON])};"
        " check whether the home folder and the service manager of the user respond"
    )
