# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Roll a change back unless it is confirmed in time, with a helper process (a dead man's switch).

The helper is forked before the change, because afterwards a fork may be what
fails. It needs nothing of the process that it watches: neither its terminal nor
its session.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from typing import Callable, Iterable, Optional, Set

READY, CONFIRMED, ROLLING_BACK = b"a", b"k", b"u"  # messages between the two processes
KEPT, ROLLED_BACK, FAILED = 0, 3, 1  # exit codes of the helper

# How long to retry an old value that cannot be written at once, for example for lack of memory.
RETRY_SECONDS = 60
RETRY_PAUSE_SECONDS = 0.1

READY_SECONDS = 30


class RollbackHelper:
    """A helper that calls C(keep) or C(undo), and always one of them, even if this process dies.

    It waits as soon as the object exists, until C(confirm) or C(roll_back) is
    called, this process dies or C(seconds) have passed. Both functions may raise
    OSError. C(files) are the descriptors that they need. Raises OSError if the
    helper cannot be started.
    """

    def __init__(
        self, seconds: float, keep: Callable[[], None], undo: Callable[[], None], files: Iterable[int] = ()
    ) -> None:
        self._exit_code: Optional[int] = None
        self._socket, helper_socket = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._socket.close()
                code = _watch(helper_socket, seconds, keep, undo, files)
            except BaseException:  # pylint: disable=broad-except
                code = FAILED
            os._exit(code)
        helper_socket.close()
        self._socket.settimeout(READY_SECONDS)
        try:
            if self._socket.recv(1) != READY:
                raise OSError("it ended at once")
        except BaseException:
            os.kill(self.pid, signal.SIGKILL)  # nothing is changed yet, so it has nothing to restore
            self._wait()
            raise

    def is_waiting(self) -> bool:
        """Whether the helper still runs and has not begun to roll back."""
        return not select.select([self._socket], [], [], 0)[0]

    def confirm(self) -> bool:
        """Have the helper keep the change. Return False if it rolled back instead.

        It does so when the time is over or C(keep) fails.
        """
        with contextlib.suppress(OSError):  # the helper has ended
            self._socket.sendall(CONFIRMED)
        return self._wait() == KEPT

    def roll_back(self) -> bool:
        """Have the helper undo the change unless it already did. Return False if it could not."""
        return self._wait() == ROLLED_BACK

    def _wait(self) -> int:
        if self._exit_code is None:
            self._socket.close()
            _pid, status = os.waitpid(self.pid, 0)
            self._exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else FAILED
        return self._exit_code


def _watch(
    watched: socket.socket, seconds: float, keep: Callable[[], None], undo: Callable[[], None], files: Iterable[int]
) -> int:
    """Wait for the confirmation, then keep or undo the change. Return the helper's exit code."""
    os.setsid()  # a signal to the watched process's session or group must not reach the helper
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    _close_files_except({watched.fileno(), *files})
    watched.sendall(READY)
    confirmed = bool(select.select([watched], [], [], seconds)[0]) and watched.recv(1) == CONFIRMED
    if confirmed:
        with contextlib.suppress(OSError):
            keep()
            return KEPT
    with contextlib.suppress(OSError):
        watched.sendall(ROLLING_BACK)  # before the first old value: from now on the module may not write
    deadline = time.monotonic() + RETRY_SECONDS
    while time.monotonic() < deadline:
        try:
            undo()
            return ROLLED_BACK
        except (OSError, MemoryError):
            time.sleep(RETRY_PAUSE_SECONDS)
    return FAILED


def _close_files_except(needed: Set[int]) -> None:
    """Close all other descriptors.

    A program that reads the watched process's output must see its end while the helper still runs.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        if standard is not None and not standard.closed:
            os.dup2(null, standard.fileno())
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in needed:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.close(fd)
