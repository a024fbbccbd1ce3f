# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a path ends and a name begins."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import split_task

SPLITS = {
    (",task_memcg=/a,task=x", None): ["/a", "x"],
    (",task_memcg=/a,task=x,task=y", None): ["/a", "x,task=y"],
    (",task_memcg=/a,task=x,task=y", "y"): ["/a,task=x", "y"],
    (",task_memcg=/we,task=x,pid=1,task=hog", "hog"): ["/we,task=x,pid=1", "hog"],
    (",task=x", None): [None, "x"],
    ("", None): [None, None],
    (",task_memcg=/" + ",task=" + "n" * 99, None): ["/,task=" + "n" * 99, None],
}


@pytest.mark.parametrize("rest, name", list(SPLITS))
def test_split_task(rest, name):
    assert split_task(rest, name) == SPLITS[rest, name]
