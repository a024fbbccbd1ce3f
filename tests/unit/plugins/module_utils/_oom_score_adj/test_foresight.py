# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from snapshots import write_host

from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.foresight import foresee
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin


@pytest.fixture
def foreseen(proc, processes):
    """Return what is foreseen of a plan on a host with two processes of 70 and 60 MB."""
    proc.process(1, "systemd", parent=0)
    proc.process(30, "java", score=0)
    proc.process(40, "dockerd2", score=-300)
    write_host(proc, {1: 4000, 30: 60000, 40: 70000})
    for pid in (1, 30, 40):
        proc.write(f"{pid}/cgroup", "0::/\n")
    return lambda *pins: foresee(proc.procfs, processes.plan(*pins))


def test_a_pin_saves_the_next_victim(foreseen):
    found = foreseen(Pin("pid", "30", -900))
    assert found["text"] == "next victim now java[30], with these pins dockerd2[40]"
    assert [found[when]["pid"] for when in ("now", "with_pins")] == [30, 40]


def test_a_pin_is_taken_back(foreseen):
    found = foreseen(Pin("pid", "40", None, "absent"))
    assert found["text"] == "next victim now java[30], without these pins dockerd2[40] (not certain)"


def test_nothing_dies(proc, foreseen):
    proc.write("sys/vm/panic_on_oom", "1\n")
    found = foreseen(Pin("pid", "30", -900))
    assert found == {"now": None, "with_pins": None, "text": None}


def test_what_cannot_be_read_is_no_error_of_the_pin(proc, foreseen):
    (proc.root / "meminfo").unlink()
    assert foreseen(Pin("pid", "30", -900)) is None


def test_a_kernel_without_a_rule(proc, foreseen):
    proc.process(2, "sh", parent=1)  # in a container pid 2 is no kernel thread
    assert foreseen(Pin("pid", "30", -900)) is None
