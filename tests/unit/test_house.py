# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code keeps the rules of docs/architecture.md on folders, imports and names."""

import os
import re

import house
import pytest

FILES = house.python_files()
SHARED_FILES = [path for path in FILES if path.startswith(("module_utils/", "plugin_utils/"))]


def test_only_errors_stand_in_the_hall():
    directly = [path for path in FILES if os.path.dirname(path) == "module_utils"]
    assert directly == ["module_utils/_errors.py"]


@pytest.mark.parametrize("path", FILES)
def test_imports_follow_the_arrows(path):
    assert house.forbidden_arrows(path) == []


@pytest.mark.parametrize("path", house.pure_files())
def test_pure_files_are_pure(path):
    assert house.impurities(path) == []


def test_every_pure_file_is_there():
    single = [path for path in house.PURE if path.endswith(".py")]
    assert [path for path in single if path not in FILES] == []


def test_one_name_has_one_meaning():
    homes = {}
    for path in SHARED_FILES:
        for name in house.definitions(path):
            homes.setdefault(name, []).append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("path", FILES)
def test_the_floor_of_python(path):
    """Ruff has no rule against type comments, or against str.format() instead of f-strings."""
    with open(os.path.join(house.PLUGINS, path), encoding="utf-8") as stream:
        text = stream.read()
    assert re.findall(r"# type: (?!ignore\[).*|\.format\(", text) == []


@pytest.mark.parametrize("path", [path for path in SHARED_FILES if path != "module_utils/_errors.py"])
def test_each_file_has_its_tests(path):
    folder, name = os.path.split(path)
    where = os.path.join("plugins", folder, "test_" + name)
    tests = os.path.dirname(os.path.abspath(__file__))
    controller = os.path.join(os.path.dirname(tests), "controller", "test_" + name)
    assert os.path.isfile(os.path.join(tests, where)) or os.path.isfile(controller)
