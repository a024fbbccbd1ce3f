# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from snapshots import MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import is_below, list_upwards


def test_upwards_ends_below_the_root():
    assert list_upwards("/a/b.slice/c") == ["/a/b.slice/c", "/a/b.slice", "/a"]
    assert list_upwards("/") == []


def test_below_is_by_whole_names():
    found = [is_below(path, "/a/b") for path in ("/a/b", "/a/b/c", "/a/bc", "/a", "/")]
    assert found == [True, True, False, False, False]
    assert is_below("/x", "/")


def test_other_scores_leave_the_snapshot_as_it_is():
    one, other = task("one", MIB), task("other", MIB, pte_kb=4, pmd_kb=8)
    before = host_with(one, other)
    after = before.with_scores({one.pid: -500, 999999: 300})
    assert [after.tasks[pid].score for pid in (one.pid, other.pid)] == [-500, 0]
    assert before.tasks[one.pid].score == 0
    assert other.pgtables_kb == 12


def test_other_groups_of_version_2():
    cgroups = [limited("/a", MIB), limited("/b", MIB, oom_group=True)]
    before = host_with(cgroups=cgroups)
    after = before.with_groups({"/a": True, "/b": False, "/c": True})
    assert {path: one.oom_group for path, one in after.cgroups.items()} == {"/a": True, "/b": False}
    assert before._replace(cgroup_version=1).with_groups({"/a": True}).cgroups["/a"].oom_group is False
