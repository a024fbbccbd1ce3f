# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the surveys with the rules of AWX, with the roles and with the guards of the modules."""

import functools
import json
import os
import re
import subprocess

import page
import pytest
import yaml
from controller import CHECKOUT, Refused, choices, extra_vars, load_data, survey_errors
from jobs import BIN

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import design
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import oom_policy_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    check_headroom_percent,
    overcommit_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import ROLLBACK_SECONDS_MAX

# The parts whose variables each template can set. The part oom has what all playbooks share.
PARTS = {
    "protect": ["oom", "oom_protect"],
    "panic": ["oom", "oom_panic"],
    "overcommit": ["oom", "oom_overcommit"],
    "site": ["oom", "oom_protect", "oom_panic", "oom_overcommit"],
    "verify": ["oom", "oom_verify"],
    "events": ["oom", "oom_events"],
    "info": ["oom", "oom_info"],
    "report": ["oom", "oom_report"],
}
# Without check mode there is no drift to fail on, and these always check or only read.
WITHOUT_DRIFT = {"verify", "events", "info", "report"}
# Unset, these are chosen by the module or the kernel.
TEXT_VARIABLES = {f"oom_events_{name}" for name in ("since", "until", "boot", "victim", "unit", "container")}
TEMPLATES = {
    template["name"].split()[-1].lower(): template
    for template in load_data()["controller_templates"]
    if template["survey_enabled"]
}
QUESTIONS = [(name, question) for name, template in TEMPLATES.items() for question in template["survey_spec"]["spec"]]
each_question = pytest.mark.parametrize(
    "name, question", QUESTIONS, ids=["{} {[variable]}".format(*pair) for pair in QUESTIONS]
)
each_template = pytest.mark.parametrize("name", TEMPLATES)
FORM_INTEGER_MAX = 2**53 - 1  # a web form has JavaScript's numbers


@functools.cache
def options_of_parts():
    """Return the options of each role, and of the playbooks, by the name of the part."""
    with open(os.path.join(CHECKOUT, "playbooks", "vars", "argument_specs.yml"), encoding="utf-8") as stream:
        specs = yaml.safe_load(stream)["argument_specs"]
    for role in os.listdir(os.path.join(CHECKOUT, "roles")):
        with open(os.path.join(CHECKOUT, "roles", role, "meta", "argument_specs.yml"), encoding="utf-8") as stream:
            specs[role] = yaml.safe_load(stream)["argument_specs"]["main"]
    return {part: spec["options"] for part, spec in specs.items()}


def options_of(name):
    found = {}
    for part in PARTS[name]:
        found.update(options_of_parts()[part])
    return found


# The name of the module option that a variable of a part is passed to.
MODULES = {
    "oom_protect": "oom_score_adj",
    "oom_panic": "oom_policy",
    "oom_overcommit": "overcommit",
    "oom_verify": "oom_trial",
    "oom_events": "oom_events",
    "oom_info": "oom_info",
}


def module_option(variable):
    """Return the option of a module that a variable is passed to, or {}."""
    for part, module in MODULES.items():
        if variable.startswith(part + "_"):
            return documented_options("oomguard.linux." + module).get(variable[len(part) + 1 :], {})
    return {}


@functools.cache
def documented_options(module):
    """Return the options of a module, including those from fragments."""
    command = [os.path.join(BIN, "ansible-doc"), "--json", module]
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=os.environ["PYTHONPATH"])
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment).stdout
    return json.loads(shown)[module]["doc"]["options"]


def options_without_question():
    """Return the options that are in no survey, from the table with reasons in docs/awx.md."""
    return {name for row in page.read_rows("What is in no survey") for name in page.read_names(row[0])}


# --- what AWX stores --------------------------------------------------------------


@each_template
def test_awx_stores_surveys_unchanged(name):
    assert TEMPLATES[name]["survey_enabled"] is True
    assert survey_errors(TEMPLATES[name]["survey_spec"]) == []


@pytest.mark.parametrize(
    "changed, error",
    [
        ({"type": "boolean"}, "type boolean"),
        ({"required": "no"}, "required is no boolean"),
        ({"default": None}, "no default"),
        ({"default": "fals"}, "its default is no answer to it"),
        ({"choices": "true\nfalse\n"}, "line break at the end"),
        ({"choices": [True, False]}, "choices are not all text"),
        ({"choices": ""}, "choices are not all text"),
        ({"type": "integer", "min": ""}, "min is no integer"),
        ({"type": "integer"}, "choices, which no integer has"),
    ],
)
def test_survey_errors(changed, error):
    question = dict(
        next(question for _name, question in QUESTIONS if question["variable"] == "oom_panic_persistent"), **changed
    )
    assert error in "".join(survey_errors({"name": "", "description": "", "spec": [question]}))


# --- what the roles have ------------------------------------------------------------


@each_template
def test_every_option_has_a_question_or_a_reason(name):
    asked = [question["variable"] for question in TEMPLATES[name]["survey_spec"]["spec"]]
    left_out = set(options_of(name)) & options_without_question()
    unused = {"oom_fail_on_drift"} if name in WITHOUT_DRIFT else set()
    assert set(asked) & left_out == set()
    assert set(asked) | left_out | unused == set(options_of(name))


def test_reasons_are_for_options_that_exist():
    assert options_without_question() <= {option for name in PARTS for option in options_of(name)}


@each_question
def test_type_and_choices_match_the_variable(name, question):
    option = options_of(name)[question["variable"]]
    choices_of_module = module_option(question["variable"]).get("choices")
    if "choices" in option:
        assert question["type"] == ("multiselect" if option["type"] == "list" else "multiplechoice")
        assert choices(question) == option["choices"] == (choices_of_module or option["choices"])
    else:
        kinds = {"bool": "multiplechoice", "int": "integer", "str": "text"}
        assert question["type"] == kinds[option["type"]]
        assert option["type"] != "bool" or choices(question) == ["true", "false"]


@each_question
def test_unanswered_question_leaves_the_inventory_in_force(name, question):
    """A default would override the inventory at every launch, and so does empty text."""
    assert (question["required"], question["default"]) == (False, "")
    assert (question["type"] in ("text", "textarea", "password")) == (question["variable"] in TEXT_VARIABLES)


@each_question
def test_question_names_the_default(name, question):
    option = options_of(name)[question["variable"]]
    default = option.get("default", module_option(question["variable"]).get("default"))
    named = re.search(r"(\S+) if left empty", question["question_description"])
    assert (named and named.group(1)) == (None if default in (None, []) else yaml.safe_dump(default).split("\n")[0])


# What AWX's own launch form asks. Two questions of one name are a trap.
PROMPTS = {
    "limit",
    "inventory",
    "credentials",
    "job type",
    "verbosity",
    "forks",
    "job slices",
    "job slicing",
    "timeout",
}
PROMPTS |= {
    "show changes",
    "execution environment",
    "instance groups",
    "labels",
    "variables",
    "extra variables",
    "tags",
}


@each_question
def test_question_is_not_named_as_a_prompt(name, question):
    assert question["question_name"].lower() not in PROMPTS


@each_template
def test_launch_without_answers_sends_nothing(name):
    empty = {variable: "" for variable in TEXT_VARIABLES if name == "events"}
    assert extra_vars(TEMPLATES[name], {}) == {**TEMPLATES[name].get("extra_vars", {}), **empty}


# --- what the guards of the modules accept -----------------------------------------------

GUARDS = {
    "oom_panic_reboot_after": lambda value: oom_policy_sysctls(None, value, None, None, None),
    "oom_overcommit_ratio": lambda value: overcommit_sysctls(None, value, None, None, None),
    "oom_overcommit_admin_reserve_kbytes": lambda value: overcommit_sysctls(None, None, None, value, None),
    "oom_overcommit_user_reserve_kbytes": lambda value: overcommit_sysctls(None, None, None, None, value),
    "oom_overcommit_headroom_percent": check_headroom_percent,
    "oom_verify_pinned_score": lambda value: design.design_trial(value, 0, 65536, 0, can_lower=False),
}
# For these the module has no guard, or none that can be called without touching the host.
BOUNDS = {
    "oom_protect_min_killable_percent": (0, 100),
    "oom_panic_rollback_seconds": (1, ROLLBACK_SECONDS_MAX),
    "oom_overcommit_rollback_seconds": (1, ROLLBACK_SECONDS_MAX),
    "oom_verify_timeout": (1, 3600),
    "oom_events_limit": (1, 1000),
    "oom_info_top": (0, 1000),
}


def accepts(guard, value):
    try:
        guard(value)
    except OomError:
        return False
    return True


@pytest.mark.parametrize(
    "question",
    {question["variable"]: question for _name, question in QUESTIONS if question["type"] == "integer"}.values(),
)
def test_bounds_match_the_guards(question):
    variable, low, high = question["variable"], question["min"], question["max"]
    if variable in BOUNDS:
        assert (low, high) == BOUNDS[variable]
        return
    assert accepts(GUARDS[variable], low) and accepts(GUARDS[variable], high)
    assert not accepts(GUARDS[variable], low - 1)
    assert high == FORM_INTEGER_MAX or not accepts(GUARDS[variable], high + 1)


# --- answers -----------------------------------------------------------------


@each_question
def test_wrong_answers_are_refused_with_the_variable(name, question):
    wrong = {
        "integer": ["", "7", True, None, 1.5, question.get("min", 0) - 1, question.get("max", 0) + 1],
        "multiplechoice": ["", "no such", True, 0, []],
        "multiselect": ["", "containers", ["no such"], [""]],
        "text": [7, True, None, [], "x" * 254],
    }[question["type"]]
    for answer in wrong:
        with pytest.raises(Refused, match=question["variable"]):
            extra_vars(TEMPLATES[name], {question["variable"]: answer})


@each_question
def test_answers_at_the_bounds_are_accepted(name, question):
    right = {
        "integer": lambda: [question["min"], question["max"]],
        "multiplechoice": lambda: choices(question),
        "multiselect": lambda: [[], choices(question)],
        "text": lambda: ["", "x" * 253],
    }[question["type"]]()
    for answer in right:
        assert extra_vars(TEMPLATES[name], {question["variable"]: answer})[question["variable"]] == answer


def test_no_answer_can_allow_disruption():
    fixed = {"oom_verify_scope": "cgroup", "oom_verify_allow_disruption": False}
    assert {name: TEMPLATES["verify"]["extra_vars"][name] for name in fixed} == fixed
    for template in TEMPLATES.values():
        assert template["ask_variables_on_launch"] is False
        for name in (*fixed, "oom_panic_force", "oom_overcommit_force", "oom_protect_force"):
            with pytest.raises(Refused, match="not allowed"):
                extra_vars(template, {name: "host"})
