# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a host answers, each value gets its type and its bound."""

import json
import unicodedata

import pytest
from report_answers import HOSTILE, SECOND, answer, event, places, poison, put
from test_hostile_answers import COLLECTION

from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import HIGH, LOW, MEDIUM
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import (
    ON_OOM,
    PINS,
    PROMISES,
    Fix,
    write_task,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils import report_answer
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import (
    accept_cursor,
    accept_events,
    accept_findings,
    accept_losses,
    accept_posture,
    read_moment,
    read_number,
    read_text,
    read_truth,
    read_word,
)

HONEST = answer(event(1), event(2, with_todays_pins=None), lost=["a sentence"])
EVERY_PLACE = list(places(HONEST))


def accept(value):
    """Return all that is taken from an answer."""
    return {
        "posture": accept_posture(value),
        "findings": accept_findings(value),
        "events": accept_events(value),
        "lost": accept_losses(value),
        "cursor": accept_cursor(value),
    }


def test_an_honest_answer_is_kept():
    found = accept(HONEST)
    assert found["events"] == [event(1), event(2, with_todays_pins=None)]
    assert found["findings"] == HONEST["findings"]
    assert (found["lost"], found["cursor"]) == (["a sentence"], HONEST["cursor"])
    posture = found["posture"]
    assert posture["next_victim"] == {
        "name": "java",
        "unit": "app.service",
        "container": None,
        "score": 0,
        "certain": True,
        "margin_kb": 1258291,
    }
    assert posture["sysctls"] == [
        {
            "name": "kernel.panic",
            "live": 10,
            "boot": None,
            "boot_value_from": "/etc/sysctl.d/50-reboot.conf line 2",
        },
        {"name": "vm.panic_on_oom", "live": 0, "boot": 0, "boot_value_from": None},
    ]
    assert [(pin["unit"], pin["score"]) for pin in posture["pins"]] == [("ssh.service", -1000), ("db.service", -500)]
    assert posture["killers"] == HONEST["killers"]
    assert (posture["room_kb"], posture["limit_kb"], posture["unlogged_kills"]) == (4000000, 8000000, 0)


# Controls, surrogates, separators of lines, and what changes the order of letters.
UNSAFE = {"Cc", "Cs", "Zl", "Zp"}
ORDER = set("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def assert_safe(found):
    """Check what every reader relies on."""
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode("utf-8")
    for place in places(found):
        value = found
        for key in place:
            value = value[key]
        if isinstance(value, str):
            assert len(value) <= (20_000 if place == ("cursor",) else 1000), place
            kept = value.replace("\n", "") if place[-1] == "fix" else value
            assert not UNSAFE & set(map(unicodedata.category, kept)) and not ORDER & set(kept), place
        elif isinstance(value, int):
            assert abs(value) <= 2**53


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_value_in_every_place(name):
    for place in EVERY_PLACE[1:]:
        assert_safe(accept(put(HONEST, place, HOSTILE[name])))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_value_in_all_places_at_once(name):
    assert_safe(accept(poison(HONEST, HOSTILE[name])))


@pytest.mark.parametrize("key", ["policy", "killers", "findings", "events", "protected", "lost", "next_victim"])
def test_a_missing_part_is_missing(key):
    assert_safe(accept({name: value for name, value in HONEST.items() if name != key}))


def test_keys_of_a_host_become_no_keys():
    hostile = {name: 1 for name in HOSTILE.values() if isinstance(name, str)}
    posture = accept_posture(answer(policy={"live": hostile, "boot": hostile, "boot_value_from": hostile}))
    assert posture["sysctls"] == []


def test_lists_are_bounded():
    many = answer(*(event(number) for number in range(5000)))
    many["findings"] = [{**many["findings"][0], "object": str(number)} for number in range(5000)]
    many["protected"] = [{**many["protected"][0], "name": str(number)} for number in range(5000)]
    many["killers"] *= 5000
    many["lost"] = [str(number) for number in range(5000)]
    found = accept(many)
    assert len(found["events"]) == report_answer.MAX_EVENTS
    assert len(found["findings"]) == report_answer.MAX_FINDINGS
    assert len(found["posture"]["pins"]) == report_answer.MAX_PINS
    assert len(found["posture"]["killers"]) == 20
    assert len(found["lost"]) == report_answer.MAX_LOSSES


def test_one_kill_counts_once():
    assert accept_events(answer(event(1, name="first"), event(1, name="second"))) == [event(1, name="second")]


def test_findings_are_those_of_the_documentation():
    headings = (COLLECTION / "docs" / "findings.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert set(report_answer.FINDING_IDS) == {heading.split("\n")[0] for heading in headings}
    assert report_answer.SEVERITIES == (HIGH, MEDIUM, LOW)


def test_findings_of_other_kinds_are_left_out():
    finding = answer()["findings"][0]
    assert accept_findings(answer(findings=[{**finding, "id": "mine"}, {**finding, "severity": "worst"}])) == []


def test_the_most_severe_finding_is_first():
    finding = answer()["findings"][0]
    found = accept_findings(
        answer(findings=[{**finding, "severity": one, "object": one} for one in ("low", "high", "medium")])
    )
    assert [one["severity"] for one in found] == ["high", "medium", "low"]


PIN = "- oomguard.linux.oom_score_adj:\n    unit: "


@pytest.mark.parametrize(
    "fix",
    [
        write_task(Fix(PINS, targets=({"unit": "a.service", "score": -500, "oom_policy": "continue"},))),
        write_task(Fix(PINS, targets=({"unit": "a.service"}, {"process": "caf\xe9\n", "score": -5}))),
        write_task(Fix(ON_OOM, {"kill_allocating_task": False})),
        write_task(Fix(PROMISES, {"mode": "heuristic"})),
    ],
)
def test_a_fix_keeps_its_lines(fix):
    [found] = accept_findings(answer(findings=[{**answer()["findings"][0], "fix": fix}]))
    assert found["fix"] == fix


@pytest.mark.parametrize(
    "fix",
    [
        "",
        f'{PIN}"{"x" * 1000}"\n',
        "- ansible.builtin.shell:\n    cmd: id\n",
        f"{PIN}a\n- ansible.builtin.shell:\n    cmd: id\n",
        f"{PIN}a\n  become_user: root\n",
        f"{PIN}\"{{{{ lookup('ansible.builtin.pipe', 'id') }}}}\"\n",
        f'{PIN}"{{% raw %}}"\n',
        f"{PIN}a\x1b[2J\n",
        f"{PIN}caf\xe9\n",
        f"{PIN}a",
    ],
)
def test_a_fix_that_is_none_of_ours_is_left_out(fix):
    """Somebody may paste it into a playbook for other hosts. Half a task would do another thing."""
    [found] = accept_findings(answer(findings=[{**answer()["findings"][0], "fix": fix}]))
    assert found["fix"] is None


@pytest.mark.parametrize(
    "text, epoch",
    [
        (SECOND, 1795935600.0),
        ("2026-11-29T07:00:00.123456Z", 1795935600.0),
        ("2024-02-29T00:00:00Z", 1709164800.0),
        ("2026-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59Z", 253402300799.0),
        ("2026-11-29T24:00:00Z", None),
        ("2026-11-29T07:60:00Z", None),
        ("2026-11-29 07:00:00Z", None),
        ("2026-11-29T07:00:00+01:00", None),
        ("\u0662026-11-29T07:00:00Z", None),
        (SECOND + "\n", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_moment(text, epoch):
    assert read_moment(text) == epoch


@pytest.mark.parametrize("value, number", [(7, 7), (-7, -7), (True, None), (7.0, None), ("7", None), (2**53 + 1, None)])
def test_number(value, number):
    assert read_number(value) == number
    assert read_number(-1, least=0) is None


def test_words():
    assert (read_text("a\nb"), read_text(""), read_text(7)) == ("a\\x0ab", None, None)
    assert (read_truth(True), read_truth(1), read_truth("true")) == (True, None, None)
    assert (read_word("a", ["a"]), read_word("b", ["a"]), read_word(["a"], ["a"])) == ("a", None, None)


@pytest.mark.parametrize("cursor, kept", [("kmsg|x|y:7|", True), ("a\nb", False), ("x" * 20_001, False), (7, False)])
def test_cursor(cursor, kept):
    assert accept_cursor({"cursor": cursor}) == (cursor if kept else None)
