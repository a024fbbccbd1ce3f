# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module oom_site are what the tasks of three roles give their modules."""

from pathlib import Path

import pytest
import yaml

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.policy_options import (
    POLICY_PARTS,
    build_policy,
    load_profiles,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import parse_arguments

COLLECTION = Path(__file__).resolve().parents[2]
GIVEN = {
    "oom_protect_profiles": ["database"],
    "oom_protect_targets": [{"unit": "app", "score": -100}],
    "oom_panic_on_oom": "panic",
    "oom_panic_reboot_after": 5,
    "oom_panic_kill_allocating_task": False,
    "oom_panic_dump_tasks": True,
    "oom_panic_panic_on_oops": False,
    "oom_overcommit_mode": "never",
    "oom_overcommit_ratio": 80,
    "oom_overcommit_admin_reserve_kbytes": 131072,
    "oom_overcommit_user_reserve_kbytes": 1024,
}


def parse(given):
    return {f"oom_{part}": parse_arguments(f"oom_{part}", given)[0] for part in POLICY_PARTS}


def test_options_are_those_of_the_roles():
    """Each option that a role gives its module, apart from kbytes, which excludes ratio."""
    policy, asked = build_policy(parse(GIVEN), POLICY_PARTS)
    assert asked == dict.fromkeys(POLICY_PARTS, True)
    for part in POLICY_PARTS:
        [task] = yaml.safe_load((COLLECTION / f"roles/oom_{part}/tasks/apply.yml").read_text(encoding="utf-8"))
        [options] = [value for key, value in task.items() if key.startswith("oomguard.linux.")]
        assert set(options) - {"kbytes"} == set(policy[part])


def test_targets_are_those_of_the_profiles():
    policy, _asked = build_policy(parse(GIVEN), ["protect"])
    units = [target["unit"] for target in policy["protect"]["targets"]]
    assert units == [*dict.fromkeys(entry["unit"] for entry in load_profiles()["database"]), "app"]
    assert list(policy) == ["protect"]


def test_what_nobody_asks_for_has_no_options():
    assert build_policy(parse({}), ["protect", "overcommit"]) == ({}, {"protect": False, "overcommit": False})


def test_absent_is_asked_for():
    policy, _asked = build_policy(parse({"oom_panic_state": "absent"}), POLICY_PARTS)
    assert policy["panic"]["state"] == "absent" and "file" not in policy["panic"]


def test_unknown_profile():
    arguments = parse(GIVEN)
    arguments["oom_protect"]["profiles"] = ["nosuch"]
    with pytest.raises(InputError, match="profile nosuch does not exist"):
        build_policy(arguments, POLICY_PARTS)
