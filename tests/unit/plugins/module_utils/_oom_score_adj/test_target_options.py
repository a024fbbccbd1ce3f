# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a target, and the documentation of the modules that have them."""

import importlib

import pytest
import yaml

from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import (
    SELECTOR_OPTIONS,
    TARGET_OPTIONS,
)


def documented(module, option):
    name = "ansible_collections.oomguard.linux.plugins.modules." + module
    return yaml.safe_load(importlib.import_module(name).DOCUMENTATION)["options"][option]["suboptions"]


@pytest.mark.parametrize(
    "module, option, options",
    [
        ("oom_score_adj", "targets", TARGET_OPTIONS),
        ("oom_info", "what_if", TARGET_OPTIONS),
        ("oom_info", "grower", SELECTOR_OPTIONS),
    ],
)
def test_each_module_documents_them(module, option, options):
    found = documented(module, option)
    assert set(found) == set(options)
    for name, one in options.items():
        assert {key: found[name].get(key) for key in ("choices", "default")} == {
            key: one.get(key) for key in ("choices", "default")
        }
        assert found[name].get("type", "str") == one["type"]


def test_every_selector_is_an_option():
    assert set(SELECTOR_OPTIONS) == {*SELECTORS, "users"}
