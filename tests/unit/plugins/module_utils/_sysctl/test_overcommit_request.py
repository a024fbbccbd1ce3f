# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit_request import request_overcommit

NONE = dict.fromkeys(["mode", "ratio", "kbytes", "admin_reserve_kbytes", "user_reserve_kbytes"])
SHARED = dict(state="present", persistent=True, file=None, rollback_seconds=30, force=False, headroom_percent=10)


@pytest.fixture
def request_for(sysctl_tree):
    """Return a function that builds the request of some options on a host."""
    sysctl_tree.write("/proc/meminfo", "MemTotal:  500000 kB\nSwapTotal:  0 kB\nCommitted_AS:  9 kB\n")
    return lambda **options: request_overcommit(sysctl_tree.host, dict(NONE, **dict(SHARED, **options)))


def test_the_request(request_for):
    request = request_for(mode="never", ratio=80)
    assert request.policy.wanted == {"vm.overcommit_memory": 2, "vm.overcommit_ratio": 80}
    assert (request.file, request.absent) == ("/etc/sysctl.d/60-oomguard-overcommit.conf", False)
    assert request_for(mode="never", ratio=80, file="/etc/sysctl.d/x.conf").file == "/etc/sysctl.d/x.conf"


def test_the_engine_of_the_host(request_for, sysctl_tree):
    assert request_for(mode="never", ratio=80).policy.engine is None
    sysctl_tree.write("/run/docker.sock", "")
    assert request_for(mode="never", ratio=80).policy.engine == "Docker"


def test_a_removal_wants_nothing(request_for):
    request = request_for(state="absent")
    assert (request.policy.wanted, request.absent) == ({}, True)


def test_options_that_no_host_can_have(request_for):
    with pytest.raises(InputError, match="ratio=0 lets the kernel promise only swap"):
        request_for(ratio=0)
