# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial of vm.overcommit_memory=2, with scripts that print what oom_hog would print.

This host must not get such a limit, so molecule/overcommit runs the real trial in a guest.
"""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import (
    Attempt,
    decide_overcommit_verdict,
    prepare_overcommit_trial,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest

LIMIT_KB, COMMITTED_KB = 400000, 100000


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
        return prepare_overcommit_trial(TrialRequest(**dict(usual, **options)), proc.procfs, unreadable)

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
    assert (
        answer["report"][0] == "proven: a request above CommitLimit (400000 KiB) is refused, and no process is killed"
    )


@pytest.mark.parametrize(
    "script, verdict, words",
    [
        ("exit 0", "refuted", "treatment: expected the request for 400000 KiB to be refused; observed: granted"),
        ("exit 12", "inconclusive", "control: expected the request for 32768 KiB to be granted; observed: refused"),
        (
            "[ $size = 400000K ] && exit 3; exit 0",
            "inconclusive",
            "treatment: expected the request for 400000 KiB to be refused; observed: exit 3",
        ),
        (
            "[ $size = 400000K ] && kill -TERM $$; exit 0",
            "inconclusive",
            "treatment: expected the request for 400000 KiB to be refused; observed: ended by signal 15",
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
    assert words in answer["reasons"]
    assert answer["report"][0].startswith(verdict)


def test_preview_starts_nothing(trial, tmp_path):
    assert trial(f"touch {tmp_path / 'started'}").preview()["verdict"] is None
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


def test_a_kill_in_the_log_refutes():
    attempts = [
        Attempt("treatment", "refused", 7, 12, None, 400000, 1),
        Attempt("control", "granted", 8, 0, None, 100, 100),
    ]
    assert decide_overcommit_verdict(attempts, {9: "mysqld"}, None, None) == (
        "refuted",
        ["the kernel killed process 9 (mysqld)"],
    )
    assert decide_overcommit_verdict(attempts, {}, None, "no log") == (
        "inconclusive",
        ["kills cannot be ruled out: no log"],
    )
