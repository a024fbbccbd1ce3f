# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that two modules share."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.options import build_request, shared_options


def test_request_has_the_given_options(overcommit_request):
    policy = overcommit_request({}).policy
    given = dict(persistent=False, file="/etc/sysctl.d/x.conf", rollback_seconds=5, force=True)
    assert build_request(policy, given)._asdict() == dict(given, policy=policy)


@pytest.mark.parametrize("option", ["persistent", "file", "rollback_seconds", "force"])
def test_request_needs_only_shared_options(overcommit_request, option):
    spec = shared_options(file="/etc/sysctl.d/x.conf")
    defaults = {name: entry["default"] for name, entry in spec.items()}
    request = build_request(overcommit_request({}).policy, defaults)
    assert getattr(request, option) == spec[option]["default"]
