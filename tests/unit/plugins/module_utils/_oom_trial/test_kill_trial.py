# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial on the running kernel: a true one, then one lie at a time, then every way out.

A lie is a shell script in the place of the program, which starts the real one
in another way than it was asked to. Every kill is inside a private memory cgroup.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import launcher as _launch
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import memory_cgroup as _memory_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import Request, Trial

SOURCE = os.path.join(os.path.dirname(__file__), "../../../../../roles/oom_verify/files/oom_hog.c")


@pytest.fixture(scope="session")
def hog(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("hog") / "oom_hog")
    subprocess.check_call(["cc", "-std=c99", "-O2", "-o", program, SOURCE])
    return program


@pytest.fixture
def liar(hog, tmp_path):
    """A program that does this instead; $hog is the real one, $role the actor that it should be."""

    def lie(script):
        program = tmp_path / "liar"
        program.write_text(f'#!/bin/sh\nhog={hog}\nrole="$2"\n{script}\nexec $hog "$@"\n')
        program.chmod(0o755)
        return str(program)

    return lie


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    assert leftovers() == []


def leftovers():
    """Cgroups and processes of any trial."""
    mount = memory_hierarchy(Procfs()).mount
    return [name for name in os.listdir(mount) if name.startswith("oomguardtrial")] + actors()


def actors():
    """Programs of any trial that run. The dead that init has not buried yet have no command line."""
    found = []
    for process in Procfs().processes():
        if process.name.startswith("oomguard-"):
            try:
                with Procfs().open(process.pid) as directory:
                    if directory.command_line():
                        found.append(process.name)
            except GONE:
                continue
    return found


def request(hog, **changes):
    usual = dict(
        hog=hog,
        scope="cgroup",
        allow_host_oom=False,
        memory_limit_kb=32 * 1024,
        pinned_score=-900,
        hog_score=0,
        timeout=60,
        manager="cgroupfs",
        cgroup_parent=None,
    )
    return Request(**dict(usual, **changes))


def run(hog, **changes):
    return Trial(request(hog, **changes)).run()


# --- the truth -----------------------------------------------------------------------


def test_a_pin_binds_on_this_kernel(hog):
    facts = run(hog)
    assert (facts["verdict"], facts["clean"], facts["bystanders"]["lost"]) == ("proven", True, [])
    assert facts["method"] == ("lowered" if Procfs().has_cap_sys_resource() else "mirrored")
    treatment, control = facts["runs"]
    assert (treatment["observed"], control["observed"]) == ("hog", "decoy")
    assert treatment["hog"]["signal"] == control["decoy"]["signal"] == signal.SIGKILL
    assert treatment["decoy"]["outlived"]
    assert f"Killed process {treatment['hog']['pid']} (oomguard-hog)" in treatment["log"][0]
    assert treatment["event"]["constraint"] == "memcg"
    # On a busy machine the kernel may choose again before the decoy's memory came back: then the hog of the control is next.
    assert facts["counters"]["vmstat_oom_kill"] == (2 if control["hog"]["outlived"] else 3)


def test_a_weak_pin_binds_as_far_as_the_arithmetic_says(hog):
    assert run(hog, pinned_score=-100)["verdict"] == "proven"


def test_many_in_a_row_prove_it_every_time_although_the_kernel_shortens_its_log(hog):
    """After ten reports in five seconds the kernel prints nothing but the line of the kill."""
    assert [run(hog, memory_limit_kb=16 * 1024)["verdict"] for _time in range(10)] == ["proven"] * 10


def test_check_mode_starts_nothing_and_promises_nothing(hog):
    kills = Procfs().oom_kills()
    facts = Trial(request(hog)).check()
    assert (facts["verdict"], facts["runs"], Procfs().oom_kills()) == (None, [], kills)
    assert set(facts) == set(run(hog))


# --- one lie at a time ----------------------------------------------------------------

LIES = {
    "the scores are not set": (
        'n=$#; while [ $n -gt 0 ]; do [ "$1" = --score ] && { shift 2; n=$((n - 2)); continue; }; set -- "$@" "$1"; shift; n=$((n - 1)); done',
        "refuted",
        "the kernel killed the pinned decoy",
    ),
    "the hog takes too little": (
        '[ $role = oomguard-hog ] && set -- "$@" --size 1M',
        "inconclusive",
        "the hog was not killed",
    ),
    "the hog ends well": (
        "[ $role = oomguard-hog ] && exit 0",
        "inconclusive",
        "the hog survived: memory did not run out",
    ),
    "the hog is killed by somebody else": (
        "[ $role = oomguard-hog ] && kill -KILL $$",
        "inconclusive",
        "anyone can send that signal",
    ),
    "the hog never takes anything": (
        "[ $role = oomguard-hog ] && exec sleep 60",
        "inconclusive",
        "the hog was still at its limit after 2 s",
    ),
    "the domain is too large for the program": (
        'set -- "$@" --max-domain 1M',
        "inconclusive",
        "refused to start in this memory domain",
    ),
    "a third process is preferred by the killer": (
        "[ $role = oomguard-decoy ] && $hog --name oomguard-third --size 8M --score 1000 --hold 60 > /dev/null & sleep 0.3",
        "inconclusive",
        "the kernel killed another process in the trial's cgroup",
    ),
    "the decoy dies of something else": (
        '[ $role = oomguard-decoy ] && set -- "$@" --deadline 1; [ $role = oomguard-hog ] && sleep 1.2',
        "inconclusive",
        "the decoy ended without the kernel: ended by its own deadline",
    ),
}


@pytest.mark.parametrize("script, verdict, reason", LIES.values(), ids=list(LIES))
def test_a_lie_is_not_believed(liar, script, verdict, reason):
    facts = run(liar(script), timeout=2)
    assert facts["verdict"] == verdict
    assert any(reason in sentence for sentence in facts["reasons"]), facts["reasons"]


def test_without_the_kernel_log_nothing_is_proven(hog):
    def denied():
        raise AccessError("/dev/kmsg cannot be read")

    facts = Trial(request(hog), open_log=denied).run()
    assert facts["verdict"] == "inconclusive"
    assert "/dev/kmsg cannot be read" in facts["reasons"]
    assert any("does not name its pid" in reason for reason in facts["reasons"])


def test_a_bystander_that_the_killer_takes_is_missed(hog, liar, tmp_path):
    """A process elsewhere runs out of its own memory just while the trial goes on."""
    hierarchy = memory_hierarchy(Procfs())
    other = _memory_cgroup.MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguardother_{os.getpid()}"))
    other.create()
    other.set_limit(8 * 1024)
    wait = f"while [ ! -e {tmp_path}/now ]; do sleep 0.02; done; exec {hog} --size 64M"
    bystander = subprocess.Popen(["sh", "-c", wait], stdout=subprocess.DEVNULL)
    with open(os.path.join(other.directory, "cgroup.procs"), "w") as procs:
        procs.write(str(bystander.pid))
    try:
        facts = run(liar(f"touch {tmp_path}/now; sleep 0.5"))
        assert bystander.wait() == -signal.SIGKILL
    finally:
        other.remove()
    assert facts["verdict"] == "inconclusive"
    assert [one["pid"] for one in facts["bystanders"]["lost"]] == [bystander.pid]
    assert any(f"also killed process {bystander.pid}" in reason for reason in facts["reasons"])


# --- what is refused, and changes nothing -------------------------------------------------


def test_bad_requests_are_refused_with_a_reason(hog, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    junk = tmp_path / "junk"
    junk.write_bytes(b"\0\1\2 not a program")
    junk.chmod(0o755)
    free_kb = Procfs().memory_kb("MemAvailable")
    for changes, error, words in (
        (dict(hog="/nonexistent/hog"), InputError, "hog /nonexistent/hog is not a file"),
        (dict(hog=str(tmp_path)), InputError, "is not a file"),
        (dict(hog=str(plain)), InputError, "is not executable"),
        (dict(hog=str(junk)), InputError, "junk cannot be started: Exec format error"),
        (dict(memory_limit_kb=8 * 1024 - 1), InputError, "memory_limit 8191 KiB is too small"),
        (dict(memory_limit_kb=free_kb + 1), InputError, "is more than half of the free memory"),
        (dict(pinned_score=0), InputError, "at least 50 below"),
        (dict(cgroup_parent="/nonexistent"), AccessError, "/nonexistent: No such file or directory"),
        (dict(manager="systemd", cgroup_parent="/x"), InputError, "does not go with manager=systemd"),
    ):
        kills = Procfs().oom_kills()
        with pytest.raises(error, match=words):
            run(**dict(dict(hog=hog), **changes))
        assert Procfs().oom_kills() == kills


SYSCTLS = {
    "kill": ({}, {"panic_on_oom": "0"}, None),
    "panic, but not in a cgroup": ({}, {"panic_on_oom": "1"}, None),
    "panic always": ({}, {"panic_on_oom": "2"}, "vm.panic_on_oom is 2: the kernel panics on any OOM"),
    "host, allowed": (dict(scope="host", allow_host_oom=True), {"panic_on_oom": "0", "overcommit_memory": "1"}, None),
    "host, not allowed": (
        dict(scope="host"),
        {"panic_on_oom": "0", "overcommit_memory": "0"},
        "set allow_host_oom=true",
    ),
    "host, panic": (
        dict(scope="host", allow_host_oom=True),
        {"panic_on_oom": "1"},
        "vm.panic_on_oom is 1: the host would panic",
    ),
    "host, no promises": (
        dict(scope="host", allow_host_oom=True),
        {"panic_on_oom": "0", "overcommit_memory": "2"},
        "vm.overcommit_memory is 2",
    ),
}


@pytest.mark.parametrize("changes, sysctls, words", SYSCTLS.values(), ids=list(SYSCTLS))
def test_the_policy_of_the_kernel_is_asked_first(hog, monkeypatch, changes, sysctls, words):
    real = Procfs.read

    def read(self, name):
        return sysctls[os.path.basename(name)] + "\n" if name.startswith("sys/vm/") else real(self, name)

    monkeypatch.setattr(Procfs, "read", read)
    if words is None:
        assert Trial(request(hog, **changes)).check()["scope"] == changes.get("scope", "cgroup")
    else:
        with pytest.raises((InputError, UnsupportedError), match=words):
            Trial(request(hog, **changes))


def test_a_limit_above_is_not_the_whole_host(hog):
    """The host would not run out of memory, only the cgroup that we were told to use."""
    hierarchy = memory_hierarchy(Procfs())
    limited = _memory_cgroup.MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguardother_{os.getpid()}"))
    limited.create()
    try:
        limited.set_limit(64 * 1024)
        with pytest.raises(
            UnsupportedError, match="a cgroup above the trial has .* KiB left: it would run out, not the host"
        ):
            Trial(request(hog, scope="host", allow_host_oom=True, cgroup_parent=limited.directory))
    finally:
        limited.remove()


def test_systemd_is_not_asked_where_it_does_not_run(hog, monkeypatch):
    monkeypatch.setattr(_launch.Systemd, "runs", lambda _self: False)
    with pytest.raises(UnsupportedError, match="systemd does not manage this host"):
        Trial(request(hog, manager="systemd"))
    assert Trial(request(hog, manager="auto")).check()["manager"] == "cgroupfs"


def in_a_process(hog, prefix=(), user=0, **changes):
    """The same trial in a process of its own, which can be killed or confined."""
    code = (
        "import json, os, sys\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import Request, Trial\n"
        "os.setuid({0})\n"
        "print(json.dumps(Trial(Request(**json.loads(sys.argv[1]))).run()))\n"
    ).replace("{0}", str(user))
    return subprocess.Popen(
        [*list(prefix), sys.executable, "-c", code, json.dumps(request(hog, **changes)._asdict())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def test_read_only_cgroups_are_named(hog):
    mount = memory_hierarchy(Procfs()).mount
    confine = ["unshare", "--mount", "sh", "-c", f'mount -o remount,bind,ro {mount} && exec "$@"', "sh"]
    _out, error = in_a_process(hog, confine).communicate()
    assert f"no memory cgroup can be made: {mount}: Read-only file system" in error


def test_an_ordinary_user_is_told_what_is_missing():
    _out, error = in_a_process("/bin/true", user=65534).communicate()
    assert (
        "no memory cgroup can be made" in error
        and "Permission denied; run as root, or name a delegated cgroup" in error
    )


# --- every way out --------------------------------------------------------------------------


def started_up(trial):
    """Wait until its decoy runs."""
    deadline = time.monotonic() + 20
    while "oomguard-decoy" not in actors():
        assert trial.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_trial_that_is_asked_to_end_cleans_up(liar, number):
    trial = in_a_process(liar("[ $role = oomguard-hog ] && sleep 30"))
    started_up(trial)
    trial.send_signal(number)
    _out, error = trial.communicate(timeout=20)
    assert f"the trial was ended by signal {int(number)}; what it had started was removed" in error
    assert leftovers() == []


def test_what_a_crashed_trial_left_is_swept_by_the_next(hog, liar):
    crashed = in_a_process(liar("[ $role = oomguard-hog ] && exec sleep 30"))
    started_up(crashed)
    crashed.kill()
    crashed.communicate()
    assert len(leftovers()) >= 2  # the cgroup and the decoy
    running = in_a_process(liar("[ $role = oomguard-hog ] && exec sleep 30"), memory_limit_kb=16 * 1024)
    started_up(running)
    assert run(hog)["verdict"] == "proven"  # one that still runs is left alone
    assert running.poll() is None
    running.terminate()
    running.communicate()
    assert leftovers() == []


def test_the_decoy_of_a_crashed_trial_ends_by_its_own_deadline(liar):
    crashed = in_a_process(liar('[ $role = oomguard-hog ] && exec sleep 5; set -- "$@" --deadline 1'))
    started_up(crashed)
    crashed.kill()
    crashed.communicate()
    deadline = time.monotonic() + 5
    while actors():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    _launch.CgroupLauncher(Procfs(), None).sweep()
