# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads about the kills of a host."""

import random

import pytest
from event_lines import DOCKER, ID, POD, POD_UID, SESSION, SHOP, events_of, kmsg, report, stamped

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import kill_groups
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.kill_groups import KillGroups
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.wording import (
    Circumstances,
    PinnedKills,
    build_what,
    describe_what_if,
    format_moment,
    write_kill_report,
    write_msg,
)

NAMES = ContainerNames({ID: "web1"}, {POD_UID: "shop/web-0"})
TODAY = "2026-11-28"
WHOLE = dict(records=0, suppressed_reports=0, gap=False, files=[])
CALM = Circumstances("since 06:00Z (boot)", TODAY, None, [], WHOLE, 0)
NOTHING_KILLABLE = "Out of memory and no killable processes..."
PANIC = "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled"
UNIT = "Jul 25 14:31:34 host "


def group(events):
    groups = KillGroups()
    for event in events:
        groups.add(event, 0)
    return groups


def read(lines, circumstances=CALM):
    groups = group(events_of(lines))
    return write_msg(groups, circumstances), write_kill_report(groups, circumstances, NAMES)


WHY = {"chosen": {"pid": 7, "name": "eat"}}
OTHER = {"victim": {"pid": 9, "name": "a b"}, "is_other": True, "unanswered": []}


@pytest.mark.parametrize(
    "what_if, text",
    [
        (OTHER, 'with these pins "a b"[9] would have been chosen instead of eat[7]'),
        (dict(OTHER, victim=None), "with these pins no process could have been killed"),
        (
            dict(OTHER, is_other=False, unanswered=["x"]),
            "with these pins eat[7] would have been chosen all the same, as far as the log shows",
        ),
    ],
)
def test_what_if(what_if, text):
    assert describe_what_if({"what_if": what_if, "why": WHY}) == text


@pytest.mark.parametrize(
    "pins, line",
    [
        (PinnedKills(5, 3), "with these pins 3 of 5 kills would have had another victim"),
        (PinnedKills(1, 0), "with these pins 0 of 1 kill would have had another victim"),
        (PinnedKills(0, 0), "what_if cannot be answered: no kill has a task table and all sizes in the log"),
    ],
)
def test_report_of_what_if(pins, line):
    assert read(stamped([report()]), CALM._replace(pins=pins))[1][0] == line


TEXTS = {
    "unit at its own limit": (report(), "shop.service hit its own limit (20 MiB, MemoryMax): killed eat[982]"),
    "unit, limit unknown": (report(limit_kb=None), "shop.service hit its own limit: killed eat[982]"),
    "cgroup of a unit": (
        report(limit=SHOP + "/worker"),
        "cgroup worker of shop.service hit its limit of 20 MiB: killed eat[982]",
    ),
    "victim below the unit": (
        report(task=SHOP + "/worker"),
        "shop.service hit its own limit (20 MiB, MemoryMax): killed eat[982]",
    ),
    "container": (
        report(limit=DOCKER, limit_kb=32768),
        "container web1 (69dc3709e8f3) hit its limit of 32 MiB: killed eat[982]",
    ),
    "pod": (
        report(limit=POD, task=f"{POD}/cri-containerd-{ID}.scope"),
        "pod shop/web-0 hit its limit of 20 MiB: killed eat[982] of container web1 (69dc3709e8f3) of pod shop/web-0",
    ),
    "slice": (
        report(limit="/system.slice", task=SHOP),
        "system.slice hit its limit of 20 MiB: killed eat[982] of shop.service",
    ),
    "session": (report(limit=SESSION), "session-4.scope of user 1000 hit its limit of 20 MiB: killed eat[982]"),
    "host": (
        report(2210, "java", cause="none", task="/system.slice/app.service"),
        "the host ran out of memory: killed java[2210] of app.service",
    ),
    "host, no cgroup": (report(cause="none", task="/"), "the host ran out of memory: killed eat[982]"),
    "cpuset": (
        report(cause="cpuset", task=SHOP),
        "the memory nodes of a cpuset were full: killed eat[982] of shop.service",
    ),
    "memory policy": (
        report(cause="memory_policy", task="/"),
        "the memory nodes of a memory policy were full: killed eat[982]",
    ),
    "sysrq": (report(cause="none", task="/", order=-1), "SysRq f asked for a kill: killed eat[982]"),
    "group": (
        report(limit=DOCKER, limit_kb=32768, group=range(983, 987)),
        "container web1 (69dc3709e8f3) hit its limit of 32 MiB: killed eat[982] with 4 more",
    ),
    "nothing killable": (
        report(end=NOTHING_KILLABLE),
        "shop.service hit its own limit (20 MiB, MemoryMax): no process could be killed",
    ),
    "panic": (
        report(cause="none", end=PANIC),
        "the host ran out of memory: the kernel panicked (vm.panic_on_oom is 1)",
    ),
    "panic without a victim": (
        report(cause="none", end="Kernel panic - not syncing: System is deadlocked on memory"),
        "the host ran out of memory: the kernel panicked (no process could be killed)",
    ),
    "panic of any kind": (
        report(cause="none", end=PANIC.replace("system-wide", "compulsory")),
        "memory ran out: the kernel panicked (vm.panic_on_oom is 2)",
    ),
    "incomplete": (
        report(cause="none")[:1],
        "memory ran out: the log does not show what was killed",
    ),
    "kill without a report": (report()[-1:], "a memory cgroup hit its limit: killed eat[982]"),
    "earlyoom": (
        [UNIT + 'earlyoom[530]: sending SIGTERM to process 12 uid 1000 "web": badness 300, VmRSS 2 MiB'],
        "earlyoom killed web[12] with SIGTERM",
    ),
    "systemd-oomd": (
        [
            f"{UNIT}systemd-oomd[1]: Killed {SHOP} due to memory pressure for / being 52% > 50% for > 20s",
            f"{UNIT}systemd[1]: shop.service: systemd-oomd killed 12 process(es) in this unit.",
        ],
        "systemd-oomd killed shop.service (12 processes) because of memory pressure",
    ),
    "oomd": (
        [
            f"oomd kill: 1 2 3 {SHOP} 4096 ruleset:[a] detectorgroup:[b] killer:x v2",
        ],
        "oomd killed shop.service because of memory pressure",
    ),
    "oomd with processes": (
        [
            "[../BaseKillPlugin.cpp:112] Killed 2: 101(name) 102",
            f"oomd kill: 1 2 3 {SHOP} 4096 ruleset:[a] detectorgroup:[b] killer:x v2",
        ],
        "oomd killed name[101] with 1 more of shop.service because of memory pressure",
    ),
    "nohang without a pid": (
        [
            UNIT + "nohang[9]: Victim VmRSS: 7 KiB",
            UNIT + "nohang[9]: Sending SIGTERM to the victim",
        ],
        "nohang killed a process with SIGTERM",
    ),
}


@pytest.mark.parametrize("lines, text", TEXTS.values(), ids=list(TEXTS))
def test_text_of_one_event(lines, text):
    [event] = events_of(lines)
    assert build_what(event, NAMES)["text"] == text


def test_what_was_hit():
    [event] = events_of(report(limit=POD, task=f"{POD}/cri-containerd-{ID}.scope", limit_kb=32768))
    what = build_what(event, NAMES)
    del what["text"]
    assert what == dict(
        unit=None, container=ID, container_name="web1", pod=POD_UID, pod_name="shop/web-0", limit_kb=32768
    )
    [event] = events_of(report(cause="none", end=NOTHING_KILLABLE))
    assert set(build_what(event, NAMES).values()) == {
        None,
        "memory ran out: no process could be killed",
    }


def test_name_like_our_words_changes_nothing():
    """A user chooses the name of a process, and puts what it likes into it."""
    for name in ("a with 4 more", "x) of sshd.ser", 'y" of sshd.se', "the host ran o", "own_trial", "oomguard-hog"):
        [event] = events_of(report(7, name))
        shown = name.replace('"', "\\x22")
        quoted = f'"{shown}"' if not name.replace("-", "").replace("_", "").isalpha() else name
        assert build_what(event, NAMES)["text"] == (
            f"shop.service hit its own limit (20 MiB, MemoryMax): killed {quoted}[7]"
        )


def test_own_trials_and_forged_lines_are_marked():
    [event] = events_of(report())
    assert build_what(dict(event, own_trial=True), NAMES)["text"].endswith("eat[982] (a trial of oomguard.linux)")
    [event] = events_of(["3,7,53649722,-;" + report()[-1].replace("3,", "30,")])
    assert build_what(dict(event, trusted=False), NAMES)["text"].endswith("(not written by the kernel)")


def test_run_of_equal_kills_is_one_line():
    reports = [report(900 + number) for number in range(5)]
    msg, lines = read(stamped([*reports, report(limit=DOCKER, limit_kb=32768), report(7, "sh")]))
    assert msg == "7 kills in 1 unit and 1 container since 06:00Z (boot)"
    assert lines == [
        "14:00:00-14:00:04Z  shop.service hit its own limit (20 MiB, MemoryMax) 5 times: killed eat",
        "14:00:05Z  container web1 (69dc3709e8f3) hit its limit of 32 MiB: killed eat[982]",
        "14:00:06Z  shop.service hit its own limit (20 MiB, MemoryMax): killed sh[7]",
    ]


def test_another_limit_is_another_line():
    _msg, lines = read(stamped([report(), report(limit_kb=40960)]))
    assert [line.partition("limit ")[2] for line in lines] == [
        "(20 MiB, MemoryMax): killed eat[982]",
        "(40 MiB, MemoryMax): killed eat[982]",
    ]


def test_names_of_a_run():
    names = ["a"] * 3 + ["b"] * 2 + ["c", "d", "e"]
    _msg, [line] = read(stamped([report(number + 1, name) for number, name in enumerate(names)]))
    assert line.endswith("8 times: killed a (3), b (2), c (1), 2 more")
    programs = [
        f'{UNIT}earlyoom[1]: sending SIGTERM to process {pid} uid 0 "x": badness 3, VmRSS 2 MiB' for pid in (1, 2, 3)
    ]
    _msg, [line] = read(programs)
    assert line == "(no time)  earlyoom killed x 3 times with SIGTERM"


def test_no_more_names_than_are_kept(monkeypatch):
    monkeypatch.setattr(kill_groups, "_MOST_NAMES", 1)
    _msg, [line] = read(stamped([report(1, "a"), report(2, "b"), report(3, "b")]))
    assert line.endswith("3 times: killed a (1), 2 more")


TIMES = {
    "today": (stamped([report()], day=TODAY), "14:00:00Z"),
    "another day": (stamped([report()], day="2026-11-23"), "2026-11-23 14:00:00Z"),
    "one day": (stamped([report(), report()], day="2026-11-23"), "2026-11-23 14:00:00-14:00:01Z"),
    "two days": (
        stamped([report()], day="2026-11-27") + stamped([report()]),
        "2026-11-27 14:00:00Z - 2026-11-28 14:00:00Z",
    ),
    "uptime": (kmsg([report()]), "53 s after boot"),
    "uptimes": (kmsg([report(), report()], step=6), "53-59 s after boot"),
    "two boots": (kmsg([report()]) + kmsg([report()], uptime=9), "(no time)"),
    "nothing": (report()[-1:], "(no time)"),
}


@pytest.mark.parametrize("lines, shown", TIMES.values(), ids=list(TIMES))
def test_time_of_a_line(lines, shown):
    _msg, [line] = read(lines)
    assert line.partition("  ")[0] == shown


def test_time_unless_one_event_has_none():
    dated, [undated] = events_of(stamped([report()])), events_of(report()[-1:])
    [line] = write_kill_report(group([*dated, dict(dated[0], time=undated["time"])]), CALM, NAMES)
    assert line.startswith("(no time)  ")


# --- many kills ----------------------------------------------------------------------


def unit(number):
    return f"/system.slice/app{number}.service"


def test_300_kills_in_12_units():
    """The kills of the units alternate, so that no two equal ones follow each other."""
    msg, lines = read(stamped([report(number + 1, limit=unit(number % 12)) for number in range(300)], step=60))
    assert msg == "300 kills in 12 units since 06:00Z (boot)"
    assert len(lines) == 12
    assert lines[0] == "14:00:00-18:48:00Z  app0.service hit its own limit (20 MiB, MemoryMax) 25 times: killed eat"


def test_300_kills_of_every_kind_in_12_units():
    """Too many groups become one line for each unit, which still names a host without memory."""
    reports = []
    for number in range(300):
        where, cause = unit(number % 12), "none" if number % 5 == 0 else "memcg"
        reports.append(report(number + 1, f"p{number % 7}", where, where, cause, 20480 + number % 3 * 1024))
    msg, lines = read(stamped(reports, step=60))
    assert msg == "300 kills in 12 units since 06:00Z (boot)"
    assert len(lines) == 12
    assert lines[0] == (
        "14:00:00-18:48:00Z  25 kills in app0.service, 5 as the host ran out of memory: p0 (4), p1 (4), p3 (4), 13 more"
    )


def test_rest_is_counted_in_the_last_line():
    """A panic comes first, and the most frequent kills next."""
    reports = [report(number + 1, limit=unit(number % 40)) for number in range(81)]
    reports.append(report(cause="none", end=PANIC))
    _msg, lines = read(stamped(reports), CALM._replace(unlogged=3, lost=dict(WHOLE, records=1)))
    assert len(lines) == 15
    assert lines[0] == "3 kills since boot are not in the log"
    assert lines[1] == "the log lacks 1 record, kills may be missing"
    assert lines[2].endswith("the kernel panicked (vm.panic_on_oom is 1)")
    assert "app0.service hit its own limit (20 MiB, MemoryMax) 3 times" in lines[3]
    assert lines[-1] == "... and 29 more (58 kills)"


def test_forged_kills_stay_apart():
    reports = [report(number + 1, limit_kb=4 + number % 20) for number in range(40)]
    events = events_of(stamped(reports))
    forged = [dict(event, trusted=False) for event in events[:3]]
    lines = write_kill_report(group(events + forged), CALM, NAMES)
    assert [line.partition("  ")[2] for line in lines] == [
        "40 kills in shop.service: eat",
        "3 kills in shop.service: eat (not written by the kernel)",
    ]


def test_forged_groups_are_bounded(monkeypatch):
    monkeypatch.setattr(kill_groups, "MAX_GROUPS", 20)
    _msg, lines = read(stamped([report(number + 1, limit=unit(number)) for number in range(50)]))
    assert (len(lines), lines[-1]) == (15, "... and 6 more (36 kills)")


def test_victims_without_a_cgroup_are_one_line(monkeypatch):
    monkeypatch.setattr(kill_groups, "MAX_RUNS", 1)
    kills = [report()[-1:], report(7, "x", cause="none")[-1:]] * 9
    _msg, lines = read(stamped(kills))
    assert [line.partition("  ")[2] for line in lines] == [
        "a memory cgroup hit its limit 9 times: killed eat",
        "memory ran out 9 times: killed x",
    ]
    many = [report(limit_kb=4 * number, end=NOTHING_KILLABLE) for number in range(1, 10)]
    _msg, lines = read(stamped(kills + many))
    assert len(lines) == 11
    monkeypatch.setattr("ansible_collections.oomguard.linux.plugins.module_utils._oom_events.wording.MAX_LINES", 10)
    _msg, lines = read(stamped(kills + many))
    assert lines[-1].endswith("18 kills without a known cgroup: eat (9), x (9)")


def test_lines_are_bounded():
    path = "/" + "/".join(["x y" * 60] * 5)
    _msg, [line] = read(stamped([report(limit=path, task=path[:-1] + "z", name="a b")]))
    assert len(line) <= 300
    msg, _lines = read([], CALM._replace(window="in " + "x" * 300))
    assert (len(msg), msg[-3:]) == (200, "...")


def test_hostile_names_in_any_report():
    """Users choose names of processes and cgroups: lines stay lines, and bounded."""
    choose = random.Random(7)
    parts = [
        "a",
        "x.service",
        ".slice",
        "/",
        ID,
        "user@1.service",
        " ",
        "\n",
        "\x1b",
        "\u2028",
        "\udcff",
        '"',
        "\\",
        "..",
        ",",
    ]

    def make_name(most):
        return "".join(choose.choice(parts) for _part in range(choose.randint(1, most)))

    for _turn in range(40):
        reports = [report(7, make_name(3), "/" + make_name(6), "/" + make_name(6)) for _report in range(20)]
        counted = [dict(cgroup="/" + make_name(99), oom_kill=2, logged_kills=1)]
        msg, lines = read(stamped(reports), CALM._replace(unlogged=1, unlogged_in=counted))
        assert 1 < len(lines) <= 15 and len(msg) <= 200
        assert all(len(line) <= 300 and not set(line) & set("\n\x1b\u2028\udcff") for line in lines)


# --- msg -----------------------------------------------------------------------------

MESSAGES = {
    "nothing": ([], {}, "no kills since 06:00Z (boot)"),
    "unlogged": ([], dict(unlogged=930), "no kills since 06:00Z (boot), 930 unlogged"),
    "one": ([report()], {}, "1 kill in 1 unit since 06:00Z (boot)"),
    "filter": ([report()], dict(is_filtered=True), "1 matching kill in 1 unit since 06:00Z (boot)"),
    "filter, nothing": ([], dict(is_filtered=True), "no matching kills since 06:00Z (boot)"),
    "own trials": (
        [report()],
        dict(own_trials=2),
        "1 kill in 1 unit since 06:00Z (boot), 2 kills of own trials left out",
    ),
    "forged ones left out": (
        [report()],
        dict(forged=2),
        "1 kill in 1 unit since 06:00Z (boot), 2 events not written by the kernel left out",
    ),
    "cgroups": ([report(limit="/a"), report(limit="/b")], {}, "2 kills in 2 cgroups since 06:00Z (boot)"),
    "all kinds": (
        [report(), report(limit=DOCKER), report(limit=POD), report(limit="/a")],
        {},
        "4 kills in 1 unit, 1 container, 1 pod and 1 other cgroup since 06:00Z (boot)",
    ),
    "no cgroup": ([report()[-1:]], {}, "1 kill since 06:00Z (boot)"),
    "panic": ([report(cause="none", end=PANIC)], {}, "no kills, 1 panic since 06:00Z (boot)"),
    "others": (
        [report(end=NOTHING_KILLABLE), report()[:1], report(end=NOTHING_KILLABLE)],
        {},
        "no kills, 2 OOMs with nothing to kill, 1 report without a kill since 06:00Z (boot)",
    ),
}


@pytest.mark.parametrize("reports, changes, words", MESSAGES.values(), ids=list(MESSAGES))
def test_msg(reports, changes, words):
    assert read(stamped(reports, step=60), CALM._replace(**changes))[0] == words


def test_report_of_nothing():
    assert read([])[1] == ["no kills since 06:00Z (boot)"]
    counted = [dict(cgroup=path, oom_kill=3, logged_kills=1) for path in (SHOP, DOCKER, "/a", "/b")]
    _msg, lines = read([], CALM._replace(unlogged=930, unlogged_in=counted))
    assert lines == [
        "930 kills since boot are not in the log, among them in shop.service (2), container 69dc3709e8f3 (2), "
        "cgroup /a (2), 1 more cgroup",
        "no kills since 06:00Z (boot)",
    ]


LOSSES = {
    "records": (dict(records=2), None, ["the log lacks 2 records, kills may be missing"]),
    "no kill among the records": (dict(records=2), 0, []),
    "suppressed reports": (dict(suppressed_reports=2), None, []),  # their kills are logged
    "gap": (dict(gap=True), 0, ["the place of the cursor is gone, kills may be missing"]),
    "files": (dict(files=["a is damaged"]), None, ["1 file could not be read to the end, kills may be missing"]),
}


@pytest.mark.parametrize("lost, unlogged, notes", LOSSES.values(), ids=list(LOSSES))
def test_report_says_what_the_log_lacks(lost, unlogged, notes):
    _msg, lines = read([report()[-1]], CALM._replace(unlogged=unlogged, lost=dict(WHOLE, **lost)))
    assert lines == [*notes, "(no time)  a memory cgroup hit its limit: killed eat[982]"]


def test_moment():
    assert format_moment("2026-11-28T06:00:00.000000Z", TODAY) == "06:00Z"
    assert format_moment("2026-11-27T06:00:07Z", TODAY) == "2026-11-27 06:00:07Z"
