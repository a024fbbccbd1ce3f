# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import (
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
    assert parse_settings("/x", TEXT) == NohangSettings("/x", True)


ODD = ["200 x", "ten /// x", "\u00b2 /// x", "+-5 /// x", "9" * 5000 + " /// x", "/// x"]


@pytest.mark.parametrize("adjustment", ODD)
def test_a_line_that_decides_nothing_costs_no_verdict(adjustment):
    assert parse_settings("/x", f"@BADNESS_ADJ_RE_NAME {adjustment}\n{TEXT}") == NohangSettings("/x", True)


WRONG = {
    "no answer": ("a = b\n", "/x has ignore_positive_oom_score_adj=None, which is not True or False"),
    "another answer": ("ignore_positive_oom_score_adj = yes\n", "ignore_positive_oom_score_adj=yes, which is not True"),
}


@pytest.mark.parametrize("text, error", WRONG.values(), ids=list(WRONG))
def test_wrong_settings(text, error):
    with pytest.raises(InputError) as caught:
        parse_settings("/x", text)
    assert error in str(caught.value)


@pytest.mark.parametrize("score, ignores, is_bound", [(500, True, False), (500, False, True), (-500, True, True)])
def test_judge(score, ignores, is_bound):
    pinned = PinnedService("x.service", "x.service", score, "/system.slice/x.service", "x")
    found = judge_by_nohang(NohangSettings("/x", ignores), pinned)
    assert (found is None) is is_bound
    if found:
        assert found.reason == "nohang does not count scores above 0, or counts them backwards"
        assert found.remedy.endswith(
            "set ignore_positive_oom_score_adj = False in /x, which cannot have a fragment of ours, and restart nohang"
        )
