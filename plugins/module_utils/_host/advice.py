# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Word the last part of an error: what the administrator can do about it.

It is imported only where something has failed.
"""

import errno
import os
from typing import Dict

_DENIED_TO_ROOT = "even root is denied: see lsattr(1), and the log of SELinux or AppArmor"
_REMEDIES: Dict[int, str] = {
    errno.EACCES: _DENIED_TO_ROOT,
    errno.EPERM: _DENIED_TO_ROOT,
    errno.EROFS: "mount its file system writable",
    errno.ENOSPC: "free space on its file system",
    errno.EDQUOT: "free space on its file system",
    errno.ELOOP: "remove the link there that leads back to itself",
    errno.ENOTDIR: "move away the file that is in the place of a folder",
    errno.EISDIR: "move away the folder that is in the place of the file",
    errno.ENOENT: "make what is missing, and run again",
    errno.EFBIG: "move away what is not needed there",
    errno.EMFILE: "raise the limit of open files, and run again",
}


def explain_os_error(error: OSError) -> str:
    """Return what the kernel said, and what to do about it."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{said}: {advise_access(error, _REMEDIES.get(error.errno or 0, 'see dmesg(1), and run again'))}"


def advise_access(error: OSError, otherwise: str) -> str:
    """Return what to do: become root if that was denied to another user, else C(otherwise)."""
    is_denied = error.errno in (errno.EACCES, errno.EPERM)
    return explain_become() if is_denied and os.geteuid() != 0 else otherwise


def explain_become() -> str:
    """Return what to do where the run is not root's."""
    return f"ran as uid {os.geteuid()}: add become: true"
