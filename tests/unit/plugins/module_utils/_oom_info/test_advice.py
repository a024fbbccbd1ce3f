# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from snapshots import GIB, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.advice import Advice, advise
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast


def advise_for(grower, *tasks, **facts):
    snapshot = host_with(grower, *tasks, **facts)
    forecast = Forecast(snapshot, snapshot.rule)
    return advise(forecast, forecast.predict_growth(grower.pid))


def test_each_score_alone_is_enough():
    backup, postgres = task("backup", MIB), task("postgres", 4 * GIB)
    advice = advise_for(backup, postgres)
    assert (advice.victim_score, advice.grower_score) == (-170, 170)
    for pid, score in ((postgres.pid, advice.victim_score), (backup.pid, advice.grower_score)):
        snapshot = host_with(backup, postgres).with_scores({pid: score})
        assert Forecast(snapshot, snapshot.rule).predict_growth(backup.pid).itself


def test_no_advice_is_needed():
    assert advise_for(task("java", MIB), task("daemon", GIB)) is None


def test_nothing_can_die():
    assert advise_for(task("java", MIB, score=-1000)) is None


def test_a_second_daemon_would_die_instead():
    """To lower one of two is not enough, to raise the grower is."""
    advice = advise_for(task("backup", MIB), task("one", 4 * GIB), task("two", 4 * GIB - MIB))
    assert (advice.victim_score, advice.grower_score) == (None, 170)


def test_no_score_is_high_enough():
    """The grower is at the top already, and the daemon would have to be immune."""
    cgroup = limited("/a", 100 * MIB, 99 * MIB)
    tasks = [task("backup", MIB, score=1000, cgroup="/a"), task("daemon", 98 * MIB, score=1000, cgroup="/a")]
    advice = advise_for(*tasks, cgroups=[cgroup])
    assert advice == Advice(10, None)  # 25 pages for each step
    tasks = [task("backup", MIB, score=-999, cgroup="/a"), task("daemon", 98 * MIB, score=-999, cgroup="/a")]
    assert advise_for(*tasks, cgroups=[cgroup]) == Advice(None, -9)


def test_an_immune_grower_gets_a_score():
    """No score of the others makes it die."""
    advice = advise_for(task("backup", MIB, score=-1000), task("daemon", GIB))
    assert advice.victim_score is None
    assert -1000 < advice.grower_score < 0
