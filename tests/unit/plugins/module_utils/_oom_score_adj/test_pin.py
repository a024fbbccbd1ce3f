# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pins of processes: what a target selects, what is planned, written, put back and told."""

import os
import re
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    OomError,
    ReadBackError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply as _pin_apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import Application
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin, result
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan


@pytest.fixture
def host(proc, tmp_path):
    """Two engines, a shell that one of them started, a kernel thread, and a cgroup with two processes."""
    proc.process(1, "systemd", parent=0)
    proc.process(2, "kthreadd", kernel_thread=True)
    proc.process(
        10,
        "dockerd",
        exe="/usr/bin/dockerd",
        cmdline=b"/usr/bin/dockerd\0-H\0fd://\0",
        cgroup="/system.slice/docker.service",
    )
    proc.process(11, "exe", exe="/usr/bin/dockerd", parent=10, cgroup="/system.slice/docker.service")
    proc.process(
        12, "a-name-cut-at-1", exe="/opt/a-name-cut-at-15-bytes", score=5, cgroup="/system.slice/docker.service-not"
    )
    memory = tmp_path / "cgroup"
    (memory / "system.slice/docker.service/nested").mkdir(parents=True)
    (memory / "system.slice/docker.service/cgroup.procs").write_text("10\n")
    (memory / "system.slice/docker.service/nested/cgroup.procs").write_text("11\n")
    proc.write("self/mountinfo", f"30 24 0:26 / {memory} rw - cgroup cgroup rw,memory\n")
    return proc


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(_pin_apply, "SECOND_LOOK_SECONDS", 0)


def pin(selector, value, score=-500, **options):
    return Pin(selector, str(value), score, **options)


def plan(proc, *pins, **options):
    return Plan(proc.procfs, Systemd(str(proc.root.parent)), pins, options.get("least", 0))


def carry_out(proc, planned):
    return Application(proc.procfs, Systemd(str(proc.root.parent)), planned).run()


def apply(proc, *pins):
    return carry_out(proc, plan(proc, *pins))


def told(proc, *pins):
    planned = plan(proc, *pins)
    return result(carry_out(proc, planned), planned.killable)


SELECTED = {
    "one number": ("pid", 10, [10]),
    "the exact name or the program": ("process", "dockerd", [10, 11]),
    "a program whose name is longer than comm": ("process", "a-name-cut-at-15-bytes", [12]),
    "comm alone": ("process", "exe", [11]),
    "words of the command line": ("pattern", "dockerd -H fd", [10]),
    "a cgroup with what is below it": ("cgroup", "/system.slice/docker.service", [10, 11]),
    "the same with a slash": ("cgroup", "/system.slice/docker.service/", [10, 11]),
}


@pytest.mark.parametrize("selector, value, pids", SELECTED.values(), ids=list(SELECTED))
def test_a_target_selects_what_its_words_say(host, selector, value, pids):
    [outcome] = plan(host, pin(selector, value)).outcomes
    assert [change.process.pid for change in outcome.changes] == pids


def test_a_pidfile_selects_the_process_that_it_names(host, tmp_path):
    (tmp_path / "docker.pid").write_text("10\n")
    [outcome] = plan(host, pin("pidfile", tmp_path / "docker.pid")).outcomes
    assert [change.process.pid for change in outcome.changes] == [10]


def test_zero_is_a_score_like_any_other(host):
    apply(host, pin("pid", 12, 0))
    assert host.score(12) == 0


def test_the_second_time_nothing_changes(host):
    first, second = [told(host, pin("process", "dockerd")) for _time in range(2)]
    assert (first["changed"], second["changed"]) == (True, False)
    assert [host.score(pid) for pid in (10, 11, 12)] == [-500, -500, 5]


def test_a_plan_writes_nothing_and_foretells_the_run(host):
    targets = [pin("process", "dockerd"), pin("pid", 12, 5)]
    work = plan(host, *targets)
    planned = result(work.outcomes, work.killable)
    assert host.score(10) == 0
    assert planned == told(host, *targets)
    assert planned["diff"] == {
        "before": "10 dockerd oom_score_adj 0\n11 exe oom_score_adj 0\n12 a-name-cut-at-1 oom_score_adj 5\n",
        "after": "10 dockerd oom_score_adj -500\n11 exe oom_score_adj -500\n12 a-name-cut-at-1 oom_score_adj 5\n",
    }
    assert [target["changed"] for target in planned["targets"]] == [True, False]


BAD = {
    "score above": (pin("pid", 10, 1001), InputError, "pid=10: score 1001 is out of range, -1000 to 1000"),
    "score below": (pin("pid", 10, -1001), InputError, "score -1001 is out of range"),
    "unknown pid": (pin("pid", 99), NotFoundError, "pid=99: no such process"),
    "pid zero": (pin("pid", 0), InputError, "pid '0' is not a process number"),
    "negative pid": (pin("pid", -5), InputError, "pid '-5' is not a process number"),
    "kernel thread": (pin("pid", 2), InputError, "kthreadd is a kernel thread"),
    "unknown name": (pin("process", "nginx"), NotFoundError, "process=nginx: no such process"),
    "a path for a name": (pin("process", "/usr/bin/x"), InputError, "is not a name"),
    "empty name": (pin("process", ""), InputError, "is not a name"),
    "broken pattern": (pin("pattern", "a(b"), InputError, "is not a regular expression"),
    "pattern for everything": (pin("pattern", ".*"), InputError, "finds every process"),
    "no such cgroup": (pin("cgroup", "/nope"), NotFoundError, "cgroup /nope does not exist below"),
    "relative cgroup": (pin("cgroup", "system.slice"), InputError, "is not a cgroup path"),
    "cgroup tricks": (pin("cgroup", "/a/../b"), InputError, "is not a cgroup path"),
    "the whole host": (pin("cgroup", "/"), InputError, "is the whole host"),
    "no pidfile": (pin("pidfile", "/nonexistent/x.pid"), NotFoundError, "pidfile /nonexistent/x.pid does not exist"),
    "a folder for a pidfile": (pin("pidfile", "/"), InputError, "pidfile / cannot be read: Is a directory"),
}


@pytest.mark.parametrize("bad, error, words", BAD.values(), ids=list(BAD))
def test_bad_input_is_refused_before_anything_is_written(host, bad, error, words):
    with pytest.raises(error, match=re.escape(words)):
        apply(host, pin("process", "dockerd"), bad)
    assert [host.score(pid) for pid in (10, 11, 12)] == [0, 0, 5]


def test_a_pidfile_full_of_junk_is_refused(host, tmp_path):
    (tmp_path / "x.pid").write_bytes(b"\xff\x00 pid?")
    with pytest.raises(InputError, match="not a process number"):
        apply(host, pin("pidfile", tmp_path / "x.pid"))


MISSING = {
    ("process", "nginx"): "process=nginx: no such process",
    ("pid", 99): "pid=99: no such process",
    ("cgroup", "/nope"): "cgroup /nope does not exist below",
    ("pidfile", "/nonexistent/x"): "pidfile /nonexistent/x does not exist",
}


@pytest.mark.parametrize("target, words", MISSING.items())
@pytest.mark.parametrize("missing", ["ignore", "warn"])
def test_what_is_missing_can_be_accepted(host, target, words, missing):
    work = plan(host, pin(*target, missing=missing))
    facts = result(carry_out(host, work), work.killable)
    assert (facts["changed"], facts["targets"][0]["found"]) == (False, False)
    assert len(work.warnings) == (missing == "warn") and all(words in warning for warning in work.warnings)


def test_two_targets_may_not_want_different_scores_for_one_process(host):
    with pytest.raises(
        InputError, match=r"process 10 \(dockerd\) is selected twice: process=dockerd wants -500, pid=10 wants 0"
    ):
        apply(host, pin("process", "dockerd"), pin("pid", 10, 0))
    apply(host, pin("process", "dockerd"), pin("pid", 10, -500), pin("pid", 10, -500))
    assert host.score(10) == -500


def test_a_shell_pattern_never_selects_the_caller_itself():
    """This very test has the pattern on its command line, as `ansible -a pattern=...` has."""
    code = (
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd\n"
        "print(len(Plan(Procfs(), Systemd(), [Pin('pattern', 'only-in-here', 7, missing='ignore')], 10).outcomes[0].changes))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], env=dict(os.environ)).split() == [b"0"]


# --- what goes wrong while writing ----------------------------------------------------


def test_a_denied_lowering_says_which_capability_is_missing(host, monkeypatch):
    def denied(_directory, _score):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ProcessDir, "set_score", denied)
    with pytest.raises(
        AccessError, match=r"process 10 \(dockerd\) from 0 to -500 was denied: lowering a score needs CAP_SYS_RESOURCE"
    ):
        apply(host, pin("pid", 10))
    with pytest.raises(AccessError, match="only its owner and root may do that"):
        apply(host, pin("pid", 10, 500))


def test_a_failure_in_the_middle_puts_every_score_back(host, monkeypatch):
    write = ProcessDir.set_score

    def denied_for_raising(directory, score):
        if score == 300:
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", denied_for_raising)
    with pytest.raises(AccessError, match="process 12"):
        apply(host, pin("process", "dockerd"), pin("pid", 12, 300))
    assert [host.score(pid) for pid in (10, 11, 12)] == [0, 0, 5]


def test_what_cannot_be_put_back_is_named(host, monkeypatch):
    write = ProcessDir.set_score

    def only_down(directory, score):
        if score >= 0:
            raise PermissionError(13, "Permission denied")
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", only_down)
    with pytest.raises(
        OomError, match=r"process 12 .*; this could not be put back: .*process 10 \(dockerd\) from -500 to 0"
    ):
        apply(host, pin("pid", 10), pin("pid", 12, 300))


def test_a_kernel_that_shows_another_value_is_not_believed(host, monkeypatch):
    monkeypatch.setattr(ProcessDir, "set_score", lambda _directory, _score: None)
    with pytest.raises(ReadBackError, match=r"process 10 \(dockerd\) shows score 0 after -500 was written"):
        apply(host, pin("pid", 10))


def test_a_process_that_is_quicker_than_the_read_back_is_no_error(host, monkeypatch):
    read = ProcessDir.score
    shown = [77]  # what it had set right after the write
    work = plan(host, pin("pid", 10))
    monkeypatch.setattr(ProcessDir, "score", lambda directory: shown.pop() if shown else read(directory))
    [outcome] = carry_out(host, work)
    assert (shown, host.score(10), outcome.changes[0].after) == ([], -500, -500)


def test_another_process_with_the_same_pid_is_left_alone(host):
    work = plan(host, pin("process", "dockerd"))
    host.process(10, "innocent", start_time=999)
    [outcome] = carry_out(host, work)
    assert host.score(10) == 0
    assert ([change.process.pid for change in outcome.changes], outcome.vanished) == ([11], 1)


def test_a_process_that_became_something_else_is_left_alone(host):
    work = plan(host, pin("process", "exe"))
    host.process(11, "bash")
    with pytest.raises(NotFoundError, match="process=exe: no such process"):
        carry_out(host, work)
    assert host.score(11) == 0


def test_a_pid_that_vanished_is_an_error_and_undoes_the_rest(host):
    work = plan(host, pin("pid", 10), pin("pid", 12, 7))
    for name in ("stat", "oom_score_adj", "cmdline", "cgroup", "exe"):
        (host.root / "12" / name).unlink()
    (host.root / "12").rmdir()
    with pytest.raises(NotFoundError, match="pid=12: no such process"):
        carry_out(host, work)
    assert host.score(10) == 0


def fork_on_write(host, monkeypatch, forks):
    """Every write is answered by a fork that kept the old score, as long as forks are left."""
    write = ProcessDir.set_score
    procs = host.root.parent / "cgroup/system.slice/docker.service/cgroup.procs"
    children = iter(range(100, 100 + forks))

    def write_and_fork(directory, score):
        write(directory, score)
        child = next(children, None)
        if child:
            host.process(child, "child", cgroup="/system.slice/docker.service")
            procs.write_text(procs.read_text() + f"{child}\n")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)


def test_forks_of_a_cgroup_are_followed_until_none_is_left(host, monkeypatch):
    fork_on_write(host, monkeypatch, forks=5)
    [outcome] = apply(host, pin("cgroup", "/system.slice/docker.service"))
    assert [change.process.pid for change in outcome.changes] == [10, 11, 100, 101, 102, 103, 104]
    assert {host.score(pid) for pid in (10, 11, 100, 104)} == {-500}


def test_a_cgroup_that_forks_for_ever_is_given_up_and_put_back(host, monkeypatch):
    fork_on_write(host, monkeypatch, forks=10000)
    monkeypatch.setattr(_pin_apply, "STABLE_SECONDS", 0.5)
    with pytest.raises(OomError, match="after 0.5 seconds processes still appear with another score"):
        apply(host, pin("cgroup", "/system.slice/docker.service"))
    assert [host.score(pid) for pid in (10, 11, 100)] == [0, 0, 0]


# --- against the running kernel -------------------------------------------------------


def test_a_real_process_is_raised_and_told():
    child = subprocess.Popen(["sleep", "60"])
    try:
        [outcome] = Application(Procfs(), Systemd(), Plan(Procfs(), Systemd(), [pin("pid", child.pid, 321)], 0)).run()
        with open(f"/proc/{child.pid}/oom_score_adj") as score:
            assert score.read() == "321\n"
        assert (outcome.changes[0].process.name, outcome.changes[0].before, outcome.changes[0].after) == (
            "sleep",
            0,
            321,
        )
    finally:
        child.kill()
        child.wait()


def test_a_real_denial_is_said_in_words():
    """Lowering without the capability, which this child gives up if it has it."""
    if not Procfs().has_cap_sys_resource():
        prefix = []
    else:
        prefix = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--"]
    code = (
        "import os\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import Application\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd\n"
        "plan = Plan(Procfs(), Systemd(), [Pin('pid', str(os.getpid()), -900)], 10)\n"
        "print(plan.warnings)\n"
        "Application(Procfs(), Systemd(), plan).run()"
    )
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert "lowering a score without CAP_SYS_RESOURCE" in done.stdout
    assert "lowering a score needs CAP_SYS_RESOURCE in the initial user namespace" in done.stderr
