# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import (
    KILLER_UNITS,
    KNOWN,
    find_preference,
    may_run,
    name_programs,
)


def test_units_and_programs():
    assert len(KILLER_UNITS) == len(set(KILLER_UNITS))
    assert all(len(known.program) <= 15 for known in KNOWN)
    assert {known.name for known in KNOWN} == {"systemd-oomd", "earlyoom", "nohang", "oomd", "kubelet"}


@pytest.mark.parametrize("names, expected", [(["sh", "earlyoom"], True), (["sh"], False), ([], False)])
def test_whether_a_killer_may_run(names, expected):
    assert may_run(names) is expected


def test_a_killer_that_an_interpreter_runs():
    """Names as they are in the source of nohang, and those that other scripts have."""
    names = {1: "sh", 2: "python3", 3: "python3.11", 4: "python3", 5: "pythonic", 6: "earlyoom"}
    lines = {2: "python3 /usr/local/sbin/nohang --monitor", 3: "/usr/bin/python3.11 /usr/bin/x nohang", 4: "python3"}

    def read(pids):
        assert pids == [2, 3, 4, 5]  # no others
        return lines

    assert {pid: name for pid, name in name_programs(names, read).items() if name != names[pid]} == {2: "nohang"}
    assert name_programs({1: "sh"}, None) == {1: "sh"}


PREFERENCES = {-1000: "omit", -999: "omit", -998: "avoid", -500: "avoid", -499: None, 0: None, 500: None}


@pytest.mark.parametrize("score, preference", PREFERENCES.items())
def test_preference_of_a_score(score, preference):
    assert find_preference(score) == preference
