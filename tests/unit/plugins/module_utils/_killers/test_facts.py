# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import find_control_group

GROUPS = {
    "a service": (["/", "/system.slice/x.service"], "/system.slice/x.service"),
    "below a service": (["/system.slice/x.service/worker"], "/system.slice/x.service"),
    "a scope": (["/", "/user.slice/session-1.scope"], "/user.slice/session-1.scope"),
    "none": ([], ""),
}


@pytest.mark.parametrize("cgroups, path", GROUPS.values(), ids=list(GROUPS))
def test_control_group(cgroups, path):
    assert find_control_group(cgroups) == path
