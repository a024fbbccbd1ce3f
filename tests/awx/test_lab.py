# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays of the lab do nothing outside of it, although AWX offers them to every job template."""

import glob
import json
import os
import re
import subprocess
import sys

import jobs
import pytest
import yaml
from controller import CHECKOUT, find_playbooks

LAB = os.path.join(CHECKOUT, "molecule")
# AWX takes this inventory for a playbook, but Ansible does not run it.
PLAYBOOKS = [name for name in find_playbooks(LAB) if name != "default/inventory.yml"]
ONLY_IN_THE_LAB = "{{ molecule_ephemeral_directory is defined }}"  # molecule sets it for the hosts that it makes
HOSTS_OF_THE_LAB = re.compile(r"molecule(:[&!][a-z0-9]+)?")  # its group, or a part of it
# These run on the controller, and need variables of molecule for each thing that they do.
CONTROLLER = {"shared/create.yml", "shared/destroy.yml", "bench/side_effect.yml"}


def read_plays(name):
    with open(os.path.join(LAB, name), encoding="utf-8") as stream:
        return yaml.safe_load(stream)


def find_values(value, key):
    """Return every value of a key, at any depth."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in ([one] if name == key else find_values(one, key))]
    return [found for one in value for found in find_values(one, key)] if isinstance(value, list) else []


def test_awx_lists_the_lab():
    assert "panic/run_out.yml" in PLAYBOOKS


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_plays_run_only_on_hosts_of_the_lab(name):
    for play in read_plays(name):
        imported = play.get("ansible.builtin.import_playbook", "")
        if imported.startswith("oomguard.linux."):
            assert HOSTS_OF_THE_LAB.fullmatch(play["vars"]["oom_hosts"])
        elif imported:
            target = os.path.relpath(os.path.join(LAB, os.path.dirname(name), imported), LAB)
            assert target in PLAYBOOKS
        elif name in CONTROLLER:
            assert play["hosts"] == "localhost"
        else:
            assert HOSTS_OF_THE_LAB.fullmatch(play["hosts"])


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_plays_disturb_hosts_only_in_the_lab(name):
    plays = read_plays(name)
    for option in ("oom_verify_allow_disruption", "allow_host_oom"):
        assert set(find_values(plays, option)) <= {ONLY_IN_THE_LAB}


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(LAB, "*", "molecule.yml"))))
def test_every_guest_is_in_the_group_of_the_lab(path):
    with open(path, encoding="utf-8") as stream:
        platforms = yaml.safe_load(stream).get("platforms", [])
    assert [platform["name"] for platform in platforms if platform.get("groups") != ["molecule"]] == []


@pytest.mark.parametrize(
    "extra, ended", [([], "molecule matches no host"), (["-e", "oom_hosts=all"], "allow_disruption")]
)
def test_panic_of_the_lab_spares_other_hosts(extra, ended):
    """Run in check mode, so that a fault of the play could do no harm here."""
    local = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    command = [
        os.path.join(jobs.BIN, "ansible-playbook"),
        "--check",
        "--inventory=victim,",
        "--extra-vars=" + json.dumps(local),
        *extra,
        os.path.join(LAB, "panic", "run_out.yml"),
    ]
    environment = {
        **jobs.ENVIRONMENT,
        "ANSIBLE_COLLECTIONS_PATH": os.path.abspath(os.environ["PYTHONPATH"]),
    }
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended in ran.stdout + ran.stderr
    assert "changed=0" in ran.stdout or "ok=" not in ran.stdout
