# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the data of awx/ with itself, the playbook awx_setup and the modules of awx.awx."""

import importlib
import os

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from controller import CHECKOUT, extra_vars, has_failed, load_data, next_nodes

DATA = load_data()
# With all settings, so that every list of objects has one.
FULL = load_data(
    oomguard_awx_image="registry.example.com/oomguard-ee:1",
    oomguard_awx_forks=50,
    oomguard_awx_job_slices=10,
    oomguard_awx_instance_groups=["linux"],
    oomguard_awx_notification_type="webhook",
    oomguard_awx_notification_configuration={"url": "https://chat.example.com", "headers": {}},
    oomguard_awx_approver_teams=["on call"],
    oomguard_awx_approver_users=["alice"],
    oomguard_awx_project_credential="key",
)
PLAY = DataLoader().load_from_file(os.path.join(CHECKOUT, "playbooks", "awx_setup.yml"), trusted_as_template=True)[0]
TASKS = [task for task in PLAY["tasks"] if any(key.startswith("awx.awx.") for key in task)]
# What the playbook has looked up before.
LOOKED_UP = {
    "__oomguard_ids": {
        "oomguard_awx_inventory Linux hosts": 1,
        "oomguard_awx_credential Linux hosts": 2,
        "oomguard_awx_project_credential key": 3,
    },
    "__oomguard_notification_ids": ["4"],
}
# Keys that another task passes, and keys that no module of awx.awx has.
PASSED_ELSEWHERE = {"simplified_workflow_nodes"}


def render(value, **variables):
    return Templar(loader=DataLoader(), variables={**LOOKED_UP, "omit": "OMITTED", **variables}).template(value)


def module_name(task):
    return next(key for key in task if "." in key)


CALLS = [(task, item) for task in TASKS for item in render(task["loop"], **FULL)]
each_call = pytest.mark.parametrize(
    "task, item", CALLS, ids=[f"{task['name']} {number}" for number, (task, _item) in enumerate(CALLS)]
)
each_data = pytest.mark.parametrize("found", [DATA, FULL], ids=["stock", "full"])


NODES = DATA["controller_workflows"][0]["simplified_workflow_nodes"]


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


def test_playbook_reads_all_files_and_variables():
    named = [os.path.basename(name) for name in PLAY["vars_files"]]
    assert sorted(named) == sorted(os.listdir(os.path.join(CHECKOUT, "playbooks", "vars", "awx")))
    assert sorted(named) == sorted(os.listdir(os.path.join(CHECKOUT, "awx")))
    read = " ".join(task["loop"] for task in TASKS)
    assert [name for name in DATA if name.startswith("controller_") and name not in read] == []


@each_call
def test_module_accepts_what_the_playbook_passes(task, item, spec):
    arguments = {
        name: value for name, value in render(task[module_name(task)], item=item).items() if value != "OMITTED"
    }
    if isinstance(item, dict):
        assert set(item) - PASSED_ELSEWHERE == set(arguments)
    validated = ArgumentSpecValidator(spec(module_name(task))).validate(arguments)
    assert validated.error_messages == []


def test_every_key_of_a_node_is_passed():
    creating, linking = (task for task in TASKS if module_name(task).endswith("_node"))
    passed = {*creating[module_name(creating)], *linking[module_name(linking)]}
    assert {key for node in NODES for key in node} <= passed


def test_wrong_key_is_an_error(spec):
    assert (
        ArgumentSpecValidator(spec("awx.awx.schedule")).validate({"name": "x", "job_typ": "run"}).error_messages != []
    )


def test_settings_choose_inventory_and_image():
    assert {template["inventory"] for template in load_data(oomguard_awx_inventory="Ours")["controller_templates"]} == {
        "Ours"
    }
    assert DATA["controller_execution_environments"] == []
    assert {template["execution_environment"] for template in DATA["controller_templates"]} == {""}
    [environment] = FULL["controller_execution_environments"]
    assert {template["execution_environment"] for template in FULL["controller_templates"]} == {environment["name"]}


def test_environments_of_two_organizations_have_two_names():
    """AWX has one name for all organizations."""
    found = [
        load_data(oomguard_awx_image="x", oomguard_awx_organization=name)["controller_execution_environments"][0]
        for name in ("Default", "Ops")
    ]
    assert found[0]["name"] != found[1]["name"]


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
    nodes = found["controller_workflows"][0]["simplified_workflow_nodes"]
    assert {node["unified_job_template"] for node in nodes if "approval_node" not in node} <= templates
    granted = [name for role in found["controller_roles"] for name in role.get("job_templates", [])]
    assert set(granted) <= templates


@pytest.mark.parametrize("template", DATA["controller_templates"], ids=lambda template: template["name"])
def test_first_launch_is_a_check_and_prompts(template):
    only_reads = template["name"] in ("OOM guard | Outcome", "OOM guard | Report")
    assert template["job_type"] == ("run" if only_reads else "check")
    assert template["become_enabled"] is template["diff_mode"] is True
    for prompt in ("limit", "job_type", "verbosity", "inventory", "job_slice_count"):
        assert template[f"ask_{prompt}_on_launch"] is True


def test_undo_asks_nothing_but_its_prompts():
    [undo] = [template for template in DATA["controller_templates"] if template["name"] == "OOM guard | Undo"]
    assert undo["survey_enabled"] is False and "survey_spec" not in undo and "extra_vars" not in undo
    assert undo["ask_job_type_on_launch"] is True


def test_schedules_run_unattended():
    """A schedule sets only what its template prompts for, and answers no required question."""
    templates = {template["name"]: template for template in DATA["controller_templates"]}
    for schedule in DATA["controller_schedules"]:
        template = templates[schedule["unified_job_template"]]
        assert template["ask_job_type_on_launch"]
        extra_vars(template, schedule.get("extra_data", {}))
        assert (
            schedule["rrule"].startswith("DTSTART;TZID=")
            and " RRULE:FREQ=" in schedule["rrule"]
            and ";INTERVAL=" in schedule["rrule"]
        )
    assert [schedule["job_type"] for schedule in DATA["controller_schedules"] if schedule["enabled"]] == ["check"]


def test_settings_decide_when_and_whether_schedules_run():
    found = load_data(
        oomguard_awx_audit_rrule="A",
        oomguard_awx_audit_enabled="false",  # as -e passes it
        oomguard_awx_audit_fails_on_drift="false",
        oomguard_awx_proof_rrule="B",
        oomguard_awx_proof_enabled="true",
        oomguard_awx_report_rrule="C",
        oomguard_awx_report_enabled="true",
        oomguard_awx_report_fail_on=["high", "low"],
    )
    audit, proof, report = found["controller_schedules"]
    assert (audit["rrule"], audit["enabled"], audit["extra_data"]) == ("A", False, {"oom_fail_on_drift": "false"})
    assert (proof["rrule"], proof["enabled"]) == ("B", True)
    assert (report["rrule"], report["enabled"], report["extra_data"]) == (
        "C",
        True,
        {"oom_report_fail_on": ["high", "low"]},
    )
    assert DATA["controller_schedules"][0]["extra_data"] == {"oom_fail_on_drift": "true"}


def run_workflow(failing):
    """Return the nodes that AWX runs if these fail, in order, and whether the workflow failed."""
    statuses = {}
    while ready := next_nodes(NODES, statuses):
        [node] = ready
        statuses[node["identifier"]] = "failed" if node["identifier"] in failing else "successful"
    return list(statuses), has_failed(NODES, statuses)


def test_workflow_changes_nothing_before_approval():
    nodes = {node["identifier"]: node for node in NODES}
    assert [
        (name, nodes[name].get("unified_job_template", "-").split()[-1], nodes[name].get("job_type")) for name in nodes
    ] == [
        ("audit", "Site", "check"),
        ("approve", "-", None),
        ("apply", "Site", "run"),
        ("verify", "Verify", "run"),
        ("outcome", "Outcome", "run"),
    ]
    site = next(template for template in DATA["controller_templates"] if template["name"].endswith("Site"))
    assert DATA["controller_workflows"][0]["survey_spec"] == site["survey_spec"]


@pytest.mark.parametrize(
    "failing, ran, failed",
    [
        ([], ["audit", "approve", "apply", "verify", "outcome"], False),
        (["audit"], ["audit", "approve", "apply", "verify", "outcome"], False),
        (["audit", "approve"], ["audit", "approve"], True),
        (["audit", "apply", "verify", "outcome"], ["audit", "approve", "apply", "verify", "outcome"], True),
    ],
)
def test_failed_host_does_not_end_the_workflow(failing, ran, failed):
    assert run_workflow(failing) == (ran, failed)
