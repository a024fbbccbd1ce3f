# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collected events are counted, bounded, and held back while they may still change."""

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import collector
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Collector, Window

EVER = Window(None, None)
NAMES = ContainerNames({"a" * 64: "web1"}, {})
OTHER_KEYS = ("monotonic", "memcg", "constraint", "panic_policy", "reason", "signal", "killed_count")


def event(pid, name="x", trusted=True, outcome="kill", time="2026-11-23T04:43:45Z", killer="kernel"):
    return dict(
        victims=[dict(pid=pid, name=name, cgroup="/" + name)],
        victims_count=1,
        trusted=trusted,
        outcome=outcome,
        time=time,
        killer=killer,
        boot_index=0,
        sysrq=False,
        **dict.fromkeys(OTHER_KEYS),
    )


def pids(collected):
    return [event["victims"][0]["pid"] for event in collected.select_newest(NAMES)]


def kills(collected):
    return {row["name"]: row["kills"] for row in collected.summarize(NAMES)}


def is_trusted(event):
    return event["trusted"] is not False


def new_collector(limit=3, window=EVER, matches=is_trusted, is_own_trial=lambda event: False):
    return Collector(window, matches, is_own_trial, limit)


def test_keep_newest_by_first_line():
    collected = new_collector()
    for line in [5, 1, 4, 2, 300, 3, *list(range(6, 200))]:
        collected.take(line, event(line))
    collected.end_log(1)
    assert pids(collected) == [198, 199, 300]
    assert len(collected._kept) == 3
    assert collected.counts["total"] == 200


def test_kills_are_noted_as_the_kernel_counts_them():
    """Those of own trials and those that do not match, too, and none that is not the kernel's."""
    noted = []
    collected = Collector(
        EVER, lambda event: False, lambda event: True, 1, lambda event, kills: noted.append((event["time"], kills))
    )
    events = [
        event(1, time="a"),
        event(2, time="b", outcome="group_kill"),
        event(3, trusted=False),
        event(4, killer="x"),
    ]
    for line, one in enumerate(events):
        collected.take(line, one)
    collected.end_log(1)
    assert noted == [("a", 1), ("b", 2)]


def test_boot_index_per_log():
    collected = new_collector()
    collected.take(9, event(1))
    collected.end_log(3)
    collected.take(1, dict(event(2), boot_index=1))
    collected.end_log(2)
    assert [(one["victims"][0]["pid"], one["boot_index"]) for one in collected.select_newest(NAMES)] == [
        (1, -2),
        (2, 0),
    ]


def test_count_events_that_do_not_match():
    collected = new_collector(
        matches=lambda event: is_trusted(event) and event["victims"][0]["name"] == "y",
        is_own_trial=lambda event: event["victims"][0]["pid"] == 1,
    )
    for line, one in enumerate(
        [
            event(1),
            event(2, "y"),
            event(3, "y", trusted=False),
            event(4, killer="earlyoom"),
            event(5, outcome="group_kill"),
        ]
    ):
        collected.take(line, one)
    collected.end_log(1)
    assert pids(collected) == [2]
    assert collected.counts == {"total": 1, "untrusted": 1, "logged_kills": 3, "explained": 4, "own_trials": 1}
    assert kills(collected) == {"y": 1}


def test_hold_back_unfinished_and_later_events():
    collected = new_collector()
    for line in (1, 5, 7):
        collected.take(line, event(line, str(line)))
    assert collected.end_log(1, hold_from=5)
    assert (pids(collected), collected.counts["total"], kills(collected)) == ([1], 1, {"1": 1})


def test_hold_back_nothing_after_too_many_events():
    collected = new_collector(limit=1000)
    for line in range(collector.MAX_UNSETTLED + 1):
        collected.take(line + 10, event(line))
    assert not collected.end_log(1, hold_from=5)
    assert len(collected.select_newest(NAMES)) == collector.MAX_UNSETTLED + 1


def test_window_by_first_line():
    collected = new_collector(window=Window(100.0, 200.0))
    for line, moment in enumerate(
        ["1970-01-01T00:01:39.9Z", "1970-01-01T00:01:40Z", "1970-01-01T00:03:19.5Z", "1970-01-01T00:03:20Z", None]
    ):
        collected.take(line, event(line, time=moment))
    collected.take(9, event(9, time=None, trusted=False))
    collected.end_log(1)
    assert (pids(collected), collected.counts["undated"], collected.counts["total"]) == ([1, 2], 1, 2)


def test_newest_events_fit_into_max_bytes():
    collected = new_collector(limit=10)
    for line in range(10):
        collected.take(line, event(line))
    collected.end_log(1)
    size = len(str(collected.select_newest(NAMES)[0]).encode())
    assert [one["victims"][0]["pid"] for one in collected.select_newest(NAMES, 4 * size)] == [7, 8, 9]
    assert len(collected.select_newest(NAMES, None)) == 10


def group_of(pid, size, cgroup="/x"):
    victims = [dict(pid=pid + number, name="x", cgroup=cgroup) for number in range(size)]
    return dict(event(pid), victims=victims, victims_count=size)


def test_newest_event_is_always_returned():
    """Its victims are cut until it fits; their count stays."""
    collected = new_collector()
    collected.take(1, event(1))
    collected.take(2, group_of(2, 100, "/" + "x" * 1000))
    collected.end_log(1)
    newest = collected.select_newest(NAMES, 20000)[-1]
    assert (len(newest["victims"]), newest["victims"][0]["pid"], newest["victims_count"]) == (12, 2, 100)
    (newest,) = collected.select_newest(NAMES, 1)
    assert (newest["victims"], newest["victims_count"]) == ([], 100)


def test_skip_only_events_that_do_not_fit():
    collected = new_collector()
    for line, one in enumerate([event(1), group_of(2, 100), event(3)]):
        collected.take(line, one)
    collected.end_log(1)
    assert [one["victims"][0]["pid"] for one in collected.select_newest(NAMES, 2000)] == [1, 3]


def test_return_some_victims_and_count_all():
    collected = new_collector()
    collected.take(1, group_of(1, 3000))
    collected.end_log(1)
    (newest,) = collected.select_newest(NAMES)
    assert (len(newest["victims"]), newest["victims_count"]) == (collector.MAX_VICTIMS, 3000)
    assert (collected.counts["logged_kills"], kills(collected)) == (3000, {"x": 3000})


def test_what_is_held_back_is_not_counted():
    collected = new_collector()
    collected.take(1, group_of(1, 3000))
    assert collected.end_log(1, hold_from=1)
    assert (collected.counts["logged_kills"], kills(collected), collected.select_newest(NAMES)) == (0, {}, [])


def test_forged_cgroups_are_bounded(monkeypatch):
    monkeypatch.setattr(collector, "MAX_CGROUPS", 2)
    monkeypatch.setattr(collector, "MAX_ROWS", 1)
    collected = new_collector()
    for line, name in enumerate("abcaa"):
        collected.take(line, event(line, name))
    collected.end_log(1)
    assert collected.kills_by_cgroup == {"/a": 3, "/b": 1}
    assert (kills(collected), collected.counts["logged_kills"]) == ({"a": 3}, 5)


def test_summary_by_container_and_killer():
    docker = f"/system.slice/docker-{'a' * 64}.scope"
    collected = new_collector()
    for line, one in enumerate(
        [group_of(1, 2, docker), group_of(1, 1, "/system.slice/x.service/y"), dict(event(3), killer="earlyoom")]
    ):
        collected.take(line, one)
    collected.end_log(1)
    assert [owner.path for owner in collected.list_owners()] == ["/x", "/system.slice/x.service", docker]
    moment = "2026-11-23T04:43:45Z"
    assert collected.summarize(NAMES) == [
        dict(
            name="x",
            unit=unit,
            container=container,
            container_name=container and "web1",
            cgroup=cgroup,
            killer=killer,
            kills=number,
            first=moment,
            last=moment,
        )
        for unit, container, cgroup, killer, number in [
            (None, "a" * 64, docker, "kernel", 2),
            ("x.service", None, "/system.slice/x.service", "kernel", 1),
            (None, None, "/x", "earlyoom", 1),
        ]
    ]
