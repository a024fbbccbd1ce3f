# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Equal events are counted together, and rows of the summary by name and unit."""

import pytest
from event_lines import DOCKER, SHOP, events_of, kmsg, report, stamped

from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import kill_groups
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.kill_groups import (
    KillGroups,
    Span,
    classify_event,
    count_victims,
)


def group(lines, log=0):
    groups = KillGroups()
    for event in events_of(lines):
        groups.add(event, log)
    return groups


OOMD = [
    f"Jul 25 14:31:34 host systemd-oomd[1]: Killed {SHOP} due to memory used (9) / total (9) and swap used (9)",
    "Jul 25 14:31:34 host systemd[1]: shop.service: systemd-oomd killed 12 process(es) in this unit.",
]


@pytest.mark.parametrize(
    "lines, count",
    [(report(), 1), (report(group=[1, 2]), 3), (report()[:1], 0), (OOMD, 12), (OOMD[:1], 1)],
    ids=["one", "group", "none", "systemd-oomd", "systemd-oomd, no count"],
)
def test_count_victims(lines, count):
    [event] = events_of(lines)
    assert count_victims(event) == count
    assert group(lines).kills == count


def test_equal_events_are_of_one_kind():
    one, other, below, elsewhere, larger = events_of(
        stamped(
            [report(), report(7, "x"), report(task=SHOP + "/a"), report(task=DOCKER), report(limit_kb=4096)], step=60
        )
    )
    kind = classify_event(one)
    assert [classify_event(event) == kind for event in (other, below, elsewhere, larger)] == [True, True, False, False]
    assert classify_event(dict(one, own_trial=True)) != kind


def test_runs_and_groups():
    groups = group(stamped([report(), report(), report(limit=DOCKER), report()], step=60))
    assert [(run.events, run.kind.limit.path) for run in groups.runs] == [(2, SHOP), (1, DOCKER), (1, SHOP)]
    assert [(one.events, one.kind.limit.path) for one in groups.list_groups()] == [(3, SHOP), (1, DOCKER)]
    assert not groups.has_more_runs


def test_only_the_last_runs_are_kept():
    groups = group(stamped([report(limit=f"/{number}") for number in range(16)], step=60))
    assert (len(groups.runs), groups.has_more_runs, groups.runs[-1].kind.limit.path) == (15, True, "/15")


def rows(groups):
    return [(row.name, row.owner and row.owner.path, row.killer, kills) for row, kills, _span in groups.list_rows()]


def test_rows_by_name_and_owner():
    reports = [report(), report(task=SHOP + "/a"), report(7, "x"), report(limit=DOCKER), report()[-1:], report()[:1]]
    assert rows(group(stamped(reports, step=60))) == [
        ("eat", SHOP, "kernel", 2),
        ("x", SHOP, "kernel", 1),
        ("eat", DOCKER, "kernel", 1),
        ("eat", None, "kernel", 1),
    ]
    assert rows(group(OOMD)) == [(None, SHOP, "systemd-oomd", 12)]


def test_times_of_a_row():
    [(_row, _kills, span)] = group(stamped([report(), report()], step=60)).list_rows()
    assert (span.first, span.last) == ("2026-11-28T14:00:00Z", "2026-11-28T14:01:00Z")


def test_forged_groups_are_bounded(monkeypatch):
    monkeypatch.setattr(kill_groups, "MAX_GROUPS", 2)
    groups = group(stamped([report(limit=f"/{number}") for number in (1, 2, 3, 1)], step=60))
    assert (groups.kills, groups.kills_beyond, len(groups.list_groups())) == (4, 1, 2)
    assert rows(groups) == [("eat", "/1", "kernel", 2), ("eat", "/2", "kernel", 1)]


def span_of(*events):
    span = Span()
    for time, monotonic, log in events:
        span.add(dict(time=time, monotonic=monotonic, boot_index=0), log)
    return span


def test_span_compares_fractions():
    span = span_of(("2026-11-28T14:00:00.5Z", 1.0, 0), ("2026-11-28T14:00:00Z", 1.0, 0))
    assert (span.first, span.last) == ("2026-11-28T14:00:00Z", "2026-11-28T14:00:00.5Z")


def test_span_without_times():
    assert span_of((None, 7.0, 0), (None, 5.0, 0)).uptimes == (5.0, 7.0)
    assert span_of((None, 7.0, 0), (None, 5.0, 1)).uptimes is None
    assert span_of((None, 7.0, 0), (None, None, 0), (None, 7.0, 0)).uptimes is None
    assert span_of(("2026-11-28T14:00:00Z", 7.0, 0), (None, 5.0, 0), ("2026-11-28T14:00:00Z", 7.0, 0)).first is None


def test_merge_spans():
    early, late, undated = (
        span_of(("2026-11-27T14:00:00Z", 7.0, 0)),
        span_of(("2026-11-28T14:00:00Z", 7.0, 0)),
        span_of((None, 7.0, 0)),
    )
    late.merge(early)
    assert (late.first, late.last, late.uptimes) == ("2026-11-27T14:00:00Z", "2026-11-28T14:00:00Z", None)
    late.merge(undated)
    assert (late.first, late.last) == (None, None)


def test_merge_groups():
    one, other = group(stamped([report(), report(limit_kb=8), report(7, "x", limit_kb=8)])).list_groups()
    one.merge(other)
    assert (one.events, one.kills, one.names) == (3, 3, {"eat": 2, "x": 1})


def test_names_are_cut():
    [event] = events_of(kmsg([report()]))
    event["victims"][0]["name"] = "x" * 500
    groups = KillGroups()
    groups.add(event, 0)
    assert groups.list_groups()[0].names == {"x" * 64: 1}
