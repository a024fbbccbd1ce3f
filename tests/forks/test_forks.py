# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pin a cgroup in which processes fork all the time: no process is missed, none outside is changed.

A storm of forks runs in a private cgroup and is pinned again and again, each
time one higher, which needs no capability. Every call is a trial of its own:
once it has returned, no process of the storm may have the previous score. A
second storm outside the cgroup takes over the pids that the first one leaves.
"""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import time

import pytest
from ansible.module_utils import basic

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup
from ansible_collections.oomguard.linux.plugins.modules import oom_score_adj

SOURCE = os.path.join(os.path.dirname(__file__), "forks.c")

FORKS = 100000
STEPS = 300  # up to a score of 300, if the tests themselves start from 0
FEWEST_STEPS = 10  # fewer steps in a storm would prove little
WIDTH = 4  # enough to keep two processors busy; more makes each step longer
SECONDS = 300
A_USER = 54321  # a user without processes


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    """Build the program, linked statically as for guests."""
    program = str(tmp_path_factory.mktemp("forks") / "forks")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-static"]
    done = subprocess.run(["cc", *strict, "-o", program, SOURCE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return program


@pytest.fixture
def cgroup():
    """Create a private memory cgroup, with a limit for the memory of a storm."""
    try:
        hierarchy = memory_hierarchy(Procfs())
        cgroup = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguard-forks-{os.getpid()}"))
        cgroup.create()
    except OomError as error:
        pytest.fail(f"the test needs a writable memory cgroup: run as root: {error}")
    try:
        cgroup.set_limit(256 * 1024)
        yield cgroup
    finally:
        removed = cgroup.remove()
    assert removed, f"{cgroup.directory} is still there"


@contextlib.contextmanager
def storm(program, count, expected, cgroup=None):
    """Run a storm, and leave no process of it behind."""

    def join():
        if cgroup:
            with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
                procs.write("0")

    command = [program, str(count), str(WIDTH), ",".join(map(str, expected))]
    with subprocess.Popen(command, preexec_fn=join, stdout=subprocess.PIPE, text=True) as running:
        try:
            wait_until(lambda: running.poll() is not None or signals(running, "SigCgt") & SETTLE)
            yield running
        finally:
            running.kill()  # without it no process of the storm forks any more


def read_counts(running):
    """Wait for the end of a storm, and return what it counted."""
    return json.loads(running.communicate(timeout=SECONDS)[0])


def settle(running):
    """Signal that the previous score is over, and wait: two pending signals would be one."""
    running.send_signal(signal.SIGUSR1)
    wait_until(lambda: running.poll() is not None or not signals(running, "ShdPnd") & SETTLE)


SETTLE = 1 << signal.SIGUSR1 - 1


def signals(running, which):
    """Return a set of signals as a bit mask, from /proc/PID/status (proc(5))."""
    with open(f"/proc/{running.pid}/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith(which))


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def pin(monkeypatch, **options):
    """Run the module as Ansible does, and return its answer."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # ansible-core 2.19 and later
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit):
        oom_score_adj.main()
    answer = json.loads(out.getvalue())
    assert not answer.get("failed"), answer["msg"]
    return answer


def scores(cgroup):
    """Return the scores of the processes in a cgroup.

    Each is read through one open folder: its pid may belong to another process at any moment.
    """
    found = set()
    for pid in cgroup.processes():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), Procfs().open(pid) as process:
            score = process.score()
            if cgroup.path in process.cgroups():
                found.add(score)
    return found


def own_score():
    """Return the score that the tests themselves run with: a desktop session may run at 200."""
    with open("/proc/self/oom_score_adj") as score:
        return int(score.read())


def test_pin_every_process_of_forking_cgroup_and_none_outside(forks, cgroup, monkeypatch):
    start = own_score()
    steps = range(start + 1, min(start + STEPS, 1000) + 1)
    alive = {}  # scores of the processes that were alive after the step to this score
    with storm(forks, FORKS, [start]) as outside, storm(forks, FORKS, [start, *steps], cgroup) as inside:
        for score in steps:
            pin(monkeypatch, cgroup=cgroup.path, score=score, missing="ignore")
            if inside.poll() is not None:
                break
            settle(inside)
            alive[score] = scores(cgroup)
        inside, outside = read_counts(inside), read_counts(outside)
    assert {score: found for score, found in alive.items() if found - {score}} == {}
    assert (inside["forked"], inside["missed"], inside["unexpected"]) == (FORKS, 0, 0)
    assert outside["scores"] == {str(start): FORKS}
    assert len(alive) >= FEWEST_STEPS


# --- the program itself -------------------------------------------------------


def test_storm_counts_missed_processes(forks):
    """As a control, signal that a pin was set, and set none."""
    start = own_score()
    with storm(forks, 20000, [start, start + 1]) as running:
        settle(running)
        answer = read_counts(running)
    assert running.returncode == 1
    assert 0 < answer["missed"] == answer["unexpected"] == answer["after"][str(start)]
    assert answer["scores"] == {str(start): 20000}


def test_storm_counts_unexpected_scores(forks):
    start = own_score()
    with storm(forks, 100, [start + 1]) as running:
        answer = read_counts(running)
    assert (running.returncode, answer["unexpected"], answer["missed"]) == (1, 100, 0)
    assert answer["scores"] == {str(start): 100}


def test_storm_ends_at_sigterm(forks):
    with storm(forks, 100000000, [own_score()]) as running:
        running.send_signal(signal.SIGTERM)
        answer = read_counts(running)
    assert (running.returncode, answer["unexpected"]) == (0, 0)
    assert sum(answer["scores"].values()) == answer["forked"] < 100000000


def test_storm_goes_on_when_fork_is_refused(forks):
    """Fork fails with EAGAIN, as in a guest without free pids."""

    def limit_processes():
        resource.setrlimit(resource.RLIMIT_NPROC, (4, 4))

    program = os.open(forks, os.O_RDONLY)  # the user cannot enter the folder of the tests
    command = [f"/proc/self/fd/{program}", "500", "100"]
    done = subprocess.run(
        command,
        pass_fds=[program],
        user=A_USER,
        preexec_fn=limit_processes,
        check=False,
        capture_output=True,
        timeout=SECONDS,
    )
    os.close(program)
    assert (done.returncode, json.loads(done.stdout)["forked"]) == (0, 500)


@pytest.mark.parametrize(
    "arguments", [[], ["0"], ["x"], ["1", "0"], ["1", "8", "0,x"], ["1", "8", "1001"], ["1", "8", "0", "0"]]
)
def test_refuse_wrong_arguments(forks, arguments):
    done = subprocess.run([forks, *arguments], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: forks COUNT")
