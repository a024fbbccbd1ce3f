# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Query the service manager of one user for units, and plan and write our drop-ins there.

Strategy: systemctl --user runs with the user's own rights, and so does all that reads the user's
files or writes below the home folder (as_user.py). What the manager answers is data of the user,
who may trace systemctl, too: the pid and the cgroup of a service count only inside the unit of the
manager, which the host's systemd reports. The service has no other name than that of the target,
because a drop-in for all users has that name. All that a plan needs is read once. A user who is not
logged in and does not linger has no manager: then the files show what a service is.
A manager has no CAP_SYS_RESOURCE. So no service of it starts with a score below the manager's own:
the kernel denies that, systemd ignores the denial, and the service keeps what it inherited.
Sources: systemd.unit(5), user@.service(5), systemd:src/core/execute.c:exec_child,
fs/proc/base.c:__set_oom_adj.
"""

import contextlib
import os
import re
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import Account, AsUser
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import Program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import is_policy, is_preference
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_folders import USER_UNIT_FOLDERS, UnitFolders

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OWN_FOLDER = ".config/systemd/user"
_OWN_DATA_FOLDER = ".local/share/systemd/user"
_LINGER = "/var/lib/systemd/linger"
_SECONDS = 30.0
_MAX_OUTPUT_BYTES = 1 << 20
_MAX_DROP_INS = 1000
_MAX_PATH = 4096  # PATH_MAX of include/uapi/linux/limits.h
_MAX_GROUPS = 1000  # more units than a user has
_STATE = re.compile(r"[a-z-]{0,30}\Z")
_GROUP = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.(?:slice|service|scope)\Z")  # names of systemd.unit(5)
_POLICY = "stop"  # where nothing sets OOMPolicy= (systemd-user.conf(5))
RISE = 100  # of the services of a manager over the manager itself, since systemd 250


def manager_name(account: Account) -> str:
    """Return the unit of the host's systemd that a user's manager runs in."""
    return f"user@{account.uid}.service"


class _FoldersOfUser(UnitFolders):
    """The folders that a user's manager loads units from.

    What only the user may change is read and written with the user's rights.
    """

    def __init__(self, root: str, account: Account) -> None:
        self.as_user = AsUser(account)
        self._planned: Dict[str, Optional[str]] = {}  # texts, by path
        self._left: Dict[str, bool] = {}  # whether a path has leftovers
        self.own = os.path.join(account.home, _OWN_FOLDER)
        super().__init__(root, (self.own, *USER_UNIT_FOLDERS, os.path.join(account.home, _OWN_DATA_FOLDER)))

    def _ask(self, action: Callable[[], Any]) -> Any:
        """Return what the action reads, which is what the user may read."""
        return self.as_user.call(action)

    def _change(self, path: str, action: Callable[[], Any]) -> Any:
        """Return what the action returns, which writes with the rights of the folder's owner."""
        return self._ask(action) if path.startswith(self.own + "/") else action()

    def read(self, path: str) -> Optional[str]:
        """Return a file's text as UnitFolders.read() does."""
        text: Optional[str] = self._ask(lambda: UnitFolders.read(self, path))
        return text

    def read_for_plan(self, path: str) -> Optional[str]:
        """Return a file's text as it was at the first call, as UnitFolders.read_for_plan() does."""
        if path not in self._planned:
            self._planned[path] = self.read(path)
        return self._planned[path]

    def read_all(self, paths: Iterable[str]) -> Dict[str, str]:
        """Return the texts of files as UnitFolders.read_all() does."""
        paths = list(paths)
        texts: Dict[str, str] = self._ask(lambda: UnitFolders.read_all(self, paths))
        return texts

    def find_drop_ins(self, unit_id: str) -> List[str]:
        """Return the paths of a unit's drop-ins as UnitFolders.find_drop_ins() does."""
        paths: List[str] = self._ask(lambda: UnitFolders.find_drop_ins(self, unit_id))
        return paths

    def find_own_drop_ins(self, name: str) -> Tuple[List[str], List[str]]:
        """Return the paths of our drop-ins as UnitFolders.find_own_drop_ins() does."""
        found, unread = self._ask(lambda: UnitFolders.find_own_drop_ins(self, name))
        return found, unread

    def has_home(self) -> bool:
        """Return whether the user's home folder is there."""
        return bool(self._ask(lambda: os.path.isdir(self.locate(self.as_user.account.home))))

    def find_fragment(self, unit_id: str) -> str:
        """Return the path of a unit's file; an empty text if it has none."""
        return str(self._ask(lambda: self._find_fragment(unit_id)))

    def _find_fragment(self, unit_id: str) -> str:
        paths = [os.path.join(folder, unit_id) for folder in self._all]
        return next((path for path in paths if os.path.exists(self.locate(path))), "")

    def why_read_only(self, path: str) -> Optional[str]:
        """Return why a file could not be written now, as UnitFolders.why_read_only() does."""
        why: Optional[str] = self._change(path, lambda: UnitFolders.why_read_only(self, path))
        return why

    def has_leftovers(self, path: str) -> bool:
        """Return whether a killed run left something, as UnitFolders.has_leftovers() does."""
        if path not in self._left:
            self._left[path] = bool(self._ask(lambda: UnitFolders.has_leftovers(self, path)))
        return self._left[path]

    def write(self, path: str, text: str) -> None:
        """Replace a file as UnitFolders.write() does."""
        self._change(path, lambda: UnitFolders.write(self, path, text))

    def sweep(self, path: str) -> None:
        """Remove what a killed run left, as UnitFolders.sweep() does."""
        self._change(path, lambda: UnitFolders.sweep(self, path))

    def remove(self, path: str) -> None:
        """Remove a file as UnitFolders.remove() does, and the user's folders if they are empty."""
        self._change(path, lambda: self._remove(path))

    def _remove(self, path: str) -> None:
        UnitFolders.remove(self, path)
        if path.startswith(self.own + "/"):
            # write() may have made these, and nothing else is in them then.
            with contextlib.suppress(OSError):
                for folder in (self.own, os.path.dirname(self.own), os.path.dirname(os.path.dirname(self.own))):
                    os.rmdir(self.locate(folder))


class UserManager(Systemd):
    """The service manager of one user.

    C(unit) is the one of the host's systemd that the manager runs in, C(for_all) whether drop-ins
    are for the managers of all users, and C(rise) what a manager that starts adds to its own score
    for its services.
    """

    is_of_user = True

    def __init__(
        self,
        account: Account,
        unit: Unit,
        for_all: bool,
        root: str = "/",
        start: Optional[Callable[..., Callable[[], str]]] = None,
        rise: int = RISE,
    ) -> None:
        folders = _FoldersOfUser(root, account)
        super().__init__(root, start or self._start_systemctl, folders)
        self.account = account
        self.pid = unit.main_pid
        self._unit = unit
        self._rise = rise
        self._own_folders = folders
        self._drop_in_folder = USER_UNIT_FOLDERS[0] if for_all else folders.own
        self.home_of = "" if for_all else account.name

    def _start_systemctl(self, *command: str) -> Callable[[], str]:
        """Start systemctl with the user's rights; see start_systemctl()."""
        environment = {
            "PATH": _PATH,
            "HOME": self.account.home,
            "XDG_RUNTIME_DIR": f"/run/user/{self.account.uid}",
        }

        def run() -> str:
            try:
                program = Program([command[0], "--user", *command[1:]], _SECONDS, environment)
                return program.output(_MAX_OUTPUT_BYTES).decode("utf-8", "surrogateescape")
            except OomError as error:
                advice = f"check it with systemctl --user status, run by {self.account.name}"
                raise OomError(f"{printable_name(str(error))}; {advice}") from error

        # Not started beforehand: the user could stop it before it is systemctl.
        return lambda: str(self._own_folders.as_user.call(run))

    def runs(self) -> bool:
        """Return whether the user's manager runs: the user is logged in, or lingers."""
        return self._unit.running and self.pid > 0

    @property
    def lingers(self) -> bool:
        """Return whether the manager runs from boot, and after the last logout of the user."""
        return os.path.exists(self._folders.locate(f"{_LINGER}/{self.account.name}"))

    def units(self, names: Iterable[str]) -> Dict[str, Unit]:
        """Return these services of the user by the names given.

        Without a running manager, their files say what there is to say.
        """
        names = list(names)
        if not self.runs():
            return {name: self._read_unit(name) for name in names}
        return {name: self._check(name, unit) for name, unit in super().units(names).items()}

    def _check(self, name: str, unit: Unit) -> Unit:
        """Return a unit under its name, without a process where its cgroup is not the manager's.

        Raises OomError for values that no systemd returns.
        """
        states = (unit.load_state, unit.active_state, unit.type)
        paths = (unit.control_group, unit.fragment, *unit.drop_ins)
        if (
            not all(map(_STATE.match, states))
            or len(paths) > _MAX_DROP_INS
            or any(len(path) > _MAX_PATH or "\0" in path or not path.startswith("/") for path in filter(None, paths))
            or not is_policy(unit.oom_policy or _POLICY)
            or not is_preference(unit.preference or "none")
        ):
            raise OomError(
                f"the service manager of user {self.account.name} returned for unit {name} what no systemd returns:"
                f" check it with systemctl --user show {name}, run by {self.account.name}"
            )
        unit = unit._replace(id=name, names=[name])
        if self._is_below(unit.control_group):
            return unit
        return unit._replace(main_pid=0, control_group="")

    def show_loaded(self, patterns: Iterable[str], properties: Iterable[str]) -> List[Dict[str, str]]:
        """Return properties as Systemd.show_loaded() does, of units in the manager's cgroup alone.

        C(patterns) are of slices, services and scopes, and C(properties) has Id and ControlGroup.
        """
        found = []
        for unit in super().show_loaded(patterns, properties):
            control_group = unit.get("ControlGroup", "")
            is_own = control_group == self._unit.control_group or self._is_below(control_group)
            if is_own and _GROUP.match(unit.get("Id", "")):
                found.append(unit)
        return found[:_MAX_GROUPS]

    def _is_below(self, control_group: str) -> bool:
        """Return whether a cgroup lies below that of the manager."""
        own = self._unit.control_group.rstrip("/")
        is_path = len(control_group) <= _MAX_PATH and "\0" not in control_group and ".." not in control_group
        return bool(own) and is_path and control_group.startswith(own + "/")

    def _read_unit(self, name: str) -> Unit:
        """Return what the files say of a service while no manager runs."""
        fragment = self._own_folders.find_fragment(name)
        state = "loaded" if fragment else "not-found"
        unit = Unit(name, [name], state, "inactive", "", 0, "", fragment, [], False, 0, None)
        if not fragment:
            return unit
        assigned = self.score_after(unit, None)
        policy = self._resolve(unit, "OOMPolicy", None)[0]
        preference = self._resolve(unit, "ManagedOOMPreference", None)[0] or "none" if self._unit.preference else None
        score = self._unit.score + self._rise if assigned is None else assigned
        return unit._replace(score=score, oom_policy=policy or _POLICY, preference=preference)

    def default(self, key: str) -> Optional[str]:
        """Return the manager's default of a key, as Systemd.default() does."""
        if self.runs():
            return super().default(key)
        return str(self._unit.score + self._rise) if key == "OOMScoreAdjust" else None

    def has_home(self) -> bool:
        """Return whether the user's home folder is there now. Raises OomError if that fails."""
        return bool(self._own_folders.has_home())

    def read_ahead(self, unit: Unit) -> None:
        """Read all that a plan may ask for of a service, so that trouble shows now.

        Raises OomError if that fails.
        """
        self.has_leftovers(unit.id)
        self.score_after(unit, None)
        self.default("OOMScoreAdjust")

    @property
    def name(self) -> str:
        """Return the unit of the host's systemd that the manager runs in."""
        return self._unit.id

    @property
    def score_at_login(self) -> int:
        """Return the score of the manager when it starts again, at a login or a boot."""
        return self._unit.score

    def why_missing(self, name: str, unit: Unit) -> Optional[str]:
        """Return what a masked or missing service lacks; None for any other."""
        user = self.account.name
        if unit.load_state == "masked":
            return f"unit {unit.id} of user {user} is masked and cannot start: run systemctl --user unmask first"
        if unit.load_state != "not-found":
            return None
        return (
            f"user {user} has no unit {name}: check the name with systemctl --user list-unit-files, run by {user}"
            if self.runs()
            else f"no file of a unit {name} was found for user {user}, who is not logged in and does not linger:"
            f" check the name, or log in as {user}"
        )
