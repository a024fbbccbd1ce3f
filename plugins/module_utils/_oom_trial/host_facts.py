# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read which host, boot and software a trial ran on, for the evidence.

Whatever this host does not have is null: no fact is worth the trial.
"""

import contextlib
import os
import re
import sys
from typing import Any, Dict, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import run_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import read_linkage

_SYSTEMD_VERSION = re.compile(r"systemd ([0-9]{1,6})")


def read_host_facts(procfs: Procfs, hog: str) -> Dict[str, Any]:
    """Return C(kernel), C(boot_id) and C(versions)."""
    kernel = os.uname().release
    return dict(
        kernel=kernel,
        boot_id=_read_boot_id(procfs),
        versions=dict(
            kernel=kernel,
            python=".".join(map(str, sys.version_info[:3])),
            libc=_read_libc(),
            systemd=read_systemd_version() if Systemd().runs() else None,
            hog=read_linkage(hog),
        ),
    )


def read_systemd_version() -> Optional[int]:
    """Return the version of systemd; None if it is unknown."""
    with contextlib.suppress(OomError):
        match = _SYSTEMD_VERSION.match(run_program("systemctl", "--version"))
        return int(match.group(1)) if match else None
    return None


def _read_boot_id(procfs: Procfs) -> Optional[str]:
    """Return the boot id in 32 digits, as the journal writes it."""
    with contextlib.suppress(OomError):
        return procfs.read("sys/kernel/random/boot_id").strip().replace("-", "")
    return None


def _read_libc() -> Optional[str]:
    """Return the C library of this Python, such as glibc 2.36; None for others than glibc."""
    with contextlib.suppress(ValueError, OSError):
        return os.confstr("CS_GNU_LIBC_VERSION") or None
    return None
