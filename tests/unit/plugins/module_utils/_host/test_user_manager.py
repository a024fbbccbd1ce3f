# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service manager of a user: its files, and what it answers.

test_user_units.py follows pins through whole runs.
"""

import os
import stat
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host import user_manager
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import Account
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.user_manager import UserManager, manager_name

UID = 4321  # of no user of this host
SLICE = "/user.slice/user-4321.slice/user@4321.service"
MANAGER = Unit("user@4321.service", [], "loaded", "active", "notify", 40, SLICE, "", [], True, 100, "continue")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Home:
    """A home folder of another user, below a root that everybody may enter."""

    def __init__(self, root):
        self.root = root
        (root / "etc").mkdir(parents=True)
        for folder in (root, *root.parents):
            if folder.stat().st_uid == os.geteuid() and str(folder) != "/":
                folder.chmod(folder.stat().st_mode | 0o011)
        self.home = root / "home/bob"
        self.home.mkdir(parents=True)
        self.account = Account("bob", UID, UID, "/home/bob")
        self.give(self.home)

    def give(self, path):
        os.chown(str(path), UID, UID)

    def manager(self, **options):
        facts = dict(active_state="inactive", main_pid=0, control_group="")
        return UserManager(self.account, MANAGER._replace(**facts), options.pop("for_all", False), str(self.root))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getgrouplist", lambda _name, gid: [gid])
    return Home(tmp_path / "host")


def drop_in(manager):
    unit = manager.units(["shop.service"])["shop.service"]
    return manager.drop_in(unit, {"OOMScoreAdjust": "-300"})


@needs_root
def test_files_in_a_home_folder_belong_to_the_user(home):
    manager = home.manager()
    planned = drop_in(manager)
    assert planned.path == "/home/bob/.config/systemd/user/shop.service.d/60-oomguard.conf"
    manager.write(planned.path, planned.after)
    for path in sorted(home.home.rglob("*")):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (UID, UID), path
        assert stat.S_IMODE(found.st_mode) == (0o755 if path.is_dir() else 0o644), path
    assert manager.read(planned.path) == planned.after
    manager.write(planned.path, None)
    assert list(home.home.iterdir()) == []


@needs_root
@pytest.mark.parametrize(
    "link", [".config", ".config/systemd", ".config/systemd/user", ".config/systemd/user/shop.service.d"]
)
def test_link_of_the_user_leads_root_nowhere(home, link):
    """It is followed with the rights of the user, who may not write where it leads."""
    target = home.root / "etc/systemd/system"
    target.mkdir(parents=True)
    path = home.home / link
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in (home.home / ".config", *path.parents):
        if folder.is_dir() and str(folder).startswith(str(home.home)):
            home.give(folder)
    path.symlink_to(target)
    manager = home.manager()
    planned = drop_in(manager)
    with pytest.raises(AccessError, match="cannot be written: Permission denied"):
        manager.write(planned.path, planned.after)
    assert list(target.iterdir()) == []


@needs_root
def test_file_that_only_root_may_read_is_not_read(home):
    secret = home.root / "etc/secret"
    secret.write_text("[Service]\nOOMScoreAdjust=-7\n")
    secret.chmod(0o600)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        home.manager().read("/etc/secret")


@needs_root
def test_fifo_of_the_user_is_no_file(home):
    folder = home.home / ".config/systemd/user/shop.service.d"
    folder.mkdir(parents=True)
    os.mkfifo(str(folder / "60-oomguard.conf"))
    os.chmod(str(folder / "60-oomguard.conf"), 0o666)
    with pytest.raises(AccessError, match="it is not a file"):
        drop_in(home.manager())


@needs_root
def test_drop_in_for_all_users_belongs_to_root(home):
    (home.root / "etc/systemd/user").mkdir(parents=True)
    manager = home.manager(for_all=True)
    planned = drop_in(manager)
    assert manager.why_read_only(planned.path) is None
    manager.write(planned.path, planned.after)
    assert (home.root / planned.path[1:]).stat().st_uid == 0
    manager.write(planned.path, None)
    assert list((home.root / "etc/systemd/user").iterdir()) == []


@needs_root
def test_reason_why_the_user_cannot_write(home):
    os.chown(str(home.home), 0, 0)
    assert "cannot be written: Permission denied" in home.manager().why_read_only(drop_in(home.manager()).path)


def test_name_of_the_manager():
    assert manager_name(Account("bob", UID, UID, "/home/bob")) == "user@4321.service"


@pytest.mark.parametrize(
    "assigned, score",
    [("", 200), ("OOMScoreAdjust=7\n", 7), ("OOMScoreAdjust=7\nOOMScoreAdjust=x\n", 7), ("OOMScoreAdjust=\n", 200)],
)
def test_service_of_a_user_who_is_out_is_read_from_its_files(tmp_path, assigned, score):
    own = Account("me", os.geteuid(), os.getegid(), "/home/me")
    file = tmp_path / "home/me/.config/systemd/user/shop.service"
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\n" + assigned)
    manager = UserManager(own, MANAGER._replace(active_state="inactive", main_pid=0), False, str(tmp_path))
    unit = manager.units(["shop.service"])["shop.service"]
    assert (unit.score, unit.load_state, unit.main_pid, unit.oom_policy) == (score, "loaded", 0, "stop")
    assert not manager.lingers
    (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger/me").write_text("")
    assert manager.lingers


def test_what_a_manager_answers_is_bounded_and_checked():
    answers = {"show": "Id=shop.service\nNames=shop.service\nLoadState=loaded\n"}
    manager = UserManager(
        Account("me", os.geteuid(), os.getegid(), "/home/me"),
        MANAGER,
        False,
        start=lambda *command: lambda: answers[command[1]],
    )
    with pytest.raises(OomError, match="incomplete answer"):
        manager.units(["shop.service"])


ANSWER = """#!/bin/sh
cat <<END
Id=shop.service
Names=shop.service
LoadState=loaded
ActiveState=active
Type=simple
MainPID=41
ControlGroup=/user.slice/user-4321.slice/user@4321.service/app.slice/shop.service
FragmentPath=/$(id -u)/$(id -g)$XDG_RUNTIME_DIR$HOME/$#/$1
Delegate=no
OOMScoreAdjust=200
END
"""


@pytest.fixture
def systemctl(home, monkeypatch):
    """Return a function that puts a program in the place of systemctl, for a manager that runs."""
    monkeypatch.setattr(user_manager, "_PATH", f"{home.root}/bin:/usr/bin:/bin")
    (home.root / "run/systemd/system").mkdir(parents=True)
    (home.root / "bin").mkdir()

    def put(script):
        program = home.root / "bin/systemctl"
        program.write_text(script)
        program.chmod(0o755)
        return UserManager(home.account, MANAGER, False, str(home.root))

    return put


@needs_root
def test_systemctl_runs_as_the_user(systemctl):
    unit = systemctl(ANSWER).units(["shop.service"])["shop.service"]
    assert unit.main_pid == 41
    assert unit.fragment == f"/{UID}/{UID}/run/user/{UID}/home/bob/5/--user"


@needs_root
@pytest.mark.parametrize(
    "script, problem",
    [
        ("kill -STOP $$", "systemctl --user did not end within 0 seconds and was killed; check it with systemctl"),
        ("sleep 60", "systemctl --user did not end within 0 seconds and was killed; check it with systemctl"),
        ("exec yes", "systemctl --user wrote more than 1 MiB and was killed; check it with systemctl --user status"),
        ("printf 'a\\nb\\033[2J' >&2; exit 1", r"systemctl --user failed: a\\x0ab\\x1b\[2J; check it with systemctl"),
        ("kill -9 $PPID; sleep 1", "no answer came in time; check whether the home folder"),
    ],
)
def test_systemctl_that_the_user_has_in_hand(systemctl, monkeypatch, script, problem):
    """Its user may trace it, stop it, and make it write anything."""
    monkeypatch.setattr(user_manager, "_SECONDS", 0.5)
    manager, begun = systemctl("#!/bin/sh\n" + script + "\n"), time.monotonic()
    with pytest.raises(OomError, match=problem):
        manager.units(["shop.service"])
    assert time.monotonic() - begun < 10
