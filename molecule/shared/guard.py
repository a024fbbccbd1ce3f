# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that end with the run that started them, however it ends.

Each has a folder and a guard, its parent. The guard holds a lock in the folder,
so that the kernel itself tells who must be ended: no pid is ever remembered.
The program ends with its guard, and the guard ends with the run that LAB_RUN
names, if it names one.
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

GRACE = 20  # seconds from SIGTERM to SIGKILL; dockerd gives its containers 10


def start(folder, command):
    """Run the command in its folder, which is made if need be, under a guard, which is returned; what it says is in FOLDER/log."""
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
    """A step of work in a folder, under no guard; when it fails its last words are the message."""
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
        words = "\n".join(done.stdout.splitlines()[-15:])
        raise lab.LabError(f"{os.path.basename(command[0])} failed with {done.returncode}:\n{words}")


def words(folder):
    """What the program said so far."""
    with open(os.path.join(folder, "log"), errors="replace") as log:
        return log.read().strip() or "it says nothing"


def end(folder):
    """End the program and its guard, remove the folder. It need not be there."""
    try:
        with open(os.path.join(folder, "lock"), "a") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # one at a time, as the one that removes the folder would be taken for its guard
            if os.fstat(lock.fileno()).st_nlink == 0:
                return  # the other one did it
            _end_guard(folder)
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # from here on no guard can begin
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        raise lab.LabError(f"the program in {folder} does not end: look at its guard, pid {holder(folder)}") from None


def _end_guard(folder):
    for number in (signal.SIGTERM, signal.SIGKILL):
        guard = holder(folder)
        if guard:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(guard)
                if guard == holder(folder):  # still the one that we have a descriptor of
                    signal.pidfd_send_signal(descriptor, number)
                    _wait_for_one([descriptor], GRACE + 10)
                os.close(descriptor)


def end_all(folder):
    """The same for every folder in this one."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            end(os.path.join(folder, name))
        os.rmdir(folder)


def end_with_run():
    """Be ended as by a signal when the run ends that we belong to."""
    run = _run_of_ours()
    if run is not None:
        threading.Thread(
            target=lambda: (_wait_for_one([run]), os.kill(os.getpid(), signal.SIGTERM)), daemon=True
        ).start()


def end_with_parent():
    """In a child, before exec: a program must not outlive the one that waits for it (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


def holder(folder):
    """Pid of the guard, as the kernel tells who holds its lock (F_GETLK of fcntl(2)), or None."""
    try:
        with open(os.path.join(folder, "lock"), "r+b") as lock:
            answer = fcntl.fcntl(lock, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except FileNotFoundError:
        return None
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else pid


def _run_of_ours():
    """A file descriptor that becomes readable when the run ends (pidfd_open(2)), or None."""
    pid = os.environ.get("LAB_RUN")
    if not pid:
        return None
    try:
        return os.pidfd_open(int(pid))
    except ProcessLookupError:
        sys.exit(f"the run {pid} that this belongs to has ended")


def _wait_for_one(descriptors, seconds=None):
    return bool(select.select(descriptors, [], [], seconds)[0])


def main(folder, *command):
    """Be the guard: run the command until it, this process or the run ends."""
    lab.exit_on_signals()
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock.fileno()).st_nlink == 0:
            sys.exit(f"{folder} was removed before the program began")
        run = _run_of_ours()
        with subprocess.Popen(
            command, cwd=folder, env=dict(os.environ, TMPDIR=folder), preexec_fn=end_with_parent
        ) as program:
            try:
                _wait_for_one([one for one in (os.pidfd_open(program.pid), run) if one is not None])
            finally:
                program.terminate()
                try:
                    program.wait(GRACE)
                finally:
                    program.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
