# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the cgroup of a machine that systemd-machined knows, such as an nspawn container or a guest.

systemd-machined keeps a file for each machine, which only root can write. Newer versions also keep
those that users register. Below a service or a scope users may choose the names of cgroups, so the
unit counts only where all above it are slices.
It escapes values: a backslash is written twice, and newer versions put such a value in double
quotes. Source: systemd:src/machine/machine.c:machine_save, src/basic/env-file.c:write_env_var.
"""

import os
import re
from typing import Dict

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

MACHINES = "/run/systemd/machines"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}\Z")
_LINE = re.compile("^([A-Z_]+)=(.*)$", re.MULTILINE)
_FILE_BYTES = 1 << 16


def find_machine_cgroup(procfs: Procfs, name: str, folder: str = MACHINES) -> str:
    """Return the path of the cgroup of a running machine's unit.

    Raises InputError for a text that no machine has as its name, NotFoundError if none runs under
    it, and UntrustedError if a user could have registered it, or made its cgroup.
    """
    if not _NAME.match(name):
        raise InputError(f"machine {name!r} is not a name of a machine: write it as machinectl list shows it")
    missing = _make_missing(name, folder)
    facts = _read_facts(name, folder)
    if facts.get("UID", "0") != "0":
        raise UntrustedError(
            f"machine {name} was registered by the user with uid {facts['UID'][:10]}: use cgroup instead"
        )
    unit = facts.get("UNIT") or facts.get("SCOPE")
    leader = facts.get("LEADER", "")
    if not unit or not re.match(r"[1-9][0-9]{0,9}\Z", leader):
        raise missing
    try:
        with procfs.open(int(leader)) as directory:
            paths = directory.cgroups()
    except (*GONE, PermissionError):
        raise missing from None
    found = next((path for path in paths if unit in path.split("/")), None)
    if found is None:
        raise missing
    return _cut_below(unit, found, name)


def _make_missing(name: str, folder: str) -> NotFoundError:
    return NotFoundError(f"machine {name} does not run: systemd-machined has no {folder}/{name}")


def _read_facts(name: str, folder: str) -> Dict[str, str]:
    """Return what systemd-machined has written about a machine; raises as find_machine_cgroup()."""
    try:
        text = read_trusted(os.path.join(folder, name), _FILE_BYTES, 1).content.decode("utf-8", "replace")
    except FileNotFoundError:
        raise _make_missing(name, folder) from None
    except (OSError, UntrustedError) as error:
        raise NotFoundError(f"machine {name} cannot be read: {error}") from error
    return {key: _unescape(value) for key, value in _LINE.findall(text)}


def _unescape(value: str) -> str:
    """Return a value as it was before systemd-machined wrote it."""
    quoted = re.match(r'"(.*)"\Z', value)
    return re.sub(r"\\(.)", r"\1", quoted.group(1) if quoted else value)


def _cut_below(unit: str, path: str, name: str) -> str:
    """Return the part of a path up to a unit; raise UntrustedError if a user could have made it."""
    parts = path.split("/")
    above = parts[1 : parts.index(unit)]
    cut = "/".join(["", *above, unit])
    if not all(part.endswith(".slice") for part in above):
        raise UntrustedError(
            f"machine {name} runs in {printable_name(cut)}, where users may choose the names: use cgroup instead"
        )
    return cut
