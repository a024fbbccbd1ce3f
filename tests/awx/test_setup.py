# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run awx_setup as docs/awx.md says, with the modules of awx.awx, against a server with AWX's API.

The same runs gave the same results with AWX 24.6 itself, started from its source.
"""

import os
import re
import subprocess

import api
import jobs
import page
import pytest
import yaml
from controller import load_data

SETTINGS = yaml.safe_load(page.read_block("The first day", "yaml"))
FLEET = {
    **SETTINGS,
    **yaml.safe_load(page.read_block("Notifications", "yaml")),
    "oomguard_awx_approver_teams": ["on call"],
    "oomguard_awx_approver_users": ["alice"],
    "oomguard_awx_image": "registry.example.com/oomguard-ee:1",
    "oomguard_awx_forks": 50,
    "oomguard_awx_job_slices": 10,
    "oomguard_awx_instance_groups": ["linux"],
    "oomguard_awx_proof_enabled": True,
    "oomguard_awx_report_dir": "/var/lib/oom-report",
    "oomguard_awx_report_enabled": True,
}


def make_awx(*organizations):
    """Return an AWX in which each organization has an inventory, a credential and a team."""
    awx = api.Awx(template["playbook"] for template in load_data()["controller_templates"])
    kinds = {kind: awx.add("credential_types", kind=kind, name=kind)["id"] for kind in ("ssh", "scm")}
    for name in organizations:
        organization = awx.add("organizations", name=name)["id"]
        awx.add("inventories", name="Linux hosts", organization=organization)
        awx.add("credentials", name="Linux hosts", organization=organization, credential_type=kinds["ssh"])
        awx.add("credentials", name="Linux hosts", organization=organization, credential_type=kinds["scm"])
        awx.add("teams", name="on call", organization=organization)
    awx.add("users", username="alice")
    awx.add("instance_groups", name="linux")
    return awx


def set_up(awx, settings, folder):
    """Run the commands of the page in a folder with the settings of the page. Return the output."""
    server = api.Server(awx)
    (folder / "oomguard.yml").write_text(yaml.safe_dump(settings))
    install, export, run = page.read_block("The first day", "shell").splitlines()
    assert install == "ansible-galaxy collection install awx.awx"  # the environment of the tests has it
    environment = {
        **jobs.ENVIRONMENT,
        **dict(re.findall(r"(\w+)=(\S+)", export)),
        "ANSIBLE_COLLECTIONS_PATH": os.path.abspath(os.environ["PYTHONPATH"]),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "CONTROLLER_HOST": server.url,
        "CONTROLLER_OAUTH_TOKEN": api.TOKEN,
    }
    try:
        ran = subprocess.run(
            run.split(), cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    finally:
        server.close()
    return ran.stdout + ran.stderr


def count_changes(output):
    return int(re.search(r"changed=(\d+) .* failed=0 ", output).group(1))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Return an AWX after two runs with all settings, and the outputs of these."""
    folder = tmp_path_factory.mktemp("fleet")
    awx = make_awx("Default", "Ops")
    return awx, *(set_up(awx, FLEET, folder) for _run in range(2))


def test_second_run_changes_nothing(fleet):
    first, second = fleet[1:]
    assert count_changes(first) > 5
    assert count_changes(second) == 0, second


def names(awx, endpoint):
    return {item["name"]: item for item in awx.objects[endpoint]}


def linked(awx, endpoint, item, name):
    return awx.associations.get((endpoint, str(item["id"]), name), [])


def test_everything_is_created(fleet):
    awx = fleet[0]
    data = load_data(**FLEET)
    for endpoint, variable in {
        "projects": "controller_projects",
        "execution_environments": "controller_execution_environments",
        "labels": "controller_labels",
        "notification_templates": "controller_notifications",
        "job_templates": "controller_templates",
        "workflow_job_templates": "controller_workflows",
        "schedules": "controller_schedules",
    }.items():
        assert set(names(awx, endpoint)) == {item["name"] for item in data[variable]}
    [label], [notification], [group] = (
        [awx.objects[endpoint][0]["id"]] for endpoint in ("labels", "notification_templates", "instance_groups")
    )
    [environment] = awx.objects["execution_environments"]
    for template in awx.objects["job_templates"]:
        assert linked(awx, "job_templates", template, "labels") == [label]
        assert linked(awx, "job_templates", template, "notification_templates_error") == [notification]
        assert linked(awx, "job_templates", template, "instance_groups") == [group]
        assert (template["forks"], template["job_slice_count"]) == (50, 10)
        assert template["execution_environment"] == environment["id"]
    assert all(schedule["enabled"] for schedule in awx.objects["schedules"])


def test_objects_of_this_organization_are_used(fleet):
    """The other organization has an inventory, a credential and a team of the same names."""
    awx = fleet[0]
    here = awx.objects["organizations"][0]["id"]
    for template in awx.objects["job_templates"]:
        assert awx.get("inventories", template["inventory"])["organization"] == here
        [credential] = linked(awx, "job_templates", template, "credentials")
        assert awx.get("credentials", credential)["organization"] == here


def test_nodes_are_linked_as_the_page_says(fleet):
    awx = fleet[0]
    nodes = {node["identifier"]: node for node in awx.objects["workflow_job_template_nodes"]}
    kinds = ("success_nodes", "failure_nodes", "always_nodes")
    links = {
        name: [
            (kind, awx.get("workflow_job_template_nodes", one)["identifier"])
            for kind in kinds
            for one in linked(awx, "workflow_job_template_nodes", node, kind)
        ]
        for name, node in nodes.items()
    }
    rows = page.read_rows("The workflow")
    order = [page.read_names(row[0])[0] for row in rows]
    assert links == {
        row[0].strip("`"): [({"always": "always_nodes", "on success": "success_nodes"}[row[2]], after)] if after else []
        for row, after in zip(rows, [*order[1:], None], strict=True)
    }
    approval = awx.get("workflow_approval_templates", nodes["approve"]["unified_job_template"])
    assert approval["timeout"] == 24 * 3600


def test_approvers_approve_and_read(fleet):
    awx = fleet[0]
    users, teams = ([item["id"] for item in awx.objects[kind]] for kind in ("users", "teams"))
    [workflow] = awx.objects["workflow_job_templates"]
    granted = [(workflow, "approval_role")] + [
        (names(awx, "job_templates")[f"OOM guard | {name}"], "read_role") for name in ("Site", "Verify", "Outcome")
    ]
    for item, role in granted:
        number = str(item["summary_fields"]["object_roles"][role]["id"])
        assert awx.associations["roles", number, "users"] == users
        assert awx.associations["roles", number, "teams"] == teams[:1]


def test_forgotten_settings_reset_nothing_but_the_schedules(fleet, tmp_path):
    """Without settings for image, fleet and notifications, AWX keeps what it has.

    The folder of the report is a variable of its template, so the file decides about it.
    """
    awx = fleet[0]
    before = {template["id"]: dict(template) for template in awx.objects["job_templates"]}
    links = {key: list(value) for key, value in awx.associations.items()}
    output = set_up(awx, {**SETTINGS, "oomguard_awx_report_dir": FLEET["oomguard_awx_report_dir"]}, tmp_path)
    assert count_changes(output) == 1  # the task of the schedules: the file decides whether they run
    assert {template["id"]: template for template in awx.objects["job_templates"]} == before
    assert {key: value for key, value in awx.associations.items() if value or key in links} == links
    assert [schedule["enabled"] for schedule in awx.objects["schedules"]] == [True, False, False]


def test_second_organization(fleet, tmp_path):
    awx = fleet[0]
    output = set_up(awx, {**FLEET, "oomguard_awx_organization": "Ops"}, tmp_path)
    assert count_changes(output) > 5, output
    ops = awx.objects["organizations"][1]["id"]
    own = [template for template in awx.objects["job_templates"] if template["organization"] == ops]
    assert len(own) == len(load_data()["controller_templates"])
    for template in own:
        assert awx.get("inventories", template["inventory"])["organization"] == ops
        [notification] = linked(awx, "job_templates", template, "notification_templates_error")
        assert awx.get("notification_templates", notification)["organization"] == ops


def test_everything_missing_is_named_at_once_and_nothing_is_created(tmp_path):
    awx = make_awx("Default")
    settings = {
        "oomguard_awx_inventory": "no inventory",
        "oomguard_awx_credential": "no credential",
        "oomguard_awx_project_credential": "no key",
        "oomguard_awx_execution_environment": "no environment",
        "oomguard_awx_instance_groups": ["linux", "no group"],
        "oomguard_awx_notifications": ["no notification"],
        "oomguard_awx_approver_teams": ["on call", "no team"],
        "oomguard_awx_approver_users": ["no user"],
    }
    output = set_up(awx, settings, tmp_path)
    assert awx.requests == []
    [message] = set(re.findall(r'"msg": "(AWX does not have: .*)"', output))
    for name, value in settings.items():
        missing = value if isinstance(value, str) else value[-1]
        assert f"'{missing}' ({name})" in message
    assert "'linux'" not in message and "'on call'" not in message
    assert message.endswith("Nothing was changed.")


def test_missing_organization_is_named(tmp_path):
    awx = make_awx("Default")
    output = set_up(awx, {**SETTINGS, "oomguard_awx_organization": "Nobody"}, tmp_path)
    assert "AWX does not have: organization 'Nobody' (oomguard_awx_organization). Create" in output
    assert awx.requests == []


def test_name_that_only_other_organizations_have_twice(tmp_path):
    awx = make_awx("Ops", "Dev")
    awx.add("organizations", name="Default")
    output = set_up(awx, SETTINGS, tmp_path)
    assert "AWX has more than one, and none in the organization Default: inventory 'Linux hosts'" in output
    assert awx.requests == []
