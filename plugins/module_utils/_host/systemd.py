# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What systemd says of units, and the drop-ins by which it is told.

Read with one call of systemctl for all units. A drop-in is one file of ours in
the unit's own folder in /etc, and of that file only our assignments.
Sources: systemctl(1), systemd.unit(5), systemd.service(5), org.freedesktop.systemd1(5).
"""

import os
import subprocess
import tempfile
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host import unit_files as _unit_files
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import UNIT_NAME

DROP_IN = "60-oomguard.conf"

# Where systemd looks for units and their drop-ins; of files with the same name the first wins (systemd.unit(5)).
UNIT_FOLDERS = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
USER_UNIT_FOLDERS = ("etc/systemd/user", "run/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user")

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
)
_NAME_BYTES = 255
_SUFFIXES = ("socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")


class Unit(NamedTuple):
    """One service as systemd has it loaded."""

    id: str  # its own name, where it was asked for by an alias
    names: List[str]
    load_state: str  # loaded, not-found, masked, ...
    active_state: str
    type: str
    main_pid: int  # 0 for none
    control_group: str  # empty when it does not run
    fragment: str  # path of the unit file, empty for none
    drop_ins: List[str]
    delegate: bool  # a manager of its own cgroups, such as a container engine
    score: int
    oom_policy: Optional[str]  # None before systemd 243

    @property
    def running(self) -> bool:
        return self.active_state in ("active", "reloading")


def service_name(value: str) -> str:
    """The full name of a service; raises InputError for whatever is no service that can be pinned."""
    name = value if value.endswith(".service") else value + ".service"
    if not UNIT_NAME.match(value) or len(name) > _NAME_BYTES or name.startswith("."):
        raise InputError(f"unit {value!r} is not a name of a unit, such as docker or docker.service")
    suffix = value.rpartition(".")[2]
    if suffix in _SUFFIXES:
        raise InputError(
            f"unit {value} is a {suffix}: only services have a main process; use cgroup for what runs in it"
        )
    if name.endswith("@.service"):
        raise InputError(
            f"unit {name} is a template, of which nothing runs: name an instance, such as {name[: -len('@.service')]}@NAME.service"
        )
    return name


def start_program(*command: str) -> Callable[[], str]:
    """Start a program of systemd. What comes back waits for its end and gives what it says, or raises OomError with its complaint."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise UnsupportedError(f"{command[0]} cannot be started: {error.strerror}")

    def said() -> str:
        output, complaint = process.communicate()
        if process.returncode != 0:
            raise OomError(f"{' '.join(command[:2])} failed: {complaint.decode('utf-8', 'replace').strip()}")
        return output.decode("utf-8", "replace")

    return said


def run_program(*command: str) -> str:
    """What a program of systemd says; raises OomError with its complaint."""
    return start_program(*command)()


class DropIn(NamedTuple):
    """Our drop-in of a unit, as it is and as it shall be; None for no file."""

    path: str
    before: Optional[str]
    after: Optional[str]


class Systemd:
    """The service manager of this host."""

    def __init__(self, root: str = "/", ask: Callable[..., Callable[[], str]] = start_program) -> None:
        self._root = root
        self._ask = ask
        self._answers: Dict[Tuple[str, ...], Callable[[], str]] = {}  # by names of services, begun and not yet wanted
        self._defaults: Dict[str, str] = {}  # of all units, once they were asked for
        self._files: Dict[str, Tuple[str, Dict[str, str]]] = {}  # by unit, read when the plan is made

    def runs(self) -> bool:
        return os.path.isdir(os.path.join(self._root, "run/systemd/system"))  # sd_booted(3)

    def ask_for(self, names: Iterable[str]) -> None:
        """Begin to ask for these services. systemctl takes its time, in which other things can be done before C(units) gives the answer."""
        names = tuple(dict.fromkeys(names))
        if names and self.runs():
            self._answers[names] = self._ask("systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", *names)

    def units(self, names: Iterable[str]) -> Dict[str, Unit]:
        """Facts of these services by the name that was asked for, in one call. Raises UnsupportedError where systemd does not run."""
        names = tuple(dict.fromkeys(names))
        if not names:
            return {}
        if not self.runs():
            raise UnsupportedError(self._no_systemd(names[0]))
        if names not in self._answers:
            self.ask_for(names)
        answer = self._answers.pop(names)
        blocks = [block for block in answer().split("\n\n") if block.strip()]
        if len(blocks) != len(names):
            raise OomError(f"systemctl show told of {len(blocks)} units, asked for {len(names)}: {', '.join(names)}")
        return {name: _unit(block) for name, block in zip(names, blocks)}

    def default(self, key: str) -> Optional[str]:
        """What units have whose files do not say OOMScoreAdjust or OOMPolicy; None where systemd is too old to have such a setting.

        Source: systemd-system.conf(5), DefaultOOMScoreAdjust= (250) and DefaultOOMPolicy= (243).
        """
        if not self._defaults:
            self._defaults = _properties(
                self._ask("systemctl", "show", "--property=DefaultOOMScoreAdjust,DefaultOOMPolicy")()
            )
        return self._defaults.get("Default" + key)

    def _no_systemd(self, name: str) -> str:
        if os.path.exists(os.path.join(self._root, "run/openrc")):
            manager, advice = "OpenRC", "export SSD_OOM_SCORE_ADJ=SCORE in /etc/conf.d/NAME"
        else:
            manager, advice = "its init", "choom(1) in the script that starts it"
        return f"unit {name}: systemd does not manage this host (no /run/systemd/system). Nothing that lasts can be written here, as that is up to {manager} ({advice}); what runs now can be pinned by process, pidfile or cgroup (role oom_protect: oom_protect_persistent=false)"

    def why_missing(self, name: str, unit: Unit) -> Optional[str]:
        """Why there is no such service; None if there is."""
        if unit.load_state == "masked":
            return f"unit {unit.id} is masked, it cannot be started: unmask it first"
        if unit.load_state != "not-found":
            return None
        if any(os.path.lexists(os.path.join(self._root, folder, name)) for folder in USER_UNIT_FOLDERS):
            return f"unit {name} is a unit of users' own managers, which is not supported: use process or cgroup for what runs now"
        return f"unit {name} does not exist"

    # --- drop-ins -----------------------------------------------------------------

    def drop_in(self, unit: Unit, wanted: Dict[str, Optional[str]]) -> DropIn:
        """What our drop-in has to become for these assignments; None takes one away."""
        path = self._drop_in_path(unit.id)
        before = self._text(path)
        return DropIn(path, before, _unit_files.assign(before, wanted))

    def _drop_in_path(self, unit_id: str) -> str:
        return os.path.join("/", UNIT_FOLDERS[0], unit_id + ".d", DROP_IN)

    @staticmethod
    def pinned_by(drop_in: DropIn) -> Optional[int]:
        """The score that our drop-in gave so far."""
        given = _unit_files.assigned(drop_in.before or "", "OOMScoreAdjust")
        return int(given) if given and _unit_files.is_score(given) else None

    def has_drop_in(self, unit_id: str) -> bool:
        return self._text(self._drop_in_path(unit_id)) is not None

    def score_after(self, unit: Unit, planned: Optional[DropIn]) -> Optional[int]:
        """What the unit's files say for the next start, with the planned drop-in; None where they say nothing."""
        given = self._given(unit, "OOMScoreAdjust", planned, _unit_files.is_score)
        return int(given) if given else None

    def policy_after(self, unit: Unit, planned: Optional[DropIn]) -> Optional[str]:
        """The OOMPolicy with the planned drop-in; None before systemd 243."""
        if unit.oom_policy is None:
            return None
        given = self._given(unit, "OOMPolicy", planned, _unit_files.is_policy)
        if given:
            return given
        if planned is not None and planned.before and _unit_files.assigned(planned.before, "OOMPolicy"):
            return "continue" if unit.delegate else self.default("OOMPolicy")  # what is loaded now is ours, and goes
        return unit.oom_policy

    def _given(self, unit: Unit, key: str, planned: Optional[DropIn], valid: Callable[[str], bool]) -> Optional[str]:
        if unit.id not in self._files:
            self._files[unit.id] = self._read(unit)
        fragment, found = self._files[unit.id]
        texts = found if planned is None else dict(found, **{DROP_IN: planned.after or ""})
        return _unit_files.last_assigned([fragment] + [texts[name] for name in sorted(texts)], key, valid)

    def _read(self, unit: Unit) -> Tuple[str, Dict[str, str]]:
        """The unit's file, and its drop-ins by file name, which is their order."""
        texts: Dict[str, str] = {}
        for path in self._drop_in_files(unit):
            texts.setdefault(os.path.basename(path), self._text(path) or "")
        fragment = self._text(unit.fragment) if unit.fragment else None
        return fragment or "", texts

    def _drop_in_files(self, unit: Unit) -> List[str]:
        """All of a unit's drop-ins, the first of a name winning. Those that are not loaded yet will be with our daemon-reload."""
        found: List[str] = []
        for folder in UNIT_FOLDERS:
            directory = os.path.join("/", folder, unit.id + ".d")
            try:
                names = os.listdir(self._below_root(directory))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise AccessError(f"{directory} cannot be read: {error.strerror}")
            found.extend(os.path.join(directory, name) for name in sorted(names) if name.endswith(".conf"))
        return found + [path for path in unit.drop_ins if path not in found]  # of generators, or for several units

    def write(self, path: str, text: Optional[str]) -> None:
        """Make a drop-in have this text, whole or not at all; None removes it, and its folder if nothing else is in it."""
        real = self._below_root(path)
        folder = os.path.dirname(real)
        try:
            if text is None:
                if os.path.lexists(real):
                    os.unlink(real)
                if os.path.isdir(folder) and not os.listdir(folder):
                    os.rmdir(folder)
                return
            if not os.path.isdir(folder):
                os.makedirs(folder)
                os.chmod(folder, 0o755)  # whatever the umask: systemctl cat is for everybody
            fd, unfinished = tempfile.mkstemp(prefix="." + DROP_IN, dir=folder)
            try:
                with open(fd, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    os.fchmod(fd, 0o644)
                    stream.write(text)
                    stream.flush()
                    os.fsync(fd)
                os.rename(unfinished, real)
            except BaseException:
                os.unlink(unfinished)
                raise
        except OSError as error:
            raise AccessError(f"{path} cannot be written: {error.strerror}")

    def reload(self) -> None:
        """Let systemd read its units again; it restarts nothing."""
        self._ask("systemctl", "daemon-reload")()

    def _below_root(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def _text(self, path: str) -> Optional[str]:
        try:
            with open(self._below_root(path), encoding="utf-8", errors="surrogateescape") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise AccessError(f"{path} cannot be read: {error.strerror}")


def _properties(block: str) -> Dict[str, str]:
    return dict(line.split("=", 1) for line in block.strip().splitlines() if "=" in line)


def _unit(block: str) -> Unit:
    shown = _properties(block)
    return Unit(
        id=shown["Id"],
        names=shown.get("Names", "").split(),
        load_state=shown.get("LoadState", ""),
        active_state=shown.get("ActiveState", ""),
        type=shown.get("Type", ""),
        main_pid=int(shown.get("MainPID") or 0),
        control_group=shown.get("ControlGroup", ""),
        fragment=shown.get("FragmentPath", ""),
        drop_ins=shown.get("DropInPaths", "").split(),
        delegate=shown.get("Delegate") == "yes",
        score=int(shown.get("OOMScoreAdjust") or 0),
        oom_policy=shown.get("OOMPolicy"),
    )
