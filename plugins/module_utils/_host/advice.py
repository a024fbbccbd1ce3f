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
from typing import Dict, Iterable, List, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

_MAX_SUGGESTED = 3
_MAX_COMPARED = 20000  # names; a user may start any number of processes, with any names
_LEAST_ALIKE = 0.7  # ratio of difflib: one or two letters of a short name differ
_LONGEST_NAME = 255
_SUFFIXES = (".service", ".slice", ".scope")

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
    errno.EMFILE: "raise the limit of open files, and run again",
}


def explain_os_error(error: OSError) -> str:
    """Return what the kernel said, and what to do about it."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{said}: {_find_remedy(error)}"


def _find_remedy(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
        return explain_become()
    return _REMEDIES.get(error.errno or 0, "see dmesg(1), and run again")


def explain_become() -> str:
    """Return what to do where the run is not root's."""
    return f"ran as uid {os.geteuid()}: add become: true"


def find_alike(name: str, known: Iterable[str]) -> List[str]:
    """Return the names that look most like this one, best first; those that begin with it first.

    A suffix of systemd, such as .service, has to be the same, and is not compared.
    """
    import difflib

    stem, suffix = _split_suffix(name[:_LONGEST_NAME])
    names = [one for _number, one in zip(range(_MAX_COMPARED), known) if one != name and len(one) <= _LONGEST_NAME]
    stems = [one for one, found in map(_split_suffix, names) if found == suffix]
    beginning = sorted(one for one in stems if len(stem) > 2 and one.startswith(stem))
    alike = difflib.get_close_matches(stem, stems, _MAX_SUGGESTED, _LEAST_ALIKE)
    return [one + suffix for one in dict.fromkeys(beginning + alike)][:_MAX_SUGGESTED]


def _split_suffix(name: str) -> Tuple[str, str]:
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return name[: len(name) - len(suffix)], suffix


def suggest(names: Iterable[str]) -> str:
    """Return "did you mean NAME or NAME?" in one line; an empty text without names."""
    shown = " or ".join(map(printable_name, names))
    return f"did you mean {shown}?" if shown else ""
