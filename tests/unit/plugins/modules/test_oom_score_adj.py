# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it: its answer is what its documentation says."""

import functools
import os
import signal

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply, plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.modules import oom_score_adj

SHOWN = """\
Id=docker.service
Names=docker.service
LoadState=loaded
ActiveState=active
Type=notify
MainPID=10
ControlGroup=/system.slice/docker.service
FragmentPath=
DropInPaths=
Delegate=yes
OOMScoreAdjust={}
OOMPolicy=continue
"""


@pytest.fixture
def host(proc, tmp_path, monkeypatch):
    """Run the module on a host with dockerd, and with a helper that has inherited its score."""
    cgroup = "system.slice/docker.service"
    for folder in ("run/systemd/system", "etc/systemd/system", f"cgroup/{cgroup}"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / f"cgroup/{cgroup}/cgroup.procs").write_text("10\n11\n")
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path}/cgroup rw - cgroup2 cgroup2 rw\n")
    proc.process(1, "systemd", parent=0)
    proc.process(10, "dockerd", score=-300, cgroup=f"/{cgroup}", resident_kb=80000)
    proc.process(11, "docker-proxy", parent=10, score=-300, cgroup=f"/{cgroup}")
    drop_in = tmp_path / "etc/systemd/system/docker.service.d/60-oomguard.conf"

    def show(*command):
        if command[1] == "daemon-reload":
            return ""
        return SHOWN.format(drop_in.read_text().split("OOMScoreAdjust=")[1].split()[0] if drop_in.exists() else "0")

    monkeypatch.setattr(oom_score_adj, "Procfs", lambda: proc.procfs)
    monkeypatch.setattr(
        oom_score_adj, "Systemd", lambda: Systemd(str(tmp_path), lambda *command: functools.partial(show, *command))
    )
    monkeypatch.setattr(apply, "SECOND_LOOK_SECONDS", 0)
    return proc


@pytest.mark.parametrize("check_mode", [False, True])
def test_return_documents_every_key(host, run_module, undocumented, check_mode):
    answer = run_module("oom_score_adj", check_mode, unit="docker", score=-500)
    [target] = answer["targets"]
    assert target["processes"] and target["inherited"] and target["drop_in"]  # else nothing of them is compared
    assert undocumented("oom_score_adj", answer) == []


def test_pin_unit(host, run_module):
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["changed"], host.score(10), host.score(11)) == (True, -500, -300)
    assert [one["pid"] for one in answer["targets"][0]["inherited"]] == [11]
    assert not run_module("oom_score_adj", unit="docker", score=-500)["changed"]


def test_check_mode_writes_nothing(host, run_module):
    answer = run_module("oom_score_adj", True, unit="docker", score=-500)
    assert (answer["changed"], host.score(10)) == (True, -300)


def test_many_targets_in_one_call(host, run_module):
    targets = [{"unit": "docker", "score": -500}, {"process": "docker-proxy", "score": 100}]
    answer = run_module("oom_score_adj", targets=targets)
    assert [target["target"] for target in answer["targets"]] == ["unit=docker.service", "process=docker-proxy"]
    assert (host.score(10), host.score(11)) == (-500, 100)


def test_warnings_of_plan_and_run_are_returned(host, run_module, monkeypatch):
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: host.write("10/oom_score_adj", "-17\n"))
    targets = [{"pid": 10, "score": 5}, {"process": "nginx", "score": 1, "missing": "warn"}]
    warnings = run_module("oom_score_adj", targets=targets)["warnings"]
    # ansible-core 2.19 and later return objects, and keep those of earlier runs in this process.
    assert [one["event"]["msg"] if isinstance(one, dict) else one for one in warnings][-2:] == [
        "process=nginx: no such process",
        "process 10 (dockerd) set its score to -17 right after it was set to 5:"
        " it manages its own score; look for a setting of the program",
    ]


def test_refusal_fails_with_its_sentence(host, run_module):
    answer = run_module("oom_score_adj", targets=[{"pid": 10, "score": 5}], missing="warn")
    assert (answer["failed"], answer["msg"]) == (
        True,
        "missing=warn next to targets has no effect; set it in each target",
    )


def test_signal_fails_with_its_sentence(host, run_module, monkeypatch):
    real = ProcessDir.set_score

    def write_and_end(directory, score):
        real(directory, score)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ProcessDir, "set_score", write_and_end)
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["failed"], answer["msg"]) == (
        True,
        "the run was ended by SIGTERM: all that it had changed was put back",
    )


@pytest.mark.parametrize(
    "error, words",
    [
        (PermissionError(13, "Permission denied", b"/proc/10/\xff\x1b"), "/proc/10/\\xff\\x1b: Permission denied"),
        (PermissionError(13, "Permission denied", "/run/systemd"), "/run/systemd: Permission denied"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("of a library"), "of a library"),
    ],
)
@pytest.mark.parametrize("file, step", [(plan, "plan_pins"), (apply, "apply_locked")])
def test_system_error_is_one_sentence(host, run_module, monkeypatch, file, step, error, words):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr(file, step, fail)
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["failed"], answer["msg"]) == (True, f"the scores cannot be read or set: {words}")
    assert host.score(10) == -300


def test_unreadable_cgroup_is_one_sentence(host, run_module, tmp_path):
    procs = tmp_path / "cgroup/system.slice/docker.service/cgroup.procs"
    procs.unlink()
    procs.symlink_to(procs)
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["failed"], answer["msg"]) == (
        True,
        f"the scores cannot be read or set: {procs}: Too many levels of symbolic links",
    )


@pytest.mark.parametrize("name", ["state", "children", "missing", "force"])
def test_defaults_of_spec_and_pin_agree(name):
    assert oom_score_adj.TARGET_OPTIONS[name]["default"] == Pin._field_defaults[name]
