# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run jobs as AWX does: with ansible-runner's transmit, worker and process."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import ansible_runner
from controller import CHECKOUT, dump_extra_vars, extra_vars

BIN = os.path.dirname(sys.executable)
# An execution environment inherits no settings from what started it.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ANSIBLE_", "MOLECULE_", "PYTHON", "PYTEST"))
}
ENVIRONMENT["PATH"] = BIN + ":" + os.environ["PATH"]


class Job(NamedTuple):
    """What AWX stores of a finished job."""

    status: str
    events: list[dict[str, Any]]

    @property
    def artifacts(self):
        return self._stats().get("artifact_data", {})

    def hosts(self, what):
        """Return the number of tasks by host. what is ok, changed, failures or dark."""
        return self._stats()[what]

    def results(self, host=None):
        """Return (task, event, result) of each task that ran on a host."""
        return [
            (event["event_data"]["task"], event["event"], event["event_data"]["res"])
            for event in self.events
            if event["event"].startswith("runner_on_")
            and "res" in event["event_data"]
            and host in (None, event["event_data"]["host"])
        ]

    def changes(self, host):
        """Return the diff of each task that changed something."""
        return {task: result.get("diff") for task, event, result in self.results(host) if result.get("changed")}

    def stdout(self):
        return "\n".join(event["stdout"] for event in self.events)

    def _stats(self):
        return next((event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"), {})


class Project:
    """A project with its files, and next to it the collections that its requirements name."""

    def __init__(self, folder, files):
        self.path, self.collections = os.path.join(folder, "project"), os.path.join(folder, "requirements_collections")
        for name in files:
            os.makedirs(os.path.dirname(os.path.join(self.path, name)), exist_ok=True)
            shutil.copy(os.path.join(CHECKOUT, name), os.path.join(self.path, name), follow_symlinks=False)

    def sync(self):
        command = [
            os.path.join(BIN, "ansible-galaxy"),
            "collection",
            "install",
            "-r",
            "collections/requirements.yml",
            "-p",
            self.collections,
        ]
        subprocess.run(command, cwd=self.path, check=True, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
        return self


def list_files(*below):
    """Return the checkout's files that git tracks, or would track."""
    command = ["git", "-C", CHECKOUT, "ls-files", "-co", "--exclude-standard", *below]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    return [name for name in listed if os.path.lexists(os.path.join(CHECKOUT, name)) and name]


def launch(project, template, inventory, answers=None, job_type=None, limit="", number=1, image=BIN):
    """Launch a template with answers to its survey. Raises controller.Refused."""
    return run(
        project,
        template,
        inventory,
        extra_vars(template, answers or {}),
        job_type or template["job_type"],
        limit,
        number,
        image,
    )


def run(project, template, inventory, variables, job_type, limit="", number=1, image=BIN):
    """Run the job with these variables, without checking them against the survey.

    image is the folder of the programs of the execution environment.
    """
    with tempfile.TemporaryDirectory(prefix="awx.") as folder:
        data, worker, output = (os.path.join(folder, name) for name in ("data", "worker", "output"))
        for name in ("inventory", "env"):
            os.makedirs(os.path.join(data, name), mode=0o700)
        shutil.copytree(project.path, os.path.join(data, "project"), symlinks=True)
        shutil.copytree(project.collections, os.path.join(data, "requirements_collections"))
        _write(
            os.path.join(data, "inventory", "hosts"), f"#!{sys.executable}\nprint({json.dumps(inventory)!r})\n", 0o700
        )
        extra = dict(
            variables,
            awx_job_id=number,
            tower_job_id=number,
            awx_job_template_name=template["name"],
            awx_user_name="admin",
        )
        _write(os.path.join(data, "env", "extravars"), dump_extra_vars(extra, template.get("extra_vars", {})), 0o600)
        flags = (
            ["--check"] * (job_type == "check")
            + ["-u root", "--become", "--diff", "--forks=5"]
            + ["-l " + limit] * bool(limit)
        )
        _write(os.path.join(data, "env", "cmdline"), " ".join(flags), 0o600)
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": os.path.join(worker, "requirements_collections"),
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOME": os.path.join(folder, "home"),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": os.path.join(folder, "cp"),
        }
        common = {"private_data_dir": data, "ident": str(number)}
        with (
            open(os.path.join(folder, "transmitted"), "w+b") as transmitted,
            open(os.path.join(folder, "processed"), "w+b") as processed,
        ):
            ansible_runner.run(
                streamer="transmit", _output=transmitted, playbook=template["playbook"], envvars=environment, **common
            )
            transmitted.seek(0)
            subprocess.run(
                [os.path.join(image, "ansible-runner"), "worker", "--private-data-dir", worker],
                stdin=transmitted,
                stdout=processed,
                check=False,  # the exit code is the job's
                env={**ENVIRONMENT, "PATH": image + ":" + os.environ["PATH"]},
                timeout=1800,
            )
            processed.seek(0)
            events = []
            finished = ansible_runner.run(
                streamer="process",
                _input=processed,
                private_data_dir=output,
                ident=str(number),
                quiet=True,
                event_handler=events.append,
            )
        return Job(finished.status, events)


def _write(path, text, mode):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)
