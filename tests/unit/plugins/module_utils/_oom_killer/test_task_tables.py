# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The victim of every recorded task table has the highest badness of those that could be killed.

task_tables has the tables of tests/prediction/trial.py --record, without call traces. More logs are
read from OOMGUARD_KERNEL_LOGS, which tests/corpus.py reads too.
"""

import glob
import os

import pytest
from task_tables import judge_log

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser import explanation

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "..", "fixtures")
FOLDERS = [FIXTURES, os.path.join(FIXTURES, "kernel_logs"), *filter(None, [os.environ.get("OOMGUARD_KERNEL_LOGS")])]
LOGS = sorted(
    path
    for folder in FOLDERS
    for pattern in ("real/*.log", "recorded/*/kmsg.raw", "task_tables/*")
    for path in glob.glob(os.path.join(folder, pattern))
)

# Logs whose victims may have less than the highest badness, and why. There is none.
EXCEPTIONS = {}
LEAST_RIGHT = 0.995


@pytest.fixture(scope="module")
def verdicts():
    return [verdict for path in LOGS for verdict in judge_log(path)]


def test_the_victim_has_the_highest_badness(verdicts):
    wrong = [verdict for verdict in verdicts if verdict.behind]
    assert len(verdicts) >= 300  # of the repository's own logs
    assert len(wrong) <= len(verdicts) * (1 - LEAST_RIGHT)
    assert [one for one in wrong if os.path.basename(one.path) not in EXCEPTIONS] == []


def test_tables_have_rivals(verdicts):
    """A table of one row proves nothing about the order."""
    assert sum(verdict.rows >= 3 for verdict in verdicts) >= 270


def test_a_wrong_rule_would_be_seen(monkeypatch):
    """With the sign of scores turned around, the raised victims are no longer first."""
    monkeypatch.setattr(
        explanation, "compute_badness", lambda _rule, task, total: task.rss - task.score * total // 1000
    )
    assert [verdict for path in LOGS for verdict in judge_log(path) if verdict.behind]
