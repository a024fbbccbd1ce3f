# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch every template on this machine through ansible-runner, as AWX does.

The jobs are contained: they write no sysctl.
"""

import json
import os
import re

import page
import pytest
import yaml
from controller import CHECKOUT, Refused, choices, slice_inventory
from jobs import launch, run

# A check predicts what would die next, if the rule of the kernel is known and this is no container.
WOULD_CHANGE = re.compile(r"would_change: 1 pin(; next victim now( \S.*,| and) with these pins \S.*)?")
STATES = ("oom_protect_state", "oom_panic_state", "oom_overcommit_state")


def options_of(*names):
    found = {}
    for name in names:
        with open(os.path.join(CHECKOUT, "roles", name, "meta", "argument_specs.yml"), encoding="utf-8") as stream:
            found.update(yaml.safe_load(stream)["argument_specs"]["main"]["options"])
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
    outcome = {("verify", "check"): "checked", ("verify", "run"): "proven"}.get((name, job_type), "nothing_asked")
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
    lines = audit.artifacts.pop(f"oomguard_{name}_1_hosts")
    assert audit.artifacts == {f"oomguard_{name}_1_would_change": 3, f"oomguard_{name}_1_check": 3}
    assert sorted(lines) == hosts and all(map(WOULD_CHANGE.fullmatch, lines.values()))
    assert applied.artifacts[f"oomguard_{name}_2_changed"] == 3
    assert again.artifacts == {f"oomguard_{name}_3_ok": 3}


def test_each_host_has_one_short_line(project, templates, inventory):
    job = launch(project, templates["site"], inventory)
    lines = [result["msg"] for task, _event, result in job.results() if task == "Report the outcome of this host"]
    assert len(lines) == 3 and all(map(WOULD_CHANGE.fullmatch, lines))


def test_host_takes_no_more_room_than_the_page_says(project, templates, inventory):
    """Here only pins change, so this is a lower bound for what the page says."""
    rows = dict(re.findall(r"^\| ([A-Za-z ]+) \| (.*) \|$", page.read_section("Sizing"), re.MULTILINE))
    events, kilobytes = map(int, re.search(r"(\d+), together (\d+) KB", rows["events that AWX stores"]).groups())
    few, more = (launch(project, templates["site"], inventory, limit=limit) for limit in ("web1", ""))
    assert (len(more.events) - len(few.events)) / 2 <= events
    assert (len(json.dumps(more.events)) - len(json.dumps(few.events))) / 2 <= kilobytes * 1000
    artifact = (len(json.dumps(more.artifacts)) - len(json.dumps(few.artifacts))) / 2
    assert artifact <= int(rows["artifact"].split()[0])


@pytest.mark.parametrize("answer, status", [("true", "failed"), ("false", "successful")])
def test_audit_fails_on_drift_if_it_shall(answer, status, project, templates, inventory):
    """AWX notifies of failed jobs only. The counts are complete all the same."""
    job = launch(project, templates["site"], inventory, {"oom_fail_on_drift": answer})
    assert job.status == status, job.stdout()
    assert job.artifacts["oomguard_site_1_would_change"] == 3
    failures = {result["msg"] for _task, event, result in job.results() if event == "runner_on_failed"}
    assert bool(failures) == (status == "failed") and all(map(WOULD_CHANGE.fullmatch, failures))


@pytest.mark.parametrize("job_type", ["check", "run"])
def test_events_report_kills(job_type, project, templates, inventory):
    """The trial makes sure that there is a kill, and the filter leaves out those of others."""
    proof = launch(project, templates["verify"], inventory, job_type="run", limit="web1")
    assert proof.status == "successful", proof.stdout()
    answers = {"oom_events_since": "-10m", "oom_events_victim": "oomguard-hog", "oom_events_own_trials": "true"}
    job = launch(project, templates["events"], inventory, answers, job_type=job_type, limit="web1", number=2)
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_events_2_kills"] == 1
    assert job.artifacts["oomguard_events_2_hosts"]["web1"].startswith("kills: ")


@pytest.mark.parametrize("answers", [{}, {"oom_info_fail_on": "low"}], ids=str)
def test_info_reports_the_next_victim(answers, project, templates, inventory):
    """What is wrong with the machine of the tests is not known, so a severity may fail the host."""
    job = launch(project, templates["info"], inventory, answers, limit="web1")
    [line] = job.artifacts["oomguard_info_1_hosts"].values()
    word, _colon, detail = line.partition(": ")
    assert word in ("findings", "no_findings") and re.match(r"(no )?next victim of the host", detail)
    assert job.status == ("failed" if answers and word == "findings" else "successful"), job.stdout()


@pytest.mark.parametrize("kept", [True, False])
def test_report_names_its_files(kept, project, templates, inventory, tmp_path):
    """In a folder that outlives the job. Those in the folder of the job are gone with it."""
    folder = str(tmp_path / "kept") if kept else ""
    template = {**templates["report"], "extra_vars": {"oom_report_dir": folder}}
    job = launch(project, template, inventory, job_type="run", limit="web1")
    assert job.status == "successful", job.stdout()
    files = job.artifacts["oomguard_report_1_files"]
    assert {os.path.basename(name) for name in files} == {"oom-report.html", "report.json", "events.csv"}
    assert {os.path.exists(name) for name in files} == {kept}
    [line] = job.artifacts["oomguard_report_1_hosts"].values()
    assert re.match(r"(no_)?findings: [0-9]+ findings?", line)


def test_undo_lists_and_changes_nothing_in_check_mode(project, templates, inventory):
    assert launch(project, templates["protect"], inventory, job_type="run").status == "successful"
    job = launch(project, templates["undo"], inventory, limit="web1", number=2)
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_undo_2_would_change"] == 1
    assert set(read_scores(inventory).values()) == {250}


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
        ["web1", "web2", "web3"], "changed: 1 pin"
    )


def test_slice_without_hosts_of_the_group_succeeds(project, templates, inventory):
    template = dict(templates["site"], extra_vars={"oom_hosts": "databases", "oom_hosts_missing": "ignore"})
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
    if name == "site":
        answers.update(dict.fromkeys(STATES, "present"), oom_fail_on_drift="false")
        answers["oom_protect_persistent"] = "false"  # the scenario awx tests units
    job = launch(project, templates[name], inventory, answers, limit="web1")
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_{}_1_{}".format(name, {"site": "would_change", "verify": "checked"}[name])] == 1


def test_absent_is_an_answer(project, templates, inventory):
    """Nothing of this collection is on the host, unless somebody has put it there."""
    job = launch(project, templates["site"], inventory, dict.fromkeys(STATES, "absent"), limit="web1")
    assert job.status == "successful", job.stdout()
    assert {"oomguard_site_1_ok", "oomguard_site_1_would_change"} & set(job.artifacts)


def test_empty_text_means_unset(project, templates, inventory):
    """A text question may be left empty.

    AWX then writes !unsafe '', which ansible-core 2.19 and later reads as null.
    """
    site = dict.fromkeys(options_of("oom_protect", "oom_panic", "oom_overcommit"), "")
    for lists in ("oom_protect_profiles", "oom_protect_targets"):
        del site[lists]
    job = run(project, templates["site"], inventory, site, "run")
    assert (job.status, job.artifacts.get("oomguard_site_1_changed")) == ("successful", 3), job.stdout()

    job = run(project, templates["verify"], inventory, dict.fromkeys(options_of("oom_verify"), ""), "run", limit="web1")
    assert (job.status, job.artifacts.get("oomguard_verify_1_proven")) == ("successful", 1), job.stdout()


def test_empty_text_in_the_inventory_means_unset(project, templates, inventory):
    for values in inventory["_meta"]["hostvars"].values():
        values.update(
            dict.fromkeys(options_of("oom_protect", "oom_panic", "oom_overcommit"), ""),
            oom_protect_targets=values["oom_protect_targets"],
        )
    job = launch(project, templates["site"], inventory, job_type="run")
    assert (job.status, job.artifacts.get("oomguard_site_1_changed")) == ("successful", 3), job.stdout()


def test_answer_is_not_a_template(project, templates, inventory):
    job = run(project, templates["panic"], inventory, {"oom_panic_on_oom": "{{ 'kill' }}"}, "check", limit="web1")
    assert job.status == "failed"
    assert "oom_panic_on_oom" in job.artifacts["oomguard_panic_1_hosts"]["web1"] and "{{" in job.stdout()


@pytest.mark.parametrize(
    "name, variable, value, reason",
    [
        (
            "panic",
            "oom_panic_on_oom",
            "kil",
            "oom_panic_on_oom=kil",
        ),
        ("panic", "oom_panic_reboot_after", "soon", "oom_panic_reboot_after"),
        ("overcommit", "oom_overcommit_ratio", "0", "oom_overcommit_ratio"),
        ("protect", "oom_protect_profiles", "contaners", "oom_protect_profiles"),
        ("site", "oom_overcommit_mode", "nver", "oom_overcommit_mode"),  # although it is the last of the three parts
    ],
)
def test_role_refuses_what_bypasses_the_survey(name, variable, value, reason, project, templates, inventory):
    """The value may come from an inventory or another survey. The role then changes nothing."""
    with pytest.raises(Refused):
        launch(project, templates[name], inventory, {variable: value})
    job = run(project, templates[name], inventory, {variable: value}, "run")
    assert (job.status, job.artifacts[f"oomguard_{name}_1_failed"]) == ("failed", 3)
    assert all(reason in line for line in job.artifacts[f"oomguard_{name}_1_hosts"].values())
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
