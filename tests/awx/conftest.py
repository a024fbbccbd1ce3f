# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A synced project, this machine as three hosts with a daemon each, and the data of awx/."""

import subprocess
import sys

import controller
import jobs
import pytest


@pytest.fixture(scope="session")
def data():
    return controller.data()


@pytest.fixture(scope="session")
def templates(data):
    """By the last word of their names."""
    return {template["name"].split()[-1].lower(): template for template in data["controller_templates"]}


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """This repository as the project."""
    return jobs.Project(str(tmp_path_factory.mktemp("project")), jobs.files()).sync()


@pytest.fixture
def inventory(tmp_path):
    """This machine, contained: scores are only raised, and only those of the daemons."""
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
