# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a path ends and a name begins."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import (
    TASK_MEMCG,
    begins_inside,
    find_longest_name,
    is_inside,
    split_paths,
    split_task,
)

SPLITS = {
    (",task_memcg=/a,task=x", None): ["/a", "x"],
    (",task_memcg=/a,task=x,task=y", None): [None, None],  # two readings
    (",task_memcg=/a,task=x,task=y", "y"): ["/a,task=x", "y"],
    (",task_memcg=/a,task=x,task=y", "x,task=y"): ["/a", "x,task=y"],
    (",task_memcg=/we,task=x,pid=1,task=hog", "hog"): ["/we,task=x,pid=1", "hog"],
    (",task=x", None): [None, "x"],
    (",task=x", "x"): [None, "x"],
    ("", None): [None, None],
    (",task_memcg=/" + ",task=" + "n" * 99, None): [None, None],
    (",task_memcg=/a,task=x?012345678901234567", None): ["/a", "x?012345678901234567"],  # escaped in an unknown way
}


@pytest.mark.parametrize("rest, name", list(SPLITS))
def test_split_task(rest, name):
    assert split_task(rest, name) == SPLITS[rest, name]


@pytest.mark.parametrize(
    "text, name",
    [("/a,task=x,task=y", "x,task=y"), ("/a", None), ("/a,task=" + "n" * 99, None), ("/a,task=", "")],
)
def test_longest_name(text, name):
    assert find_longest_name(text) == name


@pytest.mark.parametrize(
    "text, split",
    [
        ("/a,task_memcg=/a,task=x", ("/a", "/a,task=x")),
        ("/a,task_memcg=/a/b,task=x", ("/a", "/a/b,task=x")),
        ("/,task_memcg=/a/b,task=x", ("/", "/a/b,task=x")),
        ("/a,task_memcg=/b,task=x", ("/a", "/b,task=x")),  # the task was moved meanwhile
        ("/a,task_memcg=/ab,task_memcg=/a,task_memcg=/ab,task=x", ("/a,task_memcg=/ab", "/a,task_memcg=/ab,task=x")),
        ("/a,task_memcg=/a/b,task_memcg=/a,task_memcg=/a/b,task=x", None),
        ("/a,task_memcg=/b,task_memcg=/c,task=x", None),
        # The name would be longer than a task's.
        (
            "/a,task_memcg=/a,task=y,task_memcg=/a,task_memcg=/a,task=y,task=x",
            ("/a,task_memcg=/a,task=y", "/a,task_memcg=/a,task=y,task=x"),
        ),
        ("/a,task_memcg=", None),
        ("", None),
    ],
)
def test_split_paths(text, split):
    assert split_paths(text, TASK_MEMCG, lambda memcg, rest: begins_inside(rest, memcg)) == split


@pytest.mark.parametrize(
    "path, other, inside",
    [("/a", "/a", True), ("/a/b", "/a", True), ("/ab", "/a", False), ("/a", "/", True), ("/", "/a", False)],
)
def test_is_inside(path, other, inside):
    assert is_inside(path, other) is inside
