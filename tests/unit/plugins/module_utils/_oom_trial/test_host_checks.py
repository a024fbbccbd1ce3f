# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a host before a trial; what is refused is in test_kill_trial.py."""

import os
import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import host_checks
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import design_trial, refuse_rivals
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_checks import (
    list_candidates,
    other_processes,
    read_own_score,
)

LARGE_KB = 400 * 1024

STATUS = {
    "honest": "Name:\tx\nVmRSS:\t{kb} kB\n",
    "a name with a line of its own": "Name:\t\x0bVmRSS: -999999\nVmRSS:\t{kb} kB\n",
    "a name with a form feed": "Name:\t\x0cVmRSS: -99999999\nVmRSS:\t{kb} kB\n",
    "a name with a carriage return": "Name:\t\rVmSwap: -999999\nVmRSS:\t{kb} kB\n",
    "a name with a line separator": "Name:\t\u2028VmPTE: -9999\nVmRSS:\t{kb} kB\n",
    "a negative number": "Name:\tx\nVmRSS:\t-{kb} kB\n",
    "no number": "Name:\tx\n",
}


@pytest.mark.parametrize("status", STATUS.values(), ids=list(STATUS))
def test_no_process_hides_how_large_it_is(proc, status):
    proc.process(7, name="rival", resident_kb=LARGE_KB)
    proc.write("7/status", status.replace("{kb}", str(LARGE_KB)))
    [candidate] = list_candidates(proc.procfs)
    assert candidate.memory_kb == LARGE_KB
    design = design_trial(-900, 0, LARGE_KB, own_score=0, can_lower=True, scope="host")
    with pytest.raises(InputError, match=r"the kernel could kill process 7 \(rival\) instead of the hog"):
        refuse_rivals(design, [candidate], 1000 * 1024)


def test_a_real_process_with_a_false_name_is_as_large_as_it_is():
    """No other character than a line feed ends a line of /proc/PID/status."""
    child = os.fork()
    if child == 0:
        try:
            with open("/proc/self/comm", "wb") as comm:
                comm.write(b"\x0bVmRSS: -999999")
            time.sleep(60)
        finally:
            os._exit(1)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = {one.process.pid: one for one in list_candidates(Procfs())}[child]
            if "VmRSS" in found.process.name:
                break
        assert found.process.name == "\\x0bVmRSS: -999999"
        assert found.memory_kb > 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_own_process_is_no_other_one():
    assert os.getpid() not in [process.pid for process in other_processes(Procfs())]
    assert -1000 <= read_own_score(Procfs()) <= 1000


def test_do_not_wait_for_ever_for_the_child_that_tries_a_score(monkeypatch):
    monkeypatch.setattr(host_checks, "REAP_SECONDS", 0.05)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    assert host_checks._wait_for_child(child) is None
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
