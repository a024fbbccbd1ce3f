# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Start a program of a trial, read the JSON lines that it prints, and wait for its end.

Nothing here waits without a bound, and nothing that the program prints is believed unread: a
wrapper or another program may print anything.
"""

import contextlib
import json
import os
import select
import subprocess
import time
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Tuple, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import start_process
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import explain_start_failure

# oom_hog prints at most three lines, each in one write of less than 4 KiB.
_LINE_BYTES = 4096
_MOST_PHASES = 16
_CHUNK_BYTES = 1 << 16

# The numbers of a line, and what each can be.
_RANGES = {"pid": (1, 1 << 22), "score": (SCORE_MIN, SCORE_MAX), "kb": (0, 1 << 54)}

# A program that has closed its output, or was killed, ends within this time, unless it hangs.
REAP_SECONDS = 5.0

# Exit code and signal of a program that ended; one of them is None.
End = Tuple[Optional[int], Optional[int]]


class StartedProgram:
    """A running program of the trial, its JSON lines, and its end."""

    def __init__(self, child: "subprocess.Popen[bytes]", stdout: IO[bytes]) -> None:
        self._child = child
        self._stdout = stdout
        self._unread = b""
        self.phases: List[Dict[str, Any]] = []
        self.ended = False  # the program has closed its side of the pipe

    def fileno(self) -> int:
        """Return the descriptor of its output, for select(2)."""
        return self._stdout.fileno()

    def read_phases(self) -> None:
        """Read what its pipe holds; waits if the pipe is empty, so call it after select(2)."""
        chunk = os.read(self.fileno(), _CHUNK_BYTES)
        if not chunk:
            self.ended = True
        *lines, rest = (self._unread + chunk).split(b"\n")
        self._unread = rest[: _LINE_BYTES + 1]  # a longer line is left out when it ends
        phases = filter(None, map(parse_phase, lines))
        self.phases = [*self.phases, *phases][:_MOST_PHASES]

    def phase(self, name: str) -> Optional[Dict[str, Any]]:
        """Return the line that the program printed for a phase, or None."""
        return next((line for line in self.phases if line["phase"] == name), None)

    @property
    def child_pid(self) -> int:
        """The pid of the child, which may be a wrapper."""
        return self._child.pid

    @property
    def pid(self) -> int:
        """The pid that the program printed, else that of the child, which may be a wrapper."""
        start = self.phase("start") or {}
        pid: int = start.get("pid", self._child.pid)
        return pid

    def wait(self) -> Optional[End]:
        """Wait for the end, which must be near, and return exit code and signal.

        Returns None if the program still runs after REAP_SECONDS; it is then killed.
        """
        try:
            code = self._child.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self._stdout.close()
        return (code, None) if code >= 0 else (None, -code)

    def kill(self) -> None:
        """Kill it if it still runs, and wait for its end, but not for ever."""
        if self._child.poll() is None:
            self._child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(REAP_SECONDS)
        self._stdout.close()


def parse_phase(line: bytes) -> Optional[Dict[str, Any]]:
    """Return the phase and the possible numbers in a line of oom_hog; None for any other line."""
    if not line.startswith(b"{") or len(line) > _LINE_BYTES:
        return None
    try:
        values = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("phase"), str):
        return None
    phase = {"phase": values["phase"]}
    for key, (least, most) in _RANGES.items():
        value = values.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            phase[key] = value
    return phase


def wait_until(condition: Callable[[], bool], programs: Sequence[StartedProgram], deadline: float) -> bool:
    """Read from all programs until the condition holds; return False if the deadline passes first.

    The deadline is a time of the monotonic clock, in seconds.
    """
    while not condition():
        running = [one for one in programs if not one.ended]
        left = deadline - time.monotonic()
        if not running or left <= 0:
            return False
        for one in select.select(running, [], [], left)[0]:
            one.read_phases()
    return True


def start_actor(command: List[str], before_exec: Optional[Callable[[], object]] = None) -> StartedProgram:
    """Start a program of the trial; C(before_exec) runs in the new process.

    Raises InputError with the reason if it cannot be started.
    """
    words = [bytes_of(word) for word in command]
    try:
        child = start_process(words, stderr=subprocess.DEVNULL, before_exec=before_exec)
    except subprocess.SubprocessError:
        raise InputError(
            f"{command[0]} cannot be started: its process could not join the trial's cgroup;"
            " run as root, or set cgroup_parent to a cgroup that is delegated to this user"
        ) from None
    except OSError as error:
        reason = explain_start_failure(words[0]) if b"/" in words[0] else "install it"
        # Python 3.6 adds the path to some texts.
        strerror = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(f"{command[0]} cannot be started: {strerror}; {reason}") from error
    return StartedProgram(child, cast(IO[bytes], child.stdout))  # stdout=PIPE
