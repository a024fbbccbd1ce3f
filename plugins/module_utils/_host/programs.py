# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run programs of the host, such as systemctl and journalctl, with bounds.

Every program has a time limit and an output limit, and both of its pipes are drained. So no program
can block, hang or fill the memory. A program that exceeds a limit is killed, and its output is not
used.
"""

import contextlib
import os
import selectors
import subprocess
import time
from typing import IO, Callable, Dict, Generator, List, Mapping, Optional, Sequence, Union, cast

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, UnsupportedError

SECONDS = 60.0  # systemctl waits up to 25 seconds for a busy service manager (sd-bus's default)
MAX_OUTPUT_BYTES = 16 << 20
_END_SECONDS = 2.0
_MAX_ERROR_BYTES = 2048  # of the error output, in a message
_CHUNK_BYTES = 1 << 16


def start_process(
    command: Sequence[Union[str, bytes]],
    stderr: int,
    environment: Optional[Mapping[str, str]] = None,
    before_exec: Optional[Callable[[], object]] = None,
) -> "subprocess.Popen[bytes]":
    """Start a program with its output in a pipe and no input.

    C(stderr) is a constant of subprocess. C(environment) is all of its environment; that of the
    caller without it. C(before_exec) runs in the new process. Raises what subprocess.Popen does.
    """
    # AnsibleModule.run_command has no time limit, and keeps the whole output in memory.
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        preexec_fn=before_exec,
        env=dict(os.environ if environment is None else environment, LC_ALL="C"),
    )


class Program:
    """A running program; read its output with output() or chunks(), once."""

    def __init__(
        self,
        command: List[str],
        seconds: float = SECONDS,
        environment: Optional[Dict[str, str]] = None,
        silent_failure: int = 0,
    ) -> None:
        """Start it. Raises UnsupportedError if it cannot be started.

        C(environment) is all of its environment; that of the caller without it. C(silent_failure)
        is an exit code that is no failure if the program wrote no error.
        """
        self._silent_failure = silent_failure
        self._name = " ".join(command[:2])
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._errors = b""
        try:
            self._process = start_process(command, stderr=subprocess.PIPE, environment=environment)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnsupportedError(f"{command[0]} cannot be started: {reason}") from error

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the output as it comes.

        Raises OomError if the program fails, with its error output, or exceeds its time. The time
        that the caller spends between two chunks does not count. The program is killed when the
        caller stops reading.
        """
        stdout, stderr = cast(IO[bytes], self._process.stdout), cast(IO[bytes], self._process.stderr)
        try:
            with selectors.DefaultSelector() as selector:
                for stream in (stdout, stderr):
                    selector.register(stream, selectors.EVENT_READ)
                while selector.get_map():
                    ready = selector.select(max(0.0, self._deadline - time.monotonic()))
                    if not ready:
                        raise OomError(f"{self._name} did not end within {self._seconds:.0f} seconds and was killed")
                    for key, _events in ready:
                        chunk = os.read(key.fd, _CHUNK_BYTES)
                        if not chunk:
                            selector.unregister(key.fileobj)
                        elif key.fileobj is stderr:
                            self._errors = (self._errors + chunk)[:_MAX_ERROR_BYTES]
                        else:
                            begun = time.monotonic()
                            yield chunk
                            self._deadline += time.monotonic() - begun
            self._wait()
        finally:
            self._end()

    def output(self, max_bytes: int = MAX_OUTPUT_BYTES) -> bytes:
        """Return the whole output. Raises OomError as chunks() does, and beyond max_bytes."""
        output = bytearray()
        chunks = self.chunks()
        for chunk in chunks:
            output += chunk
            if len(output) > max_bytes:
                chunks.close()
                raise OomError(f"{self._name} wrote more than {max_bytes >> 20} MiB and was killed")
        return bytes(output)

    def _wait(self) -> None:
        """Wait for the end; raise OomError if the program failed."""
        try:
            code = self._process.wait(max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise OomError(f"{self._name} did not end within {self._seconds:.0f} seconds and was killed") from None
        if code != 0 and (self._errors or code != self._silent_failure):
            errors = self._errors.decode("utf-8", "replace").strip()
            raise OomError(f"{self._name} failed: {errors or f'exit code {code}'}")

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # the kernel holds it: it ends later
                self._process.wait(_END_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def start_program(*command: str, seconds: float = SECONDS) -> Callable[[], str]:
    """Start a program; return a function that waits for it to end and returns its output.

    Raises UnsupportedError if it cannot be started. The function raises OomError as Program does.
    """
    program = Program(list(command), seconds)
    return lambda: program.output().decode("utf-8", "surrogateescape")


def run_program(*command: str) -> str:
    """Run a program and return its output. Raises as start_program() and its function do."""
    return start_program(*command)()
