# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of awx/ against itself, against the playbook awx_setup and against the modules of awx.awx."""

import importlib
import os

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from controller import CHECKOUT, data

DATA = data()
WITH_IMAGE = data(oomguard_awx_execution_environment="OOM guard")
PLAY = DataLoader().load_from_file(os.path.join(CHECKOUT, "playbooks", "awx_setup.yml"), trusted_as_template=True)[0]


def collection(task):
    return task["loop"].strip("{} ")


def module(task):
    return next(key for key in task if "." in key)


CALLS = [(task, item) for task in PLAY["tasks"] for item in DATA[collection(task)]]
each_call = pytest.mark.parametrize("task, item", CALLS, ids=[item["name"] for _task, item in CALLS])
each_data = pytest.mark.parametrize("found", [DATA, WITH_IMAGE], ids=["stock", "own image"])


def module_of_awx(name):
    return importlib.import_module("ansible_collections." + name.replace("awx.awx.", "awx.awx.plugins.modules."))


class Called(Exception):
    """With the argument spec that a module hands to its base class."""


@pytest.fixture
def spec(monkeypatch):
    base = importlib.import_module(
        "ansible_collections.awx.awx.plugins.module_utils.controller_api"
    ).ControllerAPIModule

    def called(self, argument_spec=None, **_rest):
        raise Called(argument_spec)

    monkeypatch.setattr(base, "__init__", called)

    def of(name):
        with pytest.raises(Called) as raised:
            module_of_awx(name).main()
        return raised.value.args[0]

    return of


def spec_of_documentation(options):
    """For what a module documents and does not check: the nodes of a workflow."""
    return {
        name: dict(
            {key: option[key] for key in ("type", "elements", "choices", "required", "default") if key in option},
            **({"options": spec_of_documentation(option["suboptions"])} if "suboptions" in option else {}),
        )
        for name, option in options.items()
    }


def test_the_playbook_reads_all_of_it():
    named = [os.path.basename(name) for name in PLAY["vars_files"]]
    assert sorted(named) == sorted(os.listdir(os.path.join(CHECKOUT, "playbooks", "vars", "awx")))
    assert sorted(named) == sorted(name for name in os.listdir(os.path.join(CHECKOUT, "awx")) if name.endswith(".yml"))
    assert {collection(task) for task in PLAY["tasks"]} == {name for name in DATA if name.startswith("controller_")}


@each_call
def test_the_module_takes_what_the_playbook_gives(task, item, spec):
    arguments = Templar(loader=DataLoader(), variables={"item": item, "omit": "OMITTED"}).template(task[module(task)])
    arguments = {name: value for name, value in arguments.items() if value != "OMITTED"}
    assert {name for name in item if item[name] != ""} == set(arguments)
    validated = ArgumentSpecValidator(spec(module(task))).validate(arguments)
    assert validated.error_messages == []
    assert {name: validated.validated_parameters[name] for name in arguments} == arguments


def test_a_wrong_key_would_be_seen(spec):
    assert (
        ArgumentSpecValidator(spec("awx.awx.schedule")).validate({"name": "x", "job_typ": "run"}).error_messages != []
    )


@pytest.mark.parametrize("node", DATA["controller_workflows"][0]["workflow_nodes"], ids=lambda node: node["identifier"])
def test_the_module_documents_what_a_node_has(node):
    documented = yaml.safe_load(module_of_awx("awx.awx.workflow_job_template").DOCUMENTATION)["options"][
        "workflow_nodes"
    ]["suboptions"]
    assert ArgumentSpecValidator(spec_of_documentation(documented)).validate(node).error_messages == []


def test_a_fleet_says_which_inventory_and_image():
    assert {template["inventory"] for template in data(oomguard_awx_inventory="Ours")["controller_templates"]} == {
        "Ours"
    }
    assert {template["execution_environment"] for template in WITH_IMAGE["controller_templates"]} == {"OOM guard"}


@each_data
def test_names_are_of_something(found):
    projects = {project["name"] for project in found["controller_projects"]}
    environments = {environment["name"] for environment in found["controller_execution_environments"]}
    templates = {template["name"] for template in found["controller_templates"]}
    for template in found["controller_templates"]:
        assert template["project"] in projects
        assert template["execution_environment"] in environments | {""}
        assert os.path.exists(os.path.join(CHECKOUT, template["playbook"]))
    assert {schedule["unified_job_template"] for schedule in found["controller_schedules"]} <= templates
    for node in found["controller_workflows"][0]["workflow_nodes"]:
        assert (
            node["unified_job_template"]["type"] == "workflow_approval"
            or node["unified_job_template"]["name"] in templates
        )


@pytest.mark.parametrize("template", DATA["controller_templates"], ids=lambda template: template["name"])
def test_the_first_launch_changes_nothing_and_asks(template):
    assert template["job_type"] == "check"
    assert template["become_enabled"] is template["diff_mode"] is True
    for prompt in ("limit", "job_type", "verbosity", "inventory", "job_slice_count"):
        assert template[f"ask_{prompt}_on_launch"] is True


def test_schedules_run_unattended():
    """A schedule may only carry what its template prompts for, and nobody answers a required question."""
    templates = {template["name"]: template for template in DATA["controller_templates"]}
    for schedule in DATA["controller_schedules"]:
        template = templates[schedule["unified_job_template"]]
        assert template["ask_job_type_on_launch"] and "extra_data" not in schedule
        assert not any(question["required"] for question in template["survey_spec"]["spec"])
        assert (
            schedule["rrule"].startswith("DTSTART;TZID=")
            and " RRULE:FREQ=" in schedule["rrule"]
            and ";INTERVAL=" in schedule["rrule"]
        )
    assert [schedule["job_type"] for schedule in DATA["controller_schedules"] if schedule["enabled"]] == ["check"]


def test_the_workflow_changes_nothing_before_it_is_approved():
    workflow = DATA["controller_workflows"][0]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    path, at = [], "audit"
    while at:
        path.append((at, nodes[at]["unified_job_template"]["name"].split()[-1].lower(), nodes[at].get("job_type")))
        at = nodes[at].get("related", {}).get("success_nodes", [{"identifier": None}])[0]["identifier"]
    assert path == [
        ("audit", "site", "check"),
        ("approve", "shows", None),
        ("apply", "site", "run"),
        ("verify", "verify", "run"),
    ]
    assert nodes["approve"]["unified_job_template"]["type"] == "workflow_approval"
    started = {
        link["identifier"] for node in nodes.values() for links in node.get("related", {}).values() for link in links
    }
    assert set(nodes) - started == {"audit"}
    site = next(template for template in DATA["controller_templates"] if template["name"].endswith("Site"))
    assert workflow["survey_spec"] == site["survey_spec"]
