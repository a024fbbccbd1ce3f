# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that two modules share."""

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.options import build_request, shared_options
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest


def test_request_has_the_given_options(overcommit_request):
    policy = overcommit_request({}).policy
    given = dict(persistent=False, file="/etc/sysctl.d/x.conf", rollback_seconds=5, force=True)
    request = build_request(policy, dict(given, state="absent"), "/etc/sysctl.d/y.conf")
    assert request._asdict() == dict(given, policy=policy, absent=True, every_file=False)


def test_defaults_are_a_request(overcommit_request):
    policy = overcommit_request({}).policy
    defaults = {name: entry.get("default") for name, entry in shared_options().items()}
    request = build_request(policy, defaults, "/etc/sysctl.d/y.conf")
    assert request == SysctlRequest(policy, True, "/etc/sysctl.d/y.conf", rollback_seconds=30, every_file=True)
