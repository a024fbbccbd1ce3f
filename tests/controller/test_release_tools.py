# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a release: what fits to a version, and on which versions scenarios ran."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tools import build_site, check_release, tested_with

CHECKOUT = Path(__file__).parents[2]
BOOKWORM = {
    "distribution": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "6.1.0-41-amd64",
    "python": "3.11.2",
    "init": "systemd",
    "systemd": "252",
    "cgroup": "v2",
    "machine": "x86_64",
    "others": [],
}


def record(folder, scenario, host, passed, **changed):
    (folder / f"{scenario}.{host}.json").write_text(json.dumps(dict(BOOKWORM, **changed)))
    if passed:
        (folder / f"{scenario}.passed").touch()


def test_only_scenarios_that_passed_count(tmp_path):
    record(tmp_path, "protect", "server", passed=True)
    record(tmp_path, "panic", "server", passed=False)
    record(tmp_path, "docker", "container", passed=True)
    assert list(tested_with.newest_rows(tmp_path)) == ["protect.server"]


def test_guests_with_the_same_versions_are_one_row(tmp_path):
    record(tmp_path, "protect", "server", passed=True)
    record(tmp_path, "panic", "one", passed=True)
    record(tmp_path, "events", "old", passed=True, init="SysV init", systemd="", cgroup="v1", others=["a", "b"])
    rows = {name: dict(row, day="2026-11-29") for name, row in tested_with.newest_rows(tmp_path).items()}
    assert tested_with.render_table(rows)[2:4] == [
        "| Debian GNU/Linux 12 (bookworm) | 6.1.0-41-amd64 | SysV init | v1 | 3.11.2 | a, b | events (2026-11-29) |",
        "| Debian GNU/Linux 12 (bookworm) | 6.1.0-41-amd64 | systemd 252 | v2 | 3.11.2 |"
        "  | panic (2026-11-29), protect (2026-11-29) |",
    ]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")))
def test_every_scenario_with_tests_records_its_versions(name):
    """Molecule forgets the shared folders of the verifier where the sequence names a folder."""
    config = yaml.safe_load((CHECKOUT / "molecule" / name / "molecule.yml").read_text())
    shared = yaml.safe_load((CHECKOUT / ".config/molecule/config.yml").read_text())
    sequence = config.get("scenario", {}).get("test_sequence", shared["scenario"]["test_sequence"])
    verifier = {**shared["verifier"], **config.get("verifier", {})}
    folders = [
        verifier["additional_files_or_dirs"] if step == "verify" else step.split()[1:]
        for step in sequence
        if step.startswith("verify")
    ]
    assert not folders or any(path.endswith("shared/tests/versions") for paths in folders for path in paths)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")))
def test_every_side_effect_of_a_scenario_runs(name):
    """Molecule runs no side effect that the sequence names if the scenario has none by default."""
    config = yaml.safe_load((CHECKOUT / "molecule" / name / "molecule.yml").read_text())
    default = config.get("ansible", {}).get("playbooks", {}).get("side_effect", "side_effect.yml")
    steps = [step.split() for step in config.get("scenario", {}).get("test_sequence", [])]
    for step, *named in steps:
        for playbook in [default, *named] if step == "side_effect" else ():
            assert (CHECKOUT / "molecule" / name / playbook).is_file()


def test_what_is_not_tested_has_a_row():
    assert f"| Ubuntu |  |  |  |  |  | {tested_with.RECORDED} |" in tested_with.render_table({})


def test_nothing_is_written_if_nothing_passed(tmp_path, capsys):
    assert tested_with.main(tmp_path) == 1
    assert "run make vm-NAME first" in capsys.readouterr().out


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Make a checkout in which everything fits to version 1.2.0."""
    for name, text in {
        "changelogs/changelog.yaml": "releases: {1.2.0: {}}",
        "CHANGELOG.md": "## v1\\.2\\.0\n",
        "plugins/modules/one.py": "version_added: 1.1.0\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(check_release, "CHECKOUT", tmp_path)
    for command in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-m", "c"]):
        check_release.git(*command)
    return tmp_path


def test_a_release_in_which_all_fits(release):
    assert check_release.find_faults("1.2.0") == []


@pytest.mark.parametrize(
    "change, fault",
    [
        (
            lambda folder: (folder / "changelogs" / "changelog.yaml").write_text("releases: {1.1.0: {}}"),
            "has no release 1.2.0",
        ),
        (lambda folder: (folder / "CHANGELOG.md").write_text("## v1\\.1\\.0\n"), "has no section v1.2.0"),
        (
            lambda folder: (folder / "plugins" / "modules" / "one.py").write_text("version_added: 1.10.0"),
            "version_added 1.10.0 is later",
        ),
        (lambda folder: (folder / "left.txt").touch(), "the checkout has changes"),
        (lambda folder: check_release.git("tag", "1.2.0"), "the tag 1.2.0 exists"),
    ],
)
def test_what_does_not_fit_is_named(release, change, fault):
    change(release)
    assert [found for found in check_release.find_faults("1.2.0") if fault in found]


def test_links_to_own_files_lead_to_files():
    assert build_site.missing_files() == []


def test_a_link_to_a_missing_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(build_site, "CHECKOUT", tmp_path)
    (tmp_path / "docs").mkdir()
    for page in build_site.PAGES.values():
        (tmp_path / page).write_text("[x](https://github.com/oomguard/linux/blob/main/docs/none.md#part)\n")
    assert len(build_site.missing_files()) == len(build_site.PAGES)


@pytest.mark.parametrize("package, repository", [("ruff", "ruff-pre-commit"), ("reuse", "reuse-tool")])
def test_hooks_have_the_versions_of_the_tests(package, repository):
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = [one["rev"] for one in hooks if one["repo"].endswith(repository)]
    pins = "".join((CHECKOUT / "tests" / "requirements" / f"{name}.txt").read_text() for name in ("main", "docs"))
    assert hook == "v" + re.search(rf"^{package}==(.*)$", pins, re.MULTILINE).group(1)


def test_the_workflow_tests_every_supported_core():
    cores = re.search(r"^CORES := (.*)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    workflow = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "test.yml").read_text())
    assert workflow["jobs"]["matrix"]["strategy"]["matrix"]["core"] == cores
