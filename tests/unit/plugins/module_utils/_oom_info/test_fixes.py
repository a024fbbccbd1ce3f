# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
import yaml
from snapshots import MIB, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import (
    Fix,
    join_targets,
    keep_accepted,
    keep_live_value,
    pin_process,
    write_task,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import PinnedUnit

WEB = PinnedUnit("web.service", -500, -500, "stop", 7, "/x", "stop", "avoid")


@pytest.mark.parametrize(
    "fix, arguments",
    [
        (Fix("overcommit", dict(mode="never")), dict(mode="never")),
        (Fix("oom_score_adj", targets=(dict(pid=1),)), dict(pid=1)),
        (Fix("oom_score_adj", targets=(dict(pid=1), dict(pid=2))), dict(targets=[dict(pid=1), dict(pid=2)])),
        (Fix("oom_score_adj", targets=({"process": 'a": b\n', "score": 0},)), {"process": 'a": b\n', "score": 0}),
    ],
    ids=["options", "one target", "targets", "a hostile name"],
)
def test_a_task_has_the_arguments(fix, arguments):
    assert yaml.safe_load(write_task(fix)) == [{"oomguard.linux." + fix.module: arguments}]


def test_no_fix_is_no_task():
    assert write_task(None) is None


@pytest.mark.parametrize(
    "pid, score, now, target",
    [
        (7, -600, -500, dict(unit="web.service", score=-600)),
        (7, -300, -100, dict(unit="web.service", score=-500)),
        (7, -999, -1000, dict(unit="web.service", score=-999)),
        (8, -600, -500, dict(pid=8, score=-600)),
    ],
    ids=["lower", "the drop-in has a lower one", "higher", "not the main process"],
)
def test_a_process_is_pinned_by_the_drop_in_that_decides_over_it(pid, score, now, target):
    assert pin_process([WEB], task("x", MIB, score=now, pid=pid), score) == target


def test_targets_of_a_unit_are_joined():
    found = join_targets(
        [
            Fix("oom_score_adj", targets=(dict(unit="web.service", oom_policy="continue"), dict(pid=9, score=1))),
            None,
            Fix("oom_score_adj", targets=(dict(unit="web.service", score=-900), dict(unit="db.service", score=-1))),
            Fix("overcommit", dict(mode="never")),
        ],
        [WEB],
    )
    web = dict(unit="web.service", score=-900, oom_policy="continue", managed_oom_preference="avoid")
    assert [one and one.targets for one in found] == [
        (web, dict(pid=9, score=1)),
        None,
        (web, dict(unit="db.service", score=-1)),
        (),
    ]


@pytest.mark.parametrize(
    "count, refused, tries", [(8, [], 1), (1, [0], 1), (8, [5], 7), (8, range(8), 15), (3, [0, 2], 5)]
)
def test_refused_targets_are_left_out(count, refused, tries):
    """With few tries, as each reads all processes."""
    tried = []

    def accepts(targets):
        tried.append(targets)
        return not any(target["pid"] in refused for target in targets)

    found = keep_accepted(tuple(dict(pid=number) for number in range(count)), accepts)
    assert [one["pid"] for one in found] == [number for number in range(count) if number not in refused]
    assert len(tried) == tries


def test_an_unknown_value_has_no_task():
    assert keep_live_value("kernel.panic", {}, {}, False) is None
