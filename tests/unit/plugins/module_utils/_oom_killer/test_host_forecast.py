# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import GIB, MIB, Kernel, host_with, task

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer import host_forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.host_forecast import (
    make_forecast,
    predict_next_victims,
)


def forecast(kernel, snapshot, growers=()):
    return make_forecast(kernel, snapshot, snapshot.rule, measure_host(snapshot), growers)


def test_what_the_kernel_passes_over_is_no_victim():
    """Once the first ones are known to be passed over, the next ones are looked at."""
    tasks = [task(str(number), number * MIB, pid=100 + number) for number in range(20)]
    kernel = Kernel(passed_over=range(109, 120))
    snapshot = host_with(*tasks)
    found = forecast(kernel, snapshot, [101])
    assert found.predict_next(measure_host(snapshot)).victim.task.name == "8"
    assert found.rank(measure_host(snapshot)).skipped[0].skipped == "reaped"
    assert len(kernel.asked) == len(set(kernel.asked))
    assert 101 in kernel.asked


def test_looks_have_an_end():
    tasks = [task(str(number), number * MIB, pid=100 + number) for number in range(200)]
    kernel = Kernel(passed_over=range(100, 300))
    forecast(kernel, host_with(*tasks))
    assert len(kernel.asked) <= 25


@pytest.fixture
def predict(monkeypatch):
    """Predict for a snapshot, as if it had been read."""

    def run(snapshot, scores, groups=None):
        monkeypatch.setattr(host_forecast, "take_snapshot", lambda procfs, table: snapshot)
        return predict_next_victims(Kernel(), None, scores, groups or {})

    return run


def test_pins_change_the_next_victim(predict):
    found = predict(host_with(task("dockerd", GIB, pid=812), task("java", MIB, pid=2210)), {812: -500})
    assert (found.now.victim.task.pid, found.with_pins.victim.task.pid) == (812, 2210)
    assert found.with_pins.victim.task.name == "java"
    assert predict(host_with(task("x", GIB, pid=812)), {812: -1000}).with_pins is None


@pytest.mark.parametrize("facts", [dict(release="2.4.0"), dict(is_container=True), dict(is_hidden=True)])
def test_nothing_is_predicted_without_a_rule_or_a_full_view(predict, facts):
    assert predict(host_with(task("x", GIB, pid=812), **facts), {812: -500}) is None
