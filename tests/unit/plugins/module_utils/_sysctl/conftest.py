# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared by the tests of the sysctl engine: a request of the module overcommit."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import CommitMemory, OvercommitPolicy
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
MEMORY = CommitMemory(total_kb=16000000, huge_kb=0, swap_kb=0, committed_kb=0)
RUN_KB = 40000


@pytest.fixture
def overcommit_request():
    """Build a request for these sysctls, which the policy does not refuse on its own."""

    def build(wanted, policy=OvercommitPolicy, persistent=True, file=FILE, **fields):
        return SysctlRequest(policy(wanted, MEMORY, 0, lambda: RUN_KB), persistent, file, **fields)

    return build
