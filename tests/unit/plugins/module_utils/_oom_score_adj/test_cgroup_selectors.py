# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The selectors of a cgroup and of a unit, and what every selector has."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import (
    ByCgroup,
    ByUnit,
    Selector,
)

DOCKER = "/system.slice/docker.service"


def select(processes, selector):
    """Return the pids that a selector lists, and those of all processes that match."""
    table = ProcessTable(processes.proc.procfs)
    matching = []
    for pid in table.by_pid:
        with processes.proc.procfs.open(pid) as directory:
            if selector.matches(directory.process(), directory):
                matching.append(pid)
    return sorted(selector.candidates(table)), sorted(matching)


def test_cgroup_with_all_below(processes):
    selector = ByCgroup(DOCKER + "/", processes.proc.procfs)
    assert select(processes, selector) == ([10, 11], [10, 11])
    assert (selector.members(), selector.grows, selector.container) == ([10, 11], True, None)


def test_cgroup_that_is_missing(processes):
    with pytest.raises(NotFoundError, match="cgroup /nosuch does not exist below"):
        ByCgroup("/nosuch", processes.proc.procfs)


@pytest.mark.parametrize("whole, pids", [(False, [10]), (True, [10, 11])])
def test_unit(processes, whole, pids):
    selector = ByUnit(10, DOCKER, processes.proc.procfs, whole)
    assert select(processes, selector) == (pids, pids)
    assert (selector.is_main(10), selector.is_main(11), selector.grows) == (True, False, whole)
    assert selector.members() == [10, 11]


def test_main_process_outside_its_cgroup_does_not_match(processes):
    processes.proc.process(10, "dockerd", cgroup="/elsewhere")
    assert select(processes, ByUnit(10, DOCKER, processes.proc.procfs, False)) == ([10], [])


def test_interface_has_no_cgroup_and_no_answers():
    selector = Selector()
    assert selector.members() == []
    for question in (lambda: selector.candidates(None), lambda: selector.matches(None, None)):
        with pytest.raises(NotImplementedError):
            question()
