# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins of units: which process, which drop-in, what they become at the next start, and the way back."""

import functools
import os
import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    OomError,
    ReadBackError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import (
    DROP_IN,
    Systemd,
    run_program,
    service_name,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply as _pin_apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import Application
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin, result
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust and OOMPolicy here and nothing else.\n"
)


class Services:
    """A host with systemd: a tree of unit files, and a systemctl that shows what it read at the last reload."""

    def __init__(self, proc):
        self.proc = proc
        self.root = proc.root.parent
        for folder in ("run", "etc"):
            (self.root / folder / "systemd/system").mkdir(parents=True)
        self.cgroups = self.root / "cgroup"
        proc.write("self/mountinfo", f"30 24 0:26 / {self.cgroups} rw - cgroup2 cgroup2 rw\n")
        self.known = {}
        self.calls = []
        self.defaults = {"OOMScoreAdjust": "0", "OOMPolicy": "stop"}  # of system.conf
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

    def ask(self, *command):
        self.calls.append(command)
        if command[1] == "daemon-reload":
            self.reload()
            return ""
        if len(command) == 3:
            return "".join("Default{}={}\n".format(*item) for item in self.defaults.items())
        blocks = []
        assert command[3] == "--"
        for name in command[4:]:
            shown = dict(
                self.known.get(name)
                or dict(Id=name, Names=name, LoadState="not-found", ActiveState="inactive", MainPID="0")
            )
            for key in self.defaults:
                shown[key] = self.loaded.get((shown["Id"], key), self.defaults[key])
            blocks.append("".join("{}={}\n".format(*item) for item in shown.items()))
        return "\n".join(blocks)

    def reloads(self):
        return [command[1] for command in self.calls].count("daemon-reload")

    def systemd(self):
        return Systemd(str(self.root), lambda *command: functools.partial(self.ask, *command))

    def drop_in(self, name, folder="etc", file=DROP_IN):
        path = self.root / folder / "systemd/system" / (name + ".service.d") / file
        return path.read_text() if path.exists() else None


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(_pin_apply, "SECOND_LOOK_SECONDS", 0)


@pytest.fixture
def host(proc):
    """dockerd with a helper; cron with a job; a database that does not run; who else a server has."""
    services = Services(proc)
    cgroup = "/system.slice/{0}.service".format
    proc.process(1, "systemd", parent=0)
    proc.process(10, "dockerd", cgroup=cgroup("docker"), resident_kb=80000)
    proc.process(11, "docker-proxy", parent=10, cgroup=cgroup("docker"))
    proc.process(20, "cron", cgroup=cgroup("cron"))
    proc.process(21, "sh", parent=20, cgroup=cgroup("cron"))
    proc.process(22, "backup", parent=21, cgroup=cgroup("cron"), resident_kb=40000)
    proc.process(30, "sshd", score=-1000, cgroup=cgroup("ssh"))
    proc.process(31, "sshd", parent=30, cgroup="/user.slice/session-1.scope")
    proc.process(32, "bash", parent=31, cgroup="/user.slice/session-1.scope")
    services.add("docker", 10, children=[11], Delegate="yes")
    services.add("cron", 20, children=[21, 22])
    services.add("ssh", 30, aliases=["sshd"])
    services.add("containerd", fragment="OOMScoreAdjust=-999\n")
    services.add("mariadb")
    services.add("postgresql", children=[99], Type="oneshot")
    services.add("seed", ActiveState="active", Type="oneshot")
    proc.process(70, "java", cgroup=cgroup("jenkins"))
    proc.process(71, "tmux: server", cgroup="/user.slice/session-1.scope")
    services.add("firewalld", LoadState="masked", fragment=None)
    return services


def pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def gone(unit, **options):
    return pin(unit, None, state="absent", persistent=True, **options)


def plan(host, *pins, least=0):
    return Plan(host.proc.procfs, host.systemd(), pins, least)


def apply(host, *pins, least=0):
    planned = plan(host, *pins, least=least)
    foretold = result(planned.outcomes, planned.killable)
    done = result(Application(host.proc.procfs, host.systemd(), planned).run(), planned.killable)
    assert done == foretold  # check mode tells what the run does
    return dict(done, warnings=planned.warnings)


# --- what is done -----------------------------------------------------------------------


def test_the_main_process_is_pinned_now_and_at_its_next_start(host):
    facts = apply(host, pin("docker"))
    assert (host.proc.score(10), host.proc.score(11)) == (-500, 0)
    assert host.drop_in("docker") == HEADER + "[Service]\nOOMScoreAdjust=-500\n"
    [target] = facts["targets"]
    assert (target["target"], target["unit"], target["found"], target["changed"]) == (
        "unit=docker.service",
        "docker.service",
        True,
        True,
    )
    assert (target["effective_after_restart"], target["restart_required"], target["inherited"]) == (-500, False, [])
    assert (
        target["drop_in"]["before"] is None
        and target["drop_in"]["path"] == "/etc/systemd/system/docker.service.d/60-oomguard.conf"
    )
    assert "# /etc/systemd/system/docker.service.d/60-oomguard.conf\n" + HEADER in facts["diff"]["after"]
    mode = os.stat(str(host.root / "etc/systemd/system/docker.service.d/60-oomguard.conf")).st_mode
    assert mode & 0o777 == 0o644


def test_the_second_time_nothing_changes_and_nothing_is_reloaded(host):
    targets = [pin("docker", children="pin"), pin("cron", -300, oom_policy="continue"), pin("mariadb", -600)]
    assert apply(host, *targets)["changed"]
    host.calls.clear()
    assert not apply(host, *targets)["changed"]
    assert len(host.calls) == 1


def test_systemd_is_asked_once_for_all_units_and_reloaded_once(host):
    apply(host, pin("docker"), pin("cron", -300), pin("mariadb", -600), pin("containerd", -999))
    verbs = [command[1] for command in host.calls]
    assert verbs == ["show", "daemon-reload", "show"]  # the second is the look whether it took it


def test_an_alias_is_the_unit_itself(host):
    facts = apply(host, pin("sshd", -1000, force=True))
    assert facts["targets"][0]["unit"] == "ssh.service"
    assert host.drop_in("sshd") is None and host.drop_in("ssh") is not None


def test_a_unit_that_does_not_run_gets_its_drop_in(host):
    facts = apply(host, pin("mariadb", -600))
    assert host.drop_in("mariadb") == HEADER + "[Service]\nOOMScoreAdjust=-600\n"
    assert (facts["targets"][0]["found"], facts["targets"][0]["processes"]) == (True, [])


def test_without_persistence_only_the_process_is_pinned(host):
    facts = apply(host, pin("docker", persistent=False))
    assert (host.proc.score(10), host.drop_in("docker"), host.reloads()) == (-500, None, 0)
    assert facts["targets"][0]["effective_after_restart"] == 0


def test_the_policy_of_the_unit_goes_into_the_same_drop_in_and_out_again(host):
    apply(host, pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\nOOMPolicy=continue\n"
    apply(host, pin("cron", -300))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"


def files(host):
    """All that can be changed: files to the byte, folders, scores."""
    inside = [path for path in host.root.rglob("*") if not str(path).startswith(str(host.proc.root))]
    found = {str(path): path.read_bytes() if path.is_file() else None for path in inside}
    return found, {path.parent.name: int(path.read_text()) for path in host.proc.root.glob("*/oom_score_adj")}


def test_absent_gives_everything_back_byte_for_byte(host):
    before = files(host)
    apply(
        host,
        pin("docker"),
        pin("cron", -300, oom_policy="continue", children="pin"),
        pin("containerd", -900),
        pin("mariadb", -600),
    )
    assert files(host) != before
    facts = apply(host, gone("docker"), gone("cron", children="pin"), gone("containerd"), gone("mariadb"))
    assert files(host) == before
    assert [target["effective_after_restart"] for target in facts["targets"]] == [0, 0, -999, 0]
    assert not apply(host, gone("docker"), gone("nosuch"))["changed"]


def test_absent_gives_what_all_units_have_by_default(host):
    host.defaults["OOMScoreAdjust"] = "100"
    host.reload()
    host.proc.write("10/oom_score_adj", "100\n")
    before = files(host)
    apply(host, pin("docker"))
    facts = apply(host, gone("docker"))
    assert files(host) == before
    assert facts["targets"][0]["effective_after_restart"] == 100


@pytest.mark.parametrize("wanted, calls", [(["docker.service", "cron.service"], 1), (["cron.service"], 2)])
def test_systemd_may_be_asked_before_its_answer_is_wanted(host, wanted, calls):
    begun = []
    systemd = Systemd(str(host.root), lambda *command: begun.append(command) or functools.partial(host.ask, *command))
    systemd.ask_for(["docker.service", "cron.service", "docker.service"])
    assert [unit.id for unit in systemd.units(wanted).values()] == wanted
    assert list(systemd.units(["dbus.service"])) == ["dbus.service"]
    assert len(begun) == calls + 1


def test_units_of_all_that_goes_are_asked_for_at_once(host):
    apply(host, Pin("process", "dockerd", None, state="absent"), Pin("process", "cron", None, state="absent"))
    assert [command[4:] for command in host.calls] == [("docker.service", "cron.service")]


def test_absent_names_what_keeps_the_score_that_it_inherited(host):
    apply(host, pin("docker"))
    host.proc.process(12, "docker-proxy", parent=10, score=-500, cgroup="/system.slice/docker.service")
    [warning] = apply(host, gone("docker"))["warnings"]
    assert warning.startswith(
        "unit=docker.service: processes that were started meanwhile keep the score that they inherited: use children=reset"
    )
    assert warning.endswith("process 12 (docker-proxy)")
    assert (host.proc.score(10), host.proc.score(12)) == (0, -500)


def test_absent_gives_a_process_what_its_unit_gives(host):
    host.proc.process(40, "containerd", score=-500, cgroup="/system.slice/containerd.service")
    apply(host, Pin("pid", "40", None, state="absent"))
    assert host.proc.score(40) == -999


def test_absent_gives_a_tree_what_its_parent_has(host):
    host.proc.process(50, "screen", score=200)
    host.proc.process(51, "tool", parent=50, score=-5)
    host.proc.process(52, "tool", parent=51, score=-5, start_time=200)
    apply(host, Pin("pid", "51", None, state="absent", children="pin"))
    assert [host.proc.score(pid) for pid in (51, 52)] == [200, 200]


def test_absent_clears_what_a_removed_package_left(host):
    apply(host, pin("mariadb", -600))
    host.known["mariadb.service"].update(LoadState="not-found", FragmentPath="")
    apply(host, gone("mariadb"))
    assert host.drop_in("mariadb") is None


def test_what_runs_without_a_main_process_takes_a_restart(host):
    host.write("etc/systemd/system/postgresql.service.d/60-oomguard.conf", "[Service]\nOOMScoreAdjust=-5\n")
    host.reload()
    facts = apply(host, gone("postgresql"))
    assert (facts["changed"], facts["targets"][0]["restart_required"], facts["targets"][0]["processes"]) == (
        True,
        True,
        [],
    )


def test_a_later_drop_in_of_somebody_else_is_told_and_left(host):
    host.write("etc/systemd/system/docker.service.d/90-local.conf", "[Service]\nOOMScoreAdjust=-100\n")
    facts = apply(host, pin("docker"))
    assert facts["targets"][0]["effective_after_restart"] == -100
    assert host.drop_in("docker", file="90-local.conf") == "[Service]\nOOMScoreAdjust=-100\n"
    assert any("from its next start on the score is -100 and not -500" in warning for warning in facts["warnings"])
    assert host.proc.score(10) == -500


def test_an_earlier_one_and_one_that_is_hidden_by_its_name_do_not_count(host):
    host.write("usr/lib/systemd/system/docker.service.d/50-vendor.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.write("usr/lib/systemd/system/docker.service.d/90-x.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.write("etc/systemd/system/docker.service.d/90-x.conf", "")
    planned = plan(host, pin("docker"))
    assert planned.outcomes[0].effective_after_restart == -500
    assert planned.warnings == []


# --- children ------------------------------------------------------------------------------


def test_children_that_inherited_are_reported(host):
    host.proc.process(11, "docker-proxy", parent=10, score=-500, cgroup="/system.slice/docker.service")
    facts = apply(host, pin("docker"))
    assert [(one["pid"], one["score"], one["after"]) for one in facts["targets"][0]["inherited"]] == [(11, -500, -500)]


def test_sessions_of_a_forced_sshd_are_reported_wherever_they_run(host):
    for pid in (31, 32):
        host.proc.write(f"{pid}/oom_score_adj", "-900\n")
    facts = apply(host, pin("ssh", -900, force=True))
    assert [one["name"] for one in facts["targets"][0]["inherited"]] == ["sshd", "bash"]


def test_children_are_reset_to_zero_or_to_what_their_own_unit_gives(host):
    host.proc.process(23, "own-unit", parent=22, score=-300, cgroup="/system.slice/containerd.service")
    for pid in (21, 22):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    facts = apply(host, pin("cron", -300, children="reset"))
    assert [host.proc.score(pid) for pid in (20, 21, 22, 23)] == [-300, 0, 0, -999]
    assert [(one["pid"], one["score"], one["after"]) for one in facts["targets"][0]["inherited"]] == [
        (21, -300, 0),
        (22, -300, 0),
        (23, -300, -999),
    ]


def test_children_are_pinned_with_their_parent(host):
    facts = apply(host, pin("cron", -300, children="pin"))
    assert [host.proc.score(pid) for pid in (20, 21, 22)] == [-300, -300, -300]
    assert len(facts["targets"][0]["processes"]) == 3


def test_the_tree_of_a_process_is_pinned_with_it(host):
    apply(host, Pin("process", "cron", -300, children="pin"))
    assert [host.proc.score(pid) for pid in (20, 21, 22, 10)] == [-300, -300, -300, 0]


def test_children_that_are_forked_meanwhile_are_found(host, monkeypatch):
    write = ProcessDir.set_score
    late = iter([60, 61])

    def write_and_fork(directory, score):
        write(directory, score)
        pid = next(late, None)
        if pid:
            host.proc.process(pid, "late", parent=22, cgroup="/system.slice/cron.service")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)
    planned = plan(host, Pin("process", "cron", -300, children="pin"))
    Application(host.proc.procfs, host.systemd(), planned).run()
    assert [host.proc.score(pid) for pid in (20, 21, 22, 60, 61)] == [-300] * 5


# --- what is refused, and changes nothing -----------------------------------------------

REFUSED = {
    "no such unit": (
        [pin("nosuch")],
        NotFoundError,
        "unit nosuch.service does not exist (missing=ignore or missing=warn accepts that)",
    ),
    "masked": (
        [pin("firewalld")],
        NotFoundError,
        "unit firewalld.service is masked and cannot start: unmask it first",
    ),
    "without a main process": (
        [pin("postgresql")],
        InputError,
        "active without a main process (Type=oneshot): select what runs in it by cgroup=",
    ),
    "a task that is done": (
        [pin("seed")],
        InputError,
        "active without a main process (Type=oneshot): nothing of it runs that could be pinned",
    ),
    "a template": (
        [pin("getty@")],
        InputError,
        "unit getty@.service is a template, which never runs itself: name an instance",
    ),
    "a path": ([pin("../x")], InputError, "is not a name of a unit"),
    "an absolute path": ([pin("/etc/passwd")], InputError, "is not a name of a unit"),
    "dots": ([pin("..")], InputError, "is not a name of a unit"),
    "empty": ([pin("")], InputError, "is not a name of a unit"),
    "an option": ([pin("--root=/x y")], InputError, "is not a name of a unit"),
    "a line end": ([pin("a\nb")], InputError, "is not a name of a unit"),
    "a line end behind it": ([pin("docker\n")], InputError, "is not a name of a unit"),
    "an option as a name": ([pin("-Hevil")], InputError, "is not a name of a unit"),
    "two policies": (
        [pin("mariadb", 1, oom_policy="kill"), pin("mariadb", 1)],
        InputError,
        "unit mariadb.service is selected twice",
    ),
    "there and not there": (
        [pin("mariadb", 1), gone("mariadb")],
        InputError,
        "unit=mariadb.service wants 1, unit=mariadb.service wants none",
    ),
    "sshd by its name, back": ([Pin("process", "sshd", None, state="absent")], InputError, "sshd makes itself immune"),
    "a slice": ([pin("system.slice")], InputError, "unit system.slice is a slice: only services have a main process"),
    "too long": ([pin("x" * 256)], InputError, "is not a name of a unit"),
    "no score": ([pin("docker", None)], InputError, "unit=docker: score is missing; only state=absent goes without"),
    "a score for nothing": ([pin("docker", 1, state="absent")], InputError, "give neither score nor oom_policy"),
    "a process that lasts": ([Pin("pid", "10", 1, persistent=True)], InputError, "only a unit outlives its processes"),
    "a policy without a drop-in": (
        [pin("cron", 1, persistent=False, oom_policy="kill")],
        InputError,
        "oom_policy is an assignment of a unit",
    ),
    "two scores": ([pin("mariadb", 1), pin("mariadb", 2)], InputError, "unit mariadb.service is selected twice"),
    "sshd": (
        [pin("ssh", -900)],
        InputError,
        "sshd makes itself immune and gives every login the score that it was started with",
    ),
    "sshd by its name": ([Pin("process", "sshd", -900)], InputError, "(force=true overrides)"),
    "cron, immune": ([pin("cron", -1000)], InputError, "cron starts the work of others, which would be immune as well"),
    "cron, immune, by its cgroup": (
        [Pin("cgroup", "/system.slice/cron.service", -1000)],
        InputError,
        "cron starts the work of others",
    ),
    "java, immune, of a job runner": ([Pin("process", "java", -1000)], InputError, "jenkins starts the work of others"),
    "a program with a title, immune": (
        [Pin("process", "tmux: server", -1000)],
        InputError,
        "tmux starts the work of others",
    ),
    "init": (
        [Pin("pid", "1", -999)],
        InputError,
        "pid=1 with score=-999: the kernel never kills init, and every daemon without a score",
    ),
    "init, back": (
        [Pin("process", "systemd", None, state="absent")],
        InputError,
        "process=systemd with state=absent: the kernel never kills init",
    ),
    "a shell, immune": ([Pin("process", "bash", -1000)], InputError, "bash starts the work of others"),
    "containerd, immune": ([pin("containerd", -1000)], InputError, "containerd starts helpers for every container"),
}


@pytest.mark.parametrize("pins, error, words", REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused_changes_nothing(host, pins, error, words):
    before = files(host)
    with pytest.raises(error, match=re.escape(words)):
        apply(host, pin("docker"), *pins)
    assert files(host) == before


def test_force_overrides(host):
    apply(host, pin("ssh", -900, force=True), pin("cron", -1000, force=True))
    assert (host.proc.score(30), host.proc.score(20)) == (-900, -1000)


def test_one_job_of_a_job_runner_may_be_immune(host):
    apply(host, Pin("process", "backup", -1000))
    assert host.proc.score(22) == -1000


def test_too_little_that_stays_killable_is_refused_with_the_figures(host):
    everything = [Pin("process", name, -1000) for name in ("docker-proxy", "backup")]
    with pytest.raises(
        InputError,
        match=r"would hold 66 % of the used memory \(80000 KiB, immune 40000 KiB\), less than min_killable_percent 70",
    ):
        apply(host, *everything, least=70)
    facts = apply(host, *everything, least=60)
    assert facts["killable"] == {"percent": 66, "killable_kb": 80000, "immune_kb": 40000}


def test_units_of_users_are_told_from_units_that_do_not_exist(host):
    host.write("usr/lib/systemd/user/pipewire.service", "[Service]\n")
    with pytest.raises(
        NotFoundError, match="unit pipewire.service is a unit of users' service managers, which are not supported"
    ):
        plan(host, pin("pipewire"))


@pytest.mark.parametrize("missing, warnings", [("ignore", []), ("warn", ["unit nosuch.service does not exist"])])
def test_units_that_are_not_there_can_be_accepted(host, missing, warnings):
    facts = apply(host, pin("nosuch", missing=missing))
    assert (facts["changed"], facts["targets"][0]["found"], facts["warnings"]) == (False, False, warnings)


def test_an_old_systemd_always_continues(host):
    del host.defaults["OOMPolicy"]
    apply(host, pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"
    with pytest.raises(InputError, match="oom_policy=kill takes systemd 243, this one is older and always continues"):
        plan(host, pin("cron", -300, oom_policy="kill"))


@pytest.mark.parametrize(
    "marker, words", [(None, "up to its init (choom(1) in the script that starts it)"), ("run/openrc", "up to OpenRC")]
)
def test_without_systemd_nothing_lasts_and_what_runs_can_be_pinned(host, marker, words):
    (host.root / "run/systemd/system").rmdir()
    if marker:
        (host.root / marker).mkdir()
    with pytest.raises(UnsupportedError, match=re.escape(words)):
        plan(host, pin("docker"))
    apply(host, Pin("process", "dockerd", -500), Pin("process", "backup", None, state="absent"))
    assert (host.proc.score(10), host.calls) == (-500, [])


# --- doubts ---------------------------------------------------------------------------------

DOUBTED = {
    "others in the unit": ([pin("cron", -300)], ["set oom_policy=continue"]),
    "all die with one": (
        [pin("cron", -300, oom_policy="kill")],
        ["the kernel kills all of the unit that is not at -1000"],
    ),
    "they may die alone": ([pin("cron", -300, oom_policy="continue")], []),
    "the unit says so itself": ([pin("docker")], []),
    "preferred, not spared": ([pin("cron", 300)], []),
    "nobody else in it": ([pin("mariadb", -600)], []),
}


@pytest.mark.parametrize("pins, words", DOUBTED.values(), ids=list(DOUBTED))
def test_a_pin_that_the_policy_of_the_unit_undoes_is_doubted(host, pins, words):
    warnings = plan(host, *pins).warnings
    assert len(warnings) == len(words) and all(one in warning for one, warning in zip(words, warnings))


def test_a_process_that_sets_its_own_score_is_named(host, monkeypatch):
    monkeypatch.setattr(_pin_apply.time, "sleep", lambda _seconds: host.proc.write("10/oom_score_adj", "-17\n"))
    planned = plan(host, pin("docker"))
    [outcome] = Application(host.proc.procfs, host.systemd(), planned).run()
    assert outcome.changes[0].after == -17
    assert planned.warnings == [
        "process 10 (dockerd) set its score to -17 right after it was set to -500: it manages its own, look for an option of it"
    ]


def test_a_unit_that_is_started_meanwhile_is_told(host):
    planned = plan(host, pin("docker"))
    host.known["docker.service"]["MainPID"] = "77"
    Application(host.proc.procfs, host.systemd(), planned).run()
    assert any("docker.service was started meanwhile" in warning for warning in planned.warnings)


# --- the way back ------------------------------------------------------------------------------


def failing(host, monkeypatch, what):
    if what == "reload":

        def ask(*command):
            if command[1] == "daemon-reload" and host.reloads() == 0:
                host.calls.append(command)
                raise OomError("systemctl daemon-reload failed: no bus")
            return real(*command)

        real = host.ask
        monkeypatch.setattr(host, "ask", ask)
    elif what == "the second drop-in":
        write = Systemd.write

        def full(self, path, text):
            if "cron" in path and text is not None:
                raise AccessError(f"{path} cannot be written: No space left on device")
            write(self, path, text)

        monkeypatch.setattr(Systemd, "write", full)
    elif what == "what systemd shows":
        monkeypatch.setattr(host, "reload", lambda: None)


@pytest.mark.parametrize(
    "what, error", [("reload", OomError), ("the second drop-in", AccessError), ("what systemd shows", ReadBackError)]
)
def test_a_failure_puts_back_scores_and_drop_ins(host, monkeypatch, what, error):
    before = files(host)
    failing(host, monkeypatch, what)
    with pytest.raises(error) as raised:
        planned = plan(host, pin("docker"), pin("cron", -300))
        Application(host.proc.procfs, host.systemd(), planned).run()
    assert "put back" not in str(raised.value)
    assert files(host) == before


def test_a_drop_in_folder_that_is_none_is_named(host):
    host.write("etc/systemd/system/docker.service.d", "a file")
    with pytest.raises(AccessError, match="/etc/systemd/system/docker.service.d/60-oomguard.conf cannot be written"):
        planned = plan(host, pin("docker"))
        Application(host.proc.procfs, host.systemd(), planned).run()
    assert host.proc.score(10) == 0


# --- names -----------------------------------------------------------------------------------

NAMES = {
    "docker": "docker.service",
    "docker.service": "docker.service",
    "a@b": "a@b.service",
    "dev-x\\x2dy": "dev-x\\x2dy.service",
    "org.x": "org.x.service",
}


@pytest.mark.parametrize("given, name", NAMES.items())
def test_a_service_has_a_name(given, name):
    assert service_name(given) == name


# --- what a critical reader found ---------------------------------------------------------


def test_a_container_gets_back_zero_and_not_the_score_of_its_monitor(host):
    host.proc.process(80, "containerd-shim", score=-998, cgroup="/system.slice/containerd.service")
    host.proc.process(81, "batch", parent=80, score=500, cgroup="/system.slice/docker-1.scope")
    apply(host, Pin("pid", "81", None, state="absent"))
    assert host.proc.score(81) == 0


def test_a_stranger_that_took_over_a_pid_of_the_table_is_nobody_s_child(host, monkeypatch):
    real = Plan._examine

    def examine(self, target, pids, selector):
        host.proc.process(22, "stranger", parent=1, start_time=999, score=-1000)
        return real(self, target, pids, selector)

    monkeypatch.setattr(Plan, "_examine", examine)
    for children in ("pin", "reset"):
        planned = Plan(host.proc.procfs, host.systemd(), [Pin("process", "cron", -300, children=children)], 0)
        Application(host.proc.procfs, host.systemd(), planned).run()
        assert host.proc.score(22) == -1000


def test_one_target_s_children_are_not_reset_where_another_pins_them(host):
    targets = [pin("cron", -300, children="reset"), Pin("process", "backup", -300)]
    apply(host, *targets)
    assert host.proc.score(22) == -300
    assert not apply(host, *targets)["changed"]


def test_a_late_child_with_the_old_score_is_reset_as_well(host, monkeypatch):
    for pid in (20, 21):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    write = ProcessDir.set_score

    def write_and_fork(directory, score):
        write(directory, score)
        if not host.proc.root.joinpath("60").exists():
            host.proc.process(60, "late", parent=20, score=-300, start_time=300, cgroup="/system.slice/cron.service")

    monkeypatch.setattr(ProcessDir, "set_score", write_and_fork)
    Application(host.proc.procfs, host.systemd(), plan(host, pin("cron", -500, children="reset"))).run()
    assert [host.proc.score(pid) for pid in (20, 21, 60)] == [-500, 0, 0]


def test_absent_leaves_a_score_that_is_not_from_us(host):
    host.proc.write("10/oom_score_adj", "-500\n")  # as Docker's own daemon once set it
    assert not apply(host, gone("docker"), gone("ssh"))["changed"]
    assert (host.proc.score(10), host.proc.score(30)) == (-500, -1000)


def test_absent_of_a_daemon_that_manages_itself_is_up_to_its_restart(host):
    apply(host, pin("ssh", -900, force=True))
    facts = apply(host, gone("ssh"))
    assert (host.proc.score(30), host.drop_in("ssh"), facts["targets"][0]["restart_required"]) == (-900, None, True)


def test_absent_without_persistence_leaves_the_drop_in(host):
    apply(host, pin("docker"))
    facts = apply(host, gone("docker")._replace(persistent=False))
    assert (host.drop_in("docker") is None, facts["targets"][0]["drop_in"], host.proc.score(10)) == (False, None, -500)


def test_a_drop_in_that_systemd_never_read_is_loaded(host):
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", HEADER + "[Service]\nOOMScoreAdjust=-500\n")
    host.proc.write("10/oom_score_adj", "-500\n")
    facts = apply(host, pin("docker"))
    assert (facts["changed"], host.reloads()) == (True, 1)
    assert not apply(host, pin("docker"))["changed"]


def test_a_policy_that_systemd_never_read_is_loaded(host):
    apply(host, pin("cron", -300))
    host.write(
        "etc/systemd/system/cron.service.d/60-oomguard.conf",
        HEADER + "[Service]\nOOMScoreAdjust=-300\nOOMPolicy=continue\n",
    )
    host.calls.clear()
    facts = apply(host, pin("cron", -300, oom_policy="continue"))
    assert (facts["changed"], host.reloads(), facts["warnings"]) == (True, 1, [])
    assert not apply(host, pin("cron", -300, oom_policy="continue"))["changed"]


def test_a_policy_that_systemd_does_not_take_is_a_failure(host, monkeypatch):
    apply(host, pin("cron", -300))
    monkeypatch.setattr(host, "reload", lambda: None)
    with pytest.raises(
        ReadBackError, match="unit cron.service: systemd shows OOMPolicy=stop after its files say continue"
    ):
        Application(host.proc.procfs, host.systemd(), plan(host, pin("cron", -300, oom_policy="continue"))).run()
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"


def test_what_systemd_ignores_in_other_files_is_ignored(host):
    host.write(
        "usr/lib/systemd/system/docker.service.d/90-x.conf",
        "[Service]\nOOMScoreAdjust=-100 # why\nOOMScoreAdjust=-2000\n",
    )
    assert plan(host, pin("docker")).outcomes[0].effective_after_restart == -500


def test_drop_ins_of_generators_count(host):
    host.write("run/systemd/generator/docker.service.d/90-x.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.known["docker.service"]["DropInPaths"] = "/run/systemd/generator/docker.service.d/90-x.conf"
    assert plan(host, pin("docker")).outcomes[0].effective_after_restart == -100


@pytest.mark.parametrize("state", ["activating", "deactivating", "failed"])
def test_a_unit_on_its_way_gets_its_drop_in_and_a_warning(host, state):
    host.known["postgresql.service"]["ActiveState"] = state
    facts = apply(host, pin("postgresql"))
    assert host.drop_in("postgresql") is not None
    assert any(f"postgresql.service is {state} and has no main process" in one for one in facts["warnings"]) == (
        state != "failed"
    )


def test_a_unit_without_a_main_process_does_not_stop_the_others_where_it_may_be_missing(host):
    facts = apply(host, pin("postgresql", missing="ignore"), pin("docker"))
    assert host.proc.score(10) == -500
    assert (facts["targets"][0]["restart_required"], host.drop_in("postgresql") is None) == (True, False)


def test_a_main_process_outside_its_cgroup_is_told(host):
    host.proc.process(10, "dockerd", cgroup="/elsewhere")
    facts = apply(host, pin("docker"))
    assert facts["targets"][0]["processes"] == []
    assert any(
        "has no main process in /system.slice/docker.service: nothing that runs was pinned" in one
        for one in facts["warnings"]
    )


def test_somebody_else_s_later_policy_is_told(host):
    host.write("etc/systemd/system/cron.service.d/90-x.conf", "[Service]\nOOMPolicy=stop\n")
    warnings = plan(host, pin("cron", -300, oom_policy="continue")).warnings
    assert any("OOMPolicy is stop and not continue" in one for one in warnings)
    assert any("set oom_policy=continue" in one for one in warnings)


def test_a_policy_that_is_taken_out_again_is_doubted_at_once(host):
    apply(host, pin("cron", -300, oom_policy="continue"))
    assert any("set oom_policy=continue" in one for one in plan(host, pin("cron", -300)).warnings)


def test_who_is_immune_already_is_not_refused(host):
    host.proc.write("22/oom_score_adj", "-1000\n")
    assert not apply(host, Pin("process", "backup", -1000), least=99)["changed"]


def test_the_same_target_twice_is_told_twice(host):
    facts = apply(host, pin("docker"), pin("docker"))
    assert [target["target"] for target in facts["targets"]] == ["unit=docker.service"] * 2
    assert host.reloads() == 1


@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), KeyboardInterrupt()])
def test_whatever_goes_wrong_is_put_back(host, monkeypatch, error):
    before, write = files(host), ProcessDir.set_score

    def fails(directory, score):
        if score == -300:
            raise error
        write(directory, score)

    monkeypatch.setattr(ProcessDir, "set_score", fails)
    with pytest.raises((AccessError, KeyboardInterrupt)):
        Application(host.proc.procfs, host.systemd(), plan(host, pin("docker"), pin("cron", -300))).run()
    assert files(host) == before


def test_a_drop_in_that_cannot_be_put_back_does_not_keep_the_others(host, monkeypatch):
    write = Systemd.write

    def full(self, path, text):
        if "cron" in path:
            raise AccessError(f"{path} cannot be written: No space left on device")
        write(self, path, text)

    monkeypatch.setattr(Systemd, "write", full)
    with pytest.raises(OomError, match="this could not be put back: .*cron"):
        Application(host.proc.procfs, host.systemd(), plan(host, pin("docker"), pin("cron", -300))).run()
    assert (host.drop_in("docker"), host.proc.score(10)) == (None, 0)


def test_a_systemctl_that_cannot_be_started_is_named():
    with pytest.raises(UnsupportedError, match="/nonexistent/systemctl cannot be started: No such file"):
        run_program("/nonexistent/systemctl", "show")


def test_folders_are_for_everybody_to_read_whatever_the_umask(host):
    before = os.umask(0o077)
    try:
        apply(host, pin("docker"))
    finally:
        os.umask(before)
    assert os.stat(str(host.root / "etc/systemd/system/docker.service.d")).st_mode & 0o777 == 0o755
