# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary, with names of cgroups and tasks that imitate it; test_hostile_names.py has any."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Summary
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.summary import drop_cut_path, parse_summary

EVERYWHERE = "NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg="
LIMIT = "MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg="
END = ",pid=7,uid=0"
MYSQL = "/system.slice/mysql.service"

SUMMARIES = {
    EVERYWHERE + "/u,task=x,pid=7,uid=-2": Summary("NONE", True, None, ",task_memcg=/u,task=x", 7, 4294967294),
    # An attack that was shown: a delegated cgroup of this name, on a host without memory.
    EVERYWHERE + f"/a,oom_memcg={MYSQL},task_memcg={MYSQL},task=x" + END: Summary(
        "NONE", True, None, f",task_memcg=/a,oom_memcg={MYSQL},task_memcg={MYSQL},task=x", 7, 0
    ),
    # A kernel without memory cgroups, without cpusets, and without both.
    "CPUSET,nodemask=0,cpuset=c,mems_allowed=0,task=x" + END: Summary("CPUSET", True, None, ",task=x", 7, 0),
    "CPUSET,nodemask=0,cpuset=,mems_allowed=0,oom_memcg=,mems_allowed=0,task=/" + END: Summary(
        "CPUSET", True, None, ",task=/", 7, 0
    ),
    "NONE,nodemask=0-1,3,global_oom,task_memcg=/,task=x" + END: Summary(
        "NONE", True, None, ",task_memcg=/,task=x", 7, 0
    ),
    "NONE,nodemask=(null),task=/a" + END: Summary("NONE", True, None, ",task=/a", 7, 0),
    LIMIT + "/,task_memcg=/a,task=x" + END: Summary("MEMCG", False, "/", ",task_memcg=/a,task=x", 7, 0),
    # The cpuset's name imitates what follows it.
    "NONE,nodemask=(null),cpuset=a,mems_allowed=0,oom_memcg=,mems_allowed=0,global_oom,task_memcg=/u,task=x" + END: (
        Summary("NONE", True, None, ",task_memcg=/u,task=x", 7, 0)
    ),
    "MEMCG,nodemask=(null),cpuset=,global_oom,task_memcg=,mems_allowed=0,oom_memcg=/u,task_memcg=/u,task=x" + END: (
        Summary("MEMCG", False, "/u", ",task_memcg=/u,task=x", 7, 0)
    ),
    # Two readings.
    LIMIT + "/a,task_memcg=/a/b,task_memcg=/a,task_memcg=/a/b,task=x" + END: Summary(
        "MEMCG", False, None, ",task=x", 7, 0
    ),
    # Cut lines: maybe half a path.
    LIMIT + "/b,task_memcg=/b": Summary("MEMCG", False, None, "", None, None),
    LIMIT + "/b": Summary("MEMCG", False, None, "", None, None),
    EVERYWHERE + "/b,task=x": Summary("NONE", True, None, ",task_memcg=/b,task=x", None, None),
    "NONE,nodemask=(null)": Summary("NONE", None, None, "", None, None),
    # The kernel cuts a path that is longer than a record.
    LIMIT + "/" + "n" * 990 + ",task_memcg=/a,task=x" + END: Summary(
        "MEMCG", False, None, ",task_memcg=/a,task=x", 7, 0
    ),
}


@pytest.mark.parametrize("text", list(SUMMARIES))
def test_parse_summary(text):
    assert parse_summary("oom-kill:constraint=CONSTRAINT_" + text) == SUMMARIES[text]


def test_other_text():
    assert parse_summary("oom-kill: no") is None


def test_cut_path():
    assert [drop_cut_path(path) for path in (None, "/a", "/" + "\\xff" * 900, "/" + "a" * 990)] == [
        None,
        "/a",
        "/" + "\\xff" * 900,
        None,
    ]


@pytest.mark.parametrize(
    "summary, constraint, memcg",
    [
        (EVERYWHERE + "/a,oom_memcg=/m,task_memcg=/m", "none", None),
        (LIMIT + "/m,task_memcg=/m", "memcg", "/m"),
        (LIMIT.replace("MEMCG", "NONE", 1) + "/m,task_memcg=/m", "memcg", "/m"),  # 5.0 to 5.2
        (EVERYWHERE.replace("NONE", "CPUSET", 1) + "/m", "cpuset", None),
        # The kernel prints neither of these.
        (EVERYWHERE.replace("NONE", "MEMCG", 1) + "/m", None, None),
        (LIMIT.replace("MEMCG", "CPUSET", 1) + "/m,task_memcg=/m", None, None),
    ],
)
def test_constraint(summary, constraint, memcg):
    [event] = parse_events(parse_lines(["oom-kill:constraint=CONSTRAINT_" + summary + ",task=x" + END]))
    assert (event["constraint"], event["memcg"] and event["memcg"]["path"]) == (constraint, memcg)
    assert [victim["pid"] for victim in event["victims"]] == [7]


def test_contradicting_kill():
    """The kill of a limit after the summary of a host without memory proves nothing."""
    lines = [
        "oom-kill:constraint=CONSTRAINT_" + EVERYWHERE + "/m,task=x" + END,
        "Memory cgroup out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB",
    ]
    [event] = parse_events(parse_lines(lines))
    assert event["constraint"] is None
