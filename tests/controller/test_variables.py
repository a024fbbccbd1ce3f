# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which variables there are, and find names that are misspelt."""

import time

import pytest
from ansible.errors import AnsibleError

from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import (
    check_names,
    is_addition,
    list_names,
    load_parts,
    read_values,
)


def test_parts_are_the_roles_and_what_playbooks_add():
    roles = {"oom_protect", "oom_panic", "oom_overcommit", "oom_verify"}
    assert roles | {"oom", "oom_events", "oom_info"} <= set(load_parts())
    for part, options in load_parts().items():
        assert options and [name for name in options if not name.startswith(part + "_")] == []
    assert len(list_names()) == len(set(list_names())) > 50


@pytest.mark.parametrize("name", list_names())
def test_no_known_name_is_refused(name):
    assert check_names([name]) == []


MEANT = {
    # a typo behind the prefix
    "oom_protect_profile": "oom_protect_profiles",
    "oom_protect_target": "oom_protect_targets",
    "oom_panic_reboot": "oom_panic_reboot_after",
    "oom_panic_on_ooom": "oom_panic_on_oom",
    "oom_verify_scop": "oom_verify_scope",
    "oom_events_contaner": "oom_events_container",
    "oom_overcommit_Mode": "oom_overcommit_mode",
    # a typo in the prefix
    "oom_protct_profiles": "oom_protect_profiles",
    "oom_overcomit_mode": "oom_overcommit_mode",
    "oom_pancic_on_oom": "oom_panic_on_oom",
    "oom_paniconoom": "oom_panic_on_oom",
    "ooom_protect_profiles": "oom_protect_profiles",
    "om_protect_profiles": "oom_protect_profiles",
    "oomprotect_profiles": "oom_protect_profiles",
    "OOM_PROTECT_PROFILES": "oom_protect_profiles",
    "oom_verfiy_scope": "oom_verify_scope",
    "oom_event_since": "oom_events_since",
    # what no role has
    "oom_host": "oom_hosts",
    "oom_hsots": "oom_hosts",
    "oom_hots": "oom_hosts",
    "ooms_hosts": "oom_hosts",
    "oom_fial_on_drift": "oom_fail_on_drift",
    "oom_fall_on_drift": "oom_fail_on_drift",
    "oom_fail_on_drfit": "oom_fail_on_drift",
    # a list with a suffix
    "oom_protect_profile_web": "oom_protect_profiles_web",
    "oom_protct_targets_web_servers": "oom_protect_targets_web_servers",
}


@pytest.mark.parametrize("name, meant", MEANT.items())
def test_misspelt_name(name, meant):
    assert check_names([name, "oom_protect_state"]) == [f"{name}: did you mean {meant}?"]


@pytest.mark.parametrize("name", ["oom_protect_team", "oom_panic_colour_of_the_bike_shed", "oom_protect_"])
def test_prefixes_are_reserved(name):
    [error] = check_names([name])
    assert error.startswith(f"{name}: ") and ("no such variable; give it a name" in error or "did you mean" in error)


@pytest.mark.parametrize(
    "name",
    [
        "oom_killer_team",
        "oomph",
        "oom",
        "oom_score",
        "oom_protection_level",
        "oom_killer_targets",
        "oomguard_site_42_changed",
        "oomguard_awx_project_url",
        "oracle_oom_hosts",
        "os_hosts",
        "oem_hosts",
        "osm_hosts",
        "om_hosts",
        "oom_posts",
        "oom_hosts2",
        "oem_protect_profiles",
        "other_hosts",
        "protect_profiles",
        "my_oom_protect_profiles",
        "ansible_host",
        "o" * 10_000,
        "",
    ],
)
def test_names_of_others(name):
    assert check_names([name]) == []


def test_names_of_others_hide_no_typo():
    others = [f"oom_{word}_{number}" for word in ("alerts", "killer", "budget") for number in range(200)]
    assert check_names([*others, "oom_protct_profiles", "oom_verify_scop"]) == [
        "oom_verify_scop: did you mean oom_verify_scope?",
        "oom_protct_profiles: did you mean oom_protect_profiles?",
    ]


def test_many_and_long_names_take_little_time():
    """A host may return any facts. Those that sort first are compared, and long ones are not."""
    hostile = (
        [f"o_{number}" for number in range(1000)]
        + [f"oom_protekt_x_{number:06}" for number in range(200_000)]
        + ["oom_protect" + "_" * 1_000_000]
    )
    started = time.process_time()
    assert len(check_names(["oom_overcomit_mode", *hostile])) == 1
    assert time.process_time() - started < 10


@pytest.mark.parametrize("name", ["oom_verify_" + "_" * 185, "oom_protect_" + "_x" * 90, "oom_protect_" + "_" * 47])
def test_suffixes_take_little_time(name):
    """What may be the suffix of a list is compared for each underscore of a name."""
    started = time.process_time()
    check_names([f"{name}{number:04}" for number in range(1000)])
    assert time.process_time() - started < 10


def test_names_are_compared_once():
    names = [f"oom_protect_{'_' * 47}{number:04}" for number in range(20)]
    errors = check_names(names)
    started = time.process_time()
    assert [check_names(names) for _again in range(100)] == [errors] * 100
    assert time.process_time() - started < 5


def test_lists_with_a_suffix():
    assert is_addition("oom_protect_profiles_web") and is_addition("oom_protect_targets_web", "oom_protect_targets")
    assert not is_addition("oom_protect_profiles_web", "oom_protect_targets")
    assert not is_addition("oom_protect_profiles") and not is_addition("oom_protect_profiles_")
    assert not is_addition("oom_events_paths_web") and not is_addition("oom_events_paths_web", "oom_events_paths")


def test_read_values():
    variables = {
        "oom_panic_on_oom": "kill",
        "oom_protect_targets_web": "a",
        "oom_protect_targets": "b",
        "oom_killer_team": "x",
        "oom_protect_state": "broken",
    }

    def template(value):
        if value == "broken":
            raise AnsibleError("'undefined_name' is undefined")
        return value.upper()

    values, errors = read_values(variables, template, ["oom_protect"])
    assert values == {"oom_protect_targets_web": "A", "oom_protect_targets": "B"}
    assert [error.split(":")[0] for error in errors] == ["oom_protect_state"] and "undefined_name" in errors[0]
