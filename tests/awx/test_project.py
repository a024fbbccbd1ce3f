# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects as AWX sees them, and the execution environment."""

import os
import subprocess

import jobs
import pytest
import yaml
from controller import CHECKOUT, playbooks

WANTED = {f"playbooks/{name}.yml" for name in ("protect", "panic", "overcommit", "site", "verify")}


def builder(*arguments, cwd):
    return subprocess.run(
        [os.path.join(jobs.BIN, "ansible-builder"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def wrapped(project, tmp_path_factory):
    """A project of a fleet's own: what is in awx/project, and the collection from elsewhere."""
    below = "awx/project/"
    folder = tmp_path_factory.mktemp("wrapped")
    wrapped = jobs.Project(str(folder), [])
    for name in jobs.files(below):
        target = os.path.join(wrapped.path, name[len(below) :])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with (
            open(os.path.join(CHECKOUT, name), encoding="utf-8") as source,
            open(target, "w", encoding="utf-8") as stream,
        ):
            stream.write(source.read())
    os.symlink(project.collections, wrapped.collections)
    return wrapped


def test_awx_lists_the_playbooks_of_this_repository(project):
    assert set(playbooks(project.path)) >= WANTED


def test_awx_lists_the_wrappers_and_nothing_else(wrapped):
    assert set(playbooks(wrapped.path)) == WANTED


def test_the_wrappers_come_with_the_collection():
    with open(os.path.join(CHECKOUT, "awx", "project", "collections", "requirements.yml"), encoding="utf-8") as stream:
        assert [wanted["name"] for wanted in yaml.safe_load(stream)["collections"]] == ["oomguard.linux"]


def test_a_template_runs_through_a_wrapper(wrapped, templates, inventory):
    job = jobs.launch(wrapped, templates["site"], inventory)
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_site_1_would_change"] == 3


def test_the_execution_environment_can_be_made(tmp_path):
    made = builder(
        "create",
        "-f",
        os.path.join(CHECKOUT, "execution-environment.yml"),
        "-c",
        str(tmp_path),
        "--output-filename",
        "Containerfile",
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warn" not in (made.stdout + made.stderr).lower()
    assert "ansible-core~=2.16.0" in (tmp_path / "Containerfile").read_text()


def test_the_collection_asks_nothing_of_an_execution_environment(project, tmp_path):
    found = builder("introspect", project.collections, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    told = yaml.safe_load(found.stdout)
    assert [line for what in ("python", "system") for line in told.get(what) or []] == []
    assert "warn" not in found.stderr.lower()


def test_that_is_because_it_says_so(project):
    """An empty list of its own is found before any requirements.txt that happens to be there."""
    folder = os.path.join(project.collections, "ansible_collections", "oomguard", "linux")
    with open(os.path.join(folder, "meta", "execution-environment.yml"), encoding="utf-8") as stream:
        lists = yaml.safe_load(stream)["dependencies"]
    assert set(lists) == {"python", "system"}
    for name in lists.values():
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            assert [line for line in stream if line.strip() and not line.startswith("#")] == []
