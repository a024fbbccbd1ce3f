# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Advise what to do about a log that cannot be read."""

import errno
import os


def advise_access(error: OSError, otherwise: str) -> str:
    """Return what to do: become root if the run is not root's, else C(otherwise)."""
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
        return f"ran as uid {os.geteuid()}, add become: true"
    return otherwise
