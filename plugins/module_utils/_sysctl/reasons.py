# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Say in words why a file or a sysctl cannot be read or written, and what to do about it."""

import errno
import os

# The largest files of sysctl.d have some 10 KiB.
MAX_FILE_BYTES = 256 << 10

# What an error of a file or a sysctl says here, and what to do about it.
REASONS = {
    errno.EROFS: ("it is read-only here", "run this on the host, or mount it writable"),
    errno.ENOTDIR: ("a file is in the place of its folder", "move that file away"),
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.ELOOP: ("its links lead to each other", "remove the link"),
    errno.ENXIO: ("it is not a regular file", "remove it"),  # a socket
    errno.EMEDIUMTYPE: ("it is not a regular file", "remove it"),
    errno.EFBIG: (f"it has more than {MAX_FILE_BYTES >> 10} KiB", "remove what nothing needs"),
    errno.EINVAL: ("the kernel refuses this value", "set another one"),
    errno.ENOMEM: ("no memory is left for it", "free memory, then run this again"),
}


def why_denied(error: OSError) -> str:
    """Return why an access failed, and what to do about it."""
    if error.errno in (errno.EACCES, errno.EPERM):
        if os.geteuid() != 0:
            return f"ran as uid {os.geteuid()}: add become: true"
        return f"{error.strerror} for root: a container or a security module forbids it; run this on the host itself"
    reason, remedy = REASONS.get(error.errno or 0, (error.strerror or str(error), "see the kernel log for the cause"))
    return f"{reason}; {remedy}"
