# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import (
    Adjustment,
    NohangSettings,
    find_file,
    judge_by_nohang,
    parse_settings,
)

FILES = {
    "nohang": "/etc/nohang/nohang.conf",
    "nohang --monitor --config /x": "/x",
    "nohang --monitor -c /y": "/y",
    "nohang --config": "/etc/nohang/nohang.conf",
}


@pytest.mark.parametrize("words, file", FILES.items())
def test_file(words, file):
    assert find_file(words.split()) == file


TEXT = """# a comment
 indented
soft_threshold_min_mem = 5 %
ignore_positive_oom_score_adj = True
@BADNESS_ADJ_RE_NAME 200 /// ^Web Content$
@BADNESS_ADJ_RE_CGROUP_V2  -50 ///  ^/system\\.slice/
@SOFT_ACTION_RE_NAME ^foo$ /// kill -USR1 $PID
"""


def test_settings():
    assert parse_settings("/x", TEXT) == NohangSettings(
        "/x",
        True,
        [Adjustment("NAME", 200, "^Web Content$"), Adjustment("CGROUP_V2", -50, r"^/system\.slice/")],
    )


WRONG = {
    "no answer": ("a = b\n", "/x has ignore_positive_oom_score_adj=None, which is not True or False"),
    "another answer": ("ignore_positive_oom_score_adj = yes\n", "ignore_positive_oom_score_adj=yes, which is not True"),
    "no separator": ("@BADNESS_ADJ_RE_NAME 200 x\n", "/x line 1: '@BADNESS_ADJ_RE_NAME 200 x' is not KEY BADNESS ///"),
    "no number": ("@BADNESS_ADJ_RE_NAME ten /// x\n", "/x line 1: "),
    "no badness": ("@BADNESS_ADJ_RE_NAME /// x\n", "/x line 1: "),
}


@pytest.mark.parametrize("text, error", WRONG.values(), ids=list(WRONG))
def test_wrong_settings(text, error):
    with pytest.raises(InputError) as caught:
        parse_settings("/x", text)
    assert error in str(caught.value)


@pytest.mark.parametrize("score, ignores, is_bound", [(500, True, False), (500, False, True), (-500, True, True)])
def test_judge(score, ignores, is_bound):
    pinned = PinnedService("x.service", "x.service", score, "/system.slice/x.service", "x")
    found = judge_by_nohang(NohangSettings("/x", ignores, []), pinned)
    assert (found is None) is is_bound
    if found:
        assert found.remedy.endswith(
            "set ignore_positive_oom_score_adj = False in /x, which cannot have a fragment of ours, and restart nohang"
        )
