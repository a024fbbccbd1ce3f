# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files of a role say of each other, of the module and of the documentation."""

import itertools
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.oomguard.linux.plugins.filter.protect_targets import protect_targets
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import guards as _guards
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import pin as _pins
from ansible_collections.oomguard.linux.plugins.modules import oom_score_adj

COLLECTION = Path(__file__).resolve().parents[2]
ROLES = sorted(folder.name for folder in (COLLECTION / "roles").iterdir())


def read(*path):
    return yaml.safe_load(COLLECTION.joinpath(*path).read_text(encoding="utf-8"))


def options_of(role):
    return read("roles", role, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]


PROFILES = read("roles", "oom_protect", "vars", "main.yml")["__oom_protect_profiles"]
ENTRIES = [(profile, entry) for profile, entries in PROFILES.items() for entry in entries]
each_entry = pytest.mark.parametrize("profile, entry", ENTRIES, ids=["{} {[unit]}".format(*pair) for pair in ENTRIES])


# --- every role -----------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_spec_agree(role):
    defaults, options = read("roles", role, "defaults", "main.yml"), options_of(role)
    assert list(defaults) == list(options)
    for name, option in options.items():
        if "default" in option:
            assert defaults[name] == option["default"], name
        else:
            assert "{{" in defaults[name], name


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_have_the_prefix_of_the_role(role):
    assert [name for name in options_of(role) if not name.startswith(role + "_")] == []


# --- the profiles of oom_protect --------------------------------------------------


def test_the_argument_spec_knows_the_profiles():
    assert options_of("oom_protect")["oom_protect_profiles"]["choices"] == ["", *PROFILES]


def test_the_argument_spec_knows_the_options_of_a_target():
    documented = yaml.safe_load(oom_score_adj.DOCUMENTATION)["options"]["targets"]["suboptions"]
    told = options_of("oom_protect")["oom_protect_targets"]["options"]
    assert {name: dict(option, description=None) for name, option in told.items()} == {
        name: dict(option, description=None) for name, option in documented.items()
    }


@each_entry
def test_an_entry_says_what_it_pins_and_why(profile, entry):
    assert {"unit", "process", "score", "source"} <= set(entry)
    assert set(entry) <= {"unit", "process", "score", "source", "aliases", "oom_policy"}
    assert -1000 < entry["score"] < 0
    assert entry["source"].strip().endswith(".")


@each_entry
def test_an_entry_manages_neither_itself_nor_the_work_of_others(profile, entry):
    names = {_guards.short_name(name) for name in [entry["unit"], entry["process"], *entry.get("aliases", [])]}
    assert not names & (set(_guards.SELF_MANAGING) | _guards.JOB_RUNNERS | {"postgres", "postgresql"})


def test_names_of_one_unit_are_known_from_each_side():
    """Two entries may be the same unit on some host: they must not want two things of it, and must be replaced together."""
    for one, other in itertools.permutations([entry for _profile, entry in ENTRIES], 2):
        if other["unit"] in one.get("aliases", []):
            assert one["unit"] in other.get("aliases", [])
            assert (one["score"], one.get("oom_policy")) == (other["score"], other.get("oom_policy"))


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_module_takes_what_the_filter_gives(persistent, state):
    own = [{"unit": "x", "score": -1}, {"pid": 7, "score": 0}]
    for target in protect_targets(own, PROFILES, list(PROFILES), persistent, state):
        validated = ArgumentSpecValidator(oom_score_adj.TARGET_OPTIONS, [oom_score_adj.SELECTORS]).validate(target)
        assert validated.error_messages == []
        _pins.check(oom_score_adj.pin(validated.validated_parameters, False))


def table(path):
    """The rows of the first table in a document, a dictionary each."""
    lines = (COLLECTION / path).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def test_the_documentation_lists_the_profiles():
    listed = [
        (
            row["profile"],
            row["unit"],
            row["process"],
            int(row["score"]),
            row["OOMPolicy"] or None,
            row["where the score comes from"],
        )
        for row in table("docs/protect.md")
    ]
    assert listed == [
        (profile, entry["unit"], entry["process"], entry["score"], entry.get("oom_policy"), entry["source"])
        for profile, entry in ENTRIES
    ]
