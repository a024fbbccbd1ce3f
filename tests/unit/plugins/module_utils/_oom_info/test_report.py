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
    ScoreChange,
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


def results_of(answer, findings=(), what_if=None, changes=(), top=20, killers=()):
    policy = Policy({"vm.panic_on_oom": 0}, {"vm.panic_on_oom": 1}, {"vm.panic_on_oom": None})
    killability = measure_killability(answer.snapshot)
    posture = Posture(answer.snapshot, policy, [], answer.domain, answer.next_victim, killability, killers=killers)
    return build_results(posture, answer, list(findings), what_if, changes, top, lambda uid: f"user{uid}")


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


def test_a_grower_that_no_score_stops():
    text = sentence(task("backup", MIB, score=-1000, pid=991), task("x", MIB, pid=5))
    assert text.startswith("If backup[991] goes on growing, x[5] dies first: give backup -")


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
    assert sentence(task("java", MIB, pid=7, score=-1000)) == ("If java[7] goes on growing, nothing can be killed.")


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


def test_a_group_in_the_first_line():
    tasks = [task("java", 2 * MIB, pid=7, cgroup="/a"), task("helper", MIB, cgroup="/a")]
    assert ", java[7] dies, with 1 more of its group (" in first_line(
        *tasks, cgroups=[limited("/a", None, oom_group=True)]
    )
    assert first_line(task("x", score=-1000)).endswith("there is nothing that can be killed.")


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
    found = results_of(before, what_if=after, changes=[ScoreChange(large, 0, -900)])
    assert found["what_if"]["next_victim"]["pid"] == 5
    assert found["what_if"]["changes"] == [dict(pid=6, name="large", unit=None, container=None, before=0, after=-900)]
    assert found["report"][1] == "next victim now large[6], with these pins small[5]"
    assert found["report"][2].startswith("with these pins: If small[5] goes on growing, it dies itself")
    assert found["if_it_grows"][0]["advice"] == dict(victim_score=-170, grower_score=170)


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
