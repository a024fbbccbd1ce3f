# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers import discovery
from ansible_collections.oomguard.linux.plugins.module_utils._killers.discovery import RegexMatcher
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import (
    KilledGroups,
    find_drop_ins_of_oomd,
    find_file_of_oomd,
    judge_by_meta_oomd,
    parse_rules,
)


@pytest.mark.parametrize(
    "words, file",
    [
        ("oomd", None),
        ("oomd -C /x", "/x"),
        ("oomd --config /y", "/y"),
        ("oomd --config=/z", "/z"),
        ("oomd -C", None),
        ("oomd -C/a -i 5 -C /b", "/b"),
        ("oomd -w /d", None),
    ],
)
def test_file(words, file):
    assert find_file_of_oomd(words.split()) == file


def test_folder_of_more_rules():
    assert find_drop_ins_of_oomd(["oomd", "-C", "/x", "--drop-in-dir=/d"]) == "/d"
    assert find_drop_ins_of_oomd(["oomd"]) is None


def action(name="kill_by_pg_scan", **arguments):
    return {"name": name, "args": arguments}


def rules(*actions):
    return "// a comment\n" + json.dumps({"rulesets": [{"name": "x", "detectors": [], "actions": list(actions)}]})


def test_rules():
    text = rules(
        action(cgroup="system.slice/*, user.slice"),
        action(cgroup="app", recursive="true"),
        action("log", cgroup="x"),
        action(cgroup="trial", dry="true"),
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


AVOID = "set managed_oom_preference=avoid for unit=x.service, or "
AVOIDED = dict(preference="avoid")
# The cgroup of a rule, whether it is recursive, the service, and the way out but for the rule: None
# if the pin binds, an empty text if there is no other way.
VERDICTS = {
    "killed": ("system.slice/*", "false", {}, AVOID),
    "killed, without a unit": ("system.slice/*", "false", dict(unit=None), "pin it by its unit, or "),
    "another": ("user.slice/*", "false", {}, None),
    "with its slice": ("system.slice", "false", {}, ""),
    "with its slice, whatever it prefers": ("system.slice", "false", AVOIDED, ""),
    "in its slice": ("system.slice", "true", {}, AVOID),
    "avoided in its slice": ("system.slice", "true", AVOIDED, None),
    "what is below": ("system.slice/*/*", "true", {}, None),
    "avoided": ("system.slice/*", "false", AVOIDED, None),
    "marked by the administrator": ("system.slice/*", "false", dict(is_marked=True), None),
    "omit is systemd's": ("system.slice/*", "false", dict(preference="omit"), AVOID),
    "divided, and killed at once": ("system.slice/*", "false", dict(AVOIDED, is_divided=True), None),
    "divided": ("system.slice/*", "true", dict(AVOIDED, is_divided=True), ""),
    "raised": ("system.slice/*", "false", dict(score=5), None),
}


@pytest.mark.parametrize("pattern, recursive, facts, way", VERDICTS.values(), ids=list(VERDICTS))
def test_judge(pattern, recursive, facts, way):
    values = dict(name="x", unit="x.service", score=-500, control_group="/system.slice/x.service", program="x")
    found = judge_by_meta_oomd(
        parse_rules("/x", rules(action(cgroup=pattern, recursive=recursive))),
        PinnedService(**dict(values, **facts)),
        RegexMatcher(),
    )
    if way is None:
        assert found is None
        return
    assert found.remedy == f"oomd may kill x ({pattern} in /x) and never reads scores: {way}change that rule"
    assert found.preference == ("avoid" if way else None)


def test_wildcards_that_match_the_name_of_a_user_in_many_ways(monkeypatch):
    monkeypatch.setattr(discovery, "MATCH_SECONDS", 0.1)
    pattern, begun = "*a" * 12 + "*b", time.monotonic()
    service = PinnedService("x", None, -500, "/user.slice/" + "a" * 250, "x")
    judge_by_meta_oomd(parse_rules("/x", rules(action(cgroup="user.slice/" + pattern))), service, RegexMatcher())
    assert time.monotonic() - begun < 5
