# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that end with the run that started them, however it ends.

Each program has a folder, and a guard as its parent process. The guard holds a
lock on a file in the folder, so the kernel itself reports which process to end:
no pid is ever stored. The program ends with its guard. The guard ends with the
run, the process whose pid is in LAB_RUN, if that is set.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading

import lab

GRACE_SECONDS = 20  # from SIGTERM to SIGKILL; dockerd gives its containers 10


def start(folder, command):
    """Start a command under a guard and return the guard as a Popen.

    The command runs in the folder, which is made if it does not exist. Its output
    goes to FOLDER/log.
    """
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "log"), "wb") as log:
        return subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), folder, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def run(folder, *command):
    """Run a command in a folder to its end, without a guard.

    Raise LabError with the last lines of its output if it fails.
    """
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(os.environ, TMPDIR=folder, LC_ALL="C"),
        preexec_fn=end_with_parent,
    )
    if done.returncode != 0:
        last_lines = "\n".join(done.stdout.splitlines()[-15:])
        raise lab.LabError(f"{os.path.basename(command[0])} failed with {done.returncode}:\n{last_lines}")


def read_log(folder):
    """Return what the program has written so far, for a message."""
    with open(os.path.join(folder, "log"), errors="replace") as log:
        return log.read().strip() or "(no output)"


def end(folder):
    """End the program and its guard and remove the folder, if they exist.

    Raise LabError if the guard does not end.
    """
    try:
        with open(os.path.join(folder, "lock"), "a") as lock:
            # One process at a time: a second one would take this one, which holds the lock below,
            # for the guard and end it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock.fileno()).st_nlink == 0:
                return  # another process has removed the folder
            _end_guard(folder)
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # from here on no guard can start
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        raise lab.LabError(
            f"the program in {folder} does not end: look at its guard, pid {find_guard(folder)}"
        ) from None


def _end_guard(folder):
    for number in (signal.SIGTERM, signal.SIGKILL):
        guard = find_guard(folder)
        if guard:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(guard)
                if guard == find_guard(folder):  # the pid was not reused before it was opened
                    signal.pidfd_send_signal(descriptor, number)
                    _wait_until_readable([descriptor], GRACE_SECONDS + 10)
                os.close(descriptor)


def end_all(folder):
    """End the programs of all folders in this one, then remove it."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            end(os.path.join(folder, name))
        os.rmdir(folder)


def end_with_run():
    """Make this process receive SIGTERM when the run in LAB_RUN ends."""
    run_descriptor = _open_run()
    if run_descriptor is None:
        return

    def end_after_run():
        _wait_until_readable([run_descriptor])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_after_run, daemon=True).start()


def end_with_parent():
    """Make this process receive SIGTERM when its parent ends. Source: prctl(2).

    For a child before exec: a program must not outlive the process that waits for it.
    """
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


def find_guard(folder):
    """Return the guard's pid, or None if there is no guard.

    It is the holder of the folder's lock, as the kernel reports it: F_GETLK of fcntl(2).
    """
    try:
        with open(os.path.join(folder, "lock"), "r+b") as lock:
            answer = fcntl.fcntl(lock, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except FileNotFoundError:
        return None
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else pid


def _open_run():
    """Return a pidfd of the run in LAB_RUN, or None if that is not set.

    The pidfd becomes readable when the run ends (pidfd_open(2)). If the run has
    ended already, exit.
    """
    pid = os.environ.get("LAB_RUN")
    if not pid:
        return None
    try:
        return os.pidfd_open(int(pid))
    except ProcessLookupError:
        sys.exit(f"the run with pid {pid} (LAB_RUN) has already ended: start another run, or unset LAB_RUN")


def _wait_until_readable(descriptors, seconds=None):
    select.select(descriptors, [], [], seconds)


def main(folder, *command):
    """Act as the guard: run the command until it, this process or the run ends."""
    lab.exit_on_signals()
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock.fileno()).st_nlink == 0:
            sys.exit(f"{folder} was removed before its program started")
        run_descriptor = _open_run()
        with subprocess.Popen(
            command, cwd=folder, env=dict(os.environ, TMPDIR=folder), preexec_fn=end_with_parent
        ) as program:
            try:
                ends = [os.pidfd_open(program.pid)]
                if run_descriptor is not None:
                    ends.append(run_descriptor)
                _wait_until_readable(ends)
            finally:
                program.terminate()
                try:
                    program.wait(GRACE_SECONDS)
                finally:
                    program.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
