# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logged kills are explained by the arithmetic of the kernel that logged them.

_oom_killer/test_task_tables.py has real tables.
"""

import pytest
from event_lines import explained

from ansible_collections.oomguard.linux.plugins.plugin_utils.oom_log import parse_log


def why(*rows, **facts):
    [event] = parse_log(explained(*rows, **facts))
    return event["why"]


JAVA, DB, INIT = (2210, "java", 50000, 0), (700, "my db", 40000, 0), (1, "systemd", 90000, 0)


def test_the_runner_up_and_the_margin():
    found = why(INIT, JAVA, DB)
    assert found == dict(
        kernel="6.1.0-18-amd64",
        chosen=dict(pid=2210, name="java", oom_score_adj=0, badness_kb=200000),
        badness_kb=200000,
        runner_up=dict(pid=700, name="my db", oom_score_adj=0, badness_kb=160000),
        margin_kb=40000,
    )


def test_immune_processes_are_no_rivals():
    found = why(INIT, JAVA, (700, "db", 90000, -1000))
    assert (found["runner_up"], found["margin_kb"]) == (None, None)


def test_a_score_is_a_share_of_all_memory():
    """1000000 pages of RAM less 10000 reserved ones, and 40000 KiB of swap, are 1000000 pages."""
    assert why(JAVA, (700, "db", 40000, 9))["runner_up"]["badness_kb"] == 196000
    assert why(JAVA, (700, "db", 40000, 11))["margin_kb"] == -4000


@pytest.mark.parametrize(
    "swap, share_kb",
    [
        ("memory+swap: usage 0kB, limit 800000kB, failcnt 0", 8000),
        ("swap: usage 0kB, limit 400000kB, failcnt 0", 8000),
        ("swap: usage 0kB, limit 9007199254740988kB, failcnt 0", 4000),
    ],
)
def test_memory_of_a_cgroup(swap, share_kb):
    found = why(JAVA, (700, "db", 40000, 10), limit_kb=400000, swap=swap)
    assert found["runner_up"]["badness_kb"] == 160000 + share_kb


def test_the_oldest_rule_counts_in_thousandths():
    found = why(JAVA, DB, release="2.6.32-431.el6.x86_64")
    assert (found["badness_kb"], found["runner_up"]["badness_kb"]) == (50 * 4000, 40 * 4000)


def test_of_equal_processes_the_kernel_takes_the_first_or_the_last():
    equal = [(7, "a", 100, 0), (8, "b", 100, 0), (9, "c", 100, 0)]
    assert why(*equal, victim=9)["runner_up"]["pid"] == 8
    assert why(*equal, victim=7, release="4.19.0")["runner_up"]["pid"] == 8


NOT_EXPLAINED = {
    "no release": dict(release=None),
    "no rule": dict(release="2.4.0"),
    "no memory": dict(ram=None),
    "a cpuset": dict(constraint="CPUSET"),
    "a memory policy": dict(constraint="MEMORY_POLICY"),
    "the allocating task": dict(origin="Out of memory (oom_kill_allocating_task)"),
    "no limit": dict(limit_kb=9007199254740988),
    "no columns": dict(columns=False),
    "no page size": dict(total_vm_kb=7),
    "a victim outside of the table": dict(victim=5),
    "no kill": dict(kill=False),
}


@pytest.mark.parametrize("facts", NOT_EXPLAINED.values(), ids=list(NOT_EXPLAINED))
def test_what_a_log_does_not_explain(facts):
    assert why(JAVA, DB, **facts) is None


def test_an_immune_victim_was_not_chosen_by_badness():
    assert why((2210, "java", 50000, -1000), DB) is None


def test_no_table():
    assert why((2210, "java", 50000, 0))["runner_up"] is None
    assert parse_log(explained(JAVA)[:3] + explained(JAVA)[-2:])[0]["why"] is None


@pytest.mark.parametrize("rss, score", [("4x", 0), ("9" * 21, 0), ("-" + "9" * 21, 0), (40000, 1001), (40000, -9999)])
def test_rows_that_are_none(rss, score):
    assert why(JAVA, (700, "db", rss, score))["runner_up"] is None
