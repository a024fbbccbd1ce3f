# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import EarlyoomArguments
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService, UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import KilledGroups, MetaOomdRules
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import NohangSettings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.verdicts import find_unbound, warnings_for_killers

PINNED = PinnedService("x.service", "x.service", -500, "/system.slice/x.service", "x", 0, "none")
RAISED = PINNED._replace(score=500)
SETTINGS = {
    "systemd-oomd": OomdSettings([MonitoredGroup("-.slice", "/", ["swap"])]),
    "earlyoom": EarlyoomArguments(sort_by_rss=True),
    "nohang": NohangSettings("/x", True),
    "oomd": MetaOomdRules("/x", [KilledGroups("system.slice/*", False)]),
    "kubelet": None,
}


def killer(name, active=True, problem=None):
    return UserKiller(name, name + ".service", active, False, None, SETTINGS[name], None, problem)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_killer_has_its_verdict(name):
    found = find_unbound([killer(name)], [PINNED, RAISED], lambda _pattern, _text: name == "oomd")
    assert [(one.killer, one.service) for one in found] == {
        "nohang": [("nohang", RAISED)],
        "kubelet": [],
    }.get(name, [(name, PINNED)])


def test_a_killer_that_does_not_run_kills_nothing():
    assert find_unbound([killer(name, active=False) for name in SETTINGS], [PINNED, RAISED], lambda *_: False) == []


def test_a_configuration_that_is_not_understood():
    killers = [killer("nohang", problem="/x has no y"), killer("oomd", False, "no"), killer("earlyoom")]
    assert warnings_for_killers(killers) == [
        "nohang runs, and whether it goes by pins is not known: /x has no y; check its configuration"
    ]
