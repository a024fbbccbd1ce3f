# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row of the page for each kind of event, from real reports."""

import pytest
from event_lines import explained, kmsg, report

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.reduced_event import (
    explain_kill,
    reduce_event,
)

JAVA, POSTGRES = (2210, "java", 55000, 0), (700, "postgres", 45000, 0)
KEYS = [
    *("id", "time", "killer", "outcome", "constraint", "trusted", "name", "pid", "victims_count", "unit", "container"),
    *("pod", "limit_kb", "rss_kb", "score", "text", "why", "runner_up", "margin_kb"),
    *("with_todays_pins", "with_todays_pins_text"),
]


def parse(texts, **facts):
    [event] = parse_events(parse_lines(kmsg([texts])))
    what = dict.fromkeys(["unit", "container", "container_name", "pod", "pod_name", "limit_kb"])
    return {**event, "what": {**what, "text": "a line"}, **facts}


def test_row():
    event = parse(explained(JAVA, POSTGRES, limit="/system.slice/app.service"))
    event["what"].update(unit="app.service", container="0f1e2d3c4b5a69" * 4, pod="uid", pod_name="shop/web-0")
    row = reduce_event(event, "other", "an answer")
    assert list(row) == KEYS
    assert {key: row[key] for key in ("name", "pid", "unit", "container", "pod", "runner_up", "text")} == {
        "name": "java",
        "pid": 2210,
        "unit": "app.service",
        "container": "0f1e2d3c4b5a",
        "pod": "shop/web-0",
        "runner_up": "postgres[700]",
        "text": "a line",
    }
    assert row["margin_kb"] == event["why"]["margin_kb"] > 0
    assert (row["with_todays_pins"], row["with_todays_pins_text"]) == ("other", "an answer")


def test_a_scope_stands_where_a_unit_does():
    for limit, unit in (("/system.slice/leak.scope", "leak.scope"), ("/x", None)):
        assert reduce_event(parse(report(limit=limit)), None, None)["unit"] == unit


def test_names_come_before_ids():
    event = parse(report())
    event["what"].update(container="0f1e2d3c4b5a69" * 4, container_name="web1")
    row = reduce_event(event, None, None)
    assert (row["container"], row["unit"], row["pod"]) == ("web1", None, None)
    assert (row["why"], row["runner_up"], row["margin_kb"]) == (None, None, None)


def test_a_program_may_log_no_victim():
    row = reduce_event(dict(parse(report()), killer="systemd-oomd", reason="swap", victims=[]), None, None)
    assert (row["name"], row["pid"], row["rss_kb"], row["score"]) == (None, None, None, None)
    assert row["why"] == "systemd-oomd killed it because of swap"


@pytest.mark.parametrize(
    "event, sentence",
    [
        (parse(explained(JAVA, POSTGRES)), "java[2210] had a badness of 215 MiB, 39.1 MiB more than postgres[700]"),
        (
            parse(explained(JAVA)),
            "java[2210] had a badness of 215 MiB and was the only process that could be killed",
        ),
        (
            parse(explained(POSTGRES, JAVA)),
            "postgres[700] had a badness of 176 MiB; the kernel passed over java[2210], which was 39.1 MiB worse",
        ),
        (
            parse(explained((7, "pinned", 500, -200), (8, "more", 400, -300))),
            None,
        ),
        (parse(report()), None),
        (parse(report(), sysrq=True), "SysRq f asked for a kill"),
        (parse(report(), allocating_task=True), "vm.oom_kill_allocating_task made the kernel kill the task that"),
        (parse(report(), outcome="panic"), "the kernel panicked instead of killing a process"),
        (parse(report(), killer="earlyoom", reason=None), None),
    ],
    ids=["larger", "only", "passed-over", "pinned", "without-table", "sysrq", "allocating", "panic", "program"],
)
def test_why(event, sentence):
    found = explain_kill(event)
    if event["why"] and event["why"]["badness_kb"] < 0:
        assert " had a badness of -" in found
    elif sentence is None:
        assert found is None
    else:
        assert found.startswith(sentence)


def test_why_of_sysrq_with_a_table():
    event = parse(explained(JAVA, POSTGRES), sysrq=True)
    assert explain_kill(event).startswith("SysRq f asked for a kill, and java[2210] had a badness of ")
