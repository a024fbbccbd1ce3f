# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import (
    MonitoredGroup,
    OomdSettings,
    find_watching,
    judge_by_systemd_oomd,
    kills_nothing,
    parse_action,
    read_monitored,
)

UNITS = [
    {"Id": "-.slice", "ControlGroup": "", "ManagedOOMSwap": "kill", "ManagedOOMMemoryPressure": "auto"},
    {
        "Id": "system.slice",
        "ControlGroup": "/system.slice",
        "ManagedOOMSwap": "auto",
        "ManagedOOMMemoryPressure": "kill",
    },
    {"Id": "app.slice", "ControlGroup": "/app.slice", "ManagedOOMSwap": "auto", "OOMRules": "10-a 20-b 30-gone"},
    {"Id": "idle.service", "ControlGroup": "", "ManagedOOMSwap": "kill"},
    {"Id": "other.slice", "ControlGroup": "/other.slice", "ManagedOOMSwap": "auto"},
    {},
]

OWNERS = {"/": 0, "/system.slice": 0}
ACTIONS = {"10-a": "kill-by-pgscan", "20-b": None, "30-gone": "", "swap": "kill-by-swap", "all": "kill-all"}


def read(units, find_owner=OWNERS.get, has_swap=True, version=252):
    return OomdSettings(read_monitored(units, find_owner, ACTIONS.get, has_swap, version))


def test_settings():
    assert read(UNITS).monitored == [
        MonitoredGroup("-.slice", "/", ["swap"], 0, ignores_users=True, kills_all=[]),
        MonitoredGroup("system.slice", "/system.slice", ["pressure"], 0, kills_all=[]),
        MonitoredGroup("app.slice", "/app.slice", ["10-a", "20-b"], None, kills_all=[]),
    ]


def test_the_root_slice_of_a_user():
    units = [{"Id": "-.slice", "ControlGroup": "/user.slice/x", "ManagedOOMMemoryPressure": "kill"}]
    assert [one.path for one in read(units).monitored] == ["/user.slice/x"]


def test_preferences_of_users_count_since_252():
    units = [{"Id": "a.slice", "ControlGroup": "/a.slice", "ManagedOOMMemoryPressure": "kill"}]
    assert [one.ignores_users for one in read(units).monitored] == [False]
    assert [one.ignores_users for one in read(units, version=251).monitored] == [True]


def test_what_rules_do():
    units = [
        {"Id": "a.slice", "ControlGroup": "/a.slice", "OOMRules": rules} for rules in ("swap", "all 10-a", "30-gone")
    ]
    assert read(units).monitored == [
        MonitoredGroup("a.slice", "/a.slice", ["swap"], None, ignores_users=True, kills_all=[]),
        MonitoredGroup("a.slice", "/a.slice", ["all", "10-a"], None, kills_all=["all"]),
    ]


def test_a_host_without_swap():
    """Every host of a cloud, nearly."""
    units = [*UNITS, {"Id": "a.slice", "ControlGroup": "/a.slice", "OOMRules": "swap"}]
    assert [one.unit for one in read(units, has_swap=False).monitored] == ["system.slice", "app.slice"]


RULES = {
    "[Rule]\nSwapUsageMax=90%\nAction=kill-by-swap\n": "kill-by-swap",
    "[Rule]\nAction = kill-all\n[Other]\nAction=x\n": "kill-all",
    "[Service]\nAction=kill-all\n": "",
    "": "",
}


@pytest.mark.parametrize("text, action", RULES.items())
def test_action_of_a_rule(text, action):
    assert parse_action(text) == action


@pytest.mark.parametrize("words, nothing", [("", False), ("--dry-run", True), ("--dry", True), ("-- --version", False)])
def test_a_trial_run_kills_nothing(words, nothing):
    assert kills_nothing(words.split()) is nothing


WATCHING = {
    "/system.slice/x.service": ["-.slice", "system.slice"],
    "/system.slice": ["-.slice", "system.slice"],
    "/system.slice-not/x.service": ["-.slice"],
    "/app.slice/y.service": ["-.slice", "app.slice"],
    "": [],
}


@pytest.mark.parametrize("path, units", WATCHING.items())
def test_what_watches_a_control_group(path, units):
    assert [one.unit for one in find_watching(read(UNITS), path)] == units


def test_every_reason_is_named():
    [pin] = [judge_by_systemd_oomd(read(UNITS), service(control_group="/app.slice/y.service"))]
    assert "(swap in -.slice, 10-a in app.slice, 20-b in app.slice)" in pin.remedy


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


WATCHED = read(UNITS[1:2])
MAY = "systemd-oomd may kill x.service (pressure in system.slice) and never reads scores: "
OF_USER = "it ignores the preference of a control group that uid 1000 owns; "
OTHER = ", or other_killers=protect (oom_protect_other_killers of the role)"
AS_SYSTEM = "run it as a system service with User=, and pin that by unit"
VERDICTS = {
    "no preference": (service(), MAY + f"set managed_oom_preference=avoid for unit=x.service{OTHER}"),
    "omit": (service(-999), MAY + f"set managed_oom_preference=omit for unit=x.service{OTHER}"),
    "too weak for other_killers": (service(-499), MAY + "set managed_oom_preference=avoid for unit=x.service"),
    "avoided": (service(preference="avoid"), None),
    "omitted": (service(preference="omit"), None),
    "divided, of a user's manager": (
        service(unit=None, name="process 7 (x)", preference="omit", is_divided=True),
        MAY.replace("x.service", "process 7 (x)")
        + "ManagedOOMPreference does not count for the control groups below that of process 7 (x); move what must live"
        " to a unit of its own. Or set oom_policy=kill: all of it then lives and dies as one, by the kernel's killer,"
        " too",
    ),
    "divided": (
        service(preference="omit", is_divided=True),
        MAY + "ManagedOOMPreference does not count for the control groups below that of x.service; move what must live"
        " to a unit of its own. Or set oom_policy=kill: all of it then lives and dies as one, by the kernel's killer,"
        " too",
    ),
    "raised": (service(500), None),
    "raised and avoided": (service(500, preference="avoid"), None),
    "of root": (service(preference="avoid", owner=0), None),
    "of a user": (service(unit=None, preference="omit", owner=1000), MAY + OF_USER + AS_SYSTEM),
    "of a user, raised, but with a preference": (
        service(100, unit=None, preference="omit", owner=1000),
        MAY + OF_USER + AS_SYSTEM,
    ),
    "of a user, without a preference": (service(unit=None, owner=1000), MAY + OF_USER + AS_SYSTEM),
    "delegated to a user": (
        service(preference="avoid", owner=1000),
        MAY + OF_USER + "leave Delegate= out of x.service, or User=",
    ),
    "not watched": (service(control_group="/machine.slice/x.service"), None),
    "not running": (service(control_group=""), None),
    "no unit": (
        service(unit=None),
        MAY + "pin it by the unit or user_unit that starts it, with managed_oom_preference",
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


def test_the_owner_of_the_watched_group_decides_too():
    settings = read(UNITS[1:2], {"/system.slice": 1000}.get)
    assert judge_by_systemd_oomd(settings, service(preference="avoid", owner=1000)) is None
    assert judge_by_systemd_oomd(settings, service(preference="avoid", owner=1001)).preference is None


def test_by_swap_no_preference_of_a_user_counts():
    """systemd-oomd compares with the owner of the root of all control groups then."""
    unit = dict(UNITS[1], ManagedOOMSwap="kill")
    found = judge_by_systemd_oomd(read([unit], {"/system.slice": 1000}.get), service(preference="avoid", owner=1000))
    assert found.reason == "systemd-oomd ignores the preference of a user's control group"


@pytest.mark.parametrize("preference", ["none", "omit"])
def test_no_preference_counts_for_a_rule_that_kills_all(preference):
    unit = {"Id": "system.slice", "ControlGroup": "/system.slice", "OOMRules": "10-a all"}
    found = judge_by_systemd_oomd(read([unit]), service(preference=preference))
    assert found.preference is None and found.remedy.endswith(
        "never reads scores: the rule all kills all of system.slice at once, whatever is preferred; leave all out of"
        " OOMRules= of system.slice, or give it another Action="
    )
