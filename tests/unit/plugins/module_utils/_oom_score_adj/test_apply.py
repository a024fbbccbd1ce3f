# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written, read back, checked again, and put back on any failure."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    NotFoundError,
    OomError,
    ReadBackError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import writer_lock
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Killable
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_locked, apply_plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust, OOMPolicy and ManagedOOMPreference"
    " here and nothing else.\n"
)


NOT_KEPT = (
    "process 12 (a-name-cut-at-1) shows score 5 after 7 was written:"
    " it may set its own score; look for a setting of the program"
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
        AccessError, match=r"process 10 \(dockerd\) cannot be lowered from 0 to -500: this root lacks CAP_SYS_RESOURCE"
    ):
        processes.apply(pid_pin(10))
    with pytest.raises(AccessError, match="cannot be set from 0 to 500: this root may not write to it"):
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
        OomError,
        match=r"process 12 .*; this could not be put back, do it by hand: .*process 10 \(dockerd\) cannot be set",
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
    for name in ("stat", "oom_score_adj", "cmdline", "cgroup", "status", "exe"):
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
    assert (plan.warnings, applied.warnings) == (
        [],
        ["pid=12: no such process; it has ended: select by unit or process, which find the next one too"],
    )
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


def test_count_late_process_that_ends_before_its_write(processes, monkeypatch):
    real = apply.ScoreWriter._find_late

    def find_and_end(self, pin, selector):
        complete, late = real(self, pin, selector)
        for step in late:
            shutil.rmtree(str(processes.proc.root / str(step.change.process.pid)))
        return complete, late

    monkeypatch.setattr(apply.ScoreWriter, "_find_late", find_and_end)
    fork_on_write(processes, monkeypatch, forks=1)
    [outcome] = processes.apply(Pin("cgroup", "/system.slice/docker.service", -500))
    assert ([change.process.pid for change in outcome.changes], outcome.vanished) == ([10, 11], 1)


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


# --- guards at the write ----------------------------------------------------------------------


def test_late_job_runner_is_not_made_immune(processes, monkeypatch):
    write = ProcessDir.set_score
    procs = processes.proc.root.parent / "cgroup/app.slice/cgroup.procs"
    procs.parent.mkdir()
    procs.write_text("12\n")
    processes.proc.process(12, "app", cgroup="/app.slice")

    def write_and_fork(directory, score):
        write(directory, score)
        if directory.process().pid == 12:
            for pid, name in ((100, "bash"), (101, "worker")):
                processes.proc.process(pid, name, cgroup="/app.slice")
            procs.write_text("12\n100\n101\n")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)
    applied = processes.apply_plan(processes.plan(Pin("cgroup", "/app.slice", -1000)))
    assert processes.scores(12, 100, 101) == [-1000, 0, -1000]
    [warning] = applied.warnings
    assert warning.startswith("process 100 (bash) keeps its score 0: cgroup=/app.slice at -1000: bash starts jobs")


@pytest.mark.parametrize("resident_kb, score", [(1000, -1000), (5000, 0)])
def test_late_immunity_counts_what_is_immune_now(processes, monkeypatch, resident_kb, score):
    """Many processes were made immune and have ended, then one more appears."""
    processes.proc.process(12, "app", cgroup="/app.slice", resident_kb=1000)
    processes.proc.process(13, "victim", resident_kb=4000)
    procs = processes.proc.root.parent / "cgroup/app.slice/cgroup.procs"
    procs.parent.mkdir()
    procs.write_text("12\n")
    plan = processes.plan(Pin("cgroup", "/app.slice", -1000), least=50)
    processes.proc.process(100, "worker", cgroup="/app.slice", resident_kb=resident_kb)
    procs.write_text("12\n100\n")
    applied = processes.apply_plan(plan._replace(killable=Killable(1000, 1000)))
    assert processes.scores(12, 100) == [-1000, score]
    assert [one for one in applied.warnings if "less than min_killable_percent=50" not in one] == []


def test_heir_that_changes_meanwhile_gets_no_lower_score(host):
    for pid in (20, 21, 22):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    host.proc.process(23, "own-unit", parent=22, score=-300, cgroup="/system.slice/containerd.service")
    plan = host.plan(unit_pin("cron", -300, children="reset"))
    host.proc.write("21/oom_score_adj", "700\n")
    host.proc.write("22/cgroup", "0::/elsewhere\n")
    host.proc.write("23/cgroup", "0::/elsewhere\n")
    warnings = host.apply_plan(plan).warnings
    assert host.scores(21, 22, 23) == [700, 0, -300]
    assert sorted(one.partition(": ")[2] for one in warnings) == [
        "process 21 (sh) keeps its score 700: it has changed the score -300 that it inherited, and is left alone",
        "process 23 (own-unit) keeps its score -300: it has moved to another cgroup during this run; run again",
    ]


# --- trouble with one process ---------------------------------------------------------------------


def test_process_that_does_not_keep_its_score_costs_no_other_its_pin(processes, monkeypatch):
    write = ProcessDir.set_score

    def ignore_for_12(directory, score):
        if directory.process().pid != 12:
            write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", ignore_for_12)
    applied = processes.apply_plan(processes.plan(process_pin("dockerd"), pid_pin(12, 7)))
    assert processes.scores(10, 11, 12) == [-500, -500, 5]
    assert applied.warnings == [NOT_KEPT]
    [change] = applied.outcomes[1].changes
    assert (change.before, change.after) == (5, 5)


def test_process_that_sets_its_score_all_the_time_is_left_alone(processes, monkeypatch):
    read = apply.ScoreWriter._find_late

    def reset_and_look(self, pin, selector):
        processes.proc.write("11/oom_score_adj", "300\n")
        return read(self, pin, selector)

    monkeypatch.setattr(apply.ScoreWriter, "_find_late", reset_and_look)
    begun = time.monotonic()
    applied = processes.apply_plan(processes.plan(Pin("cgroup", "/system.slice/docker.service", -500)))
    assert time.monotonic() - begun < 5
    assert processes.scores(10, 11) == [-500, 300]
    assert any("process 11 (exe) sets its score to 300 again and again: it manages" in one for one in applied.warnings)


def test_process_that_does_not_keep_its_score_fails_no_run_that_had_nothing_else_to_do(processes, monkeypatch):
    processes.apply(process_pin("dockerd"))
    monkeypatch.setattr(ProcessDir, "set_score", lambda _directory, _score: None)
    applied = processes.apply_plan(processes.plan(process_pin("dockerd"), pid_pin(12, 7)))
    assert applied.warnings == [NOT_KEPT]


VFORK = """\
import os, sys
opened = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]  # waits for a writer, before it becomes true
os.posix_spawn("/bin/true", ["true"], {}, file_actions=opened)
"""


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="needs Python 3.8")
def test_vfork_parent_costs_neither_the_others_nor_half_a_minute(tmp_path):
    """It sleeps in state D for as long as its child likes, and looks as if it were forking."""
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    parent = subprocess.Popen([sys.executable, "-c", VFORK, fifo])
    other = subprocess.Popen(["sleep", "60"])
    procfs = Procfs()
    try:
        deadline = time.monotonic() + 30
        while not os.path.exists(f"/proc/{parent.pid}/task") or not children_of(procfs, parent.pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        plan = plan_pins(
            procfs,
            Systemd(str(tmp_path)),
            [Pin("pid", str(parent.pid), 321, children="pin"), pid_pin(other.pid, 322)],
            0,
        )
        begun = time.monotonic()
        applied = apply_plan(procfs, plan)
        assert time.monotonic() - begun < 15
        [child] = children_of(procfs, parent.pid)
        assert procfs.scores([parent.pid, child, other.pid]) == {parent.pid: 321, child: 321, other.pid: 322}
        assert [one for one in applied.warnings if f"process {parent.pid} " in one]
    finally:
        os.close(os.open(fifo, os.O_RDWR))  # lets the child go on
        for process in (other, parent):
            process.kill()
            process.wait()


def children_of(procfs, pid):
    return [process.pid for process in procfs.processes() if process.parent == pid]


# --- one run at a time, and signals ---------------------------------------------------------------


def locked(host, *pins):
    return apply_locked(host.proc.procfs, host.systemd(), lambda: host.plan(*pins))


def test_plan_is_made_under_the_lock(host):
    held = []

    def make_plan():
        held.append(os.path.exists(str(host.root / "run/oomguard/lock")))
        return host.plan(unit_pin("docker"))

    plan, applied = apply_locked(host.proc.procfs, host.systemd(), make_plan)
    assert held == [os.geteuid() == 0]
    assert plan.changed and applied.outcomes[0].changed
    assert not locked(host, unit_pin("docker"))[0].changed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("write", [1, 2, 3])
def test_signal_puts_all_back(host, monkeypatch, number, write):
    """A second signal comes while the run puts all back."""
    before, real, writes = host.files(), ProcessDir.set_score, []

    def write_and_end(directory, score):
        real(directory, score)
        writes.append(score)
        if len(writes) in (write, write + 1):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(ProcessDir, "set_score", write_and_end)
    with pytest.raises(
        Interrupted, match=rf"^the run was ended by {number.name}: all that it had changed was put back; run again$"
    ):
        locked(host, unit_pin("docker"), unit_pin("cron", -300), pid_pin(70, 5))
    shutil.rmtree(str(host.root / "run/oomguard"), ignore_errors=True)
    assert host.files() == before


def test_signal_before_the_plan_changes_nothing(host):
    def make_plan():
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the plan goes on")

    with pytest.raises(Interrupted, match=r"^the run was ended by SIGTERM$"):
        apply_locked(host.proc.procfs, host.systemd(), make_plan)


@pytest.mark.skipif(os.geteuid() != 0, reason="the lock is root's")
def test_signal_ends_the_wait_for_another_run(host):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    with writer_lock(str(host.root)):
        timer.start()
        with pytest.raises(Interrupted):
            locked(host, unit_pin("docker"))
    timer.join()
    assert host.scores(10) == [0]


# --- undo only what is still ours -----------------------------------------------------------------


def fail_at(monkeypatch, failing, meanwhile):
    """Let the write of one score fail, after something else has happened."""
    write = ProcessDir.set_score

    def fail(directory, score):
        if score == failing:
            meanwhile()
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", fail)


def test_undo_leaves_score_that_the_process_has_set(processes, monkeypatch):
    fail_at(monkeypatch, 300, lambda: processes.proc.write("10/oom_score_adj", "77\n"))
    with pytest.raises(AccessError):
        processes.apply(process_pin("dockerd"), pid_pin(12, 300))
    assert processes.scores(10, 11) == [77, 0]


def test_undo_restores_the_score_of_the_moment_of_the_write(processes, monkeypatch):
    """The score of the plan may be old: a process that was immune then may have given that up."""
    processes.proc.write("10/oom_score_adj", "-1000\n")
    plan = processes.plan(process_pin("dockerd"), pid_pin(12, 300))
    processes.proc.write("10/oom_score_adj", "10\n")
    fail_at(monkeypatch, 300, lambda: None)
    with pytest.raises(AccessError):
        processes.apply_plan(plan)
    assert processes.scores(10, 11) == [10, 0]


def test_result_has_the_score_of_the_moment_of_the_write(processes):
    plan = processes.plan(pid_pin(10))
    processes.proc.write("10/oom_score_adj", "10\n")
    [change] = processes.apply_plan(plan).outcomes[0].changes
    assert (change.before, change.after) == (10, -500)


def test_undo_goes_on_where_a_process_cannot_be_read(processes, monkeypatch):
    def deny():
        monkeypatch.setattr(ProcessDir, "process", lambda directory: denied(directory, process(directory)))

    def denied(_directory, found):
        if found.pid == 11:
            raise PermissionError(13, "Permission denied")
        return found

    process = ProcessDir.process
    fail_at(monkeypatch, 300, deny)
    with pytest.raises(OomError, match=r"by hand: the score 0 of process 11 \(exe\): Permission denied"):
        processes.apply(process_pin("dockerd"), pid_pin(12, 300))
    assert processes.scores(10, 11) == [0, -500]


# --- units --------------------------------------------------------------------------------------


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


# --- against the running kernel -------------------------------------------------------


def test_raise_score_of_real_process(tmp_path):
    child = subprocess.Popen(["sleep", "60"])
    try:
        plan = plan_pins(Procfs(), Systemd(str(tmp_path)), [pid_pin(child.pid, 321)], 0)
        [outcome] = apply_plan(Procfs(), plan).outcomes
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
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.denials import refuse_denied\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd\n"
        "plan = plan_pins(Procfs(), Systemd(), [Pin('pid', str(os.getpid()), -900)], 10)\n"
        "try:\n"
        "    refuse_denied(Procfs(), Systemd(), plan.outcomes)\n"
        "except Exception as error:\n"
        "    print('would fail: ' + str(error))\n"
        "apply_plan(Procfs(), plan)"
    )
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert "would fail: " in done.stdout
    predicted = done.stdout.strip()[len("would fail: ") :]
    assert "cannot be lowered from 0 to -900: this root lacks CAP_SYS_RESOURCE" in predicted
    assert predicted in done.stderr
