# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both kinds of trial check and count."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    ACTOR_NAMES,
    TrialRequest,
    check_trial_request,
    count_kills,
    parse_size_kb,
)

REQUEST = TrialRequest("/root/oom_hog", "cgroup", False, 65536, -900, 0, 60, "auto", None)


def test_accept_what_a_trial_can_use():
    check_trial_request(REQUEST)
    check_trial_request(REQUEST._replace(timeout=3595, pinned_score=-1000, hog_score=1000, cgroup_parent="/h\u00f6g"))


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(timeout=0), "timeout=0 is out of range: set it to 1 to 3595 seconds"),
        (dict(timeout=-5), "timeout=-5 is out of range"),
        (dict(timeout=3596), "timeout=3596 is out of range"),
        (dict(timeout=10**400), "timeout=100000000000000000000... (more than 20 digits) is out of range"),
        (dict(timeout=-(10**5000)), "timeout=-100000000000000000000... (more than 20 digits) is out of range"),
        (dict(pinned_score=-1001), "pinned_score=-1001 is out of range: set it to -1000 to 1000"),
        (dict(hog_score=10**400), "hog_score=100000000000000000000... (more than 20 digits) is out of range"),
        (
            dict(hog="/root/oom\0hog"),
            "hog='/root/oom\\x00hog' holds a character that no name on Linux",
        ),
        (dict(hog="/root/\ud800"), "holds a character that no name on Linux can have: remove it"),
        (
            dict(cgroup_parent="/sys\0"),
            "cgroup_parent='/sys\\x00' holds a character that no name on Linux",
        ),
    ],
    ids=range(10),
)
def test_refuse_what_no_trial_can_use(changes, words):
    with pytest.raises(InputError) as raised:
        check_trial_request(REQUEST._replace(**changes))
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "text, size_kb",
    [("64M", 65536), ("67108864", 65536), ("1.5G", 1572864), (" 8 MB ", 8192), ("8MiB", 8192), ("1000T", 1000 << 30)],
)
def test_parse_a_size(text, size_kb):
    assert parse_size_kb("memory_limit", text) == size_kb


@pytest.mark.parametrize(
    "text", ["", "-5M", "64X", "M", "1" * 400, "1e999", "inf", "\u0661M", "64M\n64M", "0x10", "\xb2"]
)
def test_refuse_what_is_no_size(text):
    with pytest.raises(InputError, match="is not a size: write it in bytes or with a unit, such as 64M"):
        parse_size_kb("memory_limit", text)


@pytest.mark.parametrize("before, after, counted", [(3, 5, 2), (3, 3, 0), (None, 5, None), (3, None, None)])
def test_count_kills(before, after, counted):
    assert count_kills(before, after) == counted


def test_names_fit_into_comm():
    assert all(len(name) <= 15 for name in ACTOR_NAMES.values())
