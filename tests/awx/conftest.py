# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the data of awx/, a synced project, and this machine as three hosts with daemons."""

import subprocess
import sys

import controller
import jobs
import pytest


@pytest.fixture(scope="session")
def data():
    return controller.load_data()


@pytest.fixture(scope="session")
def templates(data):
    """Return the templates by the last word of their names."""
    return {template["name"].split()[-1].lower(): template for template in data["controller_templates"]}


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Return this repository as a synced project."""
    return jobs.Project(str(tmp_path_factory.mktemp("project")), jobs.list_files()).sync()


@pytest.fixture
def inventory(tmp_path):
    """Return this machine as three hosts.

    Jobs stay contained: they only raise scores, and only the scores of the daemons.
    """
    daemons = {name: subprocess.Popen(["sleep", "600"]) for name in ("web1", "web2", "web3")}
    hosts = {}
    for name, daemon in daemons.items():
        (tmp_path / name).write_text(str(daemon.pid))
        hosts[name] = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "oom_protect_targets": [{"pidfile": str(tmp_path / name), "score": 250}],
        }
    yield {"all": {"hosts": list(hosts)}, "databases": {"hosts": ["web1"]}, "_meta": {"hostvars": hosts}}
    for daemon in daemons.values():
        daemon.kill()
        daemon.wait()
