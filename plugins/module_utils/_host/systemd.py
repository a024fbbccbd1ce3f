# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Query systemd for units, and plan and write our drop-ins.

Strategy: one call of systemctl show returns all units, and may run in the
background while the caller does something else. A drop-in is one file of ours in
the unit's own folder in /etc, and of that file only our assignments. An answer of
systemctl that may be cut off is an error: a property that is missing there would
look like an empty one.
Sources: systemctl(1), systemd.unit(5), systemd.service(5), org.freedesktop.systemd1(5).
"""

import os
import re
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNIT_NAME,
    add_suffix,
    strip_suffix,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import start_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import (
    CHECKS,
    KILLER_DROP_IN,
    KILLER_HEADER,
    OWN_KEYS,
    DropIn,
    change_assignments,
    is_score,
    list_commands,
    read_assignment,
    resolve_assignment,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_folders import (
    UNIT_FOLDERS,
    USER_UNIT_FOLDERS,
    UnitFolders,
)

DROP_IN = "60-oomguard.conf"

_PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "Type",
    "MainPID",
    "ControlGroup",
    "FragmentPath",
    "DropInPaths",
    "Delegate",
    "OOMScoreAdjust",
    "OOMPolicy",
    "ManagedOOMPreference",
)
_OPTIONAL = _PROPERTIES[-2:]  # systemd before 243 and 248 does not have them
# Those that every service has, and never empty; systemctl before 248 leaves out empty properties.
_REQUIRED = ("Id", "Names", "LoadState", "ActiveState")
_REQUIRED_IF_LOADED = ("Type", "MainPID", "FragmentPath", "Delegate", "OOMScoreAdjust")
_SHOW_SECONDS = 30.0  # a busy service manager answers within 25 seconds, or not at all (sd-bus's default)
_RELOAD_SECONDS = 180.0  # systemctl itself waits that long for a manager with thousands of units
_NAME_BYTES = 255
_MAX_INSTANCES = 3  # in a message
_OTHER_SUFFIXES = ("socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")


class Unit(NamedTuple):
    """A service, as systemd has loaded it."""

    id: str  # its own name, even if an alias was given
    names: List[str]
    load_state: str  # loaded, not-found, masked, ...
    active_state: str
    type: str
    main_pid: int  # 0 if it has none
    control_group: str  # empty unless it runs
    fragment: str  # path of the unit file, empty if it has none
    drop_ins: List[str]
    delegate: bool  # it manages its own cgroups, as a container engine does
    score: int
    oom_policy: Optional[str]  # None before systemd 243
    preference: Optional[str] = None  # of systemd-oomd; None before systemd 248

    @property
    def running(self) -> bool:
        """Return whether it is active or reloading."""
        return self.active_state in ("active", "reloading")


def service_name(value: str, list_services: Callable[[], Iterable[str]] = tuple) -> str:
    """Return the full name of a service, with .service.

    Raises InputError for an invalid name, and for a unit that has no main process. Where it is a
    template, C(list_services) returns the services to find instances of it in.
    """
    name = add_suffix(value)
    if not UNIT_NAME.match(value) or len(name) > _NAME_BYTES or name.startswith("."):
        raise InputError(f"unit={shorten(value)!r} is not a name of a unit: write it as docker or docker.service")
    suffix = value.rpartition(".")[2]
    if suffix in _OTHER_SUFFIXES:
        raise InputError(
            f"unit={value} is a {suffix}: only services have a main process; select what runs in it with cgroup"
        )
    if name.endswith("@.service"):
        template = strip_suffix(name)
        instances = [one for one in list_services() if one.startswith(template)][:_MAX_INSTANCES]
        shown = " or ".join(instances) or f"{template}NAME.service"
        raise InputError(f"unit={name} is a template, which never runs itself: name an instance, such as {shown}")
    return name


def start_systemctl(*command: str) -> Callable[[], str]:
    """Start systemctl, and return a function that waits for its end and returns its output.

    Raises UnsupportedError if it cannot be started. The function raises OomError if it fails,
    or takes longer than systemd does at its worst.
    """
    return start_program(*command, seconds=_RELOAD_SECONDS if command[1] == "daemon-reload" else _SHOW_SECONDS)


class Systemd:
    """The service manager of this host.

    Tests pass a tree of files as root, and a replacement for start_systemctl().
    """

    pid = 1  # of the manager, which starts every service
    is_of_user = False
    home_of = ""  # the login name of the user whose home folder has its drop-ins
    _drop_in_folder = UNIT_FOLDERS[0]

    def __init__(
        self,
        root: str = "/",
        start: Callable[..., Callable[[], str]] = start_systemctl,
        folders: Optional[UnitFolders] = None,
    ) -> None:
        self.root = root
        self._folders = folders or UnitFolders(root)
        self._start = start
        self._pending: Dict[Tuple[str, ...], Callable[[], str]] = {}  # running queries, by names of services
        self._manager: Dict[str, str] = {}  # properties of systemd itself, after the first query
        self._files: Dict[str, Tuple[Tuple[str, str], Dict[str, Tuple[str, str]]]] = {}  # by unit, as read for the plan

    def runs(self) -> bool:
        """Return whether systemd manages this host (sd_booted(3))."""
        return os.path.isdir(self._folders.locate("/run/systemd/system"))

    def ask_for(self, names: Iterable[str]) -> None:
        """Start the query for these services; units() with the same names returns its result.

        systemctl takes some time. The caller can do other work until then.
        Raises UnsupportedError if it cannot be started.
        """
        names = tuple(dict.fromkeys(names))
        if names and self.runs():
            self._pending[names] = self._start("systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", *names)

    def units(self, names: Iterable[str]) -> Dict[str, Unit]:
        """Return these services by the names given, with one call of systemctl show.

        Raises UnsupportedError if systemd does not manage this host, OomError if systemctl fails
        or its answer is incomplete.
        """
        names = tuple(dict.fromkeys(names))
        if not names:
            return {}
        if not self.runs():
            raise UnsupportedError(self._explain_no_systemd(names[0]))
        if names not in self._pending:
            self.ask_for(names)
        output = _check_end(self._pending.pop(names)())
        blocks = [block for block in output.split("\n\n") if block.strip("\n")]
        if len(blocks) != len(names):
            raise OomError(
                f"systemctl show returned {len(blocks)} units for {len(names)} names: {_join_names(names)}; run again"
            )
        units = {name: _parse_unit(name, _parse_properties(block)) for name, block in zip(names, blocks)}
        # systemd has these for every loaded service or, if it is too old, for none.
        loaded = [unit for unit in units.values() if unit.load_state == "loaded"]
        for key, values in zip(_OPTIONAL, zip(*((unit.oom_policy, unit.preference) for unit in loaded))):
            if len({value is None for value in values}) > 1:
                raise _incomplete(names[-1], key)
        return units

    def default(self, key: str) -> Optional[str]:
        """Return systemd's default of OOMScoreAdjust or OOMPolicy, for units that do not set it.

        None if systemd is too old to have such a setting: DefaultOOMScoreAdjust= came with
        version 250, DefaultOOMPolicy= with 243 (systemd-system.conf(5)).
        Raises OomError if systemctl fails or its answer is incomplete.
        """
        return self._read_manager().get("Default" + key)

    def version(self) -> str:
        """Return systemd's version, such as C(252.39-1~deb12u1).

        Raises OomError if systemctl fails or its answer is incomplete.
        """
        return self._read_manager().get("Version") or "of an unknown version"

    def _read_manager(self) -> Dict[str, str]:
        """Return the properties of systemd itself."""
        if not self._manager:
            command = ("systemctl", "show", "--property=Version,DefaultOOMScoreAdjust,DefaultOOMPolicy")
            self._manager = _parse_properties(_check_end(self._start(*command)()))
            score = self._manager.get("DefaultOOMScoreAdjust")
            if score is not None and not is_score(score):
                raise OomError(
                    f"systemctl show returned DefaultOOMScoreAdjust={score[:32]!r}, which is not a score:"
                    " check it with systemctl show --property=DefaultOOMScoreAdjust"
                )
        return self._manager

    def _explain_no_systemd(self, name: str) -> str:
        if os.path.exists(self._folders.locate("/run/openrc")):
            # On Debian most scripts are those of SysV init, which do not read that file.
            manager = "OpenRC"
            advice = "export SSD_OOM_SCORE_ADJ=SCORE in /etc/conf.d/NAME, or choom(1) in a script of SysV init"
        else:
            manager, advice = "its init", "choom(1) in the script that starts it"
        return (
            f"unit={name}: systemd does not manage this host (no /run/systemd/system). "
            f"A score that lasts is up to {manager} ({advice}). "
            "Pin what runs now by process, pidfile or cgroup (role oom_protect: oom_protect_persistent=false)"
        )

    def why_missing(self, name: str, unit: Unit) -> Optional[str]:
        """Return what a masked or missing service lacks; None for any other.

        C(name) is the name that was passed to units().
        """
        if unit.load_state == "masked":
            return f"unit={unit.id} is masked and cannot start: run systemctl unmask {unit.id} first"
        if unit.load_state != "not-found":
            return None
        return f"unit={name}: no such system unit"

    def show_loaded(self, patterns: Iterable[str], properties: Iterable[str]) -> List[Dict[str, str]]:
        """Return properties of all loaded units with such a name, such as C(*.slice).

        Raises UnsupportedError if systemctl cannot be started, OomError if it fails.
        """
        command = ("systemctl", "show", "--property=" + ",".join(properties), "--", *patterns)
        return [_parse_properties(block) for block in _check_end(self._start(*command)()).split("\n\n") if block]

    def running_services(self) -> List[str]:
        """Return the names of the services that run now; none where systemctl fails."""
        try:
            names = _read_first_words(self._list_services("--state=running"))
        except OomError:
            return []
        return [name for name in names if name.endswith(".service") and UNIT_NAME.match(name)]

    def instances_of(self, templates: Iterable[str]) -> List[str]:
        """Return the instances of these templates, each such as C(postgresql@).

        Those that systemd has started, those that another unit wants, and those that have a folder
        of drop-ins in /etc. Any user may load others, with any name (systemctl status), and keep
        them loaded. Raises UnsupportedError if systemd does not manage this host, OomError if
        systemctl fails.
        """
        templates = tuple(dict.fromkeys(templates))
        if not self.runs():
            raise UnsupportedError(self._explain_no_systemd(templates[0] + "*"))
        output = self._list_services("--all", [f"{template}*.service" for template in templates])
        rows = [line.split(None, 4) for line in _check_end(output).split("\n")]
        started = [row[0] for row in rows if len(row) > 3 and row[2] != "inactive"]
        names = sorted({*started, *self._folders.list_wanted_units(), *self._folders.list_drop_in_units()})
        return [name for name in names if name.startswith(templates) and _can_run(name)]

    def _list_services(self, which: str, patterns: Sequence[str] = ()) -> str:
        """Return a table of services, one line each. Raises OomError if systemctl fails."""
        command = ("list-units", "--type=service", which, "--plain", "--no-legend", "--no-pager", "--full")
        return self._start("systemctl", *command, *(("--", *patterns) if patterns else ()))()

    def known_services(self) -> List[str]:
        """Return the names of the services that run now or have a unit file; no templates."""
        names = self.running_services() + self._folders.list_services()
        return [name for name in dict.fromkeys(names) if not name.endswith("@.service")]

    def has_user_unit(self, name: str) -> bool:
        """Return whether users' service managers have a unit of this name."""
        return self._folders.has_user_unit(name)

    # --- drop-ins -----------------------------------------------------------------

    def drop_in(self, unit: Unit, assignments: Dict[str, Optional[str]]) -> DropIn:
        """Plan our drop-in of a unit with these values by key, and return it; None removes a key.

        Nothing is written. Raises AccessError if the drop-in cannot be read.
        """
        path = self._drop_in_path(unit.id)
        before = self._folders.read_for_plan(path)
        return DropIn(path, before, change_assignments(before, assignments))

    def _drop_in_path(self, unit_id: str) -> str:
        return os.path.join(self._drop_in_folder, unit_id + ".d", DROP_IN)

    def own_drop_ins(self) -> Tuple[List[Tuple[str, str]], List[str]]:
        """Return the path of every drop-in with our header, and the name of its service.

        The name is empty where the drop-in is not at the place where drop_in() plans one: another
        program has moved or copied it. Also returns why others cannot be read.
        Raises AccessError if a folder of all units cannot be read.
        """
        found = []
        paths, unread = self._folders.find_own_drop_ins(DROP_IN)
        for path in paths:
            unit = os.path.basename(os.path.dirname(path))[: -len(".d")]
            found.append((path, unit if _can_run(unit) and path == self._drop_in_path(unit) else ""))
        return found, unread

    def removal(self, path: str) -> DropIn:
        """Return a drop-in before and after our assignments are removed; raises as read() does."""
        before = self.read(path)
        is_killers = before is not None and before.startswith(KILLER_HEADER)
        return DropIn(path, before, None if is_killers else change_assignments(before, dict.fromkeys(OWN_KEYS)))

    @staticmethod
    def drop_in_path_for_all_users(unit_id: str) -> str:
        """Return the path of our drop-in of a service for the managers of all users."""
        return os.path.join(USER_UNIT_FOLDERS[0], unit_id + ".d", DROP_IN)

    @staticmethod
    def killer_drop_in_path(unit_id: str) -> str:
        """Return the path of our drop-in of a killer."""
        return os.path.join(UNIT_FOLDERS[0], unit_id + ".d", KILLER_DROP_IN)

    def commands_of(self, unit: Unit) -> List[str]:
        """Return the values of ExecStart of a unit, without our drop-in of a killer.

        Raises AccessError if a file cannot be read.
        """
        fragment, drop_ins = self._read_files(unit)
        names = [name for name in sorted(drop_ins) if name != KILLER_DROP_IN]
        return list_commands([fragment[1], *(drop_ins[name][1] for name in names)])

    def find_later_command(self, unit: Unit) -> Optional[str]:
        """Return a drop-in that sets ExecStart behind ours of a killer; None without one.

        Raises AccessError if a file cannot be read.
        """
        _fragment, drop_ins = self._read_files(unit)
        later = [drop_ins[name] for name in sorted(drop_ins) if name > KILLER_DROP_IN]
        return next((path for path, text in later if read_assignment(text, "ExecStart") is not None), None)

    def why_read_only(self, path: str) -> Optional[str]:
        """Return why a drop-in could not be written or removed now; None if it could."""
        return self._folders.why_read_only(path)

    @staticmethod
    def pinned_by(drop_in: DropIn) -> Optional[int]:
        """Return the score that our drop-in sets before the change, or None."""
        value = read_assignment(drop_in.before or "", "OOMScoreAdjust")
        return int(value) if value and is_score(value) else None

    def has_drop_in(self, unit_id: str) -> bool:
        """Return whether a unit has a drop-in of ours; raises AccessError if it cannot be read."""
        return self._folders.read_for_plan(self._drop_in_path(unit_id)) is not None

    def has_leftovers(self, unit_id: str) -> bool:
        """Return whether a run that was killed left something of our drop-in of a unit."""
        return self._folders.has_leftovers(self._drop_in_path(unit_id))

    def read(self, path: str) -> Optional[str]:
        """Return a drop-in's text, None without one; raises AccessError if it cannot be read."""
        return self._folders.read(path)

    def sweep(self, path: str) -> None:
        """Remove what a run that was killed left of a drop-in, and its folder if that is empty.

        Raises AccessError if that fails.
        """
        if self.read(path) is None:
            self._folders.remove(path)
        else:
            self._folders.sweep(path)

    def score_after(self, unit: Unit, planned: Optional[DropIn]) -> Optional[int]:
        """Return the OOMScoreAdjust of a unit's next start, with the planned drop-in.

        Returns None if no file of the unit sets it. Without a planned drop-in the files count as
        they are. Raises AccessError if one cannot be read.
        """
        value = self._resolve(unit, "OOMScoreAdjust", planned)[0]
        return int(value) if value else None

    def find_winner(self, unit: Unit, key: str, planned: Optional[DropIn]) -> Optional[str]:
        """Return the path of the file that decides a key of a unit, with the planned drop-in.

        None if no file sets it. Raises AccessError if one cannot be read.
        """
        return self._resolve(unit, key, planned)[1]

    def policy_after(self, unit: Unit, planned: Optional[DropIn]) -> Optional[str]:
        """Return the OOMPolicy of a unit, with the planned drop-in; None before systemd 243.

        Returns systemd's default for this unit if no file sets it. Raises AccessError
        if a file cannot be read, OomError if systemctl fails.
        """
        if unit.oom_policy is None:
            return None
        value = self._resolve(unit, "OOMPolicy", planned)[0]
        if value:
            return value
        if planned is not None and planned.before and read_assignment(planned.before, "OOMPolicy"):
            # The value that systemd has loaded is ours, and the plan removes it.
            return "continue" if unit.delegate else self.default("OOMPolicy")
        return unit.oom_policy

    def preference_after(self, unit: Unit, planned: Optional[DropIn]) -> Optional[str]:
        """Return the ManagedOOMPreference of a unit, with the planned drop-in.

        None before systemd 248. Raises AccessError if a file cannot be read.
        """
        if unit.preference is None:
            return None
        return self._resolve(unit, "ManagedOOMPreference", planned)[0] or "none"

    def _resolve(self, unit: Unit, key: str, planned: Optional[DropIn]) -> Tuple[Optional[str], Optional[str]]:
        """Return the value of a key, and the path of the file that decides it."""
        if unit.id not in self._files:
            self._files[unit.id] = self._read_files(unit)
        fragment, drop_ins = self._files[unit.id]
        if planned is not None:
            drop_ins = dict(drop_ins, **{os.path.basename(planned.path): (planned.path, planned.after or "")})
        files = [fragment] + [drop_ins[name] for name in sorted(drop_ins)]
        value, number = resolve_assignment([text for _path, text in files], key, CHECKS[key])
        return value, None if number is None else files[number][0]

    def _read_files(self, unit: Unit) -> Tuple[Tuple[str, str], Dict[str, Tuple[str, str]]]:
        """Return path and text of the unit file, and those of its drop-ins by file name.

        systemd reads drop-ins in the order of their file names. Of files with the same name it
        reads only the one in the first folder. Drop-ins that systemd has not loaded yet are
        included, because our daemon-reload will load them.
        """
        paths = self._folders.find_drop_ins(unit.id)
        paths += [path for path in unit.drop_ins if path not in paths]  # of generators, or for several units
        first: Dict[str, str] = {}
        for path in paths:
            first.setdefault(os.path.basename(path), path)
        texts = self._folders.read_all([*first.values(), *([unit.fragment] if unit.fragment else [])])
        return (unit.fragment, texts.get(unit.fragment, "")), {
            name: (path, texts[path]) for name, path in first.items()
        }

    def write(self, path: str, text: Optional[str]) -> None:
        """Replace a drop-in with this text, completely or not at all.

        None removes the file, and its folder if that is then empty. Raises AccessError on failure.
        """
        if text is None:
            self._folders.remove(path)
        else:
            self._folders.write(path, text)

    def reload(self) -> None:
        """Run systemctl daemon-reload, which restarts no unit. Raises OomError if it fails."""
        self._start("systemctl", "daemon-reload")()

    def restart_running(self, unit_id: str) -> None:
        """Restart a unit if it runs. Raises OomError if that fails."""
        self._start("systemctl", "try-restart", "--", unit_id)()


def _read_first_words(table: str) -> List[str]:
    """Return the first word of each line that has one."""
    return [line.split()[0] for line in table.split("\n") if line.strip()]


def _can_run(name: str) -> bool:
    """Return whether this is the name of a service, and not that of a template."""
    return name.endswith(".service") and not name.endswith("@.service") and UNIT_NAME.match(name) is not None


def _check_end(output: str) -> str:
    """Return the output; raise OomError if its last line is cut off."""
    if output and not output.endswith("\n"):
        raise OomError("systemctl show returned an incomplete answer: its last line is cut off; run again")
    return output


def _parse_properties(block: str) -> Dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _parse_unit(name: str, properties: Dict[str, str]) -> Unit:
    """Return a unit; raise OomError if its properties are incomplete or of another unit."""
    _check_properties(name, properties)
    return Unit(
        id=properties["Id"],
        names=properties["Names"].split(),
        load_state=properties["LoadState"],
        active_state=properties["ActiveState"],
        type=properties.get("Type", ""),
        main_pid=_parse_number(name, properties, "MainPID"),
        control_group=properties.get("ControlGroup", ""),
        fragment=properties.get("FragmentPath", ""),
        drop_ins=properties.get("DropInPaths", "").split(),
        delegate=properties.get("Delegate") == "yes",
        score=_parse_number(name, properties, "OOMScoreAdjust"),
        oom_policy=properties.get("OOMPolicy"),
        preference=properties.get("ManagedOOMPreference"),
    )


def _check_properties(name: str, properties: Dict[str, str]) -> None:
    required = list(_REQUIRED)
    if properties.get("LoadState") == "loaded":
        # One that prints an empty property leaves out none.
        everywhere = [key for key in _PROPERTIES if key not in _OPTIONAL]
        required += everywhere if "" in properties.values() else _REQUIRED_IF_LOADED
    for key in required:
        if key not in properties:
            raise _incomplete(name, key)
    unit_id = properties["Id"]
    if name not in (unit_id, *properties["Names"].split()) or not UNIT_NAME.match(unit_id):
        raise OomError(f"systemctl show returned the unit {unit_id[:_NAME_BYTES]!r} for the name {name}: run again")


def _parse_number(name: str, properties: Dict[str, str], key: str) -> int:
    value = properties.get(key) or "0"
    if not re.match(r"-?[0-9]{1,10}\Z", value):
        raise OomError(
            f"systemctl show returned {key}={value[:32]!r} for unit {name}, which is not a number:"
            f" check it with systemctl show {name}"
        )
    return int(value)


def _incomplete(name: str, key: str) -> OomError:
    return OomError(f"systemctl show returned an incomplete answer: unit {name} lacks {key}; run again")


def _join_names(names: Tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
