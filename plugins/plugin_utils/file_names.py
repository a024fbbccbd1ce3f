# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Name a file on the controller after a host, whatever the host's name is."""

import re

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import name_hash

FILE_NAME_LENGTH = 120
# A leading dot would hide the file or leave the folder, a leading dash would look like an option.
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]|^[.-]")
_HASH_LENGTH = len("%-") + 16


def safe_file_name(name: str) -> str:
    """Return a file name for a name: at most 120 ASCII characters, without a folder, never hidden.

    Bytes other than letters, digits, dot, underscore and dash become a percent sign and two
    hexadecimal digits. An empty name, a long name and one with capitals end in C(%-) and a hash. So
    two names never share a file, also where a file system ignores case.
    """
    safe = _UNSAFE.sub(_encode, name.encode("utf-8", "surrogatepass")).decode("ascii")
    if 0 < len(safe) <= FILE_NAME_LENGTH and safe == safe.lower():
        return safe
    kept = re.sub("%[0-9a-f]?$", "", safe[: FILE_NAME_LENGTH - _HASH_LENGTH])
    return f"{kept}%-{name_hash(name)}"


def _encode(match: "re.Match[bytes]") -> bytes:
    return b"%%%02x" % match.group()[0]
