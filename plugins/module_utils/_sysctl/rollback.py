# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""A dead man's switch: a helper that undoes a change unless it is told in time that all is well.

It is forked before the change, as afterwards a fork may be what fails. It
needs nothing of the process that it watches, nor of its terminal or session.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from typing import Callable, Iterable, Optional, Set

ARMED, KEEP, GIVING_UP = b"a", b"k", b"u"
KEPT, UNDONE, FAILED = 0, 3, 1  # exit codes of the helper

# What cannot be put back at once, for lack of memory, say, is tried again for so long.
RETRY_SECONDS = 60
RETRY_PAUSE_SECONDS = 0.1

ARM_SECONDS = 30


class DeadMan:
    """Armed as soon as it exists. Ends by C(keep) or C(undo), by the death of this process, or after so many seconds.

    C(keep) finishes the change and C(undo) takes it back; both are done by the
    helper, so that whenever this process dies it is one or the other. They may
    raise OSError. C(files) are the descriptors that they need.
    """

    def __init__(
        self, seconds: float, keep: Callable[[], None], undo: Callable[[], None], files: Iterable[int] = ()
    ) -> None:
        self._code: Optional[int] = None
        self._mine, his = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._mine.close()
                code = _watch(his, seconds, keep, undo, files)
            except BaseException:  # pylint: disable=broad-except
                code = FAILED
            os._exit(code)
        his.close()
        self._mine.settimeout(ARM_SECONDS)
        if self._mine.recv(1) != ARMED:
            raise OSError("it ended at once")

    def holds(self) -> bool:
        """Whether it is still there, and has taken nothing back."""
        return not select.select([self._mine], [], [], 0)[0]

    def keep(self) -> bool:
        """Finish the change. False when it was taken back instead, as the time was over or it could not be finished."""
        try:
            self._mine.sendall(KEEP)
        except OSError:  # it has ended
            pass
        return self._end() == KEPT

    def undo(self) -> bool:
        """Take the change back, if that is not done already. False when the helper did not."""
        return self._end() == UNDONE

    def _end(self) -> int:
        if self._code is None:
            self._mine.close()
            _pid, status = os.waitpid(self._pid, 0)
            self._code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else FAILED
        return self._code


def _watch(
    his: socket.socket, seconds: float, keep: Callable[[], None], undo: Callable[[], None], files: Iterable[int]
) -> int:
    os.setsid()  # what ends the session, or the group, of the process that we watch does not end us
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    _let_go({his.fileno(), *files})
    his.sendall(ARMED)
    told = bool(select.select([his], [], [], seconds)[0]) and his.recv(1) == KEEP
    if told:
        try:
            keep()
            return KEPT
        except OSError:
            pass
    with contextlib.suppress(OSError):
        his.sendall(GIVING_UP)  # before the first value is back: from now on nobody else may write
    deadline = time.monotonic() + RETRY_SECONDS
    while time.monotonic() < deadline:
        try:
            undo()
            return UNDONE
        except (OSError, MemoryError):
            time.sleep(RETRY_PAUSE_SECONDS)
    return FAILED


def _let_go(needed: Set[int]) -> None:
    """Close everything else: whoever reads what the watched process writes must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        if standard is not None and not standard.closed:
            os.dup2(null, standard.fileno())
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in needed:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(fd)
