# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the files of each role with each other, with the modules and with the documentation."""

import itertools
import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.oomguard.linux.plugins.doc_fragments import sysctls
from ansible_collections.oomguard.linux.plugins.filter.protect_targets import protect_targets
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import guards, pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import TARGET_OPTIONS
from ansible_collections.oomguard.linux.plugins.modules import (
    oom_policy,
    oom_report_fleet,
    oom_report_host,
    oom_score_adj,
    oom_trial,
    overcommit,
)

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
    assert [name for name in options if name in defaults] == list(defaults)
    for name, option in options.items():
        if "default" in option:
            assert defaults[name] == option["default"] and type(defaults[name]) is type(option["default"]), name
        else:
            assert defaults.get(name) is None or "{{" in defaults[name], name


def all_options(options):
    """Yield the name and spec of each option and of each key of a list of dictionaries."""
    for name, option in options.items():
        yield name, option
        yield from all_options({f"{name}.{key}": value for key, value in option.get("options", {}).items()})


@pytest.mark.parametrize("role", ROLES)
def test_options_have_real_types(role):
    """A variable that takes a number or a switch says so, and no choice is empty."""
    for name, option in all_options(options_of(role)):
        assert option["type"] in {"bool", "dict", "int", "list", "path", "str"}, name
        assert "" not in option.get("choices", []) and option.get("default") != "", name
        if "." not in name:
            text = " ".join(option["description"])
            assert not re.search(r"(?i)\bempty (means|leaves)|\bsee O\(", text), name


# A variable that has another name than its option in the module.
MODULE_OF_ROLE = {
    "oom_overcommit": "overcommit",
    "oom_panic": "oom_policy",
    "oom_protect": "oom_score_adj",
    "oom_verify": "oom_trial",
}
OTHER_OPTIONS = {"oom_verify_hog_path", "oom_verify_allow_disruption", "oom_verify_evidence_dir"}
# Their defaults or choices are not those of the module.
OTHER_VALUES = {"oom_verify_scope", "oom_verify_timeout", "oom_protect_profiles", "oom_protect_persistent"}


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_have_the_prefix_of_the_role(role):
    assert [name for name in options_of(role) if not name.startswith(role + "_")] == []


MODULES = {"oom_policy": oom_policy, "oom_score_adj": oom_score_adj, "oom_trial": oom_trial, "overcommit": overcommit}


def module_option(module, option):
    """Return the documentation of an option, from the module and its fragment, or None."""
    fragment = yaml.safe_load(sysctls.ModuleDocFragment.DOCUMENTATION)["options"]
    own = yaml.safe_load(MODULES[module].DOCUMENTATION)["options"]
    return {**fragment.get(option, {}), **own.get(option, {})} or None


@pytest.mark.parametrize("role", MODULE_OF_ROLE)
def test_types_choices_and_defaults_are_those_of_the_module(role):
    module = MODULE_OF_ROLE[role]
    checked = 0
    for name, option in options_of(role).items():
        documented = module_option(module, name[len(role) + 1 :])
        if name in OTHER_OPTIONS | OTHER_VALUES or documented is None:
            continue
        for key in ("type", "elements", "choices", "default"):
            assert option.get(key) == documented.get(key) or (key == "default" and "default" not in documented), name
        checked += 1
    assert checked > 2


def test_options_of_the_report_are_those_of_its_modules():
    """The role consists of two modules."""
    options = options_of("oom_report")
    of_host, of_fleet = (
        yaml.safe_load(module.DOCUMENTATION)["options"] for module in (oom_report_host, oom_report_fleet)
    )
    assert of_host["since"]["default"] == of_fleet["since"]["default"] == options["oom_report_since"]["default"]
    for name in ("dir", "mode"):
        assert of_fleet[name]["default"] == options[f"oom_report_{name}"]["default"]
    assert of_host["history"]["default"] == of_fleet["dir"]["default"] + "/history"
    for name in ("dir", "history", "since", "mode"):
        assert of_fleet[name]["type"] == options[f"oom_report_{name}"]["type"]
    assert set(ROLES) == {*MODULE_OF_ROLE, "oom_report"}


# --- the profiles of oom_protect --------------------------------------------------


def test_argument_spec_lists_all_profiles():
    assert options_of("oom_protect")["oom_protect_profiles"]["choices"] == list(PROFILES)


def without_descriptions(options):
    """Return options, and those of their dictionaries, by name and without descriptions."""
    kept = {}
    for name, option in options.items():
        inner = option.get("options") or option.get("suboptions") or {}
        rest = {key: value for key, value in option.items() if key not in ("description", "options", "suboptions")}
        kept[name] = dict(rest, options=without_descriptions(inner))
    return kept


def test_argument_spec_lists_all_options_of_a_target():
    documented = yaml.safe_load(oom_score_adj.DOCUMENTATION)["options"]["targets"]["suboptions"]
    options = options_of("oom_protect")["oom_protect_targets"]["options"]
    assert without_descriptions(options) == without_descriptions(documented)


@each_entry
def test_entry_has_its_keys_and_a_source(profile, entry):
    assert {"unit", "score", "source"} <= set(entry)
    assert set(entry) <= {"unit", "process", "score", "source", "aliases", "oom_policy", "children"}
    assert -1000 < entry["score"] < 0 or (profile, entry["score"]) == ("backup", 300)
    assert entry["source"].strip().endswith(".")


@each_entry
def test_entry_is_no_self_managing_daemon_and_no_job_runner(profile, entry):
    names = {guards.shorten_name(name) for name in [entry["unit"], entry.get("process", ""), *entry.get("aliases", [])]}
    hosts_of_guests = {"libvirtd", "virtqemud", "incus", "incusd", "lxd", "pacemaker", "pacemakerd"}
    shared_names = {"postgres", "java", "beam.smp", "python3"}
    assert not names & (set(guards.SELF_MANAGING) | guards.JOB_RUNNERS | hosts_of_guests | shared_names)


def test_aliases_are_mutual():
    """Entries that may be the same unit need the same score, and are replaced together."""
    for one, other in itertools.permutations([entry for _profile, entry in ENTRIES], 2):
        if other["unit"] in one.get("aliases", []):
            assert one["unit"] in other.get("aliases", [])
            assert (one["score"], one.get("oom_policy")) == (other["score"], other.get("oom_policy"))


# A unit as distributions name it, and its score in a profile; None where the packager gives one.
PACKAGED = [
    ("database", "redis-server", -500),  # Ubuntu
    ("database", "redis@default", -500),  # SUSE
    ("database", "valkey", -500),  # Fedora
    ("database", "valkey@default", -500),  # SUSE, and the packages of Percona
    ("database", "postgresql@14-main", -900),  # Ubuntu
    ("database", "postgresql", None),  # RHEL
    ("monitoring", "prometheus-node-exporter", -250),  # Ubuntu
    ("monitoring", "prometheus-node_exporter", -250),  # SUSE
    ("kubernetes_node", "prometheus-node_exporter", -999),  # SUSE
]


@pytest.mark.parametrize("profile, unit, score", PACKAGED, ids=[" ".join(row[:2]) for row in PACKAGED])
def test_profile_has_the_unit_of_a_distribution(profile, unit, score):
    template = unit.partition("@")[0] + "@*" if "@" in unit else unit
    assert [entry["score"] for entry in PROFILES[profile] if entry["unit"] == template] == ([score] if score else [])


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_module_accepts_what_the_filter_returns(persistent, state):
    own = [{"unit": "x", "score": -1}, {"pid": 7, "score": 0}]
    for target in protect_targets(own, PROFILES, list(PROFILES), persistent, state):
        validated = ArgumentSpecValidator(TARGET_OPTIONS, [pin.SELECTORS]).validate(target)
        assert validated.error_messages == []
        guards.refuse_contradictions(pin.parse_target(validated.validated_parameters))


def table(path, first):
    """Return the rows of the table with this first column in a document, a dictionary each."""
    text = (COLLECTION / path).read_text(encoding="utf-8").partition(f"\n| {first} |")
    lines = "".join(text[1:]).strip().partition("\n\n")[0].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def test_documentation_lists_all_profiles():
    listed = [
        (
            row["profile"],
            row["unit"],
            row["process"] or None,
            int(row["score"]),
            row["OOMPolicy"] or None,
            row["where the score comes from"],
        )
        for row in table("docs/protect.md", "profile")
    ]
    assert listed == [
        (profile, entry["unit"], entry.get("process"), entry["score"], entry.get("oom_policy"), entry["source"])
        for profile, entry in ENTRIES
    ]


def test_documentation_lists_all_variables_of_playbooks():
    specs = read("playbooks", "vars", "argument_specs.yml")["argument_specs"]
    options = {name: option for part in specs.values() for name, option in part["options"].items()}
    listed = {
        name: (row["type"], row["default"])
        for row in table("docs/variables.md", "variable")
        for name in re.findall(r"oom_\w+", row["variable"])
    }
    shown = {True: "true", False: "false", None: "unset"}
    raw = {"oom_hosts": "pattern", "oom_info_domain": "str or dict"}
    assert listed == {
        name: (
            raw[name] if option["type"] == "raw" else option["type"],
            shown.get(option.get("default"), str(option.get("default"))) if option["type"] != "list" else "[]",
        )
        for name, option in options.items()
    }
