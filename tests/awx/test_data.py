# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the data of awx/ with itself, the playbook awx_setup and the modules of awx.awx."""

import importlib
import os

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from controller import CHECKOUT, load_data

DATA = load_data()
WITH_IMAGE = load_data(oomguard_awx_execution_environment="OOM guard")
PLAY = DataLoader().load_from_file(os.path.join(CHECKOUT, "playbooks", "awx_setup.yml"), trusted_as_template=True)[0]


def variable_of(task):
    return task["loop"].strip("{} ")


def module_name(task):
    return next(key for key in task if "." in key)


CALLS = [(task, item) for task in PLAY["tasks"] for item in DATA[variable_of(task)]]
each_call = pytest.mark.parametrize("task, item", CALLS, ids=[item["name"] for _task, item in CALLS])
each_data = pytest.mark.parametrize("found", [DATA, WITH_IMAGE], ids=["stock", "own image"])


def import_module(name):
    return importlib.import_module("ansible_collections." + name.replace("awx.awx.", "awx.awx.plugins.modules."))


class Called(Exception):
    """Carries the argument spec that a module passes to its base class."""


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
            import_module(name).main()
        return raised.value.args[0]

    return of


def documented_spec(options):
    """Return an argument spec for options that a module documents but does not check.

    These are the nodes of a workflow.
    """
    return {
        name: dict(
            {key: option[key] for key in ("type", "elements", "choices", "required", "default") if key in option},
            **({"options": documented_spec(option["suboptions"])} if "suboptions" in option else {}),
        )
        for name, option in options.items()
    }


def test_playbook_reads_all_files_and_variables():
    named = [os.path.basename(name) for name in PLAY["vars_files"]]
    assert sorted(named) == sorted(os.listdir(os.path.join(CHECKOUT, "playbooks", "vars", "awx")))
    assert sorted(named) == sorted(name for name in os.listdir(os.path.join(CHECKOUT, "awx")) if name.endswith(".yml"))
    assert {variable_of(task) for task in PLAY["tasks"]} == {name for name in DATA if name.startswith("controller_")}


@each_call
def test_module_accepts_what_the_playbook_passes(task, item, spec):
    arguments = Templar(loader=DataLoader(), variables={"item": item, "omit": "OMITTED"}).template(
        task[module_name(task)]
    )
    arguments = {name: value for name, value in arguments.items() if value != "OMITTED"}
    assert {name for name in item if item[name] != ""} == set(arguments)
    validated = ArgumentSpecValidator(spec(module_name(task))).validate(arguments)
    assert validated.error_messages == []
    assert {name: validated.validated_parameters[name] for name in arguments} == arguments


def test_wrong_key_is_an_error(spec):
    assert (
        ArgumentSpecValidator(spec("awx.awx.schedule")).validate({"name": "x", "job_typ": "run"}).error_messages != []
    )


@pytest.mark.parametrize("node", DATA["controller_workflows"][0]["workflow_nodes"], ids=lambda node: node["identifier"])
def test_module_documents_the_keys_of_a_node(node):
    documented = yaml.safe_load(import_module("awx.awx.workflow_job_template").DOCUMENTATION)["options"][
        "workflow_nodes"
    ]["suboptions"]
    assert ArgumentSpecValidator(documented_spec(documented)).validate(node).error_messages == []


def test_settings_choose_inventory_and_image():
    assert {template["inventory"] for template in load_data(oomguard_awx_inventory="Ours")["controller_templates"]} == {
        "Ours"
    }
    assert {template["execution_environment"] for template in WITH_IMAGE["controller_templates"]} == {"OOM guard"}


@each_data
def test_names_refer_to_something(found):
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
def test_first_launch_is_a_check_and_prompts(template):
    assert template["job_type"] == "check"
    assert template["become_enabled"] is template["diff_mode"] is True
    for prompt in ("limit", "job_type", "verbosity", "inventory", "job_slice_count"):
        assert template[f"ask_{prompt}_on_launch"] is True


def test_schedules_run_unattended():
    """A schedule sets only what its template prompts for, and answers no required question."""
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


def test_workflow_changes_nothing_before_approval():
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
