# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy_request import request_oom_policy

NONE = dict.fromkeys(["on_oom", "reboot_after", "kill_allocating_task", "dump_tasks", "panic_on_oops"])
SHARED = dict(state="present", persistent=True, file=None, rollback_seconds=30, force=False)


@pytest.fixture
def request_for(sysctl_tree):
    """Return a function that builds the request of some options on a host."""
    return lambda **options: request_oom_policy(sysctl_tree.host, dict(NONE, **dict(SHARED, **options)))


def test_the_request(request_for):
    request = request_for(on_oom="panic", reboot_after=0)
    assert request.policy.wanted == {"vm.panic_on_oom": 1, "kernel.panic": 0}
    assert (request.file, request.absent) == ("/etc/sysctl.d/60-oomguard-policy.conf", False)
    assert request_for(on_oom="panic", reboot_after=0, file="/etc/sysctl.d/x.conf").file == "/etc/sysctl.d/x.conf"


def test_a_removal_wants_nothing(request_for):
    request = request_for(state="absent")
    assert (request.policy.wanted, request.absent) == ({}, True)


def test_options_that_no_host_can_have(request_for):
    with pytest.raises(InputError, match="no option is set"):
        request_for()
