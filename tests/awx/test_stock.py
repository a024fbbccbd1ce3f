# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run templates with ansible-core and Python of AWX's stock image, as docs/awx.md claims."""

import os
import subprocess

import jobs
import pytest

IMAGE = os.path.join(os.environ["OOMGUARD_STOCK"], "bin")


def test_stock_image_has_ansible_core_2_15():
    shown = subprocess.run(
        [os.path.join(IMAGE, "ansible"), "--version"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert shown.startswith("ansible [core 2.15.")


@pytest.mark.parametrize(
    "name, job_type, outcome",
    [("site", "check", "would_change"), ("site", "run", "changed"), ("verify", "run", "proven")],
)
def test_template_runs_in_the_stock_image(name, job_type, outcome, project, templates, inventory):
    job = jobs.launch(project, templates[name], inventory, job_type=job_type, limit="web1", image=IMAGE)
    assert job.status == "successful", job.stdout()
    assert job.artifacts[f"oomguard_{name}_1_{outcome}"] == 1
    assert "does not support Ansible version 2.15" in job.stdout()
