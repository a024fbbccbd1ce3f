# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The README.md of each role is what tests/tools/role_readmes.py writes."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

COLLECTION = Path(__file__).resolve().parents[2]
ROLES = sorted((COLLECTION / "roles").iterdir())
each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load_tool():
    spec = importlib.util.spec_from_file_location("role_readmes", COLLECTION / "tests" / "tools" / "role_readmes.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


role_readmes = load_tool()


def read(role, name):
    return yaml.safe_load((role / "meta" / name).read_text(encoding="utf-8"))


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(COLLECTION / "roles", tmp_path / "roles", symlinks=True)
    return tmp_path


def test_readmes_are_current(capsys):
    assert role_readmes.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_names_stale_files(copied, capsys):
    path = copied / "roles" / "oom_panic" / "README.md"
    path.unlink()
    assert role_readmes.main(["--check"], copied) == 1
    assert capsys.readouterr().out == "roles/oom_panic/README.md is stale: run python tests/tools/role_readmes.py\n"
    assert not path.exists()


def test_write_stale_files(copied, capsys):
    path = copied / "roles" / "oom_panic" / "README.md"
    right = path.read_text(encoding="utf-8")
    path.write_text("edited", encoding="utf-8")
    assert role_readmes.main([], copied) == 0
    assert capsys.readouterr().out == "roles/oom_panic/README.md written\n"
    assert path.read_text(encoding="utf-8") == right


@pytest.mark.parametrize(
    "text, rendered",
    [
        ("V(absent), C(vm.x=1) and E(HOME)", "`absent`, `vm.x=1` and `HOME`"),
        ("See M(ns.name.module).", "See `ns.name.module`."),
        ("See P(ns.name.role#role).", "See `ns.name.role`."),
        ("See O(option=value).", "See `option=value`."),
        ("See O(ns.name.module#module:option).", "See `option` of `ns.name.module`."),
        (r"C(f(x\)) and NOTE(text)", r"C(f(x\)) and NOTE(text)"),
        (r"C(f\(x\))", "`f(x)`"),
    ],
)
def test_render_markup(text, rendered):
    assert role_readmes.markdown(text) == rendered


@pytest.mark.parametrize(
    "value, rendered",
    [
        ("", '`""'),
        ("never", "`never"),
        (False, "`false"),
        (30, "`30"),
        ([], "`[]"),
        ([{"unit": "x"}], '`[{"unit": "x"}]'),
    ],
)
def test_render_value(value, rendered):
    assert role_readmes.literal(value) == rendered + "`"


def test_render_default():
    assert (role_readmes.shown_default(None), role_readmes.shown_default(False)) == ("unset", "`false`")


def test_table_escapes_bars():
    assert role_readmes.table(["a", "b"], [["x|y", "z"]]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"


@each_role
def test_example_values_are_valid(role):
    options, values = (
        read(role, "argument_specs.yml")["argument_specs"]["main"]["options"],
        read(role, "readme.yml")["values"],
    )
    assert list(values) == list(options)
    assert ArgumentSpecValidator(options).validate(values).error_messages == []


@each_role
def test_example_play_runs_the_role_with_its_variables(role):
    spec = read(role, "argument_specs.yml")["argument_specs"]["main"]
    [play] = yaml.safe_load(spec["examples"])
    [task] = play["tasks"]
    assert task["ansible.builtin.import_role"] == {"name": f"oomguard.linux.{role.name}"}
    assert ArgumentSpecValidator(spec["options"]).validate(task["vars"]).error_messages == []
    assert set(task["vars"]) <= set(spec["options"])
