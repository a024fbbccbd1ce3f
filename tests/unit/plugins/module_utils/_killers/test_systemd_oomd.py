# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import (
    MonitoredGroup,
    judge_by_systemd_oomd,
    list_reasons,
    read_settings,
)

UNITS = [
    {"Id": "-.slice", "ControlGroup": "", "ManagedOOMSwap": "kill", "ManagedOOMMemoryPressure": "auto"},
    {
        "Id": "system.slice",
        "ControlGroup": "/system.slice",
        "ManagedOOMSwap": "auto",
        "ManagedOOMMemoryPressure": "kill",
    },
    {"Id": "app.slice", "ControlGroup": "/app.slice", "ManagedOOMSwap": "auto", "OOMRules": "10-a 20-b"},
    {"Id": "idle.service", "ControlGroup": "", "ManagedOOMSwap": "kill"},
    {"Id": "other.slice", "ControlGroup": "/other.slice", "ManagedOOMSwap": "auto"},
    {},
]


def test_settings():
    assert read_settings(UNITS).monitored == [
        MonitoredGroup("-.slice", "/", ["swap"]),
        MonitoredGroup("system.slice", "/system.slice", ["pressure"]),
        MonitoredGroup("app.slice", "/app.slice", ["10-a", "20-b"]),
    ]


REASONS = {
    "/system.slice/x.service": ["swap in -.slice", "pressure in system.slice"],
    "/system.slice": ["swap in -.slice", "pressure in system.slice"],
    "/system.slice-not/x.service": ["swap in -.slice"],
    "/app.slice/y.service": ["swap in -.slice", "10-a in app.slice", "20-b in app.slice"],
}


@pytest.mark.parametrize("path, reasons", REASONS.items())
def test_reasons(path, reasons):
    assert list_reasons(read_settings(UNITS), path) == reasons


def service(score=-900, **facts):
    values = dict(
        name="x.service",
        unit="x.service",
        score=score,
        control_group="/system.slice/x.service",
        program="x",
        preference="none",
    )
    return PinnedService(**dict(values, **facts))


WATCHED = read_settings(UNITS[1:2])
MAY = "systemd-oomd may kill x.service (pressure in system.slice) and never reads scores: "
VERDICTS = {
    "no preference": (service(), MAY + "set managed_oom_preference=avoid for unit=x.service, or other_killers=protect"),
    "omit": (service(-999), MAY + "set managed_oom_preference=omit for unit=x.service, or other_killers=protect"),
    "weak": (service(-100), MAY + "set managed_oom_preference=avoid for unit=x.service, or other_killers=protect"),
    "avoided": (service(preference="avoid"), None),
    "omitted": (service(preference="omit"), None),
    "divided": (
        service(preference="omit", is_divided=True),
        MAY + "ManagedOOMPreference does not count for the control groups below that of x.service; set oom_policy=kill,"
        " so that they are killed as one, or move what must live to a unit of its own",
    ),
    "raised": (service(500), None),
    "not watched": (service(control_group="/machine.slice/x.service"), None),
    "not running": (service(control_group=""), None),
    "no unit": (
        service(unit=None),
        MAY + "pin it by the unit that starts it, with managed_oom_preference",
    ),
    "old systemd": (
        service(preference=None),
        MAY + "this systemd has no preferences: set ManagedOOMSwap and ManagedOOMMemoryPressure of x.service",
    ),
}


@pytest.mark.parametrize("pinned, remedy", VERDICTS.values(), ids=list(VERDICTS))
def test_judge(pinned, remedy):
    found = judge_by_systemd_oomd(WATCHED, pinned)
    assert (found and found.remedy) == remedy
