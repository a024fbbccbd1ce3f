# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools of the attacks. Each attack is a service of the user's manager, with a delegated cgroup."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

ROOT = b"/sys/fs/cgroup"
MANAGER = ROOT + b"/user.slice/user-%d.slice/user@%d.service" % (os.getuid(), os.getuid())
REPORTS = os.path.expanduser("~/reports")
BIN = os.path.expanduser("~/bin")
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME = 15
MIB = 1 << 20


def own_cgroup():
    """Return the folder of the cgroup of this process."""
    with open("/proc/self/cgroup", "rb") as stream:
        return ROOT + stream.read().split(b"\n")[0].split(b":", 2)[2]


def write(path, content):
    with open(path, "wb", buffering=0) as stream:
        stream.write(content)


def make_cgroup(name, pid=None, parent=None):
    """Make a cgroup, or nested ones, and move a process into it; return its folder."""
    folder = os.path.join(parent or own_cgroup(), name)
    os.makedirs(folder, exist_ok=True)
    if pid is not None:
        write(folder + b"/cgroup.procs", b"%d" % pid)
    return folder


def start(*command, executable=None, **options):
    """Start a program with these arguments, whatever program it really is; return its pid."""
    return subprocess.Popen(command, executable=executable or os.path.join(BIN, "idle"), **options).pid


def fork(action, name=None, cgroup=None):
    """Start a process that does this, under this name and in this cgroup; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            if cgroup is not None:
                write(cgroup + b"/cgroup.procs", b"0")
            if name is not None:
                LIBC.prctl(PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)
            action()
        finally:
            os._exit(1)
    return pid


def pause():
    while True:
        signal.pause()


def delegate_memory(name):
    """Make a cgroup with a memory limit, which each part of its name has; return the folder.

    A cgroup that has processes cannot hand its controllers on, so this process moves into another.
    """
    top = own_cgroup()
    if not top.endswith(b"/attacker"):
        make_cgroup(b"attacker", os.getpid(), top)
    else:
        top = os.path.dirname(top)
    folder = top
    for part in name.split(b"/"):
        write(folder + b"/cgroup.subtree_control", b"+memory")
        folder = os.path.join(folder, part)
        os.makedirs(folder, exist_ok=True)
    write(folder + b"/memory.max", b"%d" % (16 * MIB))
    return folder


def die_of_memory(cgroup, name=b"hog"):
    """Let the kernel kill a process at the limit of this cgroup; return its pid."""

    def fill():
        held = [b"x" * MIB for _piece in range(64)]
        time.sleep(len(held))

    pid = fork(fill, name, cgroup)
    status = os.waitpid(pid, 0)[1]
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        sys.exit(f"process {pid} was not killed: {status}")
    return pid


def report(**facts):
    """Write the facts for the tests, then keep all processes alive until the service is stopped."""
    path = os.path.join(REPORTS, os.path.basename(sys.argv[0])[:-3] + ".json")
    with open(path + ".new", "w") as stream:
        json.dump(facts, stream)
    os.rename(path + ".new", path)
    pause()
