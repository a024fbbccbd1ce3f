# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From outcomes to the result: facts, lines for a person, and pins that do not last."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    Change,
    NotBinding,
    Outcome,
    PassedOver,
    Pin,
    SelectedContainer,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import (
    MAX_MSG_CHARACTERS,
    MAX_PASSED_OVER,
    MAX_REPORT_LINES,
    find_not_lasting,
    pin_results,
    report_pins,
    summarize_pins,
)


def change(pid, before, after, name="dockerd"):
    return Change(Process(pid, name, 100, 1, False, 0), before, after)


def outcome(pin, changes=(), inherited=(), **facts):
    facts = dict(dict(unit=None, services=set(), vanished=0), **facts)
    return Outcome(pin, changes=list(changes), inherited=list(inherited), **facts)


def test_recorded_processes_of_other_targets_are_other_lines():
    changes = [change(522, 500, 0, "busybox"), change(1915, -300, 0, "sleep"), change(523, 500, 0, "busybox")]
    recorded = outcome(Pin("record", "/run/oomguard/scores", None, "absent"), changes, [change(9, 500, 0, "sh")])
    assert report_pins([recorded], planned=False) == [
        "busybox[522] and 1 more: 500 -> 0, 1 child reset",
        "sleep[1915]: -300 -> 0",
    ]
    assert report_pins([recorded._replace(changes=[])], planned=False) == [
        "record=/run/oomguard/scores: not on this host, no change"
    ]


def test_pin_results():
    drop_in = DropIn("/x.conf", None, "[Service]\n")
    unit = outcome(
        Pin("unit", "x.service", -5),
        [change(7, 0, -5, "x")],
        [change(8, -5, -5, "x")],
        unit="x.service",
        vanished=1,
        drop_in=drop_in,
        effective_after_restart=-5,
        preference="avoid",
        restart_required=True,
    )
    process = outcome(Pin("process", "x", -5), [change(7, 0, -5, "x")])
    stranger = PassedOver(Process(9, "x", 100, 1, False, 0), 1000, "it runs as uid 1000")
    process = process._replace(passed_over=(stranger,) * (MAX_PASSED_OVER + 1))
    identity = dict(name="x", start_time=100)
    expected = dict(
        target="unit=x.service",
        unit="x.service",
        container_id=None,
        container_name=None,
        found=True,
        changed=True,
        vanished=1,
        processes=[dict(identity, pid=7, before=0, after=-5)],
        inherited=[dict(identity, pid=8, score=-5, after=-5)],
        skipped_foreign=[],
        drop_in=dict(path="/x.conf", before=None, after="[Service]\n"),
        effective_after_restart=-5,
        managed_oom_preference="avoid",
        restart_required=True,
        survives=None,
    )
    skipped = [dict(pid=9, name="x", uid=1000, why="it runs as uid 1000")] * MAX_PASSED_OVER
    nothing = dict(
        unit=None,
        skipped_foreign=skipped,
        inherited=[],
        vanished=0,
        drop_in=None,
        effective_after_restart=None,
        managed_oom_preference=None,
    )
    unbound = NotBinding("unit=x.service", "x.service", "earlyoom", "it sorts by RSS")
    assert pin_results([unit, process], Killable(2, 1), not_binding=[unbound]) == dict(
        changed=True,
        msg="2 pins changed, 0 unchanged; not lasting: x (inherited by 1 child), process=x (has no unit)",
        report=[
            "x[7]: 0 -> -5 (x.service); not lasting: inherited by 1 child",
            "x[7]: 0 -> -5; not lasting: has no unit",
        ],
        not_lasting=[
            dict(target="unit=x.service", unit="x.service", reason="inherited by 1 child"),
            dict(target="process=x", unit=None, reason="has no unit"),
        ],
        not_binding=[dict(target="unit=x.service", unit="x.service", killer="earlyoom", reason="it sorts by RSS")],
        targets=[expected, dict(expected, target="process=x", restart_required=False, **nothing)],
        killable=dict(killable_kb=2, immune_kb=1, percent=66),
        diff=dict(
            before="7 x oom_score_adj 0\n8 x oom_score_adj -5\n",
            after="7 x oom_score_adj -5\n8 x oom_score_adj -5\n# /x.conf\n[Service]\n",
        ),
        next_victim=None,
    )
    assert not pin_results([], Killable(2, 1))["changed"]


def test_a_prediction_has_the_last_word():
    """However many targets there are, and however much does not last."""
    line = "next victim now dockerd[812], with these pins java[2210]"
    next_victim = dict(now={}, with_pins={}, text=line)
    one = outcome(Pin("unit", "x.service", -5), [change(7, 0, -5, "x")], unit="x.service")
    answer = pin_results([one], Killable(2, 1), True, next_victim=next_victim)
    assert answer["msg"] == f"x[7]: 0 -> -5; {line}"
    assert answer["report"] == ["x[7]: 0 -> -5 (x.service)", line]
    assert answer["next_victim"] == next_victim
    many = [outcome(Pin("process", f"{number}" * 9, -5), [change(number, 0, -5)]) for number in range(30)]
    answer = pin_results(many, Killable(2, 1), True, next_victim=next_victim)
    assert answer["msg"].endswith(f"...; {line}") and len(answer["msg"]) == MAX_MSG_CHARACTERS
    assert len(answer["report"]) == MAX_REPORT_LINES
    assert answer["report"][-2:] == ["... and 20 more", line]
    answer = pin_results(many, Killable(2, 1), True, next_victim=dict(next_victim, text="x" * 999))
    assert [len(answer["msg"]), len(answer["report"][-1])] == [MAX_MSG_CHARACTERS] * 2
    assert pin_results([one], Killable(2, 1), True, next_victim=dict(next_victim, text=None))["msg"] == "x[7]: 0 -> -5"


# --- one line for a target -----------------------------------------------------------

UNIT = Pin("unit", "docker.service", -500, persistent=True)
WRITTEN = DropIn("/etc/systemd/system/docker.service.d/60-oomguard.conf", None, "ours")
REMOVED = WRITTEN._replace(before="ours", after=None)
FACTS = dict(unit="docker.service", effective_after_restart=-500, drop_in=WRITTEN, running=True)


def facts(**others):
    """Return the facts of a running unit, with these instead."""
    return {**FACTS, **others}


ABSENT = UNIT._replace(score=None, state="absent")
USER_UNIT = ABSENT._replace(selector="user_unit", value="alice/app.service")
WEB = SelectedContainer("69dc3709e8f3" + "0" * 52, "web1")
POSTGRES = [change(812, -900, -500, "postgres"), *(change(pid, 0, -500, "postgres") for pid in range(813, 818))]

LINES = {
    "a unit": (outcome(UNIT, [change(287, 0, -500)], reload=True, **FACTS), "dockerd[287]: 0 -> -500, drop-in written"),
    "a unit that was pinned before": (
        outcome(UNIT, [change(287, -500, -500)], **FACTS),
        "dockerd[287]: -500, no change",
    ),
    "a unit whose process has lost its score": (
        outcome(UNIT, [change(287, 0, -500)], **FACTS),
        "dockerd[287]: 0 -> -500",
    ),
    "a drop-in that systemd has not read": (
        outcome(UNIT, [change(287, -500, -500)], reload=True, **facts(drop_in=WRITTEN._replace(before="ours"))),
        "dockerd[287]: -500, drop-in loaded",
    ),
    "a unit that does not run": (
        outcome(UNIT, reload=True, **facts(running=False)),
        "docker.service is not running: pinned from its next start",
    ),
    "a unit that does not run, again": (
        outcome(UNIT, **facts(running=False)),
        "docker.service is not running: no change",
    ),
    "a unit without a main process": (
        outcome(UNIT, reload=True, **FACTS),
        "docker.service has no main process: pinned from its next start",
    ),
    "a removed pin": (
        outcome(ABSENT, [change(287, -500, 0)], reload=True, **facts(drop_in=REMOVED)),
        "dockerd[287]: -500 -> 0, drop-in removed",
    ),
    "a removed pin, with children": (
        outcome(ABSENT, [change(287, -500, 0)], [change(9, -500, 0)], reload=True, **facts(drop_in=REMOVED)),
        "dockerd[287]: -500 -> 0, drop-in removed, 1 child reset",
    ),
    "a removed pin of a unit that does not run": (
        outcome(ABSENT, reload=True, **facts(drop_in=REMOVED, running=False)),
        "docker.service is not running: drop-in removed",
    ),
    "a drop-in with a colleague's lines": (
        outcome(ABSENT, reload=True, **facts(drop_in=REMOVED._replace(after="theirs"), running=False)),
        "docker.service is not running: drop-in restored",
    ),
    "a drop-in without a unit": (
        outcome(Pin("drop_in", "/run/x.conf", None, "absent"), drop_in=REMOVED, reload=True),
        "/run/x.conf: drop-in removed",
    ),
    "a service of a user that does not run": (
        outcome(USER_UNIT, reload=True, **facts(unit="app.service", drop_in=REMOVED, running=False)),
        "app.service of alice is not running: drop-in removed",
    ),
    "a service of all users that does not run": (
        outcome(
            USER_UNIT._replace(for_all_users=True),
            reload=True,
            **facts(unit="app.service", drop_in=REMOVED, running=False),
        ),
        "app.service of all users is not running: drop-in removed",
    ),
    "no such service of a user": (outcome(USER_UNIT), "app.service of alice: not on this host, no change"),
    "no such unit": (outcome(ABSENT, unit="x.service"), "x.service: not on this host, no change"),
    "no such process": (outcome(Pin("process", "a\nb", 1)), "process=a\\x0ab: not on this host, no change"),
    "several processes": (
        outcome(Pin("process", "postgres", -500), POSTGRES, unit="postgresql@15-main.service", units=(("p", 6),)),
        "postgres[812] and 5 more: -900..0 -> -500",
    ),
    "a container": (
        outcome(Pin("container", "web1", 500), [change(471, 0, 500, "nginx")], container=WEB),
        "web1 (69dc3709e8f3): nginx[471]: 0 -> 500",
    ),
    "a container without an engine": (
        outcome(Pin("container", "69dc", 500), [change(471, 0, 500, "nginx")], container=WEB._replace(name=None)),
        "69dc3709e8f3: nginx[471]: 0 -> 500",
    ),
}


@pytest.mark.parametrize("one, line", LINES.values(), ids=list(LINES))
def test_line_of_a_target(one, line):
    assert summarize_pins([one], [], False) == line
    assert report_pins([one], False)[0].startswith(line)


def test_report_names_the_user_of_a_service():
    one = outcome(USER_UNIT._replace(score=-5, state="present"), [change(7, 0, -5, "app")], unit="app.service")
    assert report_pins([one], False) == ["app[7]: 0 -> -5 (app.service of alice)"]


def test_line_of_a_plan():
    one = LINES["a unit"][0]
    assert report_pins([one], True) == ["dockerd[287]: 0 -> -500, drop-in to be written (docker.service)"]


# --- all targets -----------------------------------------------------------------------


def test_summary_of_many():
    changed, same = LINES["a unit"][0], LINES["a unit that was pinned before"][0]
    missing = LINES["no such process"][0]
    assert summarize_pins([changed, changed, same], [], False) == "2 pins changed, 1 unchanged"
    assert summarize_pins([changed, same, missing], [], True) == "1 pin would change, 1 unchanged, 1 not on this host"
    assert summarize_pins([], [], False) == "no pin of this collection is on this host"


def test_message_is_one_short_line():
    pin = Pin("pattern", "x" * 500, 1)
    for outcomes in ([outcome(pin)], [outcome(pin, [change(7, 0, 1)], unit="y" * 255 + ".service")] * 2):
        line = summarize_pins(outcomes, find_not_lasting(outcomes), False)
        assert len(line) <= MAX_MSG_CHARACTERS and "\n" not in line
        assert all(len(line) <= MAX_MSG_CHARACTERS for line in report_pins(outcomes, False))


def test_report_has_few_lines_and_changes_first():
    same = [outcome(Pin("pid", "7", 1), [change(pid, 1, 1)]) for pid in range(MAX_REPORT_LINES)]
    assert len(report_pins(same, False)) == MAX_REPORT_LINES
    lines = report_pins([*same, outcome(Pin("pid", "7", 1), [change(99, 0, 1)])], False)
    assert len(lines) == MAX_REPORT_LINES
    assert lines[0].startswith("dockerd[99]: 0 -> 1") and lines[-1] == "... and 2 more"


# --- pins that do not last ----------------------------------------------------------------

COLLEAGUE = "/etc/systemd/system/docker.service.d/99-colleague.conf"
HEIRS = [change(pid, -500, -500) for pid in (8, 9)]
NOT_LASTING = {
    "a unit": (outcome(UNIT, [change(7, 0, -500)], **FACTS), []),
    "a later drop-in": (outcome(UNIT, [change(7, 0, -500)], winner=COLLEAGUE, **FACTS), ["99-colleague.conf wins"]),
    "children": (outcome(UNIT, [change(7, -500, -500)], HEIRS, **FACTS), ["inherited by 2 children"]),
    "both": (
        outcome(UNIT, [change(7, -500, -500)], HEIRS, winner=COLLEAGUE, **FACTS),
        ["99-colleague.conf wins", "inherited by 2 children"],
    ),
    "children that were reset": (
        outcome(UNIT, [change(7, -500, -500)], [change(8, -500, 0)], **FACTS),
        [],
    ),
    "children with an old score": (outcome(UNIT, [change(7, -300, -500)], [change(8, -300, -300)], **FACTS), []),
    "children at 0": (outcome(UNIT._replace(score=0), [change(7, 0, 0)], [change(8, 0, 0)], **FACTS), []),
    "no unit": (outcome(Pin("pid", "7", 1), [change(7, 0, 1)], units=((None, 1),)), ["has no unit"]),
    "not by its unit": (
        outcome(Pin("process", "x", 1), [change(7, 0, 1)], units=(("b.service", 1), ("a.service", 2), (None, 1))),
        ["not by its unit a.service, b.service"],
    ),
    "not by its unit, without a process": (outcome(Pin("process", "x", 1)), []),
    "a unit that is asked not to last": (outcome(UNIT._replace(persistent=False), [change(7, 0, -500)]), []),
    "a removed pin": (outcome(ABSENT, [change(7, -500, 0)], HEIRS, winner=COLLEAGUE, **FACTS), []),
}


@pytest.mark.parametrize("one, reasons", NOT_LASTING.values(), ids=list(NOT_LASTING))
def test_find_not_lasting(one, reasons):
    assert [found.reason for found in find_not_lasting([one])] == reasons


def test_aliases_of_a_unit_are_one_pin():
    outcomes = [
        outcome(UNIT._replace(value=name), [change(7, 0, -500)], winner=COLLEAGUE, **FACTS)
        for name in ("docker.service", "moby.service")
    ]
    assert len(find_not_lasting(outcomes)) == 1
    assert summarize_pins(outcomes, find_not_lasting(outcomes), False).endswith(
        "; not lasting: docker (99-colleague.conf wins)"
    )
