# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial of a limit of promises, with programs that tell what a hog would tell.

No host here may get such a limit, so that the real one is tried in a guest
(molecule/overcommit).
"""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import Request
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import Attempt, Refusal, judge

LIMIT_KB, COMMITTED_KB = 400000, 100000


def unreadable():
    raise OomError("the log cannot be read")


@pytest.fixture
def trial(proc, tmp_path):
    """A trial with a program that does this for the size that it is asked for."""
    proc.write("sys/vm/overcommit_memory", "2\n")
    proc.write("vmstat", "oom_kill 3\n")
    meminfo = "MemAvailable: {0} kB\nSwapFree: 0 kB\nCommitLimit: {1} kB\nCommitted_AS: {2} kB\n"
    proc.write("meminfo", meminfo.format(350000, LIMIT_KB, COMMITTED_KB))

    def make(script, **options):
        program = tmp_path / "hog"
        program.write_text(f"#!/bin/sh\nsize=$5\nvmstat={proc.root / 'vmstat'}\n{script}\n")
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
        return Refusal(Request(**dict(usual, **options)), proc.procfs, unreadable)

    return make


REFUSED = """echo '{"phase": "start", "pid": 7}'
[ $size = 400000K ] && { echo '{"phase": "enomem", "kb": 250000}'; exit 12; }
echo '{"phase": "allocated", "kb": 32768}'"""


def test_refused_and_granted_is_proven(trial):
    told = trial(REFUSED).run()
    assert (told["verdict"], told["method"], told["counters"]) == ("proven", "refused", {"vmstat_oom_kill": 0})
    assert [
        (run["name"], run["observed"], run["hog"]["exit"], run["hog"]["asked_kb"], run["hog"]["got_kb"])
        for run in told["runs"]
    ] == [
        ("treatment", "refused", 12, 400000, 250000),
        ("control", "granted", 0, 32768, 32768),
    ]
    assert (
        told["report"][0] == "proven: who asks for more than CommitLimit (400000 KiB) is refused, and nobody is killed"
    )


@pytest.mark.parametrize(
    "script, verdict, words",
    [
        ("exit 0", "refuted", "treatment: 400000 KiB were granted, not refused"),
        ("exit 12", "inconclusive", "control: 32768 KiB were refused, not granted"),
        ("[ $size = 400000K ] && exit 3; exit 0", "inconclusive", "treatment: 400000 KiB were exit 3, not refused"),
        (
            "[ $size = 400000K ] && kill -TERM $$; exit 0",
            "inconclusive",
            "treatment: 400000 KiB were ended by signal 15, not refused",
        ),
        (
            "[ $size = 400000K ] && { echo 'oom_kill 4' > $vmstat; kill -KILL $$; }; exit 0",
            "refuted",
            "/proc/vmstat counts 1 kills",
        ),
    ],
)
def test_anything_else_is_not(trial, script, verdict, words):
    told = trial(script).run()
    assert told["verdict"] == verdict
    assert words in told["reasons"]
    assert told["report"][0].startswith(verdict)


def test_check_mode_starts_nothing(trial, tmp_path):
    assert trial(f"touch {tmp_path / 'started'}").check()["verdict"] is None
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    "files, options, error, words",
    [
        ({}, dict(allow_host_oom=False), InputError, "set allow_host_oom=true"),
        ({}, dict(hog="/nonexistent"), InputError, "hog /nonexistent is not a file"),
        (
            {"sys/vm/overcommit_memory": "0\n"},
            {},
            UnsupportedError,
            "vm.overcommit_memory is 0: nobody would be refused memory, but killed",
        ),
        (
            {"meminfo": "MemAvailable: 1000 kB\nSwapFree: 0 kB\nCommitLimit: 400000 kB\nCommitted_AS: 100000 kB\n"},
            {},
            UnsupportedError,
            "300000 KiB may still be promised, more than the free memory and swap, 1000 KiB: the OOM killer would come first",
        ),
    ],
)
def test_what_cannot_work_or_could_hurt_is_refused(trial, proc, files, options, error, words):
    trial("exit 0")
    for name, text in files.items():
        proc.write(name, text)
    with pytest.raises(error) as raised:
        trial("exit 0", **options)
    assert words in str(raised.value)


def test_a_kill_that_only_the_log_tells_counts():
    attempts = [
        Attempt("treatment", "refused", 7, 12, None, 400000, 1),
        Attempt("control", "granted", 8, 0, None, 100, 100),
    ]
    assert judge(attempts, {9: "mysqld"}, None, None) == ("refuted", ["the kernel killed process 9 (mysqld)"])
    assert judge(attempts, {}, None, "no log") == (
        "inconclusive",
        ["whether anybody was killed cannot be told: no log"],
    )
