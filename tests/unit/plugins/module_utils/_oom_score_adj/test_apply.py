# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written, read back, checked again, and put back on any failure."""

import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    NotFoundError,
    OomError,
    ReadBackError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust and OOMPolicy here and nothing else.\n"
)


def pid_pin(pid, score=-500):
    return Pin("pid", str(pid), score)


def process_pin(name, score=-500, **options):
    return Pin("process", name, score, **options)


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def test_zero_is_written_as_any_score(processes):
    processes.apply(pid_pin(12, 0))
    assert processes.scores(12) == [0]


def test_second_run_changes_nothing(processes):
    first, second = [processes.results(process_pin("dockerd")) for _time in range(2)]
    assert (first["changed"], second["changed"]) == (True, False)
    assert processes.scores(10, 11, 12) == [-500, -500, 5]


# --- scores that are denied or not kept ---------------------------------------------------


def test_denial_names_the_missing_capability(processes, monkeypatch):
    def deny(_directory, _score):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ProcessDir, "set_score", deny)
    with pytest.raises(
        AccessError, match=r"process 10 \(dockerd\) from 0 to -500 was denied: lowering a score needs CAP_SYS_RESOURCE"
    ):
        processes.apply(pid_pin(10))
    with pytest.raises(AccessError, match="only its owner and root may do that"):
        processes.apply(pid_pin(10, 500))


def test_failure_puts_every_score_back(processes, monkeypatch):
    write = ProcessDir.set_score

    def deny_raising(directory, score):
        if score == 300:
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", deny_raising)
    with pytest.raises(AccessError, match="process 12"):
        processes.apply(process_pin("dockerd"), pid_pin(12, 300))
    assert processes.scores(10, 11, 12) == [0, 0, 5]


def test_failure_names_what_cannot_be_put_back(processes, monkeypatch):
    write = ProcessDir.set_score

    def deny_raising(directory, score):
        if score >= 0:
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", deny_raising)
    with pytest.raises(
        OomError, match=r"process 12 .*; this could not be put back: .*process 10 \(dockerd\) from -500 to 0"
    ):
        processes.apply(pid_pin(10), pid_pin(12, 300))


def test_fail_if_kernel_shows_another_score(processes, monkeypatch):
    monkeypatch.setattr(ProcessDir, "set_score", lambda _directory, _score: None)
    with pytest.raises(ReadBackError, match=r"process 10 \(dockerd\) shows score 0 after -500 was written"):
        processes.apply(pid_pin(10))


def test_write_again_if_process_sets_its_score_before_read_back(processes, monkeypatch):
    read = ProcessDir.score
    shown = [77]  # the score that the process set right after the write
    plan = processes.plan(pid_pin(10))
    monkeypatch.setattr(ProcessDir, "score", lambda directory: shown.pop() if shown else read(directory))
    [outcome] = processes.apply_plan(plan).outcomes
    assert (shown, processes.scores(10), outcome.changes[0].after) == ([], [-500], -500)


def test_warn_of_process_that_sets_its_own_score(host, monkeypatch):
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: host.proc.write("10/oom_score_adj", "-17\n"))
    plan = host.plan(unit_pin("docker"))
    applied = host.apply_plan(plan)
    assert applied.outcomes[0].changes[0].after == -17
    assert plan.warnings + applied.warnings == [
        "process 10 (dockerd) set its score to -17 right after it was set to -500:"
        " it manages its own score; look for a setting of the program"
    ]


# --- processes that end or change meanwhile -------------------------------------------------


def end_process(proc, pid):
    for name in ("stat", "oom_score_adj", "cmdline", "cgroup", "exe"):
        (proc.root / str(pid) / name).unlink()
    (proc.root / str(pid)).rmdir()


def test_leave_process_that_took_over_the_pid(processes):
    plan = processes.plan(process_pin("dockerd"))
    processes.proc.process(10, "innocent", start_time=999)
    [outcome] = processes.apply_plan(plan).outcomes
    assert processes.scores(10) == [0]
    assert ([change.process.pid for change in outcome.changes], outcome.vanished) == ([11], 1)


def test_leave_process_that_runs_another_program_now(processes):
    plan = processes.plan(process_pin("exe"))
    processes.proc.process(11, "bash")
    with pytest.raises(NotFoundError, match="process=exe: no such process"):
        processes.apply_plan(plan)
    assert processes.scores(11) == [0]


def test_vanished_process_fails_and_puts_the_rest_back(processes):
    plan = processes.plan(pid_pin(10), pid_pin(12, 7))
    end_process(processes.proc, 12)
    with pytest.raises(NotFoundError, match="pid=12: no such process"):
        processes.apply_plan(plan)
    assert processes.scores(10) == [0]


def test_warn_of_process_that_vanished(processes):
    plan = processes.plan(pid_pin(10), pid_pin(12, 7)._replace(missing="warn"))
    end_process(processes.proc, 12)
    applied = processes.apply_plan(plan)
    assert (plan.warnings, applied.warnings) == ([], ["pid=12: no such process"])
    assert processes.scores(10) == [-500]


def test_ended_process_needs_no_check_and_no_way_back(processes, monkeypatch):
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: end_process(processes.proc, 12))
    assert processes.apply_plan(processes.plan(pid_pin(12, 7))).warnings == []

    write = ProcessDir.set_score

    def end_and_deny(directory, score):
        if score == 300:
            end_process(processes.proc, 10)
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", end_and_deny)
    with pytest.raises(AccessError) as raised:
        processes.apply(pid_pin(10), pid_pin(11, 300))
    assert "put back" not in str(raised.value)


# --- forks ------------------------------------------------------------------------------------


def fork_on_write(processes, monkeypatch, forks):
    """Answer every write by a fork that keeps the old score, as long as forks are left."""
    write = ProcessDir.set_score
    procs = processes.proc.root.parent / "cgroup/system.slice/docker.service/cgroup.procs"
    children = iter(range(100, 100 + forks))

    def write_and_fork(directory, score):
        write(directory, score)
        child = next(children, None)
        if child:
            processes.proc.process(child, "child", cgroup="/system.slice/docker.service")
            procs.write_text(procs.read_text() + f"{child}\n")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)


def test_follow_forks_of_cgroup_until_none_is_left(processes, monkeypatch):
    fork_on_write(processes, monkeypatch, forks=5)
    [outcome] = processes.apply(Pin("cgroup", "/system.slice/docker.service", -500))
    assert [change.process.pid for change in outcome.changes] == [10, 11, 100, 101, 102, 103, 104]
    assert set(processes.scores(10, 11, 100, 104)) == {-500}


def test_forks_that_never_end_cost_no_other_target_its_pin(processes, monkeypatch):
    fork_on_write(processes, monkeypatch, forks=10000)
    monkeypatch.setattr(apply, "STABLE_SECONDS", 0.5)
    plan = processes.plan(Pin("cgroup", "/system.slice/docker.service", -500), pid_pin(12, 7))
    [warning] = processes.apply_plan(plan).warnings
    assert warning.startswith(
        "cgroup=/system.slice/docker.service: after 0.5 seconds processes still appear with another score"
    )
    assert processes.scores(10, 11, 100, 12) == [-500, -500, -500, 7]


def test_pin_children_forked_meanwhile(host, monkeypatch):
    write = ProcessDir.set_score
    late = iter([60, 61])

    def write_and_fork(directory, score):
        write(directory, score)
        pid = next(late, None)
        if pid:
            host.proc.process(pid, "late", parent=22, cgroup="/system.slice/cron.service")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)
    host.apply(process_pin("cron", -300, children="pin"))
    assert host.scores(20, 21, 22, 60, 61) == [-300] * 5


def test_reset_child_forked_meanwhile_with_old_score(host, monkeypatch):
    for pid in (20, 21):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    write = ProcessDir.set_score

    def write_and_fork(directory, score):
        write(directory, score)
        if not host.proc.root.joinpath("60").exists():
            host.proc.process(60, "late", parent=20, score=-300, start_time=300, cgroup="/system.slice/cron.service")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)
    host.apply(unit_pin("cron", -500, children="reset"))
    assert host.scores(20, 21, 60) == [-500, 0, 0]


# --- units --------------------------------------------------------------------------------------


def test_warn_of_unit_started_during_the_run(host):
    plan = host.plan(unit_pin("docker"))
    host.known["docker.service"]["MainPID"] = "77"
    applied = host.apply_plan(plan)
    assert any("docker.service was started during this run" in warning for warning in applied.warnings)


def test_fail_if_systemd_does_not_take_the_policy(host, monkeypatch):
    host.apply(unit_pin("cron", -300))
    monkeypatch.setattr(host, "reload", lambda: None)
    with pytest.raises(
        ReadBackError, match=r"unit cron\.service: systemd shows OOMPolicy=stop, but its files set continue"
    ):
        host.apply(unit_pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"


def break_host(host, monkeypatch, what):
    if what == "reload":

        def ask(*command):
            if command[1] == "daemon-reload" and host.reloads() == 0:
                host.calls.append(command)
                raise OomError("systemctl daemon-reload failed: no bus")
            return real(*command)

        real = host.ask
        monkeypatch.setattr(host, "ask", ask)
    elif what == "the second drop-in":
        write = Systemd.write

        def full(self, path, text):
            if "cron" in path and text is not None:
                raise AccessError(f"{path} cannot be written: No space left on device")
            write(self, path, text)

        monkeypatch.setattr(Systemd, "write", full)
    elif what == "what systemd shows":
        monkeypatch.setattr(host, "reload", lambda: None)


@pytest.mark.parametrize(
    "what, error", [("reload", OomError), ("the second drop-in", AccessError), ("what systemd shows", ReadBackError)]
)
def test_failure_puts_scores_and_drop_ins_back(host, monkeypatch, what, error):
    before = host.files()
    break_host(host, monkeypatch, what)
    with pytest.raises(error) as raised:
        host.apply(unit_pin("docker"), unit_pin("cron", -300))
    assert "put back" not in str(raised.value)
    assert host.files() == before


def test_name_drop_in_whose_folder_is_a_file(host):
    host.write("etc/systemd/system/docker.service.d", "a file")
    with pytest.raises(AccessError, match=r"/etc/systemd/system/docker.service.d/60-oomguard.conf cannot be written"):
        host.apply(unit_pin("docker"))
    assert host.scores(10) == [0]


@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), KeyboardInterrupt()])
def test_any_exception_puts_all_back(host, monkeypatch, error):
    before, write = host.files(), ProcessDir.set_score

    def fail(directory, score):
        if score == -300:
            raise error
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", fail)
    with pytest.raises((AccessError, KeyboardInterrupt)):
        host.apply(unit_pin("docker"), unit_pin("cron", -300))
    assert host.files() == before


def test_drop_in_that_cannot_be_put_back_does_not_keep_the_others(host, monkeypatch):
    write = Systemd.write

    def full(self, path, text):
        if "cron" not in path or text is not None:
            write(self, path, text)
        if "cron" in path:
            raise AccessError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(Systemd, "write", full)
    with pytest.raises(OomError, match=r"this could not be put back: .*cron"):
        host.apply(unit_pin("docker"), unit_pin("cron", -300))
    assert (host.drop_in("docker"), host.scores(10)) == (None, [0])


def test_name_reload_that_fails_on_the_way_back(host, monkeypatch):
    def fail():
        raise OomError("systemctl daemon-reload failed: no bus")

    monkeypatch.setattr(host, "reload", fail)
    with pytest.raises(OomError, match=r"no bus; this could not be put back: systemctl daemon-reload failed: no bus"):
        host.apply(unit_pin("docker"))
    assert (host.drop_in("docker"), host.scores(10)) == (None, [0])


# --- against the running kernel -------------------------------------------------------


def test_raise_score_of_real_process():
    child = subprocess.Popen(["sleep", "60"])
    try:
        plan = plan_pins(Procfs(), Systemd(), [pid_pin(child.pid, 321)], 0)
        [outcome] = apply_plan(Procfs(), Systemd(), plan).outcomes
        with open(f"/proc/{child.pid}/oom_score_adj") as score:
            assert score.read() == "321\n"
        [change] = outcome.changes
        assert (change.process.name, change.before, change.after) == ("sleep", 0, 321)
    finally:
        child.kill()
        child.wait()


def test_real_denial_names_the_missing_capability():
    """Lower a score without the capability, which this child gives up if it has it."""
    if not Procfs().has_cap_sys_resource():
        prefix = []
    else:
        prefix = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--"]
    code = (
        "import os\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_plan\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd\n"
        "plan = plan_pins(Procfs(), Systemd(), [Pin('pid', str(os.getpid()), -900)], 10)\n"
        "print(plan.warnings)\n"
        "apply_plan(Procfs(), Systemd(), plan)"
    )
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert "without CAP_SYS_RESOURCE the kernel denies a process any score below the lowest one" in done.stdout
    assert "lowering a score needs CAP_SYS_RESOURCE in the initial user namespace" in done.stderr
