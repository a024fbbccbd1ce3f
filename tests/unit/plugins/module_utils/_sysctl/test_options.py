# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that two modules share."""

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.options import build_request, shared_options


def test_request_has_the_given_options(overcommit_request):
    policy = overcommit_request({}).policy
    given = dict(persistent=False, file="/etc/sysctl.d/x.conf", rollback_seconds=5, force=True)
    assert build_request(policy, given)._asdict() == dict(given, policy=policy)


def test_defaults_are_a_request(overcommit_request):
    policy = overcommit_request({}).policy
    defaults = {name: entry["default"] for name, entry in shared_options(file="/etc/sysctl.d/x.conf").items()}
    assert build_request(policy, defaults)._asdict() == dict(defaults, policy=policy)
