# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Public: the name, the parameter and the result of parse_log are stable from version 1.0.0.

"""Parse OOM kills from the lines of a kernel log, for plugins, scripts and tests.

In playbooks use the module oom_events instead. It finds the log, reads rotated and compressed
files, and compares the log with the kernel's counters.
"""

from typing import Any, Dict, Iterable, List

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events


def parse_log(lines: Iterable[str]) -> List[Dict[str, Any]]:
    """Return the OOM kills in the lines of a kernel log, in the order in which they began.

    C(lines) are lines of text, with or without line ends, oldest first. They may have any prefix.
    Records of /dev/kmsg, and JSON of the journal or of any program that ships logs, with one entry
    on each line, are read as well. C(journalctl) with
    C(--output=export) or C(--output=json-pretty), and C(dmesg --json), are not read, because
    their entries span lines. Decode a file with C(errors="backslashreplace"): names are bytes.

    Each event is a dict as in RV(oomguard.linux.oom_events#module:events), with these differences:

    - C(source) is None, because lines do not name their file.
    - C(tasks), C(raw), C(what), C(what_if) and C(own_trial) are missing.
    - C(trusted) is never True, because lines do not prove where they are from. Events that a
      program forged are included, and theirs is False.

    The function is pure: it reads only C(lines), in one pass, and the same lines give the same
    events. It raises no errors of its own. Text that is not a kernel log has no events. It needs
    only the standard library of Python 3.6 or later.

    >>> line = "Out of memory: Killed process 7 (hog) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
    >>> [(event["outcome"], event["victims"][0]["pid"]) for event in parse_log([line])]
    [('kill', 7)]
    """
    records = parse_lines(line.rstrip("\r\n") for line in lines)
    return parse_events(
        record._replace(trusted=None if record.trusted else record.trusted, vouched=False)
        if record.trusted or record.vouched
        else record
        for record in records
    )
