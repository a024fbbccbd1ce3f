# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Events as they come in: bounded, counted, and held back while they may still change."""

from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import collector as _tally
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Tally, Window

EVER = Window(None, None)


def event(pid, name="x", trusted=True, outcome="kill", time="2026-11-23T04:43:45Z", killer="kernel"):
    return dict(
        victims=[dict(pid=pid, name=name, cgroup="/" + name)],
        trusted=trusted,
        outcome=outcome,
        time=time,
        killer=killer,
        boot_index=0,
    )


def pids(tally):
    return [event["victims"][0]["pid"] for event in tally.events()]


def tally(limit=3, window=EVER, wanted=lambda event: True, untrusted=False):
    return Tally(window, wanted, untrusted, limit)


def test_the_newest_are_kept_by_when_they_began():
    told = tally()
    for line in [5, 1, 4, 2, 300, 3, *list(range(6, 200))]:
        told.take(line, event(line))
    told.end_log(1)
    assert pids(told) == [198, 199, 300]
    assert len(told._kept) == 3 + _tally.MOST_UNSETTLED
    assert told.counts["total"] == 200


def test_logs_follow_each_other_and_count_their_own_boots():
    told = tally()
    told.take(9, event(1))
    told.end_log(3)
    told.take(1, dict(event(2), boot_index=1))
    told.end_log(2)
    assert [(one["victims"][0]["pid"], one["boot_index"]) for one in told.events()] == [(1, -2), (2, 0)]


def test_what_is_not_asked_for_is_counted_all_the_same():
    told = tally(wanted=lambda event: event["victims"][0]["name"] == "y")
    for line, one in enumerate(
        [
            event(1),
            event(2, "y"),
            event(3, "y", trusted=False),
            event(4, killer="earlyoom"),
            event(5, outcome="group_kill"),
        ]
    ):
        told.take(line, one)
    assert pids(told) == [2]
    assert (told.counts["total"], told.counts["untrusted"], told.counts["logged_kills"], told.counts["explained"]) == (
        1,
        1,
        3,
        4,
    )
    assert told.summary() == [{"name": "x", "kills": 3}, {"name": "y", "kills": 1}]


def test_what_goes_on_and_what_came_after_it_is_held_back():
    told = tally()
    for line in (1, 5, 7):
        told.take(line, event(line, str(line)))
    assert told.end_log(1, hold_from=5)
    assert (pids(told), told.counts["total"], told.summary()) == ([1], 1, [{"name": "1", "kills": 1}])


def test_nobody_waits_when_too_much_came_after():
    told = tally(limit=1000)
    for line in range(_tally.MOST_UNSETTLED + 1):
        told.take(line + 10, event(line))
    assert not told.end_log(1, hold_from=5)
    assert len(told.events()) == _tally.MOST_UNSETTLED + 1


def test_the_time_is_that_in_which_events_began():
    told = tally(window=Window(100.0, 200.0))
    for line, moment in enumerate(
        ["1970-01-01T00:01:39.9Z", "1970-01-01T00:01:40Z", "1970-01-01T00:03:19.5Z", "1970-01-01T00:03:20Z", None]
    ):
        told.take(line, event(line, time=moment))
    told.take(9, event(9, time=None, trusted=False))
    assert (pids(told), told.counts["undated"], told.counts["total"]) == ([1, 2], 1, 2)


def test_of_too_large_a_result_the_newest_fit():
    told = tally(limit=10)
    for line in range(10):
        told.take(line, event(line))
    size = len(str(event(1)).encode())
    assert [one["victims"][0]["pid"] for one in told.events(4 * size)] == [7, 8, 9]
    assert told.events(1) == []
    assert len(told.events(None)) == 10


def test_a_log_with_forged_names_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(_tally, "MOST_NAMES", 2)
    told = tally()
    for line, name in enumerate("abca"):
        told.take(line, event(line, name))
    assert told.summary() == [{"name": "a", "kills": 2}, {"name": "b", "kills": 1}]
    assert told.counts["logged_kills"] == 4
