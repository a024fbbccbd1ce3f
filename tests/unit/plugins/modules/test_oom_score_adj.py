# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it: its answer is what its documentation says."""

import functools
import os
import signal

import pytest
import yaml
from snapshots import write_host

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import answer as pin_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply, plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import TARGET_OPTIONS
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

    monkeypatch.setattr(pin_answer, "Procfs", lambda: proc.procfs)
    monkeypatch.setattr(
        pin_answer, "Systemd", lambda: Systemd(str(tmp_path), lambda *command: functools.partial(show, *command))
    )
    monkeypatch.setattr(apply, "SECOND_LOOK_SECONDS", 0)
    return proc


@pytest.mark.parametrize("check_mode", [False, True])
def test_return_documents_every_key(host, run_module, undocumented, check_mode):
    answer = run_module("oom_score_adj", check_mode, unit="docker", score=-500)
    [target] = answer["targets"]
    assert target["processes"] and target["inherited"] and target["drop_in"]  # else nothing of them is compared
    assert undocumented("oom_score_adj", answer) == []


@pytest.fixture
def host_with_memory(host, tmp_path):
    """Add what a prediction reads."""
    (tmp_path / "cgroup/cgroup.controllers").write_text("cpu memory\n")
    write_host(host, {1: 4000, 10: 80000, 11: 90000})
    return host


def test_check_mode_predicts_the_next_victim(host_with_memory, run_module, undocumented):
    """The pins give it another one, and a run does not predict."""
    answer = run_module("oom_score_adj", True, pid=11, score=-800)
    unit = "(docker.service)"
    line = f"next victim now docker-proxy[11] {unit} (not certain), with these pins dockerd[10] {unit}"
    pinned = "docker-proxy[11]: -300 -> -800"
    lost = "; not lasting: not by its unit docker.service"
    assert answer["report"] == [f"{pinned} (docker.service){lost}", line]
    assert answer["msg"] == f"{pinned}{lost}; {line}"
    assert [answer["next_victim"][when]["pid"] for when in ("now", "with_pins")] == [11, 10]
    assert undocumented("oom_score_adj", answer) == []
    assert run_module("oom_score_adj", pid=11, score=-800)["next_victim"] is None
    assert run_module("oom_score_adj", True, pid=11, score=-800)["next_victim"] is None  # nothing would change


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
        "process=nginx: no such process; check the name with ps -e -o comm, or start it first",
        "process 10 (dockerd) set its score to -17 right after it was set to 5:"
        " it manages its own score; look for a setting of the program",
    ]


def test_message_and_report(host, run_module):
    for check_mode, words in ((True, "to be written"), (False, "written")):
        answer = run_module("oom_score_adj", check_mode, unit="docker", score=-500)
        assert answer["msg"] == f"dockerd[10]: -300 -> -500, drop-in {words}"
        assert answer["report"] == [answer["msg"] + " (docker.service)"]
    host.write("11/oom_score_adj", "-500\n")
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert answer["msg"] == "dockerd[10]: -500, no change; not lasting: inherited by 1 child"
    assert answer["not_lasting"] == [
        {"target": "unit=docker.service", "unit": "docker.service", "reason": "inherited by 1 child"}
    ]
    answer = run_module("oom_score_adj", targets=[{"unit": "docker", "score": -600}, {"pid": 11, "score": -500}])
    assert answer["msg"] == "1 pin changed, 1 unchanged; not lasting: pid=11 (not by its unit docker.service)"


@pytest.mark.parametrize(
    "selector, reasons", [(dict(unit="docker"), []), (dict(pid=10), ["not by its unit docker.service"])]
)
def test_pin_that_is_asked_not_to_last(host, run_module, selector, reasons):
    answer = run_module("oom_score_adj", score=5, persistent=False, **selector)
    assert [one["reason"] for one in answer["not_lasting"]] == reasons
    [_text, what_is_left_out] = yaml.safe_load(oom_score_adj.RETURN)["not_lasting"]["description"]
    assert what_is_left_out.startswith("A unit with O(persistent=false) is not listed")


def test_all_pins_are_taken_back(host, run_module):
    for options in ({"unit": "docker", "score": -500}, {"pid": 11, "score": 7}):
        run_module("oom_score_adj", **options)
    answer = run_module("oom_score_adj", True, all_pins=True, state="absent")
    assert (answer["msg"], host.score(10)) == ("2 pins would change, 0 unchanged", -500)
    answer = run_module("oom_score_adj", all_pins=True, state="absent")
    assert (host.score(10), host.score(11)) == (0, -300 if os.geteuid() == 0 else 7)
    answer = run_module("oom_score_adj", all_pins=True, state="absent")
    assert (answer["changed"], answer["msg"]) == (False, "no pin of this collection is on this host")


@pytest.mark.parametrize("check_mode, start", [(False, ""), (True, "would fail: ")])
def test_check_mode_fails_as_the_run(host, run_module, monkeypatch, check_mode, start):
    """Without the capability the kernel denies the write; the answer of both is the same."""

    def deny(_directory, _score):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ProcessDir, "set_score", deny)
    host.write("self/status", "CapEff:\t0000000000000000\n")
    for options, words in {
        "no capability": (
            {"unit": "docker", "score": -500},
            "process 10 (dockerd) cannot be lowered from -300 to -500",
        ),
        "refused": ({"pid": 1, "score": -500}, "pid=1 with score=-500: the kernel never kills init"),
        "contradiction": ({"all_pins": True}, "all_pins=true next to state=present only takes pins back"),
        "no selector": ({"all_pins": False}, "target selects nothing"),
    }.values():
        answer = run_module("oom_score_adj", check_mode, **options)
        assert answer["failed"] and answer["msg"].startswith(start) and words in answer["msg"]
        assert answer["msg"].startswith("would fail: ") == check_mode


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
        "the run was ended by SIGTERM: all that it had changed was put back; run again",
    )


REMEDY = ": see dmesg(1), and run again"


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(5, "Input/output error", b"/proc/10/\xff\x1b"), "/proc/10/\\xff\\x1b: Input/output error"),
        (OSError(5, "Input/output error", "/run/systemd"), "/run/systemd: Input/output error"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("of a library"), "of a library"),
    ],
)
@pytest.mark.parametrize("file, step", [(plan, "plan_pins"), (apply, "apply_locked")])
def test_system_error_is_one_sentence(host, run_module, monkeypatch, file, step, error, words):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(file, step, fail)
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["failed"], answer["msg"]) == (True, f"the scores cannot be read or set: {words}{REMEDY}")
    assert host.score(10) == -300


def test_unreadable_cgroup_is_one_sentence(host, run_module, tmp_path):
    procs = tmp_path / "cgroup/system.slice/docker.service/cgroup.procs"
    procs.unlink()
    procs.symlink_to(procs)
    answer = run_module("oom_score_adj", unit="docker", score=-500)
    assert (answer["failed"], answer["msg"]) == (
        True,
        f"the scores cannot be read or set: {procs}: Too many levels of symbolic links:"
        " remove the link there that leads back to itself",
    )


@pytest.mark.parametrize("name", ["state", "children", "missing", "force"])
def test_defaults_of_spec_and_pin_agree(name):
    assert TARGET_OPTIONS[name]["default"] == Pin._field_defaults[name]
