# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of an event are one event; two kills of one pid stay two."""

import pytest
from kernel_lines import HEADER, KILL, memcg_kill

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import copies
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.copies import KnownEvents
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events, read_events

SYSLOG = "Nov 23 04:43:46 host kernel: "
OOMD = "Nov 23 04:43:46 host systemd-oomd[7]: Killed /a due to memory pressure for /a being 9.00% > 5.00% for > 20s"
SYSRQ = HEADER.replace("order=0", "order=-1")

# Lines, and the number of copies of each event.
CASES = {
    "a kill twice, without stamps": ([KILL, KILL], [1]),
    "a kill twice in one second": ([SYSLOG + KILL] * 3, [2]),
    "a kill twice at one uptime": (["[9.000001] " + KILL, "", "On Monday you wrote:", "> [9.000001] " + KILL], [1]),
    "a report twice at one uptime": (["[9.000001] " + HEADER, "[9.000002] " + KILL] * 2, [1]),
    "a report twice in one second": ([SYSLOG + HEADER, SYSLOG + KILL] * 2, [1]),
    "an incomplete report twice": (["[9.000001] " + HEADER] * 2, [1]),
    "a program's kill twice": ([OOMD, OOMD], [1]),
    "two requests with sysrq": (["[9.1] " + SYSRQ, "[9.2] " + KILL, "[9.8] " + SYSRQ, "[9.9] " + KILL], [0, 0]),
    "two reports without stamps": ([HEADER, KILL, HEADER, KILL], [0, 0]),
    "two kills of one pid": (["[9.0] " + KILL, "[99.0] " + KILL], [0, 0]),
    "two pids": ([memcg_kill(7), memcg_kill(8)], [0, 0]),
    "two reports of one second": (
        [SYSLOG + HEADER, SYSLOG + "Mem-Info:", SYSLOG + KILL, SYSLOG + HEADER, SYSLOG + KILL],
        [0, 0],
    ),
    "two boots": ([KILL, "Linux version 6.1", KILL], [0, 0]),
    "what a program wrote": (["Nov 23 04:43:46 host mallory: " + KILL, SYSLOG + KILL], [0, 0]),
}


@pytest.mark.parametrize("lines, duplicates", CASES.values(), ids=list(CASES))
def test_copies_in_one_text(lines, duplicates):
    assert [event["duplicates"] for event in parse_events(parse_lines(lines))] == duplicates


@pytest.mark.parametrize("lines", [[SYSLOG + HEADER, SYSLOG + KILL], [SYSLOG + KILL], [OOMD]])
def test_copies_in_two_files(lines):
    """syslog has lines of other programs between those that kern.log has, too."""
    known, found = KnownEvents(), []
    for text in (lines, [SYSLOG.replace("kernel", "cron[7]") + "x", *lines]):
        read_events(parse_lines(text), lambda _number, event: found.append(event), known=known)
    assert [event["duplicates"] for event in found] == [1]


def test_bounded(monkeypatch):
    monkeypatch.setattr(copies, "MOST_KNOWN", 2)
    lines = [f"[{pid}.5] " + memcg_kill(pid) for pid in (7, 8, 9)]
    assert [event["duplicates"] for event in parse_events(parse_lines(lines + lines))] == [0, 0, 0, 0, 0, 0]
