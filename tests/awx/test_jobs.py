# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch every template on this machine through ansible-runner, as AWX does.

The jobs are contained: they write no sysctl.
"""

import json
import os

import pytest
import yaml
from controller import CHECKOUT, Refused, choices, slice_inventory
from jobs import launch, run


def defaults_of(*names):
    found = {}
    for name in names:
        with open(os.path.join(CHECKOUT, "roles", name, "defaults", "main.yml"), encoding="utf-8") as stream:
            found.update(yaml.safe_load(stream))
    return found


def read_scores(inventory):
    found = {}
    for name, values in inventory["_meta"]["hostvars"].items():
        with (
            open(values["oom_protect_targets"][0]["pidfile"], encoding="utf-8") as pid,
            open(f"/proc/{pid.read()}/oom_score_adj", encoding="utf-8") as score,
        ):
            found[name] = int(score.read())
    return found


def limit_for(name):
    return "web1" if name == "verify" else ""  # a machine runs one trial at a time


@pytest.mark.parametrize("name", ["panic", "overcommit", "verify"])
@pytest.mark.parametrize("job_type", ["check", "run"])
def test_launch_without_answers(name, job_type, project, templates, inventory):
    """Nothing changes without a value in the inventory, and a trial needs no answer."""
    job = launch(project, templates[name], inventory, job_type=job_type, limit=limit_for(name))
    assert job.status == "successful", job.stdout()
    outcome = {("verify", "check"): "checked", ("verify", "run"): "proven"}.get((name, job_type), "ok")
    assert job.artifacts[f"oomguard_{name}_1_{outcome}"] == (1 if name == "verify" else 3)


@pytest.mark.parametrize("name", ["protect", "site"])
def test_check_reports_what_run_changes(name, project, templates, inventory):
    audit = launch(project, templates[name], inventory)
    assert set(read_scores(inventory).values()) == {0}
    applied = launch(project, templates[name], inventory, job_type="run", number=2)
    assert set(read_scores(inventory).values()) == {250}
    again = launch(project, templates[name], inventory, job_type="run", number=3)

    assert [job.status for job in (audit, applied, again)] == ["successful"] * 3
    hosts = sorted(inventory["_meta"]["hostvars"])
    for host in hosts:
        assert audit.changes(host) == applied.changes(host) != {}
        assert again.changes(host) == {}
    assert audit.artifacts == {
        f"oomguard_{name}_1_would_change": 3,
        f"oomguard_{name}_1_hosts": dict.fromkeys(hosts, "would_change: protect"),
    }
    assert applied.artifacts[f"oomguard_{name}_2_changed"] == 3
    assert again.artifacts == {f"oomguard_{name}_3_ok": 3}


def test_each_host_has_one_short_line(project, templates, inventory):
    job = launch(project, templates["site"], inventory)
    lines = [result["msg"] for task, _event, result in job.results() if task == "Report the outcome of this host"]
    assert lines == ["would_change: protect"] * 3


def test_slices_keep_their_artifacts(project, templates, inventory):
    """AWX merges the artifacts of slices key by key, and the last slice wins."""
    merged = {}
    for number in (1, 2):
        job = launch(
            project, templates["site"], slice_inventory(inventory, number, 2), job_type="run", number=40 + number
        )
        assert job.status == "successful", job.stdout()
        merged.update(job.artifacts)
    assert set(read_scores(inventory).values()) == {250}
    assert (merged["oomguard_site_41_changed"], merged["oomguard_site_42_changed"]) == (2, 1)
    assert {**merged["oomguard_site_41_hosts"], **merged["oomguard_site_42_hosts"]} == dict.fromkeys(
        ["web1", "web2", "web3"], "changed: protect"
    )


def test_slice_without_hosts_of_the_group_succeeds(project, templates, inventory):
    template = dict(templates["site"], extra_vars={"oom_hosts": "databases"})
    ran = {number: launch(project, template, slice_inventory(inventory, number, 2), number=number) for number in (1, 2)}
    assert [ran[number].status for number in (1, 2)] == ["successful"] * 2
    assert (ran[1].artifacts["oomguard_site_1_would_change"], ran[2].artifacts) == (1, {})


def answers_at(template, step):
    """Return for each question the answer of this step: one of its bounds or choices."""
    found = {}
    for question in template["survey_spec"]["spec"]:
        possible = [question["min"], question["max"]] if question["type"] == "integer" else choices(question)
        answer = possible[step % len(possible)]
        found[question["variable"]] = [answer] if question["type"] == "multiselect" else answer
    return found


@pytest.mark.parametrize("name, step", [("site", step) for step in range(6)] + [("verify", 0), ("verify", 2)])
def test_answers_at_the_bounds(name, step, project, templates, inventory):
    """Site has the questions of the other three templates.

    The inventory sets force, so that no guard refuses an answer on this machine. The scenario awx
    tests the manager systemd, which this machine may not have.
    """
    for values in inventory["_meta"]["hostvars"].values():
        values.update(oom_protect_force=True, oom_panic_force=True, oom_overcommit_force=True, oom_protect_targets=[])
    answers = answers_at(templates[name], step)
    if name == "site" and answers["oom_protect_persistent"] == "true":
        answers["oom_protect_persistent"] = "false"  # the scenario awx tests units
    job = launch(project, templates[name], inventory, answers, limit="web1")
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_{}_1_{}".format(name, {"site": "would_change", "verify": "checked"}[name])] == 1


def test_empty_text_means_unset(project, templates, inventory):
    """A text question may be left empty.

    AWX then writes !unsafe '', which ansible-core 2.19 and later reads as null.
    """
    site = dict.fromkeys(defaults_of("oom_protect", "oom_panic", "oom_overcommit"), "")
    for lists in ("oom_protect_profiles", "oom_protect_targets"):
        del site[lists]
    job = run(project, templates["site"], inventory, site, "run")
    assert (job.status, job.artifacts.get("oomguard_site_1_changed")) == ("successful", 3), job.stdout()

    job = run(
        project, templates["verify"], inventory, dict.fromkeys(defaults_of("oom_verify"), ""), "run", limit="web1"
    )
    assert (job.status, job.artifacts.get("oomguard_verify_1_proven")) == ("successful", 1), job.stdout()


def test_empty_text_in_the_inventory_means_unset(project, templates, inventory):
    for values in inventory["_meta"]["hostvars"].values():
        values.update(
            dict.fromkeys(defaults_of("oom_protect", "oom_panic", "oom_overcommit"), ""),
            oom_protect_targets=values["oom_protect_targets"],
        )
    job = launch(project, templates["site"], inventory, job_type="run")
    assert (job.status, job.artifacts.get("oomguard_site_1_changed")) == ("successful", 3), job.stdout()


def test_answer_is_not_a_template(project, templates, inventory):
    job = run(project, templates["panic"], inventory, {"oom_panic_on_oom": "{{ 'kill' }}"}, "check", limit="web1")
    assert job.status == "failed"
    assert "value of oom_panic_on_oom must be one of" in job.stdout() and "{{" in job.stdout()


@pytest.mark.parametrize(
    "name, variable, value, reason",
    [
        (
            "panic",
            "oom_panic_on_oom",
            "kil",
            "value of oom_panic_on_oom must be one of: , kill, panic, panic_always, got: kil",
        ),
        ("panic", "oom_panic_reboot_after", "soon", "argument 'reboot_after' is of type"),
        ("overcommit", "oom_overcommit_ratio", "0", "set 1 or more"),
        ("protect", "oom_protect_profiles", "contaners", "value of oom_protect_profiles must be one or more of"),
        (
            "site",
            "oom_overcommit_mode",
            "nver",
            "value of oom_overcommit_mode must be one of",
        ),  # although it is the last of the three parts
    ],
)
def test_role_refuses_what_bypasses_the_survey(name, variable, value, reason, project, templates, inventory):
    """The value may come from an inventory or another survey. The role then changes nothing."""
    with pytest.raises(Refused):
        launch(project, templates[name], inventory, {variable: value})
    job = run(project, templates[name], inventory, {variable: value}, "run")
    assert (job.status, job.artifacts[f"oomguard_{name}_1_failed"]) == ("failed", 3)
    assert reason in job.stdout()
    assert set(read_scores(inventory).values()) == {0}


def test_evidence_is_in_an_event(project, templates, inventory):
    job = launch(project, templates["verify"], inventory, job_type="run", limit="web1")
    evidence = next(result for task, _event, result in job.results("web1") if task == "Run the trial")
    assert evidence["verdict"] == "proven" and {run["name"] for run in evidence["runs"]} == {"treatment", "control"}
    assert all(run["event"] for run in evidence["runs"])
    assert "censored" not in json.dumps(job.events)
    assert job.artifacts["oomguard_verify_1_hosts"]["web1"].startswith(
        "proven: the kernel killed the hog in the treatment"
    )
