# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and write the text of a module's own files: the one for the boot, and the record in /run.

Pure. Strategy: the file for the boot also has, as comments, the values from before it. After a boot
they could not be found out any more, because the file hides them. Values that are only live have no
file. A record in /run has their old values and, as comments, the new ones. It is gone after a boot
as they are.
"""

from typing import Collection, Dict, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import parse_assignments, parse_value

HEADER_START = "# Managed by oomguard.linux."
_BEFORE = "# Before this file: "
_WRITTEN = "# Written: "
_RECORD_FOLDER = "/run/oomguard"  # only root can open it, see _host/lock.py


def file_header(manager: str) -> str:
    """Return the first line of a file that the module C(manager) writes.

    It must not change: a module recognises the files on a host by it.
    """
    return f"{HEADER_START}{manager}, which keeps nothing else that is written here.\n"


def render_file(manager: str, values: Mapping[str, int], originals: Mapping[str, int]) -> str:
    """Return the text of our file. The boot sets the values in the order of the dictionary.

    C(originals) are the values from before.
    """
    return file_header(manager) + _render(values) + _render(originals, _BEFORE)


def parse_own_values(text: str, keys: Collection[str]) -> Dict[str, int]:
    """Return the values that a text sets for these sysctls; the last line of each counts."""
    values = {}
    for assignment in parse_assignments(text, ""):
        value = parse_value(assignment.key, assignment.value)
        if assignment.key in keys and value is not None:
            values[assignment.key] = value
    return values


def parse_originals(text: str, keys: Collection[str]) -> Dict[str, int]:
    """Return the values from before that our file has for these sysctls.

    Files of older versions have none.
    """
    return _parse_comments(text, _BEFORE, keys)


def record_path(manager: str) -> str:
    """Return the path of the record of a module's live values."""
    return f"{_RECORD_FOLDER}/{manager}.before"


def render_record(manager: str, originals: Mapping[str, int], written: Mapping[str, int]) -> str:
    """Return the text of the record: the values from before, and those that are only live."""
    header = f"# Live values from before oomguard.linux.{manager} set others until the next boot.\n"
    return header + _render(originals) + _render(written, _WRITTEN)


def parse_written(text: str, keys: Collection[str]) -> Dict[str, int]:
    """Return the live values that the module wrote, as the record has them."""
    return _parse_comments(text, _WRITTEN, keys)


def _parse_comments(text: str, start: str, keys: Collection[str]) -> Dict[str, int]:
    """Return the values of the comments that begin with C(start)."""
    lines = [line[len(start) :] for line in text.split("\n") if line.startswith(start)]
    return parse_own_values("\n".join(lines), keys)


def _render(values: Mapping[str, int], start: str = "") -> str:
    return "".join(f"{start}{key} = {value}\n" for key, value in values.items())
