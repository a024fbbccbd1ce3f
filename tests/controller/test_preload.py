# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook loads what its tasks share before Ansible forks, so no fork loads it again."""

from pathlib import Path

import pytest
import yaml
from test_hostile_answers import RECORDER
from test_playbook_variables import run

COLLECTION = Path(__file__).resolve().parents[2]
PLAYBOOKS = [path for path in sorted(COLLECTION.glob("playbooks/*.yml")) if path.name != "awx_setup.yml"]
HOSTS = "{{ oom_hosts | default('') | oomguard.linux.play_hosts(groups, oom_hosts_missing | default('')) }}"

# Also writes the process that loads it, and that of each reading of the roles' options.
COUNTER = """
from ansible_collections.oomguard.linux.plugins.plugin_utils import variables
load = variables._load_specs
def note_process():
    with open(os.environ["RECORD"] + ".processes", "a") as stream:
        stream.write(f"{os.getpid()}\\n")
def load_and_note(path):
    note_process()
    return load(path)
variables._load_specs = load_and_note
note_process()
"""


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_each_playbook_loads_them(path):
    [play] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert play["hosts"] == HOSTS


@pytest.mark.parametrize(
    "given, chosen",
    [
        ({}, ["one", "two"]),
        ({"oom_hosts": ""}, ["one", "two"]),
        ({"oom_hosts": None}, ["one", "two"]),
        ({"oom_hosts": "two"}, ["two"]),
        ({"oom_hosts": ["one"]}, ["one"]),
    ],
    ids=["unset", "empty", "null", "pattern", "list"],
)
def test_hosts_of_a_play(tmp_path, given, chosen):
    play = {"name": "Look", "hosts": HOSTS, "gather_facts": False, "vars": given, "tasks": []}
    play["tasks"] = [{"name": "Look", "ansible.builtin.debug": {"msg": "here"}}]
    ran = run(tmp_path, [play], {"one": {}, "two": {}})
    assert sorted(host for host, task, _msg in ran.results if task == "Look") == chosen


def test_no_task_reads_the_options_of_roles_again(tmp_path):
    ran = run(tmp_path, "oomguard.linux.site", {"one": {}, "two": {}}, recorder=RECORDER + COUNTER)
    assert sorted(ran.lines()) == ["one", "two"]
    first, *readers = (tmp_path / "record.processes").read_text().split()
    assert readers and set(readers) == {first}
