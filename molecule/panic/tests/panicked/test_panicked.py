# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host panicked and rebooted: another boot, the panic in pstore, everything as declared."""

import json
import os

import jsonschema
import pytest

testinfra_hosts = ["ansible://all"]


@pytest.fixture(scope="module")
def evidence():
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", "server.json")) as stream:
        return json.load(stream)


def test_boot_id_changed(host, evidence):
    assert evidence["verdict"] == "proven"
    assert (
        host.file("/proc/sys/kernel/random/boot_id").content_string.strip().replace("-", "")
        == evidence["boot_id_after"]
        != evidence["boot_id"]
    )


def test_the_evidence_matches_its_schema(evidence):
    folder = os.path.join(os.environ["MOLECULE_PROJECT_DIRECTORY"], "docs", "schemas")
    with open(os.path.join(folder, "evidence.schema.json")) as stream:
        jsonschema.Draft202012Validator(json.load(stream)).validate(evidence)


def test_back_in_time_and_as_declared(evidence):
    assert 0 < evidence["back_after_s"] <= 400
    assert evidence["not_as_declared"] == []


def test_pstore_has_panic_and_processes(host, evidence):
    event = evidence["event"]
    assert (evidence["pstore_backend"], event["outcome"], event["panic_policy"]) == ("ramoops", "panic", "system-wide")
    assert event["victims"] == []
    [hog] = [task["name"] for task in event["tasks"] if task["name"].startswith("oomguard-")]
    left = host.file(event["source"]).content_string
    assert hog in left
    assert "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled" in left


@pytest.mark.parametrize(
    "key, value",
    [
        ("vm.panic_on_oom", 1),
        ("kernel.panic", 10),
        ("vm.oom_dump_tasks", 1),
        ("vm.overcommit_memory", 0),
        ("vm.overcommit_ratio", 50),
    ],
)
def test_sysctl_as_declared(host, key, value):
    assert host.sysctl(key) == value


@pytest.mark.parametrize("unit, score", [("docker", -500), ("containerd", -999), ("cron", -300)])
def test_pin_as_declared(host, unit, score):
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    assert int(host.file(f"/proc/{pid}/oom_score_adj").content_string) == score


def test_container_runs_again(host):
    assert json.loads(host.check_output("docker inspect box"))[0]["State"]["Running"]


def test_trial_left_nothing(host):
    assert host.run("pgrep -l oomguard").stdout == ""
    assert host.run("find /tmp -maxdepth 1 -name 'oom_verify.*'").stdout == ""
