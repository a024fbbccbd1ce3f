# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the kernel kill in every way it can, and print what really happened.

With the argument panic, make it panic instead.

Names and paths are those that a user would choose to hide a kill. The output comes from the
processes themselves and from waiting for them, not from any log.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME, SET_MEMPOLICY, MPOL_BIND = 15, 238, 2
MAP_POPULATE = 0x8000  # mmap.MAP_POPULATE came with Python 3.10
SECOND_NODE = 1
MIB = 1 << 20

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MEMORY = "/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/memory"
CPUSET = "/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/cpuset"

NAMES = {
    b"hog": "provoked hog",
    b"a b": "provoked/in ner",
    b"x) total-vm:1kB": "provoked,task_memcg=",
    b"a,pid=1,uid=0": "provoked/,task=b,pid=1,uid=0",
    b"x\nKilled proces": "provoked/a(b)",
    b"[    7]     0 7": "provoked/oom_memcg=",
    b"\n[    1.000000]": "provoked/boot",
    b"\nLinux version ": "provoked/Linux version 1",
    b"\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0": "provoked/\u0416",
}


def write(path, text):
    with open(path, "w") as stream:
        stream.write(str(text))


def make_cgroup(root, name, **values):
    """Make a cgroup with these values; return its folder."""
    folder = os.path.join(root, name)
    os.makedirs(folder, exist_ok=True)
    for key, value in values.items():
        write(os.path.join(folder, key.replace("_", ".", 1)), value)
    return folder


def make_limited(name, mib=24):
    """Make a memory cgroup with this limit; return its folder."""
    if UNIFIED:
        top = os.path.join(MEMORY, name.partition("/")[0])
        os.makedirs(top, exist_ok=True)
        if "/" in name:
            write(top + "/cgroup.subtree_control", "+memory")
    folder = make_cgroup(MEMORY, name)
    write(folder + ("/memory.max" if UNIFIED else "/memory.limit_in_bytes"), mib * MIB)
    return folder


def fill(mib):
    """Use memory, in pieces of 4 MiB, because one large request would be refused."""
    held = []
    for _piece in range(0, mib, 4):
        held.append(mmap.mmap(-1, 4 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        held[-1][:: mmap.PAGESIZE] = bytes(4 * MIB // mmap.PAGESIZE)
    time.sleep(60)


def start(name, action, folders=(), score=0):
    """Start a process with this name, in these cgroups, that does this; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        write("/proc/self/oom_score_adj", score)
        LIBC.prctl(PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)
        for folder in folders:
            write(folder + "/cgroup.procs", os.getpid())
        action()
    except OSError as error:
        os._exit(error.errno)
    os._exit(0)


def wait_for_kills(*processes):
    """Wait until these processes are killed; return their pids and names."""
    for pid, name in processes:
        _pid, status = os.waitpid(pid, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"{name!r} was not killed: {status}")
    time.sleep(1)  # the kernel prints at most ten reports in five seconds
    return [[pid, name.hex()] for pid, name in processes]


def truth(kind, victims, constraint, memcg=None, outcome="kill"):
    return dict(kind=kind, victims=victims, constraint=constraint, memcg=memcg, outcome=outcome)


def memcg():
    for name, path in NAMES.items():
        pid = start(name, lambda: fill(64), [make_limited(path)])
        yield truth("memcg", wait_for_kills((pid, name)), "memcg", "/" + path)


def group():
    if not UNIFIED:
        return  # version 1 has no groups
    folder = make_limited("provoked group", 32)
    write(folder + "/memory.oom.group", 1)
    member = start(b"member", lambda: fill(4), [folder])
    hog = start(b"hog", lambda: fill(64), [folder])
    yield truth("group", wait_for_kills((member, b"member"), (hog, b"hog")), "memcg", "/provoked group", "group_kill")


def no_killable():
    """Fill a cgroup with a process that cannot be killed, until the kernel refuses memory.

    It writes a file in memory, where the request fails. For other pages it would retry forever.
    """

    def store():
        with open("/dev/shm/provoked", "wb", buffering=0) as stream:
            if stream.write(bytes(64 * MIB)) < 64 * MIB:
                raise OSError(errno.ENOMEM, "short")

    folder = make_limited("provoked immune")
    pid = start(b"immune", store, [folder], -1000)
    status = os.waitpid(pid, 0)[1]
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != errno.ENOMEM:
        sys.exit(f"the process that cannot be killed ended with {status}")
    os.remove("/dev/shm/provoked")
    yield truth("no killable", [], "memcg", "/provoked immune", "no_killable")


def host():
    """Use up the memory of the host, in one request and inside the kernel.

    The page cache is dropped first. Reclaiming it page by page took minutes under emulation.
    """

    def fill_at_once():
        mmap.mmap(-1, 4096 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_POPULATE)

    write("/proc/sys/vm/overcommit_memory", 1)
    os.sync()
    write("/proc/sys/vm/drop_caches", 3)
    pid = start(b"whole (host)", fill_at_once, score=1000)
    yield truth("host", wait_for_kills((pid, b"whole (host)")), "none")
    write("/proc/sys/vm/overcommit_memory", 0)


def sysrq():
    pid = start(b"chosen", lambda: fill(32), score=1000)
    time.sleep(2)
    write("/proc/sysrq-trigger", "f")
    yield truth("sysrq", wait_for_kills((pid, b"chosen")), "none")


def kill_in_cpuset(name):
    """Use up the memory of one NUMA node; return the victim."""
    folder = make_cgroup(CPUSET, "provoked set", cpuset_cpus=0, cpuset_mems=SECOND_NODE)
    return wait_for_kills((start(name, lambda: fill(4096), [folder], 1000), name))


def cpuset():
    yield truth("cpuset", kill_in_cpuset(b"in a cpuset"), "cpuset")


def allocating():
    write("/proc/sys/vm/oom_kill_allocating_task", 1)
    victims = kill_in_cpuset(b"allocating")
    write("/proc/sys/vm/oom_kill_allocating_task", 0)
    yield truth("allocating", victims, "cpuset")


def policy():
    def bind():
        nodes = ctypes.c_ulong(1 << SECOND_NODE)
        if LIBC.syscall(SET_MEMPOLICY, MPOL_BIND, ctypes.byref(nodes), 64):
            raise OSError(ctypes.get_errno(), "set_mempolicy")
        fill(4096)

    yield truth("policy", wait_for_kills((start(b"bound", bind, score=1000), b"bound")), "memory_policy")


def read(path):
    with open(path) as stream:
        return stream.read()


def read_counter():
    """Return how many kills the kernel counted since boot."""
    return int(dict(line.split() for line in read("/proc/vmstat").splitlines())["oom_kill"])


def panic():
    """Make the host panic soon after this program has ended; write what will happen to a file."""

    def fill_later():
        os.setsid()
        time.sleep(3)
        fill(64)

    write("/proc/sys/kernel/panic", 1)
    write("/proc/sys/vm/panic_on_oom", 2)
    # The terminal closes with this program, maybe before the child has called setsid.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for standard in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    pid = start(b"x invoked oom-k", fill_later, [make_limited("provoked, panic")])
    boot = read("/proc/sys/kernel/random/boot_id").strip()
    write("/root/panic.json", json.dumps(dict(pid=pid, name="x invoked oom-k", memcg="/provoked, panic", boot_id=boot)))
    os.sync()


if UNIFIED:
    write(MEMORY + "/cgroup.subtree_control", "+memory +cpuset")
if sys.argv[1:] == ["panic"]:
    panic()
else:
    cases = [case for kind in (memcg, group, no_killable, host, sysrq, cpuset, allocating, policy) for case in kind()]
    print(json.dumps(dict(cases=cases, oom_kill=read_counter())))
