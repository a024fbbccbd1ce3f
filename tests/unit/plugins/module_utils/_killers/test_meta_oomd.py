# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import (
    KilledGroups,
    find_file_of_oomd,
    judge_by_meta_oomd,
    parse_rules,
)


@pytest.mark.parametrize(
    "words, file",
    [("oomd", None), ("oomd -C /x", "/x"), ("oomd --config /y", "/y"), ("oomd --config=/z", "/z"), ("oomd -C", None)],
)
def test_file(words, file):
    assert find_file_of_oomd(words.split()) == file


def action(name="kill_by_pg_scan", **arguments):
    return {"name": name, "args": arguments}


def rules(*actions):
    return "// a comment\n" + json.dumps({"rulesets": [{"name": "x", "detectors": [], "actions": list(actions)}]})


def test_rules():
    text = rules(
        action(cgroup="system.slice/*, user.slice"), action(cgroup="app", recursive="true"), action("log", cgroup="x")
    )
    assert parse_rules("/x", text).killed == [
        KilledGroups("system.slice/*", False),
        KilledGroups("user.slice", False),
        KilledGroups("app", True),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"rulesets": 7}', '{"rulesets": [7]}', "[" * 100000])
def test_rules_that_cannot_be_read(text):
    with pytest.raises(InputError, match="/x cannot be read as rules of oomd"):
        parse_rules("/x", text)


VERDICTS = {
    "killed": ("system.slice/*", "false", {}, False),
    "another": ("user.slice/*", "false", {}, True),
    "the slice alone": ("system.slice", "false", {}, True),
    "what is in the slice": ("system.slice", "true", {}, False),
    "what is below": ("system.slice/*/*", "true", {}, True),
    "avoided": ("system.slice/*", "false", dict(preference="avoid"), True),
    "omit is systemd's": ("system.slice/*", "false", dict(preference="omit"), False),
    "divided": ("system.slice/*", "false", dict(preference="avoid", is_divided=True), False),
    "raised": ("system.slice/*", "false", dict(score=5), True),
}


@pytest.mark.parametrize("pattern, recursive, facts, is_bound", VERDICTS.values(), ids=list(VERDICTS))
def test_judge(pattern, recursive, facts, is_bound):
    values = dict(name="x", unit="x.service", score=-500, control_group="/system.slice/x.service", program="x")
    found = judge_by_meta_oomd(
        parse_rules("/x", rules(action(cgroup=pattern, recursive=recursive))), PinnedService(**dict(values, **facts))
    )
    assert (found is None) is is_bound
