# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest
from snapshots import GIB, HOST, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.advice import Advice, advise
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    Finding,
    Policy,
    Posture,
    measure_killability,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.report import (
    MAX_LINE,
    MAX_LINES,
    MAX_MESSAGE,
    Answer,
    Growers,
    ScoreChange,
    WhatIf,
    build_results,
    describe_growth,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import find_limit, measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast

APP, POSTGRES = "/system.slice/app.service", "/system.slice/system-postgresql.slice/postgresql@15-main.service"
CONTAINER = "/docker/" + "0f1e2d3c4b5a" + "6" * 52


def answer_of(*tasks, path=None, growers=(), **facts):
    snapshot = host_with(*tasks, **facts)
    domain = measure_host(snapshot) if path is None else find_limit(snapshot, path)
    if snapshot.rule is None:
        return Answer(snapshot, domain, None, None, [], {})
    forecast = Forecast(snapshot, snapshot.rule)
    growths = [forecast.predict_growth(one.pid) for one in growers]
    advice = {growth.grower.task.pid: advise(forecast, growth) for growth in growths if not growth.itself}
    return Answer(snapshot, domain, forecast.rank(domain), forecast.predict_next(domain), growths, advice)


def results_of(answer, findings=(), what_if=None, growers=None, top=20, killers=()):
    policy = Policy({"vm.panic_on_oom": 0}, {"vm.panic_on_oom": 1}, {"vm.panic_on_oom": None})
    killability = measure_killability(answer.snapshot)
    posture = Posture(answer.snapshot, policy, [], answer.domain, answer.next_victim, killability, killers=killers)
    return build_results(posture, answer, list(findings), what_if, growers, top, lambda uid: f"user{uid}")


def sentence(grower, *tasks, **facts):
    answer = answer_of(grower, *tasks, growers=[grower], **facts)
    growth = answer.growths[0]
    return describe_growth(growth, answer.advice.get(grower.pid), answer.snapshot)


# --- sentences ---------------------------------------------------------------------------


def test_a_grower_that_dies_itself():
    java = task("java", GIB, pid=2210, cgroup=APP)
    assert sentence(java, task("x", MIB)) == (
        "If java[2210] (app.service) goes on growing, it dies itself (margin 3.82 GiB)."
    )
    assert sentence(java) == "If java[2210] (app.service) goes on growing, it dies itself."


def test_a_grower_that_takes_a_daemon_with_it():
    backup, postgres = task("backup", MIB, pid=991), task("postgres", 4 * GIB, pid=700, cgroup=POSTGRES)
    assert sentence(backup, postgres) == (
        "If backup[991] goes on growing, postgres[700] (postgresql@15-main.service) dies first:"
        " give it -170 or backup +170."
    )
    assert "(postgresql@15-main.service) dies first, then 1 more" in sentence(
        task("backup", MIB, score=-600, pid=991), postgres, task("x", 3 * GIB)
    )


def test_an_immune_grower_is_what_is_left():
    text = sentence(task("backup", MIB, score=-1000, pid=991), task("x", MIB, pid=5))
    assert text.startswith("If backup[991] goes on growing, x[5] dies first: give backup -")
    assert text.endswith(". backup[991] is immune: once nothing else is left to kill, the host panics.")
    others = [task("x", 2 * MIB, pid=5), task("y", MIB)]
    init = task("systemd", MIB, pid=1, cgroup="/init.scope")
    assert sentence(init, *others) == (
        "If systemd[1] goes on growing, x[5] probably dies first, then 1 more."
        " systemd[1] is immune: once nothing else is left to kill, the host panics."
    )
    inside = [task("app", MIB, pid=7, score=-1000, cgroup="/a"), task("x", MIB, pid=5, cgroup="/a")]
    assert sentence(*inside, cgroups=[limited("/a", 90 * MIB, 2 * MIB)]).endswith(
        "app[7] is immune: once nothing else is left to kill, the processes there wait for memory."
    )
    # Something that is not seen may be left.
    assert sentence(init, *others, is_container=True).endswith("1 more. systemd[1] is immune, and does not die.")


def test_a_grower_that_the_kernel_passes_over_now_may_die_later():
    text = sentence(task("child", MIB, pid=7), task("x", 2 * MIB, pid=5), passed_over={7: "vfork"})
    assert "x[5]" in text and "immune" not in text


def test_it_is_not_certain():
    assert "it probably dies itself (margin" in sentence(task("java", MIB), task("x", 2 * GIB + 800 * MIB))


def test_a_limit_is_named():
    java = task("java", MIB, pid=7, cgroup="/a")
    text = sentence(java, cgroups=[limited("/a", 9 * MIB, MIB)])
    assert text == "If java[7] goes on growing in cgroup /a, it dies itself."


def test_a_group_is_named():
    tasks = [task("java", MIB, pid=7, cgroup="/a"), task("helper", MIB, cgroup="/a")]
    text = sentence(*tasks, cgroups=[limited("/a", 90 * MIB, 2 * MIB, oom_group=True)])
    assert text == "If java[7] goes on growing in cgroup /a, it dies itself with 1 more of its group (margin 88.2 MiB)."


@pytest.mark.parametrize(
    "facts, end",
    [
        (dict(panic_on_oom=2), "in cgroup /a, the host panics."),
        (dict(cgroups=[limited("/a", MIB, kill_disabled=True)]), "in cgroup /a, the processes there wait for ever."),
    ],
)
def test_something_else_than_a_kill(facts, end):
    facts.setdefault("cgroups", [limited("/a", MIB)])
    assert sentence(task("java", MIB, cgroup="/a"), **facts).endswith("goes on growing " + end)


def test_nothing_can_be_killed():
    java = task("java", MIB, pid=7, score=-1000, cgroup="/a")
    assert sentence(java) == "If java[7] goes on growing, nothing can be killed, and the host panics."
    assert sentence(java, is_hidden=True) == "If java[7] goes on growing, nothing can be killed."
    assert sentence(java, cgroups=[limited("/a", MIB)]) == (
        "If java[7] goes on growing in cgroup /a, nothing can be killed, and the processes there wait for memory."
    )


def first_line(*tasks, **facts):
    return results_of(answer_of(*tasks, **facts))["report"][0]


def test_the_first_line():
    assert first_line(task("java", GIB, pid=7), task("x", MIB)) == (
        "The host has 2.82 GiB left. If it is used up as it is held now, java[7] dies (certain, margin 1023 MiB)."
    )
    tasks = [task("java", 40 * MIB, pid=7, cgroup="/a"), task("x", 40 * MIB - 8, cgroup="/a")]
    assert first_line(*tasks, path="/a", cgroups=[limited("/a", 90 * MIB, 80 * MIB)]) == (
        "cgroup /a has 10 MiB left. If it is used up as it is held now, java[7] dies (not certain, margin 8 KiB)."
    )


@pytest.mark.parametrize(
    "facts, end",
    [
        (dict(release="2.4.0"), "No rule is known for the kernel 2.4.0, so nothing is predicted."),
        (dict(panic_on_oom=1), "the host panics (vm.panic_on_oom=1)."),
        (dict(kills_allocating_task=True), "whatever process asks for memory dies (vm.oom_kill_allocating_task)."),
        (
            dict(path="/a", cgroups=[limited("/a", MIB, kill_disabled=True)]),
            "its processes wait, and nothing is killed (oom_kill_disable).",
        ),
    ],
)
def test_why_there_is_no_next_victim(facts, end):
    results = results_of(answer_of(task("x", MIB, cgroup="/a"), **facts))
    assert results["report"][0].endswith(end)
    assert results["next_victim"] is None
    assert results["msg"].startswith("no next victim of ")


@pytest.mark.parametrize(
    "facts, msg",
    [
        (dict(panic_on_oom=1), "no next victim of the host: the host panics; no findings"),
        (dict(panic_on_oom=0), "no next victim of the host; no findings"),
        (
            dict(path="/a", cgroups=[limited("/a", MIB, kill_disabled=True)]),
            "no next victim of cgroup /a: its processes wait; no findings",
        ),
    ],
)
def test_message_says_what_happens_instead(facts, msg):
    immune = task("x", MIB, cgroup="/a")._replace(score=-1000)
    assert results_of(answer_of(immune, **facts))["msg"] == msg


def test_a_group_in_the_first_line():
    tasks = [task("java", 2 * MIB, pid=7, cgroup="/a"), task("helper", MIB, cgroup="/a")]
    assert ", java[7] dies, with 1 more of its group (" in first_line(
        *tasks, cgroups=[limited("/a", None, oom_group=True)]
    )


def end_without_victim(*tasks, path="/a", **facts):
    line = first_line(*tasks, path=path, cgroups=[limited("/a", 9 * MIB, MIB)], **facts)
    return line.partition("left. ")[2]


def test_an_empty_cgroup_is_not_one_that_is_immune():
    assert end_without_victim(task("x", MIB)) == "No process runs in it, so there is nothing to kill."
    assert end_without_victim(task("x", MIB), is_hidden=True).startswith("No process that is seen runs in it")
    immune = [task(name, MIB, pid=pid, score=-1000, cgroup="/a") for pid, name in enumerate("vwxyz", 4)]
    assert end_without_victim(immune[0]) == (
        "When it is used up, nothing can be killed, and the processes there wait for memory:"
        " its only process is immune (v[4])."
    )
    assert end_without_victim(*immune).endswith(
        "wait for memory: each of its 5 processes is immune (v[4], w[5], x[6] and 2 more)."
    )
    assert end_without_victim(*immune, path=None).startswith(
        "When it is used up, nothing can be killed, and the host panics: each of its 5"
    )
    assert end_without_victim(*immune, is_container=True) == (
        "When it is used up, nothing can be killed: each of its 5 processes that is seen is immune"
        " (v[4], w[5], x[6] and 2 more)."
    )
    passed_over = task("child", MIB, pid=9, cgroup="/a")
    assert end_without_victim(passed_over, passed_over={9: "vfork"}).endswith(
        "its only process is immune, or passed over by the kernel (child[9])."
    )


# --- values ------------------------------------------------------------------------------


def test_results():
    java = task("java", GIB, pid=2210, uid=33, cgroup=APP, swap_kb=4, pte_kb=8, pmd_kb=4)
    inside = task("web", MIB, pid=5, cgroup=CONTAINER)
    immune = task("udevd", MIB, pid=6, score=-1000)
    pinned = task("sshd", MIB, pid=8, score=-500)
    settings = OomdSettings([MonitoredGroup("-.slice", "/", ["swap"])])
    killer = UserKiller("systemd-oomd", "systemd-oomd.service", True, False, "252", settings, ["/"])
    idle = UserKiller("earlyoom", "earlyoom.service", False, True)
    finding = Finding("panic_hangs", "high", "kernel.panic", "it hangs", None)
    answer = answer_of(java, inside, immune, pinned, growers=[inside])
    found = results_of(answer, [finding], killers=[killer, idle])
    assert found["next_victim"] == dict(
        pid=2210,
        name="java",
        unit="app.service",
        container=None,
        score=0,
        certain=True,
        margin_kb=GIB + 12 - MIB,
        group=[],
        group_count=0,
    )
    assert found["ranking"][0] == dict(
        pid=2210,
        name="java",
        unit="app.service",
        container=None,
        user="user33",
        score=0,
        badness_kb=GIB + 12,
        rss_kb=GIB,
        swap_kb=4,
        pgtables_kb=12,
        counter_error_kb=0,
        chosen=True,
        skipped=None,
    )
    assert [(row["pid"], row["skipped"], row["chosen"]) for row in found["ranking"]] == [
        (2210, None, True),
        (5, None, False),
        (8, None, False),
        (6, "immune", False),
    ]
    growth = found["if_it_grows"][0]
    assert (growth["grower"]["container"], growth["itself"], growth["advice"]) == ("0f1e2d3c4b5a", True, None)
    assert (growth["domain"], growth["room_kb"]) == ("/", answer.domain.room_kb)
    assert [one["pid"] for one in found["protected"]] == [8]
    assert [one["pid"] for one in found["immune"]] == [6]
    assert found["killable"]["immune_kb"] == MIB
    assert found["killers"][0] == dict(
        name="systemd-oomd",
        unit="systemd-oomd.service",
        active=True,
        reads_scores=False,
        version="252",
        configuration={
            "monitored": [
                {
                    "unit": "-.slice",
                    "path": "/",
                    "reasons": ["swap"],
                    "owner": None,
                    "ignores_users": False,
                    "kills_all": (),
                }
            ]
        },
        candidates=["/"],
        problem=None,
    )
    assert (found["killers"][1]["configuration"], found["killers"][1]["candidates"]) == (None, None)
    assert found["findings"][0]["id"] == "panic_hangs"
    assert found["msg"] == "next victim of the host: java[2210] (app.service), certain; 1 finding, 1 high"
    assert found["what_if"] is None
    assert found["changed"] is False
    assert found["policy"] == dict(
        live={"vm.panic_on_oom": 0}, boot={"vm.panic_on_oom": 1}, boot_value_from={"vm.panic_on_oom": None}
    )


def test_what_if():
    small, large = task("small", MIB, pid=5), task("large", 4 * GIB, pid=6)
    before = answer_of(small, large, growers=[small])
    pinned = large._replace(score=-900)
    after = answer_of(small, pinned, growers=[small])
    found = results_of(before, what_if=WhatIf(after, [ScoreChange(large, 0, -900)]))
    assert found["what_if"]["next_victim"]["pid"] == 5
    assert found["what_if"]["changes"] == [dict(pid=6, name="large", unit=None, container=None, before=0, after=-900)]
    assert found["report"][1] == "next victim now large[6], with these pins small[5]"
    assert found["report"][2:] == [
        "Now, if small[5] goes on growing, large[6] dies first: give it -170 or small +170.",
        "With these pins, if small[5] goes on growing, it dies itself (margin 6.02 GiB).",
    ]
    assert found["if_it_grows"][0]["advice"] == dict(victim_score=-170, grower_score=170)


def lines_of(before, after, *growers, is_removal=False, idle=(), **facts):
    """Return the report on what changes if these processes become others."""
    answers = [answer_of(*tasks, growers=growers, **facts) for tasks in (before, after)]
    changes = [ScoreChange(one, one.score, other.score) for one, other in zip(before, after) if one != other]
    return results_of(answers[0], what_if=WhatIf(answers[1], changes, idle, is_removal))["report"][1:]


def test_each_line_says_whether_it_is_with_the_pins():
    java, other, far = task("java", MIB, pid=7), task("other", 2 * MIB, pid=8), task("far", 3 * MIB, pid=9)
    lines = lines_of([far, java, other], [far, java, other._replace(score=340)], java, other)
    assert lines == [
        "next victim now far[9] (not certain), with these pins other[8]",
        "Now, if java[7] goes on growing, it dies itself (margin 2.82 GiB).",
        "With these pins, if java[7] goes on growing, it probably dies itself (margin 99 MiB).",
        "Now, if other[8] goes on growing, it dies itself (margin 2.82 GiB).",
        "With these pins, if other[8] goes on growing, it dies itself (margin 5.54 GiB).",
    ]


def test_what_is_the_same_is_said_once():
    tasks = [task("java", GIB, pid=7), task("x", MIB, pid=8), task("y", 1, pid=9)]
    lines = lines_of(tasks, [*tasks[:2], tasks[2]._replace(score=-5)], tasks[0])
    assert lines[1:] == ["Now and with these pins, if java[7] goes on growing, it dies itself (margin 3.82 GiB)."]


def test_pins_that_are_taken_away():
    tasks = [task("java", GIB, pid=7, score=-900), task("x", MIB, pid=8)]
    lines = lines_of(tasks, [tasks[0]._replace(score=0), tasks[1]], tasks[1], is_removal=True)
    assert lines[0] == "next victim now x[8], without these pins java[7]"
    assert [line.partition(",")[0] for line in lines[1:]] == ["Now", "Without these pins"]


def test_another_victim_comes_first_and_findings_have_room():
    tasks = [task(f"t{pid}", MIB, pid=pid) for pid in range(10, 19)] + [task("large", 4 * GIB, pid=9)]
    after = [*tasks[:-2], tasks[-2]._replace(score=900), tasks[-1]]
    lines = lines_of(tasks, after, *tasks)
    assert len(lines) <= 7
    assert lines[1].startswith("Now, if t10[10] goes on growing, large[9] dies first")
    assert lines[2].startswith("With these pins, if t10[10] goes on growing, t18[18] dies first")


def test_pins_that_change_nothing_are_named():
    inside, outside = task("java", MIB, pid=7, cgroup="/a"), task("x", MIB, pid=8)
    group = dict(path="/a", cgroups=[limited("/a", 9 * MIB, MIB)])
    lines = lines_of([inside, outside], [inside, outside._replace(score=5)], **group)
    assert lines == [
        "next victim now and with these pins java[7]",
        "x[8] is outside of cgroup /a, so its score does not count there.",
    ]
    others = [task("y", MIB, pid=pid) for pid in range(20, 25)]
    lines = lines_of([inside, *others], [inside, *(one._replace(score=5) for one in others)], **group)
    assert lines[1] == "y[20], y[21], y[22] and 2 more are outside of cgroup /a, so their scores do not count there."
    assert lines_of([inside], [inside], idle=["pid=7"])[1] == "This target of what_if would change nothing now: pid=7."
    assert lines_of([inside], [inside], idle=["pid=7", "unit=a\nb"])[1] == (
        "These targets of what_if would change nothing now: pid=7, unit=a\\x0ab."
    )


def test_what_if_of_a_host_without_a_next_victim():
    java = task("java", MIB, pid=7)
    assert lines_of([java], [java._replace(score=5)], panic_on_oom=1) == ["With these pins, that stays the same."]
    assert lines_of([java], [java._replace(score=5)], release="2.4.0") == []


def test_growers_without_a_sentence_are_counted():
    tasks = [task("x", MIB, pid=pid) for pid in range(10, 20)]
    found = answer_of(*tasks, growers=tasks)

    def ends_of(growers):
        return [line for line in results_of(found, growers=growers)["report"] if "grower" in line]

    pids = [one.pid for one in tasks]
    assert ends_of(None) == []
    assert ends_of(Growers(pids)) == ["grower selects 5 more: if_it_grows has all of them."]
    assert ends_of(Growers(pids, 0, 3)) == ["grower selects 8 more: if_it_grows has only the 10 largest (top)."]
    assert ends_of(Growers(pids[:5], 1)) == ["1 process that grower selects is outside of the host, and is left out."]
    assert ends_of(Growers(pids[:5], 2)) == [
        "2 processes that grower selects are outside of the host, and are left out."
    ]


def test_a_report_has_an_end():
    finding = Finding("boot_differs", "medium", "x", "y" * 1000, None)
    tasks = [task("x" * 15, MIB + number) for number in range(300)]
    answer = answer_of(*tasks, growers=tasks)
    found = results_of(answer, [finding] * 30)
    assert len(found["report"]) == MAX_LINES
    assert found["report"][-1] == "... and 25 more"
    assert max(map(len, found["report"])) == MAX_LINE
    assert len(found["msg"]) <= MAX_MESSAGE


def test_a_result_has_an_end():
    """A user forks thousands of processes, with any name and any score."""
    group = limited("/a", None, oom_group=True)
    tasks = [task("x" * 15, MIB, score=-5, cgroup="/a", file_kb=number) for number in range(3000)]
    immune = [task("y", score=-1000) for _number in range(3000)]
    answer = answer_of(*tasks, *immune, growers=tasks[:20], cgroups=[group])
    found = results_of(answer)
    assert (found["protected_count"], found["immune_count"], found["next_victim"]["group_count"]) == (3000, 3000, 2999)
    assert len(json.dumps(found)) < 64 << 10


def test_what_takes_others_with_it_comes_first():
    daemon, backup = task("daemon", 4 * GIB, pid=6), task("backup", MIB, pid=5)
    lines = results_of(answer_of(daemon, backup, growers=[daemon, backup]))["report"]
    assert lines[1].startswith("If backup[5]")
    assert lines[2].startswith("If daemon[6]")


def test_top_bounds_the_ranking():
    answer = answer_of(task("a", MIB), task("b", MIB), host=HOST)
    assert [len(results_of(answer, top=top)["ranking"]) for top in (0, 1, 9)] == [0, 1, 2]


def test_advice_of_one_score_only():
    growth_of = answer_of(task("small", MIB, pid=5), task("large", 4 * GIB, pid=6)).snapshot
    forecast = Forecast(growth_of, growth_of.rule)
    growth = forecast.predict_growth(5)
    texts = [describe_growth(growth, advice, growth_of) for advice in (Advice(-100, None), Advice(None, None), None)]
    assert [text.partition("dies first")[2] for text in texts] == [": give it -100.", ".", "."]


def test_a_cgroup_with_a_line_feed_in_its_name_is_one_line():
    java = task("java", MIB, pid=7, cgroup="/a\nb")
    found = results_of(answer_of(java, growers=[java], path="/a\nb", cgroups=[limited("/a\nb", 9 * MIB, MIB)]))
    assert "\n" not in "".join([*found["report"], found["msg"]])
    assert found["report"][1].startswith("If java[7] goes on growing in cgroup /a\\x0ab,")
