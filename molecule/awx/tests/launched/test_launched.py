# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch Site and Verify on a server, and compare check, run and what AWX gets back."""

import json
import os
import re
import subprocess

import controller
import jobs
import pytest

testinfra_hosts = ["ansible://all"]

# Variables as a group of the inventory would set them.
POLICY = {
    "oom_protect_profiles": ["containers"],
    "oom_protect_targets": [{"unit": "cron", "score": -300, "oom_policy": "continue"}],
    "oom_panic_on_oom": "panic",
    "oom_panic_reboot_after": 30,
    "oom_overcommit_ratio": 80,
}
RESULT_BYTES_MAX = 20 * 1024


@pytest.fixture(scope="module")
def templates():
    return {
        template["name"].split()[-1].lower(): template for template in controller.load_data()["controller_templates"]
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return jobs.Project(str(tmp_path_factory.mktemp("project")), jobs.list_files()).sync()


@pytest.fixture(scope="module")
def inventory():
    """Return the inventory of molecule's guest, with a policy for it."""
    folder = os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "inventory")
    command = [os.path.join(jobs.BIN, "ansible-inventory"), "--inventory", folder, "--list"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    [(name, values)] = listed["_meta"]["hostvars"].items()
    return {"all": {"hosts": [name]}, "_meta": {"hostvars": {name: dict(values, **POLICY)}}}


@pytest.fixture(scope="module")
def site(project, templates, inventory):
    """Audit, apply, and audit again, with two answers on top of the inventory."""
    answers = {"oom_panic_dump_tasks": "true", "oom_protect_persistent": "true"}
    return [
        jobs.launch(project, templates["site"], inventory, answers, job_type=job_type, number=number)
        for number, job_type in ((1, "check"), (2, "run"), (3, "check"))
    ]


def test_jobs_succeed(site):
    assert [job.status for job in site] == ["successful"] * 3, "\n".join(job.stdout() for job in site)


def test_check_on_an_untouched_server_reports_what_run_changes(site):
    audit, applied, audited_again = site
    assert audit.changes("server") == applied.changes("server")
    [task] = applied.changes("server")
    [result] = [result for name, _event, result in applied.results("server") if name == task]
    assert [result[part]["changed"] for part in ("protect", "panic", "overcommit")] == [True] * 3
    assert audited_again.changes("server") == {}
    assert audit.hosts("changed") == applied.hosts("changed") == {"server": 1}
    lines = [audit.artifacts["oomguard_site_1_hosts"]["server"], applied.artifacts["oomguard_site_2_hosts"]["server"]]
    for word, line in zip(("would_change", "changed"), lines, strict=True):
        prediction = r"; next victim now( \S.*,| and) with these pins \S.*" if word == "would_change" else ""
        assert re.fullmatch(word + r": \d+ pins?, panic policy, overcommit policy" + prediction, line)
    assert audited_again.artifacts == {"oomguard_site_3_ok": 1, "oomguard_site_3_check": 1}


def test_server_follows_the_policy(host, site):
    assert host.file(f"/proc/{host.process.get(comm='dockerd').pid}/oom_score_adj").content_string.strip() == "-500"
    assert (
        host.file(f"/proc/{host.process.get(comm='cron', ppid=1).pid}/oom_score_adj").content_string.strip() == "-300"
    )
    for name, value in {
        "vm.panic_on_oom": 1,
        "kernel.panic": 30,
        "vm.overcommit_ratio": 80,
        "vm.oom_dump_tasks": 1,
    }.items():
        assert host.sysctl(name) == value


@pytest.mark.parametrize("number", range(3))
def test_result_of_a_host_is_small(site, number):
    results = [result for _task, _event, result in site[number].results("server")]
    assert 0 < len(json.dumps(results)) < RESULT_BYTES_MAX, {
        task: len(json.dumps(result)) for task, _event, result in site[number].results("server")
    }


def test_pin_is_proven(project, templates, inventory, site):
    """Launch Verify after Site, as the workflow does, so that the policy is in place."""
    answers = {"oom_verify_manager": "systemd", "oom_verify_pinned_score": -500}
    job = jobs.launch(project, templates["verify"], inventory, answers, job_type="run", number=4)
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_verify_4_proven"] == 1
    evidence = next(result for task, _event, result in job.results("server") if task == "Run the trial")
    assert (evidence["method"], evidence["manager"], evidence["runs"][0]["decoy"]["score"]) == (
        "lowered",
        "systemd",
        -500,
    )
