# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the projects that AWX can use, and the execution environment."""

import os
import subprocess

import jobs
import page
import pytest
import yaml
from controller import CHECKOUT, find_inventories, find_playbooks, load_data

PLAYBOOKS = {template["playbook"] for template in load_data()["controller_templates"]}


def run_builder(*arguments, cwd):
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
    """Return a project made from awx_project, with the collection installed next to it."""
    below = "awx_project/"
    folder = tmp_path_factory.mktemp("wrapped")
    wrapped = jobs.Project(str(folder), [])
    for name in jobs.list_files(below):
        target = os.path.join(wrapped.path, name[len(below) :])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with (
            open(os.path.join(CHECKOUT, name), encoding="utf-8") as source,
            open(target, "w", encoding="utf-8") as stream,
        ):
            stream.write(source.read())
    os.symlink(project.collections, wrapped.collections)
    return wrapped


def test_awx_finds_the_playbooks_of_this_repository(project):
    assert set(find_playbooks(project.path)) >= PLAYBOOKS


def test_awx_finds_only_the_wrappers(wrapped):
    assert set(find_playbooks(wrapped.path)) == PLAYBOOKS


# mmdebstrap runs its hooks only if they are executable.
HOOKS = {"molecule/shared/customize.sh", "molecule/shared/initramfs.sh"}


def test_awx_runs_no_other_file_as_an_inventory(project):
    """AWX offers many files as inventories. It would run those that are executable."""
    found = find_inventories(project.path)
    assert {name for name in found if os.stat(os.path.join(project.path, name)).st_mode & 0o111} == HOOKS


def test_wrappers_require_the_collection():
    with open(os.path.join(CHECKOUT, "awx_project", "collections", "requirements.yml"), encoding="utf-8") as stream:
        assert [required["name"] for required in yaml.safe_load(stream)["collections"]] == ["oomguard.linux"]


def test_collection_comes_from_git_as_the_page_says(tmp_path):
    required = yaml.safe_load(page.read_block("The project", "yaml"))
    required["collections"][0].update(name="file://" + CHECKOUT, version="HEAD")
    (tmp_path / "project" / "collections").mkdir(parents=True)
    (tmp_path / "project" / "collections" / "requirements.yml").write_text(yaml.safe_dump(required))
    synced = jobs.Project(str(tmp_path), []).sync()
    assert os.path.isfile(os.path.join(synced.collections, "ansible_collections/oomguard/linux/playbooks/site.yml"))


def test_wrappers_name_the_playbooks_that_they_import():
    for name in PLAYBOOKS:
        with open(os.path.join(CHECKOUT, "awx_project", name), encoding="utf-8") as stream:
            [play] = yaml.safe_load(stream)
        imported = "oomguard.linux." + os.path.basename(name)[: -len(".yml")]
        assert play["ansible.builtin.import_playbook"] == imported


def test_template_runs_through_a_wrapper(wrapped, templates, inventory):
    job = jobs.launch(wrapped, templates["site"], inventory)
    assert job.status == "successful", job.stdout()
    assert job.artifacts["oomguard_site_1_would_change"] == 3


def test_execution_environment_can_be_built(tmp_path):
    made = run_builder(
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
    packages = (tmp_path / "_build" / "bindep.txt").read_text()
    assert "sshpass" in packages and "gcc" in packages
    assert not (tmp_path / "_build" / "requirements.yml").exists()  # the collection comes with the project


def test_collection_needs_nothing_in_an_execution_environment(project, tmp_path):
    found = run_builder("introspect", project.collections, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    needed = yaml.safe_load(found.stdout)
    assert [line for kind in ("python", "system") for line in needed.get(kind) or []] == []
    assert "warn" not in found.stderr.lower()


def test_collection_declares_that_it_needs_nothing(project):
    """Its own empty lists take precedence over any requirements.txt in the collection."""
    folder = os.path.join(project.collections, "ansible_collections", "oomguard", "linux")
    with open(os.path.join(folder, "meta", "execution-environment.yml"), encoding="utf-8") as stream:
        lists = yaml.safe_load(stream)["dependencies"]
    assert set(lists) == {"python", "system"}
    for name in lists.values():
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            assert [line for line in stream if line.strip() and not line.startswith("#")] == []
