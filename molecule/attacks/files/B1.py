# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B1: a process whose arguments are 8 GiB of memory that it does not use (PR_SET_MM_MAP).

If the kernel refuses that, the arguments of a new process are as long as the kernel allows.
"""

import ctypes
import mmap
import os
import resource
import struct
import time

from attacker import LIBC, fork, pause, report, start

PR_SET_MM, PR_SET_MM_MAP = 35, 14
MAP_NORESERVE = 0x4000
SIZE = 8 << 30


def claim_arguments():
    """Let the kernel take 8 GiB of unused memory for the arguments of this process."""
    memory = mmap.mmap(
        -1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
    )
    memory[: mmap.PAGESIZE] = b"x " * (mmap.PAGESIZE // 2)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    with open("/proc/self/stat") as stream:
        fields = stream.read().rpartition(")")[2].split()
    # By numbers of proc(5): start and end of code and of data, start of the heap and the stack.
    code, code_end, data, data_end, brk, stack = (int(fields[number - 3]) for number in (26, 27, 45, 46, 47, 28))
    LIBC.sbrk.restype = ctypes.c_void_p
    values = (code, code_end, data, data_end, brk, LIBC.sbrk(0), stack, begin, begin + SIZE - 1, begin, begin + 1)
    packed = struct.pack("11QQII", *values, 0, 0, 0xFFFFFFFF)
    buffer = ctypes.create_string_buffer(packed)
    if LIBC.prctl(PR_SET_MM, PR_SET_MM_MAP, ctypes.byref(buffer), len(packed), 0):
        os._exit(ctypes.get_errno())
    pause()


def has_claimed(pid):
    """Return whether the arguments of this process have become that long, within 20 seconds."""
    for _turn in range(200):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False  # the kernel refused it
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            stream.seek(1 << 30)
            if stream.read(1):
                return True
        time.sleep(0.1)
    return False


pid = fork(claim_arguments)
claimed = has_claimed(pid)
if not claimed:
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    pid = start(*["x" * 100000] * 50)
report(pid=pid, claimed=claimed)
