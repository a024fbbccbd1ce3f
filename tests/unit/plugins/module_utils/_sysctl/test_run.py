# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole run: refusals, check mode, and the lock between two runs."""

import os
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply, run
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    MODE,
    RATIO,
    OvercommitPolicy,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls

WANTED = {ADMIN_RESERVE: 131072, RATIO: 80, MODE: 2}


@pytest.fixture
def run_overcommit(sysctl_tree, overcommit_request):
    def call(check_mode=False, wanted=None, **fields):
        request = overcommit_request(wanted or WANTED, **{"rollback_seconds": 20, **fields})
        return run_sysctls(sysctl_tree.host, request, check_mode)

    return call


class RefusingPolicy(OvercommitPolicy):
    """Refuses every plan."""

    def refuse_harm(self, plan):
        raise InputError("no")


def test_check_mode_writes_nothing(sysctl_tree, run_overcommit):
    before = sysctl_tree.get(*WANTED)
    planned = run_overcommit(check_mode=True)
    assert planned.changed
    assert sysctl_tree.get(*WANTED) == before
    assert os.listdir(str(sysctl_tree.root / "etc/sysctl.d")) == []
    assert run_overcommit().after == planned.after


def test_refuse_before_anything_else_unless_forced(run_overcommit):
    for check_mode in (True, False):
        with pytest.raises(InputError, match="no"):
            run_overcommit(check_mode, policy=RefusingPolicy)
    assert run_overcommit(policy=RefusingPolicy, force=True).changed


def test_refuse_container_but_only_warn_in_check_mode(sysctl_tree, run_overcommit):
    sysctl_tree.write("/.dockerenv", "")
    with pytest.raises(AccessError, match="this is a container"):
        run_overcommit()
    assert "this is a container" in run_overcommit(check_mode=True).warnings[0]
    sysctl_tree.set(**WANTED)
    assert not run_overcommit(persistent=False).changed  # a run without a change does not fail


def test_refuse_kubelet_host(sysctl_tree, run_overcommit):
    sysctl_tree.proc.process(7, name="kubelet")
    with pytest.raises(InputError, match="the kubelet on this host"):
        run_overcommit()


def test_warnings_of_the_policy_come_last(run_overcommit):
    warnings = run_overcommit(check_mode=True, wanted={MODE: 2, RATIO: 200}, persistent=False).warnings
    assert [warning.split()[0] for warning in warnings] == [RATIO, MODE, "mode=never:"]


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_refuse_rollback_seconds_out_of_range(run_overcommit, seconds):
    with pytest.raises(InputError, match=f"rollback_seconds={seconds} is out of range, 1 to 3600"):
        run_overcommit(rollback_seconds=seconds)


def test_second_run_waits_for_the_first(sysctl_tree, run_overcommit, monkeypatch):
    ended = []
    monkeypatch.setattr(apply, "prove_new_process", lambda: None)
    with run._lock_out_other_runs(sysctl_tree.host) as lock:
        child = os.fork()
        if child == 0:
            os.close(lock)
            run_overcommit()
            os._exit(0)
        time.sleep(0.2)
        ended.append(os.waitpid(child, os.WNOHANG)[0])
        assert sysctl_tree.get(MODE) == {MODE: 0}
    os.waitpid(child, 0)
    assert ended == [0]
    assert sysctl_tree.get(MODE) == {MODE: 2}


def test_lock_that_is_never_released(sysctl_tree, run_overcommit, monkeypatch):
    monkeypatch.setattr(run, "LOCK_SECONDS", 0.2)
    with run._lock_out_other_runs(sysctl_tree.host):
        with pytest.raises(
            OomError,
            match=r"another process has held the lock on /proc/sys.*"
            "another run of overcommit or oom_policy; find it with lslocks",
        ):
            run_overcommit()
        assert run_overcommit(check_mode=True).changed  # check mode changes nothing and does not wait
    assert sysctl_tree.get(MODE) == {MODE: 0}
