# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units from scripted answers of systemctl, and our drop-ins in a tree of ordinary files."""

import os
import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host import systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import run_program, start_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN, Systemd, Unit, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER, KILLER_HEADER, DropIn

# Answers of systemctl show. It prints the properties in its own order, not as requested.
DOCKER = """\
Type=notify
MainPID=10
ControlGroup=/system.slice/docker.service
Delegate=yes
OOMPolicy=continue
OOMScoreAdjust=-500
Id=docker.service
Names=docker.service
LoadState=loaded
ActiveState=active
FragmentPath=/lib/systemd/system/docker.service
DropInPaths=/etc/systemd/system/docker.service.d/60-oomguard.conf /run/generator/docker.service.d/70-late.conf
"""
SSH = """\
Type=notify
MainPID=30
ControlGroup=/system.slice/ssh.service
Delegate=no
OOMPolicy=stop
OOMScoreAdjust=0
Id=ssh.service
Names=sshd.service ssh.service
LoadState=loaded
ActiveState=active
FragmentPath=/lib/systemd/system/ssh.service
DropInPaths=
"""
NO_SUCH_UNIT = """\
MainPID=0
Id=nosuch.service
Names=nosuch.service
LoadState=not-found
ActiveState=inactive
"""
DEFAULTS = "DefaultOOMPolicy=stop\nDefaultOOMScoreAdjust=100\n"

UNIT = Unit(
    "cron.service",
    ["cron.service"],
    "loaded",
    "active",
    "simple",
    20,
    "/system.slice/cron.service",
    "/lib/systemd/system/cron.service",
    [],
    False,
    0,
    "stop",
)
OURS = "/etc/systemd/system/cron.service.d/" + DROP_IN


class ServiceHost:
    """A tree of unit files, and a systemctl that gives scripted answers in their order."""

    def __init__(self, root):
        self.root = root
        self.commands = []
        self.answers = []
        self.systemd = Systemd(str(root), self.start)
        (root / "run/systemd/system").mkdir(parents=True)

    def start(self, *command):
        self.commands.append(command)
        return lambda: self.answers.pop(0)

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, path):
        file = self.root / path.lstrip("/")
        return file.read_text() if file.exists() else None


@pytest.fixture
def host(tmp_path):
    return ServiceHost(tmp_path)


# --- units ------------------------------------------------------------------------


def test_units(host):
    host.answers = [f"{DOCKER}\n{SSH}\n{NO_SUCH_UNIT}"]
    names = ["docker.service", "sshd.service", "nosuch.service"]
    units = host.systemd.units([*names, "docker.service"])
    assert units == {
        "docker.service": Unit(
            "docker.service",
            ["docker.service"],
            "loaded",
            "active",
            "notify",
            10,
            "/system.slice/docker.service",
            "/lib/systemd/system/docker.service",
            [
                "/etc/systemd/system/docker.service.d/60-oomguard.conf",
                "/run/generator/docker.service.d/70-late.conf",
            ],
            True,
            -500,
            "continue",
        ),
        "sshd.service": Unit(
            "ssh.service",
            ["sshd.service", "ssh.service"],
            "loaded",
            "active",
            "notify",
            30,
            "/system.slice/ssh.service",
            "/lib/systemd/system/ssh.service",
            [],
            False,
            0,
            "stop",
        ),
        "nosuch.service": Unit(
            "nosuch.service", ["nosuch.service"], "not-found", "inactive", "", 0, "", "", [], False, 0, None
        ),
    }
    [command] = host.commands
    assert command[:2] == ("systemctl", "show")
    assert command[3:] == ("--", *names)


def test_no_units_need_no_systemctl(host):
    assert host.systemd.units([]) == {}
    host.systemd.ask_for([])
    assert host.commands == []


def test_units_uses_a_query_that_was_started(host):
    host.answers = [DOCKER]
    host.systemd.ask_for(["docker.service", "docker.service"])
    assert len(host.commands) == 1
    assert list(host.systemd.units(["docker.service"])) == ["docker.service"]
    assert len(host.commands) == 1


def test_units_are_read_again(host):
    """After a daemon-reload the answer differs."""
    host.answers = [DOCKER, DOCKER.replace("OOMScoreAdjust=-500", "OOMScoreAdjust=0")]
    scores = [host.systemd.units(["docker.service"])["docker.service"].score for _time in range(2)]
    assert scores == [-500, 0]


def test_systemctl_returns_too_few_units(host):
    host.answers = [DOCKER]
    with pytest.raises(OomError, match=r"systemctl show returned 1 units for 2 names: docker\.service, ssh\.service"):
        host.systemd.units(["docker.service", "ssh.service"])


def without(text, key):
    return "".join(line for line in text.splitlines(True) if not line.startswith(key + "="))


SYSTEMCTL = "systemctl show returned "
CHECK = ": check it with systemctl show docker.service"
INCOMPLETE = "an incomplete answer: unit docker.service lacks "
# What systemctl prints for docker.service, and what is wrong with it.
BAD_ANSWERS = {
    "nothing": ("", "0 units for 1 names: docker.service; run again"),
    "two units": (f"{DOCKER}\n{SSH}", "2 units for 1 names: docker.service; run again"),
    "a cut line": (DOCKER[:-1], "an incomplete answer: its last line is cut off; run again"),
    "a cut number": ("MainPID=1", "an incomplete answer: its last line is cut off; run again"),
    "the first line only": ("Type=notify\n", INCOMPLETE + "Id; run again"),
    "no Id": (without(DOCKER, "Id"), INCOMPLETE + "Id; run again"),
    "no Names": (without(DOCKER, "Names"), INCOMPLETE + "Names; run again"),
    "no LoadState": (without(DOCKER, "LoadState"), INCOMPLETE + "LoadState; run again"),
    "no ActiveState": (without(DOCKER, "ActiveState"), INCOMPLETE + "ActiveState; run again"),
    "no Type": (without(DOCKER, "Type"), INCOMPLETE + "Type; run again"),
    "no MainPID": (without(DOCKER, "MainPID"), INCOMPLETE + "MainPID; run again"),
    "no FragmentPath": (without(DOCKER, "FragmentPath"), INCOMPLETE + "FragmentPath; run again"),
    "no Delegate": (without(DOCKER, "Delegate"), INCOMPLETE + "Delegate; run again"),
    "no score": (without(DOCKER, "OOMScoreAdjust"), INCOMPLETE + "OOMScoreAdjust; run again"),
    "no cgroup": (
        without(DOCKER, "ControlGroup").replace("DropInPaths=", "DropInPaths=\n#"),
        INCOMPLETE + "ControlGroup; run again",
    ),
    "another unit": (SSH, "the unit 'ssh.service' for the name docker.service: run again"),
    "a path as Id": (
        DOCKER.replace("\nId=docker.service", "\nId=../../x"),
        "the unit '../../x' for the name docker.service: run again",
    ),
    "a word as pid": (
        DOCKER.replace("MainPID=10", "MainPID=ten"),
        "MainPID='ten' for unit docker.service, which is not a number" + CHECK,
    ),
    "a digit of Unicode as pid": (
        DOCKER.replace("MainPID=10", "MainPID=\u00b2"),
        "MainPID='\u00b2' for unit docker.service, which is not a number" + CHECK,
    ),
    "a word as score": (
        DOCKER.replace("OOMScoreAdjust=-500", "OOMScoreAdjust=" + "high" * 1000),
        f"OOMScoreAdjust='{'high' * 8}' for unit docker.service, which is not a number" + CHECK,
    ),
}


@pytest.mark.parametrize("answer, problem", BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_bad_answer_of_systemctl_is_an_error(host, answer, problem):
    host.answers = [answer]
    with pytest.raises(OomError) as raised:
        host.systemd.units(["docker.service"])
    assert str(raised.value) == SYSTEMCTL + problem


def test_policy_that_is_cut_off_does_not_look_like_an_old_systemd(host):
    host.answers = [DOCKER + "\n" + without(SSH, "OOMPolicy")]
    with pytest.raises(OomError, match=r"unit ssh\.service lacks OOMPolicy"):
        host.systemd.units(["docker.service", "ssh.service"])


def test_line_ends_of_unicode_end_no_property(host):
    host.answers = [DOCKER.replace("Type=notify", "Type=notify\u2028MainPID=1\x0cId=x")]
    assert host.systemd.units(["docker.service"])["docker.service"].main_pid == 10


@pytest.mark.parametrize("answer", ["DefaultOOMScoreAdjust=1", "DefaultOOMScoreAdjust=high\n"])
def test_bad_default_is_an_error(host, answer):
    host.answers = [answer]
    with pytest.raises(OomError, match="systemctl show returned "):
        host.systemd.default("OOMScoreAdjust")


INIT_SYSTEMS = {
    "unknown": (None, "is up to its init (choom(1) in the script that starts it)"),
    "OpenRC": (
        "run/openrc",
        "OpenRC (export SSD_OOM_SCORE_ADJ=SCORE in /etc/conf.d/NAME, or choom(1) in a script of SysV init)",
    ),
}


@pytest.mark.parametrize("marker, words", INIT_SYSTEMS.values(), ids=list(INIT_SYSTEMS))
def test_no_systemd(host, marker, words):
    (host.root / "run/systemd/system").rmdir()
    if marker:
        (host.root / marker).mkdir()
    assert not host.systemd.runs()
    host.systemd.ask_for(["docker.service"])
    with pytest.raises(UnsupportedError) as raised:
        host.systemd.units(["docker.service"])
    assert words in str(raised.value)
    assert str(raised.value).startswith("unit=docker.service: systemd does not manage this host")
    assert host.commands == []


def test_running():
    states = ("active", "reloading", "activating", "inactive", "failed")
    assert [state for state in states if UNIT._replace(active_state=state).running] == ["active", "reloading"]


WHY_MISSING = {
    "exists": ("loaded", None),
    "masked": ("masked", "unit=cron.service is masked and cannot start: run systemctl unmask cron.service first"),
    "missing": ("not-found", "unit=cron: no such system unit"),
}


@pytest.mark.parametrize("load_state, message", WHY_MISSING.values(), ids=list(WHY_MISSING))
def test_why_missing(host, load_state, message):
    assert host.systemd.why_missing("cron", UNIT._replace(load_state=load_state)) == message


def test_has_user_unit(host):
    host.write("/usr/lib/systemd/user/pipewire.service", "[Service]\n")
    assert host.systemd.has_user_unit("pipewire.service")
    assert not host.systemd.has_user_unit("cron.service")


# As printed by systemd 252 on Debian 12, with --plain --no-legend --full.
RUNNING = """\
cron.service                loaded active running Regular background program processing daemon
postgresql@15-main.service  loaded active running PostgreSQL Cluster 15-main
user@1000.service           loaded active running User Manager for UID 1000

"""


def test_running_and_known_services(host):
    for path in (
        "/etc/systemd/system/shop.service",
        "/lib/systemd/system/getty@.service",
        "/lib/systemd/system/x.timer",
    ):
        host.write(path, "[Service]\n")
    host.answers = [RUNNING, RUNNING]
    running = ["cron.service", "postgresql@15-main.service", "user@1000.service"]
    assert host.systemd.running_services() == running
    assert host.systemd.known_services() == [*running, "shop.service"]
    assert host.commands[0][:4] == ("systemctl", "list-units", "--type=service", "--state=running")


def test_running_services_where_systemctl_fails(host, monkeypatch):
    def fail():
        raise OomError("systemctl list-units failed: no bus")

    monkeypatch.setattr(host.systemd, "_start", lambda *_command: fail)
    assert host.systemd.running_services() == []


DEFAULTS_BY_VERSION = {
    "systemd 250": (DEFAULTS, "100", "stop"),
    "systemd 243": ("DefaultOOMPolicy=stop\n", None, "stop"),
    "older": ("", None, None),
}


@pytest.mark.parametrize("answer, score, policy", DEFAULTS_BY_VERSION.values(), ids=list(DEFAULTS_BY_VERSION))
def test_default(host, answer, score, policy):
    host.answers = [answer, answer]
    assert (host.systemd.default("OOMScoreAdjust"), host.systemd.default("OOMPolicy")) == (score, policy)
    assert host.commands[0] == ("systemctl", "show", "--property=Version,DefaultOOMScoreAdjust,DefaultOOMPolicy")


def test_defaults_are_read_once(host):
    host.answers = [DEFAULTS]
    assert [host.systemd.default("OOMPolicy") for _time in range(2)] == ["stop", "stop"]


# --- drop-ins ---------------------------------------------------------------------


def test_plan_a_new_drop_in(host):
    planned = host.systemd.drop_in(UNIT, {"OOMScoreAdjust": "-500", "OOMPolicy": None})
    assert planned == DropIn(OURS, None, f"{HEADER}\n[Service]\nOOMScoreAdjust=-500\n")
    assert host.read(OURS) is None
    assert not host.systemd.has_drop_in("cron.service")


def test_plan_a_change_and_a_removal(host):
    text = f"{HEADER}\n[Service]\nOOMScoreAdjust=-500\n"
    host.write(OURS, text)
    assert host.systemd.has_drop_in("cron.service")
    assert host.systemd.drop_in(UNIT, {"OOMScoreAdjust": "7"}) == DropIn(OURS, text, text.replace("-500", "7"))
    assert host.systemd.drop_in(UNIT, {"OOMScoreAdjust": None}) == DropIn(OURS, text, None)


PINNED_BY = {
    "a score": ("[Service]\nOOMScoreAdjust=-500\n", -500),
    "another assignment": ("[Service]\nOOMPolicy=kill\n", None),
    "not a score": ("[Service]\nOOMScoreAdjust=high\n", None),
    "no file": (None, None),
}


@pytest.mark.parametrize("before, score", PINNED_BY.values(), ids=list(PINNED_BY))
def test_pinned_by(before, score):
    assert Systemd.pinned_by(DropIn(OURS, before, None)) == score


def assigns(value):
    return f"[Service]\nOOMScoreAdjust={value}\n"


FRAGMENT = UNIT.fragment
LATER = "/etc/systemd/system/cron.service.d/70-later.conf"

# Files, the text of the planned drop-in or False for no plan, the score.
SCORES = {
    "nothing anywhere": ({}, False, None),
    "the unit file": ({FRAGMENT: assigns(1)}, False, 1),
    "our drop-in overrides the unit file": ({FRAGMENT: assigns(1), OURS: assigns(2)}, False, 2),
    "planned": ({FRAGMENT: assigns(1)}, assigns(3), 3),
    "planned instead of what is there": ({OURS: assigns(2)}, assigns(3), 3),
    "planned removal": ({FRAGMENT: assigns(1), OURS: assigns(2)}, None, 1),
    "a later drop-in wins": ({LATER: assigns(4)}, assigns(3), 4),
    "a later drop-in resets": ({LATER: assigns("")}, assigns(3), None),
    "an invalid value is ignored": ({LATER: assigns(2000)}, assigns(3), 3),
    "an earlier name in a later folder": (
        {"/usr/lib/systemd/system/cron.service.d/10-vendor.conf": assigns(5)},
        assigns(3),
        3,
    ),
    "the first folder of a name wins": (
        {LATER: assigns(6), "/usr/lib/systemd/system/cron.service.d/70-later.conf": assigns(7)},
        assigns(3),
        6,
    ),
    "a drop-in that systemd loaded from elsewhere": (
        {"/run/systemd/generator/cron.service.d/80-generated.conf": assigns(8)},
        assigns(3),
        8,
    ),
}


@pytest.mark.parametrize("files, planned, score", SCORES.values(), ids=list(SCORES))
def test_score_after(host, files, planned, score):
    for path, text in files.items():
        host.write(path, text)
    unit = UNIT._replace(drop_ins=[path for path in files if "generator" in path])
    drop_in = None if planned is False else DropIn(OURS, None, planned)
    assert host.systemd.score_after(unit, drop_in) == score


def test_score_after_without_a_unit_file(host):
    assert host.systemd.score_after(UNIT._replace(fragment=""), None) is None


def test_files_are_read_for_the_plan_only(host):
    host.write(FRAGMENT, assigns(1))
    assert host.systemd.score_after(UNIT, None) == 1
    host.write(FRAGMENT, assigns(2))
    assert host.systemd.score_after(UNIT, None) == 1


KILL = "[Service]\nOOMPolicy=kill\n"

# The unit, the planned drop-in, the policy.
POLICIES = {
    "systemd before 243": (UNIT._replace(oom_policy=None), DropIn(OURS, None, KILL), None),
    "planned": (UNIT, DropIn(OURS, None, KILL), "kill"),
    "no plan": (UNIT._replace(oom_policy="continue"), None, "continue"),
    "planned without a policy": (UNIT._replace(oom_policy="continue"), DropIn(OURS, None, None), "continue"),
    "ours is removed": (UNIT._replace(oom_policy="kill"), DropIn(OURS, KILL, None), "stop"),
    "ours is removed, the unit delegates": (
        UNIT._replace(oom_policy="kill", delegate=True),
        DropIn(OURS, KILL, None),
        "continue",
    ),
    "invalid": (UNIT, DropIn(OURS, None, "[Service]\nOOMPolicy=panic\n"), "stop"),
}


@pytest.mark.parametrize("unit, planned, policy", POLICIES.values(), ids=list(POLICIES))
def test_policy_after(host, unit, planned, policy):
    host.answers = [DEFAULTS]
    assert host.systemd.policy_after(unit, planned) == policy


def test_write_and_remove(host):
    host.systemd.write(OURS, assigns(1))
    assert host.read(OURS) == assigns(1)
    host.systemd.write(OURS, None)
    assert not (host.root / "etc/systemd/system/cron.service.d").exists()


def test_sweep(host):
    leftover = OURS.replace("60-oomguard.conf", ".60-oomguard.conf.new")
    host.write(leftover, "[Serv")
    assert host.systemd.has_leftovers("cron.service")
    host.systemd.sweep(OURS)
    assert not (host.root / "etc/systemd/system/cron.service.d").exists()
    host.write(OURS, assigns(1))
    host.write(leftover, "[Serv")
    host.systemd.sweep(OURS)
    assert (host.systemd.read(OURS), host.read(leftover)) == (assigns(1), None)


def test_reload(host):
    host.answers = [""]
    host.systemd.reload()
    assert (host.commands, host.answers) == ([("systemctl", "daemon-reload")], [])


# --- names ------------------------------------------------------------------------

SERVICES = {
    "docker": "docker.service",
    "docker.service": "docker.service",
    "getty@tty1": "getty@tty1.service",
    "dev-x\\x2dy": "dev-x\\x2dy.service",
    "org.x": "org.x.service",
}


@pytest.mark.parametrize("value, name", SERVICES.items())
def test_service_name(value, name):
    assert service_name(value) == name


NOT_SERVICES = {
    "a path": ("../x", "unit='../x' is not a name of a unit: write it as docker or docker.service"),
    "dots": ("..", "is not a name of a unit"),
    "empty": ("", "is not a name of a unit"),
    "an option": ("-Hevil", "is not a name of a unit"),
    "a line end": ("docker\n", "is not a name of a unit"),
    "too long": ("x" * 248, "is not a name of a unit"),
    "a slice": (
        "system.slice",
        "unit=system.slice is a slice: only services have a main process; select what runs in it with cgroup",
    ),
    "a template": (
        "getty@",
        "unit=getty@.service is a template, which never runs itself: name an instance, such as getty@NAME.service",
    ),
}


@pytest.mark.parametrize("value, message", NOT_SERVICES.values(), ids=list(NOT_SERVICES))
def test_not_a_service_name(value, message):
    with pytest.raises(InputError, match=re.escape(message)):
        service_name(value)


def test_template_names_its_instances():
    running = ["cron.service", "getty@tty1.service", "getty@tty2.service"]
    with pytest.raises(InputError, match=r"name an instance, such as getty@tty1\.service or getty@tty2\.service$"):
        service_name("getty@", lambda: running)


def test_longest_service_name():
    assert len(service_name("x" * 247)) == 255


# --- real programs ----------------------------------------------------------------


def test_program_output_in_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run_program("sh", "-c", "echo $LC_ALL") == "C\n"


def test_program_runs_in_the_background(tmp_path):
    """start_program() does not wait: the program ends only after the caller wrote to its pipe."""
    fifo = tmp_path / "fifo"
    run_program("mkfifo", str(fifo))
    wait_for_output = start_program("cat", str(fifo))
    fifo.write_text("done")
    assert wait_for_output() == "done"


def script(tmp_path, monkeypatch, text):
    """Put a systemctl into PATH that runs these commands."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return Systemd(str(tmp_path))


def test_systemctl_that_hangs_has_a_time_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "_SHOW_SECONDS", 0.5)
    manager = script(tmp_path, monkeypatch, "exec sleep 100")
    with pytest.raises(OomError, match=r"^systemctl show did not end within \d seconds and was killed$"):
        manager.units(["docker.service"])


def test_systemctl_that_is_cut_off(tmp_path, monkeypatch):
    manager = script(tmp_path, monkeypatch, "printf 'Id=docker.service\\nNames=docker.service\\nMainPID=1'")
    with pytest.raises(OomError, match="its last line is cut off"):
        manager.units(["docker.service"])


def test_systemctl_that_floods(tmp_path, monkeypatch):
    manager = script(tmp_path, monkeypatch, "exec yes Id=x >&2")
    monkeypatch.setattr(systemd, "_SHOW_SECONDS", 0.5)
    with pytest.raises(OomError) as raised:
        manager.units(["docker.service"])
    assert len(str(raised.value)) < 3000


def test_program_fails():
    with pytest.raises(OomError, match=r"^sh -c failed: no bus$"):
        run_program("sh", "-c", "echo no bus >&2; exit 1")


def test_program_cannot_be_started():
    with pytest.raises(UnsupportedError, match="/nonexistent/systemctl cannot be started: No such file"):
        run_program("/nonexistent/systemctl", "show")


# --- other killers ------------------------------------------------------------------


def test_version(host):
    host.answers = ["Version=252.39-1~deb12u1\n" + DEFAULTS, "DefaultOOMPolicy=stop\n"]
    assert host.systemd.version() == "252.39-1~deb12u1"
    assert host.systemd.default("OOMPolicy") == "stop"
    assert len(host.commands) == 1


def test_no_version(host):
    host.answers = ["DefaultOOMPolicy=stop\n"]
    assert host.systemd.version() == "of an unknown version"


def test_properties_of_loaded_units(host):
    host.answers = ["Id=a.slice\nX=1\n\nId=b.slice\nX=2=3\n"]
    assert host.systemd.show_loaded(("*.slice",), ("Id", "X")) == [
        {"Id": "a.slice", "X": "1"},
        {"Id": "b.slice", "X": "2=3"},
    ]
    assert host.commands == [("systemctl", "show", "--property=Id,X", "--", "*.slice")]


def test_an_answer_about_loaded_units_that_is_cut_off(host):
    host.answers = ["Id=a.slice\nX"]
    with pytest.raises(OomError, match="incomplete"):
        host.systemd.show_loaded(("*.slice",), ("Id", "X"))


def test_commands_without_ours(host):
    unit = UNIT._replace(fragment="/lib/systemd/system/cron.service")
    host.write("/lib/systemd/system/cron.service", "[Service]\nExecStart=/bin/cron\n")
    host.write("/etc/systemd/system/cron.service.d/zz-oomguard.conf", "[Service]\nExecStart=\nExecStart=/bin/ours\n")
    assert host.systemd.commands_of(unit) == ["/bin/cron"]
    host.write("/etc/systemd/system/cron.service.d/override.conf", "[Service]\nExecStart=\nExecStart=/bin/theirs\n")
    assert host.systemd.commands_of(unit) == ["/bin/theirs"]


def test_the_drop_in_of_a_killer_is_removed_whole(host):
    path = host.systemd.killer_drop_in_path("earlyoom.service")
    text = KILLER_HEADER + "\n[Service]\nExecStart=\nExecStart=/bin/x\n"
    host.write(path, text)
    assert host.systemd.removal(path) == DropIn(path, text, None)
    assert host.systemd.own_drop_ins()[0] == [(path, "")]
