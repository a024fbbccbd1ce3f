# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each error of a trial says what failed, the value, and what to do.

The table provokes every error that the files of the trial raise. Whoever adds one adds a line here.
"""

import ast
import os
import shutil

import pytest
from remedies import find_remedy

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import Hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import host_checks, launcher
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import (
    Candidate,
    design_trial,
    refuse_rivals,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_trial import prepare_kill_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.launcher import (
    CgroupLauncher,
    SystemdLauncher,
    choose_launcher,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.overcommit_trial import prepare_overcommit_trial
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.rehearsal import check_rehearsal
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import TrialRequest, parse_size_kb
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import start_actor

ROOM = os.path.dirname(launcher.__file__)
USUAL = TrialRequest("/bin/true", "cgroup", True, 65536, -900, 0, 60, "cgroupfs", None)


class Place:
    """A host made of files, on which each provocation works."""

    def __init__(self, proc, folder, monkeypatch):
        self.proc, self.folder, self.monkeypatch = proc, folder, monkeypatch
        (folder / "cgroups").mkdir()
        self.tree = Hierarchy(2, [], str(folder / "cgroups"), "/")
        self.sysctl(panic_on_oom=0, overcommit_memory=0)
        self.memory(MemAvailable=1 << 20, SwapFree=0, MemTotal=1 << 21, SwapTotal=0, CommitLimit=9000, Committed_AS=0)

    def sysctl(self, **values):
        for name, value in values.items():
            self.proc.write(f"sys/vm/{name}", f"{value}\n")

    def memory(self, **values):
        self.proc.write("meminfo", "".join(f"{name}: {value} kB\n" for name, value in values.items()))

    def program(self, name, text, mode=0o755):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def kill(self, **changes):
        return prepare_kill_trial(USUAL._replace(**changes))

    def overcommit(self, **changes):
        return prepare_overcommit_trial(USUAL._replace(scope="overcommit", **changes), self.proc.procfs)

    def contained(self, limit_kb, headroom_kb=None):
        host_checks.check_contained(USUAL._replace(memory_limit_kb=limit_kb), self.proc.procfs, Room(headroom_kb))

    def host_wide(self, headroom_kb=None, **changes):
        host_checks.check_host_wide(USUAL._replace(scope="host", **changes), self.proc.procfs, Room(headroom_kb))

    def systemd(self, runs, manager="systemd", parent=None):
        self.monkeypatch.setattr(launcher.Systemd, "runs", lambda _self: runs)
        choose_launcher(Procfs(), manager, parent)

    def slice(self, busctl):
        self.program("busctl", f"#!/bin/sh\n{busctl}\n")
        self.monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")
        self.monkeypatch.setattr(launcher, "_SLICE_SECONDS", 0)
        SystemdLauncher(Procfs(), self.tree, "x.slice").open(None)

    def service(self):
        """Let systemd start no service, as where SELinux denies it."""
        self.program("systemd-run", "#!/bin/sh\nexit 1\n")
        self.program("systemctl", "#!/bin/sh\necho ExecMainCode=0\n")
        self.monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")
        systemd = SystemdLauncher(Procfs(), self.tree, "x.slice")
        systemd.wait_for_end(systemd.start("hog", ["/bin/true"], 0))

    def cgroup(self, limit):
        """Set a limit that is a link to this file, or that cannot be written."""
        folder = self.folder / "cgroups" / "x"
        folder.mkdir()
        if limit is None:
            (folder / "memory.max").mkdir()
        else:
            (folder / "memory.max").symlink_to(limit)
        MemoryCgroup(self.tree, str(folder)).set_limit(8192)

    def no_log(self):
        def denied():
            raise AccessError("/dev/kmsg cannot be read (Operation not permitted): use become")

        prepare_kill_trial(USUAL, open_log=denied).run()

    def denied(self):
        def deny(_path):
            raise PermissionError

        with self.monkeypatch.context() as patch:
            patch.setattr(os, "stat", deny)
            check_hog("/x")

    def joined(self):
        def fail():
            raise OSError("no such cgroup")

        start_actor(["/bin/true"], fail)

    def rehearsal(self, end, score=0, lines=""):
        program = start_actor(["sh", "-c", f"echo '{lines}'"])
        program.read_phases()
        program.wait()
        check_rehearsal("/bin/x", program, end, score)


class Room:
    """A launcher of which only the room above its cgroup counts."""

    def __init__(self, headroom_kb):
        self._headroom_kb = headroom_kb

    def headroom_kb(self):
        return self._headroom_kb


START = '{"phase": "start", "pid": 7, "score": 5}\n{"phase": "allocated", "kb": 1024}'
RIVAL = Candidate(Process(9, "mysqld", 1, 1, False, 0), 0, 1 << 21)

# How to provoke the error, and its parts: what failed, the value, the remedy.
ERRORS = {
    "size": (
        lambda _at: parse_size_kb("memory_limit", "64X"),
        "memory_limit",
        "64X",
        "write it in bytes or with a unit",
    ),
    "timeout": (lambda at: at.kill(timeout=0), "timeout", "0", "set it to 1 to 3595 seconds"),
    "score": (lambda at: at.kill(hog_score=1001), "hog_score", "1001", "set it to -1000 to 1000"),
    "path": (lambda at: at.kill(hog="/x\0"), "hog", "'/x\\x00'", "remove it"),
    "difference": (lambda at: at.kill(pinned_score=-10), "pinned_score", "-10", "set it at least 50 below hog_score"),
    "limit": (lambda at: at.kill(memory_limit_kb=7168), "memory_limit", "7M", "set at least 8M"),
    "limit of a weak pin": (
        lambda at: at.kill(pinned_score=-100, memory_limit_kb=8192),
        "memory_limit",
        "scores that differ by 100",
        "set at least 20M",
    ),
    "memory of the host": (
        lambda _at: design_trial(-900, 0, 7168, 0, True, "host"),
        "free memory and swap of the host",
        "7168 KiB",
        "free at least 8 MiB",
    ),
    "immunity": (
        lambda _at: design_trial(-1000, 0, 65536, 0, False),
        "pinned_score",
        "-1000",
        "run as root on the host itself, or set it above -1000",
    ),
    "mirror": (
        lambda _at: design_trial(-900, 500, 65536, 0, False),
        "pinned_score",
        "-900",
        "set pinned_score and hog_score at most 1000 apart",
    ),
    "rival": (
        lambda _at: refuse_rivals(design_trial(-900, 0, 65536, 0, True, "host"), [RIVAL], 1 << 21),
        "process 9 (mysqld)",
        "2097152 KiB",
        "lower its score, or set hog_score higher than 0",
    ),
    "no file": (lambda _at: check_hog("/nonexistent"), "hog", "/nonexistent", "set it to the path of oom_hog"),
    "not executable": (
        lambda at: check_hog(at.program("plain", "", 0o644)),
        "hog",
        "plain",
        "build it for this host and set mode 0755",
    ),
    "a file that does not start": (
        lambda at: check_hog(at.program("junk", "\0\1")),
        "hog",
        "junk",
        "build it for this host",
    ),
    "denied": (lambda at: at.denied(), "hog", "/x", "add become: true, or put it elsewhere"),
    "pids": (
        lambda at: (
            (at.proc.root / "self" / "ns").mkdir(),
            (at.proc.root / "self" / "ns" / "pid").symlink_to("pid:[7]"),
            host_checks.check_pids(at.proc.procfs),
        ),
        "kernel log",
        "a pid namespace of its own",
        "run the trial on the host itself, or start the container with --pid=host",
    ),
    "panic always": (
        lambda at: (at.sysctl(panic_on_oom=2), at.contained(65536)),
        "vm.panic_on_oom",
        "2",
        "set it to 0 or 1 first",
    ),
    "half of the host": (lambda at: at.contained(1 << 20), "memory_limit", "1024M", "set at most 512M"),
    "half of next to nothing": (
        lambda at: at.contained(65536, 9000),
        "memory_limit",
        "64M",
        "free at least 16 MiB first",
    ),
    "half of the cgroup": (lambda at: at.contained(65536, 65536), "memory_limit", "64M", "set at most 32M"),
    "consent to a host-wide OOM": (
        lambda at: at.host_wide(allow_host_oom=False),
        "scope=host",
        "not allowed",
        "set allow_host_oom=true",
    ),
    "panic of the host": (
        lambda at: (at.sysctl(panic_on_oom=1), at.host_wide()),
        "vm.panic_on_oom",
        "1",
        "set it to 0 first",
    ),
    "commit limit of the host": (
        lambda at: (at.sysctl(overcommit_memory=2), at.host_wide()),
        "vm.overcommit_memory",
        "2",
        "set it to 0 or 1 first",
    ),
    "limit above": (lambda at: at.host_wide(4096), "cgroup above the trial", "4096 KiB", "use scope=cgroup"),
    "no log": (lambda at: at.no_log(), "kernel log", "/dev/kmsg", "use become"),
    "no cgroup": (
        lambda at: CgroupLauncher(Procfs(), at.tree, ["/nonexistent"]).open(None),
        "memory cgroup",
        "/nonexistent",
        "run on the host itself, or set cgroup_parent to a delegated cgroup",
    ),
    "no memory controller": (
        lambda at: CgroupLauncher(Procfs(), at.tree, [at.tree.mount]).open(None),
        "memory cgroup",
        "cgroup.subtree_control",
        "run on the host itself, or set cgroup_parent to a delegated cgroup",
    ),
    "limit that cannot be set": (
        lambda at: at.cgroup(None),
        "memory.max",
        "8388608",
        "set cgroup_parent to a cgroup whose limits this user may set",
    ),
    "limit that is not kept": (
        lambda at: (
            (at.program("limit", "4096"), at.monkeypatch.setattr(MemoryCgroup, "limit_kb", lambda _self: 4))
            and at.cgroup(str(at.folder / "limit"))
        ),
        "memory.max",
        "8192 KiB",
        "set another memory_limit, a multiple of 1M",
    ),
    "slice": (
        lambda at: at.slice("echo no bus >&2; exit 1"),
        "slice x.slice",
        "no bus",
        "set manager=cgroupfs",
    ),
    "slice without a cgroup": (lambda at: at.slice("true"), "memory cgroup", "x.slice", "set manager=cgroupfs"),
    "service": (lambda at: at.service(), "systemd-run started no process", "exit 1", "set manager=cgroupfs"),
    "parent with systemd": (
        lambda at: at.systemd(True, parent="/x"),
        "cgroup_parent",
        "/x",
        "set manager=cgroupfs, or leave out cgroup_parent",
    ),
    "no systemd": (lambda at: at.systemd(False), "manager", "systemd", "set manager=cgroupfs"),
    "parent": (
        lambda at: at.systemd(False, "cgroupfs", "/tmp"),
        "cgroup_parent",
        "/tmp",
        "set it to the folder of a cgroup that is delegated to this user",
    ),
    "consent to refused memory": (
        lambda at: at.overcommit(allow_host_oom=False),
        "scope=overcommit",
        "not allowed",
        "set allow_host_oom=true",
    ),
    "no commit limit": (lambda at: at.overcommit(), "vm.overcommit_memory", "0", "set it to 2 first"),
    "too high a commit limit": (
        lambda at: (
            at.sysctl(overcommit_memory=2),
            at.memory(MemAvailable=100, SwapFree=0, CommitLimit=9000, Committed_AS=0),
            at.overcommit(),
        ),
        "may still commit",
        "9000 KiB",
        "lower vm.overcommit_ratio",
    ),
    "it hangs": (lambda at: at.rehearsal(None), "hog", "/bin/x", "set hog to oom_hog, built for this host"),
    "systemd cannot start it": (lambda at: at.rehearsal((203, None)), "hog", "/bin/x", "set its mode to 0755"),
    "no memory": (lambda at: at.rehearsal((12, None)), "hog", "1024 KiB", "free memory first"),
    "it fails": (lambda at: at.rehearsal((2, None)), "hog", "exit 2", "build it from the oom_hog.c of this release"),
    "another program": (lambda at: at.rehearsal((0, None)), "hog", "/bin/x", "build it from the oom_hog.c"),
    "another score": (lambda at: at.rehearsal((0, None), 3, START), "hog", "score 5, not 3", "find out what else sets"),
    "it cannot join": (lambda at: at.joined(), "/bin/true", "cgroup", "run as root, or set cgroup_parent"),
    "junk": (
        lambda at: start_actor([at.program("junk", "\0\1")]),
        "junk",
        "Exec format error",
        "build it for this host",
    ),
    "no such program": (lambda _at: start_actor(["no-such-program"]), "no-such-program", "No such file", "install it"),
}


@pytest.fixture
def place(proc, tmp_path, monkeypatch):
    return Place(proc, tmp_path, monkeypatch)


def provoke(place, name):
    """Return the error that a line of the table provokes."""
    with pytest.raises(OomError) as raised:
        ERRORS[name][0](place)
    return raised.value


@pytest.mark.parametrize("name", list(ERRORS))
def test_each_error_has_three_parts(place, name):
    what, value, remedy = ERRORS[name][1:]
    message = str(provoke(place, name))
    assert what in message
    assert value in message.replace(what, "", 1)
    assert remedy in (find_remedy(message) or "")
    assert "\n" not in message and len(message) < 500


def raise_statements():
    """Return file, function, first and last line of every statement that raises our errors."""
    found = set()
    for name in sorted(os.listdir(ROOM)):
        if name.endswith(".py"):
            with open(os.path.join(ROOM, name), encoding="utf-8") as stream:
                tree = ast.parse(stream.read())
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            for function, node in [(one, node) for one in functions for node in ast.walk(one)]:
                call = getattr(node, "exc", None) if isinstance(node, ast.Raise) else None
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in OURS:
                    last = max(getattr(part, "lineno", 0) for part in ast.walk(node))
                    found.add((name, function.name, node.lineno, last))
    return found


OURS = ("AccessError", "InputError", "OomError", "ReadBackError", "UnsupportedError")


def where_raised(error, statements):
    """Return the statements that raised an error, or one that caused it."""
    found = set()
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            name = os.path.basename(trace.tb_frame.f_code.co_filename)
            found |= {one for one in statements if one[0] == name and one[2] <= trace.tb_lineno <= one[3]}
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return found


def test_the_table_has_every_error(proc, tmp_path, monkeypatch):
    statements, reached = raise_statements(), set()
    for number, name in enumerate(ERRORS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patch:
            error = provoke(Place(proc, folder, patch), name)
        reached |= where_raised(error, statements)
        shutil.rmtree(str(proc.root / "self" / "ns"), ignore_errors=True)
    assert len(statements) > 30
    # What is wrong with each parent becomes part of the message of open().
    assert {(one[0], one[1]) for one in statements - reached} == {("memory_cgroup.py", "create")}
