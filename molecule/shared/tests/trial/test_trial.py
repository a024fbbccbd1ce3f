# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trial leaves on a host: its victims in the kernel log, and nothing else."""

import json
import os

import jsonschema
import pytest

testinfra_hosts = ["ansible://all"]


@pytest.fixture
def evidence(host):
    folder = os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence")
    with open(os.path.join(folder, f"{host.backend.get_hostname()}.json")) as stream:
        return json.load(stream)


def test_the_kernel_log_names_the_victims(host, evidence):
    log = host.check_output("dmesg")
    assert evidence["verdict"] == "proven"
    for run in evidence["runs"]:
        victim = run[run["expected"]]
        assert f"Killed process {victim['pid']} ({victim['name']})" in log
        assert not host.file(f"/proc/{victim['pid']}").exists


def test_the_evidence_matches_its_schema(evidence):
    folder = os.path.join(os.environ["MOLECULE_PROJECT_DIRECTORY"], "docs", "schemas")
    with open(os.path.join(folder, "evidence.schema.json")) as stream:
        jsonschema.Draft202012Validator(json.load(stream)).validate(evidence)


def test_nothing_is_left_behind(host):
    assert host.run("find /sys/fs/cgroup -name 'oomguardtrial*'").stdout == ""
    assert host.run("pgrep -l oomguard").stdout == ""
    assert host.run("find /tmp -maxdepth 1 -name 'oom_verify.*'").stdout == ""
