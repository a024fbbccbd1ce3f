# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs in a private memory cgroup: their lines, their ends, and their clean-up."""

import os
import signal
import stat
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import Hierarchy, memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted, ending_signals
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import launcher as launcher_file
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import (
    CgroupLauncher,
    SystemdLauncher,
    choose_launcher,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import own_cgroup_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import wait_until


@pytest.fixture
def launcher():
    """Yield a launcher by hand with an open cgroup of 32 MiB."""
    one = choose_launcher(Procfs(), "cgroupfs", None)
    one.open(32 * 1024)
    yield one
    assert one.close() == []


def shell(script):
    return ["sh", "-c", script, "sh"]


def soon():
    return time.monotonic() + 10


# --- the choice ----------------------------------------------------------------------


def test_choose_by_option(monkeypatch):
    monkeypatch.setattr(launcher_file.Systemd, "runs", lambda _self: True)
    assert isinstance(choose_launcher(Procfs(), "cgroupfs", None), CgroupLauncher)
    assert isinstance(choose_launcher(Procfs(), "systemd", None), SystemdLauncher)


@pytest.mark.parametrize(
    "runs, user, parent, expected",
    [
        (True, 0, None, "systemd"),
        (False, 0, None, "cgroupfs"),
        (True, 7, None, "cgroupfs"),
        (True, 0, memory_hierarchy(Procfs()).mount, "cgroupfs"),
    ],
)
def test_choose_by_host(monkeypatch, runs, user, parent, expected):
    monkeypatch.setattr(launcher_file.Systemd, "runs", lambda _self: runs)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    chosen = choose_launcher(Procfs(), "auto", parent)
    assert (chosen.manager, chosen.version) == (expected, memory_hierarchy(Procfs()).version)


def test_refuse_a_manager_that_cannot_work(monkeypatch):
    monkeypatch.setattr(launcher_file.Systemd, "runs", lambda _self: False)
    with pytest.raises(InputError, match="cgroup_parent=/x cannot be combined with manager=systemd"):
        choose_launcher(Procfs(), "systemd", "/x")
    with pytest.raises(UnsupportedError, match="systemd does not manage this host"):
        choose_launcher(Procfs(), "systemd", None)


def test_a_launcher_starts_nothing_before_it_is_opened():
    closed = choose_launcher(Procfs(), "cgroupfs", None)
    with pytest.raises(RuntimeError):
        closed.start("hog", ["true"], 0)
    assert closed.close() == []


def test_a_parent_lies_in_the_hierarchy_that_limits_memory(tmp_path):
    hierarchy = memory_hierarchy(Procfs())
    link = tmp_path / "link"
    link.symlink_to(hierarchy.mount)
    assert choose_launcher(Procfs(), "cgroupfs", str(link))._parents == [hierarchy.mount]
    for parent in ("/nonexistent", "/tmp", "/proc", "/dev/null", hierarchy.mount + "/../..", "relative", ""):
        if parent:
            with pytest.raises(InputError, match="is not a folder of the memory cgroup hierarchy at "):
                choose_launcher(Procfs(), "cgroupfs", parent)


def test_refuse_another_file_system_below_the_hierarchy(proc, tmp_path):
    """Its device differs, so that no file in it would be a limit."""
    mount = tmp_path / "cgroups"
    (mount / "inside").mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("memory\n")
    proc.write(
        "self/mountinfo", f"35 31 0:32 / {mount} rw - cgroup2 cgroup2 rw\n36 31 0:33 / /proc rw - cgroup2 c rw\n"
    )
    assert launcher_file._locate_parent(proc.procfs, str(mount / "inside"))[1] == str(mount / "inside")
    (mount / "proc").symlink_to("/dev")
    with pytest.raises(InputError, match="is not a folder of the memory cgroup hierarchy"):
        launcher_file._locate_parent(proc.procfs, str(mount / "proc"))


# --- programs ------------------------------------------------------------------------


def test_read_the_lines_of_a_program(launcher):
    script = (
        'echo noise; echo "{\\"phase\\": \\"start\\", \\"pid\\": 7}"; printf "{\\"phase\\": "; echo "\\"allocated\\"}"'
    )
    program = launcher.start("hog", shell(script), 0)
    assert program.pid != 7
    assert wait_until(lambda: program.ended, [program], soon())
    assert (program.pid, program.phase("allocated"), program.phase("survived")) == (7, {"phase": "allocated"}, None)
    assert launcher.wait_for_end(program) == (0, None)


@pytest.mark.parametrize("script, end", [("exit 12", (12, None)), ("kill -KILL $$", (None, signal.SIGKILL))])
def test_return_how_a_program_ended(launcher, script, end):
    program = launcher.start("hog", shell(script), 0)
    assert wait_until(lambda: program.ended, [program], soon())
    assert launcher.wait_for_end(program) == end


def test_a_program_joins_the_cgroup_and_receives_its_score(launcher):
    program = launcher.start(
        "hog", shell('echo "{\\"phase\\": \\"start\\", \\"pid\\": $$, \\"score\\": $2}"; exec sleep 60'), 321
    )
    assert wait_until(lambda: program.phase("start") is not None, [program], soon())
    assert program.phase("start")["score"] == 321
    with Procfs().open(program.pid) as directory:
        assert any("oomguardtrial_" in path for path in directory.cgroups())


def test_stop_waiting_at_the_deadline(launcher):
    program = launcher.start("hog", shell("exec sleep 60"), 0)
    assert not wait_until(lambda: program.ended, [program], time.monotonic() + 0.05)


def test_refuse_a_file_that_does_not_start(launcher, tmp_path):
    junk = tmp_path / "junk"
    junk.write_bytes(b"\0\1\2 not a program")
    junk.chmod(0o755)
    with pytest.raises(InputError, match="junk cannot be started: Exec format error"):
        launcher.start("hog", [str(junk)], 0)


def test_name_every_parent_that_failed(tmp_path):
    hierarchy = memory_hierarchy(Procfs())
    parents = [str(tmp_path / "a"), str(tmp_path / "b")]
    with pytest.raises(AccessError) as raised:
        CgroupLauncher(Procfs(), hierarchy, parents).open(None)
    assert str(raised.value) == (
        f"cannot create a memory cgroup: {parents[0]}: No such file or directory;"
        f" {parents[1]}: No such file or directory;"
        " run on the host itself, or set cgroup_parent to a delegated cgroup"
    )


OBSTACLES = {
    "nothing": ("memory cpu", None),
    "no memory controller": ("cpu", "its cgroup.subtree_control does not enable the memory controller"),
    "no folder": (None, "No such file or directory"),
}


@pytest.mark.parametrize("enabled, words", OBSTACLES.values(), ids=list(OBSTACLES))
def test_check_and_open_fail_alike(tmp_path, enabled, words):
    parent = tmp_path / "parent"
    if enabled is not None:
        parent.mkdir()
        (parent / "cgroup.subtree_control").write_text(enabled + "\n")
    one = CgroupLauncher(Procfs(), Hierarchy(2, [], str(tmp_path), "/"), [str(parent)])
    if words is None:
        one.check()
        assert os.listdir(str(parent)) == ["cgroup.subtree_control"]
        return
    sentences = []
    for action in (one.check, lambda: one.open(None)):
        with pytest.raises(AccessError, match=words) as raised:
            action()
        sentences.append(str(raised.value))
    assert sentences[0] == sentences[1]


def test_check_what_an_ordinary_user_may_write(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    with pytest.raises(AccessError, match=f"cannot create a memory cgroup: {tmp_path}: Permission denied; "):
        CgroupLauncher(Procfs(), memory_hierarchy(Procfs()), [str(tmp_path)]).check()


def test_one_parent_that_works_is_enough(tmp_path):
    CgroupLauncher(Procfs(), memory_hierarchy(Procfs()), [str(tmp_path / "none"), str(tmp_path)]).check()


def test_advise_an_ordinary_user(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        AccessError, match=r"; ran as uid 1000: add become: true, or set cgroup_parent to a cgroup delegated"
    ):
        CgroupLauncher(Procfs(), memory_hierarchy(Procfs()), [str(tmp_path / "a")]).open(None)


# --- systemd, played by shell scripts ---------------------------------------------------------


SCRIPTS = {
    "busctl": "mkdir $mount/$7; echo max > $mount/$7/memory.max",
    "systemctl": '[ "$1" = --version ] && { echo "systemd $version (x)"; exit; }\n'
    '[ "$1" = show ] && { echo ExecMainCode=$code; echo ExecMainStatus=$status; }\n'
    '[ "$1" = stop ] && rm -r $mount/$2; true',
    "systemd-run": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
}


class Slices:
    """A launcher by systemd with scripts in place of its programs, and a record of their calls."""

    def __init__(self, folder, monkeypatch):
        self.mount = folder / "cgroups"
        self.mount.mkdir()
        self._calls = folder / "calls"
        for name, script in SCRIPTS.items():
            program = folder / name
            program.write_text(f'#!/bin/sh\necho {name} "$@" >> {self._calls}\nmount={self.mount}\n{script}\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        self.launcher = SystemdLauncher(Procfs(), Hierarchy(2, [], str(self.mount), "/"), "oomguardtrial_1_2.slice")

    def calls(self):
        return self._calls.read_text().splitlines()


@pytest.fixture
def slices(tmp_path, monkeypatch):
    monkeypatch.setenv("version", "252.39-1~deb12u1")
    monkeypatch.setenv("code", "2")
    monkeypatch.setenv("status", "9")
    return Slices(tmp_path, monkeypatch)


def test_a_service_that_systemd_did_not_start(slices, monkeypatch):
    """As where SELinux denies it: systemd then has no process to say anything about."""
    monkeypatch.setenv("code", "0")
    monkeypatch.setenv("status", "0")
    slices.launcher.open(16 * 1024)
    program = slices.launcher.start("hog", ["/bin/sh", "-c", "exit 1"], 0)
    with pytest.raises(OomError, match=r"systemd-run started no process \(exit 1\): .* set manager=cgroupfs"):
        slices.launcher.wait_for_end(program)


def test_open_and_close_a_slice(slices):
    assert slices.launcher.close() == []  # nothing to stop yet
    cgroup = slices.launcher.open(16 * 1024)
    assert cgroup.limit_kb() == 16 * 1024
    assert slices.calls() == [
        "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
        " StartTransientUnit ssa(sv)a(sa(sv)) oomguardtrial_1_2.slice fail"
        " 2 MemoryMax t 16777216 MemorySwapMax t 0 0"
    ]
    assert slices.launcher.headroom_kb() is None
    assert slices.launcher.close() == []
    assert not cgroup.exists()
    assert slices.calls()[1:] == [
        "systemctl stop oomguardtrial_1_2.slice",
        "systemctl reset-failed oomguardtrial_1_2*",
    ]


def test_a_slice_without_a_limit(slices):
    slices.launcher.open(None)
    assert slices.calls()[0].endswith("fail 1 MemoryAccounting b true 0")


@pytest.mark.parametrize(
    "version, policy",
    [
        ("252.39-1~deb12u1", ["--property=OOMPolicy=continue"]),
        ("243~rc1", ["--property=OOMPolicy=continue"]),
        ("239", []),
    ],
)
def test_start_a_transient_service(slices, monkeypatch, version, policy):
    monkeypatch.setenv("version", version)
    slices.launcher.open(16 * 1024)
    program = slices.launcher.start("decoy", shell("exit 5"), -900)
    assert wait_until(lambda: program.ended, [program], soon())
    assert slices.launcher.wait_for_end(program) == (None, 9)
    [call] = [call for call in slices.calls() if call.startswith("systemd-run --quiet")]
    assert call.split(" -- ")[0].split() == [
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--slice=oomguardtrial_1_2.slice",
        "--unit=oomguardtrial_1_2_0_decoy.service",
        "--property=OOMScoreAdjust=-900",
        *policy,
    ]


@pytest.mark.parametrize(
    "script, code, end", [("exit 0", "1", (0, None)), ("exit 12", "1", (12, None)), ("exit 1", "3", (None, 12))]
)
def test_return_how_a_service_ended(slices, monkeypatch, script, code, end):
    monkeypatch.setenv("code", code)
    monkeypatch.setenv("status", "12")
    slices.launcher.open(16 * 1024)
    program = slices.launcher.start("hog", shell(script), 0)
    assert wait_until(lambda: program.ended, [program], soon())
    assert slices.launcher.wait_for_end(program) == end


def test_stop_slices_that_were_left_behind(slices):
    (slices.mount / "oomguardtrial_99999999_1.slice").mkdir()
    assert slices.launcher.sweep() == ["oomguardtrial_99999999_1.slice"]
    assert not (slices.mount / "oomguardtrial_99999999_1.slice").exists()


def test_version_1_has_no_lasting_counter(slices):
    cgroup = slices.launcher.open(16 * 1024)
    (slices.mount / "oomguardtrial_1_2.slice/memory.events").write_text("oom 2\noom_kill 1\n")
    assert slices.launcher.oom_kills() == cgroup.oom_kills() == 1
    version_1 = SystemdLauncher(Procfs(), Hierarchy(1, ["memory"], str(slices.mount), "/"), "x.slice")
    assert version_1.oom_kills() is None


def test_a_slice_without_a_cgroup_is_an_error(slices, monkeypatch):
    monkeypatch.setattr(launcher_file, "_SLICE_SECONDS", 0.02)
    (slices.mount.parent / "busctl").write_text("#!/bin/sh\n")
    with pytest.raises(UnsupportedError, match="systemd created no memory cgroup for oomguardtrial_1_2"):
        slices.launcher.open(None)


def test_name_a_bus_that_fails(slices):
    (slices.mount.parent / "busctl").write_text("#!/bin/sh\necho Failed to connect to bus >&2; exit 1\n")
    words = r"the slice oomguardtrial_1_2.slice \(busctl call failed: Failed to connect to bus\): set manager=cgroupfs"
    with pytest.raises(UnsupportedError, match=words):
        slices.launcher.open(None)


@pytest.mark.parametrize("code, status", [("2", "junk"), ("2", ""), ("", "9" * 400)])
def test_an_odd_answer_of_systemctl_is_no_error(slices, monkeypatch, code, status):
    monkeypatch.setenv("code", code)
    monkeypatch.setenv("status", status)
    slices.launcher.open(16 * 1024)
    program = slices.launcher.start("hog", shell("exit 5"), 0)
    assert wait_until(lambda: program.ended, [program], soon())
    assert slices.launcher.wait_for_end(program) == (None, 5)


def test_a_systemd_run_that_hangs_is_killed(slices, monkeypatch):
    """It stays although the slice is stopped: the trial ends, and nothing of it runs on."""
    slices.launcher.open(16 * 1024)
    program = slices.launcher.start("hog", shell("exec sleep 60"), 0)
    assert not wait_until(lambda: program.ended, [program], time.monotonic() + 0.1)
    assert slices.launcher.close() == []
    assert program._child.poll() == -signal.SIGKILL


def test_closing_raises_no_error(slices):
    """A systemctl that fails must not hide what ended the trial."""
    slices.launcher.open(16 * 1024)
    (slices.mount.parent / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    assert slices.launcher.close() == [str(slices.mount / "oomguardtrial_1_2.slice")]


def test_remove_the_cgroup_of_a_trial_without_systemd(slices):
    (slices.mount / "oomguardtrial_99999999_3").mkdir()
    assert slices.launcher.sweep() == ["oomguardtrial_99999999_3"]
    assert os.listdir(str(slices.mount)) == []
    assert not slices._calls.exists()  # systemctl stop would mean a service of that name


def test_one_slice_that_cannot_be_stopped_is_no_veto(slices):
    for number in (1, 2):
        (slices.mount / f"oomguardtrial_99999999_{number}.slice").mkdir()
    (slices.mount.parent / "systemctl").write_text(
        f"#!/bin/sh\ncase $2 in *_1.slice) exit 1;; *.slice) rmdir {slices.mount}/$2;; esac\n"
    )
    assert slices.launcher.sweep() == ["oomguardtrial_99999999_2.slice"]


def test_a_signal_ends_the_sweep(slices):
    """A slice that cannot be stopped is tolerated, a signal that ends the run is not."""
    (slices.mount / "oomguardtrial_99999999_1.slice").mkdir()
    (slices.mount.parent / "systemctl").write_text("#!/bin/sh\nkill -TERM $PPID\nexec sleep 5\n")
    with ending_signals() as signals, pytest.raises(Interrupted), signals.interrupt():
        slices.launcher.sweep()


def test_a_signal_while_the_cgroup_is_made_leaves_no_folder(monkeypatch):
    real = MemoryCgroup.create

    def create_and_end(cgroup):
        real(cgroup)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MemoryCgroup, "create", create_and_end)
    parent = memory_hierarchy(Procfs()).mount
    interrupted = CgroupLauncher(Procfs(), memory_hierarchy(Procfs()), [parent])
    with ending_signals() as signals, pytest.raises(Interrupted), signals.interrupt():
        interrupted.open(None)
    assert interrupted.close() == []
    assert not os.path.exists(os.path.join(parent, own_cgroup_name(Procfs())))
