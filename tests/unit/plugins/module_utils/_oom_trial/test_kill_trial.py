# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial on the running kernel: honest programs, false programs, and every way out.

A false program is a shell script in place of oom_hog: it starts the real one with
other options, or does something else. Every kill is inside a private memory cgroup.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import kill_watch
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import KillTrial, prepare_kill_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import (
    CgroupLauncher,
    choose_launcher,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import own_cgroup_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.rehearsal import REHEARSAL_NAME
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import ACTOR_NAMES, TrialRequest

SOURCE = os.path.join(os.path.dirname(__file__), "../../../../../roles/oom_verify/files/oom_hog.c")


@pytest.fixture(scope="session")
def hog(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("hog") / "oom_hog")
    subprocess.check_call(["cc", "-std=c99", "-O2", "-o", program, SOURCE])
    return program


@pytest.fixture
def false_hog(hog, tmp_path):
    """Return a program that runs a script first; $hog is the real one, $role the actor to play."""

    def make(script):
        program = tmp_path / "false_hog"
        program.write_text(f'#!/bin/sh\nhog={hog}\nrole="$2"\n{script}\nexec $hog "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    assert leftovers() == []


def leftovers():
    """Return cgroups and processes of any trial."""
    mount = memory_hierarchy(Procfs()).mount
    return [name for name in os.listdir(mount) if name.startswith("oomguardtrial")] + actors()


def actors():
    """Return the running programs of any trial; zombies have no command line and are left out."""
    found = []
    for process in Procfs().processes():
        if process.name in (*ACTOR_NAMES.values(), REHEARSAL_NAME, "oomguard-third"):
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
    return TrialRequest(**dict(usual, **changes))


def run(hog, **changes):
    return prepare_kill_trial(request(hog, **changes)).run()


# --- honest programs -----------------------------------------------------------------------


def test_prove_a_pin_on_this_kernel(hog):
    facts = run(hog)
    assert (facts["verdict"], facts["clean"], facts["bystanders"]["lost"]) == ("proven", True, [])
    assert facts["method"] == ("lowered" if Procfs().has_cap_sys_resource() else "mirrored")
    treatment, control = facts["runs"]
    assert (treatment["observed"], control["observed"]) == ("hog", "decoy")
    assert treatment["hog"]["signal"] == control["decoy"]["signal"] == signal.SIGKILL
    assert treatment["decoy"]["outlived"]
    assert f"Killed process {treatment['hog']['pid']} (oomguard-hog)" in treatment["log"][0]
    assert treatment["event"]["constraint"] == "memcg"
    # On a busy machine the kernel may kill again before the decoy's memory is free:
    # then the hog of the control dies, too.
    assert facts["counters"]["vmstat_oom_kill"] == (2 if control["hog"]["outlived"] else 3)


def test_prove_a_weak_pin(hog):
    assert run(hog, pinned_score=-100)["verdict"] == "proven"


def test_prove_a_pin_from_short_reports(hog):
    """After ten reports in five seconds the kernel logs only the line of the kill."""
    assert [run(hog, memory_limit_kb=16 * 1024)["verdict"] for _time in range(10)] == ["proven"] * 10


@pytest.fixture
def no_kills(monkeypatch):
    """Fail the test if a trial comes to its first run. The kernel's counter counts others, too."""

    def fail(_self, name, *_facts):
        pytest.fail(f"the {name} was run")

    monkeypatch.setattr(KillTrial, "_run_once", fail)


def test_preview_starts_nothing(hog, false_hog, no_kills, monkeypatch, tmp_path):
    facts = prepare_kill_trial(request(false_hog(f"touch {tmp_path}/started"))).preview()
    assert (facts["verdict"], facts["runs"]) == (None, [])
    assert not (tmp_path / "started").exists()
    monkeypatch.undo()
    assert facts["msg"].startswith("checked: the trial can run in a private memory cgroup (version ")
    assert set(facts) == set(run(hog))


def test_preview_leaves_what_a_killed_trial_left(hog):
    """Check mode changes nothing of what was there before."""
    hierarchy = memory_hierarchy(Procfs())
    old = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, "oomguardtrial_99999999_1"))
    old.create()
    prepare_kill_trial(request(hog)).preview()
    assert old.exists()
    assert run(hog)["verdict"] == "proven"
    assert not old.exists()


# What a run finds by starting the program once, before its first kill.
WRONG_HOGS = {
    "another program that succeeds": ("exit 0", "is another program than oom_hog: build it"),
    "another program that fails": ("exit 77", "ended with exit 77: build it"),
    "another release": ("exit 2", r"rejected its options \(exit 2\): build it"),
    "no library": ("exit 127", r"found no library that it needs \(exit 127\): build it on this host"),
    "systemd cannot start it": ("exit 203", "cannot be started: its file shows no reason; build it for this host"),
    "no limit in force": ('set -- "$@" --max-domain 512K', r"refused to start in this memory domain \(exit 3\): check"),
    "no memory": ("exit 12", r"was refused 1024 KiB \(ENOMEM, exit 12\): free memory"),
    "it hangs": ("exec sleep 60", "did not end by itself after it took 1024 KiB: set hog to oom_hog"),
    "it crashes": ("kill -SEGV $$", "ended by signal 11: find out what sent it"),
    "its score is not set": (
        "exec $hog --name x --size 1M",
        r"got score -?[0-9]+, not -?[0-9]+: find out what else sets scores",
    ),
}


@pytest.mark.parametrize("script, words", WRONG_HOGS.values(), ids=list(WRONG_HOGS))
def test_refuse_a_wrong_program_before_the_first_kill(false_hog, no_kills, script, words):
    # The decoy's score is above that of this process, so it can be set without the capability.
    options = dict(timeout=1, pinned_score=500, hog_score=1000)
    with pytest.raises(InputError, match=words):
        run(false_hog(script), **options)


# --- one false program at a time ----------------------------------------------------------------

FALSE_HOGS = {
    "the scores are not set": (
        'n=$#; while [ $n -gt 0 ]; do [ "$1" = --score ] && { shift 2; n=$((n - 2)); continue; };'
        ' set -- "$@" "$1"; shift; n=$((n - 1)); done',
        "refuted",
        "the kernel killed the pinned decoy",
    ),
    "the hog takes too little": (
        '[ $role = oomguard-hog ] && set -- "$@" --size 1M',
        "inconclusive",
        "the hog was not killed",
    ),
    "the hog ends by itself": (
        "[ $role = oomguard-hog ] && exit 0",
        "inconclusive",
        "the hog ended by itself (exit 0): memory did not run out",
    ),
    "another process kills the hog": (
        "[ $role = oomguard-hog ] && kill -KILL $$",
        "inconclusive",
        "another process may have sent the signal",
    ),
    "it cannot be started, as systemd reports it": (
        "[ $role = oomguard-hog ] && exit 203",
        "inconclusive",
        "false_hog cannot be started: its file shows no reason; build it for this host",
    ),
    "the hog takes no memory": (
        "[ $role = oomguard-hog ] && exec sleep 60",
        "inconclusive",
        "the hog neither ended nor got all its memory within 2 s",
    ),
    "the domain is too large for the program": (
        '[ $role = oomguard-hog ] && set -- "$@" --max-domain 1M',
        "inconclusive",
        "refused to start in this memory domain",
    ),
    "a third process has the highest badness": (
        "[ $role = oomguard-decoy ] && $hog --name oomguard-third --size 8M --score 1000 --hold 60 > /dev/null &"
        " sleep 0.3",
        "inconclusive",
        "the kernel killed another process in the trial's cgroup",
    ),
    "the decoy ends in another way": (
        '[ $role = oomguard-decoy ] && set -- "$@" --deadline 1; [ $role = oomguard-hog ] && sleep 1.2',
        "inconclusive",
        "the kernel did not kill the decoy, but the decoy ended by its own deadline",
    ),
}


@pytest.mark.parametrize("script, verdict, reason", FALSE_HOGS.values(), ids=list(FALSE_HOGS))
def test_a_false_program_proves_nothing(false_hog, script, verdict, reason):
    facts = run(false_hog(script), timeout=2)
    assert facts["verdict"] == verdict
    assert any(reason in sentence for sentence in facts["reasons"]), facts["reasons"]


@pytest.mark.parametrize("action", ["preview", "run"])
def test_kill_nothing_without_the_kernel_log(hog, no_kills, action):
    def denied():
        raise AccessError("/dev/kmsg cannot be read: use become")

    with pytest.raises(
        AccessError, match=r"^without the kernel log no kill can be proven: /dev/kmsg cannot be read: use"
    ):
        getattr(prepare_kill_trial(request(hog), open_log=denied), action)()


# --- kills of others during the trial --------------------------------------------------------


@contextlib.contextmanager
def limited_cgroup(name, limit_kb=8 * 1024):
    """Make a small memory cgroup below the root of the hierarchy, or below another one."""
    hierarchy = memory_hierarchy(Procfs())
    cgroup = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, name))
    cgroup.create()
    try:
        cgroup.set_limit(limit_kb)
        yield cgroup
    finally:
        assert cgroup.remove()


def kill_during_trial(hog, false_hog, tmp_path, cgroup, **changes):
    """Let a process of this cgroup run out of memory during a trial."""
    wait = f"while [ ! -e {tmp_path}/now ]; do sleep 0.02; done; exec {hog} --size 256M"
    bystander = subprocess.Popen(["sh", "-c", wait], stdout=subprocess.DEVNULL)
    with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
        procs.write(str(bystander.pid))
    try:
        facts = run(false_hog(f"[ $role = {ACTOR_NAMES['decoy']} ] && touch {tmp_path}/now && sleep 0.5"), **changes)
    finally:
        bystander.kill()
    assert bystander.wait() == -signal.SIGKILL
    return bystander.pid, facts


def quiet_log():
    """Wait until the kernel prints whole reports again: ten in five seconds."""
    time.sleep(5.1)


def test_a_kill_in_another_cgroup_is_unrelated(hog, false_hog, tmp_path):
    quiet_log()
    with limited_cgroup(f"oomguardother_{os.getpid()}") as other:
        pid, facts = kill_during_trial(hog, false_hog, tmp_path, other)
    assert facts["verdict"] == "proven", facts["reasons"]
    assert facts["bystanders"]["lost"] == []
    assert {"memcg": other.path, "pid": pid, "name": "oom_hog"} in facts["unrelated"]
    assert facts["unrelated_count"] == len(facts["unrelated"])
    assert facts["report"][-1].startswith(f"unrelated: {facts['unrelated_count']} killed in other cgroups: ")


def test_a_kill_above_the_trial_is_not_unrelated(hog, false_hog, tmp_path):
    """The bystander's process is outside of the trial's cgroup, but the limit is above both."""
    quiet_log()
    with limited_cgroup(f"oomguardabove_{os.getpid()}", 96 * 1024) as above:
        pid, facts = kill_during_trial(hog, false_hog, tmp_path, above, cgroup_parent=above.directory)
    assert facts["verdict"] == "inconclusive"
    assert pid not in [one["pid"] for one in facts["unrelated"]]
    assert [one["pid"] for one in facts["bystanders"]["lost"]] == [pid]
    assert any(
        f"also killed process {pid} (oom_hog) elsewhere on the host (its cgroup {above.path} contains the trial)"
        in reason
        for reason in facts["reasons"]
    ), facts["reasons"]


def test_a_kill_in_a_cgroup_with_our_name_elsewhere_is_unrelated(hog, false_hog, tmp_path):
    """Anybody with a delegated cgroup may make one of that name, and must have no veto."""
    quiet_log()
    outer = f"oomguardother_{os.getpid()}"
    inner = os.path.join(outer, own_cgroup_name(Procfs()))
    with limited_cgroup(outer, 64 * 1024), limited_cgroup(inner) as other:
        pid, facts = kill_during_trial(hog, false_hog, tmp_path, other)
    assert facts["verdict"] == "proven", facts["reasons"]
    assert {"memcg": other.path, "pid": pid, "name": "oom_hog"} in facts["unrelated"]


class Storm:
    """Kills in other limited cgroups, ten a second, until the end of the with statement."""

    PAUSE_SECONDS = 0.1

    def __init__(self, hog):
        self._hog = hog
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._rage)
        self._cgroups = contextlib.ExitStack()
        self._folders = []
        self._programs = []

    def __enter__(self):
        names = [f"oomguardstorm_{os.getpid()}_{number}" for number in range(3)]
        self._folders = [self._cgroups.enter_context(limited_cgroup(name)).directory for name in names]
        self._thread.start()
        return self

    def __exit__(self, *_unused):
        self._end.set()
        self._thread.join()
        codes = [program.wait() for program in self._programs]
        self._cgroups.close()
        assert set(codes) == {-signal.SIGKILL}

    @property
    def kills(self):
        return len(self._programs)

    def _rage(self):
        while not self._end.wait(self.PAUSE_SECONDS):
            folder = self._folders[self.kills % len(self._folders)]
            script = f"echo 0 > {folder}/cgroup.procs && exec {self._hog} --name storm --size 32M"
            self._programs.append(subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL))


def has_no_report(answer):
    return any(one["memcg"] is None and one["name"] == "storm" for one in answer["unrelated"])


def test_prove_in_a_storm_of_other_kills(hog):
    """Most of these kills have no report: the kernel prints ten in five seconds.

    The environment variable TRIALS sets the number of trials.
    """
    trials, answers = int(os.environ.get("TRIALS", "3")), []
    with Storm(hog) as storm:
        time.sleep(2)  # until reports are left out
        # On a busy machine no kill of the storm may fall into a trial: then another trial is made.
        while len(answers) < trials or (len(answers) < 10 * trials and not any(map(has_no_report, answers))):
            answers.append(run(hog, memory_limit_kb=16 * 1024))
    assert [answer["verdict"] for answer in answers] == ["proven"] * len(answers), [
        answer["reasons"] for answer in answers if answer["verdict"] != "proven"
    ]
    # Other tests on this machine may run out of memory in cgroups of their own.
    unrelated = [one for answer in answers for one in answer["unrelated"] if one["name"] == "storm"]
    assert storm.kills >= len(unrelated) > 0
    assert any(one["memcg"] is None for one in unrelated)


def test_stay_in_doubt_without_counters(hog, monkeypatch):
    """In a storm, a kill without a report could be the trial's if its cgroup has no counter."""
    monkeypatch.setattr(CgroupLauncher, "oom_kills", lambda _self: None)
    with Storm(hog):
        time.sleep(2)
        for _trial in range(10):  # on a busy machine no kill of the storm may fall into a trial
            facts = run(hog, memory_limit_kb=16 * 1024)
            if facts["verdict"] != "proven":
                break
    assert facts["verdict"] == "inconclusive"
    assert any("no counter rules out the trial's" in reason for reason in facts["reasons"]), facts["reasons"]


def test_lost_records_without_a_kill_are_harmless(hog):
    """Records of a busy log are overwritten. By the counter none of them was a kill."""

    class LossyKmsg(Kmsg):
        def read(self):
            records = super().read()
            self.lost = 3
            return records

    assert prepare_kill_trial(request(hog), open_log=LossyKmsg).run()["verdict"] == "proven"


def test_lost_records_of_a_kill_are_not_harmless(hog, monkeypatch):
    class LossyKmsg(Kmsg):
        def read(self):
            self.lost = 1
            return [record for record in super().read() if "(oomguard-hog)" not in record.text]

    monkeypatch.setattr(kill_watch, "LOG_SECONDS", 0.2)
    facts = prepare_kill_trial(request(hog), open_log=LossyKmsg).run()
    assert facts["verdict"] == "inconclusive"
    reason = "1 records of the kernel log were overwritten before they were read: run it again when the log is quiet"
    assert reason in facts["reasons"]


def test_prove_in_a_cgroup_namespace(hog):
    """There the paths that we see are shorter than those in the log."""
    out, error = in_a_process(hog, ["unshare", "--cgroup"]).communicate()
    assert json.loads(out)["verdict"] == "proven", error


# --- what is refused, without a kill -------------------------------------------------


def test_refuse_bad_options(hog, no_kills, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    junk = tmp_path / "junk"
    junk.write_bytes(b"\0\1\2 not a program")
    junk.chmod(0o755)
    free_kb = Procfs().memory_kb("MemAvailable")
    for changes, error, words in (
        (dict(hog="/nonexistent/hog"), InputError, "hog=/nonexistent/hog is not a file"),
        (dict(hog=str(tmp_path)), InputError, "is not a file"),
        (dict(hog=str(plain)), InputError, "is not executable"),
        (dict(hog=str(junk)), InputError, "hog=.*junk cannot be started: it is neither an ELF program nor a script"),
        (dict(memory_limit_kb=8 * 1024 - 1), InputError, "memory_limit=8191K is too small .*: set at least 8M"),
        (dict(memory_limit_kb=free_kb + 1), InputError, "is more than half of the free memory .*: set at most [0-9]+M"),
        (dict(pinned_score=0), InputError, "at least 50 below"),
        (
            dict(cgroup_parent="/nonexistent"),
            InputError,
            "cgroup_parent=/nonexistent is not a folder of the memory cgroup",
        ),
        (dict(cgroup_parent=str(tmp_path)), InputError, "is not a folder of the memory cgroup hierarchy at "),
        (dict(cgroup_parent="/sys\0/fs"), InputError, r"cgroup_parent='/sys\\x00/fs' holds a character"),
        (dict(hog=hog + "\0"), InputError, "holds a character that no name on Linux can have: remove it"),
        (dict(hog=hog + "\ud800"), InputError, "holds a character that no name on Linux can have: remove it"),
        (dict(timeout=0), InputError, "timeout=0 is out of range: set it to 1 to 3595 seconds"),
        (dict(timeout=-5), InputError, "timeout=-5 is out of range"),
        (dict(timeout=10**400), InputError, "timeout=100000000000000000000... "),
        (
            dict(hog_score=10**400),
            InputError,
            "hog_score=100000000000000000000... .* is out of range: set it to -1000 to 1000",
        ),
        (dict(pinned_score=-1001), InputError, "pinned_score=-1001 is out of range"),
        (dict(manager="systemd", cgroup_parent="/x"), InputError, "cannot be combined with manager=systemd"),
    ):
        with pytest.raises(error, match=words):
            run(**dict(dict(hog=hog), **changes))


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
    "host, no overcommit": (
        dict(scope="host", allow_host_oom=True),
        {"panic_on_oom": "0", "overcommit_memory": "2"},
        "vm.overcommit_memory is 2",
    ),
}


@pytest.mark.parametrize("changes, sysctls, words", SYSCTLS.values(), ids=list(SYSCTLS))
def test_refuse_a_policy_that_would_not_kill(hog, monkeypatch, changes, sysctls, words):
    real = Procfs.read

    def read(self, name):
        return sysctls[os.path.basename(name)] + "\n" if name.startswith("sys/vm/") else real(self, name)

    monkeypatch.setattr(Procfs, "read", read)
    if words is None:
        assert prepare_kill_trial(request(hog, **changes)).preview()["scope"] == changes.get("scope", "cgroup")
    else:
        with pytest.raises((InputError, UnsupportedError), match=words):
            prepare_kill_trial(request(hog, **changes))


def test_refuse_host_scope_below_a_limit(hog):
    """The host would not run out of memory, only the cgroup that contains the trial."""
    hierarchy = memory_hierarchy(Procfs())
    limited = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguardother_{os.getpid()}"))
    limited.create()
    try:
        limited.set_limit(64 * 1024)
        with pytest.raises(
            UnsupportedError,
            match=r"a cgroup above the trial has only .* KiB left, so it would run out .*: use scope=cgroup",
        ):
            prepare_kill_trial(request(hog, scope="host", allow_host_oom=True, cgroup_parent=limited.directory))
    finally:
        limited.remove()


def test_refuse_systemd_on_a_host_without_it(hog, monkeypatch):
    monkeypatch.setattr(Systemd, "runs", lambda _self: False)
    with pytest.raises(UnsupportedError, match="systemd does not manage this host"):
        prepare_kill_trial(request(hog, manager="systemd"))
    assert prepare_kill_trial(request(hog, manager="auto")).preview()["manager"] == "cgroupfs"


def test_refuse_a_container_with_pids_of_its_own(hog):
    """There the log names victims by pids that the trial does not know."""
    container = ["unshare", "--pid", "--fork", "--mount-proc"]
    _out, error = in_a_process(hog, container).communicate()
    assert (
        "this container has a pid namespace of its own, and the kernel log names victims by the pids of the host:"
        in error
    )
    assert "start the container with --pid=host" in error


def in_a_process(hog, prefix=(), user=0, action="run", **changes):
    """Start the trial in its own process, which can be killed or confined."""
    code = (
        "import json, os, sys\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import prepare_kill_trial\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest\n"
        f"os.setuid({user})\n"
        f"print(json.dumps(prepare_kill_trial(TrialRequest(**json.loads(sys.argv[1]))).{action}()))\n"
    )
    return subprocess.Popen(
        [*list(prefix), sys.executable, "-c", code, json.dumps(request(hog, **changes)._asdict())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


@pytest.mark.parametrize("action", ["preview", "run"])
def test_name_a_read_only_cgroup_mount(hog, action):
    """As in a container. The check fails with the sentence of the run."""
    mount = memory_hierarchy(Procfs()).mount
    confine = ["unshare", "--mount", "sh", "-c", f'mount -o remount,bind,ro {mount} && exec "$@"', "sh"]
    _out, error = in_a_process(hog, confine, action=action).communicate()
    assert f"AccessError: cannot create a memory cgroup: {mount}: Read-only file system" in error
    assert error.rstrip().endswith("; run on the host itself, or set cgroup_parent to a delegated cgroup")


def test_name_what_an_ordinary_user_lacks():
    _out, error = in_a_process("/bin/true", user=65534).communicate()
    assert "without the kernel log no kill can be proven: /dev/kmsg cannot be read (Operation not permitted): " in error


# --- every way out --------------------------------------------------------------------------


def wait_for_decoy(trial):
    """Wait until the trial's decoy runs."""
    deadline = time.monotonic() + 20
    while "oomguard-decoy" not in actors():
        assert trial.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_clean_up_after_a_signal(false_hog, number):
    trial = in_a_process(false_hog("[ $role = oomguard-hog ] && sleep 30"))
    wait_for_decoy(trial)
    trial.send_signal(number)
    _out, error = trial.communicate(timeout=20)
    assert (
        f"the run was ended by {number.name}: the trial's processes and its cgroup were removed; run it again" in error
    )
    assert leftovers() == []


@pytest.mark.parametrize(
    "failure, words",
    [
        (Interrupted("the run was ended by SIGTERM"), "the run was ended by SIGTERM; left behind: "),
        (InputError("hog x is not a file"), "hog x is not a file; left behind: "),
        (OSError("no space"), "no space; left behind: "),
    ],
    ids=["signal", "error", "system call"],
)
def test_claim_no_removal_that_failed(hog, monkeypatch, failure, words):
    """A cgroup in which a process hangs in the kernel stays."""

    def fail(_self):
        raise failure

    trial = prepare_kill_trial(request(hog))
    monkeypatch.setattr(KillTrial, "_look_around", fail)
    monkeypatch.setattr(MemoryCgroup, "remove", lambda _self: False)
    with pytest.raises(type(failure)) as raised:
        trial.run()
    [folder] = [name for name in leftovers() if name.startswith("oomguardtrial")]
    monkeypatch.undo()
    assert words in str(raised.value)
    assert f"/{folder}; end the processes in it, and remove it with rmdir" in str(raised.value)
    assert "removed;" not in str(raised.value)
    os.rmdir(os.path.join(memory_hierarchy(Procfs()).mount, folder))


def test_remove_what_a_killed_trial_left(hog, false_hog):
    killed = in_a_process(false_hog("[ $role = oomguard-hog ] && exec sleep 30"))
    wait_for_decoy(killed)
    killed.kill()
    killed.communicate()
    assert len(leftovers()) >= 2  # the cgroup and the decoy
    running = in_a_process(false_hog("[ $role = oomguard-hog ] && exec sleep 30"), memory_limit_kb=16 * 1024)
    wait_for_decoy(running)
    assert run(hog)["verdict"] == "proven"  # a trial that still runs is not touched
    assert running.poll() is None
    running.terminate()
    running.communicate()
    assert leftovers() == []


def test_the_decoy_of_a_killed_trial_ends_at_its_deadline(false_hog):
    killed = in_a_process(false_hog('[ $role = oomguard-hog ] && exec sleep 5; set -- "$@" --deadline 1'))
    wait_for_decoy(killed)
    killed.kill()
    killed.communicate()
    deadline = time.monotonic() + 5
    while actors():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    choose_launcher(Procfs(), "cgroupfs", None).sweep()
