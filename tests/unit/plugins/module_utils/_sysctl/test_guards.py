# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose sysctls another program or another kernel owns."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.guards import refuse_kubelet_values, why_not_here
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import MODE, RATIO
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlWrite


@pytest.mark.parametrize(
    "container, read_only, force, words",
    [
        (None, False, False, None),
        ("/.dockerenv", False, True, None),
        (
            "/.dockerenv",
            False,
            False,
            "this is a container (/.dockerenv): these sysctls belong to the kernel of its host; run this on the host",
        ),
        (
            "/.dockerenv",
            True,
            False,
            "/proc/sys is read-only here, in a container (/.dockerenv): these sysctls belong to the host",
        ),
        ("/.dockerenv", True, True, "/proc/sys is read-only here"),
        (None, True, False, "/proc/sys is read-only here: these sysctls"),
    ],
)
def test_why_not_here(container, read_only, force, words):
    reason = why_not_here(container, read_only, force)
    assert reason is None if words is None else reason.startswith(words)


@pytest.mark.parametrize(
    "write, kept",
    [(SysctlWrite(MODE, 1, 2), False), (SysctlWrite(MODE, 0, 1), True), (SysctlWrite(RATIO, 50, 80), True)],
)
def test_refuse_kubelet_values_only_where_it_runs(write, kept):
    refuse_kubelet_values([write], lambda: False)
    if kept:
        refuse_kubelet_values([write], lambda: True)
    else:
        with pytest.raises(InputError, match=r"vm\.overcommit_memory=2: the kubelet on this host sets it to 1"):
            refuse_kubelet_values([write], lambda: True)
