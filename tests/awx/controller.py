# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restate what AWX does around a job: list files, store surveys, check answers, follow links.

The rules are those of AWX 24.6: awx/main/utils/ansible.py, awx/api/views/__init__.py,
awx/main/models/mixins.py and awx/main/scheduler/dag_workflow.py.
"""

import json
import os
import re

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CHOICE_TYPES = ("multiplechoice", "multiselect")
TEXT_TYPES = ("text", "textarea", "password")
NUMBER_TYPES = {"integer": int, "float": float}

LINKS = ("success_nodes", "failure_nodes", "always_nodes")
PLAYBOOK = re.compile(r"^\s*-?\s*(hosts|(ansible\.builtin\.)?import_playbook|(ansible\.builtin\.)?include):")
INVENTORY = re.compile(r"^[a-zA-Z0-9_.=\[\]]")
SKIPPED_FOLDERS = {"roles", "tasks", "group_vars", "host_vars"}


def load_data(**settings):
    """Return all variables of awx/, rendered with these settings."""
    loader = DataLoader()
    folder = os.path.join(CHECKOUT, "awx")
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("controller_"):
            found.update(loader.load_from_file(os.path.join(folder, name), trusted_as_template=True))
    found.update(settings)
    # AWX gets plain values, without the tags that Ansible keeps on each one.
    return json.loads(json.dumps(Templar(loader=loader, variables=found).template(found)))


def _walk(project):
    """Yield folder and name of each file that AWX looks at. It skips by the name of any folder."""
    for folder, _folders, files in os.walk(project):
        parts = os.path.relpath(folder, project).split(os.sep)
        if not SKIPPED_FOLDERS & set(parts) and not any(part.startswith(".") and part != "." for part in parts):
            yield from ((folder, name) for name in files)


def find_playbooks(project):
    """Return the playbooks that AWX finds in a project and offers to templates."""
    found = []
    for folder, name in _walk(project):
        path = os.path.join(folder, name)
        if os.path.splitext(name)[1] in (".yml", ".yaml") and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="ignore") as stream:
                lines = stream.readlines()
            if any(PLAYBOOK.match(line) for line in lines) or (lines[:1] and lines[0].startswith("$ANSIBLE_VAULT;")):
                found.append(os.path.relpath(path, project))
    return sorted(found)


def find_inventories(project):
    """Return the files that AWX offers as inventories. It would run those that are executable."""
    found = []
    for folder, name in _walk(project):
        path = os.path.join(folder, name)
        suffix = os.path.splitext(name)[1]
        if not os.path.isfile(path):
            continue
        if name in ("inventory", "hosts") or suffix == ".ini" or os.stat(path).st_mode & 0o111:
            found.append(os.path.relpath(path, project))
        elif not suffix:
            with open(path, encoding="utf-8", errors="ignore") as stream:
                if any(INVENTORY.match(line) for line in stream.readlines()[:11]):
                    found.append(os.path.relpath(path, project))
    return sorted(found)


def choices(question):
    listed = question["choices"]
    return [line for line in listed.splitlines() if line.strip()] if isinstance(listed, str) else listed


def survey_errors(survey):
    """Return why AWX would reject this survey, or store it with changes."""
    questions = survey.get("spec") or []
    variables = [question.get("variable") for question in questions]
    found = [f"{key} is missing" for key in ("name", "description", "spec") if key not in survey]
    if not questions:
        found.append("no question")
    for question in questions:
        name = question.get("variable")
        found += [f"{name}: {error}" for error in question_errors(question)]
        if variables.count(name) > 1:
            found.append(f"{name}: asked twice")
    return found


def question_errors(question):
    """Return why AWX would reject this question, or store it with changes."""
    if question.get("type") not in (*TEXT_TYPES, *NUMBER_TYPES, *CHOICE_TYPES):
        return [f"type {question.get('type')}"]
    found = [
        f"{key} is no text"
        for key in ("question_name", "question_description", "variable")
        if not isinstance(question.get(key), str) or not question[key]
    ]
    if not isinstance(question.get("required"), bool):
        found.append("required is no boolean")
    found += [
        f"{key} is no integer"
        for key in ("min", "max")
        if question.get(key) is not None and not is_number(question[key], int)
    ]
    # Some web forms break without a default. AWX rejects null, and silently drops a default that
    # is no answer to its own question.
    if question.get("default") is None:
        found.append("no default")
    elif question["default"] != "" and answer_errors(question, question["default"]):
        found.append("its default is no answer to it")
    return found + choices_errors(question)


def choices_errors(question):
    """Return why AWX would reject the choices of this question, or store them with changes."""
    if question["type"] not in CHOICE_TYPES:
        return [f"choices, which no {question['type']} has"] if "choices" in question else []
    listed = question.get("choices")
    if not listed or not all(isinstance(choice, str) for choice in choices(question)):
        return ["choices are not all text"]
    # AWX drops blank lines from choices, so a blank line would change the survey at each import.
    if (isinstance(listed, str) and listed.splitlines() != choices(question)) or listed[-1] == "\n":
        return ["a blank line, or a line break at the end (write |-)"]
    return []


def is_number(value, kind):
    """Return whether a value is a number of this kind. AWX does not count true as a number."""
    return isinstance(value, kind) and not isinstance(value, bool)


def answer_errors(question, answer):
    """Return why AWX would refuse this answer."""
    name, kind = question["variable"], question["type"]
    if kind in CHOICE_TYPES:
        if kind == "multiselect" and not isinstance(answer, list):
            return [f"'{name}' value is expected to be a list."]
        return [
            f"Value {one} for '{name}' expected to be one of {choices(question)}."
            for one in (answer if kind == "multiselect" else [answer])
            if one not in choices(question)
        ]
    if kind in TEXT_TYPES:
        if not isinstance(answer, str):
            return [f"Value {answer} for '{name}' expected to be a string."]
        return size_errors(question, len(answer))
    if not is_number(answer, NUMBER_TYPES[kind]):
        return [f"Value {answer} for '{name}' expected to be of type {kind}."]
    return size_errors(question, answer)


def size_errors(question, size):
    """Return why AWX would refuse a number, or a text of this length."""
    name, low, high = question["variable"], question.get("min"), question.get("max")
    found = []
    if low is not None and size < low:
        found.append(f"'{name}' value {size} is too small (must be at least {low}).")
    if high is not None and size > high:
        found.append(f"'{name}' value {size} is too large (must be no more than {high}).")
    return found


def next_nodes(nodes, statuses):
    """Return the nodes of a workflow that AWX starts next, after these nodes ended so.

    A node runs once one of the links to it is followed. The data has no node with several parents.
    """
    started = {link for node in nodes for kind in LINKS for link in node.get(kind, [])}
    ready = [node for node in nodes if node["identifier"] not in started]
    for node in nodes:
        status = statuses.get(node["identifier"])
        followed = {"successful": ("success_nodes", "always_nodes"), "failed": ("failure_nodes", "always_nodes")}.get(
            status, ()
        )
        ready += [one for kind in followed for one in nodes if one["identifier"] in node.get(kind, [])]
    return [node for node in ready if node["identifier"] not in statuses]


def has_failed(nodes, statuses):
    """Return whether AWX counts a workflow as failed: a failed node has no link that handles it."""
    return any(
        statuses.get(node["identifier"]) == "failed" and not node.get("failure_nodes") and not node.get("always_nodes")
        for node in nodes
    )


class Refused(Exception):
    """AWX refuses the launch with status 400."""


def extra_vars(template, answers):
    """Return the extra variables that a launch with these answers gives to the job.

    Answers override defaults, which override the variables of the template. Raises Refused.
    """
    questions = {question["variable"]: question for question in template.get("survey_spec", {}).get("spec", [])}
    found = []
    for name, answer in answers.items():
        found += (
            answer_errors(questions[name], answer)
            if name in questions
            else [f"Variables {name} are not allowed on launch."]
        )
    found += [
        f"'{name}' value missing"
        for name, question in questions.items()
        if question["required"] and name not in answers
    ]
    if found:
        raise Refused("; ".join(found))
    defaults = {
        name: question["default"]
        for name, question in questions.items()
        if not answer_errors(question, question["default"])
    }
    return {**template.get("extra_vars", {}), **defaults, **answers}


def slice_inventory(inventory, number, count):
    """Return the inventory of one slice, without the hosts of the others, also in groups."""
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
    """An answer, which is literal text even with braces in it."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style="'"))


def _mark_unsafe(value):
    if isinstance(value, str):
        return _Unsafe(value)
    if isinstance(value, list):
        return [_mark_unsafe(item) for item in value]
    if isinstance(value, dict):
        return {_Unsafe(key): _mark_unsafe(item) for key, item in value.items()}
    return value


def dump_extra_vars(variables, trusted=()):
    """Return extra variables as AWX writes them: only trusted ones may hold templates."""
    return yaml.dump(
        {name: value if name in trusted else _mark_unsafe(value) for name, value in variables.items()}, Dumper=_Dumper
    )
