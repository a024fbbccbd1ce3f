# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder of an ordinary user that answers nothing, such as a home on a dead file server.

It is a FUSE file system whose server reads requests and never replies. The kernel holds whoever
waits for a request that was read, and ends it by no signal (fs/fuse/dev.c:request_wait_answer).
"""

import contextlib
import ctypes
import os
import signal
import struct

_BUFFER_BYTES = 1 << 18
_INIT, _WRITE_BYTES = 26, 1 << 17
_DETACH = 2  # of umount2(2)


@contextlib.contextmanager
def hanging_folder(path, uid):
    """Mount such a folder of a user at a path; raise OSError where that is not possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id={uid},group_id={uid}".encode()
    if libc.mount(b"hanging", os.fsencode(path), b"fuse", 6, options) != 0:  # nosuid, nodev
        number = ctypes.get_errno()
        os.close(device)
        raise OSError(number, os.strerror(number))
    pid = os.fork()
    if pid == 0:
        _serve(device)
    os.close(device)
    try:
        yield path
    finally:
        os.kill(pid, signal.SIGKILL)  # its end releases whoever waits
        os.waitpid(pid, 0)
        libc.umount2(os.fsencode(path), _DETACH)


def _serve(device):
    """Answer the first request, which no mount can do without, and read all others."""
    try:
        while True:
            request = os.read(device, _BUFFER_BYTES)
            _length, kind, unique = struct.unpack_from("<IIQ", request)
            if kind == _INIT:
                body = struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 9, _WRITE_BYTES, 1, 0, 0, *[0] * 8)
                os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
    finally:
        os._exit(0)
