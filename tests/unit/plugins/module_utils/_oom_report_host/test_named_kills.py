# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kills that a run counts for the record, each once."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.named_kills import NamedKills

BOOT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "boot, counted_until, kills, until",
    [
        (BOOT, None, 6, 7000001),
        (BOOT, 5000000, 3, 7000001),
        (BOOT, 7000001, 0, 7000001),
        ("f" * 32, 9, 0, 9),
        (None, None, 0, None),
    ],
)
def test_count(boot, counted_until, kills, until):
    named = NamedKills(boot, counted_until)
    for uptime, number in ((4.5, 2), (5.0, 1), (7.000001, 2), (6.25, 1)):
        named.add({"boot_id": BOOT, "monotonic": uptime}, number)
    named.add({"boot_id": None, "monotonic": 99.0}, 7)
    named.add({"boot_id": BOOT, "monotonic": None}, 7)
    assert (named.kills, named.until) == (kills, until)
