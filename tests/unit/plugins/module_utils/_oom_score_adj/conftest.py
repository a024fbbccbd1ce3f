# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fake hosts for pins: one with processes only, one with systemd."""

import errno
import functools
import itertools
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN, Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import pin_results


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Read written scores again at once, not a moment later."""
    monkeypatch.setattr(apply, "SECOND_LOOK_SECONDS", 0)


def read_mark(directory, name):
    """Return an attribute of a cgroup, which is a file in these trees."""
    try:
        with open(os.path.join(directory, name.encode()), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        raise OSError(errno.ENODATA, "no data") from None


def write_mark(directory, name, value):
    with open(os.path.join(directory, name.encode()), "wb") as stream:
        stream.write(value)


def remove_mark(directory, name):
    try:
        os.remove(os.path.join(directory, name.encode()))
    except FileNotFoundError:
        raise OSError(errno.ENODATA, "no data") from None


@pytest.fixture(autouse=True)
def marks(monkeypatch):
    monkeypatch.setattr(os, "getxattr", read_mark)
    monkeypatch.setattr(os, "setxattr", write_mark)
    monkeypatch.setattr(os, "removexattr", remove_mark)


class Processes:
    """A host without systemd."""

    def __init__(self, proc):
        self.proc = proc

    def systemd(self):
        return Systemd(str(self.proc.root.parent))

    def plan(self, *pins, least=0):
        return plan_pins(self.proc.procfs, self.systemd(), pins, least)

    def apply_plan(self, plan):
        return apply_plan(self.proc.procfs, plan)

    def apply(self, *pins):
        return self.apply_plan(self.plan(*pins)).outcomes

    def results(self, *pins):
        plan = self.plan(*pins)
        return pin_results(self.apply_plan(plan).outcomes, plan.killable)

    def scores(self, *pids):
        return [self.proc.score(pid) for pid in pids]


@pytest.fixture
def processes(proc, tmp_path):
    """Set up two engines in one cgroup, a process with a long name, and a kernel thread."""
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
    return Processes(proc)


class Services(Processes):
    """A host with systemd: unit files, and a systemctl that shows what the last reload read."""

    def __init__(self, proc):
        super().__init__(proc)
        self.root = proc.root.parent
        for folder in ("run", "etc"):
            (self.root / folder / "systemd/system").mkdir(parents=True)
        self.cgroups = self.root / "cgroup"
        proc.write("self/mountinfo", f"30 24 0:26 / {self.cgroups} rw - cgroup2 cgroup2 rw\n")
        self.known = {}
        self.calls = []
        self.defaults = {"OOMScoreAdjust": "0", "OOMPolicy": "stop", "ManagedOOMPreference": "none"}
        self.loaded = {}

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add(self, name, main_pid=0, fragment="", children=(), aliases=(), **properties):
        unit = name + ".service"
        path = "/system.slice/" + unit
        if fragment is not None:
            self.write("usr/lib/systemd/system/" + unit, "[Service]\nExecStart=/usr/sbin/x\n" + fragment)
        shown = dict(
            Id=unit,
            Names=" ".join([unit] + [alias + ".service" for alias in aliases]),
            LoadState="loaded",
            Type="simple",
            ActiveState="active" if main_pid or children else "inactive",
            MainPID=str(main_pid),
            ControlGroup=path if main_pid or children else "",
            DropInPaths="",
            FragmentPath="/usr/lib/systemd/system/" + unit,
            Delegate="no",
        )
        shown.update(properties)
        for alias in (name, *tuple(aliases)):
            self.known[alias + ".service"] = shown
        if shown["ControlGroup"]:
            (self.cgroups / path[1:]).mkdir(parents=True)
            (self.cgroups / path[1:] / "cgroup.procs").write_text(
                "".join(f"{pid}\n" for pid in [main_pid, *children] if pid)
            )
        self.reload()

    def reload(self):
        for shown in self.known.values():
            lines = []
            if shown["LoadState"] != "not-found":
                files = [self.root / shown["FragmentPath"][1:]]
                for folder in ("etc", "run", "usr/lib"):
                    files.extend(sorted((self.root / folder / "systemd/system" / (shown["Id"] + ".d")).glob("*.conf")))
                files = files[:1] + sorted(files[1:], key=lambda file: file.name)
                lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
            for key, default in self.defaults.items():
                values = [line.partition("=")[2] for line in lines if line.startswith(key + "=")]
                own = "continue" if key == "OOMPolicy" and shown["Delegate"] == "yes" else default
                self.loaded[shown["Id"], key] = values[-1] if values else own
            self.mark(shown)

    def mark(self, shown):
        """Set the attributes that systemd-oomd reads; a file of the cgroup stands for each."""
        folder = self.cgroups / shown["ControlGroup"][1:]
        for preference in ("avoid", "omit"):
            mark = folder / ("user.oomd_" + preference)
            if shown["ControlGroup"] and self.loaded.get((shown["Id"], "ManagedOOMPreference")) == preference:
                mark.write_text("1")
            elif mark.exists():
                mark.unlink()

    def ask(self, *command):
        self.calls.append(command)
        if command[1] == "daemon-reload":
            self.reload()
            return ""
        if len(command) == 3:
            return "Version=247.3-7\n" + "".join(f"Default{key}={value}\n" for key, value in self.defaults.items())
        if command[1] == "list-units":
            running = {shown["Id"] for shown in self.known.values() if shown["MainPID"] != "0"}
            return "".join(f"{unit} loaded active running A service\n" for unit in sorted(running))
        blocks = []
        assert command[3] == "--"
        for name in command[4:]:
            shown = dict(
                self.known.get(name)
                or dict(Id=name, Names=name, LoadState="not-found", ActiveState="inactive", MainPID="0")
            )
            for key in self.defaults:
                shown[key] = self.loaded.get((shown["Id"], key), self.defaults[key])
            blocks.append("".join(f"{key}={value}\n" for key, value in shown.items()))
        return "\n".join(blocks)

    def reloads(self):
        return [command[1] for command in self.calls].count("daemon-reload")

    def systemd(self):
        return Systemd(str(self.root), lambda *command: functools.partial(self.ask, *command))

    def drop_in(self, name, folder="etc", file=DROP_IN):
        path = self.root / folder / "systemd/system" / (name + ".service.d") / file
        return path.read_text() if path.exists() else None

    def files(self):
        """Return all that a pin may change: files to the byte, folders, scores."""
        inside = [path for path in self.root.rglob("*") if not str(path).startswith(str(self.proc.root))]
        found = {str(path): path.read_bytes() if path.is_file() else None for path in inside}
        return found, {path.parent.name: int(path.read_text()) for path in self.proc.root.glob("*/oom_score_adj")}

    def results(self, *pins, least=0):
        """Return results and warnings of a run, which must be those that check mode returns."""
        plan = self.plan(*pins, least=least)
        planned = pin_results(plan.outcomes, plan.killable)
        applied = self.apply_plan(plan)
        done = pin_results(applied.outcomes, plan.killable)
        assert done == planned
        return dict(done, warnings=plan.warnings + applied.warnings)


@pytest.fixture
def host(proc):
    """Set up dockerd with a helper, cron with a job, sshd with a session, and other services."""
    return make_services(proc)


@pytest.fixture
def new_host(proc, tmp_path):
    """Return a function that sets up one more such host, in a folder of its own."""
    numbers = itertools.count()
    return lambda: make_services(type(proc)(tmp_path / f"host{next(numbers)}" / "proc"))


def make_services(proc):
    services = Services(proc)

    def cgroup(unit):
        return f"/system.slice/{unit}.service"

    proc.process(1, "systemd", parent=0)
    proc.process(10, "dockerd", cgroup=cgroup("docker"), resident_kb=80000)
    proc.process(11, "docker-proxy", parent=10, cgroup=cgroup("docker"))
    proc.process(20, "cron", cgroup=cgroup("cron"))
    proc.process(21, "sh", parent=20, cgroup=cgroup("cron"))
    proc.process(22, "backup", parent=21, cgroup=cgroup("cron"), resident_kb=40000)
    proc.process(30, "sshd", score=-1000, cgroup=cgroup("ssh"))
    proc.process(31, "sshd", parent=30, cgroup="/user.slice/user-0.slice/session-1.scope")
    proc.process(32, "bash", parent=31, cgroup="/user.slice/user-0.slice/session-1.scope")
    services.add("docker", 10, children=[11], Delegate="yes")
    services.add("cron", 20, children=[21, 22])
    services.add("ssh", 30, aliases=["sshd"])
    services.add("containerd", fragment="OOMScoreAdjust=-999\n", ControlGroup=cgroup("containerd"))
    services.add("mariadb")
    services.add("postgresql", children=[99], Type="oneshot")
    services.add("seed", ActiveState="active", Type="oneshot")
    proc.process(70, "java", cgroup=cgroup("jenkins"))
    proc.process(71, "tmux: server", cgroup="/user.slice/user-0.slice/session-1.scope")
    services.add("firewalld", LoadState="masked", fragment=None)
    return services
