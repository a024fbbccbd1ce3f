# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the workflow on 20 hosts, of which one is unreachable and one refuses its policy."""

import subprocess
import sys

import pytest
from controller import extra_vars, has_failed, next_nodes
from jobs import run

UNREACHABLE, REFUSING = "web07", "web13"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Return this machine as 20 hosts, each with a daemon. Scores are only raised."""
    folder = tmp_path_factory.mktemp("fleet")
    names = [f"web{number:02}" for number in range(1, 21)]
    daemons = {name: subprocess.Popen(["sleep", "3600"]) for name in names}
    hosts = {}
    for name, daemon in daemons.items():
        (folder / name).write_text(str(daemon.pid))
        hosts[name] = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "oom_protect_targets": [{"pidfile": str(folder / name), "score": 250}],
        }
    hosts[UNREACHABLE].update(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    # Nothing on the host would stay killable enough.
    hosts[REFUSING]["oom_protect_targets"][0]["score"] = -1000
    hosts[REFUSING]["oom_protect_min_killable_percent"] = 100
    yield {"all": {"hosts": names}, "_meta": {"hostvars": hosts}}
    for daemon in daemons.values():
        daemon.kill()
        daemon.wait()


@pytest.fixture(scope="module")
def ran(project, data, fleet):
    """Run the nodes as AWX does, approve when asked, and return the job of each node."""
    templates = {template["name"]: template for template in data["controller_templates"]}
    nodes = data["controller_workflows"][0]["simplified_workflow_nodes"]
    jobs, statuses, artifacts = {}, {}, {}
    while ready := next_nodes(nodes, statuses):
        [node] = ready
        name = node["identifier"]
        statuses[name] = "successful"
        if "approval_node" not in node:
            template = templates[node["unified_job_template"]]
            variables = {**extra_vars(template, {}), **artifacts}
            jobs[name] = run(project, template, fleet, variables, node["job_type"], number=99 + len(statuses))
            artifacts.update(jobs[name].artifacts)
            statuses[name] = jobs[name].status
    return jobs, statuses, has_failed(nodes, statuses)


def last_words(job):
    """Return the last line of each host."""
    return {
        event["event_data"]["host"]: event["event_data"]["res"]["msg"]
        for event in job.events
        if event["event"] in ("runner_on_ok", "runner_on_failed")
        and event["event_data"]["task"] == "Report the outcome of this host"
    }


def test_approval_comes_although_hosts_failed(ran):
    jobs, statuses, _failed = ran
    assert statuses["audit"] == "failed", jobs["audit"].stdout()
    assert list(statuses) == ["audit", "approve", "apply", "verify", "outcome"]


def test_other_hosts_are_changed_and_proven(ran):
    jobs, _statuses, _failed = ran
    others = set(last_words(jobs["apply"])) - {UNREACHABLE, REFUSING}
    assert len(others) == 18
    assert {last_words(jobs["audit"])[name].split(":")[0] for name in others} == {"would_change"}
    assert {last_words(jobs["apply"])[name].split(":")[0] for name in others} == {"changed"}
    # All hosts share one kernel, and their trials run at the same time.
    assert {last_words(jobs["verify"])[name].split(":")[0] for name in others} == {"proven"}


def test_last_words_name_both_hosts_with_the_reason(ran):
    jobs, statuses, failed = ran
    assert (statuses["outcome"], failed) == ("failed", True)
    words = last_words(jobs["outcome"])
    bad = {name: line for name, line in words.items() if line != "ok"}
    assert set(bad) == {UNREACHABLE, REFUSING}
    assert bad[UNREACHABLE].startswith("failed: unreachable: ") and "127.0.0.1" in bad[UNREACHABLE]
    assert "killable" in bad[REFUSING]
    assert jobs["outcome"].artifacts["oomguard_outcome_104_hosts"] == bad
    assert jobs["outcome"].artifacts["oomguard_outcome_104_failed"] == 2
