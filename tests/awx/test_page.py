# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follow docs/awx.md word for word: its tables, data and commands.

test_setup.py runs its first day, test_notifications.py fills in its expression, test_workflow.py
runs its workflow, test_project.py installs its requirements and test_surveys.py reads which
options are in no survey.
"""

import json
import os
import re
import subprocess

import jobs
import page
import pytest
import yaml
from controller import CHECKOUT, extra_vars, load_data

DATA = load_data()
TEMPLATES = {template["name"]: template for template in DATA["controller_templates"]}


def run_playbook(folder, tasks, *arguments):
    """Run tasks on localhost in a folder, and return the output."""
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    ran = subprocess.run(
        [os.path.join(jobs.BIN, "ansible-playbook"), "play.yml", *arguments],
        cwd=folder,
        env=jobs.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_table_has_all_templates_and_their_playbooks():
    rows = {page.read_names(row[0])[0]: row for row in page.read_rows("The first day")}
    assert set(rows) == set(TEMPLATES)
    for name, template in TEMPLATES.items():
        assert page.read_names(rows[name][1]) == [template["playbook"]]
        assert rows[name][2].startswith("none") is not template["survey_enabled"]


def test_every_name_of_an_object_exists():
    named = set(re.findall(r"`(OOM guard \\?\| [^`]+|Nightly audit|Weekly proof)`", page.TEXT))
    objects = [*DATA["controller_templates"], *DATA["controller_workflows"], *DATA["controller_schedules"]]
    assert {name.replace("\\|", "|") for name in named} <= {item["name"] for item in objects}


def test_table_has_all_settings():
    with open(os.path.join(CHECKOUT, "awx", "controller_settings.yml"), encoding="utf-8") as stream:
        settings = set(yaml.safe_load(stream))
    assert {name for row in page.read_rows("Settings") for name in page.read_names(row[0])} == settings
    assert set(re.findall(r"oomguard_awx_\w+", page.TEXT)) <= settings


def test_files_are_read_as_the_page_says(tmp_path):
    """include_vars reads all files below a folder, so the folder must have nothing else."""
    os.symlink(os.path.join(CHECKOUT, "awx"), tmp_path / "awx")
    section = page.read_section("Settings")
    variables = re.findall(r"`(controller_\w+)`", section)
    assert set(variables) == {name for name in DATA if name.startswith("controller_")}
    show = {"ansible.builtin.debug": {"msg": "{{ (" + " + ".join(variables) + ") | length }}"}}
    assert '"msg": ' in run_playbook(tmp_path, [*yaml.safe_load(page.read_block("Settings", "yaml")), show])


def test_answers_of_the_page_are_accepted():
    launch = json.loads(page.read_block("Answers", "json"))
    template = TEMPLATES["OOM guard | Site"]
    assert extra_vars(template, launch["extra_vars"]) == launch["extra_vars"]
    assert all(template[f"ask_{name}_on_launch"] for name in launch if name != "extra_vars")


@pytest.mark.parametrize("answer", [True, False])
def test_boolean_is_no_answer(answer):
    with pytest.raises(Exception, match="expected to be one of"):
        extra_vars(TEMPLATES["OOM guard | Site"], {"oom_panic_dump_tasks": answer})


def test_later_node_finds_the_keys(tmp_path):
    [expression] = re.findall(r"`(query\([^`]*)`", page.read_section("Results"))
    keys = dict.fromkeys(["oomguard_site_41_changed", "oomguard_site_42_changed", "oomguard_site_42_ok"], 1)
    show = {"ansible.builtin.debug": {"msg": "{{ " + expression + " | sort | join(' ') }}"}}
    shown = run_playbook(tmp_path, [show], "--extra-vars", json.dumps(keys))
    assert '"oomguard_site_41_changed oomguard_site_42_changed"' in shown


def test_outcomes_of_the_page_are_those_of_the_playbooks():
    """The filter turns every other word into failed."""
    from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import OUTCOMES

    text = page.read_section("Results").split("The outcomes go into")[0]
    named = {name.split(":")[0] for name in page.read_names(text)}
    assert named == set(OUTCOMES)


def test_environment_is_built_as_the_page_says(tmp_path):
    """Create the context of the build, because the build itself needs a registry of images."""
    command = page.read_block("The execution environment", "shell").split()
    assert command == ["ansible-builder", "build", "--tag", "oomguard-ee"]
    context = [os.path.join(jobs.BIN, command[0]), "create", "--context", str(tmp_path)]
    subprocess.run(context, cwd=CHECKOUT, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "Dockerfile").exists() or (tmp_path / "Containerfile").exists()


def test_links_lead_to_files():
    """Those to other files than pages are whole URLs, which tests/tools/build_site.py checks."""
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", page.TEXT):
        assert os.path.exists(os.path.join(CHECKOUT, "docs", target))
