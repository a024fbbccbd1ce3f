# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does before a job runs, restated: which playbooks it lists, which surveys and answers it takes, what it makes of them.

The rules are those of AWX 24.6: awx/main/utils/ansible.py, awx/api/views/__init__.py and awx/main/models/mixins.py.
"""

import json
import os
import re

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

MULTI = ("multiplechoice", "multiselect")
TEXT = ("text", "textarea", "password")
NUMBERS = {"integer": int, "float": float}

PLAYBOOK = re.compile(r"^\s*-?\s*(hosts|(ansible\.builtin\.)?import_playbook|(ansible\.builtin\.)?include):")
NOT_SEARCHED = {"roles", "tasks", "group_vars", "host_vars"}


def data(**settings):
    """All variables of awx/, rendered, with other settings where given."""
    loader = DataLoader()
    folder = os.path.join(CHECKOUT, "awx")
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("controller_"):
            found.update(loader.load_from_file(os.path.join(folder, name), trusted_as_template=True))
    found.update(settings)
    # As AWX gets it: plain, without what Ansible remembers of each value.
    return json.loads(json.dumps(Templar(loader=loader, variables=found).template(found)))


def playbooks(project):
    """The playbooks that a template can have, as AWX finds them in a project."""
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in NOT_SEARCHED and not name.startswith(".")]
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith((".yml", ".yaml")) and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="ignore") as stream:
                    if any(PLAYBOOK.match(line) for line in stream):
                        found.append(os.path.relpath(path, project))
    return sorted(found)


def choices(question):
    listed = question["choices"]
    return [line for line in listed.splitlines() if line.strip()] if isinstance(listed, str) else listed


def objections(survey):
    """Why AWX would not store this survey, or not as it is written."""
    found = [f"{key} is missing" for key in ("name", "description", "spec") if key not in survey]
    questions = survey.get("spec") or []
    if not questions:
        found.append("no question")
    variables = [question.get("variable") for question in questions]
    for question in questions:
        name = question.get("variable")

        def say(what, name=name):
            found.append(f"{name}: {what}")

        if question.get("type") not in (*TEXT, *NUMBERS, *MULTI):
            say(f"type {question.get('type')}")
            continue
        for key in ("question_name", "question_description", "variable"):
            if not isinstance(question.get(key), str) or not question[key]:
                say(f"{key} is no text")
        if variables.count(name) > 1:
            say("asked twice")
        if not isinstance(question.get("required"), bool):
            say("required is no boolean")
        for key in ("min", "max"):
            if question.get(key) is not None and not is_of(question[key], int):
                say(f"{key} is no integer")
        # Some web forms break without a default. Null is refused, and what fails its own question dropped silently.
        if question.get("default") is None:
            say("no default")
        elif question["default"] != "" and refusals(question, question["default"]):
            say("its default is no answer to it")
        if question["type"] in MULTI:
            listed = question.get("choices")
            if not listed or not all(isinstance(choice, str) for choice in choices(question)):
                say("choices are not all text")
            # AWX stores them without blank lines: with one the survey would be changed at every import.
            elif (isinstance(listed, str) and listed.splitlines() != choices(question)) or listed[-1] == "\n":
                say("a blank line, or a line break at the end (write |-)")
        elif "choices" in question:
            say(f"choices, which no {question['type']} has")
    return found


def is_of(value, kind):
    """Whether a value is a number of this kind; to Python true is one, to AWX it is not."""
    return isinstance(value, kind) and not isinstance(value, bool)


def refusals(question, answer):
    """Why AWX does not take this answer."""
    name, kind = question["variable"], question["type"]
    low, high = question.get("min"), question.get("max")
    if kind == "multiplechoice":
        return (
            []
            if answer in choices(question)
            else [f"Value {answer} for '{name}' expected to be one of {choices(question)}."]
        )
    if kind == "multiselect":
        if not isinstance(answer, list):
            return [f"'{name}' value is expected to be a list."]
        return [
            f"Value {one} for '{name}' expected to be one of {choices(question)}."
            for one in answer
            if one not in choices(question)
        ]
    if kind in TEXT:
        if not isinstance(answer, str):
            return [f"Value {answer} for '{name}' expected to be a string."]
        size = len(answer)
    else:
        if not is_of(answer, NUMBERS[kind]):
            return [f"Value {answer} for '{name}' expected to be of type {kind}."]
        size = answer
    found = []
    if low is not None and size < low:
        found.append(f"'{name}' value {size} is too small (must be at least {low}).")
    if high is not None and size > high:
        found.append(f"'{name}' value {size} is too large (must be no more than {high}).")
    return found


class Refused(Exception):
    """AWX answers 400."""


def extra_vars(template, answers):
    """What a launch with these answers gives to the job: of the template, then defaults, then answers. Raises Refused."""
    questions = {question["variable"]: question for question in template["survey_spec"]["spec"]}
    found = []
    for name, answer in answers.items():
        found += (
            refusals(questions[name], answer) if name in questions else [f"Variables {name} are not allowed on launch."]
        )
    found += [
        f"'{name}' value missing"
        for name, question in questions.items()
        if question["required"] and name not in answers
    ]
    if found:
        raise Refused("; ".join(found))
    defaults = {
        name: question["default"] for name, question in questions.items() if not refusals(question, question["default"])
    }
    return {**template.get("extra_vars", {}), **defaults, **answers}


def sliced(inventory, number, count):
    """The hosts that slice number of count has: those of others are gone, also from the groups."""
    hosts = set(sorted(inventory["_meta"]["hostvars"])[number - 1 :: count])
    groups = {
        name: dict(group, hosts=[host for host in group.get("hosts", []) if host in hosts])
        for name, group in inventory.items()
        if name != "_meta"
    }
    return dict(
        groups,
        _meta={"hostvars": {name: values for name, values in inventory["_meta"]["hostvars"].items() if name in hosts}},
    )


class _Unsafe(str):
    """An answer: literal text, whatever braces it has."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style="'"))


def _marked(value):
    if isinstance(value, str):
        return _Unsafe(value)
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, dict):
        return {_Unsafe(key): _marked(item) for key, item in value.items()}
    return value


def dumped(given, trusted=()):
    """Extra variables as AWX writes them: only those of the template itself may hold templates."""
    return yaml.dump(
        {name: value if name in trusted else _marked(value) for name, value in given.items()}, Dumper=_Dumper
    )
