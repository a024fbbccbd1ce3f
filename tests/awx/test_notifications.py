# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of notifications pass AWX's own check, and say what a person needs."""

import json

import page
import pytest
import yaml
from controller import load_data
from notifications import fill_in, text_errors

SETTINGS = yaml.safe_load(page.read_block("Notifications", "yaml"))
[WEBHOOK] = load_data(**SETTINGS)["controller_notifications"]
EXPRESSION = page.read_block("Notifications", "jinja").strip()
JOB = {
    "id": 7,
    "name": "OOM guard | Site",
    "status": "failed",
    "host_status_counts": {"dark": 1},
    "artifacts": {
        "oomguard_site_7_ok": 18,
        "oomguard_site_7_would_change": 2,
        "oomguard_site_7_hosts": {f"web{number}": 'would_change: "pins"' for number in range(30)},
        "ansible_stats_of_others": 1,
    },
}


@pytest.mark.parametrize("kind", ["webhook", "email", "slack"])
def test_awx_accepts_the_texts(kind):
    [template] = load_data(oomguard_awx_notification_type=kind)["controller_notifications"]
    texts = [text for event in template["messages"].values() for text in event.values()]
    assert len(texts) == 4
    assert [text_errors(text) for text in texts] == [[]] * 4


def test_awx_accepts_the_expression_of_the_page():
    assert text_errors(EXPRESSION) == []
    assert fill_in(EXPRESSION, **JOB) == "0 hosts changed"
    changed = {**JOB, "artifacts": {"oomguard_site_7_changed": 3}}
    assert fill_in(EXPRESSION, **changed) == "3 hosts changed"


def test_awx_refuses_the_expression_without_a_default():
    assert text_errors(EXPRESSION.replace(" | default(0)", "")) != []


def test_message_has_the_counts():
    message = WEBHOOK["messages"]["error"]["message"]
    assert fill_in(message, **JOB) == (
        'Job 7 "OOM guard | Site" failed, unreachable: 1, ok: 18, would_change: 2, see https://awx/#/jobs/playbook/7'
    )


def test_webhook_has_counts_and_lines():
    sent = json.loads(fill_in(WEBHOOK["messages"]["error"]["body"], **JOB))
    assert sent["counts"] == {"ok": 18, "would_change": 2}
    assert (sent["job"], sent["status"], sent["unreachable"]) == (7, "failed", 1)
    assert len(sent["hosts"]) == 20 and sent["hosts"]["web0"] == 'would_change: "pins"'


def test_failure_of_a_workflow_has_no_artifacts():
    workflow = {"id": 9, "name": "OOM guard | Audit, approve, apply, verify", "status": "failed"}
    assert "failed, unreachable: 0, see" in fill_in(WEBHOOK["messages"]["error"]["message"], **workflow)
    assert json.loads(fill_in(WEBHOOK["messages"]["error"]["body"], **workflow))["counts"] == {}


def test_webhook_reads_several_jobs_of_slices():
    sliced = {**JOB, "artifacts": {"oomguard_site_7_hosts": {"a": "x"}, "oomguard_site_8_hosts": {"b": "y"}}}
    assert json.loads(fill_in(WEBHOOK["messages"]["error"]["body"], **sliced))["hosts"] == {"a": "x", "b": "y"}
