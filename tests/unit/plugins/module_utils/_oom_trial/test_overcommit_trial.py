# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial of vm.overcommit_memory=2, with scripts that print what oom_hog would print.

This host must not get such a limit, so molecule/overcommit runs the real trial in a guest.
"""

import os
import signal
import sys
import threading
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import overcommit_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import (
    prepare_overcommit_trial,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest

LIMIT_KB, COMMITTED_KB = 400000, 100000

# The first start is the rehearsal: it takes 1 MiB and ends.
REHEARSED = """[ $2 = oomguard-check ] && {
echo '{"phase": "start", "pid": 7, "score": 1000}'; echo '{"phase": "allocated", "kb": 1024}'; exit 0; }"""


def unreadable():
    raise OomError("the log cannot be read")


@pytest.fixture
def trial(proc, tmp_path):
    """Return a trial with a script as its program; $size is the requested size."""
    proc.write("sys/vm/overcommit_memory", "2\n")
    proc.write("vmstat", "oom_kill 3\n")
    proc.write(
        "meminfo",
        f"MemAvailable: 350000 kB\nSwapFree: 0 kB\nCommitLimit: {LIMIT_KB} kB\nCommitted_AS: {COMMITTED_KB} kB\n",
    )

    def make(script, open_log=unreadable, **options):
        program = tmp_path / "hog"
        program.write_text(f"#!/bin/sh\n{REHEARSED}\nsize=$5\nvmstat={proc.root / 'vmstat'}\n{script}\n")
        program.chmod(0o755)
        usual = dict(
            hog=str(program),
            scope="overcommit",
            allow_host_oom=True,
            memory_limit_kb=0,
            pinned_score=0,
            hog_score=0,
            timeout=10,
            manager="auto",
            cgroup_parent=None,
        )
        return prepare_overcommit_trial(TrialRequest(**dict(usual, **options)), proc.procfs, open_log)

    return make


REFUSED = """echo '{"phase": "start", "pid": 7}'
[ $size = 400000K ] && { echo '{"phase": "enomem", "kb": 250000}'; exit 12; }
echo '{"phase": "allocated", "kb": 32768}'"""


def test_prove_the_limit(trial):
    answer = trial(REFUSED).run()
    assert (answer["verdict"], answer["method"], answer["counters"]) == ("proven", "refused", {"vmstat_oom_kill": 0})
    assert [
        (run["name"], run["observed"], run["hog"]["exit"], run["hog"]["asked_kb"], run["hog"]["got_kb"])
        for run in answer["runs"]
    ] == [
        ("treatment", "refused", 12, 400000, 250000),
        ("control", "granted", 0, 32768, 32768),
    ]
    pid = answer["runs"][0]["hog"]["pid"]
    assert answer["msg"] == f"proven: the kernel refused hog[{pid}] 400000 KiB and killed no process"
    assert answer["report"] == [
        answer["msg"],
        "meaning: a request above CommitLimit (400000 KiB) is refused, and no process is killed",
        f"treatment: hog[{pid}] requested 400000 KiB and got 250000 KiB: refused (exit 12); expected refused",
        f"control: hog[{answer['runs'][1]['hog']['pid']}] requested 32768 KiB and got 32768 KiB: granted (exit 0);"
        " expected granted",
        "kills: 0 counted, 0 in the kernel log",
        "bystanders: 0 other processes, none lost",
        "cleaned up: nothing was left behind",
    ]


@pytest.mark.parametrize(
    "script, verdict, words",
    [
        (
            "exit 0",
            "refuted",
            "treatment: expected the request for 400000 KiB to be refused; observed: granted; check that",
        ),
        (
            "exit 12",
            "inconclusive",
            "control: expected the request for 32768 KiB to be granted; observed: refused; leave more",
        ),
        (
            "[ $size = 400000K ] && exit 3; exit 0",
            "inconclusive",
            "treatment: expected the request for 400000 KiB to be refused; observed: exit 3; build it from",
        ),
        (
            "[ $size = 400000K ] && kill -TERM $$; exit 0",
            "inconclusive",
            "treatment: expected the request for 400000 KiB to be refused; observed: ended by signal 15; ",
        ),
        (
            "[ $size = 400000K ] && { echo 'oom_kill 4' > $vmstat; kill -KILL $$; }; exit 0",
            "refuted",
            "/proc/vmstat counted 1 kills that the kernel log does not show",
        ),
    ],
)
def test_anything_else_is_no_proof(trial, script, verdict, words):
    answer = trial(script).run()
    assert answer["verdict"] == verdict
    assert any(reason.startswith(words) for reason in answer["reasons"]), answer["reasons"]
    assert answer["msg"].startswith(verdict)


@pytest.mark.parametrize(
    "output",
    ["noise", "7", "[]", "null", '{"phase": "enomem", "kb": "x"}', '{"kb": -5}', "[" * 3000],
)
def test_odd_output_of_the_program_is_no_error(trial, output):
    answer = trial(f"echo '{output}'; [ $size = 400000K ] && exit 12; exit 0").run()
    assert (answer["verdict"], answer["runs"][0]["hog"]["got_kb"]) == ("proven", 0)


def test_a_flood_of_output_is_no_error(trial):
    answer = trial("yes | head -c 500000; [ $size = 400000K ] && exit 12; exit 0").run()
    assert answer["verdict"] == "proven"


def test_a_program_that_hangs_is_killed(trial, monkeypatch):
    monkeypatch.setattr(overcommit_trial, "DEADLINE_SECONDS", 0)
    started = time.monotonic()
    answer = trial("[ $size = 400000K ] && exec sleep 60; exit 0", timeout=1).run()
    assert time.monotonic() - started < 20
    assert answer["verdict"] == "inconclusive"
    assert answer["reasons"][0].endswith("to be refused; observed: not ended in time; set a longer timeout")
    assert not os.path.exists(f"/proc/{answer['runs'][0]['hog']['pid']}")


# --- kills of others meanwhile ----------------------------------------------------


def log_with(*texts):
    """Return a kernel log in which these lines come after the start."""
    reads = [[], [], [], [parse_kmsg_line(f"3,{number},1,-;{text}").record for number, text in enumerate(texts)]]

    class Log:
        lost = 0

        def seek_end(self):
            pass

        def read(self):
            return reads.pop(0) if reads else []

        def close(self):
            pass

    return Log


KILL = (
    " Killed process 9 (mysqld) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0 pgtables:9kB"
    " oom_score_adj:0"
)
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
    "oom_memcg={path},task_memcg={path},task=mysqld,pid=9,uid=0"
)


@pytest.mark.parametrize(
    "lines, verdict, unrelated, words",
    [
        (
            [SUMMARY.replace("{path}", "/other"), "Memory cgroup out of memory:" + KILL],
            "proven",
            1,
            "no process was killed",
        ),
        (
            [SUMMARY.replace("{path}", "/system.slice"), "Memory cgroup out of memory:" + KILL],
            "inconclusive",
            0,
            "the kernel also killed process 9 (mysqld) (its cgroup /system.slice contains the trial): run it again",
        ),
        (["Memory cgroup out of memory:" + KILL], "proven", 1, "no process was killed"),
        (["Out of memory:" + KILL], "refuted", 0, "the kernel killed process 9 (mysqld)"),
    ],
    ids=["another cgroup", "a cgroup above", "no path, and no limit above", "the whole host"],
)
def test_a_limit_of_another_cgroup_is_no_sign_against_the_commit_limit(trial, proc, lines, verdict, unrelated, words):
    mount = proc.root / "cgroups"
    (mount / "system.slice/ssh.service").mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("memory\n")
    proc.write("self/mountinfo", f"35 31 0:32 / {mount} rw - cgroup2 cgroup2 rw\n")
    proc.write("self/cgroup", "0::/system.slice/ssh.service\n")
    counting = REFUSED + "\necho 'oom_kill 4' > $vmstat"
    answer = trial(counting, open_log=log_with(*lines)).run()
    assert (answer["verdict"], answer["unrelated_count"]) == (verdict, unrelated)
    assert words in answer["reasons"]
    assert answer["counters"] == {"vmstat_oom_kill": 1}
    assert answer["report"][-1].startswith("unrelated: 1 killed" if unrelated else "cleaned up")


def test_preview_starts_nothing(trial, tmp_path):
    answer = trial(f"touch {tmp_path / 'started'}").preview()
    assert (answer["verdict"], answer["msg"]) == (None, "checked: the trial can run here with CommitLimit 400000 KiB")
    assert not (tmp_path / "started").exists()


def test_refuse_a_wrong_program(trial, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "REHEARSED", "exit 0")
    with pytest.raises(InputError, match="is another program than oom_hog: build it"):
        trial(REFUSED).run()


@pytest.mark.parametrize(
    "files, options, error, words",
    [
        ({}, dict(allow_host_oom=False), InputError, "set allow_host_oom=true"),
        ({}, dict(hog="/nonexistent"), InputError, "hog=/nonexistent is not a file"),
        (
            {"sys/vm/overcommit_memory": "0\n"},
            {},
            UnsupportedError,
            "vm.overcommit_memory is 0: the kernel would kill a process instead of refusing memory",
        ),
        (
            {"meminfo": "MemAvailable: 1000 kB\nSwapFree: 0 kB\nCommitLimit: 400000 kB\nCommitted_AS: 100000 kB\n"},
            {},
            UnsupportedError,
            "the kernel may still commit 300000 KiB, more than the free memory and swap, 1000 KiB:"
            " the OOM killer would act before the limit does",
        ),
    ],
)
def test_refuse_a_useless_or_harmful_trial(trial, proc, files, options, error, words):
    trial("exit 0")
    for name, text in files.items():
        proc.write(name, text)
    with pytest.raises(error) as raised:
        trial("exit 0", **options)
    assert words in str(raised.value)


# --- every way out ----------------------------------------------------------------


@pytest.fixture
def log_and_hog(tmp_path):
    """Return a kernel log that must be closed, and the file for the pid of a hog that must end."""
    closed = []

    class Log(log_with()):
        def close(self):
            closed.append(True)

    yield Log, tmp_path / "pid"
    assert closed == [True]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_hog(trial, log_and_hog, number):
    log, pid = log_and_hog
    hanging = trial(f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 30", open_log=log, timeout=20)
    usual = signal.signal(number, lambda *_arguments: None)

    def send_when_started():
        deadline = time.monotonic() + 10
        while not pid.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send_when_started)
    thread.start()
    started = time.monotonic()
    try:
        with pytest.raises(
            Interrupted, match=f"^the run was ended by {number.name}: no hog of the trial runs on; run it again$"
        ):
            hanging.run()
    finally:
        thread.join()
        signal.signal(number, usual)
    assert time.monotonic() - started < 15


def test_signal_before_the_hog_starts_none(trial, tmp_path):
    class Log(log_with()):
        def seek_end(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"^the run was ended by SIGTERM"):
        trial(f"touch {tmp_path / 'started'}", open_log=Log).run()
    assert not (tmp_path / "started").exists()


def test_failure_ends_the_hog(trial, log_and_hog, monkeypatch):
    log, pid = log_and_hog

    def fail(_condition, _programs, _deadline):
        while not pid.exists():
            time.sleep(0.01)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(overcommit_trial, "wait_until", fail)
    with pytest.raises(OSError, match="Input/output error"):
        trial(f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 30", open_log=log).run()
