# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of users: what is written, and what their pins outlast, on a tree of files."""

import functools
import json
import os
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    OomError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import Account
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._host.user_manager import UserManager
from ansible_collections.oomguard.linux.plugins.module_utils._killers import discovery
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import all_pins, user_units
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin, Survival

UID = os.geteuid()
SLICE = f"/user.slice/user-{UID}.slice/user@{UID}.service"
OWN = "home/alice/.config/systemd/user"


def user_pin(unit="shop", score=-300, user="alice", **options):
    return Pin("user_unit", f"{user}/{unit}", score, **dict(dict(persistent=True), **options))


class Users:
    """A host where alice has a service manager with one service, shop."""

    def __init__(self, host, monkeypatch):
        self.host = host
        self.manager_score = 100  # of user@.service, as its files set it
        self.account = Account("alice", UID, os.getegid(), "/home/alice")
        self.calls = []
        self.default = self.default_after_reload = "200"
        self.shown = {}
        self.loaded = {}
        self.write(f"{OWN}/shop.service", "[Service]\nExecStart=/usr/bin/shop\n")
        (host.root / "etc/systemd/user").mkdir(parents=True)
        (host.root / "var/lib").mkdir(parents=True)
        self.log_in()
        real = user_units.find_account
        monkeypatch.setattr(user_units, "find_account", lambda name: self.account if name == "alice" else real(name))
        monkeypatch.setattr(user_units, "make_manager", self.make_manager)

    def write(self, path, text):
        self.host.write(path, text)

    def log_in(self):
        self.host.proc.process(40, "systemd", parent=1, score=100, cgroup=SLICE + "/init.scope", uids=(UID,) * 4)
        self.host.proc.process(
            41, "shop", parent=40, score=200, cgroup=SLICE + "/app.slice/shop.service", uids=(UID,) * 4
        )
        self.host.add(f"user@{UID}", 40, ControlGroup=SLICE)
        folder = self.host.cgroups / (SLICE[1:] + "/app.slice/shop.service")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text("41\n")
        self.shown["shop.service"] = dict(
            Id="shop.service",
            Names="shop.service",
            LoadState="loaded",
            ActiveState="active",
            Type="simple",
            MainPID="41",
            ControlGroup=SLICE + "/app.slice/shop.service",
            FragmentPath=f"/{OWN}/shop.service",
            DropInPaths="",
            Delegate="no",
        )
        self.reload()

    def log_out(self):
        self.host.known[f"user@{UID}.service"].update(ActiveState="inactive", MainPID="0", ControlGroup="")

    def linger(self):
        self.write("var/lib/systemd/linger/alice", "")

    def reload(self):
        for name, shown in self.shown.items():
            files = []
            for folder in (OWN, "etc/systemd/user"):
                files += (self.host.root / folder / f"{name}.d").glob("*.conf")
            lines = [line for file in sorted(files, key=lambda one: one.name) for line in file.read_text().splitlines()]
            for key, default in (("OOMScoreAdjust", self.default_after_reload), ("OOMPolicy", "stop")):
                values = [line.partition("=")[2] for line in lines if line.startswith(key + "=")]
                shown[key] = values[-1] if values else default

    def ask(self, *command):
        self.calls.append(command)
        if command[1] == "daemon-reload":
            self.reload()
            return ""
        if len(command) == 3:
            return f"DefaultOOMScoreAdjust={self.default}\nDefaultOOMPolicy=stop\n"
        blocks = []
        for name in command[4:]:
            found = self.shown.get(name) or dict(
                Id=name, Names=name, LoadState="not-found", ActiveState="inactive", MainPID="0"
            )
            found = {**dict(OOMScoreAdjust="200", OOMPolicy="stop"), **found}
            order = [key for key in found if key not in ("OOMScoreAdjust", "OOMPolicy")]
            blocks.append("".join(f"{key}={found[key]}\n" for key in [*order, "OOMScoreAdjust", "OOMPolicy"]))
        return "\n".join(blocks)

    def make_manager(self, account, systemd, for_all):
        name = f"user@{account.uid}.service"
        unit = systemd.units([name])[name]._replace(score=self.manager_score)

        def start(*command):
            return functools.partial(self.ask, *command)

        return UserManager(account, unit, for_all, systemd.root, start)

    def score(self):
        return self.host.proc.score(41)

    def target(self, pin):
        result = self.host.results(pin)
        return result["targets"][0], result["warnings"]

    def text(self, path):
        file = self.host.root / path
        return file.read_text() if file.exists() else None


@pytest.fixture
def users(host, monkeypatch):
    return Users(host, monkeypatch)


def test_pin_now_and_say_that_the_next_start_has_the_score_of_the_manager(users):
    target, warnings = users.target(user_pin())
    assert users.score() == -300
    assert users.text(f"{OWN}/shop.service.d/60-oomguard.conf") == HEADER + "\n[Service]\nOOMScoreAdjust=-300\n"
    assert target["effective_after_restart"] == 100
    assert target["survives"] == dict(restart=False, logout=False, login=False, reboot=False)
    [warning] = [one for one in warnings if "does not survive" in one]
    assert warning == (
        "user_unit=alice/shop.service: the pin does not survive restart, login or reboot: the next start has score 100,"
        f" because user@{UID}.service runs at 100 and cannot give its services less. Run the service as a system"
        f" service with User=alice; or pin unit=user@{UID}.service at -300 with force=true, which lets every program of"
        " alice have that score"
    )
    assert [call[1] for call in users.calls].count("daemon-reload") == 1


def test_a_user_who_is_not_logged_in_has_no_manager_that_runs(users):
    users.log_out()
    _target, warnings = users.target(user_pin())
    assert [one for one in warnings if f"because user@{UID}.service will run at 100 and cannot give" in one]


def test_a_pin_of_the_manager_in_the_same_call_makes_it_last(users):
    """As the warning advises."""
    manager = Pin("unit", f"user@{UID}.service", -300, persistent=True, force=True)
    result = users.host.results(manager, user_pin())
    assert [one for one in result["warnings"] if "does not survive" in one] == []
    target = next(one for one in result["targets"] if one["survives"])
    assert target["survives"] == dict(restart=True, logout=False, login=True, reboot=True)


def test_second_run_changes_nothing(users):
    users.host.results(user_pin())
    calls = len(users.calls)
    result = users.host.results(user_pin())
    assert not result["changed"]
    assert "daemon-reload" not in [call[1] for call in users.calls[calls:]]
    assert result["not_lasting"][0]["reason"] == "starts with 100 by its user's manager"


@pytest.mark.parametrize("score", [100, 150, 1000])
def test_pin_that_the_manager_can_give_lasts(users, score):
    users.linger()
    target, warnings = users.target(user_pin(score=score))
    assert target["survives"] == dict(restart=True, logout=True, login=True, reboot=True)
    assert target["effective_after_restart"] == score
    assert warnings == []


def test_manager_that_was_lowered_now_gives_the_score_until_it_ends(users):
    users.host.proc.process(40, "systemd", parent=1, score=-300, cgroup=SLICE + "/init.scope")
    target, warnings = users.target(user_pin())
    assert target["survives"] == dict(restart=True, logout=False, login=False, reboot=False)
    assert "does not survive login or reboot" in warnings[0]


def test_manager_that_is_lowered_for_good_gives_the_score_always(users):
    users.host.proc.process(40, "systemd", parent=1, score=-300, cgroup=SLICE + "/init.scope")
    users.manager_score = -300
    target, warnings = users.target(user_pin())
    assert target["survives"] == dict(restart=True, logout=False, login=True, reboot=True)
    assert warnings == []


def test_scope_all_users_writes_where_only_root_may(users):
    target, _warnings = users.target(user_pin(for_all_users=True))
    assert target["drop_in"]["path"] == "/etc/systemd/user/shop.service.d/60-oomguard.conf"
    assert users.text("etc/systemd/user/shop.service.d/60-oomguard.conf") is not None
    assert users.text(f"{OWN}/shop.service.d/60-oomguard.conf") is None


@pytest.mark.parametrize("for_all", [False, True], ids=["user", "all_users"])
def test_absent_puts_files_and_score_back(users, for_all):
    users.write(f"{OWN}/shop.service.d/10-own.conf", "[Service]\nNice=5\n")
    before = users.host.files()
    users.host.results(user_pin(for_all_users=for_all))
    assert users.host.files() != before
    target, _warnings = users.target(user_pin(score=None, state="absent", for_all_users=for_all))
    assert users.host.files() == before
    assert (target["changed"], target["survives"]) == (True, None)
    assert not users.host.results(user_pin(score=None, state="absent", for_all_users=for_all))["changed"]


def test_absent_raises_what_a_restart_has_given(users):
    users.host.results(user_pin())
    users.host.proc.process(41, "shop", parent=40, score=100, cgroup=SLICE + "/app.slice/shop.service", uids=(UID,) * 4)
    users.target(user_pin(score=None, state="absent"))
    assert users.score() == 200


@pytest.mark.parametrize("after_reload", ["-200", "200"])
def test_absent_where_the_manager_has_the_score_itself(users, after_reload):
    """Its default is 100 more than its score, from the next reload on."""
    users.host.proc.process(40, "systemd", parent=1, score=-300, cgroup=SLICE + "/init.scope")
    users.default = "-200"
    users.host.results(user_pin())
    users.default_after_reload = after_reload
    target, warnings = users.target(user_pin(score=None, state="absent"))
    assert (users.score(), target["effective_after_restart"], warnings) == (-200, -200, [])


def test_absent_leaves_a_score_of_the_service_itself(users):
    users.host.results(user_pin())
    users.host.proc.process(41, "shop", parent=40, score=777, cgroup=SLICE + "/app.slice/shop.service", uids=(UID,) * 4)
    users.target(user_pin(score=None, state="absent"))
    assert users.score() == 777


def test_folders_that_the_pin_made_go_with_it(users):
    for path in (users.host.root / OWN / "shop.service",):
        path.unlink()
    for folder in (OWN, "home/alice/.config/systemd", "home/alice/.config"):
        (users.host.root / folder).rmdir()
    users.write("usr/lib/systemd/user/shop.service", "[Service]\n")
    users.shown["shop.service"]["FragmentPath"] = "/usr/lib/systemd/user/shop.service"
    before = users.host.files()[0]
    users.host.results(user_pin())
    users.host.results(user_pin(score=None, state="absent"))
    assert users.host.files()[0] == before


# --- not logged in ----------------------------------------------------------------


def test_user_who_is_not_logged_in_gets_the_drop_in(users):
    users.log_out()
    target, warnings = users.target(user_pin())
    assert users.text(f"{OWN}/shop.service.d/60-oomguard.conf") is not None
    assert (target["processes"], target["effective_after_restart"]) == ([], 100)
    assert "does not survive restart, login or reboot" in warnings[0]
    assert users.calls == []  # there is nobody to ask
    assert not users.host.results(user_pin())["changed"]


@pytest.mark.parametrize("default, score", [("0", 200), (None, 100)])
def test_services_before_systemd_250_have_the_score_of_the_manager(host, monkeypatch, default, score):
    """One that runs is asked itself."""
    account = Account("alice", UID, os.getegid(), "/home/alice")
    host.add(f"user@{UID}", fragment="OOMScoreAdjust=100\n")
    systemd = host.systemd()
    monkeypatch.setattr(systemd, "default", lambda key: default)
    manager = user_units.make_manager(account, systemd, False)
    host.write("usr/lib/systemd/user/shop.service", "[Service]\n")
    assert manager.default("OOMScoreAdjust") == str(score)
    assert manager.units(["shop.service"])["shop.service"].score == score


def test_absent_for_user_who_is_not_logged_in(users):
    before = users.host.files()
    users.log_out()
    users.host.results(user_pin())
    users.host.results(user_pin(score=None, state="absent"))
    assert users.host.files() == before


def test_unit_without_a_file_of_a_user_who_is_not_logged_in(users):
    users.log_out()
    with pytest.raises(NotFoundError, match=r"no file of a unit web\.service was found for user alice, who is not"):
        users.host.plan(user_pin("web"))


# --- bad input --------------------------------------------------------------------


def test_unknown_user(users):
    with pytest.raises(
        NotFoundError, match=r"user_unit=nobodyknows/shop\.service: user 'nobodyknows': this host has no"
    ):
        users.host.plan(user_pin(user="nobodyknows"))
    plan = users.host.plan(user_pin(user="nobodyknows", missing="warn"), user_pin())
    assert any("has no such user" in warning for warning in plan.warnings)
    assert users.host.apply_plan(plan).outcomes[1].changes[0].after == -300


def test_unknown_unit(users):
    with pytest.raises(
        NotFoundError, match=r"user alice has no unit web\.service: check the name with systemctl --user"
    ):
        users.host.plan(user_pin("web"))


def test_masked_unit(users):
    users.shown["shop.service"].update(LoadState="masked", ActiveState="inactive", MainPID="0")
    with pytest.raises(NotFoundError, match=r"shop\.service of user alice is masked"):
        users.host.plan(user_pin())


@pytest.mark.parametrize("unit", ["shop.socket", "a b", "shop@", "../x"])
def test_names_that_no_service_has(users, unit):
    with pytest.raises(InputError, match="unit="):
        users.host.plan(user_pin(unit))


def test_two_targets_that_contradict_each_other(users):
    before = users.host.files()
    with pytest.raises(InputError, match="is selected twice"):
        users.host.plan(user_pin(), user_pin(score=-200))
    assert users.host.files() == before


# --- all pins -----------------------------------------------------------------------


@pytest.fixture
def everywhere(users, monkeypatch):
    monkeypatch.setattr(all_pins, "find_account", user_units.find_account)
    monkeypatch.setattr(all_pins, "make_manager", users.make_manager)
    users.linger()
    return users


def take_back(users):
    plan = all_pins.plan_removal_of_all(users.host.proc.procfs, users.host.systemd(), 0, False)
    users.host.apply_plan(plan)
    return plan


def test_take_back_the_pins_of_users_too(everywhere):
    before = everywhere.host.files()
    everywhere.host.results(user_pin(), Pin("unit", "docker", -500, persistent=True))
    assert len(take_back(everywhere).outcomes) == 2
    assert everywhere.host.files() == before


def test_service_has_what_the_manager_gives_once_that_has_no_pin_either(everywhere):
    """The manager, which was started with the pin, would still give -200 for now."""
    everywhere.host.proc.process(40, "systemd", parent=1, score=100, cgroup=SLICE + "/init.scope", uids=(UID,) * 4)
    manager = Pin("unit", f"user@{UID}", -300, persistent=True, force=True)
    everywhere.host.write(f"usr/lib/systemd/system/user@{UID}.service", "[Service]\nOOMScoreAdjust=100\n")
    everywhere.host.reload()
    before = everywhere.host.files()
    everywhere.host.results(manager)
    everywhere.manager_score = -300
    everywhere.default = "-200"
    everywhere.host.results(user_pin())
    assert everywhere.host.scores(40, 41) == [-300, -300]
    plan = take_back(everywhere)
    assert everywhere.host.scores(40, 41) == [100, 200]
    assert everywhere.host.files() == before
    assert [outcome.effective_after_restart for outcome in plan.outcomes] == [100, 200]


RECORD = "var/lib/oomguard/homes"


def test_take_back_the_pin_of_a_user_who_is_not_here(users, monkeypatch):
    """Nobody searches the home folders of all users, so a record says where."""
    monkeypatch.setattr(all_pins, "find_account", user_units.find_account)
    monkeypatch.setattr(all_pins, "make_manager", users.make_manager)
    users.log_out()
    before = users.host.files()
    users.host.results(user_pin())
    assert users.text(RECORD) == "alice\n"
    assert (users.host.root / RECORD).stat().st_mode & 0o777 == 0o600
    assert (users.host.root / RECORD).parent.stat().st_mode & 0o777 == 0o700
    plan = take_back(users)
    assert [outcome.pin.target for outcome in plan.outcomes] == ["user_unit=alice/shop.service"]
    assert users.host.files() == before
    assert take_back(users).outcomes == []


def test_user_stays_in_the_record_with_the_last_drop_in(users):
    users.write(f"{OWN}/mail.service", "[Service]\nExecStart=/usr/bin/mail\n")
    facts = dict(Id="mail.service", Names="mail.service", ActiveState="inactive", MainPID="0", ControlGroup="")
    users.shown["mail.service"] = dict(users.shown["shop.service"], **facts)
    users.reload()
    users.host.results(user_pin())
    users.host.results(user_pin("mail"))
    users.host.results(user_pin(score=None, state="absent"))
    assert users.text(RECORD) == "alice\n"
    users.host.results(user_pin("mail", score=None, state="absent"))
    assert users.text(RECORD) is None


def test_what_is_for_all_users_needs_no_record(users):
    users.host.results(user_pin(for_all_users=True))
    assert users.text(RECORD) is None


def test_run_that_is_undone_leaves_no_record(users, monkeypatch):
    before = users.host.files()
    plan = users.host.plan(user_pin(), Pin("unit", "docker", -500, persistent=True))

    def fail(*_arguments):
        raise OomError("systemctl daemon-reload failed")

    monkeypatch.setattr(type(plan.finder.get_manager(plan.outcomes[1].pin)), "reload", fail)
    with pytest.raises(OomError, match=r"daemon-reload failed$"):
        users.host.apply_plan(plan)
    assert users.host.files() == before


def test_record_that_cannot_be_written_costs_no_pin(users):
    (users.host.root / "var/lib/oomguard").mkdir()
    (users.host.root / "var/lib/oomguard").chmod(0o777)
    _target, warnings = users.target(user_pin())
    assert users.score() == -300
    assert any(
        "/var/lib/oomguard must be a folder that only root can write: remove it; all_pins=true finds the drop-ins of"
        " user alice only while the user is logged in or lingers" in one
        for one in warnings
    )


def test_record_with_users_whose_home_is_not_there(everywhere):
    everywhere.host.results(user_pin())
    (everywhere.host.root / "home/alice").rename(everywhere.host.root / "home/elsewhere")
    [warning] = [one for one in take_back(everywhere).warnings if "is not there" in one]
    assert warning.startswith("user alice: /home/alice is not there, where this collection has written a drop-in")
    assert everywhere.text(RECORD) == "alice\n"


def test_record_with_a_user_who_is_gone(everywhere):
    everywhere.host.results(user_pin())
    with open(str(everywhere.host.root / RECORD), "a") as stream:
        stream.write("nobody-has-this-name\n")
    assert take_back(everywhere).warnings == []


def test_record_of_somebody_else(everywhere):
    everywhere.host.results(user_pin())
    (everywhere.host.root / RECORD).chmod(0o666)
    assert any("homes is not a file that this collection made" in one for one in take_back(everywhere).warnings)
    assert everywhere.text(f"{OWN}/shop.service.d/60-oomguard.conf") is None  # alice is here


def test_take_back_what_is_for_all_users(everywhere):
    before = everywhere.host.files()
    everywhere.host.results(user_pin(for_all_users=True))
    take_back(everywhere)
    assert everywhere.host.files() == before


def test_take_back_what_is_for_all_users_though_nobody_is_here(everywhere):
    before = everywhere.host.files()[0]
    everywhere.host.results(user_pin(for_all_users=True))
    everywhere.log_out()
    (everywhere.host.root / "var/lib/systemd/linger/alice").unlink()
    take_back(everywhere)
    everywhere.linger()
    assert everywhere.host.files()[0] == before


def test_user_whose_files_cannot_be_read_keeps_no_other_pin(everywhere, monkeypatch):
    everywhere.host.results(Pin("unit", "docker", -500, persistent=True))
    everywhere.linger()
    everywhere.write("var/lib/systemd/linger/nosuchuser", "")
    plan = take_back(everywhere)
    assert any("the drop-ins of user nosuchuser were not searched" in one for one in plan.warnings)
    assert everywhere.host.drop_in("docker") is None


# --- a user who wants more than that ----------------------------------------------


def test_process_that_does_not_run_as_the_user_is_passed_over(users):
    users.host.proc.process(
        41, "sudo", parent=40, score=200, cgroup=SLICE + "/app.slice/shop.service", uids=(UID, 0 if UID else 1, 0, 0)
    )
    target, _warnings = users.target(user_pin())
    assert users.score() == 200
    assert target["skipped_foreign"][0]["why"] == f"it does not run as uid {UID} alone"


def test_pid_outside_of_the_manager_is_not_pinned(users):
    users.shown["shop.service"]["MainPID"] = "10"  # dockerd
    users.host.results(user_pin())
    assert users.host.scores(10) == [0]


@pytest.mark.parametrize("path", ["/system.slice/docker.service", SLICE + "/../../../system.slice/docker.service", "/"])
def test_cgroup_outside_of_the_manager_does_not_count(users, path):
    users.shown["shop.service"].update(ControlGroup=path, MainPID="10")
    users.host.results(user_pin(children="pin", missing="warn"))
    assert users.host.scores(10, 11) == [0, 0]


def test_program_that_starts_shells_is_not_lowered(users):
    users.host.proc.process(
        41, "tmux: server", parent=40, score=200, cgroup=SLICE + "/app.slice/shop.service", uids=(UID,) * 4
    )
    users.host.results(user_pin())
    assert users.score() == 200


@pytest.mark.parametrize("answer", ["", "Id=x\n", "MainPID=\x00\n\n", "Id=shop.service"])
def test_manager_that_answers_nonsense_costs_no_other_target(users, monkeypatch, answer):
    real = users.ask
    monkeypatch.setattr(users, "ask", lambda *command: answer if command[1] == "show" else real(*command))
    with pytest.raises(UntrustedError, match=r"user_unit=alice/shop\.service"):
        users.host.plan(user_pin())
    users.host.results(user_pin(missing="warn"), Pin("unit", "docker", -500, persistent=True))
    assert users.host.scores(10) == [-500]


def test_manager_that_does_not_reload_costs_no_other_target(users, monkeypatch):
    real = users.ask

    def fail(*command):
        if command[1] == "daemon-reload":
            raise OomError("systemctl --user did not end")
        return real(*command)

    monkeypatch.setattr(users, "ask", fail)
    result = users.host.results(user_pin(), Pin("unit", "docker", -500, persistent=True))
    assert (users.score(), users.host.scores(10)) == (-300, [-500])
    assert any("the user's manager has not read it: systemctl --user did not end" in one for one in result["warnings"])


def test_folder_that_the_user_closed_costs_no_other_target(users):
    users.write(f"{OWN}/shop.service.d", "a file")
    result = users.host.results(user_pin(missing="warn"), Pin("unit", "docker", -500, persistent=True))
    assert users.host.scores(10) == [-500]
    assert [one["changed"] for one in result["targets"]] == [False, True]


def break_answers(users, monkeypatch, is_hostile, answer):
    """Let the user's manager answer the calls that match with a text, or with a failure."""
    real = users.ask

    def ask(*command):
        if not is_hostile(command):
            return real(*command)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr(users, "ask", ask)


def asks_for_defaults(command):
    return len(command) == 3


OTHER = Pin("unit", "docker", -500, persistent=True)
OTHER_ABSENT = Pin("unit", "docker", None, state="absent", persistent=True, missing="ignore")


@pytest.mark.parametrize("name", ["service", "default.target", "gnome-shell.service", "x.slice"])
def test_drop_in_for_all_users_is_that_of_the_target_whatever_a_manager_calls_it(users, name):
    """/etc/systemd/user/service.d would change every service of every user."""
    users.shown["shop.service"].update(Id=name, Names=f"shop.service {name}")
    users.shown[name] = users.shown["shop.service"]
    users.host.results(user_pin(score=900, for_all_users=True))
    written = [path.relative_to(users.host.root) for path in (users.host.root / "etc/systemd/user").rglob("*.conf")]
    assert list(map(str, written)) == ["etc/systemd/user/shop.service.d/60-oomguard.conf"]


@pytest.mark.parametrize("digits", [11, 5000, 1000000])
def test_score_of_a_user_with_many_digits_is_none(users, digits):
    users.write(f"{OWN}/shop.service.d/90-mine.conf", "[Service]\nOOMScoreAdjust=" + "9" * digits + "\n")
    target, _warnings = users.target(user_pin(score=300))
    assert target["effective_after_restart"] == 300


def leave_a_dangling_link(users):
    folder = users.host.root / OWN / "shop.service.d"
    folder.symlink_to("nowhere/at/all")


def leave_a_file(users):
    for path in (users.host.root / OWN).iterdir():
        path.unlink()
    (users.host.root / OWN).rmdir()
    (users.host.root / OWN).write_text("")
    (users.host.root / OWN).chmod(0o700)
    users.write("usr/lib/systemd/user/shop.service", "[Service]\n")
    users.shown["shop.service"]["FragmentPath"] = "/usr/lib/systemd/user/shop.service"


@pytest.mark.parametrize("prepare", [leave_a_dangling_link, leave_a_file])
def test_folder_in_which_nothing_can_be_written_costs_no_other_target(users, prepare):
    prepare(users)
    plan = users.host.plan(user_pin(), OTHER)
    applied = users.host.apply_plan(plan)
    assert (users.host.scores(10), users.host.drop_in("docker") is not None) == ([-500], True)
    assert any("the drop-in was not written: " in one for one in applied.warnings)
    [drop_in] = [one.drop_in for one in applied.outcomes if one.pin.selector == "user_unit"]
    assert drop_in.after == drop_in.before


def test_drop_in_that_the_user_changes_during_the_run_costs_no_other_target(users):
    plan = users.host.plan(user_pin(), OTHER)
    users.write(f"{OWN}/shop.service.d/60-oomguard.conf", "# mine\n")
    applied = users.host.apply_plan(plan)
    assert users.host.scores(10) == [-500]
    assert users.text(f"{OWN}/shop.service.d/60-oomguard.conf") == "# mine\n"
    assert any("was changed by another program during this run: run again" in one for one in applied.warnings)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_file_that_the_user_swaps_while_it_is_read_costs_no_other_target(users, monkeypatch, state):
    """The user sees each look (inotify(7)), and can put something else there before the next."""
    from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_folders import UnitFolders

    users.host.results(user_pin())
    real, looks = UnitFolders.read, []

    def read(self, path):
        if path.startswith("/home/alice/") and path.endswith("60-oomguard.conf"):
            looks.append(path)
            if len(looks) > 2:
                raise AccessError(f"{path} cannot be read: it is not a file: move it away")
        return real(self, path)

    monkeypatch.setattr(UnitFolders, "read", read)
    score = None if state == "absent" else -200
    plan = users.host.plan(user_pin(score=score, state=state, missing="ignore"), OTHER)
    users.host.apply_plan(plan)
    assert users.host.scores(10) == [-500]


@pytest.mark.parametrize("answer", ["DefaultOOMScoreAdjust=x\n", "DefaultOOM", OomError("systemctl --user failed")])
def test_manager_without_defaults_costs_no_other_target(users, monkeypatch, answer):
    users.host.results(user_pin(), OTHER)
    break_answers(users, monkeypatch, asks_for_defaults, answer)
    users.host.results(user_pin(score=None, state="absent", missing="ignore"), OTHER_ABSENT)
    assert (users.host.scores(10), users.host.drop_in("docker")) == ([0], None)


HOSTILE = {
    "a policy of megabytes": dict(OOMPolicy="x" * 1000000),
    "a type of megabytes": dict(Type="x" * 1000000),
    "a state of megabytes": dict(ActiveState="activating" * 100000),
    "a path of megabytes": dict(FragmentPath="/" + "x" * 1000000),
    "a file name of megabytes": dict(DropInPaths="/" + "x" * 1000000),
    "a hundred thousand files": dict(DropInPaths=" ".join(f"/tmp/{number}.conf" for number in range(100000))),
    "a path with a NUL": dict(FragmentPath="/x\0y"),
    "a file that is relative": dict(DropInPaths="etc/shadow"),
    "a cgroup with a NUL": dict(ControlGroup=SLICE + "/app.slice/x\0"),
    "a cgroup of megabytes": dict(ControlGroup=SLICE + "/" + "x" * 1000000),
    "lines of a terminal": dict(ActiveState="active\x1b[2J"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_values_that_no_manager_returns(users, name):
    users.shown["shop.service"].update(HOSTILE[name])
    begun = time.monotonic()
    result = users.host.results(user_pin(missing="warn", children="pin"), OTHER)
    assert users.host.scores(10) == [-500]
    assert max(map(len, result["warnings"])) < 2000
    assert "x" * 1000 not in json.dumps(result)
    assert time.monotonic() - begun < 5


def test_thousands_of_drop_ins_cost_no_other_target(users):
    folder = users.host.root / OWN / "shop.service.d"
    folder.mkdir()
    for number in range(3000):
        with open(str(folder / f"{number}.conf"), "wb") as stream:
            stream.truncate(1 << 20)  # of zeros, which take no room
    begun = time.monotonic()
    users.host.results(user_pin(missing="warn"), OTHER)
    assert users.host.scores(10) == [-500]
    assert time.monotonic() - begun < 5


def raise_by_name(users):
    """Raise the hog of alice, who makes it her service, with a drop-in as if that had raised it."""
    (users.host.root / "run/oomguard").mkdir(mode=0o700)
    users.host.results(Pin("process", "shop", 800))
    users.write(f"{OWN}/shop.service.d/60-oomguard.conf", HEADER + "\n[Service]\nOOMScoreAdjust=800\n")
    users.reload()
    assert users.score() == 800


def test_forged_drop_in_takes_no_pin_of_another_target_back(users):
    raise_by_name(users)
    target, _warnings = users.target(user_pin(score=None, state="absent"))
    assert users.score() == 800
    assert target["skipped_foreign"][0]["why"] == "a target that names it has pinned it"


def test_take_back_all_pins_beside_a_forged_drop_in(everywhere):
    raise_by_name(everywhere)
    take_back(everywhere)
    assert everywhere.score() == 200


def test_take_back_what_is_for_all_users_whatever_a_user_answers(everywhere, monkeypatch):
    before = everywhere.host.files()[0]
    everywhere.host.results(user_pin(for_all_users=True), OTHER)
    break_answers(everywhere, monkeypatch, lambda command: command[1] == "show", "nonsense")
    take_back(everywhere)
    assert everywhere.host.files()[0] == before


def test_absent_for_all_users_removes_the_file_whatever_a_user_answers(users, monkeypatch):
    before = users.host.files()[0]
    users.host.results(user_pin(for_all_users=True))
    break_answers(users, monkeypatch, lambda command: command[1] == "show", "nonsense")
    result = users.host.results(user_pin(score=None, state="absent", for_all_users=True))
    assert (users.host.files()[0], result["changed"]) == (before, True)


def test_thousands_of_forged_drop_ins_do_not_delay_the_removal_of_all_pins(everywhere):
    """Each would be a target, and a question to the user's manager."""
    everywhere.host.results(OTHER)
    for number in range(500):
        everywhere.write(f"{OWN}/x{number}.service.d/60-oomguard.conf", HEADER + "\n[Service]\nOOMScoreAdjust=1\n")
    plan = take_back(everywhere)
    assert everywhere.host.drop_in("docker") is None
    assert len([one for one in plan.outcomes if one.pin.selector == "user_unit"]) <= 100
    assert any("user alice has 500 drop-ins" in one for one in plan.warnings)


def test_survival_is_a_value_of_its_own():
    assert Survival(True, False, True, True)._asdict() == dict(restart=True, logout=False, login=True, reboot=True)


# --- killers beside the kernel ----------------------------------------------------------

APP_SLICE = f"{SLICE}/app.slice"


@pytest.fixture
def watched(users, monkeypatch):
    """Let systemd-oomd run, and watch what alice's manager says, as Fedora's defaults do."""
    host = users.host
    host.proc.process(50, "systemd-oomd", cgroup="/system.slice/systemd-oomd.service")
    host.add("systemd-oomd", 50)
    host.proc.write("meminfo", "SwapTotal: 1000 kB\n")
    host.proc.write("41/cgroup", f"0::{APP_SLICE}/shop.service\n")
    ask_host, ask_user = host.ask, users.ask
    monkeypatch.setattr(host, "ask", lambda *command: "" if "*.slice" in command else ask_host(*command))
    users.groups = [("app.slice", APP_SLICE, "ManagedOOMMemoryPressure")]

    def ask(*command):
        if "*.slice" not in command:
            return ask_user(*command)
        users.calls.append(command)
        return "\n".join(f"Id={unit}\nControlGroup={path}\n{key}=kill\n" for unit, path, key in users.groups)

    monkeypatch.setattr(users, "ask", ask)
    users.shown["shop.service"]["ManagedOOMPreference"] = "none"
    monkeypatch.setattr(Systemd, "version", lambda _self: "252.39-1~deb12u2")
    return users


def test_systemd_oomd_watches_a_slice_of_the_user(watched):
    plan = watched.host.plan(user_pin(score=100))
    assert plan.not_binding == []  # nobody asked for protection
    plan = watched.host.plan(user_pin())
    [unbound] = plan.not_binding
    assert (unbound.unit, unbound.killer, unbound.reason) == (None, "systemd-oomd", "systemd-oomd never reads scores")
    assert plan.warnings[-1] == (
        "systemd-oomd may kill shop.service of user alice (pressure in app.slice) and never reads scores:"
        " set managed_oom_preference=avoid for user_unit=alice/shop.service"
    )


def test_the_manager_of_a_user_is_asked_once(watched):
    watched.shown["cart.service"] = dict(watched.shown["shop.service"], Id="cart.service", Names="cart.service")
    watched.host.plan(user_pin(), user_pin("cart"))
    assert len([call for call in watched.calls if "*.slice" in call]) == 1


def test_a_preference_of_the_user_counts_below_a_slice_of_the_user(watched):
    assert watched.host.plan(user_pin(managed_oom_preference="omit")).not_binding == []
    folder = watched.host.cgroups / (APP_SLICE[1:] + "/shop.service")
    (folder / "inside").mkdir()
    (folder / "memory.oom.group").write_text("0\n")
    watched.host.proc.write("41/cgroup", f"0::{APP_SLICE}/shop.service/inside\n")
    assert [one.reason for one in watched.host.plan(user_pin(managed_oom_preference="omit")).not_binding] == [
        "systemd-oomd kills control groups below it"
    ]


def test_the_root_slice_of_a_user_is_watched(watched):
    watched.groups = [("-.slice", SLICE, "ManagedOOMMemoryPressure")]
    assert len(watched.host.plan(user_pin()).not_binding) == 1


def test_nothing_is_asked_about_a_pin_that_is_taken_back(watched):
    watched.host.plan(user_pin(score=None, state="absent"))
    assert not [call for call in watched.calls if "*.slice" in call]


def test_before_250_managers_of_users_did_not_tell_systemd_oomd(watched, monkeypatch):
    monkeypatch.setattr(Systemd, "version", lambda _self: "249.11-0ubuntu3.17")
    assert watched.host.plan(user_pin()).not_binding == []


def test_names_of_rules_lead_nowhere(watched, monkeypatch):
    """A rule is a file of root, and has a plain name."""
    asked = []
    monkeypatch.setattr(discovery, "_read_action", asked.append)
    rules = " ".join(["../../../home/alice/x", ".hidden", "good", *(f"rule{number}" for number in range(1000))])
    ask = watched.ask
    monkeypatch.setattr(
        watched,
        "ask",
        lambda *command: (
            f"Id=app.slice\nControlGroup={APP_SLICE}\nOOMRules={rules}\n" if "*.slice" in command else ask(*command)
        ),
    )
    assert len(watched.host.plan(user_pin()).not_binding) == 1
    assert asked == ["good", *(f"rule{number}" for number in range(99))]


@pytest.mark.parametrize(
    "group",
    [
        ("-.slice", ""),  # that of the host has no cgroup in older versions of systemd
        ("-.slice", "/"),
        ("app.slice", "/system.slice"),
        ("app.slice", f"{SLICE}/../../user-7.slice"),
        ("app.slice", f"{SLICE}-other"),
        ("app.slice", f"{SLICE}/a\0b"),
        ("app.slice", f"{SLICE}/{'a/' * 3000}"),
        ("a" * 250 + ".slice", APP_SLICE),
        ("x) and all is lost: run this (.slice", APP_SLICE),
    ],
)
def test_a_user_says_nothing_about_what_is_not_the_users(watched, group):
    watched.groups = [(*group, "ManagedOOMMemoryPressure")]
    assert watched.host.plan(user_pin()).not_binding == []


def test_what_a_user_says_is_of_the_users_own_services(watched):
    """Another pin of the call is judged without it."""
    watched.host.proc.process(60, "alice", cgroup=f"{APP_SLICE}/other.service")
    watched.host.proc.write("60/cgroup", f"0::{APP_SLICE}/other.service\n")
    plan = watched.host.plan(user_pin(), Pin("pid", "60", -300))
    assert [one.target for one in plan.not_binding] == ["user_unit=alice/shop.service"]


def test_any_number_of_groups_makes_a_short_sentence(watched):
    watched.groups = [(f"a{number}.slice", SLICE, "ManagedOOMMemoryPressure") for number in range(1000)]
    assert (
        "(pressure in a0.slice, pressure in a1.slice, pressure in a2.slice, pressure in a3.slice and 996 more)"
        in (watched.host.plan(user_pin()).warnings[-1])
    )


def test_a_manager_that_does_not_answer_costs_no_pin(watched, monkeypatch):
    def fail(*command):
        if "*.slice" in command:
            raise OomError("systemctl show failed: no bus")
        return watched_ask(*command)

    watched_ask = watched.ask
    monkeypatch.setattr(watched, "ask", fail)
    plan = watched.host.plan(user_pin())
    assert plan.not_binding == []
    assert plan.warnings[-1] == "what systemd-oomd watches for user alice is not known: systemctl show failed: no bus"
