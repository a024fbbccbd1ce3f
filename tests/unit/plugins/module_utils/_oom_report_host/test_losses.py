# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences on what a log lacks."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.losses import describe_losses

NOTHING = {"records": 0, "suppressed_reports": 0, "gap": False, "files": []}

GAP = "the log no longer has the place where the last run ended: kills since then may be missing"


def found(undated=0, truncated=False, warnings=(), **lost):
    return {
        "lost": {**NOTHING, **lost},
        "counts": {"undated": undated},
        "truncated": truncated,
        "total": 700,
        "events": [{}] * 500,
        "warnings": list(warnings),
    }


@pytest.mark.parametrize(
    "result, sentences",
    [
        (found(), []),
        (found(warnings=["read source=kmsg instead"]), ["read source=kmsg instead"]),
        (
            found(gap=True),
            ["the log no longer has the place where the last run ended: " + "kills since then may be missing"],
        ),
        (found(records=3), ["3 records of the log were lost before they were read"]),
        (found(suppressed_reports=2), ["the kernel left 2 reports of kills out of its log"]),
        (found(undated=4), ["4 kills are left out, because the log does not date them"]),
        (found(truncated=True), ["the log has 700 kills, and the newest 500 of them were read"]),
        (
            found(files=[f"file {number} is cut" for number in range(9)]),
            [f"file {number} is cut" for number in range(5)],
        ),
    ],
)
def test_sentences(result, sentences):
    assert describe_losses(result) == sentences
