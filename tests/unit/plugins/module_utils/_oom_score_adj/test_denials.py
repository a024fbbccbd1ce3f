# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run could not write is an error of check mode, in the words of the run."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import denials
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.denials import (
    explain_denial,
    refuse_denied,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Pin

DOCKERD = Process(287, "dockerd", 100, 1, False, 0)
NO_CAPABILITY = "Name:\tpython\nCapEff:\t000001fffeffffff\n"

DENIED = {
    "forgot become": (
        1000,
        -500,
        "the score of process 287 (dockerd) cannot be lowered from 0 to -500: ran as uid 1000: add become: true",
    ),
    "forgot become, raised": (1000, 500, "cannot be set from 0 to 500: ran as uid 1000: add become: true"),
    "in a container": (0, -500, "lacks CAP_SYS_RESOURCE in the initial user namespace, as in a container: run on the"),
    "in a user namespace": (0, 500, "this root may not write to it, as in a user namespace: run on the host itself"),
}


@pytest.mark.parametrize("uid, after, words", DENIED.values(), ids=list(DENIED))
def test_explain_denial(monkeypatch, uid, after, words):
    monkeypatch.setattr(denials.os, "geteuid", lambda: uid)
    assert words in explain_denial(Change(DOCKERD, 0, after))


def predict(host, *pins):
    plan = host.plan(*pins)
    return refuse_denied(host.proc.procfs, plan.finder, plan.outcomes)


def test_nothing_is_denied(host):
    assert predict(host, Pin("unit", "docker", -500, persistent=True), Pin("pid", "70", 5)) == []
    assert host.drop_in("docker") is None


def test_lowering_without_the_capability(processes):
    processes.proc.write("self/status", NO_CAPABILITY)
    with pytest.raises(AccessError, match=r"process 10 \(dockerd\) cannot be lowered from 0 to -500"):
        predict(processes, Pin("pid", "12", 300), Pin("pid", "10", -500))
    with pytest.raises(AccessError, match=r"process 10 \(dockerd\) cannot be lowered from 0 to -700"):  # as the run
        predict(processes, Pin("pid", "12", -500), Pin("pid", "10", -700))
    assert predict(processes, Pin("pid", "10", 500)) == []


def test_lowering_that_only_a_run_can_judge(processes):
    processes.proc.write("self/status", NO_CAPABILITY)
    [warning] = predict(processes, Pin("pid", "12", 0))
    assert warning.startswith("lowering the score of 1 processes may be denied: this process lacks CAP_SYS_RESOURCE")


def test_process_of_another_user(processes, monkeypatch):
    monkeypatch.setattr(ProcessDir, "may_set_score", lambda _directory: False)
    monkeypatch.setattr(denials.os, "geteuid", lambda: 1000)
    with pytest.raises(AccessError, match=r"process 10 \(dockerd\) cannot be set from 0 to 500: ran as uid 1000: add"):
        predict(processes, Pin("pid", "10", 500))
    assert predict(processes, Pin("pid", "10", 0)) == []  # nothing to write


def test_process_that_has_ended_denies_nothing(processes):
    plan = processes.plan(Pin("pid", "10", -500))
    for file in (processes.proc.root / "10").iterdir():
        file.unlink()
    (processes.proc.root / "10").rmdir()
    assert refuse_denied(processes.proc.procfs, plan.finder, plan.outcomes) == []


def test_drop_in_of_a_user_who_forgot_become(host, as_nobody):
    """The real access(2), as another user."""
    plan = host.plan(Pin("unit", "mariadb", -500, persistent=True))
    with as_nobody(host.root):
        with pytest.raises(AccessError) as raised:
            refuse_denied(host.proc.procfs, plan.finder, plan.outcomes)
        with pytest.raises(AccessError) as real:
            host.apply_plan(plan)
    assert str(raised.value) == (
        "/etc/systemd/system/mariadb.service.d/60-oomguard.conf cannot be written: Permission denied:"
        " ran as uid 65534: add become: true"
    )
    assert str(real.value) == str(raised.value)
