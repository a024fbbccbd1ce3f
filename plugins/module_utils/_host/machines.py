# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the cgroup of a machine that systemd-machined knows, such as an nspawn container or a guest.

systemd-machined keeps a file for each machine, which only root can write.
Source: systemd:src/machine/machine.c:machine_save.
"""

import os
import re

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

MACHINES = "/run/systemd/machines"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}\Z")
_FILE_BYTES = 1 << 16


def find_machine_cgroup(procfs: Procfs, name: str, folder: str = MACHINES) -> str:
    """Return the path of the cgroup of a running machine's unit.

    Raises InputError for a text that no machine has as its name, and NotFoundError if none runs
    under it.
    """
    if not _NAME.match(name):
        raise InputError(f"machine {name!r} is not a name of a machine: write it as machinectl list shows it")
    missing = NotFoundError(f"machine {name} does not run: systemd-machined has no {folder}/{name}")
    try:
        text = read_trusted(os.path.join(folder, name), _FILE_BYTES, 1).content.decode("utf-8", "replace")
    except FileNotFoundError:
        raise missing from None
    except (OSError, UntrustedError) as error:
        raise NotFoundError(f"machine {name} cannot be read: {error}") from error
    facts = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    unit = facts.get("UNIT") or facts.get("SCOPE")
    leader = facts.get("LEADER", "")
    if not unit or not re.match(r"[1-9][0-9]{0,9}\Z", leader):
        raise missing
    try:
        with procfs.open(int(leader)) as directory:
            paths = directory.cgroups()
    except (*GONE, PermissionError):
        raise missing from None
    for path in paths:
        parts = path.split("/")
        if unit in parts:
            return "/".join(parts[: parts.index(unit) + 1])
    raise missing
