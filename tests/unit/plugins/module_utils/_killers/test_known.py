# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import (
    KILLER_UNITS,
    KNOWN,
    find_preference,
    may_run,
)


def test_units_and_programs():
    assert len(KILLER_UNITS) == len(set(KILLER_UNITS))
    assert all(len(known.program) <= 15 for known in KNOWN)
    assert {"systemd-oomd", "earlyoom", "nohang", "oomd", "lmkd", "talos"} <= {known.name for known in KNOWN}


@pytest.mark.parametrize("names, expected", [(["sh", "earlyoom"], True), (["sh"], False), ([], False)])
def test_whether_a_killer_may_run(names, expected):
    assert may_run(names) is expected


PREFERENCES = {-1000: "omit", -999: "omit", -998: "avoid", -500: "avoid", -499: None, 0: None, 500: None}


@pytest.mark.parametrize("score, preference", PREFERENCES.items())
def test_preference_of_a_score(score, preference):
    assert find_preference(score) == preference
